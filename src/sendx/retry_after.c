#include "sendx/retry_after.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/macros.h"

/* Parsing is our own: strptime minds the locale, and neither it nor timegm refuses 31 February. */

#define SECONDS_KEPT_MS (INT64_MAX / 16)           /* where digits stop counting */
#define WALL_MAX_MS (INT64_C(253402300799) * 1000) /* the end of the year 9999 */

static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
static const char *const long_days[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                        "Thursday", "Friday", "Saturday"};

struct moment {
    int year, month, day, hour, minute, second; /* month and day from 1 */
};

static bool
take(const char **at, const char *literal)
{
    size_t len = strlen(literal);

    if (strncmp(*at, literal, len) != 0)
        return false;
    *at += len;
    return true;
}

static bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Exactly COUNT digits. */
static bool
take_digits(const char **at, int count, int *ret)
{
    int number = 0;

    for (int i = 0; i < count; i++) {
        if (!is_digit((*at)[i]))
            return false;
        number = number * 10 + ((*at)[i] - '0');
    }
    *at += count;
    *ret = number;
    return true;
}

/* *RET is the place of the name in NAMES, from 1. */
static bool
take_name(const char **at, const char *const *names, int count, int *ret)
{
    for (int i = 0; i < count; i++) {
        if (take(at, names[i])) {
            *ret = i + 1;
            return true;
        }
    }
    return false;
}

static bool
take_month(const char **at, struct moment *moment)
{
    return take_name(at, months, ARRAY_LEN(months), &moment->month);
}

static bool
take_time(const char **at, struct moment *moment)
{
    return take_digits(at, 2, &moment->hour) && take(at, ":") &&
           take_digits(at, 2, &moment->minute) && take(at, ":") &&
           take_digits(at, 2, &moment->second);
}

/* Sun, 06 Nov 1994 08:49:37 GMT */
static bool
read_imf(const char **at, struct moment *moment)
{
    int ignored;

    return take_name(at, days, ARRAY_LEN(days), &ignored) && take(at, ", ") &&
           take_digits(at, 2, &moment->day) && take(at, " ") && take_month(at, moment) &&
           take(at, " ") && take_digits(at, 4, &moment->year) && take(at, " ") &&
           take_time(at, moment) && take(at, " GMT");
}

/* Sunday, 06-Nov-94 08:49:37 GMT; the year is left as its two digits. */
static bool
read_rfc850(const char **at, struct moment *moment)
{
    int ignored;

    return take_name(at, long_days, ARRAY_LEN(long_days), &ignored) && take(at, ", ") &&
           take_digits(at, 2, &moment->day) && take(at, "-") && take_month(at, moment) &&
           take(at, "-") && take_digits(at, 2, &moment->year) && take(at, " ") &&
           take_time(at, moment) && take(at, " GMT");
}

/* Sun Nov  6 08:49:37 1994 */
static bool
read_asctime(const char **at, struct moment *moment)
{
    int ignored;

    return take_name(at, days, ARRAY_LEN(days), &ignored) && take(at, " ") &&
           take_month(at, moment) && take(at, " ") &&
           take_digits(at, take(at, " ") ? 1 : 2, &moment->day) && take(at, " ") &&
           take_time(at, moment) && take(at, " ") && take_digits(at, 4, &moment->year);
}

static bool
is_leap(int year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* Second 60 is a leap second, which HTTP-date allows. */
static bool
is_in_range(const struct moment *moment)
{
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int length = lengths[moment->month - 1] + (moment->month == 2 && is_leap(moment->year));

    return moment->year >= 1 && moment->day >= 1 && moment->day <= length && moment->hour <= 23 &&
           moment->minute <= 59 && moment->second <= 60;
}

/* Milliseconds since 1970-01-01 UTC. */
static int64_t
moment_ms(const struct moment *moment)
{
    static const int before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    enum { DAYS_TO_1970 = 719162 }; /* from 0001-01-01 */
    int past = moment->year - 1;
    int64_t count = (int64_t)past * 365 + past / 4 - past / 100 + past / 400 - DAYS_TO_1970;

    count += before[moment->month - 1] + (moment->month > 2 && is_leap(moment->year));
    count += moment->day - 1;
    return (((count * 24 + moment->hour) * 60 + moment->minute) * 60 + moment->second) * 1000;
}

/* The year that ends in the two digits SHORT_YEAR and is at most 50 years after the present one. */
static int
widen_year(int short_year, int64_t wall_ms)
{
    int64_t present = 1970 + wall_ms / (INT64_C(31556952) * 1000);
    int64_t year = present - present % 100 + 100 + short_year;

    while (year > present + 50)
        year -= 100;
    return (int)year;
}

/* TEXT, without white space around it, as an HTTP-date. */
static bool
read_date(const char *text, int64_t wall_ms, int64_t *ret_ms)
{
    const char *imf = text, *rfc850 = text, *asctime = text, *end;
    struct moment moment = {0};

    if (read_imf(&imf, &moment)) {
        end = imf;
    } else if (read_rfc850(&rfc850, &moment)) {
        moment.year = widen_year(moment.year, wall_ms);
        end = rfc850;
    } else if (read_asctime(&asctime, &moment)) {
        end = asctime;
    } else {
        return false;
    }
    end += strspn(end, " \t");
    if (*end || !is_in_range(&moment))
        return false;
    *ret_ms = moment_ms(&moment);
    return true;
}

/* Seconds, exact as far as MAX_MS. The standard knows whole ones only; a fraction is rounded up, so
 * that no request goes out before it. */
static bool
read_seconds(const char *text, int64_t max_ms, int64_t *ret_ms)
{
    bool negative = *text == '-';
    const char *at = text + negative;
    int64_t ms = 0, place = 100;
    bool more = false;

    if (!is_digit(*at))
        return false;
    for (; is_digit(*at); at++)
        ms = ms > max_ms || ms > SECONDS_KEPT_MS ? ms : ms * 10 + (*at - '0') * 1000;
    if (*at == '.') {
        for (at++; is_digit(*at); at++, place /= 10) {
            ms += place * (*at - '0');
            more = more || (place == 0 && *at != '0');
        }
    }
    at += strspn(at, " \t");
    if (*at)
        return false;
    *ret_ms = negative ? 0 : ms + more;
    return true;
}

int64_t
retry_after_ms(const struct reply *reply, int64_t wall_ms, int64_t max_ms)
{
    const char *text = reply->retry_after, *date = reply->date;
    int64_t until_ms, sent_ms = 0, delay_ms;

    if (!text || max_ms <= 0)
        return 0;
    wall_ms = wall_ms < 0 ? 0 : wall_ms > WALL_MAX_MS ? WALL_MAX_MS : wall_ms;
    text += strspn(text, " \t");
    if (!read_seconds(text, max_ms, &delay_ms)) {
        if (!read_date(text, wall_ms, &until_ms))
            return 0;
        if (!date || !read_date(date + strspn(date, " \t"), wall_ms, &sent_ms))
            sent_ms = wall_ms;
        delay_ms = until_ms - sent_ms;
    }
    if (delay_ms <= 0)
        return 0;
    return delay_ms < max_ms ? delay_ms : max_ms;
}
