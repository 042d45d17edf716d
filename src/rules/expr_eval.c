#include <math.h>
#include <string.h>

#include "rules/expr.h"

/* Depth is bounded: the tree by its levels, JSON by the decoder. */

/* Paths */

static struct value
take_step(const struct value *value, const struct path_step *step)
{
    int64_t index = step->index;

    if (step->kind == STEP_KEY)
        return value_member(value, step->key, step->key_len);
    if (value->kind != VALUE_ARRAY)
        return value_null();
    if (index < 0)
        index += (int64_t)value->len;
    if (index < 0 || index >= (int64_t)value->len)
        return value_null();
    return value_item(value, (size_t)index);
}

/* The steps from FIRST on, up to END, none of which is [*]. */
static struct value
take_steps(struct value value, const struct path *path, size_t first, size_t end)
{
    for (size_t i = first; i < end && !value_is_null(&value); i++)
        value = take_step(&value, &path->steps[i]);
    return value;
}

/* What [*] finds, as it grows. */
struct found {
    struct value *items;
    size_t count, cap;
};

static bool
add_found(struct found *found, const struct value *value, struct eval *eval)
{
    if (found->count == found->cap) {
        size_t cap = found->cap ? found->cap * 2 : 8;
        struct value *items = eval_values(eval, cap);

        if (!items)
            return false;
        if (found->count)
            memcpy(items, found->items, found->count * sizeof(items[0]));
        found->items = items;
        found->cap = cap;
    }
    found->items[found->count++] = *value;
    return true;
}

/* Adds what the steps after the [*] at STAR find in every element of ARRAY. False when it is not an
 * array. Recurses once per [*] of the path. */
static bool
spread(const struct value *array, const struct path *path, size_t star, struct found *found,
       struct eval *eval)
{
    size_t next = star + 1;

    if (array->kind != VALUE_ARRAY)
        return false;
    while (next < path->step_count && path->steps[next].kind != STEP_ALL)
        next++;
    for (size_t i = 0; i < array->len; i++) {
        struct value value = take_steps(value_item(array, i), path, star + 1, next);

        if (!eval_work(eval, 1))
            break;
        if (next < path->step_count)
            spread(&value, path, next, found, eval);
        else if (!value_is_null(&value) && !add_found(found, &value, eval))
            break;
    }
    return true;
}

static struct value
path_start(const struct path *path, struct eval *eval, size_t *first)
{
    *first = 0;
    switch (path->root) {
    case PATH_FIELD:
        if (path->names_item && eval->has_item) {
            *first = 1;
            return eval->item;
        }
        return eval->root;
    case PATH_ROOT:
        return eval->root;
    case PATH_PAYLOAD:
        return eval->payload;
    case PATH_TOPIC:
        return value_text(eval->event->topic, strlen(eval->event->topic));
    case PATH_PARTITION:
        return value_int(eval->event->partition);
    case PATH_OFFSET:
        return value_int(eval->event->offset);
    case PATH_KEY:
        return eval_key(eval);
    case PATH_TIMESTAMP:
        if (eval->event->timestamp_ms == EVENT_NO_TIME)
            return value_null();
        return value_int(eval->event->timestamp_ms);
    case PATH_HEADERS:
        if (path->step_count && path->steps[0].kind == STEP_KEY) {
            *first = 1;
            return eval_header(eval, path->steps[0].key, path->steps[0].key_len);
        }
        return eval_headers(eval);
    case PATH_INDEX:
        return value_int(eval->index);
    }
    return value_null();
}

static struct value
follow_path(const struct path *path, struct eval *eval)
{
    size_t first;
    struct value value = path_start(path, eval, &first);
    struct found found = {0};

    value = take_steps(value, path, first, path->first_all);
    if (path->first_all == path->step_count)
        return value;
    if (!spread(&value, path, path->first_all, &found, eval))
        return value_null();
    return value_array(found.items, found.count);
}

static struct value
eval_path(const struct expr *expr, struct eval *eval)
{
    struct value value = follow_path(expr->path, eval);

    if (eval->watch)
        eval->watch->path(eval->watch, expr, &value);
    return value;
}

