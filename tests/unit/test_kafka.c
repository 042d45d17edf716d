/* edge/kafka against librdkafka's mock clusters. All members that live are driven while a test
 * waits, so that those of different tests join their groups at the same time: that is what takes
 * long. */
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <poll.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "edge/kafka.h"
#include "edge/kafka_conf.h"
#include "edge/kafka_handle.h"
#include "edge/kafka_state.h"
#include "unit.h"

enum {
    HANG_GUARD_MS = 30 * 1000,
    TURN_MS = 10,
    MEMBERS_MAX = 16,
    PARTS_MAX = 8,
    RECORDS_MAX = 256,
    ERRORS_MAX = 100,
    API_OFFSET_COMMIT = 8,
    API_OFFSET_FETCH = 9, /* ApiKeys of the protocol */
    API_HEARTBEAT = 12
};

/* A rebalance of the mock takes a second less. Below, members never agree. */
#define SESSION_TIMEOUT_MS "2500"

/* ---- a cluster and its producer ---- */

struct cluster {
    rd_kafka_t *rk;
    rd_kafka_mock_cluster_t *mock;
    char *address;
    rd_kafka_t *producer;
};

static struct cluster main_cluster, faulty_cluster, mute_cluster;

static void
cluster_open(struct cluster *cluster)
{
    char errstr[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();

    cluster->rk = rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), errstr, sizeof(errstr));
    assert_non_null(cluster->rk);
    cluster->mock = rd_kafka_mock_cluster_new(cluster->rk, 1);
    cluster->address = xstrdup(rd_kafka_mock_cluster_bootstraps(cluster->mock));
    rd_kafka_conf_set(conf, "bootstrap.servers", cluster->address, errstr, sizeof(errstr));
    rd_kafka_conf_set(conf, "linger.ms", "0", errstr, sizeof(errstr));
    cluster->producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, errstr, sizeof(errstr));
    assert_non_null(cluster->producer);
}

static void
cluster_close(struct cluster *cluster)
{
    rd_kafka_destroy(cluster->producer);
    rd_kafka_mock_cluster_destroy(cluster->mock);
    rd_kafka_destroy(cluster->rk);
    xfree(cluster->address);
}

static void
topic_create(struct cluster *cluster, const char *topic, int partitions)
{
    assert_int_equal(rd_kafka_mock_topic_create(cluster->mock, topic, partitions, 1), 0);
}

/* VALUE NULL is a tombstone. One header, "kind", when HEADER is not NULL. */
static void
produce_full(struct cluster *cluster, const char *topic, int partition, const char *key,
             const char *value, int64_t time_ms, const char *header)
{
    rd_kafka_headers_t *headers = rd_kafka_headers_new(1);

    if (header)
        rd_kafka_header_add(headers, "kind", -1, header, -1);
    assert_int_equal(rd_kafka_producev(cluster->producer, RD_KAFKA_V_TOPIC(topic),
                                       RD_KAFKA_V_PARTITION(partition),
                                       RD_KAFKA_V_KEY(key, key ? strlen(key) : 0),
                                       RD_KAFKA_V_VALUE((void *)value, value ? strlen(value) : 0),
                                       RD_KAFKA_V_TIMESTAMP(time_ms),
                                       RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                                       RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_END),
                     RD_KAFKA_RESP_ERR_NO_ERROR);
}

static void
produce(struct cluster *cluster, const char *topic, int partition, const char *value,
        int64_t time_ms)
{
    produce_full(cluster, topic, partition, "key", value, time_ms, NULL);
}

/* ---- a member ---- */

struct seen {
    int32_t partition;
    int64_t offset, time_ms;
    char key[32], value[32], header[32];
    bool has_key, has_value;
};

struct member {
    struct kafka *kafka;
    struct kafka_part *parts[PARTS_MAX];
    size_t count;
    struct kafka_part *revoked[PARTS_MAX];
    size_t revoked_count;
    size_t assigned_total, lost_total;
    struct seen seen[RECORDS_MAX];
    size_t seen_count;
    bool no_room, keep_revoked, failed;
    int commits;
    enum kafka_commit commit;
    size_t commits_refused;
};

static struct member *members[MEMBERS_MAX];

static void
copy(char *to, size_t size, const void *from, size_t len)
{
    snprintf(to, size, "%.*s", (int)len, from ? (const char *)from : "");
}

static void
forget(struct member *member, struct kafka_part *part)
{
    for (size_t i = 0; i < member->count; i++) {
        if (member->parts[i] == part) {
            member->parts[i] = member->parts[--member->count];
            return;
        }
    }
    fail_msg("a partition that was never assigned");
}

