/* Paths and filters: the parts of the parser that know names. */

#include <string.h>

#include "base/nearest.h"
#include "base/xalloc.h"
#include "rules/date.h"
#include "rules/decimal.h"
#include "rules/filter_text.h"
#include "rules/parser.h"

/* Paths */

static const struct {
    const char *name;
    enum path_root root;
} METADATA[] = {
    {"@root", PATH_ROOT},           {"@payload", PATH_PAYLOAD}, {"@topic", PATH_TOPIC},
    {"@partition", PATH_PARTITION}, {"@offset", PATH_OFFSET},   {"@key", PATH_KEY},
    {"@timestamp", PATH_TIMESTAMP}, {"@headers", PATH_HEADERS}, {"@index", PATH_INDEX},
};

struct step_list {
    struct path_step *items;
    size_t count, cap;
};

static void
add_step(struct step_list *list, struct path_step step)
{
    list->items = xgrow(list->items, list->count, &list->cap, sizeof(step));
    list->items[list->count++] = step;
}

/* The next token, a word, as a step. */
static void
take_key(struct parser *parser, struct step_list *list)
{
    add_step(list, (struct path_step){.kind = STEP_KEY,
                                      .key = parser->lexer.text + parser->token.at,
                                      .key_len = parser->token.len});
    parser_next(parser);
}

static bool
take_root(struct parser *parser, struct path *path, struct step_list *list)
{
    const struct token *token = &parser->token;
    const char *text = parser->lexer.text + token->at;
    char name[32];
    struct nearest nearest;

    if (token->kind == TOKEN_WORD) {
        path->root = PATH_FIELD;
        path->names_item = parser_at_word(parser, "item");
        take_key(parser, list);
        return true;
    }
    for (size_t i = 0; i < ARRAY_LEN(METADATA); i++) {
        if (strlen(METADATA[i].name) == token->len && !memcmp(METADATA[i].name, text, token->len)) {
            path->root = METADATA[i].root;
            parser->env->uses_index |= path->root == PATH_INDEX;
            parser_next(parser);
            return true;
        }
    }
    snprintf(name, sizeof(name), "%.*s", (int)token->len, text);
    nearest_init(&nearest, name);
    for (size_t i = 0; i < ARRAY_LEN(METADATA); i++)
        nearest_try(&nearest, METADATA[i].name);
    if (nearest_best(&nearest))
        parser_stop(parser, token->at, "there is no %s; did you mean %s?", name,
                    nearest_best(&nearest));
    else
        parser_stop(parser, token->at,
                    "there is no %s; there are @topic @partition @offset @key @timestamp "
                    "@headers @payload @root @index",
                    name);
    return false;
}

static bool
take_index(struct parser *parser, struct step_list *list)
{
    size_t at = parser->token.at, end;
    bool whole;
    int64_t index = 0;
    double real;

    if (parser->token.kind == TOKEN_MINUS) {
        parser_next(parser);
        if (parser->token.kind != TOKEN_NUMBER || parser->token.at != at + 1) {
            parser_stop(parser, at, "expected a whole number after \"-\"");
            return false;
        }
    }
    end = parser->token.at + parser->token.len;
    if (!decimal_read(parser->lexer.text + at, end - at, &whole, &index, &real) || !whole) {
        parser_stop(parser, at, "the place of an element is a whole number");
        return false;
    }
    add_step(list, (struct path_step){.kind = STEP_INDEX, .index = index});
    parser_next(parser);
    return true;
}

static bool
take_bracket(struct parser *parser, struct step_list *list)
{
    struct path_step step = {.kind = STEP_KEY};

    parser_next(parser);
    switch (parser->token.kind) {
    case TOKEN_TEXT:
        step.key = parser_text(parser, &parser->token, &step.key_len);
        add_step(list, step);
        parser_next(parser);
        break;
    case TOKEN_STAR:
        add_step(list, (struct path_step){.kind = STEP_ALL});
        parser_next(parser);
        break;
    case TOKEN_NUMBER:
    case TOKEN_MINUS:
        if (!take_index(parser, list))
            return false;
        break;
    default:
        parser_stop(parser, parser->token.at,
                    "between the brackets of a path stands a whole number, * or a quoted name");
        return false;
    }
    return parser_expect(parser, TOKEN_CLOSE_ARRAY, "\"]\"");
}

