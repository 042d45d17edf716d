/* What capture replaces and what it leaves: the same by the same, the form kept, no address left.
 */

#include <jansson.h>

#include "base/utf8.h"
#include "base/xalloc.h"
#include "cmd/disguise.h"
#include "cmd/disguise_fields.h"
#include "rules/decode.h"
#include "unit.h"

enum { ROUNDS = 20000, TEXT_MAX = 1 << 20 };

static const char key[] = "a key for tests, no secret";

struct bench {
    struct disguise *disguise;
    struct buf out;
};

static void
open_bench(struct bench *bench)
{
    bench->disguise = disguise_new(key, strlen(key));
    buf_init(&bench->out, TEXT_MAX);
}

static void
close_bench(struct bench *bench)
{
    disguise_free(bench->disguise);
    buf_fini(&bench->out);
}

static void
keep(struct bench *bench, const char *text)
{
    disguise_keep(bench->disguise, text, strlen(text));
}

static const char *
text_under(struct bench *bench, const char *field, const char *text)
{
    buf_reset(&bench->out);
    disguise_text(bench->disguise, field, text, strlen(text), &bench->out);
    return buf_text(&bench->out);
}

static const char *
json_of(struct bench *bench, const char *json)
{
    buf_reset(&bench->out);
    disguise_json(bench->disguise, json, strlen(json), &bench->out);
    return buf_text(&bench->out);
}

/* TEXT has the form of FORM: A a letter of large case, a of small, 9 a digit; else itself. */
static void
assert_form(const char *text, const char *form)
{
    if (strlen(text) != strlen(form))
        fail_msg("\"%s\" has not the form \"%s\"", text, form);
    for (size_t i = 0; form[i]; i++) {
        char c = text[i];
        char kind = c >= 'A' && c <= 'Z' ? 'A' : c >= 'a' && c <= 'z' ? 'a' : c;

        kind = c >= '0' && c <= '9' ? '9' : kind;
        if (kind != form[i])
            fail_msg("\"%s\" has not the form \"%s\"", text, form);
    }
}

static void
an_address_stays_one_wherever_it_stands(void **state)
{
    struct bench bench;

    (void)state;
    open_bench(&bench);
    assert_form(text_under(&bench, NULL, "ada@corp.example.com"), "aaa@aaaaaaa.aaaaaaa");
    assert_non_null(strstr(buf_text(&bench.out), ".example"));
    assert_form(text_under(&bench, NULL, "write to Ada.King+7@corp.example.com, please."),
                "aaaaa aa Aaa.Aaaa+9@aaaaaaa.aaaaaaa, aaaaaa.");
    assert_null(strstr(buf_text(&bench.out), "Ada"));
    assert_non_null(strstr(buf_text(&bench.out), "write to "));
    assert_form(text_under(&bench, NULL, "https://x.io/?e=ada%40corp.example.com&b=1"),
                "aaaaa://a.aa/?a=aaa%99aaaaaaa.aaaaaaa&a=9");
    assert_null(
        strstr(text_under(&bench, NULL, "\"O'Brien\" <o'brien@corp.example.com>"), "brien@"));
    close_bench(&bench);
}

static void
what_is_no_address_and_no_phone_number_stays(void **state)
{
    static const char *const texts[] = {
        "",
        "pro",
        "2026-01-31",
        "2026-01-31T09:30:00.123Z",
        "2026-01-31 09:30:00",
        "31.01.2026",
        "1/31/2026",
        "1234567.89",
        "19.90",
        "550e8400-e29b-41d4-a716-446655440000",
        "order A1234567 of 12 to 14",
        "sha256:12345678abcdef",
        "1234567890123456",
        "Stra\303\237e \342\200\223 caf\303\251",
    };
    struct bench bench;

    (void)state;
    open_bench(&bench);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        assert_string_equal(text_under(&bench, NULL, texts[i]), texts[i]);
    close_bench(&bench);
}

