/*
 * What the demonstration tells at its end, on standard output: whether every contact is what the
 * events say, and what happened. Owns nothing.
 */
#ifndef SANDBOX_REPORT_H
#define SANDBOX_REPORT_H

#include <stddef.h>
#include <stdint.h>

#include "sandbox/broker.h"
#include "sandbox/sample.h"
#include "sandbox/service.h"

struct report {
    const struct service *service;
    const struct broker *broker;
    const struct sample *sample;
    const char *group, *api_address;
    const char *worker, *conf, *log; /* files */
    int64_t waited_ms;               /* from the start of the worker to its first call */
    int64_t delivered_ms;            /* from there until the last offset was committed */
};

/* Compares all contacts with what the events say. The number of contacts that differ; 0 is success.
 */
size_t report_check(const struct report *report);
void report_differences(const struct report *report); /* prints the first few */

void report_events(const struct report *report); /* what happened, in numbers */
void report_people(const struct report *report); /* five contacts before and after */
void report_next(const struct report *report);   /* what to try next */

/* Where to look while the demonstration goes on. */
void report_addresses(const struct report *report);

/* The last lines of the worker's log. */
void report_log_tail(const char *file);

#endif
