#include "rules/filter.h"

#include <string.h>

#include "rules/filter_list.h"
#include "rules/filter_text.h"

/* clang-format off */
#define FILTER(name, scope, least, most, first, second, args_doc, doc, example, result)            \
    {#name, args_doc, least, most, {FILTER_ARG_##first, FILTER_ARG_##second}, FILTER_##scope,      \
     filter_##name, doc, example, result}
/* clang-format on */

/* One row per filter; the reference is made from it, and every example is run by the tests. */
static const struct filter FILTERS[] = {
    FILTER(lower, EACH, 0, 0, VALUE, VALUE, "", "Letters in lower case, one character to one.",
           "'Ada Ärö' | lower", "\"ada ärö\""),
    FILTER(upper, EACH, 0, 0, VALUE, VALUE, "", "Letters in upper case, one character to one.",
           "'straße 1' | upper", "\"STRAßE 1\""),
    FILTER(trim, EACH, 0, 0, VALUE, VALUE, "", "Without white space at both ends.",
           "'  Ada ' | trim", "\"Ada\""),
    FILTER(title, EACH, 0, 0, VALUE, VALUE, "",
           "Upper case after the start, white space or a hyphen, lower case elsewhere.",
           "'ada LOVELACE-king' | title", "\"Ada Lovelace-King\""),
    FILTER(slug, EACH, 0, 0, VALUE, VALUE, "",
           "Lower case, with one hyphen for whatever lies between letters, marks and numbers.",
           "' Hello, World! 2nd ' | slug", "\"hello-world-2nd\""),
    FILTER(replace, EACH, 2, 2, VALUE, VALUE, "(a, b)", "Every a replaced by b.",
           "'a.b.c' | replace('.', '-')", "\"a-b-c\""),
    FILTER(split, EACH, 1, 1, VALUE, VALUE, "(separator)",
           "The texts between the separators, as an array.", "'a,b' | split(',')", "[\"a\",\"b\"]"),
    FILTER(join, WHOLE, 1, 1, VALUE, VALUE, "(separator)",
           "The elements as one text; nulls are left out.", "['a', null, 1] | join(', ')",
           "\"a, 1\""),
    FILTER(prefix, EACH, 1, 1, VALUE, VALUE, "(text)",
           "The text put before; an empty text stays empty.", "['go', ''] | prefix('likes ')",
           "[\"likes go\",\"\"]"),
    FILTER(suffix, EACH, 1, 1, VALUE, VALUE, "(text)",
           "The text put behind; an empty text stays empty.", "'pro' | suffix(' user')",
           "\"pro user\""),
    FILTER(substr, EACH, 2, 2, VALUE, VALUE, "(start, count)",
           "Characters from start on, counted from 0, or from the end when negative.",
           "'abcdef' | substr(-3, 2)", "\"de\""),
    FILTER(first, WHOLE, 0, 0, VALUE, VALUE, "", "The first element.", "[1, 2] | first", "1"),
    FILTER(last, WHOLE, 0, 0, VALUE, VALUE, "", "The last element.", "[1, 2] | last", "2"),
    FILTER(length, WHOLE_NULL, 0, 0, VALUE, VALUE, "",
           "How many characters, elements or keys; 0 for null.", "'abc' | length", "3"),
    FILTER(unique, WHOLE, 0, 0, VALUE, VALUE, "", "Each element once, where it first stands.",
           "[1, 2, 1.0] | unique", "[1,2]"),
    FILTER(sort, WHOLE, 0, 0, VALUE, VALUE, "",
           "Null, false, true, numbers by value, texts by code point, then the rest as it stood.",
           "['b', 2, 'a', 1] | sort", "[1,2,\"a\",\"b\"]"),
    FILTER(keys, WHOLE, 0, 0, VALUE, VALUE, "", "The names in an object, in its order.",
           "@headers | keys", "[]"),
    FILTER(sum, WHOLE, 0, 0, VALUE, VALUE, "", "The sum of the numbers among the elements.",
           "[1, 2.5, 'x'] | sum", "3.5"),
    FILTER(min, WHOLE, 0, 0, VALUE, VALUE, "", "The least of the numbers.", "[3, 1, 2] | min", "1"),
    FILTER(max, WHOLE, 0, 0, VALUE, VALUE, "", "The greatest of the numbers.", "[3, 1, 2] | max",
           "3"),
    FILTER(number, EACH, 0, 0, VALUE, VALUE, "",
           "The number a text stands for: a decimal with optional sign, fraction and exponent.",
           "' 12.50 ' | number", "12.5"),
    FILTER(round, EACH, 0, 1, VALUE, VALUE, "(places)",
           "Rounded to so many decimals, or to a whole number, halves away from zero.",
           "2.345 | round(2)", "2.35"),
    FILTER(fixed, EACH, 1, 1, VALUE, VALUE, "(places)",
           "Rounded the same way, as text with exactly so many decimals, 0 to 15.",
           "2.5 | fixed(2)", "\"2.50\""),
    FILTER(json, WHOLE, 0, 0, VALUE, VALUE, "", "As compact JSON text.", "[1, 'a'] | json",
           "\"[1,\\\"a\\\"]\""),
    FILTER(date, EACH, 1, 2, FORMAT, OFFSET, "(format[, offset])",
           "A date, or seconds or milliseconds since 1970, by a format, in UTC or at an offset.",
           "1700000000 | date('%Y-%m-%d %H:%M', '+01:00')", "\"2023-11-14 23:13\""),
    FILTER(epoch, EACH, 0, 0, VALUE, VALUE, "",
           "Seconds since 1970 of a date, for comparing dates.", "'2023-11-14T22:13:20Z' | epoch",
           "1700000000"),
    FILTER(table, EACH, 1, 2, TABLE, FALLBACK, "(name[, default])",
           "What the table has for a text; the default when it has nothing.",
           "'pro' | table('plan_tag')", "\"paid user\""),
    FILTER(default, WHOLE_NULL, 1, 1, FALLBACK, VALUE, "(value)",
           "The value in place of null, an empty text or an empty array.", "'' | default('none')",
           "\"none\""),
    FILTER(match, EACH, 1, 1, REGEX, VALUE, "(regex)",
           "What the first group of the regular expression finds.",
           "'order-4711' | match('-(\\d+)')", "\"4711\""),
};

const struct filter *
filter_find(const char *name, size_t name_len)
{
    for (size_t i = 0; i < ARRAY_LEN(FILTERS); i++) {
        if (strlen(FILTERS[i].name) == name_len && !memcmp(FILTERS[i].name, name, name_len))
            return &FILTERS[i];
    }
    return NULL;
}

size_t
filter_count(void)
{
    return ARRAY_LEN(FILTERS);
}

const struct filter *
filter_at(size_t i)
{
    return &FILTERS[i];
}

/* Recurses as deep as arrays lie in one another, which the decoder bounds. */
static struct value
apply_to_each(struct eval *eval, const struct filter_use *use, const struct value *array,
              const struct value *args)
{
    struct value *items = eval_values(eval, array->len);

    if (!items)
        return value_null();
    for (size_t i = 0; i < array->len; i++) {
        struct value item = value_item(array, i);

        items[i] = filter_apply(eval, use, &item, args);
    }
    return value_array(items, array->len);
}

struct value
filter_apply(struct eval *eval, const struct filter_use *use, const struct value *input,
             const struct value *args)
{
    const struct filter *filter = use->filter;

    if (eval->failure)
        return value_null();
    if (value_is_null(input) && filter->scope != FILTER_WHOLE_NULL)
        return value_null();
    if (filter->scope == FILTER_EACH && input->kind == VALUE_ARRAY)
        return apply_to_each(eval, use, input, args);
    return filter->fn(eval, use, input, args);
}
