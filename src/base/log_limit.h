/*
 * Keeps a log line that could repeat thousands of times a second to one per interval, and counts
 * what it kept back. Embed one per kind of line; zeroed is ready. Owns nothing.
 */
#ifndef BASE_LOG_LIMIT_H
#define BASE_LOG_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

enum { LOG_LIMIT_MS = 10 * 1000 };

struct log_limit {
    int64_t open_ms;   /* absolute: no line before this */
    int64_t kept_back; /* lines since the last one that passed */
};

/* Whether the line may be written now. RET_KEPT_BACK: how many were not since the last one. */
static inline bool
log_limit_pass(struct log_limit *limit, int64_t now, int64_t *ret_kept_back)
{
    if (now < limit->open_ms) {
        limit->kept_back++;
        return false;
    }
    *ret_kept_back = limit->kept_back;
    limit->kept_back = 0;
    limit->open_ms = now + LOG_LIMIT_MS;
    return true;
}

#endif