static void
on_assigned(void *arg, struct kafka_part *part)
{
    struct member *member = arg;

    assert_true(member->count < PARTS_MAX);
    member->parts[member->count++] = part;
    member->assigned_total++;
    kafka_part_set_user(part, member);
}

static void
on_revoked(void *arg, struct kafka_part **parts, size_t count)
{
    struct member *member = arg;

    assert_int_equal(member->revoked_count, 0);
    assert_true(count > 0);
    for (size_t i = 0; i < count; i++) {
        member->revoked[member->revoked_count++] = parts[i];
        forget(member, parts[i]);
    }
}

static void
on_lost(void *arg, struct kafka_part **parts, size_t count)
{
    struct member *member = arg;

    member->lost_total += count;
    for (size_t i = 0; i < count; i++) {
        bool was_revoked = false;

        for (size_t k = 0; k < member->revoked_count; k++)
            was_revoked |= member->revoked[k] == parts[i];
        if (!was_revoked)
            forget(member, parts[i]);
    }
    member->revoked_count = 0;
}

static bool
on_has_room(void *arg, struct kafka_part *part)
{
    struct member *member = arg;

    assert_ptr_equal(kafka_part_user(part), member);
    return !member->no_room && member->seen_count < RECORDS_MAX;
}

static void
on_record(void *arg, struct kafka_part *part, const struct event *event)
{
    struct member *member = arg;
    struct seen *seen = &member->seen[member->seen_count++];

    assert_string_equal(event->topic, kafka_part_topic(part));
    assert_int_equal(event->partition, kafka_part_number(part));
    seen->partition = event->partition;
    seen->offset = event->offset;
    seen->time_ms = event->timestamp_ms;
    seen->has_key = event->key != NULL;
    seen->has_value = event->payload != NULL;
    copy(seen->key, sizeof(seen->key), event->key, event->key_len);
    copy(seen->value, sizeof(seen->value), event->payload, event->payload_len);
    if (event->header_count) {
        assert_string_equal(event->headers[0].name, "kind");
        copy(seen->header, sizeof(seen->header), event->headers[0].value,
             event->headers[0].value_len);
    }
}

static void
on_committed(void *arg, enum kafka_commit answer, struct kafka_part **refused, size_t count)
{
    struct member *member = arg;

    (void)refused;
    member->commits_refused = count;
    member->commits++;
    member->commit = answer;
}

static void
on_failed(void *arg, const char *reason)
{
    struct member *member = arg;

    (void)reason;
    member->failed = true;
}

static const struct kafka_ops ops = {.assigned = on_assigned,
                                     .revoked = on_revoked,
                                     .lost = on_lost,
                                     .has_room = on_has_room,
                                     .record = on_record,
                                     .committed = on_committed,
                                     .failed = on_failed};

static struct member *
join_as(struct cluster *cluster, const char *group, const char *topic, enum kafka_start start,
        const char *strategy)
{
    struct kafka_property properties[] = {
        {.name = "session.timeout.ms", .value = SESSION_TIMEOUT_MS},
        {.name = "heartbeat.interval.ms", .value = "200"},
        {.name = "fetch.wait.max.ms", .value = "10"},
        {.name = "partition.assignment.strategy", .value = (char *)strategy}};
    struct kafka_config config = {.bootstrap_servers = cluster->address,
                                  .group_id = (char *)group,
                                  .start = start,
                                  .properties = properties,
                                  .property_count = ARRAY_LEN(properties)};
    struct kafka_settings settings = {
        .config = &config, .prefetch_bytes = 1 << 20, .topics = &topic, .topic_count = 1};
    struct err err = {0};

    for (size_t i = 0; i < MEMBERS_MAX; i++) {
        if (members[i])
            continue;
        members[i] = xcalloc(1, sizeof(*members[i]));
        members[i]->kafka = kafka_open(&settings, &ops, members[i], &err);
        assert_string_equal(err.msg, "");
        assert_non_null(members[i]->kafka);
        return members[i];
    }
    fail_msg("too many members");
    return NULL;
}

static struct member *
join(struct cluster *cluster, const char *group, const char *topic, enum kafka_start start)
{
    return join_as(cluster, group, topic, start, "cooperative-sticky");
}

static void
turn_all(void)
{
    struct pollfd fds[MEMBERS_MAX];
    nfds_t count = 0;
    int64_t now = clock_now_ms(), due_ms = now + TURN_MS;

    for (size_t i = 0; i < MEMBERS_MAX; i++) {
        struct member *member = members[i];

        if (!member)
            continue;
        kafka_step(member->kafka, now, 2);
        if (member->revoked_count && !member->keep_revoked) {
            member->revoked_count = 0;
            kafka_release(member->kafka);
        }
        due_ms = clock_earlier(due_ms, kafka_deadline(member->kafka, now));
        fds[count++] = (struct pollfd){.fd = kafka_fd(member->kafka), .events = POLLIN};
    }
    poll(fds, count, due_ms > now ? (int)(due_ms - now) : 0);
}

