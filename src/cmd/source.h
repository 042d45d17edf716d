/*
 * Where commands that look at events have them from: JSON lines of a file or of standard input, or
 * Kafka, which is only read: in no consumer group, and nothing is committed. Owns nothing.
 */
#ifndef CMD_SOURCE_H
#define CMD_SOURCE_H

#include "config/config.h"

enum { SOURCE_RULES_MAX = 2 };

/* What the command line says. */
struct source_order {
    const char *input; /* a file; "-" and, where nothing else is said, NULL: standard input */
    const char *topic; /* in Kafka; of lines: each is a payload of it */
    const char *at;    /* topic:partition:offset */
    size_t last;       /* records of each topic, or 0 */
    int64_t since_ms;  /* since 1970, or EVENT_NO_TIME */
    int64_t wait_ms;   /* for records that are yet to come; 0: none */
};

/* EVENT and WHERE, such as "events.jsonl:3" or "topic:partition:offset", are borrowed for the call.
 * Not 0: enough. */
typedef int source_take(void *opaque, const struct event *event, const char *where);

struct source {
    const char *command; /* for what is said on standard error */
    const struct source_order *order;
    const struct kafka_config *kafka;
    /* Whose topics are read where none is named; NULL behind the last. */
    const struct ruleset *rules[SOURCE_RULES_MAX];
    int signals; /* signals_open, to be interrupted by; -1: not */
    source_take *take;
    void *opaque;

    size_t events; /* that were given */
    int signal;    /* that interrupted it; 0: none */
};

/* Whether the events are in Kafka. */
bool source_is_kafka(const struct source_order *order);

/* Says what is wrong with ORDER on standard error. */
int source_check(const char *command, const struct source_order *order) MUSTCHECK;

/* Gives all events, until there is enough or a signal came. Returns CMD_OK; CMD_FAILED when Kafka
 * could not be read, CMD_WRONG when the file or a line of it is wrong: that has been said. */
int source_run(struct source *source) MUSTCHECK;

#endif
