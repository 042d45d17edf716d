#include "unit.h"

#include "base/clock.h"
#include "delivery/gate.h"

enum {
    SECOND = 1000,
    HOUR = 3600 * SECOND,
    FIRST_LIMIT = 8,
    OUTCOMES = 20,
    OUTAGE_FAILED = 18,
    PROBE_MIN_MS = 250,
    PROBE_MAX_MS = 4000
};

static struct rng jitter = {.state = 1};

static struct gate
gate_of(int max_in_flight, double rate)
{
    struct gate_limits limits = {.max_in_flight = max_in_flight,
                                 .rate = rate,
                                 .probe_min_ms = PROBE_MIN_MS,
                                 .probe_max_ms = PROBE_MAX_MS};
    struct gate gate;

    gate_init(&gate, 0);
    gate_set_limits(&gate, &limits, 0);
    return gate;
}

static void
set_rate(struct gate *gate, double rate, int64_t now)
{
    struct gate_limits limits = gate->limits;

    limits.rate = rate;
    gate_set_limits(gate, &limits, now);
}

static void
set_hold(struct gate *gate, bool hold, int64_t now)
{
    struct gate_limits limits = gate->limits;

    limits.hold = hold;
    gate_set_limits(gate, &limits, now);
}

/* One call that starts at STARTED_MS and ends at NOW. */
static void
done(struct gate *gate, enum verdict verdict, bool congestion, int64_t started_ms, int64_t now)
{
    struct gate_reply reply = {
        .verdict = verdict, .congestion = congestion, .started_ms = started_ms};

    gate_done(gate, &reply, &jitter, now);
}

static void
call_once(struct gate *gate, enum verdict verdict, int64_t now)
{
    gate_start(gate, false, false);
    done(gate, verdict, false, now, now);
}

static void
call_throttled(struct gate *gate, int64_t not_before_ms, int64_t now)
{
    struct gate_reply reply = {.verdict = VERDICT_THROTTLED,
                               .congestion = true,
                               .started_ms = now,
                               .not_before_ms = not_before_ms};

    gate_start(gate, false, false);
    gate_done(gate, &reply, &jitter, now);
}

static void
probe_once(struct gate *gate, enum verdict verdict, int64_t now)
{
    struct gate_reply reply = {.verdict = verdict, .started_ms = now, .probe = true};

    assert_true(gate_wants_probe(gate, now));
    gate_start(gate, false, true);
    assert_false(gate_wants_probe(gate, now)); /* one at a time */
    assert_int_equal(gate_deadline(gate, now), CLOCK_NEVER);
    gate_done(gate, &reply, &jitter, now);
}

/* Starts calls until the gate stops them. */
static int
fill(struct gate *gate, bool retrying, int64_t now)
{
    int count = 0;

    while (count < 1000 && gate_admits(gate, retrying, now)) {
        gate_start(gate, retrying, false);
        count++;
    }
    return count;
}

/* All slots are taken and all their calls succeed. Returns how many that were. */
static int
run_round(struct gate *gate, int64_t now)
{
    int count = fill(gate, false, now);

    for (int i = 0; i < count; i++)
        done(gate, VERDICT_DONE, false, now, now);
    return count;
}

/* ---- the rate ---- */

/* Calls that start and end at NOW, as many as the rate allows. */
static int
take_tokens(struct gate *gate, int64_t now)
{
    int count = 0;

    while (count < 100000 && gate_admits(gate, false, now)) {
        call_once(gate, VERDICT_DONE, now);
        count++;
    }
    return count;
}

static void
the_bucket_starts_empty_and_fills_at_the_rate(void **state)
{
    struct gate gate = gate_of(100, 100);

    (void)state;
    assert_int_equal(take_tokens(&gate, 0), 0);
    assert_int_equal(take_tokens(&gate, 9), 0);
    assert_in_range(gate_deadline(&gate, 9), 10, 11);
    assert_int_equal(take_tokens(&gate, 11), 1);
    assert_int_equal(take_tokens(&gate, 51), 4);
}

static void
the_bucket_holds_a_tenth_of_a_second(void **state)
{
    struct gate gate = gate_of(100, 100);

    (void)state;
    assert_int_equal(take_tokens(&gate, HOUR), 10);
    assert_int_equal(take_tokens(&gate, HOUR), 0);
    assert_int_equal(take_tokens(&gate, HOUR + 99), 9);
}

/* Which is a reason to wait, and no mistake. */
static void
a_rate_of_next_to_nothing_has_a_deadline_all_the_same(void **state)
{
    struct gate gate = gate_of(100, 1e-300);

    (void)state;
    assert_int_equal(take_tokens(&gate, HOUR), 0);
    assert_true(gate_deadline(&gate, HOUR) > 2 * HOUR);
    assert_true(gate_deadline(&gate, HOUR) < CLOCK_NEVER);
}

static void
the_bucket_of_a_slow_rate_holds_one_call(void **state)
{
    struct gate gate = gate_of(100, 0.5);

    (void)state;
    assert_int_equal(take_tokens(&gate, HOUR), 1);
    assert_int_equal(take_tokens(&gate, HOUR + 1999), 0);
    assert_in_range(gate_deadline(&gate, HOUR + 1999), HOUR + 2000, HOUR + 2001);
    assert_int_equal(take_tokens(&gate, HOUR + 2001), 1);
}

static void
without_a_rate_only_the_slots_count(void **state)
{
    struct gate gate = gate_of(5, 0);

    (void)state;
    assert_int_equal(fill(&gate, false, 0), 5);
}

static void
a_slower_rate_takes_no_more_than_its_bucket_along(void **state)
{
    struct gate gate = gate_of(100, 1000);

    (void)state;
    assert_true(gate_admits(&gate, false, HOUR)); /* a hundred are in the bucket */
    set_rate(&gate, 20, HOUR);
    assert_int_equal(take_tokens(&gate, HOUR), 2);
}

