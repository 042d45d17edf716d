#include "rules/template.h"

#include <string.h>

#include "base/utf8.h"
#include "base/xalloc.h"
#include "rules/expr_lex.h"

struct part_list {
    struct template_part *items;
    size_t count, cap;
};

static void
add_part(struct part_list *list, struct template_part part)
{
    list->items = xgrow(list->items, list->count, &list->cap, sizeof(part));
    list->items[list->count++] = part;
}

/* Where the expression that begins at AT ends, at its "}"; 0 when it does not. Quoted text may hold
 * a brace. OPEN is where a quote begins that does not end, else 0. */
static size_t
find_end(const char *text, size_t len, size_t at, size_t *open)
{
    *open = 0;
    while (at < len && text[at] != '}') {
        size_t next = text[at] == '\'' ? lexer_skip_text(text, len, at) : at + 1;

        if (!next) {
            *open = at;
            return 0;
        }
        at = next;
    }
    return at < len ? at : 0;
}

static size_t
column_of(const char *text, size_t at)
{
    size_t column = 1;

    for (size_t i = 0; i < at; i++)
        column += ((unsigned char)text[i] & 0xc0) != 0x80;
    return column;
}

static bool
begins(const char *text, size_t len, const char *word)
{
    size_t word_len = strlen(word);

    return len >= word_len && !memcmp(text, word, word_len);
}

/* Adds the expression behind the "${" at AT; returns where it ends, 0 when it does not. */
static size_t
add_expr(struct part_list *list, const char *text, size_t len, size_t at, struct expr_env *env)
{
    size_t start = at + 2, open, end = find_end(text, len, start, &open);
    struct template_part part = {.text = text + start, .len = end - start};

    if (open) {
        diag_error(env->diag, env->at,
                   "%s: column %zu: a quote is not closed; a quote inside a text is written twice: "
                   "'it''s'",
                   env->where, column_of(text, open));
        return 0;
    }
    if (!end) {
        diag_error(
            env->diag, env->at,
            "%s: column %zu: \"${\" has no \"}\"; for the two characters themselves write $${",
            env->where, column_of(text, at));
        return 0;
    }
    if (begins(text + start, end - start, "env:") || begins(text + start, end - start, "file:")) {
        diag_error(env->diag, env->at,
                   "%s: column %zu: ${env:...} and ${file:...} are filled in only in the sections, "
                   "such as accounts; rules see nothing but the event",
                   env->where, column_of(text, at));
        return end + 1;
    }
    part.expr = expr_parse(text + start, end - start, column_of(text, start), env);
    add_part(list, part);
    return end + 1;
}

static bool
stands(const char *text, size_t len, size_t at, const char *sign)
{
    return begins(text + at, len - at, sign);
}

static void
split(struct part_list *list, const char *text, size_t len, struct expr_env *env)
{
    size_t plain = 0, at = 0; /* plain text not added yet begins at PLAIN */

    while (at < len) {
        if (stands(text, len, at, "$${")) {
            /* The first "$" goes with what is before it; the second is left out. */
            add_part(list, (struct template_part){.text = text + plain, .len = at + 1 - plain});
            plain = at + 2;
            at += 3;
        } else if (stands(text, len, at, "${")) {
            if (at > plain)
                add_part(list, (struct template_part){.text = text + plain, .len = at - plain});
            at = add_expr(list, text, len, at, env);
            if (!at)
                return;
            plain = at;
        } else {
            at++;
        }
    }
    if (at > plain)
        add_part(list, (struct template_part){.text = text + plain, .len = at - plain});
}

int
template_parse(struct template *template, const char *text, struct expr_env *env)
{
    size_t len = strlen(text), errors = env->diag->errors;
    struct part_list list = {0};
    struct template_part *parts;

    *template = (struct template){0};
    if (!utf8_is_valid(text, len))
        return diag_error(env->diag, env->at, "%s: is not valid UTF-8", env->where);
    template->text = arena_text(&env->code->arena, text, len);
    split(&list, template->text, len, env);
    parts = arena_alloc(&env->code->arena, list.count * sizeof(parts[0]));
    if (list.count)
        memcpy(parts, list.items, list.count * sizeof(parts[0]));
    xfree(list.items);
    template->parts = parts;
    template->count = list.count;
    return env->diag->errors == errors ? 0 : -1;
}

bool
template_begins(const struct template *template, const char *prefix)
{
    const struct template_part *part = template->parts;
    const char *text;
    size_t text_len, prefix_len = strlen(prefix);

    if (!template->count)
        return false;
    text = part->text;
    text_len = part->len;
    if (part->expr) {
        if (part->expr->kind != EXPR_LITERAL || part->expr->literal.kind != VALUE_TEXT)
            return false;
        text = part->expr->literal.text;
        text_len = part->expr->literal.len;
    }
    return text_len >= prefix_len && !memcmp(text, prefix, prefix_len);
}

static struct value
eval_part(const struct template_part *part, struct eval *eval)
{
    return part->expr ? expr_eval(part->expr, eval) : value_text(part->text, part->len);
}

/* The values of all parts; NULL when one of them is null, or after a failure. */
static struct value *
eval_parts(const struct template *template, struct eval *eval, size_t *longest)
{
    struct value *values = eval_values(eval, template->count);

    *longest = 0;
    for (size_t i = 0; values && i < template->count; i++) {
        values[i] = eval_part(&template->parts[i], eval);
        if (value_is_null(&values[i]))
            return NULL;
        if (values[i].kind == VALUE_TEXT && values[i].len > *longest)
            *longest = values[i].len;
    }
    return values;
}

struct value
template_eval(const struct template *template, struct eval *eval)
{
    struct value *values, text;
    size_t longest;

    if (!template->count)
        return value_text("", 0);
    if (template->count == 1)
        return eval_part(template->parts, eval);
    values = eval_parts(template, eval, &longest);
    if (!values)
        return value_null();
    eval_text_start(eval, longest);
    for (size_t i = 0; i < template->count; i++) {
        if (!value_as_text(&values[i], eval->arena, &text)) {
            eval_fail(eval, "an array or object stands where text must be");
            return value_null();
        }
        buf_add(&eval->text, text.text, text.len);
    }
    return eval_text_take(eval);
}
