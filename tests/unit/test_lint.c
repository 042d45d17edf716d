/* Lints against what really happens: what is told of random rules holds for random events. What
 * each lint finds and lets pass is kept in tests/golden/lint. */

#include "json_unit.h"
#include "rules/lint.h"
#include "rules/regex.h"
#include "rules/value.h"
#include "ruleset_unit.h"

enum { ROUNDS = 4000, EVENTS = 8, RULES = 5, TAGS = 3 };

static struct account account = {.name = (char[]){"main"}};

static struct spec_pair entries[] = {{T("a"), T("b")}, {T("ab"), T("x a")}, {T("1"), T("")}};
static struct spec_table tables[] = {{T("t"), {true, AT(1), entries, ARRAY_LEN(entries)}}};

/* Random rules, with room for what they point to. */
struct draw {
    struct rng rng;
    struct spec_rule rules[RULES];
    char names[RULES][4];
    struct spec_text topics[RULES][2], add[RULES][TAGS], removed[RULES][TAGS];
    struct spec_ruleset spec;
};

static struct spec_text
pick_text(struct draw *draw, const char *const *texts, size_t count)
{
    return (struct spec_text){.text = texts[rng_below(&draw->rng, count)], .at = {"f.conf", 1}};
}

#define PICK_TEXT(draw, texts) pick_text(draw, texts, ARRAY_LEN(texts))

static void
draw_rule(struct draw *draw, size_t number)
{
    static const char *const topics[] = {"a", "b", "ab", "^a", "^", "^b$"};
    static const char *const whens[] = {"true", "a", "a == 'a'", "not a", "@topic == 'b'", "1"};
    static const char *const tags[] = {"a", "b", "x a", "x", "xb", "likes a", "true", "1", "ab"};
    static const char *const added[] = {"a",
                                        "x ${a}",
                                        "${a | table('t')}",
                                        "${a | table('t', 'ab')}",
                                        "${b ? 'x' : 'xb'}",
                                        "${b ?? 'b'}",
                                        "${['1', b | prefix('likes ')]}",
                                        "${a | prefix('x')}",
                                        "${a == b}",
                                        "x${a | table('t')}",
                                        "${b | default('a') | upper}",
                                        "${'1' + 'x'}",
                                        "${[1, 'ab']}"};
    static const char *const paths[] = {"a", "b", "c"};
    struct spec_rule *rule = &draw->rules[number];
    struct rng *rng = &draw->rng;

    snprintf(draw->names[number], sizeof(draw->names[number]), "r%zu", number);
    *rule = (struct spec_rule){.name = {draw->names[number], {"f.conf", 1}, 0},
                               .stop = rng_below(rng, 2),
                               .disabled = rng_below(rng, 8) == 0};
    if (rng_below(rng, 2))
        rule->when = PICK_TEXT(draw, whens);
    if (rng_below(rng, 6) == 0)
        rule->root = PICK_TEXT(draw, paths);
    if (rng_below(rng, 6) == 0)
        rule->for_each = PICK_TEXT(draw, paths);
    for (size_t i = 0; i < 2; i++)
        draw->topics[number][i] = PICK_TEXT(draw, topics);
    for (size_t i = 0; i < TAGS; i++) {
        draw->add[number][i] = PICK_TEXT(draw, added);
        draw->removed[number][i] = PICK_TEXT(draw, tags);
    }
    rule->topics = (struct spec_list){true, AT(1), draw->topics[number], 1 + rng_below(rng, 2)};
    rule->track = (struct spec_track){
        .present = true,
        .at = AT(1),
        .add_tags = {true, AT(1), draw->add[number], rng_below(rng, TAGS + 1)},
        .remove_tags = {true, AT(1), draw->removed[number], rng_below(rng, TAGS + 1)}};
}

static void
draw_rules(struct draw *draw)
{
    for (size_t i = 0; i < RULES; i++)
        draw_rule(draw, i);
    draw->spec = (struct spec_ruleset){.email = T("a@example.com"),
                                       .tables = tables,
                                       .table_count = 1,
                                       .rules = draw->rules,
                                       .rule_count = RULES};
}

