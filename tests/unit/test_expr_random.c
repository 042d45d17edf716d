/*
 * Random expressions over random events against a naive evaluator that is written straight from the
 * reference, over JSON trees of its own.
 */

#include <math.h>

#include "json_unit.h"
#include "rules_unit.h"

enum { ROUNDS = 60000, DEPTH = 5 };

/* An object with every name, so that most paths lead somewhere. */
static json_t *
random_event(struct rng *rng)
{
    json_t *event = json_object();

    for (size_t i = 0; i < ARRAY_LEN(NAMES); i++)
        json_object_set_new(event, NAMES[i], random_json(rng, 3));
    return event;
}

/* A random expression: its text, and beside it its value, computed while the text is written. All
 * values are JSON trees; NULL is never one of them. */

struct maker {
    struct rng rng;
    struct buf text;
    json_t *event;
};

static json_t *make(struct maker *maker, int depth);

static bool
truth(const json_t *v)
{
    if (json_is_number(v))
        return json_number_value(v) != 0;
    return json_is_true(v) || json_string_length(v) || json_array_size(v) || json_object_size(v);
}

/* Exact, in long double: 64 bits of mantissa hold every integer and every double here. */
static long double
exact(const json_t *v)
{
    return json_is_integer(v) ? (long double)json_integer_value(v)
                              : (long double)json_real_value(v);
}

static bool
same(json_t *a, json_t *b)
{
    const char *key;
    json_t *value;

    if (json_is_number(a) && json_is_number(b))
        return exact(a) == exact(b);
    if (json_typeof(a) != json_typeof(b))
        return false;
    if (json_is_string(a))
        return !strcmp(json_string_value(a), json_string_value(b));
    if (json_is_array(a)) {
        if (json_array_size(a) != json_array_size(b))
            return false;
        for (size_t i = 0; i < json_array_size(a); i++) {
            if (!same(json_array_get(a, i), json_array_get(b, i)))
                return false;
        }
    } else if (json_is_object(a)) {
        if (json_object_size(a) != json_object_size(b))
            return false;
        json_object_foreach(a, key, value) {
            if (!json_object_get(b, key) || !same(value, json_object_get(b, key)))
                return false;
        }
    }
    return true;
}

static bool
member(json_t *array, json_t *v)
{
    for (size_t i = 0; i < json_array_size(array); i++) {
        if (same(json_array_get(array, i), v))
            return true;
    }
    return false;
}

static json_t *
real_or_null(double real)
{
    return isfinite(real) ? json_real(real) : json_null();
}

static json_t *
take(json_t *from, json_t *v)
{
    json_incref(v);
    json_decref(from);
    return v ? v : json_null();
}

/* Paths: each step is written, and taken at once. */

/* A name, more often than not one that V has. */
static const char *
some_name(struct maker *maker, json_t *v)
{
    size_t skip = json_object_size(v) ? rng_below(&maker->rng, json_object_size(v)) : 0;
    void *iter = json_object_iter(v);

    while (iter && skip--)
        iter = json_object_iter_next(v, iter);
    if (iter && rng_below(&maker->rng, 4))
        return json_object_iter_key(iter);
    return PICK(&maker->rng, NAMES);
}

static json_t *
make_step(struct maker *maker, json_t *v)
{
    const char *name = some_name(maker, v);
    json_int_t index = (json_int_t)rng_below(&maker->rng, 5) - 2;
    json_int_t size = (json_int_t)json_array_size(v);

    if (!json_is_array(v) && rng_below(&maker->rng, 8)) {
        if (rng_below(&maker->rng, 2))
            buf_printf(&maker->text, ".%s", name);
        else
            buf_printf(&maker->text, "['%s']", name);
        return take(v, json_object_get(v, name));
    }
    buf_printf(&maker->text, "[%lld]", index);
    if (index < 0)
        index += size;
    if (!json_is_array(v) || index < 0 || index >= size)
        return take(v, NULL);
    return take(v, json_array_get(v, (size_t)index));
}

static json_t *
make_star(struct maker *maker, json_t *v)
{
    const char *name = some_name(maker, json_array_get(v, 0));
    json_t *found = json_array();

    buf_printf(&maker->text, "[*]['%s']", name);
    for (size_t i = 0; i < json_array_size(v); i++) {
        json_t *part = json_object_get(json_array_get(v, i), name);

        if (part && !json_is_null(part))
            json_array_append(found, part);
    }
    if (!json_is_array(v)) {
        json_decref(found);
        found = json_null();
    }
    json_decref(v);
    return found;
}

