#include "edge/dead_letter.h"

#include <errno.h>
#include <librdkafka/rdkafka.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/list.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "edge/kafka_handle.h"
#include "edge/kafka_log.h"

/* Caps: letters and bytes on their way, and with them the largest letter (before compression). */
#define LETTERS_MAX "10000"
#define LETTER_BYTES_MAX "67108864"
#define QUEUE_KIB_MAX "65536"
#define TIMEOUT_MS "30000" /* a topic that takes nothing is reported after this */

enum { ERRSTR_MAX = 512, EVENTS_PER_STEP = 100, POLL_MS = 1000 };

struct property {
    const char *name, *value;
};

/* What a letter's way needs, whatever the user has set for the consumer's sake. */
static const struct property fixed[] = {
    {"enable.idempotence", "true"},
    {"enable.gapless.guarantee", "false"}, /* a letter that timed out must not end the handle */
    {"acks", "all"},
    {"max.in.flight", "5"},
    {"retries", "2147483647"},
    {"delivery.report.only.error", "false"},
    {"message.timeout.ms", TIMEOUT_MS},
    {"message.max.bytes", LETTER_BYTES_MAX},
    {"queue.buffering.max.kbytes", QUEUE_KIB_MAX},
    {"queue.buffering.max.messages", LETTERS_MAX},
    /* A batch above the topic's limit is refused whole. A large letter travels alone all the same.
     */
    {"batch.size", "16384"},
    {"linger.ms", "5"},
    /* Letters without a key, too, go where the partitioner says. */
    {"sticky.partitioning.linger.ms", "0"},
    /* A producer would else create the topic, with one partition and the shortest retention. */
    {"allow.auto.create.topics", "false"},
    {"topic.metadata.propagation.max.ms", "1000"},   /* how soon a missing topic is told */
    {"topic.metadata.refresh.interval.ms", "10000"}, /* how soon it is found once it is there */
};

/* Read by the library's threads until its report, and not changed meanwhile. */
struct letter {
    struct list link; /* in letters->in_flight */
    void *token;
    int32_t source_partition;
    bool is_by_key;
    size_t by_len;
    char by[];
};

struct dead_letters {
    const struct dead_letter_ops *ops;
    void *arg;
    char *topic_name;
    rd_kafka_conf_t *conf; /* for another handle when one is lost to a fatal error */
    rd_kafka_t *rk;
    rd_kafka_topic_t *topic;
    rd_kafka_queue_t *queue;
    int fd;
    struct list in_flight;
    size_t in_flight_count;
    bool is_stepping;
    int64_t due_ms;
    struct kafka_log log;
};

/* --- the handle --- */

static int
set(rd_kafka_conf_t *conf, const char *name, const char *value, struct err *err)
{
    char errstr[ERRSTR_MAX];

    if (rd_kafka_conf_set(conf, name, value, errstr, sizeof(errstr)) != RD_KAFKA_CONF_OK)
        return err_set(err, "kafka: %s", errstr);
    return 0;
}

static rd_kafka_conf_t *
producer_conf(const struct kafka_config *config, struct err *err)
{
    rd_kafka_conf_t *conf = kafka_producer_conf(config, err);

    for (size_t i = 0; conf && i < ARRAY_LEN(fixed); i++) {
        if (set(conf, fixed[i].name, fixed[i].value, err) < 0) {
            rd_kafka_conf_destroy(conf);
            return NULL;
        }
    }
    if (!conf)
        return NULL;
    kafka_set_codec(conf);
    rd_kafka_conf_set_events(conf, RD_KAFKA_EVENT_DR | RD_KAFKA_EVENT_ERROR | RD_KAFKA_EVENT_LOG);
    return conf;
}

/* Called by the library in a thread of its own or in ours. Keys are spread as Java's producers do
 * it; what has none stays together with its neighbours. */
