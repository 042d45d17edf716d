#include <assert.h>

#include "delivery/core_state.h"

const char *
event_outcome_name(enum event_outcome outcome)
{
#define X(id, name, doc) name,
    static const char *const names[] = {EVENT_OUTCOME_TABLE(X)};
#undef X

    assert((size_t)outcome < ARRAY_LEN(names));
    return names[outcome];
}

const struct core_counts *
core_part_counts(const struct core_part *part)
{
    return &part->counts;
}

void
core_totals(const struct core *core, struct core_counts *ret)
{
    *ret = core->gone;
    LIST_EACH(node, &core->parts) {
        core_add_counts(ret, &CONTAINER_OF(node, struct core_part, node)->counts);
    }
}

static size_t
count_list(const struct list *list)
{
    size_t count = 0;

    LIST_EACH(node, list) {
        count++;
    }
    return count;
}

void
core_gauges(const struct core *core, struct core_gauges *ret)
{
    *ret = (struct core_gauges){.events = core->events,
                                .lanes = lanes_count(&core->lanes),
                                .ready = core->ready,
                                .in_flight = core->in_flight,
                                .waiting = core->waiting,
                                .refused = core->refused_count,
                                .unmapped = core->unmapped_count,
                                .letters = core->letter_count,
                                .large_letters = count_list(&core->large_letters),
                                .folded = core->folded,
                                .bytes = core->bytes};
    LIST_EACH(node, &core->parts) {
        ret->full_parts += core_part_is_full(CONTAINER_OF(node, struct core_part, node));
    }
}

static void
check_job(const struct core_job *job)
{
    bool is_head = core_job_heads_lanes(job);

    assert(job->entry_count >= 1 && job->entry_count <= JOB_ENTRIES);
    assert((job->state == JOB_QUEUED || job->state == JOB_FOLDED) == !is_head);
    assert((job->state == JOB_FOLDED) == (job->leader != NULL));
    assert(!job->leader || (job->leader->fold && job->entry_count == 1 &&
                            job->entries[0].lane == job->leader->entries[0].lane));
    assert(heap_has(&job->timer) == (job->state == JOB_WAITING || job->state == JOB_READY));
}

static void
check_part(const struct core_part *part)
{
    const struct core_counts *counts = &part->counts;
    uint64_t ended = 0;
    int64_t offset = -1;
    size_t events = 0, slots = 0, size = 0;

    for (size_t i = 0; i < EVENT_OUTCOME_COUNT; i++)
        ended += counts->ended[i];
    assert(counts->consumed == counts->pending + ended); /* conservation */
    LIST_EACH(node, &part->ledger.slots) {
        struct core_slot *slot = CONTAINER_OF(node, struct core_slot, place.node);
        struct core_event *event = slot->event;

        assert(slot->part == part && slot->place.offset > offset &&
               slot->place.offset < part->ledger.next);
        size += slots ? progress_distance_size(slot->place.offset - offset) : 0;
        offset = slot->place.offset;
        slots++;
        assert(event || slots > 1 || slot->given_back); /* what ended waits for an earlier one */
        if (!event)
            continue;
        assert(event->slot == slot && (event->refs > 0 || event->letter >= LETTER_QUEUED));
        events++;
        LIST_EACH(job_node, &event->jobs) {
            check_job(CONTAINER_OF(job_node, struct core_job, event_node));
        }
    }
    assert(events == counts->pending && slots == part->ledger.count && size == part->ledger.size);
    assert(part->committed <= ledger_watermark(&part->ledger));
}

void
core_check(const struct core *core)
{
    size_t doubted = 0;

    LIST_EACH(node, &core->parts) {
        check_part(CONTAINER_OF(node, struct core_part, node));
        doubted += CONTAINER_OF(node, struct core_part, node)->doubted;
    }
    assert(doubted == core->doubted);
}
