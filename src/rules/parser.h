/*
 * What the files of the expression parser share: tokens, messages, levels, nodes. Owns nothing.
 */
#ifndef RULES_PARSER_H
#define RULES_PARSER_H

#include "rules/expr.h"
#include "rules/expr_lex.h"

struct parser {
    struct expr_env *env;
    struct lexer lexer;
    struct token token;     /* the next one */
    enum token_kind before; /* kind of the last one taken, TOKEN_END at the start */
    size_t before_end;      /* where that one ends */
    size_t column;          /* of the expression's first character, from 1 */
    int levels;
    bool stopped; /* after an error of the syntax */
    bool wrong;   /* after any error */
};

/* Nodes are NULL once the parser has stopped. */
typedef const struct expr *parse_fn(struct parser *parser);

void parser_next(struct parser *parser);
bool parser_at_word(const struct parser *parser, const char *word);

/* Takes a token of KIND; else an error that asks for WHAT. */
bool parser_expect(struct parser *parser, enum token_kind kind, const char *what);

/* An error about the text at AT that does not keep the rest from being checked. */
void parser_wrong(struct parser *parser, size_t at, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* An error after which nothing can be said about the rest. */
const struct expr *parser_stop(struct parser *parser, size_t at, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

/* Levels of brackets, arguments and choices. */
bool parser_enter(struct parser *parser);
void parser_leave(struct parser *parser);

struct expr *parser_node(struct parser *parser, enum expr_kind kind, size_t at);

/* A text literal without its quotes, in the arena, NUL-terminated. */
const char *parser_text(struct parser *parser, const struct token *token, size_t *len);

/* The parts that have a file of their own. */
const struct expr *parse_choice(struct parser *parser);
const struct expr *parse_path(struct parser *parser);
/* AT: where INPUT begins, with its brackets. BEFORE: the token before that. */
const struct expr *parse_filters(struct parser *parser, const struct expr *input, size_t at,
                                 enum token_kind before);

/* A growing list of operands, and of the operator before each, while their number is not known. */
struct node_list {
    const struct expr **items;
    enum expr_op *ops;
    size_t count, items_cap, ops_cap;
};

void node_list_add(struct node_list *list, enum expr_op op, const struct expr *expr);

/* Moves the list into EXPR, which is in CODE: items, count and, for a chain, ops. */
void node_list_move(struct node_list *list, struct expr *expr, struct code *code);
void node_list_fini(struct node_list *list);

#endif
