/*
 * Random expressions over random events against a naive evaluator that is written straight from the
 * reference, over JSON trees of its own.
 */

#include <ctype.h>
#include <math.h>
#include <regex.h>
#include <time.h>

#include "base/xalloc.h"
#include "json_unit.h"
#include "rules/foresee.h"
#include "rules_unit.h"

enum { ROUNDS = 60000, DEPTH = 5 };

/* Texts that the filters of texts, numbers and dates have something to do with. */
static const char *const WORDS[] = {"Ada King",
                                    " b ",
                                    "a,b,,a",
                                    "A-b c",
                                    "12.50",
                                    " -3 ",
                                    "1e3",
                                    "0x1",
                                    "  ",
                                    "true",
                                    "pro",
                                    "2024-02-29",
                                    "2023-02-29",
                                    "\xc3\xa9\xc3\x89 a",
                                    "2024-02-29T12:30:15Z",
                                    "2024-02-29 01:30+02:00"};
static const char *const PATTERNS[] = {"^a", "b$", "[a-c]+", "^$", "1|A", "[^0-9a]"};
static const char *const GROUPS[] = {"([a-z]+)", "^(a?)",   "-([0-9]+)", "(b|c)$", "x()",
                                     "[(a](b*)", "((a*)b)", "([^]a]+)",  "(a|)c"};

