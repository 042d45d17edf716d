#include <assert.h>

#include "delivery/core_state.h"

/* The nearer to its end, the more it says about what the event waits for. */
static enum event_wait
wait_of_state(enum job_state state)
{
    static const enum event_wait waits[] = {
        [JOB_QUEUED] = WAIT_CONTACT, [JOB_READY] = WAIT_ACCOUNT,  [JOB_IN_FLIGHT] = WAIT_REPLY,
        [JOB_WAITING] = WAIT_RETRY,  [JOB_REFUSED] = WAIT_PERMIT, [JOB_FOLDED] = WAIT_CONTACT};

    return waits[state];
}

static enum event_wait
wait_of_letter(enum letter_state letter)
{
    return letter == LETTER_UNMAPPED ? WAIT_PERMIT : WAIT_LETTER;
}

const struct core_event *
core_part_oldest(const struct core_part *part)
{
    LIST_EACH(node, &part->ledger.slots) {
        const struct core_slot *slot = CONTAINER_OF(node, struct core_slot, place.node);

        if (slot->event)
            return slot->event;
    }
    return NULL;
}

bool
core_part_waits(const struct core_part *part, struct core_wait *ret)
{
    const struct core_event *event = core_part_oldest(part);
    enum event_wait on = WAIT_NOTHING;

    if (!event)
        return false;
    if (event->letter != LETTER_NONE)
        on = wait_of_letter(event->letter);
    LIST_EACH(node, &event->jobs) {
        enum event_wait of_job =
            wait_of_state(CONTAINER_OF(node, struct core_job, event_node)->state);

        on = of_job > on ? of_job : on;
    }
    *ret = (struct core_wait){
        .on = on, .offset = event->slot->place.offset, .events = part->counts.pending};
    return true;
}

const char *
event_wait_name(enum event_wait wait)
{
#define X(id, name, doc) name,
    static const char *const names[] = {EVENT_WAIT_TABLE(X)};
#undef X

    assert((size_t)wait < EVENT_WAIT_COUNT);
    return names[wait];
}
