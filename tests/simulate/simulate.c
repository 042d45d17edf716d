/*
 * Deterministic simulation of delivery: several workers (each a real delivery core), a false Kafka,
 * a false API and a false clock. After every step it asserts what delivery promises:
 *
 * - Conservation: consumed = pending + ended, per partition (core_check).
 *
 * - Offsets: the committed one never passes the first unfinished event, never moves back, and is
 *   stored by the partition's owner only.
 *
 * - Order: a call is sent only when every earlier call of its contact, in its partition, was
 *   delivered or refused; in one worker at most one call of a contact is in flight.
 *
 * - Dead letters: only what is wrong itself becomes one, and it is finished when it is stored.
 *
 * - Retry-After: no request of a worker to an account before the time it was given.
 *
 * - Memory: no more events and bytes pending than the limits, but for one event.
 *
 * - Hand-over: a planned one in which nothing was stuck leaves no event half done and repeats
 *   nothing.
 *
 * - Progress: what a stored commit says, offset and text together, is what is finished by a model
 * of its own, no more, and no less unless the text had to be cut.
 *
 * - Gaps: after one no call starts before a commit that was sent since is answered.
 *
 * - Repeats: after a crash or a loss what a stored commit says is not sent again, and neither is
 *   anything that stands before an event of the same contact that is not; nothing else is ever sent
 *   twice.
 *
 * - Losses: what was finished when a partition was lost is not sent again when it comes back to the
 *   same worker, unless its commit has changed or a partition has changed hands since.
 *
 * And at the end, once the faults are over, that everything was delivered or stored as a dead
 * letter, and committed.
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
#include "delivery/progress.h"

enum {
    PARTITIONS_MAX = 6,
    EVENTS_MAX = 60,
    CALLS_MAX = 3,
    CONTACTS_MAX = 8,
    ACCOUNTS = 2, /* of contact c: c % ACCOUNTS */
    WORKERS_MAX = 3,
    FLIGHTS_MAX = 256,
    FOLDS_MAX = 256, /* calls in a flight */
    HALVES_MAX = 256,
    BYTES_OVER_MAX = 8192 + 2 * CONTACTS_MAX * 1024, /* an event, and what is folded meanwhile */
    DRAIN_MS = 2000,
    LETTERS_MAX = 256,
    FAULTS_MS = 3 * 3600 * 1000, /* how long faults go on, at most */
    RETRY_FOR_MS = 600 * 1000,
    PAYLOAD_MAX = 3000,
    HANG_MS = 48 * 3600 * 1000 /* when a run that does not end is a violation */
};

/* What is wrong with a call itself, whatever the API's state is. */
enum poison {
    SOUND,
    POISON_REFUSED,   /* 422 */
    POISON_FORBIDDEN, /* 403, which looks like a configuration failure */
    POISON_MISSING,   /* 404, which does, too */
    POISON_MOVED,     /* 302, and so does that */
    POISON_THROTTLED, /* 429 with Retry-After, which stops its account */
    POISON_BREAKS     /* 500 each time */
};

struct sim_call {
    int contact, new_contact; /* new_contact: -1 unless it renames */
    enum poison poison;
    bool is_track;
    bool unknown; /* a track whose contact must be created first */
    bool sent, delivered, refused;
    bool going; /* in the flight that is being looked at */
    bool done;  /* by the partition's present owner */
};

struct sim_event {
    int64_t offset;
    struct sim_call calls[CALLS_MAX];
    int call_count;
    int64_t arrives_ms;
    bool unmappable; /* until the rules are mended */
    bool mended;
    bool lettered;   /* stored in the dead-letter topic */
    bool stored;     /* the same, for the partition's present owner */
    bool may_repeat; /* a crash, a loss or a stuck hand-over excuses another sending */
    bool secured;    /* a stored commit says that it is finished */
    bool known;      /* the one that the partition's present owner found did */
};

struct sim_partition {
    struct sim_event events[EVENTS_MAX];
    int count;
    int64_t end;
    int64_t committed;
    char text[PROGRESS_TEXT_MAX]; /* committed with it */
    size_t text_len;
    int owner; /* worker, or -1 */
    int target;
    int last_owner;
    int changes; /* of what is committed */
    /* when it was lost last */
    int lost_by; /* worker, or -1 */
    int64_t lost_era;
    int lost_changes;
    int64_t lost_committed; /* with a text of that length, before the commit that was out */
    size_t lost_text_len;
    uint64_t lost_finished; /* a bit per event */
};

/* What the API does to every call of an account for a while. */
enum mode {
    MODE_FINE,
    MODE_FLAKY,
    MODE_SLOW,
    MODE_OUTAGE,
    MODE_KEY_REFUSED,
    MODE_THROTTLED,
    MODES
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
    struct core_limits limits;
    int64_t not_before_ms[ACCOUNTS]; /* the latest Retry-After it was given */
    bool is_unsure;                  /* of its partitions, after a gap */
    /* the commit that is out */
    bool commit_out, commit_fails, commit_assures;
    int64_t commit_due_ms, commit_next_ms;
    int64_t commit_offsets[PARTITIONS_MAX];
    char commit_texts[PARTITIONS_MAX][PROGRESS_TEXT_MAX];
    size_t commit_text_lens[PARTITIONS_MAX];
    uint64_t commit_finished[PARTITIONS_MAX]; /* a bit per event */
};

struct sim_id {
    int partition, event, call;
};

struct sim_flight {
    struct core_job *job;
    struct core *core;
    int worker;                   /* -1: the worker died */
    struct sim_id ids[FOLDS_MAX]; /* of the calls it stands for, in order */
    int count;
    int64_t due_ms;
    bool creates;
    bool is_half; /* identifys, and their fold's tracks come next */
    struct settlement settlement;
};

/* The identifys of a fold that were delivered, and its tracks are still to come. */
struct sim_half {
    struct core_job *job;
    struct core *core;
    struct sim_id ids[FOLDS_MAX];
    int count;
};

struct sim_letter {
    struct core_event *event;
    struct core *core;
    int worker; /* -1: the worker died */
    int partition, at;
    int64_t due_ms;
    bool fails, abandoned;
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
    struct sim_half halves[HALVES_MAX];
    int half_count;
    struct sim_letter letters[LETTERS_MAX];
    int letter_count;
    enum mode modes[ACCOUNTS];
    int64_t mode_until_ms[ACCOUNTS];
    bool topic_down; /* the dead-letter topic */
    int64_t topic_until_ms, disturb_ms, faults_until_ms;
    int64_t era; /* how often a partition has changed hands */
    bool faults, with_poison, short_texts;
    enum fold_mode fold;
    enum unknown_contact unknown; /* final folds keep their order only where nothing is created */
    bool violated;
    uint64_t calls_sent, repeats, hand_overs, crashes, lettered, folded, halved, reloads, mended;
    uint64_t lost, recalled;
} sim;

static uint64_t total_sent, total_repeats, total_hand_overs, total_crashes, total_lettered,
    total_folded, total_halved, total_reloads, total_mended, total_lost, total_recalled;
static int64_t total_ms;

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

