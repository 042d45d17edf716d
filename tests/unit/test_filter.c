/* Filters, sentence by sentence of the reference, and every example of the table. */

#include "rules_unit.h"

#define RUN(cases, payload) lab_run(cases, ARRAY_LEN(cases), false, payload)

static const char EVENT[] =
    "{\"s\":\"text\",\"empty\":\"\",\"blank\":\"  "
    "\",\"n\":5,\"t\":true,\"list\":[3,1,2],\"none\":[],"
    "\"obj\":{\"b\":1,\"a\":[2,null]},\"nil\":null,\"words\":[\"Go\",null,[\"C\",\"\"]],"
    "\"mixed\":[\"b\",null,{\"x\":1},2,true,\"a\",[1],1.5,false,\"B\",null]}";

static void
every_example_of_the_table_holds(void **state)
{
    struct event event = lab_event;

    (void)state;
    event.header_count = 0;
    for (size_t i = 0; i < filter_count(); i++) {
        const struct filter *filter = filter_at(i);
        struct lab lab;

        assert_true(filter->doc[0] && filter->args_doc);
        assert_true(filter->min_args <= filter->max_args && filter->max_args <= FILTER_ARGS_MAX);
        lab_init(&lab);
        assert_string_equal(lab_value(&lab, filter->example, false, "{}", 2, &event),
                            filter->result);
        lab_fini(&lab);
    }
}

static void
null_stays_null_but_for_default_and_length(void **state)
{
    (void)state;
    for (size_t i = 0; i < filter_count(); i++) {
        const struct filter *filter = filter_at(i);
        static const char *const args[] = {"", "('x')", "('x', 'y')"};
        const char *given = args[filter->min_args];
        char text[64];
        struct lab lab;
        const char *expected = "null";

        if (!strcmp(filter->name, "table"))
            given = "('plan_tag')";
        else if (!strcmp(filter->name, "match"))
            given = "('(x)')";
        else if (!strcmp(filter->name, "date"))
            given = "('%Y')";
        if (!strcmp(filter->name, "length"))
            expected = "0";
        else if (!strcmp(filter->name, "default"))
            expected = "\"x\"";
        snprintf(text, sizeof(text), "nil | %s%s", filter->name, given);
        lab_init(&lab);
        assert_string_equal(lab_value(&lab, text, false, EVENT, strlen(EVENT), NULL), expected);
        lab_fini(&lab);
    }
}

static void
a_null_argument_makes_the_result_null(void **state)
{
    static const struct lab_case cases[] = {
        {"s | prefix(nil)", "null", NULL},
        {"s | suffix(missing)", "null", NULL},
        {"s | replace('t', nil)", "null", NULL},
        {"s | replace(nil, 't')", "null", NULL},
        {"s | split(nil)", "null", NULL},
        {"list | join(nil)", "null", NULL},
        {"s | substr(nil, 1)", "null", NULL},
        {"n | round(nil)", "null", NULL},
        {"n | fixed(nil)", "null", NULL},
        {"nil | default(nil)", "null", NULL},
        {"s | default(nil)", "\"text\"", NULL},
        {"'gone' | table('plan_tag', nil)", "null", NULL},
        {"'pro' | table('plan_tag', nil)", "\"paid user\"", NULL},
        {"s | prefix(list)", "null", NULL},
        {"s | prefix(n)", "\"5text\"", NULL},
        {"s | prefix(n > 1 ? 'a' : 'b')", "\"atext\"", NULL},
    };

    (void)state;
    RUN(cases, EVENT);
}

