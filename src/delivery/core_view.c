#include <string.h>

#include "base/clock.h"
#include "delivery/core_state.h"

void
core_part_view(const struct core_part *part, struct core_part_view *ret)
{
    const struct core_event *oldest = core_part_oldest(part);

    *ret = (struct core_part_view){.next = part->ledger.next,
                                   .watermark = ledger_watermark(&part->ledger),
                                   .committed = part->committed,
                                   .bytes = part->bytes,
                                   .unmapped = part->unmapped,
                                   .revoked = part->revoked,
                                   .doubted = part->doubted,
                                   .full = core_part_is_full(part)};
    ret->oldest = oldest ? &oldest->record->event : NULL;
    ret->oldest_offset = oldest ? oldest->slot->place.offset : -1;
}

/* Those that wait longest, in order, while they are gathered. */
struct gathering {
    struct core_retry *retries;
    size_t count, cap, all;
};

static void
gather(struct gathering *gathering, const struct core_job *job, int64_t due_ms)
{
    struct core_retry retry = {.call = job->call,
                               .record = &job->event->record->event,
                               .tries = job->tries,
                               .first_ms = job->first_ms,
                               .due_ms = due_ms,
                               .verdict = job->last_verdict,
                               .status = job->last_status,
                               .reason = job->last_reason};
    size_t at = gathering->count;

    if (job->last_verdict == VERDICT_DONE) /* its identify was delivered, its track comes next */
        return;
    gathering->all++;
    while (at > 0 && gathering->retries[at - 1].first_ms > retry.first_ms)
        at--;
    if (at == gathering->cap)
        return;
    if (gathering->count < gathering->cap)
        gathering->count++;
    memmove(&gathering->retries[at + 1], &gathering->retries[at],
            (gathering->count - at - 1) * sizeof(retry));
    gathering->retries[at] = retry;
}

size_t
core_retries(const struct core *core, struct core_retry *retries, size_t cap, size_t *ret_all)
{
    struct gathering gathering = {.retries = retries, .cap = cap};

    for (size_t i = 0; i < core->timers.count; i++) {
        const struct heap_node *timer = core->timers.nodes[i];

        gather(&gathering, CONTAINER_OF(timer, struct core_job, timer), timer->due_ms);
    }
    /* Their time has come, and their account's gate has not let them start yet. */
    for (size_t i = 0; i < core->account_count; i++) {
        const struct heap *again = &core->accounts[i]->again;

        for (size_t j = 0; j < again->count; j++)
            gather(&gathering, CONTAINER_OF(again->nodes[j], struct core_job, timer), 0);
    }
    LIST_EACH(node, &core->refused) {
        gather(&gathering, CONTAINER_OF(node, struct core_job, state_node), CLOCK_NEVER);
    }
    *ret_all = gathering.all;
    return gathering.count;
}
