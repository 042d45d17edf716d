/*
 * The consumer: membership in the group, records, commits. Wraps librdkafka's event interface
 * behind one eventfd. Owns the consuming handle, a second handle for questions (edge/kafka_ask),
 * and one kafka_part per owned partition. It decides nothing about what may be committed or read:
 * the worker does, through kafka_ops. All functions are called from the loop's thread; ops are
 * called from kafka_step only.
 */
#ifndef EDGE_KAFKA_H
#define EDGE_KAFKA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/macros.h"
#include "config/config.h"
#include "rules/event.h"

struct kafka;

/* One assignment of one partition. A partition that comes back gets a new one. */
struct kafka_part;

/* How a commit ended. But for the first, none of its offsets counts as stored. When the group has
 * put this member out, ops->lost follows at once. */
enum kafka_commit {
    KAFKA_COMMIT_STORED,
    KAFKA_COMMIT_AGAIN,     /* repeating can help while the partitions are ours */
    KAFKA_COMMIT_TOO_LARGE, /* a metadata text is longer than the broker allows */
    KAFKA_COMMIT_REFUSED
};

struct kafka_ops {
    /* PART is ours and is read from kafka_part_offset() on. Set kafka_part_set_user here. */
    void (*assigned)(void *arg, struct kafka_part *part);

    /* The group has shared out its partitions anew: the shares of others may have changed where
     * ours has not. Before ops->assigned. */
    void (*rebalanced)(void *arg);

    /* The group wants these back. They are not read any more; once they are drained and committed
     * the worker calls kafka_release, which frees them. */
    void (*revoked)(void *arg, struct kafka_part **parts, size_t count);

    /* These may be somebody else's already: commit nothing. Freed on return. See kafka_era. */
    void (*lost)(void *arg, struct kafka_part **parts, size_t count);

    /* May another record of PART be handed over? Asked before each. */
    bool (*has_room)(void *arg, struct kafka_part *part);

    /* A record; EVENT is borrowed for the call. */
    void (*record)(void *arg, struct kafka_part *part, const struct event *event);

    /* The answer to kafka_commit. When it is STORED: but for those of REFUSED, which the broker
     * refuses for reasons of their own. */
    void (*committed)(void *arg, enum kafka_commit answer, struct kafka_part **refused,
                      size_t count);

    /* The membership cannot go on (fatal error): drain and leave. Called once. */
    void (*failed)(void *arg, const char *reason);
};

struct kafka_settings {
    const struct kafka_config *config;
    int64_t prefetch_bytes;    /* for all partitions together */
    const char *const *topics; /* subscription; "^" begins an expression */
    size_t topic_count;
    /* One of them that may be made while everything runs: that it is not there is no warning, and
     * it is read from its beginning, whatever kafka.start says. NULL: none. */
    const char *late_topic;
    const char *const *excluded; /* never read, whatever an expression matches; "" is passed over */
    size_t excluded_count;
};

/* One offset of a commit: the next one to read. METADATA is text, or NULL. */
struct kafka_offset {
    struct kafka_part *part;
    int64_t offset;
    const char *metadata;
};

/* Creates the handles and subscribes. Nothing is read before the first kafka_step. SETTINGS is
 * borrowed for the call. NULL on error. */
struct kafka *kafka_open(const struct kafka_settings *settings, const struct kafka_ops *ops,
                         void *arg, struct err *err) MUSTCHECK;

/* Another subscription in place of the one before: partitions of topics that are no longer in it
 * come back by ops->revoked, those of new ones by ops->assigned. -1: nothing has changed. */
int kafka_subscribe(struct kafka *kafka, const char *const *topics, size_t count,
                    struct err *err) MUSTCHECK;

/* For poll(2): POLLIN when kafka_step has something to do. Set non-blocking. */
int kafka_fd(const struct kafka *kafka);

/* When kafka_step must be called at the latest, absolute; `now` while work is left. */
int64_t kafka_deadline(const struct kafka *kafka, int64_t now);

/* Handles events of the library, then hands over at most RECORD_BUDGET records, always of the
 * partition with room whose next record has the oldest timestamp. */
void kafka_step(struct kafka *kafka, int64_t now, size_t record_budget);

