/*
 * Masking of e-mail addresses for everything people or programs can read outside the call itself.
 */
#ifndef BASE_MASK_H
#define BASE_MASK_H

#include <stdbool.h>
#include <stddef.h>

struct buf;

/* Adds EMAIL masked: first character, "***", and the domain; without an @ only "***". */
void mask_add_email(struct buf *buf, const char *email);

/* Replaces every occurrence of SECRET in BUF by "***"; a NULL or empty secret is nowhere. */
void mask_secret(struct buf *buf, const char *secret);

/* Adds free text (a reply's excerpt, a library's message) with every address in it masked. */
void mask_add_text(struct buf *buf, const char *text, size_t len);

/* What may stand in an address, percent-encoded ones in URLs included. Broad on purpose. */
bool mask_is_address_char(char c);

/* Whether TEXT holds what looks like an address: for names that stand in logs and metrics as they
 * are, and so may hold none. */
bool mask_finds_email(const char *text);

#endif
