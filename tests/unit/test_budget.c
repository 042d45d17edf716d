#include "unit.h"

#include "delivery/budget.h"

enum { MINUTE = 60 * 1000, STEPS = 4000 };

static void
earn(struct budget *budget, int count, int64_t now)
{
    while (count--)
        budget_earn(budget, now);
}

/* Spends as long as it is allowed and returns how often that was. */
static int
spend_all(struct budget *budget, int64_t now)
{
    int count = 0;

    while (count < 100000 && budget_allows(budget, now)) {
        budget_spend(budget, now);
        count++;
    }
    return count;
}

static void
twenty_dead_letters_are_always_allowed(void **state)
{
    struct budget budget;

    (void)state;
    budget_init(&budget, 0.05);
    assert_int_equal(spend_all(&budget, 12345), BUDGET_LEAST);
    assert_false(budget_allows(&budget, 12345));
    budget_init(&budget, 0);
    earn(&budget, 5000, 12345);
    assert_int_equal(spend_all(&budget, 12345), BUDGET_LEAST);
}

static void
the_share_of_what_was_finished_is_allowed(void **state)
{
    struct budget budget;

    (void)state;
    budget_init(&budget, 0.05);
    earn(&budget, 1000, 0);
    assert_int_equal(spend_all(&budget, MINUTE), 50);
    earn(&budget, 19, MINUTE);
    assert_false(budget_allows(&budget, MINUTE));
    earn(&budget, 1, MINUTE); /* 51 of 1020 */
    assert_int_equal(spend_all(&budget, MINUTE), 1);
    budget_init(&budget, 1);
    earn(&budget, 300, 0);
    assert_int_equal(spend_all(&budget, 0), 300);
}

static void
asking_spends_nothing(void **state)
{
    struct budget budget;

    (void)state;
    budget_init(&budget, 0.05);
    for (int i = 0; i < 1000; i++)
        assert_true(budget_allows(&budget, i));
    assert_int_equal(spend_all(&budget, 1000), BUDGET_LEAST);
}

static void
what_was_spent_is_forgotten_after_ten_minutes(void **state)
{
    struct budget budget;
    int64_t now = 7 * MINUTE + 30000, spent_ms = now;

    (void)state;
    budget_init(&budget, 0.05);
    assert_int_equal(spend_all(&budget, now), BUDGET_LEAST);
    while (!budget_allows(&budget, now)) {
        int64_t due_ms = budget_deadline(now);

        assert_true(due_ms > now);
        assert_false(budget_allows(&budget, due_ms - 1)); /* time alone changes nothing before */
        now = due_ms;
    }
    assert_in_range(now - spent_ms, (BUDGET_MINUTES - 1) * MINUTE, BUDGET_MINUTES * MINUTE);
    assert_int_equal(spend_all(&budget, now), BUDGET_LEAST);
}

static void
what_was_earned_is_forgotten_after_ten_minutes(void **state)
{
    struct budget budget;

    (void)state;
    budget_init(&budget, 0.5);
    earn(&budget, 1000, 0);
    assert_int_equal(spend_all(&budget, (BUDGET_MINUTES - 1) * MINUTE), 500);
    budget_init(&budget, 0.5);
    earn(&budget, 1000, 0);
    assert_int_equal(spend_all(&budget, BUDGET_MINUTES * MINUTE), BUDGET_LEAST);
}

static void
a_pause_of_days_empties_the_window(void **state)
{
    struct budget budget;
    int64_t now = (int64_t)3 * 24 * 60 * MINUTE;

    (void)state;
    budget_init(&budget, 0.5);
    for (int64_t minute = 0; minute < 10; minute++)
        earn(&budget, 1000, minute * MINUTE);
    spend_all(&budget, 9 * MINUTE);
    assert_int_equal(spend_all(&budget, now), BUDGET_LEAST);
    earn(&budget, 100, now);
    assert_int_equal(spend_all(&budget, now), 50 - BUDGET_LEAST);
}

/* ---- against a list of everything that happened ---- */

struct happening {
    int64_t now;
    bool letter;
};

static bool
model_allows(const struct happening *happenings, int count, double share, int64_t now)
{
    int finished = 0, letters = 0;

    for (int i = 0; i < count; i++) {
        if (happenings[i].now / MINUTE <= now / MINUTE - BUDGET_MINUTES)
            continue;
        finished += !happenings[i].letter;
        letters += happenings[i].letter;
    }
    return letters < BUDGET_LEAST || letters + 1 <= share * finished;
}

static void
a_budget_agrees_with_a_list_of_what_happened(void **state)
{
    static const double shares[] = {0, 0.01, 0.05, 0.25, 1};
    static struct happening happenings[STEPS];
    struct rng rng = unit_rng("budget", 21);

    (void)state;
    for (int run = 0; run < 40; run++) {
        double share = shares[rng_below(&rng, ARRAY_LEN(shares))];
        int64_t now = (int64_t)rng_below(&rng, 100 * MINUTE);
        int count = 0;
        struct budget budget;

        budget_init(&budget, share);
        for (int step = 0; step < STEPS; step++) {
            bool allowed;

            if (!rng_below(&rng, 20))
                now += (int64_t)rng_below(&rng, rng_below(&rng, 50) ? MINUTE / 4 : 15 * MINUTE);
            allowed = budget_allows(&budget, now);
            assert_int_equal(allowed, model_allows(happenings, count, share, now));
            if (rng_below(&rng, 3)) {
                budget_earn(&budget, now);
                happenings[count++] = (struct happening){.now = now};
            } else if (allowed) {
                budget_spend(&budget, now);
                happenings[count++] = (struct happening){.now = now, .letter = true};
            }
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(twenty_dead_letters_are_always_allowed),
        cmocka_unit_test(the_share_of_what_was_finished_is_allowed),
        cmocka_unit_test(asking_spends_nothing),
        cmocka_unit_test(what_was_spent_is_forgotten_after_ten_minutes),
        cmocka_unit_test(what_was_earned_is_forgotten_after_ten_minutes),
        cmocka_unit_test(a_pause_of_days_empties_the_window),
        cmocka_unit_test(a_budget_agrees_with_a_list_of_what_happened),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
