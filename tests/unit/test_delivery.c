#include "core_unit.h"

#include "delivery/lane.h"
#include "delivery/ledger.h"
#include "delivery/retry.h"

/* ---- the ledger against a naive model ---- */

enum { LEDGER_STEPS = 400 };

struct model_offset {
    struct ledger_slot slot;
    bool open, given;
};

static int64_t
model_watermark(const struct model_offset *offsets, int64_t first, int64_t next)
{
    for (int64_t i = first; i < next; i++) {
        if (offsets[i].open || offsets[i].given)
            return i;
    }
    return next;
}

static void
a_ledger_agrees_with_an_array_of_offsets(void **state)
{
    struct rng rng = unit_rng("ledger", 11);

    (void)state;
    for (int run = 0; run < 200; run++) {
        static struct model_offset offsets[LEDGER_STEPS * 4];
        int64_t first = (int64_t)rng_below(&rng, 20), next = first;
        struct ledger ledger;

        memset(offsets, 0, sizeof(offsets));
        ledger_init(&ledger, first);
        for (int step = 0; step < LEDGER_STEPS; step++) {
            int64_t pick = first + (int64_t)rng_below(&rng, (uint64_t)(next - first + 1));

            if (rng_below(&rng, 2)) {
                int64_t offset = next + (rng_below(&rng, 8) ? 0 : (int64_t)rng_below(&rng, 4));

                ledger_open(&ledger, &offsets[offset].slot, offset);
                offsets[offset].open = true;
                next = offset + 1;
            } else if (pick < next && offsets[pick].open) {
                offsets[pick].given = !rng_below(&rng, 40);
                offsets[pick].open = false;
                if (!offsets[pick].given)
                    ledger_close(&ledger, &offsets[pick].slot);
            }
            assert_int_equal(ledger_watermark(&ledger), model_watermark(offsets, first, next));
        }
    }
}

/* ---- lanes against a naive model ---- */

enum { LANE_JOBS = 200, LANE_KEYS = 5 };

struct model_job {
    struct lane_entry entry;
    int key;
    int order; /* 0: not in a lane */
};

static struct model_job *
model_head(struct model_job *jobs, int key)
{
    struct model_job *head = NULL;

    for (int i = 0; i < LANE_JOBS; i++) {
        if (jobs[i].order && jobs[i].key == key && (!head || jobs[i].order < head->order))
            head = &jobs[i];
    }
    return head;
}

static int
model_keys(const struct model_job *jobs)
{
    bool used[LANE_KEYS] = {false};
    int count = 0;

    for (int i = 0; i < LANE_JOBS; i++) {
        if (jobs[i].order)
            used[jobs[i].key] = true;
    }
    for (int i = 0; i < LANE_KEYS; i++)
        count += used[i];
    return count;
}

static void
lanes_agree_with_a_list_of_jobs(void **state)
{
    struct rng rng = unit_rng("lanes", 12);
    static struct model_job jobs[LANE_JOBS];
    struct lanes lanes;
    int order = 0;

    (void)state;
    lanes_init(&lanes, 5);
    for (int step = 0; step < 20000; step++) {
        struct model_job *job = &jobs[rng_below(&rng, LANE_JOBS)];
        bool emptying = step > 18000;

        if (!job->order && !emptying) {
            char key[8];

            job->key = (int)rng_below(&rng, LANE_KEYS);
            job->order = ++order;
            job->entry.owner = job;
            snprintf(key, sizeof(key), "key%d", job->key);
            lane_push(&lanes, &job->entry, key, strlen(key));
        } else if (job->order) {
            bool was_head = model_head(jobs, job->key) == job;
            struct lane_entry *head;

            assert_int_equal(lane_is_head(&job->entry), was_head);
            head = lane_take(&lanes, &job->entry);
            job->order = 0;
            assert_ptr_equal(head ? head->owner : NULL,
                             was_head ? model_head(jobs, job->key) : NULL);
        }
        assert_int_equal(lanes_count(&lanes), model_keys(jobs));
    }
    for (int i = 0; i < LANE_JOBS; i++) {
        if (jobs[i].order)
            lane_take(&lanes, &jobs[i].entry);
    }
    lanes_fini(&lanes);
}

/* ---- retry ---- */

static void
delays_grow_to_the_maximum_with_full_jitter(void **state)
{
    struct rng rng = {1};
    int64_t ceilings[] = {250, 500, 1000, 2000, 4000};

    (void)state;
    for (unsigned attempts = 1; attempts <= 5; attempts++) {
        int64_t least = INT64_MAX, most = 0, ceiling = ceilings[attempts - 1];

        for (int i = 0; i < 2000; i++) {
            int64_t delay = retry_delay_ms(&rng, attempts, 250, 60000);

            least = delay < least ? delay : least;
            most = delay > most ? delay : most;
        }
        assert_in_range(least, 1, ceiling / 20);
        assert_in_range(most, ceiling * 19 / 20, ceiling);
    }
    for (int i = 0; i < 2000; i++)
        assert_in_range(retry_delay_ms(&rng, 4000000000u, 250, 60000), 1, 60000);
}

/* ---- order and offsets ---- */

static void
a_contact_has_one_call_in_flight_in_event_order(void **state)
{
    struct fixture *fixture = *state;
    struct core_job *first, *other;

    open_event(fixture, fixture->part, "a@example.com", NULL);
    open_event(fixture, fixture->part, "A@example.com", NULL); /* the same contact */
    open_event(fixture, fixture->part, "b@example.com", NULL);
    first = expect_next(fixture, 0, "a@example.com");
    other = expect_next(fixture, 2, "b@example.com");
    expect_nothing(fixture);
    settle(fixture, other, VERDICT_DONE, SETTLED_DONE);
    assert_false(core_commit_is_due(fixture->core)); /* 0 is not finished */
    settle(fixture, first, VERDICT_DONE, SETTLED_DONE);
    expect_offset(fixture, 1);
    settle(fixture, expect_next(fixture, 1, "A@example.com"), VERDICT_DONE, SETTLED_DONE);
    expect_offset(fixture, 3);
}

static void
a_rename_waits_for_both_contacts_and_holds_both(void **state)
{
    struct fixture *fixture = *state;
    struct core_job *old, *new, *job;

    open_event(fixture, fixture->part, "old@example.com", NULL);
    open_event(fixture, fixture->part, "new@example.com", NULL);
    open_call(fixture, call_of("old@example.com", "new@example.com"));
    open_event(fixture, fixture->part, "old@example.com", "new@example.com", NULL);
    old = expect_next(fixture, 0, "old@example.com");
    new = expect_next(fixture, 1, "new@example.com");
    settle(fixture, old, VERDICT_DONE, SETTLED_DONE);
    expect_nothing(fixture);
    settle(fixture, new, VERDICT_DONE, SETTLED_DONE);
    job = expect_next(fixture, 2, "old@example.com");
    expect_nothing(fixture);
    settle(fixture, job, VERDICT_DONE, SETTLED_DONE);
    old = expect_next(fixture, 3, "old@example.com");
    new = expect_next(fixture, 3, "new@example.com");
    settle(fixture, new, VERDICT_DONE, SETTLED_DONE);
    settle(fixture, old, VERDICT_DONE, SETTLED_DONE);
    expect_offset(fixture, 4);
}

static void
a_rename_to_the_same_contact_is_an_ordinary_call(void **state)
{
    struct fixture *fixture = *state;

    open_call(fixture, call_of("a@example.com", "A@example.com"));
    settle(fixture, expect_next(fixture, 0, "a@example.com"), VERDICT_DONE, SETTLED_DONE);
    expect_offset(fixture, 1);
}

