#include "config/rule_table.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/nearest.h"
#include "config/option.h"
#include "config/unit.h"

#define FILE_IN(member) .offset = offsetof(struct spec_ruleset, member)
#define RULE_IN(member) .offset = offsetof(struct spec_rule, member)
#define IDENTIFY_IN(member) .offset = offsetof(struct spec_identify, member)
#define TRACK_IN(member) .offset = offsetof(struct spec_track, member)

/* Stands in for an address that has the wrong type. */
#define SOME_EMAIL .instead = "contact@example.com"

const struct rule_setting rule_file_settings[] = {
    {"email", RULE_TEMPLATE, FILE_IN(email), SOME_EMAIL,
     .doc = "The contact of every call that neither its rule nor the call itself names one for."},
    {"without_email", RULE_WITHOUT_EMAIL, FILE_IN(without_email),
     .doc = "What becomes of an event whose e-mail is null or empty: `\"dead_letter\"` (the "
            "default) or "
            "`\"skip\"`. Rules may say otherwise."},
    {"tables", RULE_TABLES, FILE_IN(tables),
     .doc = "Tables for the filter `table`, by name. Each is a group or a list of pairs "
            "`(\"from\", \"to\")`."},
    {"rules", RULE_RULES, FILE_IN(rules), .doc = "The rules, tried in this order. Required."},
    {0},
};

const struct rule_setting rule_settings[] = {
    {"name", RULE_TEXT, RULE_IN(name),
     .doc = "What logs and metrics call the rule. Required, unique; better never changed."},
    {"topics", RULE_TEXTS, RULE_IN(topics), .instead = "topic",
     .doc = "The topics whose events the rule sees. Required, not empty. A name that begins with "
            "`^` is a "
            "POSIX extended expression, anchored only where it says so."},
    {"when", RULE_EXPRESSION, RULE_IN(when), .doc = "Which events match. Left out: all."},
    {"root", RULE_EXPRESSION, RULE_IN(root),
     .doc = "A path to what the rule takes for the event, for events in an envelope. Null or "
            "missing: the "
            "rule does not match."},
    {"for_each", RULE_EXPRESSION, RULE_IN(for_each),
     .doc = "A path to an array: the rule runs for each element, as `item`. Null, missing or "
            "empty: the "
            "rule does not match."},
    {"account", RULE_TEXT, RULE_IN(account),
     .doc = "The account its calls go to. Required where there are several."},
    {"email", RULE_TEMPLATE, RULE_IN(email), SOME_EMAIL,
     .doc = "The contact of the rule's calls; needed here, in the calls, or for the file."},
    {"without_email", RULE_WITHOUT_EMAIL, RULE_IN(without_email),
     .doc =
         "As for the file, for this rule: with `\"skip\"` it sends nothing and counts as matched."},
    {"max_age", RULE_DURATION, RULE_IN(max_age_ms),
     .doc = "An event that is older, by its timestamp, does not match, and is counted; one without "
            "a timestamp is never too old. For what is worth nothing late. Left out: any age."},
    {"identify", RULE_GROUP, RULE_IN(identify), .members = rule_identify_settings,
     .doc = "The contact is created or updated. Sent before `track`."},
    {"track", RULE_GROUP, RULE_IN(track), .members = rule_track_settings,
     .doc = "Tags are added and removed. A rule without `identify` and `track` needs `stop`."},
    {"allow_increment", RULE_BOOLEAN, RULE_IN(allow_increment),
     .doc = "Allow custom fields that begin with `++` or `--`, which SendX adds to a number: a "
            "repeated "
            "call counts twice."},
    {"stop", RULE_BOOLEAN, RULE_IN(stop),
     .doc = "No later rule is tried on an event that this one matches."},
    {"enabled", RULE_NEGATED, RULE_IN(disabled),
     .doc = "`false`: the rule is checked and never tried."},
    {0},
};

