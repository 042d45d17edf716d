/* Explaining: what a trace notes of a rule, and that it changes nothing. */

#include "json_unit.h"
#include "rules/trace.h"
#include "ruleset_unit.h"

static struct spec_pair plan_entries[] = {{T("pro"), T("paid user")},
                                          {T("trial"), T("trial user")}};
static struct spec_table tables[] = {
    {T("plan_tag"), {true, AT(1), plan_entries, ARRAY_LEN(plan_entries)}}};

static void
write_reads(struct buf *out, const struct trace_read *read)
{
    for (; read; read = read->next)
        buf_printf(out, " {%.*s=%s}", (int)read->text_len, read->text, read->value.text);
}

static void
write_element(struct buf *out, const struct trace_element *element)
{
    static const char *const outcomes[] = {"", "null", "empty", "wrong"};

    if (element->is_item)
        buf_printf(out, " [%d: %s]", (int)element->index, element->item.text);
    buf_printf(out, " %s", rule_result_name(element->result));
    for (const struct trace_part *part = element->parts; part; part = part->next) {
        buf_printf(out, "; %.*s is %s", (int)part->text_len, part->text, part->value.text);
        write_reads(out, part->reads);
    }
    for (const struct trace_setting *set = element->settings; set; set = set->next) {
        buf_printf(out, "; %s: %s", set->setting->path, outcomes[set->outcome]);
        if (set->outcome == TRACE_SET)
            buf_add_text(out, set->value.text);
        if (set->reason)
            buf_printf(out, " (%s)", set->reason);
        write_reads(out, set->reads);
    }
    for (const struct trace_drop *drop = element->dropped; drop; drop = drop->next)
        buf_printf(out, "; dropped %s%s", drop->removed ? "removed " : "", drop->tag.text);
    if (element->track_empty)
        buf_add_text(out, "; empty track");
}

/* What the trace of PAYLOAD on topic "t" says of all rules but those of other topics. */
static const char *
trace_text(struct bench *bench, const char *payload)
{
    struct event event = {.topic = "t",
                          .timestamp_ms = WALL_MS - 10000,
                          .payload = payload,
                          .payload_len = payload ? strlen(payload) : 0};
    struct trace *trace;

    if (!bench->rules)
        fail_msg("%s", bench_findings(bench));
    trace = trace_new(bench->rules);
    ruleset_map_traced(bench->rules, &event, WALL_MS, trace, &bench->mapping);
    buf_reset(&bench->out);
    for (size_t i = 0; i < ruleset_rule_count(bench->rules); i++) {
        const struct trace_rule *rule = trace_rule(trace, i);
        const struct trace_element *element = rule->elements;

        buf_printf(&bench->out, "%s%s", i ? " | " : "", rule_result_name(rule->result));
        for (; element; element = element->next)
            write_element(&bench->out, element);
    }
    trace_free(trace);
    return buf_text(&bench->out);
}

static void
expect_trace(const struct spec_rule *rules, size_t count, const char *payload, const char *expected)
{
    struct spec_rule copies[8];
    struct spec_ruleset spec = {
        .email = T("${email}"), .rules = copies, .tables = tables, .table_count = 1};
    static const char *const names[] = {"r0", "r1", "r2", "r3", "r4", "r5", "r6", "r7"};
    struct spec_list topics = TOPIC;
    struct bench bench;
    const char *found;

    for (size_t i = 0; i < count; i++) {
        copies[i] = rules[i];
        copies[i].name = (struct spec_text){.text = names[i], .at = AT(1)};
        if (!copies[i].topics.present)
            copies[i].topics = topics;
    }
    spec.rule_count = count;
    bench_open(&bench, &spec);
    found = trace_text(&bench, payload);
    if (strcmp(found, expected))
        fail_msg("%s\n  gives    %s\n  expected %s", payload, found, expected);
    bench_close(&bench);
}

/* The parts that made `when` false. */
static void
expect_why(const char *when, const char *payload, const char *expected)
{
    struct spec_rule rule = {.when = {.text = when, .at = AT(1)}, .stop = true};
    struct buf text;

    buf_init(&text, 4096);
    buf_printf(&text, "not_matched not_matched%s", expected);
    expect_trace(&rule, 1, payload, buf_text(&text));
    buf_fini(&text);
}

