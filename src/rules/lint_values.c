/* Lints of values: e-mails with capitals, templates that never give anything, constants of other
 * languages, entries of tables that nobody can look up. */
#include <string.h>

#include "rules/lint_state.h"

static bool
has_capital(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (text[i] >= 'A' && text[i] <= 'Z')
            return true;
    }
    return false;
}

static bool may_have_capitals(const struct expr *expr, const struct foresight *sight);

static bool
filters_leave_capitals(const struct expr *expr, const struct foresight *sight)
{
    static const char *const lowering[] = {"lower", "slug",  "length", "number", "round",
                                           "fixed", "epoch", "sum",    "min",    "max"};

    for (size_t i = expr->count; i > 0; i--) {
        const struct filter_use *use = &expr->filters[i - 1];
        const struct spec_table *table = foresee_table(use, sight);

        for (size_t k = 0; k < ARRAY_LEN(lowering); k++) {
            if (!strcmp(use->filter->name, lowering[k]))
                return false;
        }
        if (!table)
            continue;
        for (size_t k = 0; k < table->entries.count; k++) {
            const char *text = table->entries.items[k].value.text;

            if (has_capital(text, strlen(text)))
                return true;
        }
        return use->args[1] && may_have_capitals(use->args[1], sight);
    }
    return may_have_capitals(expr->items[0], sight);
}

static bool
may_have_capitals(const struct expr *expr, const struct foresight *sight)
{
    switch (expr->kind) {
    case EXPR_LITERAL:
        return expr->literal.kind == VALUE_TEXT &&
               has_capital(expr->literal.text, expr->literal.len);
    case EXPR_PATH:
        return (foresee(expr, sight) & FORESEE_TEXT) != 0;
    case EXPR_CHOICE:
        return may_have_capitals(expr->items[1], sight) || may_have_capitals(expr->items[2], sight);
    case EXPR_DEFAULT:
    case EXPR_CHAIN:
        for (size_t i = 0; i < expr->count; i++) {
            if (may_have_capitals(expr->items[i], sight))
                return true;
        }
        return false;
    case EXPR_FILTERED:
        return filters_leave_capitals(expr, sight);
    default:
        return false;
    }
}

static void
find_capitals(const struct lint_state *state, const struct lint_rule *rule,
              const struct lint_text *text)
{
    struct foresight sight = {state->spec->tables, state->spec->table_count, NULL};
    bool found = false, has_expr = false;

    for (size_t i = 0; i < text->template.count; i++) {
        const struct template_part *part = &text->template.parts[i];

        has_expr |= part->expr != NULL;
        found |=
            part->expr ? may_have_capitals(part->expr, &sight) : has_capital(part->text, part->len);
    }
    if (found)
        lint_say(state, LINT_EMAIL_WITHOUT_LOWER, rule, text,
                 "may hold capitals, so that one person who is written in two ways becomes two "
                 "contacts; %s",
                 has_expr ? "end each expression with \"| lower\"" : "write it in small letters");
}

/* What is nothing whatever the event: the whole template, or a part that is null. */
static void
find_nothing(const struct lint_state *state, const struct lint_rule *rule,
             const struct lint_text *text)
{
    struct fact when = {rule ? rule->when : NULL, true, NULL};
    struct foresight sight = {state->spec->tables, state->spec->table_count,
                              rule && rule->when ? &when : NULL};
    unsigned allowed = FORESEE_NULL | (text->template.count == 1 ? FORESEE_EMPTY : 0);

    if (!text->template.count)
        lint_say(state, LINT_ALWAYS_LEFT_OUT, rule, text,
                 "it is empty, and so it is always left out; write what it should be, or drop it");
    for (size_t i = 0; i < text->template.count; i++) {
        const struct template_part *part = &text->template.parts[i];
        unsigned kinds = part->expr ? foresee(part->expr, &sight) : FORESEE_TEXT;

        if (!kinds || (kinds & ~allowed))
            continue;
        lint_say(state, LINT_ALWAYS_LEFT_OUT, rule, text,
                 "${%.*s} is %s whatever the event, and so the setting is always left out; correct "
                 "the expression, or drop it",
                 (int)part->len, part->text,
                 kinds == FORESEE_NULL    ? "null"
                 : kinds == FORESEE_EMPTY ? "empty"
                                          : "null or empty");
        return;
    }
}

