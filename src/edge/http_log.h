/*
 * What libcurl says of itself as lines of our log (`http.log`, at debug): masked, the same one of
 * an account at most once in ten seconds. Owns only a table of what was said when. Never given the
 * headers and bodies that curl offers beside its texts.
 */
#ifndef EDGE_HTTP_LOG_H
#define EDGE_HTTP_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log_limit.h"

struct buf;

/* Adds TEXT, of LEN bytes and of curl, without what may be a proxy's password: the proxy's URL
 * comes from the environment. */
void http_log_mask(struct buf *to, const char *text, size_t len);

/* Whether anybody wants to read it: log.level, which a reload can change. */
bool http_log_is_on(void);

/* TEXT, of LEN bytes, as curl's debug callback was given it. SECRET is the account's key. */
void http_log_text(struct log_kinds *kinds, const char *account, const char *secret,
                   const char *text, size_t len, int64_t now);

#endif
