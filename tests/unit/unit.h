/* What every unit test includes: cmocka, and the seed of random tests (SEED in the environment). */
#ifndef TESTS_UNIT_H
#define TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/macros.h"
#include "base/rng.h"

/* Prints the seed, so that a failure can be replayed: SEED=n build/unit/test_x */
static inline struct rng
unit_rng(const char *what, uint64_t seed)
{
    const char *wish = getenv("SEED");

    if (wish)
        seed = strtoull(wish, NULL, 10);
    printf("%s: SEED=%llu\n", what, (unsigned long long)seed);
    return (struct rng){.state = seed};
}

#endif
