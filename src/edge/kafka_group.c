#include <assert.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "edge/kafka_state.h"

enum { ASK_DELAY_MIN_MS = 100, ASK_DELAY_MAX_MS = 5000 };

/* ---- lists ---- */

static struct kafka_part *
part_of(struct list *node)
{
    return CONTAINER_OF(node, struct kafka_part, node);
}

static struct kafka_part *
find(struct list *list, const char *topic, int32_t number)
{
    LIST_EACH(node, list) {
        struct kafka_part *part = part_of(node);

        if (part->number == number && strcmp(part->topic, topic) == 0)
            return part;
    }
    return NULL;
}

static void
move(struct kafka_part *part, struct list *to)
{
    list_remove(&part->node);
    list_push_back(to, &part->node);
}

static void
drop(struct kafka *kafka, struct kafka_part *part)
{
    kafka_part_free(part);
    kafka->part_count--;
}

static void
drop_list(struct kafka *kafka, struct list *list)
{
    LIST_EACH(node, list)
        drop(kafka, part_of(node));
}

static void
add_to(rd_kafka_topic_partition_list_t *partitions, const struct kafka_part *part)
{
    rd_kafka_topic_partition_list_add(partitions, part->topic, part->number)->offset = part->offset;
}

/* The parts of LIST as an array, yours to xfree. */
static struct kafka_part **
array_of(const struct kafka *kafka, struct list *list, size_t *ret_count)
{
    struct kafka_part **parts = xcalloc(kafka->part_count + 1, sizeof(*parts));
    size_t count = 0;

    LIST_EACH(node, list)
        parts[count++] = part_of(node);
    *ret_count = count;
    return parts;
}

static void
log_parts(const char *event, struct list *list)
{
    LIST_EACH(node, list)
        log_info(event, log_text("topic", part_of(node)->topic),
                 log_int("partition", part_of(node)->number));
}

/* ---- what the library is told ---- */

static bool
group_is_eager(const struct kafka *kafka)
{
    const char *protocol = rd_kafka_rebalance_protocol(kafka->rk);

    return protocol && strcmp(protocol, "EAGER") == 0;
}

/* Consumes ERROR. */
static int
check(struct kafka *kafka, const char *what, rd_kafka_error_t *error)
{
    if (!error)
        return 0;
    log_error("kafka.refused", log_text("what", what), log_text("code", rd_kafka_error_name(error)),
              log_text("text", rd_kafka_error_string(error)));
    /* Partitions that nobody reads would be worse than starting again. */
    if (kafka->life == KAFKA_MEMBER)
        kafka_fail(kafka, rd_kafka_error_string(error));
    rd_kafka_error_destroy(error);
    return -1;
}

static int
tell_assign(struct kafka *kafka, const rd_kafka_topic_partition_list_t *partitions)
{
    rd_kafka_resp_err_t code;

    if (!kafka->eager)
        return check(kafka, "assign", rd_kafka_incremental_assign(kafka->rk, partitions));
    code = rd_kafka_assign(kafka->rk, partitions);
    return check(kafka, "assign",
                 code ? rd_kafka_error_new(code, "%s", rd_kafka_err2str(code)) : NULL);
}

/* Gives back all of LIST, and with it answers a revocation. What was never assigned must not be in
 * the list that the library gets. */
static void
tell_unassign(struct kafka *kafka, struct list *list)
{
    rd_kafka_topic_partition_list_t *partitions =
        rd_kafka_topic_partition_list_new((int)kafka->part_count);
    rd_kafka_resp_err_t code;

    LIST_EACH(node, list) {
        if (part_of(node)->assigned)
            add_to(partitions, part_of(node));
        part_of(node)->assigned = false;
    }
    if (!kafka->eager) {
        (void)check(kafka, "unassign", rd_kafka_incremental_unassign(kafka->rk, partitions));
    } else {
        code = rd_kafka_assign(kafka->rk, NULL);
        (void)check(kafka, "unassign",
                    code ? rd_kafka_error_new(code, "%s", rd_kafka_err2str(code)) : NULL);
    }
    rd_kafka_topic_partition_list_destroy(partitions);
}

