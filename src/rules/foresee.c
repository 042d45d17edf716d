#include "rules/foresee.h"

#include <string.h>

enum {
    TEXTS = FORESEE_TEXT | FORESEE_EMPTY,
    SCALARS = FORESEE_NUMBER | FORESEE_BOOL, /* that have a text, which is never empty */
    STRUCTURES = FORESEE_ARRAY | FORESEE_OBJECT
};

/* Paths and what conditions say of them */

static bool
same_step(const struct path_step *a, const struct path_step *b)
{
    if (a->kind != b->kind)
        return false;
    if (a->kind == STEP_KEY)
        return a->key_len == b->key_len && !memcmp(a->key, b->key, a->key_len);
    return a->kind == STEP_ALL || a->index == b->index;
}

static bool
same_path(const struct path *a, const struct path *b)
{
    if (a->root != b->root || a->names_item != b->names_item || a->step_count != b->step_count)
        return false;
    for (size_t i = 0; i < a->step_count; i++) {
        if (!same_step(&a->steps[i], &b->steps[i]))
            return false;
    }
    return true;
}

static bool
is_path(const struct expr *expr, const struct path *path)
{
    return expr->kind == EXPR_PATH && same_path(expr->path, path);
}

static unsigned
kind_of(const struct value *value)
{
    switch (value->kind) {
    case VALUE_NULL:
        return FORESEE_NULL;
    case VALUE_BOOL:
        return FORESEE_BOOL;
    case VALUE_INT:
    case VALUE_REAL:
        return FORESEE_NUMBER;
    case VALUE_TEXT:
        return value->len ? FORESEE_TEXT : FORESEE_EMPTY;
    case VALUE_ARRAY:
        return FORESEE_ARRAY;
    case VALUE_OBJECT:
        break;
    }
    return FORESEE_OBJECT;
}

/* The comparison of PATH with a literal that EXPR is, with its operator; NULL when it is none. */
static const struct value *
compared(const struct expr *expr, const struct path *path)
{
    bool either = expr->op == OP_EQUAL || expr->op == OP_NOT_EQUAL;

    if (expr->kind != EXPR_COMPARE || expr->op == OP_MATCHES)
        return NULL;
    if (is_path(expr->items[0], path) && expr->items[1]->kind == EXPR_LITERAL)
        return &expr->items[1]->literal;
    if (either && is_path(expr->items[1], path) && expr->items[0]->kind == EXPR_LITERAL)
        return &expr->items[0]->literal;
    return NULL;
}

/* The kinds of the elements of LITERAL; none when it is no array. */
static unsigned
kinds_within(const struct value *literal)
{
    unsigned kinds = 0;

    for (size_t i = 0; literal->kind == VALUE_ARRAY && i < literal->len; i++)
        kinds |= kind_of(&literal->items[i]);
    return kinds;
}

/* The only null, and the only empty text, is ruled out by being unequal. */
static unsigned
ruled_out_by_unequal(unsigned kinds)
{
    return kinds & (FORESEE_NULL | FORESEE_EMPTY);
}

/* What matches is a text, or a number by its text. */
static unsigned
ruled_out_by_match(const struct expr *expr, bool truth, const struct path *path)
{
    unsigned matched = FORESEE_TEXT | FORESEE_NUMBER;

    if (!truth || !is_path(expr->items[0], path))
        return 0;
    if (regex_may_match_empty(expr->regex))
        matched |= FORESEE_EMPTY;
    return FORESEE_ANY & ~matched;
}

static unsigned
ruled_out_by_compare(const struct expr *expr, bool truth, const struct path *path)
{
    const struct value *literal = compared(expr, path);

    if (expr->op == OP_MATCHES)
        return ruled_out_by_match(expr, truth, path);
    if (!literal)
        return 0;
    switch (expr->op) {
    case OP_EQUAL:
    case OP_NOT_EQUAL:
        if (truth == (expr->op == OP_EQUAL))
            return FORESEE_ANY & ~kind_of(literal);
        return ruled_out_by_unequal(kind_of(literal));
    case OP_IN:
    case OP_NOT_IN:
        if (truth == (expr->op == OP_IN))
            return FORESEE_ANY & ~kinds_within(literal);
        return ruled_out_by_unequal(kinds_within(literal));
    case OP_STARTS_WITH:
    case OP_ENDS_WITH:
        if (!truth)
            return 0;
        return FORESEE_ANY & ~(literal->kind == VALUE_TEXT && literal->len ? FORESEE_TEXT : TEXTS);
    default:
        return 0;
    }
}