static void
the_oldest_call_goes_first(void **state)
{
    struct fixture *fixture = *state;
    struct core_job *jobs[8];

    for (int i = 0; i < 8; i++)
        open_event(fixture, fixture->part, i ? "b@example.com" : "a@example.com", NULL);
    open_event(fixture, fixture->part, "c@example.com", NULL);
    jobs[0] = expect_next(fixture, 0, "a@example.com");
    jobs[1] = expect_next(fixture, 1, "b@example.com");
    settle(fixture, jobs[1], VERDICT_DONE, SETTLED_DONE);
    jobs[1] = expect_next(fixture, 2, "b@example.com"); /* before the later c, ready long since */
    jobs[2] = expect_next(fixture, 8, "c@example.com");
    for (int i = 0; i < 3; i++)
        settle(fixture, jobs[i], VERDICT_DONE, SETTLED_DONE);
}

static void
a_failed_commit_is_due_again(void **state)
{
    struct fixture *fixture = *state;
    struct core_offset offsets[4];

    open_event(fixture, fixture->part, NULL, NULL);
    assert_int_equal(core_commit(fixture->core, offsets, 4), 1);
    core_committed(fixture->core, false);
    assert_true(core_commit_is_due(fixture->core));
    expect_offset(fixture, 1);
    assert_false(core_commit_is_due(fixture->core));
}

static void
a_start_without_a_committed_offset_is_pinned_by_a_commit(void **state)
{
    struct fixture *fixture = *state;

    core_assign(fixture->core, 77, -1, NULL);
    expect_offset(fixture, 77);
}

/* ---- how much is pending ---- */

static void
a_part_holds_at_most_twice_its_share(void **state)
{
    struct fixture *fixture = *state;
    int opened = 0;

    for (int i = 0; i < 3; i++)
        core_assign(fixture->core, 0, 0, NULL);
    while (core_has_room(fixture->core, fixture->part, fixture->now)) {
        open_event(fixture, fixture->part, "a@example.com", NULL);
        opened++;
    }
    assert_int_equal(opened, 50); /* 100 events, 4 parts */
}

static void
nothing_is_read_while_every_account_has_calls_enough(void **state)
{
    struct fixture *fixture = *state;
    struct gate_limits gate = default_gate();
    struct core_job *job;
    char email[32];

    gate.max_in_flight = 2;
    core_set_account(fixture->core, 0, &gate, UNKNOWN_CREATE, fixture->now);
    for (int i = 0; i < 8; i++) {
        assert_true(core_has_room(fixture->core, fixture->part, fixture->now));
        snprintf(email, sizeof(email), "contact%d@example.com", i);
        open_event(fixture, fixture->part, email, NULL);
        open_event(fixture, fixture->part, email, NULL); /* behind the first: it may not start */
    }
    assert_false(core_has_room(fixture->core, fixture->part, fixture->now));
    job = core_next(fixture->core, fixture->now);
    assert_true(core_has_room(fixture->core, fixture->part, fixture->now));
    open_event(fixture, fixture->part, "other@example.com", NULL);
    assert_false(core_has_room(fixture->core, fixture->part, fixture->now));
    gate.hold = true; /* what an account that is held has does not keep the others waiting */
    core_set_account(fixture->core, 0, &gate, UNKNOWN_CREATE, fixture->now);
    assert_true(core_has_room(fixture->core, fixture->part, fixture->now));
    gate.hold = false;
    core_set_account(fixture->core, 0, &gate, UNKNOWN_CREATE, fixture->now);
    assert_false(core_has_room(fixture->core, fixture->part, fixture->now));
    core_set_account(fixture->core, 1, &gate, UNKNOWN_CREATE, fixture->now); /* has nothing */
    assert_true(core_has_room(fixture->core, fixture->part, fixture->now));
    settle(fixture, job, VERDICT_DONE, SETTLED_DONE);
}

static void
bytes_bound_what_is_pending(void **state)
{
    static char payload[100 * 1024];
    struct fixture *fixture = *state;
    int opened = 0;

    while (core_has_room(fixture->core, fixture->part, fixture->now)) {
        struct event record = record_at(fixture->next++);
        struct call *call = call_of("a@example.com", NULL);
        struct core_event *event;

        record.payload = payload;
        record.payload_len = sizeof(payload);
        event = core_open(fixture->core, fixture->part, record.offset, &record);
        core_add(fixture->core, event, &call);
        close_event(fixture, event);
        opened++;
    }
    assert_int_equal(opened, 11); /* 1 MiB, passed by at most one event */
    while (opened--)
        settle(fixture, core_next(fixture->core, fixture->now), VERDICT_DONE, SETTLED_DONE);
    assert_int_equal(gauges_of(fixture).bytes, 0);
}

static void
a_delivered_call_gives_its_bytes_back_before_its_event_ends(void **state)
{
    struct fixture *fixture = *state;
    int64_t bytes;

    open_event(fixture, fixture->part, "a@example.com", "b@example.com", NULL);
    bytes = gauges_of(fixture).bytes;
    settle(fixture, expect_next(fixture, 0, "a@example.com"), VERDICT_DONE, SETTLED_DONE);
    assert_in_range(gauges_of(fixture).bytes, 1, bytes - (int64_t)sizeof(struct call));
}

/* ---- hand-over ---- */

static void
a_revoked_part_finishes_what_began_and_what_stands_before_it(void **state)
{
    struct fixture *fixture = *state;
    struct core_job *begun;
    const struct core_counts *counts = core_part_counts(fixture->part);

    open_event(fixture, fixture->part, "a@example.com", NULL);                  /* in flight */
    open_event(fixture, fixture->part, "a@example.com", NULL);                  /* before b's */
    open_event(fixture, fixture->part, "b@example.com", "a@example.com", NULL); /* begun by b */
    open_event(fixture, fixture->part, "a@example.com", NULL);                  /* untouched */
    begun = expect_next(fixture, 0, "a@example.com");
    settle(fixture, expect_next(fixture, 2, "b@example.com"), VERDICT_DONE, SETTLED_DONE);
    core_revoke(fixture->core, &fixture->part, 1);
    assert_int_equal(counts->ended[EVENT_GIVEN_BACK], 1);
    assert_false(core_has_room(fixture->core, fixture->part, fixture->now));
    assert_false(core_is_drained(fixture->core, fixture->part));
    settle(fixture, begun, VERDICT_DONE, SETTLED_DONE);
    settle(fixture, expect_next(fixture, 1, "a@example.com"), VERDICT_DONE, SETTLED_DONE);
    settle(fixture, expect_next(fixture, 2, "a@example.com"), VERDICT_DONE, SETTLED_DONE);
    expect_nothing(fixture);
    assert_true(core_is_drained(fixture->core, fixture->part));
    expect_offset(fixture, 3); /* the untouched one is not finished */
}

static void
a_second_revocation_keeps_what_stands_before_events_of_the_first(void **state)
{
    struct fixture *fixture = *state;
    struct core_part *other = core_assign(fixture->core, 0, 0, NULL);

    open_event(fixture, other, "x@example.com", NULL);
    open_event(fixture, fixture->part, "x@example.com", NULL);
    open_event(fixture, other, "a@example.com", "x@example.com", NULL);
    open_event(fixture, fixture->part, "b@example.com", "x@example.com", NULL);
    for (int i = 0; i < 3; i++)
        assert_non_null(core_next(fixture->core, fixture->now)); /* x, a and b */
    core_revoke(fixture->core, &other, 1);
    core_revoke(fixture->core, &fixture->part, 1);
    assert_int_equal(core_part_counts(other)->ended[EVENT_GIVEN_BACK], 0);
    assert_int_equal(core_part_counts(fixture->part)->ended[EVENT_GIVEN_BACK], 0);
}