static void
a_faster_rate_does_not_count_for_the_time_before(void **state)
{
    struct gate gate = gate_of(100, 1e-6);

    (void)state;
    set_rate(&gate, 100, HOUR);
    assert_int_equal(take_tokens(&gate, HOUR), 0);
    assert_int_equal(take_tokens(&gate, HOUR + 50), 5);
    set_rate(&gate, 0, HOUR + 50);
    set_rate(&gate, 100, 2 * HOUR);
    assert_int_equal(take_tokens(&gate, 2 * HOUR), 0);
}

static void
a_probe_takes_its_token_too(void **state)
{
    struct gate gate = gate_of(100, 1);

    (void)state;
    assert_int_equal(take_tokens(&gate, HOUR), 1);
    gate_start(&gate, false, false);
    done(&gate, VERDICT_CONFIGURATION, false, HOUR, HOUR); /* two short of a probe's */
    assert_false(gate_wants_probe(&gate, HOUR + 1500));
    assert_in_range(gate_deadline(&gate, HOUR + 1500), HOUR + 2000, HOUR + 2001);
    assert_true(gate_wants_probe(&gate, HOUR + 2001));
}

enum { STARTS_MAX = 600 };

static void
check_windows(const int64_t *starts, int count, double rate)
{
    double bucket = rate / 10 > 1 ? rate / 10 : 1;

    for (int i = 0; i < count; i++) {
        for (int j = i; j < count; j++) {
            double allowed = rate * (double)(starts[j] - starts[i]) / 1000 + bucket;

            if (j - i + 1 > allowed + 1e-6)
                fail_msg("%d calls in %lld ms at %g a second", j - i + 1,
                         (long long)(starts[j] - starts[i]), rate);
        }
    }
}

static void
no_window_passes_the_rate_by_more_than_the_bucket(void **state)
{
    struct rng rng = unit_rng("rate", 31);

    (void)state;
    for (int run = 0; run < 100; run++) {
        static int64_t starts[STARTS_MAX];
        double rate = (double)(1 + rng_below(&rng, 4000)) / (rng_below(&rng, 2) ? 1 : 37);
        struct gate gate = gate_of(1000, rate);
        bool greedy = rng_below(&rng, 2);
        int64_t now = 0;
        int count = 0;

        while (count < STARTS_MAX) {
            while (count < STARTS_MAX && gate_admits(&gate, false, now) &&
                   (greedy || rng_below(&rng, 8))) {
                call_once(&gate, VERDICT_DONE, now);
                starts[count++] = now;
            }
            if (count < STARTS_MAX && gate_deadline(&gate, now) != CLOCK_NEVER)
                now = gate_deadline(&gate, now);
            if (!greedy)
                now += (int64_t)rng_below(&rng, rng_below(&rng, 9) ? 4 : 3000);
        }
        check_windows(starts, count, rate);
        if (greedy && rate <= 500) /* a millisecond's rounding costs more above */
            assert_true(count >= 0.9 * rate * (double)starts[count - 1] / 1000 - 1);
    }
}

/* ---- slots ---- */

static void
the_limit_doubles_each_round_until_the_first_cut(void **state)
{
    struct gate gate = gate_of(100, 0);
    static const int limits[] = {FIRST_LIMIT, 16, 32, 64, 100, 100};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
        assert_int_equal(gate_limit(&gate), limits[i]);
        assert_int_equal(run_round(&gate, (int64_t)i + 1), limits[i]);
    }
}

static void
after_a_cut_the_limit_grows_by_one_a_round(void **state)
{
    struct gate gate = gate_of(100, 0);

    (void)state;
    while (gate_limit(&gate) < 64)
        run_round(&gate, 1);
    gate_start(&gate, false, false);
    done(&gate, VERDICT_TRANSIENT, true, 2, 3);
    assert_int_equal(gate_limit(&gate), 32);
    for (int limit = 32; limit < 50; limit++)
        assert_int_equal(run_round(&gate, limit), limit);
    assert_int_equal(gate_limit(&gate), 50);
}

static void
calls_that_started_before_a_cut_do_not_cut_again(void **state)
{
    struct gate gate = gate_of(100, 0);

    (void)state;
    run_round(&gate, 1);
    assert_int_equal(fill(&gate, false, 2), 16);
    for (int i = 0; i < 8; i++)
        done(&gate, VERDICT_THROTTLED, true, 2, 3 + i);
    assert_int_equal(gate_limit(&gate), 8);
    for (int i = 0; i < 8; i++)
        done(&gate, VERDICT_DONE, false, 2, 11);
    gate_start(&gate, false, false);
    done(&gate, VERDICT_THROTTLED, true, 12, 20);
    assert_int_equal(gate_limit(&gate), 4);
}

static void
the_limit_is_never_cut_below_one(void **state)
{
    struct gate gate = gate_of(100, 0);

    (void)state;
    for (int64_t now = 1; now < 30; now += 2) {
        gate_start(&gate, false, false);
        done(&gate, VERDICT_THROTTLED, true, now, now + 1);
        call_once(&gate, VERDICT_DONE, now + 1);
    }
    assert_int_equal(gate_limit(&gate), 1);
    assert_int_equal(fill(&gate, false, 100), 1);
}

static void
a_failure_that_is_no_congestion_cuts_nothing(void **state)
{
    struct gate gate = gate_of(100, 0);

    (void)state;
    for (int i = 0; i < OUTAGE_FAILED - 1; i++)
        call_once(&gate, VERDICT_TRANSIENT, 5);
    assert_int_equal(gate_limit(&gate), FIRST_LIMIT);
    assert_int_equal(run_round(&gate, 6), FIRST_LIMIT);
    assert_int_equal(gate_limit(&gate), 2 * FIRST_LIMIT); /* and doubling goes on */
}

static void
the_limit_grows_only_where_it_binds(void **state)
{
    struct gate gate = gate_of(100, 0);

    (void)state;
    for (int i = 0; i < 1000; i++) {
        assert_true(gate_admits(&gate, false, i));
        call_once(&gate, VERDICT_DONE, i);
    }
    assert_int_equal(gate_limit(&gate), FIRST_LIMIT);
    run_round(&gate, 1000);
    assert_int_equal(gate_limit(&gate), 2 * FIRST_LIMIT);
    for (int i = 0; i < 1000; i++) /* what bound a round ago says nothing about this one */
        call_once(&gate, VERDICT_DONE, 1000 + i);
    assert_int_equal(gate_limit(&gate), 2 * FIRST_LIMIT);
}

