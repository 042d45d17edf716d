/*
 * The consumer's state, shared by kafka.c (life, records), kafka_commit.c, kafka_range.c,
 * kafka_coming.c, kafka_going.c (partitions) and kafka_group.c (what these two share) only. All of
 * it but the gate belongs to the loop's thread.
 */
#ifndef EDGE_KAFKA_STATE_H
#define EDGE_KAFKA_STATE_H

#include "base/list.h"
#include "edge/kafka.h"
#include "edge/kafka_ask.h"
#include "edge/kafka_gate.h"
#include "edge/kafka_log.h"
#include "edge/kafka_part.h"

enum kafka_life {
    KAFKA_MEMBER,
    KAFKA_LEAVING, /* kafka_leave was called */
    KAFKA_CLOSING, /* the library is on its way out of the group */
    KAFKA_CLOSED
};

/* A partition that could be read on. */
struct kafka_candidate {
    int64_t head_ms;
    struct kafka_part *part;
};

struct kafka {
    struct kafka_ops ops;
    void *arg;
    char *group_id;
    enum kafka_start start;
    int64_t start_ms;
    char *late_topic;     /* NULL: none */
    bool late_is_missing; /* it was said */

    int fd; /* eventfd of all queues and the gate */
    rd_kafka_t *rk;
    rd_kafka_queue_t *main;    /* everything but records */
    rd_kafka_queue_t *closing; /* takes its place while leaving; NULL before */
    struct kafka_ask *ask;
    struct kafka_gate gate;
    struct kafka_log log;

    /* Each kafka_part is in one of these. */
    struct list asking;   /* ours, but from where to read is not known yet */
    struct list reading;  /* ops->assigned was called */
    struct list revoking; /* ops->revoked was called */
    struct list fenced;   /* ops->lost was called, and the library does not know better yet */
    size_t part_count;    /* of all four */

    int64_t session_timeout_ms;
    char *member_id;     /* at the last assignment, or NULL */
    int32_t generation;  /* then, or -1 */
    int64_t memberships; /* that cannot be said to be the same */
    int64_t era;

    bool topics_doubted; /* since the worker asked */
    bool group_denied;   /* until partitions are assigned */
    bool eager;          /* the group's protocol: assignments are given and taken as a whole */
    bool revoke_due;     /* ops->revoked was called, kafka_release was not */
    bool question_out;
    int64_t ask_due_ms;   /* of the next question; CLOCK_NEVER: nothing to ask */
    int64_t ask_delay_ms; /* after the next failure */

    enum kafka_life life;
    int64_t leave_by_ms;  /* when the caller wants it to be over */
    int64_t close_due_ms; /* while leaving: not to be put off any longer */
    bool was_assigned;    /* an assignment came, if only an empty one */
    bool stuck;           /* the library cannot be closed */
    bool failed;
    char *failure; /* to be reported by the next step */

    /* The commit that is out, or NULL. Those that did not fail by themselves stand first and are
     * sent together; COMMIT_LEN of them from COMMIT_AT on are sent now. */
    rd_kafka_topic_partition_list_t *commit;
    int commit_at, commit_len;
    bool commit_waits; /* for the gate to open */
    bool commit_stale; /* partitions have gone since it began: the rest is not sent */
    struct log_limit commit_lines;
    rd_kafka_resp_err_t commit_refused; /* at once; to be reported by the next step */

    struct kafka_candidate *candidates; /* room for part_count */
    struct event_header *headers;       /* of the record being handed over */
    size_t header_cap;

    int64_t now_ms;       /* of the last step */
    int64_t range_due_ms; /* no question for a partition's offsets before */
    int64_t gate_due_ms;  /* of its next step */
    int64_t poll_due_ms;  /* the library wants to be polled even when nothing happens */
    bool events_left, records_left;
};

/* The library's answer to what was sent last of the commit that is out, or how sending it failed.
 */
void kafka_commit_answered(struct kafka *kafka, rd_kafka_event_t *event);
void kafka_commit_done(struct kafka *kafka, rd_kafka_resp_err_t error);

/* Sends the next part of the commit that is out. The gate is closed for a moment after each
 * heartbeat: then it waits. */
void kafka_commit_go_on(struct kafka *kafka);

/* Reads on where an offset was found to be there after all. One partition at a time, since it
 * blocks: as a rule for a few milliseconds, at most for a fifth of a second, and never for more
 * than a fifth of the time, however many partitions are in doubt. */
void kafka_range_step(struct kafka *kafka);

/* The library's rebalance events. */
void kafka_coming_assign(struct kafka *kafka, const rd_kafka_topic_partition_list_t *partitions);
void kafka_going_revoke(struct kafka *kafka, const rd_kafka_topic_partition_list_t *partitions);

/* Asks, takes answers, and assigns what is known. True when there is work left. */
bool kafka_coming_step(struct kafka *kafka);

/* A commit was answered so that the assignment must be over: ops->lost, before the library says so.
 */
void kafka_going_fence(struct kafka *kafka);

/* One that ops->assigned was called for and ops->lost was not, or NULL. */
struct kafka_part *kafka_group_find(struct kafka *kafka, const char *topic, int32_t number);

/* Has PART assigned anew where it is to be read on; an eager group's partitions all with it. Only
 * while no rebalance is under way. */
void kafka_coming_restart(struct kafka *kafka, struct kafka_part *part);

/* Membership ends now: drops what was never read, and the library begins to leave. */
void kafka_going_leave(struct kafka *kafka, int64_t by_ms);

/* Until when leaving may wait for an assignment that is on its way: half of the time that is left
 * at the most, so that the library has some to leave in. */
int64_t kafka_going_close_due(const struct kafka *kafka);

/* Leaves once nothing that would get into the library's way is under way. */
void kafka_going_leave_step(struct kafka *kafka);

/* The library is out of the group: what there still is was lost. */
void kafka_going_forget(struct kafka *kafka);

/* Frees what there still is and calls nobody. */
void kafka_group_fini(struct kafka *kafka);

/* To be reported as ops->failed by the next step. */
void kafka_fail(struct kafka *kafka, const char *reason);

#endif
