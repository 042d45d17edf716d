/*
 * What can be told of an expression without an event: of which kinds its value may be, whether it
 * may be an empty text, which texts. Always on the safe side: a kind that is left out never comes.
 * Owns nothing, keeps nothing; for lint, not for the worker.
 */
#ifndef RULES_FORESEE_H
#define RULES_FORESEE_H

#include "rules/expr.h"

enum {
    FORESEE_NULL = 1,
    FORESEE_BOOL = 2,
    FORESEE_NUMBER = 4,
    FORESEE_EMPTY = 8, /* the empty text */
    FORESEE_TEXT = 16, /* any other text */
    FORESEE_ARRAY = 32,
    FORESEE_OBJECT = 64,
    FORESEE_ANY = 127
};

/* A condition that holds (TRUTH) or does not hold where an expression is evaluated. */
struct fact {
    const struct expr *condition;
    bool truth;
    const struct fact *next; /* NULL: the last */
};

struct foresight {
    const struct spec_table *tables;
    size_t table_count;
    const struct fact *facts; /* NULL: none */
};

/* The kinds that the value of EXPR may be of. */
unsigned foresee(const struct expr *expr, const struct foresight *sight);

/* Whether CONDITION, being TRUTH, keeps the path PATH from having the text KEY, and from being an
 * array with an element that has it. That what is unequal to a text is no array, and that arrays
 * hold no arrays, is taken for granted. */
bool foresee_excludes(const struct expr *condition, bool truth, const struct path *path,
                      const char *key);

/* Whether LITERAL neither has the text KEY nor holds an element that has it. */
bool foresee_lacks(const struct value *literal, const char *key);

/* The table of SPEC that USE looks into; NULL when USE is no table filter. */
const struct spec_table *foresee_table(const struct filter_use *use, const struct foresight *sight);

#endif