static json_t *
make_path(struct maker *maker)
{
    json_t *v = json_incref(maker->event);

    buf_add_text(&maker->text, rng_below(&maker->rng, 2) ? "@root" : "@payload");
    for (size_t steps = 1 + rng_below(&maker->rng, 3); steps; steps--)
        v = make_step(maker, v);
    return rng_below(&maker->rng, json_is_array(v) ? 2 : 8) ? v : make_star(maker, v);
}

static json_t *
make_number(struct maker *maker)
{
    json_int_t integer = PICK(&maker->rng, INTS);
    double real = PICK(&maker->rng, REALS);

    if (rng_below(&maker->rng, 2)) {
        buf_printf(&maker->text, "%lld", integer);
        return json_integer(integer);
    }
    buf_printf(&maker->text, "%.17e", real);
    return json_real(real);
}

static json_t *
make_literal(struct maker *maker)
{
    const char *text = PICK(&maker->rng, TEXTS);

    switch (rng_below(&maker->rng, 4)) {
    case 0:
        buf_printf(&maker->text, "'%s'", text);
        return json_string(text);
    case 1:
        buf_add_text(&maker->text, "null");
        return json_null();
    default:
        return make_number(maker);
    }
}

static json_t *
make_array(struct maker *maker, int depth)
{
    json_t *array = json_array();

    buf_add_char(&maker->text, '[');
    for (size_t i = 0, count = rng_below(&maker->rng, 4); i < count; i++) {
        if (i)
            buf_add_text(&maker->text, ", ");
        json_array_append_new(array, make(maker, depth));
    }
    buf_add_char(&maker->text, ']');
    return array;
}

/* Operators, each operand in brackets; that they bind as they should is for the table of cases. */

static json_t *
make_operand(struct maker *maker, int depth)
{
    json_t *v;

    buf_add_char(&maker->text, '(');
    v = make(maker, depth);
    buf_add_char(&maker->text, ')');
    return v;
}

static json_t *
compare(const char *op, json_t *a, json_t *b)
{
    const char *x = json_string_value(a), *y = json_string_value(b);
    long double order = 0;
    bool ordered = true;

    if (!strcmp(op, "=="))
        return json_boolean(same(a, b));
    if (!strcmp(op, "!="))
        return json_boolean(!same(a, b));
    if (!strcmp(op, "in"))
        return json_boolean(member(b, a));
    if (!strcmp(op, "not in"))
        return json_boolean(!member(b, a));
    if (!strcmp(op, "contains"))
        return json_boolean(json_is_array(a) ? member(a, b) : x && y && strstr(x, y));
    if (!strcmp(op, "starts_with"))
        return json_boolean(x && y && !strncmp(x, y, strlen(y)));
    if (!strcmp(op, "ends_with"))
        return json_boolean(x && y && strlen(x) >= strlen(y) &&
                            !strcmp(x + strlen(x) - strlen(y), y));
    if (json_is_number(a) && json_is_number(b))
        order = exact(a) < exact(b) ? -1 : exact(a) > exact(b);
    else if (x && y)
        order = strcmp(x, y);
    else
        ordered = false;
    if (op[1] == '=' && order == 0)
        return json_boolean(ordered);
    return json_boolean(ordered && (op[0] == '<' ? order < 0 : order > 0));
}

static json_t *
calculate(char op, json_t *a, json_t *b)
{
    double x = json_number_value(a), y = json_number_value(b);

    if (op == '+' && json_is_string(a) && json_is_string(b))
        return json_sprintf("%s%s", json_string_value(a), json_string_value(b));
    if (!json_is_number(a) || !json_is_number(b))
        return json_null();
    switch (op) {
    case '+':
        return real_or_null(x + y);
    case '-':
        return real_or_null(x - y);
    case '*':
        return real_or_null(x * y);
    case '/':
        return y == 0 ? json_null() : real_or_null(x / y);
    default:
        return y == 0 ? json_null() : real_or_null(fmod(x, y));
    }
}

static json_t *
combine(const char *op, json_t *a, json_t *b)
{
    if (!strcmp(op, "or"))
        return json_boolean(truth(a) || truth(b));
    if (!strcmp(op, "and"))
        return json_boolean(truth(a) && truth(b));
    if (!strcmp(op, "??"))
        return json_incref(json_is_null(a) ? b : a);
    if (strchr("+-*/%", op[0]))
        return calculate(op[0], a, b);
    return compare(op, a, b);
}

