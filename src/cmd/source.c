#include "cmd/source.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "cmd/cmd.h"
#include "cmd/kafka_flow.h"
#include "cmd/kafka_look.h"
#include "cmd/record_json.h"
#include "edge/signals.h"
#include "rules/decode.h"

enum { LINE_BYTES_MAX = 64 * 1024 * 1024, CHUNK = 64 * 1024 };

static int
give(struct source *source, const struct event *event, const char *where)
{
    source->events++;
    return source->take(source->opaque, event, where);
}

/* ---- lines ---- */

/* A file read in chunks, so that a signal can be waited for beside it. */
struct lines {
    struct source *source;
    const char *name;
    const char *only_topic; /* that of all rules, or NULL */
    int fd;
    char chunk[CHUNK];
    size_t at, len; /* in the chunk */
    struct buf line;
    size_t number;
    bool over; /* at the end, or interrupted */
};

/* The topic of all rules, if it is one and no expression. */
static const char *
find_only_topic(const struct source *source)
{
    const char *only = NULL;

    for (size_t i = 0; i < SOURCE_RULES_MAX && source->rules[i]; i++) {
        const char *topic = ruleset_topic(source->rules[i], 0);

        if (ruleset_topic_count(source->rules[i]) != 1 || *topic == '^' ||
            (only && strcmp(only, topic) != 0))
            return NULL;
        only = topic;
    }
    return only;
}

static int
refuse_line(const struct lines *lines, const char *why)
{
    fflush(stdout);
    fprintf(stderr, "sendx-worker %s: %s:%zu: %s\n", lines->source->command, lines->name,
            lines->number, why);
    return CMD_WRONG;
}

/* By errno. */
static int
refuse_input(const struct source *source, const char *name)
{
    int error = errno;

    fflush(stdout);
    fprintf(stderr, "sendx-worker %s: %s: %s\n", source->command, name, strerror(error));
    return CMD_WRONG;
}

static bool
is_interrupted(struct source *source)
{
    int signo;

    while (source->signals >= 0 && (signo = signals_next(source->signals))) {
        if (signo == SIGINT || signo == SIGTERM)
            source->signal = signo;
    }
    return source->signal != 0;
}

/* Fills the chunk; sets OVER where nothing comes any more. */
static int
fill(struct lines *lines)
{
    struct pollfd fds[] = {{.fd = lines->fd, .events = POLLIN},
                           {.fd = lines->source->signals, .events = POLLIN}};
    ssize_t len;

    (void)poll(fds, ARRAY_LEN(fds), -1);
    if (is_interrupted(lines->source)) {
        lines->over = true;
        return CMD_OK;
    }
    len = read(lines->fd, lines->chunk, sizeof(lines->chunk));
    if (len < 0 && errno != EINTR)
        return refuse_input(lines->source, lines->name);
    lines->over = len == 0;
    lines->at = 0;
    lines->len = len > 0 ? (size_t)len : 0;
    return CMD_OK;
}

/* A line without its end. With OVER set there is none. */
static int
read_line(struct lines *lines)
{
    struct buf *line = &lines->line;
    const char *end = NULL;

    buf_reset(line);
    while (!end) {
        const char *start = lines->chunk + lines->at;
        size_t left = lines->len - lines->at;

        end = left ? memchr(start, '\n', left) : NULL;
        buf_add(line, start, end ? (size_t)(end - start) : left);
        lines->at += end ? (size_t)(end - start) + 1 : left;
        if (!end && fill(lines))
            return CMD_WRONG;
        if (lines->over)
            break;
    }
    if (lines->over && line->len && !lines->source->signal)
        lines->over = false; /* a last line without its end */
    if (line->len && line->data[line->len - 1] == '\r')
        buf_truncate(line, line->len - 1);
    lines->number++;
    return buf_toobig(line) ? refuse_line(lines, "the line has more than 64 MiB") : CMD_OK;
}

static bool
is_blank(const struct buf *line)
{
    return strspn(buf_text(line), " \t") == line->len;
}

static int
give_line(struct lines *lines, const struct event *event, bool *ret_enough)
{
    char *where = xasprintf("%s:%zu", lines->name, lines->number);

    *ret_enough = give(lines->source, event, where) != 0;
    xfree(where);
    return CMD_OK;
}

static int
take_record(struct lines *lines, const json_t *json, bool *ret_enough)
{
    const char *text = buf_text(&lines->line);
    struct json_range range = json_text_value(text, lines->line.len, 0);
    struct record_json record;
    struct err err = {{0}};

    if (record_json_read(&record, json, text, range, &err))
        return refuse_line(lines, err.msg);
    (void)give_line(lines, &record.event, ret_enough);
    record_json_fini(&record);
    return CMD_OK;
}

static int
take_payload(struct lines *lines, const char *topic, bool *ret_enough)
{
    struct event event = {.topic = topic,
                          .timestamp_ms = EVENT_NO_TIME,
                          .payload = buf_text(&lines->line),
                          .payload_len = lines->line.len};

    if (!topic)
        return refuse_line(lines,
                           "of which topic is this? Say --topic TOPIC, or write the event as "
                           "{\"topic\": \"…\", \"event\": …}");
    return give_line(lines, &event, ret_enough);
}

static int
take_line(struct lines *lines, bool *ret_enough)
{
    const char *topic = lines->source->order->topic;
    char ignored[256];
    json_t *json;
    int status;

    if (topic)
        return take_payload(lines, topic, ret_enough);
    json = decode_json(buf_text(&lines->line), lines->line.len, ignored, sizeof(ignored));
    if (record_json_is_one(json))
        status = take_record(lines, json, ret_enough);
    else
        status = take_payload(lines, lines->only_topic, ret_enough);
    json_decref(json);
    return status;
}