/* The kinds that PATH is not of where CONDITION is TRUTH. */
static unsigned
ruled_out(const struct expr *condition, bool truth, const struct path *path)
{
    unsigned kinds = 0;

    switch (condition->kind) {
    case EXPR_PATH:
        return truth && same_path(condition->path, path) ? FORESEE_NULL | FORESEE_EMPTY : 0;
    case EXPR_NOT:
        return ruled_out(condition->items[0], !truth, path);
    case EXPR_AND:
    case EXPR_OR:
        if (truth != (condition->kind == EXPR_AND))
            return 0;
        for (size_t i = 0; i < condition->count; i++)
            kinds |= ruled_out(condition->items[i], truth, path);
        return kinds;
    case EXPR_COMPARE:
        return ruled_out_by_compare(condition, truth, path);
    default:
        return 0;
    }
}

static unsigned
foresee_record(const struct path *path)
{
    bool header = path->root == PATH_HEADERS && path->step_count && path->steps[0].kind == STEP_KEY;

    if (path->step_count > header)
        return FORESEE_NULL;
    switch (path->root) {
    case PATH_TOPIC:
        return FORESEE_TEXT;
    case PATH_KEY:
        return FORESEE_NULL | TEXTS;
    case PATH_TIMESTAMP:
        return FORESEE_NULL | FORESEE_NUMBER;
    case PATH_HEADERS:
        return header ? FORESEE_NULL | TEXTS : FORESEE_OBJECT;
    default:
        return FORESEE_NUMBER;
    }
}

static unsigned
foresee_path(const struct path *path, const struct foresight *sight)
{
    unsigned kinds = FORESEE_ANY;

    if (path->root != PATH_FIELD && path->root != PATH_ROOT && path->root != PATH_PAYLOAD)
        kinds = foresee_record(path);
    else if (path->first_all < path->step_count)
        kinds = FORESEE_NULL | FORESEE_ARRAY;
    for (const struct fact *fact = sight->facts; fact; fact = fact->next)
        kinds &= ~ruled_out(fact->condition, fact->truth, path);
    return kinds;
}

/* Operators */

static unsigned
foresee_choice(const struct expr *expr, const struct foresight *sight)
{
    struct fact fact = {expr->items[0], true, sight->facts};
    struct foresight within = *sight;
    unsigned kinds;

    within.facts = &fact;
    kinds = foresee(expr->items[1], &within);
    fact.truth = false;
    return kinds | foresee(expr->items[2], &within);
}

static unsigned
foresee_default(const struct expr *expr, const struct foresight *sight)
{
    unsigned kinds = FORESEE_NULL;

    for (size_t i = 0; i < expr->count && (kinds & FORESEE_NULL); i++)
        kinds = (kinds & ~(unsigned)FORESEE_NULL) | foresee(expr->items[i], sight);
    return kinds;
}

static unsigned
foresee_sum(enum expr_op op, unsigned a, unsigned b)
{
    bool texts = op == OP_ADD && !((a | b) & ~(unsigned)TEXTS);
    unsigned kinds = texts ? 0 : FORESEE_NULL;

    if ((a & FORESEE_NUMBER) && (b & FORESEE_NUMBER))
        kinds |= FORESEE_NUMBER;
    if (op != OP_ADD || !(a & TEXTS) || !(b & TEXTS))
        return kinds;
    if ((a | b) & FORESEE_TEXT)
        kinds |= FORESEE_TEXT;
    if (a & b & FORESEE_EMPTY)
        kinds |= FORESEE_EMPTY;
    return kinds;
}

static unsigned
foresee_chain(const struct expr *expr, const struct foresight *sight)
{
    unsigned kinds = foresee(expr->items[0], sight);

    for (size_t i = 1; i < expr->count; i++)
        kinds = foresee_sum(expr->ops[i], kinds, foresee(expr->items[i], sight));
    return kinds;
}

/* Filters. Each row says what becomes of an input of one kind; an array has its own column, which
 * counts for filters that take it as a whole. */

