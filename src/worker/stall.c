/* The progress watchdog: events are there, nothing moves, and nothing gives a reason. It does not
 * ask the broker for more: what was not fetched is not seen here, but as lag from outside. */
#include "base/clock.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "worker/state.h"

enum {
    CHECK_MS = 1000,
    GAP_MS = 5000,      /* between two checks: a process that was stopped has not stalled */
    PARTITIONS_MAX = 50 /* lines */
};

static uint64_t
progress(const struct worker *worker)
{
    uint64_t sum = worker->counts.letters_stored + worker->counts.letters_failed;
    struct core_counts counts;

    core_totals(worker->core, &counts);
    for (size_t i = 0; i < EVENT_OUTCOME_COUNT; i++)
        sum += counts.ended[i];
    for (size_t i = 0; i < SETTLED_COUNT; i++)
        sum += worker->counts.settled[i];
    return sum;
}

static const char *
account_reason(const struct worker *worker)
{
    for (unsigned i = 0; i < worker->config->account_count; i++) {
        const struct gate *gate = core_gate(worker->core, i);
        enum gate_reason reason = gate_reason(gate, worker->now);

        if (!core_account_waits(worker->core, i)) /* it keeps nothing waiting */
            continue;
        if (reason != GATE_OPEN)
            return gate_reason_name(reason);
        if (gate_deadline(gate, worker->now) != CLOCK_NEVER)
            return "rate_limit";
    }
    return NULL;
}

/* Why it may be that nothing moves, or NULL. */
static const char *
named_reason(struct worker *worker)
{
    enum letter_hold letters = core_letter_hold(worker->core, worker->now);
    const char *reason = account_reason(worker);
    struct core_gauges gauges;

    if (worker->revocation.count)
        return "rebalance";
    if (reason)
        return reason;
    if (letters != LETTER_HOLD_NONE)
        return letter_hold_name(letters);
    if (core_is_doubted(worker->core))
        return "gap"; /* until a commit shows whose the partitions are */
    core_gauges(worker->core, &gauges);
    if (gauges.waiting)
        return "retry";
    return gauges.full_parts ? "progress_full" : NULL;
}

static bool
has_work(const struct worker *worker)
{
    struct core_counts counts;

    core_totals(worker->core, &counts);
    return counts.pending > 0 || kafka_has_records(worker->kafka);
}

static void
log_partitions(struct worker *worker)
{
    size_t count = core_parts(worker->core, NULL, 0);
    void **parts = xcalloc(count, sizeof(*parts));

    core_parts(worker->core, parts, count);
    for (size_t i = 0; i < count && i < PARTITIONS_MAX; i++) {
        struct core_wait wait = {.on = WAIT_NOTHING, .offset = -1};

        core_part_waits(kafka_part_user(parts[i]), &wait);
        log_error("partition.waits", log_text("topic", kafka_part_topic(parts[i])),
                  log_int("partition", kafka_part_number(parts[i])),
                  log_int("events", (int64_t)wait.events), log_int("offset", wait.offset),
                  log_text("for", wait.events                    ? event_wait_name(wait.on)
                                  : kafka_part_trouble(parts[i]) ? kafka_part_trouble(parts[i])
                                                                 : "records"));
    }
    xfree(parts);
}

static void
log_stalled(struct worker *worker)
{
    struct core_gauges gauges;

    core_gauges(worker->core, &gauges);
    log_error("worker.stalled", log_int("seconds", worker->stall.still_ms / 1000),
              log_int("events", (int64_t)gauges.events),
              log_int("calls_in_flight", (int64_t)gauges.in_flight),
              log_int("calls_ready", (int64_t)gauges.ready),
              log_text("effect", "/livez fails until something moves"));
    log_partitions(worker);
}

void
worker_watch_progress(struct worker *worker)
{
    struct stall *stall = &worker->stall;
    int64_t passed_ms = worker->now - stall->checked_ms;
    uint64_t before = stall->progress;
    bool moves;

    if (passed_ms < CHECK_MS)
        return;
    stall->checked_ms = worker->now;
    stall->progress = progress(worker);
    stall->reason = NULL;
    moves = stall->progress != before || worker->phase != PHASE_RUNNING || !has_work(worker);
    if (!moves)
        stall->reason = named_reason(worker);
    if (!moves && !stall->reason) {
        stall->still_ms += passed_ms < GAP_MS ? passed_ms : CHECK_MS;
    } else {
        stall->still_ms = 0;
        if (stall->stalled)
            log_info("worker.moving", log_text("reason", stall->reason));
        stall->stalled = false;
    }
    if (stall->stalled || stall->still_ms < worker->config->delivery.stall_after_ms)
        return;
    stall->stalled = true;
    log_stalled(worker);
}
