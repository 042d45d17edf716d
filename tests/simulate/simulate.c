/*
 * Deterministic simulation of delivery: several workers (each a real delivery core), a false Kafka,
 * a false API and a false clock. After every step it asserts what delivery promises:
 *
 *   conservation   consumed = pending + ended, per partition (core_check)
 *   offsets        the committed offset never passes the first unfinished event, never moves back,
 * and is stored only by the partition's owner order          a call is sent only when every earlier
 * call of its contact, in its partition, was delivered; in one worker at most one call of a contact
 * is in flight no repeats     a planned hand-over in which nothing was stuck repeats nothing
 *
 * and at the end, once all faults are mended, that everything was delivered and committed.
 *
 *     simulate [SEEDS [FIRST]]     a failing seed is printed; FIRST replays it
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/rng.h"
#include "base/xalloc.h"
#include "delivery/core.h"

enum {
    PARTITIONS_MAX = 6,
    EVENTS_MAX = 60,
    CALLS_MAX = 3,
    CONTACTS_MAX = 8,
    WORKERS_MAX = 3,
    FLIGHTS_MAX = 256,
    DRAIN_MS = 2000,
    FAULTS_MS = 60 * 1000, /* how long faults go on */
    HANG_MS = 1800 * 1000  /* when a run that does not end is a violation */
};

struct sim_call {
    int contact, new_contact; /* new_contact: -1 unless it renames */
    bool poison;              /* refused for good until everything is mended */
    bool sent, delivered;
};

struct sim_event {
    int64_t offset;
    struct sim_call calls[CALLS_MAX];
    int call_count;
    bool unmappable; /* until everything is mended */
    bool may_repeat; /* a crash, a loss or a stuck hand-over excuses another sending */
};

struct sim_partition {
    struct sim_event events[EVENTS_MAX];
    int count;
    int64_t end;
    int64_t committed;
    int owner; /* worker, or -1 */
    int target;
};

enum hand_over { OWNED, DRAINING, COMMITTING };

struct sim_worker {
    struct core *core;
    struct core_part *parts[PARTITIONS_MAX];
    int next[PARTITIONS_MAX]; /* index of the next event to read */
    bool leaving[PARTITIONS_MAX];
    enum hand_over hand_over;
    int64_t drain_until_ms;
    bool hit_deadline;
    bool stopping;
    /* the commit that is out */
    bool commit_out, commit_fails;
    int64_t commit_due_ms, commit_next_ms;
    int64_t commit_offsets[PARTITIONS_MAX];
};

struct sim_flight {
    struct core_job *job;
    struct core *core;
    int worker; /* -1: the worker died */
    int partition, event, call;
    int64_t due_ms;
    enum verdict verdict;
};

static struct sim {
    uint64_t seed;
    struct rng rng;
    int64_t now;
    int partition_count, contact_count, worker_count;
    struct sim_partition partitions[PARTITIONS_MAX];
    struct sim_worker workers[WORKERS_MAX];
    struct sim_flight flights[FLIGHTS_MAX];
    int flight_count;
    bool faults;
    bool violated;
    uint64_t calls_sent, repeats, hand_overs, crashes;
} sim;

static uint64_t total_sent, total_repeats, total_hand_overs, total_crashes;

static bool
chance(unsigned percent)
{
    return rng_below(&sim.rng, 100) < percent;
}

static int
pick(int below)
{
    return (int)rng_below(&sim.rng, (uint64_t)below);
}

#define VIOLATION(...)                                                             \
    do {                                                                           \
        printf("violation: seed=%" PRIu64 " ms=%" PRId64 ": ", sim.seed, sim.now); \
        printf(__VA_ARGS__);                                                       \
        printf("\n");                                                              \
        sim.violated = true;                                                       \
    } while (0)

/* ---- the world ---- */

static void
make_event(struct sim_event *event, int64_t offset, bool with_stuck)
{
    *event = (struct sim_event){.offset = offset, .call_count = pick(CALLS_MAX + 1)};
    if (with_stuck && chance(1)) {
        event->unmappable = true;
        event->call_count = 1;
    }
    for (int i = 0; i < event->call_count; i++) {
        struct sim_call *call = &event->calls[i];

        call->contact = i && chance(60) ? event->calls[0].contact : pick(sim.contact_count);
        call->new_contact = chance(6) ? pick(sim.contact_count) : -1;
        call->poison = with_stuck && chance(1);
    }
}