static void
the_case_of_a_fields_name_does_not_count_beyond_ascii_either(void **state)
{
    struct bench bench;

    (void)state;
    open_bench(&bench);
    disguise_replace_field(bench.disguise, "Pr\303\251nom");
    assert_form(text_under(&bench, "PR\303\211_NOM", "Ada"), "Aaa");
    assert_string_not_equal(buf_text(&bench.out), "Ada");
    close_bench(&bench);
}

static void
json_in_a_key_or_header_is_seen(void **state)
{
    struct bench bench;

    (void)state;
    open_bench(&bench);
    assert_form(text_under(&bench, NULL, " {\"name\": \"Ada\", \"n\": [\"Bob\"]}"),
                "{\"aaaa\":\"Aaa\",\"a\":[\"Aaa\"]}");
    assert_null(strstr(buf_text(&bench.out), "Ada"));
    assert_non_null(strstr(buf_text(&bench.out), "Bob"));
    assert_null(strstr(text_under(&bench, NULL, "[\"ada\\u0040corp.test\"]"), "corp"));
    assert_null(strstr(json_of(&bench, "\" {\\\"name\\\": \\\"Ada\\\"}\""), "Ada"));
    close_bench(&bench);
}

static void
a_phone_number_keeps_its_form(void **state)
{
    static const struct {
        const char *text, *form;
    } cases[] = {
        {"+49 (151) 1234-5678", "+99 (999) 9999-9999"},
        {"tel: 0049.151.12345678!", "aaa: 9999.999.99999999!"},
        {"4915112345678", "9999999999999"},
        {"0151.1234567", "9999.9999999"},
        {"Tel.+4915112345678", "Aaa.+9999999999999"},
        {"(0151)\302\24012\342\200\22134567\302\240a",
         "(9999)\302\24099\342\200\22199999\302\240a"},
        {"0151 1234567 / 0152 765432", "9999 9999999 / 9999 999999"},
        {"2026-01-31 0151 1234567", "9999-99-99 9999 9999999"},
        {"0151\342\210\2221234567", "9999\342\210\2229999999"},
    };
    struct bench bench;

    (void)state;
    open_bench(&bench);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_form(text_under(&bench, NULL, cases[i].text), cases[i].form);
        assert_string_not_equal(buf_text(&bench.out), cases[i].text);
    }
    assert_int_equal(disguise_counts(bench.disguise).phones, 9);
    close_bench(&bench);
}

static void
fields_are_known_by_their_names(void **state)
{
    static const char json[] =
        "{\"first_name\":\"Ada\",\"LastName\":\"King\",\"plan\":\"pro\","
        "\"address\":{\"zip\":10115,\"city\":\"Berlin\",\"geo\":null},"
        "\"phone\":4915112345678,\"total\":19.90,\"big\":12345678901234567890}";
    struct bench bench;
    struct buf fields;

    (void)state;
    open_bench(&bench);
    assert_form(json_of(&bench, json),
                "{\"aaaaa_aaaa\":\"Aaa\",\"AaaaAaaa\":\"Aaaa\",\"aaaa\":\"aaa\","
                "\"aaaaaaa\":{\"aaa\":99999,\"aaaa\":\"Aaaaaa\",\"aaa\":aaaa},"
                "\"aaaaa\":9999999999999,\"aaaaa\":99.99,\"aaa\":99999999999999999999}");
    assert_null(strstr(buf_text(&bench.out), "Ada"));
    assert_null(strstr(buf_text(&bench.out), "10115"));
    assert_null(strstr(buf_text(&bench.out), "Berlin"));
    assert_null(strstr(buf_text(&bench.out), "4915112345678"));
    assert_non_null(strstr(buf_text(&bench.out), "\"plan\":\"pro\""));
    assert_non_null(strstr(buf_text(&bench.out), "\"total\":19.90,\"big\":12345678901234567890"));
    buf_init(&fields, TEXT_MAX);
    disguise_add_fields(bench.disguise, &fields);
    assert_string_equal(buf_text(&fields), "first_name (1), LastName (1), phone (1), address (1)");
    buf_fini(&fields);
    disguise_leave_field(bench.disguise, "firstName");
    disguise_replace_field(bench.disguise, "PLAN");
    assert_non_null(strstr(json_of(&bench, json), "\"first_name\":\"Ada\""));
    assert_null(strstr(buf_text(&bench.out), "\"pro\""));
    close_bench(&bench);
}

