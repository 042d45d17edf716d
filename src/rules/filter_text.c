#include "rules/filter_text.h"

#include <string.h>

#include "base/utf8.h"
#include "rules/date.h"
#include "rules/decimal.h"

enum { MATCH_WORK = 8 /* what a search by slug costs beside its bytes */ };

/* A text filter takes a number or boolean as its text, and has null for the rest. It looks at each
 * character. */
static bool
as_text(struct eval *eval, const struct value *value, struct value *text)
{
    return value_as_text(value, eval->arena, text) && eval_work(eval, text->len / 4 + 1);
}

/* Letters */

/* Most texts are ASCII, where a letter stays one byte. */
static struct value
map_ascii(struct eval *eval, const struct value *text, uint32_t (*map)(uint32_t))
{
    char *mapped = eval_bytes(eval, text->len);

    if (!mapped)
        return value_null();
    for (size_t i = 0; i < text->len; i++)
        mapped[i] = (char)map((unsigned char)text->text[i]);
    return value_text(mapped, text->len);
}

/* Where the first byte is that is no part of ASCII. */
static size_t
ascii_len(const struct value *text)
{
    size_t i = 0;

    while (i < text->len && !((unsigned char)text->text[i] & 0x80))
        i++;
    return i;
}

static struct value
map_letters(struct eval *eval, const struct value *input, uint32_t (*map)(uint32_t))
{
    struct value text;
    const char *at, *end;
    struct buf *buf;

    if (!as_text(eval, input, &text))
        return value_null();
    if (ascii_len(&text) == text.len)
        return map_ascii(eval, &text, map);
    if (!eval_work(eval, text.len)) /* looking up a letter takes longer */
        return value_null();
    buf = eval_text_start(eval, text.len);
    for (at = text.text, end = at + text.len; at < end;)
        utf8_add(buf, map(utf8_next(&at, end)));
    return eval_text_take(eval);
}

struct value
filter_lower(struct eval *eval, const struct filter_use *use, const struct value *input,
             const struct value *args)
{
    (void)use;
    (void)args;
    return map_letters(eval, input, utf8_lower);
}

struct value
filter_upper(struct eval *eval, const struct filter_use *use, const struct value *input,
             const struct value *args)
{
    (void)use;
    (void)args;
    return map_letters(eval, input, utf8_upper);
}

struct value
filter_title(struct eval *eval, const struct filter_use *use, const struct value *input,
             const struct value *args)
{
    struct value text;
    bool begins = true;
    const char *at, *end;
    struct buf *buf;

    (void)use;
    (void)args;
    if (!as_text(eval, input, &text) || !eval_work(eval, text.len))
        return value_null();
    buf = eval_text_start(eval, text.len);
    for (at = text.text, end = at + text.len; at < end;) {
        uint32_t c = utf8_next(&at, end);

        utf8_add(buf, begins ? utf8_upper(c) : utf8_lower(c));
        begins = c == '-' || utf8_is_space(c);
    }
    return eval_text_take(eval);
}

static struct value
trim(struct value text)
{
    const char *end = text.text + text.len, *at = text.text, *last;

    while (at < end) {
        const char *next = at;

        if (!utf8_is_space(utf8_next(&next, end)))
            break;
        at = next;
    }
    text.text = last = at;
    /* What ends in an ordinary byte needs no search for its end. */
    if (at < end && (unsigned char)end[-1] > ' ' && (unsigned char)end[-1] < 0x80)
        last = at = end;
    while (at < end) {
        uint32_t c = utf8_next(&at, end);

        if (!utf8_is_space(c))
            last = at;
    }
    text.len = (size_t)(last - text.text);
    return text;
}

struct value
filter_trim(struct eval *eval, const struct filter_use *use, const struct value *input,
            const struct value *args)
{
    struct value text;

    (void)use;
    (void)args;
    return as_text(eval, input, &text) ? trim(text) : value_null();
}

struct value
filter_slug(struct eval *eval, const struct filter_use *use, const struct value *input,
            const struct value *args)
{
    struct value text;
    struct regex_found found = {0};
    size_t no_limit = SIZE_MAX;
    struct buf *buf;

    (void)args;
    if (!as_text(eval, input, &text) || !eval_work(eval, text.len))
        return value_null();
    buf = eval_text_start(eval, text.len);
    while (eval_work(eval, MATCH_WORK) && regex_search(use->regex, text.text, text.len, found.end,
                                                       &no_limit, &found) == REGEX_MATCH) {
        if (buf->len)
            buf_add_char(buf, '-');
        utf8_add_lower(buf, text.text + found.start, found.end - found.start);
    }
    return eval->failure ? value_null() : eval_text_take(eval);
}

