/*
 * From a rule as it was written to a struct rule. Owns nothing: results live in a struct code.
 */
#ifndef RULES_COMPILE_H
#define RULES_COMPILE_H

#include "rules/rule.h"
#include "rules/spec.h"

/* What all rules of a file share. */
struct compiler {
    const struct spec_ruleset *spec;
    struct code *code;
    const struct table_set *tables;
    struct diag *diag;
    const struct template *email; /* of the file; NULL: none, or a wrong one */
    bool email_uses_index;
};

/* Compiles the file's e-mail. Everything in COMPILER but that is set. */
void compile_file(struct compiler *compiler);

/* Compiles the rule NUMBER (from 0), but for its topics. */
void compile_rule(struct compiler *compiler, size_t number, struct rule *rule);

#endif
