/*
 * Records into one topic, in transactions: of two producers with the same id the younger one ends
 * the older one and what it has not committed, and what a killed one left behind is undone. So with
 * readers that take committed records only, a record that is there is there once. Owns its
 * librdkafka handle and what is on its way. It waits for the network, so it is for commands and
 * never for the worker's loop.
 */
#ifndef EDGE_KAFKA_TRANSACTION_H
#define EDGE_KAFKA_TRANSACTION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/macros.h"
#include "config/config.h"
#include "rules/event.h"

struct kafka_transaction;

struct kafka_transaction *kafka_transaction_open(const struct kafka_config *config, const char *id,
                                                 const char *topic, struct err *err) MUSTCHECK;

/* What may take long is asked for again until it is done; nothing else is to be called meanwhile.
 * An error of any of these is the end: abort, close. */

/* Ends an older producer of the same id. To be done before anything is read that it may have
 * written. */
int kafka_transaction_init(struct kafka_transaction *transaction, int64_t timeout_ms,
                           bool *ret_done, struct err *err) MUSTCHECK;

int kafka_transaction_begin(struct kafka_transaction *transaction, struct err *err) MUSTCHECK;

/* Adds a record with the key and value of EVENT, and HEADERS; copied. NUMBER is the caller's name
 * for it. Not DONE: too much is on its way, once more after a while (it waits up to TIMEOUT_MS for
 * that). */
int kafka_transaction_send(struct kafka_transaction *transaction, int32_t partition,
                           const struct event *event, const struct event_header *headers,
                           size_t header_count, size_t number, int64_t timeout_ms, bool *ret_done,
                           struct err *err) MUSTCHECK;

int kafka_transaction_commit(struct kafka_transaction *transaction, int64_t timeout_ms,
                             bool *ret_done, struct err *err) MUSTCHECK;

/* After an error: whether the broker refused a record of the open transaction for its size, and
 * which. Of records that were refused together it is the largest. */
bool kafka_transaction_too_large(const struct kafka_transaction *transaction, size_t *ret_number);

/* As far as TIMEOUT_MS allows: the next one of the same id does the rest. */
void kafka_transaction_abort(struct kafka_transaction *transaction, int64_t timeout_ms);

void kafka_transaction_close(struct kafka_transaction *transaction); /* NULL is accepted */

#endif
