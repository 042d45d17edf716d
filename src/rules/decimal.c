#include "rules/decimal.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

enum {
    EXACT_DIGITS = 15, /* decimals of up to so many digits survive a double */
    ENOUGH_DIGITS = 17 /* so many always read back */
};

/* Whole numbers below this have at most 15 digits. */
#define WHOLE_MAX 1e15
/* Below this, doubles carry fewer than 15 digits. */
#define THIN_BELOW 1e-300

static void
strip_zeros(struct decimal *decimal)
{
    while (decimal->count && decimal->digits[decimal->count - 1] == '0')
        decimal->count--;
    if (!decimal->count)
        decimal->point = 0;
}

static struct decimal
of_magnitude(uint64_t magnitude, bool negative)
{
    struct decimal decimal = {.negative = negative};
    char reversed[DECIMAL_DIGITS_MAX];

    while (magnitude) {
        reversed[decimal.count++] = (char)('0' + magnitude % 10);
        magnitude /= 10;
    }
    for (int i = 0; i < decimal.count; i++)
        decimal.digits[i] = reversed[decimal.count - 1 - i];
    decimal.point = decimal.count;
    strip_zeros(&decimal);
    return decimal;
}

struct decimal
decimal_of_int(int64_t integer)
{
    uint64_t magnitude = integer < 0 ? -(uint64_t)integer : (uint64_t)integer;

    return of_magnitude(magnitude, integer < 0);
}

/* Reads what printf's %e wrote for a positive number. */
static struct decimal
of_printed(const char *printed)
{
    struct decimal decimal = {0};

    for (; *printed != 'e'; printed++) {
        if (*printed != '.')
            decimal.digits[decimal.count++] = *printed;
    }
    decimal.point = (int)strtol(printed + 1, NULL, 10) + 1;
    return decimal;
}

static void
add_one(struct decimal *decimal)
{
    int i = decimal->count - 1;

    while (i >= 0 && decimal->digits[i] == '9')
        decimal->digits[i--] = '0';
    if (i >= 0) {
        decimal->digits[i]++;
    } else {
        /* All nines: 0.999 becomes 1.000, which is 0.100 times ten. */
        decimal->digits[0] = '1';
        decimal->point++;
    }
}

/* The decimal of COUNT digits that reads back as MAGNITUDE, if there is one. */
static bool
try_digits(double magnitude, int count, struct decimal *decimal)
{
    char printed[40];
    double back;

    snprintf(printed, sizeof(printed), "%.*e", count - 1, magnitude);
    back = strtod(printed, NULL);
    *decimal = of_printed(printed);
    if (back == magnitude)
        return true;
    /* At a power of two the doubles below are nearer than those above, so that the nearest decimal
     * may fail below where the next one above still reads back. */
    if (back < magnitude) {
        add_one(decimal);
        return decimal_real(decimal) == magnitude;
    }
    return false;
}

/* Numbers with few decimals, as prices are, without printing and reading back: a whole number of at
 * most 15 digits over a power of ten that gives the very double is its shortest decimal. */
static bool
try_few_places(double magnitude, struct decimal *decimal)
{
    double power = 1;

    for (int places = 0; places <= 6; places++, power *= 10) {
        double whole = nearbyint(magnitude * power);

        if (whole >= WHOLE_MAX)
            return false;
        if (whole / power == magnitude) {
            *decimal = of_magnitude((uint64_t)whole, false);
            if (decimal->count)
                decimal->point -= places;
            return true;
        }
    }
    return false;
}

struct decimal
decimal_of_real(double real)
{
    double magnitude = fabs(real);
    struct decimal decimal = {0};
    int count;

    assert(isfinite(real));
    if (try_few_places(magnitude, &decimal)) {
        decimal.negative = signbit(real);
        return decimal;
    }
    count = magnitude < THIN_BELOW ? 1 : EXACT_DIGITS;
    while (!try_digits(magnitude, count, &decimal) && count < ENOUGH_DIGITS)
        count++;
    decimal.negative = signbit(real);
    strip_zeros(&decimal);
    return decimal;
}

void
decimal_round(struct decimal *decimal, int places)
{
    int keep;
    bool up;

    /* Far out, nothing is cut or everything is; the bounds keep the sum below from overflowing. */
    if (places > 400 || !decimal->count)
        return;
    keep = places < -400 ? -1 : decimal->point + places;
    if (keep >= decimal->count)
        return;
    if (keep < 0) {
        decimal->count = decimal->point = 0;
        return;
    }
    up = decimal->digits[keep] >= '5';
    decimal->count = keep;
    if (up && !keep) {
        decimal->digits[0] = '1';
        decimal->count = 1;
        decimal->point++;
    } else if (up) {
        add_one(decimal);
    }
    strip_zeros(decimal);
}