static void
make_world(uint64_t seed)
{
    bool with_stuck;

    memset(&sim, 0, sizeof(sim));
    sim.seed = seed;
    sim.rng.state = seed * 0x9e3779b97f4a7c15 + 1;
    sim.partition_count = 1 + pick(PARTITIONS_MAX);
    sim.contact_count = 1 + pick(CONTACTS_MAX);
    sim.worker_count = 1 + pick(WORKERS_MAX);
    sim.faults = true;
    with_stuck = chance(40);
    for (int p = 0; p < sim.partition_count; p++) {
        struct sim_partition *partition = &sim.partitions[p];
        int64_t offset = pick(1000);

        partition->owner = partition->target = -1;
        partition->committed = -1;
        partition->count = 1 + pick(EVENTS_MAX);
        for (int e = 0; e < partition->count; e++) {
            make_event(&partition->events[e], offset, with_stuck);
            offset += chance(10) ? 1 + pick(50) : 1; /* compaction, transaction markers */
        }
        partition->end = partition->events[partition->count - 1].offset + 1;
    }
}

static bool
is_finished(const struct sim_event *event)
{
    for (int i = 0; i < event->call_count; i++) {
        if (!event->calls[i].delivered)
            return false;
    }
    return !event->unmappable;
}

static bool
touches(const struct sim_call *call, int contact)
{
    return call->contact == contact || call->new_contact == contact;
}

static bool
share_contact(const struct sim_call *a, const struct sim_call *b)
{
    return touches(a, b->contact) || (b->new_contact >= 0 && touches(a, b->new_contact));
}

/* ---- workers ---- */

static void
worker_start(struct sim_worker *worker)
{
    struct core_limits limits = {
        .retry_min_ms = 50, .retry_max_ms = 2000, .max_events = 1 + pick(60), .max_bytes = 1 << 20};

    memset(worker, 0, sizeof(*worker));
    worker->core = core_new(&limits, rng_next(&sim.rng));
    core_set_account(worker->core, 0, 1 + pick(16));
    core_set_account(worker->core, 1, 1 + pick(4));
}

static struct call *
make_call(int p, int e, int c)
{
    const struct sim_call *from = &sim.partitions[p].events[e].calls[c];
    struct call *call = call_new(CALL_IDENTIFY, 0, "simulated");
    char text[64];

    snprintf(text, sizeof(text), "c%d@example.com", from->contact);
    call->identify.email = arena_text(&call->arena, text, strlen(text));
    if (from->new_contact >= 0) {
        snprintf(text, sizeof(text), "C%d@example.com", from->new_contact);
        call->identify.new_email = arena_text(&call->arena, text, strlen(text));
    }
    /* How the false API knows the call again. */
    snprintf(text, sizeof(text), "%d %d %d", p, e, c);
    call->identify.first_name = arena_text(&call->arena, text, strlen(text));
    return call;
}

static void
worker_read(struct sim_worker *worker, int p)
{
    struct sim_partition *partition = &sim.partitions[p];
    struct sim_event *from;
    struct core_event *event;

    if (worker->next[p] >= partition->count || !core_has_room(worker->core, worker->parts[p]))
        return;
    from = &partition->events[worker->next[p]++];
    event = core_open(worker->core, worker->parts[p], from->offset, 100);
    if (from->unmappable) {
        core_hold(worker->core, event);
        return;
    }
    for (int c = 0; c < from->call_count; c++) {
        struct call *call = make_call(p, (int)(from - partition->events), c);

        core_add(worker->core, event, &call);
    }
    core_close(worker->core, event, from->call_count ? EVENT_DELIVERED : EVENT_NO_MATCH);
}

