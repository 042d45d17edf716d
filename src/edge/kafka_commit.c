/* Commits: one at a time, and each only while the gate is open (edge/kafka_gate.h). */
#include <assert.h>
#include <string.h>

#include "base/log.h"
#include "base/xalloc.h"
#include "edge/kafka_state.h"

/* ---- what an answer means ---- */

/* Whether the same commit can go through later while the partitions stay ours. */
static bool
is_retriable(rd_kafka_resp_err_t error)
{
    switch (error) {
    case RD_KAFKA_RESP_ERR__TRANSPORT:
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
    case RD_KAFKA_RESP_ERR__TIMED_OUT:
    case RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE:
    case RD_KAFKA_RESP_ERR__WAIT_COORD:
    case RD_KAFKA_RESP_ERR__IN_PROGRESS:
    case RD_KAFKA_RESP_ERR__PREV_IN_PROGRESS:
    case RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT:
    case RD_KAFKA_RESP_ERR_NETWORK_EXCEPTION:
    case RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS:
    case RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_NOT_COORDINATOR:
    case RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS:
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION:
    case RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS:
    case RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND:
        return true;
    default:
        return false;
    }
}

/* Whether it is about one partition, whatever the others are. */
static bool
is_of_a_partition(rd_kafka_resp_err_t error)
{
    return error == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ||
           error == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED ||
           error == RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION;
}

/* The group has put this member out, or has gone on without it. */
static bool
is_fenced(rd_kafka_resp_err_t error)
{
    return error == RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID ||
           error == RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION ||
           error == RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID;
}

static enum kafka_commit
answer_of(rd_kafka_resp_err_t error)
{
    if (!error)
        return KAFKA_COMMIT_STORED;
    if (error == RD_KAFKA_RESP_ERR_OFFSET_METADATA_TOO_LARGE)
        return KAFKA_COMMIT_TOO_LARGE;
    return is_retriable(error) ? KAFKA_COMMIT_AGAIN : KAFKA_COMMIT_REFUSED;
}

/* ---- sending ---- */

static bool
gate_is_open(const struct kafka *kafka)
{
    return kafka->revoke_due ? kafka_gate_is_open_revoking(&kafka->gate, kafka->now_ms)
                             : kafka_gate_is_open(&kafka->gate, kafka->now_ms);
}

static rd_kafka_resp_err_t
start_commit(struct kafka *kafka, const rd_kafka_topic_partition_list_t *partitions)
{
    /* The gate may have been closed since the caller asked. */
    if (!gate_is_open(kafka))
        return RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS;
    return rd_kafka_commit_queue(kafka->rk, partitions,
                                 kafka->closing ? kafka->closing : kafka->main, NULL, NULL);
}

static void
set_metadata(rd_kafka_topic_partition_t *partition, const char *metadata)
{
    size_t len = strlen(metadata);

    /* The list frees it, so it must come from the library's allocator. */
    partition->metadata = rd_kafka_mem_malloc(NULL, len + 1);
    memcpy(partition->metadata, metadata, len + 1);
    partition->metadata_size = len;
}

/* Sends commit_len partitions of the commit, from commit_at on. */
static void
send_commit(struct kafka *kafka)
{
    rd_kafka_topic_partition_list_t *some = rd_kafka_topic_partition_list_new(kafka->commit_len);

    for (int i = 0; i < kafka->commit_len; i++) {
        const rd_kafka_topic_partition_t *from = &kafka->commit->elems[kafka->commit_at + i];
        rd_kafka_topic_partition_t *to =
            rd_kafka_topic_partition_list_add(some, from->topic, from->partition);

        to->offset = from->offset;
        if (from->metadata)
            set_metadata(to, from->metadata);
    }
    kafka->commit_refused = start_commit(kafka, some);
    rd_kafka_topic_partition_list_destroy(some);
}

void
kafka_commit_go_on(struct kafka *kafka)
{
    kafka->commit_waits = !kafka->commit_stale && !gate_is_open(kafka);
    if (kafka->commit_stale)
        kafka->commit_refused = RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS;
    else if (!kafka->commit_waits)
        send_commit(kafka);
}

bool
kafka_can_commit(const struct kafka *kafka)
{
    return !kafka->commit && kafka->life != KAFKA_CLOSED && gate_is_open(kafka);
}