static int
pick_contact(int account)
{
    int contact = pick(sim.contact_count);

    return account < 0 || contact % ACCOUNTS == account ? contact : account;
}

static enum poison
pick_poison(void)
{
    static const enum poison poisons[] = {POISON_REFUSED, POISON_FORBIDDEN, POISON_MISSING,
                                          POISON_MOVED,   POISON_THROTTLED, POISON_BREAKS};

    return poisons[pick((int)ARRAY_LEN(poisons))];
}

static void
make_event(struct sim_event *event, int64_t offset, bool with_poison)
{
    *event = (struct sim_event){.offset = offset, .call_count = pick(CALLS_MAX + 1)};
    event->arrives_ms = chance(30) ? 0 : pick((int)sim.faults_until_ms);
    if (with_poison && chance(4)) {
        event->unmappable = true;
        event->call_count = 1;
    }
    for (int i = 0; i < event->call_count; i++) {
        struct sim_call *call = &event->calls[i];

        call->contact = i && chance(60) ? event->calls[0].contact : pick_contact(-1);
        call->new_contact = chance(6) ? pick_contact(call->contact % ACCOUNTS) : -1;
        call->is_track = call->new_contact < 0 && chance(sim.fold == FOLD_FINAL ? 40 : 5);
        call->unknown = call->is_track && sim.unknown == UNKNOWN_CREATE;
        if (with_poison && chance(2))
            call->poison = pick_poison();
    }
}

static int
later(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return x < y ? -1 : x > y;
}

/* Events of a partition arrive in the order of their offsets. */
static void
sort_arrivals(struct sim_partition *partition)
{
    int64_t arrivals[EVENTS_MAX];

    for (int e = 0; e < partition->count; e++)
        arrivals[e] = partition->events[e].arrives_ms;
    qsort(arrivals, (size_t)partition->count, sizeof(arrivals[0]), later);
    for (int e = 0; e < partition->count; e++)
        partition->events[e].arrives_ms = arrivals[e];
}

static void
make_world(uint64_t seed)
{
    memset(&sim, 0, sizeof(sim));
    sim.seed = seed;
    sim.rng.state = seed * 0x9e3779b97f4a7c15 + 1;
    sim.partition_count = 1 + pick(PARTITIONS_MAX);
    sim.contact_count = 1 + pick(CONTACTS_MAX);
    sim.worker_count = 1 + pick(WORKERS_MAX);
    sim.faults = true;
    sim.faults_until_ms = 60 * 1000 + pick(FAULTS_MS);
    sim.with_poison = chance(60);
    sim.short_texts = chance(20);
    sim.fold = chance(50) ? FOLD_OFF : chance(50) ? FOLD_SAFE : FOLD_FINAL;
    sim.unknown = sim.fold == FOLD_FINAL ? UNKNOWN_DEAD_LETTER : UNKNOWN_CREATE;
    for (int p = 0; p < sim.partition_count; p++) {
        struct sim_partition *partition = &sim.partitions[p];
        int64_t offset = pick(1000);

        partition->owner = partition->target = partition->last_owner = partition->lost_by = -1;
        partition->committed = -1;
        partition->count = 1 + pick(EVENTS_MAX);
        for (int e = 0; e < partition->count; e++) {
            make_event(&partition->events[e], offset, sim.with_poison);
            offset += chance(10) ? 1 + pick(50) : 1; /* compaction, transaction markers */
        }
        partition->end = partition->events[partition->count - 1].offset + 1;
        sort_arrivals(partition);
    }
}

static bool
is_unmappable(const struct sim_event *event)
{
    return event->unmappable && !event->mended;
}

