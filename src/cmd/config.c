/* sendx-worker config: what is in force; with an option, documentation from tables. */
#include <getopt.h>

#include "cmd/cmd.h"

int
cmd_config(int argc, char **argv)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'},
        {"reference", no_argument, NULL, 'r'},
        {"rules-reference", no_argument, NULL, 'u'},
        {0},
    };
    const char *file = NULL;
    bool reference = false, rules_reference = false;
    struct config *config;
    int c;

    while ((c = getopt_long(argc, argv, "c:", options, NULL)) != -1) {
        if (c == 'c')
            file = optarg;
        else if (c == 'r')
            reference = true;
        else if (c == 'u')
            rules_reference = true;
        else
            return cmd_usage("config", NULL);
    }
    if (optind < argc)
        return cmd_usage("config", "\"%s\" is one argument too many", argv[optind]);
    if (reference) {
        config_print_reference(stdout);
        return CMD_OK;
    }
    if (rules_reference) {
        config_print_rules_reference(stdout);
        return CMD_OK;
    }
    if (!file)
        return cmd_usage("config", "-c FILE is missing");
    config = cmd_load(file, CONFIG_SECRETS_REQUIRED);
    if (!config)
        return CMD_WRONG;
    config_print(config, stdout);
    config_free(config);
    return CMD_OK;
}
