/* What rules meet: matches, and what stands at the paths that they read. */

#include "rules/sentinel.h"
#include "rules/trace.h"

#include "ruleset_unit.h"

static struct bench bench;

static void
open_rule(struct spec_rule rule)
{
    struct spec_ruleset spec = {.email = T("${email}"), .rules = &rule, .rule_count = 1};
    struct spec_list topics = TOPIC;

    rule.name = (struct spec_text)T("r");
    rule.topics = topics;
    bench_open(&bench, &spec);
    if (!bench.rules)
        fail_msg("%s", bench_findings(&bench));
}

static const struct sentinel *
sentinel(void)
{
    return ruleset_rule_sentinel(bench.rules, 0);
}

static const struct sentinel_path *
path(const char *text)
{
    for (size_t i = 0; i < sentinel()->path_count; i++) {
        if (strcmp(sentinel()->paths[i].text, text) == 0)
            return &sentinel()->paths[i];
    }
    fail_msg("\"%s\" is not watched", text);
    return NULL;
}

/* The event at a wall time, MS after the bench's. */
static void
map_at(const char *payload, int64_t ms)
{
    struct event event = {.topic = "t",
                          .timestamp_ms = EVENT_NO_TIME,
                          .payload = payload,
                          .payload_len = strlen(payload)};

    (void)ruleset_map(bench.rules, &event, WALL_MS + ms, &bench.mapping);
}

static void
every_path_of_the_settings_is_watched_once(void **state)
{
    (void)state;
    open_rule(RULE(.when = T("a.b == 1"),
                   IDENTIFY(.first_name = T("${x.y ?? (z | default(w))} and ${x.y}"),
                            .last_name = T("${c ? d[0] : [e, @headers.h]} ${@topic} ${@offset}"),
                            .tags = TEXTS(T("plain"), T("${list[*].name | join(sep)}")))));
    for (size_t i = 0;
         i < ARRAY_LEN(((const char *[]){"email", "x.y", "z", "w", "c", "d[0]", "e"})); i++)
        path((const char *[]){"email", "x.y", "z", "w", "c", "d[0]", "e"}[i]);
    path("list[*].name");
    path("sep");
    assert_int_equal(sentinel()->path_count,
                     10); /* those and @headers.h; not when, @topic, @offset */
    bench_close(&bench);
}

static void
an_address_in_a_path_is_masked_and_no_name_stands_twice(void **state)
{
    (void)state;
    open_rule(RULE(IDENTIFY(.first_name = T("${x['ada@example.com'] ?? x['alan@example.com']}"),
                            .last_name = T("${x['bo@example.com']}"))));
    path("x['a***@example.com']");
    path("x['b***@example.com']");
    assert_int_equal(sentinel()->path_count, 3); /* and email */
    bench_close(&bench);
}

static void
a_field_that_was_renamed_shows(void **state)
{
    (void)state;
    open_rule(RULE(IDENTIFY(.first_name = T("${name}"))));
    for (int i = 0; i < 3000; i++)
        map_at("{" WHO ",\"name\":\"Ada\"}", i * 100);
    assert_true(sentinel_present(path("name")) == 1);
    for (int i = 3000; i < 6000; i++)
        map_at("{" WHO ",\"full_name\":\"Ada\"}", i * 100);
    assert_true(sentinel_present(path("name")) < 0.1);
    assert_true(sentinel_present(path("email")) == 1);
    assert_true(sentinel_samples(path("name")) <= SENTINEL_SAMPLES);
    assert_int_equal(sentinel()->matched, 6000);
    bench_close(&bench);
}

static void
kinds_are_told_apart(void **state)
{
    static const char *const events[] = {
        "{" WHO ",\"v\":\"text\"}", "{" WHO ",\"v\":1}",  "{" WHO ",\"v\":1.5}",
        "{" WHO ",\"v\":true}",     "{" WHO ",\"v\":[]}", "{" WHO ",\"v\":null}",
        "{" WHO ",\"v\":[1]}",      "{" WHO "}",          "{" WHO ",\"v\":{}}"};

    (void)state;
    open_rule(RULE(IDENTIFY(.tags = TEXTS(T("${v | json}")))));
    for (size_t i = 0; i < ARRAY_LEN(events); i++)
        map_at(events[i], 0);
    assert_int_equal(path("v")->counts[VALUE_TEXT], 1);
    assert_int_equal(path("v")->counts[VALUE_INT], 1);
    assert_int_equal(path("v")->counts[VALUE_REAL], 1);
    assert_int_equal(path("v")->counts[VALUE_BOOL], 1);
    assert_int_equal(path("v")->counts[VALUE_ARRAY], 1);
    assert_int_equal(path("v")->counts[VALUE_OBJECT], 1);
    assert_int_equal(path("v")->counts[VALUE_NULL], 3);
    bench_close(&bench);
}

static void
only_events_that_match_are_looked_at(void **state)
{
    (void)state;
    open_rule(RULE(.when = T("a == 1"), .max_age_ms = 1000, IDENTIFY(.first_name = T("${n}"))));
    map_at("{" WHO ",\"a\":2}", 0);
    map_at("{" WHO ",\"a\":1}", 0);
    map_at("{\"a\":1}", 0);
    assert_int_equal(sentinel()->not_matched, 1);
    assert_int_equal(sentinel()->matched, 1);
    assert_int_equal(sentinel()->failed, 1);
    assert_int_equal(sentinel_samples(path("n")), 2);
    assert_true(sentinel_present(path("email")) == 0.5);
    bench_close(&bench);
}

