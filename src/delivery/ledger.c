#include "delivery/ledger.h"

#include <assert.h>

#include "delivery/progress.h"

void
ledger_init(struct ledger *ledger, int64_t next)
{
    *ledger = (struct ledger){.next = next, .highest = -1};
    list_init(&ledger->slots);
}

static struct ledger_slot *
slot_of(struct list *node)
{
    return CONTAINER_OF(node, struct ledger_slot, node);
}

/* Bytes between the slots at A and B as a varint; 0 where one of them is the end of the list. */
static size_t
distance_size(const struct ledger *ledger, struct list *a, struct list *b)
{
    if (a == &ledger->slots || b == &ledger->slots)
        return 0;
    return progress_distance_size(slot_of(b)->offset - slot_of(a)->offset);
}

void
ledger_open(struct ledger *ledger, struct ledger_slot *slot, int64_t offset)
{
    assert(offset >= ledger->next);
    slot->offset = offset;
    list_push_back(&ledger->slots, &slot->node);
    ledger->size += distance_size(ledger, slot->node.prev, &slot->node);
    ledger->count++;
    ledger->next = offset + 1;
}

void
ledger_forget(struct ledger *ledger, struct ledger_slot *slot)
{
    struct list *prev = slot->node.prev, *next = slot->node.next;

    assert(ledger->count && !list_is_empty(&slot->node));
    ledger->size -= distance_size(ledger, prev, &slot->node);
    ledger->size -= distance_size(ledger, &slot->node, next);
    list_remove(&slot->node);
    ledger->size += distance_size(ledger, prev, next);
    ledger->count--;
}

void
ledger_close(struct ledger *ledger, struct ledger_slot *slot)
{
    ledger_forget(ledger, slot);
    if (slot->offset > ledger->highest)
        ledger->highest = slot->offset;
    ledger->changes++;
}

void
ledger_pass(struct ledger *ledger, int64_t offset)
{
    assert(offset >= ledger->next);
    ledger->next = offset + 1;
}

int64_t
ledger_watermark(const struct ledger *ledger)
{
    struct list *first = list_first(&ledger->slots);

    return first ? slot_of(first)->offset : ledger->next;
}

size_t
ledger_progress_size(const struct ledger *ledger)
{
    size_t coded;

    if (!ledger->count)
        return 0;
    /* What is finished highest is below ledger->next. */
    coded = progress_coded_size(ledger->count + 1, ledger->next - ledger_watermark(ledger) + 1);
    return coded < ledger->size ? coded : ledger->size;
}
