/*
 * Replaces what tells who somebody is, in texts and in JSON: always the same by the same, under a
 * key, and in the same form, so that what rules join and compare can still be joined and compared.
 *
 * Replaced are e-mail addresses and what looks like a phone number, wherever they stand, and all
 * that stands in a member whose name says so. The pieces are words: runs of letters, digits and
 * characters beyond ASCII. A letter becomes a letter of the same case, a digit a digit, and what
 * stands between words stays; words that differ only in case become words that do. A domain becomes
 * another one under .example. Texts that rules compare with stay (disguise_keep).
 *
 * Who has the key, or can guess it, can find out what was replaced by trying. Owns its lists.
 */
#ifndef CMD_DISGUISE_H
#define CMD_DISGUISE_H

#include <stdbool.h>

#include "base/buf.h"

struct disguise;

/* The members whose name says so are known; see disguise_fields_known. */
struct disguise *disguise_new(const void *key, size_t len) MUSTCHECK;
void disguise_free(struct disguise *disguise); /* NULL is accepted */

/* TEXT, which rules hold, stays where it is a whole value, and its words stay everywhere but in
 * addresses that nothing else would be replaced in. */
void disguise_keep(struct disguise *disguise, const char *text, size_t len);

/* All that stands in members called NAME is replaced, or nothing but addresses and phone numbers.
 * Case, "_", "-" and blanks in a name do not count: first_name is firstName. */
void disguise_replace_field(struct disguise *disguise, const char *name);
void disguise_leave_field(struct disguise *disguise, const char *name);

/* Adds TEXT, which is UTF-8, replaced; an object or array of JSON as disguise_json does it. FIELD:
 * the name it stands under, or NULL. */
void disguise_text(struct disguise *disguise, const char *field, const char *text, size_t len,
                   struct buf *out);

/* The same for a JSON text that somebody has parsed, in compact form. JSON in a string of it is
 * seen, too. */
void disguise_json(struct disguise *disguise, const char *text, size_t len, struct buf *out);

/* What was replaced since disguise_new. */
struct disguise_counts {
    size_t emails, phones;
};
struct disguise_counts disguise_counts(const struct disguise *disguise);

/* Adds the fields in which something was replaced, as they were last written:
 * "first_name (12), name (3)"; nothing when there are none. */
void disguise_add_fields(const struct disguise *disguise, struct buf *out);

#endif
