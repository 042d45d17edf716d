/*
 * The service manager: says that the worker is ready, reloads, stops and is alive, as sd_notify(3)
 * describes it, by datagrams to the socket that $NOTIFY_SOCKET names. Owns the socket. Nothing here
 * blocks, and nobody's answer is waited for. Every function accepts NULL: nobody has asked.
 */
#ifndef EDGE_NOTIFY_H
#define EDGE_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/macros.h"

struct notify;

/* What the manager left in the environment; each may be NULL. */
struct notify_settings {
    const char *socket;        /* NOTIFY_SOCKET: a path, or "@" and an abstract name */
    const char *watchdog_usec; /* WATCHDOG_USEC: it wants to hear of us this often */
    const char *watchdog_pid;  /* WATCHDOG_PID: that is meant for this process only */
};

/* NULL without an error when there is no socket. */
struct notify *notify_open(const struct notify_settings *settings, struct err *err) MUSTCHECK;
void notify_close(struct notify *notify);

void notify_ready(struct notify *notify);     /* also the end of a reload */
void notify_reloading(struct notify *notify); /* notify_ready says when it is over */
void notify_stopping(struct notify *notify);

/* A line for people, sent where it differs from the last one. Control characters do not pass. */
void notify_status(struct notify *notify, const char *text);

/* Whether it wants to hear of us again and again. notify_alive must then be called when
 * notify_deadline (absolute; CLOCK_NEVER: no watchdog) has come; earlier calls send nothing. */
int64_t notify_deadline(const struct notify *notify);
void notify_alive(struct notify *notify, int64_t now);

#endif
