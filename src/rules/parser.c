#include "rules/parser.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/xalloc.h"

enum { EXCERPT_MAX = 24 /* bytes of the expression that a message shows */ };

void
code_init(struct code *code)
{
    *code = (struct code){0};
    arena_init(&code->arena, 4096);
}

void
code_fini(struct code *code)
{
    for (size_t i = 0; i < code->regex_count; i++)
        regex_free(code->regexes[i]);
    xfree(code->regexes);
    arena_fini(&code->arena);
    code_init(code);
}

struct regex *
code_add_regex(struct code *code, struct regex *regex)
{
    code->regexes =
        xgrow(code->regexes, code->regex_count, &code->regex_cap, sizeof(struct regex *));
    code->regexes[code->regex_count++] = regex;
    return regex;
}

void
node_list_add(struct node_list *list, enum expr_op op, const struct expr *expr)
{
    list->items = xgrow(list->items, list->count, &list->items_cap, sizeof(list->items[0]));
    list->ops = xgrow(list->ops, list->count, &list->ops_cap, sizeof(list->ops[0]));
    list->items[list->count] = expr;
    list->ops[list->count++] = op;
}

void
node_list_move(struct node_list *list, struct expr *expr, struct code *code)
{
    const struct expr **items = arena_alloc(&code->arena, list->count * sizeof(items[0]));
    enum expr_op *ops;

    if (list->count)
        memcpy(items, list->items, list->count * sizeof(items[0]));
    expr->items = items;
    expr->count = list->count;
    if (expr->kind == EXPR_CHAIN) {
        ops = arena_alloc(&code->arena, list->count * sizeof(ops[0]));
        memcpy(ops, list->ops, list->count * sizeof(ops[0]));
        expr->ops = ops;
    }
    node_list_fini(list);
}

void
node_list_fini(struct node_list *list)
{
    xfree(list->items);
    xfree(list->ops);
    *list = (struct node_list){0};
}

/* Messages */

static size_t
characters(const char *text, size_t len)
{
    size_t count = 0;

    for (size_t i = 0; i < len; i++)
        count += ((unsigned char)text[i] & 0xc0) != 0x80;
    return count;
}

static void
report(struct parser *parser, size_t at, const char *message)
{
    const struct lexer *lexer = &parser->lexer;
    size_t column = parser->column + characters(lexer->text, at);
    size_t len = lexer->len - at;

    if (len > EXCERPT_MAX) {
        len = EXCERPT_MAX;
        while (((unsigned char)lexer->text[at + len] & 0xc0) == 0x80)
            len--;
    }
    if (len)
        diag_error(parser->env->diag, parser->env->at, "%s: column %zu, at \"%.*s\": %s",
                   parser->env->where, column, (int)len, lexer->text + at, message);
    else
        diag_error(parser->env->diag, parser->env->at, "%s: column %zu, at the end: %s",
                   parser->env->where, column, message);
    parser->wrong = true;
}

void
parser_wrong(struct parser *parser, size_t at, const char *fmt, ...)
{
    char message[ERR_MAX];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(message, sizeof(message), fmt, ap);
    va_end(ap);
    report(parser, at, message);
}

const struct expr *
parser_stop(struct parser *parser, size_t at, const char *fmt, ...)
{
    char message[ERR_MAX];
    va_list ap;

    if (parser->stopped)
        return NULL;
    va_start(ap, fmt);
    vsnprintf(message, sizeof(message), fmt, ap);
    va_end(ap);
    report(parser, at, message);
    parser->stopped = true;
    return NULL;
}

/* Tokens */

void
parser_next(struct parser *parser)
{
    parser->before = parser->token.kind;
    parser->before_end = parser->token.at + parser->token.len;
    parser->token = lexer_next(&parser->lexer);
    if (parser->token.kind == TOKEN_BAD)
        parser_stop(parser, parser->token.at, "%s", parser->lexer.err.msg);
}

bool
parser_at_word(const struct parser *parser, const char *word)
{
    const struct token *token = &parser->token;

    return token->kind == TOKEN_WORD && token->len == strlen(word) &&
           !memcmp(parser->lexer.text + token->at, word, token->len);
}

bool
parser_expect(struct parser *parser, enum token_kind kind, const char *what)
{
    if (parser->token.kind != kind) {
        parser_stop(parser, parser->token.at, "expected %s", what);
        return false;
    }
    parser_next(parser);
    return !parser->stopped;
}

bool
parser_enter(struct parser *parser)
{
    if (++parser->levels <= EXPR_LEVELS_MAX)
        return true;
    parser_stop(parser, parser->token.at,
                "more than %d levels of brackets, arguments and choices inside one another",
                EXPR_LEVELS_MAX);
    return false;
}

void
parser_leave(struct parser *parser)
{
    parser->levels--;
}

struct expr *
parser_node(struct parser *parser, enum expr_kind kind, size_t at)
{
    struct expr *expr = arena_alloc(&parser->env->code->arena, sizeof(*expr));

    *expr = (struct expr){
        .kind = kind, .at = at, .len = parser->before_end - at, .text = parser->lexer.text + at};
    return expr;
}

const char *
parser_text(struct parser *parser, const struct token *token, size_t *len)
{
    const char *from = parser->lexer.text + token->at + 1;
    size_t from_len = token->len - 2;
    char *text = arena_alloc(&parser->env->code->arena, from_len + 1);

    *len = 0;
    for (size_t i = 0; i < from_len; i++) {
        text[(*len)++] = from[i];
        i += from[i] == '\''; /* written twice */
    }
    text[*len] = '\0';
    return text;
}
