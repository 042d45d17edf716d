#include "cmd/kafka_look.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "edge/kafka_read.h"

enum { WAIT_MS = 1000 /* for a record; then it is asked for again */ };

/* Where something is read. */
struct spot {
    char *topic;
    int32_t partition;
    int64_t offset;
};

void
kafka_look_fini(struct kafka_look *look)
{
    for (size_t i = 0; i < look->count; i++)
        record_free(look->items[i]);
    xfree(look->items);
    *look = (struct kafka_look){0};
}

static void
drop_from(struct kafka_look *look, size_t start)
{
    while (look->count > start) {
        struct record *record = look->items[--look->count];

        look->bytes -= record->size;
        record_free(record);
    }
}

static int
add(struct kafka_look *look, const struct event *event, struct err *err)
{
    struct record *record = record_new(event);

    look->items = xgrow(look->items, look->count, &look->cap, sizeof(look->items[0]));
    look->items[look->count++] = record;
    look->bytes += record->size;
    if (look->bytes > KAFKA_LOOK_BYTES_MAX)
        return err_set(err, "the records hold more than 256 MiB; ask for fewer");
    return 0;
}

static int
find_partitions(struct kafka_read *read, const char *topic, int32_t *ret_count, struct err *err)
{
    if (kafka_read_partitions(read, topic, ret_count, err))
        return -1;
    return *ret_count ? 0 : err_set(err, "there is no topic \"%s\"", topic);
}

/* One record */

static bool
read_number(const char *text, int64_t max, int64_t *ret)
{
    char *end;
    long long number;

    if (*text < '0' || *text > '9')
        return false;
    errno = 0;
    number = strtoll(text, &end, 10);
    *ret = number;
    return !*end && !errno && number <= max;
}

/* False when TEXT names none; else the topic is yours to free. */
static bool
read_spot(const char *text, struct spot *spot)
{
    char *copy = xstrdup(text), *offset = strrchr(copy, ':'), *partition = NULL;
    int64_t number = 0;

    if (offset) {
        *offset++ = '\0';
        partition = strrchr(copy, ':');
    }
    if (partition)
        *partition++ = '\0';
    *spot = (struct spot){.topic = copy};
    if (partition && ruleset_is_topic_name(copy) && read_number(partition, INT_MAX, &number) &&
        read_number(offset, INT64_MAX, &spot->offset)) {
        spot->partition = (int32_t)number;
        return true;
    }
    xfree(copy);
    return false;
}

bool
kafka_look_is_place(const char *text)
{
    struct spot spot;

    if (!read_spot(text, &spot))
        return false;
    xfree(spot.topic);
    return true;
}

static int
check_spot(struct kafka_read *read, const struct spot *spot, struct err *err)
{
    int64_t begin, end;
    int32_t count;

    if (find_partitions(read, spot->topic, &count, err))
        return -1;
    if (spot->partition >= count)
        return err_set(err, "topic \"%s\" has %d partition%s, counted from 0", spot->topic,
                       (int)count, count == 1 ? "" : "s");
    if (kafka_read_bounds(read, spot->topic, spot->partition, &begin, &end, err))
        return -1;
    if (begin == end)
        return err_set(err, "topic \"%s\", partition %d holds no record", spot->topic,
                       (int)spot->partition);
    if (spot->offset < begin || spot->offset >= end)
        return err_set(err,
                       "topic \"%s\", partition %d has no offset %" PRId64
                       "; it holds those from %" PRId64 " to %" PRId64,
                       spot->topic, (int)spot->partition, spot->offset, begin, end - 1);
    return 0;
}

static int
read_one(struct kafka_look *look, struct kafka_read *read, const struct spot *spot, struct err *err)
{
    enum kafka_read_state state = KAFKA_READ_WAITING;
    struct event event;

    while (state == KAFKA_READ_WAITING) {
        if (kafka_read_at(read, spot->topic, spot->partition, spot->offset, WAIT_MS, &state, &event,
                          err))
            return -1;
    }
    if (state == KAFKA_READ_END)
        return err_set(err,
                       "topic \"%s\", partition %d has no record at offset %" PRId64
                       ": it was compacted away, or is a mark of a transaction",
                       spot->topic, (int)spot->partition, spot->offset);
    return add(look, &event, err);
}

