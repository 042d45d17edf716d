/*
 * Expressions and templates under test: a place to parse in and an event to see, both made anew for
 * each input. Owns what it holds.
 */
#ifndef TESTS_FUZZ_LAB_H
#define TESTS_FUZZ_LAB_H

#include "fuzz.h"
#include "rules/decode.h"
#include "rules/foresee.h"
#include "rules/template.h"

struct lab {
    struct code code;
    struct table_set tables;
    struct arena arena, values;
    struct diag diag;
    struct eval eval;
    struct event event;
    json_t *payload;
};

void lab_open(struct lab *lab, struct fuzz_text payload);
void lab_close(struct lab *lab);

struct expr_env lab_env(struct lab *lab);

/* Whether two trees say the same, however they are written. */
bool lab_same(const struct expr *a, const struct expr *b);

/* EXPR, and each expression within it, is what its own text says. */
void lab_check_text(struct lab *lab, const struct expr *expr);

/* Adds the value of EXPR, or of TEMPLATE, as JSON, or why there is none; checks what holds of every
 * evaluation. */
void lab_write_expr(struct lab *lab, const struct expr *expr, struct buf *out);
void lab_write_template(struct lab *lab, const struct template *template, struct buf *out);

#endif
