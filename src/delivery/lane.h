/*
 * Lanes: one queue per contact, in the order the calls came. Only the head of a lane may be sent,
 * which is what keeps a contact's order and at most one call of it in flight. A lane exists while
 * something stands in it. Owns the lanes, not the entries.
 */
#ifndef DELIVERY_LANE_H
#define DELIVERY_LANE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "base/map.h"

struct lane;

/* A place in a lane; embedded in what stands there. */
struct lane_entry {
    struct list node;
    struct lane *lane;
    void *owner; /* the caller's, set before lane_push */
};

struct lanes {
    struct map by_key;
};

void lanes_init(struct lanes *lanes, uint64_t seed);
void lanes_fini(struct lanes *lanes); /* all lanes must be empty */
size_t lanes_count(const struct lanes *lanes);

/* Puts ENTRY at the end of the lane of KEY (copied). */
void lane_push(struct lanes *lanes, struct lane_entry *entry, const void *key, size_t key_len);

/* Takes ENTRY out of its lane, wherever it stands. Returns the entry that thereby became the head,
 * or NULL when ENTRY was not the head or was the last one. */
struct lane_entry *lane_take(struct lanes *lanes, struct lane_entry *entry);

bool lane_is_head(const struct lane_entry *entry);

/* The entry that stands directly before or behind ENTRY, or NULL at the end. */
struct lane_entry *lane_before(const struct lane_entry *entry);
struct lane_entry *lane_behind(const struct lane_entry *entry);

#endif
