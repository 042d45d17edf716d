/*
 * What the files of lint share: the rules as they are written, each template beside its text. Owned
 * by lint_rules while it runs.
 */
#ifndef RULES_LINT_STATE_H
#define RULES_LINT_STATE_H

#include <regex.h>

#include "rules/foresee.h"
#include "rules/lint.h"
#include "rules/rule.h"

struct lint_text {
    const struct spec_text *text;
    const char *path; /* "identify.tags[1]" */
    enum setting_target target;
    enum call_kind call;
    struct template template;
};

struct lint_topic {
    const struct spec_text *text;
    bool is_pattern;
    regex_t pattern;
};

struct lint_rule {
    const struct spec_rule *spec;
    const struct account *account;
    const struct expr *when; /* NULL: always */
    struct lint_text *texts; /* all its templates */
    size_t text_count, text_cap;
    struct lint_topic *topics;
};

struct lint_state {
    const struct spec_ruleset *spec;
    struct diag *diag;
    struct code code;
    struct table_set tables;
    struct diag ignored;    /* what parsing finds has been said when the rules were loaded */
    struct lint_text email; /* of the file; no text: none is written */
    struct lint_rule *rules;
    size_t rule_count;
};

/* A warning about TEXT of RULE, whose place it names. */
void lint_say(const struct lint_state *state, enum lint lint, const struct lint_rule *rule,
              const struct lint_text *text, const char *fmt, ...) PRINTF_LIKE(5, 6);

/* What each of the other files looks for. */
void lint_topics(const struct lint_state *state);
void lint_tags(const struct lint_state *state);
void lint_values(const struct lint_state *state);

#endif