static void
a_call_that_waits_to_be_tried_again_keeps_a_drain_waiting(void **state)
{
    struct fixture *fixture = *state;

    open_event(fixture, fixture->part, "a@example.com", NULL);
    settle(fixture, expect_next(fixture, 0, "a@example.com"), VERDICT_TRANSIENT, SETTLED_WAITING);
    core_revoke(fixture->core, &fixture->part, 1);
    assert_false(core_is_drained(fixture->core, fixture->part));
    pass_to_deadline(fixture);
    settle(fixture, expect_next(fixture, 0, "a@example.com"), VERDICT_DONE, SETTLED_DONE);
    assert_true(core_is_drained(fixture->core, NULL));
    expect_offset(fixture, 1);
}

static void
a_late_reply_of_a_part_that_is_gone_reports_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct core_job *job;
    struct core_counts counts;

    open_event(fixture, fixture->part, "a@example.com", NULL);
    job = core_next(fixture->core, fixture->now);
    core_release(fixture->core, fixture->part);
    assert_null(core_job_user(job));
    fixture->part = core_assign(fixture->core, 0, 0, fixture);
    fixture->next = 0;
    open_event(fixture, fixture->part, "a@example.com", NULL);
    expect_nothing(fixture); /* the old call is still on the wire */
    settle(fixture, job, VERDICT_DONE, SETTLED_FORGOTTEN);
    assert_false(core_commit_is_due(fixture->core));
    settle(fixture, core_next(fixture->core, fixture->now), VERDICT_DONE, SETTLED_DONE);
    expect_offset(fixture, 1);
    core_totals(fixture->core, &counts);
    assert_int_equal(counts.consumed, 2);
    assert_int_equal(counts.ended[EVENT_GIVEN_BACK], 1);
    assert_int_equal(counts.ended[EVENT_DELIVERED], 1);
}

/* ---- accounts ---- */

/* One event with a call of ACCOUNT. */
static void
open_of_account(struct fixture *fixture, unsigned account, const char *email)
{
    struct call *call = call_of(email, NULL);

    call->account = account;
    open_call(fixture, call);
}

static void
set_account(struct fixture *fixture, unsigned account, int max_in_flight)
{
    struct gate_limits gate = default_gate();

    gate.max_in_flight = max_in_flight;
    core_set_account(fixture->core, account, &gate, UNKNOWN_CREATE, fixture->now);
}

static void
accounts_take_turns_within_their_limits(void **state)
{
    struct fixture *fixture = *state;
    int per_account[2] = {0};
    struct core_job *job;

    set_account(fixture, 0, 3);
    set_account(fixture, 1, 2);
    for (int i = 0; i < 10; i++) {
        char email[32];

        snprintf(email, sizeof(email), "c%d@example.com", i);
        open_of_account(fixture, i >= 5, email);
    }
    for (int turn = 0; turn < 4; turn++)
        per_account[core_job_call(core_next(fixture->core, fixture->now))->account]++;
    assert_int_equal(per_account[0], 2);
    assert_int_equal(per_account[1], 2);
    while ((job = core_next(fixture->core, fixture->now)))
        per_account[core_job_call(job)->account]++;
    assert_int_equal(per_account[0], 3);
    assert_int_equal(per_account[1], 2);
}

static void
nothing_starts_of_an_account_without_limits(void **state)
{
    struct fixture *fixture = *state;

    open_of_account(fixture, 2, "a@example.com");
    expect_nothing(fixture);
    assert_int_equal(core_deadline(fixture->core, fixture->now), CLOCK_NEVER);
    set_account(fixture, 2, 1);
    settle(fixture, expect_next(fixture, 0, "a@example.com"), VERDICT_DONE, SETTLED_DONE);
}

static void
an_operators_hold_loses_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct gate_limits gate = default_gate();

    gate.hold = true;
    core_set_account(fixture->core, 0, &gate, UNKNOWN_CREATE, fixture->now);
    open_event(fixture, fixture->part, "a@example.com", NULL);
    pass(fixture, HOUR);
    expect_nothing(fixture);
    assert_int_equal(core_deadline(fixture->core, fixture->now), CLOCK_NEVER);
    assert_false(core_commit_is_due(fixture->core));
    gate.hold = false;
    core_set_account(fixture->core, 0, &gate, UNKNOWN_CREATE, fixture->now);
    settle(fixture, expect_next(fixture, 0, "a@example.com"), VERDICT_DONE, SETTLED_DONE);
    expect_offset(fixture, 1);
}

/* ---- trying again ---- */

static void
a_transient_failure_waits_in_its_lane_and_others_go_on(void **state)
{
    struct fixture *fixture = *state;
    struct core_job *job;
    int64_t due_ms;

    open_event(fixture, fixture->part, "a@example.com", NULL);
    open_event(fixture, fixture->part, "a@example.com", NULL);
    open_event(fixture, fixture->part, "b@example.com", NULL);
    settle(fixture, expect_next(fixture, 0, "a@example.com"), VERDICT_TRANSIENT, SETTLED_WAITING);
    settle(fixture, expect_next(fixture, 2, "b@example.com"), VERDICT_DONE, SETTLED_DONE);
    expect_nothing(fixture);
    due_ms = core_deadline(fixture->core, fixture->now);
    assert_in_range(due_ms, 1001, 1100);
    pass(fixture, due_ms - 1 - fixture->now);
    expect_nothing(fixture);
    pass(fixture, 1);
    job = expect_next(fixture, 0, "a@example.com");
    assert_int_equal(core_job_attempts(job), 1);
    settle(fixture, job, VERDICT_DONE, SETTLED_DONE);
    settle(fixture, expect_next(fixture, 1, "a@example.com"), VERDICT_DONE, SETTLED_DONE);
    expect_offset(fixture, 3);
}

static void
calls_that_failed_go_before_fresh_ones_up_to_half_of_the_slots(void **state)
{
    struct fixture *fixture = *state;
    static const char *const emails[] = {"a@example.com", "b@example.com", "c@example.com",
                                         "d@example.com", "e@example.com", "f@example.com"};
    struct core_job *jobs[ARRAY_LEN(emails)];

    for (size_t i = 0; i < ARRAY_LEN(emails); i++)
        open_event(fixture, fixture->part, emails[i], NULL);
    for (size_t i = 0; i < ARRAY_LEN(emails); i++)
        jobs[i] = expect_next(fixture, (int64_t)i, emails[i]);
    for (size_t i = 0; i < ARRAY_LEN(emails); i++)
        settle(fixture, jobs[i], VERDICT_TRANSIENT, SETTLED_WAITING);
    open_event(fixture, fixture->part, "x@example.com", "y@example.com", NULL);
    pass(fixture, SECOND);
    for (int i = 0; i < 4; i++) /* of 8 slots */
        expect_next(fixture, i, emails[i]);
    expect_next(fixture, 6, "x@example.com");
    expect_next(fixture, 6, "y@example.com");
    expect_nothing(fixture);
    assert_int_equal(gauges_of(fixture).ready, 2);
}

/* Tries A again until it is given up, each time after B succeeded if OTHERS do. Returns for how
 * long, or -1 when it was not given up within an hour. */
static int64_t
fail_until_refused(struct fixture *fixture, struct core_job *job, enum verdict verdict, int status,
                   bool others)
{
    int64_t since_ms = fixture->now;

    while (fixture->now - since_ms < HOUR) {
        struct settlement settlement = {.verdict = verdict, .status = status};
        enum settled settled = core_settle(fixture->core, job, &settlement, fixture->now);

        if (settled == SETTLED_FAILED)
            return fixture->now - since_ms;
        assert_int_equal(settled, SETTLED_WAITING);
        if (others) {
            open_event(fixture, fixture->part, "other@example.com", NULL);
            while (core_job_offset(job = await_next(fixture)) == 0)
                settle_with(fixture, job, settlement, SETTLED_WAITING);
            settle(fixture, job, VERDICT_DONE, SETTLED_DONE);
        }
        job = await_next(fixture);
        assert_int_equal(core_job_offset(job), 0);
    }
    return -1;
}

