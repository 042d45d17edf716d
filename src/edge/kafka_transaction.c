#include "edge/kafka_transaction.h"

#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mask.h"
#include "base/xalloc.h"
#include "edge/kafka_handle.h"
#include "edge/kafka_log.h"

enum { ERRSTR_MAX = 512, TROUBLE_MAX = 512, POLL_MS = 10, SILENCE_MS = 60 * 1000 };

struct property {
    const char *name, *value;
};

static const struct property fixed[] = {
    {"enable.idempotence", "true"},
    {"acks", "all"},
    {"max.in.flight", "5"},
    {"delivery.report.only.error", "false"},
    {"transaction.timeout.ms", "60000"},
    {"message.timeout.ms", "30000"},
    /* The largest letter before compression, and with it what is on its way at a time. */
    {"message.max.bytes", "67108864"},
    {"queue.buffering.max.kbytes", "65536"},
    {"queue.buffering.max.messages", "10000"},
    /* A batch above the topic's limit is refused whole. */
    {"batch.size", "16384"},
    {"linger.ms", "5"},
    {"allow.auto.create.topics", "false"},
    {"topic.metadata.propagation.max.ms", "1000"},
};

struct kafka_transaction {
    rd_kafka_t *rk;
    rd_kafka_topic_t *topic;
    char *id, *topic_name;
    struct kafka_log log;
    char trouble[TROUBLE_MAX];   /* what the library said last of what it tries again */
    int64_t waiting_since_ms;    /* for what is asked for again; 0: for nothing */
    rd_kafka_resp_err_t refusal; /* of the first record that was not taken */
    size_t refused_number;       /* which one; of several that were too large the largest */
    size_t refused_size;
};

/* ---- the handle ---- */

static void
on_log(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
    struct kafka_transaction *transaction = rd_kafka_opaque(rk);

    kafka_log_text(&transaction->log, level, facility, text, clock_now_ms());
}

static void
on_error(rd_kafka_t *rk, int code, const char *text, void *opaque)
{
    struct kafka_transaction *transaction = opaque;

    (void)rk;
    if (code != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN)
        snprintf(transaction->trouble, sizeof(transaction->trouble), "%s", text);
}

static bool
is_size(rd_kafka_resp_err_t code)
{
    return code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE ||
           code == RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE;
}

/* A batch is refused whole. */
static void
note_refusal(struct kafka_transaction *transaction, rd_kafka_resp_err_t code, size_t number,
             size_t size)
{
    if (transaction->refusal &&
        !(is_size(transaction->refusal) && is_size(code) && size > transaction->refused_size))
        return;
    transaction->refusal = code;
    transaction->refused_number = number;
    transaction->refused_size = size;
}

/* Before compression. Names of headers are left out. */
static size_t
size_of(const rd_kafka_message_t *message)
{
    rd_kafka_headers_t *headers;
    size_t size = message->len + message->key_len, len;
    const char *name;
    const void *value;

    if (rd_kafka_message_headers(message, &headers))
        return size;
    for (size_t i = 0; !rd_kafka_header_get_all(headers, i, &name, &value, &len); i++)
        size += len;
    return size;
}

/* What an abort throws away is not refused. */
static void
on_report(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
    struct kafka_transaction *transaction = opaque;

    (void)rk;
    if (message->err && message->err != RD_KAFKA_RESP_ERR__PURGE_QUEUE &&
        message->err != RD_KAFKA_RESP_ERR__PURGE_INFLIGHT)
        note_refusal(transaction, message->err, (size_t)(uintptr_t)message->_private,
                     size_of(message));
}

static int
set(rd_kafka_conf_t *conf, const char *name, const char *value, struct err *err)
{
    char errstr[ERRSTR_MAX];

    if (rd_kafka_conf_set(conf, name, value, errstr, sizeof(errstr)) != RD_KAFKA_CONF_OK)
        return err_set(err, "kafka: %s", errstr);
    return 0;
}

static rd_kafka_conf_t *
conf_of(struct kafka_transaction *transaction, const struct kafka_config *config, struct err *err)
{
    rd_kafka_conf_t *conf = kafka_producer_conf(config, err);
    int result = conf ? 0 : -1;

    for (size_t i = 0; result == 0 && i < ARRAY_LEN(fixed); i++)
        result = set(conf, fixed[i].name, fixed[i].value, err);
    if (result == 0)
        result = set(conf, "transactional.id", transaction->id, err);
    if (result < 0) {
        if (conf)
            rd_kafka_conf_destroy(conf);
        return NULL;
    }
    kafka_set_codec(conf);
    /* Callbacks: a commit serves them while it waits. */
    rd_kafka_conf_set_events(conf, 0);
    rd_kafka_conf_set_opaque(conf, transaction);
    rd_kafka_conf_set_log_cb(conf, on_log);
    rd_kafka_conf_set_error_cb(conf, on_error);
    rd_kafka_conf_set_dr_msg_cb(conf, on_report);
    return conf;
}

