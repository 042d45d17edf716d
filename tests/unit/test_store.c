/* sandbox/store: the merge of the stand-in API, by the documentation's own examples and at random.
 */
#include <jansson.h>

#include "sandbox/store.h"
#include "unit.h"

/* What the store told of tag changes: "+tag" and "-tag", one after another. */
struct changes {
    char text[1024];
};

static void
note_change(void *owner, const struct store_contact *contact, enum tag_change change,
            const char *tag)
{
    struct changes *changes = owner;
    size_t len = strlen(changes->text);

    assert_non_null(contact->email);
    snprintf(changes->text + len, sizeof(changes->text) - len, "%s%s ",
             change == TAG_ADDED ? "+" : "-", tag);
}

static const struct store_contact *
identify(struct store *store, const char *text)
{
    json_t *body = json_loads(text, 0, NULL);
    struct err err = {""};
    const struct store_contact *contact;

    assert_non_null(body);
    if (store_check_identify(body, 0, &err))
        fail_msg("%s: %s", text, err.msg);
    contact = store_identify(store, body);
    json_decref(body);
    return contact;
}

static const struct store_contact *
track(struct store *store, const char *email, const char *text)
{
    json_t *body = json_loads(text, 0, NULL);
    struct err err = {""};
    const struct store_contact *contact;

    assert_non_null(body);
    if (store_check_track(body, &err))
        fail_msg("%s: %s", text, err.msg);
    contact = store_track(store, email, body);
    json_decref(body);
    return contact;
}

/* The contact as JSON, without the ids, which are of no importance. Yours. */
static json_t *
contact_json(const struct store_contact *contact)
{
    struct buf buf;
    json_t *json;

    buf_init(&buf, 1 << 20);
    contact_write(contact, "team", &buf);
    json = json_loadb(buf_text(&buf), buf.len, 0, NULL);
    assert_non_null(json);
    assert_int_equal(json_object_del(json, "encryptedId"), 0);
    assert_int_equal(json_object_del(json, "encryptedTeamId"), 0);
    buf_fini(&buf);
    return json;
}

static void
assert_contact(const struct store_contact *contact, const char *wanted_text)
{
    json_t *wanted = json_loads(wanted_text, 0, NULL);
    json_t *found;

    assert_non_null(contact);
    assert_non_null(wanted);
    found = contact_json(contact);
    if (!json_equal(wanted, found)) {
        char *text = json_dumps(found, 0);

        fail_msg("wanted %s, found %s", wanted_text, text);
    }
    json_decref(wanted);
    json_decref(found);
}

/* --- the documentation's examples --- */

static void
a_second_identify_adds_to_what_the_first_one_gave(void **state)
{
    struct store *store = store_new(NULL, NULL);

    (void)state;
    identify(store, "{\"email\":\"a@example.com\",\"firstName\":\"A\",\"birthday\":\"1989-03-15\","
                    "\"customFields\":{\"Designation\":\"Software Engineer\"},"
                    "\"tags\":[\"Developer\"]}");
    identify(store, "{\"email\":\"a@example.com\",\"customFields\":{\"Age\":\"27\"},"
                    "\"tags\":[\"API Team\"]}");
    assert_contact(store_find(store, "a@example.com"),
                   "{\"email\":\"a@example.com\",\"firstName\":\"A\",\"birthday\":\"1989-03-15\","
                   "\"customFields\":{\"Designation\":\"Software Engineer\",\"Age\":\"27\"},"
                   "\"tags\":[\"Developer\",\"API Team\"]}");
    store_free(store);
}

static void
a_given_scalar_replaces_the_old_one(void **state)
{
    struct store *store = store_new(NULL, NULL);

    (void)state;
    identify(store, "{\"email\":\"a@example.com\",\"company\":\"Old\",\"lastName\":\"L\"}");
    assert_contact(identify(store, "{\"email\":\"a@example.com\",\"company\":\"New\"}"),
                   "{\"email\":\"a@example.com\",\"company\":\"New\",\"lastName\":\"L\","
                   "\"customFields\":{},\"tags\":[]}");
    store_free(store);
}

static void
track_adds_and_removes_tags_and_tells_of_real_changes_only(void **state)
{
    struct changes changes = {""};
    struct store *store = store_new(note_change, &changes);

    (void)state;
    identify(store, "{\"email\":\"a@example.com\",\"tags\":[\"trial user\",\"blogger\"]}");
    track(store, "a@example.com", "{\"addTags\":[\"blogger\",\"female\"]}");
    assert_contact(track(store, "a@example.com",
                         "{\"addTags\":[\"paid user\"],\"removeTags\":[\"trial user\",\"nope\"]}"),
                   "{\"email\":\"a@example.com\",\"customFields\":{},"
                   "\"tags\":[\"blogger\",\"female\",\"paid user\"]}");
    assert_string_equal(changes.text, "+trial user +blogger +female -trial user +paid user ");
    store_free(store);
}

