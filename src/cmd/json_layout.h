/*
 * JSON laid out for people: what fits stays in a line, the rest has a line for each member. Numbers
 * and strings stay as they are written. Owns nothing.
 */
#ifndef CMD_JSON_LAYOUT_H
#define CMD_JSON_LAYOUT_H

#include "base/buf.h"

/* Adds the JSON text, which somebody has parsed. INDENT: blanks before the line it begins in, AT:
 * the column where it begins. */
void json_layout_add(struct buf *buf, const char *text, size_t len, size_t indent, size_t at);

#endif
