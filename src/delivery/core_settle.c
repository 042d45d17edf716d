#include <assert.h>
#include <string.h>

#include "base/utf8.h"
#include "base/xalloc.h"
#include "delivery/core_state.h"
#include "delivery/retry.h"

enum {
    STRIKES = 3,           /* so often what others do not draw; then it may be the call's own */
    THROTTLED_STRIKES = 30 /* the same of Retry-After, which hits any call by chance */
};

/* Whether what JOB drew stops the whole account, and may be the call's own all the same. A 401
 * never is: a key is refused for all calls. */
static bool
stops_others(const struct settlement *settlement)
{
    if (settlement->verdict == VERDICT_THROTTLED)
        return settlement->not_before_ms > 0;
    return settlement->verdict == VERDICT_CONFIGURATION && settlement->status != 401;
}

/* What looks like a failure of the account, and one call draws again and again while others succeed
 * in between, is the call's own: of a 403 or 404 at once; of whatever else when others first did so
 * longer ago than retry_for, holds counted, since it makes them itself. */
static enum verdict
judge(struct core *core, struct core_job *job, const struct settlement *settlement, int64_t now)
{
    const struct gate *gate = &core_account_of(core, job->call->account)->gate;
    bool throttled = settlement->verdict == VERDICT_THROTTLED;
    struct core_strikes *strikes = throttled ? &job->throttles : &job->refusals;
    unsigned enough = throttled ? THROTTLED_STRIKES : STRIKES;

    if (!job->event || !stops_others(settlement))
        return settlement->verdict;
    if (strikes->count && gate->successes <= job->successes)
        return settlement->verdict;
    if (++strikes->count == 2)
        strikes->alone_ms = now;
    job->denials += settlement->status == 403 || settlement->status == 404;
    if (job->denials >= STRIKES)
        return VERDICT_PERMANENT;
    if (strikes->count < enough || now - strikes->alone_ms <= core->limits.retry_for_ms)
        return settlement->verdict;
    return VERDICT_PERMANENT;
}

static void
tell_gate(struct core *core, struct core_job *job, const struct settlement *settlement,
          enum verdict verdict, int64_t now)
{
    struct gate_reply reply = {.verdict = verdict,
                               .congestion = settlement->congestion,
                               .started_ms = job->started_ms,
                               .not_before_ms = settlement->not_before_ms,
                               .retrying = job->retrying,
                               .probe = job->probe,
                               .aborted = settlement->aborted};

    gate_done(&core_account_of(core, job->call->account)->gate, &reply, &core->rng, now);
    job->probe = false;
}

static enum settled
settle_done(struct core *core, struct core_job *job, enum settled settled, int64_t now)
{
    struct core_event *event = job->event;
    size_t size = call_size(job->call) + (job->create ? call_size(job->create) : 0) + sizeof(*job);

    core_event_add_bytes(core, event, -(int64_t)size);
    core_slot_mark(core, job, event->refs == 1 && !event->failure_count);
    core_job_end(core, job);
    core_event_drop(core, event, now);
    return settled;
}

/* The members of JOB's fold, which is no more. */
static void
take_members(struct core *core, struct core_job *job, struct list *members)
{
    struct list *first;

    while ((first = list_first(&job->fold->members))) {
        CONTAINER_OF(first, struct core_job, state_node)->leader = NULL;
        list_remove(first);
        list_push_back(members, first);
    }
    core_fold_free(core, job);
}

static void
end_members(struct core *core, struct list *members, int64_t now)
{
    struct list *first;

    while ((first = list_first(members))) {
        core->folded++;
        settle_done(core, CONTAINER_OF(first, struct core_job, state_node), SETTLED_DONE, now);
    }
}

/* A request of a fold was delivered. All its calls end together, in their order. */
static enum settled
settle_folded(struct core *core, struct core_job *job, int64_t now)
{
    struct core_fold *fold = job->fold;
    struct list members;

    if (fold->identify && fold->track) {
        job->attempts--; /* it did not fail, and the track has failed as often as before */
        call_free(fold->identify);
        fold->identify = NULL;
        core_job_set_state(core, job, JOB_WAITING, now);
        if (fold->broken)
            core_fold_dissolve(core, job);
        return SETTLED_HALFWAY;
    }
    list_init(&members);
    take_members(core, job, &members);
    settle_done(core, job, SETTLED_DONE, now);
    end_members(core, &members, now);
    return SETTLED_DONE;
}

/* A fold was refused, or fails all the time: the call that is to blame is found by sending them one
 * by one. */
static enum settled
settle_split(struct core *core, struct core_job *job, int64_t now)
{
    core_fold_split(core, job);
    job->attempts = 0; /* they were the fold's */
    job->refusals.count = job->throttles.count = job->denials = 0;
    core_job_set_state(core, job, JOB_WAITING, now);
    return SETTLED_SPLIT;
}

static enum settled
settle_refused(struct core *core, struct core_job *job, const struct settlement *settlement,
               int64_t now)
{
    job->failure =
        (struct core_failure){.index = job->index,
                              .verdict = settlement->verdict,
                              .status = settlement->status,
                              .reason = xstrdup(settlement->reason ? settlement->reason : ""),
                              .attempts = job->tries,
                              .first_ms = job->first_ms,
                              .last_ms = now};
    core_event_add_bytes(core, job->event, (int64_t)strlen(job->failure.reason) + 1);
    core_job_set_state(core, job, JOB_REFUSED, 0);
    return core_event_admit(core, job, now) ? SETTLED_FAILED : SETTLED_REFUSED;
}

