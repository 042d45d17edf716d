#include "delivery/lane.h"

#include <assert.h>
#include <string.h>

#include "base/xalloc.h"

struct lane {
    struct map_node node;
    struct list entries; /* of lane_entry.node, the head first */
    struct list marks;   /* of lane_mark.node, the oldest first; not both are empty between calls */
    char key[];
};

void
lanes_init(struct lanes *lanes, uint64_t seed)
{
    map_init(&lanes->by_key, seed);
    lanes->busy = 0;
}

void
lanes_fini(struct lanes *lanes)
{
    assert(!lanes->by_key.count);
    map_fini(&lanes->by_key);
}

size_t
lanes_count(const struct lanes *lanes)
{
    return lanes->busy;
}

static struct lane *
open_lane(struct lanes *lanes, const void *key, size_t key_len)
{
    struct lane *lane = xmalloc(sizeof(*lane) + key_len);

    memcpy(lane->key, key, key_len);
    list_init(&lane->entries);
    list_init(&lane->marks);
    map_add(&lanes->by_key, &lane->node, lane->key, key_len);
    return lane;
}

void
lane_push(struct lanes *lanes, struct lane_entry *entry, const void *key, size_t key_len)
{
    struct map_node *found = map_find(&lanes->by_key, key, key_len);
    struct lane *lane = found ? CONTAINER_OF(found, struct lane, node) : NULL;

    if (!lane)
        lane = open_lane(lanes, key, key_len);
    entry->lane = lane;
    lanes->busy += list_is_empty(&lane->entries);
    list_push_back(&lane->entries, &entry->node);
}

static void
close_if_empty(struct lanes *lanes, struct lane *lane)
{
    if (!list_is_empty(&lane->entries) || !list_is_empty(&lane->marks))
        return;
    map_remove(&lanes->by_key, &lane->node);
    xfree(lane);
}

struct lane_entry *
lane_take(struct lanes *lanes, struct lane_entry *entry)
{
    struct lane *lane = entry->lane;
    bool was_head = lane_is_head(entry);

    list_remove(&entry->node);
    entry->lane = NULL;
    if (list_is_empty(&lane->entries)) {
        lanes->busy--;
        close_if_empty(lanes, lane);
        return NULL;
    }
    return was_head ? CONTAINER_OF(list_first(&lane->entries), struct lane_entry, node) : NULL;
}

bool
lane_is_head(const struct lane_entry *entry)
{
    return list_first(&entry->lane->entries) == &entry->node;
}

struct lane_entry *
lane_before(const struct lane_entry *entry)
{
    return lane_is_head(entry) ? NULL : CONTAINER_OF(entry->node.prev, struct lane_entry, node);
}

struct lane_entry *
lane_behind(const struct lane_entry *entry)
{
    if (entry->node.next == &entry->lane->entries)
        return NULL;
    return CONTAINER_OF(entry->node.next, struct lane_entry, node);
}

/* ---- marks ---- */

void
lane_mark(const struct lane_entry *entry, struct lane_mark *mark)
{
    mark->lane = entry->lane;
    list_push_back(&mark->lane->marks, &mark->node);
}

void
lane_unmark(struct lanes *lanes, struct lane_mark *mark)
{
    list_remove(&mark->node);
    close_if_empty(lanes, mark->lane);
    mark->lane = NULL;
}

static struct lane_mark *
mark_at(const struct lane *lane, struct list *node)
{
    return node == &lane->marks ? NULL : CONTAINER_OF(node, struct lane_mark, node);
}

struct lane_mark *
lane_last_mark(const struct lane_entry *entry)
{
    return mark_at(entry->lane, entry->lane->marks.prev);
}

struct lane_mark *
lane_mark_before(const struct lane_mark *mark)
{
    return mark_at(mark->lane, mark->node.prev);
}

struct lane_mark *
lane_mark_behind(const struct lane_mark *mark)
{
    return mark_at(mark->lane, mark->node.next);
}
