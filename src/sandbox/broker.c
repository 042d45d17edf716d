#include "sandbox/broker.h"

#include <assert.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "sandbox/text.h"

enum { TOPIC_NAME_MAX = 249, ASK_TIMEOUT_MS = 5000 };

struct broker_partition {
    int64_t end; /* one behind the last record that was acknowledged */
    int64_t committed;
};

struct broker_topic {
    char name[TOPIC_NAME_MAX + 1];
    int partition_count;
    struct broker_partition *partitions;
};

struct broker {
    rd_kafka_t *rk;
    rd_kafka_mock_cluster_t *cluster;
    rd_kafka_queue_t *queue;
    int event_fd;
    bool asking; /* a question for committed offsets is out */
    struct broker_topic topics[BROKER_MAX_TOPICS];
    size_t topic_count;
};

/* Reads one NAME:PARTITIONS of LEN bytes. */
static int
read_topic(const char *text, size_t len, struct broker_topic *topic, struct err *err)
{
    const char *colon = memchr(text, ':', len);
    size_t name_len = colon ? (size_t)(colon - text) : 0;
    long long partitions;
    char number[8];

    if (name_len == 0 || name_len > TOPIC_NAME_MAX ||
        (size_t)snprintf(number, sizeof(number), "%.*s", (int)(len - name_len - 1), colon + 1) >=
            sizeof(number) ||
        !text_number(number, 1, BROKER_MAX_PARTITIONS, &partitions))
        return err_set(err, "--topics wants NAME:PARTITIONS with 1 to %d partitions, not \"%.*s\"",
                       BROKER_MAX_PARTITIONS, (int)len, text);
    memcpy(topic->name, text, name_len);
    topic->name[name_len] = '\0';
    topic->partition_count = (int)partitions;
    topic->partitions = xcalloc((size_t)partitions, sizeof(*topic->partitions));
    return 0;
}

static int
read_topics(struct broker *broker, const char *text, struct err *err)
{
    for (;;) {
        size_t len = strcspn(text, ",");

        if (broker->topic_count == BROKER_MAX_TOPICS)
            return err_set(err, "--topics names more than %d topics", BROKER_MAX_TOPICS);
        if (read_topic(text, len, &broker->topics[broker->topic_count], err))
            return -1;
        broker->topic_count++;
        if (text[len] == '\0')
            return 0;
        text += len + 1;
    }
}

/* librdkafka's remarks on a broker that it is itself are of no use to anybody. */
static void
drop_log(const rd_kafka_t *rk, int level, const char *facility, const char *message)
{
    (void)rk;
    (void)level;
    (void)facility;
    (void)message;
}

static rd_kafka_t *
client_new(struct err *err)
{
    static const char *const settings[][2] = {
        {"test.mock.num.brokers", "1"},
        {"linger.ms", "5"},
        {"queue.buffering.max.messages", "1000000"},
    };
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    char message[256] = "";
    rd_kafka_t *rk;

    rd_kafka_conf_set_log_cb(conf, drop_log);
    rd_kafka_conf_set_events(conf, RD_KAFKA_EVENT_DR);
    for (size_t i = 0; i < ARRAY_LEN(settings); i++) {
        rd_kafka_conf_res_t result =
            rd_kafka_conf_set(conf, settings[i][0], settings[i][1], message, sizeof(message));

        assert(result == RD_KAFKA_CONF_OK);
        (void)result;
    }
    rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, message, sizeof(message));
    if (!rk) {
        rd_kafka_conf_destroy(conf);
        (void)err_set(err, "the embedded broker cannot start: %s", message);
    }
    return rk;
}

/* The client's answers make event_fd readable. */
static int
watch_queue(struct broker *broker, struct err *err)
{
    static const uint64_t one = 1;

    broker->event_fd = eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC);
    if (broker->event_fd < 0)
        return err_set(err, "eventfd: %m");
    broker->queue = rd_kafka_queue_get_main(broker->rk);
    rd_kafka_queue_io_event_enable(broker->queue, broker->event_fd, &one, sizeof(one));
    return 0;
}

static int
create_topics(struct broker *broker, struct err *err)
{
    for (size_t i = 0; i < broker->topic_count; i++) {
        const struct broker_topic *topic = &broker->topics[i];
        rd_kafka_resp_err_t code =
            rd_kafka_mock_topic_create(broker->cluster, topic->name, topic->partition_count, 1);

        if (code)
            return err_set(err, "the embedded broker cannot create the topic %s: %s", topic->name,
                           rd_kafka_err2str(code));
    }
    return 0;
}

struct broker *
broker_new(const char *topics, struct err *err)
{
    struct broker *broker = xcalloc(1, sizeof(*broker));

    broker->event_fd = -1;
    if (read_topics(broker, topics, err))
        goto fail;
    broker->rk = client_new(err);
    if (!broker->rk)
        goto fail;
    broker->cluster = rd_kafka_handle_mock_cluster(broker->rk);
    assert(broker->cluster);
    if (create_topics(broker, err) || watch_queue(broker, err))
        goto fail;
    return broker;

fail:
    broker_free(broker);
    return NULL;
}

