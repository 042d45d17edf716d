/* Rules as wholes: what an event becomes, sentence by sentence of the reference. */

#include <time.h>

#include "rules/spec_hash.h"
#include "ruleset_unit.h"

static struct spec_pair plan_entries[] = {
    {T("pro"), T("paid user")}, {T("enterprise"), T("paid user")}, {T("trial"), T("trial user")}};
static struct spec_table tables[] = {
    {T("plan_tag"), {true, AT(1), plan_entries, ARRAY_LEN(plan_entries)}}};

static void
the_example_of_the_reference(void **state)
{
    struct spec_rule rules[] = {
        {.name = T("registration"),
         .topics = TEXTS(T("user.registered")),
         .when = T("not user.internal"),
         IDENTIFY(.first_name = T("${user.first_name}"),
                  .birthday = T("${user.birthday | date('%Y-%m-%d')}"),
                  .company = T("${user.company.name ?? user.company}"),
                  .custom_fields =
                      PAIRS({T("Plan"), T("${plan}")},
                            {T("Signup source"), T("${user.signup.source ?? 'direct'}")}),
                  .tags = TEXTS(T("registered"), T("source: ${user.signup.source}"),
                                T("${user.beta ? 'beta' : null}"),
                                T("${user.interests | prefix('likes ')}")))},
        {.name = T("plan changed"),
         .topics = TEXTS(T("plan.changed")),
         .when = T("from != to and to in ['pro', 'enterprise', 'trial']"),
         TRACK(.add_tags = TEXTS(T("${to | table('plan_tag')}")),
               .remove_tags = TEXTS(T("${from | table('plan_tag')}")))},
    };
    struct spec_ruleset spec = {.email = T("${user.email | trim | lower}"),
                                .tables = tables,
                                .table_count = 1,
                                .rules = rules,
                                .rule_count = 2};
    struct bench bench;

    (void)state;
    bench_open(&bench, &spec);
    assert_string_equal(
        bench_map(&bench, "user.registered",
                  "{\"user\":{\"email\":\" Ada@Example.com \",\"first_name\":\"Ada\","
                  "\"birthday\":641520000,\"company\":{\"name\":\"Engines\"},"
                  "\"signup\":{\"source\":\"web\"},\"beta\":true,\"interests\":[\"go\",\"c\"]},"
                  "\"plan\":\"pro\"}"),
        "identify {\"email\":\"ada@example.com\",\"firstName\":\"Ada\",\"company\":\"Engines\","
        "\"birthday\":\"1990-05-01\",\"customFields\":{\"Plan\":\"pro\",\"Signup source\":\"web\"},"
        "\"tags\":[\"registered\",\"source: web\",\"beta\",\"likes go\",\"likes c\"]}");
    assert_string_equal(
        bench_map(&bench, "user.registered",
                  "{\"user\":{\"email\":\"a@example.com\",\"company\":\"X\"}}"),
        "identify {\"email\":\"a@example.com\",\"company\":\"X\","
        "\"customFields\":{\"Signup source\":\"direct\"},\"tags\":[\"registered\"]}");
    assert_string_equal(bench_map(&bench, "user.registered", "{\"user\":{\"internal\":true}}"),
                        "no_match");
    assert_string_equal(
        bench_map(&bench, "plan.changed",
                  "{\"from\":\"trial\",\"to\":\"pro\",\"user\":{\"email\":\"a@example.com\"}}"),
        "track {\"email\":\"a@example.com\",\"addTags\":[\"paid user\"],\"removeTags\":[\"trial "
        "user\"]}");
    assert_string_equal(
        bench_map(
            &bench, "plan.changed",
            "{\"from\":\"pro\",\"to\":\"enterprise\",\"user\":{\"email\":\"a@example.com\"}}"),
        "track {\"email\":\"a@example.com\",\"addTags\":[\"paid user\"]}");
    assert_string_equal(bench_map(&bench, "other", "{}"), "no_match");
    bench_close(&bench);
}

static void
payloads_that_are_not_json_are_told_apart(void **state)
{
    static const struct {
        const char *payload, *expected;
        size_t len;
    } cases[] = {
        {NULL, "tombstone", 0},
        {"null", "tombstone", 4},
        {" null\n", "tombstone", 6},
        {"", "not_json: not JSON: it has no bytes", 0},
        {"{", "not_json: not JSON: it ends too early, near byte 1", 1},
        {"{\"secret\":x}", "not_json: not JSON: wrong syntax, near byte 11", 12},
        {"{} {}", "not_json: not JSON: more text behind the value, near byte 4", 5},
        {"\"\xff\"", "not_json: not JSON: invalid UTF-8, near byte 1", 3},
        {"\"\\u0000\"", "not_json: not JSON: a NUL character, near byte 8", 8},
        {"\"a\0b\"", "not_json: not JSON: wrong syntax, near byte 2", 5},
        {"1e999", "not_json: not JSON: a number no double holds, near byte 5", 5},
        {"[1e999,12345678901234567890]",
         "not_json: not JSON: a number no double holds, near byte 6", 28},
        {"\xef\xbb\xbf{}", "not_json: not JSON: wrong syntax, near byte 3", 5},
        {"1", "no_match", 1},
        {"\"text\"", "no_match", 6},
    };
    struct spec_rule rule = {.name = T("r"), .topics = TOPIC, .when = T("x"), .stop = true};
    struct spec_ruleset spec = {.rules = &rule, .rule_count = 1};
    struct bench bench;

    (void)state;
    bench_open(&bench, &spec);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct event event = {
            .topic = "t", .payload = cases[i].payload, .payload_len = cases[i].len};

        assert_string_equal(bench_map_event(&bench, &event), cases[i].expected);
    }
    bench_close(&bench);
}