static const struct outcome {
    const char *filter;
    unsigned of_bool, of_number, of_empty, of_text, of_array, of_object;
} OUTCOMES[] = {
#define N FORESEE_NULL
#define B FORESEE_BOOL
#define D FORESEE_NUMBER
#define E FORESEE_EMPTY
#define T FORESEE_TEXT
#define A FORESEE_ARRAY
#define O FORESEE_OBJECT
    {"lower", T, T, E, T, A, N},
    {"upper", T, T, E, T, A, N},
    {"title", T, T, E, T, A, N},
    {"trim", T, T, E, E | T, A, N},
    {"slug", E | T, E | T, E, E | T, A, N},
    {"replace", E | T, E | T, E, E | T, A, N},
    {"split", A, A, A, A, A, N},
    {"join", T, T, E, T, N | E | T, N},
    {"prefix", T, T, E, T, A, N},
    {"suffix", T, T, E, T, A, N},
    {"substr", N | E | T, N | E | T, N | E, N | E | T, A, N},
    {"first", B, D, E, T, FORESEE_ANY, O},
    {"last", B, D, E, T, FORESEE_ANY, O},
    {"length", N, N, D, D, D, D},
    {"unique", A, A, A, A, A, A},
    {"sort", A, A, A, A, A, A},
    {"keys", N, N, N, N, N, A},
    {"sum", D, D, D, D, N | D, D},
    {"min", N, D, N, N, N | D, N},
    {"max", N, D, N, N, N | D, N},
    {"number", N, D, N, N | D, A, N},
    {"round", N, N | D, N, N, A, N},
    {"fixed", N, N | T, N, N, A, N},
    {"json", T, T, T, T, T, T},
    {"date", N, N | E | T, N, N | E | T, A, N},
    {"epoch", N, N | D, N, N | D, A, N},
    {"match", N | E | T, N | E | T, N | E, N | E | T, A, N},
#undef N
#undef B
#undef D
#undef E
#undef T
#undef A
#undef O
};

const struct spec_table *
foresee_table(const struct filter_use *use, const struct foresight *sight)
{
    for (size_t i = 0; use->table && i < sight->table_count; i++) {
        if (!strcmp(sight->tables[i].name.text, use->table->name))
            return &sight->tables[i];
    }
    return NULL;
}

static unsigned
foresee_lookup(const struct filter_use *use, unsigned input, const struct foresight *sight)
{
    const struct spec_table *table = foresee_table(use, sight);
    unsigned kinds = use->args[1] ? foresee(use->args[1], sight) : FORESEE_NULL;

    for (size_t i = 0; table && i < table->entries.count; i++)
        kinds |= *table->entries.items[i].value.text ? FORESEE_TEXT : FORESEE_EMPTY;
    if (!(input & (TEXTS | SCALARS)))
        kinds = 0;
    if (input & (FORESEE_NULL | FORESEE_OBJECT))
        kinds |= FORESEE_NULL;
    return kinds | (input & FORESEE_ARRAY);
}

static unsigned
foresee_replacement(const struct filter_use *use, unsigned input, const struct foresight *sight)
{
    unsigned replaced = FORESEE_NULL | FORESEE_EMPTY, kinds = input & ~replaced;

    if (input & (replaced | FORESEE_ARRAY))
        kinds |= foresee(use->args[0], sight);
    return kinds;
}

static unsigned
foresee_row(const char *filter, unsigned input)
{
    unsigned kinds = 0;

    for (size_t i = 0; i < ARRAY_LEN(OUTCOMES); i++) {
        const struct outcome *row = &OUTCOMES[i];

        if (strcmp(row->filter, filter) != 0)
            continue;
        kinds |= input & FORESEE_BOOL ? row->of_bool : 0;
        kinds |= input & FORESEE_NUMBER ? row->of_number : 0;
        kinds |= input & FORESEE_EMPTY ? row->of_empty : 0;
        kinds |= input & FORESEE_TEXT ? row->of_text : 0;
        kinds |= input & FORESEE_ARRAY ? row->of_array : 0;
        kinds |= input & FORESEE_OBJECT ? row->of_object : 0;
        return kinds;
    }
    return FORESEE_ANY;
}

static unsigned
foresee_filter(const struct filter_use *use, unsigned input, const struct foresight *sight)
{
    const struct filter *filter = use->filter;
    unsigned kinds, spoilt = 0;

    if (use->table)
        return foresee_lookup(use, input, sight);
    if (!strcmp(filter->name, "default"))
        return foresee_replacement(use, input, sight);
    kinds = foresee_row(filter->name, input);
    if (use->format && *use->format)
        kinds &= ~(unsigned)FORESEE_EMPTY;
    if (use->regex && regex_first_group(use->regex) == REGEX_GROUP_FILLED)
        kinds &= ~(unsigned)FORESEE_EMPTY;
    if (input & FORESEE_NULL)
        kinds |= strcmp(filter->name, "length") ? FORESEE_NULL : FORESEE_NUMBER;
    /* An argument that is null, or no text where one is wanted. */
    for (size_t i = 0; i < FILTER_ARGS_MAX; i++) {
        unsigned arg = use->args[i] ? foresee(use->args[i], sight) : FORESEE_TEXT;

        if (arg == FORESEE_NULL)
            return FORESEE_NULL;
        spoilt |= arg & (FORESEE_NULL | STRUCTURES);
    }
    return kinds | (spoilt ? FORESEE_NULL : 0);
}

