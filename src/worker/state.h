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
#include "edge/notify.h"
#include "rules/ruleset.h"
#include "sendx/wire.h"
#include "worker/seeing.h"
#include "worker/status.h"

/* A call on the wire. */
struct flight {
    struct list node;
    struct worker *worker;
    struct core_job *job;
    const struct config *config; /* that it went out with */
    unsigned account;
};

/* What the metrics count, beside delivery's own counters. */
struct worker_counts {
    uint64_t mapped[MAP_OUTCOME_COUNT];
    uint64_t too_old; /* rules that did not match for max_age */
    uint64_t verdicts[VERDICT_COUNT], settled[SETTLED_COUNT];
    uint64_t repeats; /* of requests, by libcurl */
    uint64_t letters_stored, letters_failed;
    uint64_t redriven;     /* events that came back */
    uint64_t redrive_gone; /* calls of them that the rules do not make any more */
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

enum { RETIRED_MAX = 8 };

/* Configurations that took the place of the first one. */
struct reload {
    const char *why;                     /* one is due; NULL: none */
    struct config *config;               /* in force; NULL: the first one, which is the caller's */
    struct config *retired[RETIRED_MAX]; /* requests that went out with them are under way */
    size_t retired_count;
    uint64_t done, failed;
    bool last_failed;
    int64_t sweep_due_ms, secrets_due_ms;
};

/* Whether the topics that rules name are there. */
struct topic_watch {
    enum kafka_topic_state *states; /* as the rules' topics; NULL: nobody has looked yet */
    size_t count;
    size_t at;      /* the next in this round; 0: none has begun */
    bool all;       /* this round asks for those that were there, too */
    bool found;     /* in this round */
    bool looked;    /* at all of them, since Kafka complained last */
    int64_t due_ms; /* of the next look */
};

/* Whether anything moves. */
struct stall {
    uint64_t progress; /* whatever ended so far */
    int64_t still_ms;  /* how long nothing has, without a reason */
    int64_t checked_ms;
    const char *reason; /* why nothing may move, NULL: none */
    bool stalled;
};

struct worker {
    const char *file;            /* of the configuration; borrowed */
    const struct config *config; /* in force */
    struct reload reload;
    struct topic_watch topics;
    struct stall stall;
    struct kafka *kafka;
    struct http *http;
    struct http_account **http_accounts; /* one per account, same index */
    struct core *core;
    struct dead_letters *letters; /* NULL: dead_letter.topic is empty */
    struct admin *admin;          /* NULL: admin.listen is empty */
    struct notify *notify;        /* NULL: no service manager has asked */
    int64_t status_due_ms;        /* what it is told next */
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
    int64_t commit_ok_ms; /* when one was last stored, or none was due */
    int exit_status;

    int64_t now; /* of this turn */
    struct worker_counts counts;
    struct seeing seeing;
    char *redrive_topic;   /* dead letters come back by it; NULL: they do not */
    int64_t limits_due_ms; /* of the accounts' shares; at once when partitions came or went */
    unsigned limits_asked; /* in vain, in a row */
    double *rates;         /* per account: as last logged */
    enum gate_reason *gate_reasons; /* per account: as last logged */
    enum letter_hold letter_hold;   /* as last logged */
    struct log_limit call_lines[SETTLED_COUNT][VERDICT_COUNT], unmapped_lines, letter_lines;
    struct log_limit redrive_lines;
};

/* deliver.c: events into delivery, calls onto the wire, replies back. */
extern const struct http_ops worker_http_ops;
bool worker_has_room(const struct worker *worker, struct kafka_part *part);
void worker_take(struct worker *worker, struct kafka_part *part, const struct event *event);
void worker_map_again(struct worker *worker); /* what could not be mapped; the rules are new */
bool worker_is_redrive(const struct worker *worker, const char *topic);
void worker_send(struct worker *worker);
void worker_abort_flights(struct worker *worker, const struct kafka_part *part); /* NULL: all */

/* letters.c: dead letters, from the core to the topic. */
extern const struct dead_letter_ops worker_letter_ops;
void worker_write_letters(struct worker *worker);
void worker_admit_letters(struct worker *worker); /* SIGUSR1 */

/* limits.c: what each account's gate allows, and what it says. */
void worker_set_limits(struct worker *worker);
void worker_log_holds(struct worker *worker);

/* reload.c: another configuration in place of the one in force. WHY is for the log, static. */
void worker_reload(struct worker *worker, const char *why);
void worker_reload_step(struct worker *worker);
void worker_reload_fini(struct worker *worker);
const char **worker_topics(const struct config *config,
                           size_t *ret_count); /* yours, not the texts */

/* topics.c: whether the topics that rules name are there. */
void worker_watch_topics(struct worker *worker);
void worker_forget_topics(struct worker *worker);                        /* the rules name others */
const char *worker_topic_trouble(const struct worker *worker, size_t i); /* a name, or NULL */
int64_t worker_topics_deadline(const struct worker *worker);

/* stall.c: the progress watchdog. */
void worker_watch_progress(struct worker *worker);

/* supervisor.c: what the service manager is told. */
int worker_open_supervisor(struct worker *worker, struct err *err) MUSTCHECK;
void worker_supervisor_step(struct worker *worker);
int64_t worker_supervisor_deadline(const struct worker *worker);

/* loop.c. */
struct core_limits worker_core_limits(const struct config *config);

/* metrics.c: the admin endpoint's answers, together with status.c. */
extern const struct admin_ops worker_admin_ops;
extern const char worker_page[]; /* page.html */

/* rebalance.c: partitions coming and going, commits, the way out. */
extern const struct kafka_ops worker_kafka_ops;
void worker_stop(struct worker *worker, const char *why);
bool worker_commit_step(struct worker *worker); /* true: everything that can be is committed */
bool worker_is_gap(const struct worker *worker, int64_t gap_ms); /* too long to be sure of them */
void worker_watch_gap(struct worker *worker, int64_t since_ms, int64_t now);
void worker_rebalance_step(struct worker *worker);
int64_t worker_rebalance_deadline(const struct worker *worker);

#endif
