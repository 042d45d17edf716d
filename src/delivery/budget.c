#include "delivery/budget.h"

enum { MINUTE_MS = 60 * 1000 };

void
budget_init(struct budget *budget, double share)
{
    *budget = (struct budget){.share = share};
}

/* Empties the buckets of the minutes that have begun since. */
static void
turn(struct budget *budget, int64_t now)
{
    int64_t minute = now / MINUTE_MS;

    if (minute - budget->minute > BUDGET_MINUTES)
        budget->minute = minute - BUDGET_MINUTES;
    while (budget->minute < minute) {
        budget->minute++;
        budget->finished[budget->minute % BUDGET_MINUTES] = 0;
        budget->letters[budget->minute % BUDGET_MINUTES] = 0;
    }
}

void
budget_earn(struct budget *budget, int64_t now)
{
    turn(budget, now);
    budget->finished[budget->minute % BUDGET_MINUTES]++;
}

bool
budget_allows(struct budget *budget, int64_t now)
{
    uint64_t finished = 0, letters = 0;

    turn(budget, now);
    for (int i = 0; i < BUDGET_MINUTES; i++) {
        finished += budget->finished[i];
        letters += budget->letters[i];
    }
    return letters < BUDGET_LEAST || (double)letters + 1 <= budget->share * (double)finished;
}

void
budget_spend(struct budget *budget, int64_t now)
{
    turn(budget, now);
    budget->letters[budget->minute % BUDGET_MINUTES]++;
}

int64_t
budget_deadline(int64_t now)
{
    return (now / MINUTE_MS + 1) * MINUTE_MS;
}
