/*
 * Texts with ${expression} parts. One part and nothing else keeps its type; otherwise the parts are
 * joined as text, and a null part makes the whole null. Lives in a struct code.
 */
#ifndef RULES_TEMPLATE_H
#define RULES_TEMPLATE_H

#include "rules/expr.h"

struct template_part {
    const struct expr *expr; /* NULL: plain text */
    const char *text;        /* the plain text, or the expression as written */
    size_t len;
};

struct template
{
    const char *text; /* as written */
    const struct template_part *parts;
    size_t count;
};

/* Tells ENV's diag everything that is wrong. */
int template_parse(struct template *template, const char *text, struct expr_env *env) MUSTCHECK;

/* Whether what it renders to begins with PREFIX whatever the event holds. */
bool template_begins(const struct template *template, const char *prefix);

struct value template_eval(const struct template *template, struct eval *eval);

#endif
