/* Templates: parts, types, null, and what is wrong at load. */

#include "rules_unit.h"

#define RUN(cases, payload) lab_run(cases, ARRAY_LEN(cases), true, payload)

static const char EVENT[] =
    "{\"s\":\"text\",\"n\":5,\"f\":1.50,\"t\":true,\"list\":[1,[2]],\"none\":[],"
    "\"obj\":{\"a\":1},\"empty\":\"\",\"nil\":null,\"-\":{\"}\":7}}";

static void
a_single_part_keeps_its_type(void **state)
{
    static const struct lab_case cases[] = {
        {"${n}", "5", NULL},           {"${t}", "true", NULL},   {"${list}", "[1,[2]]", NULL},
        {"${obj}", "{\"a\":1}", NULL}, {"${nil}", "null", NULL}, {"${ s }", "\"text\"", NULL},
        {"plain", "\"plain\"", NULL},  {"", "\"\"", NULL},
    };

    (void)state;
    RUN(cases, EVENT);
}

static void
several_parts_are_joined_as_text(void **state)
{
    static const struct lab_case cases[] = {
        {"a ${s} b", "\"a text b\"", NULL}, {"${n}${f}", "\"51.5\"", NULL},
        {"${t}!", "\"true!\"", NULL},       {"${empty}x", "\"x\"", NULL},
        {" ${n}", "\" 5\"", NULL},          {"${n}${empty}", "\"5\"", NULL},
    };

    (void)state;
    RUN(cases, EVENT);
}

static void
a_null_part_makes_the_whole_null(void **state)
{
    static const struct lab_case cases[] = {
        {"source: ${nil}", "null", NULL},
        {"${s}${missing}", "null", NULL},
        {"source: ${nil ?? 'none'}", "\"source: none\"", NULL},
    };

    (void)state;
    RUN(cases, EVENT);
}

static void
arrays_and_objects_are_no_text(void **state)
{
    static const char failure[] = "failure: an array or object stands where text must be";
    static const struct lab_case cases[] = {
        {"x${list}", failure, NULL}, {"x${none}", failure, NULL}, {"${obj}${n}", failure, NULL}};

    (void)state;
    RUN(cases, EVENT);
}

static void
a_dollar_is_itself_but_before_a_brace(void **state)
{
    static const struct lab_case cases[] = {
        {"$5 $n {n}", "\"$5 $n {n}\"", NULL},
        {"$${n}", "\"${n}\"", NULL},
        {"$$${n}", "\"$${n}\"", NULL},
        {"$${${n}}", "\"${5}\"", NULL},
        {"a$${b$${c", "\"a${b${c\"", NULL},
        {"${n}$", "\"5$\"", NULL},
        {"$", "\"$\"", NULL},
        {"$$", "\"$$\"", NULL},
        {"100 %}", "\"100 %}\"", NULL},
    };

    (void)state;
    RUN(cases, EVENT);
}

static void
a_quoted_brace_does_not_end_a_part(void **state)
{
    static const struct lab_case cases[] = {
        {"${'}'}", "\"}\"", NULL},
        {"${'it''s } '}!", "\"it's } !\"", NULL},
        {"${@root['-']['}']}", "7", NULL},
        {"${'\\'}", "\"\\\\\"", NULL},
    };

    (void)state;
    RUN(cases, EVENT);
}

static void
what_is_wrong_is_told_with_its_column(void **state)
{
    static const struct lab_case wrong[] = {
        {"a ${b", "when: column 3: \"${\" has no \"}\"; for the two characters themselves", NULL},
        {"${'}", "column 3: a quote is not closed", NULL},
        {"${'it's'}",
         "when: column 8: a quote is not closed; a quote inside a text is written twice: 'it''s'",
         NULL},
        {"${}", "column 3, at the end: expected a value", NULL},
        {"äöü ${x | lowr}", "column 11, at \"lowr\": there is no filter", NULL},
        {"${a} ${b c}", "column 10, at \"c\"", NULL},
        {"\xff", "is not valid UTF-8", NULL},
        {"a ${env:KEY}", "column 3: ${env:...} and ${file:...} are filled in only in the sections",
         NULL},
    };

    (void)state;
    lab_refuse(wrong, ARRAY_LEN(wrong), true);
}

static void
every_part_is_checked(void **state)
{
    struct lab lab;

    (void)state;
    lab_init(&lab);
    lab_value(&lab, "${a b} ${c | lowr} ${d", true, "{}", 2, NULL);
    assert_int_equal(lab.diag.errors, 3);
    lab_fini(&lab);
}

static void
a_joined_text_does_not_grow_over_64_kib(void **state)
{
    static char event[100000];
    struct lab lab;

    (void)state;
    lab_init(&lab);
    memset(event, 'a', sizeof(event));
    memcpy(event, "{\"s\":\"", 6);
    memcpy(event + 70000, "\"}", 3);
    assert_string_equal(lab_value(&lab, "${s}x", true, event, strlen(event), NULL),
                        "failure: a text would grow over 64 KiB");
    assert_int_equal(strlen(lab_value(&lab, "${s}", true, event, strlen(event), NULL)), 69996);
    lab_fini(&lab);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_single_part_keeps_its_type),
        cmocka_unit_test(several_parts_are_joined_as_text),
        cmocka_unit_test(a_null_part_makes_the_whole_null),
        cmocka_unit_test(arrays_and_objects_are_no_text),
        cmocka_unit_test(a_dollar_is_itself_but_before_a_brace),
        cmocka_unit_test(a_quoted_brace_does_not_end_a_part),
        cmocka_unit_test(what_is_wrong_is_told_with_its_column),
        cmocka_unit_test(every_part_is_checked),
        cmocka_unit_test(a_joined_text_does_not_grow_over_64_kib),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