static void
json_in_a_string_is_seen(void **state)
{
    struct bench bench;

    (void)state;
    open_bench(&bench);
    json_of(&bench, "{\"data\":\"{\\\"name\\\": \\\"Ada\\\", \\\"plan\\\": \\\"pro\\\"}\"}");
    assert_form(buf_text(&bench.out),
                "{\"aaaa\":\"{\\\"aaaa\\\":\\\"Aaa\\\",\\\"aaaa\\\":\\\"aaa\\\"}\"}");
    assert_null(strstr(buf_text(&bench.out), "Ada"));
    assert_non_null(strstr(buf_text(&bench.out), "pro"));
    assert_form(json_of(&bench, "{\"to ada@corp.example.com\": 1}"),
                "{\"aa aaa@aaaaaaa.aaaaaaa\":9}");
    assert_null(strstr(buf_text(&bench.out), "ada@corp.example.com"));
    close_bench(&bench);
}

static void
what_rules_compare_with_stays(void **state)
{
    struct bench bench;
    char first[256];

    (void)state;
    open_bench(&bench);
    keep(&bench, "Test User");
    keep(&bench, "@corp.example.com");
    keep(&bench, "probe@home.example.com");
    assert_string_equal(text_under(&bench, "name", " test user"), " test user");
    assert_form(text_under(&bench, NULL, "ada@corp.example.com"), "aaa@aaaa.aaaaaaa.aaa");
    assert_non_null(strstr(buf_text(&bench.out), "@corp.example.com"));
    assert_null(strstr(buf_text(&bench.out), "ada"));
    assert_non_null(
        strstr(text_under(&bench, NULL, "ada@eu.corp.example.com"), "@eu.corp.example.com"));
    assert_null(strstr(text_under(&bench, NULL, "ada@notcorp.example.com"), "corp.example.com"));
    assert_string_equal(text_under(&bench, NULL, "probe@home.example.com"),
                        "probe@home.example.com");
    /* Only the words are the rules', not the address. */
    snprintf(first, sizeof(first), "%s", text_under(&bench, NULL, "test@corp.example.com"));
    assert_string_not_equal(first, "test@corp.example.com");
    close_bench(&bench);
}

static void
another_key_gives_other_words_and_the_same_key_the_same(void **state)
{
    struct disguise *other = disguise_new("another", 7), *same = disguise_new(key, strlen(key));
    struct bench bench;
    struct buf a, b;

    (void)state;
    open_bench(&bench);
    buf_init(&a, TEXT_MAX);
    buf_init(&b, TEXT_MAX);
    text_under(&bench, NULL, "ada.lovelace@corp.example.com");
    disguise_text(other, NULL, "ada.lovelace@corp.example.com", 29, &a);
    disguise_text(same, NULL, "ada.lovelace@corp.example.com", 29, &b);
    assert_string_not_equal(buf_text(&bench.out), buf_text(&a));
    assert_string_equal(buf_text(&bench.out), buf_text(&b));
    buf_fini(&a);
    buf_fini(&b);
    disguise_free(other);
    disguise_free(same);
    close_bench(&bench);
}

/* ---- a random run ---- */

static void
add_random_word(struct rng *rng, struct buf *buf)
{
    static const char *const parts[] = {
        "a",        "B",        "ada",          "Z",         "7",        "0",           "42",
        "\303\251", "\303\211", "\345\255\227", "o\314\201", "\304\260", "\342\204\252"};

    for (uint64_t n = 1 + rng_below(rng, 4); n; n--)
        buf_add_text(buf, parts[rng_below(rng, ARRAY_LEN(parts))]);
}

