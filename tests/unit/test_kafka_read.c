/* edge/kafka_read against librdkafka's mock cluster. */
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include "base/log.h"
#include "base/xalloc.h"
#include "edge/kafka_read.h"
#include "unit.h"

enum {
    RECORDS = 3000,
    TURNS_MAX = 300,
    ROUNDS = 60,
    API_LIST_OFFSETS = 2 /* ApiKey of the protocol */
};

struct cluster {
    rd_kafka_t *rk, *producer;
    rd_kafka_mock_cluster_t *mock;
    struct kafka_config config;
    struct kafka_read *read;
};

static struct cluster cluster;

/* ---- helpers ---- */

static void
produce(const char *topic, int partition, int n)
{
    rd_kafka_headers_t *headers = rd_kafka_headers_new(2);
    char value[32];
    int len = snprintf(value, sizeof(value), "v%d", n);

    rd_kafka_header_add(headers, "h", -1, value, len);
    rd_kafka_header_add(headers, "none", -1, NULL, 0);
    while (rd_kafka_producev(cluster.producer, RD_KAFKA_V_TOPIC(topic),
                             RD_KAFKA_V_PARTITION(partition), RD_KAFKA_V_VALUE(value, (size_t)len),
                             RD_KAFKA_V_TIMESTAMP(1000 + n),
                             RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_HEADERS(headers),
                             RD_KAFKA_V_END) == RD_KAFKA_RESP_ERR__QUEUE_FULL)
        rd_kafka_poll(cluster.producer, 10);
}

static int
open_cluster(void **state)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    struct err err = {0};
    char errstr[256];

    (void)state;
    log_setup(LOG_ERROR, LOG_LOGFMT);
    cluster.rk = rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), errstr, sizeof(errstr));
    cluster.mock = rd_kafka_mock_cluster_new(cluster.rk, 1);
    cluster.config = (struct kafka_config){
        .bootstrap_servers = xstrdup(rd_kafka_mock_cluster_bootstraps(cluster.mock)),
        .group_id = xstrdup("group")};
    rd_kafka_conf_set(conf, "bootstrap.servers", cluster.config.bootstrap_servers, errstr,
                      sizeof(errstr));
    cluster.producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, errstr, sizeof(errstr));
    rd_kafka_mock_topic_create(cluster.mock, "two", 2, 1);
    for (int i = 0; i < RECORDS; i++)
        produce("two", 0, i);
    produce("two", 1, 0);
    rd_kafka_flush(cluster.producer, 10000);
    cluster.read = kafka_read_open(&cluster.config, &err);
    return cluster.read ? 0 : -1;
}

static int
close_cluster(void **state)
{
    (void)state;
    kafka_read_close(cluster.read);
    rd_kafka_destroy(cluster.producer);
    rd_kafka_mock_cluster_destroy(cluster.mock);
    rd_kafka_destroy(cluster.rk);
    xfree(cluster.config.bootstrap_servers);
    xfree(cluster.config.group_id);
    return 0;
}

static void
expect_record(const struct event *event, int32_t partition, int64_t offset)
{
    char value[32];
    int len = snprintf(value, sizeof(value), "v%lld", (long long)offset);

    assert_string_equal(event->topic, "two");
    assert_int_equal(event->partition, partition);
    assert_int_equal(event->offset, offset);
    assert_int_equal(event->timestamp_ms, 1000 + offset);
    assert_null(event->key);
    assert_int_equal(event->payload_len, len);
    assert_memory_equal(event->payload, value, (size_t)len);
    assert_int_equal(event->header_count, 2);
    assert_string_equal(event->headers[0].name, "h");
    assert_memory_equal(event->headers[0].value, value, (size_t)len);
    assert_null(event->headers[1].value);
}

static enum kafka_read_state
next(struct event *event)
{
    enum kafka_read_state state = KAFKA_READ_WAITING;
    struct err err = {0};

    for (int i = 0; state == KAFKA_READ_WAITING && i < TURNS_MAX; i++)
        assert_int_equal(kafka_read_next(cluster.read, 100, &state, event, &err), 0);
    return state;
}

