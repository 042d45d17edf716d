/* sendx-worker explain: what the rules make of events, and why. It sends nothing. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "cmd/cmd.h"
#include "cmd/explanation.h"
#include "cmd/kafka_look.h"
#include "cmd/record_json.h"

enum { EVENT_BYTES_MAX = 64 * 1024 * 1024 /* of a line */ };

/* The command line. */
struct question {
    const char *config_file;
    const char *topic, *input, *at; /* NULL: not given */
    size_t last;                    /* 0: not given */
    bool curl, json;
};

struct session {
    const struct question *question;
    struct config *config;
    struct mapping mapping;
    struct trace *trace;
    const char *only_topic; /* that of all rules, or NULL */
    const char *source;     /* name of the input */
    size_t line, events;
    int64_t wall_ms;
    bool colour, failed; /* an event could not be mapped */
};

static bool
wants_colour(void)
{
    const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

    return isatty(STDOUT_FILENO) && !(no_color && *no_color) && !(term && !strcmp(term, "dumb"));
}

/* The topic of all rules, if it is one and no expression. */
static const char *
find_only_topic(const struct ruleset *rules)
{
    const char *topic = ruleset_topic(rules, 0);

    return ruleset_topic_count(rules) == 1 && *topic != '^' ? topic : NULL;
}

static void
explain_event(struct session *session, const struct event *event, const char *source)
{
    struct explanation explanation = {
        .config = session->config,
        .event = event,
        .number = ++session->events,
        .source = source,
        .mapping = &session->mapping,
        .trace = session->trace,
        .curl = session->question->curl,
        .colour = session->colour,
    };

    explanation.outcome = ruleset_map_traced(session->config->rules, event, session->wall_ms,
                                             session->trace, &session->mapping);
    if (explanation.outcome == MAP_NOT_JSON || explanation.outcome == MAP_NOT_RENDERED)
        session->failed = true;
    if (session->question->json)
        explanation_print_json(&explanation, stdout);
    else
        explanation_print(&explanation, stdout);
}

static void
explain_of_line(struct session *session, const struct event *event)
{
    char *source = xasprintf("%s:%zu", session->source, session->line);

    explain_event(session, event, source);
    xfree(source);
}

static int
refuse_line(const struct session *session, const char *why)
{
    fflush(stdout);
    fprintf(stderr, "sendx-worker explain: %s:%zu: %s\n", session->source, session->line, why);
    return CMD_WRONG;
}

static int
explain_record(struct session *session, const json_t *json, const char *text, size_t len)
{
    struct json_range range = json_text_value(text, len, 0);
    struct record_json record;
    struct err err = {{0}};

    if (record_json_read(&record, json, text, range, &err))
        return refuse_line(session, err.msg);
    explain_of_line(session, &record.event);
    record_json_fini(&record);
    return CMD_OK;
}

static int
explain_payload(struct session *session, const char *topic, const char *text, size_t len)
{
    struct event event = {
        .topic = topic, .timestamp_ms = EVENT_NO_TIME, .payload = text, .payload_len = len};

    if (!topic)
        return refuse_line(session,
                           "of which topic is this? Say --topic TOPIC, or write the event as "
                           "{\"topic\": \"…\", \"event\": …}");
    explain_of_line(session, &event);
    return CMD_OK;
}

static int
explain_line(struct session *session, const char *text, size_t len)
{
    json_t *json = NULL;
    int status;

    if (session->question->topic)
        return explain_payload(session, session->question->topic, text, len);
    json = json_loadb(text, len, JSON_DECODE_ANY, NULL);
    if (record_json_is_one(json))
        status = explain_record(session, json, text, len);
    else
        status = explain_payload(session, session->only_topic, text, len);
    json_decref(json);
    return status;
}

/* A line without its end; false at the end of the input. */
static bool
read_line(FILE *in, struct buf *line)
{
    int c = getc_unlocked(in);

    buf_reset(line);
    if (c == EOF)
        return false;
    for (; c != EOF && c != '\n'; c = getc_unlocked(in))
        buf_add_char(line, (char)c);
    if (line->len && line->data[line->len - 1] == '\r')
        buf_truncate(line, line->len - 1);
    return true;
}

static bool
is_blank(const struct buf *line)
{
    return strspn(buf_text(line), " \t") == line->len;
}

