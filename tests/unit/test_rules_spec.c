/* The reference once more, by somebody who did not write the code: tables of what each sentence
 * promises, and random values against slow arithmetic of its own. */

#include "rules_unit.h"
#include "ruleset_unit.h"

#define RUN(cases, payload) lab_run(cases, ARRAY_LEN(cases), false, payload)
#define REFUSE(cases) lab_refuse(cases, ARRAY_LEN(cases), false)

static const char EVENT[] =
    "{\"a\":1,\"b\":\"Text\",\"nil\":null,\"yes\":true,\"no\":false,\"list\":[1,2,3],\"none\":[],"
    "\"obj\":{\"x\":1,\"in\":4},\"item\":\"field\",\"neg\":-5,\"big\":9007199254740993,"
    "\"rows\":[{\"sku\":\"A\",\"tags\":[\"x\",\"y\"]},{\"sku\":null},{\"tags\":[\"z\"]}],"
    "\"mixed\":[null,false,true,2,\"b\",1.0,\"a\",{\"k\":1},[1]]}";

/* Literals, paths and operators */

static void
a_filter_behind_an_operand_needs_brackets(void **state)
{
    static const char *const signs[] = {"??", "+", "-", "*", "/", "%"};
    static const struct lab_case refused[] = {
        {"yes ? b | lower : a", "needs brackets", NULL},
        {"yes ? a : b | lower", "needs brackets", NULL},
        {"yes ? (a) | lower : b", "needs brackets", NULL},
        {"nil ?? -1 | round", "needs brackets", NULL},
        {"nil ?? [a] | first", "needs brackets", NULL},
        {"b | replace('t', nil ?? b | lower)", "needs brackets", NULL},
    };
    static const struct lab_case right[] = {
        {"b | lower ?? 'x'", "\"text\"", NULL},
        {"b | lower + 'x'", "\"textx\"", NULL},
        {"(nil ?? b) | lower", "\"text\"", NULL},
        {"nil ?? (b | lower)", "\"text\"", NULL},
        {"yes ? (b | lower) : a", "\"text\"", NULL},
        {"not b | lower", "false", NULL},
        {"'text' == b | lower", "true", NULL},
        {"b | lower == 'text' and a", "true", NULL},
        {"-1.5 | round", "-2", NULL},
        {"[b | lower, a]", "[\"text\",1]", NULL},
        {"'B' in mixed | upper", "true", NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(signs); i++) {
        char text[64];
        struct lab_case one = {text, "needs brackets", NULL};

        snprintf(text, sizeof(text), "a %s b | lower", signs[i]);
        lab_refuse(&one, 1, false);
    }
    REFUSE(refused);
    RUN(right, EVENT);
}

static void
a_minus_is_no_part_of_a_name(void **state)
{
    static const struct lab_case refused[] = {
        {"user-name", "a name has no \"-\"", NULL},
        {"a-_b", "a name has no \"-\"", NULL},
        {"obj.x-neg", "a name has no \"-\"", NULL},
        {"@key-a", "a name has no \"-\"", NULL},
        {"@headers.a-b", "a name has no \"-\"", NULL},
        {"1 - a-b", "a name has no \"-\"", NULL},
        {"- 5", "a minus in front", NULL},
        {"-a", "a minus in front", NULL},
        {"--5", "a minus in front", NULL},
        {"-(5)", "a minus in front", NULL},
        {"list[- 1]", "a whole number after", NULL},
    };
    static const struct lab_case right[] = {
        {"a - neg", "6", NULL},      {"a- neg", "6", NULL},       {"a -neg", "6", NULL},
        {"a-1", "0", NULL},          {"5-a", "4", NULL},          {"list[0]-neg", "6", NULL},
        {"(a)-neg", "6", NULL},      {"3--5", "8", NULL},         {"a == -1", "false", NULL},
        {"no ? 1 : -2", "-2", NULL}, {"[-1, 2]", "[-1,2]", NULL}, {"list[-1]", "3", NULL},
    };

    (void)state;
    REFUSE(refused);
    RUN(right, EVENT);
}

static void
an_operator_begins_no_path_and_is_a_name_after_a_dot(void **state)
{
    static const char *const words[] = {"and",      "or",          "not",       "in",
                                        "contains", "starts_with", "ends_with", "matches",
                                        "true",     "false",       "null"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        char start[64], after[64];
        struct lab_case wrong = {start, "column 1", NULL}, right = {after, "7", "{\"o\":7}"};

        /* What stands for a value of its own is refused where the path would go on. */
        snprintf(start, sizeof(start), "%s.x", words[i]);
        if (i >= 8)
            wrong.expected = "expected an operator";
        else if (!strcmp(words[i], "not"))
            wrong.expected = "expected a value";
        lab_refuse(&wrong, 1, false);
        snprintf(after, sizeof(after), "@root.%s ?? x.%s ?? o", words[i], words[i]);
        lab_run(&right, 1, false, NULL);
    }
}

static void
a_star_is_null_on_anything_but_an_array(void **state)
{
    static const struct lab_case cases[] = {
        {"a[*]", "null", NULL},
        {"obj[*]", "null", NULL},
        {"b[*]", "null", NULL},
        {"missing[*].x", "null", NULL},
        {"none[*]", "[]", NULL},
        {"rows[*].nothing", "[]", NULL},
        {"rows[*].sku", "[\"A\"]", NULL},
        {"rows[*].tags[*]", "[\"x\",\"y\",\"z\"]", NULL},
        {"rows[*].tags[-1]", "[\"y\",\"z\"]", NULL},
        {"rows[*].sku[*]", "[]", NULL},
        {"mixed[*] | length", "8", NULL},
        {"@root[*]", "[1,2]", "[1,null,2]"},
    };

    (void)state;
    RUN(cases, EVENT);
}

static void
a_sort_puts_kinds_in_order_and_keeps_the_rest_as_it_stood(void **state)
{
    static const struct lab_case cases[] = {
        {"mixed | sort", "[null,false,true,1,2,\"a\",\"b\",{\"k\":1},[1]]", NULL},
        {"['10', '9', 9, 10] | sort", "[9,10,\"10\",\"9\"]", NULL},
        {"[[2], [1]] | sort", "[[2],[1]]", NULL},
        {"[big, 9007199254740992.0, 9007199254740991] | sort",
         "[9007199254740991,9007199254740992,9007199254740993]", NULL},
        {"@root | sort", "[\"z\",\"\xc3\xa9\",\"\xef\xbf\xbf\",\"\xf0\x9f\x98\x80\"]",
         "[\"\xf0\x9f\x98\x80\",\"\xef\xbf\xbf\",\"\xc3\xa9\",\"z\"]"},
    };

    (void)state;
    RUN(cases, EVENT);
}

/* Numbers */

/* DIGITS times ten to the power of POWER, by the rule of ECMA-262 for numbers as text. */
static void
write_as_javascript(char *text, size_t size, bool negative, const char *digits, int power)
{
    int count = (int)strlen(digits), n = count + power, len = 0;

    if (negative)
        len = snprintf(text, size, "-");
    if (count <= n && n <= 21)
        snprintf(text + len, size - (size_t)len, "%s%.*s", digits, n - count,
                 "0000000000000000000000");
    else if (0 < n && n <= 21)
        snprintf(text + len, size - (size_t)len, "%.*s.%s", n, digits, digits + n);
    else if (-6 < n && n <= 0)
        snprintf(text + len, size - (size_t)len, "0.%.*s%s", -n, "000000", digits);
    else
        snprintf(text + len, size - (size_t)len, "%c%s%se%+d", digits[0], count > 1 ? "." : "",
                 digits + 1, n - 1);
}

/* The shortest decimal that reads back, by trying every length. */
static void
write_shortest(char *text, size_t size, double number)
{
    char printed[48], digits[32];
    int count = 0, precision = 0;

    do {
        snprintf(printed, sizeof(printed), "%.*e", precision, number);
    } while (strtod(printed, NULL) != number && ++precision < 17);
    for (const char *at = printed; *at != 'e'; at++) {
        if (*at >= '0' && *at <= '9')
            digits[count++] = *at;
    }
    while (count > 1 && digits[count - 1] == '0')
        count--;
    digits[count] = '\0';
    write_as_javascript(text, size, number < 0, digits,
                        (int)strtol(strchr(printed, 'e') + 1, NULL, 10) - (count - 1));
}

static double
any_double(struct rng *rng)
{
    uint64_t bits = rng_next(rng);
    double number;

    switch (rng_next(rng) % 4) {
    case 0:
        return (double)(int64_t)(bits >> (rng_next(rng) % 60)) / 1000;
    case 1:
        return (double)(bits % 10000000) / 100;
    case 2:
        return (double)(bits >> 40) * 1e-12;
    default:
        memcpy(&number, &bits, sizeof(number));
        return number - number == 0 ? number : 1;
    }
}

static void
any_double_is_written_as_javascript_writes_it(void **state)
{
    struct rng rng = unit_rng("any_double_is_written_as_javascript_writes_it", 11);
    struct lab lab;

    (void)state;
    lab_init(&lab);
    for (int i = 0; i < 4000; i++) {
        double number = any_double(&rng);
        char payload[64], expected[64];
        const char *found;

        snprintf(payload, sizeof(payload), "%.17e", number);
        write_shortest(expected, sizeof(expected), number);
        if (number == 0)
            snprintf(expected, sizeof(expected), "0");
        found = lab_value(&lab, "@root", false, payload, strlen(payload), NULL);
        if (strcmp(found, expected))
            fail_msg("%s gives %s, expected %s", payload, found, expected);
    }
    lab_fini(&lab);
}

static void
decimals_are_rounded_as_on_paper(void **state)
{
    struct rng rng = unit_rng("decimals_are_rounded_as_on_paper", 12);
    struct lab lab;

    (void)state;
    lab_init(&lab);
    for (int i = 0; i < 4000; i++) {
        int64_t unit = 1, cut = 1, value = (int64_t)(rng_next(&rng) % 2000000000) - 1000000000;
        int scale = (int)(rng_next(&rng) % 7), places = (int)(rng_next(&rng) % (scale + 1u));
        int64_t size = value < 0 ? -value : value, rounded;
        char payload[64], text[64], expected[64];
        const char *found;

        for (int k = 0; k < scale; k++)
            unit *= 10;
        for (int k = 0; k < scale - places; k++)
            cut *= 10;
        rounded = (size + cut / 2) / cut;
        snprintf(payload, sizeof(payload), "%s%lld.%0*lld", value < 0 ? "-" : "",
                 (long long)(size / unit), scale, (long long)(size % unit));
        if (!scale)
            *strchr(payload, '.') = '\0';
        snprintf(text, sizeof(text), "@root | fixed(%d)", places);
        unit /= cut;
        snprintf(expected, sizeof(expected), places ? "\"%s%lld.%0*lld\"" : "\"%s%lld\"",
                 value < 0 && rounded ? "-" : "", (long long)(rounded / unit), places,
                 (long long)(rounded % unit));
        found = lab_value(&lab, text, false, payload, strlen(payload), NULL);
        if (strcmp(found, expected))
            fail_msg("%s | %s gives %s, expected %s", payload, text, found, expected);
    }
    lab_fini(&lab);
}

/* Dates */

/* DAY is counted from 1970; the day after it is none of the month. */
static void
expect_last_of_month(struct lab *lab, int64_t day, int year, int month, int of_month, int of_year)
{
    static const char *const names[] = {"Saturday",  "Sunday",   "Monday", "Tuesday",
                                        "Wednesday", "Thursday", "Friday"};
    char payload[96], expected[96];
    int64_t second = day * 86400 + (year % 2 ? 86399 : 0);

    /* From 1e11 on a number is milliseconds. */
    if (second >= 100000000000)
        return;
    snprintf(payload, sizeof(payload), "[%lld,\"%04d-%02d-%02d\",\"%04d-%02d-%02d\"]",
             (long long)second, year, month, of_month, year, month, of_month + 1);
    snprintf(expected, sizeof(expected),
             "[\"%04d-%02d-%02d %03d %s\",\"%04d-%02d-%02d %03d %s\",null]", year, month, of_month,
             of_year, names[(day + 719528) % 7], year, month, of_month, of_year,
             names[(day + 719528) % 7]);
    assert_string_equal(
        lab_value(lab, "@root | date('%F %j %A')", false, payload, strlen(payload), NULL),
        expected);
}

static void
days_are_counted_as_on_the_wall(void **state)
{
    static const int months[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int64_t day = -719529; /* the day before 0000-01-01 */
    struct lab lab;

    (void)state;
    lab_init(&lab);
    for (int year = 0; year < 10000; year++) {
        bool leap = year % 400 == 0 || (year % 4 == 0 && year % 100 != 0);
        int of_year = 0;

        for (int month = 1; month <= 12; month++) {
            int count = months[month - 1] + (month == 2 && leap);

            of_year += count;
            day += count;
            /* Years about those that are leap or not by the centuries, and some others. */
            if (year % 100 <= 4 || year % 97 == 0)
                expect_last_of_month(&lab, day, year, month, count, of_year);
        }
    }
    lab_fini(&lab);
}

static void
a_time_has_one_of_these_forms(void **state)
{
    static const struct {
        const char *text, *expected; /* NULL: no date */
    } cases[] = {
        {"2024-01-02T03:04", "02 03:04:00"},
        {"2024-01-02t03:04:05", "02 03:04:05"},
        {"2024-01-02 03:04:05.9Z", "02 03:04:05"},
        {"2024-01-02T03:04+01", "02 02:04:00"},
        {"2024-01-02T03:04+0130", "02 01:34:00"},
        {"2024-01-02T03:04-01:30", "02 04:34:00"},
        {"2024-01-02T03:04+14:00", "01 13:04:00"},
        {"2024-01-02T03:04-00:00", "02 03:04:00"},
        {"2024-01-02T", NULL},
        {"2024-01-02T03", NULL},
        {"2024-01-02T3:04", NULL},
        {"2024-01-02T24:00", NULL},
        {"2024-01-02T23:60", NULL},
        {"2024-01-02T23:59:60", NULL},
        {"2024-01-02T03:04z", NULL},
        {"2024-01-02T03:04.5", NULL},
        {"2024-01-02T03:04:05.", NULL},
        {"2024-01-02T03:04:05,5", NULL},
        {"2024-01-02  03:04", NULL},
        {"2024-01-02\\t03:04", NULL},
        {"2024-01-02T03:04 Z", NULL},
        {"2024-01-02T03:04+1", NULL},
        {"2024-01-02T03:04+1:30", NULL},
        {"2024-01-02T03:04+01:3", NULL},
        {"2024-01-02T03:04+01:60", NULL},
        {"2024-01-02T03:04+24:00", NULL},
        {"2024-01-02T03:04+01:30:00", NULL},
        {"2024-01-02T03:04Z+01", NULL},
        {"2024-1-02", NULL},
        {"20240102", NULL},
        {" 2024-01-02", NULL},
        {"2024-01-02 ", NULL},
        {"1704164640", NULL},
        {"", NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char payload[64], expected[64] = "null";
        struct lab_case one = {"@root | date('%d %T')", expected, payload};

        snprintf(payload, sizeof(payload), "\"%s\"", cases[i].text);
        if (cases[i].expected)
            snprintf(expected, sizeof(expected), "\"%s\"", cases[i].expected);
        lab_run(&one, 1, false, NULL);
    }
}

/* Payloads and whole rules */

static void
json_is_strict(void **state)
{
    static const char *const refused[] = {
        "{\"x\":01}",
        "{\"x\":.5}",
        "{\"x\":1.}",
        "{\"x\":+1}",
        "{'x':1}",
        "{\"x\":1,}",
        "[1,]",
        "{x:1}",
        "[NaN]",
        "[Infinity]",
        "[-]",
        "[\"a\nb\"]",
        "[\"\\u0000\"]",
        "{\"\\u0000\":1}",
        "[\"\\ud83d\"]",
        "[\"\\udc00\"]",
        "[\"\\x41\"]",
        "[1]//",
        "/**/[]",
        "nul",
        "[",
        "{\"x\"",
        "   ",
        "[1][2]",
        "[12345678901234567890 1]",
        "[0012345678901234567890]",
        "[+12345678901234567890]",
        "[--12345678901234567890]",
        "[12345678901234567890.]",
        "[12345678901234567890",
        "[\"\xed\xa0\x80\"]",
        "[\"\xc0\x80\"]",
        "[\"\xf4\x90\x80\x80\"]",
    };
    struct spec_rule rule = {.name = T("r"), .topics = TOPIC, .stop = true};
    struct spec_ruleset spec = {.rules = &rule, .rule_count = 1};
    struct bench bench;

    (void)state;
    bench_open(&bench, &spec);
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        const char *found = bench_map(&bench, "t", refused[i]);

        if (strncmp(found, "not_json: not JSON: ", 20))
            fail_msg("%s gives %s", refused[i], found);
    }
    assert_string_equal(bench_map(&bench, "t", " \t\r\n[1e-400, 12345678901234567890]\n"),
                        "no_call");
    bench_close(&bench);
}

static void
a_topic_is_named_or_searched_for(void **state)
{
    static const struct {
        const char *topic;
        bool met;
    } cases[] = {{"user.a", true},  {"user.abc", true}, {"xuser.a", false}, {"user.c", false},
                 {"userxa", false}, {"exact", true},    {"exactly", false}, {"inexact", false},
                 {"EXACT", false},  {"end", true},      {"ending", false}};
    struct spec_rule rule = {
        .name = T("r"), .topics = TEXTS(T("^user\\.(a|b)"), T("exact"), T("^end$")), .stop = true};
    struct spec_ruleset spec = {.rules = &rule, .rule_count = 1};
    struct bench bench;

    (void)state;
    bench_open(&bench, &spec);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_string_equal(bench_map(&bench, cases[i].topic, "{}"),
                            cases[i].met ? "no_call" : "no_match");
    bench_close(&bench);
}

static void
a_rule_that_is_not_enabled_stops_nothing(void **state)
{
    struct spec_rule rules[] = {
        {.name = T("off"), .topics = TOPIC, .disabled = true, .stop = true},
        {.name = T("on"), .topics = TOPIC, TRACK(.add_tags = TEXTS(T("x")))},
    };
    struct spec_ruleset spec = {.email = T("${email}"), .rules = rules, .rule_count = 2};

    (void)state;
    bench_expect(&spec, "{" WHO "}", "track {" WHO ",\"addTags\":[\"x\"]}");
}

static void
a_field_may_look_like_an_increment_but_not_begin_like_one(void **state)
{
    static const struct {
        const char *value, *expected;
    } cases[] = {
        {"\"+-1\"", "+-1"}, {"\" ++1\"", " ++1"}, {"\"-1\"", "-1"},
        {"-1", "-1"},       {"\"+\"", "+"},       {"\"++\"", NULL},
        {"\"--\"", NULL},   {"\"++1\"", NULL},    {"\"--x\"", NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char payload[96], expected[256];

        snprintf(payload, sizeof(payload), "{" WHO ",\"v\":%s}", cases[i].value);
        snprintf(expected, sizeof(expected), "identify {" WHO ",\"customFields\":{\"N\":\"%s\"}}",
                 cases[i].expected);
        if (!cases[i].expected)
            snprintf(expected, sizeof(expected),
                     "not_rendered: rule \"r\": identify.customFields.N: begins with ++ or --, "
                     "which would change a number each time it is sent; see allow_increment");
        bench_expect_rule(RULE(IDENTIFY(.custom_fields = PAIRS({T("N"), T("${v}")}))), payload,
                          expected);
    }
}

static void
what_elements_share_is_found_beside_the_item(void **state)
{
    (void)state;
    bench_expect_rule(
        RULE(.root = T("data"), .for_each = T("rows[*].sub[*]"), .email = T("${@payload.email}"),
             TRACK(.add_tags = TEXTS(T("${@index}:${item}:${item2}"), T("${@root.item}")))),
        "{" WHO ",\"data\":{\"item\":\"hidden\",\"item2\":\"k\","
        "\"rows\":[{\"sub\":[\"a\"]},{},{\"sub\":[\"b\"]}]}}",
        "track {" WHO ",\"addTags\":[\"0:a:k\",\"hidden\"]} "
        "track {" WHO ",\"addTags\":[\"1:b:k\",\"hidden\"]}");
}

/* Sentences that are easily taken for granted */

static void
a_number_that_no_double_holds_is_refused(void **state)
{
    static const struct lab_case refused[] = {
        {"1e400", "no double holds this number", NULL},
        {"-1e400", "no double holds this number", NULL},
        {"a | match('x')", "put brackets around", NULL},
        {"a | table(b)", "the name of a table is quoted text", NULL},
        {"a | date(b)", "the format of a date is quoted text", NULL},
        {"a | date('%Y', b)", "an offset is quoted text", NULL},
        {"a | match(b)", "the regular expression is quoted text", NULL},
        {"a | lower(1)", "wrong number of arguments", NULL},
        {"a not contains b", "goes with \"in\" only", NULL},
    };

    (void)state;
    REFUSE(refused);
    bench_expect_rule(RULE(TRACK(.add_tags = TEXTS(T("${x}")))), "{" WHO ",\"x\":1e308}",
                      "track {" WHO ",\"addTags\":[\"1e+308\"]}");
    bench_expect_rule(RULE(.stop = true), "{\"x\":1e400}",
                      "not_json: not JSON: a number no double holds, near byte 10");
}

static void
an_email_that_is_null_does_not_fall_back_to_another(void **state)
{
    struct spec_rule rule = {.email = T("rule@example.com"),
                             .identify = {.present = true, .at = AT(5), .email = T("${own}")},
                             TRACK(.add_tags = TEXTS(T("x")))};

    (void)state;
    bench_expect_rule(rule, "{\"own\":\"own@example.com\"}",
                      "identify {\"email\":\"own@example.com\"} "
                      "track {\"email\":\"rule@example.com\",\"addTags\":[\"x\"]}");
    bench_expect_rule(rule, "{}",
                      "not_rendered: rule \"r\": identify.email: is null or empty, and there is "
                      "nobody to send to; see without_email");
    rule.without_email = WITHOUT_EMAIL_SKIP;
    bench_expect_rule(rule, "{}", "no_call");
}

static void
a_rule_without_an_email_counts_as_matched_and_stops(void **state)
{
    struct spec_rule rules[] = {{.name = T("first"),
                                 .topics = TOPIC,
                                 .email = T("${user}"),
                                 .without_email = WITHOUT_EMAIL_SKIP,
                                 .stop = true,
                                 TRACK(.add_tags = TEXTS(T("first")))},
                                {.name = T("second"),
                                 .topics = TOPIC,
                                 .email = T("a@example.com"),
                                 TRACK(.add_tags = TEXTS(T("second")))}};
    struct spec_ruleset spec = {.rules = rules, .rule_count = 2};

    (void)state;
    bench_expect(&spec, "{}", "no_call");
    rules[0].stop = false;
    bench_expect(&spec, "{}", "track {" WHO ",\"addTags\":[\"second\"]}");
}

static void
an_identify_goes_first_though_its_track_is_written_first(void **state)
{
    struct spec_rule rule = {
        .identify = {.present = true, .at = AT(9), .first_name = TL("A", 9)},
        .track = {.present = true, .at = AT(5), .add_tags = TEXTS(TL("x", 6), TL("${list}", 7))}};

    (void)state;
    bench_expect_rule(rule, "{" WHO ",\"list\":[]}",
                      "identify {" WHO ",\"firstName\":\"A\"} track {" WHO ",\"addTags\":[\"x\"]}");
    /* The first reason is that of what is written first. */
    rule.identify.first_name.text = "${list}";
    bench_expect_rule(rule, "{" WHO ",\"list\":[{}]}",
                      "not_rendered: rule \"r\": track.addTags[1]: is an object where a tag must "
                      "be");
}

static void
an_empty_field_is_left_out_and_so_is_a_null_one(void **state)
{
    (void)state;
    bench_expect_rule(
        RULE(IDENTIFY(.custom_fields =
                          PAIRS({T("A"), T("${empty}")}, {T("B"), T("")}, {T("C"), T("${null}")},
                                {T("D"), T("${zero}")}, {T("E"), T("${empty}${empty}")}))),
        "{" WHO ",\"empty\":\"\",\"zero\":0}", "identify {" WHO ",\"customFields\":{\"D\":\"0\"}}");
}

static void
an_empty_array_is_no_text_and_no_tag(void **state)
{
    (void)state;
    bench_expect_rule(RULE(IDENTIFY(.company = T("${none}"))), "{" WHO ",\"none\":[]}",
                      "not_rendered: rule \"r\": identify.company: is an array or an object where "
                      "text must be");
    bench_expect_rule(RULE(IDENTIFY(.tags = TEXTS(T("x ${none}")))), "{" WHO ",\"none\":[]}",
                      "not_rendered: rule \"r\": identify.tags[0]: an array or object stands where "
                      "text must be");
    bench_expect_rule(RULE(IDENTIFY(.tags = TEXTS(T("${none}")))), "{" WHO ",\"none\":[]}",
                      "identify {" WHO "}");
}

static void
a_rule_that_is_not_enabled_is_checked(void **state)
{
    (void)state;
    bench_refuse_rule(RULE(.disabled = true, .when = T("a ==")), "expected a value");
    bench_refuse_rule(RULE(.disabled = true, TRACK(.add_tags = TEXTS(T("${a | lowr}")))),
                      "did you mean \"lower\"?");
}

static void
the_root_leaves_payload_and_metadata_as_they_are(void **state)
{
    (void)state;
    bench_expect_rule(RULE(.root = T("@headers"), .when = T("kind"), .stop = true), "{" WHO "}",
                      "no_match");
    bench_expect_rule(RULE(.root = T("data"), .email = T("${@payload.email}"),
                           TRACK(.add_tags = TEXTS(T("${x}"), T("${@root.x}"), T("${@payload.x}"),
                                                   T("${@topic}"), T("${data.x}")))),
                      "{" WHO ",\"x\":\"outer\",\"data\":{\"x\":\"inner\"}}",
                      "track {" WHO ",\"addTags\":[\"inner\",\"outer\",\"t\"]}");
    bench_expect_rule(RULE(.root = T("data"), .stop = true), "{\"data\":false}", "no_call");
    bench_expect_rule(RULE(.root = T("data"), .stop = true), "{\"data\":null}", "no_match");
}

static void
a_new_email_is_checked_when_it_is_there(void **state)
{
    struct spec_rule rule = {IDENTIFY(.new_email = T("${new}"), .first_name = T("A"))};

    (void)state;
    bench_expect_rule(rule, "{" WHO "}", "identify {" WHO ",\"firstName\":\"A\"}");
    bench_expect_rule(rule, "{" WHO ",\"new\":\"\"}", "identify {" WHO ",\"firstName\":\"A\"}");
    bench_expect_rule(rule, "{" WHO ",\"new\":\"b@example.com\"}",
                      "identify {" WHO ",\"newEmail\":\"b@example.com\",\"firstName\":\"A\"}");
    bench_expect_rule(rule, "{" WHO ",\"new\":\"b c@example.com\"}",
                      "not_rendered: rule \"r\": identify.newEmail: is no e-mail address: it holds "
                      "white space");
    bench_expect_rule(rule, "{" WHO ",\"new\":\"b\"}",
                      "not_rendered: rule \"r\": identify.newEmail: is no e-mail address: it needs "
                      "exactly one @");
    bench_expect_rule(rule, "{" WHO ",\"new\":[\"b@example.com\"]}",
                      "not_rendered: rule \"r\": identify.newEmail: is an array or an object where "
                      "text must be");
}

static void
a_stop_acts_after_the_last_element(void **state)
{
    struct spec_rule rules[] = {
        {.name = T("first"),
         .topics = TOPIC,
         .for_each = T("list"),
         .when = T("item"),
         .stop = true,
         TRACK(.add_tags = TEXTS(T("${item}")))},
        {.name = T("second"), .topics = TOPIC, TRACK(.add_tags = TEXTS(T("second")))}};
    struct spec_ruleset spec = {.email = T("${email}"), .rules = rules, .rule_count = 2};

    (void)state;
    bench_expect(&spec, "{" WHO ",\"list\":[\"a\",null,\"b\"]}",
                 "track {" WHO ",\"addTags\":[\"a\"]} track {" WHO ",\"addTags\":[\"b\"]}");
    bench_expect(&spec, "{" WHO ",\"list\":[null,\"\"]}",
                 "track {" WHO ",\"addTags\":[\"second\"]}");
    bench_expect(&spec, "{" WHO ",\"list\":[]}", "track {" WHO ",\"addTags\":[\"second\"]}");
}

static void
default_of_null_makes_an_empty_text_null(void **state)
{
    static const struct lab_case cases[] = {
        {"'' | default(null)", "null", NULL},
        {"none | default(null)", "null", NULL},
        {"b | default(null)", "\"Text\"", NULL},
        {"(nil ?? '') | default(null)", "null", NULL},
    };

    (void)state;
    RUN(cases, EVENT);
    bench_expect_rule(RULE(TRACK(.add_tags = TEXTS(T("x"), T("source: ${s | default(null)}")))),
                      "{" WHO ",\"s\":\"\"}", "track {" WHO ",\"addTags\":[\"x\"]}");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_filter_behind_an_operand_needs_brackets),
        cmocka_unit_test(a_minus_is_no_part_of_a_name),
        cmocka_unit_test(an_operator_begins_no_path_and_is_a_name_after_a_dot),
        cmocka_unit_test(a_star_is_null_on_anything_but_an_array),
        cmocka_unit_test(a_sort_puts_kinds_in_order_and_keeps_the_rest_as_it_stood),
        cmocka_unit_test(any_double_is_written_as_javascript_writes_it),
        cmocka_unit_test(decimals_are_rounded_as_on_paper),
        cmocka_unit_test(days_are_counted_as_on_the_wall),
        cmocka_unit_test(a_time_has_one_of_these_forms),
        cmocka_unit_test(json_is_strict),
        cmocka_unit_test(a_topic_is_named_or_searched_for),
        cmocka_unit_test(a_rule_that_is_not_enabled_stops_nothing),
        cmocka_unit_test(a_field_may_look_like_an_increment_but_not_begin_like_one),
        cmocka_unit_test(what_elements_share_is_found_beside_the_item),
        cmocka_unit_test(a_number_that_no_double_holds_is_refused),
        cmocka_unit_test(an_email_that_is_null_does_not_fall_back_to_another),
        cmocka_unit_test(a_rule_without_an_email_counts_as_matched_and_stops),
        cmocka_unit_test(an_identify_goes_first_though_its_track_is_written_first),
        cmocka_unit_test(an_empty_field_is_left_out_and_so_is_a_null_one),
        cmocka_unit_test(an_empty_array_is_no_text_and_no_tag),
        cmocka_unit_test(a_rule_that_is_not_enabled_is_checked),
        cmocka_unit_test(the_root_leaves_payload_and_metadata_as_they_are),
        cmocka_unit_test(a_new_email_is_checked_when_it_is_there),
        cmocka_unit_test(a_stop_acts_after_the_last_element),
        cmocka_unit_test(default_of_null_makes_an_empty_text_null),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