/* Comparisons */

static bool
equal(const struct value *a, const struct value *b, struct eval *eval)
{
    size_t work = 0;
    bool same = value_equal(a, b, &work);

    return eval_work(eval, work) && same;
}

static bool
has_element(const struct value *array, const struct value *value, struct eval *eval)
{
    for (size_t i = 0; i < array->len; i++) {
        struct value item = value_item(array, i);

        if (equal(&item, value, eval))
            return true;
        if (eval->failure)
            return false;
    }
    return false;
}

static bool
contains(const struct value *whole, const struct value *part, struct eval *eval)
{
    if (whole->kind == VALUE_ARRAY)
        return has_element(whole, part, eval);
    if (whole->kind != VALUE_TEXT || part->kind != VALUE_TEXT)
        return false;
    if (!part->len)
        return true;
    return eval_work(eval, whole->len / 4 + 1) &&
           memmem(whole->text, whole->len, part->text, part->len) != NULL;
}

static bool
begins(const struct value *text, const struct value *part, struct eval *eval)
{
    return text->kind == VALUE_TEXT && part->kind == VALUE_TEXT && part->len <= text->len &&
           eval_read(eval, part->len) && (!part->len || !memcmp(text->text, part->text, part->len));
}

static bool
ends(const struct value *text, const struct value *part, struct eval *eval)
{
    return text->kind == VALUE_TEXT && part->kind == VALUE_TEXT && part->len <= text->len &&
           eval_read(eval, part->len) &&
           (!part->len || !memcmp(text->text + (text->len - part->len), part->text, part->len));
}

static bool
ordered(enum expr_op op, const struct value *a, const struct value *b, struct eval *eval)
{
    bool numbers = value_is_number(a) && value_is_number(b);
    bool texts = a->kind == VALUE_TEXT && b->kind == VALUE_TEXT;
    int order;

    if (!numbers && !texts)
        return false;
    if (texts && !eval_read(eval, a->len < b->len ? a->len : b->len))
        return false;
    order = value_compare(a, b);
    switch (op) {
    case OP_LESS:
        return order < 0;
    case OP_LESS_EQUAL:
        return order <= 0;
    case OP_GREATER:
        return order > 0;
    default:
        return order >= 0;
    }
}

static bool
matches(const struct expr *expr, const struct value *subject, struct eval *eval)
{
    struct regex_found found;
    struct value text;

    if (subject->kind != VALUE_TEXT && !value_is_number(subject))
        return false;
    if (eval->failure || !value_as_text(subject, eval->arena, &text) || !eval_read(eval, text.len))
        return false;
    switch (regex_search(expr->regex, text.text, text.len, 0, &eval->regex_left, &found)) {
    case REGEX_MATCH:
        return true;
    case REGEX_LIMITED:
        eval->regex_limited++;
        break;
    case REGEX_NO_MATCH:
        break;
    }
    return false;
}

static bool
eval_compare(const struct expr *expr, struct eval *eval)
{
    struct value a = expr_eval(expr->items[0], eval), b;

    if (expr->op == OP_MATCHES)
        return matches(expr, &a, eval);
    b = expr_eval(expr->items[1], eval);
    switch (expr->op) {
    case OP_EQUAL:
        return equal(&a, &b, eval);
    case OP_NOT_EQUAL:
        return !equal(&a, &b, eval);
    case OP_IN:
        return b.kind == VALUE_ARRAY && has_element(&b, &a, eval);
    case OP_NOT_IN:
        return !(b.kind == VALUE_ARRAY && has_element(&b, &a, eval));
    case OP_CONTAINS:
        return contains(&a, &b, eval);
    case OP_STARTS_WITH:
        return begins(&a, &b, eval);
    case OP_ENDS_WITH:
        return ends(&a, &b, eval);
    default:
        return ordered(expr->op, &a, &b, eval);
    }
}

/* Arithmetic */

static struct value
join_texts(const struct value *a, const struct value *b, struct eval *eval)
{
    struct buf *text = eval_text_start(eval, a->len > b->len ? a->len : b->len);

    buf_add(text, a->text, a->len);
    buf_add(text, b->text, b->len);
    return eval_text_take(eval);
}

