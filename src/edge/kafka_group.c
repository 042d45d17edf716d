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

    LIST_EACH(node, list)
        add_to(partitions, part_of(node));
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

static void
tell_worker(struct kafka *kafka, struct kafka_part *part)
{
    static const char *const sources[] = {"earliest", "latest", "time"};

    log_info("partition.assigned", log_text("topic", part->topic),
             log_int("partition", part->number), log_int("offset", part->offset),
             log_text("source", part->committed >= 0 ? "committed" : sources[kafka->start]));
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
            tell_worker(kafka, part_of(known));
        }
    }
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

/* Where nothing was committed, reading begins as configured. */
static int
find_starts(struct kafka *kafka, struct err *err)
{
    rd_kafka_topic_partition_list_t *partitions =
        rd_kafka_topic_partition_list_new((int)kafka->part_count);
    int result = 0;

    LIST_EACH(node, &kafka->asking) {
        if (!is_known(part_of(node)))
            add_to(partitions, part_of(node));
    }
    if (partitions->cnt > 0)
        result = kafka_ask_start(kafka->ask, kafka->start, kafka->start_ms, partitions, err);
    for (int i = 0; result == 0 && i < partitions->cnt; i++)
        find(&kafka->asking, partitions->elems[i].topic, partitions->elems[i].partition)->offset =
            partitions->elems[i].offset;
    rd_kafka_topic_partition_list_destroy(partitions);
    return result;
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
    else if (find_starts(kafka, &err) < 0)
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

void
kafka_group_assign(struct kafka *kafka, const rd_kafka_topic_partition_list_t *partitions)
{
    kafka->eager = group_is_eager(kafka);
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
report_lost(struct kafka *kafka)
{
    struct kafka_part **parts;
    size_t count;

    drop_list(kafka, &kafka->asking);
    LIST_EACH(node, &kafka->reading)
        move(part_of(node), &kafka->revoking);
    kafka->revoke_due = false;
    if (list_is_empty(&kafka->revoking))
        return;
    log_parts("partition.lost", &kafka->revoking);
    parts = array_of(kafka, &kafka->revoking, &count);
    kafka->ops.lost(kafka->arg, parts, count);
    xfree(parts);
}

static void
lose(struct kafka *kafka)
{
    report_lost(kafka);
    tell_unassign(kafka, &kafka->revoking);
    drop_list(kafka, &kafka->revoking);
}

void
kafka_group_forget(struct kafka *kafka)
{
    report_lost(kafka);
    drop_list(kafka, &kafka->revoking);
}

void
kafka_group_fini(struct kafka *kafka)
{
    drop_list(kafka, &kafka->asking);
    drop_list(kafka, &kafka->reading);
    drop_list(kafka, &kafka->revoking);
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

void
kafka_group_revoke(struct kafka *kafka, const rd_kafka_topic_partition_list_t *partitions)
{
    struct kafka_part **parts;
    size_t count;

    /* The library says that the assignment is lost, but forgets it with any answer of ours that was
     * under way. It sends a second revocation before the first is answered only then, too. */
    if (rd_kafka_assignment_lost(kafka->rk) || kafka->revoke_due) {
        lose(kafka);
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

/* Not while a revocation is being answered: a second one would come in the middle of it. */
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

void
kafka_group_leave(struct kafka *kafka)
{
    bool unanswered = kafka->eager && !list_is_empty(&kafka->asking);

    drop_list(kafka, &kafka->asking);
    if (unanswered)
        answer_assignment(kafka);
    kafka->life = KAFKA_LEAVING;
    if (!kafka->revoke_due)
        close_consumer(kafka);
}

void
kafka_release(struct kafka *kafka)
{
    if (!kafka->revoke_due)
        return;
    kafka->revoke_due = false;
    log_parts("partition.released", &kafka->revoking);
    if (kafka->life == KAFKA_MEMBER)
        kafka_gate_expect(&kafka->gate, kafka->now_ms);
    tell_unassign(kafka, &kafka->revoking);
    drop_list(kafka, &kafka->revoking);
    if (kafka->life == KAFKA_LEAVING)
        close_consumer(kafka);
    else
        assign_known(kafka);
}

/* ---- for those who look on ---- */

int
kafka_find_ends(struct kafka *kafka, struct err *err)
{
    rd_kafka_topic_partition_list_t *partitions =
        rd_kafka_topic_partition_list_new((int)kafka->part_count);
    int result = 0;

    LIST_EACH(node, &kafka->reading)
        add_to(partitions, part_of(node));
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