static int32_t
choose_partition(const rd_kafka_topic_t *topic, const void *key, size_t key_len,
                 int32_t partition_count, void *topic_opaque, void *opaque)
{
    const struct letter *letter = opaque;

    (void)topic_opaque;
    if (!letter->is_by_key)
        return rd_kafka_msg_partitioner_murmur2(topic, letter->by, letter->by_len, partition_count,
                                                NULL, NULL);
    if (!key)
        return (int32_t)((uint32_t)letter->source_partition % (uint32_t)partition_count);
    return rd_kafka_msg_partitioner_murmur2(topic, key, key_len, partition_count, NULL, NULL);
}

static rd_kafka_topic_t *
topic_new(rd_kafka_t *rk, const char *name, struct err *err)
{
    rd_kafka_topic_conf_t *conf = rd_kafka_default_topic_conf_dup(rk);
    rd_kafka_topic_t *topic;

    rd_kafka_topic_conf_set_partitioner_cb(conf, choose_partition);
    topic = rd_kafka_topic_new(rk, name, conf);
    if (!topic)
        (void)err_set(err, "dead_letter.topic \"%s\": %s", name,
                      rd_kafka_err2str(rd_kafka_last_error()));
    return topic;
}

static int
open_handle(struct dead_letters *letters, struct err *err)
{
    static const uint64_t one = 1;
    rd_kafka_conf_t *conf = rd_kafka_conf_dup(letters->conf);
    rd_kafka_t *rk = kafka_handle_new(RD_KAFKA_PRODUCER, &conf, err);
    rd_kafka_topic_t *topic = rk ? topic_new(rk, letters->topic_name, err) : NULL;

    if (!topic) {
        if (rk)
            rd_kafka_destroy(rk);
        return -1;
    }
    letters->rk = rk;
    letters->topic = topic;
    letters->queue = rd_kafka_queue_get_main(rk);
    rd_kafka_queue_io_event_enable(letters->queue, letters->fd, &one, sizeof(one));
    rd_kafka_set_log_queue(rk, letters->queue);
    letters->due_ms = 0;
    return 0;
}

static void
close_handle(rd_kafka_t *rk, rd_kafka_topic_t *topic, rd_kafka_queue_t *queue)
{
    rd_kafka_queue_io_event_enable(queue, -1, NULL, 0);
    rd_kafka_purge(rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT |
                           RD_KAFKA_PURGE_F_NON_BLOCKING);
    rd_kafka_queue_destroy(queue);
    rd_kafka_topic_destroy(topic);
    rd_kafka_destroy(rk);
}

/* --- what went wrong, and what to do --- */

static bool
is_too_large(rd_kafka_resp_err_t code)
{
    return code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE ||
           code == RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE;
}

static int
explain(const struct dead_letters *letters, rd_kafka_resp_err_t code, struct err *err)
{
    const char *name = letters->topic_name;

    switch (code) {
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
        return err_set(err,
                       "topic \"%s\" does not exist: create it, or name another one in "
                       "dead_letter.topic",
                       name);
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
        return err_set(err,
                       "topic \"%s\" may not be written to: give the worker's Kafka user Describe "
                       "and Write on it",
                       name);
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
        return err_set(
            err,
            "topic \"%s\": Kafka refuses an idempotent producer: give the worker's Kafka "
            "user Write on the topic and, on brokers before 2.8, IdempotentWrite on the "
            "cluster",
            name);
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
        return err_set(err,
                       "topic \"%s\" does not take a record of this size, even compressed: raise "
                       "its max.message.bytes",
                       name);
    case RD_KAFKA_RESP_ERR_INVALID_RECORD:
    case RD_KAFKA_RESP_ERR_INVALID_MSG:
        return err_set(err,
                       "topic \"%s\" refuses the record: a compacted topic takes none without a "
                       "key, set its cleanup.policy to delete",
                       name);
    case RD_KAFKA_RESP_ERR__MSG_TIMED_OUT:
        return err_set(err, "topic \"%s\" did not confirm the record within " TIMEOUT_MS " ms",
                       name);
    default:
        return err_set(err, "topic \"%s\": %s", name, rd_kafka_err2str(code));
    }
}

/* What lies behind a code that only says that the handle has come to its end. */
static rd_kafka_resp_err_t
root_cause(const struct dead_letters *letters, rd_kafka_resp_err_t code)
{
    rd_kafka_resp_err_t fatal = rd_kafka_fatal_error(letters->rk, NULL, 0);

    return fatal ? fatal : code;
}