typedef bool condition(struct member *member, int64_t number);

static void
wait_until(const char *what, condition *is_met, struct member *member, int64_t number)
{
    int64_t end_ms = clock_now_ms() + HANG_GUARD_MS;

    while (!is_met(member, number)) {
        if (clock_now_ms() > end_ms)
            fail_msg("waited in vain for %s", what);
        turn_all();
    }
}

static bool
has_parts(struct member *member, int64_t number)
{
    return member->count == (size_t)number;
}

static bool
is_asking(struct member *member, int64_t number)
{
    return list_is_empty(&member->kafka->asking) ? number == 0
                                                 : member->kafka->part_count == (size_t)number;
}

static bool
has_seen(struct member *member, int64_t number)
{
    return member->seen_count >= (size_t)number;
}

static bool
has_heads(struct member *member, int64_t number)
{
    size_t heads = 0;

    for (size_t i = 0; i < member->count; i++)
        heads += member->parts[i]->head != NULL;
    return heads == (size_t)number;
}

static bool
has_lost(struct member *member, int64_t number)
{
    return member->lost_total >= (size_t)number;
}

static bool
was_revoked(struct member *member, int64_t number)
{
    return member->revoked_count == (size_t)number;
}

static bool
has_stopped(struct member *member, int64_t number)
{
    return member->parts[number]->stopped;
}

static bool
can_commit(struct member *member, int64_t number)
{
    (void)number;
    return kafka_can_commit(member->kafka);
}

static bool
has_committed(struct member *member, int64_t number)
{
    return member->commits >= number;
}

static bool
is_closed(struct member *member, int64_t number)
{
    (void)number;
    return kafka_is_closed(member->kafka);
}

static void
discard(struct member *member)
{
    for (size_t i = 0; i < MEMBERS_MAX; i++)
        if (members[i] == member)
            members[i] = NULL;
    kafka_close(member->kafka);
    xfree(member);
}

static void
leave(struct member *member)
{
    kafka_leave(member->kafka);
    wait_until("the group to be left", is_closed, member, 0);
    assert_int_equal(member->count, 0);
    discard(member);
}

static struct kafka_part *
part_of(struct member *member, int32_t number)
{
    for (size_t i = 0; i < member->count; i++)
        if (kafka_part_number(member->parts[i]) == number)
            return member->parts[i];
    fail_msg("partition %d is not assigned", number);
    return NULL;
}

/* The next commits of the cluster are answered so. */
static void
answer_commits(struct cluster *cluster, const rd_kafka_resp_err_t *errors, size_t count)
{
    rd_kafka_mock_push_request_errors_array(cluster->mock, API_OFFSET_COMMIT, count, errors);
}

/* Commits OFFSET for the first two partitions. */
static void
commit_two(struct member *member, int64_t offset)
{
    struct kafka_offset offsets[] = {{.part = part_of(member, 0), .offset = offset},
                                     {.part = part_of(member, 1), .offset = offset}};
    int before = member->commits;

    wait_until("a commit to be possible", can_commit, member, 0);
    kafka_commit(member->kafka, offsets, 2);
    wait_until("the answer to a commit", has_committed, member, before + 1);
}

static void
commit(struct member *member, int32_t number, int64_t offset, const char *metadata)
{
    struct kafka_offset offsets[] = {
        {.part = part_of(member, number), .offset = offset, .metadata = metadata}};
    int before = member->commits;

    wait_until("a commit to be possible", can_commit, member, 0);
    kafka_commit(member->kafka, offsets, 1);
    assert_false(kafka_can_commit(member->kafka));
    assert_int_equal(member->commits, before);
    wait_until("the answer to a commit", has_committed, member, before + 1);
}

/* ---- tests ---- */

/* They join together, before the first test. */
static struct member *reader, *latest, *timely, *unlucky, *asking;
static struct member *first, *second, *eager, *eager_second; /* two groups of two */
static struct member *fenced, *fenced_second, *apart, *leaderless;

static void
refuse_questions(struct cluster *cluster, size_t count)
{
    rd_kafka_resp_err_t errors[ERRORS_MAX];

    for (size_t i = 0; i < count; i++)
        errors[i] = RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED;
    rd_kafka_mock_push_request_errors_array(cluster->mock, API_OFFSET_FETCH, count, errors);
}

static void
put_out_of_the_group(struct cluster *cluster)
{
    rd_kafka_mock_push_request_errors(cluster->mock, API_HEARTBEAT, 1,
                                      RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID);
}

