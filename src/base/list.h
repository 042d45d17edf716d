/*
 * Intrusive doubly linked list. A node is in one list at a time; a node that is in none points to
 * itself. The list owns nothing.
 */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/macros.h"

struct list {
    struct list *prev, *next;
};

static inline void
list_init(struct list *list)
{
    list->prev = list->next = list;
}

/* For a list: is it empty? For a node: is it in no list? */
static inline bool
list_is_empty(const struct list *list)
{
    return list->next == list;
}

static inline void
list_insert_before(struct list *at, struct list *node)
{
    node->prev = at->prev;
    node->next = at;
    at->prev->next = node;
    at->prev = node;
}

static inline void
list_push_back(struct list *list, struct list *node)
{
    list_insert_before(list, node);
}

static inline void
list_push_front(struct list *list, struct list *node)
{
    list_insert_before(list->next, node);
}

/* Taking out a node that is in no list does nothing. */
static inline void
list_remove(struct list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    list_init(node);
}

static inline struct list *
list_first(const struct list *list)
{
    return list_is_empty(list) ? NULL : list->next;
}

static inline struct list *
list_last(const struct list *list)
{
    return list_is_empty(list) ? NULL : list->prev;
}

/* Walks forward; the body may remove NODE but no other node of the list. */
#define LIST_EACH(node, head)                                                         \
    for (struct list *node = (head)->next, *node##_next = node->next; node != (head); \
         node = node##_next, node##_next = node->next)

#endif
