/*
 * What looks like a phone number in a text. Broad, since a number that is not seen is told to
 * others: digits with whatever stands between those of numbers that people write or copy. What has
 * too few digits, is a date or a decimal number, or is part of a name or of a longer number, does
 * not look like one. Texts are UTF-8 without NUL. Owns nothing.
 */
#ifndef CMD_PHONE_H
#define CMD_PHONE_H

#include <stdbool.h>
#include <stddef.h>

enum {
    PHONE_DIGITS_MIN = 7,
    PHONE_DIGITS_MAX = 15 /* E.164 has no longer ones */
};

struct phone_run {
    size_t len; /* bytes; 0: no run of digits begins here, or it belongs to something else */
    bool is_phone;
};

/* The run of digits, and of what stands between those of phone numbers, that begins at TEXT, which
 * is in the text from START to END. A date at its beginning is a run of its own. */
struct phone_run phone_read(const char *start, const char *text, const char *end);

#endif
