#include "rules/mention.h"

#include "rules/rule.h"

struct telling {
    const struct mention_ops *ops;
    void *opaque;
};

static void
tell_literal(const struct telling *telling, const struct value *value)
{
    if (value->kind == VALUE_TEXT)
        telling->ops->text(telling->opaque, value->text, value->len);
    for (size_t i = 0; value->kind == VALUE_ARRAY && i < value->len; i++) {
        struct value item = value_item(value, i);

        tell_literal(telling, &item);
    }
}

/* What stands behind the subject of a match. */
static void
tell_regex(const struct telling *telling, const char *text, size_t len)
{
    char source[EXPR_BYTES_MAX];
    size_t kept = 0;

    for (size_t i = 0; i < len && kept < sizeof(source); i++) {
        if (text[i] != '\\')
            source[kept++] = text[i];
    }
    telling->ops->text(telling->opaque, source, kept);
}

static void tell_expr(const struct telling *telling, const struct expr *expr);

static void
tell_filters(const struct telling *telling, const struct expr *expr)
{
    for (size_t i = 0; i < expr->count; i++) {
        for (size_t j = 0; j < expr->filters[i].arg_count; j++) {
            if (expr->filters[i].args[j])
                tell_expr(telling, expr->filters[i].args[j]);
        }
    }
}

/* Nesting is bounded when expressions are parsed. */
static void
tell_expr(const struct telling *telling, const struct expr *expr)
{
    size_t operands = expr->kind == EXPR_FILTERED ? 1 : expr->count;

    if (expr->kind == EXPR_LITERAL)
        tell_literal(telling, &expr->literal);
    else if (expr->kind == EXPR_PATH)
        telling->ops->path(telling->opaque, expr->path);
    else if (expr->kind == EXPR_FILTERED)
        tell_filters(telling, expr);
    else if (expr->kind == EXPR_COMPARE && expr->op == OP_MATCHES)
        tell_regex(telling, expr->text, expr->len);
    for (size_t i = 0; expr->items && i < operands; i++)
        tell_expr(telling, expr->items[i]);
}

static void
tell_rule(const struct telling *telling, const struct rule *rule)
{
    const struct expr *const own[] = {rule->when, rule->root, rule->for_each};

    for (size_t i = 0; i < ARRAY_LEN(own); i++) {
        if (own[i])
            tell_expr(telling, own[i]);
    }
    for (size_t i = 0; i < rule->setting_count; i++) {
        const struct template *template = rule->settings[i].template;

        for (size_t j = 0; j < template->count; j++) {
            if (template->parts[j].expr)
                tell_expr(telling, template->parts[j].expr);
        }
    }
}

void
mention_all(const struct ruleset *rules, const struct mention_ops *ops, void *opaque)
{
    const struct telling telling = {ops, opaque};
    const struct table_set *tables = ruleset_tables(rules);

    for (size_t i = 0; i < ruleset_rule_count(rules); i++) {
        if (ruleset_rule_is_enabled(rules, i))
            tell_rule(&telling, &ruleset_rules(rules)[i]);
    }
    for (size_t i = 0; i < tables->count; i++) {
        for (size_t k = 0; k < tables->tables[i].row_count; k++) {
            const struct map_node *key = &tables->tables[i].rows[k].node;

            ops->text(opaque, key->key, key->key_len);
        }
    }
}
