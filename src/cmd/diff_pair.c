#include "cmd/diff_pair.h"

#include <string.h>

#include "base/map.h"
#include "base/utf8.h"
#include "base/xalloc.h"
#include "cmd/call_text.h"

/* A call, and what it is compared by. */
struct side_call {
    const struct call *call;
    const char *plain, *contact;
    uint64_t plain_hash, contact_hash;
    struct side_call *partner;
    size_t at;
    bool same; /* as the partner */
};

void
diff_pairs_init(struct diff_pairs *pairs)
{
    *pairs = (struct diff_pairs){0};
    arena_init(&pairs->arena, 64 * 1024);
}

void
diff_pairs_fini(struct diff_pairs *pairs)
{
    arena_fini(&pairs->arena);
}

void
diff_contact_key(struct buf *key, const struct config *config, const struct call *call)
{
    const char *email = call_email(call);

    buf_add_text(key, config->accounts[call->account].name);
    buf_add_char(key, '\n');
    utf8_add_lower(key, email, strlen(email));
}

static struct side_call *
prepare(struct diff_pairs *pairs, struct test_side side)
{
    struct side_call *calls =
        arena_alloc(&pairs->arena, (side.calls->count + 1) * sizeof(calls[0]));
    struct buf text;

    buf_init(&text, CALL_TEXT_MAX);
    for (size_t i = 0; i < side.calls->count; i++) {
        struct side_call *to = &calls[i];

        *to = (struct side_call){.call = side.calls->items[i], .at = i};
        buf_reset(&text);
        test_add_plain(side.config, to->call, &text);
        to->plain = arena_text(&pairs->arena, buf_text(&text), text.len);
        to->plain_hash = map_hash(to->plain, text.len, 0);
        buf_reset(&text);
        diff_contact_key(&text, side.config, to->call);
        to->contact = arena_text(&pairs->arena, buf_text(&text), text.len);
        to->contact_hash = map_hash(to->contact, text.len, 0);
    }
    buf_fini(&text);
    return calls;
}

static bool
same_contact(const struct side_call *a, const struct side_call *b)
{
    return a->contact_hash == b->contact_hash && !strcmp(a->contact, b->contact);
}

static bool
same_rule(const struct call *a, const struct call *b)
{
    return a->nth == b->nth && !strcmp(a->rule, b->rule);
}

/* Whether A and B make a pair, ROUND by round less strictly. */
static bool
fits(const struct side_call *a, const struct side_call *b, int round)
{
    if (a->call->kind != b->call->kind || !same_contact(a, b))
        return false;
    if (round < 2 && (a->plain_hash != b->plain_hash || strcmp(a->plain, b->plain) != 0))
        return false;
    return round % 2 != 0 || same_rule(a->call, b->call);
}

static void
join(struct side_call *old, size_t old_count, struct side_call *new, size_t new_count, int round)
{
    for (size_t i = 0; i < old_count; i++) {
        for (size_t k = 0; !old[i].partner && k < new_count; k++) {
            if (new[k].partner || !fits(&old[i], &new[k], round))
                continue;
            old[i].partner = &new[k];
            new[k].partner = &old[i];
            old[i].same = new[k].same = round < 2;
        }
    }
}

static bool
find_reordered(const struct side_call *old, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t k = i + 1; old[i].same && k < count; k++) {
            if (old[k].same && old[k].partner->at < old[i].partner->at &&
                same_contact(&old[i], &old[k]))
                return true;
        }
    }
    return false;
}

static void
add_pair(struct diff_pairs *pairs, enum diff_kind kind, const struct call *old,
         const struct call *new)
{
    pairs->items[pairs->count++] = (struct diff_pair){kind, old, new};
    pairs->differing += kind != DIFF_SAME;
}

void
diff_pairs_make(struct diff_pairs *pairs, struct test_side old, struct test_side new)
{
    size_t old_count = old.calls->count, new_count = new.calls->count;
    struct side_call *of_old, *of_new;

    arena_reset(&pairs->arena);
    of_old = prepare(pairs, old);
    of_new = prepare(pairs, new);
    for (int round = 0; round < 4; round++)
        join(of_old, old_count, of_new, new_count, round);
    pairs->items =
        arena_alloc(&pairs->arena, (old_count + new_count + 1) * sizeof(pairs->items[0]));
    pairs->count = pairs->differing = 0;
    for (size_t i = 0; i < old_count; i++) {
        const struct side_call *partner = of_old[i].partner;

        if (partner)
            add_pair(pairs, of_old[i].same ? DIFF_SAME : DIFF_CHANGED, of_old[i].call,
                     partner->call);
        else
            add_pair(pairs, DIFF_REMOVED, of_old[i].call, NULL);
    }
    for (size_t i = 0; i < new_count; i++) {
        if (!of_new[i].partner)
            add_pair(pairs, DIFF_ADDED, NULL, of_new[i].call);
    }
    pairs->reordered = find_reordered(of_old, old_count);
}
