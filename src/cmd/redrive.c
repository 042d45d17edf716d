/* sendx-worker redrive: the command line. */
#include <getopt.h>
#include <string.h>

#include "base/log.h"
#include "cmd/arguments.h"
#include "cmd/cmd.h"
#include "cmd/redrive.h"

enum {
    OPTION_DRY_RUN = 256,
    OPTION_RULE,
    OPTION_REASON,
    OPTION_SINCE,
    OPTION_UNTIL,
    OPTION_LIMIT,
    OPTION_RATE
};

static const struct option options[] = {
    {"config", required_argument, NULL, 'c'},
    {"dry-run", no_argument, NULL, OPTION_DRY_RUN},
    {"rule", required_argument, NULL, OPTION_RULE},
    {"reason", required_argument, NULL, OPTION_REASON},
    {"since", required_argument, NULL, OPTION_SINCE},
    {"until", required_argument, NULL, OPTION_UNTIL},
    {"limit", required_argument, NULL, OPTION_LIMIT},
    {"rate", required_argument, NULL, OPTION_RATE},
    {0},
};

static int
read_word(const char *name, const char *text, const char **ret)
{
    *ret = text;
    return *text ? 0 : cmd_usage("redrive", "--%s is empty", name);
}

/* 0, or the exit status. */
static int
read_option(int c, const char *text, struct redrive_options *redrive)
{
    struct redrive_filter *filter = &redrive->filter;

    switch (c) {
    case OPTION_DRY_RUN:
        redrive->dry_run = true;
        return 0;
    case OPTION_RULE:
        return read_word("rule", text, &filter->rule);
    case OPTION_REASON:
        return read_word("reason", text, &filter->reason);
    case OPTION_SINCE:
        return argument_time("redrive", "since", text, &filter->since_ms);
    case OPTION_UNTIL:
        return argument_time("redrive", "until", text, &filter->until_ms);
    case OPTION_LIMIT:
        return argument_count("redrive", "limit", text, 1000000000, &filter->limit);
    case OPTION_RATE:
        return argument_count("redrive", "rate", text, 1000000, &redrive->rate);
    default: /* getopt has said why */
        return cmd_usage("redrive", NULL);
    }
}

static int
check_topics(const struct config *config, const char *file)
{
    const char *name = *config->dead_letter.topic ? "redrive_topic" : "topic";

    if (*config->dead_letter.topic && *config->dead_letter.redrive_topic)
        return 0;
    fprintf(stderr, "%s: error: dead_letter.%s: is empty, so there %s: name a topic that exists\n",
            file, name,
            *config->dead_letter.topic ? "is no way back for dead letters" : "are no dead letters");
    return CMD_WRONG;
}

static int
run(const char *file, const struct redrive_options *redrive)
{
    struct config *config = cmd_load(file, CONFIG_SECRETS_OPTIONAL);
    int status;

    if (!config)
        return CMD_WRONG;
    log_setup(LOG_WARNING, config->log.format);
    status = check_topics(config, file);
    if (status == CMD_OK)
        status = redrive_run(config, redrive);
    config_free(config);
    return status;
}

int
cmd_redrive(int argc, char **argv)
{
    struct redrive_options redrive = {
        .filter = {.since_ms = EVENT_NO_TIME, .until_ms = EVENT_NO_TIME, .limit = INT64_MAX}};
    const struct redrive_filter *filter = &redrive.filter;
    const char *file = NULL;
    int c;

    while ((c = getopt_long(argc, argv, "c:", options, NULL)) != -1) {
        if (c == 'c')
            file = optarg;
        else if (read_option(c, optarg, &redrive))
            return CMD_WRONG;
    }
    if (optind < argc)
        return cmd_usage("redrive", "\"%s\" is one argument too many", argv[optind]);
    if (!file)
        return cmd_usage("redrive", "-c FILE is missing");
    if (filter->until_ms != EVENT_NO_TIME && filter->since_ms >= filter->until_ms)
        return cmd_usage("redrive", "--since is not before --until: that is no letter's time");
    return run(file, &redrive);
}
