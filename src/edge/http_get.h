/*
 * One GET by libcurl that blocks until it is over: for commands that ask a running worker, never
 * for the worker itself. Owns nothing beyond the call.
 */
#ifndef EDGE_HTTP_GET_H
#define EDGE_HTTP_GET_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/macros.h"

/* The HTTP status, with the answer in BODY (what passes its cap is dropped, see buf_toobig); -1
 * when there is no answer within TIMEOUT_MS. TOKEN: for Authorization: Bearer, "" for none. Goes
 * straight to the address: proxies of the environment are for the way to SendX. */
int http_get(const char *url, const char *token, int64_t timeout_ms, struct buf *body,
             struct err *err) MUSTCHECK;

#endif
