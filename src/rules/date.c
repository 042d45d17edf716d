#include "rules/date.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

enum {
    DAY_S = 86400,
    DAYS_TO_1970 = 719528, /* from 0000-01-01 */
    YEAR_MAX = 9999,
    TEXT_MAX = 64 /* bytes; a fraction of a second would fill the rest, and does not count */
};

/* Numbers at or above this in size are milliseconds. */
#define MILLISECONDS_FROM 1e11

static const char *const MONTHS[] = {"January",   "February", "March",    "April",
                                     "May",       "June",     "July",     "August",
                                     "September", "October",  "November", "December"};
static const char *const DAYS[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                   "Thursday", "Friday", "Saturday"};

static bool
is_leap(int year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int
month_days(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    return month == 2 && is_leap(year) ? 29 : days[month - 1];
}

/* Days from 0000-01-01 to the first of January of YEAR, which is 0 or later. */
static int64_t
days_before_year(int64_t year)
{
    /* Leap years before YEAR, year 0 being one. */
    int64_t leaps = year ? (year - 1) / 4 - (year - 1) / 100 + (year - 1) / 400 + 1 : 0;

    return year * 365 + leaps;
}

static int
day_of_year(int year, int month, int day)
{
    int days = day;

    for (int m = 1; m < month; m++)
        days += month_days(year, m);
    return days;
}

/* The number that COUNT digits at TEXT make, or -1. */
static int
read_digits(const char *text, int count)
{
    int number = 0;

    for (int i = 0; i < count; i++) {
        if (text[i] < '0' || text[i] > '9')
            return -1;
        number = number * 10 + text[i] - '0';
    }
    return number;
}

/* Seconds since 1970 of the day that the ten bytes at TEXT name. */
static bool
read_day(const char *text, int64_t *epoch_s)
{
    int year = read_digits(text, 4), month = read_digits(text + 5, 2);
    int day = read_digits(text + 8, 2);

    if (text[4] != '-' || text[7] != '-' || year < 0 || month < 1 || month > 12 || day < 1 ||
        day > month_days(year, month))
        return false;
    *epoch_s = (days_before_year(year) + day_of_year(year, month, day) - 1 - DAYS_TO_1970) * DAY_S;
    return true;
}

bool
date_is_day(const char *text, size_t len)
{
    int64_t epoch_s;

    return len == 10 && read_day(text, &epoch_s);
}

/* Z or ±HH[[:]MM], and nothing behind it. */
static bool
read_offset(const char *text, size_t len, int *offset_s)
{
    int hours, minutes = 0;

    *offset_s = 0;
    if (len == 1 && text[0] == 'Z')
        return true;
    if (len < 3 || (text[0] != '+' && text[0] != '-'))
        return false;
    hours = read_digits(text + 1, 2);
    if (len == 5)
        minutes = read_digits(text + 3, 2);
    else if (len == 6 && text[3] == ':')
        minutes = read_digits(text + 4, 2);
    else if (len != 3)
        return false;
    if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59)
        return false;
    *offset_s = (hours * 60 + minutes) * 60;
    if (text[0] == '-')
        *offset_s = -*offset_s;
    return true;
}

/* HH:MM[:SS[.fraction]] and an offset; adds to EPOCH_S. */
static bool
read_time(const char *text, size_t len, int64_t *epoch_s)
{
    int hours, minutes, seconds = 0, offset_s = 0;
    size_t at = 5;

    if (len < 5 || text[2] != ':')
        return false;
    hours = read_digits(text, 2);
    minutes = read_digits(text + 3, 2);
    if (len >= at + 3 && text[at] == ':') {
        seconds = read_digits(text + at + 1, 2);
        at += 3;
        if (at < len && text[at] == '.') {
            size_t digits = at + 1;

            for (at = digits; at < len && text[at] >= '0' && text[at] <= '9'; at++)
                ;
            if (at == digits)
                return false;
        }
    }
    if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59 || seconds < 0 || seconds > 59)
        return false;
    if (at < len && !read_offset(text + at, len - at, &offset_s))
        return false;
    *epoch_s += hours * 3600 + minutes * 60 + seconds - offset_s;
    return true;
}