static void
check_sending(const struct sim_flight *flight)
{
    struct sim_partition *partition = &sim.partitions[flight->partition];
    struct sim_event *event = &partition->events[flight->event];
    struct sim_call *call = &event->calls[flight->call];

    if (call->delivered) {
        sim.repeats++;
        if (!event->may_repeat)
            VIOLATION("partition %d offset %" PRId64 " call %d is sent twice without a reason",
                      flight->partition, event->offset, flight->call);
    }
    for (int e = 0; e <= flight->event; e++) {
        int calls = e == flight->event ? flight->call : partition->events[e].call_count;

        for (int c = 0; c < calls; c++) {
            if (share_contact(&partition->events[e].calls[c], call) &&
                !partition->events[e].calls[c].delivered)
                VIOLATION(
                    "partition %d: offset %" PRId64 " call %d overtakes offset %" PRId64 " call %d",
                    flight->partition, event->offset, flight->call, partition->events[e].offset, c);
        }
    }
    for (int i = 0; i < sim.flight_count; i++) {
        const struct sim_flight *other = &sim.flights[i];

        if (other->worker == flight->worker &&
            share_contact(&sim.partitions[other->partition].events[other->event].calls[other->call],
                          call))
            VIOLATION("two calls of one contact are in flight");
    }
}

static void
worker_send(struct sim_worker *worker)
{
    struct core_job *job;

    while (sim.flight_count < FLIGHTS_MAX && (job = core_next(worker->core))) {
        struct sim_flight flight = {.job = job,
                                    .core = worker->core,
                                    .worker = (int)(worker - sim.workers),
                                    .due_ms = sim.now + 1 + pick(40),
                                    .verdict = VERDICT_DONE};
        struct sim_call *call;

        sscanf(core_job_call(job)->identify.first_name, "%d %d %d", &flight.partition,
               &flight.event, &flight.call);
        call = &sim.partitions[flight.partition].events[flight.event].calls[flight.call];
        check_sending(&flight);
        if (sim.faults && call->poison)
            flight.verdict = VERDICT_PERMANENT;
        else if (sim.faults && chance(15))
            flight.verdict = chance(30)   ? VERDICT_THROTTLED
                             : chance(50) ? VERDICT_CONFIGURATION
                                          : VERDICT_TRANSIENT;
        if (sim.faults && chance(3))
            flight.due_ms += pick(5000); /* slow, or it hangs until its timeout */
        call->sent = true;
        sim.calls_sent++;
        sim.flights[sim.flight_count++] = flight;
    }
}

static void
settle_due(void)
{
    for (int i = 0; i < sim.flight_count; i++) {
        struct sim_flight flight = sim.flights[i];
        struct sim_call *call;

        if (flight.due_ms > sim.now)
            continue;
        sim.flights[i--] = sim.flights[--sim.flight_count];
        if (flight.worker < 0)
            continue;
        call = &sim.partitions[flight.partition].events[flight.event].calls[flight.call];
        if (flight.verdict == VERDICT_DONE)
            call->delivered = true;
        core_settle(flight.core, flight.job, flight.verdict,
                    flight.verdict == VERDICT_THROTTLED ? sim.now + 1000 : 0, sim.now);
    }
}

/* ---- the false Kafka ---- */

static void
store_offset(int p, int64_t offset)
{
    struct sim_partition *partition = &sim.partitions[p];

    if (offset < partition->committed)
        VIOLATION("partition %d: the committed offset moves back from %" PRId64 " to %" PRId64, p,
                  partition->committed, offset);
    for (int e = 0; e < partition->count && partition->events[e].offset < offset; e++) {
        if (!is_finished(&partition->events[e]))
            VIOLATION("partition %d: %" PRId64 " is committed, %" PRId64 " is not finished", p,
                      offset, partition->events[e].offset);
    }
    partition->committed = offset;
}

static void
commit_start(struct sim_worker *worker)
{
    struct core_offset offsets[PARTITIONS_MAX];
    size_t count = core_commit(worker->core, offsets, PARTITIONS_MAX);

    if (!count)
        return;
    for (int p = 0; p < sim.partition_count; p++)
        worker->commit_offsets[p] = -1;
    for (size_t i = 0; i < count; i++)
        worker->commit_offsets[(int)(intptr_t)offsets[i].user] = offsets[i].offset;
    worker->commit_out = true;
    worker->commit_fails = sim.faults && chance(10);
    worker->commit_due_ms = sim.now + 1 + pick(50);
    worker->commit_next_ms = sim.now + 1 + pick(300);
}

static void
commit_answer(struct sim_worker *worker)
{
    if (!worker->commit_out || worker->commit_due_ms > sim.now)
        return;
    worker->commit_out = false;
    for (int p = 0; p < sim.partition_count && !worker->commit_fails; p++) {
        if (worker->commit_offsets[p] < 0)
            continue;
        if (sim.partitions[p].owner == worker - sim.workers)
            store_offset(p, worker->commit_offsets[p]);
        else
            worker->commit_fails = true; /* the broker fences a member that lost it */
    }
    core_committed(worker->core, !worker->commit_fails);
}

