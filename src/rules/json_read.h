/*
 * The quick reader of ordinary JSON, which is what nearly all payloads are: it makes the same tree
 * as jansson's json_loadb, whose lexer takes each byte through three functions, at a quarter of the
 * cost. It judges nothing: whatever is wrong, or so rare that it is not worth a line here, is left
 * to jansson, whose word on it is final. Owns nothing.
 */
#ifndef RULES_JSON_READ_H
#define RULES_JSON_READ_H

#include <jansson.h>
#include <stddef.h>

#include "base/macros.h"

/* The tree, yours to json_decref; NULL: ask jansson. */
json_t *json_read(const char *text, size_t len) MUSTCHECK;

#endif