static bool
read_text(const char *text, size_t len, struct date *date)
{
    if (len < 10 || len > TEXT_MAX || !read_day(text, &date->epoch_s))
        return false;
    date->day_only = len == 10;
    if (date->day_only)
        return true;
    if (text[10] != 'T' && text[10] != 't' && text[10] != ' ')
        return false;
    return read_time(text + 11, len - 11, &date->epoch_s);
}

/* Whether the second lies in the years that can be written. */
static bool
in_range(int64_t epoch_s)
{
    return epoch_s >= -(int64_t)DAYS_TO_1970 * DAY_S &&
           epoch_s < (days_before_year(YEAR_MAX + 1) - DAYS_TO_1970) * DAY_S;
}

static int64_t
floor_divide(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static bool
read_number(const struct value *number, struct date *date)
{
    bool in_ms = fabs(value_number(number)) >= MILLISECONDS_FROM;
    int64_t whole;

    date->day_only = false;
    if (number->kind == VALUE_INT)
        whole = number->integer;
    else if (fabs(number->real) < 1e18)
        whole = (int64_t)floor(number->real);
    else
        return false;
    date->epoch_s = in_ms ? floor_divide(whole, 1000) : whole;
    return true;
}

bool
date_read(const struct value *value, struct date *date)
{
    if (value->kind == VALUE_TEXT)
        return read_text(value->text, value->len, date) && in_range(date->epoch_s);
    return value_is_number(value) && read_number(value, date) && in_range(date->epoch_s);
}

int
date_check_format(const char *format, struct err *err)
{
    if (!strchr(format, '%'))
        return err_set(err, "a date format has a %% for each part, such as '%%Y-%%m-%%d'");
    for (const char *at = strchr(format, '%'); at; at = strchr(at + 2, '%')) {
        if (!at[1])
            return err_set(err,
                           "a date format ends with a single %%; write %%%% for a percent sign");
        if (!strchr("YymdejHIMSpAaBbFTzs%", at[1]))
            return err_set(
                err,
                "a date format has no %%%c; there are %%Y %%y %%m %%d %%e %%j %%H %%I %%M "
                "%%S %%p %%A %%a %%B %%b %%F %%T %%z %%s %%%%",
                at[1] >= ' ' && at[1] <= '~' ? at[1] : '?');
    }
    return 0;
}

int
date_read_offset(const char *text, size_t len, int *offset_s, struct err *err)
{
    if (read_offset(text, len, offset_s))
        return 0;
    return err_set(err, "\"%.*s\" is no offset from UTC; write one as '+05:30' or '-0800'",
                   (int)len, text);
}

struct fields {
    int year, month, day, hour, minute, second;
    int year_of_century, day_of_year, weekday, hour_of_half;
    int offset_s;
    int64_t epoch_s;
};

static struct fields
split(int64_t epoch_s, int offset_s)
{
    int64_t local = epoch_s + offset_s;
    int64_t days = floor_divide(local, DAY_S) + DAYS_TO_1970;
    int64_t year = days / 366;
    struct fields f = {.offset_s = offset_s, .epoch_s = epoch_s};
    int left, rest = (int)(local - (days - DAYS_TO_1970) * DAY_S);

    while (days_before_year(year + 1) <= days)
        year++;
    f.year = (int)year;
    left = (int)(days - days_before_year(year));
    f.day_of_year = left + 1;
    for (f.month = 1; left >= month_days(f.year, f.month); f.month++)
        left -= month_days(f.year, f.month);
    f.day = left + 1;
    f.weekday = (int)((days + 6) % 7); /* 0000-01-01 was a Saturday */
    f.hour = rest / 3600;
    f.minute = rest / 60 % 60;
    f.second = rest % 60;
    f.year_of_century = f.year % 100;
    f.hour_of_half = f.hour % 12 ? f.hour % 12 : 12;
    return f;
}

/* NUMBER, which is not negative, with WIDTH digits. */
static void
add_digits(struct buf *buf, int number, int width, char pad)
{
    char digits[8];

    for (int i = width - 1; i >= 0; i--) {
        digits[i] = (char)(number || i == width - 1 ? '0' + number % 10 : pad);
        number /= 10;
    }
    buf_add(buf, digits, (size_t)width);
}

static void
add_offset(struct buf *buf, int offset_s)
{
    int minutes = (offset_s < 0 ? -offset_s : offset_s) / 60;

    buf_add_char(buf, offset_s < 0 ? '-' : '+');
    add_digits(buf, minutes / 60 * 100 + minutes % 60, 4, '0');
}

/* The fields that are numbers, padded with zeros. */
static const struct {
    char letter;
    int width;
    size_t offset;
} NUMBERS[] = {
    {'Y', 4, offsetof(struct fields, year)},
    {'y', 2, offsetof(struct fields, year_of_century)},
    {'m', 2, offsetof(struct fields, month)},
    {'d', 2, offsetof(struct fields, day)},
    {'j', 3, offsetof(struct fields, day_of_year)},
    {'H', 2, offsetof(struct fields, hour)},
    {'I', 2, offsetof(struct fields, hour_of_half)},
    {'M', 2, offsetof(struct fields, minute)},
    {'S', 2, offsetof(struct fields, second)},
};

static bool
add_number(struct buf *buf, const struct fields *f, char letter)
{
    for (size_t i = 0; i < ARRAY_LEN(NUMBERS); i++) {
        if (NUMBERS[i].letter == letter) {
            int number = *(const int *)((const char *)f + NUMBERS[i].offset);

            add_digits(buf, number, NUMBERS[i].width, '0');
            return true;
        }
    }
    return false;
}

static void
add_name(struct buf *buf, const char *name, bool whole)
{
    buf_add(buf, name, whole ? strlen(name) : 3);
}

/* %F is three numbers with hyphens, %T three with colons. */
static void
add_three(struct buf *buf, const struct fields *f, const char *letters, char sign)
{
    for (int i = 0; i < 3; i++) {
        if (i)
            buf_add_char(buf, sign);
        add_number(buf, f, letters[i]);
    }
}

static void
add_field(struct buf *buf, const struct fields *f, char letter)
{
    if (add_number(buf, f, letter))
        return;
    if (letter == 'e')
        add_digits(buf, f->day, 2, ' ');
    else if (letter == 'p')
        buf_add_text(buf, f->hour < 12 ? "AM" : "PM");
    else if (letter == 'A' || letter == 'a')
        add_name(buf, DAYS[f->weekday], letter == 'A');
    else if (letter == 'B' || letter == 'b')
        add_name(buf, MONTHS[f->month - 1], letter == 'B');
    else if (letter == 'F')
        add_three(buf, f, "Ymd", '-');
    else if (letter == 'T')
        add_three(buf, f, "HMS", ':');
    else if (letter == 'z')
        add_offset(buf, f->offset_s);
    else if (letter == 's')
        buf_printf(buf, "%" PRId64, f->epoch_s);
    else
        buf_add_char(buf, letter);
}

bool
date_write(const struct date *date, const char *format, int offset_s, struct buf *buf)
{
    struct fields fields;
    const char *at;

    /* A day is a day everywhere. */
    if (date->day_only)
        offset_s = 0;
    if (!in_range(date->epoch_s + offset_s))
        return false;
    fields = split(date->epoch_s, offset_s);
    for (at = format; *at; at++) {
        if (*at == '%')
            add_field(buf, &fields, *++at);
        else
            buf_add_char(buf, *at);
    }
    return true;
}
