#include "rules/json_read.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/buf.h"
#include "base/utf8.h"
#include "rules/decimal.h"

enum {
    DEPTH_MAX = 64, /* deeper than events are */
    DIGITS_MAX = 18 /* so many always fit 64 bits */
};

struct reader {
    const char *at, *end;
    int depth;
    struct buf text; /* a string without its escapes */
};

/* A string: in the input itself, or in the reader's TEXT until the next one. */
struct span {
    const char *text;
    size_t len;
    bool escaped, ascii;
};

static json_t *read_value(struct reader *reader);

static bool
is_digit(const struct reader *reader)
{
    return reader->at < reader->end && *reader->at >= '0' && *reader->at <= '9';
}

static void
skip_space(struct reader *reader)
{
    while (reader->at < reader->end && (*reader->at == ' ' || *reader->at == '\n' ||
                                        *reader->at == '\t' || *reader->at == '\r'))
        reader->at++;
}

/* Passes over C when it is next. */
static bool
take(struct reader *reader, char c)
{
    if (reader->at == reader->end || *reader->at != c)
        return false;
    reader->at++;
    return true;
}

/* Four hexadecimal digits; 0, which no string may hold, when they are something else. */
static uint32_t
read_hex(struct reader *reader)
{
    uint32_t value = 0;

    if (reader->end - reader->at < 4)
        return 0;
    for (int i = 0; i < 4; i++) {
        char c = *reader->at++;

        if (c >= '0' && c <= '9')
            value = value << 4 | (uint32_t)(c - '0');
        else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
            value = value << 4 | (uint32_t)((c | 0x20) - 'a' + 10);
        else
            return 0;
    }
    return value;
}

/* What stands behind "\u", two of them for a character above U+FFFF. */
static bool
read_unicode(struct reader *reader)
{
    uint32_t c = read_hex(reader), low;

    if (c >= 0xd800 && c <= 0xdbff) {
        low = take(reader, '\\') && take(reader, 'u') ? read_hex(reader) : 0;
        c = low >= 0xdc00 && low <= 0xdfff ? 0x10000 + ((c & 0x3ff) << 10) + (low & 0x3ff) : 0;
    }
    if (!c || (c >= 0xdc00 && c <= 0xdfff))
        return false;
    utf8_add(&reader->text, c);
    return true;
}

static bool
read_escape(struct reader *reader)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    const char *found;
    char c;

    if (reader->at == reader->end)
        return false;
    c = *reader->at++;
    if (c == 'u')
        return read_unicode(reader);
    found = c ? strchr(from, c) : NULL;
    if (found)
        buf_add_char(&reader->text, to[found - from]);
    return found;
}

/* Up to the quote or backslash ahead; whether there is one. */
static bool
skip_plain(struct reader *reader, unsigned *ret_bits)
{
    const char *at = reader->at, *end = reader->end;
    unsigned bits = 0;

    while (at < end && *at != '"' && *at != '\\' && (unsigned char)*at >= ' ')
        bits |= (unsigned char)*at++;
    reader->at = at;
    *ret_bits |= bits;
    return at < end && (unsigned char)*at >= ' ';
}

static bool
read_string(struct reader *reader, struct span *ret)
{
    const char *start = reader->at;
    unsigned bits = 0;
    bool copied = false;

    while (skip_plain(reader, &bits)) {
        size_t len = (size_t)(reader->at - start);
        bool ends = *reader->at++ == '"';

        if (ends && !copied) {
            *ret = (struct span){.text = start, .len = len, .ascii = bits < 0x80};
            return true;
        }
        if (!copied)
            buf_reset(&reader->text);
        copied = true;
        buf_add(&reader->text, start, len);
        if (ends) {
            *ret = (struct span){
                .text = buf_text(&reader->text), .len = reader->text.len, .escaped = true};
            return true;
        }
        if (!read_escape(reader))
            return false;
        start = reader->at;
    }
    return false;
}

