/* Calls of two sets of rules, paired and counted; and a random run of what must hold of the
 * numbers.
 */

#include "base/xalloc.h"
#include "cmd/diff_tally.h"
#include "ruleset_unit.h"

enum { ROUNDS = 5000, CALLS_MAX = 12 };

static struct account accounts[] = {{.name = (char[]){"main"}}, {.name = (char[]){"other"}}};
static const struct config config = {.accounts = accounts, .account_count = 2};

struct tally_bench {
    struct bench rules; /* called a, b and c */
    struct diff_tally tally;
    struct diff_pairs pairs;
};

static void
open_tally(struct tally_bench *bench)
{
    struct spec_rule rules[] = {
        RULE(.name = T("a"), .topics = TOPIC, TRACK(.add_tags = TEXTS(T("x")))),
        RULE(.name = T("b"), .topics = TOPIC, TRACK(.add_tags = TEXTS(T("x")))),
        RULE(.name = T("c"), .topics = TOPIC, TRACK(.add_tags = TEXTS(T("x"))))};
    struct spec_ruleset spec = {.email = T("${email}"), .rules = rules, .rule_count = 3};

    bench_open(&bench->rules, &spec);
    if (!bench->rules.rules)
        fail_msg("%s", bench_findings(&bench->rules));
    diff_tally_init(&bench->tally, bench->rules.rules, bench->rules.rules);
    diff_pairs_init(&bench->pairs);
}

static void
close_tally(struct tally_bench *bench)
{
    diff_tally_fini(&bench->tally);
    diff_pairs_fini(&bench->pairs);
    bench_close(&bench->rules);
}

/* A track that adds the tags, a letter each, to EMAIL. */
static void
add_track(struct call_list *list, const char *rule, unsigned account, const char *email,
          const char *tags)
{
    struct call *call = call_new(CALL_TRACK, account, rule);
    size_t count = strlen(tags);

    call->track.email = arena_text(&call->arena, email, strlen(email));
    call->track.add_tags.items = arena_alloc(&call->arena, (count + 1) * sizeof(char *));
    for (size_t i = 0; i < count; i++)
        call->track.add_tags.items[i] = arena_text(&call->arena, tags + i, 1);
    call->track.add_tags.count = count;
    call_list_add(list, call);
}

static bool
add_event(struct tally_bench *bench, const struct call_list *old, const struct call_list *new)
{
    enum map_outcome outcomes[] = {old->count ? MAP_CALLS : MAP_NO_CALL,
                                   new->count ? MAP_CALLS : MAP_NO_CALL};
    struct test_side sides[] = {{&config, old}, {&config, new}};

    diff_pairs_make(&bench->pairs, sides[DIFF_OLD], sides[DIFF_NEW]);
    return diff_tally_add(&bench->tally, outcomes, &bench->pairs, sides);
}

static void
assert_kinds(const struct tally_bench *bench, size_t same, size_t changed, size_t removed,
             size_t added)
{
    assert_int_equal(bench->tally.calls[DIFF_SAME], same);
    assert_int_equal(bench->tally.calls[DIFF_CHANGED], changed);
    assert_int_equal(bench->tally.calls[DIFF_REMOVED], removed);
    assert_int_equal(bench->tally.calls[DIFF_ADDED], added);
}

static void
what_is_sent_counts_and_not_who_sends_it(void **state)
{
    struct call_list old = {0}, new = {0};
    struct tally_bench bench;

    (void)state;
    open_tally(&bench);
    add_track(&old, "a", 0, "Ada@example.com", "xy");
    add_track(&new, "b", 0, "Ada@example.com", "yx");
    assert_false(add_event(&bench, &old, &new));
    assert_kinds(&bench, 1, 0, 0, 0);
    call_list_fini(&old);
    call_list_fini(&new);
    close_tally(&bench);
}

static void
another_account_is_another_call_and_another_contact(void **state)
{
    struct call_list old = {0}, new = {0};
    struct tally_bench bench;

    (void)state;
    open_tally(&bench);
    add_track(&old, "a", 0, "ada@example.com", "x");
    add_track(&new, "a", 1, "ada@example.com", "x");
    assert_true(add_event(&bench, &old, &new));
    assert_kinds(&bench, 0, 0, 1, 1);
    assert_int_equal(bench.tally.contacts, 2);
    assert_int_equal(bench.tally.tags[0]->more[0], 1);
    assert_int_equal(bench.tally.tags[0]->fewer[0], 1);
    call_list_fini(&old);
    call_list_fini(&new);
    close_tally(&bench);
}

static void
a_tag_that_moves_to_another_call_of_the_contact_does_not_change(void **state)
{
    struct call_list old = {0}, new = {0};
    struct tally_bench bench;

    (void)state;
    open_tally(&bench);
    add_track(&old, "a", 0, "ada@example.com", "xy");
    add_track(&new, "a", 0, "ADA@example.com", "x");
    add_track(&new, "b", 0, "ada@example.com", "yz");
    assert_true(add_event(&bench, &old, &new));
    assert_kinds(&bench, 0, 1, 0, 1);
    assert_int_equal(bench.tally.contacts, 1);
    assert_int_equal(bench.tally.tag_count, 1);
    assert_string_equal(bench.tally.tags[0]->tag, "z");
    assert_int_equal(bench.tally.tags[0]->more[0], 1);
    call_list_fini(&old);
    call_list_fini(&new);
    close_tally(&bench);
}

