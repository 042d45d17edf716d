/*
 * Records of Kafka's topics one after the other, from a time on and, if that is wanted, as they
 * come. Read-only: in no consumer group, and nothing is committed. Keeps no record.
 */
#ifndef CMD_KAFKA_FLOW_H
#define CMD_KAFKA_FLOW_H

#include "config/config.h"

/* Owns its texts; zeroed is empty. */
struct topic_names {
    char **items;
    size_t count, cap;
};

void topic_names_add(struct topic_names *names, const char *name);
void topic_names_fini(struct topic_names *names);

/* Adds the topics in Kafka that one of RULES, which may be NULL, reads; those that are named and
 * not there are said on standard error. An error where there is none at all. */
int kafka_flow_topics(struct topic_names *names, const struct kafka_config *config,
                      const struct ruleset *const *rules, size_t count, struct err *err) MUSTCHECK;

struct kafka_flow {
    const struct kafka_config *config;
    int64_t since_ms; /* EVENT_NO_TIME: from the end on */
    int64_t wait_ms;  /* for what comes; 0: up to the end as it is now */
    int signals;      /* a descriptor that wakes it, or -1 */
    bool (*is_interrupted)(void *opaque);
    void (*caught_up)(void *opaque); /* what was there is read; it waits from now on */
    int (*take)(void *opaque, const struct event *event); /* not 0: enough */
    void *opaque;
};

/* Partition by partition, each in its order. */
int kafka_flow_run(const struct kafka_flow *flow, const struct topic_names *topics,
                   struct err *err) MUSTCHECK;

#endif