static int
set_up(void **state)
{
    (void)state;
    log_setup(getenv("KAFKA_LOG") ? LOG_DEBUG : LOG_ERROR, LOG_LOGFMT);
    cluster_open(&main_cluster);
    cluster_open(&faulty_cluster);
    cluster_open(&mute_cluster);
    topic_create(&main_cluster, "read", 2);
    topic_create(&main_cluster, "late", 1);
    topic_create(&main_cluster, "timely", 2);
    topic_create(&main_cluster, "shared", 4);
    topic_create(&main_cluster, "eager", 2);
    topic_create(&main_cluster, "fenced", 4);
    topic_create(&main_cluster, "apart", 2);
    topic_create(&main_cluster, "leaderless", 2);
    rd_kafka_mock_partition_set_leader(main_cluster.mock, "leaderless", 1, -1);
    topic_create(&faulty_cluster, "unlucky", 2);
    topic_create(&mute_cluster, "asked", 2);
    produce_full(&main_cluster, "read", 0, "ada", "{\"n\":1}", 1700000000123, "greeting");
    produce_full(&main_cluster, "read", 0, NULL, NULL, 1700000000124, NULL);
    produce_full(&main_cluster, "read", 0, "", "", 1700000000125, NULL);
    produce(&main_cluster, "late", 0, "before", 1700000000000);
    for (int i = 0; i < 10; i++)
        produce(&main_cluster, "timely", i % 2, "x", 1700000000000 + i);
    produce(&faulty_cluster, "unlucky", 0, "x", 1700000000000);
    assert_int_equal(rd_kafka_flush(main_cluster.producer, HANG_GUARD_MS), 0);
    assert_int_equal(rd_kafka_flush(faulty_cluster.producer, HANG_GUARD_MS), 0);
    refuse_questions(&faulty_cluster, 2);
    refuse_questions(&mute_cluster, ERRORS_MAX);
    reader = join(&main_cluster, "reader", "read", KAFKA_START_EARLIEST);
    latest = join(&main_cluster, "latest", "late", KAFKA_START_LATEST);
    timely = join(&main_cluster, "timely", "^tim[e]ly$", KAFKA_START_EARLIEST);
    timely->no_room = true;
    first = join(&main_cluster, "shared", "shared", KAFKA_START_EARLIEST);
    eager = join_as(&main_cluster, "eager", "eager", KAFKA_START_EARLIEST, "range");
    fenced = join(&main_cluster, "fenced", "fenced", KAFKA_START_EARLIEST);
    leaderless = join(&main_cluster, "leaderless", "leaderless", KAFKA_START_EARLIEST);
    apart = join(&main_cluster, "apart", "apart", KAFKA_START_EARLIEST);
    asking = join(&mute_cluster, "asking", "asked", KAFKA_START_EARLIEST);
    unlucky = join(&faulty_cluster, "unlucky", "unlucky", KAFKA_START_EARLIEST);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    for (size_t i = 0; i < MEMBERS_MAX; i++)
        if (members[i])
            discard(members[i]);
    cluster_close(&mute_cluster);
    cluster_close(&faulty_cluster);
    cluster_close(&main_cluster);
    return 0;
}

static void
librdkafka_judges_properties_by_file_and_line(void **state)
{
    struct kafka_property properties[] = {
        {.name = "session.timeout.ms", .value = "6000", .at = {"a.conf", 3}},
        {.name = "sesion.timeout.ms", .value = "6000", .at = {"a.conf", 4}},
        {.name = "heartbeat.interval.ms", .value = "soon", .at = {"b.conf", 5}}};
    struct kafka_config config = {.properties = properties,
                                  .property_count = ARRAY_LEN(properties)};
    struct diag diag;

    (void)state;
    diag_init(&diag);
    assert_int_equal(kafka_check(&config, &diag), -1);
    assert_int_equal(diag.errors, 2);
    assert_non_null(strstr(diag.items[0].text, "a.conf:4: "));
    assert_non_null(strstr(diag.items[0].text, "kafka.sesion_timeout_ms: No such"));
    assert_non_null(strstr(diag.items[1].text, "b.conf:5: "));
    assert_non_null(strstr(diag.items[1].text, "kafka.heartbeat_interval_ms: Invalid value"));
    diag_fini(&diag);
    config.property_count = 1;
    diag_init(&diag);
    assert_int_equal(kafka_check(&config, &diag), 0);
    diag_fini(&diag);
}