static void
looks_are_few_whatever_the_load(void **state)
{
    (void)state;
    open_rule(RULE(IDENTIFY(.first_name = T("${n}"))));
    for (int i = 0; i < 900; i++)
        map_at("{" WHO "}", 0);
    assert_int_equal(sentinel_samples(path("n")), SENTINEL_BURST);
    for (int i = 0; i < 900; i++)
        map_at("{" WHO "}", i < 450 ? SENTINEL_PAUSE_MS : 3 * SENTINEL_PAUSE_MS);
    assert_int_equal(sentinel_samples(path("n")), SENTINEL_BURST + 3);
    map_at("{" WHO "}", -1000000); /* the clock was put back */
    assert_int_equal(sentinel_samples(path("n")), SENTINEL_BURST + 4);
    bench_close(&bench);
}

/* An element is looked at as the rule sees it, and one of them is enough. */
static void
elements_are_looked_at_as_elements(void **state)
{
    (void)state;
    open_rule(RULE(.for_each = T("items"), TRACK(.add_tags = TEXTS(T("${item.sku}")))));
    map_at("{" WHO ",\"items\":[{\"sku\":\"a\"},{\"sku\":\"b\"},{}]}", 0);
    assert_int_equal(sentinel_samples(path("item.sku")), 1);
    assert_int_equal(path("item.sku")->counts[VALUE_TEXT], 1);
    bench_close(&bench);
}

/* The limits of an event are those of its rules alone. */
static void
looking_changes_no_result(void **state)
{
    enum { ELEMENTS = 30000 };
    struct buf event;
    char first[32];

    (void)state;
    buf_init(&event, 1 << 20);
    buf_add_text(&event, "{" WHO ",\"l\":[");
    for (int i = 0; i < ELEMENTS; i++)
        buf_add_text(&event, i ? ",{\"a\":1}" : "{\"a\":1}");
    buf_add_text(&event, "]}");
    open_rule(RULE(IDENTIFY(.first_name = T("${l[*].a | length}"))));
    map_at(buf_text(&event), 0);
    assert_int_equal(bench.mapping.calls.count, 1);
    snprintf(first, sizeof(first), "%s", bench.mapping.calls.items[0]->identify.first_name);
    assert_int_equal(sentinel_samples(path("l[*].a")), 0); /* too much to be looked at */
    for (int i = 0; i < 100; i++)
        map_at(buf_text(&event), 0);
    assert_string_equal(bench.mapping.calls.items[0]->identify.first_name, first);
    buf_fini(&event);
    bench_close(&bench);
}

/* Else they would be shown as read by the rule, and explaining would change what is counted. */
static void
nobody_looks_while_a_trace_watches(void **state)
{
    static const char payload[] = "{" WHO ",\"name\":\"Ada\"}";
    struct event event = {.topic = "t",
                          .timestamp_ms = EVENT_NO_TIME,
                          .payload = payload,
                          .payload_len = sizeof(payload) - 1};
    struct trace *trace;

    (void)state;
    open_rule(RULE(IDENTIFY(.first_name = T("${name}"))));
    trace = trace_new(bench.rules);
    (void)ruleset_map_traced(bench.rules, &event, WALL_MS, trace, &bench.mapping);
    assert_int_equal(sentinel_samples(path("name")), 0);
    map_at(payload, 0);
    assert_int_equal(sentinel_samples(path("name")), 1);
    trace_free(trace);
    bench_close(&bench);
}

static void
counts_go_on_over_a_reload_by_the_rules_names(void **state)
{
    static struct bench others;
    struct spec_list topics = TOPIC;
    struct spec_rule first = RULE(IDENTIFY(.first_name = T("${other}")));
    struct spec_rule second = RULE(IDENTIFY(.first_name = T("${name}")));
    struct spec_rule two[2];
    struct spec_ruleset spec = {.email = T("${email}"), .rules = two, .rule_count = 2};

    (void)state;
    open_rule(RULE(.when = T("n"), IDENTIFY(.first_name = T("${name}"))));
    map_at("{" WHO ",\"n\":1}", 0);
    map_at("{" WHO "}", 0);
    two[0] = first;
    two[1] = second;
    two[0].name = (struct spec_text)T("new");
    two[1].name = (struct spec_text)T("r");
    two[0].topics = two[1].topics = topics;
    bench_open(&others, &spec);
    assert_non_null(others.rules);
    ruleset_continue(others.rules, bench.rules);
    assert_int_equal(ruleset_rule_sentinel(others.rules, 0)->matched, 0);
    assert_int_equal(ruleset_rule_sentinel(others.rules, 1)->matched, 1);
    assert_int_equal(ruleset_rule_sentinel(others.rules, 1)->not_matched, 1);
    ruleset_continue(bench.rules, others.rules); /* fewer rules, and back */
    assert_int_equal(sentinel()->matched, 1);
    bench_close(&others);
    bench_close(&bench);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_path_of_the_settings_is_watched_once),
        cmocka_unit_test(an_address_in_a_path_is_masked_and_no_name_stands_twice),
        cmocka_unit_test(a_field_that_was_renamed_shows),
        cmocka_unit_test(kinds_are_told_apart),
        cmocka_unit_test(only_events_that_match_are_looked_at),
        cmocka_unit_test(looks_are_few_whatever_the_load),
        cmocka_unit_test(elements_are_looked_at_as_elements),
        cmocka_unit_test(looking_changes_no_result),
        cmocka_unit_test(nobody_looks_while_a_trace_watches),
        cmocka_unit_test(counts_go_on_over_a_reload_by_the_rules_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
