/*
 * The calls that two sets of rules made of one event, side by side: which are the same, which
 * differ in what they hold, which only one of them makes. Owns its memory, which is used again from
 * event to event; borrows the calls.
 */
#ifndef CMD_DIFF_PAIR_H
#define CMD_DIFF_PAIR_H

#include "base/arena.h"
#include "cmd/test_diff.h"

enum diff_kind { DIFF_SAME, DIFF_CHANGED, DIFF_REMOVED, DIFF_ADDED };

struct diff_pair {
    enum diff_kind kind;
    const struct call *old, *new; /* NULL where there is none */
};

struct diff_pairs {
    struct diff_pair *items;
    size_t count;
    size_t differing; /* that are not the same */
    bool reordered;   /* calls of a contact that are the same come in another order */
    struct arena arena;
};

void diff_pairs_init(struct diff_pairs *pairs);
void diff_pairs_fini(struct diff_pairs *pairs);

/* Pairs the calls: first those that send the same to the same account, by whichever rule, then
 * those of one kind and contact, of the same rule if there is one. In the order of the old calls,
 * the added ones behind. */
void diff_pairs_make(struct diff_pairs *pairs, struct test_side old, struct test_side new);

/* Adds what tells the contact of a call from others: account and folded address. */
void diff_contact_key(struct buf *key, const struct config *config, const struct call *call);

#endif