static void
element_filters_go_into_arrays(void **state)
{
    static const struct lab_case cases[] = {
        {"words | lower", "[\"go\",null,[\"c\",\"\"]]", NULL},
        {"words | prefix('likes ')", "[\"likes Go\",null,[\"likes C\",\"\"]]", NULL},
        {"words | substr(0, 1)", "[\"G\",null,[\"C\",\"\"]]", NULL},
        {"['1', 'x', 2] | number", "[1,null,2]", NULL},
        {"[1.5, '1.5', null] | round", "[2,null,null]", NULL},
        {"['2024-01-31', 0, 'x'] | epoch", "[1706659200,0,null]", NULL},
        {"['pro', 'gone', null] | table('plan_tag', 'none')", "[\"paid user\",\"none\",null]",
         NULL},
        {"['a-b', 'c'] | split('-')", "[[\"a\",\"b\"],[\"c\"]]", NULL},
        {"['a1', 'b'] | match('(\\d)')", "[\"1\",null]", NULL},
        {"[obj, n, t] | upper", "[null,\"5\",\"TRUE\"]", NULL},
        {"none | lower", "[]", NULL},
        {"obj | lower", "null", NULL},
        {"n | lower", "\"5\"", NULL},
        {"t | suffix('!')", "\"true!\"", NULL},
        {"12.50 | suffix('x')", "\"12.5x\"", NULL},
    };

    (void)state;
    RUN(cases, EVENT);
}

static void
case_blanks_and_slugs_go_by_unicode(void **state)
{
    static const struct lab_case cases[] = {
        {"'hello wORLD o''neil jean-luc  x' | title", "\"Hello World O'neil Jean-Luc  X\"", NULL},
        {"'\xc2\xa0 a b\xe2\x80\x83' | trim", "\"a b\"", NULL},
        {"blank | trim", "\"\"", NULL},
        {"' Crème  Brûlée & Co. №5 ' | slug", "\"crème-brûlée-co-5\"", NULL},
        {"'---' | slug", "\"\"", NULL},
        {"'e\xcc\x81t\xc3\xa9 \xe0\xa4\xa8\xe0\xa4\xbf x\xc2\xb2' | slug",
         "\"e\xcc\x81t\xc3\xa9-\xe0\xa4\xa8\xe0\xa4\xbf-x\xc2\xb2\"", NULL},
        {"'A_b' | slug", "\"a-b\"", NULL},
    };
    /* One character to one: sharp s has no simple upper case, and sigma is not looked at in its
     * word. */
    static const struct lab_case simple[] = {
        {"'ΑΣ' | lower", "\"ασ\"", NULL}, {"'ß' | upper", "\"ß\"", NULL},
        {"'ÀÉ' | lower", "\"àé\"", NULL}, {"'İ' | lower", "\"i\"", NULL},
        {"'ǆ' | upper", "\"Ǆ\"", NULL},
    };

    (void)state;
    RUN(cases, EVENT);
    RUN(simple, EVENT);
}

static void
text_is_cut_and_joined_by_whole_characters(void **state)
{
    static const struct lab_case cases[] = {
        {"'aXbXc' | replace('X', '--')", "\"a--b--c\"", NULL},
        {"'aaa' | replace('aa', 'b')", "\"ba\"", NULL},
        {"s | replace('', 'x')", "\"text\"", NULL},
        {"s | replace('t', '')", "\"ex\"", NULL},
        {"empty | replace('', 'x')", "\"\"", NULL},
        {"'a,b,,c' | split(',')", "[\"a\",\"b\",\"\",\"c\"]", NULL},
        {"',' | split(',')", "[\"\",\"\"]", NULL},
        {"s | split('')", "[\"text\"]", NULL},
        {"empty | split(',')", "[]", NULL},
        {"empty | split('')", "[]", NULL},
        {"'a::b' | split('::')", "[\"a\",\"b\"]", NULL},
        {"15 | split(5)", "[\"1\",\"\"]", NULL},
        {"empty | prefix('x')", "\"\"", NULL},
        {"empty | suffix('x')", "\"\"", NULL},
        {"'aßc€' | substr(1, 2)", "\"ßc\"", NULL},
        {"'aßc€' | substr(-1, 1)", "\"€\"", NULL},
        {"'abc' | substr(1, 99)", "\"bc\"", NULL},
        {"'abc' | substr(3, 1)", "\"\"", NULL},
        {"'abc' | substr(-4, 2)", "\"\"", NULL},
        {"'abc' | substr(0, 0)", "\"\"", NULL},
        {"'abc' | substr(0, -1)", "\"\"", NULL},
        {"'abc' | substr(1.0, 1)", "\"b\"", NULL},
        {"'abc' | substr(0.5, 1)", "null", NULL},
        {"'abc' | substr('0', 1)", "null", NULL},
        {"1234 | substr(-2, 2)", "\"34\"", NULL},
        {"'id=42;x' | match('id=(\\d+)(;y)?')", "\"42\"", NULL},
        {"'x' | match('(\\d)')", "null", NULL},
        {"'ab' | match('(x)?b')", "null", NULL},
        {"'ab' | match('a(x*)b')", "\"\"", NULL},
        {"4711 | match('^(\\d\\d)')", "\"47\"", NULL},
    };

    (void)state;
    RUN(cases, EVENT);
}

