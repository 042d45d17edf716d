/* Expressions, sentence by sentence of the reference: operators, paths, literals, errors at load.
 */

#include "rules_unit.h"

#define RUN(cases, payload) lab_run(cases, ARRAY_LEN(cases), false, payload)
#define REFUSE(cases) lab_refuse(cases, ARRAY_LEN(cases), false)

static const char EVENT[] =
    "{\"user\":{\"email\":\"a@example.com\",\"odd "
    "key\":{\"x\":7},\"contains\":\"c\",\"tags\":[\"x\",\"y\"],"
    "\"name\":\"Ada\"},"
    "\"items\":[{\"sku\":\"a\",\"n\":1,\"parts\":[{\"id\":1},{\"id\":2}]},{\"sku\":null,\"n\":2},"
    "{\"sku\":\"c\",\"n\":3,\"parts\":[{\"id\":3},{\"no\":4}]}],"
    "\"n\":5,\"f\":2.5,\"big\":9007199254740993,\"t\":true,\"no\":false,\"nil\":null,\"s\":"
    "\"text\","
    "\"empty\":\"\",\"list\":[1,2,3],\"none\":[],\"obj\":{},\"item\":\"field\",\"first\":\"f\","
    "\"in\":9,"
    "\"numbers\":[1,\"1\",1.5,null,true]}";

static void
a_path_walks_names_places_and_quoted_keys(void **state)
{
    static const struct lab_case cases[] = {
        {"user.email", "\"a@example.com\"", NULL},
        {"user['odd key'].x", "7", NULL},
        {"items[0].sku", "\"a\"", NULL},
        {"items[-1].sku", "\"c\"", NULL},
        {"items[3]", "null", NULL},
        {"items[-4]", "null", NULL},
        {"items[99999999999999]", "null", NULL},
        {"user.missing.deeper[0]['x']", "null", NULL},
        {"s.x", "null", NULL},
        {"s[0]", "null", NULL},
        {"list.x", "null", NULL},
        {"list['0']", "null", NULL},
        {"user[0]", "null", NULL},
        {"nil.x", "null", NULL},
        {"user.contains", "\"c\"", NULL},
        {"@root.in", "9", NULL},
        {"@root['in']", "9", NULL},
        {"@payload.n", "5", NULL},
        {"first", "\"f\"", NULL},
        {"item", "\"field\"", NULL},
        {" user . email ", "\"a@example.com\"", NULL},
        {"user['it''s']", "null", NULL},
    };

    (void)state;
    RUN(cases, EVENT);
}

static void
a_star_gathers_what_the_rest_finds(void **state)
{
    static const struct lab_case cases[] = {
        {"items[*].sku", "[\"a\",\"c\"]", NULL},
        {"items[*].n", "[1,2,3]", NULL},
        {"items[*].parts[*].id", "[1,2,3]", NULL},
        {"items[*].parts", "[[{\"id\":1},{\"id\":2}],[{\"id\":3},{\"no\":4}]]", NULL},
        {"items[*].parts[0].id", "[1,3]", NULL},
        {"list[*]", "[1,2,3]", NULL},
        {"none[*].x", "[]", NULL},
        {"items[*].missing", "[]", NULL},
        {"items[*].sku[*]", "[]", NULL},
        {"user[*]", "null", NULL},
        {"missing[*].x", "null", NULL},
        {"s[*]", "null", NULL},
        {"@root[*]", "[1,2]", "[1,null,2]"},
        {"@root[*][*]", "[1,2,3]", "[[1,2],3,[3,null]]"},
    };

    (void)state;
    RUN(cases, EVENT);
}

