#include "edge/kafka_handle.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"

enum {
    ERRSTR_MAX = 512,
    EXCLUDED_MAX = 16 * 1024, /* of a list of expressions */
    PARTITIONS_WHEN_UNKNOWN = 64,
    QUEUE_KIB_MIN = 128, /* below, a partition's throughput suffers: it is fetched once a second */
    QUEUE_KIB_MAX = 2048,
    QUEUE_RECORDS_MIN = 128,
    QUEUE_RECORDS_MAX = 32 * 1024,
    FETCH_PART_MIN = 64 * 1024, /* bytes of one partition in the answer to a Fetch */
    FETCH_PART_MAX = 256 * 1024,
    FETCH_BYTES_MIN = 1024 * 1024,      /* librdkafka wants at least message.max.bytes */
    FETCH_BYTES_MAX = 50 * 1024 * 1024, /* its own default */
    PREFETCH_PER_FETCH = 16
};

struct property {
    const char *name, *value;
};

/* Users may set these to something else. */
static const struct property defaults[] = {
    {"client.id", "sendx-worker"},
    {"socket.keepalive.enable", "true"},
};

static const struct property consumer_defaults[] = {
    {"partition.assignment.strategy", "cooperative-sticky"},
    {"heartbeat.interval.ms", "1000"},               /* how soon a member hears of a rebalance */
    {"topic.metadata.refresh.interval.ms", "30000"}, /* topics, partitions and rights that come */
    {"fetch.wait.max.ms", "100"}, /* an open Fetch keeps partitions waiting that just got room */
};

/* These they may not; config/ refuses them with a reason. */
static const struct property fixed[] = {
    {"log.queue", "true"},
};

static const struct property consumer_fixed[] = {
    {"enable.auto.commit", "false"},
    {"enable.auto.offset.store", "false"},
    {"auto.offset.reset", "error"},
};

/* The library wants a group for every consumer; without a subscription it never joins it. */
static const struct property reader_fixed[] = {
    {"enable.auto.commit", "false"},
    {"enable.auto.offset.store", "false"},
    {"auto.offset.reset", "earliest"},
    {"enable.partition.eof", "true"},
    {"isolation.level", "read_committed"},
    /* Where there is more than this, old versions fetch nothing for a second. */
    {"queued.min.messages", "1000000"},
    {"queued.max.messages.kbytes", "65536"},
    {"fetch.wait.max.ms", "10"}, /* a fetch that waits at the end keeps the next place waiting */
};

static int
set(rd_kafka_conf_t *conf, const char *name, const char *value, struct err *err)
{
    char errstr[ERRSTR_MAX];

    if (rd_kafka_conf_set(conf, name, value, errstr, sizeof(errstr)) != RD_KAFKA_CONF_OK)
        return err_set(err, "kafka: %s", errstr);
    return 0;
}

static int
set_number(rd_kafka_conf_t *conf, const char *name, int64_t value, struct err *err)
{
    char text[32];

    snprintf(text, sizeof(text), "%" PRId64, value);
    return set(conf, name, text, err);
}

static int
set_table(rd_kafka_conf_t *conf, const struct property *properties, size_t count, struct err *err)
{
    for (size_t i = 0; i < count; i++)
        if (set(conf, properties[i].name, properties[i].value, err) < 0)
            return -1;
    return 0;
}

static int
set_user(rd_kafka_conf_t *conf, const struct kafka_config *config, struct err *err)
{
    for (size_t i = 0; i < config->property_count; i++) {
        const struct kafka_property *property = &config->properties[i];

        if (set(conf, property->name, property->value, err) < 0)
            return property->at.file
                       ? err_prefix(err, "%s:%u", property->at.file, property->at.line)
                       : -1;
    }
    if (set(conf, "bootstrap.servers", config->bootstrap_servers, err) < 0)
        return -1;
    return set_table(conf, fixed, ARRAY_LEN(fixed), err);
}

static int64_t
within(int64_t value, int64_t min, int64_t max)
{
    if (value < min)
        return min;
    return value > max ? max : value;
}

/* Partition queues are not forwarded, so the library's limits hold for each partition: share the
 * memory out. It counts the bytes of records only, but needs about 300 bytes more for each, so
 * their number is limited, too; and a whole answer to a Fetch comes on top of what is queued
 * already. */
static int
set_prefetch(rd_kafka_conf_t *conf, int64_t prefetch_bytes, int64_t partitions, struct err *err)
{
    int64_t share = prefetch_bytes / (partitions > 0 ? partitions : PARTITIONS_WHEN_UNKNOWN);

    if (set_number(conf, "queued.max.messages.kbytes",
                   within(share / 1024, QUEUE_KIB_MIN, QUEUE_KIB_MAX), err) < 0 ||
        set_number(conf, "queued.min.messages",
                   within(share / 1024, QUEUE_RECORDS_MIN, QUEUE_RECORDS_MAX), err) < 0 ||
        set_number(conf, "fetch.message.max.bytes",
                   within(share / 2, FETCH_PART_MIN, FETCH_PART_MAX), err) < 0)
        return -1;
    return set_number(conf, "fetch.max.bytes",
                      within(prefetch_bytes / PREFETCH_PER_FETCH, FETCH_BYTES_MIN, FETCH_BYTES_MAX),
                      err);
}

