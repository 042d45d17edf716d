/*
 * Small questions about texts that came from outside: addresses, and bytes that need not be UTF-8.
 * Owns nothing.
 */
#ifndef SANDBOX_TEXT_H
#define SANDBOX_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/macros.h"

/* Exactly one @, something on both sides, no white space, valid UTF-8. */
bool text_is_email(const char *email);

/* What decides who is the same contact: EMAIL lowered; bytes that are not UTF-8 stay. Yours. */
char *text_contact_key(const char *email) MUSTCHECK;

/* Adds TEXT as a JSON string; every byte that is not part of valid UTF-8 becomes U+FFFD. */
void text_add_json(struct buf *buf, const char *text, size_t len);

/* Reads a whole number, digits only, from MIN to MAX. False: it is something else. */
bool text_number(const char *text, long long min, long long max, long long *ret_number);

#endif
