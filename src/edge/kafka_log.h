/*
 * librdkafka's log lines and errors as lines of our log, masked, the same one at most once in ten
 * seconds, so that an outage of hours does not fill the log. Owns only a small table of what was
 * said when.
 */
#ifndef EDGE_KAFKA_LOG_H
#define EDGE_KAFKA_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <librdkafka/rdkafka.h>

#include "base/log_limit.h"

struct kafka_log {
    bool quiet; /* a handle that only asks: its troubles are reported by who asked */
    struct log_kinds kinds;
};

void kafka_log_init(struct kafka_log *log, bool quiet);

/* What the library's log callback was given, as `kafka.log`. */
void kafka_log_text(struct kafka_log *log, int syslog_level, const char *facility, const char *text,
                    int64_t now);

/* The same of an event of type LOG. */
void kafka_log_line(struct kafka_log *log, rd_kafka_event_t *event, int64_t now);

/* As `kafka.error`. Errors of the library itself (code below 0) are told apart by code only, those
 * of a broker by their text, too, which names the topic. */
void kafka_log_error(struct kafka_log *log, rd_kafka_resp_err_t code, const char *text,
                     int64_t now);

#endif
