/*
 * The worker's state, shared by the files of this folder only. One struct, owned by worker_run; all
 * of it belongs to the loop's thread.
 */
#ifndef WORKER_STATE_H
#define WORKER_STATE_H

#include "base/list.h"
#include "base/log_limit.h"
#include "config/config.h"
#include "delivery/core.h"
#include "edge/admin.h"
#include "edge/dead_letter.h"
#include "edge/http.h"
#include "edge/kafka.h"
#include "rules/ruleset.h"
#include "sendx/wire.h"
#include "worker/seeing.h"
#include "worker/status.h"

/* A call on the wire. */
struct flight {
    struct list node;
    struct worker *worker;
    struct core_job *job;
    unsigned account;
};

/* What the metrics count, beside delivery's own counters. */
struct worker_counts {
    uint64_t mapped[MAP_OUTCOME_COUNT];
    uint64_t too_old; /* rules that did not match for max_age */
    uint64_t verdicts[VERDICT_COUNT], settled[SETTLED_COUNT];
    uint64_t letters_stored, letters_failed;
    uint64_t commits, commits_failed, assigned, revoked, lost;
};

/* What the worker is about to do with its partitions. */
enum worker_phase {
    PHASE_RUNNING,
    PHASE_STOPPING,   /* draining everything */
    PHASE_COMMITTING, /* the last commit */
    PHASE_LEAVING,    /* out of the group */
    PHASE_DONE
};

/* The partitions that Kafka wants back. */
struct revocation {
    struct kafka_part **parts; /* owned copy of the list; the parts are edge/kafka's */
    size_t count;              /* 0: none is going on */
    bool abandoned;            /* draining is over, the commit is left */
    int64_t drain_ms;          /* absolute; calls in flight are broken off then */
    int64_t end_ms;            /* absolute; they are given up then, committed or not */
};

struct worker {
    const struct config *config;
    struct kafka *kafka;
    struct http *http;
    struct http_account **http_accounts; /* one per account, same index */
    struct core *core;
    struct dead_letters *letters; /* NULL: dead_letter.topic is empty */
    struct admin *admin;          /* NULL: admin.listen is empty */
    int signals;

    struct mapping mapping;
    struct wire_request request;
    struct list flights;

    enum worker_phase phase;
    struct revocation revocation;
    int64_t stop_drain_ms, stop_exit_ms; /* absolute: give up draining; exit whatever is left */
    bool commit_out;
    bool was_assigned;       /* a partition, at some time */
    unsigned commits_failed; /* in a row */
    bool commit_hopeless; /* the last one failed for good: this generation's commits are refused */
    int64_t commit_next_ms;
    int exit_status;

    int64_t now; /* of this turn */
    struct worker_counts counts;
    struct seeing seeing;
    bool limits_stale;              /* partitions came or went: the accounts' shares change */
    enum gate_reason *gate_reasons; /* per account: as last logged */
    enum letter_hold letter_hold;   /* as last logged */
    struct log_limit call_lines[SETTLED_COUNT][VERDICT_COUNT], unmapped_lines, letter_lines;
};

/* deliver.c: events into delivery, calls onto the wire, replies back. */
extern const struct http_ops worker_http_ops;
bool worker_has_room(const struct worker *worker, struct kafka_part *part);
void worker_take(struct worker *worker, struct kafka_part *part, const struct event *event);
void worker_send(struct worker *worker);
void worker_abort_flights(struct worker *worker, const struct kafka_part *part); /* NULL: all */

/* letters.c: dead letters, from the core to the topic. */
extern const struct dead_letter_ops worker_letter_ops;
void worker_write_letters(struct worker *worker);
void worker_admit_letters(struct worker *worker); /* SIGUSR1 */

/* limits.c: what each account's gate allows, and what it says. */
void worker_set_limits(struct worker *worker);
void worker_log_holds(struct worker *worker);

/* metrics.c: the admin endpoint's answers, together with status.c. */
extern const struct admin_ops worker_admin_ops;
extern const char worker_page[]; /* page.html */

/* rebalance.c: partitions coming and going, commits, the way out. */
extern const struct kafka_ops worker_kafka_ops;
void worker_stop(struct worker *worker, const char *why);
bool worker_commit_step(struct worker *worker); /* true: everything that can be is committed */
void worker_rebalance_step(struct worker *worker);
int64_t worker_rebalance_deadline(const struct worker *worker);

#endif
