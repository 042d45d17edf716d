#include "base/stats.h"

#include <assert.h>

void
histogram_init(struct histogram *histogram, const double *bounds, size_t bound_count)
{
    assert(bound_count <= STATS_BUCKETS_MAX);
    *histogram = (struct histogram){.bounds = bounds, .bound_count = bound_count};
}

void
histogram_add(struct histogram *histogram, double value)
{
    size_t at = 0;

    while (at < histogram->bound_count && value > histogram->bounds[at])
        at++;
    histogram->counts[at]++;
    histogram->sum += value;
}

uint64_t
histogram_count(const struct histogram *histogram)
{
    uint64_t count = 0;

    for (size_t i = 0; i <= histogram->bound_count; i++)
        count += histogram->counts[i];
    return count;
}

void
meter_note(struct meter *meter, uint64_t value, int64_t now)
{
    if (meter->count)
        meter->at = (meter->at + 1) % (STATS_SECONDS + 1);
    if (meter->count <= STATS_SECONDS)
        meter->count++;
    meter->values[meter->at] = value;
    meter->times_ms[meter->at] = now;
}

double
meter_rate(const struct meter *meter)
{
    size_t oldest = (meter->at + STATS_SECONDS + 2 - meter->count) % (STATS_SECONDS + 1);
    int64_t ms = meter->times_ms[meter->at] - meter->times_ms[oldest];

    if (meter->count < 2 || ms <= 0)
        return 0;
    return (double)(meter->values[meter->at] - meter->values[oldest]) * 1000 / (double)ms;
}
