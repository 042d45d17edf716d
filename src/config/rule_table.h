/*
 * The table of the settings in the rules part: parses them into rules/spec.h, refuses what it does
 * not know, and documents it. What the texts mean is rules/ business. Owns nothing: a spec lives in
 * the source's arena.
 */
#ifndef CONFIG_RULE_TABLE_H
#define CONFIG_RULE_TABLE_H

#include "config/source.h"
#include "rules/spec.h"

/*    id, how the reference calls it */
#define RULE_KIND_TABLE(X)              \
    X(TEMPLATE, "template")             \
    X(EXPRESSION, "expression")         \
    X(TEXT, "text")                     \
    X(TEXTS, "array of text")           \
    X(TEMPLATES, "array of templates")  \
    X(PAIRS, "group, or list of pairs") \
    X(BOOLEAN, "boolean")               \
    X(NEGATED, "boolean")               \
    X(WITHOUT_EMAIL, "choice")          \
    X(DURATION, "duration")             \
    X(GROUP, "group")                   \
    X(TABLES, "group of tables")        \
    X(RULES, "list of groups")

#define X(id, name) RULE_##id,
enum rule_kind { RULE_KIND_TABLE(X) RULE_KIND_COUNT };
#undef X

struct rule_setting {
    const char *name;
    enum rule_kind kind;
    size_t offset;                      /* of the member in the struct that the level fills */
    const struct rule_setting *members; /* of a RULE_GROUP */
    const char
        *instead; /* what stands in for a value of a wrong type, so that it is reported once */
    const char *doc;
};

/* Each ends with a row without a name. */
extern const struct rule_setting rule_file_settings[];     /* of the file: struct spec_ruleset */
extern const struct rule_setting rule_settings[];          /* of a rule: struct spec_rule */
extern const struct rule_setting rule_identify_settings[]; /* struct spec_identify */
extern const struct rule_setting rule_track_settings[];    /* struct spec_track */

const char *rule_kind_name(enum rule_kind kind);

/* The row NAME of SETTINGS, or NULL. */
const struct rule_setting *rule_setting_find(const struct rule_setting *settings, const char *name);

/* Fills SPEC, all but its accounts, from the file. */
void rule_table_read(struct source *source, struct spec_ruleset *spec, struct diag *diag);

#endif
