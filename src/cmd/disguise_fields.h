/*
 * The fields of which all is replaced, by their names: those that are known to tell who somebody
 * is, those that were named beside them, and how often each was met. Case, "_", "-" and blanks in a
 * name do not count. Owns its copies.
 */
#ifndef CMD_DISGUISE_FIELDS_H
#define CMD_DISGUISE_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/map.h"

struct disguise_field;

struct disguise_fields {
    struct map map;
    struct disguise_field *first, **last; /* in the order in which they were named */
    struct arena arena;
    struct buf form; /* to compare by */
};

/* The known ones are in it. */
void disguise_fields_init(struct disguise_fields *fields, uint64_t seed);
void disguise_fields_fini(struct disguise_fields *fields);

/* The I-th of the names that are known from the beginning, in the form in which they are compared;
 * NULL behind the last. */
const char *disguise_fields_known(size_t i);

void disguise_fields_set(struct disguise_fields *fields, const char *name, bool replace);

/* The field called NAME, if all in it is to be replaced; else NULL. NULL is no name. */
struct disguise_field *disguise_fields_find(struct disguise_fields *fields, const char *name);

/* It was met, written as NAME. */
void disguise_fields_count(struct disguise_field *field, const char *name);

/* Adds those that were met, as they were last written: "first_name (12), name (3)". */
void disguise_fields_add_met(const struct disguise_fields *fields, struct buf *out);

#endif
