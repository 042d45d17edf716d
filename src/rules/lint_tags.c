/* Lints of tags: added and removed at once, removed and never added, with an empty part. */
#include <string.h>

#include "base/nearest.h"
#include "base/xalloc.h"
#include "rules/lint_state.h"

/* What a part of a template may be: a text, or anything that begins with one. */
struct alternative {
    const char *text;
    size_t len;
    bool is_open;
};

struct alternatives {
    struct alternative *items;
    size_t count, cap;
    struct foresight sight;
    struct arena *arena;
};

static void
add_alternative(struct alternatives *list, const char *text, size_t len, bool is_open)
{
    list->items = xgrow(list->items, list->count, &list->cap, sizeof(list->items[0]));
    list->items[list->count++] = (struct alternative){text, len, is_open};
}

static void
add_anything(struct alternatives *list)
{
    add_alternative(list, "", 0, true);
}

static void
add_value(struct alternatives *list, const struct value *value)
{
    struct value text;

    for (size_t i = 0; value->kind == VALUE_ARRAY && i < value->len; i++)
        add_value(list, &value->items[i]);
    if (value_as_text(value, list->arena, &text))
        add_alternative(list, text.text, text.len, false);
}

static void add_expr(struct alternatives *list, const struct expr *expr);

static void
add_table(struct alternatives *list, const struct filter_use *use)
{
    const struct spec_table *table = foresee_table(use, &list->sight);

    for (size_t i = 0; i < table->entries.count; i++) {
        const char *text = table->entries.items[i].value.text;

        add_alternative(list, text, strlen(text), false);
    }
    if (use->args[1])
        add_expr(list, use->args[1]);
}

static void
add_filtered(struct alternatives *list, const struct expr *expr)
{
    const struct filter_use *last = &expr->filters[expr->count - 1];
    bool prefixes = !strcmp(last->filter->name, "prefix") && last->args[0]->kind == EXPR_LITERAL &&
                    last->args[0]->literal.kind == VALUE_TEXT;

    if (last->table)
        add_table(list, last);
    else if (prefixes)
        add_alternative(list, last->args[0]->literal.text, last->args[0]->literal.len, true);
    else
        add_anything(list);
}

static void
add_expr(struct alternatives *list, const struct expr *expr)
{
    switch (expr->kind) {
    case EXPR_LITERAL:
        add_value(list, &expr->literal);
        break;
    case EXPR_CHOICE:
        add_expr(list, expr->items[1]);
        add_expr(list, expr->items[2]);
        break;
    case EXPR_ARRAY:
    case EXPR_DEFAULT:
        for (size_t i = 0; i < expr->count; i++)
            add_expr(list, expr->items[i]);
        break;
    case EXPR_FILTERED:
        add_filtered(list, expr);
        break;
    default:
        add_anything(list);
    }
}

/* REACHED tells for each length whether the parts so far may be so many bytes of TAG; takes one
 * part more. */
static void
advance(const struct alternatives *list, const char *tag, size_t len, bool *reached, bool *next)
{
    memset(next, 0, len + 1);
    for (size_t at = 0; at <= len; at++) {
        for (size_t i = 0; reached[at] && i < list->count; i++) {
            const struct alternative *one = &list->items[i];

            if (one->len > len - at || memcmp(tag + at, one->text, one->len) != 0)
                continue;
            next[at + one->len] = true;
            for (size_t k = at + one->len; one->is_open && k <= len; k++)
                next[k] = true;
        }
    }
}

static bool
may_be(const struct lint_state *state, const struct template *template, const char *tag)
{
    size_t len = strlen(tag);
    bool *reached = xcalloc(len + 1, sizeof(bool)), *next = xcalloc(len + 1, sizeof(bool)), *swap;
    struct arena arena;
    bool result;

    arena_init(&arena, 1024);
    reached[0] = true;
    for (size_t i = 0; i < template->count; i++) {
        const struct template_part *part = &template->parts[i];
        struct alternatives list = {.sight = {state->spec->tables, state->spec->table_count, NULL},
                                    .arena = &arena};

        if (part->expr)
            add_expr(&list, part->expr);
        else
            add_alternative(&list, part->text, part->len, false);
        advance(&list, tag, len, reached, next);
        swap = reached;
        reached = next;
        next = swap;
        xfree(list.items);
    }
    result = reached[len];
    xfree(reached);
    xfree(next);
    arena_fini(&arena);
    return result;
}

/* The tag that TEXT always is, in ROOM, or NULL. */
static const char *
literal_tag(const struct lint_text *text, struct buf *room)
{
    buf_reset(room);
    for (size_t i = 0; i < text->template.count; i++) {
        const struct template_part *part = &text->template.parts[i];

        if (!part->expr)
            buf_add(room, part->text, part->len);
        else if (part->expr->kind == EXPR_LITERAL && part->expr->literal.kind == VALUE_TEXT)
            buf_add(room, part->expr->literal.text, part->expr->literal.len);
        else
            return NULL;
    }
    return room->len && strlen(buf_text(room)) == room->len ? buf_text(room) : NULL;
}