/* Constants of other languages */

struct foreign {
    const char *word, *meant;
};

static const struct foreign FOREIGN[] = {
    {"True", "true"},    {"TRUE", "true"},     {"False", "false"}, {"FALSE", "false"},
    {"None", "null"},    {"NULL", "null"},     {"Null", "null"},   {"nil", "null"},
    {"nullptr", "null"}, {"undefined", "null"}};

static const struct foreign *
foreign_of(const struct path *path)
{
    const struct path_step *step = path->steps;

    if (path->root != PATH_FIELD || path->step_count != 1)
        return NULL;
    for (size_t i = 0; i < ARRAY_LEN(FOREIGN); i++) {
        if (step->key_len == strlen(FOREIGN[i].word) &&
            memcmp(step->key, FOREIGN[i].word, step->key_len) == 0)
            return &FOREIGN[i];
    }
    return NULL;
}

/* The first of them in EXPR, or NULL. */
static const struct foreign *
find_foreign(const struct expr *expr)
{
    size_t items = expr->kind == EXPR_FILTERED ? 1 : expr->count;
    const struct foreign *found = NULL;

    if (expr->kind == EXPR_PATH)
        return foreign_of(expr->path);
    if (expr->kind == EXPR_LITERAL)
        return NULL;
    for (size_t i = 0; !found && i < items; i++)
        found = find_foreign(expr->items[i]);
    for (size_t i = 0; expr->kind == EXPR_FILTERED && i < expr->count; i++) {
        for (size_t k = 0; !found && k < FILTER_ARGS_MAX; k++) {
            if (expr->filters[i].args[k])
                found = find_foreign(expr->filters[i].args[k]);
        }
    }
    return found;
}

static void
look_for_foreign(const struct lint_state *state, const struct lint_rule *rule,
                 const struct lint_text *text, const struct expr *expr)
{
    const struct foreign *found = find_foreign(expr);

    if (found)
        lint_say(state, LINT_FOREIGN_CONSTANT, rule, text,
                 "\"%s\" is a field of that name here; the constant is written %s, and a field of "
                 "that name @root.%s",
                 found->word, found->meant, found->word);
}

static void
look_at_text(const struct lint_state *state, const struct lint_rule *rule,
             const struct lint_text *text)
{
    find_nothing(state, rule, text);
    for (size_t i = 0; i < text->template.count; i++) {
        if (text->template.parts[i].expr)
            look_for_foreign(state, rule, text, text->template.parts[i].expr);
    }
    if (text->target == SETTING_EMAIL || text->target == SETTING_NEW_EMAIL)
        find_capitals(state, rule, text);
}

/* Entries of tables */

struct lookup {
    const struct spec_table *table;
    const char *key;
    const struct foresight *sight;
    const struct lint_rule *rule;     /* whose text is looked at; NULL: the file's e-mail */
    const struct lint_rule *excluder; /* the last one that cannot look the key up */
    bool possible;
};

static void search_expr(struct lookup *lookup, const struct expr *expr);

/* Whether INPUT, where WHEN holds, has no text KEY and no element with it; *BY_WHEN is set when
 * WHEN has to do with that. */
static bool
is_excluded(const struct expr *input, const struct expr *when, const char *key, bool *by_when)
{
    size_t first = 0;

    switch (input->kind) {
    case EXPR_PATH:
        *by_when = true;
        return foresee_excludes(when, true, input->path, key);
    case EXPR_CHOICE:
        first = 1;
        break;
    case EXPR_ARRAY:
    case EXPR_DEFAULT:
        break;
    case EXPR_LITERAL:
        return foresee_lacks(&input->literal, key);
    default:
        return false;
    }
    for (size_t i = first; i < input->count; i++) {
        if (!is_excluded(input->items[i], when, key, by_when))
            return false;
    }
    return true;
}

