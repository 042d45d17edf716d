/*
 * Writes JSON into a buf, commas and all. Owns nothing. Texts are UTF-8; whoever calls keeps
 * objects and arrays balanced. KEY is NULL for an element of an array.
 */
#ifndef BASE_JSON_OUT_H
#define BASE_JSON_OUT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

struct json_out {
    struct buf *buf;
    bool comma; /* before what comes next */
};

void json_out_object(struct json_out *out, const char *key);
void json_out_object_end(struct json_out *out);
void json_out_array(struct json_out *out, const char *key);
void json_out_array_end(struct json_out *out);

void json_out_text(struct json_out *out, const char *key, const char *text); /* NULL: null */
void json_out_int(struct json_out *out, const char *key, int64_t number);
void json_out_real(struct json_out *out, const char *key, double number); /* three decimals */
void json_out_bool(struct json_out *out, const char *key, bool boolean);
void json_out_null(struct json_out *out, const char *key);

/* An e-mail address, masked. */
void json_out_contact(struct json_out *out, const char *key, const char *email);

#endif
