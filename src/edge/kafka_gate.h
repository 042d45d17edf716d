/*
 * The commit gate: closed while a JoinGroup of this member is out. The broker holds an OffsetCommit
 * that comes after a JoinGroup and then refuses it, and librdkafka before 2.10 answers that refusal
 * by dropping the whole assignment (its issue 4059). No event tells of a JoinGroup; interceptors on
 * the library's network threads do. They touch nothing but the state and the eventfd in here.
 */
#ifndef EDGE_KAFKA_GATE_H
#define EDGE_KAFKA_GATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <librdkafka/rdkafka.h>

struct kafka_gate {
    atomic_int state;
    int wake_fd;             /* written to when the gate opens; borrowed */
    int64_t expect_until_ms; /* of the loop's thread only */
};

/* Makes the consumer that will be created from CONF report to GATE, which must outlive it. */
void kafka_gate_init(struct kafka_gate *gate, rd_kafka_conf_t *conf, int wake_fd);

/* A JoinGroup will follow at once: closes the gate already now, until it was answered, or for a
 * moment when none comes. */
void kafka_gate_expect(struct kafka_gate *gate, int64_t now);

bool kafka_gate_is_open(const struct kafka_gate *gate, int64_t now);

/* When a gate that waits for a JoinGroup opens by itself, absolute; else CLOCK_NEVER. */
int64_t kafka_gate_deadline(const struct kafka_gate *gate, int64_t now);

#endif