const struct rule_setting rule_identify_settings[] = {
    {"email", RULE_TEMPLATE, IDENTIFY_IN(email), SOME_EMAIL, .doc = "The contact of this call."},
    {"newEmail", RULE_TEMPLATE, IDENTIFY_IN(new_email), .doc = "Renames the contact."},
    {"firstName", RULE_TEMPLATE, IDENTIFY_IN(first_name), .doc = "First name."},
    {"lastName", RULE_TEMPLATE, IDENTIFY_IN(last_name), .doc = "Last name."},
    {"company", RULE_TEMPLATE, IDENTIFY_IN(company), .doc = "Company."},
    {"birthday", RULE_TEMPLATE, IDENTIFY_IN(birthday), .doc = "A day, `YYYY-MM-DD`."},
    {"customFields", RULE_PAIRS, IDENTIFY_IN(custom_fields),
     .doc = "Custom fields. A list of pairs `(\"Field name\", \"template\")` allows any name, a "
            "group only "
            "simple ones."},
    {"tags", RULE_TEMPLATES, IDENTIFY_IN(tags), .doc = "Tags to add."},
    {0},
};

const struct rule_setting rule_track_settings[] = {
    {"email", RULE_TEMPLATE, TRACK_IN(email), SOME_EMAIL, .doc = "The contact of this call."},
    {"addTags", RULE_TEMPLATES, TRACK_IN(add_tags), .doc = "Tags to add."},
    {"removeTags", RULE_TEMPLATES, TRACK_IN(remove_tags),
     .doc = "Tags to remove; one that is also added is only added."},
    {0},
};

/* The first members of spec_identify and spec_track, which a RULE_GROUP fills. */
struct spec_group {
    bool present;
    struct place at;
};

static_assert(offsetof(struct spec_identify, at) == offsetof(struct spec_group, at), "same head");
static_assert(offsetof(struct spec_track, at) == offsetof(struct spec_group, at), "same head");

struct rule_reader {
    struct arena *arena;
    struct diag *diag;
    unsigned texts; /* read so far */
};

const char *
rule_kind_name(enum rule_kind kind)
{
#define X(id, name) name,
    static const char *const names[] = {RULE_KIND_TABLE(X)};
#undef X

    return names[kind];
}

const struct rule_setting *
rule_setting_find(const struct rule_setting *settings, const char *name)
{
    for (; settings->name; settings++) {
        if (strcmp(settings->name, name) == 0)
            return settings;
    }
    return NULL;
}

static void *
alloc(struct rule_reader *reader, size_t count, size_t size)
{
    void *items = arena_alloc(reader->arena, count ? count * size : size);

    memset(items, 0, count ? count * size : size);
    return items;
}

/* The members of a group are read as they are written, which makes ORDER a running number. */
static struct spec_text
text_of(struct rule_reader *reader, const struct source_node *node)
{
    return (struct spec_text){.text = node->text, .at = node->at, .order = ++reader->texts};
}

static void
read_text(struct rule_reader *reader, const struct rule_setting *setting,
          const struct source_node *node, struct spec_text *text)
{
    if (source_is(node, SOURCE_TEXT, "text", reader->diag))
        *text = text_of(reader, node);
    else
        *text = (struct spec_text){.text = setting->instead, .at = node->at};
}

static void
read_texts(struct rule_reader *reader, const struct rule_setting *setting,
           const struct source_node *node, struct spec_list *list)
{
    *list = (struct spec_list){.present = true, .at = node->at};
    list->items = alloc(reader, node->count + 1, sizeof(list->items[0]));
    if (!source_is_sequence(node))
        source_is(node, SOURCE_ARRAY, "an array of text, [ \"…\" ]", reader->diag);
    for (size_t i = 0; source_is_sequence(node) && i < node->count; i++) {
        if (source_is(&node->items[i], SOURCE_TEXT, "text", reader->diag))
            list->items[list->count++] = text_of(reader, &node->items[i]);
    }
    if (list->count == 0 && setting->instead && (node->count > 0 || !source_is_sequence(node)))
        list->items[list->count++] = (struct spec_text){.text = setting->instead, .at = node->at};
}

