#include <assert.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "worker/state.h"
#include "worker/worker.h"

enum {
    RESERVE_MS = 2000,     /* of drain_timeout, for the last commit and leaving; at most a fifth */
    COMMIT_AGAIN_MS = 100, /* between a failed commit and its repetition, doubling */
    COMMIT_AGAIN_MAX_MS = 3200
};

/* How long after now draining may take, so that time is left to commit within drain_timeout. */
static int64_t
drain_ms(const struct worker *worker)
{
    int64_t timeout_ms = worker->config->delivery.drain_timeout_ms;

    return timeout_ms - clock_earlier(RESERVE_MS, timeout_ms / 5);
}

/* It ends, and something will be repeated. */
static void
hurry(struct worker *worker)
{
    if (worker->exit_status == WORKER_STOPPED)
        worker->exit_status = WORKER_HURRIED;
}

/* ---- commits ---- */

static void
commit_start(struct worker *worker)
{
    size_t cap = core_parts(worker->core, NULL, 0);
    struct core_offset *from = xcalloc(cap, sizeof(*from));
    struct kafka_offset *offsets = xcalloc(cap, sizeof(*offsets));
    size_t count = core_commit(worker->core, from, cap);

    for (size_t i = 0; i < count; i++)
        offsets[i] = (struct kafka_offset){
            .part = from[i].user, .offset = from[i].offset, .metadata = from[i].metadata};
    worker->commit_next_ms = worker->now + worker->config->delivery.commit_interval_ms;
    if (count) {
        worker->commit_out = true;
        worker->commit_hopeless = false;
        kafka_commit(worker->kafka, offsets, count);
    }
    xfree(offsets);
    xfree(from);
}

static int64_t
commit_again_ms(const struct worker *worker)
{
    int64_t delay_ms = COMMIT_AGAIN_MS;

    for (unsigned i = 1; i < worker->commits_failed && delay_ms < COMMIT_AGAIN_MAX_MS; i++)
        delay_ms *= 2;
    return delay_ms;
}

/* The broker allows less for the text of progress: what it cannot say is repeated after a crash. */
static void
shorten_progress(struct worker *worker)
{
    log_warning("progress.shortened",
                log_int("bytes", (int64_t)core_shorten_progress(worker->core)),
                log_text("effect", "more can be repeated after a crash; mend it by the broker's "
                                   "offset.metadata.max.bytes"));
    worker->commit_next_ms = worker->now;
}

static void
on_committed(void *arg, enum kafka_commit answer, struct kafka_part **refused, size_t count)
{
    struct worker *worker = arg;
    bool failed = answer != KAFKA_COMMIT_STORED;

    worker->commit_out = false;
    worker->commit_hopeless = answer == KAFKA_COMMIT_REFUSED;
    if (!failed)
        worker->commit_ok_ms = worker->now;
    worker->counts.commits++;
    worker->counts.commits_failed += failed || count;
    worker->commits_failed = failed ? worker->commits_failed + 1 : 0;
    if (!failed)
        worker->seeing.committed_ms = worker->now;
    if (failed)
        worker->commit_next_ms = worker->now + commit_again_ms(worker);
    for (size_t i = 0; i < count; i++)
        core_commit_refused(worker->core, kafka_part_user(refused[i]));
    core_committed(worker->core, answer == KAFKA_COMMIT_STORED);
    if (answer == KAFKA_COMMIT_TOO_LARGE)
        shorten_progress(worker);
}

/* ---- are the partitions still ours? ---- */

/* What may be another's by now: two such gaps, one behind the other, make less than the session's
 * timeout. */
static int64_t
doubt_ms(const struct worker *worker)
{
    return kafka_session_timeout_ms(worker->kafka) / 3;
}

static void
doubt(struct worker *worker)
{
    core_doubt(worker->core);
    worker->commit_next_ms = worker->now;
}

