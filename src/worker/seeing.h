/*
 * What the worker has seen, for those who look on: calls and tags by rule, times, the last
 * failures, rates, and where the partitions end. Memory has a bound whatever comes: names past it
 * are counted under SEEING_OTHER. Addresses are masked before they are kept. Owns everything in it;
 * embedded in struct worker. It decides nothing.
 */
#ifndef WORKER_SEEING_H
#define WORKER_SEEING_H

#include "base/buf.h"
#include "base/map.h"
#include "base/stats.h"
#include "delivery/core.h"
#include "sendx/traceparent.h"
#include "sendx/verdict.h"

struct worker;

#define SEEING_OTHER "(other)"

enum {
    SEEING_RULES_MAX = 1000,
    SEEING_TAGS_MAX = 50, /* of a rule */
    SEEING_TAG_LEN = 100, /* bytes; longer ones are cut */
    SEEING_FAILURES = 50,
    SEEING_TEXT_MAX = 200
};

struct seen_tag {
    char *name; /* addresses masked */
    enum call_kind kind;
    uint64_t added, removed;
};

/* A rule by its name and account: calls outlive a reload of the rules. */
struct seen_rule {
    struct map_node node;
    char *name, *account;
    uint64_t calls[CALL_TRACK + 1][VERDICT_COUNT]; /* by enum call_kind; requests that ended */
    uint64_t folded[CALL_TRACK + 1];               /* calls delivered along with another's */
    struct seen_tag *tags;                         /* of calls that were delivered */
    size_t tag_count, tag_cap;
    uint64_t tags_other; /* added or removed, past SEEING_TAGS_MAX */
    char *key;           /* account and name */
    size_t key_len;
};

/* One that is shown; a call that keeps failing for the same reason is counted, not repeated. */
struct seen_failure {
    int64_t wall_ms;  /* of the last of them */
    uint64_t count;   /* 0: an empty place */
    const char *what; /* "retry", "held", "dead_letter" */
    char rule[SEEING_TEXT_MAX], topic[256], contact[SEEING_TEXT_MAX], reason[SEEING_TEXT_MAX];
    const char *call, *class; /* names, or NULL for an event that could not be mapped */
    int status;
    int32_t partition;
    int64_t offset;
    char trace_id[TRACEPARENT_ID_LEN + 1];
};

struct seeing {
    int64_t started_ms, started_wall_ms;
    struct map rules;
    struct buf key;          /* of the rule that is looked for */
    struct seen_rule *other; /* where rules past the bound are counted; NULL: there are none */
    uint64_t overflowed;     /* names that were counted as SEEING_OTHER */
    struct histogram call_seconds, age_seconds;
    struct seen_failure failures[SEEING_FAILURES];
    size_t failure_next;
    struct meter taken, finished, delivered, failed;
    int64_t step_ms, ends_ms, ends_pause_ms; /* due, and after the next failure */
    uint64_t ends_failed;
    int64_t committed_ms;  /* of the last stored commit; 0: none yet */
    char *config_text;     /* as config_print has it, masked; made when first asked for */
    double answer_seconds; /* of the last scrape */
};

void seeing_init(struct seeing *seeing, int64_t now);
void seeing_fini(struct seeing *seeing);

/* The call in flight of JOB ended; to be told before core_settle. */
void seeing_call(struct worker *worker, const struct core_job *job, enum verdict verdict,
                 long elapsed_ms);

/* A failure that people should see. Its texts are copied; CONTACT is a whole address, or NULL. */
struct failure_line {
    const char *what, *rule, *contact, *reason, *call, *class, *topic, *trace_id;
    int status;
    int32_t partition;
    int64_t offset;
};
void seeing_failure(struct seeing *seeing, const struct failure_line *line);

/* The trace of RECORD's traceparent header: false when it has none that is valid. */
bool seeing_trace(const struct event *record, struct traceparent *ret);

/* What is due about once a second. */
void seeing_step(struct worker *worker);

/* The configuration in force, secrets and addresses masked; borrowed until a reload. */
const char *seeing_config(struct worker *worker);

/* Another configuration is in force. Counts by rule go on: they go by the rules' names. */
void seeing_reloaded(struct seeing *seeing);

/* All rules, SEEING_OTHER last, by name; an array of COUNT, yours to xfree. */
const struct seen_rule **seeing_rules(const struct seeing *seeing, size_t *ret_count);
const struct seen_rule *seeing_rule(struct seeing *seeing, const char *name,
                                    const char *account); /* NULL: no call of it ended */

#endif