static bool
is_finished(const struct sim_event *event)
{
    if (event->lettered)
        return true;
    for (int i = 0; i < event->call_count; i++) {
        if (!event->calls[i].delivered)
            return false;
    }
    return !is_unmappable(event);
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

/* ---- a model of what is finished ---- */

static uint64_t
contacts_of(const struct sim_event *event)
{
    uint64_t contacts = 0;

    for (int i = 0; i < event->call_count && !is_unmappable(event); i++) {
        contacts |= 1u << event->calls[i].contact;
        if (event->calls[i].new_contact >= 0)
            contacts |= 1u << event->calls[i].new_contact;
    }
    return contacts;
}

/* Whether its owner, who has read it, has nothing more to do for it. */
static bool
has_ended(const struct sim_event *event)
{
    for (int i = 0; i < event->call_count && !event->stored; i++) {
        if (!event->calls[i].done)
            return false;
    }
    return event->stored || !is_unmappable(event);
}

/* A bit for each event of a partition that has ended, and with it all earlier ones that share a
 * contact with it. The first NEXT were read. */
static uint64_t
model_finished(const struct sim_partition *partition, int next)
{
    uint64_t finished = 0, blocked = 0;

    for (int e = 0; e < partition->count; e++) {
        const struct sim_event *event = &partition->events[e];
        uint64_t contacts = contacts_of(event);

        if (event->secured || event->known ||
            (e < next && has_ended(event) && !(contacts & blocked)))
            finished |= (uint64_t)1 << e;
        else
            blocked |= contacts;
    }
    return finished;
}

static uint64_t
binding_of(int p)
{
    return progress_binding("simulation", "simulated", p);
}

/* The same as OFFSET and TEXT say it. */
static uint64_t
said_finished(int p, int64_t offset, const char *text, size_t len)
{
    const struct sim_partition *partition = &sim.partitions[p];
    struct progress progress = {.highest = -1};
    uint64_t finished = 0;
    size_t at = 0;

    if (len && !progress_read(text, len, binding_of(p), offset, &progress))
        VIOLATION("partition %d: the text of its progress cannot be read", p);
    for (int e = 0; e < partition->count; e++) {
        int64_t this = partition->events[e].offset;

        while (at < progress.count && progress.unfinished[at] < this)
            at++;
        if (this < offset ||
            (this <= progress.highest && (at == progress.count || progress.unfinished[at] != this)))
            finished |= (uint64_t)1 << e;
    }
    xfree(progress.unfinished);
    return finished;
}

static void
check_progress(const struct sim_worker *worker, int p, uint64_t said)
{
    const struct sim_partition *partition = &sim.partitions[p];
    uint64_t finished = model_finished(partition, worker->next[p]);

    for (int e = 0; e < partition->count; e++) {
        bool is_said = said >> e & 1, is_finished = finished >> e & 1;

        if (is_said && !is_finished)
            VIOLATION("partition %d: offset %" PRId64 " is said to be finished and is not", p,
                      partition->events[e].offset);
        if (!is_said && is_finished && !sim.short_texts)
            VIOLATION("partition %d: offset %" PRId64 " is finished and not said to be", p,
                      partition->events[e].offset);
    }
}

/* ---- workers ---- */

/* The user of a part: not NULL. */
static void *
user_of(int p)
{
    return &sim.partitions[p];
}

static void
set_accounts(struct sim_worker *worker, bool may_hold)
{
    for (unsigned account = 0; account < ACCOUNTS; account++) {
        struct gate_limits gate = {.max_in_flight = 1 + pick(16),
                                   .rate = chance(20) ? 1 + pick(50) : 0,
                                   .hold = may_hold && chance(10),
                                   .probe_min_ms = 250,
                                   .probe_max_ms = 30000};

        core_set_account(worker->core, account, &gate, sim.unknown, sim.now);
    }
}

static void
worker_start(struct sim_worker *worker)
{
    struct core_limits limits = {.retry_min_ms = 50,
                                 .retry_max_ms = 20000,
                                 .retry_for_ms = RETRY_FOR_MS,
                                 .max_events = 1 + pick(60),
                                 .max_bytes = 4096 + pick(1 << 18),
                                 .fold = sim.fold,
                                 .dead_letters = true,
                                 .budget = 0.05};

    memset(worker, 0, sizeof(*worker));
    worker->limits = limits;
    worker->core = core_new(&limits, rng_next(&sim.rng));
    while (sim.short_texts && core_shorten_progress(worker->core) > 32)
        continue;
    set_accounts(worker, false);
}

/* Another configuration: other limits, holds that come and go, a key that was replaced. */
static void
reload(struct sim_worker *worker)
{
    worker->limits.retry_min_ms = 1 + pick(200);
    worker->limits.retry_max_ms = 1000 + pick(30000);
    worker->limits.fold = sim.fold == FOLD_OFF || chance(30) ? FOLD_OFF : sim.fold;
    worker->limits.budget = chance(20) ? 0 : 0.05;
    core_set_limits(worker->core, &worker->limits);
    set_accounts(worker, sim.faults);
    if (chance(30))
        core_probe_soon(worker->core, (unsigned)pick(ACCOUNTS), sim.now);
    sim.reloads++;
}

static const char *
address_of(struct call *call, char letter, int contact)
{
    char text[64];

    snprintf(text, sizeof(text), "%c%d@example.com", letter, contact);
    return arena_text(&call->arena, text, strlen(text));
}

static void
add_tag(struct call *call, struct text_list *tags, const char *tag)
{
    tags->items = arena_alloc(&call->arena, sizeof(char *));
    tags->items[0] = arena_text(&call->arena, tag, strlen(tag));
    tags->count = 1;
}

/* Its tag is how the false API knows a call again; a rename and the call that creates a contact,
 * which are never folded, by the name of the rule. */
static struct call *
make_call(int p, int e, int c)
{
    const struct sim_call *from = &sim.partitions[p].events[e].calls[c];
    enum call_kind kind = from->is_track ? CALL_TRACK : CALL_IDENTIFY;
    char id[64];
    struct call *call;

    snprintf(id, sizeof(id), "%d %d %d", p, e, c);
    call = call_new(kind, (unsigned)(from->contact % ACCOUNTS), id);
    if (kind == CALL_TRACK) {
        call->track.email = address_of(call, 'c', from->contact);
        add_tag(call, &call->track.add_tags, id);
        return call;
    }
    add_tag(call, &call->identify.tags, id);
    call->identify.email = address_of(call, 'c', from->contact);
    if (from->new_contact >= 0)
        call->identify.new_email = address_of(call, 'C', from->new_contact);
    return call;
}

static void
map_event(struct core *core, struct core_event *event, int p, const struct sim_event *from)
{
    if (is_unmappable(from)) {
        core_refuse(core, event, "cannot be mapped", sim.now);
        return;
    }
    for (int c = 0; c < from->call_count; c++) {
        struct call *call = make_call(p, (int)(from - sim.partitions[p].events), c);

        core_add(core, event, &call);
    }
    core_close(core, event, from->call_count ? EVENT_DELIVERED : EVENT_NO_MATCH, sim.now);
}

/* Whether it read one. */
static bool
worker_read(struct sim_worker *worker, int p)
{
    static const char payload[PAYLOAD_MAX]; /* of no interest to delivery but for its length */
    struct sim_partition *partition = &sim.partitions[p];
    struct sim_event *from = &partition->events[worker->next[p]];
    struct event record = {.topic = "simulated",
                           .partition = p,
                           .timestamp_ms = EVENT_NO_TIME,
                           .payload = payload,
                           .payload_len = (size_t)pick(chance(90) ? 50 : PAYLOAD_MAX)};
    struct core_event *event;

    if (worker->next[p] >= partition->count || from->arrives_ms > sim.now ||
        !core_has_room(worker->core, worker->parts[p], sim.now))
        return false;
    worker->next[p]++;
    record.offset = from->offset;
    event = core_open(worker->core, worker->parts[p], record.offset, &record);
    if (from->secured != !event && !sim.short_texts)
        VIOLATION("partition %d: offset %" PRId64 " is %s", p, from->offset,
                  event ? "not skipped" : "skipped");
    if (!event)
        return true;
    map_event(worker->core, event, p, from);
    return true;
}

static bool
wants_all(void *arg, const struct core_event *event)
{
    (void)arg, (void)event;
    return true;
}

static void
map_again(void *arg, struct core_event *event)
{
    struct sim_worker *worker = arg;
    const struct event *record = core_letter_record(event);
    struct sim_partition *partition = &sim.partitions[record->partition];
    struct sim_event *from = partition->events;

    while (from->offset != record->offset)
        from++;
    if (worker->next[record->partition] != from + 1 - partition->events)
        VIOLATION("partition %d: an event that is held was passed", record->partition);
    from->mended |= chance(50);
    sim.mended += from->mended;
    map_event(worker->core, event, record->partition, from);
}

/* Other rules, which can do with some of what could not be mapped. */
static void
worker_reload(struct sim_worker *worker)
{
    core_map_again(worker->core, wants_all, map_again, worker);
}

static struct sim_call *
call_of(const struct sim_id *id)
{
    return &sim.partitions[id->partition].events[id->event].calls[id->call];
}

static void
check_order(const struct sim_id *id)
{
    struct sim_partition *partition = &sim.partitions[id->partition];
    struct sim_call *call = call_of(id);

    for (int e = 0; e <= id->event; e++) {
        int calls = e == id->event ? id->call : partition->events[e].call_count;

        for (int c = 0; c < calls && !is_unmappable(&partition->events[e]); c++) {
            const struct sim_call *before = &partition->events[e].calls[c];

            if (share_contact(before, call) && !before->delivered && !before->refused &&
                !before->going)
                VIOLATION("partition %d: event %d call %d overtakes event %d call %d",
                          id->partition, id->event, id->call, e, c);
        }
    }
}

/* Whatever comes after it for its contact is to come yet, or again. What was mended may have been
 * on its way to the dead letters at an earlier owner, and others have passed it there. */
static void
check_repeat(const struct sim_id *id)
{
    const struct sim_partition *partition = &sim.partitions[id->partition];

    for (int e = id->event + 1; e < partition->count && !partition->events[id->event].mended; e++) {
        for (int c = 0; c < partition->events[e].call_count; c++) {
            if (partition->events[e].secured && !is_unmappable(&partition->events[e]) &&
                share_contact(&partition->events[e].calls[c], call_of(id)))
                VIOLATION("partition %d: event %d is sent, a later one of its contact not again",
                          id->partition, id->event);
        }
    }
}

/* Whether a flight of WORKER is on its way for a contact of CALL. */
static bool
is_out(int worker, const struct sim_call *call)
{
    for (int i = 0; i < sim.flight_count; i++) {
        const struct sim_flight *other = &sim.flights[i];

        /* What was folded is all of one contact, and none of it renames. */
        if (other->worker == worker && share_contact(call_of(&other->ids[0]), call))
            return true;
    }
    return false;
}

static void
check_call(const struct sim_id *id, const struct sim_worker *worker)
{
    struct sim_event *event = &sim.partitions[id->partition].events[id->event];
    struct sim_call *call = call_of(id);

    if (event->secured)
        VIOLATION("partition %d offset %" PRId64 " is sent again in spite of a stored commit",
                  id->partition, event->offset);
    if (call->delivered) {
        sim.repeats++;
        if (!event->may_repeat)
            VIOLATION("partition %d offset %" PRId64 " call %d is sent twice without a reason",
                      id->partition, event->offset, id->call);
    }
    if (sim.now < worker->not_before_ms[call->contact % ACCOUNTS])
        VIOLATION("a call starts %" PRId64 " ms before Retry-After",
                  worker->not_before_ms[call->contact % ACCOUNTS] - sim.now);
    if (is_out((int)(worker - sim.workers), call))
        VIOLATION("two calls of one contact are in flight");
    check_order(id);
    check_repeat(id);
}

static void
check_sending(const struct sim_flight *flight, const struct sim_worker *worker)
{
    for (int i = 0; i < flight->count; i++) {
        check_call(&flight->ids[i], worker);
        call_of(&flight->ids[i])->going = true;
    }
    for (int i = 0; i < flight->count; i++) {
        call_of(&flight->ids[i])->going = false;
        call_of(&flight->ids[i])->sent = true;
    }
    sim.folded += (uint64_t)(flight->count - 1);
}

static struct settlement
reply_to_call(const struct sim_call *call)
{
    static const struct settlement done = {.verdict = VERDICT_DONE, .status = 200};

    /* At the end everything is mended but what is refused for good: what always breaks would look
     * like an outage once nothing else is left. */
    switch (sim.faults || call->poison == POISON_REFUSED ? call->poison : SOUND) {
    case POISON_REFUSED:
        return (struct settlement){.verdict = VERDICT_PERMANENT, .status = 422, .reason = "no"};
    case POISON_FORBIDDEN:
        return (struct settlement){.verdict = VERDICT_CONFIGURATION, .status = 403};
    case POISON_MISSING:
        return (struct settlement){.verdict = VERDICT_CONFIGURATION, .status = 404};
    case POISON_MOVED:
        return (struct settlement){.verdict = VERDICT_CONFIGURATION, .status = 302};
    case POISON_THROTTLED:
        return (struct settlement){.verdict = VERDICT_THROTTLED,
                                   .status = 429,
                                   .congestion = true,
                                   .not_before_ms = sim.now + 10000 + pick(50000)};
    case POISON_BREAKS:
        return (struct settlement){.verdict = VERDICT_TRANSIENT, .status = 500};
    default:
        return done;
    }
}

/* What is wrong with one call of a flight is wrong with all of it. */
static struct settlement
reply_to(const struct sim_flight *flight)
{
    struct settlement reply = {.verdict = VERDICT_DONE, .status = 200};

    if (flight->creates)
        return reply;
    if (call_of(&flight->ids[0])->unknown)
        return (struct settlement){.verdict = VERDICT_UNKNOWN_CONTACT, .status = 404};
    for (int i = 0; i < flight->count && reply.verdict == VERDICT_DONE; i++)
        reply = reply_to_call(call_of(&flight->ids[i]));
    return reply;
}

/* What the account's state makes of it. Lost replies are among the flaky ones. */
static void
answer(struct sim_flight *flight)
{
    int account = call_of(&flight->ids[0])->contact % ACCOUNTS;

    flight->due_ms = sim.now + 1 + pick(chance(90) ? 100 : 1000);
    flight->settlement = reply_to(flight);
    switch (sim.faults ? sim.modes[account] : MODE_FINE) {
    case MODE_FLAKY:
        if (chance(15))
            flight->settlement = (struct settlement){.verdict = VERDICT_TRANSIENT, .status = 500};
        break;
    case MODE_SLOW:
        flight->due_ms += pick(30000);
        if (flight->due_ms > sim.now + 25000)
            flight->settlement =
                (struct settlement){.verdict = VERDICT_TRANSIENT, .congestion = true};
        break;
    case MODE_OUTAGE:
        flight->settlement = (struct settlement){
            .verdict = VERDICT_TRANSIENT, .status = 503, .congestion = chance(50)};
        break;
    case MODE_KEY_REFUSED:
        flight->settlement = (struct settlement){.verdict = VERDICT_CONFIGURATION, .status = 401};
        break;
    case MODE_THROTTLED:
        if (chance(60))
            flight->settlement =
                (struct settlement){.verdict = VERDICT_THROTTLED,
                                    .status = 429,
                                    .congestion = true,
                                    .not_before_ms = flight->due_ms + 1 + pick(60000)};
        break;
    default:
        break;
    }
    if (sim.faults && chance(1)) /* broken off by us: it may have had its effect */
        flight->settlement = (struct settlement){.verdict = VERDICT_TRANSIENT, .aborted = true};
}

static void
read_ids(struct sim_flight *flight, const struct call *call)
{
    const struct text_list *tags =
        call->kind == CALL_IDENTIFY ? &call->identify.tags : &call->track.add_tags;
    struct sim_id *ids = flight->ids;

    sscanf(call->rule, "%d %d %d", &ids[0].partition, &ids[0].event, &ids[0].call);
    flight->count = 1;
    for (size_t i = 1; i < tags->count; i++) {
        struct sim_id *id = &ids[flight->count++];

        sscanf(tags->items[i], "%d %d %d", &id->partition, &id->event, &id->call);
    }
}

static void
count_ending(void *arg, const struct call *call, const struct event *record)
{
    (void)call;
    (void)record;
    (*(int *)arg)++;
}

/* A request that waited for its connection is about to go out, or one that has is about to once
 * more. */
static void
go_out_late(const struct sim_worker *worker)
{
    struct sim_flight *flight = &sim.flights[pick(sim.flight_count)];
    bool again = chance(50);
    int64_t not_before_ms;

    if (flight->worker != (int)(worker - sim.workers) ||
        !core_may_send(flight->core, flight->job, again, sim.now))
        return;
    flight->settlement.sends += again;
    not_before_ms = worker->not_before_ms[call_of(&flight->ids[0])->contact % ACCOUNTS];
    if (sim.now < not_before_ms)
        VIOLATION("a call goes out %" PRId64 " ms before Retry-After", not_before_ms - sim.now);
    if (worker->is_unsure)
        VIOLATION("a call goes out after a gap before a commit was answered");
}

static bool
worker_send(struct sim_worker *worker)
{
    struct core_job *job;
    bool sent = false;

    while (sim.flight_count < FLIGHTS_MAX && (job = core_next(worker->core, sim.now))) {
        const struct call *from = core_job_call(job);
        struct sim_flight *flight = &sim.flights[sim.flight_count];
        int ending = 0; /* calls that end if this is delivered */

        core_job_each(job, count_ending, &ending);
        flight->job = job;
        flight->core = worker->core;
        flight->worker = (int)(worker - sim.workers);
        read_ids(flight, from);
        flight->creates = from->kind == CALL_IDENTIFY && call_of(&flight->ids[0])->is_track;
        flight->is_half = !flight->creates && !ending;
        check_sending(flight, worker);
        if (worker->is_unsure)
            VIOLATION("a call starts after a gap before a commit was answered");
        answer(flight);
        sim.calls_sent++;
        sim.flight_count++;
        sent = true;
    }
    if (sim.flight_count && chance(20))
        go_out_late(worker);
    return sent;
}

/* A contact that was created is there for all of its calls. */
static void
note_created(int contact)
{
    for (int p = 0; p < sim.partition_count; p++) {
        for (int e = 0; e < sim.partitions[p].count; e++) {
            for (int c = 0; c < sim.partitions[p].events[e].call_count; c++) {
                struct sim_call *call = &sim.partitions[p].events[e].calls[c];

                call->unknown &= call->contact != contact;
            }
        }
    }
}

static void
note_delivered(const struct sim_flight *flight)
{
    if (flight->creates)
        note_created(call_of(&flight->ids[0])->contact);
    for (int i = 0; i < flight->count && !flight->creates; i++)
        call_of(&flight->ids[i])->delivered = true;
}

/* Whether the calls of FLIGHT that were not given back have ended well. */
static bool
ends(enum settled settled, const struct sim_flight *flight)
{
    return settled == SETTLED_DONE || settled == SETTLED_SKIPPED ||
           (settled == SETTLED_FORGOTTEN && flight->settlement.verdict == VERDICT_DONE &&
            !flight->creates && !flight->is_half);
}

/* ---- folds of which a half was delivered ---- */

/* What took the fold apart has its identifys sent again. */
static void
excuse_calls(const struct sim_id *ids, int count)
{
    for (int i = 0; i < count; i++)
        sim.partitions[ids[i].partition].events[ids[i].event].may_repeat = true;
}

static void
drop_half(struct sim_half *half)
{
    *half = sim.halves[--sim.half_count];
}

static struct sim_half *
find_half(const struct sim_flight *flight)
{
    for (int i = 0; i < sim.half_count; i++) {
        if (sim.halves[i].job == flight->job && sim.halves[i].core == flight->core)
            return &sim.halves[i];
    }
    return NULL;
}

static void
note_half(const struct sim_flight *flight)
{
    struct sim_half half = {.job = flight->job, .core = flight->core, .count = flight->count};

    memcpy(half.ids, flight->ids, (size_t)flight->count * sizeof(half.ids[0]));
    sim.halved++;
    if (core_job_folded(flight->job) == 0 || sim.half_count == HALVES_MAX)
        excuse_calls(half.ids, half.count); /* a part of it was given back meanwhile */
    else
        sim.halves[sim.half_count++] = half;
}

static bool
is_in_flight(const struct sim_half *half)
{
    for (int i = 0; i < sim.flight_count; i++) {
        if (sim.flights[i].job == half->job && sim.flights[i].core == half->core &&
            sim.flights[i].worker >= 0)
            return true;
    }
    return false;
}

/* CORE is about to give up partition P (NULL: has done so): folds that wait for their second half
 * are taken apart by that. What is on its way goes on. */
static void
break_halves(const struct core *core, const void *p)
{
    for (int i = 0; i < sim.half_count; i++) {
        struct sim_half *half = &sim.halves[i];

        if (half->core != core || is_in_flight(half) ||
            (p ? core_job_user(half->job) != p : core_job_folded(half->job) > 0))
            continue;
        excuse_calls(half->ids, half->count);
        drop_half(&sim.halves[i--]);
    }
}

static void
forget_halves(const struct core *core)
{
    for (int i = 0; i < sim.half_count; i++) {
        if (sim.halves[i].core == core)
            drop_half(&sim.halves[i--]);
    }
}

static void
mark_done(const struct sim_id *ids, int count, const bool is_of[PARTITIONS_MAX])
{
    for (int i = 0; i < count; i++)
        call_of(&ids[i])->done |= is_of[ids[i].partition];
}

/* Its second half was broken off by us and is sent again by itself. */
static bool
goes_on_halfway(const struct sim_flight *flight, enum settled settled)
{
    return flight->settlement.aborted && settled == SETTLED_WAITING &&
           core_job_folded(flight->job) > 0;
}

static void
settle(struct sim_flight *flight)
{
    struct sim_call *first = call_of(&flight->ids[0]);
    int64_t *not_before_ms = &sim.workers[flight->worker].not_before_ms[first->contact % ACCOUNTS];
    struct sim_half *half = find_half(flight);
    bool is_of[PARTITIONS_MAX]; /* still: what was given back is not done */
    enum settled settled;

    if (flight->settlement.verdict == VERDICT_DONE)
        note_delivered(flight);
    if (flight->settlement.not_before_ms > *not_before_ms)
        *not_before_ms = flight->settlement.not_before_ms;
    for (int p = 0; p < PARTITIONS_MAX; p++)
        is_of[p] = core_job_is_of(flight->job, user_of(p));
    settled = core_settle(flight->core, flight->job, &flight->settlement, sim.now);
    if (ends(settled, flight))
        mark_done(flight->ids, flight->count, is_of);
    if (half && ends(settled, flight))
        mark_done(half->ids, half->count, is_of);
    else if (half && !goes_on_halfway(flight, settled))
        excuse_calls(half->ids, half->count);
    if (half && !goes_on_halfway(flight, settled))
        drop_half(half);
    if (settled == SETTLED_HALFWAY)
        note_half(flight);
    else if (flight->is_half)
        excuse_calls(flight->ids, flight->count);
    if (settled == SETTLED_FAILED || settled == SETTLED_REFUSED) {
        if (first->poison == SOUND)
            VIOLATION("a sound call is refused: partition %d event %d call %d",
                      flight->ids[0].partition, flight->ids[0].event, flight->ids[0].call);
        first->refused = true;
    }
}

static void
settle_due(void)
{
    for (int i = 0; i < sim.flight_count; i++) {
        static struct sim_flight flight;

        if (sim.flights[i].due_ms > sim.now)
            continue;
        flight = sim.flights[i];
        sim.flights[i--] = sim.flights[--sim.flight_count];
        if (flight.worker >= 0)
            settle(&flight);
    }
}

/* ---- dead letters ---- */

static void
check_letter(const struct sim_letter *letter)
{
    const struct sim_event *event = &sim.partitions[letter->partition].events[letter->at];
    const struct core_failure *failures;
    size_t count = core_letter_failures(letter->event, &failures);

    if (!count && !(core_letter_reason(letter->event) && event->unmappable))
        VIOLATION("a dead letter without a reason");
    for (size_t i = 0; i < count; i++) {
        if (event->calls[failures[i].index].poison == SOUND)
            VIOLATION("a sound call becomes a dead letter");
    }
}

static bool
worker_write_letters(struct sim_worker *worker)
{
    struct core_event *event;
    bool wrote = false;

    while (sim.letter_count < LETTERS_MAX && (event = core_letter_next(worker->core, sim.now))) {
        const struct event *record = core_letter_record(event);
        struct sim_letter letter = {.event = event,
                                    .core = worker->core,
                                    .worker = (int)(worker - sim.workers),
                                    .partition = record->partition,
                                    .due_ms = sim.now + 1 + pick(20),
                                    .fails = sim.faults && (sim.topic_down || chance(2))};

        while (sim.partitions[letter.partition].events[letter.at].offset != record->offset)
            letter.at++;
        check_letter(&letter);
        sim.letters[sim.letter_count++] = letter;
        wrote = true;
    }
    return wrote;
}

static void
letters_due(void)
{
    for (int i = 0; i < sim.letter_count; i++) {
        struct sim_letter letter = sim.letters[i];

        if (letter.due_ms > sim.now)
            continue;
        sim.letters[i--] = sim.letters[--sim.letter_count];
        if (letter.worker < 0)
            continue;
        if (!letter.fails) {
            struct sim_event *event = &sim.partitions[letter.partition].events[letter.at];

            event->lettered = true;
            event->stored |= !letter.abandoned;
            sim.lettered++;
        }
        core_letter_done(letter.core, letter.event,
                         !letter.fails ? LETTER_STORED
                         : chance(10)  ? LETTER_TOO_LARGE
                                       : LETTER_FAILED,
                         sim.now);
    }
}

/* ---- the false Kafka ---- */

static void
store_offset(const struct sim_worker *worker, int p)
{
    int64_t offset = worker->commit_offsets[p];
    struct sim_partition *partition = &sim.partitions[p];

    if (offset < partition->committed)
        VIOLATION("partition %d: the committed offset moves back from %" PRId64 " to %" PRId64, p,
                  partition->committed, offset);
    for (int e = 0; e < partition->count && partition->events[e].offset < offset; e++) {
        if (!is_finished(&partition->events[e]))
            VIOLATION("partition %d: %" PRId64 " is committed, %" PRId64 " is not finished", p,
                      offset, partition->events[e].offset);
    }
    partition->changes++;
    partition->committed = offset;
    partition->text_len = worker->commit_text_lens[p];
    memcpy(partition->text, worker->commit_texts[p], partition->text_len);
    for (int e = 0; e < partition->count; e++)
        partition->events[e].secured = worker->commit_finished[p] >> e & 1;
}

/* What the core wants to be committed for a partition; where that is nothing, nothing is new. */
static void
take_offset(struct sim_worker *worker, int p, const struct core_offset *offset)
{
    size_t len = offset->metadata ? strlen(offset->metadata) : 0;

    worker->commit_offsets[p] = offset->offset;
    worker->commit_text_lens[p] = len;
    if (len)
        memcpy(worker->commit_texts[p], offset->metadata, len);
    worker->commit_finished[p] = said_finished(p, offset->offset, offset->metadata, len);
    check_progress(worker, p, worker->commit_finished[p]);
}

static void
check_nothing_new(const struct sim_worker *worker, int p)
{
    const struct sim_partition *partition = &sim.partitions[p];

    check_progress(worker, p,
                   said_finished(p, partition->committed, partition->text, partition->text_len));
}

static void
commit_start(struct sim_worker *worker)
{
    struct core_offset offsets[PARTITIONS_MAX];
    size_t count = core_commit(worker->core, offsets, PARTITIONS_MAX);

    for (int p = 0; p < sim.partition_count; p++)
        worker->commit_offsets[p] = -1;
    for (size_t i = 0; i < count; i++)
        take_offset(worker, (int)((struct sim_partition *)offsets[i].user - sim.partitions),
                    &offsets[i]);
    for (int p = 0; p < sim.partition_count; p++) {
        if (worker->parts[p] && worker->commit_offsets[p] < 0)
            check_nothing_new(worker, p);
    }
    if (!count)
        return;
    worker->commit_out = true;
    worker->commit_assures = true;
    worker->commit_fails = sim.faults && chance(10);
    worker->commit_due_ms = sim.now + 1 + pick(50);
    worker->commit_next_ms = sim.now + 1 + pick(300);
}

static void lose_partitions(struct sim_worker *worker, unsigned percent);

/* The group has put the worker out, which it learns by the answer to a commit; that may have been
 * stored nevertheless. */
static void
commit_loses(struct sim_worker *worker)
{
    lose_partitions(worker, 100);
    worker->commit_out = false;
    core_committed(worker->core, false);
}

static void
commit_answer(struct sim_worker *worker)
{
    if (!worker->commit_out || worker->commit_due_ms > sim.now)
        return;
    if (worker->commit_fails && sim.faults && chance(10)) {
        commit_loses(worker);
        return;
    }
    worker->commit_out = false;
    for (int p = 0; p < sim.partition_count && !worker->commit_fails; p++) {
        if (worker->commit_offsets[p] < 0)
            continue;
        if (sim.partitions[p].owner != worker - sim.workers)
            worker->commit_fails = true;  /* the broker fences a member that lost it */
        else if (sim.faults && chance(2)) /* this one may not be written just now */
            core_commit_refused(worker->core, worker->parts[p]);
        else
            store_offset(worker, p);
    }
    core_committed(worker->core, !worker->commit_fails);
    worker->is_unsure &= worker->commit_fails || !worker->commit_assures;
}

/* What a stored commit does not say to be finished may come again. */
static void
excuse(int p)
{
    struct sim_partition *partition = &sim.partitions[p];

    for (int e = 0; e < partition->count; e++)
        partition->events[e].may_repeat = true;
}

/* Those on their way are of an assignment that is over. */
static void
abandon_letters(const struct sim_worker *worker, int p)
{
    for (int i = 0; i < sim.letter_count; i++) {
        if (sim.letters[i].worker == worker - sim.workers && sim.letters[i].partition == p)
            sim.letters[i].abandoned = true;
    }
}

static void
give_up(struct sim_worker *worker, int p, bool lost)
{
    abandon_letters(worker, p);
    break_halves(worker->core, user_of(p));
    if (lost)
        core_lose(worker->core, worker->parts[p], sim.era);
    else
        core_release(worker->core, worker->parts[p]);
    break_halves(worker->core, NULL);
    worker->parts[p] = NULL;
    worker->leaving[p] = false;
    worker->is_unsure &= core_is_doubted(worker->core);
    if (worker->commit_out && worker->commit_offsets[p] >= 0)
        worker->commit_fails = true; /* of a generation that is over: the broker refuses it */
    sim.partitions[p].owner = -1;
}

/* What its worker has finished of a partition that is lost now, and may be stored after all. */
static void
lose(struct sim_worker *worker, int p)
{
    struct sim_partition *partition = &sim.partitions[p];

    excuse(p);
    partition->lost_finished = model_finished(partition, worker->next[p]);
    partition->lost_committed = partition->committed;
    partition->lost_text_len = partition->text_len;
    if (worker->commit_out && worker->commit_offsets[p] >= 0 && chance(50))
        store_offset(worker, p);
    give_up(worker, p, true);
    partition->lost_by = (int)(worker - sim.workers);
    partition->lost_era = sim.era;
    partition->lost_changes = partition->changes;
    sim.lost++;
}

/* What is finished is what the commit says and, when it is back and nothing has happened since,
 * what its worker remembers. */
static void
secure(int w, int p)
{
    struct sim_partition *partition = &sim.partitions[p];
    int64_t committed = partition->committed;
    uint64_t finished =
        committed >= 0 ? said_finished(p, committed, partition->text, partition->text_len) : 0;

    if (committed >= 0 && partition->lost_by == w && partition->lost_era == sim.era &&
        partition->lost_changes == partition->changes) {
        sim.recalled += (finished | partition->lost_finished) != finished;
        finished |= partition->lost_finished;
    }
    for (int e = 0; e < partition->count; e++)
        partition->events[e].secured = finished >> e & 1;
    partition->lost_by = -1;
}

static void
assign(int w, int p)
{
    struct sim_partition *partition = &sim.partitions[p];
    struct sim_worker *worker = &sim.workers[w];
    int64_t start = partition->committed >= 0 ? partition->committed : partition->events[0].offset;
    struct progress progress;
    bool found;
    int next = 0;

    sim.era += partition->last_owner != w;
    partition->last_owner = w;
    core_forget_lost(worker->core, sim.era);
    secure(w, p);

    while (next < partition->count && partition->events[next].offset < start)
        next++;
    worker->next[p] = next;
    worker->parts[p] = core_assign(worker->core, start, partition->committed, user_of(p));
    found = progress_read(partition->text, partition->text_len, binding_of(p), start, &progress);
    core_part_bind(worker->parts[p], binding_of(p), found ? &progress : NULL);
    core_part_recall(worker->core, worker->parts[p], partition->text, partition->text_len);
    for (int e = 0; e < partition->count; e++) {
        partition->events[e].stored = false;
        partition->events[e].known = partition->events[e].secured;
        for (int c = 0; c < CALLS_MAX; c++)
            partition->events[e].calls[c].done = false;
    }
    partition->owner = w;
}

/* EVERYTHING: as for a stop. Another one may come while the first is draining. */
static void
revoke_start(struct sim_worker *worker, bool everything)
{
    struct core_part *parts[PARTITIONS_MAX];
    size_t count = 0;

    for (int p = 0; p < sim.partition_count; p++) {
        if (worker->parts[p] && !worker->leaving[p] &&
            (everything || sim.partitions[p].target != worker - sim.workers)) {
            worker->leaving[p] = true;
            parts[count++] = worker->parts[p];
        }
    }
    if (!count)
        return;
    if (everything)
        core_revoke_all(worker->core);
    else
        core_revoke(worker->core, parts, count);
    if (worker->hand_over == OWNED)
        worker->drain_until_ms = sim.now + DRAIN_MS;
    worker->hand_over = DRAINING;
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

/* In a planned hand-over in which nothing was stuck, an event is whole or untouched, and nothing
 * comes again. Only what is wrong itself can be stuck. */
static void
check_hand_over(struct sim_worker *worker, int p)
{
    const struct sim_partition *partition = &sim.partitions[p];
    bool is_empty = !core_part_counts(worker->parts[p])->pending;

    for (int e = 0; e < partition->count && !worker->hit_deadline && is_empty; e++) {
        const struct sim_event *event = &partition->events[e];

        if (was_sent(event) && !is_finished(event) && !event->may_repeat)
            VIOLATION("partition %d offset %" PRId64 " is handed over half done", p, event->offset);
    }
    if (!is_empty && !worker->hit_deadline && !sim.with_poison)
        VIOLATION("partition %d is handed over before it is drained", p);
    if (!is_empty || sim.short_texts)
        excuse(p);
}

static void
abandon(struct sim_worker *worker, int p)
{
    abandon_letters(worker, p);
    break_halves(worker->core, user_of(p));
    core_abandon(worker->core, worker->parts[p]);
    break_halves(worker->core, NULL);
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
                abandon(worker, p);
            }
        }
    }
    if (worker->commit_out)
        return;
    for (int p = 0; p < sim.partition_count; p++) {
        if (worker->leaving[p] && !core_part_is_committed(worker->parts[p])) {
            commit_start(worker);
            return;
        }
    }
    for (int p = 0; p < sim.partition_count; p++) {
        if (worker->leaving[p])
            give_up(worker, p, false);
    }
    worker->hand_over = OWNED;
}

