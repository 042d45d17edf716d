/* Metrics by partition. */
#include "worker/metrics.h"

#include <stdio.h>

#include "base/xalloc.h"
#include "worker/state.h"

enum { PARTITIONS_MAX = 2000 };

/* The partitions of one scrape. */
struct rows {
    struct row {
        const char *topic;
        char number[12];
        const struct kafka_part *part;
        struct part_status status;
    } * items;
    size_t count;
};

static void
read_rows(const struct worker *worker, struct rows *rows, size_t *ret_left_out)
{
    size_t owned;
    struct kafka_part **parts = worker_parts(worker, &owned);

    rows->count = owned < PARTITIONS_MAX ? owned : PARTITIONS_MAX;
    *ret_left_out = owned - rows->count;
    rows->items = xcalloc(rows->count + 1, sizeof(*rows->items));
    for (size_t i = 0; i < rows->count; i++) {
        struct row *row = &rows->items[i];

        row->part = parts[i];
        row->topic = kafka_part_topic(parts[i]);
        snprintf(row->number, sizeof(row->number), "%d", kafka_part_number(parts[i]));
        worker_part_status(parts[i], &row->status);
    }
    xfree(parts);
}

static void
add_events(struct prom_out *out, const struct rows *rows)
{
    prom_out_family(out, "partition_events_consumed_total", "counter",
                    "Events taken from a partition since this process got it.");
    for (size_t i = 0; i < rows->count; i++)
        prom_out_int(out, (int64_t)rows->items[i].status.counts->consumed, "topic",
                     rows->items[i].topic, "partition", rows->items[i].number, NULL);
    prom_out_family(out, "partition_events_total", "counter",
                    "Of those, events that ended, by how.");
    for (size_t i = 0; i < rows->count; i++) {
        for (int o = 0; o < EVENT_OUTCOME_COUNT; o++)
            prom_out_int(out, (int64_t)rows->items[i].status.counts->ended[o], "topic",
                         rows->items[i].topic, "partition", rows->items[i].number, "outcome",
                         event_outcome_name((enum event_outcome)o), NULL);
    }
    prom_out_family(out, "partition_events_pending", "gauge",
                    "Of those, events that have not ended.");
    for (size_t i = 0; i < rows->count; i++)
        prom_out_int(out, (int64_t)rows->items[i].status.counts->pending, "topic",
                     rows->items[i].topic, "partition", rows->items[i].number, NULL);
}

static int64_t
next_of(const struct row *row)
{
    return row->status.view.next;
}

static int64_t
committed_of(const struct row *row)
{
    return row->status.view.committed;
}

static int64_t
oldest_of(const struct row *row)
{
    return row->status.view.watermark;
}

static int64_t
end_of(const struct row *row)
{
    return kafka_part_end(row->part);
}

static int64_t
lag_of(const struct row *row)
{
    return row->status.lag;
}

static int64_t
unread_of(const struct row *row)
{
    return row->status.unread;
}

/* What is negative is not known, and left out. */
static const struct {
    const char *name, *help;
    int64_t (*value)(const struct row *row);
} gauges[] = {
    {"partition_next_offset", "The next offset to be read.", next_of},
    {"partition_committed_offset", "The offset last committed.", committed_of},
    {"partition_oldest_unfinished_offset",
     "The first offset that is not finished; the next one to be read where all are.", oldest_of},
    {"partition_end_offset", "Where the partition ends, asked every five seconds.", end_of},
    {"partition_lag_events", "Offsets from the first that is not finished to the end.", lag_of},
    {"partition_unread_events", "Offsets from the next one to be read to the end.", unread_of},
};

static void
add_offsets(struct prom_out *out, const struct rows *rows)
{
    for (size_t g = 0; g < ARRAY_LEN(gauges); g++) {
        prom_out_family(out, gauges[g].name, "gauge", gauges[g].help);
        for (size_t i = 0; i < rows->count; i++) {
            int64_t value = gauges[g].value(&rows->items[i]);

            if (value >= 0)
                prom_out_int(out, value, "topic", rows->items[i].topic, "partition",
                             rows->items[i].number, NULL);
        }
    }
    prom_out_family(out, "partition_oldest_unfinished_age_seconds", "gauge",
                    "Age of the first event that is not finished, by its timestamp; 0: none is.");
    for (size_t i = 0; i < rows->count; i++) {
        int64_t age_ms = rows->items[i].status.age_ms;

        prom_out_real(out, age_ms > 0 ? (double)age_ms / 1000 : 0, "topic", rows->items[i].topic,
                      "partition", rows->items[i].number, NULL);
    }
}

/* Only what is in trouble has a series. */
static void
add_troubles(struct prom_out *out, const struct rows *rows)
{
    prom_out_family(out, "partition_held", "gauge",
                    "1 for a partition that is not read further, with the reason.");
    for (size_t i = 0; i < rows->count; i++) {
        const struct row *row = &rows->items[i];
        const char *reason = worker_part_hold(&row->status.view);

        if (reason)
            prom_out_int(out, 1, "topic", row->topic, "partition", row->number, "reason", reason,
                         NULL);
    }
    prom_out_family(out, "partition_stopped", "gauge",
                    "1 for a partition from which nothing comes, with the reason.");
    for (size_t i = 0; i < rows->count; i++) {
        const struct row *row = &rows->items[i];
        const char *trouble = kafka_part_trouble(row->part);

        if (trouble)
            prom_out_int(out, 1, "topic", row->topic, "partition", row->number, "reason", trouble,
                         NULL);
    }
}

size_t
metrics_add_parts(struct prom_out *out, const struct worker *worker)
{
    struct rows rows;
    size_t left_out;

    read_rows(worker, &rows, &left_out);
    add_events(out, &rows);
    add_offsets(out, &rows);
    add_troubles(out, &rows);
    xfree(rows.items);
    return left_out;
}
