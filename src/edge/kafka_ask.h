/*
 * Questions to Kafka, by a handle of their own: on the consuming handle they would
 * wait for the open Fetch. Owns the handle and its queue. It knows nothing of who is assigned what.
 */
#ifndef EDGE_KAFKA_ASK_H
#define EDGE_KAFKA_ASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <librdkafka/rdkafka.h>

#include "base/err.h"
#include "base/macros.h"
#include "config/config.h"
#include "edge/kafka.h"

struct kafka_ask;

/* The answer to kafka_ask_committed. PARTITIONS is borrowed for the call: offset and metadata (not
 * NUL-terminated) as they are committed, a negative offset where nothing is, err where it could not
 * be said. ERROR is NULL, or why there is no answer at all; PARTITIONS is NULL then. */
typedef void kafka_ask_answer(void *arg, const rd_kafka_topic_partition_list_t *partitions,
                              const char *error);

/* WAKE_FD is an eventfd that is written to when kafka_ask_step has something to do. */
struct kafka_ask *kafka_ask_open(const struct kafka_settings *settings, int wake_fd,
                                 struct err *err) MUSTCHECK;
void kafka_ask_close(struct kafka_ask *ask); /* NULL is accepted */

/* How many partitions the topics have together, each counted once; "^" begins an expression as in
 * a subscription. 0 when nobody answers within TIMEOUT_MS, or when there are none. Blocks. */
int64_t kafka_ask_partitions(struct kafka_ask *ask, const char *const *topics, size_t count,
                             int timeout_ms);

/* One topic by its name, which creates nothing. Blocks, at most for a second. */
enum kafka_topic_state kafka_ask_topic(struct kafka_ask *ask, const char *topic);

/* Asks for the group's committed offsets. One question at a time: the answer to an earlier one is
 * dropped. PARTITIONS stays the caller's. */
void kafka_ask_committed(struct kafka_ask *ask, const rd_kafka_topic_partition_list_t *partitions);

/* Calls ANSWER when there is one. True when it stopped at its budget with work left. */
bool kafka_ask_step(struct kafka_ask *ask, int64_t now, kafka_ask_answer *answer, void *arg);

/* Sets each offset to where reading begins when nothing was committed, or to -1 where that could
 * not be found out, which is an error: a partition without a leader, as a rule, which keeps no
 * other one waiting. A time after the last record means the end. Blocks, as a rule for
 * milliseconds, at most for seven seconds. */
int kafka_ask_start(struct kafka_ask *ask, enum kafka_start start, int64_t start_ms,
                    rd_kafka_topic_partition_list_t *partitions, struct err *err) MUSTCHECK;

/* Sets each offset to the partition's first one, or to its end. Blocks, as a rule for a few
 * milliseconds, at most for a tenth of a second. */
int kafka_ask_begins(struct kafka_ask *ask, rd_kafka_topic_partition_list_t *partitions,
                     struct err *err) MUSTCHECK;
int kafka_ask_ends(struct kafka_ask *ask, rd_kafka_topic_partition_list_t *partitions,
                   struct err *err) MUSTCHECK;

#endif
