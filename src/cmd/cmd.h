/*
 * The commands of sendx-worker: a file each, and what they share. A command gets its own name as
 * argv[0] and returns the exit status; only here may a process end.
 */
#ifndef CMD_CMD_H
#define CMD_CMD_H

#include "base/macros.h"
#include "config/config.h"

enum {
    CMD_OK = 0,
    CMD_FAILED = 1,     /* something outside did not work */
    CMD_WRONG = 2,      /* the configuration or the command line is wrong */
    CMD_KAFKA_FATAL = 3 /* librdkafka cannot go on */
};

int cmd_run(int argc, char **argv);
int cmd_check(int argc, char **argv);
int cmd_explain(int argc, char **argv);
int cmd_test(int argc, char **argv);
int cmd_capture(int argc, char **argv);
int cmd_diff(int argc, char **argv);
int cmd_call(int argc, char **argv);
int cmd_config(int argc, char **argv);
int cmd_redrive(int argc, char **argv);
int cmd_probe(int argc, char **argv);
int cmd_top(int argc, char **argv);
int cmd_version(int argc, char **argv);
int cmd_completion(int argc, char **argv);
int cmd_manual(int argc, char **argv);

/* Says on standard error what is wrong with the command line of COMMAND, and where help is. Returns
 * CMD_WRONG. */
int cmd_usage(const char *command, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Loads FILE and prints the findings on standard error; NULL when there is an error. */
struct config *cmd_load(const char *file, enum config_secrets secrets) MUSTCHECK;

#endif
