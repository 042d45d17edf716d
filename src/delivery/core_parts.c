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
    part->past.highest = -1;
    part->known.offset = part->sent.offset = -1;
    part->user = user;
    buf_init(&part->text, PROGRESS_TEXT_MAX);
    list_push_back(&core->parts, &part->node);
    core->part_count++;
    return part;
}

void
core_part_bind(struct core_part *part, uint64_t binding, struct progress *progress)
{
    assert(!part->counts.consumed);
    part->bound = true;
    part->binding = binding;
    if (!progress || part->committed < 0)
        return;
    part->past = *progress;
    part->ledger.highest = progress->highest;
    *progress = (struct progress){.highest = -1};
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

/* Where calls are scarce, what is read further on may be folded. */
static bool
wants_to_fold(const struct core *core, const struct gate *gate)
{
    return core->limits.fold != FOLD_OFF && (gate->limits.rate > 0 || gate->was_cut);
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
            account->fresh.count < enough || wants_to_fold(core, &account->gate))
            return false;
    }
    return core->account_count > 0;
}

/* The text of its progress may become too long. What was listed when it came is not new. */
bool
core_part_is_full(const struct core_part *part)
{
    return part->bound && part->ledger.next > part->past.highest &&
           ledger_progress_size(&part->ledger) > PROGRESS_ROOM / 4 * 3;
}

bool
core_has_room(const struct core *core, const struct core_part *part, int64_t now)
{
    int64_t parts = (int64_t)core->part_count;
    int64_t share_events = 2 * core->limits.max_events / parts;
    int64_t share_bytes = 2 * core->limits.max_bytes / parts;

    if (part->revoked || part->unmapped || is_fed(core, now) || core_part_is_full(part))
        return false;
    if (!part->counts.pending) /* one event always has room, as long as the whole has */
        share_events = share_bytes = INT64_MAX;
    return (int64_t)core->events < core->limits.max_events &&
           core->bytes < core->limits.max_bytes && (int64_t)part->counts.pending < share_events &&
           part->bytes < share_bytes;
}

/* The event of a slot, or NULL: it ended, or was given back. */
static struct core_event *
event_at(struct list *node)
{
    return CONTAINER_OF(node, struct core_slot, place.node)->event;
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
add_begun(struct core_part *part, struct list *todo)
{
    LIST_EACH(node, &part->ledger.slots) {
        struct core_event *event = event_at(node);

        if (!event)
            continue;
        event->keep |= event->begun || event->letter == LETTER_OUT; /* some may be kept already */
        if (event->keep)
            list_push_back(todo, &event->todo_node);
    }
}

/* Also of parts that were revoked before: what stands before their events may be in the new ones.
 */
static void
keep_begun(struct core *core)
{
    struct list todo;
    struct list *first;

    list_init(&todo);
    LIST_EACH(node, &core->parts) {
        struct core_part *part = CONTAINER_OF(node, struct core_part, node);

        if (part->revoked)
            add_begun(part, &todo);
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
    keep_begun(core);
    for (size_t i = 0; i < count; i++) {
        LIST_EACH(node, &parts[i]->ledger.slots) {
            struct core_event *event = event_at(node);

            if (event && !event->keep)
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
        const struct core_job *job = CONTAINER_OF(node, struct core_job, event_node);

        if (job->leader && job->leader->state == JOB_IN_FLIGHT)
            return false;
    }
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
        const struct core_event *event = event_at(node);

        if (event && !is_stuck(core, event))
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
    to->finished_before += from->finished_before;
    for (size_t i = 0; i < EVENT_OUTCOME_COUNT; i++)
        to->ended[i] += from->ended[i];
}

static void
abandon(struct core *core, struct core_part *part)
{
    part->revoked = true;
    LIST_EACH(node, &part->ledger.slots) {
        struct core_event *event = event_at(node);

        if (event)
            core_event_give_back(core, event);
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
    LIST_EACH(node, &part->ledger.slots) {
        core_slot_forget(core, CONTAINER_OF(node, struct core_slot, place.node));
    }
    list_remove(&part->node);
    core->part_count--;
    core->doubted -= part->doubted;
    xfree(part->past.unfinished);
    buf_fini(&part->text);
    xfree(part);
}

/* ---- commits ---- */

static bool
has_moved(const struct core_part *part)
{
    return part->doubted || ledger_watermark(&part->ledger) != part->committed ||
           (part->bound && part->ledger.changes != part->committed_changes);
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

/* The unfinished offsets of PART below its highest finished one, as many as a text can hold:
 * received ones, then those left from before the assignment. Returns their number. */
static size_t
list_unfinished(const struct core_part *part, int64_t *offsets)
{
    const struct ledger *ledger = &part->ledger;
    const struct progress *past = &part->past;
    size_t count = 0;

    LIST_EACH(node, &ledger->slots) {
        int64_t offset = CONTAINER_OF(node, struct ledger_slot, node)->offset;

        if (offset >= ledger->highest || count == PROGRESS_OFFSETS_MAX)
            return count;
        offsets[count++] = offset;
    }
    for (size_t i = part->past_at; i < past->count && count < PROGRESS_OFFSETS_MAX; i++) {
        if (past->unfinished[i] >= ledger->next)
            offsets[count++] = past->unfinished[i];
    }
    return count;
}

void
core_part_write_progress(struct core_part *part, size_t max, int64_t offset)
{
    struct progress progress = {.highest = part->ledger.highest};
    int64_t *offsets;

    buf_reset(&part->text);
    if (!part->bound || progress.highest < offset)
        return;
    offsets = xcalloc(PROGRESS_OFFSETS_MAX, sizeof(*offsets));
    progress.unfinished = offsets;
    progress.count = list_unfinished(part, offsets);
    progress_write(&part->text, max, part->binding, offset, &progress);
    xfree(offsets);
}

/* The metadata of a commit of PART, or NULL; the part's until the next commit. */
static const char *
progress_text(struct core *core, struct core_part *part)
{
    core_part_write_progress(part, core->text_max, part->committing);
    part->sent = core_stamp_of(part->committing, buf_text(&part->text), part->text.len);
    return part->text.len ? buf_text(&part->text) : NULL;
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
        part->committing_changes = part->ledger.changes;
        part->being_assured = part->doubted;
        offsets[count++] = (struct core_offset){
            .user = part->user, .offset = part->committing, .metadata = progress_text(core, part)};
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

        if (stored && part->committing >= 0) {
            part->committed = part->committing;
            part->known = part->sent;
            part->committed_changes = part->committing_changes;
        }
        if (stored) { /* also of a part that was refused alone: the membership is what was in doubt
                       */
            core->doubted -= part->being_assured;
            part->doubted &= !part->being_assured;
        }
        part->committing = -1;
        part->being_assured = false;
    }
}

void
core_doubt(struct core *core)
{
    core->doubted = core->part_count;
    LIST_EACH(node, &core->parts) {
        struct core_part *part = CONTAINER_OF(node, struct core_part, node);

        part->doubted = true;
        part->being_assured = false; /* that commit was sent before */
    }
}

bool
core_is_doubted(const struct core *core)
{
    return core->doubted > 0;
}

void
core_commit_refused(struct core *core, struct core_part *part)
{
    assert(core->commit_out);
    part->committing = -1;
}

size_t
core_shorten_progress(struct core *core)
{
    core->text_max /= 2;
    return core->text_max;
}
