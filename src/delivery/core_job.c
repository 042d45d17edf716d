#include <assert.h>

#include "base/xalloc.h"
#include "delivery/core_state.h"

static struct heap *
ready_of(struct core *core, const struct core_job *job)
{
    struct core_account *account = core_account_of(core, job->call->account);

    return job->attempts ? &account->again : &account->fresh;
}

static void
leave_state(struct core *core, struct core_job *job)
{
    switch (job->state) {
    case JOB_QUEUED:
        break;
    case JOB_READY:
        heap_remove(ready_of(core, job), &job->timer);
        core->ready--;
        break;
    case JOB_IN_FLIGHT:
        list_remove(&job->state_node);
        core->in_flight--;
        if (job->event)
            job->event->in_flight--;
        break;
    case JOB_WAITING:
        heap_remove(&core->timers, &job->timer);
        core->waiting--;
        break;
    case JOB_REFUSED:
        list_remove(&job->state_node);
        core->refused_count--;
        break;
    case JOB_FOLDED:
        list_remove(&job->state_node);
        break;
    }
}

static bool
may_follow(enum job_state from, enum job_state to)
{
    switch (to) {
    case JOB_QUEUED:
        return from == JOB_FOLDED;
    case JOB_FOLDED:
        return from == JOB_QUEUED;
    case JOB_READY:
        return from == JOB_QUEUED || from == JOB_WAITING;
    case JOB_IN_FLIGHT:
        return from == JOB_READY || from == JOB_WAITING; /* a probe does not wait for its time */
    case JOB_WAITING:
    case JOB_REFUSED:
        return from == JOB_IN_FLIGHT;
    }
    return false;
}

void
core_job_set_state(struct core *core, struct core_job *job, enum job_state state, int64_t due_ms)
{
    struct core_account *account = core_account_of(core, job->call->account);

    assert(may_follow(job->state, state));
    leave_state(core, job);
    if (state == JOB_IN_FLIGHT)
        list_remove(&job->tries_node);
    else if (state == JOB_WAITING || (job->state == JOB_QUEUED && state == JOB_READY))
        list_push_back(&account->tries, &job->tries_node);
    job->state = state;
    switch (state) {
    case JOB_QUEUED:
        break;
    case JOB_READY:
        heap_add(ready_of(core, job), &job->timer, job->seq);
        core->ready++;
        break;
    case JOB_IN_FLIGHT:
        list_push_back(&account->in_flight, &job->state_node);
        core->in_flight++;
        job->event->in_flight++;
        job->event->begun = true;
        break;
    case JOB_WAITING:
        heap_add(&core->timers, &job->timer, due_ms);
        core->waiting++;
        break;
    case JOB_REFUSED:
        list_push_back(&core->refused, &job->state_node);
        core->refused_count++;
        break;
    case JOB_FOLDED:
        list_push_back(&job->leader->fold->members, &job->state_node);
        job->event->begun = true;
        break;
    }
}

bool
core_job_heads_lanes(const struct core_job *job)
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

    if (job && job->state == JOB_QUEUED && core_job_heads_lanes(job))
        core_job_set_state(core, job, JOB_READY, 0);
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

struct core_job *
core_job_new(struct core *core, struct core_event *event, struct call *call)
{
    struct core_job *job = xcalloc(1, sizeof(*job));
    const char *new_email = call_new_email(call);

    job->call = call;
    job->event = event;
    job->state = JOB_QUEUED;
    job->index = event->call_count++;
    job->seq = core->next_seq++;
    list_init(&job->state_node);
    list_init(&job->tries_node);
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
    become_ready(core, &job->entries[0]);
    return job;
}

void
core_job_end(struct core *core, struct core_job *job)
{
    struct lane_entry *heads[JOB_ENTRIES];

    if (job->fold)
        core_fold_dissolve(core, job);
    if (job->leader)
        core_fold_leave(core, job);
    leave_state(core, job);
    list_remove(&job->tries_node);
    for (size_t i = 0; i < job->entry_count; i++)
        heads[i] = lane_take(&core->lanes, &job->entries[i]);
    for (size_t i = 0; i < job->entry_count; i++)
        become_ready(core, heads[i]);
    list_remove(&job->event_node);
    xfree(job->failure.reason);
    call_free(job->create);
    call_free(job->call);
    xfree(job);
}

const struct call *
core_job_call(const struct core_job *job)
{
    if (job->create)
        return job->create;
    if (job->fold)
        return job->fold->identify ? job->fold->identify : job->fold->track;
    return job->call;
}

unsigned
core_job_attempts(const struct core_job *job)
{
    return job->tries;
}

void *
core_job_user(const struct core_job *job)
{
    return job->event ? job->event->part->user : NULL;
}

int64_t
core_job_offset(const struct core_job *job)
{
    return job->event ? job->event->slot->place.offset : -1;
}

const struct event *
core_job_record(const struct core_job *job)
{
    return job->event ? &job->event->record->event : NULL;
}