static int
open_handle(struct kafka_transaction *transaction, const struct kafka_config *config,
            struct err *err)
{
    rd_kafka_conf_t *conf = conf_of(transaction, config, err);

    if (!conf)
        return -1;
    transaction->rk = kafka_handle_new(RD_KAFKA_PRODUCER, &conf, err);
    if (!transaction->rk)
        return -1;
    rd_kafka_set_log_queue(transaction->rk, NULL);
    transaction->topic = rd_kafka_topic_new(transaction->rk, transaction->topic_name, NULL);
    if (!transaction->topic)
        return err_set(err, "topic \"%s\": %s", transaction->topic_name,
                       rd_kafka_err2str(rd_kafka_last_error()));
    return 0;
}

struct kafka_transaction *
kafka_transaction_open(const struct kafka_config *config, const char *id, const char *topic,
                       struct err *err)
{
    struct kafka_transaction *transaction = xcalloc(1, sizeof(*transaction));

    transaction->id = xstrdup(id);
    transaction->topic_name = xstrdup(topic);
    kafka_log_init(&transaction->log, false);
    if (open_handle(transaction, config, err) < 0) {
        kafka_transaction_close(transaction);
        return NULL;
    }
    return transaction;
}

void
kafka_transaction_close(struct kafka_transaction *transaction)
{
    if (!transaction)
        return;
    if (transaction->rk)
        rd_kafka_purge(transaction->rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT |
                                            RD_KAFKA_PURGE_F_NON_BLOCKING);
    if (transaction->topic)
        rd_kafka_topic_destroy(transaction->topic);
    if (transaction->rk)
        rd_kafka_destroy(transaction->rk);
    xfree(transaction->id);
    xfree(transaction->topic_name);
    xfree(transaction);
}

/* ---- what went wrong, and what to do ---- */

static int
explain(struct kafka_transaction *transaction, rd_kafka_resp_err_t code, const char *text,
        struct err *err)
{
    const char *topic = transaction->topic_name;
    struct buf masked;

    switch (code) {
    case RD_KAFKA_RESP_ERR__FENCED:
    case RD_KAFKA_RESP_ERR_PRODUCER_FENCED:
    case RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH:
        return err_set(err,
                       "another redrive of this group has begun and goes on where this one stops "
                       "(transactional.id \"%s\")",
                       transaction->id);
    case RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
        return err_set(err,
                       "kafka's user may not use the transactional.id \"%s\": give it Describe and "
                       "Write on that TransactionalId",
                       transaction->id);
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
        return err_set(err,
                       "topic \"%s\" may not be written to: give Kafka's user Describe and Write "
                       "on it",
                       topic);
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
        return err_set(err,
                       "topic \"%s\" does not take a record of this size, even compressed: raise "
                       "its max.message.bytes to some KiB more than that of the dead-letter topic, "
                       "for what a letter gains on its way",
                       topic);
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
        return err_set(err, "topic \"%s\" does not exist, or has fewer partitions than before",
                       topic);
    default:
        buf_init(&masked, 2 * ERRSTR_MAX);
        mask_add_text(&masked, text, strnlen(text, ERRSTR_MAX));
        (void)err_set(err, "topic \"%s\": %s", topic, buf_text(&masked));
        buf_fini(&masked);
        return -1;
    }
}

/* Explains what went wrong first, which need not be CODE. */
static int
explain_cause(struct kafka_transaction *transaction, rd_kafka_resp_err_t code, struct err *err)
{
    char text[ERRSTR_MAX];
    rd_kafka_resp_err_t fatal = rd_kafka_fatal_error(transaction->rk, text, sizeof(text));

    if (fatal)
        return explain(transaction, fatal, text, err);
    if (transaction->refusal)
        code = transaction->refusal;
    return explain(transaction, code, rd_kafka_err2str(code), err);
}

/* What is tried again is not tried for ever. */
static int
check_silence(struct kafka_transaction *transaction, const char *text, struct err *err)
{
    int64_t now_ms = clock_now_ms();
    struct buf masked;

    if (!transaction->waiting_since_ms)
        transaction->waiting_since_ms = now_ms;
    if (now_ms - transaction->waiting_since_ms < SILENCE_MS)
        return 0;
    rd_kafka_poll(transaction->rk, 0);
    if (transaction->trouble[0])
        text = transaction->trouble;
    buf_init(&masked, 2 * TROUBLE_MAX);
    mask_add_text(&masked, text, strlen(text));
    (void)err_set(err, "kafka has not answered for a minute: %s", buf_text(&masked));
    buf_fini(&masked);
    return -1;
}