static void
what_the_library_cannot_use_is_an_error_of_opening(void **state)
{
    struct kafka_property property = {
        .name = "session.timeout.ms", .value = "none", .at = {"a.conf", 7}};
    struct kafka_config config = {.bootstrap_servers = main_cluster.address,
                                  .group_id = (char *)"group",
                                  .properties = &property,
                                  .property_count = 1};
    const char *topic = "read";
    struct kafka_settings settings = {.config = &config, .topics = &topic, .topic_count = 1};
    struct err err = {0};

    (void)state;
    assert_null(kafka_open(&settings, &ops, NULL, &err));
    assert_non_null(strstr(err.msg, "a.conf:7: kafka: "));
    config.property_count = 0;
    topic = "^(";
    err_clear(&err);
    assert_null(kafka_open(&settings, &ops, NULL, &err));
    assert_non_null(strstr(err.msg, "cannot subscribe"));
}

static void
a_new_group_reads_from_the_earliest_record(void **state)
{
    (void)state;
    wait_until("two partitions", has_parts, reader, 2);
    wait_until("three records", has_seen, reader, 3);
    assert_int_equal(kafka_part_offset(part_of(reader, 0)), 0);
    assert_int_equal(kafka_part_committed(part_of(reader, 0)), -1);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(reader->seen[i].partition, 0);
        assert_int_equal(reader->seen[i].offset, i);
        assert_int_equal(reader->seen[i].time_ms, 1700000000123 + i);
    }
    assert_string_equal(reader->seen[0].key, "ada");
    assert_string_equal(reader->seen[0].value, "{\"n\":1}");
    assert_string_equal(reader->seen[0].header, "greeting");
}

static void
a_tombstone_and_an_empty_payload_are_told_apart(void **state)
{
    (void)state;
    assert_false(reader->seen[1].has_key);
    assert_false(reader->seen[1].has_value);
    assert_true(reader->seen[2].has_value);
    assert_string_equal(reader->seen[2].value, "");
    assert_string_equal(reader->seen[2].header, "");
}

static void
a_new_group_may_begin_at_the_end(void **state)
{
    (void)state;
    wait_until("a partition", has_parts, latest, 1);
    assert_int_equal(kafka_part_offset(part_of(latest, 0)), 1);
    produce(&main_cluster, "late", 0, "after", 1700000000001);
    wait_until("a record", has_seen, latest, 1);
    assert_string_equal(latest->seen[0].value, "after");
    leave(latest);
}

static void
nothing_is_handed_over_without_room_then_the_oldest_first(void **state)
{
    (void)state;
    wait_until("the heads of both partitions", has_heads, timely, 2);
    assert_int_equal(timely->seen_count, 0);
    timely->no_room = false;
    wait_until("ten records", has_seen, timely, 10);
    for (int i = 0; i < 10; i++)
        assert_int_equal(timely->seen[i].time_ms, 1700000000000 + i);
    discard(timely); /* without leaving, partitions in hand */
}

/* For later tests, since it takes its time. */
static void
disturb_the_groups(void)
{
    wait_until("all partitions", has_parts, first, 4);
    wait_until("all partitions", has_parts, eager, 2);
    first->keep_revoked = eager->keep_revoked = true;
    second = join(&main_cluster, "shared", "shared", KAFKA_START_EARLIEST);
    eager_second = join_as(&main_cluster, "eager", "eager", KAFKA_START_EARLIEST, "range");
    put_out_of_the_group(&faulty_cluster);
    wait_until("an assignment", is_asking, asking, 2);
    put_out_of_the_group(&mute_cluster);
    wait_until("the assignment to be forgotten", is_asking, asking, 0);
    rd_kafka_mock_clear_request_errors(mute_cluster.mock, API_OFFSET_FETCH);
}

static void
a_successor_begins_at_the_committed_offset_and_gets_its_metadata(void **state)
{
    const char *metadata;
    size_t len;

    (void)state;
    disturb_the_groups();
    commit(reader, 0, 2, "1:progress");
    assert_int_equal(reader->commit, KAFKA_COMMIT_STORED);
    commit(reader, 1, 1000, NULL); /* beyond the end; for a later test */
    assert_int_equal(reader->commits, 2);
    leave(reader);
    reader = join(&main_cluster, "reader", "read", KAFKA_START_EARLIEST);
    wait_until("two partitions", has_parts, reader, 2);
    assert_int_equal(kafka_part_offset(part_of(reader, 0)), 2);
    assert_int_equal(kafka_part_committed(part_of(reader, 0)), 2);
    metadata = kafka_part_metadata(part_of(reader, 0), &len);
    assert_int_equal(len, strlen("1:progress"));
    assert_memory_equal(metadata, "1:progress", len);
    wait_until("a record", has_seen, reader, 1);
    assert_int_equal(reader->seen[0].offset, 2);
}