static void
failures_do_not_make_the_limit_grow(void **state)
{
    struct gate gate = gate_of(100, 0);

    (void)state;
    for (int round = 0; round < 2; round++) {
        assert_int_equal(fill(&gate, false, round), FIRST_LIMIT);
        for (int call = 0; call < FIRST_LIMIT; call++)
            done(&gate, call % 2 ? VERDICT_TRANSIENT : VERDICT_DONE, false, round, round);
        /* eight successes are a round */
        assert_int_equal(gate_limit(&gate), round ? 2 * FIRST_LIMIT : FIRST_LIMIT);
    }
}

static void
the_configured_maximum_bounds_the_slots(void **state)
{
    struct gate gate = gate_of(3, 0);
    struct gate_limits limits = gate.limits;

    (void)state;
    for (int i = 0; i < 20; i++)
        assert_int_equal(run_round(&gate, i), 3);
    limits.max_in_flight = 2;
    gate_set_limits(&gate, &limits, 20);
    assert_int_equal(fill(&gate, false, 20), 2);
    done(&gate, VERDICT_THROTTLED, true, 20, 21); /* half of what was allowed, not of its own */
    assert_int_equal(gate_limit(&gate), 1);
}

static void
retrying_calls_take_at_most_half_of_the_slots(void **state)
{
    struct gate gate = gate_of(100, 0);
    struct gate_reply reply = {.verdict = VERDICT_DONE, .retrying = true};

    (void)state;
    assert_int_equal(fill(&gate, true, 1), FIRST_LIMIT / 2);
    assert_int_equal(fill(&gate, false, 1), FIRST_LIMIT / 2);
    assert_false(gate_admits(&gate, true, 1));
    gate_done(&gate, &reply, &jitter, 2);
    assert_int_equal(fill(&gate, true, 2), 1);
    done(&gate, VERDICT_DONE, false, 1, 3); /* a fresh one's slot is no retrying one's */
    assert_false(gate_admits(&gate, true, 3));
    assert_int_equal(fill(&gate, false, 3), 1);
}

static void
the_only_slot_is_open_to_retrying_calls(void **state)
{
    struct gate gate = gate_of(1, 0);

    (void)state;
    assert_int_equal(fill(&gate, true, 1), 1);
    assert_false(gate_admits(&gate, false, 1));
}

/* ---- the breaker ---- */

static void
a_configuration_failure_holds_at_once(void **state)
{
    struct gate gate = gate_of(100, 0);

    (void)state;
    run_round(&gate, 1);
    assert_int_equal(gate_reason(&gate, 2), GATE_OPEN);
    assert_false(gate_wants_probe(&gate, 2));
    call_once(&gate, VERDICT_CONFIGURATION, 2);
    assert_int_equal(gate_reason(&gate, 2), GATE_CONFIGURATION);
    assert_false(gate_admits(&gate, false, 2));
    assert_false(gate_admits(&gate, true, HOUR));
    assert_false(gate_wants_probe(&gate, 2 + PROBE_MIN_MS - 1));
    assert_int_equal(gate_deadline(&gate, 2), 2 + PROBE_MIN_MS);
    assert_true(gate_wants_probe(&gate, 2 + PROBE_MIN_MS));
}

static void
wholesale_failure_is_an_outage(void **state)
{
    static const enum verdict verdicts[] = {VERDICT_TRANSIENT, VERDICT_THROTTLED};

    (void)state;
    for (size_t v = 0; v < ARRAY_LEN(verdicts); v++) {
        struct gate gate = gate_of(100, 0);

        for (int i = 0; i < OUTCOMES - OUTAGE_FAILED; i++)
            call_once(&gate, VERDICT_DONE, 1);
        for (int i = 0; i < OUTAGE_FAILED; i++) {
            assert_int_equal(gate_reason(&gate, 1), GATE_OPEN);
            call_once(&gate, verdicts[v], 1);
        }
        assert_int_equal(gate_reason(&gate, 1), GATE_OUTAGE);
        assert_false(gate_admits(&gate, false, HOUR));
        assert_int_equal(gate_deadline(&gate, 1), 1 + PROBE_MIN_MS);
    }
}

static void
a_few_failures_are_no_outage(void **state)
{
    struct gate gate = gate_of(100, 0);

    (void)state;
    for (int i = 0; i < OUTCOMES - 1; i++) /* too few to know */
        call_once(&gate, VERDICT_TRANSIENT, 1);
    assert_int_equal(gate_reason(&gate, 1), GATE_OPEN);
    gate = gate_of(100, 0);
    for (int i = 0; i < 500; i++) /* 85 of 100 */
        call_once(&gate, i % 20 < 17 ? VERDICT_TRANSIENT : VERDICT_DONE, 1);
    assert_int_equal(gate_reason(&gate, 1), GATE_OPEN);
}

static void
what_is_refused_for_good_is_no_sign_of_an_outage(void **state)
{
    struct gate gate = gate_of(100, 0);

    (void)state;
    for (int i = 0; i < 100; i++)
        call_once(&gate, i % 2 ? VERDICT_PERMANENT : VERDICT_UNKNOWN_CONTACT, 1);
    assert_int_equal(gate_reason(&gate, 1), GATE_OPEN);
    assert_int_equal(gate.successes, 100);
}

static struct gate
held_gate(int64_t now)
{
    struct gate gate = gate_of(100, 0);

    call_once(&gate, VERDICT_CONFIGURATION, now);
    assert_int_equal(gate_reason(&gate, now), GATE_CONFIGURATION);
    return gate;
}

