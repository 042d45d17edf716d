#include "config/beside.h"

#include <string.h>

#include "base/xalloc.h"
#include "config/expand.h"
#include "config/kafka_section.h"
#include "config/option.h"
#include "config/source.h"

enum { VALUE_MAX = 512 * 1024 /* of a setting as the file says it */ };

/* ---- accounts ---- */

static bool
take_named(struct config *config, const char *name, struct account *ret)
{
    for (size_t i = 0; i < config->account_count; i++) {
        struct account *account = &config->accounts[i];

        if (account->name && strcmp(account->name, name) == 0) {
            *ret = *account;
            *account = (struct account){0};
            return true;
        }
    }
    return false;
}

void
beside_place_accounts(struct config *config, const struct config *running)
{
    size_t most = running->account_count + config->account_count;
    struct account *placed = xcalloc(most, sizeof(*placed));
    size_t count = running->account_count;

    for (size_t i = 0; i < running->account_count; i++) {
        if (take_named(config, running->accounts[i].name, &placed[i]))
            continue;
        account_copy(&placed[i], &running->accounts[i]);
        placed[i].removed = true;
    }
    for (size_t i = 0; i < config->account_count; i++) {
        if (config->accounts[i].name)
            placed[count++] = config->accounts[i];
    }
    xfree(config->accounts);
    config->accounts = placed;
    config->account_count = count;
}

/* ---- what needs a restart ---- */

static void
add_name(struct buf *kept, const char *section, const char *name)
{
    buf_printf(kept, "%s%s.", kept->len ? " " : "", section);
    for (; *name; name++)
        buf_add_char(kept, (char)(*name == '.' ? '_' : *name));
}

static bool
is_same_text(const struct option *option, const struct config *a, const struct config *b)
{
    const char *first = *(char *const *)(const void *)((const char *)a + option->offset);
    const char *second = *(char *const *)(const void *)((const char *)b + option->offset);

    return strcmp(first ? first : "", second ? second : "") == 0;
}

/* Secrets are compared as they are, everything else as it would be printed. */
static bool
is_same(const struct option *option, const struct config *a, const struct config *b)
{
    struct buf first, second;
    bool same;

    if (option->type == OPTION_TEXT)
        return is_same_text(option, a, b);
    buf_init(&first, VALUE_MAX);
    buf_init(&second, VALUE_MAX);
    option_print(option, a, &first);
    option_print(option, b, &second);
    same = strcmp(buf_text(&first), buf_text(&second)) == 0;
    buf_fini(&first);
    buf_fini(&second);
    return same;
}

static void
keep_option(const struct option *option, struct config *to, const struct config *from)
{
    void *member = (char *)to + option->offset;
    const void *kept = (const char *)from + option->offset;

    if (option->type == OPTION_START) {
        to->kafka.start = from->kafka.start;
        to->kafka.start_ms = from->kafka.start_ms;
    } else if (option->type == OPTION_TEXT) {
        const char *text = *(char *const *)kept;

        xfree(*(char **)member);
        *(char **)member = xstrdup(text ? text : "");
    } else {
        memcpy(member, kept, option->size);
    }
}

static const struct kafka_property *
find_property(const struct kafka_config *kafka, const char *name)
{
    for (size_t i = 0; i < kafka->property_count; i++) {
        if (strcmp(kafka->properties[i].name, name) == 0)
            return &kafka->properties[i];
    }
    return NULL;
}

/* Names what is written in A and not the same in B; ONLY_MISSING: not there at all. */
static void
compare_properties(const struct kafka_config *a, const struct kafka_config *b, bool only_missing,
                   struct buf *kept)
{
    for (size_t i = 0; i < a->property_count; i++) {
        const struct kafka_property *other = find_property(b, a->properties[i].name);

        if (!other || (!only_missing && strcmp(other->value, a->properties[i].value) != 0))
            add_name(kept, "kafka", a->properties[i].name);
    }
}

static void
keep_properties(struct kafka_config *to, const struct kafka_config *from, struct buf *kept)
{
    struct kafka_property *properties = xcalloc(from->property_count, sizeof(*properties));

    compare_properties(to, from, false, kept);
    compare_properties(from, to, true, kept);
    for (size_t i = 0; i < from->property_count; i++)
        properties[i] = (struct kafka_property){.name = xstrdup(from->properties[i].name),
                                                .value = xstrdup(from->properties[i].value)};
    kafka_section_drop_properties(to);
    to->properties = properties;
    to->property_count = from->property_count;
}

void
beside_keep(struct config *config, const struct config *running, struct buf *kept)
{
    for (size_t i = 0; i < option_count(); i++) {
        const struct option *option = option_at(i);

        if (!(option->flags & OPTION_RESTART) || is_same(option, config, running))
            continue;
        add_name(kept, option->section, option->name);
        keep_option(option, config, running);
    }
    keep_properties(&config->kafka, &running->kafka, kept);
}

/* ---- secrets ---- */

/* Whether NODE, a text of an account, says something else than VALUE by now. What cannot be read is
 * no change. */
static bool
says_otherwise(const struct source_node *node, const char *value, const struct loader *loader)
{
    bool missing;
    char *text =
        node && node->type == SOURCE_TEXT ? expand_text(node, loader, true, &missing) : NULL;
    bool changed = text && !missing && *text && strcmp(text, value ? value : "") != 0;

    if (text)
        explicit_bzero(text, strlen(text));
    xfree(text);
    return changed;
}

bool
config_secret_changed(const struct config *config, size_t account)
{
    const struct source *source = config->source;
    const struct source_node *accounts = source_find(source->root, "accounts");
    const struct account *of = &config->accounts[account];
    struct diag diag;
    struct loader loader = {.diag = &diag, .dir = source->dir, .secrets = CONFIG_SECRETS_OPTIONAL};
    bool changed = false;

    diag_init(&diag);
    for (size_t i = 0; !of->removed && i < accounts->count; i++) {
        const struct source_node *group = &accounts->items[i];

        if (says_otherwise(source_find(group, "name"), of->name, &loader))
            continue;
        changed = says_otherwise(source_find(group, "api_key"), of->api_key, &loader) ||
                  says_otherwise(source_find(group, "team_id"), of->team_id, &loader);
        break;
    }
    diag_fini(&diag);
    return changed;
}
