#include "config/unit.h"

#include <ctype.h>
#include <string.h>

#include "rules/date.h"

struct unit {
    const char *name;
    int64_t factor;
};

static const struct unit time_units[] = {
    {"ms", 1},
    {"s", 1000},
    {"m", 60 * 1000},
    {"h", 60 * 60 * 1000},
};

static const struct unit size_units[] = {
    {"KiB", 1024},
    {"MiB", 1024 * 1024},
};

/* Reads digits and a unit. HOW says how it is written right. */
static int
parse(const char *text, const struct unit *units, size_t count, const char *how, int64_t *ret,
      struct err *err)
{
    int64_t value = 0, product;
    const char *at = text;

    while (isdigit((unsigned char)*at)) {
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, *at - '0', &value))
            return err_set(err, "is too large");
        at++;
    }
    for (size_t i = 0; at > text && i < count; i++) {
        if (strcmp(at, units[i].name) != 0)
            continue;
        if (__builtin_mul_overflow(value, units[i].factor, &product))
            return err_set(err, "is too large");
        *ret = product;
        return 0;
    }
    return err_set(err, "%s: write %s", at > text && !*at ? "has no unit" : "is not understood",
                   how);
}

int
duration_parse(const char *text, int64_t *ret_ms, struct err *err)
{
    return parse(text, time_units, ARRAY_LEN(time_units),
                 "a whole number directly followed by ms, s, m or h", ret_ms, err);
}

int
size_parse(const char *text, int64_t *ret_bytes, struct err *err)
{
    return parse(text, size_units, ARRAY_LEN(size_units),
                 "a whole number directly followed by KiB or MiB", ret_bytes, err);
}

static void
print(struct buf *out, int64_t value, const struct unit *units, size_t count)
{
    size_t i = count - 1;

    while (i > 0 && (value == 0 || value % units[i].factor != 0))
        i--;
    buf_printf(out, "%lld%s", (long long)(value / units[i].factor), units[i].name);
}

void
duration_print(struct buf *out, int64_t ms)
{
    print(out, ms, time_units, ARRAY_LEN(time_units));
}

void
size_print(struct buf *out, int64_t bytes)
{
    print(out, bytes, size_units, ARRAY_LEN(size_units));
}

int
time_parse(const char *text, int64_t *ret_ms, struct err *err)
{
    struct value value = value_text(text, strlen(text));
    struct date date;

    if (!date_read(&value, &date) || date.epoch_s < 0)
        return err_set(err, "is no time: write one such as 2026-01-31 or 2026-01-31T09:30:00Z");
    *ret_ms = date.epoch_s * 1000;
    return 0;
}

void
time_print(struct buf *out, int64_t ms)
{
    struct date date = {.epoch_s = ms / 1000};

    date_write(&date, "%Y-%m-%dT%H:%M:%SZ", 0, out);
}