static void
an_offset_out_of_range_stops_its_partition_and_no_other(void **state)
{
    size_t at = kafka_part_number(reader->parts[0]) == 1 ? 0 : 1;

    (void)state;
    assert_int_equal(kafka_part_offset(part_of(reader, 1)), 1000);
    wait_until("the partition to be stopped", has_stopped, reader, (int64_t)at);
    produce(&main_cluster, "read", 0, "goes on", 1700000000200);
    produce(&main_cluster, "read", 1, "is not read", 1700000000100);
    wait_until("a record", has_seen, reader, 2);
    assert_string_equal(reader->seen[1].value, "goes on");
    assert_false(reader->failed);
    leave(reader);
}

static void
questions_without_an_answer_are_asked_again(void **state)
{
    (void)state;
    wait_until("two partitions", has_parts, unlucky, 2);
    wait_until("a record", has_seen, unlucky, 1);
    assert_false(unlucky->failed);
}

static void
a_lost_assignment_is_reported_and_the_member_comes_back(void **state)
{
    (void)state;
    wait_until("two lost partitions", has_lost, unlucky, 2);
    wait_until("two partitions", has_parts, unlucky, 2);
    wait_until("the record again", has_seen, unlucky, 2);
    assert_int_equal(unlucky->seen[1].offset, 0);
    leave(unlucky);
}

static void
an_assignment_lost_while_questions_are_open_is_forgotten(void **state)
{
    (void)state;
    wait_until("two partitions", has_parts, asking, 2);
    assert_int_equal(asking->assigned_total, 2);
    assert_int_equal(asking->lost_total, 0);
    assert_false(asking->failed);
    refuse_questions(&mute_cluster, ERRORS_MAX);
    put_out_of_the_group(&mute_cluster);
}

static void
leaving_with_a_question_open_is_done_at_once(void **state)
{
    (void)state;
    wait_until("two lost partitions", has_lost, asking, 2);
    wait_until("an assignment", is_asking, asking, 2);
    leave(asking);
}

static void
a_second_member_gets_what_the_first_gives_back(void **state)
{
    (void)state;
    wait_until("two partitions to be revoked", was_revoked, first, 2);
    assert_int_equal(second->count, 0);
    for (size_t i = 0; i < 2; i++) {
        produce(&main_cluster, "shared", kafka_part_number(first->revoked[i]), "moved", 1);
        produce(&main_cluster, "shared", kafka_part_number(first->parts[i]), "kept", 1);
    }
    first->keep_revoked = false;
    wait_until("two partitions", has_parts, second, 2);
    wait_until("the records of both", has_seen, second, 2);
    wait_until("the records of those that were kept", has_seen, first, 2);
    assert_string_equal(first->seen[0].value, "kept");
    assert_string_equal(second->seen[0].value, "moved");
    assert_int_equal(first->assigned_total, 4);
    leave(second);
    wait_until("all partitions", has_parts, first, 4);
    assert_int_equal(first->assigned_total, 6);
    assert_int_equal(first->lost_total, 0);
}

static void
leaving_waits_for_a_revocation_that_is_under_way(void **state)
{
    (void)state;
    first->keep_revoked = true;
    second = join(&main_cluster, "shared", "shared", KAFKA_START_EARLIEST);
    wait_until("two partitions to be revoked", was_revoked, first, 2);
    kafka_leave(first->kafka);
    assert_int_equal(first->count, 2);
    first->keep_revoked = false;
    wait_until("the group to be left", is_closed, first, 0);
    assert_int_equal(first->count, 0);
    assert_int_equal(first->lost_total, 0);
    discard(first);
    wait_until("all partitions", has_parts, second, 4);
    leave(second);
}

static void
an_eager_group_gives_and_takes_everything(void **state)
{
    (void)state;
    wait_until("all partitions to be revoked", was_revoked, eager, 2);
    eager->keep_revoked = false;
    wait_until("one of two partitions", has_parts, eager_second, 1);
    wait_until("the other one", has_parts, eager, 1);
    assert_int_not_equal(kafka_part_number(eager->parts[0]),
                         kafka_part_number(eager_second->parts[0]));
    produce(&main_cluster, "eager", 0, "x", 1);
    produce(&main_cluster, "eager", 1, "x", 1);
    wait_until("a record", has_seen, eager, 1);
    wait_until("a record", has_seen, eager_second, 1);
    leave(eager_second);
    leave(eager);
}

static void
a_partition_without_a_leader_keeps_no_other_waiting(void **state)
{
    (void)state;
    wait_until("one partition", has_parts, leaderless, 1);
    assert_int_equal(kafka_part_number(leaderless->parts[0]), 0);
    rd_kafka_mock_partition_set_leader(main_cluster.mock, "leaderless", 1, 1);
    wait_until("the other one", has_parts, leaderless, 2);
    leave(leaderless);
}

