/*
 * The producer of dead letters: a Kafka topic that takes what the API refuses for good. Idempotent,
 * acks=all; a letter counts as stored only after the broker's delivery report. Owns its librdkafka
 * handle and what is on its way. It decides nothing about what becomes a letter. Used from the
 * loop's thread; ops are called from dead_letter_step only.
 */
#ifndef EDGE_DEAD_LETTER_H
#define EDGE_DEAD_LETTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/macros.h"
#include "config/config.h"
#include "rules/event.h"

struct dead_letters;

struct dead_letter_ops {
    /* How the letter of TOKEN ended: ERROR is NULL when the broker has it. TOO_LARGE: it will not
     * take it whatever is tried. */
    void (*done)(void *arg, void *token, const char *error, bool too_large);
};

/* What one letter carries: key and value of the record byte for byte, its headers, then EXTRA. */
struct dead_letter {
    const struct event *record;
    const void
        *partition_by; /* letters with the same bytes go to the same partition; NULL: the key */
    size_t partition_by_len;
    const struct event_header *extra;
    size_t extra_count;
};

/* Properties are those of the kafka section as far as a producer knows them. */
struct dead_letters *dead_letter_open(const struct kafka_config *config, const char *topic,
                                      const struct dead_letter_ops *ops, void *arg,
                                      struct err *err) MUSTCHECK;

/* Whether TOPIC is there and may be written to, as far as metadata tells; bounded, at most
 * TIMEOUT_MS. -1 with what to do in ERR. */
int dead_letter_check(struct dead_letters *letters, int64_t timeout_ms, struct err *err) MUSTCHECK;

/* Queues a copy of LETTER. -1 with ERR when the library refuses it at once (its queue is full, it
 * is too large: TOO_LARGE says so): then done is not called. */
int dead_letter_send(struct dead_letters *letters, const struct dead_letter *letter, void *token,
                     bool *ret_too_large, struct err *err) MUSTCHECK;

/* Letters on their way. */
size_t dead_letter_in_flight(const struct dead_letters *letters);

int dead_letter_fd(const struct dead_letters *letters);
int64_t dead_letter_deadline(const struct dead_letters *letters, int64_t now);
void dead_letter_step(struct dead_letters *letters, int64_t now);

/* NULL is accepted. What is on its way is forgotten without a report. */
void dead_letter_close(struct dead_letters *letters);

#endif