static void
filters_of_arrays_take_one_value_for_an_array_of_it(void **state)
{
    static const struct lab_case cases[] = {
        {"list | first", "3", NULL},
        {"list | last", "2", NULL},
        {"none | first", "null", NULL},
        {"none | last", "null", NULL},
        {"s | first", "\"text\"", NULL},
        {"obj | last", "{\"b\":1,\"a\":[2,null]}", NULL},
        {"list | join(', ')", "\"3, 1, 2\"", NULL},
        {"['a', null, true, 1.50] | join('')", "\"atrue1.5\"", NULL},
        {"none | join(',')", "\"\"", NULL},
        {"[null] | join(',')", "\"\"", NULL},
        {"['', ''] | join(',')", "\",\"", NULL},
        {"n | join(',')", "\"5\"", NULL},
        {"['a', [1]] | join(',')", "null", NULL},
        {"obj | join(',')", "null", NULL},
        {"['a', 'b'] | join(1)", "\"a1b\"", NULL},
        {"[1, 'a', 1.0, 'a', null, null, [1], [1.0], true] | unique", "[1,\"a\",null,[1],true]",
         NULL},
        {"n | unique", "[5]", NULL},
        {"mixed | sort", "[null,null,false,true,1.5,2,\"B\",\"a\",\"b\",{\"x\":1},[1]]", NULL},
        {"[2, 1.0, 1, 3] | sort", "[1,1,2,3]", NULL},
        {"n | sort", "[5]", NULL},
        {"none | sort", "[]", NULL},
        {"'aß€' | length", "3", NULL},
        {"mixed | length", "11", NULL},
        {"obj | length", "2", NULL},
        {"missing | length", "0", NULL},
        {"n | length", "null", NULL},
        {"t | length", "null", NULL},
        {"empty | length", "0", NULL},
        {"obj | keys", "[\"b\",\"a\"]", NULL},
        {"list | keys", "null", NULL},
        {"s | keys", "null", NULL},
        {"list | sum", "6", NULL},
        {"mixed | sum", "3.5", NULL},
        {"none | sum", "0", NULL},
        {"['1'] | sum", "0", NULL},
        {"[1e308, 1e308] | sum", "null", NULL},
        {"n | sum", "5", NULL},
        {"list | min", "1", NULL},
        {"list | max", "3", NULL},
        {"none | min", "null", NULL},
        {"['1'] | max", "null", NULL},
        {"[9007199254740993, 9007199254740992] | max", "9007199254740993", NULL},
        {"mixed | max", "2", NULL},
    };

    (void)state;
    RUN(cases, EVENT);
}

