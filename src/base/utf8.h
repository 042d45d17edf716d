/*
 * UTF-8 text by code point, with Unicode's simple one-to-one case mapping, independent of any
 * locale (glibc's C.UTF-8 tables). Text that is handed in is valid UTF-8 unless a function says
 * otherwise.
 */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;

/* Strict: no overlong forms, surrogates, or values above U+10FFFF. NUL bytes are valid. */
bool utf8_is_valid(const char *text, size_t len);

/* How many of the LEN bytes fit into MAX. A character that would be cut is left out whole. */
size_t utf8_cut(const char *text, size_t len, size_t max);

/* Copies what fits of TEXT, which ends with NUL and may be any bytes, into the SIZE bytes at TO,
 * with a NUL behind it. A character that would be cut is left out whole. */
void utf8_copy(char *to, size_t size, const char *text);

/* Reads the code point at *AT and moves *AT behind it. *AT must be below END. */
uint32_t utf8_next(const char **at, const char *end);

void utf8_add(struct buf *buf, uint32_t c);

uint32_t utf8_lower(uint32_t c);
uint32_t utf8_upper(uint32_t c);
/* Whether TEXT, which ends with NUL and may be any bytes, holds a control character of ASCII. */
bool utf8_has_control(const char *text);

bool utf8_is_space(uint32_t c); /* Unicode's White_Space property */

/* Adds TEXT with every character lowered. */
void utf8_add_lower(struct buf *buf, const char *text, size_t len);

#endif
