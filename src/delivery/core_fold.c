/*
 * Calls of one contact that are sent as one: when a call's turn comes, the calls that wait behind
 * it in its lane go along, as far as sendx/fold joins them. They stay in the lane, so that the
 * contact's order stays, and end together. A fold lasts for one request, or two where it became an
 * identify and a track; whatever does not end well takes it apart, and the calls are sent anew,
 * each in its turn. What was refused is not folded again, so that only the call that is to blame
 * fails.
 */
#include <assert.h>

#include "base/xalloc.h"
#include "delivery/core_state.h"
#include "sendx/fold.h"

static struct core_job *
job_behind(const struct core_job *job)
{
    struct lane_entry *behind = lane_behind(&job->entries[0]);

    return behind ? behind->owner : NULL;
}

/* Whether JOB's own call, as it is, could be part of a fold. */
static bool
is_foldable(const struct core_job *job)
{
    return job->entry_count == 1 && !job->alone && !job->create;
}

static int64_t
size_of(const struct core_fold *fold)
{
    size_t size = sizeof(*fold) + (fold->identify ? call_size(fold->identify) : 0) +
                  (fold->track ? call_size(fold->track) : 0);

    return (int64_t)size;
}

static void
lead(struct core *core, struct core_job *job, const struct fold *fold)
{
    struct core_job *member = job;

    job->fold = xcalloc(1, sizeof(*job->fold));
    job->fold->identify = fold_identify(fold);
    job->fold->track = fold_track(fold);
    list_init(&job->fold->members);
    for (size_t i = 1; i < fold->count; i++) {
        member = job_behind(member);
        member->leader = job;
        core_job_set_state(core, member, JOB_FOLDED, 0);
    }
    job->fold->size = size_of(job->fold);
    core_event_add_bytes(core, job->event, job->fold->size);
}

void
core_fold_start(struct core *core, struct core_job *job)
{
    bool creates = core_account_of(core, job->call->account)->unknown == UNKNOWN_CREATE;
    struct core_job *behind = job_behind(job);
    struct fold fold;

    if (core->limits.fold == FOLD_OFF || job->fold || job->probe || !is_foldable(job))
        return;
    fold_init(&fold, core->limits.fold, creates, job->call);
    while (behind && behind->state == JOB_QUEUED && is_foldable(behind) &&
           fold_add(&fold, behind->call))
        behind = job_behind(behind);
    if (fold.count > 1)
        lead(core, job, &fold);
}

void
core_fold_free(struct core *core, struct core_job *job)
{
    struct core_fold *fold = job->fold;

    job->fold = NULL;
    if (job->event)
        core_event_add_bytes(core, job->event, -fold->size);
    call_free(fold->identify);
    call_free(fold->track);
    xfree(fold);
}

void
core_fold_dissolve(struct core *core, struct core_job *job)
{
    LIST_EACH(node, &job->fold->members) {
        struct core_job *member = CONTAINER_OF(node, struct core_job, state_node);

        core_job_set_state(core, member, JOB_QUEUED, 0);
        member->leader = NULL;
    }
    core_fold_free(core, job);
}

void
core_fold_split(struct core *core, struct core_job *job)
{
    LIST_EACH(node, &job->fold->members) {
        CONTAINER_OF(node, struct core_job, state_node)->alone = true;
    }
    job->alone = true;
    core_fold_dissolve(core, job);
}

void
core_fold_leave(struct core *core, struct core_job *member)
{
    struct core_job *leader = member->leader;

    /* What is on its way cannot be called back; of what is not, MEMBER must be no part. */
    if (leader->state == JOB_IN_FLIGHT)
        leader->fold->broken = true;
    else
        core_fold_dissolve(core, leader);
}

bool
core_job_is_of(const struct core_job *job, const void *user)
{
    if (core_job_user(job) == user)
        return true;
    if (!job->fold)
        return false;
    LIST_EACH(node, &job->fold->members) {
        if (core_job_user(CONTAINER_OF(node, struct core_job, state_node)) == user)
            return true;
    }
    return false;
}

size_t
core_job_folded(const struct core_job *job)
{
    size_t count = 0;

    if (!job->fold)
        return 0;
    LIST_EACH(node, &job->fold->members) {
        count++;
    }
    return count;
}

void
core_job_each(const struct core_job *job,
              void (*look)(void *arg, const struct call *call, const struct event *record),
              void *arg)
{
    if (job->create || !job->event || (job->fold && job->fold->identify && job->fold->track))
        return;
    look(arg, job->call, &job->event->record->event);
    if (!job->fold)
        return;
    LIST_EACH(node, &job->fold->members) {
        const struct core_job *member = CONTAINER_OF(node, struct core_job, state_node);

        look(arg, member->call, &member->event->record->event);
    }
}
