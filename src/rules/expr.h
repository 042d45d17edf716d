/*
 * Expressions: text in, tree out, every static check done at load; and their evaluation. The tree
 * lives in a struct code, with copies of all texts.
 */
#ifndef RULES_EXPR_H
#define RULES_EXPR_H

#include "base/diag.h"
#include "rules/eval.h"
#include "rules/filter.h"

enum {
    EXPR_BYTES_MAX = 4096,
    EXPR_LEVELS_MAX = 32 /* brackets, arguments and choices inside another */
};

/* Where compiled expressions live. Owns the arena and the regular expressions. */
struct code {
    struct arena arena;
    struct regex **regexes;
    size_t regex_count, regex_cap;
};

void code_init(struct code *code);
void code_fini(struct code *code);
struct regex *code_add_regex(struct code *code, struct regex *regex); /* takes it */

enum expr_kind {
    EXPR_LITERAL,
    EXPR_ARRAY, /* [a, b]; one of literals only is a literal */
    EXPR_PATH,
    EXPR_CHOICE, /* c ? a : b */
    EXPR_OR,     /* of all items */
    EXPR_AND,
    EXPR_NOT,
    EXPR_COMPARE,
    EXPR_DEFAULT, /* a ?? b ?? c */
    EXPR_CHAIN,   /* a + b - c, or a * b / c: from left to right */
    EXPR_FILTERED /* a | f | g */
};

enum expr_op {
    OP_EQUAL,
    OP_NOT_EQUAL,
    OP_LESS,
    OP_LESS_EQUAL,
    OP_GREATER,
    OP_GREATER_EQUAL,
    OP_IN,
    OP_NOT_IN,
    OP_CONTAINS,
    OP_STARTS_WITH,
    OP_ENDS_WITH,
    OP_MATCHES,
    OP_ADD,
    OP_SUBTRACT,
    OP_MULTIPLY,
    OP_DIVIDE,
    OP_REMAINDER
};

enum path_root {
    PATH_FIELD, /* the first step is a field of the root, or the item itself */
    PATH_ROOT,
    PATH_PAYLOAD,
    PATH_TOPIC,
    PATH_PARTITION,
    PATH_OFFSET,
    PATH_KEY,
    PATH_TIMESTAMP,
    PATH_HEADERS,
    PATH_INDEX
};

struct path_step {
    enum { STEP_KEY, STEP_INDEX, STEP_ALL } kind;
    const char *key;
    size_t key_len;
    int64_t index; /* from the end when negative */
};

struct path {
    enum path_root root;
    bool names_item; /* begins with the word "item" */
    struct path_step *steps;
    size_t step_count;
    size_t first_all; /* first STEP_ALL, or step_count */
};

struct expr {
    enum expr_kind kind;
    enum expr_op op;  /* COMPARE */
    size_t at, len;   /* its text in the expression */
    const char *text; /* the same, LEN bytes */
    size_t count;     /* of items, or of filters */
    const struct expr *const *items;
    union {
        struct value literal;
        const struct path *path;
        const enum expr_op *ops;          /* CHAIN: before each item; that of the first is none */
        const struct filter_use *filters; /* FILTERED, on items[0] */
        struct regex *regex;              /* COMPARE with OP_MATCHES, of items[0] */
    };
};

/* Where an expression is compiled: what it may name and whom to tell. */
struct expr_env {
    struct code *code;
    const struct table_set *tables;
    struct diag *diag;
    struct place at;
    const char *where; /* begins the messages: rule "x": when */
    bool uses_index;   /* set when a path begins with @index */
};

/* The expression at TEXT, which begins at COLUMN (from 1) of the setting's text. NULL when there
 * was an error; all that can be told are in the diag. */
const struct expr *expr_parse(const char *text, size_t len, size_t column,
                              struct expr_env *env) MUSTCHECK;

/* The same for a setting that takes nothing but a path. */
const struct expr *expr_parse_path(const char *text, size_t len, struct expr_env *env) MUSTCHECK;

struct value expr_eval(const struct expr *expr, struct eval *eval);

#endif
