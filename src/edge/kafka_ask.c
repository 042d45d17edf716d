#include "edge/kafka_ask.h"

#include <regex.h>
#include <string.h>

#include "base/xalloc.h"
#include "edge/kafka_handle.h"
#include "edge/kafka_log.h"

enum {
    METADATA_TIMEOUT_MS = 3000,
    TOPIC_TIMEOUT_MS = 1000,
    COMMITTED_TIMEOUT_MS = 5000,
    OFFSETS_TIMEOUT_MS = 2000,
    ENDS_TIMEOUT_MS = 100, /* nobody's work waits for these */
    EVENTS_PER_STEP = 100
};

struct kafka_ask {
    rd_kafka_t *rk;
    rd_kafka_queue_t *queue;
    char *group_id;
    intptr_t question; /* number of the last one; its answer carries it */
    struct kafka_log log;
};

/* A consumer that never subscribes, so it is no member: on a producer the library crashes when the
 * coordinator answers NOT_COORDINATOR to a question for committed offsets (its issue 5040). */
static rd_kafka_t *
open_handle(const struct kafka_settings *settings, struct err *err)
{
    rd_kafka_conf_t *conf = kafka_producer_conf(settings->config, err);

    if (!conf)
        return NULL;
    if (kafka_exclude(conf, settings->excluded, settings->excluded_count, err) < 0) {
        rd_kafka_conf_destroy(conf);
        return NULL;
    }
    rd_kafka_conf_set(conf, "group.id", settings->config->group_id, NULL, 0);
    return kafka_handle_new(RD_KAFKA_CONSUMER, &conf, err);
}

struct kafka_ask *
kafka_ask_open(const struct kafka_settings *settings, int wake_fd, struct err *err)
{
    static const uint64_t one = 1;
    rd_kafka_t *rk = open_handle(settings, err);
    struct kafka_ask *ask;

    if (!rk)
        return NULL;
    ask = xcalloc(1, sizeof(*ask));
    ask->rk = rk;
    ask->group_id = xstrdup(settings->config->group_id);
    kafka_log_init(&ask->log, true);
    ask->queue = rd_kafka_queue_get_main(rk);
    rd_kafka_queue_io_event_enable(ask->queue, wake_fd, &one, sizeof(one));
    rd_kafka_set_log_queue(rk, ask->queue);
    return ask;
}

void
kafka_ask_close(struct kafka_ask *ask)
{
    if (!ask)
        return;
    rd_kafka_queue_io_event_enable(ask->queue, -1, NULL, 0);
    rd_kafka_queue_destroy(ask->queue);
    rd_kafka_destroy(ask->rk);
    xfree(ask->group_id);
    xfree(ask);
}

/* As librdkafka matches it: POSIX extended, anchored where it says so. */
static void
mark_matching(const struct rd_kafka_metadata *metadata, const char *pattern, bool *marks)
{
    regex_t regex;

    if (regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB) != 0)
        return; /* subscribing refuses it, with a message */
    for (int i = 0; i < metadata->topic_cnt; i++)
        marks[i] = marks[i] || regexec(&regex, metadata->topics[i].topic, 0, NULL, 0) == 0;
    regfree(&regex);
}

static void
mark_named(const struct rd_kafka_metadata *metadata, const char *topic, bool *marks)
{
    for (int i = 0; i < metadata->topic_cnt; i++)
        marks[i] = marks[i] || strcmp(metadata->topics[i].topic, topic) == 0;
}