static void
metadata_comes_from_the_record(void **state)
{
    static const struct lab_case cases[] = {
        {"@topic", "\"user.registered\"", NULL},
        {"@partition", "3", NULL},
        {"@offset", "9007199254740993", NULL},
        {"@key", "\"k1\"", NULL},
        {"@timestamp", "1700000000123", NULL},
        {"@headers['event-type']", "\"signup\"", NULL},
        {"@headers.Source", "\"web\"", NULL},
        {"@headers.source", "null", NULL},
        {"@headers.bad", "null", NULL},
        {"@headers.nothing", "null", NULL},
        {"@headers.empty", "\"\"", NULL},
        {"@headers.name", "\"Jörg\"", NULL},
        {"@headers.name.x", "null", NULL},
        {"@headers | length", "6", NULL},
        {"@topic.x", "null", NULL},
    };

    (void)state;
    RUN(cases, "{}");
}

static void
a_key_that_is_not_utf8_is_null(void **state)
{
    struct event event = lab_event;
    struct lab lab;

    (void)state;
    lab_init(&lab);
    event.key = "\xff\xfe";
    assert_string_equal(lab_value(&lab, "@key", false, "{}", 2, &event), "null");
    event.key = NULL;
    assert_string_equal(lab_value(&lab, "@key", false, "{}", 2, &event), "null");
    event.key = "";
    event.key_len = 0;
    assert_string_equal(lab_value(&lab, "@key", false, "{}", 2, &event), "\"\"");
    event.key = "{\"a\":1}";
    event.key_len = 7;
    assert_string_equal(lab_value(&lab, "@key.a", false, "{}", 2, &event), "null");
    event.timestamp_ms = EVENT_NO_TIME;
    assert_string_equal(lab_value(&lab, "@timestamp", false, "{}", 2, &event), "null");
    lab_fini(&lab);
}

static void
literals_are_texts_numbers_constants_and_arrays(void **state)
{
    static const struct lab_case cases[] = {
        {"'it''s'", "\"it's\"", NULL},
        {"'a\\n'", "\"a\\\\n\"", NULL},
        {"''", "\"\"", NULL},
        {"''''", "\"'\"", NULL},
        {"12", "12", NULL},
        {"-12", "-12", NULL},
        {"1.50", "1.5", NULL},
        {"1e3", "1000", NULL},
        {"1E-2", "0.01", NULL},
        {"9223372036854775807", "9223372036854775807", NULL},
        {"-9223372036854775808", "-9223372036854775808", NULL},
        {"9223372036854775808", "9223372036854776000", NULL},
        {"-9223372036854775809", "-9223372036854776000", NULL},
        {"true", "true", NULL},
        {"false", "false", NULL},
        {"null", "null", NULL},
        {"[]", "[]", NULL},
        {"[1, 'a', [null]]", "[1,\"a\",[null]]", NULL},
        {"[n, n + 1]", "[5,6]", NULL},
        {"n in [5]", "true", NULL},
    };

    (void)state;
    RUN(cases, EVENT);
}

static void
a_minus_in_front_belongs_to_a_number(void **state)
{
    static const struct lab_case cases[] = {
        {"n -1", "4", NULL},   {"n-1", "4", NULL},         {"n - -1", "6", NULL},
        {"n --1", "6", NULL},  {"n * -2", "-10", NULL},    {"-1 - -1", "0", NULL},
        {"n- f", "2.5", NULL}, {"list[2]-f", "0.5", NULL}, {"(n)-f", "2.5", NULL},
    };
    static const struct lab_case wrong[] = {
        {"-n", "a minus in front stands directly before a number", NULL},
        {"- 1", "a minus in front stands directly before a number", NULL},
        {"n - - 1", "a minus in front", NULL},
        {"n-f", "a name has no \"-\"", NULL},
        {"user.first-name", "column 6, at \"first-name\": a name has no \"-\"", NULL},
        {"@headers.event-type", "a name has no \"-\"", NULL},
        {"a-_b", "a name has no \"-\"", NULL},
    };

    (void)state;
    RUN(cases, EVENT);
    REFUSE(wrong);
}

