#include "base/heap.h"

#include <assert.h>

#include "base/xalloc.h"

void
heap_init(struct heap *heap)
{
    *heap = (struct heap){0};
}

void
heap_fini(struct heap *heap)
{
    xfree(heap->nodes);
    heap_init(heap);
}

static bool
is_before(const struct heap_node *a, const struct heap_node *b)
{
    return a->due_ms != b->due_ms ? a->due_ms < b->due_ms : a->seq < b->seq;
}

static void
put(struct heap *heap, size_t place, struct heap_node *node)
{
    heap->nodes[place - 1] = node;
    node->place = place;
}

static void
sift_up(struct heap *heap, size_t place, struct heap_node *node)
{
    while (place > 1 && is_before(node, heap->nodes[place / 2 - 1])) {
        put(heap, place, heap->nodes[place / 2 - 1]);
        place /= 2;
    }
    put(heap, place, node);
}

static void
sift_down(struct heap *heap, size_t place, struct heap_node *node)
{
    size_t child;

    while ((child = 2 * place) <= heap->count) {
        if (child < heap->count && is_before(heap->nodes[child], heap->nodes[child - 1]))
            child++;
        if (!is_before(heap->nodes[child - 1], node))
            break;
        put(heap, place, heap->nodes[child - 1]);
        place = child;
    }
    put(heap, place, node);
}

void
heap_add(struct heap *heap, struct heap_node *node, int64_t due_ms)
{
    assert(!heap_has(node));
    heap->nodes = xgrow(heap->nodes, heap->count, &heap->cap, sizeof(heap->nodes[0]));
    node->due_ms = due_ms;
    node->seq = heap->next_seq++;
    heap->count++;
    sift_up(heap, heap->count, node);
}

void
heap_remove(struct heap *heap, struct heap_node *node)
{
    size_t place = node->place;
    struct heap_node *last;

    if (!place)
        return;
    assert(heap->nodes[place - 1] == node);
    last = heap->nodes[heap->count - 1];
    heap->count--;
    node->place = 0;
    if (last == node)
        return;
    if (is_before(last, node))
        sift_up(heap, place, last);
    else
        sift_down(heap, place, last);
}

struct heap_node *
heap_first(const struct heap *heap)
{
    return heap->count ? heap->nodes[0] : NULL;
}