static void
worker_die(struct sim_worker *worker)
{
    int w = (int)(worker - sim.workers);

    /* The broker may have stored the commit that was out. */
    for (int p = 0; p < sim.partition_count && worker->commit_out && chance(50); p++) {
        if (worker->parts[p] && worker->commit_offsets[p] >= 0)
            store_offset(worker, p);
    }
    for (int p = 0; p < sim.partition_count; p++) {
        if (worker->parts[p]) {
            excuse(p);
            sim.partitions[p].owner = -1;
        }
        if (sim.partitions[p].lost_by == w)
            sim.partitions[p].lost_by = -1;
    }
    for (int i = 0; i < sim.flight_count; i++) {
        if (sim.flights[i].worker == w)
            sim.flights[i].worker = -1;
    }
    for (int i = 0; i < sim.letter_count; i++) {
        if (sim.letters[i].worker == w)
            sim.letters[i].worker = -1;
    }
    forget_halves(worker->core);
    core_free(worker->core);
    worker_start(worker);
    sim.crashes++;
}

static void
lose_partitions(struct sim_worker *worker, unsigned percent)
{
    for (int p = 0; p < sim.partition_count; p++) {
        if (worker->parts[p] && chance(percent))
            lose(worker, p);
    }
    if (worker->hand_over != OWNED) {
        worker->hand_over = OWNED;
        for (int p = 0; p < sim.partition_count; p++) {
            if (worker->parts[p] && worker->leaving[p])
                lose(worker, p);
        }
    }
}