static void
probes_go_out_one_at_a_time_with_back_off(void **state)
{
    int64_t most[12] = {0};

    (void)state;
    for (int run = 0; run < 300; run++) {
        struct gate gate = held_gate(1);
        int64_t now = 1 + PROBE_MIN_MS;

        for (int i = 0; i < 12; i++) {
            int64_t ceiling_ms = PROBE_MIN_MS << i, delay_ms;

            if (ceiling_ms > PROBE_MAX_MS)
                ceiling_ms = PROBE_MAX_MS;
            probe_once(&gate, VERDICT_TRANSIENT, now);
            delay_ms = gate_deadline(&gate, now) - now;
            assert_in_range(delay_ms, 1, ceiling_ms);
            most[i] = delay_ms > most[i] ? delay_ms : most[i];
            assert_false(gate_wants_probe(&gate, now + delay_ms - 1));
            now += delay_ms;
        }
    }
    for (int i = 0; i < 12; i++)
        assert_true(most[i] > (i < 4 ? PROBE_MIN_MS << i : PROBE_MAX_MS) * 9 / 10);
}

static void
what_we_broke_off_says_nothing_of_the_api(void **state)
{
    struct gate gate = gate_of(100, 0);
    struct gate_reply reply = {.verdict = VERDICT_TRANSIENT, .aborted = true};

    (void)state;
    for (int i = 0; i < 100; i++) {
        gate_start(&gate, i % 2, false);
        reply.retrying = i % 2;
        gate_done(&gate, &reply, &jitter, 0);
    }
    assert_int_equal(gate_reason(&gate, 0), GATE_OPEN);
    assert_int_equal(gate.in_flight, 0);
    assert_int_equal(gate.retrying, 0);
    gate = held_gate(1);
    reply = (struct gate_reply){.verdict = VERDICT_TRANSIENT, .aborted = true, .probe = true};
    gate_start(&gate, false, true);
    gate_done(&gate, &reply, &jitter, SECOND);
    assert_true(gate_wants_probe(&gate, HOUR)); /* another one goes out */
}

static void
what_was_started_is_kept_back_by_what_comes_before_it_goes_out(void **state)
{
    struct gate gate = gate_of(100, 0);
    struct gate_limits held = gate.limits;

    (void)state;
    gate_start(&gate, false, false);
    gate_start(&gate, false, false);
    assert_true(gate_may_send(&gate, 0));
    call_throttled(&gate, SECOND, 0);
    assert_false(gate_may_send(&gate, SECOND - 1));
    assert_true(gate_may_send(&gate, SECOND));
    held.hold = true;
    gate_set_limits(&gate, &held, SECOND);
    assert_false(gate_may_send(&gate, SECOND));
}

static void
what_goes_out_once_more_is_counted_against_the_rate(void **state)
{
    struct gate gate = gate_of(100, 1);
    int64_t now = SECOND;

    (void)state;
    assert_true(gate_admits(&gate, false, now));
    gate_start(&gate, false, false);
    assert_true(gate_start_again(&gate, false, now));
    assert_true(gate_start_again(&gate, false, now));
    assert_int_equal(gate.in_flight, 1);
    assert_false(gate_admits(&gate, false, now + 3 * SECOND - 1));
    assert_true(gate_admits(&gate, false, now + 3 * SECOND));
}

static void
under_a_hold_only_the_probe_goes_out_once_more(void **state)
{
    struct gate gate = held_gate(1);

    (void)state;
    gate_start(&gate, false, true);
    assert_true(gate_start_again(&gate, true, HOUR));
    assert_false(gate_start_again(&gate, false, HOUR));
}

static void
a_probe_that_succeeds_opens_by_a_ramp(void **state)
{
    struct gate gate = gate_of(100, 0);
    static const int limits[] = {1, 2, 4, 8, 16};

    (void)state;
    while (gate_limit(&gate) < 64)
        run_round(&gate, 1);
    gate_start(&gate, false, false);
    done(&gate, VERDICT_THROTTLED, true, 2, 3); /* a cut before the hold is forgotten, too */
    call_once(&gate, VERDICT_CONFIGURATION, 4);
    probe_once(&gate, VERDICT_DONE, SECOND);
    assert_int_equal(gate_reason(&gate, SECOND), GATE_OPEN);
    for (size_t i = 0; i < ARRAY_LEN(limits); i++)
        assert_int_equal(run_round(&gate, SECOND + (int64_t)i), limits[i]);
}

static void
an_answer_that_refuses_the_probe_alone_opens_too(void **state)
{
    struct gate gate = held_gate(1);

    (void)state;
    probe_once(&gate, VERDICT_PERMANENT, SECOND);
    assert_int_equal(gate_reason(&gate, SECOND), GATE_OPEN);
    gate = held_gate(1);
    probe_once(&gate, VERDICT_UNKNOWN_CONTACT, SECOND);
    assert_int_equal(gate_reason(&gate, SECOND), GATE_OPEN);
}

static void
the_reason_of_a_hold_follows_the_last_probe(void **state)
{
    struct gate gate = held_gate(1);

    (void)state;
    probe_once(&gate, VERDICT_TRANSIENT, SECOND);
    assert_int_equal(gate_reason(&gate, SECOND), GATE_OUTAGE);
    probe_once(&gate, VERDICT_CONFIGURATION, 10 * SECOND);
    assert_int_equal(gate_reason(&gate, 10 * SECOND), GATE_CONFIGURATION);
}

static void
calls_that_were_out_when_the_hold_began_neither_end_nor_prolong_it(void **state)
{
    struct gate gate = gate_of(100, 0);

    (void)state;
    assert_int_equal(fill(&gate, false, 1), FIRST_LIMIT);
    done(&gate, VERDICT_CONFIGURATION, false, 1, 2);
    for (int i = 0; i < 3; i++)
        done(&gate, VERDICT_CONFIGURATION, false, 1, 100);
    for (int i = 0; i < 3; i++)
        done(&gate, VERDICT_DONE, false, 1, 101);
    assert_int_equal(gate_reason(&gate, 101), GATE_CONFIGURATION);
    assert_int_equal(gate_deadline(&gate, 101), 2 + PROBE_MIN_MS);
    probe_once(&gate, VERDICT_DONE, SECOND); /* while the eighth is still out */
    assert_int_equal(gate_reason(&gate, SECOND), GATE_OPEN);
    assert_false(gate_admits(&gate, false, SECOND)); /* it has the ramp's only slot */
}