/* An object with every name, so that most paths lead somewhere. */
static json_t *
random_event(struct rng *rng)
{
    json_t *event = json_object();

    for (size_t i = 0; i < ARRAY_LEN(NAMES); i++)
        json_object_set_new(event, NAMES[i],
                            rng_below(rng, 4) ? random_json(rng, 3)
                                              : json_string(PICK(rng, WORDS)));
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

/* What is known of the record, as lab_event has it. */
static json_t *
make_metadata(struct maker *maker)
{
    static const struct {
        const char *path, *json;
    } known[] = {
        {"@topic", "\"user.registered\""},
        {"@partition", "3"},
        {"@offset", "9007199254740993"},
        {"@timestamp", "1700000000123"},
        {"@key", "\"k1\""},
        {"@headers.name", "\"J\xc3\xb6rg\""},
        {"@headers['event-type']", "\"signup\""},
        {"@headers.empty", "\"\""},
        {"@headers.bad", "null"},
        {"@headers.absent", "null"},
        {"@topic[0]", "null"},
        {"@offset.x", "null"},
        {"@headers[*]", "null"},
    };
    size_t i = rng_below(&maker->rng, ARRAY_LEN(known));

    buf_add_text(&maker->text, known[i].path);
    return json_loads(known[i].json, JSON_DECODE_ANY, NULL);
}

static json_t *
make_path(struct maker *maker)
{
    json_t *v = json_incref(maker->event);

    if (rng_below(&maker->rng, 8) == 0) {
        json_decref(v);
        return make_metadata(maker);
    }

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
    const char *text =
        rng_below(&maker->rng, 3) ? PICK(&maker->rng, TEXTS) : PICK(&maker->rng, WORDS);

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

/* Filters of one text, number or date. Letters beyond ASCII are those
 * between À and þ here. */

struct slow {
    const char *filter;
    const char *a, *b; /* arguments that are texts */
    json_int_t i, n;   /* and numbers */
};

static char *
letters(const char *text, bool upper, bool title)
{
    char *out = xstrdup(text);
    bool begins = true;

    for (size_t i = 0; out[i]; i++) {
        bool up = title ? begins : upper;
        unsigned char c = (unsigned char)out[i];

        if (c == 0xc3)
            out[i + 1] = (char)(up ? out[i + 1] & ~0x20 : out[i + 1] | 0x20);
        else if (c < 0x80)
            out[i] = (char)(up ? toupper(c) : tolower(c));
        begins = c == ' ' || c == '-';
        if (c == 0xc3)
            i++;
    }
    return out;
}

static char *
slug(const char *text)
{
    char *low = letters(text, false, false), *out = xcalloc(1, strlen(text) + 2);
    size_t len = 0;

    for (size_t i = 0; low[i]; i++) {
        unsigned char c = (unsigned char)low[i];

        if (isalnum(c) || c >= 0x80)
            out[len++] = (char)c;
        else if (len && out[len - 1] != '-')
            out[len++] = '-';
    }
    if (len && out[len - 1] == '-')
        len--;
    out[len] = '\0';
    xfree(low);
    return out;
}

static char *
replaced(const char *text, const char *from, const char *to)
{
    struct buf out;

    buf_init(&out, 1 << 20);
    while (*text) {
        if (*from && !strncmp(text, from, strlen(from))) {
            buf_add_text(&out, to);
            text += strlen(from);
        } else {
            buf_add_char(&out, *text++);
        }
    }
    return buf_steal(&out);
}

static json_t *
pieces(const char *text, const char *separator)
{
    json_t *out = json_array();
    const char *hit;

    while (*text && *separator && (hit = strstr(text, separator))) {
        json_array_append_new(out, json_stringn(text, (size_t)(hit - text)));
        text = hit + strlen(separator);
        if (!*text)
            json_array_append_new(out, json_string(""));
    }
    if (*text)
        json_array_append_new(out, json_string(text));
    return out;
}

static json_t *
characters(const char *text, json_int_t first, json_int_t count)
{
    json_int_t total = 0, at = 0;
    size_t start = 0, end = 0, len = strlen(text);

    for (size_t i = 0; i < len; i++)
        total += (text[i] & 0xc0) != 0x80;
    first += first < 0 ? total : 0;
    if (first < 0 || first >= total || count <= 0)
        return json_string("");
    for (size_t i = 0; i <= len; i++) {
        if (i < len && (text[i] & 0xc0) == 0x80)
            continue;
        if (at == first)
            start = i;
        if (at <= first + count)
            end = i;
        at++;
    }
    return json_stringn(text + start, end - start);
}

static json_t *
found(const char *pattern, const char *text)
{
    regex_t regex;
    regmatch_t hits[2];
    json_t *out = json_null();

    if (regcomp(&regex, pattern, REG_EXTENDED) != 0)
        fail_msg("%s is no expression", pattern);
    if (regexec(&regex, text, 2, hits, 0) == 0 && hits[1].rm_so >= 0)
        out = json_stringn(text + hits[1].rm_so, (size_t)(hits[1].rm_eo - hits[1].rm_so));
    regfree(&regex);
    return out;
}

static json_t *
read_number(const char *text)
{
    static const char whole[] = "^( *[+-]?[0-9]+ *)$";
    static const char form[] = "^( *[+-]?[0-9]+([.][0-9]+)?([eE][+-]?[0-9]+)? *)$";
    json_t *integer = found(whole, text), *number = found(form, text), *out;

    if (!json_is_null(integer) && strlen(text) < 18)
        out = json_integer(strtoll(text, NULL, 10));
    else
        out = json_is_null(number) ? json_null() : real_or_null(strtod(text, NULL));
    json_decref(integer);
    json_decref(number);
    return out;
}

/* Seconds since 1970 of what is a date in the years 0 to 9999. */
static bool
read_date(const json_t *v, time_t *epoch)
{
    static const char form[] = "^[0-9]{4}-[0-9]{2}-[0-9]{2}"
                               "([Tt ][0-9]{2}:[0-9]{2}(:[0-9]{2})?(Z|[+-][0-9]{2}:[0-9]{2})?)?$";
    long double number = exact(v);
    const char *text = json_string_value(v);
    struct tm tm = {0}, again;
    int hours = 0, minutes = 0;
    json_t *hit;

    if (json_is_number(v)) {
        number = floorl(fabsl(number) < 1e11L ? number : number / 1000);
        *epoch = (time_t)number;
        return number >= -62167219200.0L && number <= 253402300799.0L;
    }
    hit = text ? found(form, text) : json_null();
    if (!text || (json_is_null(hit) && strlen(text) != 10)) {
        json_decref(hit);
        return false;
    }
    json_decref(hit);
    if (sscanf(text, "%d-%d-%d%*c%d:%d:%d", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour,
               &tm.tm_min, &tm.tm_sec) < 3)
        return false;
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    if (strlen(text) > 16 && strpbrk(text + 16, "+-"))
        sscanf(strpbrk(text + 16, "+-"), "%d:%d", &hours, &minutes);
    again = tm;
    *epoch = timegm(&again) - hours * 3600 - minutes * 60;
    return again.tm_mday == tm.tm_mday && again.tm_mon == tm.tm_mon && again.tm_hour == tm.tm_hour;
}

static void
add_nought(char *text)
{
    memcpy(text + strlen(text), "0", 2);
}

/* The shortest decimal that reads back as REAL, without an exponent. */
static void
shortest(double real, char *text, size_t size)
{
    int digits = 0, power;
    char *mark;

    do {
        snprintf(text, size, "%.*e", digits, real);
    } while (strtod(text, NULL) != real && ++digits < 18);
    mark = strchr(text, 'e');
    power = (int)strtol(mark + 1, NULL, 10);
    if (power < 0 || digits > power) {
        snprintf(text, size, "%.*f", digits > power ? digits - power : 0, real);
        return;
    }
    /* Digits, then noughts. */
    *mark = '\0';
    if (strchr(text, '.'))
        memmove(strchr(text, '.'), strchr(text, '.') + 1, strlen(strchr(text, '.')));
    for (int i = digits; i < power; i++)
        add_nought(text);
}

/* The shortest decimal of a number, as digits around a point, rounded half away from zero. */
static char *
rounded(const json_t *v, int places)
{
    char *text = xcalloc(1, 512), *out = xcalloc(1, 512), *point;
    size_t len;
    bool up;

    if (json_is_integer(v)) {
        snprintf(text, 512, "%lld", json_integer_value(v));
    } else {
        double real = json_real_value(v);

        shortest(real, text, 512);
    }
    point = strchr(text, '.');
    if (!point) {
        point = text + strlen(text);
        memcpy(point, ".", 2);
    }
    while (strlen(point) < (size_t)places + 2)
        add_nought(text);
    up = point[1 + places] >= '5';
    point[1 + places] = '\0';
    if (places == 0)
        *point = '\0';
    len = strlen(text);
    for (size_t i = len; up && i > 0; i--) {
        char *c = &text[i - 1];

        if (*c == '.')
            continue;
        up = *c == '9';
        if (isdigit((unsigned char)*c))
            *c = *c == '9' ? '0' : (char)(*c + 1);
    }
    snprintf(out, 512, "%s%s", up ? "1" : "", text);
    xfree(text);
    return out;
}

/* One value that is no array, and not null. */
static json_t *
slowly(const struct slow *slow, const json_t *v)
{
    const char *filter = slow->filter;
    const char *text = json_is_string(v)  ? json_string_value(v)
                       : json_is_true(v)  ? "true"
                       : json_is_false(v) ? "false"
                                          : NULL;
    char *made = NULL, room[64];
    json_t *out;
    struct tm tm;
    time_t epoch;

    if (!strcmp(filter, "round") || !strcmp(filter, "fixed")) {
        if (!json_is_number(v))
            return json_null();
        made = rounded(v, (int)slow->n);
        if (!strcmp(filter, "fixed"))
            out = json_string(made);
        else
            out = json_is_integer(v) ? json_integer(json_integer_value(v))
                                     : json_real(strtod(made, NULL));
    } else if (!strcmp(filter, "epoch")) {
        return read_date(v, &epoch) ? json_integer(epoch) : json_null();
    } else if (!strcmp(filter, "date")) {
        if (!read_date(v, &epoch) || !gmtime_r(&epoch, &tm))
            return json_null();
        snprintf(room, sizeof(room), "%04d-%02d-%02d %02d:%02d:%02d", tm.tm_year + 1900,
                 tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
        return json_string(room);
    } else if (!strcmp(filter, "number")) {
        return json_is_number(v) ? json_deep_copy(v) : text ? read_number(text) : json_null();
    } else if (!text) {
        return json_null();
    } else if (!strcmp(filter, "split")) {
        return pieces(text, slow->a);
    } else if (!strcmp(filter, "substr")) {
        return characters(text, slow->i, slow->n);
    } else if (!strcmp(filter, "match")) {
        return found(slow->a, text);
    } else if (!strcmp(filter, "table")) {
        for (size_t i = 0; i < ARRAY_LEN(lab_plans); i++) {
            if (!strcmp(lab_plans[i].name.text, text))
                return json_string(lab_plans[i].value.text);
        }
        return slow->a ? json_string(slow->a) : json_null();
    } else {
        size_t blanks = strspn(text, " ");

        if (!strcmp(filter, "replace"))
            made = replaced(text, slow->a, slow->b);
        else if (!strcmp(filter, "slug"))
            made = slug(text);
        else if (!strcmp(filter, "suffix"))
            made = xasprintf("%s%s", text, *text ? slow->a : "");
        else if (!strcmp(filter, "trim"))
            made = xstrdup(text + blanks);
        else
            made = letters(text, !strcmp(filter, "upper"), !strcmp(filter, "title"));
        for (size_t len = strlen(made); !strcmp(filter, "trim") && len && made[len - 1] == ' ';)
            made[--len] = '\0';
        out = json_string(made);
    }
    xfree(made);
    return out;
}

static json_t *
slowly_each(const struct slow *slow, json_t *v)
{
    json_t *out;

    if (json_is_null(v))
        return json_null();
    if (!json_is_array(v))
        return slowly(slow, v);
    out = json_array();
    for (size_t i = 0; i < json_array_size(v); i++)
        json_array_append_new(out, slowly_each(slow, json_array_get(v, i)));
    return out;
}

/* Numbers as text are for the table of cases; so is what has them in it. */
static bool
has_number_within(json_t *v)
{
    const char *key;
    json_t *value;

    if (json_is_object(v)) {
        json_object_foreach(v, key, value) {
            if (has_number_within(value))
                return true;
        }
    }
    for (size_t i = 0; i < json_array_size(v); i++) {
        if (has_number_within(json_array_get(v, i)))
            return true;
    }
    return json_is_number(v);
}

static json_t *
joined(json_t *v)
{
    struct buf out;
    json_t *list = json_is_array(v) ? json_incref(v) : json_pack("[O]", v), *text = NULL;
    bool first = true;

    buf_init(&out, 1 << 20);
    for (size_t i = 0; i < json_array_size(list) && !text; i++) {
        json_t *item = json_array_get(list, i);

        if (json_is_null(item))
            continue;
        if (json_is_array(item) || json_is_object(item))
            text = json_null();
        if (!first)
            buf_add_char(&out, '+');
        first = false;
        buf_add_text(&out, json_is_string(item) ? json_string_value(item)
                           : json_is_true(item) ? "true"
                                                : "false");
    }
    if (json_is_null(v))
        text = json_null();
    if (!text)
        text = json_string(buf_text(&out));
    buf_fini(&out);
    json_decref(list);
    return text;
}

static int
add_bytes(const char *bytes, size_t len, void *text)
{
    buf_add(text, bytes, len);
    return 0;
}

static json_t *
as_json(json_t *v)
{
    struct buf text;
    json_t *out;

    if (json_is_null(v))
        return json_null();
    buf_init(&text, 1 << 20);
    json_dump_callback(v, add_bytes, &text, JSON_COMPACT | JSON_ENCODE_ANY);
    out = json_string(buf_text(&text));
    buf_fini(&text);
    return out;
}

/* Writes FILTER with its arguments into the text, and into SLOW. */
static void
write_filter(struct maker *maker, struct slow *slow)
{
    struct rng *rng = &maker->rng;

    slow->i = (json_int_t)rng_below(rng, 7) - 3;
    slow->n = (json_int_t)rng_below(rng, 4);
    slow->a = slow->b = PICK(rng, TEXTS);
    buf_printf(&maker->text, " | %s", slow->filter);
    if (!strcmp(slow->filter, "replace")) {
        slow->a = PICK(rng, TEXTS);
        buf_printf(&maker->text, "('%s', '%s')", slow->a, slow->b);
    } else if (!strcmp(slow->filter, "split")) {
        slow->a = rng_below(rng, 2) ? "," : "";
        buf_printf(&maker->text, "('%s')", slow->a);
    } else if (!strcmp(slow->filter, "suffix")) {
        slow->a = "-s";
        buf_add_text(&maker->text, "('-s')");
    } else if (!strcmp(slow->filter, "substr")) {
        buf_printf(&maker->text, "(%lld, %lld)", slow->i, slow->n);
    } else if (!strcmp(slow->filter, "match")) {
        slow->a = PICK(rng, GROUPS);
        buf_printf(&maker->text, "('%s')", slow->a);
    } else if (!strcmp(slow->filter, "table")) {
        slow->a = rng_below(rng, 2) ? "other" : NULL;
        buf_add_text(&maker->text, slow->a ? "('plan_tag', 'other')" : "('plan_tag')");
    } else if (!strcmp(slow->filter, "date")) {
        buf_add_text(&maker->text, "('%Y-%m-%d %T')");
    } else if (!strcmp(slow->filter, "join")) {
        buf_add_text(&maker->text, "('+')");
    } else if (!strcmp(slow->filter, "round") || !strcmp(slow->filter, "fixed")) {
        buf_printf(&maker->text, "(%lld)", slow->n);
    }
}

static json_t *
make_word(struct maker *maker, int depth)
{
    static const char *const of_texts[] = {"lower",   "upper", "trim", "title",  "slug",
                                           "replace", "split", "join", "suffix", "substr",
                                           "table",   "match", "json"};
    static const char *const of_others[] = {"number", "round", "fixed", "date", "epoch"};
    struct slow slow = {.filter = PICK(&maker->rng, of_texts)};
    json_t *v, *result;

    if (rng_below(&maker->rng, 2)) {
        const char *word = PICK(&maker->rng, WORDS);

        buf_printf(&maker->text, "('%s')", word);
        v = json_string(word);
    } else {
        v = make_operand(maker, depth);
    }
    if (has_number_within(v) || rng_below(&maker->rng, 3) == 0)
        slow.filter = PICK(&maker->rng, of_others);
    write_filter(maker, &slow);
    if (!strcmp(slow.filter, "join"))
        result = joined(v);
    else if (!strcmp(slow.filter, "json"))
        result = as_json(v);
    else
        result = slowly_each(&slow, v);
    json_decref(v);
    return result;
}

/* What a number is as text is for the table of cases, here, too. */
static json_t *
make_match(struct maker *maker, int depth)
{
    json_t *v = make_operand(maker, depth), *result = json_false();
    const char *pattern = PICK(&maker->rng, PATTERNS), *text = json_string_value(v);
    regex_t regex;

    if (json_is_number(v)) {
        buf_add_text(&maker->text, " matches '[0-9]'");
        result = json_true();
    } else {
        buf_printf(&maker->text, " matches '%s'", pattern);
    }
    if (text && regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB) == 0) {
        result = json_boolean(regexec(&regex, text, 0, NULL, 0) == 0);
        regfree(&regex);
    }
    json_decref(v);
    return result;
}

static json_t *
make(struct maker *maker, int depth)
{
    uint64_t kind = rng_below(&maker->rng, depth > 0 ? 20 : 6);

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
    if (kind < 17)
        return make_word(maker, depth - 1);
    if (kind < 18)
        return make_match(maker, depth - 1);
    return kind < 19 ? make_not(maker, depth - 1) : make_choice(maker, depth - 1);
}

/* The kind of V as foresee tells it. */
static unsigned
kind_of(const json_t *v)
{
    switch (json_typeof(v)) {
    case JSON_NULL:
        return FORESEE_NULL;
    case JSON_TRUE:
    case JSON_FALSE:
        return FORESEE_BOOL;
    case JSON_INTEGER:
    case JSON_REAL:
        return FORESEE_NUMBER;
    case JSON_STRING:
        return json_string_length(v) ? FORESEE_TEXT : FORESEE_EMPTY;
    case JSON_ARRAY:
        return FORESEE_ARRAY;
    default:
        return FORESEE_OBJECT;
    }
}

/* What is foreseen of the expression in MAKER's text, which has loaded. CONDITION, which may be
 * NULL, is known to be HOLDS. */
static unsigned
foreseen(struct lab *lab, const char *text, const char *condition, bool holds)
{
    struct foresight sight = {lab_tables, ARRAY_LEN(lab_tables), NULL};
    struct expr_env env = lab_env(lab);
    const struct expr *expr = expr_parse(text, strlen(text), 1, &env);
    struct fact fact = {NULL, holds, NULL};

    assert_non_null(expr);
    if (condition) {
        fact.condition = expr_parse(condition, strlen(condition), 1, &env);
        assert_non_null(fact.condition);
        sight.facts = &fact;
    }
    return foresee(expr, &sight);
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
            if (!(foreseen(&lab, buf_text(&maker.text), NULL, true) & kind_of(expected)))
                fail_msg("round %d: %s\n  over %s\n  gives %s, which is not foreseen", round,
                         buf_text(&maker.text), buf_text(&json), found);
        }
        json_decref(maker.event);
        json_decref(expected);
        buf_fini(&json);
        buf_fini(&wanted);
        lab_fini(&lab);
    }
    buf_fini(&maker.text);
}