static void
truth_is_false_for_nothing_zero_and_empty(void **state)
{
    static const struct lab_case cases[] = {
        {"not null", "true", NULL},    {"not false", "true", NULL},
        {"not 0", "true", NULL},       {"not 0.0", "true", NULL},
        {"not -0.0", "true", NULL},    {"not ''", "true", NULL},
        {"not none", "true", NULL},    {"not obj", "true", NULL},
        {"not missing", "true", NULL}, {"not 'false'", "false", NULL},
        {"not 0.001", "false", NULL},  {"not [null]", "false", NULL},
        {"not user", "false", NULL},   {"not '0'", "false", NULL},
        {"not not n", "true", NULL},   {"not not not n", "false", NULL},
    };

    (void)state;
    RUN(cases, EVENT);
}

static void
and_or_and_not_give_booleans(void **state)
{
    static const struct lab_case cases[] = {
        {"n and s", "true", NULL},
        {"n and null", "false", NULL},
        {"null or 's'", "true", NULL},
        {"null or 0 or ''", "false", NULL},
        {"true or false and false", "true", NULL},
        {"not false and false", "false", NULL},
        {"not (false and false)", "true", NULL},
        {"not n == 5", "false", NULL},
        {"t and not no and n", "true", NULL},
    };

    (void)state;
    RUN(cases, EVENT);
}

static void
equality_looks_at_type_and_value(void **state)
{
    static const struct lab_case cases[] = {
        {"1 == 1.0", "true", NULL},
        {"1 == '1'", "false", NULL},
        {"1 != '1'", "true", NULL},
        {"0 == false", "false", NULL},
        {"null == null", "true", NULL},
        {"missing == null", "true", NULL},
        {"null == false", "false", NULL},
        {"big == 9007199254740992", "false", NULL},
        {"big == 9007199254740992.0", "false", NULL},
        {"big == 9007199254740993", "true", NULL},
        {"9223372036854775807 == 9223372036854775808", "false", NULL},
        {"[1, [2]] == [1.0, [2]]", "true", NULL},
        {"[1, 2] == [2, 1]", "false", NULL},
        {"a == b", "true", "{\"a\":{\"x\":1,\"y\":[2]},\"b\":{\"y\":[2.0],\"x\":1}}"},
        {"a == b", "false", "{\"a\":{\"x\":null},\"b\":{\"y\":null}}"},
        {"'a' == 'A'", "false", NULL},
        {"s == 'text'", "true", NULL},
        {"list == [1, 2, 3]", "true", NULL},
    };

    (void)state;
    RUN(cases, EVENT);
}

static void
order_exists_within_numbers_and_within_texts(void **state)
{
    static const struct lab_case cases[] = {
        {"1 < 2", "true", NULL},
        {"2 <= 2.0", "true", NULL},
        {"3 > 2.5", "true", NULL},
        {"big > 9007199254740992.0", "true", NULL},
        {"9223372036854775807 < 9223372036854775808", "true", NULL},
        {"-9223372036854775808 > -9223372036854775809.5", "false", NULL},
        {"-9223372036854775808 >= -9223372036854775808.0", "true", NULL},
        {"0.5 > 0", "true", NULL},
        {"0 > 0.5", "false", NULL},
        {"-1 < -0.5", "true", NULL},
        {"'a' < 'b'", "true", NULL},
        {"'B' < 'a'", "true", NULL},
        {"'a' < 'aa'", "true", NULL},
        {"'\xef\xbf\xbd' < '\xf0\x90\x80\x80'", "true", NULL}, /* UTF-16 has it the other way */
        {"'1' < 2", "false", NULL},
        {"1 < '2'", "false", NULL},
        {"null < 1", "false", NULL},
        {"null <= null", "false", NULL},
        {"false < true", "false", NULL},
        {"[1] < [2]", "false", NULL},
    };

    (void)state;
    RUN(cases, EVENT);
}

