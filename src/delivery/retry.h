/*
 * When a call is tried again: exponential back-off with full jitter (Brooker, "Exponential Backoff
 * and Jitter", 2015). Pure; the randomness comes from a seeded state.
 */
#ifndef DELIVERY_RETRY_H
#define DELIVERY_RETRY_H

#include <stdint.h>

#include "base/rng.h"

/* Milliseconds to wait after the ATTEMPTS-th failure in a row (1-based): even over
 * 1 … min(MAX_MS, MIN_MS * 2^(ATTEMPTS-1)). MIN_MS and MAX_MS are at least 1. */
int64_t retry_delay_ms(struct rng *rng, unsigned attempts, int64_t min_ms, int64_t max_ms);

#endif
