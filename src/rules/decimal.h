/*
 * Numbers as decimal digits: the shortest that read back as the same double, rounding by them, and
 * the text JavaScript writes. Owns nothing.
 */
#ifndef RULES_DECIMAL_H
#define RULES_DECIMAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    DECIMAL_DIGITS_MAX = 20,
    DECIMAL_TEXT_MAX = 32,   /* bytes decimal_write needs */
    DECIMAL_PLACES_MAX = 15, /* of decimal_write_fixed */
    DECIMAL_FIXED_MAX = 352  /* bytes decimal_write_fixed needs */
};

/* 0.DIGITS times ten to the power of POINT. No digits: zero. The last digit is not 0. */
struct decimal {
    bool negative;
    int count;
    int point;
    char digits[DECIMAL_DIGITS_MAX]; /* '0' … '9' */
};

struct decimal decimal_of_int(int64_t integer);
struct decimal decimal_of_real(double real); /* REAL is finite */

/* Rounds to PLACES decimals, halves away from zero. Below 0: to tens, hundreds, … */
void decimal_round(struct decimal *decimal, int places);

double decimal_real(const struct decimal *decimal);

/* Return the length; what is written is not NUL-terminated. */
size_t decimal_write(const struct decimal *decimal, char *text);
size_t decimal_write_fixed(const struct decimal *decimal, int places, char *text);

/* Reads [+-]digits[.digits][e[+-]digits] and nothing around it. False when it is something else or
 * no double holds it. WHOLE: it is an integer of 64 bits, found in INTEGER, else in REAL. */
bool decimal_read(const char *text, size_t len, bool *whole, int64_t *integer, double *real);

#endif
