#include "delivery/core.h"

#include <assert.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "delivery/core_state.h"
#include "delivery/retry.h"

const char *
event_outcome_name(enum event_outcome outcome)
{
#define X(id, name, doc) name,
    static const char *const names[] = {EVENT_OUTCOME_TABLE(X)};
#undef X

    assert((size_t)outcome < ARRAY_LEN(names));
    return names[outcome];
}

struct core *
core_new(const struct core_limits *limits, uint64_t seed)
{
    struct core *core = xcalloc(1, sizeof(*core));

    core->limits = *limits;
    core->rng.state = seed;
    lanes_init(&core->lanes, rng_next(&core->rng));
    heap_init(&core->timers);
    list_init(&core->parts);
    list_init(&core->held);
    buf_init(&core->key, CONTACT_KEY_MAX);
    return core;
}

static struct core_account *
account_of(struct core *core, unsigned account)
{
    while (account >= core->account_count) {
        struct core_account *queue = xcalloc(1, sizeof(*queue));

        list_init(&queue->ready);
        list_init(&queue->in_flight);
        core->accounts = xgrow(core->accounts, core->account_count, &core->account_cap,
                               sizeof(core->accounts[0]));
        core->accounts[core->account_count++] = queue;
    }
    return core->accounts[account];
}

void
core_set_account(struct core *core, unsigned account, int max_in_flight)
{
    account_of(core, account)->max_in_flight = max_in_flight;
}

/* ---- jobs: the one door between states ---- */

static void
leave_state(struct core *core, struct core_job *job)
{
    struct core_account *account = account_of(core, job->call->account);

    switch (job->state) {
    case JOB_QUEUED:
        break;
    case JOB_READY:
        list_remove(&job->state_node);
        core->ready--;
        break;
    case JOB_IN_FLIGHT:
        list_remove(&job->state_node);
        account->in_flight_count--;
        core->in_flight--;
        if (job->event)
            job->event->in_flight--;
        break;
    case JOB_WAITING:
        heap_remove(&core->timers, &job->timer);
        core->waiting--;
        break;
    case JOB_HELD:
        list_remove(&job->state_node);
        core->held_count--;
        break;
    }
}

static bool
may_follow(enum job_state from, enum job_state to)
{
    switch (to) {
    case JOB_READY:
        return from == JOB_QUEUED || from == JOB_WAITING;
    case JOB_IN_FLIGHT:
        return from == JOB_READY;
    case JOB_WAITING:
    case JOB_HELD:
        return from == JOB_IN_FLIGHT;
    default:
        return false;
    }
}

/* DUE_MS: for JOB_WAITING. */
static void
set_state(struct core *core, struct core_job *job, enum job_state state, int64_t due_ms)
{
    struct core_account *account = account_of(core, job->call->account);

    assert(may_follow(job->state, state));
    leave_state(core, job);
    job->state = state;
    switch (state) {
    case JOB_QUEUED:
        break;
    case JOB_READY:
        list_push_back(&account->ready, &job->state_node);
        core->ready++;
        break;
    case JOB_IN_FLIGHT:
        list_push_back(&account->in_flight, &job->state_node);
        account->in_flight_count++;
        core->in_flight++;
        job->event->in_flight++;
        job->event->begun = true;
        break;
    case JOB_WAITING:
        heap_add(&core->timers, &job->timer, due_ms);
        core->waiting++;
        break;
    case JOB_HELD:
        list_push_back(&core->held, &job->state_node);
        core->held_count++;
        break;
    }
}

bool
core_heads_lanes(const struct core_job *job)
{
    for (size_t i = 0; i < job->entry_count; i++) {
        if (!lane_is_head(&job->entries[i]))
            return false;
    }
    return true;
}

/* HEAD: what became the head of a lane, or NULL. */
static void
become_ready(struct core *core, struct lane_entry *head)
{
    struct core_job *job = head ? head->owner : NULL;

    if (job && job->state == JOB_QUEUED && core_heads_lanes(job))
        set_state(core, job, JOB_READY, 0);
}