static void
nesting_is_json_up_to_2048_levels(void **state)
{
    static char payload[5000];

    (void)state;
    memset(payload, '[', 2048);
    memset(payload + 2048, ']', 2048);
    bench_expect_rule(RULE(.when = T("not @root[0][0]"), .stop = true), payload, "no_match");
    bench_expect_rule(RULE(.email = T("a@example.com"), TRACK(.add_tags = TEXTS(T("${@root}")))),
                      payload, "no_call");
    bench_expect_rule(RULE(.when = T("@root | upper | unique == (@root | lower)"), .stop = true),
                      payload, "no_call");
    memset(payload, '[', 2049);
    memset(payload + 2049, ']', 2049);
    bench_expect_rule(RULE(.stop = true), payload,
                      "not_json: not JSON: nested too deeply, over 2048 levels, near byte 2049");
}

static void
integers_past_64_bits_are_doubles_and_others_keep_their_digits(void **state)
{
    (void)state;
    bench_expect_rule(
        RULE(.email = T("a@example.com"),
             TRACK(.add_tags = TEXTS(T("${a}"), T("${b}"), T("${c}"), T("${d}"), T("${e}")))),
        "{\"a\":9007199254740993,\"b\":9223372036854775808,\"c\":-99999999999999999999,"
        "\"d\":\"12345678901234567890\\\"123456789012345678901\",\"e\":1.12345678901234567890}",
        "track {" WHO ",\"addTags\":[\"9007199254740993\",\"9223372036854776000\","
        "\"-100000000000000000000\",\"12345678901234567890\\\"123456789012345678901\","
        "\"1.1234567890123457\"]}");
}

static void
of_equal_keys_the_last_counts(void **state)
{
    (void)state;
    bench_expect_rule(RULE(TRACK(.add_tags = TEXTS(T("${x}")))), "{" WHO ",\"x\":1,\"x\":\"last\"}",
                      "track {" WHO ",\"addTags\":[\"last\"]}");
}

static void
null_and_empty_settings_are_left_out(void **state)
{
    (void)state;
    bench_expect_rule(
        RULE(IDENTIFY(.first_name = T("${missing}"), .last_name = T("${empty}"), .company = T(""),
                      .birthday = T("${empty}"), .new_email = T("${empty}"),
                      .custom_fields = PAIRS({T("A"), T("${missing}")}, {T("B"), T("b ${n}")}),
                      .tags = TEXTS(T("${empty}"), T("source: ${missing}")))),
        "{" WHO ",\"empty\":\"\",\"n\":5}", "identify {" WHO ",\"customFields\":{\"B\":\"b 5\"}}");
}

static void
an_identify_with_only_the_email_is_sent_a_track_without_tags_is_not(void **state)
{
    (void)state;
    bench_expect_rule(RULE(IDENTIFY(.first_name = T("${x}")), TRACK(.add_tags = TEXTS(T("${x}")))),
                      "{" WHO "}", "identify {" WHO "}");
    bench_expect_rule(RULE(TRACK(.add_tags = TEXTS(T("${x}")))), "{" WHO "}", "no_call");
    bench_expect_rule(
        RULE(TRACK(.add_tags = TEXTS(T("${x}")))), "{\"email\":\"nobody\"}",
        "not_rendered: rule \"r\": email: is no e-mail address: it needs exactly one @");
}

static void
tag_lists_are_flattened_and_lose_repeats(void **state)
{
    (void)state;
    bench_expect_rule(
        RULE(IDENTIFY(.tags = TEXTS(T("a"), T("${list}"), T("${n}"), T("${t}"), T("a")))),
        "{" WHO ",\"list\":[\"b\",null,[[\"c\"],\"a\",1.0],\"\"],\"n\":1,\"t\":false}",
        "identify {" WHO ",\"tags\":[\"a\",\"b\",\"c\",\"1\",\"false\"]}");
}

static void
a_tag_on_both_sides_is_only_added(void **state)
{
    (void)state;
    bench_expect_rule(RULE(TRACK(.add_tags = TEXTS(T("a"), T("b"), T("a")),
                                 .remove_tags = TEXTS(T("b"), T("c"), T("c")))),
                      "{" WHO "}",
                      "track {" WHO ",\"addTags\":[\"a\",\"b\"],\"removeTags\":[\"c\"]}");
    bench_expect_rule(RULE(TRACK(.remove_tags = TEXTS(T("${from}")))), "{" WHO ",\"from\":\"x\"}",
                      "track {" WHO ",\"removeTags\":[\"x\"]}");
}

static void
what_cannot_be_text_is_not_rendered(void **state)
{
    static const char event[] =
        "{" WHO ",\"list\":[1],\"none\":[],\"obj\":{},\"deep\":[[{\"x\":1}]],\"n\":5}";

    (void)state;
#define REASON(path, reason) "not_rendered: rule \"r\": " path ": " reason
    bench_expect_rule(RULE(IDENTIFY(.first_name = T("${list}"))), event,
                      REASON("identify.firstName", "is an array or an object where text must be"));
    bench_expect_rule(RULE(IDENTIFY(.company = T("${none}"))), event,
                      REASON("identify.company", "is an array or an object where text must be"));
    bench_expect_rule(RULE(IDENTIFY(.last_name = T("x ${obj}"))), event,
                      REASON("identify.lastName", "an array or object stands where text must be"));
    bench_expect_rule(RULE(IDENTIFY(.custom_fields = PAIRS({T("Signup source"), T("${obj}")}))),
                      event,
                      REASON("identify.customFields.Signup source",
                             "is an array or an object where text must be"));
    bench_expect_rule(RULE(TRACK(.add_tags = TEXTS(T("a"), T("${deep}")))), event,
                      REASON("track.addTags[1]", "is an object where a tag must be"));
    bench_expect_rule(
        RULE(TRACK(.remove_tags = TEXTS(T("tag ${list}")))), event,
        REASON("track.removeTags[0]", "an array or object stands where text must be"));
    bench_expect_rule(
        RULE(IDENTIFY(.birthday = T("${n}"))), event,
        REASON("identify.birthday", "is no calendar day YYYY-MM-DD; see the filter date"));
    bench_expect_rule(
        RULE(IDENTIFY(.birthday = T("2023-02-29"))), event,
        REASON("identify.birthday", "is no calendar day YYYY-MM-DD; see the filter date"));
}