static void
add_random_address(struct rng *rng, struct buf *buf)
{
    add_random_word(rng, buf);
    for (uint64_t n = rng_below(rng, 3); n; n--) {
        buf_add_char(buf, "._+-"[rng_below(rng, 4)]);
        add_random_word(rng, buf);
    }
    buf_add_char(buf, '@');
    add_random_word(rng, buf);
    buf_add_text(buf, rng_below(rng, 2) ? ".example.com" : ".co.example.com");
}

static void
add_random_text(struct rng *rng, struct buf *buf)
{
    static const char *const between[] = {" ", ", ", " <", "> ", ": ", "/", "; ", "(", "\""};

    for (uint64_t n = rng_below(rng, 5); n; n--) {
        if (rng_below(rng, 3))
            add_random_word(rng, buf);
        else
            add_random_address(rng, buf);
        buf_add_text(buf, between[rng_below(rng, ARRAY_LEN(between))]);
    }
}

/* Adds TEXT lowered. */
static void
lower(const struct buf *text, struct buf *out)
{
    buf_reset(out);
    utf8_add_lower(out, buf_text(text), text->len);
}

static void
addresses_of_random_words_never_survive(void **state)
{
    struct rng rng = unit_rng("addresses", 61);
    struct buf address, text, low, twice;
    struct bench bench;

    (void)state;
    open_bench(&bench);
    keep(&bench, "ada");
    buf_init(&address, TEXT_MAX);
    buf_init(&text, TEXT_MAX);
    buf_init(&low, TEXT_MAX);
    buf_init(&twice, TEXT_MAX);
    for (int i = 0; i < ROUNDS; i++) {
        buf_reset(&address);
        buf_reset(&text);
        add_random_address(&rng, &address);
        add_random_text(&rng, &text);
        buf_add_text(&text, " ");
        buf_add(&text, buf_text(&address), address.len);
        text_under(&bench, rng_below(&rng, 2) ? "name" : NULL, buf_text(&text));
        if (strstr(buf_text(&bench.out), buf_text(&address)))
            fail_msg("%s survives in %s", buf_text(&address), buf_text(&bench.out));
        assert_true(utf8_is_valid(buf_text(&bench.out), bench.out.len));
        /* Case does not matter to what is joined. */
        text_under(&bench, NULL, buf_text(&text));
        lower(&bench.out, &twice);
        lower(&text, &low);
        text_under(&bench, NULL, buf_text(&low));
        if (strcmp(buf_text(&bench.out), buf_text(&twice)))
            fail_msg("%s: lowered before %s, behind %s", buf_text(&text), buf_text(&bench.out),
                     buf_text(&twice));
    }
    buf_fini(&address);
    buf_fini(&text);
    buf_fini(&low);
    buf_fini(&twice);
    close_bench(&bench);
}

static json_t *
random_json(struct rng *rng, int depth)
{
    static const char *const names[] = {"name", "email", "plan", "User", "id", "x y"};
    struct buf text;
    json_t *json;

    switch (rng_below(rng, depth ? 7 : 5)) {
    case 0:
        return json_integer((json_int_t)rng_below(rng, 1000000000000));
    case 1:
        return json_real(-0.5 * (double)rng_below(rng, 1000));
    case 2:
        return rng_below(rng, 2) ? json_null() : json_true();
    case 5:
        json = json_array();
        for (uint64_t n = rng_below(rng, 4); n; n--)
            json_array_append_new(json, random_json(rng, depth - 1));
        return json;
    case 6:
        json = json_object();
        for (uint64_t n = rng_below(rng, 4); n; n--)
            json_object_set_new(json, names[rng_below(rng, ARRAY_LEN(names))],
                                random_json(rng, depth - 1));
        return json;
    default:
        buf_init(&text, TEXT_MAX);
        add_random_text(rng, &text);
        json = json_string(buf_text(&text));
        buf_fini(&text);
        return json;
    }
}