static void
numbers_are_read_strictly_and_rounded_as_written(void **state)
{
    static const struct lab_case cases[] = {
        {"' -12.5e1 ' | number", "-125", NULL},
        {"'+7' | number", "7", NULL},
        {"'007' | number", "7", NULL},
        {"'9223372036854775807' | number", "9223372036854775807", NULL},
        {"'9223372036854775808' | number", "9223372036854776000", NULL},
        {"'1e999' | number", "null", NULL},
        {"'1,5' | number", "null", NULL},
        {"'0x10' | number", "null", NULL},
        {"'inf' | number", "null", NULL},
        {"'nan' | number", "null", NULL},
        {"'' | number", "null", NULL},
        {"'1 2' | number", "null", NULL},
        {"'.5' | number", "null", NULL},
        {"'5.' | number", "null", NULL},
        {"'1e' | number", "null", NULL},
        {"true | number", "null", NULL},
        {"19.90 | number", "19.9", NULL},
        {"2.5 | round", "3", NULL},
        {"-2.5 | round", "-3", NULL},
        {"1.005 | round(2)", "1.01", NULL},
        {"2.675 | round(2)", "2.68", NULL},
        {"0.4 | round", "0", NULL},
        {"-0.4 | round", "0", NULL},
        {"0.5 | round", "1", NULL},
        {"9.99 | round(1)", "10", NULL},
        {"99.5 | round", "100", NULL},
        {"1234 | round(-2)", "1200", NULL},
        {"50 | round(-2)", "100", NULL},
        {"49 | round(-2)", "0", NULL},
        {"9007199254740993 | round(-1)", "9007199254740990", NULL},
        {"-9007199254740995 | round(-1)", "-9007199254741000", NULL},
        {"9223372036854775807 | round(-1)", "9223372036854776000", NULL},
        {"(18014398509481987 | round(-1)) == 18014398509481990", "true", NULL},
        {"-18014398509481985 | round(-1)", "-18014398509481990", NULL},
        {"9223372036854775807 | round(-18)", "9000000000000000000", NULL},
        {"9223372036854775807 | round(-19)", "10000000000000000000", NULL},
        {"9223372036854775807 | round(-20)", "0", NULL},
        {"5 | round(-9223372036854775807)", "0", NULL},
        {"1e300 | round(3)", "1e+300", NULL},
        {"5 | round(2)", "5", NULL},
        {"9007199254740993 | round", "9007199254740993", NULL},
        {"1.5 | round(0.5)", "null", NULL},
        {"1.25 | round(400)", "1.25", NULL},
        {"1.25 | round(-400)", "0", NULL},
        {"'2.5' | round", "null", NULL},
        {"t | round", "null", NULL},
        {"19.9 | fixed(2)", "\"19.90\"", NULL},
        {"1.005 | fixed(2)", "\"1.01\"", NULL},
        {"0.5 | fixed(0)", "\"1\"", NULL},
        {"-0.001 | fixed(2)", "\"0.00\"", NULL},
        {"-1.5 | fixed(0)", "\"-2\"", NULL},
        {"12 | fixed(3)", "\"12.000\"", NULL},
        {"9223372036854775807 | fixed(1)", "\"9223372036854775807.0\"", NULL},
        {"1e21 | fixed(1)", "\"1000000000000000000000.0\"", NULL},
        {"1e-9 | fixed(15)", "\"0.000000001000000\"", NULL},
        {"0.05 | fixed(1)", "\"0.1\"", NULL},
        {"0.04 | fixed(1)", "\"0.0\"", NULL},
        {"1 | fixed(16)", "null", NULL},
        {"1 | fixed(-1)", "null", NULL},
        {"'1' | fixed(1)", "null", NULL},
    };

    (void)state;
    RUN(cases, EVENT);
}

