/*
 * JSON, in compact form and member by member, so that numbers stay as they were written, and texts
 * that may be JSON themselves.
 */
#include <jansson.h>
#include <string.h>

#include "cmd/disguise_state.h"
#include "cmd/json_text.h"
#include "rules/decode.h"

enum { INSIDE_MAX = 4 /* levels of JSON in a string of JSON */ };

struct walk {
    struct disguise *disguise;
    const char *text;
    size_t len, at;
    int inside; /* how many strings of JSON it stands in */
    struct buf *out;
};

static void add_value(struct walk *walk, bool all);

/* The byte that comes next but for blanks. */
static char
peek(struct walk *walk)
{
    while (walk->at < walk->len && strchr(" \t\r\n", walk->text[walk->at]))
        walk->at++;
    return walk->at < walk->len ? walk->text[walk->at] : '\0';
}

/* The string that comes next, yours to json_decref. */
static json_t *
take_string(struct walk *walk)
{
    struct json_range range = json_text_value(walk->text, walk->len, walk->at);

    walk->at = range.end;
    return json_loadb(walk->text + range.at, range.end - range.at, JSON_DECODE_ANY, NULL);
}

/* Whether TEXT is an object or array itself, which then is added replaced. */
static bool
add_inner(struct disguise *disguise, const char *text, size_t len, int inside, bool all,
          struct buf *out)
{
    struct walk walk = {disguise, text, len, 0, inside, out};
    char reason[256], first = peek(&walk);
    json_t *json;

    if (inside > INSIDE_MAX || (first != '{' && first != '['))
        return false;
    json = decode_json(text, len, reason, sizeof(reason));
    if (!json)
        return false;
    json_decref(json);
    add_value(&walk, all);
    return true;
}

/* TEXT stands in INSIDE strings of JSON. */
static void
add_text(struct disguise *disguise, const char *text, size_t len, int inside, bool all,
         struct buf *out)
{
    if (!add_inner(disguise, text, len, inside, all, out))
        disguise_add_plain(disguise, text, len, all, out);
}

static void
add_string(struct walk *walk, bool all)
{
    json_t *json = take_string(walk);
    const char *text = json_string_value(json);
    size_t len = json_string_length(json);
    struct buf replaced;

    buf_init(&replaced, DISGUISE_TEXT_MAX);
    add_text(walk->disguise, text, len, walk->inside + 1, all, &replaced);
    buf_add_json(walk->out, buf_text(&replaced), replaced.len);
    buf_fini(&replaced);
    json_decref(json);
}

/* A number, true, false or null. The exponent of a number stays: it is its size. */
static void
add_scalar(struct walk *walk, bool all)
{
    struct json_range range = json_text_value(walk->text, walk->len, walk->at);
    const char *text = walk->text + range.at;
    size_t len = range.end - range.at, digits = 0;

    walk->at = range.end;
    if (all && strchr("-0123456789", *text)) {
        while (digits < len && text[digits] != 'e' && text[digits] != 'E')
            digits++;
        disguise_add_words(walk->disguise, text, digits, false, walk->out);
    }
    buf_add(walk->out, text + digits, len - digits);
}

static void
add_array(struct walk *walk, bool all)
{
    walk->at++;
    buf_add_char(walk->out, '[');
    while (peek(walk) != ']') {
        add_value(walk, all);
        if (peek(walk) == ',')
            buf_add_char(walk->out, walk->text[walk->at++]);
    }
    walk->at++;
    buf_add_char(walk->out, ']');
}

static void
add_member(struct walk *walk, bool all)
{
    json_t *json = take_string(walk);
    const char *name = json_string_value(json);
    struct disguise_field *field = disguise_fields_find(&walk->disguise->fields, name);
    struct buf replaced;

    buf_init(&replaced, DISGUISE_TEXT_MAX);
    disguise_add_plain(walk->disguise, name, strlen(name), false, &replaced);
    buf_add_json(walk->out, buf_text(&replaced), replaced.len);
    buf_fini(&replaced);
    (void)peek(walk);
    buf_add_char(walk->out, walk->text[walk->at++]); /* the colon */
    if (field && peek(walk) != 'n')
        disguise_fields_count(field, name);
    json_decref(json);
    add_value(walk, all || field);
}

static void
add_object(struct walk *walk, bool all)
{
    walk->at++;
    buf_add_char(walk->out, '{');
    while (peek(walk) != '}') {
        add_member(walk, all);
        if (peek(walk) == ',')
            buf_add_char(walk->out, walk->text[walk->at++]);
    }
    walk->at++;
    buf_add_char(walk->out, '}');
}

/* Nesting is bounded by decode_json, which has read it before. */
static void
add_value(struct walk *walk, bool all)
{
    switch (peek(walk)) {
    case '{':
        add_object(walk, all);
        break;
    case '[':
        add_array(walk, all);
        break;
    case '"':
        add_string(walk, all);
        break;
    default:
        add_scalar(walk, all);
        break;
    }
}

void
disguise_text(struct disguise *disguise, const char *name, const char *text, size_t len,
              struct buf *out)
{
    struct disguise_field *field = disguise_fields_find(&disguise->fields, name);

    if (field)
        disguise_fields_count(field, name);
    add_text(disguise, text, len, 1, field != NULL, out);
}

void
disguise_json(struct disguise *disguise, const char *text, size_t len, struct buf *out)
{
    struct walk walk = {disguise, text, len, 0, 0, out};

    add_value(&walk, false);
}