static enum kafka_read_state
at(int32_t partition, int64_t offset, struct event *event)
{
    enum kafka_read_state state = KAFKA_READ_WAITING;
    struct err err = {0};

    for (int i = 0; state == KAFKA_READ_WAITING && i < TURNS_MAX; i++)
        assert_int_equal(
            kafka_read_at(cluster.read, "two", partition, offset, 100, &state, event, &err), 0);
    return state;
}

static void
expect_range(int32_t partition, int64_t from, int64_t end)
{
    struct event event;
    struct err err = {0};

    assert_int_equal(kafka_read_range(cluster.read, "two", partition, from, end, &err), 0);
    for (int64_t offset = from; offset < end; offset++) {
        assert_int_equal(next(&event), KAFKA_READ_RECORD);
        expect_record(&event, partition, offset);
    }
    assert_int_equal(next(&event), KAFKA_READ_END);
    assert_int_equal(next(&event), KAFKA_READ_END);
}

/* ---- tests ---- */

static void
partitions_are_counted_and_a_missing_topic_has_none(void **state)
{
    struct err err = {0};
    int32_t count;

    (void)state;
    assert_int_equal(kafka_read_partitions(cluster.read, "two", &count, &err), 0);
    assert_int_equal(count, 2);
    assert_int_equal(kafka_read_partitions(cluster.read, "missing", &count, &err), 0);
    assert_int_equal(count, 0);
}

/* How many partitions topic "two" is told to have. */
static void
take_topic(void *opaque, const char *topic, int32_t partitions)
{
    int32_t *count = opaque;

    if (!strcmp(topic, "two"))
        *count += partitions;
}

static void
all_topics_are_told_once_each(void **state)
{
    struct err err = {0};
    int32_t count = 0;

    (void)state;
    assert_int_equal(kafka_read_topics(cluster.read, take_topic, &count, &err), 0);
    assert_int_equal(count, 2);
}

static void
a_range_is_read_to_its_end_and_no_further(void **state)
{
    int64_t begin, end;
    struct err err = {0};

    (void)state;
    assert_int_equal(kafka_read_bounds(cluster.read, "two", 0, &begin, &end, &err), 0);
    assert_int_equal(begin, 0);
    assert_int_equal(end, RECORDS);
    expect_range(0, begin, end);
    expect_range(0, 10, 20);
    expect_range(1, 0, 1);
    expect_range(0, end - 3, end);
    expect_range(0, 5, 5);
    expect_range(0, 0, 1);
}

/* As just after a topic was made, or its leader has moved. */
static void
a_leader_that_is_not_known_yet_is_asked_for_again(void **state)
{
    int64_t begin = -1, end = -1;
    struct err err = {0};

    (void)state;
    rd_kafka_mock_push_request_errors(
        cluster.mock, API_LIST_OFFSETS, 3, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
        RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION);
    assert_int_equal(kafka_read_bounds(cluster.read, "two", 0, &begin, &end, &err), 0);
    assert_int_equal(begin, 0);
    assert_int_equal(end, RECORDS);
}

static void
records_are_found_at_their_offsets_in_any_order(void **state)
{
    struct rng rng = unit_rng("offsets", 9);
    struct event event;
    int64_t offset = 0;

    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        offset = rng_below(&rng, 3) ? (int64_t)rng_below(&rng, RECORDS) : offset + 1;
        if (offset >= RECORDS)
            continue;
        assert_int_equal(at(0, offset, &event), KAFKA_READ_RECORD);
        expect_record(&event, 0, offset);
        if (rng_below(&rng, 8) == 0) {
            assert_int_equal(at(1, 0, &event), KAFKA_READ_RECORD);
            expect_record(&event, 1, 0);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(partitions_are_counted_and_a_missing_topic_has_none),
        cmocka_unit_test(all_topics_are_told_once_each),
        cmocka_unit_test(a_range_is_read_to_its_end_and_no_further),
        cmocka_unit_test(a_leader_that_is_not_known_yet_is_asked_for_again),
        cmocka_unit_test(records_are_found_at_their_offsets_in_any_order),
    };

    return cmocka_run_group_tests(tests, open_cluster, close_cluster);
}