static void
an_email_has_one_at_and_no_white_space(void **state)
{
    static const struct {
        const char *email, *reason;
    } cases[] = {
        {"a", "is no e-mail address: it needs exactly one @"},
        {"a@b@c", "is no e-mail address: it needs exactly one @"},
        {"@b", "is no e-mail address: it needs something on both sides of the @"},
        {"a@", "is no e-mail address: it needs something on both sides of the @"},
        {"a b@c", "is no e-mail address: it holds white space"},
        {"a@b\xc2\xa0", "is no e-mail address: it holds white space"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char event[64], expected[256];

        snprintf(event, sizeof(event), "{\"email\":\"a@b\",\"x\":\"%s\"}", cases[i].email);
        snprintf(expected, sizeof(expected), "not_rendered: rule \"r\": identify.newEmail: %s",
                 cases[i].reason);
        bench_expect_rule(RULE(IDENTIFY(.new_email = T("${x}"))), event, expected);
        snprintf(expected, sizeof(expected), "not_rendered: rule \"r\": track.email: %s",
                 cases[i].reason);
        bench_expect_rule(RULE(TRACK(.email = T("${x}"))), event, expected);
    }
    bench_expect_rule(
        RULE(IDENTIFY(.email = T("${list}"))), "{\"list\":[\"a@b\"]}",
        "not_rendered: rule \"r\": identify.email: is an array or an object where text "
        "must be");
    bench_expect_rule(RULE(IDENTIFY(.new_email = T("${x}"))), "{" WHO ",\"x\":\"B@example.com\"}",
                      "identify {" WHO ",\"newEmail\":\"B@example.com\"}");
}

static void
the_email_is_that_of_the_call_else_the_rule_else_the_file(void **state)
{
    static const char event[] = "{" WHO ",\"b\":\"b@example.com\",\"c\":\"c@example.com\"}";

    (void)state;
    bench_expect_rule(RULE(IDENTIFY(.first_name = T("x"))), event,
                      "identify {" WHO ",\"firstName\":\"x\"}");
    bench_expect_rule(RULE(.email = T("${b}"), IDENTIFY(.first_name = T("x"))), event,
                      "identify {\"email\":\"b@example.com\",\"firstName\":\"x\"}");
    bench_expect_rule(
        RULE(.email = T("${b}"), IDENTIFY(.email = T("${c}")), TRACK(.add_tags = TEXTS(T("x")))),
        event,
        "identify {\"email\":\"c@example.com\"} track "
        "{\"email\":\"b@example.com\",\"addTags\":[\"x\"]}");
}

static void
without_an_email_a_rule_skips_or_fails(void **state)
{
    static const char missing[] =
        "is null or empty, and there is nobody to send to; see without_email";
    struct spec_rule two[] = {{.name = T("skips"),
                               .topics = TOPIC,
                               .without_email = WITHOUT_EMAIL_SKIP,
                               IDENTIFY(.first_name = T("x"))},
                              {.name = T("goes on"),
                               .topics = TOPIC,
                               .email = T("b@example.com"),
                               IDENTIFY(.first_name = T("y"))}};
    struct spec_ruleset spec = {.email = T("${email}"), .rules = two, .rule_count = 2};
    char reason[256];

    (void)state;
    snprintf(reason, sizeof(reason), "not_rendered: rule \"r\": email: %s", missing);
    bench_expect_rule(RULE(IDENTIFY(.first_name = T("x"))), "{}", reason);
    bench_expect_rule(RULE(IDENTIFY(.first_name = T("x"))), "{\"email\":\"\"}", reason);
    bench_expect_rule(RULE(.email = T("${b}"), IDENTIFY(.first_name = T("x"))), "{}", reason);
    snprintf(reason, sizeof(reason), "not_rendered: rule \"r\": track.email: %s", missing);
    bench_expect_rule(RULE(IDENTIFY(.email = T("b@example.com")), TRACK(.email = T("${b}"))), "{}",
                      reason);
    bench_expect_rule(RULE(.without_email = WITHOUT_EMAIL_SKIP, IDENTIFY(.first_name = T("x"))),
                      "{\"email\":\"\"}", "no_call");
    /* One missing e-mail, and the rule sends nothing at all, whatever else is wrong. */
    bench_expect_rule(RULE(.without_email = WITHOUT_EMAIL_SKIP, .email = T("b@example.com"),
                           IDENTIFY(.first_name = T("${@root}")), TRACK(.email = T("${b}"))),
                      "{}", "no_call");
    bench_expect(&spec, "{}", "identify {\"email\":\"b@example.com\",\"firstName\":\"y\"}");
    spec.without_email = WITHOUT_EMAIL_SKIP;
    two[0].without_email = WITHOUT_EMAIL_INHERIT;
    bench_expect(&spec, "{}", "identify {\"email\":\"b@example.com\",\"firstName\":\"y\"}");
    two[0].without_email = WITHOUT_EMAIL_DEAD_LETTER;
    snprintf(reason, sizeof(reason), "not_rendered: rule \"skips\": email: %s", missing);
    bench_expect(&spec, "{}", reason);
}

static void
every_matching_rule_applies_until_one_stops(void **state)
{
    struct spec_rule rules[] = {
        {.name = T("a"), .topics = TOPIC, TRACK(.add_tags = TEXTS(T("a")))},
        {.name = T("b"),
         .topics = TOPIC,
         .when = T("stop"),
         .stop = true,
         IDENTIFY(.first_name = T("b")),
         TRACK(.add_tags = TEXTS(T("b")))},
        {.name = T("off"), .topics = TOPIC, .disabled = true, TRACK(.add_tags = TEXTS(T("off")))},
        {.name = T("c"), .topics = TEXTS(T("^t$"), T("t")), TRACK(.add_tags = TEXTS(T("c")))},
        {.name = T("drop"), .topics = TEXTS(T("dropped")), .stop = true},
    };
    struct spec_ruleset spec = {.email = T("${email}"), .rules = rules, .rule_count = 5};
    struct bench bench;

    (void)state;
    bench_expect(&spec, "{" WHO "}",
                 "track {" WHO ",\"addTags\":[\"a\"]} track {" WHO ",\"addTags\":[\"c\"]}");
    bench_expect(&spec, "{" WHO ",\"stop\":1}",
                 "track {" WHO ",\"addTags\":[\"a\"]} identify {" WHO ",\"firstName\":\"b\"} track "
                 "{" WHO ",\"addTags\":[\"b\"]}");
    bench_open(&bench, &spec);
    assert_string_equal(bench_map(&bench, "dropped", "{}"), "no_call");
    assert_string_equal(bench_map(&bench, "xt", "{}"), "no_match");
    assert_int_equal(ruleset_topic_count(bench.rules), 3);
    assert_string_equal(ruleset_topic(bench.rules, 1), "^t$");
    assert_int_equal(ruleset_rule_count(bench.rules), 5);
    assert_string_equal(ruleset_rule_name(bench.rules, 4), "drop");
    bench_close(&bench);
}

static void
all_or_nothing_with_the_first_reason_in_written_order(void **state)
{
    struct spec_rule rules[] = {
        {.name = T("good"), .topics = TOPIC, TRACK(.add_tags = TEXTS(T("a")))},
        {.name = T("bad"),
         .topics = TOPIC,
         IDENTIFY(.first_name = TL("${@root}", 9), .company = TL("${@root}", 7)),
         TRACK(.add_tags = TEXTS(TL("${x}", 6)))},
        {.name = T("worse"), .topics = TOPIC, TRACK(.add_tags = TEXTS(T("${@root}")))}};
    struct spec_ruleset spec = {.email = T("${email}"), .rules = rules, .rule_count = 3};

    (void)state;
    bench_expect(
        &spec, "{" WHO "}",
        "not_rendered: rule \"bad\": identify.company: is an array or an object where text "
        "must be");
    bench_expect(&spec, "{" WHO ",\"x\":{}}",
                 "not_rendered: rule \"bad\": track.addTags[0]: is an object where a tag must be");
}

static void
a_root_is_what_paths_begin_at(void **state)
{
    struct spec_rule rule = {.root = T("payload.after"),
                             .email = T("${email}"),
                             IDENTIFY(.first_name = T("${name}"), .last_name = T("${@root.name}"),
                                      .company = T("${@payload.source}"))};

    (void)state;
    bench_expect_rule(rule,
                      "{\"source\":\"crm\",\"payload\":{\"after\":{" WHO ",\"name\":\"Ada\"}}}",
                      "identify {" WHO ",\"firstName\":\"Ada\",\"lastName\":\"Ada\","
                      "\"company\":\"crm\"}");
    bench_expect_rule(rule, "{\"payload\":{\"after\":null}}", "no_match");
    bench_expect_rule(rule, "{}", "no_match");
    bench_expect_rule(RULE(.root = T("a"), .when = T("@root"), .stop = true), "{\"a\":0}",
                      "no_match");
    bench_expect_rule(RULE(.root = T("a"), .when = T("@root == 0"), .stop = true), "{\"a\":0}",
                      "no_call");
}

static void
for_each_runs_once_per_element(void **state)
{
    struct spec_rule rule = {.for_each = T("orders"),
                             .when = T("item.sum > 10"),
                             .email = T("${item.email ?? email}"),
                             TRACK(.add_tags = TEXTS(T("order ${@index}: ${item.sum}")))};
    struct spec_rule rules[] = {
        {.name = T("each"),
         .topics = TOPIC,
         .for_each = T("list"),
         .when = T("item"),
         .stop = true,
         TRACK(.add_tags = TEXTS(T("${item}")))},
        {.name = T("later"), .topics = TOPIC, TRACK(.add_tags = TEXTS(T("later"), T("${item}")))}};
    struct spec_ruleset spec = {.email = T("${email}"), .rules = rules, .rule_count = 2};

    (void)state;
    bench_expect_rule(rule,
                      "{" WHO ",\"orders\":[{\"sum\":11},{\"sum\":5},"
                      "{\"sum\":12,\"email\":\"b@example.com\"}]}",
                      "track {" WHO ",\"addTags\":[\"order 0: 11\"]} track "
                      "{\"email\":\"b@example.com\",\"addTags\":[\"order 2: 12\"]}");
    bench_expect_rule(rule, "{" WHO ",\"orders\":[{\"sum\":1}]}", "no_match");
    bench_expect_rule(rule, "{" WHO ",\"orders\":[]}", "no_match");
    bench_expect_rule(rule, "{" WHO ",\"orders\":null}", "no_match");
    bench_expect_rule(rule, "{" WHO "}", "no_match");
    bench_expect_rule(rule, "{" WHO ",\"orders\":{}}",
                      "not_rendered: rule \"r\": for_each: is not an array");
    /* stop acts after the last element; item is a field elsewhere. */
    bench_expect(&spec, "{" WHO ",\"item\":\"field\",\"list\":[\"a\",0,\"b\"]}",
                 "track {" WHO ",\"addTags\":[\"a\"]} track {" WHO ",\"addTags\":[\"b\"]}");
    bench_expect(&spec, "{" WHO ",\"item\":\"field\",\"list\":[0]}",
                 "track {" WHO ",\"addTags\":[\"later\",\"field\"]}");
}

static void
with_for_each_an_element_without_an_email_is_skipped_alone(void **state)
{
    struct spec_rule rule = {.for_each = T("list"),
                             .email = T("${item}"),
                             .without_email = WITHOUT_EMAIL_SKIP,
                             TRACK(.add_tags = TEXTS(T("x")))};

    (void)state;
    bench_expect_rule(rule, "{\"list\":[null,\"a@example.com\",\"\"]}",
                      "track {" WHO ",\"addTags\":[\"x\"]}");
    bench_expect_rule(rule, "{\"list\":[null]}", "no_call");
    bench_expect_rule(
        rule, "{\"list\":[\"a@example.com\",\"nobody\"]}",
        "not_rendered: rule \"r\": email: is no e-mail address: it needs exactly one @");
}

static void
increments_need_a_word_in_the_rule(void **state)
{
    struct spec_rule rule = {
        IDENTIFY(.first_name = T("++x"), .custom_fields = PAIRS({T("Points"), T("${p}")}))};

    (void)state;
    bench_expect_rule(
        rule, "{" WHO ",\"p\":\"++5\"}",
        "not_rendered: rule \"r\": identify.customFields.Points: begins with ++ or --, "
        "which would change a number each time it is sent; see allow_increment");
    bench_expect_rule(rule, "{" WHO ",\"p\":\"+5\"}",
                      "identify {" WHO
                      ",\"firstName\":\"++x\",\"customFields\":{\"Points\":\"+5\"}}");
    rule.allow_increment = true;
    bench_expect_rule(rule, "{" WHO ",\"p\":\"--5\"}",
                      "identify {" WHO
                      ",\"firstName\":\"++x\",\"customFields\":{\"Points\":\"--5\"}}");
    rule = RULE(IDENTIFY(.custom_fields = PAIRS({T("Points"), T("++${p}")})));
    bench_refuse_rule(rule, "rule \"r\": identify.customFields.Points: begins with ++ or --");
    rule.allow_increment = true;
    bench_expect_rule(rule, "{" WHO ",\"p\":5}",
                      "identify {" WHO ",\"customFields\":{\"Points\":\"++5\"}}");
    bench_refuse_rule(RULE(IDENTIFY(.custom_fields = PAIRS({T("A"), T("${'--1'}")}))),
                      "begins with ++ or --");
}

static void
a_nul_does_not_get_into_a_call(void **state)
{
    struct spec_rule rule = {.name = T("r"),
                             .topics = TOPIC,
                             .email = T("a@example.com"),
                             IDENTIFY(.first_name = T("${@key}")),
                             TRACK(.add_tags = TEXTS(T("${@headers.x}")))};
    struct spec_ruleset spec = {.rules = &rule, .rule_count = 1};
    struct event_header header = {"x", "a\0b", 3};
    struct event event = {.topic = "t",
                          .payload = "{}",
                          .payload_len = 2,
                          .key = "a\0b",
                          .key_len = 3,
                          .headers = &header,
                          .header_count = 1};
    struct bench bench;

    (void)state;
    bench_open(&bench, &spec);
    assert_string_equal(bench_map_event(&bench, &event),
                        "not_rendered: rule \"r\": identify.firstName: holds a NUL character");
    event.key_len = 1;
    assert_string_equal(bench_map_event(&bench, &event),
                        "not_rendered: rule \"r\": track.addTags[0]: holds a NUL character");
    header.value_len = 1;
    assert_string_equal(bench_map_event(&bench, &event),
                        "identify {" WHO ",\"firstName\":\"a\"} track {" WHO
                        ",\"addTags\":[\"a\"]}");
    bench_close(&bench);
}

static void
add_times(struct buf *buf, const char *text, int times)
{
    for (int i = 0; i < times; i++)
        buf_add_text(buf, text);
}

static void
the_calls_of_an_event_are_limited(void **state)
{
    struct spec_rule rule = {.for_each = T("list"), TRACK(.add_tags = TEXTS(T("x")))};
    struct spec_rule big = {.for_each = T("list"), TRACK(.add_tags = TEXTS(T("${@root.s}")))};
    struct buf event;

    (void)state;
    buf_init(&event, 1 << 20);
    buf_add_text(&event, "{" WHO ",\"list\":[0");
    add_times(&event, ",0", 1000);
    buf_add_text(&event, "]}");
    bench_expect_rule(
        rule, buf_text(&event),
        "not_rendered: rule \"r\": track: the event would become more than 1000 calls");
    buf_reset(&event);
    buf_add_text(&event, "{" WHO ",\"list\":[0");
    add_times(&event, ",0", 99);
    buf_add_text(&event, "],\"s\":\"");
    add_times(&event, "a", 100000);
    buf_add_text(&event, "\"}");
    bench_expect_rule(
        big, buf_text(&event),
        "not_rendered: rule \"r\": track: the calls of the event would hold more than 8 MiB");
    buf_fini(&event);
}

static void
a_text_that_grows_too_far_is_a_failure_in_when_too(void **state)
{
    struct buf event;

    (void)state;
    buf_init(&event, 1 << 20);
    buf_add_text(&event, "{" WHO ",\"s\":\"");
    add_times(&event, "a", 40000);
    buf_add_text(&event, "\"}");
    bench_expect_rule(RULE(.when = T("s + s"), .stop = true), buf_text(&event),
                      "not_rendered: rule \"r\": when: a text would grow over 64 KiB");
    bench_expect_rule(
        RULE(IDENTIFY(.first_name = T("${s}${s}"))), buf_text(&event),
        "not_rendered: rule \"r\": identify.firstName: a text would grow over 64 KiB");
    buf_fini(&event);
}

static void
a_loop_within_a_loop_is_bounded(void **state)
{
    struct buf event;

    (void)state;
    buf_init(&event, 1 << 20);
    buf_add_text(&event, "{" WHO ",\"list\":[0");
    add_times(&event, ",0", 60000);
    buf_add_text(&event, "]}");
    bench_expect_rule(RULE(.for_each = T("list"), .when = T("1 in @root.list"), .stop = true),
                      buf_text(&event),
                      "not_rendered: rule \"r\": when: looks at more elements than one event may "
                      "make it");
    buf_fini(&event);
}

/* {"items":[1, … 50000 times],"a":"x…x@example.com"}, 600 kB. */
static void
write_long_loop(struct buf *event)
{
    buf_init(event, 1 << 20);
    buf_add_text(event, "{\"items\":[1");
    add_times(event, ",1", 49999);
    buf_add_text(event, "],\"a\":\"");
    add_times(event, "x", 450000);
    buf_add_text(event, "@example.com\"}");
}

static void
a_loop_over_a_long_text_is_bounded(void **state)
{
    static const char *const conditions[] = {
        "@root.a != @root.a",
        "@root.a < @root.a",
        "not (@root.a starts_with @root.a)",
        "not (@root.a ends_with @root.a)",
        "@root.a contains 'y'",
        "@root.a matches 'y'",
        "(@root.a | trim) == ''",
        "(@root.a | title) == ''",
        "(@root.a | slug) == ''",
        "(@root.a | substr(0 - 1, 1)) == ''",
        "(@root.a | length) == 0",
        "(@root.a | number) == 0",
        "(@root.a | replace('y', 'z')) == ''",
        "(@root.a | split('y') | length) == 0",
        "(@root.a | table('plans', 'none')) == ''",
        "([@root.a, @root.a] | unique | length) == 0",
        "([@root.a, @root.a] | sort | length) == 0",
        "(@root.items | table('plans', @root.a) | unique | length) == 0",
        "(@root.items | table('plans', @root.a) | sort | length) == 0",
    };
    struct spec_pair entry = {T("a"), T("b")};
    struct spec_table table = {T("plans"), {true, AT(1), &entry, 1}};
    struct spec_rule rule = {.name = T("r"), .topics = TOPIC, .for_each = T("items"), TRACK()};
    struct spec_ruleset spec = {.email = T("${@root.a}"),
                                .tables = &table,
                                .table_count = 1,
                                .rules = &rule,
                                .rule_count = 1};
    struct buf event;

    (void)state;
    write_long_loop(&event);
    bench_expect(&spec, buf_text(&event),
                 "not_rendered: rule \"r\": email: looks at more elements than one event may make "
                 "it");
    for (size_t i = 0; i < ARRAY_LEN(conditions); i++) {
        clock_t start = clock();
        struct bench bench;
        const char *found;

        rule.when.text = conditions[i];
        bench_open(&bench, &spec);
        found = bench_map(&bench, "t", buf_text(&event));
        /* Of elements, or of values where each look makes a new text. */
        if (!strstr(found, "not_rendered: rule \"r\": when: ") ||
            !strstr(found, "than one event may"))
            fail_msg("%s gives %.200s", conditions[i], found);
        /* Many times what it takes; without a bound some take a minute. */
        if (clock() - start > 5 * CLOCKS_PER_SEC)
            fail_msg("%s takes too long", conditions[i]);
        bench_close(&bench);
    }
    buf_fini(&event);
}

static void
many_long_tags_are_bounded(void **state)
{
    struct spec_pair entry = {T("a"), T("b")};
    struct spec_table table = {T("plans"), {true, AT(1), &entry, 1}};
    struct spec_rule rule = {.name = T("r"),
                             .topics = TOPIC,
                             TRACK(.add_tags = TEXTS(T("${items | table('plans', @root.a)}")))};
    struct spec_ruleset spec = {.email = T("a@example.com"),
                                .tables = &table,
                                .table_count = 1,
                                .rules = &rule,
                                .rule_count = 1};
    struct buf event;

    (void)state;
    write_long_loop(&event);
    bench_expect(
        &spec, buf_text(&event),
        "not_rendered: rule \"r\": track.addTags[0]: looks at more elements than one event "
        "may make it");
    buf_fini(&event);
}

static void
matches_given_up_are_counted(void **state)
{
    struct spec_rule rule = {
        .name = T("r"), .topics = TOPIC, .when = T("s matches '^(a+)+$'"), .stop = true};
    struct spec_ruleset spec = {.email = T("${email}"), .rules = &rule, .rule_count = 1};
    struct bench bench;

    (void)state;
    bench_open(&bench, &spec);
    bench_map(&bench, "t", "{\"s\":\"aaa\"}");
    assert_int_equal(ruleset_regex_limited(bench.rules), 0);
    bench_map(&bench, "t", "{\"s\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab\"}");
    assert_int_equal(ruleset_regex_limited(bench.rules), 1);
    bench_close(&bench);
}

static void
reasons_hold_no_value_of_the_event_and_fit(void **state)
{
    static char name[1200];
    struct spec_rule rule = {.name = T(name), IDENTIFY(.birthday = T("${x}"))};
    struct spec_ruleset spec = {.email = T("a@example.com"), .rules = &rule, .rule_count = 1};
    struct bench bench;

    (void)state;
    for (size_t i = 0; i + 3 < sizeof(name); i += 2)
        memcpy(name + i, "\xc3\xa4", 2);
    rule.topics = (struct spec_list)TOPIC;
    bench_open(&bench, &spec);
    bench_map(&bench, "t", "{\"x\":\"secret\"}");
    assert_null(strstr(bench.mapping.reason, "secret"));
    assert_true(strlen(bench.mapping.reason) < RULESET_REASON_MAX);
    assert_true(strlen(bench.mapping.reason) > RULESET_REASON_MAX - 4);
    assert_int_equal((strlen(bench.mapping.reason) - 6) % 2, 0);
    bench_close(&bench);
}

static void
many_rules_load_and_an_event_meets_those_of_its_topic(void **state)
{
    enum { RULES = 500, TOPICS = 50 };
    static struct spec_rule rules[RULES];
    static struct spec_text topics[RULES], tags[RULES];
    static char names[RULES][16], texts[RULES][16];
    struct spec_ruleset spec = {.email = T("${email}"), .rules = rules, .rule_count = RULES};
    struct bench bench;
    char expected[1024] = "";

    (void)state;
    for (size_t i = 0; i < RULES; i++) {
        snprintf(names[i], sizeof(names[i]), "rule %zu", i);
        snprintf(texts[i], sizeof(texts[i]), "topic%zu", i % TOPICS);
        topics[i].text = texts[i];
        tags[i].text = names[i];
        rules[i] = RULE(.name = {names[i], {0}}, .topics = {true, {0}, &topics[i], 1},
                        TRACK(.add_tags = {true, {0}, &tags[i], 1}));
    }
    bench_open(&bench, &spec);
    for (int n = 0; n < 10; n++)
        snprintf(expected + strlen(expected), sizeof(expected) - strlen(expected),
                 "%strack {" WHO ",\"addTags\":[\"rule %d\"]}", n ? " " : "", 7 + TOPICS * n);
    for (int n = 0; n < 2; n++)
        assert_string_equal(bench_map(&bench, "topic7", "{" WHO "}"), expected);
    bench_close(&bench);
}

static void
an_event_past_the_age_of_a_rule_does_not_match_it_and_is_counted(void **state)
{
    const int64_t hour_ms = 60 * 60 * 1000;
    static const char payload[] = "{" WHO "}";
    static const char both[] = "track {" WHO ",\"addTags\":[\"fresh\"]} "
                               "track {" WHO ",\"addTags\":[\"any\"]}";
    static const char one[] = "track {" WHO ",\"addTags\":[\"any\"]}";
    const struct {
        int64_t timestamp_ms;
        const char *calls;
        uint64_t too_old;
    } table[] = {
        {WALL_MS, both, 0},
        {WALL_MS - hour_ms, both, 0},
        {WALL_MS - hour_ms - 1, one, 1},
        {WALL_MS + 1000 * hour_ms, both, 0},
        {EVENT_NO_TIME, both, 0},
        {0, one, 1},
        {-2, one, 1},
        {INT64_MIN, one, 1},
        {INT64_MAX, both, 0},
    };
    struct spec_rule rules[] = {
        {.name = T("a"),
         .topics = TOPIC,
         .max_age_ms = hour_ms,
         TRACK(.add_tags = TEXTS(T("fresh")))},
        {.name = T("b"), .topics = TOPIC, TRACK(.add_tags = TEXTS(T("any")))},
        {.name = T("c"), .topics = TEXTS(T("u")), .max_age_ms = INT64_MAX, .stop = true},
    };
    struct spec_ruleset spec = {.email = T("${email}"), .rules = rules, .rule_count = 3};
    struct bench bench;

    (void)state;
    bench_open(&bench, &spec);
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct event event = {.topic = "t",
                              .timestamp_ms = table[i].timestamp_ms,
                              .payload = payload,
                              .payload_len = strlen(payload)};

        assert_string_equal(bench_map_event(&bench, &event), table[i].calls);
        assert_int_equal(bench.mapping.too_old, table[i].too_old);
    }
    /* The longest age there is; and the count begins anew with each event. */
    assert_string_equal(bench_map(&bench, "u", payload), "no_call");
    assert_int_equal(bench.mapping.too_old, 0);
    bench_close(&bench);
}

