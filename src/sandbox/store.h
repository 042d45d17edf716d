/*
 * The contacts of the stand-in API, kept in memory: create or update, never delete a property.
 * Pure: no I/O, no clock. Owns the contacts.
 *
 * Where the documentation of the API is silent, the store decides as follows:
 * - Addresses that differ only in case are one contact; it keeps the spelling it was created with.
 * - A rename (newEmail) of an unknown address is an ordinary identify of the new one, so that a
 * rename may be repeated. A rename to another contact's address merges the two: the renamed contact
 * stays, its values win, what only the other one had is added, and the other one is gone. Nothing
 * is lost.
 * - "++N" and "--N" count on a field that holds a number, and from 0 on a field that is not there
 * yet; on a field with any other text they are a text themselves.
 * - A tag in both lists of a track is removed and then added.
 */
#ifndef SANDBOX_STORE_H
#define SANDBOX_STORE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/list.h"
#include "base/macros.h"
#include "base/map.h"

enum { STORE_MAX_CONTACTS = 2000000 };

enum contact_property { CONTACT_FIRST_NAME, CONTACT_LAST_NAME, CONTACT_COMPANY, CONTACT_BIRTHDAY };
enum { CONTACT_PROPERTIES = CONTACT_BIRTHDAY + 1 };

struct contact_field {
    char *name, *value;
};

/* Read it, never write it: it belongs to the store. */
struct store_contact {
    struct map_node node; /* by key */
    struct list link;     /* in the order of creation */
    char *key;            /* the address, lowered */
    char *email;
    char *properties[CONTACT_PROPERTIES]; /* NULL: never given */
    struct contact_field *fields;         /* customFields, in the order first given */
    size_t field_count, field_cap;
    char **tags; /* in the order first added */
    size_t tag_count, tag_cap;
    unsigned long serial; /* the first contact has 1 */
};

enum tag_change { TAG_ADDED, TAG_REMOVED };

/* Told of every tag that really came or went by a call: what an automation would start on. */
typedef void store_tag_cb(void *owner, const struct store_contact *contact, enum tag_change change,
                          const char *tag);

struct store;

struct store *store_new(store_tag_cb *on_tag, void *owner) MUSTCHECK; /* ON_TAG may be NULL */
void store_free(struct store *store);                                 /* NULL is accepted */
void store_reset(struct store *store);                                /* forgets all contacts */

/* What is wrong with a parsed body, if anything. MAX_CHARS: how long a name may be, 0 for no limit.
 */
int store_check_identify(const json_t *body, size_t max_chars, struct err *err) MUSTCHECK;
int store_check_track(const json_t *body, struct err *err) MUSTCHECK;

/* BODY has passed store_check_identify. NULL: the store is full. */
const struct store_contact *store_identify(struct store *store, const json_t *body);

/* BODY has passed store_check_track. NULL: there is no such contact. */
const struct store_contact *store_track(struct store *store, const char *email, const json_t *body);

const struct store_contact *store_find(const struct store *store, const char *email); /* or NULL */
size_t store_count(const struct store *store);

/* Walks the contacts in the order of creation: the first after CONTACT (NULL: of all), or NULL. */
const struct store_contact *store_next(const struct store *store,
                                       const struct store_contact *contact);

bool contact_has_tag(const struct store_contact *contact, const char *tag);
const char *contact_field(const struct store_contact *contact, const char *name); /* or NULL */

/* Adds the contact as the API writes it, absent properties left out. */
void contact_write(const struct store_contact *contact, const char *team_id, struct buf *buf);

#endif
