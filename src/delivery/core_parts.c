#include <assert.h>

#include "base/xalloc.h"
#include "delivery/core_state.h"

enum { FED_ROUNDS = 4 }; /* of calls that may start, times the slots of their account */

/* ---- coming and going ---- */

struct core_part *
core_assign(struct core *core, int64_t start, int64_t committed, void *user)
{
    struct core_part *part = xcalloc(1, sizeof(*part));

    ledger_init(&part->ledger, start);
    part->committed = committed;
    part->committing = -1;
    part->user = user;
    list_push_back(&core->parts, &part->node);
    core->part_count++;
    return part;
}

size_t
core_parts(const struct core *core, void **users, size_t cap)
{
    size_t count = 0;

    LIST_EACH(node, &core->parts) {
        if (count < cap)
            users[count++] = CONTAINER_OF(node, struct core_part, node)->user;
    }
    return core->part_count;
}

/* Every account has calls enough for a while. To read on would only make the pending events, and
 * what a hand-over gives back, more than the processor's caches hold. */
static bool
is_fed(const struct core *core, int64_t now)
{
    for (size_t i = 0; i < core->account_count; i++) {
        const struct core_account *account = core->accounts[i];
        size_t enough = FED_ROUNDS * (size_t)account->gate.limits.max_in_flight;

        if (!account->is_set || gate_reason(&account->gate, now) != GATE_OPEN ||
            account->fresh.count < enough)
            return false;
    }
    return core->account_count > 0;
}

bool
core_has_room(const struct core *core, const struct core_part *part, int64_t now)
{
    int64_t parts = (int64_t)core->part_count;
    int64_t share_events = 2 * core->limits.max_events / parts;
    int64_t share_bytes = 2 * core->limits.max_bytes / parts;

    if (part->revoked || part->unmapped || is_fed(core, now))
        return false;
    if (!part->counts.pending) /* one event always has room, as long as the whole has */
        share_events = share_bytes = INT64_MAX;
    return (int64_t)core->events < core->limits.max_events &&
           core->bytes < core->limits.max_bytes && (int64_t)part->counts.pending < share_events &&
           part->bytes < share_bytes;
}

/* Whatever stands before a call of a kept event is kept, too. What is kept already has been or will
 * be looked at itself, so each lane is walked once. */
static void
keep_before(struct core_event *event, struct list *todo)
{
    LIST_EACH(node, &event->jobs) {
        struct core_job *job = CONTAINER_OF(node, struct core_job, event_node);

        for (size_t i = 0; i < job->entry_count; i++) {
            struct lane_entry *entry = &job->entries[i];

            while ((entry = lane_before(entry))) {
                struct core_event *before = ((struct core_job *)entry->owner)->event;

                if (!before || !before->part->revoked)
                    continue;
                if (before->keep)
                    break;
                before->keep = true;
                list_push_back(todo, &before->todo_node);
            }
        }
    }
}

static void
keep_begun(struct core_part **parts, size_t count)
{
    struct list todo;
    struct list *first;

    list_init(&todo);
    for (size_t i = 0; i < count; i++) {
        LIST_EACH(node, &parts[i]->ledger.slots) {
            struct core_event *event = CONTAINER_OF(node, struct core_event, slot.node);

            event->keep |=
                event->begun || event->letter == LETTER_OUT; /* some may be kept already */
            if (event->keep)
                list_push_back(&todo, &event->todo_node);
        }
    }
    while ((first = list_first(&todo))) {
        list_remove(first);
        keep_before(CONTAINER_OF(first, struct core_event, todo_node), &todo);
    }
}

void
core_revoke(struct core *core, struct core_part **parts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        parts[i]->revoked = true;
    keep_begun(parts, count);
    for (size_t i = 0; i < count; i++) {
        LIST_EACH(node, &parts[i]->ledger.slots) {
            struct core_event *event = CONTAINER_OF(node, struct core_event, slot.node);

            if (!event->keep)
                core_event_give_back(core, event);
        }
    }
}

void
core_revoke_all(struct core *core)
{
    struct core_part **parts = xcalloc(core->part_count, sizeof(*parts));
    size_t count = 0;

    LIST_EACH(node, &core->parts) {
        parts[count++] = CONTAINER_OF(node, struct core_part, node);
    }
    core_revoke(core, parts, count);
    xfree(parts);
}