static void
what_failed_before_a_hold_does_not_count_after_it(void **state)
{
    struct gate gate = gate_of(100, 0);

    (void)state;
    for (int i = 0; i < OUTCOMES; i++)
        call_once(&gate, VERDICT_TRANSIENT, 1);
    assert_int_equal(gate_reason(&gate, 1), GATE_OUTAGE);
    probe_once(&gate, VERDICT_DONE, SECOND);
    for (int i = 0; i < OUTCOMES - 1; i++) {
        call_once(&gate, VERDICT_TRANSIENT, SECOND);
        assert_int_equal(gate_reason(&gate, SECOND), GATE_OPEN);
    }
    call_once(&gate, VERDICT_TRANSIENT, SECOND);
    assert_int_equal(gate_reason(&gate, SECOND), GATE_OUTAGE);
}

static void
a_second_hold_begins_its_back_off_anew(void **state)
{
    struct gate gate = held_gate(1);
    int64_t now = SECOND;

    (void)state;
    for (int i = 0; i < 10; i++, now += 10 * SECOND)
        probe_once(&gate, VERDICT_TRANSIENT, now);
    probe_once(&gate, VERDICT_DONE, now);
    call_once(&gate, VERDICT_CONFIGURATION, now);
    assert_int_equal(gate_deadline(&gate, now), now + PROBE_MIN_MS);
    now += PROBE_MIN_MS;
    probe_once(&gate, VERDICT_TRANSIENT, now);
    assert_in_range(gate_deadline(&gate, now), now + 1, now + PROBE_MIN_MS);
}

/* ---- Retry-After and the operator ---- */

static void
nothing_starts_before_retry_after(void **state)
{
    struct gate gate = gate_of(100, 0);

    (void)state;
    call_throttled(&gate, 5000, 1);
    assert_int_equal(gate_reason(&gate, 4999), GATE_THROTTLED);
    assert_false(gate_admits(&gate, false, 4999));
    assert_false(gate_admits(&gate, true, 4999));
    assert_int_equal(gate_deadline(&gate, 1), 5000);
    assert_int_equal(gate_reason(&gate, 5000), GATE_OPEN);
    assert_true(gate_admits(&gate, false, 5000));
}

static void
a_later_retry_after_prolongs_and_an_earlier_one_does_not_undercut(void **state)
{
    struct gate gate = gate_of(100, 0);

    (void)state;
    call_throttled(&gate, 5000, 1);
    call_throttled(&gate, 3000, 2);
    call_throttled(&gate, 0, 3);
    assert_int_equal(gate_deadline(&gate, 3), 5000);
    call_throttled(&gate, 9000, 4);
    assert_false(gate_admits(&gate, false, 8999));
    assert_true(gate_admits(&gate, false, 9000));
}

static void
a_probe_keeps_to_retry_after_too(void **state)
{
    struct gate gate = held_gate(1);

    (void)state;
    call_throttled(&gate, 5000, 2);
    assert_false(gate_wants_probe(&gate, 4999));
    assert_int_equal(gate_deadline(&gate, 2), 5000);
    assert_true(gate_wants_probe(&gate, 5000));
}

static void
a_success_does_not_lift_retry_after(void **state)
{
    struct gate gate = gate_of(100, 0);

    (void)state;
    gate_start(&gate, false, false);
    call_throttled(&gate, 5000, 1);
    done(&gate, VERDICT_DONE, false, 1, 2);
    assert_false(gate_admits(&gate, false, 4999));
}

static void
an_operators_hold_stops_everything(void **state)
{
    struct gate gate = gate_of(100, 0);

    (void)state;
    set_hold(&gate, true, 1);
    assert_int_equal(gate_reason(&gate, 1), GATE_OPERATOR);
    assert_false(gate_admits(&gate, false, HOUR));
    assert_int_equal(gate_deadline(&gate, 1), CLOCK_NEVER);
    set_hold(&gate, false, HOUR);
    assert_int_equal(gate_reason(&gate, HOUR), GATE_OPEN);
    assert_int_equal(fill(&gate, false, HOUR), FIRST_LIMIT);
    gate = held_gate(1);
    set_hold(&gate, true, 2);
    assert_int_equal(gate_reason(&gate, 2), GATE_OPERATOR);
    assert_false(gate_wants_probe(&gate, HOUR));
    set_hold(&gate, false, HOUR);
    assert_int_equal(gate_reason(&gate, HOUR), GATE_CONFIGURATION);
    assert_true(gate_wants_probe(&gate, HOUR));
}

/* ---- held time ---- */

static void
held_time_is_the_time_in_which_nothing_could_start(void **state)
{
    struct gate gate = held_gate(1000);

    (void)state;
    assert_int_equal(gate_held_ms(&gate, 1000), 0);
    assert_int_equal(gate_held_ms(&gate, 4000), 3000);
    probe_once(&gate, VERDICT_TRANSIENT, 4000);
    assert_int_equal(gate_held_ms(&gate, 11000), 10000);
    probe_once(&gate, VERDICT_DONE, 11000);
    assert_int_equal(gate_held_ms(&gate, HOUR), 10000);
    set_hold(&gate, true, HOUR);
    set_hold(&gate, true, HOUR + 500); /* a reload that changes nothing */
    set_hold(&gate, false, HOUR + 1000);
    assert_int_equal(gate_held_ms(&gate, 2 * HOUR), 11000);
    call_throttled(&gate, 2 * HOUR + 5000, 2 * HOUR);
    assert_int_equal(gate_held_ms(&gate, 2 * HOUR + 5000), 16000);
    assert_int_equal(gate_held_ms(&gate, 3 * HOUR), 16000);
}

static void
retry_after_is_held_time_as_it_passes(void **state)
{
    struct gate gate = gate_of(100, 0);

    (void)state;
    call_throttled(&gate, 61000, 1000);
    assert_int_equal(gate_held_ms(&gate, 1000), 0);
    assert_int_equal(gate_held_ms(&gate, 31000), 30000);
}

