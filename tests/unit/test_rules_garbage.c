/* Random bytes and tokens as expressions, templates and payloads: refused at worst, never a crash.
 */

#include "json_unit.h"
#include "rules_unit.h"

enum { ROUNDS = 20000 };

/* Tokens in any order: mostly wrong, and often nearly right. */
static void
add_garbage(struct rng *rng, struct buf *text)
{
    static const char *const tokens[] = {"a",
                                         ".",
                                         "b",
                                         "[",
                                         "]",
                                         "(",
                                         ")",
                                         "'x'",
                                         "'",
                                         "1",
                                         "-",
                                         "1.5",
                                         "+",
                                         "*",
                                         "/",
                                         "%",
                                         "?",
                                         ":",
                                         "??",
                                         "|",
                                         "lower",
                                         "upper",
                                         "trim",
                                         "title",
                                         "slug",
                                         "replace",
                                         "split",
                                         "join",
                                         "keys",
                                         "substr",
                                         "sort",
                                         "unique",
                                         "sum",
                                         "number",
                                         "round",
                                         "fixed",
                                         "json",
                                         "date",
                                         "epoch",
                                         "table",
                                         "default",
                                         "match",
                                         "@root",
                                         "@index",
                                         "@headers",
                                         "@key",
                                         " and ",
                                         " or ",
                                         " not ",
                                         " in ",
                                         "contains",
                                         "matches",
                                         "==",
                                         "!=",
                                         "<",
                                         ">=",
                                         ",",
                                         "null",
                                         "true",
                                         "${",
                                         "}",
                                         "$",
                                         "[*]",
                                         "'(a+)'",
                                         "'%Y'",
                                         "9e99",
                                         "\xc3\xa9",
                                         "\n",
                                         "('a')",
                                         "item",
                                         "('plan_tag')",
                                         "(-1, 2)"};

    for (size_t count = 1 + rng_below(rng, 12); count; count--)
        buf_add_text(text, PICK(rng, tokens));
}

static void
add_bytes(struct rng *rng, struct buf *text)
{
    for (size_t count = rng_below(rng, 40); count; count--)
        buf_add_char(text, (char)(1 + rng_below(rng, 255)));
}

static void
garbage_is_refused_and_never_crashes(void **state)
{
    struct rng rng = unit_rng("garbage", 2);
    struct buf text, json;
    size_t loaded = 0;

    (void)state;
    buf_init(&text, 1 << 20);
    buf_init(&json, 1 << 20);
    for (int round = 0; round < ROUNDS; round++) {
        struct lab lab;
        json_t *event = random_json(&rng, 4);
        struct value value = value_of_json(event);
        bool is_template = rng_below(&rng, 2);

        lab_init(&lab);
        buf_reset(&text);
        buf_reset(&json);
        value_add_json(&value, &json);
        if (rng_below(&rng, 4))
            add_garbage(&rng, &text);
        else
            add_bytes(&rng, &text);
        lab_value(&lab, buf_text(&text), is_template, buf_text(&json), json.len, NULL);
        loaded += !lab.diag.errors;
        json_decref(event);
        lab_fini(&lab);
    }
    assert_true(loaded > ROUNDS / 100);
    buf_fini(&text);
    buf_fini(&json);
}

/* Bytes that are nearly JSON. */
static void
payloads_never_crash_the_decoder(void **state)
{
    static const char *const pieces[] = {
        "{",     "}",   "[",    "]",    "\"",    "\"a\"", ":",    ",", "1",
        "-0",    "1e9", "null", "true", "\\u00", "\\",    "\xff", " ", "99999999999999999999",
        "1e999", ".0",  "0"};
    struct rng rng = unit_rng("payloads", 3);
    struct buf text;

    (void)state;
    buf_init(&text, 1 << 20);
    for (int round = 0; round < ROUNDS; round++) {
        char reason[64];
        json_t *json, *strict;

        buf_reset(&text);
        for (size_t count = rng_below(&rng, 12); count; count--)
            buf_add_text(&text, PICK(&rng, pieces));
        json = decode_json(buf_text(&text), text.len, reason, sizeof(reason));
        strict =
            json_loadb(buf_text(&text), text.len, JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL, NULL);
        /* The way with doubles accepts the same texts. */
        assert_int_equal(json != NULL, strict != NULL);
        assert_true(json || strlen(reason) > 8);
        json_decref(json);
        json_decref(strict);
    }
    buf_fini(&text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(garbage_is_refused_and_never_crashes),
        cmocka_unit_test(payloads_never_crash_the_decoder),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