static void
a_call_that_fails_alone_is_given_up_after_retry_for(void **state)
{
    struct fixture *fixture = *state;
    int64_t age_ms;

    open_event(fixture, fixture->part, "a@example.com", NULL);
    age_ms = fail_until_refused(fixture, expect_next(fixture, 0, "a@example.com"),
                                VERDICT_TRANSIENT, 500, true);
    assert_in_range(age_ms, 10 * SECOND + 1, 11 * SECOND);
}

static void
retry_for_counts_only_while_others_succeed(void **state)
{
    struct fixture *fixture = *state;
    struct core_gauges gauges;

    open_event(fixture, fixture->part, "z@example.com", NULL);
    settle(fixture, expect_next(fixture, 0, "z@example.com"), VERDICT_DONE, SETTLED_DONE);
    fixture->part = core_assign(fixture->core, 0, 0, NULL);
    fixture->next = 0;
    open_event(fixture, fixture->part, "a@example.com", NULL);
    assert_int_equal(fail_until_refused(fixture, expect_next(fixture, 0, "a@example.com"),
                                        VERDICT_TRANSIENT, 500, false),
                     -1);
    gauges = gauges_of(fixture);
    assert_int_equal(gauges.letters + gauges.refused, 0);
}

static void
the_first_failure_of_an_outage_is_no_calls_own_fault(void **state)
{
    struct fixture *fixture = *state;
    struct core_job *job;

    open_event(fixture, fixture->part, "z@example.com", NULL);
    settle(fixture, expect_next(fixture, 0, "z@example.com"), VERDICT_DONE, SETTLED_DONE);
    open_event(fixture, fixture->part, "a@example.com", NULL);
    job = expect_next(fixture, 1, "a@example.com");
    pass(fixture, 30 * SECOND); /* a timeout longer than retry_for; nothing succeeds meanwhile */
    settle_with(fixture, job, (struct settlement){.verdict = VERDICT_TRANSIENT, .congestion = true},
                SETTLED_WAITING);
}

/* Whatever goes out draws 401, for MS. */
static void
refuse_everything(struct fixture *fixture, int64_t ms)
{
    int64_t until_ms = fixture->now + ms;

    while (fixture->now < until_ms) {
        struct core_job *job = core_next(fixture->core, fixture->now);

        if (job)
            settle_status(fixture, job, 401, SETTLED_WAITING);
        else
            pass_to_deadline(fixture);
    }
}

static void
time_under_a_hold_does_not_count_against_retry_for(void **state)
{
    struct fixture *fixture = *state;
    struct core_job *job;
    int64_t age_ms;

    open_event(fixture, fixture->part, "a@example.com", NULL);
    open_event(fixture, fixture->part, "b@example.com", NULL);
    settle(fixture, expect_next(fixture, 0, "a@example.com"), VERDICT_TRANSIENT, SETTLED_WAITING);
    refuse_everything(fixture, HOUR);
    job = await_next(fixture);
    if (core_job_offset(job) == 0) { /* the probe is one of the two; the other follows it */
        settle(fixture, job, VERDICT_TRANSIENT, SETTLED_WAITING);
        job = await_next(fixture);
    }
    assert_int_equal(core_job_offset(job), 1);
    settle(fixture, job, VERDICT_DONE, SETTLED_DONE);
    job = await_next(fixture);
    age_ms = fail_until_refused(fixture, job, VERDICT_TRANSIENT, 500, true);
    assert_in_range(age_ms, 8 * SECOND, 11 * SECOND);
}

static void
time_under_retry_after_does_not_count_against_retry_for(void **state)
{
    struct fixture *fixture = *state;
    struct core_job *first, *second;

    open_event(fixture, fixture->part, "a@example.com", NULL);
    open_event(fixture, fixture->part, "b@example.com", NULL);
    first = expect_next(fixture, 0, "a@example.com");
    second = expect_next(fixture, 1, "b@example.com");
    settle(fixture, first, VERDICT_TRANSIENT, SETTLED_WAITING);
    settle_with(fixture, second,
                (struct settlement){.verdict = VERDICT_THROTTLED,
                                    .status = 429,
                                    .congestion = true,
                                    .not_before_ms = fixture->now + HOUR},
                SETTLED_WAITING);
    pass(fixture, HOUR);
    first = expect_next(fixture, 0, "a@example.com");
    second = await_next(fixture);
    assert_int_equal(core_job_offset(second), 1);
    settle(fixture, second, VERDICT_DONE, SETTLED_DONE);
    assert_in_range(fail_until_refused(fixture, first, VERDICT_TRANSIENT, 500, true), 9 * SECOND,
                    11 * SECOND);
}

static void
a_hold_before_the_first_try_gives_a_call_no_more_time(void **state)
{
    struct fixture *fixture = *state;

    open_event(fixture, core_assign(fixture->core, 0, 0, NULL), "z@example.com", NULL);
    refuse_everything(fixture, HOUR);
    settle(fixture, await_next(fixture), VERDICT_DONE, SETTLED_DONE);
    fixture->next = 0;
    open_event(fixture, fixture->part, "a@example.com", NULL);
    assert_in_range(fail_until_refused(fixture, expect_next(fixture, 0, "a@example.com"),
                                       VERDICT_TRANSIENT, 500, true),
                    10 * SECOND + 1, 11 * SECOND);
}

/* ---- 401, 403, 404 ---- */

/* A's calls draw STATUS, all others succeed. Returns how often A was tried before it was given up,
 * or TRIES. */
static int
try_poison(struct fixture *fixture, int status, int tries)
{
    int tried = 0;

    open_event(fixture, fixture->part, "poison@example.com", NULL);
    while (tried < tries) {
        struct core_job *job = await_next(fixture);
        struct settlement settlement = {.verdict = VERDICT_CONFIGURATION, .status = status};

        if (core_job_offset(job) != 0) {
            settle(fixture, job, VERDICT_DONE, SETTLED_DONE);
            continue;
        }
        tried++;
        open_event(fixture, fixture->part, "other@example.com", NULL);
        if (core_settle(fixture->core, job, &settlement, fixture->now) == SETTLED_FAILED)
            return tried;
    }
    return tried;
}

static void
the_third_403_or_404_is_the_calls_own_when_others_succeed_in_between(void **state)
{
    static const int statuses[] = {403, 404};

    for (size_t i = 0; i < ARRAY_LEN(statuses); i++) {
        struct fixture *fixture = *state;
        const struct core_failure *failures;
        struct core_event *letter;

        assert_int_equal(try_poison(fixture, statuses[i], 100), 3);
        letter = core_letter_next(fixture->core, fixture->now);
        assert_int_equal(core_letter_failures(letter, &failures), 1);
        assert_int_equal(failures[0].status, statuses[i]);
        core_letter_done(fixture->core, letter, LETTER_STORED, fixture->now);
        tear_down(state);
        set_up(state);
    }
}

/* Three denials it takes, whatever else was counted before. */
static void
a_403_behind_two_redirects_is_not_the_third(void **state)
{
    static const int statuses[] = {302, 302, 403, 403};
    struct fixture *fixture = *state;

    open_event(fixture, fixture->part, "poison@example.com", NULL);
    for (size_t i = 0; i < ARRAY_LEN(statuses); i++) {
        struct core_job *job;

        while (core_job_offset(job = await_next(fixture)) != 0)
            settle(fixture, job, VERDICT_DONE, SETTLED_DONE);
        settle_status(fixture, job, statuses[i], SETTLED_WAITING);
        open_event(fixture, fixture->part, "other@example.com", NULL);
    }
}