static void
holds_that_overlap_are_counted_once(void **state)
{
    struct gate gate = gate_of(100, 0);

    (void)state;
    for (int i = 0; i < OUTCOMES; i++) /* a storm of 429s is an outage as well */
        call_throttled(&gate, 61000, 1000);
    assert_int_equal(gate_reason(&gate, 1000), GATE_OUTAGE);
    probe_once(&gate, VERDICT_DONE, 61000);
    assert_int_equal(gate_held_ms(&gate, HOUR), 60000);
}

static void
a_retry_after_that_outlasts_the_hold_is_counted_to_its_end(void **state)
{
    struct gate gate = held_gate(1000);
    struct gate_reply late = {.verdict = VERDICT_THROTTLED, .not_before_ms = 61000};
    struct gate_reply probe = {.verdict = VERDICT_DONE, .started_ms = 2000, .probe = true};

    (void)state;
    gate_start(&gate, false, false);
    gate_start(&gate, false, true);
    gate_done(&gate, &late, &jitter, 2000);
    gate_done(&gate, &probe, &jitter, 2500);
    assert_int_equal(gate_reason(&gate, 2500), GATE_THROTTLED);
    assert_int_equal(gate_held_ms(&gate, HOUR), 60000);
}

static void
an_operators_hold_over_a_breakers_is_counted_once(void **state)
{
    struct gate gate = held_gate(1000);
    struct gate_reply probe = {.verdict = VERDICT_DONE, .started_ms = 2000, .probe = true};

    (void)state;
    gate_start(&gate, false, true);
    set_hold(&gate, true, 3000);
    gate_done(&gate, &probe, &jitter, 5000);
    assert_int_equal(gate_held_ms(&gate, 7000), 6000);
    set_hold(&gate, false, 8000);
    assert_int_equal(gate_held_ms(&gate, HOUR), 7000);
}

/* ---- against a naive model: time passes millisecond by millisecond, nothing is kept in sums ----
 */

enum { MODEL_CALLS = 300, MODEL_OUTCOMES = 5000 };

struct model_call {
    int64_t started_ms;
    bool retrying, probe;
};

struct model {
    struct gate_limits limits;
    int64_t now;
    int64_t milli_tokens;
    struct model_call calls[MODEL_CALLS];
    int count;
    bool failed[MODEL_OUTCOMES]; /* since the gate opened last */
    int outcomes;
    int limit, round;
    bool was_cut, was_full;
    int64_t cut_ms;
    enum gate_reason hold;
    int64_t probe_due_ms, not_before_ms, held_ms;
    int probes_failed;
    uint64_t successes;
};

static int
model_limit(const struct model *model)
{
    return model->limit < model->limits.max_in_flight ? model->limit : model->limits.max_in_flight;
}

static enum gate_reason
model_reason(const struct model *model)
{
    if (model->limits.hold)
        return GATE_OPERATOR;
    if (model->hold != GATE_OPEN)
        return model->hold;
    return model->now < model->not_before_ms ? GATE_THROTTLED : GATE_OPEN;
}

static void
model_clamp_tokens(struct model *model)
{
    int64_t bucket = (int64_t)model->limits.rate * 100;

    if (bucket < 1000)
        bucket = 1000;
    if (model->milli_tokens > bucket)
        model->milli_tokens = bucket;
}

static void
model_pass(struct model *model, int64_t ms)
{
    while (ms--) {
        model->held_ms += model_reason(model) != GATE_OPEN;
        model->milli_tokens += (int64_t)model->limits.rate;
        model_clamp_tokens(model);
        model->now++;
    }
}

static bool
model_may_start(const struct model *model)
{
    return !model->limits.hold && model->now >= model->not_before_ms &&
           (model->limits.rate <= 0 || model->milli_tokens >= 1000);
}

static int
model_count(const struct model *model, bool retrying, bool probes)
{
    int count = 0;

    for (int i = 0; i < model->count; i++)
        count += (retrying && model->calls[i].retrying) || (probes && model->calls[i].probe);
    return count;
}

static bool
model_admits(struct model *model, bool retrying)
{
    int half = model_limit(model) / 2;

    if (model->hold != GATE_OPEN)
        return false;
    if (model->count >= model_limit(model)) {
        model->was_full = true;
        return false;
    }
    if (retrying && model_count(model, true, false) >= (half ? half : 1))
        return false;
    return model_may_start(model);
}

static bool
model_wants_probe(const struct model *model)
{
    return model->hold != GATE_OPEN && !model_count(model, false, true) &&
           model->now >= model->probe_due_ms && model_may_start(model);
}

static void
model_start(struct model *model, bool retrying, bool probe)
{
    model->calls[model->count++] =
        (struct model_call){.started_ms = model->now, .retrying = retrying, .probe = probe};
    if (model->limits.rate > 0)
        model->milli_tokens -= 1000;
}

static bool
model_is_outage(const struct model *model)
{
    int failed = 0;

    for (int i = model->outcomes - OUTCOMES; i >= 0 && i < model->outcomes; i++)
        failed += model->failed[i];
    return failed >= OUTAGE_FAILED;
}

static void
model_probe_done(struct model *model, const struct gate_reply *reply, bool failed)
{
    if (failed) {
        model->hold = reply->verdict == VERDICT_CONFIGURATION ? GATE_CONFIGURATION : GATE_OUTAGE;
        model->probes_failed++;
        return;
    }
    model->hold = GATE_OPEN;
    model->limit = 1;
    model->was_cut = model->was_full = false;
    model->round = model->outcomes = 0;
}

static void
model_adapt(struct model *model, const struct gate_reply *reply, bool failed)
{
    if (!failed && ++model->round >= model->limit) {
        model->round = 0;
        if (model->was_full && model->limit < model->limits.max_in_flight)
            model->limit += model->was_cut ? 1 : model->limit;
        model->was_full = false;
    }
    if (reply->congestion && reply->started_ms > model->cut_ms) {
        model->limit = model_limit(model) > 1 ? model_limit(model) / 2 : 1;
        model->was_cut = true;
        model->was_full = false;
        model->round = 0;
        model->cut_ms = model->now;
    }
}

