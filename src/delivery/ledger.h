/*
 * What of one partition is unfinished, in offset order, and how far it was received. Whatever was
 * received and is not in it is finished: so a contact that waits for an hour costs one slot, and
 * the gaps that compaction and transactions leave need no care. What is left to the partition's
 * next owner stays in it. Embeds in its owner; owns no slot.
 */
#ifndef DELIVERY_LEDGER_H
#define DELIVERY_LEDGER_H

#include <stddef.h>
#include <stdint.h>

#include "base/list.h"

struct ledger_slot {
    struct list node;
    int64_t offset;
};

struct ledger {
    struct list slots; /* of ledger_slot.node, offsets ascending */
    size_t count;
    int64_t next;     /* one past the highest offset received, or where reading begins */
    int64_t highest;  /* that was finished, -1: none */
    uint64_t changes; /* how many were finished */
    size_t size;      /* bytes that the distances between the slots take as varints */
};

/* NEXT: the first offset that will be received is this one or a later one. */
void ledger_init(struct ledger *ledger, int64_t next);

/* OFFSET must not be below ledger->next. */
void ledger_open(struct ledger *ledger, struct ledger_slot *slot, int64_t offset);
void ledger_close(struct ledger *ledger, struct ledger_slot *slot); /* it is finished */

/* OFFSET, not below ledger->next, was finished before the partition was assigned. */
void ledger_pass(struct ledger *ledger, int64_t offset);

/* Takes out a slot that is not finished: the ledger is about to go. */
void ledger_forget(struct ledger *ledger, struct ledger_slot *slot);

/* The first offset that is not finished, or one past the highest received: what may be committed.
 */
int64_t ledger_watermark(const struct ledger *ledger);

/* Bytes that are enough to tell what is unfinished, see progress.h. */
size_t ledger_progress_size(const struct ledger *ledger);

#endif
