/*
 * Signals as something to read. Owns one signalfd. Must be opened before any thread is started, so
 * that every thread inherits the blocked signals.
 */
#ifndef EDGE_SIGNALS_H
#define EDGE_SIGNALS_H

#include "base/err.h"
#include "base/macros.h"

/* Blocks SIGTERM, SIGINT, SIGHUP and SIGUSR1, ignores SIGPIPE; returns a descriptor to poll, or -1.
 */
int signals_open(struct err *err) MUSTCHECK;

/* The next signal that came, or 0. */
int signals_next(int fd);

void signals_close(int fd); /* unblocks them again */

#endif