static void
membership_compares_by_value_and_text_tests_by_bytes(void **state)
{
    static const struct lab_case cases[] = {
        {"'x' in user.tags", "true", NULL},       {"'z' in user.tags", "false", NULL},
        {"'z' not in user.tags", "true", NULL},   {"1.0 in numbers", "true", NULL},
        {"null in numbers", "true", NULL},        {"'x' in 'xyz'", "false", NULL},
        {"'x' in null", "false", NULL},           {"'x' not in null", "true", NULL},
        {"[2] in [[1], [2]]", "true", NULL},      {"s contains 'ex'", "true", NULL},
        {"s contains ''", "true", NULL},          {"'' contains ''", "true", NULL},
        {"s contains 'xe'", "false", NULL},       {"user.tags contains 'y'", "true", NULL},
        {"numbers contains 1.5", "true", NULL},   {"user contains 'name'", "false", NULL},
        {"12 contains 1", "false", NULL},         {"s contains 1", "false", NULL},
        {"s starts_with 'te'", "true", NULL},     {"s starts_with ''", "true", NULL},
        {"s starts_with 'texts'", "false", NULL}, {"s ends_with 'xt'", "true", NULL},
        {"s ends_with 'te'", "false", NULL},      {"user.tags starts_with 'x'", "false", NULL},
        {"12 ends_with 2", "false", NULL},        {"not (s contains 'q')", "true", NULL},
    };

    (void)state;
    RUN(cases, EVENT);
}

static void
matches_searches_anywhere(void **state)
{
    static const struct lab_case cases[] = {
        {"s matches 'ex'", "true", NULL},         {"s matches '^ex'", "false", NULL},
        {"s matches '(?i)TEXT$'", "true", NULL},  {"12.50 matches '^12\\.5$'", "true", NULL},
        {"true matches 'true'", "false", NULL},   {"null matches ''", "false", NULL},
        {"user.tags matches 'x'", "false", NULL}, {"'٣' matches '\\d'", "false", NULL},
        {"'é' matches '\\w'", "false", NULL},     {"'é' matches '^.$'", "true", NULL},
        {"'É' matches '(?i)^é$'", "true", NULL},  {"'' matches '^$'", "true", NULL},
    };
    static const struct lab_case wrong[] = {
        {"s matches user.name", "the right side of \"matches\" is quoted text", NULL},
        {"s matches '('", "the regular expression is wrong", NULL},
        {"s matches '(*UCP)x'", "the regular expression is wrong", NULL},
    };

    (void)state;
    RUN(cases, EVENT);
    REFUSE(wrong);
}

/* An event with S of COUNT times C. */
static char *
event_of(char *room, size_t count, char c)
{
    memcpy(room, "{\"s\":\"", 6);
    memset(room + 6, c, count);
    memcpy(room + 6 + count, "\"}", 3);
    return room;
}

static void
a_match_has_limits(void **state)
{
    static char event[8192];
    struct lab lab;

    (void)state;
    lab_init(&lab);
    event_of(event, 4096, 'a');
    assert_string_equal(lab_value(&lab, "s matches 'a$'", false, event, strlen(event), NULL),
                        "true");
    assert_int_equal(lab.eval.regex_limited, 0);
    event_of(event, 4097, 'a');
    assert_string_equal(lab_value(&lab, "s matches 'a'", false, event, strlen(event), NULL),
                        "false");
    assert_int_equal(lab.eval.regex_limited, 1);
    event_of(event, 2000, 'a');
    assert_string_equal(
        lab_value(&lab, "s matches '^(a+)+[bc]$'", false, event, strlen(event), NULL), "false");
    assert_int_equal(lab.eval.regex_limited, 2);
    /* Many positions, each below any limit of its own. */
    event_of(event, 4096, 'a');
    lab_value(&lab, "s matches 'a{0,300}a{0,300}[bc]'", false, event, strlen(event), NULL);
    assert_int_equal(lab.eval.regex_limited, 3);
    lab_fini(&lab);
}