/* A gap: it cannot know whether its partitions are its own. What has waited for a connection all
 * the while is not sent. */
static void
doubt(struct sim_worker *worker)
{
    for (int i = 0; i < sim.flight_count; i++) {
        struct sim_flight *flight = &sim.flights[i];

        if (flight->worker != (int)(worker - sim.workers) || chance(50))
            continue;
        flight->settlement = (struct settlement){.verdict = VERDICT_TRANSIENT, .aborted = true};
        flight->due_ms = sim.now;
    }
    core_doubt(worker->core);
    worker->is_unsure = core_is_doubted(worker->core);
    worker->commit_assures = false;
}

/* ---- a run ---- */

static void
disturb(void)
{
    struct sim_worker *worker = &sim.workers[pick(sim.worker_count)];

    if (chance(10))
        worker_die(worker);
    else if (chance(20))
        lose_partitions(worker, 60);
    else if (chance(10))
        doubt(worker);
    else if (chance(10) && worker->hand_over != COMMITTING)
        revoke_start(worker, true);
    else if (chance(20))
        reload(worker);
    else if (chance(5))
        (void)core_admit_all(worker->core, sim.now);
    for (int p = 0; p < sim.partition_count; p++) {
        if (chance(40))
            sim.partitions[p].target = pick(sim.worker_count);
    }
    sim.disturb_ms = sim.now + 1 + pick(chance(50) ? 2000 : 1200 * 1000);
}

