#include "edge/kafka_read.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mask.h"
#include "base/xalloc.h"
#include "edge/kafka_handle.h"
#include "edge/kafka_log.h"

enum {
    ASK_MS = 10 * 1000, /* for metadata and offsets */
    SILENCE_MS = 30 * 1000,
    POLL_MS = 100,
    NEAR = 1000, /* records that are rather read over than fetched around */
    TROUBLE_MAX = 512
};

struct kafka_read {
    rd_kafka_t *rk;
    struct kafka_log log;
    char trouble[TROUBLE_MAX]; /* what the library said last of what it tries again */

    char *topic; /* what is read; NULL: nothing yet */
    int32_t partition;
    int64_t next, end; /* offsets: below next nothing is of interest */
    bool is_done;      /* the range is read */
    int64_t heard_ms;  /* when something of it last came, or it was asked for */
    rd_kafka_message_t *message;
    struct event_header *headers; /* of it */
    size_t header_cap;
};

/* ---- the handle ---- */

static void
on_log(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
    struct kafka_read *read = rd_kafka_opaque(rk);

    kafka_log_text(&read->log, level, facility, text, clock_now_ms());
}

static void
on_error(rd_kafka_t *rk, int code, const char *text, void *opaque)
{
    struct kafka_read *read = opaque;

    (void)rk;
    if (code != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN)
        snprintf(read->trouble, sizeof(read->trouble), "%s", text);
}

/* Serves the callbacks. No record is there while nothing is assigned. */
static void
listen_to_library(struct kafka_read *read)
{
    rd_kafka_message_t *message;

    while (!read->topic && (message = rd_kafka_consumer_poll(read->rk, 0)))
        rd_kafka_message_destroy(message);
}

struct kafka_read *
kafka_read_open(const struct kafka_config *config, struct err *err)
{
    struct kafka_read *read = xcalloc(1, sizeof(*read));
    rd_kafka_conf_t *conf = kafka_reader_conf(config, err);

    kafka_log_init(&read->log, false);
    if (conf) {
        rd_kafka_conf_set_opaque(conf, read);
        rd_kafka_conf_set_log_cb(conf, on_log);
        rd_kafka_conf_set_error_cb(conf, on_error);
        read->rk = kafka_handle_new(RD_KAFKA_CONSUMER, &conf, err);
    }
    if (!read->rk) {
        kafka_read_close(read);
        return NULL;
    }
    rd_kafka_poll_set_consumer(read->rk);
    rd_kafka_set_log_queue(read->rk, NULL);
    return read;
}

static void
drop_message(struct kafka_read *read)
{
    if (read->message)
        rd_kafka_message_destroy(read->message);
    read->message = NULL;
}

void
kafka_read_close(struct kafka_read *read)
{
    if (!read)
        return;
    drop_message(read);
    if (read->rk)
        rd_kafka_destroy(read->rk);
    xfree(read->topic);
    xfree(read->headers);
    xfree(read);
}

/* ---- what there is ---- */

/* Adds what the library said of the connection, which the code alone does not. */
static int
fail(struct kafka_read *read, const char *what, const char *why, struct err *err)
{
    struct buf trouble;

    listen_to_library(read);
    buf_init(&trouble, 2 * TROUBLE_MAX);
    mask_add_text(&trouble, read->trouble, strlen(read->trouble));
    (void)err_set(err, "%s: %s%s%s%s", what, why, trouble.len ? " (" : "", buf_text(&trouble),
                  trouble.len ? ")" : "");
    buf_fini(&trouble);
    return -1;
}

static int
fail_topic(struct kafka_read *read, const char *topic, rd_kafka_resp_err_t code, struct err *err)
{
    char what[320];

    snprintf(what, sizeof(what), "topic \"%s\"", topic);
    if (code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED)
        return err_set(err, "%s may not be read: give Kafka's user Describe and Read on it", what);
    return fail(read, what, rd_kafka_err2str(code), err);
}

