/* Partitions that go: revoked in good order, lost, or left behind with the group. */
#include "base/clock.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "edge/kafka_group.h"

enum { CLOSE_DELAY_MS = 3000 /* at most, for an assignment that is on its way */ };

/* The parts of LIST as an array, yours to xfree. */
static struct kafka_part **
array_of(const struct kafka *kafka, struct list *list, size_t *ret_count)
{
    struct kafka_part **parts = xcalloc(kafka->part_count + 1, sizeof(*parts));
    size_t count = 0;

    LIST_EACH(node, list)
        parts[count++] = kafka_part_of(node);
    *ret_count = count;
    return parts;
}

static void
log_parts(const char *event, struct list *list)
{
    LIST_EACH(node, list)
        log_info(event, log_text("topic", kafka_part_of(node)->topic),
                 log_int("partition", kafka_part_of(node)->number));
}

static void
close_consumer(struct kafka *kafka)
{
    static const uint64_t one = 1;
    rd_kafka_error_t *error;

    kafka->life = KAFKA_CLOSING;
    kafka->closing = rd_kafka_queue_new(kafka->rk);
    rd_kafka_queue_io_event_enable(kafka->closing, kafka->fd, &one, sizeof(one));
    error = rd_kafka_consumer_close_queue(kafka->rk, kafka->closing);
    if (error) {
        /* After a fatal error: the group has put us out already. */
        log_warning("kafka.close_refused", log_text("code", rd_kafka_error_name(error)),
                    log_text("text", rd_kafka_error_string(error)));
        rd_kafka_error_destroy(error);
        kafka->life = KAFKA_CLOSED;
    }
}

/* Not while a revocation is being answered: a second one would come in the middle of it. Nor
 * between the answer to a JoinGroup and our answer to the assignment that it brings: librdkafka
 * before 2.4 may never get out of the group then, and a handle that was never assigned anything
 * fails an assertion when it is destroyed (its issues 4527, 4884 and 4312). */
void
kafka_going_leave_step(struct kafka *kafka)
{
    if (kafka->life != KAFKA_LEAVING || kafka->revoke_due)
        return;
    if (!kafka_gate_assignment_is_due(&kafka->gate) || kafka->now_ms >= kafka->close_due_ms)
        close_consumer(kafka);
}

/* What is in revoking is lost. */
static void
report_revoking(struct kafka *kafka)
{
    struct kafka_part **parts;
    size_t count;

    if (list_is_empty(&kafka->revoking))
        return;
    log_parts("partition.lost", &kafka->revoking);
    parts = array_of(kafka, &kafka->revoking, &count);
    kafka->ops.lost(kafka->arg, parts, count);
    xfree(parts);
}

static void
report_lost(struct kafka *kafka)
{
    kafka_group_drop_list(kafka, &kafka->asking);
    LIST_EACH(node, &kafka->reading)
        kafka_group_move(kafka_part_of(node), &kafka->revoking);
    kafka->revoke_due = false;
    kafka->commit_stale = true;
    report_revoking(kafka);
}

/* What was fenced is in the library's assignment like the rest. */
static void
lose(struct kafka *kafka)
{
    kafka_group_note_loss(kafka);
    report_lost(kafka);
    LIST_EACH(node, &kafka->fenced)
        kafka_group_move(kafka_part_of(node), &kafka->revoking);
    kafka_group_tell_unassign(kafka, &kafka->revoking);
    kafka_group_drop_list(kafka, &kafka->revoking);
    kafka_going_leave_step(kafka); /* if it waited for a revocation that is lost now */
}

void
kafka_going_forget(struct kafka *kafka)
{
    report_lost(kafka);
    kafka_group_drop_list(kafka, &kafka->revoking);
    kafka_group_drop_list(kafka, &kafka->fenced);
}

/* The library learns of it by the same answer, gives up its member id or generation and, as a rule,
 * revokes everything as lost. But while it waits for partitions to be given back it does nothing
 * but join again afterwards, with what it believes to own: so all of that is given back with them,
 * and asked for anew when the library next assigns. */
void
kafka_going_fence(struct kafka *kafka)
{
    bool was_revoking = kafka->revoke_due;

    LIST_EACH(node, &kafka->revoking)
        kafka_part_of(node)->gone = true;
    LIST_EACH(asked, &kafka->asking)
        kafka_group_move(kafka_part_of(asked), &kafka->fenced);
    report_lost(kafka);
    LIST_EACH(lost, &kafka->revoking) {
        kafka_part_close(kafka_part_of(lost));
        kafka_group_move(kafka_part_of(lost), &kafka->fenced);
    }
    if (!was_revoking)
        return;
    kafka_group_tell_unassign(kafka, &kafka->fenced);
    LIST_EACH(each, &kafka->fenced) {
        if (kafka_part_of(each)->gone)
            kafka_group_drop(kafka, kafka_part_of(each));
    }
    kafka_going_leave_step(kafka);
}

/* What was fenced and is revoked in good order is not asked for again. */
static void
revoke_fenced(struct kafka *kafka, const rd_kafka_topic_partition_list_t *partitions)
{
    kafka_group_tell_unassign(kafka, &kafka->fenced);
    for (int i = 0; i < partitions->cnt; i++) {
        struct kafka_part *part = kafka_group_find_in(&kafka->fenced, partitions->elems[i].topic,
                                                      partitions->elems[i].partition);

        if (part)
            kafka_group_drop(kafka, part);
    }
}

