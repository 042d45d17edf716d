#include <string.h>

#include "rules/decimal.h"
#include "rules/parser.h"

/* Primaries */

static const struct expr *
literal(struct parser *parser, size_t at, struct value value)
{
    struct expr *expr = parser_node(parser, EXPR_LITERAL, at);

    expr->literal = value;
    return expr;
}

static const struct expr *
parse_text(struct parser *parser)
{
    struct token token = parser->token;
    size_t len;
    const char *text = parser_text(parser, &token, &len);

    parser_next(parser);
    return literal(parser, token.at, value_text(text, len));
}

/* The number whose digits are the next token, and whose sign may stand before it, at AT. */
static const struct expr *
parse_number(struct parser *parser, size_t at)
{
    size_t end = parser->token.at + parser->token.len;
    bool whole;
    int64_t integer = 0;
    double real = 0;

    if (!decimal_read(parser->lexer.text + at, end - at, &whole, &integer, &real))
        return parser_stop(parser, at, "no double holds this number");
    parser_next(parser);
    return literal(parser, at, whole ? value_int(integer) : value_real(real));
}

static const struct expr *
parse_minus(struct parser *parser)
{
    size_t at = parser->token.at;

    parser_next(parser);
    if (parser->stopped)
        return NULL;
    if (parser->token.kind != TOKEN_NUMBER || parser->token.at != at + 1)
        return parser_stop(
            parser, at, "a minus in front stands directly before a number; write 0 - x otherwise");
    return parse_number(parser, at);
}

static const struct expr *
parse_brackets(struct parser *parser)
{
    const struct expr *inner = NULL;

    if (!parser_enter(parser))
        return NULL;
    parser_next(parser);
    inner = parse_choice(parser);
    parser_leave(parser);
    if (inner && parser->token.kind == TOKEN_COMMA)
        return parser_stop(parser, parser->token.at,
                           "an array is written in square brackets: [a, b]");
    if (!inner || !parser_expect(parser, TOKEN_CLOSE, "\")\""))
        return NULL;
    return inner;
}

static bool
parse_items(struct parser *parser, struct node_list *list)
{
    while (parser->token.kind != TOKEN_CLOSE_ARRAY) {
        const struct expr *item;

        if (list->count && !parser_expect(parser, TOKEN_COMMA, "\",\" or \"]\""))
            return false;
        item = parse_choice(parser);
        if (!item)
            return false;
        node_list_add(list, OP_ADD, item);
    }
    return true;
}

/* An array of literals as one literal. */
static const struct expr *
fold_array(struct parser *parser, struct expr *array)
{
    struct value *values;

    for (size_t i = 0; i < array->count; i++) {
        if (array->items[i]->kind != EXPR_LITERAL)
            return array;
    }
    values = arena_alloc(&parser->env->code->arena, array->count * sizeof(values[0]));
    for (size_t i = 0; i < array->count; i++)
        values[i] = array->items[i]->literal;
    array->kind = EXPR_LITERAL;
    array->literal = value_array(values, array->count);
    return array;
}

static const struct expr *
parse_array(struct parser *parser)
{
    struct expr *array = parser_node(parser, EXPR_ARRAY, parser->token.at);
    struct node_list list = {0};
    bool ok;

    if (!parser_enter(parser))
        return NULL;
    parser_next(parser);
    ok = parse_items(parser, &list);
    parser_leave(parser);
    node_list_move(&list, array, parser->env->code);
    if (!ok || !parser_expect(parser, TOKEN_CLOSE_ARRAY, "\"]\""))
        return NULL;
    array->len = parser->before_end - array->at;
    return fold_array(parser, array);
}

