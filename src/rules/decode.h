/*
 * Payloads as JSON: strict RFC 8259 and UTF-8 by jansson, "\u0000" refused, nesting up to 2,048,
 * the last of equal keys counts. Integers past 64 bits are read as doubles. Owns nothing.
 */
#ifndef RULES_DECODE_H
#define RULES_DECODE_H

#include <jansson.h>
#include <stddef.h>

#include "base/macros.h"

/* The tree, yours to json_decref. NULL: it is not JSON; REASON says why and quotes nothing of it.
 */
json_t *decode_json(const char *payload, size_t len, char *reason, size_t reason_size) MUSTCHECK;

#endif
