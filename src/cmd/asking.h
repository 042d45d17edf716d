/*
 * How commands ask a running worker at its admin endpoint: where it is and with which token, by the
 * options -c and --url, and the asking itself.
 */
#ifndef CMD_ASKING_H
#define CMD_ASKING_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/macros.h"

/* Owns its texts; zeroed is empty. */
struct asking {
    char *url; /* http://HOST:PORT */
    char *token;
};

/* Fills ASKING from the arguments of COMMAND: -c FILE or --url URL (with the token in the
 * environment, SENDX_WORKER_TOKEN), and --FLAG; *RET_FLAG becomes true when that is given, and is
 * left alone otherwise. Returns CMD_OK, or CMD_WRONG when what is wrong was said on standard error;
 * asking_fini either way. */
int asking_arguments(struct asking *asking, const char *command, int argc, char **argv,
                     const char *flag, bool *ret_flag) MUSTCHECK;

void asking_fini(struct asking *asking);

/* The HTTP status of the answer to GET PATH, or -1. BODY is emptied first. */
int asking_get(const struct asking *asking, const char *path, struct buf *body,
               struct err *err) MUSTCHECK;

#endif