/* ---- coming ---- */

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
        if (!is_known(part_of(node)))
            return false;
    return true;
}

/* Begins to read what is known of the asked for; eager groups want all of it at once. */
static void
assign_known(struct kafka *kafka)
{
    rd_kafka_topic_partition_list_t *partitions;
    int failed;

    if (kafka->revoke_due || (kafka->eager && !all_are_known(kafka)))
        return;
    partitions = rd_kafka_topic_partition_list_new((int)kafka->part_count);
    LIST_EACH(node, &kafka->asking) {
        if (is_known(part_of(node))) {
            kafka_part_open(part_of(node), kafka->rk, kafka->fd);
            add_to(partitions, part_of(node));
        }
    }
    failed = partitions->cnt > 0 ? tell_assign(kafka, partitions) : 0;
    rd_kafka_topic_partition_list_destroy(partitions);
    LIST_EACH(known, &kafka->asking) {
        if (failed && is_known(part_of(known))) {
            drop(kafka, part_of(known));
        } else if (is_known(part_of(known))) {
            move(part_of(known), &kafka->reading);
            part_of(known)->assigned = true;
            tell_worker(kafka, part_of(known));
        }
    }
}

void
kafka_group_restart(struct kafka *kafka, struct kafka_part *restarted)
{
    rd_kafka_topic_partition_list_t *partitions =
        rd_kafka_topic_partition_list_new((int)kafka->part_count);
    rd_kafka_error_t *error = NULL;

    LIST_EACH(node, &kafka->reading) {
        struct kafka_part *part = part_of(node);

        if (part == restarted || kafka->eager) {
            add_to(partitions, part);
            partitions->elems[partitions->cnt - 1].offset = part->next;
        }
    }
    if (!kafka->eager)
        error = rd_kafka_incremental_unassign(kafka->rk, partitions);
    LIST_EACH(each, &kafka->reading) {
        if (part_of(each) == restarted || kafka->eager)
            kafka_part_reopen(part_of(each), kafka->rk, kafka->fd);
    }
    if (check(kafka, "unassign", error) == 0)
        (void)tell_assign(kafka, partitions);
    rd_kafka_topic_partition_list_destroy(partitions);
}

/* Until it is answered, the library fetches nothing for any partition and takes part in no other
 * rebalance. A cooperative group can be answered at once, and get each partition when it is known
 * where to read. */
static void
answer_assignment(struct kafka *kafka)
{
    rd_kafka_topic_partition_list_t *none = rd_kafka_topic_partition_list_new(0);

    (void)tell_assign(kafka, none);
    rd_kafka_topic_partition_list_destroy(none);
}

static int
find_starts_of(struct kafka *kafka, bool late, struct err *err)
{
    rd_kafka_topic_partition_list_t *partitions =
        rd_kafka_topic_partition_list_new((int)kafka->part_count);
    int result = 0;

    LIST_EACH(node, &kafka->asking) {
        if (!is_known(part_of(node)) && !part_of(node)->unanswered &&
            is_late(kafka, part_of(node)) == late)
            add_to(partitions, part_of(node));
    }
    if (partitions->cnt > 0)
        result = kafka_ask_start(kafka->ask, late ? KAFKA_START_EARLIEST : kafka->start,
                                 kafka->start_ms, partitions, err);
    for (int i = 0; i < partitions->cnt; i++)
        find(&kafka->asking, partitions->elems[i].topic, partitions->elems[i].partition)->offset =
            partitions->elems[i].offset;
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
        struct kafka_part *part = find(&kafka->asking, from->topic, from->partition);

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
    assign_known(kafka);
}