static bool
is_pair(const struct source_node *node)
{
    return source_is_sequence(node) && node->count == 2 && node->items[0].type == SOURCE_TEXT &&
           node->items[1].type == SOURCE_TEXT;
}

static void
read_pairs(struct rule_reader *reader, const struct source_node *node, struct spec_pairs *pairs)
{
    *pairs = (struct spec_pairs){.present = true, .at = node->at};
    pairs->items = alloc(reader, node->count, sizeof(pairs->items[0]));
    if (node->type != SOURCE_GROUP && !source_is_sequence(node)) {
        source_error(reader->diag, node,
                     "expected a group { name = \"…\"; } or a list of pairs ( (\"name\", \"…\") ), "
                     "found %s",
                     source_type_name(node->type));
        return;
    }
    for (size_t i = 0; i < node->count; i++) {
        const struct source_node *item = &node->items[i];

        if (node->type == SOURCE_GROUP) {
            if (source_is(item, SOURCE_TEXT, "text", reader->diag))
                pairs->items[pairs->count++] =
                    (struct spec_pair){{.text = item->name, .at = item->at}, text_of(reader, item)};
        } else if (is_pair(item)) {
            pairs->items[pairs->count++] = (struct spec_pair){text_of(reader, &item->items[0]),
                                                              text_of(reader, &item->items[1])};
        } else {
            source_error(reader->diag, item, "expected a pair of texts, (\"name\", \"…\")");
        }
    }
}

static void
read_without_email(struct rule_reader *reader, const struct source_node *node,
                   enum without_email *without_email)
{
    if (!source_is(node, SOURCE_TEXT, "\"dead_letter\" or \"skip\"", reader->diag))
        return;
    if (strcmp(node->text, "dead_letter") == 0)
        *without_email = WITHOUT_EMAIL_DEAD_LETTER;
    else if (strcmp(node->text, "skip") == 0)
        *without_email = WITHOUT_EMAIL_SKIP;
    else
        source_error(reader->diag, node,
                     "\"%.64s\" is not known: write \"dead_letter\" or \"skip\"", node->text);
}

static void
read_duration(struct rule_reader *reader, const struct source_node *node, int64_t *duration_ms)
{
    struct err err = {0};
    int64_t ms = 0;

    if (!source_is(node, SOURCE_TEXT, "a duration such as \"24h\"", reader->diag))
        return;
    if (duration_parse(node->text, &ms, &err) != 0)
        source_error(reader->diag, node, "\"%.64s\" %s", node->text, err.msg);
    else if (ms == 0)
        source_error(reader->diag, node, "\"%.64s\" is out of range: the least is 1ms", node->text);
    else
        *duration_ms = ms;
}

static void
read_tables(struct rule_reader *reader, const struct source_node *node, struct spec_ruleset *spec)
{
    if (!source_is(node, SOURCE_GROUP, "a group of tables { name = ( … ); }", reader->diag))
        return;
    spec->tables = alloc(reader, node->count, sizeof(spec->tables[0]));
    for (size_t i = 0; i < node->count; i++) {
        struct spec_table *table = &spec->tables[spec->table_count++];

        table->name = (struct spec_text){.text = node->items[i].name, .at = node->items[i].at};
        read_pairs(reader, &node->items[i], &table->entries);
    }
}

static void read_group(struct rule_reader *reader, const struct rule_setting *settings,
                       const struct source_node *node, void *base);

