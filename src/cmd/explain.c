/* sendx-worker explain: what the rules make of events, and why. It sends nothing. */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "cmd/arguments.h"
#include "cmd/cmd.h"
#include "cmd/explanation.h"
#include "cmd/kafka_look.h"
#include "cmd/source.h"

/* The command line. */
struct question {
    const char *config_file;
    struct source_order from;
    bool curl, json;
};

struct session {
    const struct question *question;
    struct config *config;
    struct mapping mapping;
    struct trace *trace;
    size_t events;
    int64_t wall_ms;
    bool colour, failed; /* an event could not be mapped */
};

static bool
wants_colour(void)
{
    const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

    return isatty(STDOUT_FILENO) && !(no_color && *no_color) && !(term && !strcmp(term, "dumb"));
}

static int
explain_event(void *opaque, const struct event *event, const char *where)
{
    struct session *session = opaque;
    struct explanation explanation = {
        .config = session->config,
        .event = event,
        .number = ++session->events,
        .source = where,
        .mapping = &session->mapping,
        .trace = session->trace,
        .curl = session->question->curl,
        .colour = session->colour,
    };

    explanation.outcome = ruleset_map_traced(session->config->rules, event, session->wall_ms,
                                             session->trace, &session->mapping);
    if (map_outcome_is_failure(explanation.outcome))
        session->failed = true;
    if (session->question->json)
        explanation_print_json(&explanation, stdout);
    else
        explanation_print(&explanation, stdout);
    return 0;
}

static int
explain_all(struct session *session)
{
    struct source source = {.command = "explain",
                            .order = &session->question->from,
                            .kafka = &session->config->kafka,
                            .rules = {session->config->rules},
                            .signals = -1,
                            .take = explain_event,
                            .opaque = session};
    int status = source_run(&source);

    return status == CMD_OK && session->failed ? CMD_FAILED : status;
}

static int
explain(const struct question *question)
{
    struct session session = {.question = question, .wall_ms = clock_wall_ms()};
    int status;

    session.config = cmd_load(question->config_file, CONFIG_SECRETS_OPTIONAL);
    if (!session.config)
        return CMD_WRONG;
    session.trace = trace_new(session.config->rules);
    session.colour = wants_colour();
    mapping_init(&session.mapping);
    status = explain_all(&session);
    mapping_fini(&session.mapping);
    trace_free(session.trace);
    config_free(session.config);
    return status;
}

static int
read_options(struct question *question, int argc, char **argv)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'},
        {"topic", required_argument, NULL, 't'},
        {"at", required_argument, NULL, 'a'},
        {"last", required_argument, NULL, 'l'},
        {"curl", no_argument, NULL, 'u'},
        {"json", no_argument, NULL, 'j'},
        {0},
    };
    int64_t count = 0;
    int c;

    while ((c = getopt_long(argc, argv, "c:", options, NULL)) != -1) {
        if (c == 'c')
            question->config_file = optarg;
        else if (c == 't')
            question->from.topic = optarg;
        else if (c == 'a')
            question->from.at = optarg;
        else if (c == 'l' && argument_count("explain", "last", optarg, KAFKA_LOOK_MAX, &count))
            return CMD_WRONG;
        else if (c == 'u')
            question->curl = true;
        else if (c == 'j')
            question->json = true;
        else if (c != 'l')
            return cmd_usage("explain", NULL);
    }
    question->from.last = (size_t)count;
    return CMD_OK;
}

static int
check_question(const struct question *question)
{
    const struct source_order *from = &question->from;

    if (!question->config_file)
        return cmd_usage("explain", "-c FILE is missing");
    if (from->last && !from->topic)
        return cmd_usage("explain", "--last needs --topic");
    return source_check("explain", from);
}

int
cmd_explain(int argc, char **argv)
{
    struct question question = {.from.since_ms = EVENT_NO_TIME};

    if (read_options(&question, argc, argv))
        return CMD_WRONG;
    if (optind + 1 < argc)
        return cmd_usage("explain", "\"%s\" is one argument too many", argv[optind + 1]);
    if (optind < argc)
        question.from.input = argv[optind];
    if (check_question(&question))
        return CMD_WRONG;
    return explain(&question);
}
