/*
 * The Retry-After header (RFC 9110, 10.2.3). Pure.
 */
#ifndef SENDX_RETRY_AFTER_H
#define SENDX_RETRY_AFTER_H

#include <stdint.h>

#include "sendx/reply.h"

/* How many milliseconds from now the API asks to wait; 0 when it does not, or not in a form that
 * can be read. Seconds, or an HTTP-date in any of its three forms, which is measured against the
 * reply's own Date, so that a server whose clock is off is understood; without Date against WALL_MS
 * (since 1970). At most MAX_MS. Never earlier than asked within it. */
int64_t retry_after_ms(const struct reply *reply, int64_t wall_ms, int64_t max_ms);

#endif
