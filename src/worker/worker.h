/*
 * The worker: the one loop that joins the edges to rules and delivery. The only place that sees
 * more than one edge.
 */
#ifndef WORKER_WORKER_H
#define WORKER_WORKER_H

#include "base/err.h"
#include "base/macros.h"
#include "config/config.h"

/* How a run ended: the exit status of the process. */
enum worker_exit {
    WORKER_STOPPED = 0, /* drained, committed, left the group */
    WORKER_HURRIED =
        1,           /* the deadline or a second signal: nothing is lost, something is repeated */
    WORKER_FATAL = 3 /* Kafka ended the membership */
};

/* Runs until a signal stops it. CONFIG is borrowed and was read from FILE, which is read again on
 * SIGHUP. Returns an enum worker_exit, or -1 when it could not start. RET_LEFT: librdkafka's
 * handles are left as they are, since taking them down can wait for brokers that do not answer, or
 * for ever after an assignment was lost, or abort (its issue 4312, where nothing was ever
 * assigned): the process must end by _exit. */
int worker_run(const char *file, const struct config *config, bool *ret_left,
               struct err *err) MUSTCHECK;

#endif