/* Whatever was sent above the committed offset may come again. */
static void
excuse(int p)
{
    struct sim_partition *partition = &sim.partitions[p];

    for (int e = 0; e < partition->count; e++) {
        if (partition->events[e].offset >= partition->committed)
            partition->events[e].may_repeat = true;
    }
}

static void
give_up(struct sim_worker *worker, int p)
{
    core_release(worker->core, worker->parts[p]);
    worker->parts[p] = NULL;
    worker->leaving[p] = false;
    if (worker->commit_out && worker->commit_offsets[p] >= 0)
        worker->commit_fails = true; /* of a generation that is over: the broker refuses it */
    sim.partitions[p].owner = -1;
}

static void
assign(int w, int p)
{
    struct sim_partition *partition = &sim.partitions[p];
    struct sim_worker *worker = &sim.workers[w];
    int64_t start = partition->committed >= 0 ? partition->committed : partition->events[0].offset;
    int next = 0;

    while (next < partition->count && partition->events[next].offset < start)
        next++;
    worker->next[p] = next;
    worker->parts[p] = core_assign(worker->core, start, partition->committed, (void *)(intptr_t)p);
    partition->owner = w;
}

static void
revoke_start(struct sim_worker *worker)
{
    struct core_part *parts[PARTITIONS_MAX];
    size_t count = 0;

    for (int p = 0; p < sim.partition_count; p++) {
        if (worker->parts[p] && sim.partitions[p].target != worker - sim.workers) {
            worker->leaving[p] = true;
            parts[count++] = worker->parts[p];
        }
    }
    if (!count)
        return;
    core_revoke(worker->core, parts, count);
    worker->hand_over = DRAINING;
    worker->drain_until_ms = sim.now + DRAIN_MS;
    worker->hit_deadline = false;
    sim.hand_overs++;
}

static bool
was_sent(const struct sim_event *event)
{
    for (int i = 0; i < event->call_count; i++) {
        if (event->calls[i].sent)
            return true;
    }
    return false;
}

/* In a planned hand-over in which nothing was stuck, an event is whole or untouched. What is
 * finished above the first untouched one comes again. */
static void
check_hand_over(struct sim_worker *worker, int p)
{
    const struct sim_partition *partition = &sim.partitions[p];
    bool stuck = worker->hit_deadline || core_part_counts(worker->parts[p])->pending > 0;

    for (int e = 0; e < partition->count && !stuck; e++) {
        const struct sim_event *event = &partition->events[e];

        if (was_sent(event) && !is_finished(event) && !event->may_repeat)
            VIOLATION("partition %d offset %" PRId64 " is handed over half done", p, event->offset);
    }
    excuse(p);
}

static void
revoke_step(struct sim_worker *worker)
{
    bool drained = true;

    if (worker->hand_over == DRAINING) {
        for (int p = 0; p < sim.partition_count; p++) {
            if (worker->leaving[p])
                drained = drained && core_is_drained(worker->core, worker->parts[p]);
        }
        if (!drained && sim.now < worker->drain_until_ms)
            return;
        worker->hit_deadline = !drained;
        worker->hand_over = COMMITTING;
        for (int p = 0; p < sim.partition_count; p++) {
            if (worker->leaving[p]) {
                check_hand_over(worker, p);
                core_abandon(worker->core, worker->parts[p]);
            }
        }
    }
    if (worker->commit_out)
        return;
    if (core_commit_is_due(worker->core)) {
        commit_start(worker);
        return;
    }
    for (int p = 0; p < sim.partition_count; p++) {
        if (worker->leaving[p])
            give_up(worker, p);
    }
    worker->hand_over = OWNED;
}

static void
worker_die(struct sim_worker *worker)
{
    int w = (int)(worker - sim.workers);

    for (int p = 0; p < sim.partition_count; p++) {
        if (worker->parts[p]) {
            excuse(p);
            sim.partitions[p].owner = -1;
        }
    }
    for (int i = 0; i < sim.flight_count; i++) {
        if (sim.flights[i].worker == w)
            sim.flights[i].worker = -1;
    }
    core_free(worker->core);
    worker_start(worker);
    sim.crashes++;
}