static void
a_rule_that_is_too_late_neither_stops_nor_fails_nor_matches(void **state)
{
    static const char payload[] = "{" WHO ",\"list\":5}";
    struct spec_rule rules[] = {
        {.name = T("a"), .topics = TOPIC, .max_age_ms = 1, .stop = true},
        {.name = T("b"),
         .topics = TOPIC,
         .max_age_ms = 1,
         .for_each = T("list"),
         TRACK(.add_tags = TEXTS(T("x")))},
    };
    struct spec_ruleset spec = {.email = T("${email}"), .rules = rules, .rule_count = 2};
    struct event event = {.topic = "t",
                          .timestamp_ms = WALL_MS - 2,
                          .payload = payload,
                          .payload_len = strlen(payload)};
    struct bench bench;

    (void)state;
    bench_open(&bench, &spec);
    assert_string_equal(bench_map_event(&bench, &event), "no_match");
    assert_int_equal(bench.mapping.too_old, 2);
    event.timestamp_ms = WALL_MS;
    assert_string_equal(bench_map_event(&bench, &event), "no_call");
    assert_int_equal(bench.mapping.too_old, 0);
    bench_close(&bench);
}

static void
topics_without_end_do_not_fill_the_memory(void **state)
{
    struct spec_rule rule = {.name = T("r"), .topics = TEXTS(T("^user\\.")), .stop = true};
    struct spec_ruleset spec = {.rules = &rule, .rule_count = 1};
    struct bench bench;
    char topic[32];

    (void)state;
    bench_open(&bench, &spec);
    for (int i = 0; i < 10000; i++) {
        snprintf(topic, sizeof(topic), "%s.%d", i % 2 ? "user" : "order", i);
        assert_string_equal(bench_map(&bench, topic, "{}"), i % 2 ? "no_call" : "no_match");
    }
    bench_close(&bench);
}