static int
fill_consumer(rd_kafka_conf_t *conf, const struct kafka_config *config, int64_t prefetch_bytes,
              int64_t partitions, struct err *err)
{
    if (set_table(conf, defaults, ARRAY_LEN(defaults), err) < 0 ||
        set_table(conf, consumer_defaults, ARRAY_LEN(consumer_defaults), err) < 0 ||
        set_prefetch(conf, prefetch_bytes, partitions, err) < 0 ||
        set_user(conf, config, err) < 0 || set(conf, "group.id", config->group_id, err) < 0)
        return -1;
    return set_table(conf, consumer_fixed, ARRAY_LEN(consumer_fixed), err);
}

rd_kafka_conf_t *
kafka_consumer_conf(const struct kafka_config *config, int64_t prefetch_bytes, int64_t partitions,
                    struct err *err)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();

    if (fill_consumer(conf, config, prefetch_bytes, partitions, err) < 0) {
        rd_kafka_conf_destroy(conf);
        return NULL;
    }
    rd_kafka_conf_set_events(conf, RD_KAFKA_EVENT_REBALANCE | RD_KAFKA_EVENT_FETCH |
                                       RD_KAFKA_EVENT_ERROR | RD_KAFKA_EVENT_OFFSET_COMMIT |
                                       RD_KAFKA_EVENT_LOG);
    return conf;
}

rd_kafka_conf_t *
kafka_producer_conf(const struct kafka_config *config, struct err *err)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();

    if (set_table(conf, defaults, ARRAY_LEN(defaults), err) < 0 ||
        set_user(conf, config, err) < 0) {
        rd_kafka_conf_destroy(conf);
        return NULL;
    }
    rd_kafka_conf_set_events(conf, RD_KAFKA_EVENT_ERROR | RD_KAFKA_EVENT_LOG);
    return conf;
}

rd_kafka_conf_t *
kafka_reader_conf(const struct kafka_config *config, struct err *err)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();

    if (set_table(conf, defaults, ARRAY_LEN(defaults), err) < 0 ||
        set_user(conf, config, err) < 0 || set(conf, "group.id", config->group_id, err) < 0 ||
        set_table(conf, reader_fixed, ARRAY_LEN(reader_fixed), err) < 0) {
        rd_kafka_conf_destroy(conf);
        return NULL;
    }
    return conf;
}

/* TOPIC as an expression that matches nothing else, with what the list has before it. A backslash
 * would be taken by the list. */
static void
add_excluded(struct buf *list, const char *topic)
{
    buf_add_text(list, list->len ? ",^" : "^");
    for (; *topic; topic++) {
        if (*topic == '.')
            buf_add_text(list, "[.]");
        else
            buf_add_char(list, *topic);
    }
    buf_add_char(list, '$');
}

int
kafka_exclude(rd_kafka_conf_t *conf, const char *const *topics, size_t count, struct err *err)
{
    char written[EXCLUDED_MAX];
    size_t size = sizeof(written);
    struct buf list;
    int result;

    buf_init(&list, 2 * EXCLUDED_MAX);
    if (rd_kafka_conf_get(conf, "topic.blacklist", written, &size) == RD_KAFKA_CONF_OK)
        buf_add_text(&list, written);
    for (size_t i = 0; i < count; i++) {
        if (topics[i][0])
            add_excluded(&list, topics[i]);
    }
    result = list.len ? set(conf, "topic.blacklist", buf_text(&list), err) : 0;
    buf_fini(&list);
    return result;
}

int64_t
kafka_conf_number(const rd_kafka_conf_t *conf, const char *name)
{
    char text[32] = "";
    size_t size = sizeof(text);

    rd_kafka_conf_get(conf, name, text, &size);
    return strtoll(text, NULL, 10);
}

void
kafka_set_codec(rd_kafka_conf_t *conf)
{
    static const char *const codecs[] = {"zstd", "gzip", "lz4"};

    for (size_t i = 0; i < ARRAY_LEN(codecs); i++) {
        struct err ignored = {""};

        if (set(conf, "compression.codec", codecs[i], &ignored) == 0)
            return;
    }
}

rd_kafka_t *
kafka_handle_new(rd_kafka_type_t type, rd_kafka_conf_t **conf, struct err *err)
{
    char errstr[ERRSTR_MAX];
    rd_kafka_t *rk = rd_kafka_new(type, *conf, errstr, sizeof(errstr));

    if (!rk) {
        rd_kafka_conf_destroy(*conf);
        (void)err_set(err, "kafka: %s", errstr);
    }
    *conf = NULL;
    return rk;
}
