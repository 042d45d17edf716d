#include "delivery/ledger.h"

#include <assert.h>

void
ledger_init(struct ledger *ledger, int64_t next)
{
    list_init(&ledger->slots);
    ledger->count = 0;
    ledger->next = next;
    ledger->given = INT64_MAX;
}

void
ledger_open(struct ledger *ledger, struct ledger_slot *slot, int64_t offset)
{
    assert(offset >= ledger->next);
    slot->offset = offset;
    list_push_back(&ledger->slots, &slot->node);
    ledger->count++;
    ledger->next = offset + 1;
}

void
ledger_close(struct ledger *ledger, struct ledger_slot *slot)
{
    assert(ledger->count && !list_is_empty(&slot->node));
    list_remove(&slot->node);
    ledger->count--;
}

void
ledger_give_back(struct ledger *ledger, struct ledger_slot *slot)
{
    if (slot->offset < ledger->given)
        ledger->given = slot->offset;
    ledger_close(ledger, slot);
}

int64_t
ledger_watermark(const struct ledger *ledger)
{
    const struct list *first = list_first(&ledger->slots);
    int64_t offset = first ? CONTAINER_OF(first, struct ledger_slot, node)->offset : ledger->next;

    return offset < ledger->given ? offset : ledger->given;
}
