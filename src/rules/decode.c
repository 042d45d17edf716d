#include "rules/decode.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "rules/decimal.h"

/* jansson's words quote the payload, so that we have our own. */
static const char *
describe(enum json_error_code code)
{
    switch (code) {
    case json_error_invalid_utf8:
        return "invalid UTF-8";
    case json_error_null_character:
    case json_error_null_byte_in_key:
        return "a NUL character";
    case json_error_premature_end_of_input:
        return "it ends too early";
    case json_error_end_of_input_expected:
        return "more text behind the value";
    case json_error_numeric_overflow:
        return "a number no double holds";
    case json_error_stack_overflow:
        return "nested too deeply, over 2048 levels";
    default:
        return "wrong syntax";
    }
}

static bool
in_number(char c)
{
    return (c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E';
}

static size_t
skip_string(const char *text, size_t len, size_t at)
{
    for (at++; at < len && text[at] != '"'; at++)
        at += text[at] == '\\';
    return at < len ? at + 1 : len;
}

/* Whether the token is a whole number that 64 bits do not hold. */
static bool
is_big_integer(const char *token, size_t len)
{
    bool whole;
    int64_t integer;
    double real;

    for (size_t i = 0; i < len; i++) {
        if (token[i] == '.' || token[i] == 'e' || token[i] == 'E')
            return false;
    }
    return decimal_read(token, len, &whole, &integer, &real) && !whole;
}

/* Copies the payload with ".0" behind every integer past 64 bits, which makes it a double and
 * leaves right JSON right and wrong JSON wrong. JSON_DECODE_INT_AS_REAL would round all other
 * integers, too. */
static void
mark_big_integers(const char *text, size_t len, struct buf *copy)
{
    size_t copied = 0, at = 0;

    while (at < len) {
        size_t start = at;

        if (text[at] == '"') {
            at = skip_string(text, len, at);
            continue;
        }
        while (at < len && in_number(text[at]))
            at++;
        if (at > start && is_big_integer(text + start, at - start)) {
            buf_add(copy, text + copied, at - copied);
            buf_add_text(copy, ".0");
            copied = at;
        }
        if (at == start)
            at++;
    }
    buf_add(copy, text + copied, len - copied);
}

static json_t *
load_with_big_integers(const char *payload, size_t len, json_error_t *error)
{
    struct buf copy;
    json_t *json;

    /* Big integers have 19 digits or more: the copy is at most a tenth longer. */
    buf_init(&copy, 2 * len);
    mark_big_integers(payload, len, &copy);
    json = json_loadb(buf_text(&copy), copy.len, JSON_DECODE_ANY, error);
    buf_fini(&copy);
    return json;
}

json_t *
decode_json(const char *payload, size_t len, char *reason, size_t reason_size)
{
    json_error_t error;
    json_t *json;

    if (!len) {
        snprintf(reason, reason_size, "not JSON: it has no bytes");
        return NULL;
    }
    json = json_loadb(payload, len, JSON_DECODE_ANY, &error);
    if (!json && json_error_code(&error) == json_error_numeric_overflow)
        json = load_with_big_integers(payload, len, &error);
    if (!json)
        snprintf(reason, reason_size, "not JSON: %s, near byte %d",
                 describe(json_error_code(&error)), error.position);
    return json;
}