/* Pieces */

struct value
filter_replace(struct eval *eval, const struct filter_use *use, const struct value *input,
               const struct value *args)
{
    struct value text, from, to;
    const char *at, *end, *hit;
    struct buf *buf;

    (void)use;
    if (!as_text(eval, input, &text) || !as_text(eval, &args[0], &from) ||
        !as_text(eval, &args[1], &to))
        return value_null();
    at = text.text;
    end = at + text.len;
    hit = from.len ? memmem(at, text.len, from.text, from.len) : NULL;
    if (!hit)
        return text;
    buf = eval_text_start(eval, text.len);
    while (hit) {
        buf_add(buf, at, (size_t)(hit - at));
        buf_add(buf, to.text, to.len);
        at = hit + from.len;
        hit = memmem(at, (size_t)(end - at), from.text, from.len);
    }
    buf_add(buf, at, (size_t)(end - at));
    return eval_text_take(eval);
}

static size_t
count_pieces(const struct value *text, const struct value *separator)
{
    const char *at = text->text, *end = at + text->len, *hit;
    size_t count = 1;

    if (!separator->len)
        return 1;
    while ((hit = memmem(at, (size_t)(end - at), separator->text, separator->len))) {
        at = hit + separator->len;
        count++;
    }
    return count;
}

struct value
filter_split(struct eval *eval, const struct filter_use *use, const struct value *input,
             const struct value *args)
{
    struct value text, separator, *pieces;
    const char *at, *end;
    size_t count;

    (void)use;
    if (!as_text(eval, input, &text) || !as_text(eval, &args[0], &separator))
        return value_null();
    count = text.len ? count_pieces(&text, &separator) : 0;
    pieces = eval_values(eval, count);
    if (!pieces)
        return value_null();
    at = text.text;
    end = at + text.len;
    for (size_t i = 0; i < count; i++) {
        size_t left = (size_t)(end - at);
        const char *hit = i + 1 < count ? memmem(at, left, separator.text, separator.len) : end;

        pieces[i] = value_text(at, (size_t)(hit - at));
        at = hit + separator.len;
    }
    return value_array(pieces, count);
}

static struct value
join_two(struct eval *eval, const struct value *input, const struct value *arg, bool before)
{
    struct value text, other;
    struct buf *buf;

    if (!as_text(eval, input, &text) || !as_text(eval, arg, &other))
        return value_null();
    if (!text.len)
        return text;
    buf = eval_text_start(eval, text.len > other.len ? text.len : other.len);
    if (before)
        buf_add(buf, other.text, other.len);
    buf_add(buf, text.text, text.len);
    if (!before)
        buf_add(buf, other.text, other.len);
    return eval_text_take(eval);
}

struct value
filter_prefix(struct eval *eval, const struct filter_use *use, const struct value *input,
              const struct value *args)
{
    (void)use;
    return join_two(eval, input, &args[0], true);
}

struct value
filter_suffix(struct eval *eval, const struct filter_use *use, const struct value *input,
              const struct value *args)
{
    (void)use;
    return join_two(eval, input, &args[0], false);
}

static int64_t
count_characters(const struct value *text)
{
    int64_t count = 0;

    for (size_t i = 0; i < text->len; i++)
        count += ((unsigned char)text->text[i] & 0xc0) != 0x80;
    return count;
}

/* Where the character NUMBER of the text begins, counted from START on; at most its end. */
static const char *
skip_characters(const char *at, const char *end, int64_t number)
{
    while (at < end && number-- > 0)
        utf8_next(&at, end);
    return at;
}

struct value
filter_substr(struct eval *eval, const struct filter_use *use, const struct value *input,
              const struct value *args)
{
    struct value text;
    int64_t first, count;
    const char *start, *end;

    (void)use;
    if (!as_text(eval, input, &text) || !value_whole(&args[0], &first) ||
        !value_whole(&args[1], &count))
        return value_null();
    if (first < 0)
        first += count_characters(&text);
    if (first < 0)
        return value_text("", 0);
    end = text.text + text.len;
    start = skip_characters(text.text, end, first);
    end = skip_characters(start, end, count);
    return value_text(start, (size_t)(end - start));
}

