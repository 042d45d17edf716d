/*
 * Keeps a log line that could repeat thousands of times a second to one per interval, and counts
 * what it kept back. Embed one per kind of line, or a table of kinds where they are a library's
 * and not known before; zeroed is ready. Owns nothing.
 */
#ifndef BASE_LOG_LIMIT_H
#define BASE_LOG_LIMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    LOG_LIMIT_MS = 10 * 1000,
    LOG_KINDS = 64 /* that a table remembers */
};

struct log_limit {
    int64_t open_ms;   /* absolute: no line before this */
    int64_t kept_back; /* lines since the last one that passed */
};

struct log_kind {
    uint64_t hash;
    struct log_limit limit;
};

struct log_kinds {
    struct log_kind kinds[LOG_KINDS];
    size_t count;
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

/* The limit of the kind that HASH tells from others, borrowed until the next call. When there are
 * too many, the one that is open longest is forgotten. */
struct log_limit *log_kinds_limit(struct log_kinds *kinds, uint64_t hash);

#endif