/* Whether some rule of RULE's account may add TAG. What is never tried might be tomorrow. */
static bool
may_be_added(const struct lint_state *state, const struct lint_rule *rule, const char *tag)
{
    for (size_t i = 0; i < state->rule_count; i++) {
        const struct lint_rule *other = &state->rules[i];

        if (other->account != rule->account)
            continue;
        for (size_t k = 0; k < other->text_count; k++) {
            if (other->texts[k].target == SETTING_TAG &&
                may_be(state, &other->texts[k].template, tag))
                return true;
        }
    }
    return false;
}

static const char *
nearest_tag(const struct lint_state *state, const struct lint_rule *rule, struct nearest *nearest)
{
    for (size_t i = 0; i < state->rule_count; i++) {
        const struct lint_rule *other = &state->rules[i];

        for (size_t k = 0; other->account == rule->account && k < other->text_count; k++) {
            if (other->texts[k].target == SETTING_TAG && !strstr(other->texts[k].text->text, "${"))
                nearest_try(nearest, other->texts[k].text->text);
        }
    }
    return nearest_best(nearest);
}

static void
find_never_added(const struct lint_state *state, const struct lint_rule *rule,
                 const struct lint_text *text, const char *tag)
{
    struct nearest nearest;
    const char *best;

    if (may_be_added(state, rule, tag))
        return;
    nearest_init(&nearest, tag);
    best = nearest_tag(state, rule, &nearest);
    lint_say(state, LINT_TAG_NEVER_ADDED, rule, text,
             "no rule of account \"%s\" adds the tag \"%s\"%s%s%s; correct or drop it, or allow it "
             "where something else than these rules adds it",
             rule->account->name, tag, best ? " (did you mean \"" : "", best ? best : "",
             best ? "\"?)" : "");
}

/* Both by RULE: REMOVED, whose tag is TAG. */
static void
find_added_too(const struct lint_state *state, const struct lint_rule *rule,
               const struct lint_text *removed, const char *tag)
{
    struct buf room;

    buf_init(&room, 64 * 1024);
    for (size_t i = 0; i < rule->text_count; i++) {
        const struct lint_text *text = &rule->texts[i];
        const char *added = text->target == SETTING_TAG ? literal_tag(text, &room) : NULL;

        if (!added || strcmp(added, tag) != 0)
            continue;
        lint_say(state, LINT_TAG_ADDED_AND_REMOVED, rule, removed,
                 text->call == CALL_TRACK
                     ? "\"%s\" is in addTags, too, and is only added; take it out of one of them"
                     : "\"%s\" is in identify.tags, too: it is added only to be removed; take it "
                       "out of one of them",
                 tag);
        break;
    }
    buf_fini(&room);
}

/* Whether EXPR may be an empty text. Where it cannot be told what a group of a regular expression
 * finds, nothing is said of it. */
static bool
may_be_empty(const struct expr *expr, const struct foresight *sight)
{
    const struct filter_use *last =
        expr->kind == EXPR_FILTERED ? &expr->filters[expr->count - 1] : NULL;

    if (last && last->regex && regex_first_group(last->regex) == REGEX_GROUP_UNKNOWN)
        return false;
    return (foresee(expr, sight) & FORESEE_EMPTY) != 0;
}

static void
find_empty_part(const struct lint_state *state, const struct lint_rule *rule,
                const struct lint_text *text)
{
    struct fact when = {rule->when, true, NULL};
    struct foresight sight = {state->spec->tables, state->spec->table_count,
                              rule->when ? &when : NULL};

    for (size_t i = 0; text->template.count > 1 && i < text->template.count; i++) {
        const struct template_part *part = &text->template.parts[i];

        if (!part->expr || !may_be_empty(part->expr, &sight))
            continue;
        lint_say(state, LINT_PART_MAY_BE_EMPTY, rule, text,
                 "${%.*s} may be an empty text, and then half a tag is left; end it with "
                 "\"| default(null)\" to have no tag then, or with default and a text",
                 (int)part->len, part->text);
        return;
    }
}

static void
look_at_tag(const struct lint_state *state, const struct lint_rule *rule,
            const struct lint_text *text)
{
    struct buf room;
    const char *tag;

    find_empty_part(state, rule, text);
    if (text->target != SETTING_REMOVE_TAG)
        return;
    buf_init(&room, 64 * 1024);
    tag = literal_tag(text, &room);
    if (tag) {
        find_added_too(state, rule, text, tag);
        find_never_added(state, rule, text, tag);
    }
    buf_fini(&room);
}

void
lint_tags(const struct lint_state *state)
{
    for (size_t i = 0; i < state->rule_count; i++) {
        const struct lint_rule *rule = &state->rules[i];

        for (size_t k = 0; !rule->spec->disabled && k < rule->text_count; k++) {
            if (rule->texts[k].target == SETTING_TAG || rule->texts[k].target == SETTING_REMOVE_TAG)
                look_at_tag(state, rule, &rule->texts[k]);
        }
    }
}
