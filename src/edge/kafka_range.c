/* Partitions whose next offset their leader does not have, though the one before was there: whether
 * that is so. */
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "edge/kafka_state.h"

enum {
    CHECK_MS = 500,       /* between two questions for the same partition */
    IDLE_SHARE = 4,       /* between any two, of the time that the first of them has taken */
    DOUBT_MAX_MS = 10000, /* a leader that says the same for so long is the true one */
    TEXT_MAX = 128
};

/* The partition's first and next offset, as its leader tells them. */
struct range {
    int64_t begin, end;
};

static int
find_range(struct kafka *kafka, const struct kafka_part *part, struct range *ret)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    const rd_kafka_topic_partition_t *one =
        rd_kafka_topic_partition_list_add(list, part->topic, part->number);
    struct err err = {0};
    int result = kafka_ask_begins(kafka->ask, list, &err);

    ret->begin = one->offset;
    if (result == 0)
        result = kafka_ask_ends(kafka->ask, list, &err);
    ret->end = one->offset;
    rd_kafka_topic_partition_list_destroy(list);
    return result == 0 && ret->begin >= 0 && ret->end >= 0 ? 0 : -1;
}

/* Reads on where it stopped. What the library has given up it reads only once it is assigned anew,
 * which would be taken for the answer to a revocation that is on its way, or was not looked at. */
static void
resume(struct kafka *kafka, struct kafka_part *part)
{
    if (!kafka_can_commit(kafka) || kafka->revoke_due || rd_kafka_assignment_lost(kafka->rk) ||
        rd_kafka_queue_length(kafka->main) > 0)
        return;
    part->check_due_ms = CLOCK_NEVER;
    part->stopped = false;
    part->trouble = NULL;
    log_info("partition.resumed", log_text("topic", part->topic),
             log_int("partition", part->number), log_int("offset", part->next));
    kafka_coming_restart(kafka, part);
}

static void
check(struct kafka *kafka, struct kafka_part *part)
{
    struct range range;
    char text[TEXT_MAX];

    part->check_due_ms = kafka->now_ms + CHECK_MS;
    if (find_range(kafka, part, &range) < 0)
        return;
    if (part->next >= range.begin && part->next <= range.end) {
        resume(kafka, part);
        return;
    }
    if (part->denied_ms == KAFKA_NO_DOUBT)
        part->denied_ms = kafka->now_ms;
    if (part->next < range.begin || kafka->now_ms - part->denied_ms >= DOUBT_MAX_MS) {
        snprintf(text, sizeof(text), "the partition has offsets %lld to %lld",
                 (long long)range.begin, (long long)range.end);
        kafka_part_stop(part, text);
    }
}

/* The one whose turn came first: each gets its own, however long the others take. */
static struct kafka_part *
first_due(struct kafka *kafka)
{
    struct kafka_part *first = NULL;

    LIST_EACH(node, &kafka->reading) {
        struct kafka_part *part = kafka_part_of(node);

        if (part->check_due_ms <= kafka->now_ms &&
            (!first || part->check_due_ms < first->check_due_ms))
            first = part;
    }
    return first;
}

void
kafka_range_step(struct kafka *kafka)
{
    struct kafka_part *part = kafka->now_ms < kafka->range_due_ms ? NULL : first_due(kafka);
    int64_t begin_ms, end_ms;

    if (!part)
        return;
    begin_ms = clock_now_ms();
    check(kafka, part);
    end_ms = clock_now_ms();
    kafka->range_due_ms = end_ms + IDLE_SHARE * (end_ms - begin_ms);
}
