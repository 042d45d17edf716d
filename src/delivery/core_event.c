#include <assert.h>
#include <string.h>

#include "base/xalloc.h"
#include "delivery/core_state.h"
#include "delivery/retry.h"

enum { LETTER_AGAIN_MIN_MS = 500, LETTER_AGAIN_MAX_MS = 30 * 1000 };

void
core_part_add_bytes(struct core *core, struct core_part *part, int64_t bytes)
{
    part->bytes += bytes;
    core->bytes += bytes;
}

void
core_event_add_bytes(struct core *core, struct core_event *event, int64_t bytes)
{
    event->bytes += bytes;
    core_part_add_bytes(core, event->part, bytes);
}

/* Whether OFFSET was finished before PART was assigned, here or by another owner. Offsets come in
 * ascending order. */
static bool
was_finished(struct core_part *part, int64_t offset)
{
    const struct progress *past = &part->past;

    if (!part->bound || offset > past->highest)
        return false;
    while (part->past_at < past->count && past->unfinished[part->past_at] < offset)
        part->past_at++;
    return part->past_at == past->count || past->unfinished[part->past_at] != offset;
}

static void
pass_over(struct core_part *part, int64_t offset)
{
    ledger_pass(&part->ledger, offset);
    part->counts.consumed++;
    part->counts.ended[EVENT_SKIPPED]++;
    part->counts.finished_before++;
}

struct core_event *
core_open(struct core *core, struct core_part *part, int64_t offset, const struct event *record)
{
    struct core_event *event;

    if (was_finished(part, offset)) {
        pass_over(part, offset);
        return NULL;
    }
    event = xcalloc(1, sizeof(*event));
    event->slot = core_slot_open(core, part, offset);
    event->slot->event = event;
    event->part = part;
    event->record = record_new(record);
    event->refs = 1;
    list_init(&event->jobs);
    list_init(&event->letter_node);
    core_event_add_bytes(core, event, (int64_t)(event->record->size + sizeof(*event)));
    core->events++;
    part->counts.consumed++;
    part->counts.pending++;
    return event;
}

static void
event_free(struct core_event *event)
{
    for (size_t i = 0; i < event->failure_count; i++) {
        call_free(event->failures[i].call);
        xfree(event->failures[i].reason);
    }
    xfree(event->failures);
    xfree(event->reason);
    record_free(event->record);
    xfree(event);
}

/* Out of the ledger and the counters; its letter may still be out. */
static void
leave_part(struct core *core, struct core_event *event, enum event_outcome outcome)
{
    struct core_part *part = event->part;

    assert(list_is_empty(&event->jobs) && !event->in_flight);
    if (outcome == EVENT_GIVEN_BACK)
        core_slot_give_back(core, event->slot);
    else
        core_slot_end(core, event->slot);
    event->slot = NULL;
    core_event_add_bytes(core, event, -event->bytes);
    core->events--;
    part->counts.pending--;
    part->counts.ended[outcome]++;
    event->part = NULL;
}

static void
leave_letters(struct core *core, struct core_event *event)
{
    if (event->letter == LETTER_UNMAPPED) {
        event->part->unmapped--;
        core->unmapped_count--;
    } else if (event->letter != LETTER_NONE) {
        core->letter_count--;
    }
    list_remove(&event->letter_node);
    event->letter = LETTER_NONE;
}

static void
become_letter(struct core *core, struct core_event *event)
{
    leave_letters(core, event);
    event->letter = LETTER_QUEUED;
    list_push_back(&core->letters, &event->letter_node);
    core->letter_count++;
}

void
core_event_drop(struct core *core, struct core_event *event, int64_t now)
{
    assert(event->refs);
    if (--event->refs)
        return;
    if (event->failure_count || event->reason) {
        become_letter(core, event);
        return;
    }
    budget_earn(&core->budget, now);
    leave_part(core, event, event->outcome);
    event_free(event);
}

void
core_add(struct core *core, struct core_event *event, struct call **call)
{
    struct core_job *job = core_job_new(core, event, *call);

    *call = NULL;
    event->refs++;
    core_event_add_bytes(core, event, (int64_t)(call_size(job->call) + sizeof(*job)));
}

void
core_close(struct core *core, struct core_event *event, enum event_outcome outcome, int64_t now)
{
    event->outcome = outcome;
    core_event_drop(core, event, now);
}