static void
a_401_is_never_a_calls_own(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(try_poison(fixture, 401, 1000), 1000);
    assert_true(fixture->now > MINUTE);
}

/* A filter that answers one payload with a page of its own, say. */
static void
what_else_looks_like_configuration_is_a_calls_own_after_retry_for(void **state)
{
    static const int statuses[] = {302, 200, 402, 405, 407};

    for (size_t i = 0; i < ARRAY_LEN(statuses); i++) {
        struct fixture *fixture = *state;
        int64_t since_ms = fixture->now;

        assert_in_range(try_poison(fixture, statuses[i], 1000), 10, 999);
        assert_in_range(fixture->now - since_ms, 10 * SECOND, MINUTE);
        tear_down(state);
        set_up(state);
    }
}

/* Of two calls, one of them a new event's, the first draws STATUS and the other succeeds. */
static void
succeed_beside(struct fixture *fixture, const char *email, int status)
{
    open_event(fixture, fixture->part, email, NULL);
    settle_status(fixture, await_next(fixture), status, SETTLED_WAITING);
    settle(fixture, await_next(fixture), VERDICT_DONE, SETTLED_DONE);
}

/* However long ago they began. */
static void
a_success_or_two_after_an_hour_of_redirects_make_none_a_calls_own(void **state)
{
    struct fixture *fixture = *state;

    open_event(fixture, fixture->part, "a@example.com", NULL);
    while (fixture->now < HOUR)
        settle_status(fixture, await_next(fixture), 302, SETTLED_WAITING);
    for (int i = 0; i < 3; i++)
        succeed_beside(fixture, "other@example.com", 302);
    settle_status(fixture, await_next(fixture), 302, SETTLED_WAITING);
}

static void
a_redirect_that_everybody_draws_is_nobodys_own(void **state)
{
    struct fixture *fixture = *state;

    open_event(fixture, fixture->part, "a@example.com", NULL);
    open_event(fixture, fixture->part, "b@example.com", NULL);
    for (int i = 0; i < 1000; i++)
        settle_status(fixture, await_next(fixture), 302, SETTLED_WAITING);
    assert_true(fixture->now > HOUR);
}

static void
a_403_that_everybody_draws_is_nobodys_own(void **state)
{
    struct fixture *fixture = *state;
    static const char *const emails[] = {"a@example.com", "b@example.com", "c@example.com"};

    open_event(fixture, fixture->part, "z@example.com", NULL);
    settle(fixture, expect_next(fixture, 0, "z@example.com"), VERDICT_DONE, SETTLED_DONE);
    for (size_t i = 0; i < ARRAY_LEN(emails); i++)
        open_event(fixture, fixture->part, emails[i], NULL);
    for (int i = 0; i < 100; i++)
        settle_status(fixture, await_next(fixture), 403, SETTLED_WAITING);
    assert_int_equal(gauges_of(fixture).waiting + gauges_of(fixture).ready, 3);
    assert_int_equal(gauges_of(fixture).refused + gauges_of(fixture).letters, 0);
}

static void
one_success_of_another_makes_no_two_strikes(void **state)
{
    struct fixture *fixture = *state;

    open_event(fixture, fixture->part, "a@example.com", NULL);
    settle_status(fixture, expect_next(fixture, 0, "a@example.com"), 403, SETTLED_WAITING);
    succeed_beside(fixture, "b@example.com", 403); /* a's call is the probe */
    for (int i = 0; i < 20; i++)                   /* of which the first is a's second strike */
        settle_status(fixture, await_next(fixture), 403, SETTLED_WAITING);
    succeed_beside(fixture, "b@example.com", 403);
    settle_status(fixture, await_next(fixture), 403, SETTLED_FAILED);
}

static void
what_another_account_delivers_says_nothing_about_this_one(void **state)
{
    struct fixture *fixture = *state;

    set_account(fixture, 1, 10);
    open_event(fixture, fixture->part, "a@example.com", NULL);
    for (int i = 0; i < 10; i++) {
        struct core_job *job = await_next(fixture);

        settle_status(fixture, job, 403, SETTLED_WAITING);
        open_of_account(fixture, 1, "a@example.com");
        settle(fixture, expect_next(fixture, 1 + i, "a@example.com"), VERDICT_DONE, SETTLED_DONE);
    }
}

/* ---- holds ---- */

static void
a_configuration_failure_stops_its_account_only(void **state)
{
    struct fixture *fixture = *state;

    set_account(fixture, 1, 10);
    open_event(fixture, fixture->part, "a@example.com", NULL);
    open_event(fixture, fixture->part, "b@example.com", NULL);
    settle_status(fixture, expect_next(fixture, 0, "a@example.com"), 401, SETTLED_WAITING);
    assert_int_equal(gate_reason(core_gate(fixture->core, 0), fixture->now), GATE_CONFIGURATION);
    expect_nothing(fixture);
    open_of_account(fixture, 1, "b@example.com");
    settle(fixture, expect_next(fixture, 2, "b@example.com"), VERDICT_DONE, SETTLED_DONE);
    await_next(fixture);
    assert_int_equal(fixture->now, 1000 + 250); /* the probe, whatever a's own back-off says */
}

static void
probes_go_round_by_the_longest_untried(void **state)
{
    struct fixture *fixture = *state;
    static const char *const emails[] = {"a@example.com", "b@example.com", "c@example.com"};
    struct core_job *jobs[ARRAY_LEN(emails)];

    for (size_t i = 0; i < ARRAY_LEN(emails); i++)
        open_event(fixture, fixture->part, emails[i], NULL);
    for (size_t i = 0; i < ARRAY_LEN(emails); i++)
        jobs[i] = expect_next(fixture, (int64_t)i, emails[i]);
    settle_status(fixture, jobs[1], 401, SETTLED_WAITING);
    settle_status(fixture, jobs[2], 401, SETTLED_WAITING);
    settle_status(fixture, jobs[0], 401, SETTLED_WAITING);
    open_event(fixture, fixture->part, "d@example.com", NULL); /* comes last, never tried */
    for (int i = 0; i < 40; i++) {
        static const int64_t turns[] = {1, 2, 0, 3};
        struct core_job *probe = await_next(fixture);

        assert_int_equal(core_job_offset(probe), turns[i % 4]);
        expect_nothing(fixture);
        pass(fixture, 35 * SECOND); /* none goes beside it, however late it is */
        expect_nothing(fixture);
        settle_status(fixture, probe, 401, SETTLED_WAITING);
        expect_nothing(fixture);
    }
}

static void
a_poison_call_cannot_keep_a_hold_alive(void **state)
{
    struct fixture *fixture = *state;

    open_event(fixture, fixture->part, "poison@example.com", NULL);
    open_event(fixture, fixture->part, "a@example.com", NULL);
    settle_status(fixture, expect_next(fixture, 0, "poison@example.com"), 403, SETTLED_WAITING);
    settle(fixture, await_next(fixture), VERDICT_DONE, SETTLED_DONE);
    assert_int_equal(gate_reason(core_gate(fixture->core, 0), fixture->now), GATE_OPEN);
}