void
broker_free(struct broker *broker)
{
    if (!broker)
        return;
    if (broker->queue) {
        rd_kafka_queue_io_event_enable(broker->queue, -1, NULL, 0);
        rd_kafka_queue_destroy(broker->queue);
    }
    if (broker->rk) {
        (void)rd_kafka_purge(broker->rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
        rd_kafka_destroy(broker->rk); /* the cluster is part of it */
    }
    if (broker->event_fd >= 0)
        close(broker->event_fd);
    for (size_t i = 0; i < broker->topic_count; i++)
        xfree(broker->topics[i].partitions);
    xfree(broker);
}

const char *
broker_address(const struct broker *broker)
{
    return rd_kafka_mock_cluster_bootstraps(broker->cluster);
}

size_t
broker_topic_count(const struct broker *broker)
{
    return broker->topic_count;
}

const char *
broker_topic_name(const struct broker *broker, size_t topic)
{
    return broker->topics[topic].name;
}

size_t
broker_partition_count(const struct broker *broker, size_t topic)
{
    return (size_t)broker->topics[topic].partition_count;
}

int64_t
broker_end(const struct broker *broker, size_t topic, size_t partition)
{
    return broker->topics[topic].partitions[partition].end;
}

int64_t
broker_committed(const struct broker *broker, size_t topic, size_t partition)
{
    return broker->topics[topic].partitions[partition].committed;
}

int
broker_produce(struct broker *broker, size_t topic, const char *key, const struct buf *payload,
               struct err *err)
{
    const char *name = broker->topics[topic].name;
    rd_kafka_resp_err_t code =
        rd_kafka_producev(broker->rk, RD_KAFKA_V_TOPIC(name), RD_KAFKA_V_KEY(key, strlen(key)),
                          RD_KAFKA_V_VALUE((void *)(intptr_t)buf_text(payload), payload->len),
                          RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);

    return code ? err_set(err, "cannot produce to %s: %s", name, rd_kafka_err2str(code)) : 0;
}

void
broker_ask_committed(struct broker *broker, const char *group)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(16);
    rd_kafka_ListConsumerGroupOffsets_t *question;
    rd_kafka_AdminOptions_t *options;
    char message[256];

    if (!broker->asking) {
        broker->asking = true;
        for (size_t i = 0; i < broker->topic_count; i++)
            rd_kafka_topic_partition_list_add_range(list, broker->topics[i].name, 0,
                                                    broker->topics[i].partition_count - 1);
        question = rd_kafka_ListConsumerGroupOffsets_new(group, list);
        options = rd_kafka_AdminOptions_new(broker->rk, RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS);
        (void)rd_kafka_AdminOptions_set_request_timeout(options, ASK_TIMEOUT_MS, message,
                                                        sizeof(message));
        rd_kafka_ListConsumerGroupOffsets(broker->rk, &question, 1, options, broker->queue);
        rd_kafka_AdminOptions_destroy(options);
        rd_kafka_ListConsumerGroupOffsets_destroy(question);
    }
    rd_kafka_topic_partition_list_destroy(list);
}

/* NULL: not ours. */
static struct broker_partition *
find_partition(struct broker *broker, const char *name, int32_t partition)
{
    for (size_t i = 0; i < broker->topic_count; i++)
        if (strcmp(broker->topics[i].name, name) == 0 && partition >= 0 &&
            partition < broker->topics[i].partition_count)
            return &broker->topics[i].partitions[partition];
    return NULL;
}

static int
take_reports(struct broker *broker, rd_kafka_event_t *event, struct err *err)
{
    const rd_kafka_message_t *message;
    int result = 0;

    while ((message = rd_kafka_event_message_next(event))) {
        const char *name = rd_kafka_topic_name(message->rkt);
        struct broker_partition *partition = find_partition(broker, name, message->partition);

        if (message->err)
            result = err_set(err, "the embedded broker refused a record of %s: %s", name,
                             rd_kafka_err2str(message->err));
        else if (partition && message->offset >= partition->end)
            partition->end = message->offset + 1;
    }
    return result;
}

/* A question that failed is simply asked again: a group is unknown until its first member is there.
 */
static void
take_committed(struct broker *broker, rd_kafka_event_t *event)
{
    const rd_kafka_ListConsumerGroupOffsets_result_t *result =
        rd_kafka_event_ListConsumerGroupOffsets_result(event);
    const rd_kafka_group_result_t **groups = NULL;
    size_t count = 0;

    broker->asking = false;
    if (result && !rd_kafka_event_error(event))
        groups = rd_kafka_ListConsumerGroupOffsets_result_groups(result, &count);
    for (size_t i = 0; i < count; i++) {
        const rd_kafka_topic_partition_list_t *list = rd_kafka_group_result_partitions(groups[i]);

        for (int p = 0; list && p < list->cnt; p++) {
            const rd_kafka_topic_partition_t *answer = &list->elems[p];
            struct broker_partition *partition =
                find_partition(broker, answer->topic, answer->partition);

            if (partition && !answer->err && answer->offset >= 0)
                partition->committed = answer->offset;
        }
    }
}

int
broker_fd(const struct broker *broker)
{
    return broker->event_fd;
}

int
broker_step(struct broker *broker, struct err *err)
{
    rd_kafka_event_t *event;
    uint64_t wakeups;
    int result = 0;

    while (read(broker->event_fd, &wakeups, sizeof(wakeups)) > 0)
        ;
    while ((event = rd_kafka_queue_poll(broker->queue, 0))) {
        if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_DR) {
            if (take_reports(broker, event, err))
                result = -1;
        } else if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_LISTCONSUMERGROUPOFFSETS_RESULT) {
            take_committed(broker, event);
        }
        rd_kafka_event_destroy(event);
    }
    return result;
}