/* How often rules were tried, and how many of them. */
static uint64_t
count_tries(const struct ruleset *rules, size_t *ret_rules)
{
    uint64_t tries = 0;

    *ret_rules = 0;
    for (size_t i = 0; i < ruleset_rule_count(rules); i++) {
        const struct sentinel *sentinel = ruleset_rule_sentinel(rules, i);
        uint64_t own =
            sentinel->matched + sentinel->not_matched + sentinel->failed + sentinel->too_old;

        tries += own;
        *ret_rules += own > 0;
    }
    return tries;
}

static void
an_event_meets_only_the_rules_of_its_topic_however_many_others_there_are(void **state)
{
    enum { MANY = 500, MANY_TOPICS = 50, EVENTS = 7 };
    static char names[MANY][16], topic_names[MANY_TOPICS][16];
    static struct spec_text topics[MANY];
    static struct spec_rule many[MANY];
    struct spec_ruleset spec = {.email = T("${email}"), .rules = many, .rule_count = MANY};
    struct bench bench;
    size_t tried;

    (void)state;
    for (size_t i = 0; i < MANY; i++) {
        snprintf(names[i], sizeof(names[i]), "rule %zu", i);
        snprintf(topic_names[i % MANY_TOPICS], sizeof(topic_names[0]), "topic.%zu",
                 i % MANY_TOPICS);
        topics[i] = (struct spec_text){topic_names[i % MANY_TOPICS], AT(1), 1};
        many[i] = RULE(.name = {names[i], AT(1), 1}, .topics = {true, AT(1), &topics[i], 1},
                       .when = T("a == 1"), IDENTIFY(.first_name = T("x")));
    }
    bench_open(&bench, &spec);
    for (int i = 0; i < EVENTS; i++)
        bench_map(&bench, "topic.7", i % 2 ? "{\"a\":1," WHO "}" : "{}");
    assert_int_equal(count_tries(bench.rules, &tried), EVENTS * MANY / MANY_TOPICS);
    assert_int_equal(tried, MANY / MANY_TOPICS);
    bench_map(&bench, "topic.none", "{}");
    assert_int_equal(count_tries(bench.rules, &tried), EVENTS * MANY / MANY_TOPICS);
    bench_close(&bench);
}

