#include "rules/table.h"

#include <string.h>

#include "base/utf8.h"

struct entry {
    struct map_node node; /* by what stands in the table's first column */
    const char *text;
    size_t text_len;
};

static void
check_text(const struct table *table, const struct spec_text *text, struct diag *diag)
{
    if (strstr(text->text, "${"))
        diag_error(diag, text->at,
                   "tables.%s: \"%s\" holds a \"${\"; entries of tables are plain text",
                   table->name, text->text);
    if (!utf8_is_valid(text->text, strlen(text->text)))
        diag_error(diag, text->at, "tables.%s: an entry is not valid UTF-8", table->name);
}

static void
add_entry(struct table *table, const struct spec_pair *pair, struct arena *arena, struct diag *diag)
{
    size_t key_len = strlen(pair->name.text);
    struct entry *entry;

    check_text(table, &pair->name, diag);
    check_text(table, &pair->value, diag);
    if (map_find(&table->entries, pair->name.text, key_len)) {
        diag_error(diag, pair->name.at, "tables.%s: \"%s\" is given twice", table->name,
                   pair->name.text);
        return;
    }
    entry = arena_alloc(arena, sizeof(*entry));
    entry->text_len = strlen(pair->value.text);
    entry->text = arena_text(arena, pair->value.text, entry->text_len);
    map_add(&table->entries, &entry->node, arena_text(arena, pair->name.text, key_len), key_len);
}

void
table_set_init(struct table_set *set, const struct spec_ruleset *spec, uint64_t seed,
               struct arena *arena, struct diag *diag)
{
    *set = (struct table_set){0};
    map_init(&set->by_name, seed);
    set->tables = arena_alloc(arena, spec->table_count * sizeof(struct table));
    for (size_t i = 0; i < spec->table_count; i++) {
        const struct spec_table *from = &spec->tables[i];
        size_t name_len = strlen(from->name.text);
        struct table *table = &set->tables[set->count++];

        table->name = arena_text(arena, from->name.text, name_len);
        map_init(&table->entries, seed);
        for (size_t k = 0; k < from->entries.count; k++)
            add_entry(table, &from->entries.items[k], arena, diag);
        if (map_find(&set->by_name, table->name, name_len))
            diag_error(diag, from->name.at, "tables: \"%s\" is given twice", table->name);
        else
            map_add(&set->by_name, &table->node, table->name, name_len);
    }
}

void
table_set_fini(struct table_set *set)
{
    for (size_t i = 0; i < set->count; i++)
        map_fini(&set->tables[i].entries);
    map_fini(&set->by_name);
}

const struct table *
table_set_find(const struct table_set *set, const char *name, size_t name_len)
{
    struct map_node *node = map_find(&set->by_name, name, name_len);

    return node ? CONTAINER_OF(node, struct table, node) : NULL;
}

bool
table_get(const struct table *table, const char *key, size_t key_len, struct value *text)
{
    struct map_node *node = map_find(&table->entries, key, key_len);
    struct entry *entry;

    if (!node)
        return false;
    entry = CONTAINER_OF(node, struct entry, node);
    *text = value_text(entry->text, entry->text_len);
    return true;
}
