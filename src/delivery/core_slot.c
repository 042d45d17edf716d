/*
 * When an event counts as finished. All its calls must have ended, and so must every earlier event
 * of its partition that shares a contact with it. For whatever is not finished is sent again after
 * a crash: were a later event of the contact not sent again as well, the contact would be left with
 * the older state. In a lane the calls of the earlier event come first, so what remains are earlier
 * events whose call for that contact has ended, and which wait for another call or for their dead
 * letter to be stored. Such a call leaves a mark in its lanes (both, for a rename); an event that
 * has ended with a mark of an earlier one of its partition before its own keeps its slot until
 * that one is finished.
 *
 * Only within a partition: the order of a contact's events in different ones is not known to Kafka
 * either. What could not be mapped has no contacts.
 */
#include "base/xalloc.h"
#include "delivery/core_state.h"

static void
add_bytes(struct core *core, struct core_slot *slot, int64_t bytes)
{
    slot->bytes += bytes;
    core_part_add_bytes(core, slot->part, bytes);
}

struct core_slot *
core_slot_open(struct core *core, struct core_part *part, int64_t offset)
{
    struct core_slot *slot = xcalloc(1, sizeof(*slot));

    ledger_open(&part->ledger, &slot->place, offset);
    slot->part = part;
    list_init(&slot->marks);
    list_init(&slot->todo_node);
    add_bytes(core, slot, (int64_t)sizeof(*slot));
    return slot;
}

/* ---- marks ---- */

static struct core_slot *
slot_at(struct lane_mark *mark)
{
    return CONTAINER_OF(mark, struct core_mark, lane)->slot;
}

static void
add_mark(struct core *core, struct core_slot *slot, const struct lane_entry *entry)
{
    struct lane_mark *last = lane_last_mark(entry);
    struct core_mark *mark;

    if (last && slot_at(last) == slot)
        return;
    mark = xcalloc(1, sizeof(*mark));
    mark->slot = slot;
    lane_mark(entry, &mark->lane);
    list_push_back(&slot->marks, &mark->slot_node);
    add_bytes(core, slot, (int64_t)sizeof(*mark));
}

static void
drop_mark(struct core *core, struct core_mark *mark)
{
    lane_unmark(&core->lanes, &mark->lane);
    list_remove(&mark->slot_node);
    xfree(mark);
}

/* Nobody can be before it, so nobody needs to know that it was there. */
static bool
leaves_no_trace(const struct core_job *job)
{
    for (size_t i = 0; i < job->entry_count; i++) {
        if (lane_last_mark(&job->entries[i]))
            return false;
    }
    return list_is_empty(&job->event->slot->marks);
}

void
core_slot_mark(struct core *core, const struct core_job *job, bool ends)
{
    if (ends && leaves_no_trace(job))
        return;
    for (size_t i = 0; i < job->entry_count; i++) {
        const struct lane_entry *behind = lane_behind(&job->entries[i]);

        /* Where another call of the event stands behind, no other event passes yet. */
        if (!behind || ((struct core_job *)behind->owner)->event != job->event)
            add_mark(core, job->event->slot, &job->entries[i]);
    }
}

/* The mark next to MARK, in the direction of STEP, of another event of its partition. */
static struct core_slot *
neighbour(const struct core_mark *mark, struct lane_mark *(*step)(const struct lane_mark *))
{
    for (struct lane_mark *at = step(&mark->lane); at; at = step(at)) {
        if (slot_at(at)->part == mark->slot->part)
            return slot_at(at);
    }
    return NULL;
}

static bool
is_behind_another(const struct core_slot *slot)
{
    LIST_EACH(node, &slot->marks) {
        if (neighbour(CONTAINER_OF(node, struct core_mark, slot_node), lane_mark_before))
            return true;
    }
    return false;
}

/* ---- the end ---- */

static void
slot_free(struct core *core, struct core_slot *slot)
{
    LIST_EACH(node, &slot->marks) {
        drop_mark(core, CONTAINER_OF(node, struct core_mark, slot_node));
    }
    add_bytes(core, slot, -slot->bytes);
    xfree(slot);
}

/* Without SLOT's marks, those who were behind it may be finished, too. */
static void
drop_marks(struct core *core, struct core_slot *slot)
{
    LIST_EACH(node, &slot->marks) {
        struct core_mark *mark = CONTAINER_OF(node, struct core_mark, slot_node);
        struct core_slot *behind = neighbour(mark, lane_mark_behind);

        drop_mark(core, mark);
        if (behind && !behind->event && !behind->given_back && list_is_empty(&behind->todo_node) &&
            !is_behind_another(behind))
            list_push_back(&core->ended, &behind->todo_node);
    }
}

void
core_slot_end(struct core *core, struct core_slot *slot)
{
    struct list *first;

    slot->event = NULL;
    if (is_behind_another(slot))
        return;
    list_push_back(&core->ended, &slot->todo_node);
    while ((first = list_first(&core->ended))) {
        struct core_slot *done = CONTAINER_OF(first, struct core_slot, todo_node);

        list_remove(first);
        drop_marks(core, done);
        ledger_close(&done->part->ledger, &done->place);
        slot_free(core, done);
    }
}

void
core_slot_give_back(struct core *core, struct core_slot *slot)
{
    add_bytes(core, slot, -slot->bytes);
    slot->event = NULL;
    slot->given_back = true;
}

void
core_slot_forget(struct core *core, struct core_slot *slot)
{
    ledger_forget(&slot->part->ledger, &slot->place);
    slot_free(core, slot);
}
