/* sendx/fold against the merge of the stand-in API: random histories end the same, folded or not;
 * safely folded, with the same tag changes in the same order. */
#include <jansson.h>

#include "sandbox/store.h"
#include "sendx/fold.h"
#include "unit.h"

enum { CHANGES_MAX = 64 * 1024, HISTORIES = 4000, CALLS_MAX = 14 };

static const char address[] = "a@example.com";

/* ---- an API ---- */

/* One that tells of tag changes: "+tag" and "-tag", one after another. */
struct api {
    struct store *store;
    bool creates; /* what becomes of a track of an unknown contact, as the worker does it */
    size_t calls;
    char changes[CHANGES_MAX];
};

static void
note_change(void *owner, const struct store_contact *contact, enum tag_change change,
            const char *tag)
{
    struct api *api = owner;
    size_t len = strlen(api->changes);

    (void)contact;
    assert_true(len + strlen(tag) + 3 < sizeof(api->changes));
    snprintf(api->changes + len, sizeof(api->changes) - len, "%s%s ",
             change == TAG_ADDED ? "+" : "-", tag);
}

static void
api_open(struct api *api, bool creates)
{
    *api = (struct api){.creates = creates};
    api->store = store_new(note_change, api);
}

static json_t *
body_of(const struct call *call)
{
    struct buf buf;
    json_t *body;

    buf_init(&buf, 1 << 20);
    if (call->kind == CALL_IDENTIFY)
        contact_request_write(&call->identify, &buf);
    else
        track_request_write(&call->track, false, &buf);
    body = json_loadb(buf_text(&buf), buf.len, 0, NULL);
    assert_non_null(body);
    buf_fini(&buf);
    return body;
}

static void
api_take(struct api *api, const struct call *call)
{
    json_t *body = body_of(call);

    api->calls++;
    if (call->kind == CALL_IDENTIFY) {
        assert_non_null(store_identify(api->store, body));
    } else if (!store_track(api->store, call->track.email, body) && api->creates) {
        json_t *identify = json_pack("{s:s}", "email", call->track.email);

        assert_non_null(store_identify(api->store, identify));
        assert_non_null(store_track(api->store, call->track.email, body));
        json_decref(identify);
    }
    json_decref(body);
}

static void
api_take_own(struct api *api, struct call *call)
{
    if (call)
        api_take(api, call);
    call_free(call);
}

static int
compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The same properties, fields and tags, whatever their order. */
static void
assert_same_end(const struct api *a, const struct api *b)
{
    const struct store_contact *one = store_find(a->store, address);
    const struct store_contact *two = store_find(b->store, address);

    assert_true(!one == !two);
    if (!one)
        return;
    assert_string_equal(one->email, two->email);
    for (int i = 0; i < CONTACT_PROPERTIES; i++) {
        assert_true(!one->properties[i] == !two->properties[i]);
        if (one->properties[i])
            assert_string_equal(one->properties[i], two->properties[i]);
    }
    assert_int_equal(one->field_count, two->field_count);
    for (size_t i = 0; i < one->field_count; i++) {
        assert_non_null(contact_field(two, one->fields[i].name));
        assert_string_equal(one->fields[i].value, contact_field(two, one->fields[i].name));
    }
    assert_int_equal(one->tag_count, two->tag_count);
    if (one->tag_count == 0)
        return;
    qsort(one->tags, one->tag_count, sizeof(char *), compare);
    qsort(two->tags, two->tag_count, sizeof(char *), compare);
    for (size_t i = 0; i < one->tag_count; i++)
        assert_string_equal(one->tags[i], two->tags[i]);
}

/* ---- calls ---- */

static const char *
text_of(struct call *call, const char *text)
{
    return text ? arena_text(&call->arena, text, strlen(text)) : NULL;
}

/* TAGS is "a b c". */
static void
set_tags(struct call *call, struct text_list *list, const char *tags)
{
    char text[256], *rest = text, *tag;

    snprintf(text, sizeof(text), "%s", tags ? tags : "");
    list->items = arena_alloc(&call->arena, 8 * sizeof(char *));
    while ((tag = strsep(&rest, " "))) {
        if (*tag)
            list->items[list->count++] = text_of(call, tag);
    }
}

static struct call *
identify(const char *first_name, const char *plan, const char *tags)
{
    struct call *call = call_new(CALL_IDENTIFY, 0, "rule");
    struct contact_request *request = &call->identify;

    request->email = text_of(call, address);
    request->first_name = text_of(call, first_name);
    request->custom_fields.items = arena_alloc(&call->arena, 2 * sizeof(struct field));
    if (plan)
        request->custom_fields.items[request->custom_fields.count++] =
            (struct field){.name = text_of(call, "Plan"), .value = text_of(call, plan)};
    set_tags(call, &request->tags, tags);
    return call;
}

