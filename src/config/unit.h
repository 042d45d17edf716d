/*
 * Values that are written as text: durations, sizes, times. Pure; owns nothing.
 */
#ifndef CONFIG_UNIT_H
#define CONFIG_UNIT_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/macros.h"

/* A whole number directly followed by ms, s, m or h. */
int duration_parse(const char *text, int64_t *ret_ms, struct err *err) MUSTCHECK;
void duration_print(struct buf *out, int64_t ms); /* in the largest unit that fits: 60000 is "1m" */

/* A whole number directly followed by KiB or MiB. */
int size_parse(const char *text, int64_t *ret_bytes, struct err *err) MUSTCHECK;
void size_print(struct buf *out, int64_t bytes);

/* A day or a time as the filter "date" reads it, UTC where no offset is written; milliseconds since
 * 1970-01-01 UTC, not before; fractions of a second are cut. */
int time_parse(const char *text, int64_t *ret_ms, struct err *err) MUSTCHECK;
void time_print(struct buf *out, int64_t ms);

#endif
