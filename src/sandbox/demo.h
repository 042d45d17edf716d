/*
 * The demonstration: the real worker between the embedded broker and the stand-in API, fed with
 * made-up events, and a report of what came of them. Starts and stops everything itself. Owns the
 * worker's process, the broker and the API while it runs.
 */
#ifndef SANDBOX_DEMO_H
#define SANDBOX_DEMO_H

#include "base/err.h"
#include "base/macros.h"
#include "sandbox/options.h"

/* SIGNAL_FD: a signalfd of SIGINT and SIGTERM. 0 only when every contact is what the events say. A
 * failure that was reported already leaves ERR empty. */
int demo_run(const struct options *options, int signal_fd, struct err *err) MUSTCHECK;

#endif