static json_t *
read_text(struct reader *reader)
{
    struct span span;

    if (!read_string(reader, &span))
        return NULL;
    return span.ascii ? json_stringn_nocheck(span.text, span.len)
                      : json_stringn(span.text, span.len);
}

static bool
is_in_real(const struct reader *reader)
{
    return reader->at < reader->end && *reader->at && strchr(".eE+-", *reader->at);
}

static json_t *
read_real(const char *start, const char *end)
{
    int64_t integer;
    double real;
    bool whole;

    if (!decimal_read(start, (size_t)(end - start), &whole, &integer, &real) || whole)
        return NULL;
    return json_real(real);
}

static json_t *
read_number(struct reader *reader)
{
    const char *start = reader->at, *digits;
    bool negative = take(reader, '-');
    json_int_t value = 0;

    digits = reader->at;
    for (; is_digit(reader) && reader->at - digits < DIGITS_MAX; reader->at++)
        value = value * 10 + (*reader->at - '0');
    if (reader->at == digits || is_digit(reader) || (*digits == '0' && reader->at - digits > 1))
        return NULL;
    if (!is_in_real(reader))
        return json_integer(negative ? -value : value);
    while (is_digit(reader) || is_in_real(reader))
        reader->at++;
    return read_real(start, reader->at);
}

/* A member's name and its value, behind the opening brace or a comma. */
static bool
read_member(struct reader *reader, json_t *object)
{
    struct span key;
    json_t *value;

    skip_space(reader);
    if (!take(reader, '"') || !read_string(reader, &key))
        return false;
    skip_space(reader);
    /* A name with escapes would not outlive the next string: rare enough to be left to jansson. */
    if (key.escaped || !take(reader, ':'))
        return false;
    value = read_value(reader);
    if (!value)
        return false;
    return !(key.ascii ? json_object_setn_new_nocheck(object, key.text, key.len, value)
                       : json_object_setn_new(object, key.text, key.len, value));
}

/* OPEN is an empty object or array behind its bracket; with its members, or NULL. */
static json_t *
read_members(struct reader *reader, json_t *open, char close)
{
    bool more;

    skip_space(reader);
    if (!open || take(reader, close))
        return open;
    do {
        more = close == '}' ? read_member(reader, open)
                            : !json_array_append_new(open, read_value(reader));
        if (!more)
            break;
        skip_space(reader);
    } while (take(reader, ','));
    if (more && take(reader, close))
        return open;
    json_decref(open);
    return NULL;
}

static json_t *
read_word(struct reader *reader, const char *word, json_t *value)
{
    size_t len = strlen(word);

    if ((size_t)(reader->end - reader->at) < len || memcmp(reader->at, word, len) != 0)
        return NULL;
    reader->at += len;
    return value;
}

static json_t *
read_value(struct reader *reader)
{
    json_t *value = NULL;

    skip_space(reader);
    if (reader->at == reader->end || reader->depth == DEPTH_MAX)
        return NULL;
    reader->depth++;
    if (take(reader, '"'))
        value = read_text(reader);
    else if (take(reader, '{'))
        value = read_members(reader, json_object(), '}');
    else if (take(reader, '['))
        value = read_members(reader, json_array(), ']');
    else if (*reader->at == 't')
        value = read_word(reader, "true", json_true());
    else if (*reader->at == 'f')
        value = read_word(reader, "false", json_false());
    else if (*reader->at == 'n')
        value = read_word(reader, "null", json_null());
    else
        value = read_number(reader);
    reader->depth--;
    return value;
}

json_t *
json_read(const char *text, size_t len)
{
    struct reader reader = {.at = text, .end = text + len};
    json_t *value;

    buf_init(&reader.text, len); /* without its escapes a string is shorter */
    value = read_value(&reader);
    skip_space(&reader);
    if (value && reader.at != reader.end) {
        json_decref(value);
        value = NULL;
    }
    buf_fini(&reader.text);
    return value;
}
