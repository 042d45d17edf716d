/*
 * Compiled rules: an event in, calls out. Immutable after ruleset_new but for a cache of which
 * rules a topic meets, and for what the rules have met (rules/sentinel). Owns everything compiled.
 * Pure: no I/O, no clock, no globals; evaluation never fails, recurses without bound or runs long,
 * whatever an event holds.
 */
#ifndef RULES_RULESET_H
#define RULES_RULESET_H

#include "rules/event.h"
#include "rules/sentinel.h"
#include "rules/spec.h"
#include "sendx/call.h"

enum {
    RULESET_CALLS_MAX = 1000,            /* calls one event may become */
    RULESET_BYTES_MAX = 8 * 1024 * 1024, /* bytes those calls may hold */
    RULESET_REASON_MAX = 512
};

struct ruleset;
struct rule;
struct table_set;
struct trace;

/* Compiles SPEC and adds every finding to DIAG. NULL when there was an error. */
struct ruleset *ruleset_new(const struct spec_ruleset *spec, struct diag *diag) MUSTCHECK;
void ruleset_free(struct ruleset *rules); /* NULL is accepted */

/* Whether a topic of Kafka can be called NAME. */
bool ruleset_is_topic_name(const char *name);

/* The union of all rules' topics, "^" expressions as written, each once. Borrowed. */
size_t ruleset_topic_count(const struct ruleset *rules);
const char *ruleset_topic(const struct ruleset *rules, size_t i);

/* Whether an enabled rule with a call to ACCOUNT names the I-th of them; whether one applies to
 * TOPIC. */
bool ruleset_topic_calls(const struct ruleset *rules, size_t i, unsigned account);
bool ruleset_reads(const struct ruleset *rules, const char *topic); /* a rule names it */
bool ruleset_name_calls(struct ruleset *rules, const char *topic, unsigned account);

size_t ruleset_rule_count(const struct ruleset *rules);
const char *ruleset_rule_name(const struct ruleset *rules, size_t i);
unsigned ruleset_rule_account(const struct ruleset *rules, size_t i); /* its index */
bool ruleset_rule_reads(const struct ruleset *rules, size_t i, const char *topic);
bool ruleset_rule_is_enabled(const struct ruleset *rules, size_t i);

/* The J-th of its topics as it wrote them; NULL past the last. */
const char *ruleset_rule_topic(const struct ruleset *rules, size_t i, size_t j);

/* Counts on where rules of the same name in OLD, which RULES take the place of, have got to. Their
 * paths begin anew. */
void ruleset_continue(struct ruleset *rules, const struct ruleset *old);

/* What it has met since ruleset_new, or longer. */
const struct sentinel *ruleset_rule_sentinel(const struct ruleset *rules, size_t i);

/* For those who explain: the rules in written order, one behind the other, and the tables. */
const struct rule *ruleset_rules(const struct ruleset *rules);
const struct table_set *ruleset_tables(const struct ruleset *rules);
/* Stands for what rules and tables say, see rules/spec_hash. */
uint64_t ruleset_hash(const struct ruleset *rules);

/*      id, name, what happened */
#define MAP_OUTCOME_TABLE(X)                                                         \
    X(CALLS, "calls", "at least one call")                                           \
    X(NO_MATCH, "no_match", "no rule matched")                                       \
    X(NO_CALL, "no_call", "a rule matched, and there is nothing to send")            \
    X(TOMBSTONE, "tombstone", "null payload")                                        \
    X(NOT_JSON, "not_json", "the payload is not JSON as RFC 8259 and UTF-8 have it") \
    X(NOT_RENDERED, "not_rendered", "a matching rule could not be rendered; nothing is sent")

#define X(id, name, doc) MAP_##id,
enum map_outcome { MAP_OUTCOME_TABLE(X) MAP_OUTCOME_COUNT };
#undef X

struct mapping {
    struct call_list calls; /* in the order they are to be sent; empty unless MAP_CALLS */
    /* For NOT_JSON and NOT_RENDERED; holds no value of the event. */
    char reason[RULESET_REASON_MAX];
    uint64_t too_old; /* rules for which this event is past their max_age, whatever the outcome */
};

void mapping_init(struct mapping *mapping);
void mapping_fini(struct mapping *mapping);

/* Maps one event. MAPPING is emptied first. WALL_MS: now, since 1970, by which its age is told. */
enum map_outcome ruleset_map(struct ruleset *rules, const struct event *event, int64_t wall_ms,
                             struct mapping *mapping);

/* The same by the same code, and TRACE, which was made for these rules, is told how it came about.
 */
enum map_outcome ruleset_map_traced(struct ruleset *rules, const struct event *event,
                                    int64_t wall_ms, struct trace *trace, struct mapping *mapping);

/* Matches of regular expressions that were given up at a limit since ruleset_new. */
uint64_t ruleset_regex_limited(const struct ruleset *rules);

const char *map_outcome_name(enum map_outcome outcome);

/* Whether the event becomes a dead letter. */
static inline bool
map_outcome_is_failure(enum map_outcome outcome)
{
    return outcome == MAP_NOT_JSON || outcome == MAP_NOT_RENDERED;
}

#endif
