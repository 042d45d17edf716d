/* rules/json_read against jansson: what it reads is the same tree, with its members in the same
 * order; what jansson refuses it does not read. */
#include "base/buf.h"
#include "base/xalloc.h"
#include "rules/json_read.h"
#include "unit.h"

enum { ROUNDS = 200000, TEXT_MAX = 4096, DUMP = JSON_ENCODE_ANY | JSON_REAL_PRECISION(17) };

/* Whether it was read, and then as jansson reads it. */
static bool
is_read(const char *text, size_t len)
{
    /* Without a byte behind it, so that a sanitizer sees who reads too far. */
    char *exact = len ? memcpy(xmalloc(len), text, len) : xmalloc(1);
    json_t *mine = json_read(exact, len);
    json_t *theirs = json_loadb(exact, len, JSON_DECODE_ANY, NULL);
    char one[TEXT_MAX], other[TEXT_MAX];
    bool read = mine;

    if (mine && !theirs)
        fail_msg("jansson refuses: %.*s", (int)len, text);
    if (mine) {
        size_t one_len = json_dumpb(mine, one, sizeof(one), DUMP);
        size_t other_len = json_dumpb(theirs, other, sizeof(other), DUMP);

        assert_in_range(one_len, 1, sizeof(one));
        if (one_len != other_len || memcmp(one, other, one_len) != 0)
            fail_msg("%.*s\nis read as %.*s\ninstead of  %.*s", (int)len, text, (int)one_len, one,
                     (int)other_len, other);
    }
    xfree(exact);
    json_decref(theirs);
    json_decref(mine);
    return read;
}

static void
ordinary_json_is_read(void **state)
{
    static const char *const texts[] = {"{}",
                                        "[]",
                                        "null",
                                        " true ",
                                        "false\n",
                                        "0",
                                        "-0",
                                        "-17",
                                        "999999999999999999",
                                        "1.5",
                                        "-0.0",
                                        "19.99",
                                        "1e5",
                                        "1E-7",
                                        "2.5e+300",
                                        "\"\"",
                                        "\"a\"",
                                        "\"M\303\274ller\"",
                                        "\"\\u00fc\\u20ac\\ud83d\\ude00\"",
                                        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
                                        "\"a\\nb\\u0041c\"",
                                        "[1,[2,[3]],{}]",
                                        "{\"b\":1,\"a\":{\"c\":[true,false,null]}}",
                                        "\t[ 1 ,\r\n2 ] ",
                                        "{ \"a\" : 1 , \"b\" : \"x\" }",
                                        "{\"\":1}",
                                        "{\"a\":1,\"b\":2,\"a\":3}",
                                        "{\"stra\303\237e\":\"\\u00df\"}"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        if (!is_read(texts[i], strlen(texts[i])))
            fail_msg("left to jansson: %s", texts[i]);
    }
}

static void
what_is_wrong_or_rare_is_left_to_jansson(void **state)
{
    static const char *const texts[] = {"",
                                        " ",
                                        "{",
                                        "[",
                                        "\"",
                                        "\"a",
                                        "[1",
                                        "[1,",
                                        "[1,]",
                                        "{\"a\"",
                                        "{\"a\":",
                                        "{\"a\":1",
                                        "{\"a\":1,}",
                                        "{a:1}",
                                        "{1:1}",
                                        "[1 2]",
                                        "[,1]",
                                        "1 2",
                                        "[]]",
                                        "{}x",
                                        "nul",
                                        "nulL",
                                        "True",
                                        "truefalse",
                                        "+1",
                                        "-",
                                        "-a",
                                        "01",
                                        "-01",
                                        "1.",
                                        ".5",
                                        "1.5.5",
                                        "1e",
                                        "1e+",
                                        "1e999",
                                        "1-2",
                                        "0x10",
                                        "NaN",
                                        "9223372036854775808",
                                        "1234567890123456789",
                                        "\"\\x\"",
                                        "\"\\u12\"",
                                        "\"\\u12g4\"",
                                        "\"\\u0000\"",
                                        "\"\\ud800\"",
                                        "\"\\ud800x\"",
                                        "\"\\ud800\\u0041\"",
                                        "\"\\udc00\"",
                                        "\"a\tb\"",
                                        "\"\177\200\"",
                                        "\"\303\"",
                                        "\"\300\200\"",
                                        "\"\355\240\200\"",
                                        "{\"\\u0061\":1}",
                                        "{\"\377\":1}",
                                        "\357\273\277{}",
                                        "'a'",
                                        "[1]//",
                                        "\"\\"};
    char deep[2 * 70];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        if (is_read(texts[i], strlen(texts[i])))
            fail_msg("read: %s", texts[i]);
    }
    assert_false(is_read("\"a\0b\"", 5));
    assert_false(is_read("1\0", 2));
    assert_false(is_read("1.\0", 3));
    assert_false(is_read("\"\\\0\"", 4));
    memset(deep, '[', 70);
    memset(deep + 70, ']', 70);
    assert_false(is_read(deep, sizeof(deep)));
}

