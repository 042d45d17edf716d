/*
 * Dates: reading what events hold, writing by a format. Proleptic Gregorian calendar, years 0 to
 * 9999, no time zones but fixed offsets. Owns nothing and reads no clock.
 */
#ifndef RULES_DATE_H
#define RULES_DATE_H

#include "base/buf.h"
#include "base/err.h"
#include "rules/value.h"

struct date {
    int64_t epoch_s; /* seconds since 1970-01-01 00:00 UTC; of a day alone, its midnight */
    bool day_only;   /* written without a time of day */
};

/* A number or a text as RULES.md has it; false for everything else. */
bool date_read(const struct value *value, struct date *date);

/* Whether TEXT is a day of the calendar, YYYY-MM-DD. */
bool date_is_day(const char *text, size_t len);

/* Load-time checks: a format of date_write; an offset such as "+05:30" or "Z", in seconds. */
int date_check_format(const char *format, struct err *err) MUSTCHECK;
int date_read_offset(const char *text, size_t len, int *offset_s, struct err *err) MUSTCHECK;

/* False when the offset leaves the years 0 to 9999. */
bool date_write(const struct date *date, const char *format, int offset_s, struct buf *buf);

#endif