static bool
take_steps(struct parser *parser, struct step_list *list)
{
    while (!parser->stopped) {
        if (parser->token.kind == TOKEN_DOT) {
            parser_next(parser);
            if (parser->token.kind != TOKEN_WORD) {
                parser_stop(parser, parser->token.at,
                            "expected a name after \".\"; other names are written ['…']");
                return false;
            }
            take_key(parser, list);
        } else if (parser->token.kind != TOKEN_OPEN_ARRAY) {
            return true;
        } else if (!take_bracket(parser, list)) {
            return false;
        }
    }
    return false;
}

const struct expr *
parse_path(struct parser *parser)
{
    struct arena *arena = &parser->env->code->arena;
    size_t at = parser->token.at;
    struct step_list list = {0};
    struct path *path = arena_alloc(arena, sizeof(*path));
    struct expr *expr;
    bool ok;

    *path = (struct path){0};
    ok = take_root(parser, path, &list) && take_steps(parser, &list);
    path->step_count = list.count;
    path->steps = arena_alloc(arena, list.count * sizeof(list.items[0]));
    if (list.count)
        memcpy(path->steps, list.items, list.count * sizeof(list.items[0]));
    xfree(list.items);
    if (!ok)
        return NULL;
    while (path->first_all < path->step_count && path->steps[path->first_all].kind != STEP_ALL)
        path->first_all++;
    expr = parser_node(parser, EXPR_PATH, at);
    expr->path = path;
    return expr;
}

/* Filters */

static void
unknown_filter(struct parser *parser, const struct token *token)
{
    char name[64];
    struct nearest nearest;

    snprintf(name, sizeof(name), "%.*s", (int)token->len, parser->lexer.text + token->at);
    nearest_init(&nearest, name);
    for (size_t i = 0; i < filter_count(); i++)
        nearest_try(&nearest, filter_at(i)->name);
    if (nearest_best(&nearest))
        parser_wrong(parser, token->at, "there is no filter \"%s\"; did you mean \"%s\"?", name,
                     nearest_best(&nearest));
    else
        parser_wrong(parser, token->at, "there is no filter \"%s\"", name);
}

static void
unknown_table(struct parser *parser, const struct expr *arg)
{
    const struct table_set *tables = parser->env->tables;
    struct nearest nearest;

    nearest_init(&nearest, arg->literal.text);
    for (size_t i = 0; i < tables->count; i++)
        nearest_try(&nearest, tables->tables[i].name);
    if (nearest_best(&nearest))
        parser_wrong(parser, arg->at, "there is no table \"%s\"; did you mean \"%s\"?",
                     arg->literal.text, nearest_best(&nearest));
    else
        parser_wrong(parser, arg->at, "there is no table \"%s\" in tables", arg->literal.text);
}

/* Arguments that are a quoted text, which parser_text ended with a NUL. */

static void
take_table(struct parser *parser, struct filter_use *use, const struct expr *arg)
{
    use->table = table_set_find(parser->env->tables, arg->literal.text, arg->literal.len);
    if (!use->table)
        unknown_table(parser, arg);
}

static void
take_regex(struct parser *parser, struct filter_use *use, const struct expr *arg)
{
    struct err err = {0};
    struct regex *regex = regex_new(arg->literal.text, arg->literal.len, &err);

    if (!regex) {
        parser_wrong(parser, arg->at, "the regular expression is wrong: %s", err.msg);
        return;
    }
    use->regex = code_add_regex(parser->env->code, regex);
    if (!regex_group_count(regex))
        parser_wrong(
            parser, arg->at,
            "match gives what the first group found, and there is none; put brackets around "
            "what you want");
}

static void
take_format(struct parser *parser, struct filter_use *use, const struct expr *arg)
{
    struct err err = {0};

    use->format = arg->literal.text;
    if (date_check_format(use->format, &err) < 0)
        parser_wrong(parser, arg->at, "%s", err.msg);
}

static void
take_offset(struct parser *parser, struct filter_use *use, const struct expr *arg)
{
    struct err err = {0};

    if (date_read_offset(arg->literal.text, arg->literal.len, &use->offset_s, &err) < 0)
        parser_wrong(parser, arg->at, "%s", err.msg);
}

static void
take_arg(struct parser *parser, struct filter_use *use, size_t i, const struct expr *arg)
{
    static const struct {
        const char *what;
        void (*take)(struct parser *, struct filter_use *, const struct expr *);
    } texts[] = {
        [FILTER_ARG_TABLE] = {"the name of a table", take_table},
        [FILTER_ARG_REGEX] = {"the regular expression", take_regex},
        [FILTER_ARG_FORMAT] = {"the format of a date", take_format},
        [FILTER_ARG_OFFSET] = {"an offset", take_offset},
    };
    enum filter_arg kind = use->filter->args[i];

    if (kind == FILTER_ARG_VALUE || kind == FILTER_ARG_FALLBACK)
        use->args[i] = arg;
    else if (arg->kind != EXPR_LITERAL || arg->literal.kind != VALUE_TEXT)
        parser_wrong(parser, arg->at, "%s is quoted text", texts[kind].what);
    else
        texts[kind].take(parser, use, arg);
}