struct value
filter_match(struct eval *eval, const struct filter_use *use, const struct value *input,
             const struct value *args)
{
    struct value text;
    struct regex_found found;

    (void)args;
    if (!as_text(eval, input, &text))
        return value_null();
    switch (regex_search(use->regex, text.text, text.len, 0, &eval->regex_left, &found)) {
    case REGEX_MATCH:
        if (found.has_group)
            return value_text(text.text + found.group_start, found.group_end - found.group_start);
        break;
    case REGEX_LIMITED:
        eval->regex_limited++;
        break;
    case REGEX_NO_MATCH:
        break;
    }
    return value_null();
}

/* Numbers */

struct value
filter_number(struct eval *eval, const struct filter_use *use, const struct value *input,
              const struct value *args)
{
    struct value text;
    bool whole;
    int64_t integer;
    double real;

    (void)use;
    (void)args;
    if (value_is_number(input))
        return *input;
    if (!as_text(eval, input, &text))
        return value_null();
    text = trim(text);
    if (!decimal_read(text.text, text.len, &whole, &integer, &real))
        return value_null();
    return whole ? value_int(integer) : value_real(real);
}

static struct decimal
decimal_of(const struct value *number)
{
    return number->kind == VALUE_INT ? decimal_of_int(number->integer)
                                     : decimal_of_real(number->real);
}

/* INTEGER rounded to tens, hundreds, …, 10^ZEROS of them. False when it does not fit any more. */
static bool
round_integer(int64_t integer, int64_t zeros, int64_t *rounded)
{
    uint64_t size = integer < 0 ? 0 - (uint64_t)integer : (uint64_t)integer, unit = 1, rest;

    *rounded = 0;
    if (zeros > 19) /* half of 10^20 is more than any */
        return true;
    while (zeros-- > 0)
        unit *= 10;
    rest = size % unit;
    size += rest >= unit - rest ? unit - rest : 0 - rest;
    if (size > INT64_MAX)
        return false;
    *rounded = integer < 0 ? -(int64_t)size : (int64_t)size;
    return true;
}

struct value
filter_round(struct eval *eval, const struct filter_use *use, const struct value *input,
             const struct value *args)
{
    struct decimal decimal;
    int64_t places = 0, rounded;

    (void)eval;
    if (!value_is_number(input) || (use->arg_count && !value_whole(&args[0], &places)))
        return value_null();
    if (places < -1000 || places > 1000)
        places = places < 0 ? -1000 : 1000;
    if (input->kind == VALUE_INT && places >= 0)
        return *input;
    if (input->kind == VALUE_INT && round_integer(input->integer, -places, &rounded))
        return value_int(rounded);
    decimal = decimal_of(input);
    decimal_round(&decimal, (int)places);
    return value_real(decimal_real(&decimal));
}

struct value
filter_fixed(struct eval *eval, const struct filter_use *use, const struct value *input,
             const struct value *args)
{
    struct decimal decimal;
    int64_t places;
    char text[DECIMAL_FIXED_MAX];

    (void)use;
    if (!value_is_number(input) || !value_whole(&args[0], &places) || places < 0 ||
        places > DECIMAL_PLACES_MAX)
        return value_null();
    decimal = decimal_of(input);
    return eval_text_copy(eval, text, decimal_write_fixed(&decimal, (int)places, text));
}

/* Dates and tables */

struct value
filter_date(struct eval *eval, const struct filter_use *use, const struct value *input,
            const struct value *args)
{
    struct date date;

    (void)args;
    if (!date_read(input, &date))
        return value_null();
    if (!date_write(&date, use->format, use->offset_s, eval_text_start(eval, 0)))
        return value_null();
    return eval_text_take(eval);
}

struct value
filter_epoch(struct eval *eval, const struct filter_use *use, const struct value *input,
             const struct value *args)
{
    struct date date;

    (void)eval;
    (void)use;
    (void)args;
    return date_read(input, &date) ? value_int(date.epoch_s) : value_null();
}

struct value
filter_table(struct eval *eval, const struct filter_use *use, const struct value *input,
             const struct value *args)
{
    const struct table_entry *entry;
    struct value key;

    if (!as_text(eval, input, &key))
        return value_null();
    entry = table_find(use->table, key.text, key.len);
    if (!entry)
        return args[1];
    if (eval->watch)
        eval->watch->entry(eval->watch, entry);
    return value_text(entry->text, entry->text_len);
}
