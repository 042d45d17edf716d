#include "rules/filter_list.h"

#include <stdlib.h>
#include <string.h>

/* The elements of an array; anything else counts as an array of one. */
static size_t
count_of(const struct value *input)
{
    return input->kind == VALUE_ARRAY ? input->len : 1;
}

static struct value
element(const struct value *input, size_t i)
{
    return input->kind == VALUE_ARRAY ? value_item(input, i) : *input;
}

/* Adds what may be joined: false for an array or object. */
static bool
add_joined(struct eval *eval, const struct value *item, const struct value *separator, bool *first)
{
    struct value text;

    if (value_is_null(item))
        return true;
    if (!value_as_text(item, eval->arena, &text))
        return false;
    if (!*first)
        buf_add(&eval->text, separator->text, separator->len);
    *first = false;
    buf_add(&eval->text, text.text, text.len);
    return true;
}

static size_t
longest_text(const struct value *input)
{
    size_t longest = 0;

    for (size_t i = 0; i < count_of(input); i++) {
        struct value item = element(input, i);

        if (item.kind == VALUE_TEXT && item.len > longest)
            longest = item.len;
    }
    return longest;
}

struct value
filter_join(struct eval *eval, const struct filter_use *use, const struct value *input,
            const struct value *args)
{
    struct value separator;
    bool first = true;

    (void)use;
    if (!value_as_text(&args[0], eval->arena, &separator) || !eval_work(eval, count_of(input)))
        return value_null();
    eval_text_start(eval, longest_text(input));
    for (size_t i = 0; i < count_of(input) && !buf_toobig(&eval->text); i++) {
        struct value item = element(input, i);

        if (!add_joined(eval, &item, &separator, &first))
            return value_null();
    }
    return eval_text_take(eval);
}

struct value
filter_first(struct eval *eval, const struct filter_use *use, const struct value *input,
             const struct value *args)
{
    (void)eval;
    (void)use;
    (void)args;
    return count_of(input) ? element(input, 0) : value_null();
}

struct value
filter_last(struct eval *eval, const struct filter_use *use, const struct value *input,
            const struct value *args)
{
    (void)eval;
    (void)use;
    (void)args;
    return count_of(input) ? element(input, count_of(input) - 1) : value_null();
}

struct value
filter_length(struct eval *eval, const struct filter_use *use, const struct value *input,
              const struct value *args)
{
    int64_t count = 0;

    (void)use;
    (void)args;
    switch (input->kind) {
    case VALUE_NULL:
        return value_int(0);
    case VALUE_TEXT:
        if (!eval_read(eval, input->len))
            return value_null();
        for (size_t i = 0; i < input->len; i++)
            count += ((unsigned char)input->text[i] & 0xc0) != 0x80;
        return value_int(count);
    case VALUE_ARRAY:
        return value_int((int64_t)input->len);
    case VALUE_OBJECT:
        return value_int((int64_t)json_object_size(input->json));
    default:
        return value_null();
    }
}

struct value
filter_unique(struct eval *eval, const struct filter_use *use, const struct value *input,
              const struct value *args)
{
    size_t count = count_of(input), kept = 0;
    struct value *items = eval_values(eval, count);
    struct value_set set;

    (void)use;
    (void)args;
    if (!items || !eval_set(eval, &set, count))
        return value_null();
    for (size_t i = 0; i < count; i++) {
        struct value item = element(input, i);
        size_t work = 0;

        if (value_set_add(&set, &item, &work))
            items[kept++] = item;
        if (!eval_work(eval, work))
            return value_null();
    }
    return value_array(items, kept);
}

/* Sorting */

static int
rank_of(const struct value *value)
{
    switch (value->kind) {
    case VALUE_NULL:
        return 0;
    case VALUE_BOOL:
        return value->boolean ? 2 : 1;
    case VALUE_INT:
    case VALUE_REAL:
        return 3;
    case VALUE_TEXT:
        return 4;
    default:
        return 5;
    }
}

