#include "cmd/kafka_flow.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "edge/kafka_read.h"

enum {
    TURN_MS = 200, /* how soon a signal, or something new, is noticed */
    GLANCE = 256   /* records after which a signal is looked for */
};

/* ---- topics ---- */

void
topic_names_add(struct topic_names *names, const char *name)
{
    names->items = xgrow(names->items, names->count, &names->cap, sizeof(names->items[0]));
    names->items[names->count++] = xstrdup(name);
}

void
topic_names_fini(struct topic_names *names)
{
    for (size_t i = 0; i < names->count; i++)
        xfree(names->items[i]);
    xfree(names->items);
    *names = (struct topic_names){0};
}

static bool
has_name(const struct topic_names *names, const char *name)
{
    for (size_t i = 0; i < names->count; i++) {
        if (!strcmp(names->items[i], name))
            return true;
    }
    return false;
}

struct choice {
    struct topic_names *names;
    const struct ruleset *const *rules;
    size_t count;
};

static void
choose(void *opaque, const char *topic, int32_t partitions)
{
    struct choice *choice = opaque;

    for (size_t i = 0; partitions > 0 && i < choice->count; i++) {
        if (choice->rules[i] && ruleset_reads(choice->rules[i], topic)) {
            topic_names_add(choice->names, topic);
            return;
        }
    }
}

static void
say_missing(const struct choice *choice)
{
    struct topic_names missing = {0};

    for (size_t i = 0; i < choice->count; i++) {
        for (size_t k = 0; choice->rules[i] && k < ruleset_topic_count(choice->rules[i]); k++) {
            const char *topic = ruleset_topic(choice->rules[i], k);

            if (*topic == '^' || has_name(choice->names, topic) || has_name(&missing, topic))
                continue;
            topic_names_add(&missing, topic);
            fprintf(stderr, "there is no topic \"%s\" in Kafka\n", topic);
        }
    }
    topic_names_fini(&missing);
}

static int
compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int
kafka_flow_topics(struct topic_names *names, const struct kafka_config *config,
                  const struct ruleset *const *rules, size_t count, struct err *err)
{
    struct choice choice = {names, rules, count};
    struct kafka_read *read = kafka_read_open(config, err);
    int rc = read ? kafka_read_topics(read, choose, &choice, err) : -1;

    kafka_read_close(read);
    if (rc)
        return -1;
    say_missing(&choice);
    if (!names->count)
        return err_set(err, "Kafka has none of the topics that the rules read");
    qsort(names->items, names->count, sizeof(names->items[0]), compare_names);
    return 0;
}

/* ---- records ---- */

/* A partition and how far it was read. */
struct span {
    const char *topic;
    int32_t partition;
    int64_t next;
};

struct reading {
    const struct kafka_flow *flow;
    struct kafka_read *read;
    struct span *spans;
    size_t count, cap;
    int64_t until_ms; /* CLOCK_NEVER in the first round: what is there is read whole */
    bool over;
};

static void
look_up(struct reading *reading)
{
    if (reading->flow->is_interrupted(reading->flow->opaque) || clock_now_ms() >= reading->until_ms)
        reading->over = true;
}

static int
find_start(struct reading *reading, struct span *span, struct err *err)
{
    int64_t begin, end;

    if (kafka_read_bounds(reading->read, span->topic, span->partition, &begin, &end, err))
        return -1;
    span->next = end;
    if (reading->flow->since_ms == EVENT_NO_TIME)
        return 0;
    return kafka_read_since(reading->read, span->topic, span->partition, reading->flow->since_ms,
                            end, &span->next, err);
}

static int
find_spans(struct reading *reading, const struct topic_names *topics, struct err *err)
{
    for (size_t i = 0; i < topics->count; i++) {
        struct span span = {.topic = topics->items[i]};
        int32_t partitions;

        if (kafka_read_partitions(reading->read, span.topic, &partitions, err))
            return -1;
        if (!partitions)
            return err_set(err, "there is no topic \"%s\"", span.topic);
        for (; span.partition < partitions; span.partition++) {
            if (find_start(reading, &span, err))
                return -1;
            reading->spans =
                xgrow(reading->spans, reading->count, &reading->cap, sizeof(reading->spans[0]));
            reading->spans[reading->count++] = span;
        }
    }
    return 0;
}

/* Reads what the partition holds by now. */
static int
read_span(struct reading *reading, struct span *span, struct err *err)
{
    enum kafka_read_state state = KAFKA_READ_WAITING;
    struct event event;
    int64_t begin, end;

    if (kafka_read_bounds(reading->read, span->topic, span->partition, &begin, &end, err) ||
        kafka_read_range(reading->read, span->topic, span->partition,
                         span->next > begin ? span->next : begin, end, err))
        return -1;
    for (size_t n = 0; !reading->over; n++) {
        if (kafka_read_next(reading->read, TURN_MS, &state, &event, err))
            return -1;
        if (state == KAFKA_READ_END)
            break;
        if (state == KAFKA_READ_RECORD && reading->flow->take(reading->flow->opaque, &event))
            reading->over = true;
        if (state == KAFKA_READ_WAITING || n % GLANCE == 0)
            look_up(reading);
    }
    span->next = end;
    return 0;
}

static int
read_spans(struct reading *reading, struct err *err)
{
    for (size_t i = 0; i < reading->count && !reading->over; i++) {
        look_up(reading);
        if (!reading->over && read_span(reading, &reading->spans[i], err))
            return -1;
    }
    return 0;
}

static int
read_all(struct reading *reading, const struct topic_names *topics, struct err *err)
{
    int64_t until_ms = clock_now_ms() + reading->flow->wait_ms;

    if (find_spans(reading, topics, err) || read_spans(reading, err))
        return -1;
    reading->until_ms = until_ms;
    look_up(reading);
    if (!reading->over)
        reading->flow->caught_up(reading->flow->opaque);
    while (look_up(reading), !reading->over) {
        struct pollfd fd = {.fd = reading->flow->signals, .events = POLLIN};

        (void)poll(&fd, 1, TURN_MS);
        if (read_spans(reading, err))
            return -1;
    }
    return 0;
}

int
kafka_flow_run(const struct kafka_flow *flow, const struct topic_names *topics, struct err *err)
{
    struct reading reading = {.flow = flow, .until_ms = CLOCK_NEVER};
    int rc = -1;

    reading.read = kafka_read_open(flow->config, err);
    if (reading.read)
        rc = read_all(&reading, topics, err);
    kafka_read_close(reading.read);
    xfree(reading.spans);
    return rc;
}