/* Whether DIAG says of rule NAME what is called LINT, with TEXT in it. */
static bool
is_told(const struct diag *diag, enum lint lint, const char *name, const char *text)
{
    char rule[32];

    snprintf(rule, sizeof(rule), "rule \"%s\": ", name ? name : "");
    for (size_t i = 0; i < diag->count; i++) {
        const struct diag_item *item = &diag->items[i];

        if (!strcmp(item->name, lint_name(lint)) && (!name || strstr(item->text, rule)) &&
            strstr(item->text, text))
            return true;
    }
    return false;
}

static void
check_call(const struct diag *diag, const struct call *call, const char *topic, const char *event)
{
    const struct text_list *added = &call->track.add_tags;
    char words[64];

    if (is_told(diag, LINT_RULE_UNREACHABLE, call->rule, ""))
        fail_msg("rule %s was reached by %s: %s", call->rule, topic, event);
    for (size_t i = 0; i < added->count; i++) {
        snprintf(words, sizeof(words), "adds the tag \"%.32s\"", added->items[i]);
        if (is_told(diag, LINT_TAG_NEVER_ADDED, NULL, words))
            fail_msg("rule %s, which never \"%s\", did for %s: %s", call->rule, words, topic,
                     event);
    }
}

static void
what_is_told_of_random_rules_holds(void **state)
{
    static const char *const topics[] = {"a", "b", "ab", "c"};
    struct draw draw = {.rng = unit_rng("lint", 1)};
    size_t told = 0;

    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        struct bench bench;
        struct diag diag;
        struct buf json;

        draw_rules(&draw);
        bench_open(&bench, &draw.spec);
        diag_init(&diag);
        buf_init(&json, 1 << 16);
        draw.spec.account_count = 1;
        draw.spec.accounts = (const char *const[]){"main"};
        lint_rules(&draw.spec, &account, &diag);
        told += diag.count;
        for (int i = 0; i < EVENTS; i++) {
            const char *topic = PICK(&draw.rng, topics);
            json_t *event = random_json(&draw.rng, 3);
            struct value value = value_of_json(event);

            buf_reset(&json);
            value_add_json(&value, &json);
            bench_map(&bench, topic, buf_text(&json));
            for (size_t k = 0; k < bench.mapping.calls.count; k++)
                check_call(&diag, bench.mapping.calls.items[k], topic, buf_text(&json));
            json_decref(event);
        }
        buf_fini(&json);
        diag_fini(&diag);
        bench_close(&bench);
    }
    assert_true(told > ROUNDS);
}

/* Adds FORM with TEXT for its %s. */
static void
add_form(struct buf *out, const char *form, const char *text)
{
    const char *hole = strstr(form, "%s");

    buf_add(out, form, (size_t)(hole - form));
    buf_add_text(out, text);
    buf_add_text(out, hole + 2);
}

