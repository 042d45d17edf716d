/*
 * Time in milliseconds. Only the loop and the edges read it; everything else is told `now`.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

#define CLOCK_NEVER INT64_MAX /* a deadline that never comes */

int64_t clock_now_ms(void);  /* monotonic, never goes back; what deadlines are made of */
int64_t clock_now_us(void);  /* the same in microseconds; to measure by */
int64_t clock_wall_ms(void); /* since 1970-01-01 UTC; for timestamps people read */

static inline int64_t
clock_earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

#endif
