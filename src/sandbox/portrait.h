/*
 * A contact in a form that two sides can be compared in, and that people can read: what the store
 * has, and what the events say it should have. Borrows all its texts. Plain data.
 */
#ifndef SANDBOX_PORTRAIT_H
#define SANDBOX_PORTRAIT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "sandbox/store.h"

enum { PORTRAIT_FIELDS = 8, PORTRAIT_TAGS = 32 };

struct portrait_field {
    const char *name, *value;
};

struct portrait {
    bool exists;
    const char *properties[CONTACT_PROPERTIES]; /* NULL: none */
    struct portrait_field fields[PORTRAIT_FIELDS];
    const char *tags[PORTRAIT_TAGS];
    size_t field_count, tag_count;
    bool overflow; /* there was more than fits: like nothing else */
};

void portrait_add_field(struct portrait *portrait, const char *name, const char *value);
void portrait_add_tag(struct portrait *portrait, const char *tag);

/* Of a contact in the store; NULL is a contact that does not exist. */
struct portrait portrait_of(const struct store_contact *contact);

/* The order of fields and tags says nothing. */
bool portrait_is_same(const struct portrait *a, const struct portrait *b);

/* Adds the portrait as one text: "Ana Silva, Hexagon Labs; Plan: pro; tags registered, source: web"
 */
void portrait_write(const struct portrait *portrait, struct buf *buf);

#endif