static void
wholesale_failure_holds_and_opens_by_a_ramp(void **state)
{
    struct fixture *fixture = *state;
    char email[32];
    int tries = 0;

    for (int i = 0; i < 16; i++) {
        snprintf(email, sizeof(email), "c%d@example.com", i);
        open_event(fixture, fixture->part, email, NULL);
    }
    while (gate_reason(core_gate(fixture->core, 0), fixture->now) == GATE_OPEN) {
        settle(fixture, await_next(fixture), VERDICT_TRANSIENT, SETTLED_WAITING);
        tries++;
    }
    assert_int_equal(tries, 20);
    settle(fixture, await_next(fixture), VERDICT_DONE, SETTLED_DONE);
    pass(fixture, SECOND); /* all are due, one may go */
    settle(fixture, core_next(fixture->core, fixture->now), VERDICT_DONE, SETTLED_DONE);
    assert_int_equal(gate_limit(core_gate(fixture->core, 0)), 1);
    while (gauges_of(fixture).events) {
        struct core_job *jobs[16];
        int count = 0;

        while ((jobs[count] = core_next(fixture->core, fixture->now)))
            count++;
        assert_in_range(count, 1, gate_limit(core_gate(fixture->core, 0)));
        while (count--)
            settle(fixture, jobs[count], VERDICT_DONE, SETTLED_DONE);
    }
    expect_offset(fixture, 16);
}

static void
a_probe_whose_event_was_given_back_makes_room_for_the_next(void **state)
{
    struct fixture *fixture = *state;
    struct core_part *other = core_assign(fixture->core, 0, 0, NULL);
    struct core_job *probe;

    open_event(fixture, fixture->part, "a@example.com", NULL);
    settle_status(fixture, expect_next(fixture, 0, "a@example.com"), 401, SETTLED_WAITING);
    probe = await_next(fixture);
    open_event(fixture, other, "b@example.com", NULL);
    core_abandon(fixture->core, fixture->part);
    pass(fixture, MINUTE);
    expect_nothing(fixture);
    settle_status(fixture, probe, 401, SETTLED_FORGOTTEN);
    settle(fixture, await_next(fixture), VERDICT_DONE, SETTLED_DONE);
    assert_int_equal(gate_reason(core_gate(fixture->core, 0), fixture->now), GATE_OPEN);
}

static void
a_call_that_was_a_probe_once_is_none_for_ever(void **state)
{
    struct fixture *fixture = *state;
    struct core_job *job;

    open_event(fixture, fixture->part, "a@example.com", NULL);
    settle_status(fixture, expect_next(fixture, 0, "a@example.com"), 401, SETTLED_WAITING);
    open_event(fixture, fixture->part, "b@example.com", "c@example.com", "d@example.com", NULL);
    settle_status(fixture, await_next(fixture), 401, SETTLED_WAITING); /* a as the probe */
    while (gauges_of(fixture).events > 1) { /* the hold ends, the ramp opens a second slot */
        job = await_next(fixture);
        expect_nothing(fixture); /* its slot binds, so it grows */
        if (core_job_offset(job) == 0)
            settle(fixture, job, VERDICT_TRANSIENT, SETTLED_WAITING);
        else
            settle(fixture, job, VERDICT_DONE, SETTLED_DONE);
    }
    pass(fixture, SECOND);
    open_event(fixture, fixture->part, "e@example.com", "f@example.com", NULL);
    job = expect_next(fixture, 0, "a@example.com");
    settle_status(fixture, expect_next(fixture, 2, "e@example.com"), 401, SETTLED_WAITING);
    pass(fixture, 250);
    settle_status(fixture, core_next(fixture->core, fixture->now), 401, SETTLED_WAITING);
    settle(fixture, job, VERDICT_DONE, SETTLED_DONE); /* ends no hold */
    assert_int_equal(gate_reason(core_gate(fixture->core, 0), fixture->now), GATE_CONFIGURATION);
}

static void
tries_are_counted_also_under_a_hold(void **state)
{
    struct fixture *fixture = *state;
    struct core_job *job;

    open_event(fixture, fixture->part, "a@example.com", NULL);
    refuse_everything(fixture, HOUR);
    job = await_next(fixture);
    assert_true(core_job_attempts(job) > 10);
    settle(fixture, job, VERDICT_DONE, SETTLED_DONE);
}

/* The library repeats a request, or we break it off: it went out. */
static void
what_went_out_is_counted_among_the_tries(void **state)
{
    struct fixture *fixture = *state;
    struct settlement lost = {.verdict = VERDICT_TRANSIENT, .sends = 2};
    struct settlement aborted = {.verdict = VERDICT_TRANSIENT, .aborted = true, .sends = 1};
    struct settlement failed = {.verdict = VERDICT_TRANSIENT};
    struct core_job *job;

    open_event(fixture, fixture->part, "a@example.com", NULL);
    settle_with(fixture, await_next(fixture), lost, SETTLED_WAITING);
    settle_with(fixture, await_next(fixture), aborted, SETTLED_WAITING);
    settle_with(fixture, await_next(fixture), failed, SETTLED_WAITING);
    job = await_next(fixture);
    assert_int_equal(core_job_attempts(job), 4);
    settle(fixture, job, VERDICT_DONE, SETTLED_DONE);
}

/* ---- Retry-After ---- */

static void
settle_throttled(struct fixture *fixture, struct core_job *job, int64_t not_before_ms)
{
    settle_with(fixture, job,
                (struct settlement){.verdict = VERDICT_THROTTLED,
                                    .status = 429,
                                    .congestion = true,
                                    .not_before_ms = not_before_ms},
                SETTLED_WAITING);
}

static void
no_call_of_the_account_starts_before_retry_after(void **state)
{
    struct fixture *fixture = *state;

    set_account(fixture, 1, 10);
    open_event(fixture, fixture->part, "a@example.com", NULL);
    open_event(fixture, fixture->part, "b@example.com", NULL);
    settle_throttled(fixture, expect_next(fixture, 0, "a@example.com"), 99000);
    expect_nothing(fixture);
    open_of_account(fixture, 1, "a@example.com");
    settle(fixture, expect_next(fixture, 2, "a@example.com"), VERDICT_DONE, SETTLED_DONE);
    assert_int_equal(core_deadline(fixture->core, fixture->now), 99000);
    pass(fixture, 98999 - fixture->now);
    expect_nothing(fixture);
    pass(fixture, 1);
    expect_next(fixture, 1, "b@example.com");
    assert_int_equal(core_job_offset(await_next(fixture)), 0);
}

/* It was started, and waited for a connection. */
static void
what_has_not_gone_out_yet_is_kept_back_by_retry_after(void **state)
{
    struct fixture *fixture = *state;
    struct settlement kept_back = {.verdict = VERDICT_TRANSIENT, .aborted = true};
    struct core_job *first, *second, *other;

    set_account(fixture, 1, 10);
    open_event(fixture, fixture->part, "a@example.com", NULL);
    open_event(fixture, fixture->part, "b@example.com", NULL);
    open_of_account(fixture, 1, "a@example.com");
    first = expect_next(fixture, 0, "a@example.com");
    other = expect_next(fixture, 2, "a@example.com");
    second = expect_next(fixture, 1, "b@example.com");
    assert_true(core_may_send(fixture->core, first, false, fixture->now));
    settle_throttled(fixture, second, 99000);
    assert_false(core_may_send(fixture->core, first, false, fixture->now));
    assert_false(core_may_send(fixture->core, first, true, fixture->now));
    assert_true(core_may_send(fixture->core, other, false, fixture->now));
    settle_with(fixture, first, kept_back, SETTLED_WAITING);
    pass(fixture, 98999 - fixture->now);
    expect_nothing(fixture);
    pass(fixture, 1);
    first = expect_next(fixture, 0, "a@example.com");
    assert_int_equal(core_job_attempts(first), 0); /* it never went out */
    assert_true(core_may_send(fixture->core, first, false, fixture->now));
    assert_int_equal(core_job_offset(await_next(fixture)), 1);
}