/* INPUT is what the filter USE is given, NULL when other filters stand before it. */
static void
search_filter(struct lookup *lookup, const struct filter_use *use, const struct expr *input)
{
    const struct expr *when = lookup->rule ? lookup->rule->when : NULL;
    bool by_when = false;

    for (size_t i = 0; i < FILTER_ARGS_MAX; i++) {
        if (use->args[i])
            search_expr(lookup, use->args[i]);
    }
    if (foresee_table(use, lookup->sight) != lookup->table)
        return;
    if (when && input && is_excluded(input, when, lookup->key, &by_when) && by_when)
        lookup->excluder = lookup->rule;
    else
        lookup->possible = true;
}

static void
search_expr(struct lookup *lookup, const struct expr *expr)
{
    size_t items = expr->kind == EXPR_FILTERED ? 1 : expr->count;

    if (expr->kind == EXPR_LITERAL || expr->kind == EXPR_PATH)
        return;
    for (size_t i = 0; i < items; i++)
        search_expr(lookup, expr->items[i]);
    for (size_t i = 0; expr->kind == EXPR_FILTERED && i < expr->count; i++)
        search_filter(lookup, &expr->filters[i], i == 0 ? expr->items[0] : NULL);
}

static void
search_text(struct lookup *lookup, const struct lint_text *text)
{
    for (size_t i = 0; i < text->template.count; i++) {
        if (text->template.parts[i].expr)
            search_expr(lookup, text->template.parts[i].expr);
    }
}

/* In "when" itself nothing is excluded yet. */
static void
search_rule(struct lookup *lookup, const struct lint_rule *rule)
{
    lookup->rule = NULL;
    if (rule->when)
        search_expr(lookup, rule->when);
    lookup->rule = rule;
    for (size_t i = 0; i < rule->text_count; i++)
        search_text(lookup, &rule->texts[i]);
}

static void
look_at_entry(const struct lint_state *state, const struct spec_table *table,
              const struct spec_pair *entry)
{
    struct foresight sight = {state->spec->tables, state->spec->table_count, NULL};
    struct lookup lookup = {.table = table, .key = entry->name.text, .sight = &sight};

    search_text(&lookup, &state->email);
    for (size_t i = 0; i < state->rule_count && !lookup.possible; i++)
        search_rule(&lookup, &state->rules[i]);
    if (lookup.possible || !lookup.excluder)
        return;
    diag_lint(state->diag, lint_name(LINT_TABLE_KEY_EXCLUDED), entry->name.at,
              "tables.%s: \"%s\" is never looked up: the \"when\" of rule \"%s\" "
              "excludes it; take the entry out, or let \"when\" have it",
              table->name.text, entry->name.text, lookup.excluder->spec->name.text);
}

void
lint_values(const struct lint_state *state)
{
    if (state->email.text)
        look_at_text(state, NULL, &state->email);
    for (size_t i = 0; i < state->rule_count; i++) {
        const struct lint_rule *rule = &state->rules[i];

        if (rule->when && !rule->spec->disabled)
            look_for_foreign(state, rule,
                             &(struct lint_text){.text = &rule->spec->when, .path = "when"},
                             rule->when);
        for (size_t k = 0; !rule->spec->disabled && k < rule->text_count; k++)
            look_at_text(state, rule, &rule->texts[k]);
    }
    for (size_t i = 0; i < state->spec->table_count; i++) {
        const struct spec_table *table = &state->spec->tables[i];

        for (size_t k = 0; k < table->entries.count; k++)
            look_at_entry(state, table, &table->entries.items[k]);
    }
}
