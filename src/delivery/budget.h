/*
 * How many events may become dead letters: a share of the events finished in the last ten minutes,
 * and at least BUDGET_LEAST. A wide failure is a mistake of ours and not poison; past the budget
 * the rest is held. Pure, fixed memory. Embeds in its owner.
 */
#ifndef DELIVERY_BUDGET_H
#define DELIVERY_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

enum {
    BUDGET_MINUTES = 10,
    BUDGET_LEAST = 20 /* dead letters that are always allowed in the window */
};

struct budget {
    double share;   /* 0 to 1 */
    int64_t minute; /* of the newest bucket, since `now` was 0 */
    uint64_t finished[BUDGET_MINUTES], letters[BUDGET_MINUTES];
};

void budget_init(struct budget *budget, double share);

/* An event was finished, other than by a dead letter. */
void budget_earn(struct budget *budget, int64_t now);

/* Whether one more event may become a dead letter; budget_spend says that it does. */
bool budget_allows(struct budget *budget, int64_t now);
void budget_spend(struct budget *budget, int64_t now);

/* When time alone may change the answer. Absolute. */
int64_t budget_deadline(int64_t now);

#endif