bool
worker_is_gap(const struct worker *worker, int64_t gap_ms)
{
    return gap_ms > doubt_ms(worker);
}

/* A process that was stopped, or whose machine was, may have lost its partitions without knowing
 * it. */
void
worker_watch_gap(struct worker *worker, int64_t since_ms, int64_t now)
{
    int64_t gap_ms = now - since_ms;

    if (!worker_is_gap(worker, gap_ms) || !core_parts(worker->core, NULL, 0))
        return;
    log_warning("worker.gap", log_int("ms", gap_ms),
                log_text("effect", "no call starts until a commit shows that the partitions are "
                                   "still this process's"));
    doubt(worker);
}

/* So may one that is cut off from Kafka. And what it sent now would be sent again. */
static void
watch_commits(struct worker *worker)
{
    int64_t since_ms = worker->now - worker->commit_ok_ms;

    if (!core_commit_is_due(worker->core))
        worker->commit_ok_ms = worker->now;
    if (since_ms <= worker->config->delivery.commit_interval_ms + doubt_ms(worker) ||
        core_is_doubted(worker->core) || !core_parts(worker->core, NULL, 0))
        return;
    log_warning("commit.overdue", log_int("ms", since_ms),
                log_text("effect", "no call starts until a commit was stored"));
    doubt(worker);
}

bool
worker_commit_step(struct worker *worker)
{
    watch_commits(worker);
    if (worker->commit_out)
        return false;
    if (!core_commit_is_due(worker->core))
        return true;
    if (kafka_can_commit(worker->kafka) && worker->now >= worker->commit_next_ms)
        commit_start(worker);
    return false;
}

/* ---- partitions ---- */

static void
log_progress(const struct kafka_part *part, const struct progress *progress)
{
    log_info("partition.progress", log_text("topic", kafka_part_topic(part)),
             log_int("partition", kafka_part_number(part)),
             log_int("committed", kafka_part_committed(part)),
             log_int("finished_up_to", progress->highest),
             log_int("but_for", (int64_t)progress->count));
}

/* The partition was lost and is back: what it had finished by then is not done again. */
static void
log_recalled(const struct kafka_part *part, const struct progress *progress)
{
    int64_t committed = kafka_part_committed(part);

    log_info("partition.remembered", log_text("topic", kafka_part_topic(part)),
             log_int("partition", kafka_part_number(part)), log_int("committed", committed),
             log_int("finished_up_to", progress->highest),
             log_int("but_for", (int64_t)progress->count),
             log_int("offsets", progress->highest - committed + 1 - (int64_t)progress->count));
}

/* What was found with the committed offset says which events above it were finished. */
static void
bind_progress(struct worker *worker, const struct kafka_part *part, struct core_part *to)
{
    uint64_t binding = progress_binding(worker->config->kafka.group_id, kafka_part_topic(part),
                                        kafka_part_number(part));
    struct progress progress;
    const struct progress *recalled;
    size_t len;
    const char *text = kafka_part_metadata(part, &len);
    bool found = text && progress_read(text, len, binding, kafka_part_committed(part), &progress);

    if (found)
        log_progress(part, &progress);
    else if (text && len)
        log_warning("progress.ignored", log_text("topic", kafka_part_topic(part)),
                    log_int("partition", kafka_part_number(part)),
                    log_text("reason", "the metadata of the committed offset is not of this "
                                       "group, partition and offset, or is damaged"),
                    log_text("effect", "what was finished above the offset is sent again"));
    core_part_bind(to, binding, found ? &progress : NULL);
    recalled = core_part_recall(worker->core, to, text, len);
    if (recalled)
        log_recalled(part, recalled);
}

static void
on_assigned(void *arg, struct kafka_part *part)
{
    struct worker *worker = arg;
    struct core_part *to =
        core_assign(worker->core, kafka_part_offset(part), kafka_part_committed(part), part);

    worker->was_assigned = true;
    worker->counts.assigned++;
    worker->limits_due_ms = worker->now;
    worker->seeing.ends_ms = worker->now;
    bind_progress(worker, part, to);
    kafka_part_set_user(part, to);
}