/* A name of a wrong type is reported: the rule gets one for the time of the check. */
static void
name_rule(struct rule_reader *reader, const struct source_node *node, struct spec_rule *rule)
{
    char name[48];
    int len = snprintf(name, sizeof(name), "rules[%zu]", node->index);

    if (!rule->name.text && source_find(node, "name"))
        rule->name.text = arena_text(reader->arena, name, (size_t)len);
}

static void
read_rules(struct rule_reader *reader, const struct source_node *node, struct spec_ruleset *spec)
{
    if (!source_is(node, SOURCE_LIST, "a list of groups, ( { name = …; } )", reader->diag))
        return;
    spec->rules = alloc(reader, node->count, sizeof(spec->rules[0]));
    for (size_t i = 0; i < node->count; i++) {
        const struct source_node *item = &node->items[i];
        struct spec_rule *rule = &spec->rules[spec->rule_count];

        if (!source_is(item, SOURCE_GROUP, "a group { name = …; }", reader->diag))
            continue;
        spec->rule_count++;
        rule->at = item->at;
        read_group(reader, rule_settings, item, rule);
        name_rule(reader, item, rule);
    }
}

static void
read_setting(struct rule_reader *reader, const struct rule_setting *setting,
             const struct source_node *node, void *base)
{
    void *member = (char *)base + setting->offset;
    struct spec_group *group = member;

    switch (setting->kind) {
    case RULE_TEMPLATE:
    case RULE_EXPRESSION:
    case RULE_TEXT:
        read_text(reader, setting, node, member);
        break;
    case RULE_TEXTS:
    case RULE_TEMPLATES:
        read_texts(reader, setting, node, member);
        break;
    case RULE_PAIRS:
        read_pairs(reader, node, member);
        break;
    case RULE_BOOLEAN:
    case RULE_NEGATED:
        if (source_is(node, SOURCE_BOOLEAN, "true or false", reader->diag))
            *(bool *)member = node->boolean == (setting->kind == RULE_BOOLEAN);
        break;
    case RULE_WITHOUT_EMAIL:
        read_without_email(reader, node, member);
        break;
    case RULE_DURATION:
        read_duration(reader, node, member);
        break;
    case RULE_GROUP:
        *group = (struct spec_group){.present = true, .at = node->at};
        if (source_is(node, SOURCE_GROUP, "a group { }", reader->diag))
            read_group(reader, setting->members, node, member);
        break;
    case RULE_TABLES:
        read_tables(reader, node, base);
        break;
    case RULE_RULES:
        read_rules(reader, node, base);
        break;
    case RULE_KIND_COUNT:
        break;
    }
}

static void
refuse(struct rule_reader *reader, const struct rule_setting *settings,
       const struct source_node *node)
{
    struct nearest nearest;

    nearest_init(&nearest, node->name);
    for (; settings->name; settings++)
        nearest_try(&nearest, settings->name);
    option_refuse_unknown(node, NULL, nearest_best(&nearest), reader->diag);
}

static void
read_group(struct rule_reader *reader, const struct rule_setting *settings,
           const struct source_node *node, void *base)
{
    for (size_t i = 0; i < node->count; i++) {
        const struct rule_setting *setting = rule_setting_find(settings, node->items[i].name);

        if (setting)
            read_setting(reader, setting, &node->items[i], base);
        else
            refuse(reader, settings, &node->items[i]);
    }
}

void
rule_table_read(struct source *source, struct spec_ruleset *spec, struct diag *diag)
{
    struct rule_reader reader = {.arena = &source->arena, .diag = diag};
    const struct source_node *rules = source_find(source->root, "rules");

    for (const struct rule_setting *setting = rule_file_settings; setting->name; setting++) {
        const struct source_node *node = source_find(source->root, setting->name);

        if (node)
            read_setting(&reader, setting, node, spec);
    }
    if (!rules)
        source_error_member(diag, source->root, "rules", "is required: one rule at least");
    else if (rules->type == SOURCE_LIST && rules->count == 0)
        source_error(diag, rules, "is empty: one rule at least");
}
