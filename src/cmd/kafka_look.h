/*
 * Records of Kafka for commands that look at some. Read-only: in no consumer group, and nothing is
 * committed. Owns the copies.
 */
#ifndef CMD_KAFKA_LOOK_H
#define CMD_KAFKA_LOOK_H

#include "config/config.h"
#include "delivery/record.h"

enum {
    KAFKA_LOOK_MAX = 10000,                  /* records */
    KAFKA_LOOK_BYTES_MAX = 256 * 1024 * 1024 /* what they may hold together */
};

/* In the order of their timestamps; where these are equal, of partition and offset. */
struct kafka_look {
    struct record **items;
    size_t count, cap, bytes;
};

/* Whether TEXT is "topic:partition:offset". */
bool kafka_look_is_place(const char *text);

/* Reads the record at PLACE, which is such a text. */
int kafka_look_at(struct kafka_look *look, const struct kafka_config *config, const char *place,
                  struct err *err) MUSTCHECK;

/* Reads the last COUNT records of TOPIC, all partitions together, by their timestamps; fewer where
 * there are not so many. */
int kafka_look_last(struct kafka_look *look, const struct kafka_config *config, const char *topic,
                    size_t count, struct err *err) MUSTCHECK;

void kafka_look_fini(struct kafka_look *look);

#endif