static void
stand_in_lane(struct core *core, struct core_job *job, unsigned account, const char *email)
{
    struct lane_entry *entry = &job->entries[job->entry_count];

    buf_reset(&core->key);
    call_contact_key(&core->key, account, email);
    assert(!buf_toobig(&core->key));
    entry->owner = job;
    lane_push(&core->lanes, entry, buf_text(&core->key), core->key.len);
    job->entry_count++;
}

static struct core_job *
job_new(struct core *core, struct core_event *event, struct call *call)
{
    struct core_job *job = xcalloc(1, sizeof(*job));
    const char *new_email = call_new_email(call);

    job->call = call;
    job->event = event;
    job->state = JOB_QUEUED;
    list_init(&job->state_node);
    stand_in_lane(core, job, call->account, call_email(call));
    if (new_email) {
        struct lane *first = job->entries[0].lane;

        stand_in_lane(core, job, call->account, new_email);
        if (job->entries[1].lane == first) { /* the same contact: an ordinary call */
            lane_take(&core->lanes, &job->entries[1]);
            job->entry_count = 1;
        }
    }
    list_push_back(&event->jobs, &job->event_node);
    return job;
}

/* Takes JOB out of its state and its lanes and frees it with its call. */
static void
job_end(struct core *core, struct core_job *job)
{
    struct lane_entry *heads[JOB_ENTRIES];

    leave_state(core, job);
    for (size_t i = 0; i < job->entry_count; i++)
        heads[i] = lane_take(&core->lanes, &job->entries[i]);
    for (size_t i = 0; i < job->entry_count; i++)
        become_ready(core, heads[i]);
    list_remove(&job->event_node);
    call_free(job->call);
    xfree(job);
}

/* ---- events ---- */

static void
count_bytes(struct core *core, struct core_event *event, int64_t bytes)
{
    event->bytes += bytes;
    event->part->bytes += bytes;
    core->bytes += bytes;
}

struct core_event *
core_open(struct core *core, struct core_part *part, int64_t offset, size_t bytes)
{
    struct core_event *event = xcalloc(1, sizeof(*event));

    ledger_open(&part->ledger, &event->slot, offset);
    event->part = part;
    event->refs = 1;
    list_init(&event->jobs);
    count_bytes(core, event, (int64_t)(bytes + sizeof(*event)));
    core->events++;
    part->counts.consumed++;
    part->counts.pending++;
    return event;
}

static void
event_end(struct core *core, struct core_event *event, enum event_outcome outcome)
{
    struct core_part *part = event->part;

    assert(list_is_empty(&event->jobs) && !event->in_flight);
    if (event->unmapped)
        part->unmapped--;
    if (outcome == EVENT_GIVEN_BACK)
        ledger_give_back(&part->ledger, &event->slot);
    else
        ledger_close(&part->ledger, &event->slot);
    count_bytes(core, event, -event->bytes);
    core->events--;
    part->counts.pending--;
    part->counts.ended[outcome]++;
    xfree(event);
}

/* Returns whether that was the last reference. */
static bool
event_drop(struct core *core, struct core_event *event)
{
    assert(event->refs);
    if (--event->refs)
        return false;
    event_end(core, event, event->outcome);
    return true;
}

void
core_add(struct core *core, struct core_event *event, struct call **call)
{
    struct core_job *job = job_new(core, event, *call);

    *call = NULL;
    event->refs++;
    count_bytes(core, event, (int64_t)(call_size(job->call) + sizeof(*job)));
    become_ready(core, &job->entries[0]);
}

void
core_close(struct core *core, struct core_event *event, enum event_outcome outcome)
{
    event->outcome = outcome;
    event_drop(core, event);
}

void
core_hold(struct core *core, struct core_event *event)
{
    (void)core;
    assert(list_is_empty(&event->jobs) && !event->unmapped);
    event->unmapped = true;
    event->part->unmapped++;
}

