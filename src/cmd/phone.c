#include "cmd/phone.h"

#include <stdint.h>
#include <string.h>

#include "base/utf8.h"
#include "cmd/email.h"
#include "cmd/word.h"

static bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Reads a number and what stands behind it. */
static int
read_part(const char **at, const char *end, size_t *ret_len, char *ret_sign)
{
    const char *start = *at;
    int number = 0;

    while (*at < end && is_digit(**at) && *at - start < 5)
        number = number * 10 + *(*at)++ - '0';
    *ret_len = (size_t)(*at - start);
    *ret_sign = *at < end ? *(*at)++ : '\0';
    return number;
}

/* Bytes of 2026-01-31 or 31.1.2026 or 1/31/2026, whatever comes behind; 0: it is no date. */
static size_t
date_len(const char *text, size_t len)
{
    const char *end = text + len;
    size_t total;
    size_t lens[3];
    char signs[3];
    int parts[3];

    for (int i = 0; i < 3; i++)
        parts[i] = read_part(&text, end, &lens[i], &signs[i]);
    if (signs[0] != signs[1] || !strchr("-./", signs[0]) || !signs[0])
        return 0;
    total = lens[0] + lens[1] + lens[2] + 2;
    if (lens[0] == 4 && lens[1] == 2 && lens[2] == 2)
        return parts[1] >= 1 && parts[1] <= 12 && parts[2] >= 1 && parts[2] <= 31 ? total : 0;
    return lens[0] <= 2 && lens[1] <= 2 && lens[2] == 4 && parts[0] >= 1 && parts[1] >= 1 &&
                   parts[0] <= 31 && parts[1] <= 31 && (parts[0] <= 12 || parts[1] <= 12)
               ? total
               : 0;
}

/* 1234567.89, but not 0151.1234567 */
static bool
is_decimal(const char *text, size_t len)
{
    size_t dots = 0;

    if (len > 1 && *text == '0' && is_digit(text[1]))
        return false;
    for (size_t i = 0; i < len; i++) {
        if (!is_digit(text[i]) && text[i] != '.')
            return false;
        dots += text[i] == '.';
    }
    return dots == 1;
}

/* Blanks, dashes and marks without a form, as they stand in numbers that were copied. */
static bool
is_wide_gap(uint32_t c)
{
    return c >= 0x80 &&
           (utf8_is_space(c) || c == 0xad || (c >= 0x2000 && c <= 0x2015) ||
            (c >= 0x2028 && c <= 0x202f) || (c >= 0x205f && c <= 0x206f) || c == 0x2212);
}

/* A run of digits and what stands between those of phone numbers. */
struct run {
    size_t len, digits;
    bool has_gap; /* it may be several numbers */
};

/* The run at TEXT; it ends with a digit. */
static struct run
read_run(const char *text, const char *end)
{
    struct run run = {0};
    bool gap = false;

    for (const char *at = text; at < end;) {
        const char *next = at;
        uint32_t c = utf8_next(&next, end);

        if ((!is_wide_gap(c) && (c >= 0x80 || !strchr("0123456789 +-./()", (int)c))) ||
            (c == ' ' && at > text && at[-1] == ' '))
            break;
        if (is_digit(*at)) {
            run.len = (size_t)(next - text);
            run.digits++;
            run.has_gap |= gap;
        } else {
            gap |= c != '-' && c != '.' && at > text;
        }
        at = next;
    }
    return run;
}

/* Whether nothing that belongs to a number or name stands at AT. */
static bool
is_boundary(const char *at, const char *end)
{
    const char *next = at;

    return at == end ||
           !(word_is_char(utf8_next(&next, end)) || *at == '_' || email_sign_len(at, end));
}

/* Whether a number may begin at TEXT, behind what stands before it. */
static bool
may_begin(const char *start, const char *text)
{
    const char *before = text - 1;

    if (text == start)
        return true;
    while (before > start && ((unsigned char)*before & 0xc0) == 0x80)
        before--;
    if (*before == '.') /* "Tel.0151", but not "1.0151" */
        return before > start && !is_digit(before[-1]);
    return is_boundary(before, text) && !strchr("-+", *before);
}

static bool
is_phone(const char *text, const struct run *run)
{
    return run->digits >= PHONE_DIGITS_MIN && (run->digits <= PHONE_DIGITS_MAX || run->has_gap) &&
           !is_decimal(text, run->len);
}

struct phone_run
phone_read(const char *start, const char *text, const char *end)
{
    struct phone_run none = {0};
    struct run run;
    size_t date;

    if ((!is_digit(*text) && *text != '+' && *text != '(') || !may_begin(start, text))
        return none;
    run = read_run(text, end);
    if (!run.digits || !is_boundary(text + run.len, end))
        return none;
    date = date_len(text, run.len);
    if (date)
        return (struct phone_run){date, false};
    return (struct phone_run){run.len, is_phone(text, &run)};
}