static struct value
calculate(enum expr_op op, const struct value *a, const struct value *b, struct eval *eval)
{
    double x, y;

    if (op == OP_ADD && a->kind == VALUE_TEXT && b->kind == VALUE_TEXT)
        return join_texts(a, b, eval);
    if (!value_is_number(a) || !value_is_number(b))
        return value_null();
    x = value_number(a);
    y = value_number(b);
    switch (op) {
    case OP_ADD:
        return value_real(x + y);
    case OP_SUBTRACT:
        return value_real(x - y);
    case OP_MULTIPLY:
        return value_real(x * y);
    case OP_DIVIDE:
        return value_real(y == 0 ? NAN : x / y); /* not finite in any case */
    default:
        return value_real(fmod(x, y));
    }
}

static struct value
eval_chain(const struct expr *expr, struct eval *eval)
{
    struct value value = expr_eval(expr->items[0], eval);

    for (size_t i = 1; i < expr->count; i++) {
        struct value next = expr_eval(expr->items[i], eval);

        value = calculate(expr->ops[i], &value, &next, eval);
    }
    return value;
}

/* The rest */

static struct value
eval_array(const struct expr *expr, struct eval *eval)
{
    struct value *items = eval_values(eval, expr->count);

    if (!items)
        return value_null();
    for (size_t i = 0; i < expr->count; i++)
        items[i] = expr_eval(expr->items[i], eval);
    return value_array(items, expr->count);
}

static struct value
eval_default(const struct expr *expr, struct eval *eval)
{
    struct value value = value_null();

    for (size_t i = 0; i < expr->count && value_is_null(&value); i++)
        value = expr_eval(expr->items[i], eval);
    return value;
}

static bool
truth_of(const struct expr *expr, struct eval *eval)
{
    struct value value = expr_eval(expr, eval);

    return value_truth(&value);
}

/* Whether all items are true (STOP_AT false), or any is (STOP_AT true); looks no further than
 * needed. */
static bool
eval_row(const struct expr *expr, bool stop_at, struct eval *eval)
{
    for (size_t i = 0; i < expr->count; i++) {
        if (truth_of(expr->items[i], eval) == stop_at)
            return stop_at;
    }
    return !stop_at;
}

static struct value
eval_filter(const struct filter_use *use, const struct value *input, struct eval *eval)
{
    struct value args[FILTER_ARGS_MAX];

    for (size_t i = 0; i < FILTER_ARGS_MAX; i++) {
        args[i] = value_null();
        if (!use->args[i])
            continue;
        args[i] = expr_eval(use->args[i], eval);
        if (value_is_null(&args[i]) && use->filter->args[i] == FILTER_ARG_VALUE)
            return value_null();
    }
    return filter_apply(eval, use, input, args);
}

static struct value
eval_filtered(const struct expr *expr, struct eval *eval)
{
    struct value value = expr_eval(expr->items[0], eval);

    for (size_t i = 0; i < expr->count; i++)
        value = eval_filter(&expr->filters[i], &value, eval);
    return value;
}

struct value
expr_eval(const struct expr *expr, struct eval *eval)
{
    switch (expr->kind) {
    case EXPR_LITERAL:
        return expr->literal;
    case EXPR_ARRAY:
        return eval_array(expr, eval);
    case EXPR_PATH:
        return eval_path(expr, eval);
    case EXPR_CHOICE:
        return expr_eval(expr->items[truth_of(expr->items[0], eval) ? 1 : 2], eval);
    case EXPR_OR:
        return value_bool(eval_row(expr, true, eval));
    case EXPR_AND:
        return value_bool(eval_row(expr, false, eval));
    case EXPR_NOT:
        return value_bool(!truth_of(expr->items[0], eval));
    case EXPR_COMPARE:
        return value_bool(eval_compare(expr, eval));
    case EXPR_DEFAULT:
        return eval_default(expr, eval);
    case EXPR_CHAIN:
        return eval_chain(expr, eval);
    case EXPR_FILTERED:
        return eval_filtered(expr, eval);
    }
    return value_null();
}
