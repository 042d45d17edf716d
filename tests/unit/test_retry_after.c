/* sendx/retry_after: both forms of the header, clocks that are off, and nonsense. */
#include <limits.h>
#include <time.h>

#include "sendx/retry_after.h"
#include "unit.h"

#define WALL_MS INT64_C(784111777000) /* 1994-11-06 08:49:37 UTC */
#define HOUR_MS (60 * 60 * 1000)

static int64_t
ask(const char *retry_after, const char *date, int64_t wall_ms, int64_t max_ms)
{
    struct reply reply = {.status = 429, .body = "", .retry_after = retry_after, .date = date};

    return retry_after_ms(&reply, wall_ms, max_ms);
}

static void
expect(const char *retry_after, const char *date, int64_t expected_ms)
{
    int64_t found = ask(retry_after, date, WALL_MS, HOUR_MS);

    if (found != expected_ms)
        fail_msg("Retry-After \"%s\", Date \"%s\": %lld ms, expected %lld", retry_after,
                 date ? date : "none", (long long)found, (long long)expected_ms);
}

static void
without_the_header_nothing_is_asked(void **state)
{
    (void)state;
    assert_int_equal(ask(NULL, NULL, WALL_MS, HOUR_MS), 0);
    assert_int_equal(ask(NULL, "Sun, 06 Nov 1994 08:49:37 GMT", WALL_MS, HOUR_MS), 0);
}

