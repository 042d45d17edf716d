/*
 * A record of Kafka as rules see it. Borrows everything for the time of one call.
 */
#ifndef RULES_EVENT_H
#define RULES_EVENT_H

#include <stddef.h>
#include <stdint.h>

#define EVENT_NO_TIME (-1)

struct event_header {
    const char *name;
    const void *value; /* NULL: null */
    size_t value_len;
};

struct event {
    const char *topic;
    int32_t partition;
    int64_t offset;
    int64_t timestamp_ms; /* since 1970, or EVENT_NO_TIME */
    const void *key;      /* NULL: none */
    size_t key_len;
    const void *payload; /* NULL: a tombstone */
    size_t payload_len;
    const struct event_header *headers;
    size_t header_count;
    /* Of one that came back by redrive; rules do not look at it. */
    unsigned redrives;      /* how often it did; 0: never */
    const void *only_calls; /* its sx-calls: no others are to be sent; NULL: all */
    size_t only_calls_len;
};

#endif
