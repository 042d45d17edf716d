/*
 * One error, on the caller's stack. The first message wins; callers further up say where it
 * happened with err_prefix. It owns no memory and must not be asked for a decision: the return
 * value decides.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stdbool.h>

#include "base/macros.h"

enum { ERR_MAX = 1024 };

struct err {
    char msg[ERR_MAX]; /* "" as long as nothing went wrong */
};

/* Sets the message unless one is there already. Always returns -1, so that a caller can return it.
 */
int err_set(struct err *err, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Puts "PREFIX: " before the message. Always returns -1. */
int err_prefix(struct err *err, const char *fmt, ...) PRINTF_LIKE(2, 3);

static inline bool
err_is_set(const struct err *err)
{
    return err->msg[0] != '\0';
}

static inline void
err_clear(struct err *err)
{
    err->msg[0] = '\0';
}

#endif
