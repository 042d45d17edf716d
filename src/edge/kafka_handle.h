/*
 * The settings librdkafka's handles are made with: our defaults, the user's properties, and what
 * the worker must own. Keeps nothing.
 */
#ifndef EDGE_KAFKA_HANDLE_H
#define EDGE_KAFKA_HANDLE_H

#include <stdint.h>

#include <librdkafka/rdkafka.h>

#include "base/err.h"
#include "base/macros.h"
#include "config/config.h"

/* For the consumer. PARTITIONS is how many the subscribed topics have, or 0 when nobody could say;
 * with PREFETCH_BYTES it limits what each partition holds before it is read. */
rd_kafka_conf_t *kafka_consumer_conf(const struct kafka_config *config, int64_t prefetch_bytes,
                                     int64_t partitions, struct err *err) MUSTCHECK;

/* For the handle that asks questions. */
rd_kafka_conf_t *kafka_producer_conf(const struct kafka_config *config, struct err *err) MUSTCHECK;

/* For the handle of a reader that is no member of any group (edge/kafka_read). */
rd_kafka_conf_t *kafka_reader_conf(const struct kafka_config *config, struct err *err) MUSTCHECK;

/* Has the library behave as if TOPICS were not there, beside those that the user's own
 * topic.blacklist names; an expression in a subscription cannot leave anything out. "" is passed
 * over. */
int kafka_exclude(rd_kafka_conf_t *conf, const char *const *topics, size_t count,
                  struct err *err) MUSTCHECK;

/* The number that NAME has in CONF. */
int64_t kafka_conf_number(const rd_kafka_conf_t *conf, const char *name);

/* The best compression that the library was built with: a record near its topic's limit, which its
 * own producer had compressed, fits in another topic only compressed as well. */
void kafka_set_codec(rd_kafka_conf_t *conf);

/* Consumes *CONF, also on error. */
rd_kafka_t *kafka_handle_new(rd_kafka_type_t type, rd_kafka_conf_t **conf,
                             struct err *err) MUSTCHECK;

#endif