static void
ask(struct kafka *kafka)
{
    rd_kafka_topic_partition_list_t *partitions =
        rd_kafka_topic_partition_list_new((int)kafka->part_count);

    LIST_EACH(node, &kafka->asking)
        add_to(partitions, part_of(node));
    kafka->ask_due_ms = CLOCK_NEVER;
    kafka->question_out = true;
    kafka_ask_committed(kafka->ask, partitions);
    rd_kafka_topic_partition_list_destroy(partitions);
}

bool
kafka_group_step(struct kafka *kafka)
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
        assigned |= part_of(node)->assigned;
    if (assigned)
        tell_unassign(kafka, &kafka->fenced);
    LIST_EACH(again, &kafka->fenced) {
        struct kafka_part *part = part_of(again);

        list_push_back(&kafka->asking, &kafka_part_new(part->topic, part->number)->node);
        kafka_part_free(part);
    }
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
kafka_group_assign(struct kafka *kafka, const rd_kafka_topic_partition_list_t *partitions)
{
    kafka_gate_assigned(&kafka->gate);
    kafka->was_assigned = true;
    if (kafka->life == KAFKA_CLOSING) {
        assign_while_closing(kafka, partitions);
        return;
    }
    kafka->ops.rebalanced(kafka->arg);
    kafka->group_denied = false;
    kafka->eager = group_is_eager(kafka);
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
        answer_assignment(kafka);
    ask_soon(kafka);
}

/* ---- going ---- */

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
kafka_group_leave_step(struct kafka *kafka)
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
    drop_list(kafka, &kafka->asking);
    LIST_EACH(node, &kafka->reading)
        move(part_of(node), &kafka->revoking);
    kafka->revoke_due = false;
    kafka->commit_stale = true;
    report_revoking(kafka);
}

/* What was fenced is in the library's assignment like the rest. */
static void
lose(struct kafka *kafka)
{
    report_lost(kafka);
    LIST_EACH(node, &kafka->fenced)
        move(part_of(node), &kafka->revoking);
    tell_unassign(kafka, &kafka->revoking);
    drop_list(kafka, &kafka->revoking);
    kafka_group_leave_step(kafka); /* if it waited for a revocation that is lost now */
}

void
kafka_group_forget(struct kafka *kafka)
{
    report_lost(kafka);
    drop_list(kafka, &kafka->revoking);
    drop_list(kafka, &kafka->fenced);
}

struct kafka_part *
kafka_group_find(struct kafka *kafka, const char *topic, int32_t number)
{
    struct kafka_part *part = find(&kafka->reading, topic, number);

    return part ? part : find(&kafka->revoking, topic, number);
}

/* The library learns of it by the same answer, gives up its member id or generation and, as a rule,
 * revokes everything as lost. But while it waits for partitions to be given back it does nothing
 * but join again afterwards, with what it believes to own: so all of that is given back with them,
 * and asked for anew when the library next assigns. */
void
kafka_group_fence(struct kafka *kafka)
{
    bool was_revoking = kafka->revoke_due;

    LIST_EACH(node, &kafka->revoking)
        part_of(node)->gone = true;
    LIST_EACH(asked, &kafka->asking)
        move(part_of(asked), &kafka->fenced);
    report_lost(kafka);
    LIST_EACH(lost, &kafka->revoking) {
        kafka_part_close(part_of(lost));
        move(part_of(lost), &kafka->fenced);
    }
    if (!was_revoking)
        return;
    tell_unassign(kafka, &kafka->fenced);
    LIST_EACH(each, &kafka->fenced) {
        if (part_of(each)->gone)
            drop(kafka, part_of(each));
    }
    kafka_group_leave_step(kafka);
}

void
kafka_group_fini(struct kafka *kafka)
{
    drop_list(kafka, &kafka->asking);
    drop_list(kafka, &kafka->reading);
    drop_list(kafka, &kafka->revoking);
    drop_list(kafka, &kafka->fenced);
}