static void
an_earlier_retry_after_does_not_undercut_a_later_one(void **state)
{
    struct fixture *fixture = *state;
    struct core_job *first, *second;

    open_event(fixture, fixture->part, "a@example.com", NULL);
    open_event(fixture, fixture->part, "b@example.com", NULL);
    first = expect_next(fixture, 0, "a@example.com");
    second = expect_next(fixture, 1, "b@example.com");
    settle_throttled(fixture, first, 99000);
    settle_throttled(fixture, second, 5000);
    pass(fixture, 98999 - fixture->now);
    expect_nothing(fixture);
    pass(fixture, 1);
    expect_next(fixture, 1, "b@example.com");
    assert_int_equal(core_job_offset(await_next(fixture)), 0);
}

/* One contact's calls draw Retry-After each time; of the others there are always enough. Returns
 * how often the one was tried before it was given up, or TRIES. */
static int
throttle_poison(struct fixture *fixture, int64_t retry_after_ms, int tries, int *ret_others)
{
    int tried = 0;

    open_event(fixture, fixture->part, "poison@example.com", NULL);
    open_event(fixture, fixture->part, "other@example.com", NULL);
    while (tried < tries) {
        struct core_job *job = await_next(fixture);
        struct settlement settlement = {.verdict = VERDICT_THROTTLED,
                                        .status = 429,
                                        .congestion = true,
                                        .not_before_ms = fixture->now + retry_after_ms};

        if (core_job_offset(job) != 0) {
            pass(fixture, 20);
            settle(fixture, job, VERDICT_DONE, SETTLED_DONE);
            open_event(fixture, fixture->part, "other@example.com", NULL);
            ++*ret_others;
            continue;
        }
        tried++;
        if (core_settle(fixture->core, job, &settlement, fixture->now) == SETTLED_FAILED)
            return tried;
    }
    return tried;
}

static void
a_retry_after_that_one_contact_draws_each_time_ends_as_its_dead_letter(void **state)
{
    static const int64_t waits_ms[] = {SECOND, MINUTE, HOUR};

    for (size_t i = 0; i < ARRAY_LEN(waits_ms); i++) {
        struct fixture *fixture = *state;
        int64_t since_ms = fixture->now;
        int others = 0;
        int tried = throttle_poison(fixture, waits_ms[i], 1000, &others);

        assert_in_range(tried, 30, 31);
        assert_true(fixture->now - since_ms > 10 * SECOND); /* retry_for */
        assert_true(others > 10 * tried);                   /* who were let go in between */
        tear_down(state);
        set_up(state);
    }
}

/* An account that was over its limit for long, and then is refused as a whole. */
static void
a_redirect_behind_many_retry_afters_is_only_the_first(void **state)
{
    struct fixture *fixture = *state;
    struct core_job *job;
    int others = 0;

    assert_int_equal(throttle_poison(fixture, HOUR, 20, &others), 20);
    while (core_job_offset(job = await_next(fixture)) != 0) {
        pass(fixture, 20);
        settle(fixture, job, VERDICT_DONE, SETTLED_DONE);
        open_event(fixture, fixture->part, "other@example.com", NULL);
    }
    settle_status(fixture, job, 302, SETTLED_WAITING);
}

static void
what_is_asked_for_with_the_last_of_them_still_holds_the_account(void **state)
{
    struct fixture *fixture = *state;
    int others = 0;

    throttle_poison(fixture, HOUR, 1000, &others);
    expect_nothing(fixture);
    pass(fixture, HOUR - 1);
    expect_nothing(fixture);
    pass(fixture, 1);
    await_next(fixture);
}

/* An account over its limit: each draws it now and then, or all do for long. */
static void
a_retry_after_that_everybody_draws_is_nobodys_own(void **state)
{
    struct fixture *fixture = *state;

    open_event(fixture, fixture->part, "a@example.com", NULL);
    open_event(fixture, fixture->part, "b@example.com", NULL);
    for (int i = 0; i < 1000; i++)
        settle_throttled(fixture, await_next(fixture), fixture->now + MINUTE);
}

static void
a_forgotten_calls_retry_after_counts_as_well(void **state)
{
    struct fixture *fixture = *state;
    struct core_part *other = core_assign(fixture->core, 0, 0, NULL);
    struct core_job *job;

    open_event(fixture, fixture->part, "a@example.com", NULL);
    job = expect_next(fixture, 0, "a@example.com");
    core_abandon(fixture->core, fixture->part);
    open_event(fixture, other, "b@example.com", NULL);
    settle_with(fixture, job,
                (struct settlement){.verdict = VERDICT_THROTTLED, .not_before_ms = 99000},
                SETTLED_FORGOTTEN);
    expect_nothing(fixture);
    assert_int_equal(core_deadline(fixture->core, fixture->now), 99000);
}

/* ---- a track of a contact that is not there ---- */

static void
set_unknown(struct fixture *fixture, enum unknown_contact unknown)
{
    struct gate_limits gate = default_gate();

    core_set_account(fixture->core, 0, &gate, unknown, fixture->now);
}

static void
settle_unknown(struct fixture *fixture, struct core_job *job, enum settled expected)
{
    settle_with(fixture, job,
                (struct settlement){.verdict = VERDICT_UNKNOWN_CONTACT, .status = 404}, expected);
}

/* A track, and a call of the same contact behind it. The track draws 404. */
static void
draw_unknown(struct fixture *fixture, enum unknown_contact unknown, enum settled expected)
{
    set_unknown(fixture, unknown);
    open_call(fixture, track_of("a@example.com"));
    open_event(fixture, fixture->part, "a@example.com", NULL);
    settle_unknown(fixture, expect_next(fixture, 0, "a@example.com"), expected);
    core_tick(fixture->core, fixture->now);
}

static void
an_unknown_contact_is_created_and_then_the_track_goes(void **state)
{
    struct fixture *fixture = *state;
    struct core_job *job;
    int64_t bytes;

    draw_unknown(fixture, UNKNOWN_CREATE, SETTLED_WAITING);
    bytes = gauges_of(fixture).bytes;
    job = expect_next(fixture, 0, "a@example.com");
    assert_int_equal(core_job_call(job)->kind, CALL_IDENTIFY);
    assert_null(core_job_call(job)->identify.first_name);
    expect_nothing(fixture); /* what stands behind it waits */
    settle(fixture, job, VERDICT_DONE, SETTLED_CREATED);
    assert_in_range(gauges_of(fixture).bytes, 1, bytes - (int64_t)sizeof(struct call));
    assert_false(core_commit_is_due(fixture->core));
    pass_to_deadline(fixture);
    job = expect_next(fixture, 0, "a@example.com");
    assert_int_equal(core_job_call(job)->kind, CALL_TRACK);
    settle(fixture, job, VERDICT_DONE, SETTLED_DONE);
    settle(fixture, expect_next(fixture, 1, "a@example.com"), VERDICT_DONE, SETTLED_DONE);
    expect_offset(fixture, 2);
}

static void
a_second_404_after_creating_is_final(void **state)
{
    struct fixture *fixture = *state;
    const struct core_failure *failures;
    struct core_event *letter;

    draw_unknown(fixture, UNKNOWN_CREATE, SETTLED_WAITING);
    settle(fixture, expect_next(fixture, 0, "a@example.com"), VERDICT_DONE, SETTLED_CREATED);
    core_tick(fixture->core, fixture->now);
    settle_unknown(fixture, expect_next(fixture, 0, "a@example.com"), SETTLED_FAILED);
    settle(fixture, expect_next(fixture, 1, "a@example.com"), VERDICT_DONE, SETTLED_DONE);
    letter = core_letter_next(fixture->core, fixture->now);
    assert_int_equal(core_letter_failures(letter, &failures), 1);
    assert_int_equal(failures[0].call->kind, CALL_TRACK);
    assert_int_equal(failures[0].verdict, VERDICT_UNKNOWN_CONTACT);
    assert_int_equal(failures[0].attempts, 3);
}

