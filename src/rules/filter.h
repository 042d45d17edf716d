/*
 * The filters of expressions: one table of names, arguments and functions, from which parsing,
 * checks and the reference are made. Owns nothing. A filter is pure and never fails: what it cannot
 * do is null.
 */
#ifndef RULES_FILTER_H
#define RULES_FILTER_H

#include "rules/eval.h"
#include "rules/regex.h"
#include "rules/table.h"

enum { FILTER_ARGS_MAX = 2 };

enum filter_arg {
    FILTER_ARG_VALUE,    /* an expression; null makes the result null */
    FILTER_ARG_FALLBACK, /* an expression that may be null */
    FILTER_ARG_TABLE,    /* quoted text, checked at load: name of a table */
    FILTER_ARG_REGEX,    /* a regular expression with a group */
    FILTER_ARG_FORMAT,   /* of a date */
    FILTER_ARG_OFFSET    /* from UTC */
};

struct filter;
struct expr;

/* A filter where an expression uses it. Lives in the arena of its expression. */
struct filter_use {
    const struct filter *filter;
    const struct expr *args[FILTER_ARGS_MAX]; /* of those that are expressions */
    size_t arg_count;
    const struct table *table;
    struct regex *regex;
    const char *format; /* NUL-terminated */
    int offset_s;
    size_t at, len; /* its text in the expression, from the name on */
};

/* INPUT is not null (but for takes_null), ARGS are the values of the expressions among the
 * arguments, null where none is written. */
typedef struct value filter_fn(struct eval *eval, const struct filter_use *use,
                               const struct value *input, const struct value *args);

struct filter {
    const char *name, *args_doc; /* "replace", "(a, b)" */
    unsigned min_args, max_args;
    enum filter_arg args[FILTER_ARGS_MAX];
    enum filter_scope {
        FILTER_EACH,      /* works on each element of an array, nested ones too */
        FILTER_WHOLE,     /* takes an array as a whole */
        FILTER_WHOLE_NULL /* and has a result for null */
    } scope;
    filter_fn *fn;
    const char *doc;
    const char *example, *result; /* an expression, and its value as JSON; the table plan_tag has
                                   * "paid user" for "pro" */
};

/* NULL when there is no such filter. */
const struct filter *filter_find(const char *name, size_t name_len);

size_t filter_count(void);
const struct filter *filter_at(size_t i);

struct value filter_apply(struct eval *eval, const struct filter_use *use,
                          const struct value *input, const struct value *args);

#endif