static void
add_random(struct rng *rng, struct buf *text)
{
    static const char *const tokens[] = {"{",      "}",
                                         "[",      "]",
                                         ",",      ":",
                                         "\"",     "\"a\"",
                                         "\"b\":", "\"\":",
                                         "1",      "-",
                                         "0",      ".",
                                         "e",      "+",
                                         "5.25",   "true",
                                         "null",   "false",
                                         " ",      "\n",
                                         "\\u",    "\\ud83d\\ude00",
                                         "\\",     "00e9",
                                         "d800",   "\303\251",
                                         "\303",   "\360\237\230\200",
                                         "\x01",   "123456789012345678",
                                         "9",      "E",
                                         "n",      "/"};

    for (int left = 1 + (int)rng_below(rng, 12); left > 0; left--)
        buf_add_text(text, tokens[rng_below(rng, ARRAY_LEN(tokens))]);
}

/* Right JSON with a few bytes changed, cut or put in. */
static void
add_nearly_right(struct rng *rng, struct buf *text)
{
    static const char right[] = "{\"id\":\"evt-1\",\"n\":[1,-2.5,3e2,0.1],\"user\":{\"e\\u00e9\":"
                                "\"M\303\274\\\"\\ud83d\\ude00\","
                                "\"ok\":true,\"no\":null},\"x\":\"\\u20ac\",\"id\":17}";
    static const char bytes[] = "{}[]:,\"\\u0e.-19 tn\303\274\001d8";
    size_t len = sizeof(right) - 1;
    char copy[sizeof(right)];

    memcpy(copy, right, sizeof(right));
    for (size_t left = rng_below(rng, 4); left > 0 && len > 0; left--) {
        size_t at = (size_t)rng_below(rng, len);

        if (rng_below(rng, 3))
            copy[at] = bytes[rng_below(rng, sizeof(bytes) - 1)];
        else if (rng_below(rng, 2))
            memmove(copy + at, copy + at + 1, --len - at);
        else
            len = at + 1;
    }
    buf_add(text, copy, len);
}

static void
any_bytes_are_read_as_jansson_reads_them_or_not_at_all(void **state)
{
    struct rng rng = unit_rng("json_read", 7);
    struct buf text;
    size_t count = 0;

    (void)state;
    buf_init(&text, TEXT_MAX);
    for (int round = 0; round < ROUNDS; round++) {
        buf_reset(&text);
        if (round % 2)
            add_random(&rng, &text);
        else
            add_nearly_right(&rng, &text);
        count += is_read(buf_text(&text), text.len);
    }
    buf_fini(&text);
    assert_in_range(count, ROUNDS / 100, ROUNDS);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ordinary_json_is_read),
        cmocka_unit_test(what_is_wrong_or_rare_is_left_to_jansson),
        cmocka_unit_test(any_bytes_are_read_as_jansson_reads_them_or_not_at_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
