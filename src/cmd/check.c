/* sendx-worker check: every finding about a configuration, and nothing else. */
#include <getopt.h>

#include "cmd/cmd.h"
#include "edge/kafka_conf.h"

static void
print_count(size_t count, const char *what)
{
    printf("%zu %s%s", count, what, count == 1 ? "" : "s");
}

static void
print_summary(const char *file, const struct config *config, const struct diag *diag)
{
    printf("%s: ", file);
    if (diag->errors || !config) {
        print_count(diag->errors, "error");
        printf(", ");
    } else {
        print_count(ruleset_rule_count(config->rules), "rule");
        printf(", ");
        print_count(ruleset_topic_count(config->rules), "topic");
        printf(", ");
        print_count(config->account_count, "account");
        printf(", ");
    }
    print_count(diag->count - diag->errors, "warning");
    printf("\n");
}

static int
check(const char *file, bool strict)
{
    struct diag diag;
    struct config *config;
    int status = CMD_OK;

    diag_init(&diag);
    config = config_load(file, CONFIG_SECRETS_OPTIONAL, kafka_check, &diag);
    diag_print(&diag, stderr);
    fflush(stderr);
    print_summary(file, config, &diag);
    if (diag.errors || !config)
        status = CMD_WRONG;
    else if (strict && diag.warnings)
        status = CMD_FAILED;
    config_free(config);
    diag_fini(&diag);
    return status;
}

int
cmd_check(int argc, char **argv)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'},
        {"strict", no_argument, NULL, 's'},
        {0},
    };
    const char *file = NULL;
    bool strict = false;
    int c;

    while ((c = getopt_long(argc, argv, "c:", options, NULL)) != -1) {
        if (c == 'c')
            file = optarg;
        else if (c == 's')
            strict = true;
        else
            return cmd_usage("check", NULL);
    }
    if (optind < argc)
        return cmd_usage("check", "\"%s\" is one argument too many", argv[optind]);
    if (!file)
        return cmd_usage("check", "-c FILE is missing");
    return check(file, strict);
}