/* After a fatal error (a producer that is refused, or fenced) a handle sends nothing any more.
 * Another one takes its place as soon as the old one has reported everything. */
static int
ensure_usable(struct dead_letters *letters, struct err *err)
{
    rd_kafka_resp_err_t fatal = rd_kafka_fatal_error(letters->rk, NULL, 0);
    rd_kafka_topic_t *topic = letters->topic;
    rd_kafka_queue_t *queue = letters->queue;
    rd_kafka_t *rk = letters->rk;

    if (!fatal)
        return 0;
    if (letters->in_flight_count > 0 || letters->is_stepping)
        return explain(letters, fatal, err);
    if (open_handle(letters, err) < 0)
        return -1;
    close_handle(rk, topic, queue);
    log_warning("dead_letter.reopened", log_text("code", rd_kafka_err2name(fatal)));
    return 0;
}

/* --- life --- */

struct dead_letters *
dead_letter_open(const struct kafka_config *config, const char *topic,
                 const struct dead_letter_ops *ops, void *arg, struct err *err)
{
    struct dead_letters *letters = xcalloc(1, sizeof(*letters));

    letters->ops = ops;
    letters->arg = arg;
    letters->topic_name = xstrdup(topic);
    list_init(&letters->in_flight);
    kafka_log_init(&letters->log, true); /* what matters is said by done */
    /* Not 0: what is queued before the descriptor is watched does not write to it. */
    letters->fd = eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC);
    if (letters->fd < 0)
        (void)err_set(err, "eventfd: %s", strerror(errno));
    else
        letters->conf = producer_conf(config, err);
    if (!letters->conf || open_handle(letters, err) < 0) {
        dead_letter_close(letters);
        return NULL;
    }
    return letters;
}

void
dead_letter_close(struct dead_letters *letters)
{
    if (!letters)
        return;
    if (letters->rk)
        close_handle(letters->rk, letters->topic, letters->queue);
    if (letters->conf)
        rd_kafka_conf_destroy(letters->conf);
    if (letters->fd >= 0)
        close(letters->fd);
    LIST_EACH(link, &letters->in_flight)
        xfree(CONTAINER_OF(link, struct letter, link));
    xfree(letters->topic_name);
    xfree(letters);
}

int
dead_letter_check(struct dead_letters *letters, int64_t timeout_ms, struct err *err)
{
    const struct rd_kafka_metadata *metadata;
    rd_kafka_resp_err_t code;

    if (ensure_usable(letters, err) < 0)
        return -1;
    code = rd_kafka_metadata(letters->rk, 0, letters->topic, &metadata, (int)timeout_ms);
    if (code)
        return err_set(err, "nothing can be said about the topic \"%s\": %s", letters->topic_name,
                       rd_kafka_err2str(code));
    code = metadata->topic_cnt == 1 ? metadata->topics[0].err
                                    : RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    if (!code && metadata->topics[0].partition_cnt == 0)
        code = RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    rd_kafka_metadata_destroy(metadata);
    code = root_cause(letters, code);
    return code ? explain(letters, code, err) : 0;
}

/* --- letters --- */

static struct letter *
letter_new(const struct dead_letter *source, void *token)
{
    size_t by_len = source->partition_by ? source->partition_by_len : 0;
    struct letter *letter = xcalloc(1, sizeof(*letter) + by_len);

    letter->token = token;
    letter->source_partition = source->record->partition;
    letter->is_by_key = !source->partition_by;
    letter->by_len = by_len;
    if (by_len > 0)
        memcpy(letter->by, source->partition_by, by_len);
    return letter;
}

static void
add_headers(rd_kafka_headers_t *headers, const struct event_header *source, size_t count)
{
    for (size_t i = 0; i < count; i++)
        rd_kafka_header_add(headers, source[i].name, -1, source[i].value,
                            source[i].value ? (ssize_t)source[i].value_len : 0);
}

