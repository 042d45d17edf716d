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

/* Runs until a signal stops it. CONFIG is borrowed. Returns an enum worker_exit, or -1 when it
 * could not start. */
int worker_run(const struct config *config, struct err *err) MUSTCHECK;

#endif
