/*
 * What is remembered of partitions that were lost, that is, taken away before what was finished
 * could be committed. When one comes back and the broker has of it what this core knew, nobody has
 * committed since, and what was finished is finished still: it need not be sent again.
 *
 * That is not all there is to it. An owner in between may have sent a part of it once more and gone
 * without a commit, and a contact is then left with an older state unless everything is repeated.
 * And an operator may have set the offset to where it was. Neither shows here: the caller has them
 * forgotten when they are possible (core_forget_lost).
 */
#include <assert.h>

#include "base/map.h"
#include "base/xalloc.h"
#include "delivery/core_state.h"

struct core_lost {
    struct list node; /* core.lost */
    uint64_t binding;
    int64_t era;
    struct core_stamp known, sent; /* the broker has one of them, if nobody has committed since */
    int64_t base;                  /* the offset that TEXT is above */
    char *text;                    /* of the progress, without NUL */
    size_t len;
};

struct core_stamp
core_stamp_of(int64_t offset, const char *text, size_t len)
{
    return (struct core_stamp){.offset = offset, .text_hash = map_hash(len ? text : "", len, 0)};
}

static bool
is_same(const struct core_stamp *a, const struct core_stamp *b)
{
    return a->offset == b->offset && a->text_hash == b->text_hash;
}

static void
lost_free(struct core_lost *lost)
{
    if (!lost)
        return;
    list_remove(&lost->node);
    xfree(lost->text);
    xfree(lost);
}

static struct core_lost *
find(const struct core *core, uint64_t binding)
{
    LIST_EACH(node, &core->lost) {
        struct core_lost *lost = CONTAINER_OF(node, struct core_lost, node);

        if (lost->binding == binding)
            return lost;
    }
    return NULL;
}

static void
remember(struct core *core, struct core_part *part, int64_t era)
{
    int64_t base = part->known.offset >= 0 ? part->known.offset : part->sent.offset;
    struct core_lost *lost;

    lost_free(find(core, part->binding));
    if (base < 0)
        return;
    core_part_write_progress(part, PROGRESS_TEXT_MAX, base);
    if (!part->text.len)
        return;
    lost = xcalloc(1, sizeof(*lost));
    lost->binding = part->binding;
    lost->era = era;
    lost->known = part->known;
    lost->sent = part->sent;
    lost->base = base;
    lost->text = xmemdup(buf_text(&part->text), part->text.len);
    lost->len = part->text.len;
    list_push_back(&core->lost, &lost->node);
}

void
core_lose(struct core *core, struct core_part *part, int64_t era)
{
    remember(core, part, era);
    core_release(core, part);
}

/* Whether LOST says more than the progress of PART that was found with the committed offset. */
static bool
take_over(struct core_part *part, const struct core_lost *lost)
{
    struct progress progress;
    bool read = progress_read(lost->text, lost->len, lost->binding, lost->base, &progress);

    assert(read);
    if (progress.highest < part->committed || progress.highest < part->past.highest ||
        (progress.highest == part->past.highest && progress.count == part->past.count)) {
        xfree(progress.unfinished);
        return false;
    }
    xfree(part->past.unfinished);
    part->past = progress;
    part->ledger.highest = progress.highest;
    part->ledger.changes++; /* since that commit, which makes another one due */
    return true;
}

const struct progress *
core_part_recall(struct core *core, struct core_part *part, const char *text, size_t len)
{
    struct core_lost *lost = find(core, part->binding);
    bool taken = false;

    assert(part->bound && !part->counts.consumed);
    if (part->committed >= 0)
        part->known = core_stamp_of(part->committed, text, len);
    if (!lost)
        return NULL;
    if (part->committed >= 0 &&
        (is_same(&part->known, &lost->known) || is_same(&part->known, &lost->sent)))
        taken = take_over(part, lost);
    lost_free(lost);
    return taken ? &part->past : NULL;
}

void
core_forget_lost(struct core *core, int64_t before)
{
    LIST_EACH(node, &core->lost) {
        struct core_lost *lost = CONTAINER_OF(node, struct core_lost, node);

        if (lost->era < before)
            lost_free(lost);
    }
}