int64_t
kafka_ask_partitions(struct kafka_ask *ask, const char *const *topics, size_t count, int timeout_ms)
{
    const struct rd_kafka_metadata *metadata;
    int64_t partitions = 0;
    bool *marks;

    /* All topics, since asking for one by name could create it. */
    if (rd_kafka_metadata(ask->rk, 1, NULL, &metadata, timeout_ms) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return 0;
    marks = xcalloc((size_t)metadata->topic_cnt + 1, sizeof(marks[0]));
    for (size_t i = 0; i < count; i++) {
        if (topics[i][0] == '^')
            mark_matching(metadata, topics[i], marks);
        else
            mark_named(metadata, topics[i], marks);
    }
    for (int i = 0; i < metadata->topic_cnt; i++)
        partitions += marks[i] ? metadata->topics[i].partition_cnt : 0;
    xfree(marks);
    rd_kafka_metadata_destroy(metadata);
    return partitions;
}

static enum kafka_topic_state
topic_state(const struct rd_kafka_metadata *metadata)
{
    const struct rd_kafka_metadata_topic *topic = &metadata->topics[0];

    if (metadata->topic_cnt != 1)
        return KAFKA_TOPIC_UNKNOWN;
    switch (topic->err) {
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
        return KAFKA_TOPIC_DENIED;
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
        return KAFKA_TOPIC_MISSING;
    default:
        return topic->partition_cnt > 0 ? KAFKA_TOPIC_THERE : KAFKA_TOPIC_UNKNOWN;
    }
}

enum kafka_topic_state
kafka_ask_topic(struct kafka_ask *ask, const char *name)
{
    rd_kafka_topic_t *topic = rd_kafka_topic_new(ask->rk, name, NULL);
    enum kafka_topic_state state = KAFKA_TOPIC_UNKNOWN;
    const struct rd_kafka_metadata *metadata;

    if (!topic)
        return state;
    if (rd_kafka_metadata(ask->rk, 0, topic, &metadata, TOPIC_TIMEOUT_MS) ==
        RD_KAFKA_RESP_ERR_NO_ERROR) {
        state = topic_state(metadata);
        rd_kafka_metadata_destroy(metadata);
    }
    rd_kafka_topic_destroy(topic);
    return state;
}

void
kafka_ask_committed(struct kafka_ask *ask, const rd_kafka_topic_partition_list_t *partitions)
{
    rd_kafka_AdminOptions_t *options =
        rd_kafka_AdminOptions_new(ask->rk, RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS);
    rd_kafka_ListConsumerGroupOffsets_t *request =
        rd_kafka_ListConsumerGroupOffsets_new(ask->group_id, partitions);
    char errstr[128];

    ask->question++;
    rd_kafka_AdminOptions_set_request_timeout(options, COMMITTED_TIMEOUT_MS, errstr,
                                              sizeof(errstr));
    rd_kafka_AdminOptions_set_opaque(options, (void *)ask->question);
    rd_kafka_ListConsumerGroupOffsets(ask->rk, &request, 1, options, ask->queue);
    rd_kafka_ListConsumerGroupOffsets_destroy(request);
    rd_kafka_AdminOptions_destroy(options);
}

static void
take_answer(struct kafka_ask *ask, rd_kafka_event_t *event, kafka_ask_answer *answer, void *arg)
{
    const rd_kafka_group_result_t **groups;
    const rd_kafka_error_t *error;
    size_t count;

    if ((intptr_t)rd_kafka_event_opaque(event) != ask->question)
        return;
    if (rd_kafka_event_error(event)) {
        answer(arg, NULL, rd_kafka_event_error_string(event));
        return;
    }
    groups = rd_kafka_ListConsumerGroupOffsets_result_groups(
        rd_kafka_event_ListConsumerGroupOffsets_result(event), &count);
    error = count == 1 ? rd_kafka_group_result_error(groups[0]) : NULL;
    if (count != 1 || error)
        answer(arg, NULL, error ? rd_kafka_error_string(error) : "no answer for the group");
    else
        answer(arg, rd_kafka_group_result_partitions(groups[0]), NULL);
}

static void
take_event(struct kafka_ask *ask, rd_kafka_event_t *event, int64_t now, kafka_ask_answer *answer,
           void *arg)
{
    switch (rd_kafka_event_type(event)) {
    case RD_KAFKA_EVENT_LISTCONSUMERGROUPOFFSETS_RESULT:
        take_answer(ask, event, answer, arg);
        break;
    case RD_KAFKA_EVENT_LOG:
        kafka_log_line(&ask->log, event, now);
        break;
    case RD_KAFKA_EVENT_ERROR:
        kafka_log_error(&ask->log, rd_kafka_event_error(event), rd_kafka_event_error_string(event),
                        now);
        break;
    default:
        break;
    }
}

bool
kafka_ask_step(struct kafka_ask *ask, int64_t now, kafka_ask_answer *answer, void *arg)
{
    for (int i = 0; i < EVENTS_PER_STEP; i++) {
        rd_kafka_event_t *event = rd_kafka_queue_poll(ask->queue, 0);

        if (!event)
            return false;
        take_event(ask, event, now, answer, arg);
        rd_kafka_event_destroy(event);
    }
    return true;
}

/* The first offset not before AT, which is a time or a logical offset. Negative where there is
 * none. */
static int
offsets_at(struct kafka_ask *ask, int64_t at, int timeout_ms,
           rd_kafka_topic_partition_list_t *partitions, struct err *err)
{
    rd_kafka_resp_err_t error;

    for (int i = 0; i < partitions->cnt; i++) {
        partitions->elems[i].offset = at;
        partitions->elems[i].err = RD_KAFKA_RESP_ERR_NO_ERROR;
    }
    error = rd_kafka_offsets_for_times(ask->rk, partitions, timeout_ms);
    for (int i = 0; !error && i < partitions->cnt; i++)
        error = partitions->elems[i].err;
    return error ? err_set(err, "%s", rd_kafka_err2str(error)) : 0;
}

/* Those without a record at or after the time begin at their end. */
static int
fill_with_ends(struct kafka_ask *ask, rd_kafka_topic_partition_list_t *partitions, struct err *err)
{
    rd_kafka_topic_partition_list_t *late = rd_kafka_topic_partition_list_new(partitions->cnt);
    int result = 0;

    for (int i = 0; i < partitions->cnt; i++)
        if (partitions->elems[i].offset < 0)
            rd_kafka_topic_partition_list_add(late, partitions->elems[i].topic,
                                              partitions->elems[i].partition);
    if (late->cnt > 0)
        result = offsets_at(ask, RD_KAFKA_OFFSET_END, OFFSETS_TIMEOUT_MS, late, err);
    for (int i = 0; i < late->cnt; i++)
        rd_kafka_topic_partition_list_set_offset(partitions, late->elems[i].topic,
                                                 late->elems[i].partition, late->elems[i].offset);
    rd_kafka_topic_partition_list_destroy(late);
    return result;
}

static bool
has_leader(const struct rd_kafka_metadata *metadata, const char *topic, int32_t partition)
{
    for (int t = 0; t < metadata->topic_cnt; t++) {
        const struct rd_kafka_metadata_topic *of = &metadata->topics[t];

        for (int i = 0; strcmp(of->topic, topic) == 0 && i < of->partition_cnt; i++) {
            if (of->partitions[i].id == partition)
                return of->partitions[i].leader >= 0;
        }
    }
    return false;
}

/* Those of PARTITIONS that have a leader; yours to destroy. NULL when nobody says. The library
 * waits for the leaders of all before it asks the first. */
static rd_kafka_topic_partition_list_t *
those_with_leader(struct kafka_ask *ask, const rd_kafka_topic_partition_list_t *partitions)
{
    const struct rd_kafka_metadata *metadata;
    rd_kafka_topic_partition_list_t *some;

    if (rd_kafka_metadata(ask->rk, 1, NULL, &metadata, METADATA_TIMEOUT_MS) !=
        RD_KAFKA_RESP_ERR_NO_ERROR)
        return NULL;
    some = rd_kafka_topic_partition_list_new(partitions->cnt);
    for (int i = 0; i < partitions->cnt; i++) {
        const rd_kafka_topic_partition_t *from = &partitions->elems[i];

        if (has_leader(metadata, from->topic, from->partition))
            rd_kafka_topic_partition_list_add(some, from->topic, from->partition);
    }
    rd_kafka_metadata_destroy(metadata);
    return some;
}

static int
find_starts(struct kafka_ask *ask, enum kafka_start start, int64_t start_ms,
            rd_kafka_topic_partition_list_t *partitions, struct err *err)
{
    int64_t at = start == KAFKA_START_TIME ? start_ms : RD_KAFKA_OFFSET_END;

    if (start == KAFKA_START_EARLIEST)
        at = RD_KAFKA_OFFSET_BEGINNING;
    if (partitions->cnt && offsets_at(ask, at, OFFSETS_TIMEOUT_MS, partitions, err) < 0)
        return -1;
    return start == KAFKA_START_TIME ? fill_with_ends(ask, partitions, err) : 0;
}

int
kafka_ask_start(struct kafka_ask *ask, enum kafka_start start, int64_t start_ms,
                rd_kafka_topic_partition_list_t *partitions, struct err *err)
{
    rd_kafka_topic_partition_list_t *some = those_with_leader(ask, partitions);
    int result = 0;

    for (int i = 0; i < partitions->cnt; i++)
        partitions->elems[i].offset = -1;
    if (!some)
        return err_set(err, "no broker tells the topics' partitions");
    if (find_starts(ask, start, start_ms, some, err) < 0)
        result = -1;
    for (int i = 0; result == 0 && i < some->cnt; i++)
        rd_kafka_topic_partition_list_set_offset(partitions, some->elems[i].topic,
                                                 some->elems[i].partition, some->elems[i].offset);
    rd_kafka_topic_partition_list_destroy(some);
    for (int i = 0; result == 0 && i < partitions->cnt; i++)
        if (partitions->elems[i].offset < 0)
            result = err_set(err, "partition %d of %s has no leader now",
                             partitions->elems[i].partition, partitions->elems[i].topic);
    return result;
}

int
kafka_ask_begins(struct kafka_ask *ask, rd_kafka_topic_partition_list_t *partitions,
                 struct err *err)
{
    return offsets_at(ask, RD_KAFKA_OFFSET_BEGINNING, ENDS_TIMEOUT_MS, partitions, err);
}

int
kafka_ask_ends(struct kafka_ask *ask, rd_kafka_topic_partition_list_t *partitions, struct err *err)
{
    return offsets_at(ask, RD_KAFKA_OFFSET_END, ENDS_TIMEOUT_MS, partitions, err);
}
