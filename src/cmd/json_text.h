/*
 * Where the parts of a JSON text stand, so that they can be used, or replaced, byte by byte. The
 * text is right JSON: somebody has parsed it. Owns nothing.
 */
#ifndef CMD_JSON_TEXT_H
#define CMD_JSON_TEXT_H

#include <stdbool.h>
#include <stddef.h>

struct json_range {
    size_t at, end;
};

/* The value at AT or behind the blanks there. */
struct json_range json_text_value(const char *text, size_t len, size_t at);

/* The element I of the array ARRAY, or the name and the value of the member I of the object OBJECT;
 * false when there are not so many. */
bool json_text_element(const char *text, struct json_range array, size_t i, struct json_range *ret);
bool json_text_member(const char *text, struct json_range object, size_t i,
                      struct json_range *ret_name, struct json_range *ret_value);

/* The last member that is written NAME, which needs no escapes. */
bool json_text_find(const char *text, struct json_range object, const char *name,
                    struct json_range *ret_name, struct json_range *ret_value);

#endif