static void
model_done(struct model *model, int call, const struct gate_reply *reply)
{
    bool failed = reply->verdict == VERDICT_TRANSIENT || reply->verdict == VERDICT_THROTTLED ||
                  reply->verdict == VERDICT_CONFIGURATION;
    bool config = reply->verdict == VERDICT_CONFIGURATION;

    model->calls[call] = model->calls[--model->count];
    model->failed[model->outcomes++] = failed;
    model->successes += !failed;
    model_adapt(model, reply, failed);
    if (reply->not_before_ms > model->not_before_ms)
        model->not_before_ms = reply->not_before_ms;
    if (reply->probe) {
        model_probe_done(model, reply, failed);
    } else if (model->hold == GATE_OPEN && (config || model_is_outage(model))) {
        model->hold = config ? GATE_CONFIGURATION : GATE_OUTAGE;
        model->probes_failed = 0;
        model->probe_due_ms = model->now + PROBE_MIN_MS;
    }
}

static enum verdict
random_verdict(struct rng *rng, int badness)
{
    if ((int)rng_below(rng, 100) >= badness)
        return rng_below(rng, 20) ? VERDICT_DONE : VERDICT_PERMANENT;
    if (!rng_below(rng, 15))
        return VERDICT_CONFIGURATION;
    return rng_below(rng, 2) ? VERDICT_TRANSIENT : VERDICT_THROTTLED;
}

static void
random_done(struct rng *rng, struct gate *gate, struct model *model, int badness)
{
    int call = (int)rng_below(rng, (uint64_t)model->count);
    struct gate_reply reply = {.verdict = random_verdict(rng, badness),
                               .started_ms = model->calls[call].started_ms,
                               .retrying = model->calls[call].retrying,
                               .probe = model->calls[call].probe};
    int64_t ceiling_ms = PROBE_MIN_MS;

    reply.congestion = reply.verdict == VERDICT_THROTTLED;
    if (reply.congestion && rng_below(rng, 2))
        reply.not_before_ms = model->now + (int64_t)rng_below(rng, 3000) - 100;
    gate_done(gate, &reply, &jitter, model->now);
    model_done(model, call, &reply);
    if (!reply.probe || model->hold == GATE_OPEN)
        return;
    for (int i = 1; i < model->probes_failed && ceiling_ms < PROBE_MAX_MS; i++)
        ceiling_ms *= 2;
    ceiling_ms = ceiling_ms < PROBE_MAX_MS ? ceiling_ms : PROBE_MAX_MS;
    assert_in_range(gate->probe_due_ms, model->now + 1, model->now + ceiling_ms);
    model->probe_due_ms = gate->probe_due_ms; /* jitter is the gate's */
}

static void
random_start(struct rng *rng, struct gate *gate, struct model *model)
{
    bool retrying = !rng_below(rng, 3);
    bool wants = gate_wants_probe(gate, model->now), admits;

    assert_int_equal(wants, model_wants_probe(model));
    if (wants) {
        gate_start(gate, retrying, true);
        model_start(model, retrying, true);
        return;
    }
    admits = gate_admits(gate, retrying, model->now);
    assert_int_equal(admits, model_admits(model, retrying));
    if (admits && model->count < MODEL_CALLS) {
        gate_start(gate, retrying, false);
        model_start(model, retrying, false);
    }
}

/* One of those in flight goes out, or once more. */
static void
random_send(struct rng *rng, struct gate *gate, struct model *model)
{
    bool probe = model->calls[rng_below(rng, (uint64_t)model->count)].probe;
    bool may = !model->limits.hold && model->now >= model->not_before_ms;
    bool again = may && (probe || model->hold == GATE_OPEN);

    assert_int_equal(gate_may_send(gate, model->now), may);
    assert_int_equal(gate_start_again(gate, probe, model->now), again);
    if (again && model->limits.rate > 0)
        model->milli_tokens -= 1000;
}

/* Rates that are eighths of a call a millisecond, which doubles hold exactly. */
static void
random_limits(struct rng *rng, struct gate *gate, struct model *model)
{
    struct gate_limits limits = {.max_in_flight = 1 + (int)rng_below(rng, 40),
                                 .rate = rng_below(rng, 2) ? 125 * (double)rng_below(rng, 9) : 0,
                                 .hold = !rng_below(rng, 6),
                                 .probe_min_ms = PROBE_MIN_MS,
                                 .probe_max_ms = PROBE_MAX_MS};

    gate_set_limits(gate, &limits, model->now);
    model->limits = limits;
    model_clamp_tokens(model);
}

static void
compare(const struct gate *gate, const struct model *model)
{
    assert_int_equal(gate_reason(gate, model->now), model_reason(model));
    assert_int_equal(gate_limit(gate), model_limit(model));
    assert_int_equal(gate->in_flight, model->count);
    assert_int_equal(gate->retrying, model_count(model, true, false));
    assert_int_equal(gate->successes, model->successes);
    assert_int_equal(gate_held_ms(gate, model->now), model->held_ms);
}

static bool
lets_one_go(struct gate gate, int64_t now)
{
    return gate_admits(&gate, false, now) || gate_wants_probe(&gate, now);
}

/* If nothing may start now, something may at the deadline and, but for a millisecond's rounding,
 * not before; without a deadline, never. */
static void
check_deadline(const struct gate *gate, int64_t now)
{
    int64_t due_ms = gate_deadline(gate, now);

    assert_true(due_ms > now);
    if (lets_one_go(*gate, now))
        return;
    if (due_ms == CLOCK_NEVER) {
        assert_false(lets_one_go(*gate, now + HOUR));
        return;
    }
    assert_true(lets_one_go(*gate, due_ms));
    if (due_ms - 2 > now)
        assert_false(lets_one_go(*gate, due_ms - 2));
}