static json_t *
make_binary(struct maker *maker, int depth)
{
    static const char *const ops[] = {
        "or",          "and",       "==", "!=", "<", "<=",     ">", ">=", "in", "contains",
        "starts_with", "ends_with", "??", "+",  "-", "not in", "*", "/",  "%"};
    const char *op = PICK(&maker->rng, ops);
    bool numbers = rng_below(&maker->rng, 4) == 0;
    json_t *a = numbers ? make_number(maker) : make_operand(maker, depth), *b, *result;

    buf_printf(&maker->text, " %s ", op);
    b = numbers ? make_number(maker) : make_operand(maker, depth);
    result = combine(op, a, b);
    json_decref(a);
    json_decref(b);
    return result;
}

static json_t *
make_not(struct maker *maker, int depth)
{
    json_t *v, *result;

    buf_add_text(&maker->text, "not ");
    v = make_operand(maker, depth);
    result = json_boolean(!truth(v));
    json_decref(v);
    return result;
}

static json_t *
make_choice(struct maker *maker, int depth)
{
    json_t *c = make_operand(maker, depth), *a, *b, *result;

    buf_add_text(&maker->text, " ? ");
    a = make_operand(maker, depth);
    buf_add_text(&maker->text, " : ");
    b = make_operand(maker, depth);
    result = json_incref(truth(c) ? a : b);
    json_decref(a);
    json_decref(b);
    json_decref(c);
    return result;
}

/* Filters that need no table of their own to be said naively. */

static int
rank(const json_t *v)
{
    if (json_is_null(v))
        return 0;
    if (json_is_boolean(v))
        return 1 + json_is_true(v);
    if (json_is_number(v))
        return 3;
    return json_is_string(v) ? 4 : 5;
}

static bool
goes_behind(json_t *a, json_t *b)
{
    if (rank(a) != rank(b))
        return rank(a) > rank(b);
    if (rank(a) == 3)
        return exact(a) > exact(b);
    return rank(a) == 4 && strcmp(json_string_value(a), json_string_value(b)) > 0;
}

static json_t *
sorted(json_t *list)
{
    json_t *out = json_array();

    for (size_t i = 0; i < json_array_size(list); i++) {
        json_t *v = json_array_get(list, i);
        size_t at = json_array_size(out);

        while (at && goes_behind(json_array_get(out, at - 1), v))
            at--;
        json_array_insert(out, at, v);
    }
    return out;
}

static json_t *
unique(json_t *list)
{
    json_t *out = json_array();

    for (size_t i = 0; i < json_array_size(list); i++) {
        if (!member(out, json_array_get(list, i)))
            json_array_append(out, json_array_get(list, i));
    }
    return out;
}

static json_t *
sum(json_t *list)
{
    double total = 0;

    for (size_t i = 0; i < json_array_size(list); i++)
        total += json_number_value(json_array_get(list, i));
    return real_or_null(total);
}

static json_t *
extreme(json_t *list, int sign)
{
    json_t *best = NULL;

    for (size_t i = 0; i < json_array_size(list); i++) {
        json_t *v = json_array_get(list, i);

        if (json_is_number(v) && (!best || sign * (exact(v) > exact(best) ? 1 : -1) > 0) &&
            (!best || exact(v) != exact(best)))
            best = v;
    }
    return best ? json_incref(best) : json_null();
}

static json_t *
length(const json_t *v)
{
    json_int_t count = 0;

    if (json_is_number(v) || json_is_boolean(v))
        return json_null();
    for (const char *at = json_string_value(v); at && *at; at++)
        count += (*at & 0xc0) != 0x80;
    return json_integer(count + (json_int_t)(json_array_size(v) + json_object_size(v)));
}

static json_t *
keys(json_t *v)
{
    json_t *out = json_array(), *value;
    const char *key;

    json_object_foreach(v, key, value)
        json_array_append_new(out, json_string(key));
    if (!json_is_object(v)) {
        json_decref(out);
        out = json_null();
    }
    return out;
}