/* Marks every job that stands behind a held one, renames reaching into a second lane. */
static void
mark_stuck(struct core *core)
{
    struct list todo;
    struct list *first;

    core->stuck_round++;
    list_init(&todo);
    LIST_EACH(node, &core->refused) {
        struct core_job *job = CONTAINER_OF(node, struct core_job, state_node);

        job->stuck_round = core->stuck_round;
        list_push_back(&todo, &job->todo_node);
    }
    while ((first = list_first(&todo))) {
        struct core_job *job = CONTAINER_OF(first, struct core_job, todo_node);

        list_remove(first);
        for (size_t i = 0; i < job->entry_count; i++) {
            struct lane_entry *entry = &job->entries[i];

            while ((entry = lane_behind(entry))) {
                struct core_job *behind = entry->owner;

                if (behind->stuck_round == core->stuck_round)
                    break;
                behind->stuck_round = core->stuck_round;
                list_push_back(&todo, &behind->todo_node);
            }
        }
    }
}

/* Nothing of it is in flight and it cannot end before somebody mends what is held. */
static bool
is_stuck(const struct core *core, const struct core_event *event)
{
    if (event->in_flight)
        return false;
    if (event->letter == LETTER_QUEUED || event->letter == LETTER_OUT)
        return core->letters_failed > 0 && event->letter == LETTER_QUEUED;
    if (event->letter == LETTER_UNMAPPED || event->letter == LETTER_LARGE)
        return true;
    LIST_EACH(node, &event->jobs) {
        if (CONTAINER_OF(node, struct core_job, event_node)->stuck_round == core->stuck_round)
            return true;
    }
    return false;
}

static bool
is_drained(const struct core *core, const struct core_part *part)
{
    LIST_EACH(node, &part->ledger.slots) {
        if (!is_stuck(core, CONTAINER_OF(node, struct core_event, slot.node)))
            return false;
    }
    return true;
}

bool
core_is_drained(struct core *core, const struct core_part *part)
{
    if (part && !part->counts.pending)
        return true;
    mark_stuck(core);
    if (part)
        return is_drained(core, part);
    LIST_EACH(node, &core->parts) {
        if (!is_drained(core, CONTAINER_OF(node, struct core_part, node)))
            return false;
    }
    return true;
}

void
core_add_counts(struct core_counts *to, const struct core_counts *from)
{
    to->consumed += from->consumed;
    to->pending += from->pending;
    for (size_t i = 0; i < EVENT_OUTCOME_COUNT; i++)
        to->ended[i] += from->ended[i];
}

static void
abandon(struct core *core, struct core_part *part)
{
    part->revoked = true;
    LIST_EACH(node, &part->ledger.slots) {
        core_event_give_back(core, CONTAINER_OF(node, struct core_event, slot.node));
    }
}

void
core_abandon(struct core *core, struct core_part *part)
{
    if (part) {
        abandon(core, part);
        return;
    }
    LIST_EACH(node, &core->parts) {
        abandon(core, CONTAINER_OF(node, struct core_part, node));
    }
}

void
core_release(struct core *core, struct core_part *part)
{
    abandon(core, part);
    core_add_counts(&core->gone, &part->counts);
    list_remove(&part->node);
    core->part_count--;
    xfree(part);
}

/* ---- commits ---- */

static bool
has_moved(const struct core_part *part)
{
    return ledger_watermark(&part->ledger) != part->committed;
}

bool
core_part_is_committed(const struct core_part *part)
{
    return !has_moved(part);
}

bool
core_commit_is_due(const struct core *core)
{
    LIST_EACH(node, &core->parts) {
        if (has_moved(CONTAINER_OF(node, struct core_part, node)))
            return true;
    }
    return false;
}

size_t
core_commit(struct core *core, struct core_offset *offsets, size_t cap)
{
    size_t count = 0;

    assert(!core->commit_out);
    LIST_EACH(node, &core->parts) {
        struct core_part *part = CONTAINER_OF(node, struct core_part, node);

        if (count == cap || !has_moved(part))
            continue;
        part->committing = ledger_watermark(&part->ledger);
        offsets[count++] = (struct core_offset){.user = part->user, .offset = part->committing};
    }
    core->commit_out = count > 0;
    return count;
}

void
core_committed(struct core *core, bool stored)
{
    assert(core->commit_out);
    core->commit_out = false;
    LIST_EACH(node, &core->parts) {
        struct core_part *part = CONTAINER_OF(node, struct core_part, node);

        if (stored && part->committing >= 0)
            part->committed = part->committing;
        part->committing = -1;
    }
}
