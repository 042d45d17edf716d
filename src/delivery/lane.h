/*
 * Lanes: one queue per contact, in the order the calls came. Only the head of a lane may be sent,
 * which is what keeps a contact's order and at most one call of it in flight. What has left may
 * leave a mark; marks stand in the order in which they were left and hold nobody up. A lane exists
 * while something stands in it or a mark is in it. Owns the lanes, not the entries and marks.
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

/* Says that its owner stood in a lane; embedded in what remembers it. */
struct lane_mark {
    struct list node;
    struct lane *lane;
};

struct lanes {
    struct map by_key;
    size_t busy; /* those in which something stands */
};

void lanes_init(struct lanes *lanes, uint64_t seed);
void lanes_fini(struct lanes *lanes);          /* all lanes must be empty */
size_t lanes_count(const struct lanes *lanes); /* in which something stands */

/* Puts ENTRY at the end of the lane of KEY (copied). */
void lane_push(struct lanes *lanes, struct lane_entry *entry, const void *key, size_t key_len);

/* Takes ENTRY out of its lane, wherever it stands. Returns the entry that thereby became the head,
 * or NULL when ENTRY was not the head or was the last one. */
struct lane_entry *lane_take(struct lanes *lanes, struct lane_entry *entry);

bool lane_is_head(const struct lane_entry *entry);

/* The entry that stands directly before or behind ENTRY, or NULL at the end. */
struct lane_entry *lane_before(const struct lane_entry *entry);
struct lane_entry *lane_behind(const struct lane_entry *entry);

/* Puts MARK at the end of the marks of the lane that ENTRY stands in; takes it out again. */
void lane_mark(const struct lane_entry *entry, struct lane_mark *mark);
void lane_unmark(struct lanes *lanes, struct lane_mark *mark);

/* The last mark of the lane that ENTRY stands in, or NULL; those before and behind MARK. */
struct lane_mark *lane_last_mark(const struct lane_entry *entry);
struct lane_mark *lane_mark_before(const struct lane_mark *mark);
struct lane_mark *lane_mark_behind(const struct lane_mark *mark);

#endif