static void
a_tag_in_both_lists_of_a_track_stays(void **state)
{
    struct changes changes = {""};
    struct store *store = store_new(note_change, &changes);

    (void)state;
    identify(store, "{\"email\":\"a@example.com\",\"tags\":[\"x\"]}");
    assert_true(contact_has_tag(
        track(store, "a@example.com", "{\"addTags\":[\"x\"],\"removeTags\":[\"x\"]}"), "x"));
    store_free(store);
}

static void
a_track_of_an_unknown_contact_finds_nobody(void **state)
{
    struct store *store = store_new(NULL, NULL);

    (void)state;
    assert_null(track(store, "a@example.com", "{\"addTags\":[\"x\"]}"));
    assert_int_equal(store_count(store), 0);
    store_free(store);
}

static void
addresses_that_differ_only_in_case_are_one_contact(void **state)
{
    struct store *store = store_new(NULL, NULL);
    const struct store_contact *contact = identify(store, "{\"email\":\"Zo\u00cb@Example.com\"}");

    (void)state;
    assert_ptr_equal(identify(store, "{\"email\":\"zo\u00eb@example.COM\"}"), contact);
    assert_string_equal(contact->email, "Zo\u00cb@Example.com");
    assert_int_equal(store_count(store), 1);
    store_free(store);
}

/* --- renames --- */

static void
a_rename_keeps_everything_but_the_address(void **state)
{
    struct store *store = store_new(NULL, NULL);

    (void)state;
    identify(store, "{\"email\":\"old@example.com\",\"firstName\":\"A\",\"tags\":[\"t\"]}");
    assert_contact(identify(store, "{\"email\":\"old@example.com\","
                                   "\"newEmail\":\"new@example.com\",\"lastName\":\"B\"}"),
                   "{\"email\":\"new@example.com\",\"firstName\":\"A\",\"lastName\":\"B\","
                   "\"customFields\":{},\"tags\":[\"t\"]}");
    assert_null(store_find(store, "old@example.com"));
    store_free(store);
}

static void
a_rename_may_be_repeated(void **state)
{
    static const char rename[] = "{\"email\":\"old@example.com\",\"newEmail\":\"new@example.com\"}";
    struct store *store = store_new(NULL, NULL);

    (void)state;
    identify(store, "{\"email\":\"old@example.com\",\"tags\":[\"t\"]}");
    identify(store, rename);
    identify(store, rename);
    assert_int_equal(store_count(store), 1);
    assert_contact(store_find(store, "new@example.com"),
                   "{\"email\":\"new@example.com\",\"customFields\":{},\"tags\":[\"t\"]}");
    store_free(store);
}

static void
a_rename_of_an_unknown_contact_creates_it_under_the_new_address(void **state)
{
    struct store *store = store_new(NULL, NULL);

    (void)state;
    identify(store, "{\"email\":\"old@example.com\",\"newEmail\":\"new@example.com\"}");
    assert_null(store_find(store, "old@example.com"));
    assert_non_null(store_find(store, "new@example.com"));
    store_free(store);
}

static void
a_rename_to_another_contact_merges_the_two_and_loses_nothing(void **state)
{
    struct changes changes = {""};
    struct store *store = store_new(note_change, &changes);

    (void)state;
    identify(store, "{\"email\":\"other@example.com\",\"firstName\":\"O\",\"company\":\"C\","
                    "\"customFields\":{\"n\":\"1\",\"only\":\"++1x\"},\"tags\":[\"o\",\"both\"]}");
    identify(store,
             "{\"email\":\"me@example.com\",\"firstName\":\"M\",\"customFields\":{\"n\":\"2\"},"
             "\"tags\":[\"both\",\"m\"]}");
    changes.text[0] = '\0';
    assert_contact(
        identify(store, "{\"email\":\"me@example.com\",\"newEmail\":\"other@example.com\"}"),
        "{\"email\":\"other@example.com\",\"firstName\":\"M\",\"company\":\"C\","
        "\"customFields\":{\"n\":\"2\",\"only\":\"++1x\"},\"tags\":[\"both\",\"m\",\"o\"]}");
    assert_int_equal(store_count(store), 1);
    assert_string_equal(changes.text, "");
    store_free(store);
}