/* Conditions and values of two paths, so that they often speak of the same. */

static void
write_condition(struct rng *rng, struct buf *text, int depth)
{
    static const char *const paths[] = {"a", "b", "a.b"};
    static const char *const literals[] = {"''", "null", "'a'", "1", "[]", "'1'", "'true'"};
    static const char *const lists[] = {"['a', 'b']", "['', null]", "[1, true]", "[]", "'a'"};
    static const char *const ops[] = {"==", "!=", "<", "starts_with", "ends_with", "contains"};
    const char *path = PICK(rng, paths);

    switch (rng_below(rng, depth ? 8 : 5)) {
    case 0:
        buf_add_text(text, path);
        break;
    case 1:
        buf_printf(text, "%s %s %s", path, rng_below(rng, 2) ? "in" : "not in", PICK(rng, lists));
        break;
    case 2:
        buf_printf(text, "%s == %s", PICK(rng, literals), path);
        break;
    case 3:
    case 4:
        buf_printf(text, "%s %s %s", path, PICK(rng, ops), PICK(rng, literals));
        break;
    case 5:
        buf_add_text(text, "not (");
        write_condition(rng, text, depth - 1);
        buf_add_char(text, ')');
        break;
    default:
        buf_add_char(text, '(');
        write_condition(rng, text, depth - 1);
        buf_add_text(text, rng_below(rng, 2) ? ") and (" : ") or (");
        write_condition(rng, text, depth - 1);
        buf_add_char(text, ')');
    }
}