static int
ask_topics(struct kafka_read *read, const struct rd_kafka_metadata **ret, struct err *err)
{
    rd_kafka_resp_err_t code = rd_kafka_metadata(read->rk, 1, NULL, ret, ASK_MS);

    if (code)
        return fail(read, "kafka does not say which topics there are", rd_kafka_err2str(code), err);
    return 0;
}

/* Asked for among all topics: asking for one by name could create it. */
int
kafka_read_partitions(struct kafka_read *read, const char *topic, int32_t *ret_count,
                      struct err *err)
{
    const struct rd_kafka_metadata *metadata;
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;

    if (ask_topics(read, &metadata, err))
        return -1;
    *ret_count = 0;
    for (int i = 0; i < metadata->topic_cnt; i++) {
        if (strcmp(metadata->topics[i].topic, topic) != 0)
            continue;
        code = metadata->topics[i].err;
        *ret_count = metadata->topics[i].partition_cnt;
    }
    rd_kafka_metadata_destroy(metadata);
    return code ? fail_topic(read, topic, code, err) : 0;
}

int
kafka_read_topics(struct kafka_read *read, kafka_read_topic *take, void *opaque, struct err *err)
{
    const struct rd_kafka_metadata *metadata;

    if (ask_topics(read, &metadata, err))
        return -1;
    for (int i = 0; i < metadata->topic_cnt; i++)
        take(opaque, metadata->topics[i].topic, metadata->topics[i].partition_cnt);
    rd_kafka_metadata_destroy(metadata);
    return 0;
}

/* A topic that was just made, or a leader that has moved: the library looks for it meanwhile, and
 * leaves asking again to us. */
static bool
is_passing(rd_kafka_resp_err_t code)
{
    return code == RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION ||
           code == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE ||
           code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ||
           code == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION;
}

/* AT is a logical offset or a time; RD_KAFKA_OFFSET_END comes back where nothing is as late. The
 * library has a function for both ends at once, which after an answer
 * of a former leader gives the end twice: a partition would seem empty (2.0.2). */
static rd_kafka_resp_err_t
ask_offset(struct kafka_read *read, const char *topic, int32_t partition, int64_t at, int64_t *ret)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_t *asked = rd_kafka_topic_partition_list_add(list, topic, partition);
    rd_kafka_resp_err_t code;

    asked->offset = at;
    code = rd_kafka_offsets_for_times(read->rk, list, ASK_MS);
    if (!code)
        code = asked->err;
    if (!code && asked->offset < 0 && !(at >= 0 && asked->offset == RD_KAFKA_OFFSET_END))
        code = RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE;
    *ret = asked->offset;
    rd_kafka_topic_partition_list_destroy(list);
    return code;
}

int
kafka_read_bounds(struct kafka_read *read, const char *topic, int32_t partition, int64_t *ret_begin,
                  int64_t *ret_end, struct err *err)
{
    int64_t until_ms = clock_now_ms() + ASK_MS;
    rd_kafka_resp_err_t code;

    for (;;) {
        code = ask_offset(read, topic, partition, RD_KAFKA_OFFSET_BEGINNING, ret_begin);
        if (!code)
            code = ask_offset(read, topic, partition, RD_KAFKA_OFFSET_END, ret_end);
        if (!is_passing(code) || clock_now_ms() >= until_ms)
            break;
        (void)poll(NULL, 0, POLL_MS);
    }
    return code ? fail_topic(read, topic, code, err) : 0;
}

int
kafka_read_since(struct kafka_read *read, const char *topic, int32_t partition, int64_t time_ms,
                 int64_t end, int64_t *ret_offset, struct err *err)
{
    int64_t until_ms = clock_now_ms() + ASK_MS, offset;
    rd_kafka_resp_err_t code;

    while ((code = ask_offset(read, topic, partition, time_ms, &offset)) && is_passing(code) &&
           clock_now_ms() < until_ms)
        (void)poll(NULL, 0, POLL_MS);
    if (code)
        return fail_topic(read, topic, code, err);
    *ret_offset = offset < 0 || offset > end ? end : offset;
    return 0;
}

