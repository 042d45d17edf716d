/*
 * What the tests of whole rules share: rules written as C, events as text, outcomes as text. Owns
 * nothing but what a bench holds.
 */
#ifndef TESTS_RULESET_UNIT_H
#define TESTS_RULESET_UNIT_H

#include "rules/ruleset.h"
#include "unit.h"

#define AT(line)           \
    {                      \
        "rules.conf", line \
    }
#define T(string)        \
    {                    \
        string, AT(1), 1 \
    }
#define TL(string, line)       \
    {                          \
        string, AT(line), line \
    }
#define ITEMS(type, ...)                                          \
    .present = true, .at = AT(2), .items = (type[]){__VA_ARGS__}, \
    .count = sizeof((type[]){__VA_ARGS__}) / sizeof(type)
#define TEXTS(...)                           \
    {                                        \
        ITEMS(struct spec_text, __VA_ARGS__) \
    }
#define PAIRS(...)                           \
    {                                        \
        ITEMS(struct spec_pair, __VA_ARGS__) \
    }
#define TOPIC TEXTS(T("t"))
#define WALL_MS INT64_C(1770000000000) /* the time of day of all benches */

#define WHO "\"email\":\"a@example.com\""
#define IDENTIFY(...) .identify = {.present = true, .at = AT(5), __VA_ARGS__}
#define TRACK(...) .track = {.present = true, .at = AT(9), __VA_ARGS__}
#define RULE(...) ((struct spec_rule){__VA_ARGS__})

/* A ruleset and what it said, as text. */
struct bench {
    struct ruleset *rules;
    struct mapping mapping;
    struct diag diag;
    struct buf out;
};

static inline void
bench_open(struct bench *bench, const struct spec_ruleset *spec)
{
    static const char *const one_account[] = {"main"};
    struct spec_ruleset whole = *spec;

    if (!whole.accounts) {
        whole.accounts = one_account;
        whole.account_count = 1;
    }
    mapping_init(&bench->mapping);
    diag_init(&bench->diag);
    buf_init(&bench->out, 64 << 20);
    bench->rules = ruleset_new(&whole, &bench->diag);
}

static inline void
bench_close(struct bench *bench)
{
    ruleset_free(bench->rules);
    mapping_fini(&bench->mapping);
    diag_fini(&bench->diag);
    buf_fini(&bench->out);
}

/* All findings, a line each. */
static inline const char *
bench_findings(struct bench *bench)
{
    buf_reset(&bench->out);
    for (size_t i = 0; i < bench->diag.count; i++)
        buf_printf(&bench->out, "%s%s", i ? "\n" : "", bench->diag.items[i].text);
    return buf_text(&bench->out);
}

static inline void
bench_write_call(struct bench *bench, const struct call *call)
{
    buf_printf(&bench->out, "%s%s ", bench->out.len ? " " : "", call_kind_name(call->kind));
    if (call->account)
        buf_printf(&bench->out, "@%u ", call->account);
    if (call->kind == CALL_IDENTIFY)
        contact_request_write(&call->identify, &bench->out);
    else
        track_request_write(&call->track, true, &bench->out);
}

/* The calls, or the name of the outcome and the reason. */
static inline const char *
bench_map_event(struct bench *bench, const struct event *event)
{
    enum map_outcome outcome;

    if (!bench->rules)
        fail_msg("%s", bench_findings(bench));
    outcome = ruleset_map(bench->rules, event, WALL_MS, &bench->mapping);
    buf_reset(&bench->out);
    for (size_t i = 0; i < bench->mapping.calls.count; i++)
        bench_write_call(bench, bench->mapping.calls.items[i]);
    assert_int_equal(outcome == MAP_CALLS, bench->mapping.calls.count > 0);
    if (outcome != MAP_CALLS)
        buf_add_text(&bench->out, map_outcome_name(outcome));
    if (bench->mapping.reason[0])
        buf_printf(&bench->out, ": %s", bench->mapping.reason);
    return buf_text(&bench->out);
}

static inline const char *
bench_map(struct bench *bench, const char *topic, const char *payload)
{
    struct event event = {.topic = topic,
                          .timestamp_ms = EVENT_NO_TIME,
                          .payload = payload,
                          .payload_len = payload ? strlen(payload) : 0};

    return bench_map_event(bench, &event);
}

/* The outcome of one event of topic "t" under SPEC. */
static inline void
bench_expect(const struct spec_ruleset *spec, const char *payload, const char *expected)
{
    struct bench bench;
    const char *found;

    bench_open(&bench, spec);
    found = bench_map(&bench, "t", payload);
    if (strcmp(found, expected))
        fail_msg("%s\n  gives    %s\n  expected %s", payload, found, expected);
    bench_close(&bench);
}

/* The same for one rule in a file with an e-mail. */
static inline void
bench_expect_rule(struct spec_rule rule, const char *payload, const char *expected)
{
    struct spec_ruleset spec = {.email = T("${email}"), .rules = &rule, .rule_count = 1};
    struct spec_list topics = TOPIC;

    if (!rule.name.text)
        rule.name = (struct spec_text)T("r");
    if (!rule.topics.present)
        rule.topics = topics;
    bench_expect(&spec, payload, expected);
}

/* What SPEC is refused for: the findings hold EXPECTED. */
static inline void
bench_refuse(const struct spec_ruleset *spec, const char *expected)
{
    struct bench bench;

    bench_open(&bench, spec);
    if (bench.rules || !strstr(bench_findings(&bench), expected))
        fail_msg("findings:\n%s\n  expected %s", bench_findings(&bench), expected);
    bench_close(&bench);
}

static inline void
bench_refuse_rule(struct spec_rule rule, const char *expected)
{
    struct spec_ruleset spec = {.email = T("${email}"), .rules = &rule, .rule_count = 1};
    struct spec_list topics = TOPIC;

    if (!rule.name.text)
        rule.name = (struct spec_text)T("r");
    if (!rule.topics.present)
        rule.topics = topics;
    bench_refuse(&spec, expected);
}

#endif