static void
the_hash_of_the_rules_is_that_of_their_texts(void **state)
{
    struct spec_rule two[] = {{.name = T("r"), .topics = TOPIC, IDENTIFY(.first_name = T("x"))},
                              {.name = T("s"), .topics = TOPIC, IDENTIFY(.first_name = T("x"))}};
    struct spec_pair entries[] = {{.name = T("a"), .value = T("b")}};
    struct spec_table one[] = {{.name = T("t"), .entries = {true, AT(1), entries, 1}}};
    struct spec_ruleset spec = {
        .email = T("${email}"), .tables = one, .table_count = 1, .rules = two, .rule_count = 2};
    uint64_t hash = spec_hash(&spec);

    (void)state;
    two[0].at = (struct place){"other.conf", 99};
    two[0].identify.first_name = (struct spec_text)TL("x", 77);
    assert_true(spec_hash(&spec) == hash);
    two[0].identify.first_name.text = "";
    assert_true(spec_hash(&spec) != hash);
    two[0].identify.first_name.text = NULL;
    two[0].identify.last_name = (struct spec_text)T("x");
    assert_true(spec_hash(&spec) != hash);
    two[0].identify.first_name.text = "x";
    two[0].identify.last_name.text = NULL;
    assert_true(spec_hash(&spec) == hash);
    entries[0].value.text = "c";
    assert_true(spec_hash(&spec) != hash);
    entries[0].value.text = "b";
    spec.without_email = WITHOUT_EMAIL_DEAD_LETTER; /* the default */
    assert_true(spec_hash(&spec) == hash);
    spec.without_email = WITHOUT_EMAIL_SKIP;
    assert_true(spec_hash(&spec) != hash);
    spec.without_email = WITHOUT_EMAIL_INHERIT;
    two[1].stop = true;
    assert_true(spec_hash(&spec) != hash);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_example_of_the_reference),
        cmocka_unit_test(payloads_that_are_not_json_are_told_apart),
        cmocka_unit_test(nesting_is_json_up_to_2048_levels),
        cmocka_unit_test(integers_past_64_bits_are_doubles_and_others_keep_their_digits),
        cmocka_unit_test(of_equal_keys_the_last_counts),
        cmocka_unit_test(null_and_empty_settings_are_left_out),
        cmocka_unit_test(an_identify_with_only_the_email_is_sent_a_track_without_tags_is_not),
        cmocka_unit_test(tag_lists_are_flattened_and_lose_repeats),
        cmocka_unit_test(a_tag_on_both_sides_is_only_added),
        cmocka_unit_test(what_cannot_be_text_is_not_rendered),
        cmocka_unit_test(an_email_has_one_at_and_no_white_space),
        cmocka_unit_test(the_email_is_that_of_the_call_else_the_rule_else_the_file),
        cmocka_unit_test(without_an_email_a_rule_skips_or_fails),
        cmocka_unit_test(every_matching_rule_applies_until_one_stops),
        cmocka_unit_test(all_or_nothing_with_the_first_reason_in_written_order),
        cmocka_unit_test(a_root_is_what_paths_begin_at),
        cmocka_unit_test(for_each_runs_once_per_element),
        cmocka_unit_test(with_for_each_an_element_without_an_email_is_skipped_alone),
        cmocka_unit_test(increments_need_a_word_in_the_rule),
        cmocka_unit_test(a_nul_does_not_get_into_a_call),
        cmocka_unit_test(the_calls_of_an_event_are_limited),
        cmocka_unit_test(a_text_that_grows_too_far_is_a_failure_in_when_too),
        cmocka_unit_test(a_loop_within_a_loop_is_bounded),
        cmocka_unit_test(a_loop_over_a_long_text_is_bounded),
        cmocka_unit_test(many_long_tags_are_bounded),
        cmocka_unit_test(matches_given_up_are_counted),
        cmocka_unit_test(reasons_hold_no_value_of_the_event_and_fit),
        cmocka_unit_test(an_event_past_the_age_of_a_rule_does_not_match_it_and_is_counted),
        cmocka_unit_test(a_rule_that_is_too_late_neither_stops_nor_fails_nor_matches),
        cmocka_unit_test(many_rules_load_and_an_event_meets_those_of_its_topic),
        cmocka_unit_test(topics_without_end_do_not_fill_the_memory),
        cmocka_unit_test(an_event_meets_only_the_rules_of_its_topic_however_many_others_there_are),
        cmocka_unit_test(the_hash_of_the_rules_is_that_of_their_texts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