static rd_kafka_resp_err_t
produce(struct dead_letters *letters, const struct dead_letter *source, struct letter *letter)
{
    const struct event *record = source->record;
    rd_kafka_headers_t *headers = rd_kafka_headers_new(record->header_count + source->extra_count);
    rd_kafka_resp_err_t code;

    add_headers(headers, record->headers, record->header_count);
    add_headers(headers, source->extra, source->extra_count);
    /* The library declares values and keys without const, and copies them here. */
    code = rd_kafka_producev(
        letters->rk, RD_KAFKA_V_RKT(letters->topic), RD_KAFKA_V_PARTITION(RD_KAFKA_PARTITION_UA),
        RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
        RD_KAFKA_V_KEY((void *)record->key, record->key_len),
        RD_KAFKA_V_VALUE((void *)record->payload, record->payload_len), RD_KAFKA_V_HEADERS(headers),
        RD_KAFKA_V_OPAQUE(letter), RD_KAFKA_V_END);
    if (code)
        rd_kafka_headers_destroy(headers); /* taken over only on success */
    return code;
}

int
dead_letter_send(struct dead_letters *letters, const struct dead_letter *source, void *token,
                 bool *ret_too_large, struct err *err)
{
    struct letter *letter;
    rd_kafka_resp_err_t code;

    *ret_too_large = false;
    if (ensure_usable(letters, err) < 0)
        return -1;
    letter = letter_new(source, token);
    code = produce(letters, source, letter);
    if (!code) {
        list_push_back(&letters->in_flight, &letter->link);
        letters->in_flight_count++;
        return 0;
    }
    xfree(letter);
    if (code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE) {
        *ret_too_large = true;
        return err_set(err, "the record is larger than the " LETTER_BYTES_MAX
                            " bytes that a dead letter may have");
    }
    if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL)
        return err_set(err, LETTERS_MAX " dead letters or " QUEUE_KIB_MAX
                                        " KiB of them are on their way already");
    return explain(letters, root_cause(letters, code), err);
}

size_t
dead_letter_in_flight(const struct dead_letters *letters)
{
    return letters->in_flight_count;
}

/* --- the loop --- */

int
dead_letter_fd(const struct dead_letters *letters)
{
    return letters->fd;
}

int64_t
dead_letter_deadline(const struct dead_letters *letters, int64_t now)
{
    return letters->due_ms > now ? letters->due_ms : now;
}

/* A record that timed out may have been stored all the same: sent again, it is there twice. */
static void
take_report(struct dead_letters *letters, const rd_kafka_message_t *message)
{
    struct letter *letter = message->_private;
    void *token = letter->token;
    struct err err = {""};

    list_remove(&letter->link);
    letters->in_flight_count--;
    xfree(letter);
    if (message->err)
        (void)explain(letters, root_cause(letters, message->err), &err);
    letters->ops->done(letters->arg, token, message->err ? err.msg : NULL,
                       is_too_large(message->err));
}

static void
take_event(struct dead_letters *letters, rd_kafka_event_t *event, int64_t now)
{
    const rd_kafka_message_t *message;

    switch (rd_kafka_event_type(event)) {
    case RD_KAFKA_EVENT_DR:
        while ((message = rd_kafka_event_message_next(event)))
            take_report(letters, message);
        break;
    case RD_KAFKA_EVENT_LOG:
        kafka_log_line(&letters->log, event, now);
        break;
    case RD_KAFKA_EVENT_ERROR:
        kafka_log_error(&letters->log, rd_kafka_event_error(event),
                        rd_kafka_event_error_string(event), now);
        break;
    default:
        break;
    }
}

void
dead_letter_step(struct dead_letters *letters, int64_t now)
{
    uint64_t count;
    ssize_t len = read(letters->fd, &count, sizeof(count));

    (void)len;
    letters->due_ms = now;
    letters->is_stepping = true;
    for (int i = 0; i < EVENTS_PER_STEP; i++) {
        rd_kafka_event_t *event = rd_kafka_queue_poll(letters->queue, 0);

        if (!event) {
            letters->due_ms = now + POLL_MS;
            break;
        }
        take_event(letters, event, now);
        rd_kafka_event_destroy(event);
    }
    letters->is_stepping = false;
}