static void
seconds_count_from_now_and_are_capped(void **state)
{
    static const struct {
        const char *text;
        int64_t ms;
    } table[] = {
        {"0", 0},
        {"1", 1000},
        {"30", 30000},
        {"0030", 30000},
        {" \t30 \t", 30000},
        {"3600", HOUR_MS},
        {"3601", HOUR_MS},
        {"2147483648", HOUR_MS},
        {"9223372036854775807", HOUR_MS},
        {"9223372036854775808", HOUR_MS},
        {"99999999999999999999999999999999999999999999", HOUR_MS},
        {"-1", 0},
        {"-0", 0},
        {"-99999999999999999999999999999999999999999999", 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        expect(table[i].text, NULL, table[i].ms);
        /* A clock that is off changes nothing. */
        expect(table[i].text, "Mon, 07 Nov 1994 08:49:37 GMT", table[i].ms);
    }
}

static void
a_fraction_of_a_second_is_rounded_up(void **state)
{
    (void)state;
    expect("1.5", NULL, 1500);
    expect("0.25", NULL, 250);
    expect("2.", NULL, 2000);
    expect("0.0001", NULL, 1);
    expect("1.0009", NULL, 1001);
    expect("1.0000", NULL, 1000);
    expect("-1.5", NULL, 0);
    expect("3599.9999", NULL, HOUR_MS);
}

static void
a_date_in_each_of_its_forms_is_understood(void **state)
{
    static const char *const dates[] = {
        "Sun, 06 Nov 1994 08:50:07 GMT",    "Sunday, 06-Nov-94 08:50:07 GMT",
        "Sun Nov  6 08:50:07 1994",         "  Sun, 06 Nov 1994 08:50:07 GMT  ",
        "Sunday, 06-Nov-94 08:50:07 GMT\t", "Sun Nov  6 08:50:07 1994 ",
    };
    static const char *const now[] = {
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
        NULL,
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(dates); i++) {
        for (size_t j = 0; j < ARRAY_LEN(now); j++)
            expect(dates[i], now[j], 30000);
    }
}

static void
a_date_is_measured_by_the_servers_own_clock(void **state)
{
    (void)state;
    /* A day and more off, either way. */
    expect("Wed, 09 Nov 1994 10:00:10 GMT", "Wed, 09 Nov 1994 10:00:00 GMT", 10000);
    expect("Tue, 01 Nov 1994 10:00:10 GMT", "Tue, 01 Nov 1994 10:00:00 GMT", 10000);
    expect("Thu, 01 Jan 1970 00:00:10 GMT", "Thu, 01 Jan 1970 00:00:00 GMT", 10000);
    /* A Date that cannot be read is none. */
    expect("Sun, 06 Nov 1994 08:49:47 GMT", "yesterday", 10000);
    expect("Sun, 06 Nov 1994 08:49:47 GMT", "", 10000);
    expect("Sun, 06 Nov 1994 08:49:47 GMT", "5", 10000);
}

static void
without_a_date_header_the_wall_clock_counts_to_the_millisecond(void **state)
{
    (void)state;
    assert_int_equal(ask("Sun, 06 Nov 1994 08:49:38 GMT", NULL, WALL_MS + 1, HOUR_MS), 999);
    assert_int_equal(ask("Sun, 06 Nov 1994 08:49:38 GMT", NULL, WALL_MS + 999, HOUR_MS), 1);
    assert_int_equal(ask("Sun, 06 Nov 1994 08:49:38 GMT", NULL, WALL_MS + 1000, HOUR_MS), 0);
    assert_int_equal(ask("Sun, 06 Nov 1994 08:49:38 GMT", NULL, WALL_MS - 1, HOUR_MS), 1001);
}

static void
a_date_in_the_past_asks_nothing_and_one_far_off_is_capped(void **state)
{
    (void)state;
    expect("Sun, 06 Nov 1994 08:49:37 GMT", NULL, 0);
    expect("Sun, 06 Nov 1994 08:49:36 GMT", NULL, 0);
    expect("Mon, 01 Jan 0001 00:00:00 GMT", NULL, 0);
    expect("Sun, 06 Nov 1994 09:49:37 GMT", NULL, HOUR_MS);
    expect("Sun, 06 Nov 1994 09:49:38 GMT", NULL, HOUR_MS);
    expect("Fri, 31 Dec 9999 23:59:59 GMT", NULL, HOUR_MS);
    assert_int_equal(ask("30", NULL, WALL_MS, 0), 0);
    assert_int_equal(ask("30", NULL, WALL_MS, 1), 1);
    assert_int_equal(ask("30", NULL, WALL_MS, INT64_MAX), 30000);
}

static void
a_year_of_two_digits_is_at_most_50_years_ahead(void **state)
{
    (void)state;
    /* 2026-01-01 00:00:00 UTC */
    assert_int_equal(ask("Thursday, 01-Jan-26 00:00:05 GMT", NULL, INT64_C(1767225600000), HOUR_MS),
                     5000);
    assert_int_equal(ask("Thursday, 01-Jan-70 00:00:05 GMT", NULL, INT64_C(1767225600000), HOUR_MS),
                     HOUR_MS);
    assert_int_equal(ask("Thursday, 01-Jan-99 00:00:05 GMT", NULL, INT64_C(1767225600000), HOUR_MS),
                     0);
    /* 1999-12-31 23:59:59 UTC */
    assert_int_equal(ask("Saturday, 01-Jan-00 00:00:05 GMT", NULL, INT64_C(946684799000), HOUR_MS),
                     6000);
}

static void
leap_days_and_leap_seconds_are_on_the_calendar(void **state)
{
    static const char before[] = "Mon, 28 Feb 2000 23:59:59 GMT";

    (void)state;
    expect("Tue, 29 Feb 2000 00:00:00 GMT", before, 1000);
    expect("Wed, 01 Mar 2000 00:00:00 GMT", "Tue, 29 Feb 2000 23:59:59 GMT", 1000);
    expect("Mon, 01 Mar 2100 00:00:00 GMT", "Sun, 28 Feb 2100 23:59:59 GMT", 1000);
    expect("Sat, 31 Dec 2016 23:59:60 GMT", "Sat, 31 Dec 2016 23:59:59 GMT", 1000);
    expect("Sun, 01 Jan 2017 00:00:00 GMT", "Sat, 31 Dec 2016 23:59:58 GMT", 2000);
}

static void
what_cannot_be_read_asks_nothing(void **state)
{
    static const char *const texts[] = {
        "",
        " ",
        "soon",
        "+30",
        "30s",
        "3 0",
        "30, 60",
        "1e3",
        "0x10",
        ".5",
        "1.5.5",
        "--5",
        "-",
        "١٠",
        "Sun, 06 Nov 2094 08:49:37",
        "Sun, 06 Nov 2094 08:49:37 gmt",
        "Sun, 06 Nov 2094 08:49:37 UTC",
        "Sun, 06 Nov 2094 08:49:37 +0000",
        "Sun, 06 Nov 2094 08:49:37 GMT x",
        "Sun, 6 Nov 2094 08:49:37 GMT",
        "Sun,06 Nov 2094 08:49:37 GMT",
        "sun, 06 Nov 2094 08:49:37 GMT",
        "06 Nov 2094 08:49:37 GMT",
        "Xxx, 06 Nov 2094 08:49:37 GMT",
        "Sun, 06 Nix 2094 08:49:37 GMT",
        "Sun, 06 Nov 94 08:49:37 GMT",
        "Sun, 00 Nov 2094 08:49:37 GMT",
        "Sun, 31 Nov 2094 08:49:37 GMT",
        "Sun, 29 Feb 2095 08:49:37 GMT",
        "Sun, 29 Feb 2100 08:49:37 GMT",
        "Sun, 06 Nov 2094 24:00:00 GMT",
        "Sun, 06 Nov 2094 08:60:00 GMT",
        "Sun, 06 Nov 2094 08:00:61 GMT",
        "Sun, 06 Nov 0000 08:49:37 GMT",
        "Sun, 06-Nov-95 08:49:37 GMT",
        "Sunday, 06-Nov-2095 08:49:37 GMT",
        "Sunday, 06 Nov 95 08:49:37 GMT",
        "Sun Nov 6 08:49:37 2094",
        "Sun Nov  16 08:49:37 2094",
        "Sun Nov  6 08:49:37 2094 GMT",
        "2094-11-06T08:49:37Z",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        expect(texts[i], NULL, 0);
}

/* In two parts, since compilers warn of a year of two digits. */
static void
write_rfc850(char *text, size_t size, const struct tm *tm)
{
    size_t len = strftime(text, size, "%A, %d-%b-", tm);

    snprintf(text + len, size - len, "%02d %02d:%02d:%02d GMT", tm->tm_year % 100, tm->tm_hour,
             tm->tm_min, tm->tm_sec);
}

/* TM as one of the three forms, by the C library. */
static void
write_date(char *text, size_t size, const struct tm *tm, unsigned form)
{
    if (form == 0)
        strftime(text, size, "%a, %d %b %Y %H:%M:%S GMT", tm);
    else if (form == 1)
        write_rfc850(text, size, tm);
    else
        strftime(text, size, "%a %b %e %H:%M:%S %Y", tm);
}

static void
dates_the_c_library_writes_are_read_to_the_second(void **state)
{
    struct rng rng = unit_rng("dates", (uint64_t)time(NULL));

    (void)state;
    for (int i = 0; i < 50000; i++) {
        /* 1970 to 2515; the wall clock, which places years of two digits, is about right. */
        unsigned form = (unsigned)rng_below(&rng, 3);
        time_t sent = (time_t)rng_below(&rng, INT64_C(17200000000));
        time_t until = sent + (time_t)rng_below(&rng, 4000) - 200;
        int64_t wall_ms = (int64_t)sent * 1000;
        int64_t expected_ms = (int64_t)(until - sent) * 1000, found;
        char retry_after[64], date[64];
        struct tm tm;

        gmtime_r(&until, &tm);
        write_date(retry_after, sizeof(retry_after), &tm, form);
        gmtime_r(&sent, &tm);
        write_date(date, sizeof(date), &tm, (unsigned)rng_below(&rng, 3));
        found = ask(retry_after, date, wall_ms + (int64_t)rng_below(&rng, HOUR_MS), INT64_MAX);
        if (found != (expected_ms > 0 ? expected_ms : 0))
            fail_msg("Retry-After \"%s\", Date \"%s\": %lld ms, expected %lld", retry_after, date,
                     (long long)found, (long long)expected_ms);
    }
}

static void
spoil(struct rng *rng, char *text)
{
    static const char bytes[] = "0123456789 ,:-.+GMTSunNov\t\x80\xff";

    for (uint64_t changes = rng_below(rng, 4); changes > 0 && *text; changes--) {
        size_t at = rng_below(rng, strlen(text));

        if (rng_below(rng, 8) == 0)
            text[at] = '\0';
        else
            text[at] = bytes[rng_below(rng, sizeof(bytes) - 1)];
    }
}

static void
whatever_the_headers_hold_the_answer_is_within_the_cap(void **state)
{
    static const char *const texts[] = {
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
        "9223372036854775807",
        "120",
        "0.000000000000000000000000000000001",
    };
    static const int64_t walls[] = {INT64_MIN, -1, 0, WALL_MS, INT64_MAX};
    static const int64_t caps[] = {INT64_MIN, 0, 1, HOUR_MS, INT64_MAX};
    struct rng rng = unit_rng("headers", (uint64_t)time(NULL));
    unsigned asked = 0;

    (void)state;
    for (int i = 0; i < 200000; i++) {
        char retry_after[64], date[64];
        int64_t max_ms = caps[rng_below(&rng, ARRAY_LEN(caps))], found;

        snprintf(retry_after, sizeof(retry_after), "%s", texts[rng_below(&rng, ARRAY_LEN(texts))]);
        snprintf(date, sizeof(date), "%s", texts[rng_below(&rng, ARRAY_LEN(texts))]);
        spoil(&rng, retry_after);
        spoil(&rng, date);
        found = ask(retry_after, date, walls[rng_below(&rng, ARRAY_LEN(walls))], max_ms);
        assert_true(found >= 0 && (found == 0 || found <= max_ms));
        asked += found > 0;
    }
    assert_true(asked > 1000);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_the_header_nothing_is_asked),
        cmocka_unit_test(seconds_count_from_now_and_are_capped),
        cmocka_unit_test(a_fraction_of_a_second_is_rounded_up),
        cmocka_unit_test(a_date_in_each_of_its_forms_is_understood),
        cmocka_unit_test(a_date_is_measured_by_the_servers_own_clock),
        cmocka_unit_test(without_a_date_header_the_wall_clock_counts_to_the_millisecond),
        cmocka_unit_test(a_date_in_the_past_asks_nothing_and_one_far_off_is_capped),
        cmocka_unit_test(a_year_of_two_digits_is_at_most_50_years_ahead),
        cmocka_unit_test(leap_days_and_leap_seconds_are_on_the_calendar),
        cmocka_unit_test(what_cannot_be_read_asks_nothing),
        cmocka_unit_test(dates_the_c_library_writes_are_read_to_the_second),
        cmocka_unit_test(whatever_the_headers_hold_the_answer_is_within_the_cap),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