static void
the_order_matters_within_a_contact_only(void **state)
{
    struct call_list old = {0}, new = {0}, within = {0};
    struct tally_bench bench;

    (void)state;
    open_tally(&bench);
    add_track(&old, "a", 0, "ada@example.com", "x");
    add_track(&old, "a", 0, "ada@example.com", "y");
    add_track(&old, "a", 0, "bob@example.com", "x");
    add_track(&new, "a", 0, "bob@example.com", "x");
    add_track(&new, "a", 0, "ada@example.com", "x");
    add_track(&new, "a", 0, "ada@example.com", "y");
    add_track(&within, "a", 0, "ada@example.com", "y");
    add_track(&within, "a", 0, "ada@example.com", "x");
    add_track(&within, "a", 0, "bob@example.com", "x");
    assert_false(add_event(&bench, &old, &new));
    assert_true(add_event(&bench, &old, &within));
    assert_int_equal(bench.tally.reordered, 1);
    assert_int_equal(bench.tally.differences, 1);
    call_list_fini(&old);
    call_list_fini(&new);
    call_list_fini(&within);
    close_tally(&bench);
}

/* ---- a random run ---- */

static void
add_random_calls(struct rng *rng, struct call_list *list)
{
    static const char *const rules[] = {"a", "b", "c"}, *const tags[] = {"x", "y", "xy", "xyz"};
    static const char *const emails[] = {"a@example.com", "A@example.com", "b@example.com"};

    for (uint64_t n = rng_below(rng, CALLS_MAX); n; n--)
        add_track(list, rules[rng_below(rng, 3)], (unsigned)rng_below(rng, 2),
                  emails[rng_below(rng, 3)], tags[rng_below(rng, 4)]);
}

/* How often the tag is added, by a count of its own. */
static size_t
count_tag(const struct call_list *list, char tag)
{
    size_t count = 0;

    for (size_t i = 0; i < list->count; i++) {
        const struct text_list *tags = &list->items[i]->track.add_tags;

        for (size_t k = 0; k < tags->count; k++)
            count += tags->items[k][0] == tag;
    }
    return count;
}

static void
the_numbers_agree_with_the_calls(void **state)
{
    struct rng rng = unit_rng("tally", 65);
    size_t tags[DIFF_SIDES][3] = {{0}};
    struct tally_bench bench;
    const struct diff_tally *tally = &bench.tally;

    (void)state;
    open_tally(&bench);
    for (int i = 0; i < ROUNDS; i++) {
        struct call_list old = {0}, new = {0};

        add_random_calls(&rng, &old);
        add_random_calls(&rng, &new);
        for (char tag = 'x'; tag <= 'z'; tag++) {
            tags[DIFF_OLD][tag - 'x'] += count_tag(&old, tag);
            tags[DIFF_NEW][tag - 'x'] += count_tag(&new, tag);
        }
        add_event(&bench, &old, &new);
        if (add_event(&bench, &old, &old))
            fail_msg("calls differ from themselves");
        for (char tag = 'x'; tag <= 'z'; tag++) {
            tags[DIFF_OLD][tag - 'x'] += count_tag(&old, tag);
            tags[DIFF_NEW][tag - 'x'] += count_tag(&old, tag);
        }
        call_list_fini(&old);
        call_list_fini(&new);
    }
    assert_int_equal(tally->total[DIFF_OLD], tally->calls[DIFF_SAME] + tally->calls[DIFF_CHANGED] +
                                                 tally->calls[DIFF_REMOVED]);
    assert_int_equal(tally->total[DIFF_NEW], tally->calls[DIFF_SAME] + tally->calls[DIFF_CHANGED] +
                                                 tally->calls[DIFF_ADDED]);
    assert_int_equal(tally->contacts, 4); /* two addresses, two accounts */
    for (size_t i = 0; i < tally->tag_count; i++) {
        const struct diff_tag *tag = tally->tags[i];
        size_t at = (size_t)(tag->tag[0] - 'x');

        assert_int_equal(tag->contacts, 4);
        assert_int_equal(tags[DIFF_OLD][at] + tag->more[0], tags[DIFF_NEW][at] + tag->fewer[0]);
    }
    for (int kind = DIFF_SAME; kind <= DIFF_ADDED; kind++) {
        size_t sum = 0;

        for (size_t i = 0; i < tally->rule_count; i++)
            sum += tally->rules[i].calls[kind];
        assert_int_equal(sum, tally->calls[kind]);
    }
    close_tally(&bench);
}

/* As many as there is room for are told apart, and it is known when there are more. */
static void
contacts_are_counted_up_to_the_limit(void **state)
{
    struct call_list none = {0};
    struct tally_bench bench;

    (void)state;
    open_tally(&bench);
    for (size_t i = 0; i < DIFF_CONTACTS_MAX / 2 + 10; i++) {
        struct call_list list = {0};
        char email[64];

        snprintf(email, sizeof(email), "user%zu@example.com", i);
        add_track(&list, "a", 0, email, "");
        add_event(&bench, &none, &list);
        call_list_fini(&list);
    }
    /* Each is remembered for all rules and for its own. */
    assert_true(bench.tally.seen.full);
    assert_int_equal(bench.tally.contacts, DIFF_CONTACTS_MAX / 2);
    assert_int_equal(bench.tally.calls[DIFF_ADDED], DIFF_CONTACTS_MAX / 2 + 10);
    close_tally(&bench);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_sent_counts_and_not_who_sends_it),
        cmocka_unit_test(another_account_is_another_call_and_another_contact),
        cmocka_unit_test(a_tag_that_moves_to_another_call_of_the_contact_does_not_change),
        cmocka_unit_test(the_order_matters_within_a_contact_only),
        cmocka_unit_test(the_numbers_agree_with_the_calls),
        cmocka_unit_test(contacts_are_counted_up_to_the_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
