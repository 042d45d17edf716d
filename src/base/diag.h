/*
 * A list of findings about files people wrote: every error and warning with file:line, all of them
 * in one go. Owns its texts. Findings stay in the order they were added, until diag_sort.
 */
#ifndef BASE_DIAG_H
#define BASE_DIAG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/macros.h"

/* A notice is printed as a warning and never counted as one: what check --strict lets pass. */
enum diag_severity { DIAG_ERROR, DIAG_WARNING, DIAG_NOTICE };

struct place {
    const char *file; /* borrowed; NULL where no file is to blame */
    unsigned line;    /* 1-based; 0 is the file as a whole */
};

struct diag_item {
    enum diag_severity severity;
    char *text;        /* "FILE:LINE: error: MESSAGE", or "FILE:LINE: warning: MESSAGE [NAME]" */
    size_t file_len;   /* TEXT begins with the file's name; 0: with none */
    size_t message_at; /* where MESSAGE begins in TEXT */
    size_t message_len;
    unsigned line;
    const char *name; /* of the warning, static; NULL: none */
};

struct diag {
    struct diag_item *items;
    size_t count, cap;
    size_t errors, warnings;
};

void diag_init(struct diag *diag);
void diag_fini(struct diag *diag);

/* Always returns -1, so that a caller can return it. */
int diag_error(struct diag *diag, struct place at, const char *fmt, ...) PRINTF_LIKE(3, 4);
void diag_notice(struct diag *diag, struct place at, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* A warning that has a name, by which it can be talked about and allowed: "comma-missing". NAME is
 * kept. */
void diag_lint(struct diag *diag, const char *name, struct place at, const char *fmt, ...)
    PRINTF_LIKE(4, 5);

/* Takes out the warnings that have a name and that DROP asks to take out. */
void diag_drop(struct diag *diag, bool (*drop)(const struct diag_item *item));

/* By file name, then line; findings of one line stay in the order they were added. */
void diag_sort(struct diag *diag);

void diag_print(const struct diag *diag, FILE *out); /* a line each */

#endif
