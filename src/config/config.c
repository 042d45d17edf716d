#include "config/config.h"

#include <assert.h>
#include <string.h>

#include "base/nearest.h"
#include "base/xalloc.h"
#include "config/account_section.h"
#include "config/beside.h"
#include "config/demands.h"
#include "config/kafka_section.h"
#include "config/option.h"
#include "config/rule_table.h"
#include "config/source.h"

/* Whether NAME is a section or a setting of the rules part. */
static bool
is_known(const char *name)
{
    for (size_t i = 0; i < section_count(); i++) {
        if (strcmp(section_at(i)->name, name) == 0)
            return true;
    }
    return rule_setting_find(rule_file_settings, name) != NULL;
}

static void
refuse_unknown(const struct source_node *root, struct diag *diag)
{
    for (size_t i = 0; i < root->count; i++) {
        const struct source_node *node = &root->items[i];
        const struct rule_setting *setting = rule_file_settings;
        struct nearest nearest;

        if (is_known(node->name))
            continue;
        nearest_init(&nearest, node->name);
        for (size_t j = 0; j < section_count(); j++)
            nearest_try(&nearest, section_at(j)->name);
        for (; setting->name; setting++)
            nearest_try(&nearest, setting->name);
        option_refuse_unknown(node, option_elsewhere(node->name, NULL), nearest_best(&nearest),
                              diag);
    }
}

/* The group of a section, or NULL when it is not written or is none. */
static const struct source_node *
find_group(const struct source_node *root, const char *section, struct diag *diag)
{
    const struct source_node *node = source_find(root, section);

    if (!node || !source_is(node, SOURCE_GROUP, "a group { name = …; }", diag))
        return NULL;
    return node;
}

static void
read_sections(const struct source_node *root, struct config *config, const struct loader *loader)
{
    for (size_t i = 0; i < section_count(); i++) {
        const char *section = section_at(i)->name;
        const struct source_node *group;

        if (section_at(i)->is_list) {
            account_section_read(source_find(root, section), root, config, loader);
            continue;
        }
        group = find_group(root, section, loader->diag);
        section_read(section, group, config, loader);
        if (strcmp(section, "kafka") == 0) {
            kafka_section_read(group, &config->kafka, loader);
            continue;
        }
        for (size_t j = 0; group && j < group->count; j++) {
            if (!option_find(section, group->items[j].name))
                option_refuse(section, &group->items[j], loader->diag);
        }
    }
}

/* The names of the accounts for the rules. Where the accounts could not be read, that is reported,
 * and the rules are told that what they name exists. */
static void
name_accounts(const struct config *config, struct source *source, struct spec_ruleset *spec)
{
    size_t most = config->account_count + spec->rule_count + 1;
    const char **names = arena_alloc(&source->arena, most * sizeof(names[0]));

    for (size_t i = 0; i < config->account_count; i++)
        names[spec->account_count++] =
            config->accounts[i].removed ? NULL : config->accounts[i].name;
    for (size_t i = 0; config->account_count == 0 && i < spec->rule_count; i++) {
        if (spec->rules[i].account.text)
            names[spec->account_count++] = spec->rules[i].account.text;
    }
    if (spec->account_count == 0)
        names[spec->account_count++] = "";
    spec->accounts = names;
}

static void
read_rules(struct source *source, struct config *config, struct diag *diag)
{
    struct spec_ruleset *spec = arena_alloc(&source->arena, sizeof(*spec));

    *spec = (struct spec_ruleset){0};
    rule_table_read(source, spec, diag);
    name_accounts(config, source, spec);
    config->spec = spec;
    if (spec->rule_count > 0)
        config->rules = ruleset_new(spec, diag);
}

/* RUNNING may be NULL; KEPT is for the names of what stays as it is there. */
static struct config *
load(const char *file, enum config_secrets secrets, config_kafka_check *kafka_check,
     const struct config *running, struct buf *kept, struct diag *diag)
{
    struct loader loader = {.diag = diag, .secrets = secrets};
    size_t errors = diag->errors;
    struct source *source = source_read(file, diag);
    struct config *config;

    if (!source)
        return NULL;
    config = xcalloc(1, sizeof(*config));
    config->source = source;
    loader.dir = source->dir;
    refuse_unknown(source->root, diag);
    read_sections(source->root, config, &loader);
    if (kafka_check && kafka_check(&config->kafka, diag))
        assert(diag->errors > errors);
    if (running && diag->errors == errors) { /* before the rules, which name accounts by index */
        beside_place_accounts(config, running);
        beside_keep(config, running, kept);
    }
    demands_check(source->root, config, &loader);
    read_rules(source, config, diag);
    diag_sort(diag);
    if (diag->errors > errors || !config->rules) {
        config_free(config);
        return NULL;
    }
    return config;
}

struct config *
config_load(const char *file, enum config_secrets secrets, config_kafka_check *kafka_check,
            struct diag *diag)
{
    return load(file, secrets, kafka_check, NULL, NULL, diag);
}

struct config *
config_load_beside(const char *file, const struct config *running, config_kafka_check *kafka_check,
                   struct buf *kept, struct diag *diag)
{
    return load(file, CONFIG_SECRETS_REQUIRED, kafka_check, running, kept, diag);
}

void
config_free(struct config *config)
{
    if (!config)
        return;
    ruleset_free(config->rules);
    for (size_t i = 0; i < config->account_count; i++)
        account_fini(&config->accounts[i]);
    xfree(config->accounts);
    kafka_section_fini(&config->kafka);
    xfree(config->dead_letter.topic);
    xfree(config->dead_letter.redrive_topic);
    xfree(config->admin.listen);
    xfree(config->admin.token);
    source_free(config->source);
    xfree(config);
}