/* Adds those of OFFSETS whose last commit failed by itself, or the others. */
static void
add_offsets(rd_kafka_topic_partition_list_t *commit, const struct kafka_offset *offsets,
            size_t count, bool that_fail)
{
    for (size_t i = 0; i < count; i++) {
        rd_kafka_topic_partition_t *partition;

        if (offsets[i].part->commit_fails != that_fail)
            continue;
        partition = rd_kafka_topic_partition_list_add(commit, offsets[i].part->topic,
                                                      offsets[i].part->number);
        partition->offset = offsets[i].offset;
        if (offsets[i].metadata)
            set_metadata(partition, offsets[i].metadata);
    }
}

void
kafka_commit(struct kafka *kafka, const struct kafka_offset *offsets, size_t count)
{
    assert(!kafka->commit && count);
    kafka->commit = rd_kafka_topic_partition_list_new((int)count);
    add_offsets(kafka->commit, offsets, count, false);
    kafka->commit_at = 0;
    kafka->commit_len = kafka->commit->cnt ? kafka->commit->cnt : 1;
    add_offsets(kafka->commit, offsets, count, true);
    kafka->commit_stale = false;
    send_commit(kafka);
}

/* ---- the answer ---- */

static void
log_commit_failed(struct kafka *kafka, rd_kafka_resp_err_t error)
{
    const rd_kafka_topic_partition_t *first = &kafka->commit->elems[kafka->commit_at];
    int64_t kept_back = 0;

    if (!log_limit_pass(&kafka->commit_lines, kafka->now_ms, &kept_back))
        return;
    log_warning("commit.failed", log_text("error", rd_kafka_err2str(error)),
                log_text("code", rd_kafka_err2name(error)),
                log_text("retriable", answer_of(error) == KAFKA_COMMIT_REFUSED ? "no" : "yes"),
                log_int("partitions", kafka->commit_len),
                log_text("topic", kafka->commit_len == 1 ? first->topic : NULL),
                log_int("kept_back", kept_back));
}

/* Tells of the whole commit. ERROR ended it before its time. */
static void
end_commit(struct kafka *kafka, rd_kafka_resp_err_t error)
{
    rd_kafka_topic_partition_list_t *commit = kafka->commit;
    struct kafka_part **refused = xcalloc((size_t)commit->cnt, sizeof(*refused));
    rd_kafka_resp_err_t first = commit->elems[0].err;
    size_t count = 0, failed = 0;

    for (int i = 0; i < commit->cnt; i++) {
        const rd_kafka_topic_partition_t *partition = &commit->elems[i];
        struct kafka_part *part = kafka_group_find(kafka, partition->topic, partition->partition);

        failed += partition->err != RD_KAFKA_RESP_ERR_NO_ERROR;
        if (part)
            part->commit_fails = partition->err != RD_KAFKA_RESP_ERR_NO_ERROR;
        if (part && partition->err)
            refused[count++] = part;
    }
    if (!error && failed == (size_t)commit->cnt)
        error = first;
    kafka->commit = NULL;
    kafka->commit_waits = false;
    rd_kafka_topic_partition_list_destroy(commit);
    kafka->ops.committed(kafka->arg, answer_of(error), error ? NULL : refused, error ? 0 : count);
    xfree(refused);
    if (is_fenced(error))
        kafka_going_fence(kafka);
}

/* Where one partition of several fails, librdkafka 2.0.2 reports its error for all: then each is
 * sent by itself. */
void
kafka_commit_done(struct kafka *kafka, rd_kafka_resp_err_t error)
{
    if (error)
        log_commit_failed(kafka, error);
    if (error && !is_of_a_partition(error)) {
        end_commit(kafka, error);
        return;
    }
    if (error && kafka->commit_len > 1) {
        kafka->commit_len = 1;
        kafka_commit_go_on(kafka);
        return;
    }
    for (int i = 0; i < kafka->commit_len; i++)
        kafka->commit->elems[kafka->commit_at + i].err = error;
    kafka->commit_at += kafka->commit_len;
    kafka->commit_len = 1;
    if (kafka->commit_at < kafka->commit->cnt)
        kafka_commit_go_on(kafka);
    else
        end_commit(kafka, RD_KAFKA_RESP_ERR_NO_ERROR);
}

void
kafka_commit_answered(struct kafka *kafka, rd_kafka_event_t *event)
{
    const rd_kafka_topic_partition_list_t *partitions = rd_kafka_event_topic_partition_list(event);
    rd_kafka_resp_err_t error = rd_kafka_event_error(event);

    for (int i = 0; !error && partitions && i < partitions->cnt; i++)
        error = partitions->elems[i].err;
    if (kafka->commit)
        kafka_commit_done(kafka, error);
}
