/*
 * The header traceparent of W3C Trace Context, level 1: which trace an event belongs to. It is
 * handed on as it came: the worker adds no span of its own. Pure.
 */
#ifndef SENDX_TRACEPARENT_H
#define SENDX_TRACEPARENT_H

#include <stdbool.h>
#include <stddef.h>

enum { TRACEPARENT_LEN = 55, TRACEPARENT_ID_LEN = 32 };

struct traceparent {
    char text[TRACEPARENT_LEN + 1]; /* "": there is none */
    char id[TRACEPARENT_ID_LEN + 1];
};

/* False, and an empty RET, when the bytes are no traceparent: version, trace id, parent id and
 * flags in small hexadecimal digits, of which neither id is zero and the version is not ff. */
bool traceparent_read(struct traceparent *ret, const void *bytes, size_t len);

#endif