static void
where_one_partition_of_a_commit_fails_each_is_sent_by_itself(void **state)
{
    static const rd_kafka_resp_err_t passing[] = {RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, 0,
                                                  0},
                                     failing[] = {RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, 0,
                                                  RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED},
                                     again[] = {0, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED},
                                     all[] = {RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
                                              RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED},
                                     large[] = {RD_KAFKA_RESP_ERR_OFFSET_METADATA_TOO_LARGE};

    (void)state;
    wait_until("two partitions", has_parts, apart, 2);
    answer_commits(&main_cluster, passing, ARRAY_LEN(passing));
    commit_two(apart, 1);
    assert_int_equal(apart->commit, KAFKA_COMMIT_STORED);
    assert_int_equal(apart->commits_refused, 0);
    answer_commits(&main_cluster, failing, ARRAY_LEN(failing));
    commit_two(apart, 2);
    assert_int_equal(apart->commit, KAFKA_COMMIT_STORED);
    assert_int_equal(apart->commits_refused, 1);
    answer_commits(&main_cluster, again, ARRAY_LEN(again)); /* the one that failed goes last */
    commit_two(apart, 3);
    assert_int_equal(apart->commits_refused, 1);
    answer_commits(&main_cluster, all, ARRAY_LEN(all));
    commit_two(apart, 4);
    assert_int_equal(apart->commit, KAFKA_COMMIT_REFUSED);
    answer_commits(&main_cluster, large, ARRAY_LEN(large));
    commit_two(apart, 5);
    assert_int_equal(apart->commit, KAFKA_COMMIT_TOO_LARGE);
    commit_two(apart, 5);
    assert_int_equal(apart->commit, KAFKA_COMMIT_STORED);
    assert_int_equal(apart->lost_total, 0);
    leave(apart);
}

static void
a_commit_that_is_refused_for_the_member_is_a_loss_at_once(void **state)
{
    static const rd_kafka_resp_err_t out[] = {RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID};

    (void)state;
    wait_until("all partitions", has_parts, fenced, 4);
    produce(&main_cluster, "fenced", 0, "x", 1);
    wait_until("a record", has_seen, fenced, 1);
    answer_commits(&main_cluster, out, 1);
    commit(fenced, 1, 0, NULL);
    assert_int_equal(fenced->commit, KAFKA_COMMIT_REFUSED);
    assert_int_equal(fenced->lost_total, 4);
    assert_int_equal(fenced->count, 0);
    wait_until("all partitions again", has_parts, fenced, 4);
    wait_until("the record again", has_seen, fenced, 2);
    assert_int_equal(fenced->lost_total, 4);
    assert_false(fenced->failed);
}

static void
so_it_is_while_partitions_are_given_back(void **state)
{
    static const rd_kafka_resp_err_t out[] = {RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION};
    struct kafka_part *kept;

    (void)state;
    fenced->keep_revoked = true;
    fenced_second = join(&main_cluster, "fenced", "fenced", KAFKA_START_EARLIEST);
    wait_until("two partitions to be revoked", was_revoked, fenced, 2);
    kept = fenced->parts[0];
    answer_commits(&main_cluster, out, 1);
    commit(fenced, kafka_part_number(kept), 0, NULL);
    assert_int_equal(fenced->lost_total, 8);
    assert_int_equal(fenced->count, 0);
    fenced->keep_revoked = false;
    wait_until("two partitions", has_parts, fenced_second, 2);
    wait_until("the other two", has_parts, fenced, 2);
    for (int i = 0; i < 4; i++)
        produce(&main_cluster, "fenced", i, "y", 2);
    wait_until("what was produced", has_seen, fenced, 4);
    wait_until("what was produced", has_seen, fenced_second, 2);
    assert_false(fenced->failed || fenced_second->failed);
    leave(fenced_second);
    leave(fenced);
}

static void
excluded_topics_join_those_that_the_user_excludes(void **state)
{
    static const char *const topics[] = {"a.dead-letter", "", "b_c"};
    struct kafka_property property = {.name = "topic.blacklist", .value = "^x,^y$"};
    struct kafka_config config = {.bootstrap_servers = "127.0.0.1:1",
                                  .group_id = "g",
                                  .properties = &property,
                                  .property_count = 1};
    struct err err = {0};
    rd_kafka_conf_t *conf = kafka_producer_conf(&config, &err);
    char list[256];
    size_t size = sizeof(list);

    (void)state;
    assert_int_equal(kafka_exclude(conf, topics, ARRAY_LEN(topics), &err), 0);
    assert_int_equal(rd_kafka_conf_get(conf, "topic.blacklist", list, &size), RD_KAFKA_CONF_OK);
    assert_string_equal(list, "^x,^y$,^a[.]dead-letter$,^b_c$");
    rd_kafka_conf_destroy(conf);
}

