/*
 * The command line of sendx-sandbox. Texts are borrowed from argv or are constants.
 */
#ifndef SANDBOX_OPTIONS_H
#define SANDBOX_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/macros.h"

struct options {
    bool demo; /* the first argument is "demo" */
    bool help;
    const char *listen, *api_key, *team_id;
    bool kafka;
    const char *topics, *ready_file;
    size_t max_requests;
    bool live;
    const char *worker, *conf, *log;
    size_t events;
    unsigned long long seed;
};

int options_read(int argc, char **argv, struct options *ret_options, struct err *err) MUSTCHECK;
void options_print_help(void); /* to standard output */

#endif
