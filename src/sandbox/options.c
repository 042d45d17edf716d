#include "sandbox/options.h"

#include <getopt.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/xalloc.h"
#include "sandbox/text.h"

enum { FOR_SERVER = 1, FOR_DEMO = 2, FIRST_VALUE = 256 };
enum { MAX_REQUESTS = 100000000, MAX_EVENTS = 50000 };

/*    id, for which command, name, argument, default, doc */
#define OPTION_TABLE(X)                                                                        \
    X(LISTEN, FOR_SERVER | FOR_DEMO, "listen", "HOST:PORT", "127.0.0.1:0",                     \
      "where the API listens; port 0: a free one")                                             \
    X(API_KEY, FOR_SERVER | FOR_DEMO, "api-key", "KEY", "sandbox-key",                         \
      "the key that calls must carry")                                                         \
    X(TEAM_ID, FOR_SERVER | FOR_DEMO, "team-id", "ID", "sandbox-team",                         \
      "the team that v1 calls must name")                                                      \
    X(MAX_REQUESTS, FOR_SERVER | FOR_DEMO, "max-requests", "N", "1000000",                     \
      "how many requests are remembered")                                                      \
    X(KAFKA, FOR_SERVER, "kafka", NULL, NULL, "start the embedded broker, too")                \
    X(TOPICS, FOR_SERVER, "topics", "NAME:PARTITIONS,...", "user.registered:4,plan.changed:4", \
      "topics of the embedded broker")                                                         \
    X(READY_FILE, FOR_SERVER, "ready-file", "FILE", NULL, "write the ready line there, too")   \
    X(WORKER, FOR_DEMO, "worker", "FILE", "build/sendx-worker", "the worker to show")          \
    X(CONF, FOR_DEMO, "conf", "FILE", "conf/demo.conf", "its configuration")                   \
    X(LOG, FOR_DEMO, "log", "FILE", "build/demo-worker.log", "where its log goes")             \
    X(EVENTS, FOR_DEMO, "events", "N", "2000", "how many events to produce")                   \
    X(SEED, FOR_DEMO, "seed", "N", "1", "another seed, other people")                          \
    X(LIVE, FOR_DEMO, "live", NULL, NULL, "go on with a trickle of events until interrupted")  \
    X(HELP, FOR_SERVER | FOR_DEMO, "help", NULL, NULL, "this text")

#define X(id, command, name, argument, value, doc) OPTION_##id,
enum option_id { OPTION_TABLE(X) OPTION_COUNT };
#undef X

static const struct row {
    int command;
    const char *name, *argument, *value, *doc;
} rows[OPTION_COUNT] = {
#define X(id, command, name, argument, value, doc) {command, name, argument, value, doc},
    OPTION_TABLE(X)
#undef X
};

static int
read_number(enum option_id id, const char *value, long long min, long long max, long long *number,
            struct err *err)
{
    if (!text_number(value, min, max, number))
        return err_set(err, "--%s wants a whole number from %lld to %lld, not \"%.40s\"",
                       rows[id].name, min, max, value);
    return 0;
}

static int
set_number(struct options *options, enum option_id id, const char *value, struct err *err)
{
    long long number;

    if (id == OPTION_SEED) {
        if (read_number(id, value, 0, INT64_MAX, &number, err))
            return -1;
        options->seed = (unsigned long long)number;
    } else if (id == OPTION_EVENTS) {
        if (read_number(id, value, 1, MAX_EVENTS, &number, err))
            return -1;
        options->events = (size_t)number;
    } else {
        if (read_number(id, value, 1, MAX_REQUESTS, &number, err))
            return -1;
        options->max_requests = (size_t)number;
    }
    return 0;
}

static int
set_option(struct options *options, enum option_id id, const char *value, struct err *err)
{
    switch (id) {
    case OPTION_LISTEN:
        options->listen = value;
        break;
    case OPTION_API_KEY:
        options->api_key = value;
        break;
    case OPTION_TEAM_ID:
        options->team_id = value;
        break;
    case OPTION_KAFKA:
        options->kafka = true;
        break;
    case OPTION_TOPICS:
        options->topics = value;
        break;
    case OPTION_READY_FILE:
        options->ready_file = value;
        break;
    case OPTION_WORKER:
        options->worker = value;
        break;
    case OPTION_CONF:
        options->conf = value;
        break;
    case OPTION_LOG:
        options->log = value;
        break;
    case OPTION_LIVE:
        options->live = true;
        break;
    case OPTION_HELP:
        options->help = true;
        break;
    case OPTION_MAX_REQUESTS:
    case OPTION_EVENTS:
    case OPTION_SEED:
        return set_number(options, id, value, err);
    case OPTION_COUNT:
        break;
    }
    return 0;
}

