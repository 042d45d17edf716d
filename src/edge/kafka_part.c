#include "edge/kafka_part.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/xalloc.h"

enum {
    DOUBT_SAME_MS = 10000, /* a doubt that comes back so soon is the same */
    DOUBT_AGAIN_MS = 500   /* … and its leader is not asked at once again */
};

struct kafka_part *
kafka_part_new(const char *topic, int32_t number)
{
    struct kafka_part *part = xcalloc(1, sizeof(*part));

    list_init(&part->node);
    part->topic = xstrdup(topic);
    part->number = number;
    part->offset = part->committed = part->end = KAFKA_NO_OFFSET;
    part->doubted_ms = part->denied_ms = KAFKA_NO_DOUBT;
    part->check_due_ms = CLOCK_NEVER;
    return part;
}

void
kafka_part_free(struct kafka_part *part)
{
    if (!part)
        return;
    kafka_part_close(part);
    list_remove(&part->node);
    xfree(part->topic);
    xfree(part->metadata);
    xfree(part);
}

void
kafka_part_open(struct kafka_part *part, rd_kafka_t *rk, int wake_fd)
{
    static const uint64_t one = 1;

    part->queue = rd_kafka_queue_get_partition(rk, part->topic, part->number);
    rd_kafka_queue_forward(part->queue, NULL);
    rd_kafka_queue_io_event_enable(part->queue, wake_fd, &one, sizeof(one));
    part->next = part->offset;
    part->dry = false; /* what is queued already causes no event */
}

void
kafka_part_close(struct kafka_part *part)
{
    rd_kafka_message_t *message;

    if (!part->queue)
        return;
    rd_kafka_queue_io_event_enable(part->queue, -1, NULL, 0);
    if (part->head)
        rd_kafka_message_destroy(part->head);
    part->head = NULL;
    while ((message = rd_kafka_consume_queue(part->queue, 0)))
        rd_kafka_message_destroy(message);
    rd_kafka_queue_destroy(part->queue);
    part->queue = NULL;
}

void
kafka_part_reopen(struct kafka_part *part, rd_kafka_t *rk, int wake_fd)
{
    int64_t next = part->next;

    kafka_part_close(part);
    kafka_part_open(part, rk, wake_fd);
    part->next = next;
}

void
kafka_part_stop(struct kafka_part *part, const char *text)
{
    part->stopped = true;
    part->check_due_ms = CLOCK_NEVER;
    part->trouble = "out_of_range";
    log_error(
        "partition.stopped", log_text("topic", part->topic), log_int("partition", part->number),
        log_int("offset", part->next), log_text("reason", "out_of_range"), log_text("text", text),
        log_text("effect", "nothing of it is read until the group's offset is one that exists"));
}

/* A broker that was cut off takes itself for the leader for a moment after its return and does not
 * know the last records. So when the offset before was there, edge/kafka_range asks. It may find
 * another leader than the library does: then this comes again and again until the library has, too.
 */
static void
doubt_range(struct kafka_part *part, const char *text, int64_t now)
{
    bool again = part->doubted_ms != KAFKA_NO_DOUBT && now - part->doubted_ms < DOUBT_SAME_MS;

    part->stopped = true;
    part->doubted_ms = now;
    part->denied_ms = KAFKA_NO_DOUBT;
    part->check_due_ms = again ? now + DOUBT_AGAIN_MS : now;
    part->trouble = "out_of_range";
    if (again)
        return;
    log_warning("partition.doubted", log_text("topic", part->topic),
                log_int("partition", part->number), log_int("offset", part->next),
                log_text("text", text), log_text("effect", "its leader is asked again"));
}

/* Until the library says otherwise, by a record. */
static void
note_trouble(struct kafka_part *part, rd_kafka_resp_err_t error)
{
    if (error == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED)
        part->trouble = "topic_not_authorized";
    else if (error == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ||
             error == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC ||
             error == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION)
        part->trouble = "topic_missing";
}

static void
take_error(struct kafka_part *part, const rd_kafka_message_t *message, struct kafka_log *log,
           int64_t now)
{
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF)
        return;
    if (message->err != RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET)
        kafka_log_error(log, message->err, rd_kafka_message_errstr(message), now);
    else if (part->next > part->offset)
        doubt_range(part, rd_kafka_message_errstr(message), now);
    else
        kafka_part_stop(part, rd_kafka_message_errstr(message));
    note_trouble(part, message->err);
}

static int64_t
timestamp_of(const rd_kafka_message_t *message)
{
    rd_kafka_timestamp_type_t type;
    int64_t timestamp_ms = rd_kafka_message_timestamp(message, &type);

    if (type == RD_KAFKA_TIMESTAMP_NOT_AVAILABLE || timestamp_ms < 0)
        return EVENT_NO_TIME;
    return timestamp_ms;
}

bool
kafka_part_peek(struct kafka_part *part, struct kafka_log *log, int64_t now)
{
    while (!part->head && !part->dry && !part->stopped) {
        rd_kafka_message_t *message = rd_kafka_consume_queue(part->queue, 0);

        if (!message) {
            part->dry = true;
        } else if (message->err || message->offset < part->next) {
            if (message->err)
                take_error(part, message, log, now);
            rd_kafka_message_destroy(message);
        } else {
            part->trouble = NULL;
            part->doubted_ms = KAFKA_NO_DOUBT;
            part->head = message;
            part->head_ms = timestamp_of(message);
        }
    }
    return part->head != NULL;
}

void
kafka_part_shift(struct kafka_part *part)
{
    part->next = part->head->offset + 1;
    rd_kafka_message_destroy(part->head);
    part->head = NULL;
}

const char *
kafka_part_metadata(const struct kafka_part *part, size_t *ret_len)
{
    *ret_len = part->metadata_len;
    return part->metadata;
}

const char *
kafka_part_topic(const struct kafka_part *part)
{
    return part->topic;
}

struct kafka_part *
kafka_part_of(struct list *node)
{
    return CONTAINER_OF(node, struct kafka_part, node);
}

int32_t
kafka_part_number(const struct kafka_part *part)
{
    return part->number;
}

const char *
kafka_part_trouble(const struct kafka_part *part)
{
    return part->trouble;
}

int64_t
kafka_part_offset(const struct kafka_part *part)
{
    return part->offset;
}

int64_t
kafka_part_committed(const struct kafka_part *part)
{
    return part->committed;
}

int64_t
kafka_part_end(const struct kafka_part *part)
{
    return part->end;
}

void
kafka_part_set_user(struct kafka_part *part, void *user)
{
    part->user = user;
}

void *
kafka_part_user(const struct kafka_part *part)
{
    return part->user;
}