static void
arithmetic_is_that_of_doubles(void **state)
{
    static const struct lab_case cases[] = {
        {"1 + 2 * 3", "7", NULL},
        {"(1 + 2) * 3", "9", NULL},
        {"10 - 3 - 2", "5", NULL},
        {"100 / 10 / 5", "2", NULL},
        {"7 % 4", "3", NULL},
        {"-7 % 4", "-3", NULL},
        {"5.5 % 2", "1.5", NULL},
        {"0.1 + 0.2", "0.30000000000000004", NULL},
        {"big + 0", "9007199254740992", NULL},
        {"1 / 0", "null", NULL},
        {"0 / 0", "null", NULL},
        {"1 % 0", "null", NULL},
        {"1e308 * 10", "null", NULL},
        {"'a' + 'b'", "\"ab\"", NULL},
        {"'a' + 1", "null", NULL},
        {"1 + 'a'", "null", NULL},
        {"null + 1", "null", NULL},
        {"true + 1", "null", NULL},
        {"[1] + [2]", "null", NULL},
        {"'a' - 'b'", "null", NULL},
        {"'a' * 2", "null", NULL},
        {"n * 20 / 100 + 1", "2", NULL},
        {"1 + 1 + 'a'", "null", NULL},
    };

    (void)state;
    RUN(cases, EVENT);
}

static void
a_default_replaces_only_null(void **state)
{
    static const struct lab_case cases[] = {
        {"null ?? 1", "1", NULL},        {"false ?? 1", "false", NULL},
        {"empty ?? 'x'", "\"\"", NULL},  {"missing ?? nil ?? 's'", "\"s\"", NULL},
        {"missing ?? n + 1", "6", NULL}, {"missing ?? 1 == 1", "true", NULL},
        {"null ?? null", "null", NULL},
    };

    (void)state;
    RUN(cases, EVENT);
}

static void
a_choice_goes_right_to_left(void **state)
{
    static const struct lab_case cases[] = {
        {"t ? 1 : 2", "1", NULL},
        {"no ? 1 : 2", "2", NULL},
        {"no ? 1 : t ? 2 : 3", "2", NULL},
        {"t ? no ? 1 : 2 : 3", "2", NULL},
        {"missing ? 1 : null", "null", NULL},
        {"n > 3 and t ? 'big' : 'small'", "\"big\"", NULL},
        {"no or t ? 1 : 2", "1", NULL},
        {"(t ? 1 : 2) + 1", "2", NULL},
        {"t ? n + 1 : 0", "6", NULL},
    };

    (void)state;
    RUN(cases, EVENT);
}

static void
filters_bind_tighter_than_all_operators(void **state)
{
    static const struct lab_case cases[] = {
        {"'A' | lower == 'a'", "true", NULL},
        {"'a' == 'A' | lower", "true", NULL},
        {"'A' | lower + 'B'", "\"aB\"", NULL},
        {"(missing ?? 'X') | lower", "\"x\"", NULL},
        {"'A' ?? ('X' | lower)", "\"A\"", NULL},
        {"'A' | lower() | upper | lower", "\"a\"", NULL},
        {"not '' | length", "true", NULL},
        {"t ? ('A' | lower) : 'B'", "\"a\"", NULL},
        {"['B' | lower, 'C']", "[\"b\",\"C\"]", NULL},
        {"-1 | fixed(1)", "\"-1.0\"", NULL},
    };
    static const struct lab_case wrong[] = {
        {"a ?? b | lower", "(a ?? b) | filter, or a ?? (b | filter)", NULL},
        {"a + b | lower", "directly after an operand of \"+\"", NULL},
        {"a - b | lower", "directly after an operand of \"-\"", NULL},
        {"a * b | lower", "directly after an operand of \"*\"", NULL},
        {"a / b | lower", "directly after an operand of \"/\"", NULL},
        {"a % b | lower", "directly after an operand of \"%\"", NULL},
        {"a ? b | lower : c",
         "directly after an operand of \"?\" needs brackets: write (b | filter) for the branch, or "
         "(c ? a : b) | filter for the whole",
         NULL},
        {"a ? b : c | lower",
         "directly after an operand of \":\" needs brackets: write (b | filter) for the branch, or "
         "(c ? a : b) | filter for the whole",
         NULL},
        {"a =~ 'b'", "write \"matches\" for \"=~\"", NULL},
        {"a ~ 'b'", "write \"matches\" for \"~\"", NULL},
        {"a | date('')", "a date format has a % for each part", NULL},
        {"a | date('day')", "a date format has a % for each part", NULL},
        {"a + -1 | round", "directly after an operand of \"+\"", NULL},
        {"a ?? (b) | lower", "directly after an operand of \"??\"", NULL},
    };

    (void)state;
    RUN(cases, EVENT);
    REFUSE(wrong);
}

