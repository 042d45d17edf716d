/* Partitions that come: their committed offsets are asked for, then they are assigned and read. */
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "edge/kafka_group.h"

enum { ASK_DELAY_MIN_MS = 100, ASK_DELAY_MAX_MS = 5000 };

static void
ask_soon(struct kafka *kafka)
{
    kafka->question_out = false; /* the answer to another list is of no use */
    kafka->ask_due_ms = kafka->now_ms;
    kafka->ask_delay_ms = ASK_DELAY_MIN_MS;
}

static void
ask_later(struct kafka *kafka, const char *question, const char *error)
{
    log_warning("kafka.ask_failed", log_text("question", question), log_text("error", error),
                log_int("again_ms", kafka->ask_delay_ms));
    kafka->ask_due_ms = kafka->now_ms + kafka->ask_delay_ms;
    kafka->ask_delay_ms *= 2;
    if (kafka->ask_delay_ms > ASK_DELAY_MAX_MS)
        kafka->ask_delay_ms = ASK_DELAY_MAX_MS;
}

static bool
is_late(const struct kafka *kafka, const struct kafka_part *part)
{
    return kafka->late_topic && strcmp(part->topic, kafka->late_topic) == 0;
}

static void
tell_worker(struct kafka *kafka, struct kafka_part *part)
{
    static const char *const sources[] = {"earliest", "latest", "time"};

    log_info("partition.assigned", log_text("topic", part->topic),
             log_int("partition", part->number), log_int("offset", part->offset),
             log_text("source", part->committed >= 0   ? "committed"
                                : is_late(kafka, part) ? sources[KAFKA_START_EARLIEST]
                                                       : sources[kafka->start]));
    kafka->ops.assigned(kafka->arg, part);
}

static bool
is_known(const struct kafka_part *part)
{
    return part->offset >= 0;
}

static bool
all_are_known(struct kafka *kafka)
{
    LIST_EACH(node, &kafka->asking)
        if (!is_known(kafka_part_of(node)))
            return false;
    return true;
}

/* Eager groups want all of it at once. */
void
kafka_coming_go_on(struct kafka *kafka)
{
    rd_kafka_topic_partition_list_t *partitions;
    int failed;

    if (kafka->revoke_due || (kafka->eager && !all_are_known(kafka)))
        return;
    partitions = rd_kafka_topic_partition_list_new((int)kafka->part_count);
    LIST_EACH(node, &kafka->asking) {
        if (is_known(kafka_part_of(node))) {
            kafka_part_open(kafka_part_of(node), kafka->rk, kafka->fd);
            kafka_group_add(partitions, kafka_part_of(node));
        }
    }
    failed = partitions->cnt > 0 ? kafka_group_tell_assign(kafka, partitions) : 0;
    rd_kafka_topic_partition_list_destroy(partitions);
    LIST_EACH(known, &kafka->asking) {
        if (failed && is_known(kafka_part_of(known))) {
            kafka_group_drop(kafka, kafka_part_of(known));
        } else if (is_known(kafka_part_of(known))) {
            kafka_group_move(kafka_part_of(known), &kafka->reading);
            kafka_part_of(known)->assigned = true;
            tell_worker(kafka, kafka_part_of(known));
        }
    }
}

void
kafka_coming_restart(struct kafka *kafka, struct kafka_part *restarted)
{
    rd_kafka_topic_partition_list_t *partitions =
        rd_kafka_topic_partition_list_new((int)kafka->part_count);
    rd_kafka_error_t *error = NULL;

    LIST_EACH(node, &kafka->reading) {
        struct kafka_part *part = kafka_part_of(node);

        if (part == restarted || kafka->eager) {
            kafka_group_add(partitions, part);
            partitions->elems[partitions->cnt - 1].offset = part->next;
        }
    }
    if (!kafka->eager)
        error = rd_kafka_incremental_unassign(kafka->rk, partitions);
    LIST_EACH(each, &kafka->reading) {
        if (kafka_part_of(each) == restarted || kafka->eager)
            kafka_part_reopen(kafka_part_of(each), kafka->rk, kafka->fd);
    }
    if (kafka_group_check(kafka, "unassign", error) == 0)
        (void)kafka_group_tell_assign(kafka, partitions);
    rd_kafka_topic_partition_list_destroy(partitions);
}

/* Until it is answered, the library fetches nothing for any partition and takes part in no other
 * rebalance. A cooperative group can be answered at once, and get each partition when it is known
 * where to read. */
void
kafka_coming_answer(struct kafka *kafka)
{
    rd_kafka_topic_partition_list_t *none = rd_kafka_topic_partition_list_new(0);

    (void)kafka_group_tell_assign(kafka, none);
    rd_kafka_topic_partition_list_destroy(none);
}

static int
find_starts_of(struct kafka *kafka, bool late, struct err *err)
{
    rd_kafka_topic_partition_list_t *partitions =
        rd_kafka_topic_partition_list_new((int)kafka->part_count);
    int result = 0;

    LIST_EACH(node, &kafka->asking) {
        if (!is_known(kafka_part_of(node)) && !kafka_part_of(node)->unanswered &&
            is_late(kafka, kafka_part_of(node)) == late)
            kafka_group_add(partitions, kafka_part_of(node));
    }
    if (partitions->cnt > 0)
        result = kafka_ask_start(kafka->ask, late ? KAFKA_START_EARLIEST : kafka->start,
                                 kafka->start_ms, partitions, err);
    for (int i = 0; i < partitions->cnt; i++)
        kafka_group_find_in(&kafka->asking, partitions->elems[i].topic,
                            partitions->elems[i].partition)
            ->offset = partitions->elems[i].offset;
    rd_kafka_topic_partition_list_destroy(partitions);
    return result;
}

