/*
 * The metrics by partition and by rule, which metrics.c puts behind its own. Every family has a
 * bound; what is past it is counted.
 */
#ifndef WORKER_METRICS_H
#define WORKER_METRICS_H

#include <stddef.h>

#include "base/prom_out.h"

struct worker;

/* Things of which a scrape has no series, for want of room. */
struct metrics_left_out {
    size_t partitions, topics, tags, paths;
};

size_t metrics_add_parts(struct prom_out *out, const struct worker *worker);
void metrics_add_rules(struct prom_out *out, const struct worker *worker,
                       struct metrics_left_out *left_out);

#endif
