/*
 * One child process with its output in a file. It gets its own process group, so that an interrupt
 * at the terminal goes to its parent only, and it is killed by the kernel when its parent dies.
 * Owns the process: process_fini leaves none behind.
 */
#ifndef SANDBOX_PROCESS_H
#define SANDBOX_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/macros.h"

enum { PROCESS_ENV_MAX = 8 };

struct process {
    pid_t pid;  /* 0: not running */
    int status; /* of wait(2), once it has ended */
};

struct process_spec {
    const char *const *argv;
    const char *env[PROCESS_ENV_MAX]; /* "NAME=value", on top of our own; NULL ends it */
    const char *log;                  /* file for both outputs, emptied first */
};

/* An error: it did not start, and nothing is left. */
int process_start(struct process *process, const struct process_spec *spec,
                  struct err *err) MUSTCHECK;

/* True: it is not running any more. */
bool process_has_ended(struct process *process);

void process_signal(const struct process *process, int signal);
void process_fini(struct process *process); /* kills it if need be, and waits */

bool process_succeeded(const struct process *process);
void process_describe_end(const struct process *process, struct buf *text);

#endif