/* Pieces of templates in any order: most do not load; of those that do, lint says what it likes. */
static void
rules_of_garbage_are_linted_and_nothing_crashes(void **state)
{
    static const char *const pieces[] = {"a",
                                         "'a'",
                                         " | ",
                                         "lower",
                                         "trim",
                                         "x ",
                                         "+",
                                         "==",
                                         " ? ",
                                         " : ",
                                         "??",
                                         "[",
                                         "]",
                                         "(",
                                         ")",
                                         "@key",
                                         "@topic",
                                         ".b",
                                         "[*]",
                                         "table('t')",
                                         "null",
                                         "not ",
                                         " and ",
                                         " in ",
                                         "['a', 'b']",
                                         "default(null)",
                                         "first",
                                         "prefix('x')",
                                         "match('(a)')",
                                         "''",
                                         "1"};
    struct rng rng = unit_rng("garbage", 4);
    struct buf texts[4];
    size_t loaded = 0;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        buf_init(&texts[i], 1 << 16);
    for (int round = 0; round < ROUNDS * 5; round++) {
        static const char *const accounts[] = {"main"};
        struct spec_rule rule = {.name = T("r"), .topics = TOPIC};
        struct spec_ruleset spec = {.email = T("${a}"),
                                    .tables = tables,
                                    .table_count = 1,
                                    .rules = &rule,
                                    .rule_count = 1,
                                    .accounts = accounts,
                                    .account_count = 1};
        struct spec_text tags[3];
        struct ruleset *rules;
        struct diag diag;

        /* One expression: alone, in a text, and with something behind it. */
        buf_reset(&texts[0]);
        for (size_t count = 1 + rng_below(&rng, 6); count; count--)
            buf_add_text(&texts[0], PICK(&rng, pieces));
        for (size_t i = 0; i < ARRAY_LEN(tags); i++) {
            static const char *const forms[] = {"${%s}", "x ${%s}", "${(%s) | trim}-${a}"};

            buf_reset(&texts[i + 1]);
            add_form(&texts[i + 1], forms[i], buf_text(&texts[0]));
            tags[i] = (struct spec_text){buf_text(&texts[i + 1]), {"f.conf", 2}, 0};
        }
        buf_reset(&texts[0]);
        buf_add_text(&texts[0], rng_below(&rng, 2) ? "a in ['a']" : "not (b == 'x') and a");
        rule.when = (struct spec_text){buf_text(&texts[0]), {"f.conf", 1}, 0};
        rule.track = (struct spec_track){.present = true,
                                         .add_tags = {true, AT(1), tags, 2},
                                         .remove_tags = {true, AT(1), tags + 2, 1}};
        diag_init(&diag);
        rules = ruleset_new(&spec, &diag);
        if (rules) {
            loaded++;
            lint_rules(&spec, &account, &diag);
        }
        ruleset_free(rules);
        diag_fini(&diag);
    }
    print_message("%zu loaded\n", loaded);
    assert_true(loaded > ROUNDS / 20);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        buf_fini(&texts[i]);
}

static void
what_a_group_may_find_is_told_from_its_own_pattern(void **state)
{
    static const struct {
        const char *pattern;
        enum regex_group group;
    } cases[] = {
        {"-(\\d+)$", REGEX_GROUP_FILLED},
        {"-(\\d*)", REGEX_GROUP_MAY_BE_EMPTY},
        {"(?:a|b)(c|)", REGEX_GROUP_MAY_BE_EMPTY},
        {"(?:a*)(b)", REGEX_GROUP_FILLED},
        {"((a*)b)", REGEX_GROUP_FILLED},
        {"((a*)b*)", REGEX_GROUP_MAY_BE_EMPTY},
        {"\\((a)", REGEX_GROUP_FILLED},
        {"[(](a*)[)]", REGEX_GROUP_MAY_BE_EMPTY},
        {"([^)]+)", REGEX_GROUP_FILLED},
        {"([]a]*)", REGEX_GROUP_MAY_BE_EMPTY},
        {"[[:alpha:]](a)", REGEX_GROUP_UNKNOWN},
        {"(?i)(a)", REGEX_GROUP_UNKNOWN},
        {"(?=a)(a*)", REGEX_GROUP_UNKNOWN},
        {"\\Q(\\E(a)", REGEX_GROUP_UNKNOWN},
        {"(?<n>a)(b)", REGEX_GROUP_UNKNOWN},
        {"(a\\2)(b)", REGEX_GROUP_UNKNOWN},
        {"(\\))", REGEX_GROUP_FILLED},
        {"a", REGEX_GROUP_UNKNOWN},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct err err = {0};
        struct regex *regex = regex_new(cases[i].pattern, strlen(cases[i].pattern), &err);

        if (!regex || regex_first_group(regex) != cases[i].group)
            fail_msg("%s: %s %d", cases[i].pattern, err.msg,
                     regex ? (int)regex_first_group(regex) : -1);
        regex_free(regex);
    }
}

static void
each_lint_has_a_name_and_a_text(void **state)
{
    (void)state;
    for (int i = 0; i < LINT_COUNT; i++) {
        const char *name = lint_name((enum lint)i);

        assert_true(strspn(name, "abcdefghijklmnopqrstuvwxyz-") == strlen(name) && *name);
        assert_true(*lint_doc((enum lint)i));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_group_may_find_is_told_from_its_own_pattern),
        cmocka_unit_test(each_lint_has_a_name_and_a_text),
        cmocka_unit_test(what_is_told_of_random_rules_holds),
        cmocka_unit_test(rules_of_garbage_are_linted_and_nothing_crashes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