void
core_event_give_back(struct core *core, struct core_event *event)
{
    LIST_EACH(node, &event->jobs) {
        struct core_job *job = CONTAINER_OF(node, struct core_job, event_node);

        if (job->state == JOB_IN_FLIGHT) {
            list_remove(&job->event_node);
            job->event = NULL;
            event->in_flight--;
        } else {
            core_job_end(core, job);
        }
    }
    if (event->letter != LETTER_OUT)
        leave_letters(core, event);
    leave_part(core, event, EVENT_GIVEN_BACK);
    if (event->letter != LETTER_OUT)
        event_free(event);
}

/* ---- what may become a dead letter ---- */

/* A letter that waits finds out when the topic takes letters again; without one (its event was
 * given back) the next is admitted for that once its time has come. */
static bool
is_failing(const struct core *core, int64_t now)
{
    return core->letters_failed &&
           (!list_is_empty(&core->letters) || !list_is_empty(&core->letters_out) ||
            now < core->letters_due_ms);
}

static enum letter_hold
hold_of(struct core *core, int64_t now)
{
    if (!core->limits.dead_letters)
        return LETTER_HOLD_OFF;
    if (is_failing(core, now))
        return LETTER_HOLD_FAILING;
    return budget_allows(&core->budget, now) ? LETTER_HOLD_NONE : LETTER_HOLD_BUDGET;
}

static bool
admit(struct core *core, struct core_event *event, int64_t now)
{
    if (!event->admitted && hold_of(core, now) != LETTER_HOLD_NONE)
        return false;
    if (!event->admitted)
        budget_spend(&core->budget, now);
    event->admitted = true;
    return true;
}

bool
core_event_admit(struct core *core, struct core_job *job, int64_t now)
{
    struct core_event *event = job->event;

    if (!admit(core, event, now))
        return false;
    job->failure.call = job->call;
    job->call = NULL;
    event->failures = xgrow(event->failures, event->failure_count, &event->failure_cap,
                            sizeof(event->failures[0]));
    event->failures[event->failure_count++] = job->failure;
    job->failure.reason = NULL;
    core_slot_mark(core, job, false);
    core_job_end(core, job);
    core_event_drop(core, event, now);
    return true;
}

static void
admit_unmapped(struct core *core, struct core_event *event, int64_t now)
{
    leave_letters(core, event);
    core_event_drop(core, event, now);
}

bool
core_refuse(struct core *core, struct core_event *event, const char *reason, int64_t now)
{
    assert(list_is_empty(&event->jobs));
    event->reason = xstrdup(reason);
    core_event_add_bytes(core, event, (int64_t)strlen(reason) + 1);
    event->letter = LETTER_UNMAPPED;
    list_push_back(&core->unmapped, &event->letter_node);
    event->part->unmapped++;
    core->unmapped_count++;
    if (!admit(core, event, now))
        return false;
    admit_unmapped(core, event, now);
    return true;
}

void *
core_event_user(const struct core_event *event)
{
    return event->part->user;
}

int64_t
core_event_offset(const struct core_event *event)
{
    return event->slot->place.offset;
}

/* EVENT, which could not be mapped, is as it was before that was tried. */
static void
take_back(struct core *core, struct core_event *event)
{
    leave_letters(core, event);
    core_event_add_bytes(core, event, -(int64_t)(strlen(event->reason) + 1));
    xfree(event->reason);
    event->reason = NULL;
    event->admitted = false;
}

void
core_map_again(struct core *core, bool (*wants)(void *arg, const struct core_event *event),
               void (*map)(void *arg, struct core_event *event), void *arg)
{
    for (size_t left = core->unmapped_count; left > 0; left--) {
        struct list *first = list_first(&core->unmapped);
        struct core_event *event = CONTAINER_OF(first, struct core_event, letter_node);

        if (wants(arg, event)) {
            take_back(core, event);
            map(arg, event);
        } else {
            list_remove(first);
            list_push_back(&core->unmapped, first);
        }
    }
}

/* The other refused calls of events that were admitted need not wait for their turn. */
static void
admit_rest(struct core *core, int64_t now)
{
    LIST_EACH(node, &core->refused) {
        struct core_job *job = CONTAINER_OF(node, struct core_job, state_node);

        if (job->event->admitted)
            core_event_admit(core, job, now);
    }
}

void
core_event_admit_waiting(struct core *core, int64_t now)
{
    struct list *first;
    bool admitted = false;

    if (is_failing(core, now)) /* whatever was let go still waits for the topic */
        return;
    while ((first = list_first(&core->refused)) &&
           core_event_admit(core, CONTAINER_OF(first, struct core_job, state_node), now))
        admitted = true;
    if (admitted)
        admit_rest(core, now);
    while ((first = list_first(&core->unmapped))) {
        struct core_event *event = CONTAINER_OF(first, struct core_event, letter_node);

        if (!admit(core, event, now))
            break;
        admit_unmapped(core, event, now);
    }
}

