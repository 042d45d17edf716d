/*
 * Tables of a configuration: texts that stand for other texts. Owns nothing but hash buckets: nodes
 * and texts live in the arena that is handed in.
 */
#ifndef RULES_TABLE_H
#define RULES_TABLE_H

#include "base/map.h"
#include "rules/spec.h"
#include "rules/value.h"

struct table_entry {
    struct map_node node; /* in its table, by what stands in the first column */
    const char *text;
    size_t text_len;
    size_t number; /* among the entries of all tables, from 0 */
};

struct table {
    struct map_node node; /* in its set, by name */
    const char *name;
    struct map entries;
    struct table_entry *rows; /* the entries, as they are written */
    size_t row_count;
};

struct table_set {
    struct map by_name;
    struct table *tables;
    size_t count;
    size_t entry_count; /* of all tables */
};

/* Takes in the tables of SPEC; findings go to DIAG. */
void table_set_init(struct table_set *set, const struct spec_ruleset *spec, uint64_t seed,
                    struct arena *arena, struct diag *diag);
void table_set_fini(struct table_set *set);

const struct table *table_set_find(const struct table_set *set, const char *name, size_t name_len);

/* The entry of KEY, or NULL. */
const struct table_entry *table_find(const struct table *table, const char *key, size_t key_len);

#endif
