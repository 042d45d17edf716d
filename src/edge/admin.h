/*
 * The admin endpoint: a small HTTP server inside the loop, by libmicrohttpd with its epoll
 * descriptor and no thread. Owns the server. GET and HEAD only; what is said is asked of the worker
 * through ops, each time anew. No key and no whole e-mail address passes here, because none is put
 * in.
 */
#ifndef EDGE_ADMIN_H
#define EDGE_ADMIN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/macros.h"
#include "config/config.h"

struct admin;

struct admin_ops {
    void (*metrics)(void *arg, struct buf *text);   /* Prometheus text format 0.0.4 */
    void (*status)(void *arg, struct buf *text);    /* JSON */
    bool (*is_live)(void *arg, struct buf *reason); /* with the reason in words */
    bool (*is_ready)(void *arg, struct buf *reason);
    const char *page; /* HTML: shows the status. It holds nothing of the worker, so that no token is
                         asked for it: it asks for the token itself */
};

/* NULL and ERR when it cannot listen. CONFIG->listen "" means no endpoint: do not call it then. */
struct admin *admin_open(const struct admin_config *config, const struct admin_ops *ops, void *arg,
                         struct err *err) MUSTCHECK;
int admin_fd(const struct admin *admin);
int64_t admin_deadline(const struct admin *admin, int64_t now); /* absolute */
void admin_step(struct admin *admin);
void admin_close(struct admin *admin); /* NULL is accepted */

#endif