static int
take_lines(struct lines *lines)
{
    bool enough = false;

    while (!enough) {
        if (read_line(lines))
            return CMD_WRONG;
        if (lines->over)
            break;
        if (!is_blank(&lines->line) && take_line(lines, &enough))
            return CMD_WRONG;
    }
    if (!lines->source->events && !lines->source->signal)
        fprintf(stderr, "sendx-worker %s: %s holds no event; it takes one JSON text a line\n",
                lines->source->command, lines->name);
    return CMD_OK;
}

static int
run_lines(struct source *source)
{
    const char *input = source->order->input;
    struct lines *lines = xcalloc(1, sizeof(*lines));
    int status;

    lines->source = source;
    lines->name = "stdin";
    lines->only_topic = find_only_topic(source);
    if (input && strcmp(input, "-") != 0) {
        lines->name = input;
        lines->fd = open(input, O_RDONLY | O_CLOEXEC);
    }
    if (lines->fd < 0) {
        status = refuse_input(source, input);
        xfree(lines);
        return status;
    }
    buf_init(&lines->line, LINE_BYTES_MAX);
    status = take_lines(lines);
    buf_fini(&lines->line);
    if (lines->fd != STDIN_FILENO)
        close(lines->fd);
    xfree(lines);
    return status;
}

/* ---- Kafka ---- */

static int
take_record_of_kafka(void *opaque, const struct event *event)
{
    struct source *source = opaque;
    char *where = xasprintf("%s:%d:%" PRId64, event->topic, (int)event->partition, event->offset);
    int enough = give(source, event, where);

    xfree(where);
    return enough;
}

static void
give_look(struct source *source, const struct kafka_look *look)
{
    for (size_t i = 0; i < look->count; i++) {
        if (take_record_of_kafka(source, &look->items[i]->event))
            return;
    }
}

static int
look_last(struct source *source, const char *topic, struct err *err)
{
    struct kafka_look look = {0};
    int rc = kafka_look_last(&look, source->kafka, topic, source->order->last, err);

    if (!rc && !look.count)
        fprintf(stderr, "sendx-worker %s: topic \"%s\" holds no record\n", source->command, topic);
    if (!rc)
        give_look(source, &look);
    kafka_look_fini(&look);
    return rc;
}

static int
run_last(struct source *source, struct err *err)
{
    struct topic_names topics = {0};
    int rc = 0;

    if (source->order->topic)
        return look_last(source, source->order->topic, err);
    rc = kafka_flow_topics(&topics, source->kafka, source->rules, SOURCE_RULES_MAX, err);
    for (size_t i = 0; !rc && i < topics.count && !is_interrupted(source); i++)
        rc = look_last(source, topics.items[i], err);
    topic_names_fini(&topics);
    return rc;
}

static int
run_at(struct source *source, struct err *err)
{
    struct kafka_look look = {0};
    int rc = kafka_look_at(&look, source->kafka, source->order->at, err);

    if (!rc)
        give_look(source, &look);
    kafka_look_fini(&look);
    return rc;
}

static bool
flow_is_interrupted(void *opaque)
{
    return is_interrupted(opaque);
}

static void
say_waiting(void *opaque)
{
    const struct source *source = opaque;

    fprintf(stderr, "sendx-worker %s: waiting for events, %" PRId64 " s at most; Ctrl-C ends it\n",
            source->command, (source->order->wait_ms + 999) / 1000);
}

static int
run_flow(struct source *source, struct err *err)
{
    const struct source_order *order = source->order;
    struct kafka_flow flow = {.config = source->kafka,
                              .since_ms = order->since_ms,
                              .wait_ms = order->wait_ms,
                              .signals = source->signals,
                              .is_interrupted = flow_is_interrupted,
                              .caught_up = say_waiting,
                              .take = take_record_of_kafka,
                              .opaque = source};
    struct topic_names topics = {0};
    int rc = 0;

    if (order->topic)
        topic_names_add(&topics, order->topic);
    else
        rc = kafka_flow_topics(&topics, source->kafka, source->rules, SOURCE_RULES_MAX, err);
    if (!rc)
        rc = kafka_flow_run(&flow, &topics, err);
    topic_names_fini(&topics);
    return rc;
}

static int
run_kafka(struct source *source)
{
    struct err err = {{0}};
    int rc;

    if (source->order->at)
        rc = run_at(source, &err);
    else if (source->order->last)
        rc = run_last(source, &err);
    else
        rc = run_flow(source, &err);
    if (!rc)
        return CMD_OK;
    fprintf(stderr, "sendx-worker %s: %s\n", source->command, err.msg);
    return CMD_FAILED;
}

/* ---- both ---- */

bool
source_is_kafka(const struct source_order *order)
{
    return order->at || order->last || order->since_ms != EVENT_NO_TIME || order->wait_ms;
}

int
source_check(const char *command, const struct source_order *order)
{
    if (order->topic && !ruleset_is_topic_name(order->topic))
        return cmd_usage(command, "\"%s\" is no name of a topic", order->topic);
    if (order->at && (order->topic || order->last))
        return cmd_usage(command, "--at names topic and offset; --topic and --last go without it");
    if (order->at && !kafka_look_is_place(order->at))
        return cmd_usage(command, "--at takes topic:partition:offset, not \"%s\"", order->at);
    if (order->last && (order->since_ms != EVENT_NO_TIME || order->wait_ms))
        return cmd_usage(command, "--last takes what is there; --since and --wait go without it");
    if (order->input && source_is_kafka(order))
        return cmd_usage(command, "events come from a file or from Kafka, not both");
    return CMD_OK;
}

int
source_run(struct source *source)
{
    return source_is_kafka(source->order) ? run_kafka(source) : run_lines(source);
}
