/* Which runs of digits look like phone numbers, and where they begin and end. */

#include "base/buf.h"
#include "base/utf8.h"
#include "cmd/phone.h"
#include "unit.h"

enum { ROUNDS = 100000, TEXT_MAX = 1 << 16 };

struct reading {
    const char *before; /* what stands before the run in its text */
    const char *text;
    size_t len;
};

/* All read so many bytes, and are phone numbers or not. */
static void
assert_readings(const struct reading *readings, size_t count, bool is_phone)
{
    for (size_t i = 0; i < count; i++) {
        struct phone_run run;
        struct buf text;
        size_t at;

        buf_init(&text, TEXT_MAX);
        buf_add_text(&text, readings[i].before);
        at = text.len;
        buf_add_text(&text, readings[i].text);
        run = phone_read(buf_text(&text), buf_text(&text) + at, buf_text(&text) + text.len);
        if (run.len != readings[i].len || run.is_phone != is_phone)
            fail_msg("\"%s\" behind \"%s\": %zu bytes, %s", readings[i].text, readings[i].before,
                     run.len, run.is_phone ? "a phone number" : "no phone number");
        buf_fini(&text);
    }
}

static void
seven_to_fifteen_digits_are_a_phone_number(void **state)
{
    static const struct reading phones[] = {
        {"", "1234567", 7},
        {"", "123-4567", 8},
        {"", "123456789012345", 15},
        {"", "123456789012-345", 16},
    };
    static const struct reading others[] = {
        {"", "123456", 6},
        {"", "123-456", 7},
        {"", "1234567890123456", 16},
        {"", "1234567-890123456", 17},
        {"", "1234567.890.123456", 18},
    };

    (void)state;
    assert_readings(phones, ARRAY_LEN(phones), true);
    assert_readings(others, ARRAY_LEN(others), false);
}

static void
more_digits_with_a_gap_may_be_several_numbers(void **state)
{
    static const struct reading phones[] = {
        {"", "0151 1234567 / 0152 7654321", 27},
        {"", "12345678/90123456", 17},
        {"", "(1)234567890123456", 18},
        {"", "12345678\302\24090123456", 18},
    };
    /* What stands before the first digit is no gap. */
    static const struct reading others[] = {
        {"", "+1234567890123456", 17},
    };

    (void)state;
    assert_readings(phones, ARRAY_LEN(phones), true);
    assert_readings(others, ARRAY_LEN(others), false);
}

static void
a_run_ends_with_its_last_digit(void **state)
{
    static const struct reading phones[] = {
        {"", "1234567", 7},          {"", "1234567 ", 7},      {"", "1234567 - x", 7},
        {"", "1234567.", 7},         {"", "1234567  8", 7},    {"", "1234567) 8901", 13},
        {"", "1234567, 8901234", 7}, {"", "1234567\t8901", 7}, {"", "+49 (151) 1234-5678", 19},
    };

    (void)state;
    assert_readings(phones, ARRAY_LEN(phones), true);
}

static void
blanks_and_dashes_beyond_ascii_stand_in_numbers(void **state)
{
    static const struct reading phones[] = {
        {"", "0151\302\2401234567", 13},       /* a blank that does not break */
        {"", "0151\302\2551234567", 13},       /* a soft hyphen */
        {"", "0151\342\200\2131234567", 14},   /* a blank of no width */
        {"", "0151\342\200\2231234567", 14},   /* a dash */
        {"", "0151\342\200\2571234567", 14},   /* a narrow blank */
        {"", "(0151)\342\201\2401234567", 16}, /* a joiner of words */
        {"", "0151\342\210\2221234567", 14},   /* a minus */
        {"", "0151\343\200\2001234567", 14},   /* a wide blank */
    };
    static const struct reading others[] = {
        {"", "0151\342\200\2301234567", 4}, /* a quotation mark */
        {"", "0151\303\2271234567", 4},     /* a sign of multiplication */
        {"", "0151\345\255\2271234567", 0}, /* a letter */
    };

    (void)state;
    assert_readings(phones, ARRAY_LEN(phones), true);
    assert_readings(others, ARRAY_LEN(others), false);
}

static void
a_date_is_a_run_of_its_own(void **state)
{
    static const struct reading dates[] = {
        {"", "2026-01-31", 10},         {"", "2026-01-31 0151 1234567", 10},
        {"", "2026/12/01", 10},         {"", "31.01.2026", 10},
        {"", "31.1.2026", 9},           {"", "1/31/2026", 9},
        {"", "2026-01-31 09:30", 10},   {"", "1.1.2026 2.1.2026", 8},
        {"(", "2026-01-31) 12345", 10}, {"", "2026-01-31T09:30", 0},
    };
    static const struct reading phones[] = {
        {"", "2026-13-31", 10},  {"", "2026-01-32", 10},  {"", "2026-00-01", 10},
        {"", "2026-1-31", 9},    {"", "31.13.2026", 10},  {"", "13/31/2026", 10},
        {"", "31.1-2026", 9},    {"", "2026-01-311", 11}, {"", "2026 01 31", 10},
        {"", "0.1.2026789", 11}, {"", "31.1.20267", 10},  {"", "00.01.2026", 10},
        {"", "01.00.2026", 10},
    };

    (void)state;
    assert_readings(dates, ARRAY_LEN(dates), false);
    assert_readings(phones, ARRAY_LEN(phones), true);
}