static void
on_rebalanced(void *arg)
{
    struct worker *worker = arg;

    core_forget_lost(worker->core, kafka_era(worker->kafka) - KAFKA_OWN_ERAS);
    if (worker->phase == PHASE_RUNNING)
        worker->limits_due_ms = worker->now;
}

static void
on_revoked(void *arg, struct kafka_part **parts, size_t count)
{
    struct worker *worker = arg;
    struct revocation *revocation = &worker->revocation;
    struct core_part **core_parts = xcalloc(count, sizeof(*core_parts));

    assert(count && !revocation->count);
    worker->counts.revoked += count;
    for (size_t i = 0; i < count; i++)
        core_parts[i] = kafka_part_user(parts[i]);
    core_revoke(worker->core, core_parts, count);
    xfree(core_parts);
    revocation->parts = xmemdup(parts, count * sizeof(*parts));
    revocation->count = count;
    revocation->drain_ms = worker->now + drain_ms(worker);
    revocation->end_ms = worker->now + worker->config->delivery.drain_timeout_ms;
    worker->commit_hopeless = false;
}

/* Breaks off what is in flight of PART and gives back what is unfinished. */
static void
abandon(struct worker *worker, struct kafka_part *part)
{
    worker_abort_flights(worker, part);
    core_abandon(worker->core, kafka_part_user(part));
}

static void
end_revocation(struct worker *worker)
{
    xfree(worker->revocation.parts);
    worker->revocation = (struct revocation){0};
    worker->limits_due_ms = worker->now;
}

static void
on_lost(void *arg, struct kafka_part **parts, size_t count)
{
    struct worker *worker = arg;

    worker->counts.lost += count;
    for (size_t i = 0; i < count; i++) {
        abandon(worker, parts[i]);
        core_lose(worker->core, kafka_part_user(parts[i]), kafka_era(worker->kafka));
    }
    if (worker->phase != PHASE_RUNNING)
        hurry(worker);
    /* What was being handed over is lost with the rest: there is nothing left to answer. */
    end_revocation(worker);
}

static bool
is_drained(struct worker *worker)
{
    for (size_t i = 0; i < worker->revocation.count; i++) {
        if (!core_is_drained(worker->core, kafka_part_user(worker->revocation.parts[i])))
            return false;
    }
    return true;
}

/* What is revoked only: the other partitions move on all the time. */
static bool
is_committed(const struct worker *worker)
{
    for (size_t i = 0; i < worker->revocation.count; i++) {
        if (!core_part_is_committed(kafka_part_user(worker->revocation.parts[i])))
            return false;
    }
    return true;
}

static void
revocation_step(struct worker *worker)
{
    struct revocation *revocation = &worker->revocation;

    if (!revocation->abandoned) {
        if (!is_drained(worker) && worker->now < revocation->drain_ms)
            return;
        for (size_t i = 0; i < revocation->count; i++)
            abandon(worker, revocation->parts[i]);
        revocation->abandoned = true;
        worker->commit_next_ms = worker->now;
    }
    if (!is_committed(worker) && !worker->commit_hopeless && worker->now < revocation->end_ms) {
        worker_commit_step(worker);
        return;
    }
    for (size_t i = 0; i < revocation->count; i++)
        core_release(worker->core, kafka_part_user(revocation->parts[i]));
    end_revocation(worker);
    kafka_release(worker->kafka);
}

/* ---- the way out ---- */

static void
on_failed(void *arg, const char *reason)
{
    struct worker *worker = arg;

    log_error("kafka.fatal", log_text("reason", reason));
    worker->exit_status = WORKER_FATAL;
    if (worker->phase == PHASE_RUNNING)
        worker_stop(worker, "kafka");
}