/* What was fenced and is revoked in good order is not asked for again. */
static void
revoke_fenced(struct kafka *kafka, const rd_kafka_topic_partition_list_t *partitions)
{
    tell_unassign(kafka, &kafka->fenced);
    for (int i = 0; i < partitions->cnt; i++) {
        struct kafka_part *part =
            find(&kafka->fenced, partitions->elems[i].topic, partitions->elems[i].partition);

        if (part)
            drop(kafka, part);
    }
}

/* True when PARTITIONS has something that is read. */
static bool
begin_revoking(struct kafka *kafka, const rd_kafka_topic_partition_list_t *partitions)
{
    for (int i = 0; i < partitions->cnt; i++) {
        const rd_kafka_topic_partition_t *from = &partitions->elems[i];
        struct kafka_part *part = find(&kafka->asking, from->topic, from->partition);

        if (part)
            drop(kafka, part);
        part = find(&kafka->reading, from->topic, from->partition);
        if (part)
            move(part, &kafka->revoking);
    }
    return !list_is_empty(&kafka->revoking);
}

static bool
are_all_in(struct list *list, const rd_kafka_topic_partition_list_t *partitions)
{
    LIST_EACH(node, list) {
        if (!rd_kafka_topic_partition_list_find((rd_kafka_topic_partition_list_t *)partitions,
                                                part_of(node)->topic, part_of(node)->number))
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
    report_revoking(kafka);
    for (int i = 0; i < partitions->cnt; i++) {
        struct kafka_part *part =
            find(&kafka->fenced, partitions->elems[i].topic, partitions->elems[i].partition);

        if (part)
            move(part, &kafka->revoking);
    }
    kafka->commit_stale = true; /* what is left of it would commit what is not ours */
    kafka_gate_expect(&kafka->gate, kafka->now_ms); /* a JoinGroup follows */
    tell_unassign(kafka, &kafka->revoking);
    drop_list(kafka, &kafka->revoking);
}

void
kafka_group_revoke(struct kafka *kafka, const rd_kafka_topic_partition_list_t *partitions)
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
        tell_unassign(kafka, &kafka->revoking);
        return;
    }
    log_parts("partition.revoked", &kafka->revoking);
    kafka->revoke_due = true;
    parts = array_of(kafka, &kafka->revoking, &count);
    kafka->ops.revoked(kafka->arg, parts, count);
    xfree(parts);
}

void
kafka_group_leave(struct kafka *kafka)
{
    bool unanswered = kafka->eager && !list_is_empty(&kafka->asking);

    drop_list(kafka, &kafka->asking);
    if (unanswered)
        answer_assignment(kafka);
    kafka->life = KAFKA_LEAVING;
    kafka->close_due_ms = kafka_close_due(kafka);
    kafka_group_leave_step(kafka);
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
    tell_unassign(kafka, &kafka->revoking);
    drop_list(kafka, &kafka->revoking);
    if (kafka->life == KAFKA_MEMBER) {
        assign_known(kafka);
        return;
    }
    kafka->close_due_ms = kafka_close_due(kafka);
    kafka_group_leave_step(kafka);
}

/* ---- for those who look on ---- */

int
kafka_find_ends(struct kafka *kafka, struct err *err)
{
    rd_kafka_topic_partition_list_t *partitions =
        rd_kafka_topic_partition_list_new((int)kafka->part_count);
    int result = 0;

    /* One that nobody answers for would take the answer for the others away. */
    LIST_EACH(node, &kafka->reading) {
        if (part_of(node)->stopped || !part_of(node)->trouble)
            add_to(partitions, part_of(node));
    }
    if (partitions->cnt > 0)
        result = kafka_ask_ends(kafka->ask, partitions, err);
    for (int i = 0; i < partitions->cnt; i++) {
        const rd_kafka_topic_partition_t *from = &partitions->elems[i];

        if (result == 0 && from->offset >= 0)
            find(&kafka->reading, from->topic, from->partition)->end = from->offset;
    }
    rd_kafka_topic_partition_list_destroy(partitions);
    return result;
}