static const struct expr *
parse_word(struct parser *parser)
{
    static const char *const operators[] = {"and",      "or",          "not",       "in",
                                            "contains", "starts_with", "ends_with", "matches"};
    static const struct {
        const char *word;
        struct value value;
    } constants[] = {{"true", {.kind = VALUE_BOOL, .boolean = true}},
                     {"false", {.kind = VALUE_BOOL}},
                     {"null", {.kind = VALUE_NULL}}};
    size_t at = parser->token.at;

    for (size_t i = 0; i < ARRAY_LEN(constants); i++) {
        if (parser_at_word(parser, constants[i].word)) {
            parser_next(parser);
            return literal(parser, at, constants[i].value);
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(operators); i++) {
        if (parser_at_word(parser, operators[i]))
            return parser_stop(parser, at,
                               "\"%s\" is an operator and needs a value here; a field of that name "
                               "is @root.%s, and a \"not\" as an operand stands in brackets",
                               operators[i], operators[i]);
    }
    return parse_path(parser);
}

static const struct expr *
parse_primary(struct parser *parser)
{
    switch (parser->token.kind) {
    case TOKEN_TEXT:
        return parse_text(parser);
    case TOKEN_NUMBER:
        return parse_number(parser, parser->token.at);
    case TOKEN_MINUS:
        return parse_minus(parser);
    case TOKEN_OPEN:
        return parse_brackets(parser);
    case TOKEN_OPEN_ARRAY:
        return parse_array(parser);
    case TOKEN_WORD:
        return parse_word(parser);
    case TOKEN_META:
        return parse_path(parser);
    default:
        return parser_stop(parser, parser->token.at,
                           "expected a value: a path, 'text', a number, [ or (");
    }
}

static const struct expr *
parse_filtered(struct parser *parser)
{
    enum token_kind before = parser->before;
    size_t at = parser->token.at;
    const struct expr *expr;

    if (parser->stopped)
        return NULL;
    expr = parse_primary(parser);
    if (!expr || parser->stopped)
        return NULL;
    if (parser->token.kind == TOKEN_PIPE)
        return parse_filters(parser, expr, at, before);
    if (parser->token.kind == TOKEN_OPEN)
        return parser_stop(parser, parser->token.at,
                           "there are no functions; a filter is written x | filter(arguments)");
    return expr;
}

/* Operators, from tight to loose */

struct sign_op {
    enum token_kind token;
    enum expr_op op;
};

/* PART, and more of them after one of the signs, from left to right. */
static const struct expr *
parse_chain(struct parser *parser, parse_fn *part, const struct sign_op *signs, size_t sign_count)
{
    size_t at = parser->token.at, i;
    const struct expr *result = part(parser);
    struct node_list list = {0};
    struct expr *chain;

    while (result) {
        for (i = 0; i < sign_count && signs[i].token != parser->token.kind; i++)
            ;
        if (i == sign_count)
            break;
        if (!list.count)
            node_list_add(&list, OP_ADD, result);
        parser_next(parser);
        result = part(parser);
        node_list_add(&list, signs[i].op, result);
    }
    if (!result)
        node_list_fini(&list);
    if (!list.count)
        return result;
    chain = parser_node(parser, EXPR_CHAIN, at);
    node_list_move(&list, chain, parser->env->code);
    return chain;
}

static const struct expr *
parse_product(struct parser *parser)
{
    static const struct sign_op signs[] = {
        {TOKEN_STAR, OP_MULTIPLY}, {TOKEN_SLASH, OP_DIVIDE}, {TOKEN_PERCENT, OP_REMAINDER}};

    return parse_chain(parser, parse_filtered, signs, ARRAY_LEN(signs));
}

static const struct expr *
parse_sum(struct parser *parser)
{
    static const struct sign_op signs[] = {{TOKEN_PLUS, OP_ADD}, {TOKEN_MINUS, OP_SUBTRACT}};

    return parse_chain(parser, parse_product, signs, ARRAY_LEN(signs));
}

static bool
at_default(const struct parser *parser)
{
    return parser->token.kind == TOKEN_DEFAULT;
}

static bool
at_or(const struct parser *parser)
{
    return parser_at_word(parser, "or");
}

static bool
at_and(const struct parser *parser)
{
    return parser_at_word(parser, "and");
}

/* PART, and more of them between which the same operator stands. */
static const struct expr *
parse_row(struct parser *parser, enum expr_kind kind, parse_fn *part,
          bool (*at_operator)(const struct parser *))
{
    size_t at = parser->token.at;
    const struct expr *result = part(parser);
    struct node_list list = {0};
    struct expr *row;

    while (result && at_operator(parser)) {
        if (!list.count)
            node_list_add(&list, OP_ADD, result);
        parser_next(parser);
        result = part(parser);
        node_list_add(&list, OP_ADD, result);
    }
    if (!result)
        node_list_fini(&list);
    if (!list.count)
        return result;
    row = parser_node(parser, kind, at);
    node_list_move(&list, row, parser->env->code);
    return row;
}

static const struct expr *
parse_default(struct parser *parser)
{
    return parse_row(parser, EXPR_DEFAULT, parse_sum, at_default);
}

/* The comparison that the next token is, if it is one. */
static bool
at_compare(const struct parser *parser, enum expr_op *op)
{
    static const struct sign_op signs[] = {
        {TOKEN_EQUAL, OP_EQUAL},     {TOKEN_NOT_EQUAL, OP_NOT_EQUAL},
        {TOKEN_LESS, OP_LESS},       {TOKEN_LESS_EQUAL, OP_LESS_EQUAL},
        {TOKEN_GREATER, OP_GREATER}, {TOKEN_GREATER_EQUAL, OP_GREATER_EQUAL}};
    static const struct {
        const char *word;
        enum expr_op op;
    } words[] = {{"in", OP_IN},
                 {"not", OP_NOT_IN},
                 {"contains", OP_CONTAINS},
                 {"starts_with", OP_STARTS_WITH},
                 {"ends_with", OP_ENDS_WITH},
                 {"matches", OP_MATCHES}};

    for (size_t i = 0; i < ARRAY_LEN(signs); i++) {
        if (parser->token.kind == signs[i].token) {
            *op = signs[i].op;
            return true;
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (parser_at_word(parser, words[i].word)) {
            *op = words[i].op;
            return true;
        }
    }
    return false;
}

static void
compile_regex(struct parser *parser, struct expr *compare, const struct expr *pattern)
{
    struct err err = {0};
    struct regex *regex;

    if (pattern->kind != EXPR_LITERAL || pattern->literal.kind != VALUE_TEXT) {
        parser_wrong(parser, pattern->at, "the right side of \"matches\" is quoted text");
        return;
    }
    regex = regex_new(pattern->literal.text, pattern->literal.len, &err);
    if (!regex) {
        parser_wrong(parser, pattern->at, "the regular expression is wrong: %s", err.msg);
        return;
    }
    compare->regex = code_add_regex(parser->env->code, regex);
}

static const struct expr *
make_compare(struct parser *parser, enum expr_op op, size_t at, const struct expr *left,
             const struct expr *right)
{
    struct expr *compare = parser_node(parser, EXPR_COMPARE, at);
    const struct expr **items = arena_alloc(&parser->env->code->arena, 2 * sizeof(items[0]));

    items[0] = left;
    items[1] = right;
    compare->op = op;
    compare->items = items;
    compare->count = 2;
    if (op == OP_MATCHES)
        compile_regex(parser, compare, right);
    return compare;
}

static const struct expr *
parse_compare(struct parser *parser)
{
    size_t at = parser->token.at;
    const struct expr *left = parse_default(parser), *right;
    enum expr_op op, again;

    if (!left || !at_compare(parser, &op))
        return left;
    if (op == OP_NOT_IN) {
        parser_next(parser);
        if (!parser_at_word(parser, "in"))
            return parser_stop(parser, parser->token.at,
                               "after a value, \"not\" goes with \"in\" only; "
                               "write not (a contains b), or a != b");
    }
    parser_next(parser);
    right = parse_default(parser);
    if (!right)
        return NULL;
    if (at_compare(parser, &again))
        return parser_stop(parser, parser->token.at,
                           "comparisons do not chain; join them with \"and\", or use brackets");
    return make_compare(parser, op, at, left, right);
}

static const struct expr *
parse_not(struct parser *parser)
{
    size_t at = parser->token.at, count = 0;
    const struct expr *inner;
    const struct expr **items;
    struct expr *expr;

    while (parser_at_word(parser, "not")) {
        parser_next(parser);
        count++;
    }
    inner = parse_compare(parser);
    if (!inner || !count)
        return inner;
    /* "not not x" is the truth of x: an "and" of one. */
    expr = parser_node(parser, count % 2 ? EXPR_NOT : EXPR_AND, at);
    items = arena_alloc(&parser->env->code->arena, sizeof(items[0]));
    items[0] = inner;
    expr->items = items;
    expr->count = 1;
    return expr;
}

static const struct expr *
parse_and(struct parser *parser)
{
    return parse_row(parser, EXPR_AND, parse_not, at_and);
}

static const struct expr *
parse_or(struct parser *parser)
{
    return parse_row(parser, EXPR_OR, parse_and, at_or);
}

const struct expr *
parse_choice(struct parser *parser)
{
    size_t at = parser->token.at;
    const struct expr *condition = parse_or(parser), *yes = NULL, *no = NULL;
    const struct expr **items;
    struct expr *choice;

    if (!condition || parser->token.kind != TOKEN_QUESTION)
        return condition;
    if (!parser_enter(parser))
        return NULL;
    parser_next(parser);
    yes = parse_choice(parser);
    if (yes && parser_expect(parser, TOKEN_COLON, "\":\" and what holds otherwise"))
        no = parse_choice(parser);
    parser_leave(parser);
    if (!no)
        return NULL;
    choice = parser_node(parser, EXPR_CHOICE, at);
    items = arena_alloc(&parser->env->code->arena, 3 * sizeof(items[0]));
    items[0] = condition;
    items[1] = yes;
    items[2] = no;
    choice->items = items;
    choice->count = 3;
    return choice;
}

static bool
start(struct parser *parser, const char *text, size_t len, size_t column, struct expr_env *env)
{
    *parser = (struct parser){.env = env, .column = column};
    parser->lexer = (struct lexer){.text = text, .len = len};
    if (len > EXPR_BYTES_MAX) {
        parser_stop(parser, 0, "the expression has %zu bytes, more than %d", len, EXPR_BYTES_MAX);
        return false;
    }
    parser->lexer.text = arena_text(&env->code->arena, text, len);
    parser_next(parser);
    parser->before = TOKEN_END;
    return !parser->stopped;
}

/* What to write for a word behind a value that is no operator; NULL where nobody knows. */
static const char *
advice_for_word(const struct parser *parser)
{
    static const struct {
        const char *word, *advice;
    } words[] = {
        {"is", "write \"==\" or \"!=\" to compare"},
        {"like", "write \"contains\", \"starts_with\", \"ends_with\" or \"matches\""},
        {"then", "a choice is written condition ? a : b"},
        {"AND", "write \"and\""},
        {"OR", "write \"or\""},
        {"IN", "write \"in\""},
        {"eq", "write \"==\""},
        {"ne", "write \"!=\""},
    };

    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (parser_at_word(parser, words[i].word))
            return words[i].advice;
    }
    return NULL;
}

static const struct expr *
finish(struct parser *parser, const struct expr *expr)
{
    const char *advice = advice_for_word(parser);

    if (expr && parser->token.kind != TOKEN_END)
        parser_stop(parser, parser->token.at, "expected an operator or the end%s%s",
                    advice ? "; " : "", advice ? advice : "");
    return parser->wrong ? NULL : expr;
}

const struct expr *
expr_parse(const char *text, size_t len, size_t column, struct expr_env *env)
{
    struct parser parser;

    if (!start(&parser, text, len, column, env))
        return NULL;
    return finish(&parser, parse_choice(&parser));
}

const struct expr *
expr_parse_path(const char *text, size_t len, struct expr_env *env)
{
    struct parser parser;
    const struct expr *expr;

    if (!start(&parser, text, len, 1, env))
        return NULL;
    expr = finish(&parser, parse_choice(&parser));
    if (!expr || expr->kind == EXPR_PATH)
        return expr;
    diag_error(env->diag, env->at, "%s: takes a path, such as payload.items, and nothing else",
               env->where);
    return NULL;
}