/* ---- records ---- */

/* Assigning the same partition anew is what moves it: the library takes a seek only once fetching
 * has begun. */
static int
begin_at(struct kafka_read *read, const char *topic, int32_t partition, int64_t offset,
         struct err *err)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_resp_err_t code;

    drop_message(read);
    rd_kafka_topic_partition_list_add(list, topic, partition)->offset = offset;
    code = rd_kafka_assign(read->rk, list);
    rd_kafka_topic_partition_list_destroy(list);
    if (code)
        return fail_topic(read, topic, code, err);
    if (!read->topic || strcmp(read->topic, topic) != 0) {
        xfree(read->topic);
        read->topic = xstrdup(topic);
    }
    read->partition = partition;
    read->next = offset;
    read->heard_ms = clock_now_ms();
    return 0;
}

int
kafka_read_range(struct kafka_read *read, const char *topic, int32_t partition, int64_t from,
                 int64_t end, struct err *err)
{
    read->end = end;
    read->is_done = from >= end; /* nothing is fetched for that */
    return read->is_done ? 0 : begin_at(read, topic, partition, from, err);
}

static bool
is_ours(const struct kafka_read *read, const rd_kafka_message_t *message)
{
    return message->rkt && message->partition == read->partition &&
           strcmp(rd_kafka_topic_name(message->rkt), read->topic) == 0;
}

/* RET_PASSED: no record below it is to come any more; -1 while that is not known. */
static int
take_error(struct kafka_read *read, const rd_kafka_message_t *message, int64_t *ret_passed,
           struct err *err)
{
    switch (message->err) {
    case RD_KAFKA_RESP_ERR__PARTITION_EOF:
        if (is_ours(read, message))
            *ret_passed = message->offset;
        return 0;
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
        return fail_topic(read, read->topic, message->err, err);
    default:
        snprintf(read->trouble, sizeof(read->trouble), "%s", rd_kafka_message_errstr(message));
        return 0;
    }
}

/* Waits for one message at most. RET_PASSED as above, and of a record one past it. */
static int
take_one(struct kafka_read *read, int64_t timeout_ms, int64_t *ret_passed, struct err *err)
{
    rd_kafka_message_t *message;
    int result = 0;

    drop_message(read);
    *ret_passed = -1;
    message = rd_kafka_consumer_poll(read->rk, (int)timeout_ms);
    if (!message)
        return 0;
    if (message->err) {
        result = take_error(read, message, ret_passed, err);
    } else if (is_ours(read, message) && message->offset >= read->next) {
        *ret_passed = message->offset + 1;
        read->heard_ms = clock_now_ms();
        read->message = message;
        return 0;
    } else if (is_ours(read, message)) {
        read->heard_ms = clock_now_ms();
    }
    rd_kafka_message_destroy(message);
    return result;
}

static int
check_silence(struct kafka_read *read, struct err *err)
{
    char what[320];

    if (clock_now_ms() - read->heard_ms < SILENCE_MS)
        return 0;
    snprintf(what, sizeof(what), "topic \"%s\", partition %d", read->topic, (int)read->partition);
    return fail(read, what, "nothing came from Kafka for 30 s", err);
}

/* Waits for a record or the end of the partition, at most until TIMEOUT_MS is over. */
static int
await(struct kafka_read *read, int64_t timeout_ms, int64_t *ret_passed, struct err *err)
{
    int64_t until_ms = clock_now_ms() + timeout_ms;
    int64_t left_ms = timeout_ms;

    for (;;) {
        if (take_one(read, left_ms > 0 ? clock_earlier(left_ms, POLL_MS) : 0, ret_passed, err) < 0)
            return -1;
        left_ms = until_ms - clock_now_ms();
        if (*ret_passed >= 0 || left_ms <= 0)
            break;
    }
    return *ret_passed < 0 ? check_silence(read, err) : 0;
}