static void
what_cannot_be_read_is_an_error_at_load(void **state)
{
    static const struct lab_case wrong[] = {
        {"", "when: column 1, at the end: expected a value", NULL},
        {"a ==", "column 5, at the end: expected a value", NULL},
        {"a b", "column 3, at \"b\": expected an operator or the end", NULL},
        {"(a", "expected \")\"", NULL},
        {"[1, 2", "expected \",\" or \"]\"", NULL},
        {"[1,]", "expected a value", NULL},
        {"a.", "expected a name after \".\"", NULL},
        {"a.0", "expected a name after \".\"", NULL},
        {"a[b]", "a whole number, * or a quoted name", NULL},
        {"a[1.5]", "whole number", NULL},
        {"a[- 1]", "whole number", NULL},
        {"a[0", "expected \"]\"", NULL},
        {"a = 1", "write \"==\" to compare", NULL},
        {"a && b", "write \"and\"", NULL},
        {"a === 1", "at \"=== 1\": write \"==\" to compare", NULL},
        {"a !== 1", "at \"!== 1\": write \"!=\" to compare", NULL},
        {"${a} == 1", "this is an expression already", NULL},
        {"$.a == 1", "a path begins with the name of a field", NULL},
        {"a is null", "or the end; write \"==\" or \"!=\"", NULL},
        {"a AND b", "or the end; write \"and\"", NULL},
        {"a like 'x%'", "or the end; write \"contains\"", NULL},
        {"if a then b", "expected an operator or the end", NULL},
        {"a not null", "write not (a contains b), or a != b", NULL},
        {"a in ('x', 'y')", "an array is written in square brackets", NULL},
        {"a || b", "write \"or\"", NULL},
        {"!a", "write \"not\"", NULL},
        {"\"a\"", "single quotes", NULL},
        {"'a", "no closing quote", NULL},
        {"1.5.2", "this is no number", NULL},
        {"12abc", "this is no number", NULL},
        {"1.", "this is no number", NULL},
        {"1e999", "no double holds this number", NULL},
        {"a ? b", "expected \":\"", NULL},
        {"a < b < c", "comparisons do not chain", NULL},
        {"a == b in c", "comparisons do not chain", NULL},
        {"a not contains b", "write not (a contains b)", NULL},
        {"a == not b", "\"not\" is an operator", NULL},
        {"contains", "a field of that name is @root.contains", NULL},
        {"a and", "at the end: expected a value", NULL},
        {"@foo", "there is no @foo", NULL},
        {"@topics", "did you mean @topic?", NULL},
        {"straße", "ASCII letters", NULL},
        {"a # b", "this character means nothing here", NULL},
        {"lower(a)", "there are no functions", NULL},
        {"a | ", "expected the name of a filter", NULL},
        {"a | lowr", "there is no filter \"lowr\"; did you mean \"lower\"?", NULL},
        {"a | qqqqqq", "there is no filter \"qqqqqq\"", NULL},
        {"a | lower(1)", "wrong number of arguments; it is written lower", NULL},
        {"a | replace('x')", "it is written replace(a, b)", NULL},
        {"a | replace('x', 'y', 'z')", "it is written replace(a, b)", NULL},
        {"a | default", "it is written default(value)", NULL},
        {"a | table('plan_tags')", "did you mean \"plan_tag\"?", NULL},
        {"a | table('qqqqqqqq')", "there is no table \"qqqqqqqq\"", NULL},
        {"a | table(b)", "the name of a table is quoted text", NULL},
        {"a | date(b)", "the format of a date is quoted text", NULL},
        {"a | date('%Q')", "has no %Q", NULL},
        {"a | date('%Y%')", "ends with a single %", NULL},
        {"a | date('%Y', '5')", "\"5\" is no offset from UTC", NULL},
        {"a | date('%Y', b)", "an offset is quoted text", NULL},
        {"a | match(b)", "the regular expression is quoted text", NULL},
        {"a | match('x')", "the first group", NULL},
        {"a | match('(')", "the regular expression is wrong", NULL},
    };

    (void)state;
    REFUSE(wrong);
}