static void
numbers_are_written_as_javascript_does(void **state)
{
    static const struct lab_case cases[] = {
        {"1.0 + ''", "null", NULL},
        {"x | lower", "\"1\"", "{\"x\":1.0}"},
        {"x | lower", "\"1000\"", "{\"x\":1e3}"},
        {"x | lower", "\"19.9\"", "{\"x\":19.90}"},
        {"x | lower", "\"19.99\"", "{\"x\":19.99}"},
        {"x | lower", "\"1e+21\"", "{\"x\":1e21}"},
        {"x | lower", "\"100000000000000000000\"", "{\"x\":1e20}"},
        {"x | lower", "\"123456789012345680000\"", "{\"x\":123456789012345678901}"},
        {"x | lower", "\"1.5e-7\"", "{\"x\":0.00000015}"},
        {"x | lower", "\"0.000001\"", "{\"x\":0.000001}"},
        {"x | lower", "\"1e-7\"", "{\"x\":0.0000001}"},
        {"x | lower", "\"5e-324\"", "{\"x\":5e-324}"},
        {"x | lower", "\"1.7976931348623157e+308\"", "{\"x\":1.7976931348623157e308}"},
        {"x | lower", "\"2.2250738585072014e-308\"", "{\"x\":2.2250738585072014e-308}"},
        {"x | lower", "\"5.684341886080802e-14\"", "{\"x\":5.684341886080801486968994140625e-14}"},
        {"x | lower", "\"0\"", "{\"x\":-0.0}"},
        {"x | lower", "\"0\"", "{\"x\":-0}"},
        {"x | lower", "\"-1.5\"", "{\"x\":-1.5}"},
        {"x | lower", "\"4611686018427388000\"", "{\"x\":4611686018427387904.0}"},
        {"x | lower", "\"4611686018427387904\"", "{\"x\":4611686018427387904}"},
        {"x | lower", "\"0.1\"", "{\"x\":0.1}"},
        {"0.1 + 0.2 == 0.3", "false", "{}"},
        {"x | lower", "\"-9223372036854775808\"", "{\"x\":-9223372036854775808}"},
    };

    (void)state;
    RUN(cases, "{}");
}

static void
dates_are_read(void **state)
{
    static const struct lab_case cases[] = {
        {"0 | epoch", "0", NULL},
        {"-1 | epoch", "-1", NULL},
        {"1700000000 | epoch", "1700000000", NULL},
        {"99999999999 | epoch", "99999999999", NULL},
        {"100000000000 | epoch", "100000000", NULL},
        {"-100000000001 | epoch", "-100000001", NULL},
        {"1700000000999 | epoch", "1700000000", NULL},
        {"1700000000.9 | epoch", "1700000000", NULL},
        {"-0.5 | epoch", "-1", NULL},
        {"1700000000999.5 | epoch", "1700000000", NULL},
        {"1e300 | epoch", "null", NULL},
        {"9223372036854775807 | epoch", "null", NULL},
        {"'2023-11-14' | epoch", "1699920000", NULL},
        {"'2023-11-14T22:13' | epoch", "1699999980", NULL},
        {"'2023-11-14t22:13:20Z' | epoch", "1700000000", NULL},
        {"'2023-11-14 22:13:20.999' | epoch", "1700000000", NULL},
        {"'2023-11-14T22:13:20+05:30' | epoch", "1699980200", NULL},
        {"'2023-11-14T22:13:20-0800' | epoch", "1700028800", NULL},
        {"'2023-11-14T22:13:20+02' | epoch", "1699992800", NULL},
        {"'2023-11-14T22:13Z' | epoch", "1699999980", NULL},
        {"'2024-02-29' | epoch", "1709164800", NULL},
        {"'1600-02-29' | epoch", "-11670998400", NULL},
        {"'0000-01-01' | epoch", "-62167219200", NULL},
        {"'9999-12-31T23:59:59' | epoch", "253402300799", NULL},
        {"'2023-02-29' | epoch", "null", NULL},
        {"'1900-02-29' | epoch", "null", NULL},
        {"'2023-13-01' | epoch", "null", NULL},
        {"'2023-00-10' | epoch", "null", NULL},
        {"'2023-04-31' | epoch", "null", NULL},
        {"'2023-11-14T22:13:60' | epoch", "null", NULL},
        {"'2023-11-14T24:00' | epoch", "null", NULL},
        {"'2023-11-14T22:60' | epoch", "null", NULL},
        {"'2023-11-14T22' | epoch", "null", NULL},
        {"'2023-11-14T22:13:20z' | epoch", "null", NULL},
        {"'2023-11-14T22:13:20.' | epoch", "null", NULL},
        {"'2023-11-14T22:13.5' | epoch", "null", NULL},
        {"'2023-11-14T22:13:20 Z' | epoch", "null", NULL},
        {"'2023-11-14  22:13' | epoch", "null", NULL},
        {"'2023-11-14T' | epoch", "null", NULL},
        {"'2023-11-14T22:13:20+5' | epoch", "null", NULL},
        {"'2023-11-14T22:13:20+05:3' | epoch", "null", NULL},
        {"'2023-11-14T22:13:20+24:00' | epoch", "null", NULL},
        {"' 2023-11-14' | epoch", "null", NULL},
        {"'2023-1-4' | epoch", "null", NULL},
        {"'20231114' | epoch", "null", NULL},
        {"'1700000000' | epoch", "null", NULL},
        {"'' | epoch", "null", NULL},
        {"true | epoch", "null", NULL},
        {"'2024-01-01' | epoch < 1704067201", "true", NULL},
    };

    (void)state;
    RUN(cases, "{}");
}

