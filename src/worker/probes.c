/* /livez and /readyz: what they answer, and why. */
#include "base/xalloc.h"
#include "worker/state.h"

enum { REASONS_MAX = 50 /* partitions and topics that are named; the metrics have them all */ };

bool
worker_is_live(void *arg, struct buf *reason)
{
    const struct worker *worker = arg;

    if (worker->stall.stalled)
        buf_printf(reason,
                   "nothing has moved for %lld s, without a reason; the log says what each "
                   "partition waits for",
                   (long long)worker->stall.still_ms / 1000);
    else if (worker->stall.reason)
        buf_printf(reason, "the loop turns; events wait: %s", worker->stall.reason);
    else
        buf_add_text(reason, "the loop turns");
    return !worker->stall.stalled;
}

static size_t
add_partitions(const struct worker *worker, struct buf *reason)
{
    size_t count, stopped = 0;
    struct kafka_part **parts = worker_parts(worker, &count);

    for (size_t i = 0; i < count; i++) {
        const char *trouble = kafka_part_trouble(parts[i]);

        if (trouble && stopped++ < REASONS_MAX)
            buf_printf(reason, "\npartition %d of %s is stopped: %s",
                       (int)kafka_part_number(parts[i]), kafka_part_topic(parts[i]), trouble);
    }
    xfree(parts);
    return stopped;
}

static size_t
add_topics(const struct worker *worker, struct buf *reason)
{
    const struct ruleset *rules = worker->config->rules;
    size_t troubled = 0;

    for (size_t i = 0; i < ruleset_topic_count(rules); i++) {
        const char *trouble = worker_topic_trouble(worker, i);

        if (trouble && troubled++ < REASONS_MAX)
            buf_printf(reason, "\ntopic %s: %s", ruleset_topic(rules, i), trouble);
    }
    return troubled;
}

/* What stands still for want of Kafka, a line each, behind the first. */
static void
add_troubles(const struct worker *worker, struct buf *reason)
{
    size_t partitions = add_partitions(worker, reason), topics = add_topics(worker, reason);

    if (partitions > REASONS_MAX)
        buf_printf(reason, "\nand %zu more partitions", partitions - REASONS_MAX);
    if (topics > REASONS_MAX)
        buf_printf(reason, "\nand %zu more topics", topics - REASONS_MAX);
    if (kafka_trouble(worker->kafka))
        buf_printf(reason, "\nthe group: %s", kafka_trouble(worker->kafka));
}

bool
worker_is_ready(void *arg, struct buf *reason)
{
    const struct worker *worker = arg;
    size_t parts = core_parts(worker->core, NULL, 0);

    buf_printf(reason, "%zu partitions are assigned", parts);
    add_troubles(worker, reason);
    return worker->phase == PHASE_RUNNING && parts > 0;
}