static void
all_errors_of_an_expression_are_told_in_one_go(void **state)
{
    struct lab lab;

    (void)state;
    lab_init(&lab);
    lab_value(&lab, "a | lowr | table('x') == b ?? c | replace('x')", false, "{}", 2, NULL);
    assert_int_equal(lab.diag.errors, 4);
    assert_string_equal(
        lab.diag.items[0].text,
        "f.conf:12: error: when: column 5, at \"lowr | table('x') == b ?\": there is no "
        "filter \"lowr\"; did you mean \"lower\"?");
    lab_fini(&lab);
}

static const char *
repeat(char *room, const char *head, const char *part, size_t count, const char *middle,
       const char *tail)
{
    char *at = stpcpy(room, head);

    for (size_t i = 0; i < count; i++)
        at = stpcpy(at, part);
    at = stpcpy(at, middle);
    for (size_t i = 0; i < count && tail; i++)
        at = stpcpy(at, tail);
    return room;
}

static void
levels_and_length_are_limited(void **state)
{
    static char room[16384];
    const struct {
        const char *head, *part, *middle, *tail;
    } nests[] = {
        {"", "(", "1", ")"},
        {"", "[", "1", "]"},
        {"", "1 ? 2 : ", "3", NULL},
        {"", "1 ? ", "2", " : 3"},
        {"", "null | default(", "1", ")"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(nests); i++) {
        struct lab lab;

        lab_init(&lab);
        repeat(room, nests[i].head, nests[i].part, 32, nests[i].middle, nests[i].tail);
        lab_value(&lab, room, false, "{}", 2, NULL);
        assert_int_equal(lab.diag.errors, 0);
        repeat(room, nests[i].head, nests[i].part, 33, nests[i].middle, nests[i].tail);
        assert_non_null(strstr(lab_value(&lab, room, false, "{}", 2, NULL), "more than 32 levels"));
        lab_fini(&lab);
    }
}

static void
chains_of_operators_are_no_levels(void **state)
{
    static char room[16384];
    const struct {
        const char *head, *part, *middle, *expected;
    } chains[] = {
        {"1", "+1", "", "2001"},        {"0", " or 0", " or 1", "true"}, {"", "not ", "1", "true"},
        {"'A'", "|lower", "", "\"a\""}, {"null", "??null", "??7", "7"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(chains); i++) {
        struct lab lab;
        size_t count = 2000;

        while (strlen(chains[i].part) * count > 4080)
            count -= 100;
        if (i == 0)
            assert_int_equal(count, 2000);
        lab_init(&lab);
        repeat(room, chains[i].head, chains[i].part, count, chains[i].middle, NULL);
        assert_string_equal(lab_value(&lab, room, false, "{}", 2, NULL), chains[i].expected);
        lab_fini(&lab);
    }
}

static void
an_expression_has_at_most_4096_bytes(void **state)
{
    static char room[8192];
    struct lab lab;

    (void)state;
    lab_init(&lab);
    memset(room, ' ', 4096);
    room[0] = '1';
    room[4096] = '\0';
    assert_string_equal(lab_value(&lab, room, false, "{}", 2, NULL), "1");
    room[4096] = ' ';
    assert_non_null(
        strstr(lab_value(&lab, room, false, "{}", 2, NULL), "4097 bytes, more than 4096"));
    lab_fini(&lab);
}

static void
a_text_does_not_grow_over_64_kib(void **state)
{
    static char event[200000];
    static const char grew[] = "failure: a text would grow over 64 KiB";
    struct lab lab;

    (void)state;
    lab_init(&lab);
    event_of(event, 40000, 'a');
    assert_string_equal(lab_value(&lab, "s + s", false, event, strlen(event), NULL), grew);
    assert_string_equal(lab_value(&lab, "s + s == 'x'", false, event, strlen(event), NULL), grew);
    assert_string_equal(
        lab_value(&lab, "s | replace('a', 'bb')", false, event, strlen(event), NULL), grew);
    assert_string_equal(lab_value(&lab, "[s, s] | join('')", false, event, strlen(event), NULL),
                        grew);
    assert_string_equal(lab_value(&lab, "s | upper | length", false, event, strlen(event), NULL),
                        "40000");
    /* What the payload holds already is not growth. */
    event_of(event, 150000, 'a');
    assert_string_equal(lab_value(&lab, "s | upper | length", false, event, strlen(event), NULL),
                        "150000");
    assert_string_equal(lab_value(&lab, "s | suffix('b')", false, event, strlen(event), NULL),
                        grew);
    assert_string_equal(lab_value(&lab, "(s + '') | length", false, event, strlen(event), NULL),
                        "150000");
    lab_fini(&lab);
}

static void
work_and_memory_are_bounded(void **state)
{
    static char event[200000];
    struct lab lab;

    (void)state;
    lab_init(&lab);
    event_of(event, 0, ' ');
    memcpy(event, "{\"s\":\"", 6);
    for (size_t i = 0; i < 30000; i++)
        memcpy(event + 6 + 2 * i, "b,", 2);
    memcpy(event + 60006, "\"}", 3);
    assert_string_equal(
        lab_value(&lab, "s | split(',') | prefix(s)", false, event, strlen(event), NULL),
        "failure: makes more values than one event may");
    lab_fini(&lab);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_path_walks_names_places_and_quoted_keys),
        cmocka_unit_test(a_star_gathers_what_the_rest_finds),
        cmocka_unit_test(metadata_comes_from_the_record),
        cmocka_unit_test(a_key_that_is_not_utf8_is_null),
        cmocka_unit_test(literals_are_texts_numbers_constants_and_arrays),
        cmocka_unit_test(a_minus_in_front_belongs_to_a_number),
        cmocka_unit_test(truth_is_false_for_nothing_zero_and_empty),
        cmocka_unit_test(and_or_and_not_give_booleans),
        cmocka_unit_test(equality_looks_at_type_and_value),
        cmocka_unit_test(order_exists_within_numbers_and_within_texts),
        cmocka_unit_test(membership_compares_by_value_and_text_tests_by_bytes),
        cmocka_unit_test(matches_searches_anywhere),
        cmocka_unit_test(a_match_has_limits),
        cmocka_unit_test(arithmetic_is_that_of_doubles),
        cmocka_unit_test(a_default_replaces_only_null),
        cmocka_unit_test(a_choice_goes_right_to_left),
        cmocka_unit_test(filters_bind_tighter_than_all_operators),
        cmocka_unit_test(what_cannot_be_read_is_an_error_at_load),
        cmocka_unit_test(all_errors_of_an_expression_are_told_in_one_go),
        cmocka_unit_test(levels_and_length_are_limited),
        cmocka_unit_test(chains_of_operators_are_no_levels),
        cmocka_unit_test(an_expression_has_at_most_4096_bytes),
        cmocka_unit_test(a_text_does_not_grow_over_64_kib),
        cmocka_unit_test(work_and_memory_are_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