static void
the_first_false_part_of_when_is_named_with_what_it_saw(void **state)
{
    static const struct {
        const char *when, *payload, *expected;
    } cases[] = {
        {"from != to and to in ['pro', 'enterprise']", "{\"from\":\"a\",\"to\":\"free\"}",
         "; to in ['pro', 'enterprise'] is false {to=\"free\"}"},
        {"a and b and c", "{\"a\":1,\"b\":0}", "; b is 0"},
        {"not a", "{\"a\":true}", "; a is true"},
        {"not (a and b)", "{\"a\":1,\"b\":2}", "; a is 1; b is 2"},
        {"not (a or b)", "{\"b\":2}", "; b is 2"},
        {"a == 1 or b == 2", "{\"a\":5}", "; a == 1 is false {a=5}; b == 2 is false {b=null}"},
        {"a and (b or not c)", "{\"a\":1,\"c\":\"x\"}", "; b is null; c is \"x\""},
        {"a ? b > 1 : c", "{\"a\":1,\"b\":1}", "; a is 1; b > 1 is false {b=1}"},
        {"a ? true : false", "{}", "; a is null"},
        {"(a | lower) == 'pro'", "{\"a\":\"PRO!\"}",
         "; (a | lower) == 'pro' is false {a | lower=\"pro!\"} {a=\"PRO!\"}"},
        {"(a ?? b) == (c ?? d)", "{\"a\":1,\"d\":2}",
         "; (a ?? b) == (c ?? d) is false {a ?? b=1} {a=1} {c ?? d=2} {c=null} {d=2}"},
        {"a matches '^x'", "{\"a\":\"y\"}", "; a matches '^x' is false {a=\"y\"}"},
        {"a.b | length", "{}", "; a.b | length is 0 {a.b=null}"},
        {"a == b", "{\"a\":1,\"b\":\"1\"}", "; a == b is false {a=1} {b=\"1\"}"},
        {"false", "{}", "; false is false"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        expect_why(cases[i].when, cases[i].payload, cases[i].expected);
}

static void
every_rule_says_why_it_was_not_tried(void **state)
{
    struct spec_rule rules[] = {
        RULE(.topics = TEXTS(T("other")), .stop = true),
        RULE(.disabled = true, .stop = true),
        RULE(.max_age_ms = 5000, .stop = true),
        RULE(.root = T("after"), .stop = true),
        RULE(.for_each = T("items"), .stop = true),
        RULE(.when = T("a"), .stop = true),
        RULE(.stop = true),
    };

    (void)state;
    expect_trace(rules, ARRAY_LEN(rules), "{\"a\":1}",
                 "other_topic | disabled | too_old | no_root | no_elements | matched matched | "
                 "stopped");
    expect_trace(rules, ARRAY_LEN(rules), "nonsense",
                 "other_topic | disabled | not_reached | not_reached | not_reached | not_reached | "
                 "not_reached");
}

static void
every_setting_says_what_it_read_and_why_it_is_left_out(void **state)
{
    struct spec_rule rule =
        RULE(.name = T("r"),
             IDENTIFY(.first_name = T("${name | upper}"), .last_name = T("${a ?? b}"),
                      .company = T("Dr ${x} ${y}"),
                      .tags = TEXTS(T("${t}"), T("fixed"), T("${t[0]}"), T("${empty}"))),
             TRACK(.add_tags = TEXTS(T("${plan | table('plan_tag')}")),
                   .remove_tags = TEXTS(T("paid user"), T("${old | table('plan_tag', 'none')}"))));

    (void)state;
    expect_trace(
        &rule, 1,
        "{\"email\":\"a@example.com\",\"name\":\"ada\",\"a\":\"A\",\"b\":\"B\",\"x\":1,"
        "\"t\":[\"one\",null,\"two\"],\"empty\":[],\"plan\":\"pro\",\"old\":\"?\"}",
        "matched matched; email: \"a@example.com\" {email=\"a@example.com\"}"
        "; identify.firstName: \"ADA\" {name=\"ada\"}; identify.lastName: \"A\" {a=\"A\"}"
        "; identify.company: null {x=1} {y=null}"
        "; identify.tags[0]: [\"one\",null,\"two\"] {t=[\"one\",null,\"two\"]}"
        "; identify.tags[1]: \"fixed\"; identify.tags[2]: \"one\" {t[0]=\"one\"}"
        "; identify.tags[3]: empty {empty=[]}"
        "; track.addTags[0]: \"paid user\" {plan=\"pro\"}; track.removeTags[0]: \"paid user\""
        "; track.removeTags[1]: \"none\" {old=\"?\"}; dropped \"one\"; dropped removed \"paid "
        "user\"");
}

static void
elements_failures_and_missing_emails_are_told(void **state)
{
    struct spec_rule each = RULE(.name = T("r"), .for_each = T("items"), .when = T("item.on"),
                                 .without_email = WITHOUT_EMAIL_SKIP, .email = T("${item.email}"),
                                 TRACK(.add_tags = TEXTS(T("${item.tag}"))));
    struct spec_rule rules[] = {RULE(IDENTIFY(.birthday = T("${b}"))), RULE(.stop = true)};

    (void)state;
    expect_trace(&each, 1,
                 "{\"items\":[{\"on\":1,\"email\":\"a@example.com\"},{\"on\":0},{\"on\":2}]}",
                 "matched [0: {\"on\":1,\"email\":\"a@example.com\"}] matched; email: "
                 "\"a@example.com\" {item.email=\"a@example.com\"}; track.addTags[0]: null "
                 "{item.tag=null}; empty track [1: {\"on\":0}] not_matched; item.on is 0 [2: "
                 "{\"on\":2}] without_email; email: null {item.email=null}");
    expect_trace(rules, 2, "{\"email\":\"a@example.com\",\"b\":\"soon\"}",
                 "failed failed; email: \"a@example.com\" {email=\"a@example.com\"}; "
                 "identify.birthday: wrong (is no calendar day YYYY-MM-DD; see the filter date) "
                 "{b=\"soon\"} | not_reached");
}

static void
long_values_and_long_arrays_are_cut(void **state)
{
    struct spec_rule rule = RULE(.name = T("r"), .for_each = T("items"), .email = T("a@b"),
                                 IDENTIFY(.company = T("${item}${@payload.x}")));
    struct spec_list topics = TOPIC;
    struct spec_ruleset spec = {.rules = &rule, .rule_count = 1};
    struct buf payload;
    struct bench bench;
    const char *found;

    (void)state;
    rule.topics = topics;
    buf_init(&payload, 16 << 20);
    buf_add_text(&payload, "{\"x\":[[[[[[\"deep\"]]]]]],\"items\":[");
    for (int i = 0; i < 900; i++)
        buf_printf(&payload, "%s\"%*d\"", i ? "," : "", 3000, i);
    buf_add_text(&payload, "]}");
    bench_open(&bench, &spec);
    found = trace_text(&bench, buf_text(&payload));
    assert_true(strlen(found) < 4 * TRACE_VALUE_MAX * TRACE_ELEMENTS_MAX);
    assert_non_null(strstr(found, "…"));
    assert_non_null(strstr(found, "[[[[…]]]]"));
    bench_close(&bench);
    buf_fini(&payload);
}

/* Rules over the names and values of random events, good and bad ones. */
static const char *const EXPRESSIONS[] = {
    "a",         "a.b",      "a == b",           "not a",           "a and b or c",
    "a[*].b",    "item",     "a ? b : c",        "a in b",          "(a ?? b) | lower == 'a'",
    "a + b",     "a < b",    "a matches '^a+$'", "@payload | json", "a | table('plan_tag', 'x')",
    "item.a.b",  "a | sort", "b | length > 1",   "c | json",        "a | join(b)",
    "@key == a", "@headers", "a contains b",     "[a, b, c]",       "not (a or b) and not c"};
static const char *const SHAPES[] = {"${%s}", "x ${%s}", "${%s}@example.com", "${%s | lower}"};

static const char *
random_text(struct rng *rng, struct arena *arena, bool is_template)
{
    const char *shape = is_template ? PICK(rng, SHAPES) : "%s";
    const char *expr = PICK(rng, EXPRESSIONS);
    struct buf buf;
    const char *text;

    buf_init(&buf, 1024);
    for (const char *c = shape; *c; c++) {
        if (*c == '%')
            buf_printf(&buf, strchr(shape, '|') ? "(%s)" : "%s", expr);
        else if (c == shape || c[-1] != '%')
            buf_add_char(&buf, *c);
    }
    text = arena_text(arena, buf_text(&buf), buf.len);
    buf_fini(&buf);
    return text;
}

static void
random_rule(struct rng *rng, struct arena *arena, struct spec_rule *rule)
{
    static struct spec_text topic = T("t");
    struct spec_text *texts = arena_alloc(arena, 6 * sizeof(texts[0]));
    struct spec_text email = T("a@example.com");

    for (unsigned i = 0; i < 6; i++)
        texts[i] = (struct spec_text){random_text(rng, arena, true), AT(i + 1), i + 1};
    *rule = (struct spec_rule){.at = AT(1), .email = email};
    rule->topics = (struct spec_list){.present = true, .at = AT(1), .items = &topic, .count = 1};
    if (rng_below(rng, 2))
        rule->when = (struct spec_text){random_text(rng, arena, false), AT(1), 1};
    if (!rng_below(rng, 3))
        rule->for_each = (struct spec_text)T("a");
    if (!rng_below(rng, 4))
        rule->root = (struct spec_text)T("b");
    if (!rng_below(rng, 4))
        rule->email = texts[4];
    rule->without_email = rng_below(rng, 2) ? WITHOUT_EMAIL_SKIP : WITHOUT_EMAIL_DEAD_LETTER;
    rule->stop = !rng_below(rng, 5);
    rule->identify.present = true;
    if (rng_below(rng, 2))
        rule->identify.company = texts[0];
    rule->identify.tags =
        (struct spec_list){.present = true, .at = AT(1), .items = &texts[1], .count = 2};
    rule->track.present = rng_below(rng, 2);
    rule->track.add_tags =
        (struct spec_list){.present = true, .at = AT(1), .items = &texts[2], .count = 1};
    rule->track.remove_tags =
        (struct spec_list){.present = true, .at = AT(1), .items = &texts[3], .count = 1};
}

static void
compare_events(struct rng *rng, struct bench *bench, struct trace *trace)
{
    struct buf payload, plain;

    buf_init(&payload, 1 << 20);
    buf_init(&plain, 1 << 20);
    for (int i = 0; i < 20; i++) {
        json_t *json = random_json(rng, 4);
        struct value value = value_of_json(json);
        struct event event = {
            .topic = "t", .timestamp_ms = EVENT_NO_TIME, .key = "a", .key_len = 1};
        enum map_outcome outcome;
        uint64_t limited;

        buf_reset(&payload);
        buf_reset(&plain);
        value_add_json(&value, &payload);
        json_decref(json);
        event.payload = buf_text(&payload);
        event.payload_len = payload.len;
        buf_add_text(&plain, bench_map_event(bench, &event));
        limited = ruleset_regex_limited(bench->rules);
        outcome = ruleset_map_traced(bench->rules, &event, WALL_MS, trace, &bench->mapping);
        buf_reset(&bench->out);
        for (size_t k = 0; k < bench->mapping.calls.count; k++)
            bench_write_call(bench, bench->mapping.calls.items[k]);
        if (outcome != MAP_CALLS)
            buf_add_text(&bench->out, map_outcome_name(outcome));
        if (bench->mapping.reason[0])
            buf_printf(&bench->out, ": %s", bench->mapping.reason);
        if (strcmp(buf_text(&plain), buf_text(&bench->out)))
            fail_msg("%s\n  alone  %s\n  traced %s", buf_text(&payload), buf_text(&plain),
                     buf_text(&bench->out));
        assert_int_equal(limited, ruleset_regex_limited(bench->rules));
    }
    buf_fini(&payload);
    buf_fini(&plain);
}

static void
an_event_becomes_the_same_calls_with_and_without_a_trace(void **state)
{
    static const char *const names[] = {"r0", "r1", "r2"};
    struct rng rng = unit_rng("traced", 11);
    size_t loaded = 0;

    (void)state;
    for (int round = 0; round < 1000; round++) {
        struct spec_rule rules[3];
        struct spec_ruleset spec = {
            .rules = rules, .rule_count = 3, .tables = tables, .table_count = 1};
        struct arena arena;
        struct bench bench;

        arena_init(&arena, 4096);
        for (int i = 0; i < 3; i++) {
            random_rule(&rng, &arena, &rules[i]);
            rules[i].name = (struct spec_text){.text = names[i], .at = AT(1)};
        }
        bench_open(&bench, &spec);
        if (bench.rules) {
            struct trace *trace = trace_new(bench.rules);

            loaded++;
            compare_events(&rng, &bench, trace);
            trace_free(trace);
        }
        bench_close(&bench);
        arena_fini(&arena);
    }
    assert_true(loaded > 200);
}

/* Under SPEC's only rule, PAYLOAD comes to OUTCOME both with and without a trace, and as many
 * regular expressions are given up. */
static void
expect_same_limits(const char *when, const char *payload, size_t len, enum map_outcome outcome,
                   uint64_t limited)
{
    struct spec_rule rule = RULE(.name = T("r"), .for_each = T("items"),
                                 .when = {.text = when, .at = AT(1)}, .stop = true);
    struct spec_list topics = TOPIC;
    struct spec_ruleset spec = {.rules = &rule, .rule_count = 1};
    struct event event = {
        .topic = "t", .timestamp_ms = EVENT_NO_TIME, .payload = payload, .payload_len = len};
    struct bench bench;
    struct trace *trace;

    rule.topics = topics;
    bench_open(&bench, &spec);
    assert_non_null(bench.rules);
    trace = trace_new(bench.rules);
    assert_int_equal(ruleset_map(bench.rules, &event, WALL_MS, &bench.mapping), outcome);
    assert_int_equal(ruleset_regex_limited(bench.rules), limited);
    assert_int_equal(ruleset_map_traced(bench.rules, &event, WALL_MS, trace, &bench.mapping),
                     outcome);
    assert_int_equal(ruleset_regex_limited(bench.rules), 2 * limited);
    trace_free(trace);
    bench_close(&bench);
}

/* Fewer elements than are noted, so that the trace asks for each of them. */
static void
a_trace_costs_the_event_nothing_of_its_limits(void **state)
{
    static const char searched[] = "@payload.big contains 'nothing'";
    static const char hopeless[] = "@payload.text matches '(x+x+)+[yz]'";
    struct buf payload;

    (void)state;
    buf_init(&payload, 16 << 20);
    for (int count = 16000; count <= 256000; count *= 16) {
        buf_reset(&payload);
        buf_add_text(&payload, "{\"text\":\"");
        for (int i = 0; i < 40; i++)
            buf_add_char(&payload, 'x');
        buf_add_text(&payload, "\",\"items\":[0");
        for (int i = 1; i < 90; i++)
            buf_printf(&payload, ",%d", i);
        buf_add_text(&payload, "],\"big\":[0");
        for (int i = 0; i < count; i++)
            buf_printf(&payload, ",%d", i);
        buf_add_text(&payload, "]}");
        /* Too much only when all elements are taken together. */
        expect_same_limits(searched, buf_text(&payload), payload.len,
                           count == 256000 ? MAP_NOT_RENDERED : MAP_NO_MATCH, 0);
        expect_same_limits(hopeless, buf_text(&payload), payload.len, MAP_NO_MATCH, 90);
    }
    buf_fini(&payload);
}

static void
what_all_events_together_reached_is_kept(void **state)
{
    struct spec_rule rule =
        RULE(.name = T("r"), .when = T("on"),
             TRACK(.email = T("a@b"), .add_tags = TEXTS(T("${plan | table('plan_tag')}"))));
    struct spec_list topics = TOPIC;
    struct spec_ruleset spec = {
        .rules = &rule, .rule_count = 1, .tables = tables, .table_count = 1};
    static const char *const payloads[] = {"{\"on\":1,\"plan\":\"pro\"}", "{}", "null"};
    const struct table *table;
    struct bench bench;
    struct trace *trace;

    (void)state;
    rule.topics = topics;
    bench_open(&bench, &spec);
    assert_non_null(bench.rules);
    trace = trace_new(bench.rules);
    for (size_t i = 0; i < ARRAY_LEN(payloads); i++) {
        struct event event = {.topic = "t",
                              .timestamp_ms = EVENT_NO_TIME,
                              .payload = payloads[i],
                              .payload_len = strlen(payloads[i])};

        ruleset_map_traced(bench.rules, &event, WALL_MS, trace, &bench.mapping);
        assert_true(trace_rule(trace, 0)->when_held);
        assert_int_equal(trace_rule(trace, 0)->when_failed, i > 0);
    }
    table = &ruleset_tables(bench.rules)->tables[0];
    assert_true(trace_rule(trace, 0)->ever_matched);
    assert_true(trace_entry_used(trace, &table->rows[0]));
    assert_false(trace_entry_used(trace, &table->rows[1]));
    trace_free(trace);
    bench_close(&bench);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_false_part_of_when_is_named_with_what_it_saw),
        cmocka_unit_test(every_rule_says_why_it_was_not_tried),
        cmocka_unit_test(every_setting_says_what_it_read_and_why_it_is_left_out),
        cmocka_unit_test(elements_failures_and_missing_emails_are_told),
        cmocka_unit_test(long_values_and_long_arrays_are_cut),
        cmocka_unit_test(an_event_becomes_the_same_calls_with_and_without_a_trace),
        cmocka_unit_test(a_trace_costs_the_event_nothing_of_its_limits),
        cmocka_unit_test(what_all_events_together_reached_is_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