/* Whether a commit may be started: none is out and no JoinGroup is (librdkafka before 2.10 drops
 * the assignment otherwise, its issue 4059). */
bool kafka_can_commit(const struct kafka *kafka);

/* Starts one commit of all OFFSETS; needs kafka_can_commit. The answer comes by ops->committed. */
void kafka_commit(struct kafka *kafka, const struct kafka_offset *offsets, size_t count);

/* Answers the last ops->revoked: gives the partitions back and frees them. */
void kafka_release(struct kafka *kafka);

/* Leaves the group: what is still owned comes back by ops->revoked. Done when kafka_is_closed,
 * which is wanted by BY_MS, an absolute time. */
void kafka_leave(struct kafka *kafka, int64_t by_ms);
bool kafka_is_closed(const struct kafka *kafka);

/* After so long without a sign of life the group gives a member's partitions to others. */
int64_t kafka_session_timeout_ms(const struct kafka *kafka);

/* The group's generation at the last assignment, and far more with each membership that may be
 * another than the one before.
 *
 * A partition that was lost in one era and comes back at most KAFKA_OWN_ERAS later was nobody
 * else's in between. When it is lost in generation L, the member had asked for L + 1 claiming it,
 * and a cooperative group gives what is claimed to nobody else: not in L + 1. In L + 2 it claims
 * nothing, so whoever is assigned the partition then is its next owner. Nor was the group without
 * a member meanwhile, so nobody has set its offsets: Kafka does not allow that while there are
 * members. What the library gives up by itself, as when it takes a topic for gone, it does not
 * claim: that is like another membership. */
int64_t kafka_era(const struct kafka *kafka);
enum { KAFKA_OWN_ERAS = 2 };

/* Whether the library cannot be got rid of: then the process ends with it, by _exit. */
bool kafka_must_be_left(const struct kafka *kafka);

/* Frees everything; NULL is accepted. Without kafka_leave the group learns of it by the session
 * timeout. Does nothing to what must be left. */
void kafka_close(struct kafka *kafka);

/* How many partitions the topics have together; "^" begins an expression. 0 when nobody answers
 * within TIMEOUT_MS. Blocks, as a rule for milliseconds: for assignments only. */
int64_t kafka_count_partitions(struct kafka *kafka, const char *const *topics, size_t count,
                               int timeout_ms);

enum kafka_topic_state {
    KAFKA_TOPIC_THERE,
    KAFKA_TOPIC_MISSING,
    KAFKA_TOPIC_DENIED, /* we may not know of it */
    KAFKA_TOPIC_UNKNOWN /* nobody answers */
};

/* Blocks, as a rule for milliseconds, at most for a second. TOPIC is a name and no expression. */
enum kafka_topic_state kafka_look_for_topic(struct kafka *kafka, const char *topic);

/* Whether records wait to be handed over, or to be looked at. */
bool kafka_has_records(const struct kafka *kafka);

/* Whether, since this was asked last, an error has said that some topic is not there or not ours.
 */
bool kafka_doubts_topics(struct kafka *kafka);

/* Why the group does not let us in, by name, or NULL. */
const char *kafka_trouble(const struct kafka *kafka);

/* Asks where the partitions that are read end. Blocks, as a rule for a few milliseconds, at most
 * for a tenth of a second. -1: the ends stay as they were known. */
int kafka_find_ends(struct kafka *kafka, struct err *err) MUSTCHECK;

const char *kafka_part_topic(const struct kafka_part *part);
int32_t kafka_part_number(const struct kafka_part *part);
/* Why nothing comes from PART, by name, or NULL: "out_of_range" (until it is assigned anew),
 * "topic_missing" or "topic_not_authorized" (until the next record). */
const char *kafka_part_trouble(const struct kafka_part *part);
int64_t kafka_part_offset(const struct kafka_part *part);    /* where reading began */
int64_t kafka_part_committed(const struct kafka_part *part); /* the group's, -1: none yet */

/* What was committed with it; not NUL-terminated, NULL where there is none. */
const char *kafka_part_metadata(const struct kafka_part *part, size_t *ret_len);
int64_t kafka_part_end(const struct kafka_part *part); /* by kafka_find_ends, -1: not yet */
void kafka_part_set_user(struct kafka_part *part, void *user);
void *kafka_part_user(const struct kafka_part *part);

#endif