static void
a_decimal_number_is_none(void **state)
{
    static const struct reading decimals[] = {
        {"", "1234567.89", 10},
        {"", "0.1234567", 9},
        {"", "0.00000001", 10},
    };
    static const struct reading phones[] = {
        {"", "0151.1234567", 12}, {"", "00.1234567", 10}, {"", "1.234.5678", 10},
        {"", "+1234567.89", 11},  {"", "123456.7-8", 10},
    };

    (void)state;
    assert_readings(decimals, ARRAY_LEN(decimals), false);
    assert_readings(phones, ARRAY_LEN(phones), true);
}

static void
nothing_that_is_part_of_something_else_is_a_run(void **state)
{
    static const struct reading phones[] = {
        {" ", "1234567", 7},
        {":", "1234567", 7},
        {"=", "1234567", 7},
        {"\"", "1234567", 7},
        {"Tel.", "1234567", 7},
        {"/", "1234567", 7},
        {"\342\200\223", "1234567", 7},
        {"\302\240", "1234567", 7},
        {"", "1234567 @", 7},
        {"", "1234567%41", 7},
    };
    static const struct reading others[] = {
        {"A", "1234567", 0},        {"1", "1234567", 0},
        {"_", "1234567", 0},        {"@", "1234567", 0},
        {"-", "1234567", 0},        {"+", "1234567", 0},
        {"1.", "1234567", 0},       {".", "1234567", 0},
        {"\303\251", "1234567", 0}, {"\345\255\227", "1234567", 0},
        {"", "1234567a", 0},        {"", "1234567_", 0},
        {"", "1234567@", 0},        {"", "1234567%40", 0},
        {"", "1234567\303\251", 0}, {"", "12345678-90ab", 0},
    };

    (void)state;
    assert_readings(phones, ARRAY_LEN(phones), true);
    assert_readings(others, ARRAY_LEN(others), false);
}

static void
a_run_begins_with_a_digit_a_plus_or_a_parenthesis(void **state)
{
    static const struct reading phones[] = {
        {"", "+4915112345678", 14},
        {"", "(0151) 1234567", 14},
        {"", "+ (49) 151 1234567", 18},
    };
    static const struct reading others[] = {
        {"", " 1234567", 0}, {"", "-1234567", 0}, {"", ".1234567", 0}, {"", "/1234567", 0},
        {"", ")1234567", 0}, {"", "a", 0},        {"", "+", 0},        {"", "( )", 0},
    };

    (void)state;
    assert_readings(phones, ARRAY_LEN(phones), true);
    assert_readings(others, ARRAY_LEN(others), false);
}

/* ---- a random run ---- */

static void
add_random_text(struct rng *rng, struct buf *text)
{
    static const char *const parts[] = {"0",
                                        "1",
                                        "7",
                                        "42",
                                        "2026",
                                        "31",
                                        "0151",
                                        "+",
                                        "(",
                                        ")",
                                        "-",
                                        ".",
                                        "/",
                                        " ",
                                        " ",
                                        "a",
                                        "%40",
                                        "_",
                                        "\302\240",
                                        "\303\251",
                                        "\342\200\223",
                                        "\342\210\222",
                                        ",",
                                        "12345"};

    for (uint64_t n = 1 + rng_below(rng, 12); n; n--)
        buf_add_text(text, parts[rng_below(rng, ARRAY_LEN(parts))]);
}

static void
a_run_in_a_text_is_the_same_as_the_run_alone(void **state)
{
    struct rng rng = unit_rng("runs", 64);
    size_t phones = 0, others = 0;
    struct buf text;

    (void)state;
    buf_init(&text, TEXT_MAX);
    for (int i = 0; i < ROUNDS; i++) {
        const char *start, *end;

        buf_reset(&text);
        add_random_text(&rng, &text);
        start = buf_text(&text);
        end = start + text.len;
        for (const char *at = start, *next = at; at < end; at = next) {
            struct phone_run run = phone_read(start, at, end), alone;
            size_t digits = 0;

            (void)utf8_next(&next, end);
            if (!run.len)
                continue;
            assert_true(run.len <= (size_t)(end - at));
            for (size_t k = 0; k < run.len; k++)
                digits += at[k] >= '0' && at[k] <= '9';
            alone = phone_read(at, at, at + run.len);
            if (alone.len != run.len || alone.is_phone != run.is_phone ||
                !strchr("0123456789", at[run.len - 1]) ||
                (run.is_phone && digits < PHONE_DIGITS_MIN))
                fail_msg("\"%s\", byte %zu: %zu bytes", start, (size_t)(at - start), run.len);
            phones += run.is_phone;
            others += !run.is_phone;
        }
    }
    assert_true(phones > ROUNDS / 10 && others > ROUNDS / 10);
    buf_fini(&text);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(seven_to_fifteen_digits_are_a_phone_number),
        cmocka_unit_test(more_digits_with_a_gap_may_be_several_numbers),
        cmocka_unit_test(a_run_ends_with_its_last_digit),
        cmocka_unit_test(blanks_and_dashes_beyond_ascii_stand_in_numbers),
        cmocka_unit_test(a_date_is_a_run_of_its_own),
        cmocka_unit_test(a_decimal_number_is_none),
        cmocka_unit_test(nothing_that_is_part_of_something_else_is_a_run),
        cmocka_unit_test(a_run_begins_with_a_digit_a_plus_or_a_parenthesis),
        cmocka_unit_test(a_run_in_a_text_is_the_same_as_the_run_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