static void
write_value(struct rng *rng, struct buf *text)
{
    static const char *const values[] = {"a",       "b",      "a.b",           "a | trim",
                                         "b + 'x'", "a ?? b", "a | default(b)"};

    if (rng_below(rng, 2)) {
        buf_add_text(text, PICK(rng, values));
        return;
    }
    buf_add_char(text, '(');
    write_condition(rng, text, 1);
    buf_printf(text, ") ? (%s) : (%s)", PICK(rng, values), PICK(rng, values));
}

static void
check_exclusion(struct lab *lab, const char *condition, bool holds, const struct buf *json)
{
    static const char *const keys[] = {"a", "b", "1", "true", "", "x"};
    struct expr_env env = lab_env(lab);
    const struct expr *parsed = expr_parse(condition, strlen(condition), 1, &env);
    const struct expr *path = expr_parse("a", 1, 1, &env);
    json_t *event = lab_payload(json->data, json->len), *a = json_object_get(event, "a");
    char wanted[16];

    for (size_t i = 0; i < ARRAY_LEN(keys) && !json_is_array(a); i++) {
        snprintf(wanted, sizeof(wanted), "\"%s\"", keys[i]);
        if (foresee_excludes(parsed, holds, path->path, keys[i]) &&
            !strcmp(lab_value(lab, "a | replace('', '')", false, json->data, json->len, NULL),
                    wanted))
            fail_msg("%s is %d and lets a be %s\n  over %s", condition, holds, wanted,
                     buf_text(json));
    }
    json_decref(event);
}

