/*
 * What the worker shows of itself as JSON, and what the metrics share with that. Owns nothing;
 * changes nothing.
 */
#ifndef WORKER_STATUS_H
#define WORKER_STATUS_H

#include "base/buf.h"
#include "delivery/core.h"
#include "edge/kafka.h"

struct worker;

/* A partition as it is shown; -1 where a number is not known. */
struct part_status {
    struct core_part_view view;
    const struct core_counts *counts;
    int64_t age_ms; /* of the oldest event that is not finished, by its timestamp */
    int64_t lag;    /* from the first event that is not finished to the end */
    int64_t unread; /* from the next one to be read to the end */
};

void worker_part_status(const struct kafka_part *part, struct part_status *ret);

/* "reading", "held", "stopped" or "revoked". */
const char *worker_part_state(const struct kafka_part *part, const struct core_part_view *view);

/* Why a partition is not read further though it could be: "event_held", "progress_full", or NULL.
 */
const char *worker_part_hold(const struct core_part_view *view);

/* The partitions that are owned, by topic and number; an array, yours to xfree. */
struct kafka_part **worker_parts(const struct worker *worker, size_t *ret_count);

const char *worker_phase_name(const struct worker *worker);

/* Adds one JSON object. ARG: the struct worker. */
void worker_add_status(void *arg, struct buf *text);

/* probes.c: what /livez and /readyz say. Both add the reason in words, in lines without the last
 * line's end. ARG: the struct worker. */
bool worker_is_live(void *arg, struct buf *reason);
bool worker_is_ready(void *arg, struct buf *reason);

#endif
