/* sendx-worker run: the worker itself. */
#include <getopt.h>
#include <unistd.h>

#include "base/log.h"
#include "cmd/cmd.h"
#include "worker/worker.h"

static int
run(const char *file)
{
    struct config *config = cmd_load(file, CONFIG_SECRETS_REQUIRED);
    struct err err = {0};
    bool left;
    int status;

    if (!config)
        return CMD_WRONG;
    log_setup(config->log.level, config->log.format);
    status = worker_run(file, config, &left, &err);
    if (status < 0) {
        log_error("worker.not_started", log_text("reason", err.msg));
        status = CMD_FAILED;
    }
    if (left)
        _exit(status);
    config_free(config);
    return status;
}

int
cmd_run(int argc, char **argv)
{
    static const struct option options[] = {{"config", required_argument, NULL, 'c'}, {0}};
    const char *file = NULL;
    int c;

    while ((c = getopt_long(argc, argv, "c:", options, NULL)) != -1) {
        if (c != 'c')
            return cmd_usage("run", NULL);
        file = optarg;
    }
    if (optind < argc)
        return cmd_usage("run", "\"%s\" is one argument too many", argv[optind]);
    if (!file)
        return cmd_usage("run", "-c FILE is missing");
    return run(file);
}