static void
dates_are_written(void **state)
{
    static const struct lab_case cases[] = {
        {"1700000000 | date('%Y %y %m %d %e %j %H %I %M %S %p')",
         "\"2023 23 11 14 14 318 22 10 13 20 PM\"", NULL},
        {"1700000000 | date('%A %a %B %b %F %T %z %s %%')",
         "\"Tuesday Tue November Nov 2023-11-14 22:13:20 +0000 1700000000 %\"", NULL},
        {"0 | date('%e|%I|%p|%a')", "\" 1|12|AM|Thu\"", NULL},
        {"43200 | date('%I %p')", "\"12 PM\"", NULL},
        {"1700000000 | date('%F %T %z', '+05:30')", "\"2023-11-15 03:43:20 +0530\"", NULL},
        {"1700000000 | date('%F %T %z', '-0800')", "\"2023-11-14 14:13:20 -0800\"", NULL},
        {"1700000000 | date('%H', '+02')", "\"00\"", NULL},
        {"1700000000 | date('%H', 'Z')", "\"22\"", NULL},
        {"'1990-05-01' | date('%Y-%m-%d')", "\"1990-05-01\"", NULL},
        {"'1990-05-01' | date('%F %H', '-08:00')", "\"1990-05-01 00\"", NULL},
        {"'1990-05-01T00:00' | date('%F', '-08:00')", "\"1990-04-30\"", NULL},
        {"'1990-05-01T23:00-05:00' | date('%F')", "\"1990-05-02\"", NULL},
        {"-1 | date('%F %T')", "\"1969-12-31 23:59:59\"", NULL},
        {"'0033-01-02' | date('%Y %y')", "\"0033 33\"", NULL},
        {"'2024-12-31' | date('%j')", "\"366\"", NULL},
        {"'2000-02-29' | date('%A')", "\"Tuesday\"", NULL},
        {"'9999-12-31T23:00' | date('%F', '+05:00')", "null", NULL},
        {"0 | date('Datum: %d.')", "\"Datum: 01.\"", NULL},
        {"'x' | date('%F')", "null", NULL},
        {"'2000-02-29T00:00:00.1234567890123456789012345678901234567890123Z' | date('%F')",
         "\"2000-02-29\"", NULL},
        {"'2000-02-29T00:00:00.123456789012345678901234567890123456789012345Z' | date('%F')",
         "null", NULL},
    };

    (void)state;
    RUN(cases, "{}");
}

