/*
 * Seeded pseudo-random numbers (SplitMix64: Steele, Lea, Flood, "Fast splittable pseudorandom
 * number generators"). For jitter, hash seeds and tests; never for secrets.
 */
#ifndef BASE_RNG_H
#define BASE_RNG_H

#include <stdint.h>

struct rng {
    uint64_t state;
};

static inline uint64_t
rng_next(struct rng *rng)
{
    uint64_t z = (rng->state += 0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

/* 0 … below-1, near enough to even; BELOW must not be 0. */
static inline uint64_t
rng_below(struct rng *rng, uint64_t below)
{
    return rng_next(rng) % below;
}

#endif