static int
set_defaults(struct options *options, struct option long_options[OPTION_COUNT + 1], struct err *err)
{
    for (int i = 0; i < OPTION_COUNT; i++) {
        long_options[i] = (struct option){
            .name = rows[i].name,
            .has_arg = rows[i].argument ? required_argument : no_argument,
            .val = FIRST_VALUE + i,
        };
        if (rows[i].value && set_option(options, (enum option_id)i, rows[i].value, err))
            return -1;
    }
    long_options[OPTION_COUNT] = (struct option){0};
    return 0;
}

/* --kafka is what --topics needs, whatever their order. */
static int
check_together(const struct options *options, bool topics_given, struct err *err)
{
    if (topics_given && !options->kafka)
        return err_set(err, "--topics needs --kafka, which starts the embedded broker");
    return 0;
}

int
options_read(int argc, char **argv, struct options *options, struct err *err)
{
    struct option long_options[OPTION_COUNT + 1];
    bool topics_given = false;
    int found, command;

    *options = (struct options){0};
    if (set_defaults(options, long_options, err))
        return -1;
    options->demo = argc > 1 && strcmp(argv[1], "demo") == 0;
    command = options->demo ? FOR_DEMO : FOR_SERVER;
    argc -= options->demo;
    argv += options->demo;
    opterr = 0;
    while ((found = getopt_long(argc, argv, ":", long_options, NULL)) != -1) {
        enum option_id id = (enum option_id)(found - FIRST_VALUE);

        if (found == ':')
            return err_set(err, "%s needs a value", argv[optind - 1]);
        if (found < FIRST_VALUE)
            return err_set(err, "there is no option %s; see --help", argv[optind - 1]);
        if (!(rows[id].command & command))
            return err_set(err, "--%s is an option of %s", rows[id].name,
                           options->demo ? "the server, not of demo" : "demo");
        topics_given = topics_given || id == OPTION_TOPICS;
        if (set_option(options, id, optarg, err))
            return -1;
    }
    if (optind < argc)
        return err_set(err, "\"%s\" is not understood; see --help", argv[optind]);
    return check_together(options, topics_given, err);
}

static void
print_options(int command)
{
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct row *row = &rows[i];
        char *left;

        if (row->command != command)
            continue;
        left = xasprintf("--%s %s", row->name, row->argument ? row->argument : "");
        printf("  %-29s %s", left, row->doc);
        if (row->value && strlen(row->doc) + strlen(row->value) > 44)
            printf("\n  %-29s", "");
        if (row->value)
            printf(" [%s]", row->value);
        putchar('\n');
        xfree(left);
    }
}

static void
print_faults(void)
{
    printf(
        "\nA fault is posted to /_sandbox/faults as a JSON object; the answer holds its id.\n"
        "Which requests: all, unless it says otherwise\n"
        "  path         \"identify\" or \"track\"\n"
        "  email        of this contact only\n"
        "  share, seed  this share of them, from 0 to 1, drawn from the seed\n"
        "  count        ends after so many\n"
        "What they get: delay_ms first, when it is given, then\n"
        "  action       \"status\" (default), \"hang\", \"reset\", \"lost_reply\" (applied, then\n"
        "               reset), \"html\" (200 with a page) or \"delay\" (then the normal reply)\n"
        "  status, retry_after, body  of the reply; retry_after is \"5\" or \"date:+5\"\n"
        "  apply        true: the call takes effect whatever the reply says\n"
        "The first fault that takes a request decides; delays before it add up.\n"
        "DELETE /_sandbox/faults[?id=N] ends them; what hangs goes on hanging.\n");
}

void
options_print_help(void)
{
    printf(
        "usage: sendx-sandbox [OPTION...]         the stand-in for the SendX API, in memory\n"
        "       sendx-sandbox demo [OPTION...]    shows the worker at work on made-up events\n\n"
        "Ready, the server prints: sandbox.ready api=http://HOST:PORT [kafka=HOST:PORT]\n"
        "Base URLs of the API: http://HOST:PORT/api/v1 and http://HOST:PORT/api/v1/rest\n"
        "To look at it: GET /_sandbox/contacts[?email=E], /_sandbox/requests, /_sandbox/triggers,\n"
        "/_sandbox/stats, /_sandbox/faults. POST to faults adds one, POST to /_sandbox/reset\n"
        "forgets everything. SIGTERM and SIGINT end it.\n\nFor both:\n");
    print_options(FOR_SERVER | FOR_DEMO);
    printf("\nOf the server:\n");
    print_options(FOR_SERVER);
    printf("\nOf demo:\n");
    print_options(FOR_DEMO);
    print_faults();
}
