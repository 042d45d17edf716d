#include "cmd/diff_tally.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

enum { KEY_MAX = 1 << 20, SLOTS_FIRST = 1024, ALL = 1 /* what contacts are counted for first */ };

/* A tag that a call of a contact adds or removes, on one side. */
struct change {
    const char *tag;
    unsigned side; /* DIFF_OLD or DIFF_NEW */
    bool removes;
    uint64_t contact;
};

/* ---- contacts ---- */

static uint64_t *
find_slot(uint64_t *slots, size_t slot_count, uint64_t hash)
{
    size_t at = hash & (slot_count - 1);

    while (slots[at] && slots[at] != hash)
        at = (at + 1) & (slot_count - 1);
    return &slots[at];
}

static void
grow_set(struct contact_set *set)
{
    size_t slot_count = set->slot_count ? 2 * set->slot_count : SLOTS_FIRST;
    uint64_t *slots = xcalloc(slot_count, sizeof(slots[0]));

    for (size_t i = 0; i < set->slot_count; i++) {
        if (set->slots[i])
            *find_slot(slots, slot_count, set->slots[i]) = set->slots[i];
    }
    xfree(set->slots);
    set->slots = slots;
    set->slot_count = slot_count;
}

/* Whether CONTACT is a new one for WHAT. */
static bool
add_contact(struct contact_set *set, uint64_t contact, uint64_t what)
{
    uint64_t both[2] = {contact, what}, hash = map_hash(both, sizeof(both), 0), *slot;

    hash += !hash;
    if (2 * (set->count + 1) > set->slot_count)
        grow_set(set);
    slot = find_slot(set->slots, set->slot_count, hash);
    if (*slot)
        return false;
    if (set->count == DIFF_CONTACTS_MAX) {
        set->full = true;
        return false;
    }
    *slot = hash;
    set->count++;
    return true;
}

static uint64_t
contact_of(struct diff_tally *tally, const struct config *config, const struct call *call)
{
    buf_reset(&tally->key);
    diff_contact_key(&tally->key, config, call);
    return map_hash(buf_text(&tally->key), tally->key.len, 0);
}

/* ---- rules ---- */

static void
add_rules(struct diff_tally *tally, const struct ruleset *rules)
{
    for (size_t i = 0; i < ruleset_rule_count(rules); i++) {
        const char *name = ruleset_rule_name(rules, i);
        struct diff_rule *rule = &tally->rules[tally->rule_count];

        if (map_find(&tally->rules_by_name, name, strlen(name)))
            continue;
        rule->name = name;
        map_add(&tally->rules_by_name, &rule->node, name, strlen(name));
        tally->rule_count++;
    }
}

void
diff_tally_init(struct diff_tally *tally, const struct ruleset *old, const struct ruleset *new)
{
    *tally = (struct diff_tally){0};
    map_init(&tally->rules_by_name, 0);
    map_init(&tally->tags_by_text, (uint64_t)(uintptr_t)tally);
    arena_init(&tally->arena, 4096);
    buf_init(&tally->key, KEY_MAX);
    tally->rules =
        xcalloc(ruleset_rule_count(old) + ruleset_rule_count(new) + 1, sizeof(tally->rules[0]));
    add_rules(tally, old);
    add_rules(tally, new);
}

void
diff_tally_fini(struct diff_tally *tally)
{
    map_fini(&tally->rules_by_name);
    map_fini(&tally->tags_by_text);
    arena_fini(&tally->arena);
    buf_fini(&tally->key);
    xfree(tally->rules);
    xfree(tally->tags);
    xfree(tally->seen.slots);
}

static void
count_pair(struct diff_tally *tally, const struct diff_pair *pair,
           const struct test_side sides[DIFF_SIDES])
{
    const struct call *call = pair->new ? pair->new : pair->old;
    const struct config *config = sides[pair->new ? DIFF_NEW : DIFF_OLD].config;
    struct map_node *node = map_find(&tally->rules_by_name, call->rule, strlen(call->rule));
    struct diff_rule *rule = CONTAINER_OF(node, struct diff_rule, node);
    uint64_t contact;

    tally->calls[pair->kind]++;
    rule->calls[pair->kind]++;
    if (pair->kind == DIFF_SAME)
        return;
    contact = contact_of(tally, config, call);
    tally->contacts += add_contact(&tally->seen, contact, ALL);
    rule->contacts += add_contact(&tally->seen, contact, ALL + 1 + (uint64_t)(rule - tally->rules));
}

/* ---- tags ---- */

/* NULL when no more are listed. */
static struct diff_tag *
find_tag(struct diff_tally *tally, const char *text)
{
    struct map_node *node = map_find(&tally->tags_by_text, text, strlen(text));
    struct diff_tag *tag;

    if (node)
        return CONTAINER_OF(node, struct diff_tag, node);
    if (tally->tag_count == DIFF_TAGS_MAX)
        return NULL;
    tag = arena_alloc(&tally->arena, sizeof(*tag));
    *tag = (struct diff_tag){.tag = arena_text(&tally->arena, text, strlen(text))};
    map_add(&tally->tags_by_text, &tag->node, tag->tag, strlen(tag->tag));
    tally->tags = xgrow(tally->tags, tally->tag_count, &tally->tag_cap, sizeof(tally->tags[0]));
    tally->tags[tally->tag_count++] = tag;
    return tag;
}

