/*
 * Writes metrics into a buf in Prometheus' text format 0.0.4, all of them called sendx_worker_*.
 * Owns nothing. A family is begun once and its samples follow at once.
 */
#ifndef BASE_PROM_OUT_H
#define BASE_PROM_OUT_H

#include <stdint.h>

#include "base/buf.h"
#include "base/stats.h"

struct prom_out {
    struct buf *buf;
    const char *name; /* of the family, without the prefix; borrowed */
};

/* TYPE: "counter", "gauge" or "histogram". HELP is one line without a backslash. */
void prom_out_family(struct prom_out *out, const char *name, const char *type, const char *help);

/* A sample with labels: pairs of texts, NULL at the end. Values may be any UTF-8. */
void prom_out_int(struct prom_out *out, int64_t value, ...) __attribute__((sentinel));
void prom_out_real(struct prom_out *out, double value, ...) __attribute__((sentinel));

/* A family with the samples of HISTOGRAM. */
void prom_out_histogram(struct prom_out *out, const char *name, const char *help,
                        const struct histogram *histogram);

#endif
