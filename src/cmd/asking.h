/*
 * How commands ask a running worker at its admin endpoint: where it is and with which token, by the
 * options -c and --url, and the asking itself.
 */
#ifndef CMD_ASKING_H
#define CMD_ASKING_H

#include "base/buf.h"
#include "base/err.h"
#include "base/macros.h"

/* Owns its texts; zeroed is empty. */
struct asking {
    char *url; /* http://HOST:PORT */
    char *token;
};

/* From --url (with the token in the environment, SENDX_WORKER_TOKEN) or the configuration FILE;
 * either may be NULL, but not both. Returns CMD_OK, or CMD_WRONG when that was said on standard
 * error. */
int asking_init(struct asking *asking, const char *command, const char *file,
                const char *url) MUSTCHECK;
void asking_fini(struct asking *asking);

/* The HTTP status of the answer to GET PATH, or -1. BODY is emptied first. */
int asking_get(const struct asking *asking, const char *path, struct buf *body,
               struct err *err) MUSTCHECK;

#endif
