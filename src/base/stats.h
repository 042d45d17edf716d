/*
 * Numbers that are counted: histograms with bounds that are given once, and rates over the last
 * seconds. Plain data, embedded; owns nothing; `now` is a parameter.
 */
#ifndef BASE_STATS_H
#define BASE_STATS_H

#include <stddef.h>
#include <stdint.h>

enum { STATS_BUCKETS_MAX = 20, STATS_SECONDS = 10 };

/* How often a number was at most each of BOUNDS, as Prometheus has it, but not added up. */
struct histogram {
    const double *bounds;                   /* ascending; borrowed */
    size_t bound_count;                     /* at most STATS_BUCKETS_MAX */
    uint64_t counts[STATS_BUCKETS_MAX + 1]; /* the last: above all bounds */
    double sum;
};

void histogram_init(struct histogram *histogram, const double *bounds, size_t bound_count);
void histogram_add(struct histogram *histogram, double value);
uint64_t histogram_count(const struct histogram *histogram);

/* The rate of a counter, from its value at each of the last STATS_SECONDS seconds. Zeroed is ready.
 */
struct meter {
    uint64_t values[STATS_SECONDS + 1];
    int64_t times_ms[STATS_SECONDS + 1];
    size_t count, at; /* how many are known; the newest */
};

/* To be called about once a second with the counter's value. */
void meter_note(struct meter *meter, uint64_t value, int64_t now);
double meter_rate(const struct meter *meter); /* a second; 0 while nothing is known */

#endif