static void
a_rename_to_the_same_address_changes_its_spelling_only(void **state)
{
    struct store *store = store_new(NULL, NULL);

    (void)state;
    identify(store, "{\"email\":\"me@example.com\",\"tags\":[\"t\"]}");
    assert_contact(
        identify(store, "{\"email\":\"ME@example.com\",\"newEmail\":\"Me@example.com\"}"),
        "{\"email\":\"Me@example.com\",\"customFields\":{},\"tags\":[\"t\"]}");
    assert_int_equal(store_count(store), 1);
    store_free(store);
}

/* --- counting --- */

static void
increments_count_on_numbers_and_on_what_is_not_there(void **state)
{
    static const struct {
        const char *old, *given, *wanted; /* old NULL: the field is not there */
    } cases[] = {
        {"27", "++34", "61"},
        {"27", "--10", "17"},
        {"5", "--10", "-5"},
        {NULL, "++34", "34"},
        {NULL, "--3", "-3"},
        {"1.5", "++0.25", "1.75"},
        {"text", "++1", "++1"},
        {"7", "++", "++"},
        {"7", "++x", "++x"},
        {"7", "++-1", "++-1"},
        {"9007199254740993", "++1", "9007199254740994"},
        {"-9007199254740993", "--1", "-9007199254740994"},
        {"9223372036854775807", "++1", "9.22337203685478e+18"},
        {"9223372036854775808", "--1", "9.22337203685478e+18"},
        {"-7", "++10", "3"},
        {"7", "--1.2.3", "--1.2.3"},
        {"0x10", "++1", "++1"},
        {"7", "+1", "+1"},
        {"", "++1", "++1"},
        {"999999999", "++1", "1000000000"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct store *store = store_new(NULL, NULL);
        char text[256];

        if (cases[i].old) {
            snprintf(text, sizeof(text),
                     "{\"email\":\"a@example.com\",\"customFields\":{\"n\":\"%s\"}}", cases[i].old);
            identify(store, text);
        }
        snprintf(text, sizeof(text),
                 "{\"email\":\"a@example.com\",\"customFields\":{\"n\":\"%s\"}}", cases[i].given);
        assert_string_equal(contact_field(identify(store, text), "n"), cases[i].wanted);
        store_free(store);
    }
}

/* --- what is refused --- */

static void
a_body_that_the_documentation_does_not_allow_is_refused_with_its_reason(void **state)
{
    static const struct {
        const char *body, *reason;
    } cases[] = {
        {"[]", "object"},
        {"{}", "email"},
        {"{\"email\":null}", "email"},
        {"{\"email\":\"no address\"}", "email"},
        {"{\"email\":\"a@b@c\"}", "email"},
        {"{\"email\":\"a@example.com\",\"newEmail\":\"x\"}", "newEmail"},
        {"{\"email\":\"a@example.com\",\"firstName\":null}", "firstName"},
        {"{\"email\":\"a@example.com\",\"company\":7}", "company"},
        {"{\"email\":\"a@example.com\",\"lastName\":\"abcdefghijk\"}", "11 characters"},
        {"{\"email\":\"a@example.com\",\"birthday\":\"2023-02-29\"}", "birthday"},
        {"{\"email\":\"a@example.com\",\"birthday\":\"2023-2-9\"}", "birthday"},
        {"{\"email\":\"a@example.com\",\"birthday\":\"2023-02-09T00\"}", "birthday"},
        {"{\"email\":\"a@example.com\",\"customFields\":{\"Age\":27}}", "customFields.Age"},
        {"{\"email\":\"a@example.com\",\"customFields\":[]}", "customFields"},
        {"{\"email\":\"a@example.com\",\"customFields\":{\"\":\"x\"}}", "name"},
        {"{\"email\":\"a@example.com\",\"tags\":\"x\"}", "tags"},
        {"{\"email\":\"a@example.com\",\"tags\":[\"x\",\"\"]}", "tags[1]"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        json_t *body = json_loads(cases[i].body, 0, NULL);
        struct err err = {""};

        assert_non_null(body);
        assert_int_equal(store_check_identify(body, 10, &err), -1);
        if (!strstr(err.msg, cases[i].reason))
            fail_msg("%s: %s", cases[i].body, err.msg);
        json_decref(body);
    }
}

static void
a_track_with_tags_of_a_wrong_type_is_refused(void **state)
{
    static const char *const bodies[] = {"3", "{\"addTags\":\"x\"}", "{\"removeTags\":[1]}"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
        json_t *body = json_loads(bodies[i], JSON_DECODE_ANY, NULL);
        struct err err = {""};

        assert_int_equal(store_check_track(body, &err), -1);
        json_decref(body);
    }
}

static void
contacts_are_walked_in_the_order_of_creation_and_forgotten_by_a_reset(void **state)
{
    struct store *store = store_new(NULL, NULL);
    const struct store_contact *contact = NULL;

    (void)state;
    identify(store, "{\"email\":\"b@example.com\"}");
    identify(store, "{\"email\":\"a@example.com\"}");
    contact = store_next(store, contact);
    assert_string_equal(contact->email, "b@example.com");
    contact = store_next(store, contact);
    assert_string_equal(contact->email, "a@example.com");
    assert_null(store_next(store, contact));
    store_reset(store);
    assert_null(store_next(store, NULL));
    assert_null(store_find(store, "a@example.com"));
    store_free(store);
}

/* --- at random, against a model made of JSON objects --- */

enum { RANDOM_STEPS = 4000, PEOPLE = 6, WORDS = 5 };

/* A text out of a few, so that they meet. */
static json_t *
word(struct rng *rng, char kind)
{
    return json_sprintf("%c%d", kind, (int)rng_below(rng, WORDS));
}

static json_t *
words(struct rng *rng, char kind)
{
    json_t *list = json_array();

    for (uint64_t n = rng_below(rng, 4); n > 0; n--)
        json_array_append_new(list, word(rng, kind));
    return list;
}

static json_t *
random_identify(struct rng *rng)
{
    json_t *body = json_object();

    json_object_set_new(body, "email",
                        json_sprintf("p%d@example.com", (int)rng_below(rng, PEOPLE)));
    if (rng_below(rng, 6) == 0)
        json_object_set_new(body, "newEmail",
                            json_sprintf("P%d@example.com", (int)rng_below(rng, PEOPLE)));
    if (rng_below(rng, 2) == 0)
        json_object_set_new(body, "firstName", word(rng, 'f'));
    if (rng_below(rng, 2) == 0)
        json_object_set_new(body, "company", word(rng, 'c'));
    if (rng_below(rng, 2) == 0)
        json_object_set_new(body, "tags", words(rng, 't'));
    if (rng_below(rng, 2) == 0)
        json_object_set_new(body, "customFields",
                            json_pack("{s:o, s:o}", "x", word(rng, 'x'), "n",
                                      json_sprintf("%s%d", rng_below(rng, 2) ? "++" : "--",
                                                   (int)rng_below(rng, 9))));
    return body;
}

static void
model_set_tag(json_t *contact, const char *tag, bool wanted)
{
    json_t *tags = json_object_get(contact, "tags");

    for (size_t i = 0; i < json_array_size(tags); i++)
        if (strcmp(json_string_value(json_array_get(tags, i)), tag) == 0) {
            if (!wanted)
                json_array_remove(tags, i);
            return;
        }
    if (wanted)
        json_array_append_new(tags, json_string(tag));
}

static void
model_set_tags(json_t *contact, const json_t *tags, bool wanted)
{
    for (size_t i = 0; i < json_array_size(tags); i++)
        model_set_tag(contact, json_string_value(json_array_get(tags, i)), wanted);
}

/* A contact of the model stands under its person's number. */
static void
person_key(const char *email, char key[2])
{
    key[0] = email[1];
    key[1] = '\0';
}

static void
model_count(json_t *fields, const char *step)
{
    const char *old = json_string_value(json_object_get(fields, "n"));
    long by = strtol(step + 2, NULL, 10);
    long now = (old ? strtol(old, NULL, 10) : 0) + (step[0] == '+' ? by : -by);

    json_object_set_new(fields, "n", json_sprintf("%ld", now));
}

/* The contact that an identify is about, renamed if need be, with what a merge brings. */
static json_t *
model_contact(json_t *model, const json_t *body)
{
    const char *email = json_string_value(json_object_get(body, "email"));
    const char *new_email = json_string_value(json_object_get(body, "newEmail"));
    char from[2], to[2];
    json_t *contact, *other;

    person_key(email, from);
    person_key(new_email ? new_email : email, to);
    contact = json_object_get(model, from);
    other = json_object_get(model, to);
    if (!contact && !other) {
        contact = json_pack("{s:s, s:{}, s:[]}", "email", new_email ? new_email : email,
                            "customFields", "tags");
        json_object_set_new(model, to, contact);
        return contact;
    }
    if (!contact)
        return other;
    json_incref(contact);
    if (new_email) {
        json_object_set_new(contact, "email", json_string(new_email));
        if (other && other != contact) {
            model_set_tags(contact, json_object_get(other, "tags"), true);
            json_object_update_missing(json_object_get(contact, "customFields"),
                                       json_object_get(other, "customFields"));
            json_object_update_missing(contact, other);
        }
        json_object_del(model, from);
        json_object_set(model, to, contact);
    }
    json_decref(contact);
    return contact;
}

static void
model_identify(json_t *model, const json_t *body)
{
    static const char *const scalars[] = {"firstName", "company"};
    const json_t *given = json_object_get(body, "customFields");
    json_t *contact = model_contact(model, body);
    json_t *fields = json_object_get(contact, "customFields");

    for (size_t i = 0; i < ARRAY_LEN(scalars); i++)
        if (json_object_get(body, scalars[i]))
            json_object_set(contact, scalars[i], json_object_get(body, scalars[i]));
    if (given) {
        json_object_set(fields, "x", json_object_get(given, "x"));
        model_count(fields, json_string_value(json_object_get(given, "n")));
    }
    model_set_tags(contact, json_object_get(body, "tags"), true);
}

static void
random_step(struct rng *rng, struct store *store, json_t *model)
{
    char email[] = "p0@example.com", key[2];
    json_t *body, *contact;

    if (rng_below(rng, 2) == 0) {
        body = random_identify(rng);
        model_identify(model, body);
        assert_non_null(store_identify(store, body));
        json_decref(body);
        return;
    }
    email[1] = (char)('0' + rng_below(rng, PEOPLE));
    person_key(email, key);
    contact = json_object_get(model, key);
    body = json_pack("{s:o, s:o}", "addTags", words(rng, 't'), "removeTags", words(rng, 't'));
    assert_int_equal(store_track(store, email, body) != NULL, contact != NULL);
    if (contact) {
        model_set_tags(contact, json_object_get(body, "removeTags"), false);
        model_set_tags(contact, json_object_get(body, "addTags"), true);
    }
    json_decref(body);
}

static void
assert_like_model(const struct store *store, const json_t *model)
{
    const struct store_contact *contact = NULL;

    assert_int_equal(store_count(store), json_object_size(model));
    while ((contact = store_next(store, contact))) {
        json_t *found = contact_json(contact);
        char key[2];

        person_key(contact->email, key);
        if (!json_equal(json_object_get(model, key), found)) {
            json_dumpf(json_object_get(model, key), stderr, 0);
            json_dumpf(found, stderr, 0);
            fail_msg("the contact %s differs from the model", contact->email);
        }
        json_decref(found);
    }
}

static void
any_history_of_calls_gives_what_a_naive_model_gives(void **state)
{
    struct rng rng = unit_rng("store", 1);
    struct store *store = store_new(NULL, NULL);
    json_t *model = json_object();

    (void)state;
    for (int i = 0; i < RANDOM_STEPS; i++) {
        random_step(&rng, store, model);
        assert_like_model(store, model);
        if (rng_below(&rng, 200) == 0) {
            store_reset(store);
            json_object_clear(model);
        }
    }
    json_decref(model);
    store_free(store);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_second_identify_adds_to_what_the_first_one_gave),
        cmocka_unit_test(a_given_scalar_replaces_the_old_one),
        cmocka_unit_test(track_adds_and_removes_tags_and_tells_of_real_changes_only),
        cmocka_unit_test(a_tag_in_both_lists_of_a_track_stays),
        cmocka_unit_test(a_track_of_an_unknown_contact_finds_nobody),
        cmocka_unit_test(addresses_that_differ_only_in_case_are_one_contact),
        cmocka_unit_test(a_rename_keeps_everything_but_the_address),
        cmocka_unit_test(a_rename_may_be_repeated),
        cmocka_unit_test(a_rename_of_an_unknown_contact_creates_it_under_the_new_address),
        cmocka_unit_test(a_rename_to_another_contact_merges_the_two_and_loses_nothing),
        cmocka_unit_test(a_rename_to_the_same_address_changes_its_spelling_only),
        cmocka_unit_test(increments_count_on_numbers_and_on_what_is_not_there),
        cmocka_unit_test(a_body_that_the_documentation_does_not_allow_is_refused_with_its_reason),
        cmocka_unit_test(a_track_with_tags_of_a_wrong_type_is_refused),
        cmocka_unit_test(contacts_are_walked_in_the_order_of_creation_and_forgotten_by_a_reset),
        cmocka_unit_test(any_history_of_calls_gives_what_a_naive_model_gives),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