size_t
core_admit_all(struct core *core, int64_t now)
{
    size_t count = 0;

    if (!core->limits.dead_letters)
        return 0;
    LIST_EACH(node, &core->refused) {
        struct core_event *event = CONTAINER_OF(node, struct core_job, state_node)->event;

        count += !event->admitted;
        event->admitted = true;
    }
    LIST_EACH(node, &core->unmapped) {
        struct core_event *event = CONTAINER_OF(node, struct core_event, letter_node);

        count += !event->admitted;
        event->admitted = true;
    }
    core_event_admit_waiting(core, now);
    return count;
}

enum letter_hold
core_letter_hold(struct core *core, int64_t now)
{
    enum letter_hold hold = hold_of(core, now);

    if (hold != LETTER_HOLD_NONE &&
        (core->refused_count + core->unmapped_count || hold == LETTER_HOLD_FAILING))
        return hold;
    return list_is_empty(&core->large_letters) ? LETTER_HOLD_NONE : LETTER_HOLD_TOO_LARGE;
}

const char *
letter_hold_name(enum letter_hold hold)
{
#define X(id, name, doc) name,
    static const char *const names[] = {LETTER_HOLD_TABLE(X)};
#undef X

    assert((size_t)hold < LETTER_HOLD_COUNT);
    return names[hold];
}

/* ---- letters on their way ---- */

/* Whose turn it is: while the topic takes nothing, one at a time finds out when it does again. */
static struct list *
next_letter(const struct core *core, int64_t now)
{
    struct list *first = list_first(&core->letters);

    if (first && now >= core->letters_due_ms &&
        (!core->letters_failed || list_is_empty(&core->letters_out)))
        return first;
    return now >= core->large_due_ms ? list_first(&core->large_letters) : NULL;
}

struct core_event *
core_letter_next(struct core *core, int64_t now)
{
    struct list *node = core->doubted ? NULL : next_letter(core, now);
    struct core_event *event = node ? CONTAINER_OF(node, struct core_event, letter_node) : NULL;

    if (!event)
        return NULL;
    if (event->letter == LETTER_LARGE)
        core->large_due_ms = now + LETTER_AGAIN_MAX_MS;
    list_remove(&event->letter_node);
    list_push_back(&core->letters_out, &event->letter_node);
    event->letter = LETTER_OUT;
    return event;
}

const struct event *
core_letter_record(const struct core_event *event)
{
    return &event->record->event;
}

const char *
core_letter_reason(const struct core_event *event)
{
    return event->reason;
}

size_t
core_letter_failures(const struct core_event *event, const struct core_failure **ret)
{
    *ret = event->failures;
    return event->failure_count;
}

static void
letter_again(struct core *core, struct core_event *event, enum letter_result result, int64_t now)
{
    list_remove(&event->letter_node);
    if (result == LETTER_TOO_LARGE) {
        event->letter = LETTER_LARGE;
        list_push_back(&core->large_letters, &event->letter_node);
        core->large_due_ms = now + LETTER_AGAIN_MAX_MS;
    } else {
        event->letter = LETTER_QUEUED;
        list_push_front(&core->letters, &event->letter_node);
    }
}

void
core_letter_done(struct core *core, struct core_event *event, enum letter_result result,
                 int64_t now)
{
    assert(event->letter == LETTER_OUT);
    if (result == LETTER_FAILED && now < core->letters_due_ms) {
        /* It was sent together with one that failed already: the same round. */
    } else if (result == LETTER_FAILED) {
        core->letters_failed++;
        core->letters_due_ms = now + retry_delay_ms(&core->rng, core->letters_failed,
                                                    LETTER_AGAIN_MIN_MS, LETTER_AGAIN_MAX_MS);
    } else { /* the topic answers */
        core->letters_failed = 0;
        core->letters_due_ms = 0;
    }
    if (result != LETTER_STORED && event->part) {
        letter_again(core, event, result, now);
        return;
    }
    leave_letters(core, event);
    if (event->part)
        leave_part(core, event, EVENT_DEAD_LETTERED);
    event_free(event);
}

void
core_event_forget_letters(struct core *core)
{
    LIST_EACH(node, &core->letters_out) {
        event_free(CONTAINER_OF(node, struct core_event, letter_node));
    }
}