void
worker_stop(struct worker *worker, const char *why)
{
    if (worker->phase != PHASE_RUNNING) {
        log_warning("worker.hurried", log_text("why", why));
        worker->exit_status = WORKER_HURRIED;
        worker->phase = PHASE_DONE;
        return;
    }
    log_info("worker.stopping", log_text("why", why));
    notify_stopping(worker->notify);
    worker->phase = PHASE_STOPPING;
    worker->stop_drain_ms = worker->now + drain_ms(worker);
    worker->stop_exit_ms = worker->now + worker->config->delivery.drain_timeout_ms;
    worker->commit_hopeless = false;
    core_revoke_all(worker->core);
}

static void
stopping_step(struct worker *worker)
{
    struct core_gauges gauges;

    core_gauges(worker->core, &gauges);
    if (!core_is_drained(worker->core, NULL)) {
        if (worker->now < worker->stop_drain_ms)
            return;
        log_warning("worker.abandoned", log_int("calls_in_flight", (int64_t)gauges.in_flight),
                    log_int("events", (int64_t)gauges.events),
                    log_text("effect", "they are read and sent again by the next owner"));
        hurry(worker);
    }
    worker_abort_flights(worker, NULL);
    core_abandon(worker->core, NULL);
    worker->commit_next_ms = worker->now;
    worker->phase = PHASE_COMMITTING;
}

static void
committing_step(struct worker *worker)
{
    bool fatal = worker->exit_status == WORKER_FATAL;

    if (!fatal && !worker_commit_step(worker) && !worker->commit_hopeless)
        return;
    if (worker->commit_hopeless)
        hurry(worker);
    worker->phase = PHASE_LEAVING;
    kafka_leave(worker->kafka, worker->stop_exit_ms);
}

void
worker_rebalance_step(struct worker *worker)
{
    if (worker->revocation.count)
        revocation_step(worker);
    if (worker->phase == PHASE_STOPPING)
        stopping_step(worker);
    if (worker->phase == PHASE_COMMITTING)
        committing_step(worker);
    if (worker->phase == PHASE_LEAVING && kafka_is_closed(worker->kafka))
        worker->phase = PHASE_DONE;
    if (worker->phase != PHASE_RUNNING && worker->phase != PHASE_DONE &&
        worker->now >= worker->stop_exit_ms) {
        log_warning("worker.hurried", log_text("why", "drain_timeout is over"));
        hurry(worker);
        worker->phase = PHASE_DONE;
    }
}

/* The next of two deadlines that is not over, else the second. */
static int64_t
next_of(const struct worker *worker, int64_t first_ms, int64_t second_ms)
{
    return worker->now < first_ms ? first_ms : second_ms;
}

int64_t
worker_rebalance_deadline(const struct worker *worker)
{
    const struct revocation *revocation = &worker->revocation;
    int64_t due_ms = CLOCK_NEVER;

    if (core_commit_is_due(worker->core) && !worker->commit_out && kafka_can_commit(worker->kafka))
        due_ms = worker->commit_next_ms;
    if (revocation->count)
        due_ms = clock_earlier(due_ms, next_of(worker, revocation->drain_ms, revocation->end_ms));
    if (worker->phase != PHASE_RUNNING)
        due_ms =
            clock_earlier(due_ms, next_of(worker, worker->stop_drain_ms, worker->stop_exit_ms));
    return due_ms;
}

static bool
on_has_room(void *arg, struct kafka_part *part)
{
    return worker_has_room(arg, part);
}

static void
on_record(void *arg, struct kafka_part *part, const struct event *event)
{
    worker_take(arg, part, event);
}

const struct kafka_ops worker_kafka_ops = {.assigned = on_assigned,
                                           .rebalanced = on_rebalanced,
                                           .revoked = on_revoked,
                                           .lost = on_lost,
                                           .has_room = on_has_room,
                                           .record = on_record,
                                           .committed = on_committed,
                                           .failed = on_failed};
