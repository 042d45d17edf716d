/*
 * sendx-worker redrive, behind its command line (redrive.c): reads what there is, prints what would
 * go, and sends it (redrive_run.c).
 */
#ifndef CMD_REDRIVE_H
#define CMD_REDRIVE_H

#include "cmd/redrive_index.h"
#include "config/config.h"

struct redrive_options {
    struct redrive_filter filter;
    bool dry_run;
    int64_t rate; /* letters a second; 0: as fast as Kafka takes them */
};

/* Returns the exit status. */
int redrive_run(const struct config *config, const struct redrive_options *options);

#endif
