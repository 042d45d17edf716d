/*
 * Tables of a configuration: texts that stand for other texts. Owns nothing but hash buckets: nodes
 * and texts live in the arena that is handed in.
 */
#ifndef RULES_TABLE_H
#define RULES_TABLE_H

#include "base/map.h"
#include "rules/spec.h"
#include "rules/value.h"

struct table {
    struct map_node node; /* in its set, by name */
    const char *name;
    struct map entries;
};

struct table_set {
    struct map by_name;
    struct table *tables;
    size_t count;
};

/* Takes in the tables of SPEC; findings go to DIAG. */
void table_set_init(struct table_set *set, const struct spec_ruleset *spec, uint64_t seed,
                    struct arena *arena, struct diag *diag);
void table_set_fini(struct table_set *set);

const struct table *table_set_find(const struct table_set *set, const char *name, size_t name_len);

/* What KEY stands for; false when the table has no such entry. */
bool table_get(const struct table *table, const char *key, size_t key_len, struct value *text);

#endif