static void
lose_partitions(struct sim_worker *worker)
{
    for (int p = 0; p < sim.partition_count; p++) {
        if (worker->parts[p] && chance(60)) {
            excuse(p);
            give_up(worker, p);
        }
    }
    if (worker->hand_over != OWNED) {
        worker->hand_over = OWNED;
        for (int p = 0; p < sim.partition_count; p++) {
            if (worker->parts[p] && worker->leaving[p]) {
                excuse(p);
                give_up(worker, p);
            }
        }
    }
}

/* ---- a run ---- */

static void
maybe_disturb(void)
{
    struct sim_worker *worker = &sim.workers[pick(sim.worker_count)];

    if (chance(1) && chance(20))
        worker_die(worker);
    if (chance(1) && chance(30))
        lose_partitions(worker);
    if (chance(2)) {
        for (int p = 0; p < sim.partition_count; p++) {
            if (chance(40))
                sim.partitions[p].target = pick(sim.worker_count);
        }
    }
}

static void
worker_turn(struct sim_worker *worker)
{
    core_tick(worker->core, sim.now);
    commit_answer(worker);
    if (worker->hand_over == OWNED)
        revoke_start(worker);
    if (worker->hand_over != OWNED)
        revoke_step(worker);
    for (int p = 0; p < sim.partition_count; p++) {
        for (int n = pick(6); n > 0 && worker->parts[p] && !worker->leaving[p]; n--)
            worker_read(worker, p);
    }
    worker_send(worker);
    if (!worker->commit_out && sim.now >= worker->commit_next_ms &&
        core_commit_is_due(worker->core))
        commit_start(worker);
    core_check(worker->core);
}

static void
assign_free(void)
{
    for (int p = 0; p < sim.partition_count; p++) {
        struct sim_partition *partition = &sim.partitions[p];

        if (partition->target < 0)
            partition->target = pick(sim.worker_count);
        if (partition->owner < 0 && sim.workers[partition->target].hand_over == OWNED && chance(30))
            assign(partition->target, p);
    }
}

/* Everything is mended, and each worker starts again: what was held comes once more. */
static void
mend(void)
{
    sim.faults = false;
    for (int p = 0; p < sim.partition_count; p++) {
        for (int e = 0; e < sim.partitions[p].count; e++)
            sim.partitions[p].events[e].unmappable = false;
    }
    for (int w = 0; w < sim.worker_count; w++)
        worker_die(&sim.workers[w]);
}

static bool
all_committed(void)
{
    for (int p = 0; p < sim.partition_count; p++) {
        if (sim.partitions[p].committed != sim.partitions[p].end)
            return false;
    }
    return true;
}

static bool
simulate(uint64_t seed)
{
    make_world(seed);
    for (int w = 0; w < sim.worker_count; w++)
        worker_start(&sim.workers[w]);
    while (!sim.violated && (sim.faults || !all_committed())) {
        sim.now += 1 + pick(40);
        if (sim.faults && sim.now > FAULTS_MS)
            mend();
        settle_due();
        if (sim.faults)
            maybe_disturb();
        assign_free();
        for (int w = 0; w < sim.worker_count; w++)
            worker_turn(&sim.workers[w]);
        if (sim.now > HANG_MS)
            VIOLATION("it does not end");
    }
    for (int w = 0; w < sim.worker_count; w++)
        core_free(sim.workers[w].core);
    total_sent += sim.calls_sent;
    total_repeats += sim.repeats;
    total_hand_overs += sim.hand_overs;
    total_crashes += sim.crashes;
    return !sim.violated;
}

int
main(int argc, char **argv)
{
    uint64_t seeds = argc > 1 ? strtoull(argv[1], NULL, 10) : 500;
    uint64_t first = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    uint64_t violations = 0;

    for (uint64_t seed = first; seed < first + seeds; seed++) {
        if (!simulate(seed)) {
            violations++;
            printf("replay: make simulate SEEDS=1 FIRST=%" PRIu64 "\n", seed);
        }
    }
    printf("simulate: calls=%" PRIu64 " repeats=%" PRIu64 " hand_overs=%" PRIu64 " crashes=%" PRIu64
           "\n",
           total_sent, total_repeats, total_hand_overs, total_crashes);
    printf("simulate: seeds=%" PRIu64 " violations=%" PRIu64 "\n", seeds, violations);
    return violations ? 1 : 0;
}