static void
a_member_leaves_before_it_ever_joined(void **state)
{
    (void)state;
    leave(join(&main_cluster, "short", "read", KAFKA_START_EARLIEST));
}

/* ---- the commit gate by itself ---- */

/* The question to the main thread is asked late in a turn that took long, so what may follow it has
 * to be waited for from then on. */
static void
the_gate_waits_from_when_the_main_thread_has_answered(void **state)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    struct kafka_gate gate;
    int64_t real = clock_now_ms();
    int64_t now = real - 1000; /* when the turn began */
    int64_t due;

    (void)state;
    kafka_gate_init(&gate, conf, -1);
    atomic_store(&gate.heard_ms, now - 200);
    assert_false(kafka_gate_is_open(&gate, now));
    due = kafka_gate_step(&gate, main_cluster.rk, now);
    assert_true(due > real);
    assert_false(kafka_gate_is_open(&gate, now));
    due = kafka_gate_step(&gate, main_cluster.rk, due - 1);
    assert_false(kafka_gate_is_open(&gate, due - 1));
    assert_int_equal(kafka_gate_step(&gate, main_cluster.rk, due), CLOCK_NEVER);
    assert_true(kafka_gate_is_open(&gate, due));
    rd_kafka_conf_destroy(conf);
}

/* The answer may be that it is to join once more, which it does with a delay and without a
 * heartbeat in between. */
static void
the_gate_expects_another_join_after_the_answer_to_sync_group(void **state)
{
    enum { API_JOIN_GROUP = 11, API_SYNC_GROUP = 14, JOIN_INTERVAL_MS = 1000 };
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    struct kafka_gate gate;
    int64_t now = clock_now_ms();

    (void)state;
    kafka_gate_init(&gate, conf, -1);
    assert_true(kafka_gate_is_open(&gate, now));
    kafka_gate_sent(&gate, API_JOIN_GROUP);
    assert_false(kafka_gate_is_open_revoking(&gate));
    kafka_gate_answered(&gate, API_SYNC_GROUP);
    assert_true(kafka_gate_is_open_revoking(&gate));
    assert_false(kafka_gate_is_open(&gate, now));
    assert_true(kafka_gate_step(&gate, main_cluster.rk, now) > now + JOIN_INTERVAL_MS);
    assert_false(kafka_gate_is_open(&gate, now + JOIN_INTERVAL_MS));
    rd_kafka_conf_destroy(conf);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(excluded_topics_join_those_that_the_user_excludes),
        cmocka_unit_test(librdkafka_judges_properties_by_file_and_line),
        cmocka_unit_test(what_the_library_cannot_use_is_an_error_of_opening),
        cmocka_unit_test(a_new_group_reads_from_the_earliest_record),
        cmocka_unit_test(a_tombstone_and_an_empty_payload_are_told_apart),
        cmocka_unit_test(a_new_group_may_begin_at_the_end),
        cmocka_unit_test(nothing_is_handed_over_without_room_then_the_oldest_first),
        cmocka_unit_test(questions_without_an_answer_are_asked_again),
        cmocka_unit_test(a_successor_begins_at_the_committed_offset_and_gets_its_metadata),
        cmocka_unit_test(an_offset_out_of_range_stops_its_partition_and_no_other),
        cmocka_unit_test(a_second_member_gets_what_the_first_gives_back),
        cmocka_unit_test(an_assignment_lost_while_questions_are_open_is_forgotten),
        cmocka_unit_test(leaving_waits_for_a_revocation_that_is_under_way),
        cmocka_unit_test(an_eager_group_gives_and_takes_everything),
        cmocka_unit_test(a_lost_assignment_is_reported_and_the_member_comes_back),
        cmocka_unit_test(leaving_with_a_question_open_is_done_at_once),
        cmocka_unit_test(a_partition_without_a_leader_keeps_no_other_waiting),
        cmocka_unit_test(where_one_partition_of_a_commit_fails_each_is_sent_by_itself),
        cmocka_unit_test(a_commit_that_is_refused_for_the_member_is_a_loss_at_once),
        cmocka_unit_test(so_it_is_while_partitions_are_given_back),
        cmocka_unit_test(the_gate_waits_from_when_the_main_thread_has_answered),
        cmocka_unit_test(the_gate_expects_another_join_after_the_answer_to_sync_group),
        cmocka_unit_test(a_member_leaves_before_it_ever_joined),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
