#include "edge/kafka_group.h"

#include <string.h>

#include "base/log.h"
#include "base/xalloc.h"

static const int64_t MEMBERSHIP_ERAS = INT64_C(1) << 32; /* more than there are generations */

struct kafka_part *
kafka_group_find_in(struct list *list, const char *topic, int32_t number)
{
    LIST_EACH(node, list) {
        struct kafka_part *part = kafka_part_of(node);

        if (part->number == number && strcmp(part->topic, topic) == 0)
            return part;
    }
    return NULL;
}

void
kafka_group_move(struct kafka_part *part, struct list *to)
{
    list_remove(&part->node);
    list_push_back(to, &part->node);
}

void
kafka_group_drop(struct kafka *kafka, struct kafka_part *part)
{
    kafka_part_free(part);
    kafka->part_count--;
}

void
kafka_group_drop_list(struct kafka *kafka, struct list *list)
{
    LIST_EACH(node, list)
        kafka_group_drop(kafka, kafka_part_of(node));
}

void
kafka_group_add(rd_kafka_topic_partition_list_t *partitions, const struct kafka_part *part)
{
    rd_kafka_topic_partition_list_add(partitions, part->topic, part->number)->offset = part->offset;
}

int
kafka_group_check(struct kafka *kafka, const char *what, rd_kafka_error_t *error)
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

int
kafka_group_tell_assign(struct kafka *kafka, const rd_kafka_topic_partition_list_t *partitions)
{
    rd_kafka_resp_err_t code;

    if (!kafka->eager)
        return kafka_group_check(kafka, "assign",
                                 rd_kafka_incremental_assign(kafka->rk, partitions));
    code = rd_kafka_assign(kafka->rk, partitions);
    return kafka_group_check(kafka, "assign",
                             code ? rd_kafka_error_new(code, "%s", rd_kafka_err2str(code)) : NULL);
}

/* What was never assigned must not be in the list that the library gets. */
void
kafka_group_tell_unassign(struct kafka *kafka, struct list *list)
{
    rd_kafka_topic_partition_list_t *partitions =
        rd_kafka_topic_partition_list_new((int)kafka->part_count);
    rd_kafka_resp_err_t code;

    LIST_EACH(node, list) {
        if (kafka_part_of(node)->assigned)
            kafka_group_add(partitions, kafka_part_of(node));
        kafka_part_of(node)->assigned = false;
    }
    if (!kafka->eager) {
        (void)kafka_group_check(kafka, "unassign",
                                rd_kafka_incremental_unassign(kafka->rk, partitions));
    } else {
        code = rd_kafka_assign(kafka->rk, NULL);
        (void)kafka_group_check(kafka, "unassign",
                                code ? rd_kafka_error_new(code, "%s", rd_kafka_err2str(code))
                                     : NULL);
    }
    rd_kafka_topic_partition_list_destroy(partitions);
}

/* The group's generation, or -1. Only the text in which the library would hand the membership to
 * another process has it: "CGMDv2:", the number as it is in memory, and the names, each with its
 * zero byte. */
static int32_t
generation_of(rd_kafka_t *rk)
{
    static const char start[] = "CGMDv2:";
    const size_t len = sizeof(start) - 1;
    rd_kafka_consumer_group_metadata_t *metadata = rd_kafka_consumer_group_metadata(rk);
    void *text = NULL;
    size_t size = 0;
    int32_t generation = -1;

    if (!metadata)
        return -1;
    rd_kafka_error_destroy(rd_kafka_consumer_group_metadata_write(metadata, &text, &size));
    rd_kafka_consumer_group_metadata_destroy(metadata);
    if (text && size > len + sizeof(generation) && memcmp(text, start, len) == 0)
        memcpy(&generation, (const char *)text + len, sizeof(generation));
    rd_kafka_mem_free(rk, text);
    return generation;
}

/* An eager group claims nothing. */
void
kafka_group_note_era(struct kafka *kafka)
{
    char *member_id = rd_kafka_memberid(kafka->rk);
    int32_t generation = generation_of(kafka->rk);

    if (kafka->eager || generation < 0 || !member_id || !*member_id || !kafka->member_id ||
        strcmp(member_id, kafka->member_id) != 0)
        kafka->memberships++;
    xfree(kafka->member_id);
    kafka->member_id = member_id ? xstrdup(member_id) : NULL;
    rd_kafka_mem_free(kafka->rk, member_id);
    kafka->generation = generation;
    kafka->era = kafka->memberships * MEMBERSHIP_ERAS + (generation < 0 ? 0 : generation);
}

/* As where it takes a topic for gone. Then it joins the next generation without claiming it. */
void
kafka_group_note_loss(struct kafka *kafka)
{
    if (kafka->life == KAFKA_MEMBER && generation_of(kafka->rk) == kafka->generation)
        kafka->memberships++;
}

struct kafka_part *
kafka_group_find(struct kafka *kafka, const char *topic, int32_t number)
{
    struct kafka_part *part = kafka_group_find_in(&kafka->reading, topic, number);

    return part ? part : kafka_group_find_in(&kafka->revoking, topic, number);
}

void
kafka_group_fini(struct kafka *kafka)
{
    kafka_group_drop_list(kafka, &kafka->asking);
    kafka_group_drop_list(kafka, &kafka->reading);
    kafka_group_drop_list(kafka, &kafka->revoking);
    kafka_group_drop_list(kafka, &kafka->fenced);
}

int
kafka_find_ends(struct kafka *kafka, struct err *err)
{
    rd_kafka_topic_partition_list_t *partitions =
        rd_kafka_topic_partition_list_new((int)kafka->part_count);
    int result = 0;

    /* One that nobody answers for would take the answer for the others away. */
    LIST_EACH(node, &kafka->reading) {
        if (kafka_part_of(node)->stopped || !kafka_part_of(node)->trouble)
            kafka_group_add(partitions, kafka_part_of(node));
    }
    if (partitions->cnt > 0)
        result = kafka_ask_ends(kafka->ask, partitions, err);
    for (int i = 0; i < partitions->cnt; i++) {
        const rd_kafka_topic_partition_t *from = &partitions->elems[i];

        if (result == 0 && from->offset >= 0)
            kafka_group_find_in(&kafka->reading, from->topic, from->partition)->end = from->offset;
    }
    rd_kafka_topic_partition_list_destroy(partitions);
    return result;
}