static void
read_headers(struct kafka_read *read, struct event *event)
{
    rd_kafka_headers_t *headers;
    struct event_header header;

    if (rd_kafka_message_headers(read->message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return;
    while (!rd_kafka_header_get_all(headers, event->header_count, &header.name, &header.value,
                                    &header.value_len)) {
        if (event->header_count == read->header_cap)
            read->headers = xgrow(read->headers, event->header_count, &read->header_cap,
                                  sizeof(read->headers[0]));
        read->headers[event->header_count++] = header;
    }
    event->headers = read->headers;
}

static void
fill_event(struct kafka_read *read, struct event *event)
{
    const rd_kafka_message_t *message = read->message;
    rd_kafka_timestamp_type_t type;
    int64_t timestamp_ms = rd_kafka_message_timestamp(message, &type);

    if (type == RD_KAFKA_TIMESTAMP_NOT_AVAILABLE || timestamp_ms < 0)
        timestamp_ms = EVENT_NO_TIME;
    *event = (struct event){.topic = read->topic,
                            .partition = message->partition,
                            .offset = message->offset,
                            .timestamp_ms = timestamp_ms,
                            .key = message->key,
                            .key_len = message->key_len,
                            .payload = message->payload,
                            .payload_len = message->len};
    read_headers(read, event);
}

/* The first record not below read->next. */
static int
next_record(struct kafka_read *read, int64_t timeout_ms, enum kafka_read_state *ret_state,
            struct event *ret_event, struct err *err)
{
    int64_t passed;

    if (await(read, timeout_ms, &passed, err) < 0)
        return -1;
    *ret_state = KAFKA_READ_WAITING;
    if (read->message) {
        fill_event(read, ret_event);
        *ret_state = KAFKA_READ_RECORD;
    } else if (passed > read->next) {
        *ret_state = KAFKA_READ_END;
    }
    if (passed > read->next)
        read->next = passed;
    return 0;
}

int
kafka_read_next(struct kafka_read *read, int64_t timeout_ms, enum kafka_read_state *ret_state,
                struct event *ret_event, struct err *err)
{
    *ret_state = KAFKA_READ_END;
    if (read->is_done)
        return 0;
    if (next_record(read, timeout_ms, ret_state, ret_event, err) < 0)
        return -1;
    /* Markers of transactions are no records: what comes next can lie behind the end. */
    if (*ret_state == KAFKA_READ_RECORD && ret_event->offset >= read->end)
        *ret_state = KAFKA_READ_END;
    else if (*ret_state == KAFKA_READ_END && read->next < read->end)
        *ret_state = KAFKA_READ_WAITING;
    read->is_done = read->next >= read->end;
    return 0;
}

/* Whether what the library gives next is OFFSET or lies shortly before it. */
static bool
is_near(const struct kafka_read *read, const char *topic, int32_t partition, int64_t offset)
{
    return read->topic && partition == read->partition && offset >= read->next &&
           offset - read->next <= NEAR && strcmp(read->topic, topic) == 0;
}

int
kafka_read_at(struct kafka_read *read, const char *topic, int32_t partition, int64_t offset,
              int64_t timeout_ms, enum kafka_read_state *ret_state, struct event *ret_event,
              struct err *err)
{
    int64_t until_ms = clock_now_ms() + timeout_ms;

    if (!is_near(read, topic, partition, offset) &&
        begin_at(read, topic, partition, offset, err) < 0)
        return -1;
    do {
        if (next_record(read, until_ms - clock_now_ms(), ret_state, ret_event, err) < 0)
            return -1;
    } while (*ret_state == KAFKA_READ_RECORD && ret_event->offset < offset);
    if (*ret_state == KAFKA_READ_RECORD && ret_event->offset > offset)
        *ret_state = KAFKA_READ_END;
    else if (*ret_state == KAFKA_READ_END && read->next <= offset)
        *ret_state = KAFKA_READ_WAITING;
    return 0;
}
