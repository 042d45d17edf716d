#include "edge/kafka.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "edge/kafka_handle.h"
#include "edge/kafka_state.h"

enum {
    POLL_MS = 500,          /* the library counts a member as dead that does not poll */
    EVENTS_PER_STEP = 1000, /* log lines, as a rule */
    PARTITIONS_TIMEOUT_MS = 3000,
    FATAL_TEXT_MAX = 512,
    TOPICS_TEXT_MAX = 1024 /* in a log line */
};

/* ---- opening ---- */

static int
open_consumer(struct kafka *kafka, const struct kafka_settings *settings, struct err *err)
{
    static const uint64_t one = 1;
    int64_t partitions = kafka_ask_partitions(kafka->ask, settings->topics, settings->topic_count,
                                              PARTITIONS_TIMEOUT_MS);
    rd_kafka_conf_t *conf =
        kafka_consumer_conf(settings->config, settings->prefetch_bytes, partitions, err);

    if (!conf)
        return -1;
    if (kafka_exclude(conf, settings->excluded, settings->excluded_count, err) < 0) {
        rd_kafka_conf_destroy(conf);
        return -1;
    }
    kafka->session_timeout_ms = kafka_conf_number(conf, "session.timeout.ms");
    kafka_gate_init(&kafka->gate, conf, kafka->fd);
    kafka->rk = kafka_handle_new(RD_KAFKA_CONSUMER, &conf, err);
    if (!kafka->rk)
        return -1;
    rd_kafka_poll_set_consumer(kafka->rk);
    kafka->main = rd_kafka_queue_get_consumer(kafka->rk);
    rd_kafka_queue_io_event_enable(kafka->main, kafka->fd, &one, sizeof(one));
    rd_kafka_set_log_queue(kafka->rk, kafka->main);
    return 0;
}

static void
log_subscribed(const struct kafka *kafka, const char *const *topics, size_t count)
{
    struct buf text;

    buf_init(&text, TOPICS_TEXT_MAX);
    for (size_t i = 0; i < count; i++) {
        buf_add_text(&text, i > 0 ? " " : "");
        buf_add_text(&text, topics[i]);
    }
    log_info("kafka.subscribed", log_text("group", kafka->group_id),
             log_text("topics", buf_text(&text)));
    buf_fini(&text);
}

int
kafka_subscribe(struct kafka *kafka, const char *const *topics, size_t count, struct err *err)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)count);
    rd_kafka_resp_err_t error;

    for (size_t i = 0; i < count; i++)
        rd_kafka_topic_partition_list_add(list, topics[i], RD_KAFKA_PARTITION_UA);
    kafka_gate_expect(&kafka->gate, kafka->now_ms); /* a JoinGroup follows */
    error = rd_kafka_subscribe(kafka->rk, list);
    rd_kafka_topic_partition_list_destroy(list);
    if (error)
        return err_set(err, "kafka: cannot subscribe: %s", rd_kafka_err2str(error));
    log_subscribed(kafka, topics, count);
    return 0;
}

static int
open_all(struct kafka *kafka, const struct kafka_settings *settings, struct err *err)
{
    /* One is there already: a queue tells of what comes, not of what it has. */
    kafka->fd = eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC);
    if (kafka->fd < 0)
        return err_set(err, "eventfd: %s", strerror(errno));
    kafka->ask = kafka_ask_open(settings, kafka->fd, err);
    if (!kafka->ask || open_consumer(kafka, settings, err) < 0)
        return -1;
    return kafka_subscribe(kafka, settings->topics, settings->topic_count, err);
}

struct kafka *
kafka_open(const struct kafka_settings *settings, const struct kafka_ops *ops, void *arg,
           struct err *err)
{
    struct kafka *kafka = xcalloc(1, sizeof(*kafka));

    kafka->ops = *ops;
    kafka->arg = arg;
    kafka->group_id = xstrdup(settings->config->group_id);
    kafka->start = settings->config->start;
    kafka->start_ms = settings->config->start_ms;
    kafka->late_topic = settings->late_topic ? xstrdup(settings->late_topic) : NULL;
    kafka->fd = -1;
    kafka->ask_due_ms = CLOCK_NEVER;
    kafka->now_ms = clock_now_ms();
    list_init(&kafka->asking);
    list_init(&kafka->reading);
    list_init(&kafka->revoking);
    list_init(&kafka->fenced);
    kafka_log_init(&kafka->log, false);
    if (open_all(kafka, settings, err) < 0) {
        kafka_close(kafka);
        return NULL;
    }
    return kafka;
}