/* Only what is text already; numbers as text are for the table of cases. */
static json_t *
prefixed(json_t *v)
{
    json_t *out;

    if (json_is_array(v)) {
        out = json_array();
        for (size_t i = 0; i < json_array_size(v); i++)
            json_array_append_new(out, prefixed(json_array_get(v, i)));
        return out;
    }
    if (json_is_true(v) || json_is_false(v))
        return json_string(json_is_true(v) ? "p-true" : "p-false");
    if (!json_is_string(v))
        return json_null();
    return json_sprintf("%s%s", json_string_length(v) ? "p-" : "", json_string_value(v));
}

static bool
has_number(const json_t *v)
{
    bool found = json_is_number(v);

    for (size_t i = 0; i < json_array_size(v); i++)
        found |= has_number(json_array_get(v, i));
    return found;
}

static json_t *
make_filtered(struct maker *maker, int depth)
{
    static const char *const filters[] = {"first", "last",   "sort", "unique", "sum",    "min",
                                          "max",   "length", "keys", "prefix", "default"};
    const char *filter = PICK(&maker->rng, filters);
    json_t *v = make_operand(maker, depth), *list, *result;

    if (!strcmp(filter, "prefix") && has_number(v))
        filter = "keys";
    buf_printf(&maker->text, " | %s", filter);
    if (!strcmp(filter, "prefix"))
        buf_add_text(&maker->text, "('p-')");
    else if (!strcmp(filter, "default"))
        buf_add_text(&maker->text, "(7)");
    list = json_is_array(v) ? json_incref(v) : json_pack("[O]", v);
    if (!strcmp(filter, "default"))
        result = json_is_null(v) || ((json_is_string(v) || json_is_array(v)) && !truth(v))
                     ? json_integer(7)
                     : json_incref(v);
    else if (!strcmp(filter, "length"))
        result = length(v);
    else if (json_is_null(v))
        result = json_null();
    else if (!strcmp(filter, "sort"))
        result = sorted(list);
    else if (!strcmp(filter, "unique"))
        result = unique(list);
    else if (!strcmp(filter, "sum"))
        result = sum(list);
    else if (!strcmp(filter, "min") || !strcmp(filter, "max"))
        result = extreme(list, filter[1] == 'a' ? 1 : -1);
    else if (!strcmp(filter, "keys"))
        result = keys(v);
    else if (!strcmp(filter, "prefix"))
        result = prefixed(v);
    else
        result = take(NULL, json_array_get(list, filter[0] == 'f' ? 0 : json_array_size(list) - 1));
    json_decref(list);
    json_decref(v);
    return result;
}

static json_t *
make(struct maker *maker, int depth)
{
    uint64_t kind = rng_below(&maker->rng, depth > 0 ? 16 : 6);

    if (kind < 4)
        return make_path(maker);
    if (kind < 6)
        return make_literal(maker);
    if (kind < 7)
        return make_array(maker, depth - 1);
    if (kind < 11)
        return make_binary(maker, depth - 1);
    if (kind < 14)
        return make_filtered(maker, depth - 1);
    return kind < 15 ? make_not(maker, depth - 1) : make_choice(maker, depth - 1);
}

static void
a_random_expression_has_the_value_the_naive_evaluator_gives_it(void **state)
{
    struct maker maker = {.rng = unit_rng("expressions", 1)};

    (void)state;
    buf_init(&maker.text, 1 << 20);
    for (int round = 0; round < ROUNDS; round++) {
        struct lab lab;
        json_t *expected;
        struct buf json, wanted;
        struct value value;

        lab_init(&lab);
        buf_init(&json, 1 << 20);
        buf_init(&wanted, 1 << 20);
        maker.event = random_event(&maker.rng);
        buf_reset(&maker.text);
        expected = make(&maker, DEPTH);
        value = value_of_json(maker.event);
        value_add_json(&value, &json);
        value = value_of_json(expected);
        value_add_json(&value, &wanted);
        if (maker.text.len <= EXPR_BYTES_MAX) {
            const char *found =
                lab_value(&lab, buf_text(&maker.text), false, buf_text(&json), json.len, NULL);

            if (strcmp(found, buf_text(&wanted)))
                fail_msg("round %d: %s\n  over %s\n  gives    %s\n  expected %s", round,
                         buf_text(&maker.text), buf_text(&json), found, buf_text(&wanted));
        }
        json_decref(maker.event);
        json_decref(expected);
        buf_fini(&json);
        buf_fini(&wanted);
        lab_fini(&lab);
    }
    buf_fini(&maker.text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_random_expression_has_the_value_the_naive_evaluator_gives_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