static void
count_change(struct diff_tally *tally, const struct change *change)
{
    struct diff_tag *tag = find_tag(tally, change->tag);
    uint64_t what;

    if (!tag) {
        tally->tags_left_out++;
        return;
    }
    if (change->side == DIFF_NEW)
        tag->more[change->removes]++;
    else
        tag->fewer[change->removes]++;
    what = map_hash(tag->tag, strlen(tag->tag), 1);
    tag->contacts += add_contact(&tally->seen, change->contact, what);
}

static size_t
add_list(struct change *changes, struct change change, const struct text_list *tags)
{
    for (size_t i = 0; i < tags->count; i++) {
        change.tag = tags->items[i];
        changes[i] = change;
    }
    return tags->count;
}

/* The changes of CALL into CHANGES, which is NULL when they are only counted. */
static size_t
add_changes(struct change *changes, struct change change, const struct call *call)
{
    size_t count;

    if (!call)
        return 0;
    if (!changes)
        return call->kind == CALL_IDENTIFY
                   ? call->identify.tags.count
                   : call->track.add_tags.count + call->track.remove_tags.count;
    if (call->kind == CALL_IDENTIFY)
        return add_list(changes, change, &call->identify.tags);
    count = add_list(changes, change, &call->track.add_tags);
    change.removes = true;
    return count + add_list(changes + count, change, &call->track.remove_tags);
}

static int
compare_changes(const void *a, const void *b)
{
    const struct change *x = a, *y = b;
    int order = strcmp(x->tag, y->tag);

    if (!order)
        order = (x->contact > y->contact) - (x->contact < y->contact);
    if (!order)
        order = (int)x->removes - (int)y->removes;
    return order ? order : (int)x->side - (int)y->side;
}

static bool
is_same_change(const struct change *a, const struct change *b)
{
    return a->contact == b->contact && a->removes == b->removes && !strcmp(a->tag, b->tag);
}

/* What both sides do to a contact is no change, whichever call does it. */
static void
count_changes(struct diff_tally *tally, struct change *changes, size_t count)
{
    size_t end;

    qsort(changes, count, sizeof(changes[0]), compare_changes);
    for (size_t i = 0; i < count; i = end) {
        size_t sides[DIFF_SIDES] = {0};

        for (end = i; end < count && is_same_change(&changes[i], &changes[end]); end++)
            sides[changes[end].side]++;
        /* Those of the old side stand first. */
        for (size_t k = sides[DIFF_NEW]; k < sides[DIFF_OLD]; k++)
            count_change(tally, &changes[i]);
        for (size_t k = sides[DIFF_OLD]; k < sides[DIFF_NEW]; k++)
            count_change(tally, &changes[end - 1]);
    }
}

static void
count_tags(struct diff_tally *tally, const struct diff_pairs *pairs,
           const struct test_side sides[DIFF_SIDES])
{
    struct change *changes;
    size_t count = 0;

    for (size_t i = 0; i < pairs->count; i++) {
        count += add_changes(NULL, (struct change){0}, pairs->items[i].old);
        count += add_changes(NULL, (struct change){0}, pairs->items[i].new);
    }
    changes = xcalloc(count + 1, sizeof(changes[0]));
    count = 0;
    for (size_t i = 0; i < pairs->count; i++) {
        const struct call *calls[] = {pairs->items[i].old, pairs->items[i].new};

        for (unsigned side = 0; pairs->items[i].kind != DIFF_SAME && side < DIFF_SIDES; side++) {
            struct change change = {.side = side};

            if (calls[side])
                change.contact = contact_of(tally, sides[side].config, calls[side]);
            count += add_changes(changes + count, change, calls[side]);
        }
    }
    count_changes(tally, changes, count);
    xfree(changes);
}

static int
compare_tags(const void *a, const void *b)
{
    const struct diff_tag *x = *(struct diff_tag *const *)a, *y = *(struct diff_tag *const *)b;
    size_t of_x = x->more[0] + x->more[1] + x->fewer[0] + x->fewer[1];
    size_t of_y = y->more[0] + y->more[1] + y->fewer[0] + y->fewer[1];

    return of_x != of_y ? (of_x < of_y) - (of_x > of_y) : strcmp(x->tag, y->tag);
}

void
diff_tally_sort(struct diff_tally *tally)
{
    if (tally->tag_count)
        qsort(tally->tags, tally->tag_count, sizeof(tally->tags[0]), compare_tags);
}

/* ---- events ---- */

bool
diff_tally_add(struct diff_tally *tally, const enum map_outcome outcomes[DIFF_SIDES],
               const struct diff_pairs *pairs, const struct test_side sides[DIFF_SIDES])
{
    bool otherwise = pairs->reordered || map_outcome_is_failure(outcomes[DIFF_OLD]) !=
                                             map_outcome_is_failure(outcomes[DIFF_NEW]);
    bool differs = pairs->differing || otherwise;

    tally->events++;
    for (size_t side = 0; side < DIFF_SIDES; side++) {
        tally->outcomes[side][outcomes[side]]++;
        tally->total[side] += sides[side].calls->count;
    }
    for (size_t i = 0; i < pairs->count; i++)
        count_pair(tally, &pairs->items[i], sides);
    if (!differs)
        return false;
    tally->differing++;
    tally->reordered += pairs->reordered;
    tally->differences += pairs->differing ? pairs->differing : 1;
    if (pairs->differing)
        count_tags(tally, pairs, sides);
    return true;
}