static struct call *
track(const char *add, const char *remove)
{
    struct call *call = call_new(CALL_TRACK, 0, "rule");

    call->track.email = text_of(call, address);
    set_tags(call, &call->track.add_tags, add);
    set_tags(call, &call->track.remove_tags, remove);
    return call;
}

static void
random_tags(struct rng *rng, const char *without, char tags[32])
{
    size_t len = 0;

    tags[0] = '\0';
    for (char tag = 'a'; tag <= 'e'; tag++) {
        if (!strchr(without, tag) && !rng_below(rng, 3)) {
            tags[len++] = tag;
            tags[len++] = ' ';
            tags[len] = '\0';
        }
    }
}

static struct call *
random_call(struct rng *rng)
{
    static const char *const values[] = {NULL, NULL, "one", "two"};
    static const char *const plans[] = {NULL, NULL, NULL, "free", "pro", "++2", "7"};
    char add[32], remove[32];

    random_tags(rng, "", add);
    if (rng_below(rng, 2))
        return identify(values[rng_below(rng, 4)], plans[rng_below(rng, 7)], add);
    random_tags(rng, add, remove);
    if (!rng_below(rng, 2))
        return rng_below(rng, 2) ? track(add[0] ? add : "a", "") : track("", add[0] ? add : "a");
    return track(add[0] || remove[0] ? add : "b", remove);
}

/* ---- random histories ---- */

/* AGAIN: the track was refused, and the calls themselves are sent. */
static void
take_folded(struct api *api, const struct fold *fold, bool again)
{
    if (fold->count > 1)
        api_take_own(api, fold_identify(fold));
    if (fold->count > 1 && !again)
        api_take_own(api, fold_track(fold));
    for (size_t i = 0; i < fold->count && (fold->count == 1 || again); i++)
        api_take(api, fold->calls[i]);
}

static void
take_history(struct api *api, enum fold_mode mode, struct call *const *calls, size_t count,
             struct rng *rng)
{
    for (size_t i = 0; i < count;) {
        struct fold fold;

        fold_init(&fold, mode, api->creates, calls[i++]);
        while (i < count && fold_add(&fold, calls[i]))
            i++;
        take_folded(api, &fold, mode == FOLD_FINAL && !rng_below(rng, 3));
    }
}

static void
compare_history(struct rng *rng, enum fold_mode mode)
{
    static struct api plain, folded;
    bool creates = rng_below(rng, 2);
    size_t count = 1 + rng_below(rng, CALLS_MAX);
    struct call *calls[CALLS_MAX];

    api_open(&plain, creates);
    api_open(&folded, creates);
    for (size_t i = 0; i < count; i++) {
        calls[i] = random_call(rng);
        api_take(&plain, calls[i]);
    }
    take_history(&folded, mode, calls, count, rng);
    assert_same_end(&plain, &folded);
    if (mode != FOLD_FINAL)
        assert_string_equal(plain.changes, folded.changes);
    if (mode == FOLD_OFF)
        assert_int_equal(plain.calls, folded.calls);
    for (size_t i = 0; i < count; i++)
        call_free(calls[i]);
    store_free(plain.store);
    store_free(folded.store);
}

static void
compare_histories(enum fold_mode mode, uint64_t seed)
{
    struct rng rng = unit_rng("fold", seed);

    for (int i = 0; i < HISTORIES; i++)
        compare_history(&rng, mode);
}

static void
unfolded_nothing_changes(void **state)
{
    (void)state;
    compare_histories(FOLD_OFF, 1);
}

static void
safely_folded_the_end_and_every_tag_change_are_the_same(void **state)
{
    (void)state;
    compare_histories(FOLD_SAFE, 2);
}

static void
finally_folded_the_end_is_the_same(void **state)
{
    (void)state;
    compare_histories(FOLD_FINAL, 3);
}

/* ---- what is folded, one by one ---- */

/* Frees both. */
static bool
folds(enum fold_mode mode, bool creates, struct call *first, struct call *second)
{
    struct fold fold;
    bool added;

    fold_init(&fold, mode, creates, first);
    added = fold_add(&fold, second);
    assert_int_equal(fold.count, added ? 2 : 1);
    call_free(first);
    call_free(second);
    return added;
}

