#include "cmd/test_run.h"

#include <string.h>

#include "cmd/test_diff.h"

int64_t
event_time(const struct event *event, int64_t wall_ms)
{
    return event->timestamp_ms == EVENT_NO_TIME ? wall_ms : event->timestamp_ms;
}

enum map_outcome
rule_test_map(const struct rule_test *test, struct ruleset *rules, int64_t wall_ms,
              struct trace *trace, struct mapping *mapping)
{
    const struct event *event = &test->record.event;
    int64_t now_ms = test->has_now ? test->now_ms : event_time(event, wall_ms);

    return ruleset_map_traced(rules, event, now_ms, trace, mapping);
}

bool
rule_test_agrees(const struct rule_test *test, enum map_outcome outcome,
                 const struct mapping *mapping)
{
    bool failed = map_outcome_is_failure(outcome);

    if (test->is_open)
        return false;
    if (test->error)
        return failed && strstr(mapping->reason, test->error);
    return !failed && test_calls_agree(&test->expected, &mapping->calls);
}