static unsigned
foresee_filtered(const struct expr *expr, const struct foresight *sight)
{
    unsigned kinds = foresee(expr->items[0], sight);

    for (size_t i = 0; i < expr->count; i++)
        kinds = foresee_filter(&expr->filters[i], kinds, sight);
    return kinds;
}

unsigned
foresee(const struct expr *expr, const struct foresight *sight)
{
    switch (expr->kind) {
    case EXPR_LITERAL:
        return kind_of(&expr->literal);
    case EXPR_ARRAY:
        return FORESEE_ARRAY;
    case EXPR_PATH:
        return foresee_path(expr->path, sight);
    case EXPR_CHOICE:
        return foresee_choice(expr, sight);
    case EXPR_OR:
    case EXPR_AND:
    case EXPR_NOT:
    case EXPR_COMPARE:
        return FORESEE_BOOL;
    case EXPR_DEFAULT:
        return foresee_default(expr, sight);
    case EXPR_CHAIN:
        return foresee_chain(expr, sight);
    case EXPR_FILTERED:
        return foresee_filtered(expr, sight);
    }
    return FORESEE_ANY;
}

/* Which texts a path cannot have */

/* Whether LITERAL is a scalar with the text KEY, or holds one: filters look at each element. */
static bool
has_text(const struct value *literal, const char *key)
{
    struct arena arena;
    struct value text;
    bool same = false;

    for (size_t i = 0; literal->kind == VALUE_ARRAY && i < literal->len; i++) {
        if (has_text(&literal->items[i], key))
            return true;
    }

    arena_init(&arena, 256);
    if (value_as_text(literal, &arena, &text))
        same = text.len == strlen(key) && !memcmp(text.text, key, text.len);
    arena_fini(&arena);
    return same;
}

/* Whether only LITERAL itself has the text KEY: no number or boolean is written that way. */
static bool
alone_has_text(const struct value *literal, const char *key)
{
    bool letters = *key && !strchr("+-.0123456789", *key);

    return literal->kind == VALUE_TEXT && letters && strcmp(key, "true") != 0 &&
           strcmp(key, "false") != 0 && has_text(literal, key);
}

/* "not (path contains literal)": no element is LITERAL, and no text holds it. */
static bool
lack_excludes(const struct expr *expr, const struct path *path, const char *key)
{
    const struct value *literal = compared(expr, path);

    return literal && alone_has_text(literal, key);
}

static bool
compare_excludes(const struct expr *expr, bool truth, const struct path *path, const char *key)
{
    const struct value *literal = compared(expr, path);
    bool among = expr->op == OP_IN || expr->op == OP_NOT_IN;
    bool equal = expr->op == OP_EQUAL || expr->op == OP_IN;
    size_t count;

    if (expr->op == OP_CONTAINS)
        return !truth && lack_excludes(expr, path, key);
    if (!literal || !(among || equal || expr->op == OP_NOT_EQUAL))
        return false;
    if (among && literal->kind != VALUE_ARRAY)
        return false;
    count = among ? literal->len : 1;
    for (size_t i = 0; i < count; i++) {
        const struct value *one = among ? &literal->items[i] : literal;

        if (truth == equal && has_text(one, key))
            return false;
        /* What [*] finds is an array, which no text is equal to. */
        if (truth != equal && path->first_all == path->step_count && alone_has_text(one, key))
            return true;
    }
    return truth == equal;
}

bool
foresee_lacks(const struct value *literal, const char *key)
{
    return !has_text(literal, key);
}

bool
foresee_excludes(const struct expr *condition, bool truth, const struct path *path, const char *key)
{
    bool all = truth != (condition->kind == EXPR_AND);

    switch (condition->kind) {
    case EXPR_NOT:
        return foresee_excludes(condition->items[0], !truth, path, key);
    case EXPR_AND:
    case EXPR_OR:
        for (size_t i = 0; i < condition->count; i++) {
            if (foresee_excludes(condition->items[i], truth, path, key) != all)
                return !all;
        }
        return all;
    case EXPR_COMPARE:
        return compare_excludes(condition, truth, path, key);
    default:
        return false;
    }
}