static void
a_gate_agrees_with_a_naive_model(void **state)
{
    struct rng rng = unit_rng("gate", 32);
    static struct model model;
    uint64_t holds = 0;

    (void)state;
    for (int run = 0; run < 60; run++) {
        struct gate gate;
        int badness = 0;

        model = (struct model){.now = (int64_t)rng_below(&rng, 100000), .limit = FIRST_LIMIT};
        model.cut_ms = model.now - 1;
        gate_init(&gate, model.now);
        random_limits(&rng, &gate, &model);
        for (int step = 0; step < 3000; step++) {
            if (!rng_below(&rng, 100))
                badness = (int)(rng_below(&rng, 2) ? rng_below(&rng, 4) : rng_below(&rng, 101));
            if (!rng_below(&rng, 200))
                random_limits(&rng, &gate, &model);
            if (rng_below(&rng, 3))
                random_start(&rng, &gate, &model);
            if (model.count && !rng_below(&rng, 10))
                random_send(&rng, &gate, &model);
            if (model.count && rng_below(&rng, 2))
                random_done(&rng, &gate, &model, badness);
            if (!rng_below(&rng, 3))
                model_pass(&model, (int64_t)rng_below(&rng, rng_below(&rng, 30) ? 20 : 1500));
            compare(&gate, &model);
            check_deadline(&gate, model.now);
            holds += model_reason(&model) != GATE_OPEN;
        }
    }
    assert_in_range(holds, 18000, 162000); /* it is about both */
}

static void
reasons_have_names(void **state)
{
    (void)state;
    assert_string_equal(gate_reason_name(GATE_OPEN), "open");
    assert_string_equal(gate_reason_name(GATE_OPERATOR), "operator");
    assert_string_equal(gate_reason_name(GATE_CONFIGURATION), "configuration");
    assert_string_equal(gate_reason_name(GATE_OUTAGE), "outage");
    assert_string_equal(gate_reason_name(GATE_THROTTLED), "throttled");
}

static void
a_probe_may_be_asked_for_before_its_time(void **state)
{
    struct gate gate = gate_of(8, 0);

    (void)state;
    call_once(&gate, VERDICT_CONFIGURATION, 1);
    assert_int_equal(gate_reason(&gate, 2), GATE_CONFIGURATION);
    assert_false(gate_wants_probe(&gate, 2));
    gate_probe_soon(&gate, 2);
    assert_true(gate_wants_probe(&gate, 2));
    call_throttled(&gate, 5000, 3); /* what the API asked for stands above that */
    gate_probe_soon(&gate, 4);
    assert_false(gate_wants_probe(&gate, 4));
    assert_true(gate_wants_probe(&gate, 5000));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_bucket_starts_empty_and_fills_at_the_rate),
        cmocka_unit_test(the_bucket_holds_a_tenth_of_a_second),
        cmocka_unit_test(a_rate_of_next_to_nothing_has_a_deadline_all_the_same),
        cmocka_unit_test(the_bucket_of_a_slow_rate_holds_one_call),
        cmocka_unit_test(without_a_rate_only_the_slots_count),
        cmocka_unit_test(a_probe_may_be_asked_for_before_its_time),
        cmocka_unit_test(a_slower_rate_takes_no_more_than_its_bucket_along),
        cmocka_unit_test(a_faster_rate_does_not_count_for_the_time_before),
        cmocka_unit_test(a_probe_takes_its_token_too),
        cmocka_unit_test(no_window_passes_the_rate_by_more_than_the_bucket),
        cmocka_unit_test(the_limit_doubles_each_round_until_the_first_cut),
        cmocka_unit_test(after_a_cut_the_limit_grows_by_one_a_round),
        cmocka_unit_test(calls_that_started_before_a_cut_do_not_cut_again),
        cmocka_unit_test(the_limit_is_never_cut_below_one),
        cmocka_unit_test(a_failure_that_is_no_congestion_cuts_nothing),
        cmocka_unit_test(the_limit_grows_only_where_it_binds),
        cmocka_unit_test(failures_do_not_make_the_limit_grow),
        cmocka_unit_test(the_configured_maximum_bounds_the_slots),
        cmocka_unit_test(retrying_calls_take_at_most_half_of_the_slots),
        cmocka_unit_test(the_only_slot_is_open_to_retrying_calls),
        cmocka_unit_test(a_configuration_failure_holds_at_once),
        cmocka_unit_test(wholesale_failure_is_an_outage),
        cmocka_unit_test(a_few_failures_are_no_outage),
        cmocka_unit_test(what_is_refused_for_good_is_no_sign_of_an_outage),
        cmocka_unit_test(probes_go_out_one_at_a_time_with_back_off),
        cmocka_unit_test(what_we_broke_off_says_nothing_of_the_api),
        cmocka_unit_test(what_was_started_is_kept_back_by_what_comes_before_it_goes_out),
        cmocka_unit_test(what_goes_out_once_more_is_counted_against_the_rate),
        cmocka_unit_test(under_a_hold_only_the_probe_goes_out_once_more),
        cmocka_unit_test(a_probe_that_succeeds_opens_by_a_ramp),
        cmocka_unit_test(an_answer_that_refuses_the_probe_alone_opens_too),
        cmocka_unit_test(the_reason_of_a_hold_follows_the_last_probe),
        cmocka_unit_test(calls_that_were_out_when_the_hold_began_neither_end_nor_prolong_it),
        cmocka_unit_test(what_failed_before_a_hold_does_not_count_after_it),
        cmocka_unit_test(a_second_hold_begins_its_back_off_anew),
        cmocka_unit_test(nothing_starts_before_retry_after),
        cmocka_unit_test(a_later_retry_after_prolongs_and_an_earlier_one_does_not_undercut),
        cmocka_unit_test(a_probe_keeps_to_retry_after_too),
        cmocka_unit_test(a_success_does_not_lift_retry_after),
        cmocka_unit_test(an_operators_hold_stops_everything),
        cmocka_unit_test(held_time_is_the_time_in_which_nothing_could_start),
        cmocka_unit_test(retry_after_is_held_time_as_it_passes),
        cmocka_unit_test(holds_that_overlap_are_counted_once),
        cmocka_unit_test(a_retry_after_that_outlasts_the_hold_is_counted_to_its_end),
        cmocka_unit_test(an_operators_hold_over_a_breakers_is_counted_once),
        cmocka_unit_test(a_gate_agrees_with_a_naive_model),
        cmocka_unit_test(reasons_have_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