/* ---- events of the library ---- */

void
kafka_fail(struct kafka *kafka, const char *reason)
{
    if (kafka->failed)
        return;
    kafka->failed = true;
    kafka->failure = xstrdup(reason);
}

/* The library says so in words only. */
static bool
is_late(const struct kafka *kafka, rd_kafka_event_t *event)
{
    char said[TOPICS_TEXT_MAX];

    if (!kafka->late_topic ||
        rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
        return false;
    snprintf(said, sizeof(said), "not available: %s:", kafka->late_topic);
    return strstr(rd_kafka_event_error_string(event), said) != NULL;
}

static bool
is_about_topics(rd_kafka_resp_err_t error)
{
    return error == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ||
           error == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC ||
           error == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION ||
           error == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED;
}

static void
on_error(struct kafka *kafka, rd_kafka_event_t *event)
{
    char text[FATAL_TEXT_MAX];

    if (is_late(kafka, event)) {
        if (!kafka->late_is_missing)
            log_info("kafka.topic_missing", log_text("topic", kafka->late_topic),
                     log_text("effect", "it is read as soon as it is there"));
        kafka->late_is_missing = true;
        return;
    }
    if (is_about_topics(rd_kafka_event_error(event)))
        kafka->topics_doubted = true;
    if (rd_kafka_event_error(event) == RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED)
        kafka->group_denied = true;
    kafka_log_error(&kafka->log, rd_kafka_event_error(event), rd_kafka_event_error_string(event),
                    kafka->now_ms);
    if (rd_kafka_fatal_error(kafka->rk, text, sizeof(text)))
        kafka_fail(kafka, text);
}

static void
on_rebalance(struct kafka *kafka, rd_kafka_event_t *event)
{
    const rd_kafka_topic_partition_list_t *partitions = rd_kafka_event_topic_partition_list(event);

    if (rd_kafka_event_error(event) == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS)
        kafka_coming_assign(kafka, partitions);
    else
        kafka_going_revoke(kafka, partitions);
}

static void
on_event(struct kafka *kafka, rd_kafka_event_t *event)
{
    switch (rd_kafka_event_type(event)) {
    case RD_KAFKA_EVENT_REBALANCE:
        on_rebalance(kafka, event);
        break;
    case RD_KAFKA_EVENT_OFFSET_COMMIT:
        kafka_commit_answered(kafka, event);
        break;
    case RD_KAFKA_EVENT_ERROR:
        on_error(kafka, event);
        break;
    case RD_KAFKA_EVENT_LOG:
        kafka_log_line(&kafka->log, event, kafka->now_ms);
        break;
    case RD_KAFKA_EVENT_FETCH:
        assert(!"a record outside of its partition's queue would be lost");
        break;
    default:
        break;
    }
}

/* True when there may be more. */
static bool
serve(struct kafka *kafka, rd_kafka_queue_t *queue)
{
    for (int i = 0; i < EVENTS_PER_STEP; i++) {
        rd_kafka_event_t *event = rd_kafka_queue_poll(queue, 0);

        if (!event)
            return false;
        on_event(kafka, event);
        rd_kafka_event_destroy(event);
    }
    return true;
}

/* Whether a queue or the gate had something to tell since the last time. */
static bool
was_woken(struct kafka *kafka)
{
    uint64_t count;

    return read(kafka->fd, &count, sizeof(count)) == sizeof(count);
}

/* Their queues may be the reason for having been woken. */
static void
look_again(struct kafka *kafka)
{
    LIST_EACH(node, &kafka->reading) {
        struct kafka_part *part = kafka_part_of(node);

        if (part->dry && rd_kafka_queue_length(part->queue) > 0)
            part->dry = false;
    }
}

static void
serve_all(struct kafka *kafka)
{
    if (kafka->life == KAFKA_CLOSED)
        return;
    kafka->events_left = serve(kafka, kafka->closing ? kafka->closing : kafka->main);
    if (kafka_coming_step(kafka))
        kafka->events_left = true;
    if (kafka->life == KAFKA_MEMBER)
        kafka_range_step(kafka);
    if (kafka->life == KAFKA_CLOSING && rd_kafka_consumer_closed(kafka->rk))
        kafka->life = KAFKA_CLOSED;
    kafka->poll_due_ms = kafka->now_ms + POLL_MS;
}

/* ---- records ---- */

static void
read_headers(struct kafka *kafka, const rd_kafka_message_t *message, struct event *event)
{
    rd_kafka_headers_t *headers;
    struct event_header header;

    if (rd_kafka_message_headers(message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return;
    while (!rd_kafka_header_get_all(headers, event->header_count, &header.name, &header.value,
                                    &header.value_len)) {
        if (event->header_count == kafka->header_cap)
            kafka->headers = xgrow(kafka->headers, event->header_count, &kafka->header_cap,
                                   sizeof(kafka->headers[0]));
        kafka->headers[event->header_count++] = header;
    }
    event->headers = kafka->headers;
}

static void
hand_over(struct kafka *kafka, struct kafka_part *part)
{
    const rd_kafka_message_t *message = part->head;
    struct event event = {.topic = part->topic,
                          .partition = part->number,
                          .offset = message->offset,
                          .timestamp_ms = part->head_ms,
                          .key = message->key,
                          .key_len = message->key_len,
                          .payload = message->payload,
                          .payload_len = message->len};

    read_headers(kafka, message, &event);
    kafka->ops.record(kafka->arg, part, &event);
    kafka_part_shift(part);
}

static size_t
collect(struct kafka *kafka)
{
    size_t count = 0;

    LIST_EACH(node, &kafka->reading) {
        struct kafka_part *part = kafka_part_of(node);

        if (kafka_part_peek(part, &kafka->log, kafka->now_ms) &&
            kafka->ops.has_room(kafka->arg, part))
            kafka->candidates[count++] = (struct kafka_candidate){part->head_ms, part};
    }
    return count;
}

/* Room can be gone for all of them at once. */
static size_t
keep_those_with_room(struct kafka *kafka, size_t count)
{
    size_t kept = 0;

    for (size_t i = 0; i < count; i++)
        if (kafka->ops.has_room(kafka->arg, kafka->candidates[i].part))
            kafka->candidates[kept++] = kafka->candidates[i];
    return kept;
}

static struct kafka_candidate *
oldest(struct kafka *kafka, size_t count)
{
    struct kafka_candidate *found = kafka->candidates;

    for (size_t i = 1; i < count; i++)
        if (kafka->candidates[i].head_ms < found->head_ms)
            found = &kafka->candidates[i];
    return found;
}

/* True when it stopped at the budget. */
static bool
hand_over_some(struct kafka *kafka, size_t budget)
{
    size_t count = collect(kafka);

    while (count > 0 && budget > 0) {
        struct kafka_candidate *next = oldest(kafka, count);

        if (!kafka->ops.has_room(kafka->arg, next->part)) {
            count = keep_those_with_room(kafka, count);
            continue;
        }
        hand_over(kafka, next->part);
        budget--;
        if (kafka_part_peek(next->part, &kafka->log, kafka->now_ms))
            next->head_ms = next->part->head_ms;
        else
            *next = kafka->candidates[--count];
    }
    return count > 0;
}

/* ---- the step ---- */

int
kafka_fd(const struct kafka *kafka)
{
    return kafka->fd;
}

int64_t
kafka_deadline(const struct kafka *kafka, int64_t now)
{
    int64_t due_ms = clock_earlier(kafka->poll_due_ms, kafka->ask_due_ms);

    if (kafka->failure || kafka->commit_refused)
        return now;
    if (kafka->life == KAFKA_CLOSED)
        return kafka->part_count ? now : CLOCK_NEVER; /* the rest is to be forgotten */
    if (kafka->events_left || kafka->records_left)
        return now;
    if (kafka->life == KAFKA_LEAVING && !kafka->revoke_due)
        due_ms = clock_earlier(due_ms, kafka->close_due_ms);
    return clock_earlier(due_ms, kafka->gate_due_ms);
}

/* What was found out between two steps. */
static void
report(struct kafka *kafka)
{
    rd_kafka_resp_err_t refused = kafka->commit_refused;
    char *failure = kafka->failure;

    kafka->commit_refused = RD_KAFKA_RESP_ERR_NO_ERROR;
    if (refused)
        kafka_commit_done(kafka, refused);
    kafka->failure = NULL;
    if (failure)
        kafka->ops.failed(kafka->arg, failure);
    xfree(failure);
}

void
kafka_step(struct kafka *kafka, int64_t now, size_t record_budget)
{
    bool woken = was_woken(kafka);

    kafka->now_ms = now;
    if (woken || kafka->events_left || now >= kafka->poll_due_ms || now >= kafka->ask_due_ms)
        serve_all(kafka);
    report(kafka);
    if (kafka->life == KAFKA_CLOSED) {
        kafka_going_forget(kafka);
        return;
    }
    kafka_going_leave_step(kafka);
    if (woken)
        look_again(kafka);
    kafka->gate_due_ms =
        kafka->life == KAFKA_MEMBER ? kafka_gate_step(&kafka->gate, kafka->rk, now) : CLOCK_NEVER;
    if (kafka->commit_waits)
        kafka_commit_go_on(kafka);
    kafka->records_left = hand_over_some(kafka, record_budget);
}

/* ---- leaving ---- */

void
kafka_leave(struct kafka *kafka, int64_t by_ms)
{
    if (kafka->life == KAFKA_MEMBER)
        kafka_going_leave(kafka, by_ms);
}

bool
kafka_is_closed(const struct kafka *kafka)
{
    return kafka->life == KAFKA_CLOSED && kafka->part_count == 0;
}

int64_t
kafka_session_timeout_ms(const struct kafka *kafka)
{
    return kafka->session_timeout_ms;
}

int64_t
kafka_era(const struct kafka *kafka)
{
    return kafka->era;
}

/* librdkafka before 2.3 fails an assertion when a handle is destroyed that has joined a group
 * cooperatively and was never assigned anything (its issue 4312). */
static bool
would_abort(const struct kafka *kafka)
{
    return rd_kafka_version() < 0x020300ff && kafka->rk && !kafka->was_assigned &&
           atomic_load(&kafka->gate.joined);
}

bool
kafka_must_be_left(const struct kafka *kafka)
{
    return kafka->stuck || would_abort(kafka);
}

void
kafka_close(struct kafka *kafka)
{
    if (!kafka || kafka_must_be_left(kafka))
        return;
    kafka_group_fini(kafka);
    if (kafka->commit)
        rd_kafka_topic_partition_list_destroy(kafka->commit);
    if (kafka->closing)
        rd_kafka_queue_destroy(kafka->closing);
    if (kafka->main)
        rd_kafka_queue_destroy(kafka->main);
    if (kafka->rk)
        rd_kafka_destroy_flags(
            kafka->rk, kafka->life == KAFKA_CLOSED ? 0 : RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    kafka_ask_close(kafka->ask);
    if (kafka->fd >= 0)
        close(kafka->fd);
    xfree(kafka->candidates);
    xfree(kafka->headers);
    xfree(kafka->failure);
    xfree(kafka->late_topic);
    xfree(kafka->member_id);
    xfree(kafka->group_id);
    xfree(kafka);
}

int64_t
kafka_count_partitions(struct kafka *kafka, const char *const *topics, size_t count, int timeout_ms)
{
    return kafka_ask_partitions(kafka->ask, topics, count, timeout_ms);
}

enum kafka_topic_state
kafka_look_for_topic(struct kafka *kafka, const char *topic)
{
    return kafka_ask_topic(kafka->ask, topic);
}

bool
kafka_doubts_topics(struct kafka *kafka)
{
    bool doubted = kafka->topics_doubted;

    kafka->topics_doubted = false;
    return doubted;
}

const char *
kafka_trouble(const struct kafka *kafka)
{
    return kafka->group_denied ? "group_not_authorized" : NULL;
}

bool
kafka_has_records(const struct kafka *kafka)
{
    LIST_EACH(node, &kafka->reading) {
        const struct kafka_part *part = kafka_part_of(node);

        if (!part->stopped && (part->head || rd_kafka_queue_length(part->queue) > 0))
            return true;
    }
    return false;
}