static void
tables_json_and_default_take_any_value(void **state)
{
    static const struct lab_case cases[] = {
        {"'pro' | table('plan_tag')", "\"paid user\"", NULL},
        {"'gone' | table('plan_tag')", "null", NULL},
        {"'gone' | table('plan_tag', 'none')", "\"none\"", NULL},
        {"'gone' | table('plan_tag', 1 + 1)", "2", NULL},
        {"nil | table('plan_tag', 'none')", "null", NULL},
        {"1 | table('plan_tag')", "\"one\"", NULL},
        {"1.0 | table('plan_tag')", "\"one\"", NULL},
        {"true | table('plan_tag')", "\"yes\"", NULL},
        {"'' | table('plan_tag')", "\"nothing\"", NULL},
        {"obj | table('plan_tag', 'none')", "null", NULL},
        {"obj | json", "\"{\\\"b\\\":1,\\\"a\\\":[2,null]}\"", NULL},
        {"s | json", "\"\\\"text\\\"\"", NULL},
        {"[19.90, 1e3, true] | json", "\"[19.9,1000,true]\"", NULL},
        {"x | json", "\"{\\\"é\\\":\\\"\\\\n\\\"}\"", "{\"x\":{\"é\":\"\\n\"}}"},
        {"empty | default('x')", "\"x\"", NULL},
        {"none | default('x')", "\"x\"", NULL},
        {"nil | default([1])", "[1]", NULL},
        {"obj | default('x')", "{\"b\":1,\"a\":[2,null]}", NULL},
        {"x | default('y')", "{}", "{\"x\":{}}"},
        {"0 | default('x')", "0", NULL},
        {"false | default('x')", "false", NULL},
        {"blank | trim | default('x')", "\"x\"", NULL},
    };

    (void)state;
    RUN(cases, EVENT);
}

static void
long_arrays_are_sorted_and_made_unique_in_time(void **state)
{
    struct lab lab;
    struct buf json;

    (void)state;
    lab_init(&lab);
    buf_init(&json, 16 << 20);
    buf_add_text(&json, "{\"a\":[0");
    for (long i = 1; i < 300000; i++)
        buf_printf(&json, ",%ld", i * 7919 % 300007);
    buf_add_text(&json, "]}");
    assert_string_equal(
        lab_value(&lab, "a | unique | sort | last", false, json.data, json.len, NULL), "300006");
    buf_fini(&json);
    lab_fini(&lab);
}

static void
what_takes_too_much_memory_is_given_up(void **state)
{
    struct lab lab;
    struct buf json;

    (void)state;
    lab_init(&lab);
    buf_init(&json, 16 << 20);
    buf_add_text(&json, "{\"a\":[0");
    for (int i = 1; i < 600000; i++)
        buf_add_text(&json, ",0");
    buf_add_text(&json, "]}");
    assert_string_equal(lab_value(&lab, "a | unique", false, json.data, json.len, NULL),
                        "failure: makes more values than one event may");
    buf_fini(&json);
    lab_fini(&lab);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_example_of_the_table_holds),
        cmocka_unit_test(null_stays_null_but_for_default_and_length),
        cmocka_unit_test(a_null_argument_makes_the_result_null),
        cmocka_unit_test(element_filters_go_into_arrays),
        cmocka_unit_test(case_blanks_and_slugs_go_by_unicode),
        cmocka_unit_test(text_is_cut_and_joined_by_whole_characters),
        cmocka_unit_test(filters_of_arrays_take_one_value_for_an_array_of_it),
        cmocka_unit_test(numbers_are_read_strictly_and_rounded_as_written),
        cmocka_unit_test(numbers_are_written_as_javascript_does),
        cmocka_unit_test(dates_are_read),
        cmocka_unit_test(dates_are_written),
        cmocka_unit_test(tables_json_and_default_take_any_value),
        cmocka_unit_test(long_arrays_are_sorted_and_made_unique_in_time),
        cmocka_unit_test(what_takes_too_much_memory_is_given_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