double
decimal_real(const struct decimal *decimal)
{
    char text[48];
    double real;

    if (!decimal->count)
        return 0;
    snprintf(text, sizeof(text), "0.%.*se%d", decimal->count, decimal->digits, decimal->point);
    real = strtod(text, NULL);
    return decimal->negative ? -real : real;
}

static size_t
put(char *text, size_t len, const char *bytes, int count)
{
    memcpy(text + len, bytes, (size_t)count);
    return len + (size_t)count;
}

static size_t
put_zeros(char *text, size_t len, int count)
{
    memset(text + len, '0', (size_t)count);
    return len + (size_t)count;
}

/* Number::toString of ECMA-262, section 6.1.6.1.20, for the radix ten. */
size_t
decimal_write(const struct decimal *decimal, char *text)
{
    int count = decimal->count, point = decimal->point;
    size_t len = 0;

    if (!count)
        return put(text, 0, "0", 1);
    if (decimal->negative)
        text[len++] = '-';
    if (point > 21 || point <= -6) {
        text[len++] = decimal->digits[0];
        if (count > 1) {
            text[len++] = '.';
            len = put(text, len, decimal->digits + 1, count - 1);
        }
        return len + (size_t)snprintf(text + len, 8, "e%+d", point - 1);
    }
    if (point <= 0) {
        len = put(text, len, "0.", 2);
        len = put_zeros(text, len, -point);
        return put(text, len, decimal->digits, count);
    }
    if (count <= point) {
        len = put(text, len, decimal->digits, count);
        return put_zeros(text, len, point - count);
    }
    len = put(text, len, decimal->digits, point);
    text[len++] = '.';
    return put(text, len, decimal->digits + point, count - point);
}

/* The digit that stands for ten to the power of EXPONENT. */
static char
digit_at(const struct decimal *decimal, int exponent)
{
    int i = decimal->point - 1 - exponent;

    return i >= 0 && i < decimal->count ? decimal->digits[i] : '0';
}

size_t
decimal_write_fixed(const struct decimal *decimal, int places, char *text)
{
    struct decimal rounded = *decimal;
    size_t len = 0;

    assert(places >= 0 && places <= DECIMAL_PLACES_MAX);
    decimal_round(&rounded, places);
    if (rounded.negative && rounded.count)
        text[len++] = '-';
    for (int e = rounded.point > 0 ? rounded.point - 1 : 0; e >= 0; e--)
        text[len++] = digit_at(&rounded, e);
    if (places)
        text[len++] = '.';
    for (int e = -1; e >= -places; e--)
        text[len++] = digit_at(&rounded, e);
    return len;
}

static size_t
skip_digits(const char *text, size_t len, size_t at)
{
    while (at < len && text[at] >= '0' && text[at] <= '9')
        at++;
    return at;
}

/* Where the number that begins at TEXT ends, 0 if there is none. WHOLE: neither fraction nor
 * exponent. */
static size_t
scan_number(const char *text, size_t len, bool *whole)
{
    size_t at = len && (text[0] == '-' || text[0] == '+') ? 1 : 0;
    size_t end = skip_digits(text, len, at);

    *whole = true;
    if (end == at)
        return 0;
    if (end < len && text[end] == '.') {
        at = end + 1;
        end = skip_digits(text, len, at);
        *whole = false;
        if (end == at)
            return 0;
    }
    if (end < len && (text[end] == 'e' || text[end] == 'E')) {
        at = end + 1;
        if (at < len && (text[at] == '-' || text[at] == '+'))
            at++;
        end = skip_digits(text, len, at);
        *whole = false;
        if (end == at)
            return 0;
    }
    return end;
}

bool
decimal_read(const char *text, size_t len, bool *whole, int64_t *integer, double *real)
{
    char room[64], *copy = room;

    if (!len || scan_number(text, len, whole) != len)
        return false;
    if (len >= sizeof(room))
        copy = xmalloc(len + 1);
    memcpy(copy, text, len);
    copy[len] = '\0';
    if (*whole) {
        errno = 0;
        *integer = strtoll(copy, NULL, 10);
        *whole = errno == 0;
    }
    if (!*whole)
        *real = strtod(copy, NULL);
    if (copy != room)
        xfree(copy);
    return *whole || isfinite(*real);
}
