#include "kafka_unit.h"

#include <poll.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/xalloc.h"

enum { TURN_MS = 10 };

/* ApiKeys of the protocol. */
enum { API_FETCH = 1, API_OFFSET_COMMIT = 8, API_OFFSET_FETCH = 9, API_HEARTBEAT = 12 };

/* A rebalance of the mock takes a second less. Below, members never agree. */
#define SESSION_TIMEOUT_MS "2500"

/* ---- a cluster and its producer ---- */

void
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

void
cluster_close(struct cluster *cluster)
{
    rd_kafka_destroy(cluster->producer);
    rd_kafka_mock_cluster_destroy(cluster->mock);
    rd_kafka_destroy(cluster->rk);
    xfree(cluster->address);
}

void
topic_create(struct cluster *cluster, const char *topic, int partitions)
{
    assert_int_equal(rd_kafka_mock_topic_create(cluster->mock, topic, partitions, 1), 0);
}

void
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

void
produce(struct cluster *cluster, const char *topic, int partition, const char *value,
        int64_t time_ms)
{
    produce_full(cluster, topic, partition, "key", value, time_ms, NULL);
}

/* ---- a member ---- */

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
on_rebalanced(void *arg)
{
    struct member *member = arg;

    member->rebalances++;
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
    member->lost_era = kafka_era(member->kafka);
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

const struct kafka_ops member_ops = {.assigned = on_assigned,
                                     .rebalanced = on_rebalanced,
                                     .revoked = on_revoked,
                                     .lost = on_lost,
                                     .has_room = on_has_room,
                                     .record = on_record,
                                     .committed = on_committed,
                                     .failed = on_failed};

struct member *
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
        members[i]->kafka = kafka_open(&settings, &member_ops, members[i], &err);
        assert_string_equal(err.msg, "");
        assert_non_null(members[i]->kafka);
        return members[i];
    }
    fail_msg("too many members");
    return NULL;
}

struct member *
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

void
wait_until(const char *what, condition *is_met, struct member *member, int64_t number)
{
    int64_t end_ms = clock_now_ms() + HANG_GUARD_MS;

    while (!is_met(member, number)) {
        if (clock_now_ms() > end_ms)
            fail_msg("waited in vain for %s", what);
        turn_all();
    }
}

bool
has_parts(struct member *member, int64_t number)
{
    return member->count == (size_t)number;
}

bool
is_asking(struct member *member, int64_t number)
{
    return list_is_empty(&member->kafka->asking) ? number == 0
                                                 : member->kafka->part_count == (size_t)number;
}

bool
has_seen(struct member *member, int64_t number)
{
    return member->seen_count >= (size_t)number;
}

bool
has_heads(struct member *member, int64_t number)
{
    size_t heads = 0;

    for (size_t i = 0; i < member->count; i++)
        heads += member->parts[i]->head != NULL;
    return heads == (size_t)number;
}

bool
has_lost(struct member *member, int64_t number)
{
    return member->lost_total >= (size_t)number;
}

bool
was_revoked(struct member *member, int64_t number)
{
    return member->revoked_count == (size_t)number;
}

bool
has_stopped(struct member *member, int64_t number)
{
    return member->parts[number]->stopped;
}

bool
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

bool
is_closed(struct member *member, int64_t number)
{
    (void)number;
    return kafka_is_closed(member->kafka);
}

void
discard(struct member *member)
{
    for (size_t i = 0; i < MEMBERS_MAX; i++)
        if (members[i] == member)
            members[i] = NULL;
    kafka_close(member->kafka);
    xfree(member);
}

void
discard_all(void)
{
    for (size_t i = 0; i < MEMBERS_MAX; i++)
        if (members[i])
            discard(members[i]);
}

void
leave(struct member *member)
{
    kafka_leave(member->kafka, clock_now_ms() + HANG_GUARD_MS);
    wait_until("the group to be left", is_closed, member, 0);
    assert_int_equal(member->count, 0);
    discard(member);
}

struct kafka_part *
part_of(struct member *member, int32_t number)
{
    for (size_t i = 0; i < member->count; i++)
        if (kafka_part_number(member->parts[i]) == number)
            return member->parts[i];
    fail_msg("partition %d is not assigned", number);
    return NULL;
}

void
answer_commits(struct cluster *cluster, const rd_kafka_resp_err_t *errors, size_t count)
{
    rd_kafka_mock_push_request_errors_array(cluster->mock, API_OFFSET_COMMIT, count, errors);
}

void
commit_two(struct member *member, int64_t offset)
{
    struct kafka_offset offsets[] = {{.part = part_of(member, 0), .offset = offset},
                                     {.part = part_of(member, 1), .offset = offset}};
    int before = member->commits;

    wait_until("a commit to be possible", can_commit, member, 0);
    kafka_commit(member->kafka, offsets, 2);
    wait_until("the answer to a commit", has_committed, member, before + 1);
}

void
commit(struct member *member, int32_t number, int64_t offset, const char *metadata)
{
    commit_part(member, part_of(member, number), offset, metadata);
}

void
commit_part(struct member *member, struct kafka_part *part, int64_t offset, const char *metadata)
{
    struct kafka_offset offsets[] = {{.part = part, .offset = offset, .metadata = metadata}};
    int before = member->commits;

    wait_until("a commit to be possible", can_commit, member, 0);
    kafka_commit(member->kafka, offsets, 1);
    assert_false(kafka_can_commit(member->kafka));
    assert_int_equal(member->commits, before);
    wait_until("the answer to a commit", has_committed, member, before + 1);
}

void
refuse_questions(struct cluster *cluster, size_t count)
{
    rd_kafka_resp_err_t errors[ERRORS_MAX];

    for (size_t i = 0; i < count; i++)
        errors[i] = RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED;
    rd_kafka_mock_push_request_errors_array(cluster->mock, API_OFFSET_FETCH, count, errors);
}

void
answer_questions(struct cluster *cluster)
{
    rd_kafka_mock_clear_request_errors(cluster->mock, API_OFFSET_FETCH);
}

void
answer_fetch(struct cluster *cluster, rd_kafka_resp_err_t error)
{
    rd_kafka_mock_push_request_errors(cluster->mock, API_FETCH, 1, error);
}

void
put_out_of_the_group(struct cluster *cluster)
{
    rd_kafka_mock_push_request_errors(cluster->mock, API_HEARTBEAT, 1,
                                      RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID);
}