/* Takes ERROR over, which may be NULL. Of a record that was not taken the library says in the end
 * only that the transaction is to be aborted. */
static int
judge(struct kafka_transaction *transaction, rd_kafka_error_t *error, bool *ret_done,
      struct err *err)
{
    rd_kafka_resp_err_t code = rd_kafka_error_code(error);
    char text[ERRSTR_MAX];
    bool again = error && rd_kafka_error_is_retriable(error);

    *ret_done = !error;
    if (!again)
        transaction->waiting_since_ms = 0;
    if (!error)
        return 0;
    snprintf(text, sizeof(text), "%s", rd_kafka_error_string(error));
    rd_kafka_error_destroy(error);
    if (again)
        return check_silence(transaction, text, err);
    return explain_cause(transaction, code, err);
}

/* ---- transactions ---- */

int
kafka_transaction_init(struct kafka_transaction *transaction, int64_t timeout_ms, bool *ret_done,
                       struct err *err)
{
    int result;

    rd_kafka_poll(transaction->rk, 0);
    result = judge(transaction, rd_kafka_init_transactions(transaction->rk, (int)timeout_ms),
                   ret_done, err);
    rd_kafka_poll(transaction->rk, 0);
    return result;
}

int
kafka_transaction_begin(struct kafka_transaction *transaction, struct err *err)
{
    bool done;

    transaction->refusal = RD_KAFKA_RESP_ERR_NO_ERROR;
    if (judge(transaction, rd_kafka_begin_transaction(transaction->rk), &done, err) < 0)
        return -1;
    return done ? 0 : err_set(err, "topic \"%s\": no transaction begins", transaction->topic_name);
}

static rd_kafka_resp_err_t
produce(struct kafka_transaction *transaction, int32_t partition, const struct event *event,
        const struct event_header *headers, size_t header_count, size_t number)
{
    rd_kafka_headers_t *list = rd_kafka_headers_new(header_count);
    rd_kafka_resp_err_t code;

    for (size_t i = 0; i < header_count; i++)
        rd_kafka_header_add(list, headers[i].name, -1, headers[i].value,
                            headers[i].value ? (ssize_t)headers[i].value_len : 0);
    /* The library declares values and keys without const, and copies them here. */
    code = rd_kafka_producev(
        transaction->rk, RD_KAFKA_V_RKT(transaction->topic), RD_KAFKA_V_PARTITION(partition),
        RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
        RD_KAFKA_V_KEY((void *)event->key, event->key_len),
        RD_KAFKA_V_VALUE((void *)event->payload, event->payload_len), RD_KAFKA_V_HEADERS(list),
        RD_KAFKA_V_OPAQUE((void *)(uintptr_t)number), RD_KAFKA_V_END);
    if (code)
        rd_kafka_headers_destroy(list); /* taken over only on success */
    return code;
}

int
kafka_transaction_send(struct kafka_transaction *transaction, int32_t partition,
                       const struct event *event, const struct event_header *headers,
                       size_t header_count, size_t number, int64_t timeout_ms, bool *ret_done,
                       struct err *err)
{
    int64_t until_ms = clock_now_ms() + timeout_ms;
    rd_kafka_resp_err_t code;

    rd_kafka_poll(transaction->rk, 0);
    while ((code = produce(transaction, partition, event, headers, header_count, number)) ==
               RD_KAFKA_RESP_ERR__QUEUE_FULL &&
           clock_now_ms() < until_ms)
        rd_kafka_poll(transaction->rk, POLL_MS);
    *ret_done = code == RD_KAFKA_RESP_ERR_NO_ERROR;
    if (*ret_done || code == RD_KAFKA_RESP_ERR__QUEUE_FULL)
        return 0;
    if (is_size(code))
        note_refusal(transaction, code, number, 0);
    return explain_cause(transaction, code, err);
}

bool
kafka_transaction_too_large(const struct kafka_transaction *transaction, size_t *ret_number)
{
    char text[ERRSTR_MAX];

    if (!is_size(transaction->refusal) || rd_kafka_fatal_error(transaction->rk, text, sizeof(text)))
        return false;
    *ret_number = transaction->refused_number;
    return true;
}

int
kafka_transaction_commit(struct kafka_transaction *transaction, int64_t timeout_ms, bool *ret_done,
                         struct err *err)
{
    return judge(transaction, rd_kafka_commit_transaction(transaction->rk, (int)timeout_ms),
                 ret_done, err);
}

void
kafka_transaction_abort(struct kafka_transaction *transaction, int64_t timeout_ms)
{
    rd_kafka_error_t *error = rd_kafka_abort_transaction(transaction->rk, (int)timeout_ms);

    if (error)
        rd_kafka_error_destroy(error);
    rd_kafka_poll(transaction->rk, 0);
}
