/* What is wrong with rules is told at load: every mistake, with its place, in one go. */

#include "ruleset_unit.h"

static void
accounts_are_numbers_in_calls(void **state)
{
    static const char *const accounts[] = {"main", "other"};
    struct spec_rule rules[] = {
        {.name = T("a"), .topics = TOPIC, .account = T("other"), TRACK(.add_tags = TEXTS(T("a")))},
        {.name = T("b"), .topics = TOPIC, .account = T("main"), TRACK(.add_tags = TEXTS(T("b")))}};
    struct spec_ruleset spec = {.email = T("${email}"),
                                .rules = rules,
                                .rule_count = 2,
                                .accounts = accounts,
                                .account_count = 2};

    (void)state;
    bench_expect(&spec, "{" WHO "}",
                 "track @1 {" WHO ",\"addTags\":[\"a\"]} track {" WHO ",\"addTags\":[\"b\"]}");
    rules[0].account.text = "othr";
    bench_refuse(&spec,
                 "rule \"a\": account: there is no account \"othr\"; did you mean \"other\"?");
    rules[0].account.text = NULL;
    bench_refuse(&spec, "rule \"a\": account: there are several accounts");
}

static void
mistakes_in_rules_are_told_with_their_place(void **state)
{
    struct spec_rule nobody = {.name = T("r"), .topics = TOPIC, IDENTIFY(.first_name = T("x"))};
    struct spec_ruleset alone = {.rules = &nobody, .rule_count = 1};

    (void)state;
    bench_refuse(&alone, "rules.conf:5: error: rule \"r\": identify.email: nothing says who");
    bench_refuse_rule(RULE(.name = T("r")), "rule \"r\": does nothing");
    bench_refuse_rule(RULE(.name = T(""), .stop = true), "rules[0]: name: is required");
    bench_refuse_rule(RULE(.name = T("a\nb"), .stop = true),
                      "rules[0]: name: holds a control character");
    bench_refuse_rule(RULE(.name = T("a\x7f"), .stop = true),
                      "rules[0]: name: holds a control character");
    bench_refuse_rule(RULE(.topics = {.present = true, .at = AT(4)}, .stop = true),
                      "rules.conf:4: error: rule \"r\": topics: name one at least");
    bench_refuse_rule(RULE(.topics = TEXTS(T("user registered")), .stop = true),
                      "\"user registered\" is no name of a topic");
    bench_refuse_rule(RULE(.topics = TEXTS(T("^a(")), .stop = true),
                      "topics: \"^a(\" is no regular expression");
    bench_refuse_rule(RULE(.when = TL("a b", 7), .stop = true),
                      "rules.conf:7: error: rule \"r\": when: column 3, at \"b\"");
    bench_refuse_rule(RULE(.root = T("a | lower"), .stop = true), "rule \"r\": root: takes a path");
    bench_refuse_rule(RULE(.for_each = T("[1]"), .stop = true),
                      "rule \"r\": for_each: takes a path");
    bench_refuse_rule(RULE(.when = T("@index"), .stop = true),
                      "rule \"r\": when: @index is known only in a rule with for_each");
    bench_refuse_rule(RULE(.for_each = T("@index"), .stop = true), "rule \"r\": for_each: @index");
    bench_refuse_rule(RULE(.email = T("${@index}"), TRACK()), "rule \"r\": email: @index");
    bench_refuse_rule(RULE(IDENTIFY(.custom_fields = PAIRS({T("A"), T("a")}, {T("A"), T("b")}))),
                      "rule \"r\": identify.customFields.A: is given twice");
    bench_refuse_rule(RULE(IDENTIFY(.custom_fields = PAIRS({T("${x}"), T("a")}))),
                      "the name of a field is plain text");
    bench_refuse_rule(RULE(IDENTIFY(.custom_fields = PAIRS({T(""), T("a")}))),
                      "a field needs a name");
    bench_refuse_rule(
        RULE(TRACK(.remove_tags = TEXTS(T("a"), TL("${", 8)))),
        "rules.conf:8: error: rule \"r\": track.removeTags[1]: column 1: \"${\" has no");
}

static void
all_mistakes_are_told_in_one_go(void **state)
{
    struct spec_pair entries[] = {
        {T("a"), T("1")}, {T("a"), T("2")}, {T("${b}"), T("3")}, {T("c"), T("${d}")}};
    struct spec_table wrong_tables[] = {{T("t"), {true, AT(1), entries, 4}},
                                        {T("t"), {true, AT(1), entries, 1}}};
    struct spec_rule rules[] = {
        {.name = T("a"),
         .topics = TOPIC,
         .when = T("x ="),
         .root = T("1"),
         .account = T("nope"),
         IDENTIFY(.first_name = T("${x | lowr}"), .tags = TEXTS(T("${"), T("${y | table('u')}")))},
        {.name = T("a"), .topics = TOPIC},
    };
    struct spec_ruleset spec = {.email = T("${@index} ${x y}"),
                                .tables = wrong_tables,
                                .table_count = 2,
                                .rules = rules,
                                .rule_count = 2};
    struct bench bench;

    (void)state;
    bench_open(&bench, &spec);
    assert_null(bench.rules);
    assert_string_equal(
        bench_findings(&bench),
        "rules.conf:1: error: tables.t: \"a\" is given twice\n"
        "rules.conf:1: error: tables.t: \"${b}\" holds a \"${\"; entries of tables are plain text\n"
        "rules.conf:1: error: tables.t: \"${d}\" holds a \"${\"; entries of tables are plain text\n"
        "rules.conf:1: error: tables: \"t\" is given twice\n"
        "rules.conf:1: error: email: column 15, at \"y\": expected an operator or the end\n"
        "rules.conf:1: error: rule \"a\": when: column 3, at \"=\": write \"==\" to compare\n"
        "rules.conf:1: error: rule \"a\": root: takes a path, such as payload.items, and nothing "
        "else\n"
        "rules.conf:1: error: rule \"a\": account: there is no account \"nope\"\n"
        "rules.conf:1: error: rule \"a\": identify.firstName: column 7, at \"lowr\": there is no "
        "filter \"lowr\"; did you mean \"lower\"?\n"
        "rules.conf:1: error: rule \"a\": identify.tags[0]: column 1: \"${\" has no \"}\"; for the "
        "two "
        "characters themselves write $${\n"
        "rules.conf:1: error: rule \"a\": identify.tags[1]: column 13, at \"'u')\": there is no "
        "table \"u\" in tables\n"
        "error: rule \"a\": does nothing; write identify or track, or stop = true to drop the "
        "events\n"
        "rules.conf:1: error: rule \"a\": name: is given to two rules");
    bench_close(&bench);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accounts_are_numbers_in_calls),
        cmocka_unit_test(mistakes_in_rules_are_told_with_their_place),
        cmocka_unit_test(all_mistakes_are_told_in_one_go),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
