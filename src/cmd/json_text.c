#include "cmd/json_text.h"

#include <string.h>

static bool
is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static size_t
skip_blanks(const char *text, size_t end, size_t at)
{
    while (at < end && is_blank(text[at]))
        at++;
    return at;
}

static size_t
skip_string(const char *text, size_t end, size_t at)
{
    for (at++; at < end && text[at] != '"'; at++)
        at += text[at] == '\\';
    return at < end ? at + 1 : end;
}

static bool
ends_scalar(char c)
{
    return is_blank(c) || c == ',' || c == ']' || c == '}';
}

static size_t
skip_value(const char *text, size_t end, size_t at)
{
    size_t depth = 0;

    do {
        if (at >= end)
            return end;
        if (text[at] == '"') {
            at = skip_string(text, end, at);
            continue;
        }
        if (text[at] == '{' || text[at] == '[')
            depth++;
        else if (text[at] == '}' || text[at] == ']')
            depth--;
        else if (!depth)
            while (at + 1 < end && !ends_scalar(text[at + 1]))
                at++;
        at++;
    } while (depth);
    return at;
}

struct json_range
json_text_value(const char *text, size_t len, size_t at)
{
    struct json_range range;

    range.at = skip_blanks(text, len, at);
    range.end = skip_value(text, len, range.at);
    return range;
}

/* The item at *AT, before which a comma may stand; moves *AT behind it. */
static bool
next_item(const char *text, size_t end, size_t *at, struct json_range *ret)
{
    *at = skip_blanks(text, end, *at);
    if (*at < end && text[*at] == ',')
        *at = skip_blanks(text, end, *at + 1);
    if (*at >= end)
        return false;
    *ret = json_text_value(text, end, *at);
    *at = ret->end;
    return true;
}

bool
json_text_element(const char *text, struct json_range array, size_t i, struct json_range *ret)
{
    size_t at = array.at + 1, end = array.end - 1;

    while (next_item(text, end, &at, ret)) {
        if (i-- == 0)
            return true;
    }
    return false;
}

bool
json_text_member(const char *text, struct json_range object, size_t i, struct json_range *ret_name,
                 struct json_range *ret_value)
{
    size_t at = object.at + 1, end = object.end - 1;

    while (next_item(text, end, &at, ret_name)) {
        at = skip_blanks(text, end, at);
        *ret_value = json_text_value(text, end, at + 1); /* behind the colon */
        at = ret_value->end;
        if (i-- == 0)
            return true;
    }
    return false;
}

bool
json_text_find(const char *text, struct json_range object, const char *name,
               struct json_range *ret_name, struct json_range *ret_value)
{
    struct json_range member, value;
    size_t name_len = strlen(name);
    bool found = false;

    for (size_t i = 0; json_text_member(text, object, i, &member, &value); i++) {
        if (member.end - member.at != name_len + 2 ||
            memcmp(text + member.at + 1, name, name_len) != 0)
            continue;
        *ret_name = member;
        *ret_value = value;
        found = true;
    }
    return found;
}