void
core_give_back(struct core *core, struct core_event *event)
{
    LIST_EACH(node, &event->jobs) {
        struct core_job *job = CONTAINER_OF(node, struct core_job, event_node);

        if (job->state == JOB_IN_FLIGHT) {
            list_remove(&job->event_node);
            job->event = NULL;
            event->in_flight--;
        } else {
            job_end(core, job);
        }
    }
    event_end(core, event, EVENT_GIVEN_BACK);
}

/* ---- calls ---- */

struct core_job *
core_next(struct core *core)
{
    for (size_t i = 0; i < core->account_count; i++) {
        size_t turn = (core->next_account + i) % core->account_count;
        struct core_account *account = core->accounts[turn];
        struct list *first = list_first(&account->ready);

        if (!first || account->in_flight_count >= account->max_in_flight)
            continue;
        core->next_account = turn + 1;
        set_state(core, CONTAINER_OF(first, struct core_job, state_node), JOB_IN_FLIGHT, 0);
        return CONTAINER_OF(first, struct core_job, state_node);
    }
    return NULL;
}

const struct call *
core_job_call(const struct core_job *job)
{
    return job->call;
}

unsigned
core_job_attempts(const struct core_job *job)
{
    return job->attempts;
}

void *
core_job_user(const struct core_job *job)
{
    return job->event ? job->event->part->user : NULL;
}

int64_t
core_job_offset(const struct core_job *job)
{
    return job->event ? job->event->slot.offset : -1;
}

static void
settle_done(struct core *core, struct core_job *job)
{
    struct core_event *event = job->event;

    count_bytes(core, event, -(int64_t)(call_size(job->call) + sizeof(*job)));
    job_end(core, job);
    event_drop(core, event);
}

static void
settle_again(struct core *core, struct core_job *job, int64_t not_before_ms, int64_t now)
{
    int64_t due_ms = now + retry_delay_ms(&core->rng, job->attempts, core->limits.retry_min_ms,
                                          core->limits.retry_max_ms);

    set_state(core, job, JOB_WAITING, due_ms > not_before_ms ? due_ms : not_before_ms);
}

enum settled
core_settle(struct core *core, struct core_job *job, enum verdict verdict, int64_t not_before_ms,
            int64_t now)
{
    assert(job->state == JOB_IN_FLIGHT);
    if (!job->event) {
        job_end(core, job);
        return SETTLED_FORGOTTEN;
    }
    job->attempts++;
    switch (verdict) {
    case VERDICT_DONE:
        settle_done(core, job);
        return SETTLED_DONE;
    case VERDICT_PERMANENT:
    case VERDICT_UNKNOWN_CONTACT:
        set_state(core, job, JOB_HELD, 0);
        return SETTLED_HELD;
    default:
        settle_again(core, job, not_before_ms, now);
        return SETTLED_WAITING;
    }
}

void
core_tick(struct core *core, int64_t now)
{
    struct heap_node *first;

    while ((first = heap_first(&core->timers)) && first->due_ms <= now)
        set_state(core, CONTAINER_OF(first, struct core_job, timer), JOB_READY, 0);
}

int64_t
core_deadline(const struct core *core)
{
    const struct heap_node *first = heap_first(&core->timers);

    return first ? first->due_ms : CLOCK_NEVER;
}

void
core_free(struct core *core)
{
    if (!core)
        return;
    while (!list_is_empty(&core->parts))
        core_release(core, CONTAINER_OF(list_first(&core->parts), struct core_part, node));
    for (size_t i = 0; i < core->account_count; i++) {
        LIST_EACH(node, &core->accounts[i]->in_flight) {
            job_end(core, CONTAINER_OF(node, struct core_job, state_node));
        }
        xfree(core->accounts[i]);
    }
    xfree(core->accounts);
    lanes_fini(&core->lanes);
    heap_fini(&core->timers);
    buf_fini(&core->key);
    xfree(core);
}
