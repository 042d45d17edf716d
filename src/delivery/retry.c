#include "delivery/retry.h"

int64_t
retry_delay_ms(struct rng *rng, unsigned attempts, int64_t min_ms, int64_t max_ms)
{
    int64_t ceiling_ms = min_ms;

    for (unsigned i = 1; i < attempts && ceiling_ms < max_ms; i++)
        ceiling_ms *= 2;
    if (ceiling_ms > max_ms)
        ceiling_ms = max_ms;
    return 1 + (int64_t)rng_below(rng, (uint64_t)ceiling_ms);
}