int
kafka_look_at(struct kafka_look *look, const struct kafka_config *config, const char *text,
              struct err *err)
{
    struct kafka_read *read;
    struct spot spot;
    int rc = -1;

    if (!read_spot(text, &spot))
        return err_set(err, "\"%s\" is no place of a record, topic:partition:offset", text);
    read = kafka_read_open(config, err);
    if (read && !check_spot(read, &spot, err))
        rc = read_one(look, read, &spot, err);
    kafka_read_close(read);
    xfree(spot.topic);
    return rc;
}

/* The last ones */

static int
compare_numbers(int64_t a, int64_t b)
{
    return a < b ? -1 : a > b;
}

static int
compare_records(const void *a, const void *b)
{
    const struct event *x = &(*(struct record *const *)a)->event;
    const struct event *y = &(*(struct record *const *)b)->event;
    int order = compare_numbers(x->timestamp_ms, y->timestamp_ms);

    if (!order)
        order = compare_numbers(x->partition, y->partition);
    return order ? order : compare_numbers(x->offset, y->offset);
}

/* Adds the records from offset FROM up to END. */
static int
read_range(struct kafka_look *look, struct kafka_read *read, const struct spot *spot, int64_t from,
           int64_t end, struct err *err)
{
    enum kafka_read_state state = KAFKA_READ_WAITING;
    struct event event;

    if (kafka_read_range(read, spot->topic, spot->partition, from, end, err))
        return -1;
    while (state != KAFKA_READ_END) {
        if (kafka_read_next(read, WAIT_MS, &state, &event, err) ||
            (state == KAFKA_READ_RECORD && add(look, &event, err)))
            return -1;
    }
    return 0;
}

/* Adds the last COUNT records of a partition, and perhaps some more. Not every offset has a record:
 * as long as there are too few it goes further back. */
static int
read_partition(struct kafka_look *look, struct kafka_read *read, const struct spot *spot,
               size_t count, struct err *err)
{
    size_t start = look->count;
    int64_t begin, end, from, span = (int64_t)count;

    if (kafka_read_bounds(read, spot->topic, spot->partition, &begin, &end, err))
        return -1;
    for (;; span *= 4) {
        from = end - begin > span ? end - span : begin;
        if (read_range(look, read, spot, from, end, err))
            return -1;
        if (look->count - start >= count || from == begin)
            return 0;
        drop_from(look, start);
    }
}

/* Sorts the records and keeps the last COUNT. */
static void
keep_last(struct kafka_look *look, size_t count)
{
    size_t kept = look->count < count ? look->count : count, gone = look->count - kept;

    if (look->count)
        qsort(look->items, look->count, sizeof(look->items[0]), compare_records);
    for (size_t i = 0; i < gone; i++) {
        look->bytes -= look->items[i]->size;
        record_free(look->items[i]);
    }
    if (gone)
        memmove(look->items, look->items + gone, kept * sizeof(look->items[0]));
    look->count = kept;
}

static int
read_last(struct kafka_look *look, struct kafka_read *read, const char *topic, size_t count,
          struct err *err)
{
    struct spot spot = {.topic = xstrdup(topic)};
    int32_t partitions = 0;
    int rc = find_partitions(read, topic, &partitions, err);

    for (; !rc && spot.partition < partitions; spot.partition++) {
        rc = read_partition(look, read, &spot, count, err);
        keep_last(look, count);
    }
    xfree(spot.topic);
    return rc;
}

int
kafka_look_last(struct kafka_look *look, const struct kafka_config *config, const char *topic,
                size_t count, struct err *err)
{
    struct kafka_read *read = kafka_read_open(config, err);
    int rc = read ? read_last(look, read, topic, count, err) : -1;

    kafka_read_close(read);
    return rc;
}
