/*
 * Binary min-heap of timers. An element embeds a heap_node, which knows its own place, so that any
 * timer is removed in O(log n). Equal times come out in the order they went in. The heap owns its
 * array, never the elements.
 */
#ifndef BASE_HEAP_H
#define BASE_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heap_node {
    int64_t due_ms; /* absolute */
    uint64_t seq;
    size_t place; /* 1-based; 0 means in no heap */
};

struct heap {
    struct heap_node **nodes;
    size_t count;
    size_t cap;
    uint64_t next_seq;
};

void heap_init(struct heap *heap);
void heap_fini(struct heap *heap);

/* NODE must be in no heap (zeroed, or removed). */
void heap_add(struct heap *heap, struct heap_node *node, int64_t due_ms);
void heap_remove(struct heap *heap,
                 struct heap_node *node); /* of a node in no heap: does nothing */

/* The node that is due first, or NULL. It stays in. */
struct heap_node *heap_first(const struct heap *heap);

static inline bool
heap_has(const struct heap_node *node)
{
    return node->place != 0;
}

#endif
