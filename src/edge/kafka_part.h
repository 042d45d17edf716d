/*
 * One assignment of one partition, as the kafka_* files see it: its queue, which the library fills
 * and only we read, and the one record that was taken out of it to see its timestamp. Owns both.
 */
#ifndef EDGE_KAFKA_PART_H
#define EDGE_KAFKA_PART_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <librdkafka/rdkafka.h>

#include "base/list.h"
#include "edge/kafka.h"
#include "edge/kafka_log.h"

#define KAFKA_NO_OFFSET (-1)
#define KAFKA_NO_DOUBT (-1)

struct kafka_part {
    struct list node; /* in one of the lists of struct kafka: that is its state */
    char *topic;
    int32_t number;
    int64_t offset;    /* where reading began; KAFKA_NO_OFFSET while it is asked for */
    int64_t committed; /* by the group, or KAFKA_NO_OFFSET; known when offset is */
    char *metadata;    /* committed with the offset, not NUL-terminated; NULL: none */
    size_t metadata_len;
    void *user;

    rd_kafka_queue_t *queue;  /* NULL until it is assigned and after it was closed */
    rd_kafka_message_t *head; /* the next record, or NULL */
    int64_t head_ms;          /* its timestamp, or EVENT_NO_TIME */
    int64_t next;             /* offsets below were handed over already */
    int64_t end;              /* of the partition when last asked, or KAFKA_NO_OFFSET */
    bool dry;                 /* the queue was empty when last looked at */
    bool stopped;             /* not read any more */
    bool unanswered;          /* it could not be said what is committed */
    bool assigned;            /* it is in the library's assignment */
    bool gone;                /* fenced, and revoked before */
    bool commit_fails;        /* its last commit did, by itself */
    const char *trouble;      /* why nothing comes, or NULL; static */
    int64_t doubted_ms;       /* when its leader last denied an offset, or KAFKA_NO_DOUBT */
    int64_t check_due_ms;     /* CLOCK_NEVER: it is not to be found out whether it is */
    int64_t denied_ms;        /* since when it does so asked by us, too, or KAFKA_NO_DOUBT */
};

struct kafka_part *kafka_part_new(const char *topic, int32_t number);
void kafka_part_free(struct kafka_part *part); /* NULL is accepted */
struct kafka_part *kafka_part_of(struct list *node);

/* Takes the partition's queue, so that records stay in it until they are read here, and has WAKE_FD
 * written to when it is no longer empty. To be called before the partition is assigned, with its
 * offset known. */
void kafka_part_open(struct kafka_part *part, rd_kafka_t *rk, int wake_fd);

/* The same for one that was open: its records are read again, from the next one on. */
void kafka_part_reopen(struct kafka_part *part, rd_kafka_t *rk, int wake_fd);

/* Gives up the queue and everything in it: it is read again by whoever gets the partition. */
void kafka_part_close(struct kafka_part *part);

/* Makes part->head the next record if there is one, and says so. Writes what went wrong to LOG. */
bool kafka_part_peek(struct kafka_part *part, struct kafka_log *log, int64_t now);

/* It is not read any more, until it is assigned anew. TEXT says why it is out of range. */
void kafka_part_stop(struct kafka_part *part, const char *text);

/* The head was handed over. */
void kafka_part_shift(struct kafka_part *part);

#endif