static void
what_is_foreseen_under_a_condition_holds_where_it_does(void **state)
{
    struct rng rng = unit_rng("foresight", 1);
    struct buf condition, text, json;

    (void)state;
    buf_init(&condition, 1 << 16);
    buf_init(&text, 1 << 16);
    buf_init(&json, 1 << 20);
    for (int round = 0; round < ROUNDS; round++) {
        struct lab lab;
        json_t *event = random_event(&rng), *found;
        struct value value = value_of_json(event);
        bool holds;

        lab_init(&lab);
        buf_reset(&condition);
        buf_reset(&text);
        buf_reset(&json);
        value_add_json(&value, &json);
        write_condition(&rng, &condition, 3);
        write_value(&rng, &text);
        lab_value(&lab, buf_text(&condition), false, json.data, json.len, NULL);
        found = json_loads(buf_text(&lab.out), JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL, NULL);
        holds = truth(found);
        json_decref(found);
        lab_value(&lab, buf_text(&text), false, json.data, json.len, NULL);
        found = json_loads(buf_text(&lab.out), JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL, NULL);
        if (!(foreseen(&lab, buf_text(&text), buf_text(&condition), holds) & kind_of(found)))
            fail_msg("round %d: %s, where %s is %d,\n  gives %s, which is not foreseen\n  over %s",
                     round, buf_text(&text), buf_text(&condition), holds, buf_text(&lab.out),
                     buf_text(&json));
        check_exclusion(&lab, buf_text(&condition), holds, &json);
        json_decref(found);
        json_decref(event);
        lab_fini(&lab);
    }
    buf_fini(&condition);
    buf_fini(&text);
    buf_fini(&json);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_random_expression_has_the_value_the_naive_evaluator_gives_it),
        cmocka_unit_test(what_is_foreseen_under_a_condition_holds_where_it_does),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