static void
the_creating_call_is_tried_again_like_any_other(void **state)
{
    struct fixture *fixture = *state;
    struct core_job *job;

    draw_unknown(fixture, UNKNOWN_CREATE, SETTLED_WAITING);
    job = expect_next(fixture, 0, "a@example.com");
    settle(fixture, job, VERDICT_TRANSIENT, SETTLED_WAITING);
    job = await_next(fixture);
    assert_int_equal(core_job_call(job)->kind, CALL_IDENTIFY);
    settle(fixture, job, VERDICT_DONE, SETTLED_CREATED);
    job = await_next(fixture);
    assert_int_equal(core_job_call(job)->kind, CALL_TRACK);
    settle(fixture, job, VERDICT_DONE, SETTLED_DONE);
}

static void
a_contact_that_cannot_be_created_fails_its_track(void **state)
{
    struct fixture *fixture = *state;
    const struct core_failure *failures;

    draw_unknown(fixture, UNKNOWN_CREATE, SETTLED_WAITING);
    settle_with(fixture, expect_next(fixture, 0, "a@example.com"),
                (struct settlement){.verdict = VERDICT_PERMANENT, .status = 422}, SETTLED_FAILED);
    core_letter_failures(core_letter_next(fixture->core, fixture->now), &failures);
    assert_int_equal(failures[0].call->kind, CALL_TRACK);
    assert_int_equal(failures[0].status, 422);
}

static void
an_unknown_contact_may_be_a_dead_letter(void **state)
{
    struct fixture *fixture = *state;

    draw_unknown(fixture, UNKNOWN_DEAD_LETTER, SETTLED_FAILED);
    assert_int_equal(gauges_of(fixture).letters, 1);
    settle(fixture, expect_next(fixture, 1, "a@example.com"), VERDICT_DONE, SETTLED_DONE);
}

static void
an_unknown_contact_may_be_skipped(void **state)
{
    struct fixture *fixture = *state;

    draw_unknown(fixture, UNKNOWN_SKIP, SETTLED_SKIPPED);
    assert_int_equal(gauges_of(fixture).letters, 0);
    expect_offset(fixture, 1);
    settle(fixture, expect_next(fixture, 1, "a@example.com"), VERDICT_DONE, SETTLED_DONE);
    assert_int_equal(gauges_of(fixture).bytes, 0);
}

static void
names_are_those_of_the_tables(void **state)
{
    (void)state;
    assert_string_equal(event_outcome_name(EVENT_DELIVERED), "delivered");
    assert_string_equal(event_outcome_name(EVENT_DEAD_LETTERED), "dead_lettered");
    assert_string_equal(event_outcome_name(EVENT_GIVEN_BACK), "given_back");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_ledger_agrees_with_an_array_of_offsets),
        cmocka_unit_test(lanes_agree_with_a_list_of_jobs),
        cmocka_unit_test(delays_grow_to_the_maximum_with_full_jitter),
        WITH_CORE(a_contact_has_one_call_in_flight_in_event_order),
        WITH_CORE(a_rename_waits_for_both_contacts_and_holds_both),
        WITH_CORE(a_rename_to_the_same_contact_is_an_ordinary_call),
        WITH_CORE(the_oldest_call_goes_first),
        WITH_CORE(a_failed_commit_is_due_again),
        WITH_CORE(a_start_without_a_committed_offset_is_pinned_by_a_commit),
        WITH_CORE(a_part_holds_at_most_twice_its_share),
        WITH_CORE(nothing_is_read_while_every_account_has_calls_enough),
        WITH_CORE(bytes_bound_what_is_pending),
        WITH_CORE(a_delivered_call_gives_its_bytes_back_before_its_event_ends),
        WITH_CORE(a_revoked_part_finishes_what_began_and_what_stands_before_it),
        WITH_CORE(a_second_revocation_keeps_what_stands_before_events_of_the_first),
        WITH_CORE(a_call_that_waits_to_be_tried_again_keeps_a_drain_waiting),
        WITH_CORE(a_late_reply_of_a_part_that_is_gone_reports_nothing),
        WITH_CORE(accounts_take_turns_within_their_limits),
        WITH_CORE(nothing_starts_of_an_account_without_limits),
        WITH_CORE(an_operators_hold_loses_nothing),
        WITH_CORE(a_transient_failure_waits_in_its_lane_and_others_go_on),
        WITH_CORE(calls_that_failed_go_before_fresh_ones_up_to_half_of_the_slots),
        WITH_CORE(a_call_that_fails_alone_is_given_up_after_retry_for),
        WITH_CORE(retry_for_counts_only_while_others_succeed),
        WITH_CORE(the_first_failure_of_an_outage_is_no_calls_own_fault),
        WITH_CORE(time_under_a_hold_does_not_count_against_retry_for),
        WITH_CORE(time_under_retry_after_does_not_count_against_retry_for),
        WITH_CORE(a_hold_before_the_first_try_gives_a_call_no_more_time),
        WITH_CORE(the_third_403_or_404_is_the_calls_own_when_others_succeed_in_between),
        WITH_CORE(a_403_behind_two_redirects_is_not_the_third),
        WITH_CORE(a_401_is_never_a_calls_own),
        WITH_CORE(what_else_looks_like_configuration_is_a_calls_own_after_retry_for),
        WITH_CORE(a_success_or_two_after_an_hour_of_redirects_make_none_a_calls_own),
        WITH_CORE(a_redirect_that_everybody_draws_is_nobodys_own),
        WITH_CORE(a_403_that_everybody_draws_is_nobodys_own),
        WITH_CORE(one_success_of_another_makes_no_two_strikes),
        WITH_CORE(what_another_account_delivers_says_nothing_about_this_one),
        WITH_CORE(a_configuration_failure_stops_its_account_only),
        WITH_CORE(probes_go_round_by_the_longest_untried),
        WITH_CORE(a_poison_call_cannot_keep_a_hold_alive),
        WITH_CORE(wholesale_failure_holds_and_opens_by_a_ramp),
        WITH_CORE(a_probe_whose_event_was_given_back_makes_room_for_the_next),
        WITH_CORE(a_call_that_was_a_probe_once_is_none_for_ever),
        WITH_CORE(tries_are_counted_also_under_a_hold),
        WITH_CORE(what_went_out_is_counted_among_the_tries),
        WITH_CORE(no_call_of_the_account_starts_before_retry_after),
        WITH_CORE(what_has_not_gone_out_yet_is_kept_back_by_retry_after),
        WITH_CORE(an_earlier_retry_after_does_not_undercut_a_later_one),
        WITH_CORE(a_retry_after_that_one_contact_draws_each_time_ends_as_its_dead_letter),
        WITH_CORE(a_redirect_behind_many_retry_afters_is_only_the_first),
        WITH_CORE(what_is_asked_for_with_the_last_of_them_still_holds_the_account),
        WITH_CORE(a_retry_after_that_everybody_draws_is_nobodys_own),
        WITH_CORE(a_forgotten_calls_retry_after_counts_as_well),
        WITH_CORE(an_unknown_contact_is_created_and_then_the_track_goes),
        WITH_CORE(a_second_404_after_creating_is_final),
        WITH_CORE(the_creating_call_is_tried_again_like_any_other),
        WITH_CORE(a_contact_that_cannot_be_created_fails_its_track),
        WITH_CORE(an_unknown_contact_may_be_a_dead_letter),
        WITH_CORE(an_unknown_contact_may_be_skipped),
        cmocka_unit_test(names_are_those_of_the_tables),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