static bool
parse_args(struct parser *parser, struct node_list *args)
{
    bool ok = true;

    if (parser->token.kind != TOKEN_OPEN)
        return !parser->stopped;
    if (!parser_enter(parser))
        return false;
    parser_next(parser);
    while (ok && parser->token.kind != TOKEN_CLOSE) {
        const struct expr *arg = NULL;

        if (!args->count || parser_expect(parser, TOKEN_COMMA, "\",\" or \")\""))
            arg = parse_choice(parser);
        ok = arg != NULL;
        if (ok)
            node_list_add(args, OP_ADD, arg);
    }
    parser_leave(parser);
    return ok && parser_expect(parser, TOKEN_CLOSE, "\")\"");
}

static void
check_use(struct parser *parser, struct filter_use *use, const struct node_list *args)
{
    const struct filter *filter = use->filter;

    if (args->count < filter->min_args || args->count > filter->max_args) {
        parser_wrong(parser, use->at, "wrong number of arguments; it is written %s%s", filter->name,
                     filter->args_doc);
        return;
    }
    for (size_t i = 0; i < args->count; i++)
        take_arg(parser, use, i, args->items[i]);
    if (filter->fn == filter_slug)
        use->regex = code_add_regex(parser->env->code, regex_new_own(FILTER_SLUG_PATTERN));
}

static bool
parse_filter(struct parser *parser, struct filter_use *use)
{
    struct token name;
    struct node_list args = {0};
    bool ok;

    parser_next(parser);
    name = parser->token;
    if (name.kind != TOKEN_WORD) {
        parser_stop(parser, name.at, "expected the name of a filter after \"|\"");
        return false;
    }
    *use = (struct filter_use){.at = name.at};
    use->filter = filter_find(parser->lexer.text + name.at, name.len);
    if (!use->filter)
        unknown_filter(parser, &name);
    parser_next(parser);
    ok = parse_args(parser, &args);
    use->arg_count = args.count;
    use->len = parser->before_end - name.at;
    if (ok && use->filter)
        check_use(parser, use, &args);
    node_list_fini(&args);
    return ok;
}

/* Which operand takes no filter without brackets: one of the two readings is always a surprise. */
static const char *
binding_sign(enum token_kind before)
{
    switch (before) {
    case TOKEN_DEFAULT:
        return "??";
    case TOKEN_PLUS:
        return "+";
    case TOKEN_MINUS:
        return "-";
    case TOKEN_STAR:
        return "*";
    case TOKEN_SLASH:
        return "/";
    case TOKEN_PERCENT:
        return "%";
    case TOKEN_QUESTION:
        return "?";
    case TOKEN_COLON:
        return ":";
    default:
        return NULL;
    }
}

const struct expr *
parse_filters(struct parser *parser, const struct expr *input, size_t at, enum token_kind before)
{
    const char *sign = binding_sign(before);
    struct filter_use *uses = NULL, *copy;
    size_t count = 0, cap = 0;
    struct expr *expr;
    const struct expr **items;
    bool ok = true;

    if (before == TOKEN_QUESTION || before == TOKEN_COLON)
        parser_wrong(parser, parser->token.at,
                     "a filter directly after an operand of \"%s\" needs brackets: write "
                     "(b | filter) for the branch, or (c ? a : b) | filter for the whole",
                     sign);
    else if (sign)
        parser_wrong(parser, parser->token.at,
                     "a filter directly after an operand of \"%s\" needs brackets: "
                     "(a %s b) | filter, or a %s (b | filter)",
                     sign, sign, sign);
    while (ok && parser->token.kind == TOKEN_PIPE) {
        uses = xgrow(uses, count, &cap, sizeof(uses[0]));
        ok = parse_filter(parser, &uses[count++]);
    }
    copy = arena_alloc(&parser->env->code->arena, count * sizeof(uses[0]));
    memcpy(copy, uses, count * sizeof(uses[0]));
    xfree(uses);
    if (!ok)
        return NULL;
    items = arena_alloc(&parser->env->code->arena, sizeof(items[0]));
    items[0] = input;
    expr = parser_node(parser, EXPR_FILTERED, at);
    expr->items = items;
    expr->count = count;
    expr->filters = copy;
    return expr;
}