static void
change_modes(void)
{
    for (int account = 0; account < ACCOUNTS; account++) {
        if (sim.now < sim.mode_until_ms[account])
            continue;
        sim.modes[account] = chance(50) ? MODE_FINE : (enum mode)pick(MODES);
        sim.mode_until_ms[account] = sim.now + 1 + pick(chance(50) ? 30 * 1000 : 2400 * 1000);
    }
    if (sim.now >= sim.topic_until_ms) {
        sim.topic_down = chance(20);
        sim.topic_until_ms = sim.now + 1 + pick(600 * 1000);
    }
}

static void
check_memory(const struct sim_worker *worker)
{
    struct core_gauges gauges;

    core_gauges(worker->core, &gauges);
    if ((int64_t)gauges.events > worker->limits.max_events ||
        gauges.bytes > worker->limits.max_bytes + BYTES_OVER_MAX)
        VIOLATION("%zu events and %" PRId64 " bytes are pending", gauges.events, gauges.bytes);
}

static bool
reads_something(struct sim_worker *worker)
{
    bool read = false;

    for (int p = 0; p < sim.partition_count; p++) {
        for (int n = pick(6); n >= 0 && worker->parts[p] && !worker->leaving[p]; n--)
            read |= worker_read(worker, p);
    }
    return read;
}

