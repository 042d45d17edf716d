/*
 * The commit gate: closed while a JoinGroup of this member is out. The broker holds an OffsetCommit
 * that comes after a JoinGroup and then refuses it, and librdkafka before 2.10 answers that refusal
 * by dropping the whole assignment (its issue 4059). No event tells of a JoinGroup; interceptors on
 * the library's network threads do. They touch nothing but the atomics and the eventfd in here.
 *
 * A JoinGroup is seen when it is on the wire, and a commit can be under way to the same connection
 * by then. So the gate is also closed while a JoinGroup may be about to be sent: after each answer
 * to a heartbeat or a SyncGroup, which is how a member hears of a rebalance, or with metadata, by
 * which the leader of a group sees that topics have changed, and after partitions were taken away.
 * librdkafka 2.0.2 lets a second pass between two JoinGroups and sends a delayed one when its main
 * thread next has something to do, which must not be our commit: it is made to have something to do
 * first.
 *
 * It is closed as well while the coordinator does not answer heartbeats, and from the end of the
 * connection to it until it has answered one. The library would keep a commit until there is a
 * coordinator again and then send it again until it is taken, a rebalance later if need be.
 */
#ifndef EDGE_KAFKA_GATE_H
#define EDGE_KAFKA_GATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <librdkafka/rdkafka.h>

#include "base/macros.h"

struct kafka_gate {
    atomic_bool join_out;
    atomic_int_least64_t joined_ms; /* when the last JoinGroup was sent */
    atomic_int_least64_t heard_ms;  /* when the last of those answers came */
    atomic_int_least64_t alive_ms;  /* when the coordinator last answered as such */
    atomic_bool assignment_due;     /* JoinGroup was answered, and no assignment has come since */
    atomic_bool joined;             /* at some time it was */
    int wake_fd;                    /* written to when the gate opens; borrowed */
    int64_t heartbeat_ms;           /* between two of them */
    int64_t settle_ms;              /* how long what follows an answer may take */

    /* Of the loop's thread. */
    int64_t settled_ms; /* answers up to then have brought no JoinGroup */
    int64_t nudged_ms;  /* when the main thread was last given something to do */
    int64_t expect_ms;  /* a JoinGroup may be next until then */
};

/* Makes the consumer that will be created from CONF report to GATE, which must outlive it. */
void kafka_gate_init(struct kafka_gate *gate, rd_kafka_conf_t *conf, int wake_fd);

/* What the interceptors tell, of any thread: a request was sent, an answer came. */
void kafka_gate_sent(struct kafka_gate *gate, int16_t api_key);
void kafka_gate_answered(struct kafka_gate *gate, int16_t api_key);

/* The same: there is no connection to the coordinator. */
void kafka_gate_alone(struct kafka_gate *gate);

/* Partitions were given back, so a JoinGroup follows. */
void kafka_gate_expect(struct kafka_gate *gate, int64_t now);

/* An assignment came, or will come without another JoinGroup. */
void kafka_gate_assigned(struct kafka_gate *gate);
void kafka_gate_expect_assignment(struct kafka_gate *gate);

/* Whether the library may be about to give an assignment, or has given one that was not looked at.
 * It goes on to be so when it is to join once more with a delay, or somebody else's turn takes
 * long. */
bool kafka_gate_assignment_is_due(const struct kafka_gate *gate);

/* To be called once a turn with the consumer. Returns when next at the latest, absolute. */
int64_t kafka_gate_step(struct kafka_gate *gate, rd_kafka_t *rk, int64_t now) MUSTCHECK;

bool kafka_gate_is_open(const struct kafka_gate *gate, int64_t now);

/* While the library waits for partitions to be given back, it sends a JoinGroup on no account. But
 * what it keeps until there is a coordinator would be sent when they are somebody else's. */
bool kafka_gate_is_open_revoking(const struct kafka_gate *gate, int64_t now);

#endif