static int
explain_lines(struct session *session, FILE *in)
{
    struct buf line;
    int status = CMD_OK;

    buf_init(&line, EVENT_BYTES_MAX);
    while (status == CMD_OK && read_line(in, &line)) {
        session->line++;
        if (buf_toobig(&line))
            status = refuse_line(session, "the line has more than 64 MiB");
        else if (!is_blank(&line))
            status = explain_line(session, buf_text(&line), line.len);
    }
    if (status == CMD_OK && ferror(in))
        status = refuse_line(session, strerror(errno));
    buf_fini(&line);
    if (status == CMD_OK && !session->events)
        fprintf(stderr, "sendx-worker explain: %s holds no event; it takes one JSON text a line\n",
                session->source);
    return status;
}

static int
explain_input(struct session *session)
{
    const char *input = session->question->input;
    FILE *in = stdin;
    int status;

    session->source = "stdin";
    if (input && strcmp(input, "-") != 0) {
        session->source = input;
        in = fopen(input, "re");
    }
    if (!in) {
        fprintf(stderr, "sendx-worker explain: %s: %s\n", input, strerror(errno));
        return CMD_WRONG;
    }
    status = explain_lines(session, in);
    if (in != stdin)
        fclose(in);
    return status;
}

static int
explain_kafka(struct session *session)
{
    const struct question *question = session->question;
    const struct kafka_config *kafka = &session->config->kafka;
    struct kafka_look look = {0};
    struct err err = {{0}};
    int rc;

    if (question->at)
        rc = kafka_look_at(&look, kafka, question->at, &err);
    else
        rc = kafka_look_last(&look, kafka, question->topic, question->last, &err);
    if (rc)
        fprintf(stderr, "sendx-worker explain: %s\n", err.msg);
    for (size_t i = 0; !rc && i < look.count; i++) {
        const struct event *event = &look.items[i]->event;
        char *source =
            xasprintf("%s:%d:%" PRId64, event->topic, (int)event->partition, event->offset);

        explain_event(session, event, source);
        xfree(source);
    }
    if (!rc && !look.count)
        fprintf(stderr, "sendx-worker explain: topic \"%s\" holds no record\n", question->topic);
    kafka_look_fini(&look);
    return rc ? CMD_FAILED : CMD_OK;
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
    session.only_topic = find_only_topic(session.config->rules);
    session.colour = wants_colour();
    mapping_init(&session.mapping);
    status = question->at || question->last ? explain_kafka(&session) : explain_input(&session);
    if (status == CMD_OK && session.failed)
        status = CMD_FAILED;
    mapping_fini(&session.mapping);
    trace_free(session.trace);
    config_free(session.config);
    return status;
}

static int
read_count(const char *text, size_t *ret)
{
    char *end;
    unsigned long count = strtoul(text, &end, 10);

    if (*text < '0' || *text > '9' || *end || count < 1 || count > KAFKA_LOOK_MAX)
        return cmd_usage("explain", "--last takes a number from 1 to %d, not \"%s\"",
                         (int)KAFKA_LOOK_MAX, text);
    *ret = count;
    return CMD_OK;
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
    int c;

    while ((c = getopt_long(argc, argv, "c:", options, NULL)) != -1) {
        if (c == 'c')
            question->config_file = optarg;
        else if (c == 't')
            question->topic = optarg;
        else if (c == 'a')
            question->at = optarg;
        else if (c == 'l' && read_count(optarg, &question->last))
            return CMD_WRONG;
        else if (c == 'u')
            question->curl = true;
        else if (c == 'j')
            question->json = true;
        else if (c != 'l')
            return cmd_usage("explain", NULL);
    }
    return CMD_OK;
}

static int
check_question(const struct question *question)
{
    if (!question->config_file)
        return cmd_usage("explain", "-c FILE is missing");
    if (question->topic && !ruleset_is_topic_name(question->topic))
        return cmd_usage("explain", "\"%s\" is no name of a topic", question->topic);
    if (question->last && !question->topic)
        return cmd_usage("explain", "--last needs --topic");
    if (question->at && (question->topic || question->last))
        return cmd_usage("explain",
                         "--at names topic and offset; --topic and --last go without it");
    if (question->at && !kafka_look_is_place(question->at))
        return cmd_usage("explain", "--at takes topic:partition:offset, not \"%s\"", question->at);
    if (question->input && (question->at || question->last))
        return cmd_usage("explain", "events come from a file or from Kafka, not both");
    return CMD_OK;
}

int
cmd_explain(int argc, char **argv)
{
    struct question question = {0};

    if (read_options(&question, argc, argv))
        return CMD_WRONG;
    if (optind + 1 < argc)
        return cmd_usage("explain", "\"%s\" is one argument too many", argv[optind + 1]);
    if (optind < argc)
        question.input = argv[optind];
    if (check_question(&question))
        return CMD_WRONG;
    return explain(&question);
}