/* True when PARTITIONS has something that is read. */
static bool
begin_revoking(struct kafka *kafka, const rd_kafka_topic_partition_list_t *partitions)
{
    for (int i = 0; i < partitions->cnt; i++) {
        const rd_kafka_topic_partition_t *from = &partitions->elems[i];
        struct kafka_part *part = kafka_group_find_in(&kafka->asking, from->topic, from->partition);

        if (part)
            kafka_group_drop(kafka, part);
        part = kafka_group_find_in(&kafka->reading, from->topic, from->partition);
        if (part)
            kafka_group_move(part, &kafka->revoking);
    }
    return !list_is_empty(&kafka->revoking);
}

static bool
are_all_in(struct list *list, const rd_kafka_topic_partition_list_t *partitions)
{
    LIST_EACH(node, list) {
        if (!rd_kafka_topic_partition_list_find((rd_kafka_topic_partition_list_t *)partitions,
                                                kafka_part_of(node)->topic,
                                                kafka_part_of(node)->number))
            return false;
    }
    return true;
}

/* A topic that was deleted takes its partitions with it, and no others; an expired session all. */
static bool
loses_all(struct kafka *kafka, const rd_kafka_topic_partition_list_t *partitions)
{
    return kafka->eager || kafka->revoke_due ||
           (are_all_in(&kafka->asking, partitions) && are_all_in(&kafka->reading, partitions) &&
            are_all_in(&kafka->fenced, partitions));
}

static void
lose_some(struct kafka *kafka, const rd_kafka_topic_partition_list_t *partitions)
{
    begin_revoking(kafka, partitions);
    kafka->memberships++; /* for kafka_era: the topic that comes back may be another one */
    report_revoking(kafka);
    for (int i = 0; i < partitions->cnt; i++) {
        struct kafka_part *part = kafka_group_find_in(&kafka->fenced, partitions->elems[i].topic,
                                                      partitions->elems[i].partition);

        if (part)
            kafka_group_move(part, &kafka->revoking);
    }
    kafka->commit_stale = true; /* what is left of it would commit what is not ours */
    kafka_gate_expect(&kafka->gate, kafka->now_ms); /* a JoinGroup follows */
    kafka_group_tell_unassign(kafka, &kafka->revoking);
    kafka_group_drop_list(kafka, &kafka->revoking);
}

void
kafka_going_revoke(struct kafka *kafka, const rd_kafka_topic_partition_list_t *partitions)
{
    struct kafka_part **parts;
    size_t count;

    /* The library says that the assignment is lost, but forgets it with any answer of ours that was
     * under way. It sends a second revocation before the first is answered only then, too. */
    if (rd_kafka_assignment_lost(kafka->rk) || kafka->revoke_due) {
        if (loses_all(kafka, partitions))
            lose(kafka);
        else
            lose_some(kafka, partitions);
        return;
    }
    if (!list_is_empty(&kafka->fenced)) {
        revoke_fenced(kafka, partitions);
        return;
    }
    if (!begin_revoking(kafka, partitions)) {
        kafka_group_tell_unassign(kafka, &kafka->revoking);
        return;
    }
    log_parts("partition.revoked", &kafka->revoking);
    kafka->revoke_due = true;
    parts = array_of(kafka, &kafka->revoking, &count);
    kafka->ops.revoked(kafka->arg, parts, count);
    xfree(parts);
}

int64_t
kafka_going_close_due(const struct kafka *kafka)
{
    int64_t left_ms = kafka->leave_by_ms - kafka->now_ms;

    return kafka->now_ms + (left_ms > 0 ? clock_earlier(CLOSE_DELAY_MS, left_ms / 2) : 0);
}

void
kafka_going_leave(struct kafka *kafka, int64_t by_ms)
{
    bool unanswered = kafka->eager && !list_is_empty(&kafka->asking);

    kafka_group_drop_list(kafka, &kafka->asking);
    if (unanswered)
        kafka_coming_answer(kafka);
    kafka->life = KAFKA_LEAVING;
    kafka->leave_by_ms = by_ms;
    kafka->close_due_ms = kafka_going_close_due(kafka);
    kafka_going_leave_step(kafka);
}

void
kafka_release(struct kafka *kafka)
{
    if (!kafka->revoke_due)
        return;
    kafka->revoke_due = false;
    kafka->commit_stale = true;
    log_parts("partition.released", &kafka->revoking);
    if (kafka->life == KAFKA_MEMBER)
        kafka_gate_expect(&kafka->gate, kafka->now_ms);
    if (kafka->life == KAFKA_LEAVING && !kafka->eager) /* one follows, or another JoinGroup */
        kafka_gate_expect_assignment(&kafka->gate);
    kafka_group_tell_unassign(kafka, &kafka->revoking);
    kafka_group_drop_list(kafka, &kafka->revoking);
    if (kafka->life == KAFKA_MEMBER) {
        kafka_coming_go_on(kafka);
        return;
    }
    kafka->close_due_ms = kafka_going_close_due(kafka);
    kafka_going_leave_step(kafka);
}