static void
worker_turn(struct sim_worker *worker)
{
    core_tick(worker->core, sim.now);
    commit_answer(worker);
    if (worker->hand_over == OWNED || (worker->hand_over == DRAINING && chance(30)))
        revoke_start(worker, false);
    if (worker->hand_over != OWNED)
        revoke_step(worker);
    reads_something(worker);
    worker_send(worker);
    worker_write_letters(worker);
    if (chance(10))
        worker_reload(worker);
    if (!worker->commit_out && sim.now >= worker->commit_next_ms &&
        core_commit_is_due(worker->core))
        commit_start(worker);
    core_check(worker->core);
    check_memory(worker);
}

static void
earlier(int64_t *due_ms, int64_t other_ms)
{
    if (other_ms < *due_ms)
        *due_ms = other_ms;
}

/* When the next thing happens, so that hours pass in no time. */
static int64_t
next_ms(void)
{
    int64_t due_ms = sim.faults ? sim.faults_until_ms : HANG_MS + 1;

    for (int i = 0; i < sim.flight_count; i++)
        earlier(&due_ms, sim.flights[i].due_ms);
    for (int i = 0; i < sim.letter_count; i++)
        earlier(&due_ms, sim.letters[i].due_ms);
    for (int a = 0; a < ACCOUNTS && sim.faults; a++)
        earlier(&due_ms, sim.mode_until_ms[a]);
    if (sim.faults)
        earlier(&due_ms, sim.disturb_ms);
    for (int w = 0; w < sim.worker_count; w++) {
        struct sim_worker *worker = &sim.workers[w];

        earlier(&due_ms, core_deadline(worker->core, sim.now));
        if (worker->commit_out)
            earlier(&due_ms, worker->commit_due_ms);
        else if (core_commit_is_due(worker->core))
            earlier(&due_ms, worker->commit_next_ms);
        if (worker->hand_over == DRAINING)
            earlier(&due_ms, worker->drain_until_ms);
        else if (worker->hand_over == COMMITTING)
            earlier(&due_ms, sim.now + 1);
    }
    for (int p = 0; p < sim.partition_count; p++) {
        const struct sim_partition *partition = &sim.partitions[p];
        int w = partition->owner;

        if (w < 0 || w != partition->target)
            earlier(&due_ms, sim.now + 1 + pick(20));
        else if (sim.workers[w].next[p] < partition->count &&
                 core_has_room(sim.workers[w].core, sim.workers[w].parts[p], sim.now))
            earlier(&due_ms, partition->events[sim.workers[w].next[p]].arrives_ms);
    }
    return due_ms > sim.now ? due_ms : sim.now + 1;
}