/* Where nothing was committed, reading begins as configured; nothing of a topic that was made while
 * everything ran is passed over. -1: not all could be found out. */
static int
find_starts(struct kafka *kafka, struct err *err)
{
    int late = find_starts_of(kafka, true, err);
    int others = find_starts_of(kafka, false, err);

    return late < 0 || others < 0 ? -1 : 0;
}

/* 0, or the first error of a partition. */
static rd_kafka_resp_err_t
take_committed(struct kafka *kafka, const rd_kafka_topic_partition_list_t *partitions)
{
    rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR_NO_ERROR;

    for (int i = 0; i < partitions->cnt; i++) {
        const rd_kafka_topic_partition_t *from = &partitions->elems[i];
        struct kafka_part *part = kafka_group_find_in(&kafka->asking, from->topic, from->partition);

        if (from->err && !error)
            error = from->err;
        if (part)
            part->unanswered = from->err != RD_KAFKA_RESP_ERR_NO_ERROR;
        if (!part || from->err || from->offset < 0)
            continue;
        part->offset = part->committed = from->offset;
        xfree(part->metadata);
        part->metadata = from->metadata ? xmemdup(from->metadata, from->metadata_size) : NULL;
        part->metadata_len = part->metadata ? from->metadata_size : 0;
    }
    return error;
}

static void
on_answer(void *arg, const rd_kafka_topic_partition_list_t *partitions, const char *error)
{
    struct kafka *kafka = arg;
    rd_kafka_resp_err_t code;
    struct err err = {0};

    if (!kafka->question_out)
        return;
    kafka->question_out = false;
    code = error ? RD_KAFKA_RESP_ERR_NO_ERROR : take_committed(kafka, partitions);
    if (error || code)
        ask_later(kafka, "committed offsets", error ? error : rd_kafka_err2str(code));
    if (!error && find_starts(kafka, &err) < 0)
        ask_later(kafka, "start offsets", err.msg);
    kafka_coming_go_on(kafka);
}

static void
ask(struct kafka *kafka)
{
    rd_kafka_topic_partition_list_t *partitions =
        rd_kafka_topic_partition_list_new((int)kafka->part_count);

    LIST_EACH(node, &kafka->asking)
        kafka_group_add(partitions, kafka_part_of(node));
    kafka->ask_due_ms = CLOCK_NEVER;
    kafka->question_out = true;
    kafka_ask_committed(kafka->ask, partitions);
    rd_kafka_topic_partition_list_destroy(partitions);
}

bool
kafka_coming_step(struct kafka *kafka)
{
    bool more = kafka_ask_step(kafka->ask, kafka->now_ms, on_answer, kafka);

    if (list_is_empty(&kafka->asking))
        kafka->ask_due_ms = CLOCK_NEVER;
    else if (kafka->now_ms >= kafka->ask_due_ms)
        ask(kafka);
    return more;
}

/* The library assigns, and has not revoked these: they are still ours, as new assignments. */
static void
ask_again(struct kafka *kafka)
{
    bool assigned = false;

    LIST_EACH(node, &kafka->fenced)
        assigned |= kafka_part_of(node)->assigned;
    if (assigned)
        kafka_group_tell_unassign(kafka, &kafka->fenced);
    LIST_EACH(again, &kafka->fenced) {
        struct kafka_part *part = kafka_part_of(again);

        list_push_back(&kafka->asking, &kafka_part_new(part->topic, part->number)->node);
        kafka_part_free(part);
    }
}

static bool
group_is_eager(const struct kafka *kafka)
{
    const char *protocol = rd_kafka_rebalance_protocol(kafka->rk);

    return protocol && strcmp(protocol, "EAGER") == 0;
}

/* The library is leaving all the same. It asks for what it assigned back, as a rule, and that is to
 * be answered only: by an answer to the assignment it would be out of the group at once, and the
 * next question would wait for ever (its issue 4884). With nothing to ask back it never gets any
 * further (its issue 4527, until 2.4). */
static void
assign_while_closing(struct kafka *kafka, const rd_kafka_topic_partition_list_t *partitions)
{
    if (partitions->cnt > 0 || kafka->part_count > 0)
        return;
    log_warning("kafka.close_stuck",
                log_text("effect", "the group learns by the session timeout that it has gone"));
    kafka->stuck = true;
    kafka->life = KAFKA_CLOSED;
}

void
kafka_coming_assign(struct kafka *kafka, const rd_kafka_topic_partition_list_t *partitions)
{
    kafka_gate_assigned(&kafka->gate);
    kafka->was_assigned = true;
    if (kafka->life == KAFKA_CLOSING) {
        assign_while_closing(kafka, partitions);
        return;
    }
    kafka->eager = group_is_eager(kafka);
    kafka_group_note_era(kafka);
    kafka->ops.rebalanced(kafka->arg);
    kafka->group_denied = false;
    if (kafka->life == KAFKA_MEMBER)
        ask_again(kafka);
    for (int i = 0; kafka->life == KAFKA_MEMBER && i < partitions->cnt; i++) {
        struct kafka_part *part =
            kafka_part_new(partitions->elems[i].topic, partitions->elems[i].partition);

        list_push_back(&kafka->asking, &part->node);
        kafka->part_count++;
    }
    kafka->candidates =
        xrealloc(kafka->candidates, kafka->part_count + 1, sizeof(kafka->candidates[0]));
    if (!kafka->eager || list_is_empty(&kafka->asking))
        kafka_coming_answer(kafka);
    ask_soon(kafka);
}