/* Whether JOB alone keeps failing while other calls of its account succeed. What stops the account
 * is for judge() to say. */
static bool
is_its_own_fault(const struct core *core, struct core_job *job, const struct gate *gate,
                 const struct settlement *settlement, int64_t now)
{
    bool others_succeed = gate->successes > job->successes;
    int64_t age_ms = now - job->first_ms - (gate_held_ms(gate, now) - job->held_ms);

    return settlement->verdict != VERDICT_CONFIGURATION && !stops_others(settlement) &&
           others_succeed && age_ms > core->limits.retry_for_ms;
}

static enum settled
settle_again(struct core *core, struct core_job *job, const struct settlement *settlement,
             int64_t now)
{
    struct core_account *account = core_account_of(core, job->call->account);
    bool own = is_its_own_fault(core, job, &account->gate, settlement, now);
    /* After Retry-After, not within: the others go first, whom it may have held up alone. */
    int64_t from_ms = settlement->not_before_ms > now ? settlement->not_before_ms : now;
    int64_t due_ms = from_ms + retry_delay_ms(&core->rng, job->attempts, core->limits.retry_min_ms,
                                              core->limits.retry_max_ms);

    job->successes = account->gate.successes;
    if (own)
        return job->fold ? settle_split(core, job, now)
                         : settle_refused(core, job, settlement, now);
    if (job->fold)
        core_fold_dissolve(core, job);
    /* What fails under a hold fails with all others: it is not held against this call. */
    if (account->gate.hold != GATE_OPEN && job->attempts > 1)
        job->attempts--;
    core_job_set_state(core, job, JOB_WAITING, due_ms);
    return SETTLED_WAITING;
}

static struct call *
creating_call(const struct call *track)
{
    struct call *call = call_new(CALL_IDENTIFY, track->account, track->rule);

    call->identify.email = arena_text(&call->arena, call_email(track), strlen(call_email(track)));
    return call;
}

static enum settled
settle_unknown(struct core *core, struct core_job *job, const struct settlement *settlement,
               int64_t now)
{
    enum unknown_contact unknown = core_account_of(core, job->call->account)->unknown;

    if (job->fold &&
        job->call->kind != CALL_TRACK) /* the track half of a fold led by an identify */
        return settle_split(core, job, now);
    if (job->fold)
        core_fold_dissolve(core, job);
    if (unknown == UNKNOWN_SKIP)
        return settle_done(core, job, SETTLED_SKIPPED, now);
    if (unknown == UNKNOWN_DEAD_LETTER || job->created)
        return settle_refused(core, job, settlement, now);
    job->create = creating_call(job->call);
    core_event_add_bytes(core, job->event, (int64_t)call_size(job->create));
    core_job_set_state(core, job, JOB_WAITING, now);
    return SETTLED_WAITING;
}

/* The identify that creates the contact of a track was delivered: now the track. */
static enum settled
settle_created(struct core *core, struct core_job *job, int64_t now)
{
    core_event_add_bytes(core, job->event, -(int64_t)call_size(job->create));
    call_free(job->create);
    job->create = NULL;
    job->created = true;
    core_job_set_state(core, job, JOB_WAITING, now);
    return SETTLED_CREATED;
}

/* Why it is tried again, for those who look on. */
static void
note_failure(struct core_job *job, const struct settlement *settlement)
{
    utf8_copy(job->last_reason, sizeof(job->last_reason),
              settlement->reason ? settlement->reason : "");
    job->last_verdict = settlement->verdict;
    job->last_status = settlement->status;
}

/* It was broken off by us, which says nothing of the call: it is sent again as it was. */
static enum settled
settle_aborted(struct core *core, struct core_job *job, int64_t now)
{
    core_job_set_state(core, job, JOB_WAITING, now);
    if (job->fold && job->fold->broken)
        core_fold_dissolve(core, job);
    return SETTLED_WAITING;
}

/* JOB's event was given back meanwhile; those that went along may still be ours. */
static enum settled
settle_forgotten(struct core *core, struct core_job *job, enum verdict verdict, int64_t now)
{
    struct list members;

    list_init(&members);
    if (job->fold && verdict == VERDICT_DONE && !(job->fold->identify && job->fold->track))
        take_members(core, job, &members);
    core_job_end(core, job);
    end_members(core, &members, now);
    return SETTLED_FORGOTTEN;
}

enum settled
core_settle(struct core *core, struct core_job *job, const struct settlement *settlement,
            int64_t now)
{
    enum verdict verdict = judge(core, job, settlement, now);

    assert(job->state == JOB_IN_FLIGHT);
    tell_gate(core, job, settlement, verdict, now);
    if (!job->event)
        return settle_forgotten(core, job, verdict, now);
    if (settlement->aborted) {
        job->tries += settlement->sends; /* it may have been carried out nevertheless */
        return settle_aborted(core, job, now);
    }
    job->attempts++;
    job->tries += settlement->sends > 1 ? settlement->sends : 1;
    if (verdict != VERDICT_DONE)
        note_failure(job, settlement);
    switch (verdict) {
    case VERDICT_DONE:
        if (job->create)
            return settle_created(core, job, now);
        return job->fold ? settle_folded(core, job, now)
                         : settle_done(core, job, SETTLED_DONE, now);
    case VERDICT_UNKNOWN_CONTACT:
        return settle_unknown(core, job, settlement, now);
    case VERDICT_PERMANENT:
        return job->fold ? settle_split(core, job, now)
                         : settle_refused(core, job, settlement, now);
    default:
        return settle_again(core, job, settlement, now);
    }
}