static void
safe_joins_what_agrees(void **state)
{
    (void)state;
    assert_true(folds(FOLD_SAFE, true, identify("A", NULL, "x"), identify(NULL, "pro", "y")));
    assert_true(folds(FOLD_SAFE, true, identify("A", "pro", ""), identify("A", "pro", "")));
    assert_false(folds(FOLD_SAFE, true, identify("A", NULL, ""), identify("B", NULL, "")));
    assert_false(folds(FOLD_SAFE, true, identify("A", "a", ""), identify("A", "b", "")));
    assert_false(folds(FOLD_SAFE, true, identify("A", NULL, "x"), identify("A", NULL, "x")));
    assert_true(folds(FOLD_SAFE, true, track("x", ""), track("y z", "")));
    assert_true(folds(FOLD_SAFE, true, track("", "x"), track("", "y")));
    assert_false(folds(FOLD_SAFE, true, track("x", ""), track("x", "")));
    assert_false(folds(FOLD_SAFE, true, track("x", ""), track("", "y")));
    assert_false(folds(FOLD_SAFE, true, track("x", "y"), track("z", "")));
    assert_false(folds(FOLD_SAFE, true, identify("A", NULL, "x"), track("y", "")));
    assert_false(folds(FOLD_SAFE, true, track("y", ""), identify("A", NULL, "x")));
}

static void
what_counts_or_renames_is_never_folded(void **state)
{
    struct call *rename = identify("A", NULL, "");

    (void)state;
    rename->identify.new_email = text_of(rename, "b@example.com");
    assert_false(folds(FOLD_FINAL, true, rename, identify("A", NULL, "")));
    rename = identify("A", NULL, "");
    rename->identify.new_email = text_of(rename, "b@example.com");
    assert_false(folds(FOLD_FINAL, true, identify("A", NULL, ""), rename));
    assert_false(folds(FOLD_FINAL, true, identify("A", "++1", ""), identify("A", NULL, "")));
    assert_false(folds(FOLD_FINAL, true, identify("A", NULL, ""), identify("A", "--1", "")));
    assert_false(folds(FOLD_OFF, true, identify("A", NULL, "x"), identify(NULL, "pro", "y")));
}

static void
an_identify_goes_before_a_track_only_where_tracks_create(void **state)
{
    (void)state;
    assert_true(folds(FOLD_FINAL, true, track("x", ""), identify("A", NULL, "")));
    assert_false(folds(FOLD_FINAL, false, track("x", ""), identify("A", NULL, "")));
    assert_true(folds(FOLD_FINAL, false, identify("A", NULL, ""), track("x", "")));
    assert_true(folds(FOLD_FINAL, false, track("x", ""), track("", "x")));
}

static void
final_keeps_the_last_value_and_the_last_side(void **state)
{
    struct call *calls[] = {identify("A", "trial", "new trial"), track("paid", "trial"),
                            identify("B", "pro", "vip"), track("", "vip new")};
    struct call *one, *two;
    struct fold fold;

    (void)state;
    fold_init(&fold, FOLD_FINAL, true, calls[0]);
    for (int i = 1; i < 4; i++)
        assert_true(fold_add(&fold, calls[i]));
    one = fold_identify(&fold);
    two = fold_track(&fold);
    assert_string_equal(one->identify.first_name, "B");
    assert_int_equal(one->identify.custom_fields.count, 1);
    assert_string_equal(one->identify.custom_fields.items[0].value, "pro");
    assert_int_equal(one->identify.tags.count, 0);
    assert_int_equal(two->track.add_tags.count, 1);
    assert_string_equal(two->track.add_tags.items[0], "paid");
    assert_int_equal(two->track.remove_tags.count, 3); /* trial vip new */
    call_free(one);
    call_free(two);
    for (int i = 0; i < 4; i++)
        call_free(calls[i]);
}

static void
a_fold_is_bounded(void **state)
{
    struct call *call = track("x", "");
    struct call *large = track("y", "");
    struct call *wide = track("", "");
    struct fold fold;
    size_t count = 1;

    (void)state;
    fold_init(&fold, FOLD_FINAL, true, call);
    while (fold_add(&fold, call))
        count++;
    assert_int_equal(count, FOLD_CALLS_MAX);

    fold_init(&fold, FOLD_FINAL, true, call);
    (void)!arena_alloc(&large->arena, FOLD_BYTES_MAX);
    assert_false(fold_add(&fold, large));

    wide->track.add_tags.items = arena_alloc(&wide->arena, FOLD_ITEMS_MAX * sizeof(char *));
    for (int i = 0; i < FOLD_ITEMS_MAX; i++)
        wide->track.add_tags.items[i] = "z";
    wide->track.add_tags.count = FOLD_ITEMS_MAX;
    fold_init(&fold, FOLD_FINAL, true, wide);
    assert_false(fold_add(&fold, call));
    call_free(call);
    call_free(large);
    call_free(wide);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(safe_joins_what_agrees),
        cmocka_unit_test(what_counts_or_renames_is_never_folded),
        cmocka_unit_test(an_identify_goes_before_a_track_only_where_tracks_create),
        cmocka_unit_test(final_keeps_the_last_value_and_the_last_side),
        cmocka_unit_test(a_fold_is_bounded),
        cmocka_unit_test(unfolded_nothing_changes),
        cmocka_unit_test(safely_folded_the_end_and_every_tag_change_are_the_same),
        cmocka_unit_test(finally_folded_the_end_is_the_same),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
