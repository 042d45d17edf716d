#include "delivery/core.h"

#include <assert.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "delivery/core_state.h"

struct core *
core_new(const struct core_limits *limits, uint64_t seed)
{
    struct core *core = xcalloc(1, sizeof(*core));

    core->limits = *limits;
    core->rng.state = seed;
    core->text_max = PROGRESS_TEXT_MAX;
    lanes_init(&core->lanes, rng_next(&core->rng));
    heap_init(&core->timers);
    budget_init(&core->budget, limits->budget);
    list_init(&core->parts);
    list_init(&core->refused);
    list_init(&core->unmapped);
    list_init(&core->letters);
    list_init(&core->large_letters);
    list_init(&core->letters_out);
    list_init(&core->ended);
    list_init(&core->lost);
    buf_init(&core->key, CONTACT_KEY_MAX);
    return core;
}

static struct core_account *
account_new(void)
{
    struct core_account *account = xcalloc(1, sizeof(*account));

    heap_init(&account->fresh);
    heap_init(&account->again);
    list_init(&account->tries);
    list_init(&account->in_flight);
    return account;
}

struct core_account *
core_account_of(struct core *core, unsigned account)
{
    while (account >= core->account_count) {
        core->accounts = xgrow(core->accounts, core->account_count, &core->account_cap,
                               sizeof(core->accounts[0]));
        core->accounts[core->account_count++] = account_new();
    }
    return core->accounts[account];
}

void
core_set_account(struct core *core, unsigned account, const struct gate_limits *limits,
                 enum unknown_contact unknown, int64_t now)
{
    struct core_account *to = core_account_of(core, account);

    if (!to->is_set)
        gate_init(&to->gate, now);
    to->is_set = true;
    to->unknown = unknown;
    gate_set_limits(&to->gate, limits, now);
}

void
core_set_limits(struct core *core, const struct core_limits *limits)
{
    assert(limits->dead_letters == core->limits.dead_letters);
    core->limits = *limits;
    core->budget.share = limits->budget;
}

void
core_probe_soon(struct core *core, unsigned account, int64_t now)
{
    gate_probe_soon(&core_account_of(core, account)->gate, now);
}

const struct gate *
core_gate(const struct core *core, unsigned account)
{
    return account < core->account_count ? &core->accounts[account]->gate : NULL;
}

bool
core_account_waits(const struct core *core, unsigned account)
{
    return account < core->account_count && !list_is_empty(&core->accounts[account]->tries);
}

/* ---- whose turn it is ---- */

static struct core_job *
oldest(const struct heap *heap)
{
    struct heap_node *first = heap_first(heap);

    return first ? CONTAINER_OF(first, struct core_job, timer) : NULL;
}

/* The next call of ACCOUNT that may start. Those that failed before go first, up to their half of
 * the slots. Under a hold it is the one whose last try is longest ago, whatever its own back-off
 * says. */
static struct core_job *
pick(struct core_account *account, int64_t now)
{
    struct core_job *again = oldest(&account->again);
    struct core_job *fresh = oldest(&account->fresh);
    struct list *longest = list_first(&account->tries);

    if (!account->is_set)
        return NULL;
    if (longest && gate_wants_probe(&account->gate, now)) {
        struct core_job *job = CONTAINER_OF(longest, struct core_job, tries_node);

        job->probe = true;
        return job;
    }
    if (again && gate_admits(&account->gate, true, now))
        return again;
    return fresh && gate_admits(&account->gate, false, now) ? fresh : NULL;
}

static void
start(struct core *core, struct core_account *account, struct core_job *job, int64_t now)
{
    job->retrying = job->attempts > 0;
    job->started_ms = now;
    if (!job->attempts) {
        job->first_ms = now;
        job->held_ms = gate_held_ms(&account->gate, now);
        job->successes = account->gate.successes;
    }
    core_fold_start(core, job);
    gate_start(&account->gate, job->retrying, job->probe);
    core_job_set_state(core, job, JOB_IN_FLIGHT, 0);
}

struct core_job *
core_next(struct core *core, int64_t now)
{
    for (size_t i = 0; i < core->account_count && !core->doubted; i++) {
        size_t turn = (core->next_account + i) % core->account_count;
        struct core_account *account = core->accounts[turn];
        struct core_job *job = pick(account, now);

        if (!job)
            continue;
        core->next_account = turn + 1;
        start(core, account, job, now);
        return job;
    }
    return NULL;
}

bool
core_may_send(struct core *core, const struct core_job *job, bool again, int64_t now)
{
    struct gate *gate = &core_account_of(core, job->call->account)->gate;

    assert(job->state == JOB_IN_FLIGHT);
    if (core->doubted)
        return false;
    return again ? gate_start_again(gate, job->probe, now) : gate_may_send(gate, now);
}

/* ---- time ---- */

void
core_tick(struct core *core, int64_t now)
{
    struct heap_node *first;

    while ((first = heap_first(&core->timers)) && first->due_ms <= now)
        core_job_set_state(core, CONTAINER_OF(first, struct core_job, timer), JOB_READY, 0);
    core_event_admit_waiting(core, now);
}

int64_t
core_deadline(const struct core *core, int64_t now)
{
    const struct heap_node *first = heap_first(&core->timers);
    int64_t due_ms = first ? first->due_ms : CLOCK_NEVER;

    for (size_t i = 0; i < core->account_count; i++) {
        const struct core_account *account = core->accounts[i];

        if (account->is_set && !list_is_empty(&account->tries))
            due_ms = clock_earlier(due_ms, gate_deadline(&account->gate, now));
    }
    if (core->letters_failed && list_is_empty(&core->letters_out))
        due_ms =
            clock_earlier(due_ms, core->letters_due_ms > now ? core->letters_due_ms : CLOCK_NEVER);
    if (!list_is_empty(&core->large_letters) && !core->doubted)
        due_ms = clock_earlier(due_ms, core->large_due_ms);
    if (core->limits.dead_letters && core->refused_count + core->unmapped_count > 0)
        due_ms = clock_earlier(due_ms, budget_deadline(now));
    return due_ms;
}

void
core_free(struct core *core)
{
    if (!core)
        return;
    while (!list_is_empty(&core->parts))
        core_release(core, CONTAINER_OF(list_first(&core->parts), struct core_part, node));
    core_event_forget_letters(core);
    core_forget_lost(core, INT64_MAX);
    for (size_t i = 0; i < core->account_count; i++) {
        LIST_EACH(node, &core->accounts[i]->in_flight) {
            core_job_end(core, CONTAINER_OF(node, struct core_job, state_node));
        }
        heap_fini(&core->accounts[i]->fresh);
        heap_fini(&core->accounts[i]->again);
        xfree(core->accounts[i]);
    }
    xfree(core->accounts);
    lanes_fini(&core->lanes);
    heap_fini(&core->timers);
    buf_fini(&core->key);
    xfree(core);
}
