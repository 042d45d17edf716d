/*
 * One rule test, run: its event through the evaluator of the worker, and whether what came is what
 * was expected. Owns nothing.
 */
#ifndef CMD_TEST_RUN_H
#define CMD_TEST_RUN_H

#include "cmd/test_file.h"

/* The time at which EVENT is as young as its timestamp says; WALL_MS where it has none. */
int64_t event_time(const struct event *event, int64_t wall_ms);

/* Maps the event at the test's "now"; without one it is a new one. */
enum map_outcome rule_test_map(const struct rule_test *test, struct ruleset *rules, int64_t wall_ms,
                               struct trace *trace, struct mapping *mapping);

bool rule_test_agrees(const struct rule_test *test, enum map_outcome outcome,
                      const struct mapping *mapping);

#endif