/* An operator sets the offset of a partition that nobody has. */
static void
set_back(int p)
{
    struct sim_partition *partition = &sim.partitions[p];
    int64_t offset = partition->events[pick(partition->count)].offset;

    if (partition->committed < 0 || offset > partition->committed)
        offset = partition->committed;
    if (offset < 0 || (offset == partition->committed && !partition->text_len))
        return; /* which would change nothing */
    partition->committed = offset;
    partition->text_len = 0;
    partition->changes++;
    excuse(p);
    /* To exactly what was there before, so that nothing shows it. Kafka allows this only while
     * nobody is in the group, which those who were in it notice. */
    sim.era += offset == partition->lost_committed && !partition->lost_text_len;
}

static void
assign_free(void)
{
    for (int p = 0; p < sim.partition_count; p++) {
        struct sim_partition *partition = &sim.partitions[p];

        if (partition->target < 0)
            partition->target = pick(sim.worker_count);
        if (partition->owner < 0 && sim.faults && chance(1))
            set_back(p);
        if (partition->owner < 0 && sim.workers[partition->target].hand_over == OWNED && chance(30))
            assign(partition->target, p);
    }
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

/* No hold is left either. */
static void
end_faults(void)
{
    sim.faults = false;
    for (int w = 0; w < sim.worker_count; w++)
        reload(&sim.workers[w]);
}

static bool
simulate(uint64_t seed)
{
    make_world(seed);
    for (int w = 0; w < sim.worker_count; w++)
        worker_start(&sim.workers[w]);
    while (!sim.violated && (sim.faults || !all_committed())) {
        sim.now = next_ms();
        if (sim.faults && sim.now >= sim.faults_until_ms)
            end_faults();
        settle_due();
        letters_due();
        if (sim.faults)
            change_modes();
        if (sim.faults && sim.now >= sim.disturb_ms)
            disturb();
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
    total_mended += sim.mended;
    total_lost += sim.lost;
    total_recalled += sim.recalled;
    total_hand_overs += sim.hand_overs;
    total_crashes += sim.crashes;
    total_lettered += sim.lettered;
    total_folded += sim.folded;
    total_halved += sim.halved;
    total_reloads += sim.reloads;
    total_ms += sim.now;
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
    printf("simulate: hours=%" PRId64 " calls=%" PRIu64 " repeats=%" PRIu64 " hand_overs=%" PRIu64
           " crashes=%" PRIu64 " dead_letters=%" PRIu64 " folded=%" PRIu64 " halved=%" PRIu64
           " reloads=%" PRIu64 " mended=%" PRIu64 " lost=%" PRIu64 " recalled=%" PRIu64 "\n",
           total_ms / 3600000, total_sent, total_repeats, total_hand_overs, total_crashes,
           total_lettered, total_folded, total_halved, total_reloads, total_mended, total_lost,
           total_recalled);
    printf("simulate: seeds=%" PRIu64 " violations=%" PRIu64 "\n", seeds, violations);
    return violations ? 1 : 0;
}
