/*
 * Reads topics without being a member of a group: nothing is subscribed to, nothing is committed,
 * and no worker notices. One partition at a time, by offset; records of transactions only once they
 * are committed. Owns its librdkafka handle and the record that was given out last. It waits for
 * the network, so it is for commands and never for the worker's loop.
 */
#ifndef EDGE_KAFKA_READ_H
#define EDGE_KAFKA_READ_H

#include <stdint.h>

#include "base/err.h"
#include "base/macros.h"
#include "config/config.h"
#include "rules/event.h"

struct kafka_read;

/* NULL when librdkafka refuses the configuration. Nobody is connected to yet. */
struct kafka_read *kafka_read_open(const struct kafka_config *config, struct err *err) MUSTCHECK;

/* How many partitions TOPIC has; 0: there is no such topic. */
int kafka_read_partitions(struct kafka_read *read, const char *topic, int32_t *ret_count,
                          struct err *err) MUSTCHECK;

/* Tells TAKE of all topics that there are, Kafka's own ones among them. */
typedef void kafka_read_topic(void *opaque, const char *topic, int32_t partitions);
int kafka_read_topics(struct kafka_read *read, kafka_read_topic *take, void *opaque,
                      struct err *err) MUSTCHECK;

/* The first offset that is still there, and one past the last that can be read: where an open
 * transaction begins, or the end. */
int kafka_read_bounds(struct kafka_read *read, const char *topic, int32_t partition,
                      int64_t *ret_begin, int64_t *ret_end, struct err *err) MUSTCHECK;

/* The first offset whose record has a timestamp of TIME_MS or later; END where there is none. */
int kafka_read_since(struct kafka_read *read, const char *topic, int32_t partition, int64_t time_ms,
                     int64_t end, int64_t *ret_offset, struct err *err) MUSTCHECK;

/* What a question for a record came to. */
enum kafka_read_state {
    KAFKA_READ_RECORD,
    KAFKA_READ_END,    /* there is none: behind the last one, or that offset is gone */
    KAFKA_READ_WAITING /* not within the time given: ask again */
};

/* From here on kafka_read_next gives the records of PARTITION from offset FROM on, below END. The
 * end must be there already (kafka_read_bounds). */
int kafka_read_range(struct kafka_read *read, const char *topic, int32_t partition, int64_t from,
                     int64_t end, struct err *err) MUSTCHECK;

/* The next one. EVENT is borrowed until the next call of anything here. When Kafka is silent for
 * half a minute, or refuses the topic, that is an error. */
int kafka_read_next(struct kafka_read *read, int64_t timeout_ms, enum kafka_read_state *ret_state,
                    struct event *ret_event, struct err *err) MUSTCHECK;

/* The record at OFFSET. Asked in ascending order, near ones are read one behind the other; any
 * other order costs a fetch each. After WAITING ask for the same one again. */
int kafka_read_at(struct kafka_read *read, const char *topic, int32_t partition, int64_t offset,
                  int64_t timeout_ms, enum kafka_read_state *ret_state, struct event *ret_event,
                  struct err *err) MUSTCHECK;

void kafka_read_close(struct kafka_read *read); /* NULL is accepted */

#endif