static size_t
least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static int
sort_order(const struct value *a, const struct value *b, struct eval *eval)
{
    int left = rank_of(a), right = rank_of(b);
    bool texts = left == 4 && right == 4;

    if (left != right)
        return left - right;
    /* Once there is a failure the order does not matter any more. */
    if (!eval_work(eval, texts ? least(a->len, b->len) / VALUE_WORK_BYTES + 1 : 1))
        return 0;
    return left == 3 || left == 4 ? value_compare(a, b) : 0;
}

/* Merges the sorted runs [start, middle) and [middle, end) of FROM. The left one goes first among
 * equals, which keeps the sort stable. */
static void
merge(const struct value *from, struct value *to, size_t start, size_t middle, size_t end,
      struct eval *eval)
{
    size_t left = start, right = middle;

    for (size_t i = start; i < end; i++) {
        bool take_left =
            left < middle && (right >= end || sort_order(&from[left], &from[right], eval) <= 0);

        to[i] = from[take_left ? left++ : right++];
    }
}

struct value
filter_sort(struct eval *eval, const struct filter_use *use, const struct value *input,
            const struct value *args)
{
    size_t count = count_of(input);
    struct value *items = eval_values(eval, count), *other = eval_values(eval, count);

    (void)use;
    (void)args;
    if (!items || !other)
        return value_null();
    for (size_t i = 0; i < count; i++)
        items[i] = element(input, i);
    for (size_t width = 1; width < count; width *= 2) {
        struct value *merged = other;

        for (size_t start = 0; start < count; start += 2 * width) {
            size_t middle = start + width < count ? start + width : count;
            size_t end = middle + width < count ? middle + width : count;

            merge(items, merged, start, middle, end, eval);
        }
        other = items;
        items = merged;
    }
    return value_array(items, count);
}

struct value
filter_keys(struct eval *eval, const struct filter_use *use, const struct value *input,
            const struct value *args)
{
    struct value *items;
    size_t i = 0;
    void *iter;

    (void)use;
    (void)args;
    if (input->kind != VALUE_OBJECT)
        return value_null();
    items = eval_values(eval, json_object_size(input->json));
    if (!items)
        return value_null();
    for (iter = json_object_iter(input->json); iter;
         iter = json_object_iter_next(input->json, iter))
        items[i++] = value_text(json_object_iter_key(iter), json_object_iter_key_len(iter));
    return value_array(items, i);
}

/* Numbers among the elements */

struct value
filter_sum(struct eval *eval, const struct filter_use *use, const struct value *input,
           const struct value *args)
{
    double sum = 0;

    (void)use;
    (void)args;
    if (!eval_work(eval, count_of(input)))
        return value_null();
    for (size_t i = 0; i < count_of(input); i++) {
        struct value item = element(input, i);

        if (value_is_number(&item))
            sum += value_number(&item);
    }
    return value_real(sum);
}

/* The number that stands furthest in the direction SIGN; the first among equals. */
static struct value
furthest(struct eval *eval, const struct value *input, int sign)
{
    struct value best = value_null();

    if (!eval_work(eval, count_of(input)))
        return best;
    for (size_t i = 0; i < count_of(input); i++) {
        struct value item = element(input, i);

        if (value_is_number(&item) &&
            (value_is_null(&best) || sign * value_compare(&item, &best) > 0))
            best = item;
    }
    return best;
}

struct value
filter_min(struct eval *eval, const struct filter_use *use, const struct value *input,
           const struct value *args)
{
    (void)use;
    (void)args;
    return furthest(eval, input, -1);
}

struct value
filter_max(struct eval *eval, const struct filter_use *use, const struct value *input,
           const struct value *args)
{
    (void)use;
    (void)args;
    return furthest(eval, input, 1);
}

struct value
filter_json(struct eval *eval, const struct filter_use *use, const struct value *input,
            const struct value *args)
{
    struct buf *buf = eval_text_start(eval, eval->event->payload_len);

    (void)use;
    (void)args;
    value_add_json(input, buf);
    if (!eval_work(eval, buf->len + 1))
        return value_null();
    return eval_text_take(eval);
}

struct value
filter_default(struct eval *eval, const struct filter_use *use, const struct value *input,
               const struct value *args)
{
    bool empty = (input->kind == VALUE_TEXT || input->kind == VALUE_ARRAY) && !input->len;

    (void)eval;
    (void)use;
    return value_is_null(input) || empty ? args[0] : *input;
}
