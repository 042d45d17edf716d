#include "rules/table.h"

#include <string.h>

#include "base/utf8.h"

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
add_entry(struct table *table, const struct spec_pair *pair, size_t number, struct arena *arena,
          struct diag *diag)
{
    size_t key_len = strlen(pair->name.text);
    struct table_entry *entry;

    check_text(table, &pair->name, diag);
    check_text(table, &pair->value, diag);
    if (map_find(&table->entries, pair->name.text, key_len)) {
        diag_error(diag, pair->name.at, "tables.%s: \"%s\" is given twice", table->name,
                   pair->name.text);
        return;
    }
    entry = &table->rows[table->row_count++];
    entry->number = number;
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
        table->rows = arena_alloc(arena, from->entries.count * sizeof(table->rows[0]));
        table->row_count = 0;
        for (size_t k = 0; k < from->entries.count; k++)
            add_entry(table, &from->entries.items[k], set->entry_count + table->row_count, arena,
                      diag);
        set->entry_count += table->row_count;
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

const struct table_entry *
table_find(const struct table *table, const char *key, size_t key_len)
{
    struct map_node *node = map_find(&table->entries, key, key_len);

    return node ? CONTAINER_OF(node, struct table_entry, node) : NULL;
}