/* The same kinds of values in the same places. */
static bool
same_shape(const json_t *a, const json_t *b)
{
    void *i, *k;

    if (json_typeof(a) != json_typeof(b) || json_object_size(a) != json_object_size(b) ||
        json_array_size(a) != json_array_size(b))
        return false;
    for (size_t n = 0; n < json_array_size(a); n++) {
        if (!same_shape(json_array_get(a, n), json_array_get(b, n)))
            return false;
    }
    i = json_object_iter((json_t *)a);
    k = json_object_iter((json_t *)b);
    for (; i && k;
         i = json_object_iter_next((json_t *)a, i), k = json_object_iter_next((json_t *)b, k)) {
        if (strcmp(json_object_iter_key(i), json_object_iter_key(k)) ||
            !same_shape(json_object_iter_value(i), json_object_iter_value(k)))
            return false;
    }
    return true;
}

static void
json_stays_json_of_the_same_shape(void **state)
{
    struct rng rng = unit_rng("json", 62);
    struct bench bench;
    char reason[256];

    (void)state;
    open_bench(&bench);
    for (int i = 0; i < ROUNDS / 4; i++) {
        json_t *json = random_json(&rng, 5), *after;
        char *text = json_dumps(json, JSON_ENCODE_ANY | (rng_below(&rng, 2) ? JSON_INDENT(2) : 0));

        json_of(&bench, text);
        after = decode_json(buf_text(&bench.out), bench.out.len, reason, sizeof(reason));
        if (!after || !same_shape(json, after))
            fail_msg("%s becomes %s", text, buf_text(&bench.out));
        json_decref(json);
        json_decref(after);
        xfree(text);
    }
    close_bench(&bench);
}

/* Any bytes that are UTF-8. */
static void
any_text_is_taken(void **state)
{
    struct rng rng = unit_rng("any text", 63);
    struct bench bench;
    struct buf text;

    (void)state;
    open_bench(&bench);
    buf_init(&text, TEXT_MAX);
    for (int i = 0; i < ROUNDS; i++) {
        buf_reset(&text);
        for (uint64_t n = rng_below(&rng, 40); n; n--)
            buf_add_char(&text, "@@%40. +-()019aZ_\"'{["[rng_below(&rng, 21)]);
        text_under(&bench, rng_below(&rng, 2) ? "name" : NULL, buf_text(&text));
        assert_true(utf8_is_valid(buf_text(&bench.out), bench.out.len));
    }
    buf_fini(&text);
    close_bench(&bench);
}

static void
the_fields_are_those_of_the_reference(void **state)
{
    FILE *in = fopen("docs/rules.md", "r");
    struct buf text, list;
    char line[4096];
    bool inside = false;

    (void)state;
    if (!in)
        fail_msg("docs/rules.md cannot be read from here");
    buf_init(&text, TEXT_MAX);
    buf_init(&list, TEXT_MAX);
    while (fgets(line, sizeof(line), in)) {
        inside &= strcmp(line, "<!-- /capture fields -->\n") != 0;
        line[strcspn(line, "\n")] = '\0';
        if (inside)
            buf_printf(&text, "%s%s", text.len ? " " : "", line);
        inside |= !strcmp(line, "<!-- capture fields -->");
    }
    fclose(in);
    for (size_t i = 0; disguise_fields_known(i); i++)
        buf_printf(&list, "%s`%s`", i ? ", " : "", disguise_fields_known(i));
    assert_string_equal(buf_text(&text), buf_text(&list));
    buf_fini(&text);
    buf_fini(&list);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_stays_one_wherever_it_stands),
        cmocka_unit_test(what_is_no_address_and_no_phone_number_stays),
        cmocka_unit_test(a_phone_number_keeps_its_form),
        cmocka_unit_test(json_in_a_key_or_header_is_seen),
        cmocka_unit_test(the_case_of_a_fields_name_does_not_count_beyond_ascii_either),
        cmocka_unit_test(fields_are_known_by_their_names),
        cmocka_unit_test(json_in_a_string_is_seen),
        cmocka_unit_test(what_rules_compare_with_stays),
        cmocka_unit_test(another_key_gives_other_words_and_the_same_key_the_same),
        cmocka_unit_test(addresses_of_random_words_never_survive),
        cmocka_unit_test(json_stays_json_of_the_same_shape),
        cmocka_unit_test(any_text_is_taken),
        cmocka_unit_test(the_fields_are_those_of_the_reference),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
