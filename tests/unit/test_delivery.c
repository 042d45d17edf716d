#include "unit.h"

#include "base/clock.h"
#include "delivery/core.h"
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
                if (offsets[pick].given)
                    ledger_give_back(&ledger, &offsets[pick].slot);
                else
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

/* ---- the core, called directly ---- */

struct fixture {
    struct core *core;
    struct core_part *part;
    int64_t next;
};

static int
set_up(void **state)
{
    static struct fixture fixture;
    struct core_limits limits = {
        .retry_min_ms = 100, .retry_max_ms = 1000, .max_events = 100, .max_bytes = 1 << 20};

    fixture.core = core_new(&limits, 1);
    core_set_account(fixture.core, 0, 100);
    fixture.part = core_assign(fixture.core, 0, 0, &fixture);
    fixture.next = 0;
    *state = &fixture;
    return 0;
}

static int
tear_down(void **state)
{
    struct fixture *fixture = *state;

    core_check(fixture->core);
    core_free(fixture->core);
    return 0;
}

static struct call *
call_of(const char *email, const char *new_email)
{
    struct call *call = call_new(CALL_IDENTIFY, 0, "rule");

    call->identify.email = arena_text(&call->arena, email, strlen(email));
    if (new_email)
        call->identify.new_email = arena_text(&call->arena, new_email, strlen(new_email));
    return call;
}

/* An event with a call for each of the addresses, the last argument NULL. */
static void
open_event(struct fixture *fixture, struct core_part *part, const char *email, ...)
{
    struct core_event *event = core_open(fixture->core, part, fixture->next++, 10);
    va_list ap;

    va_start(ap, email);
    for (; email; email = va_arg(ap, const char *)) {
        struct call *call = call_of(email, NULL);

        core_add(fixture->core, event, &call);
        assert_null(call);
    }
    va_end(ap);
    core_close(fixture->core, event, EVENT_DELIVERED);
}

static struct core_job *
expect_next(struct fixture *fixture, int64_t offset, const char *email)
{
    struct core_job *job = core_next(fixture->core);

    assert_non_null(job);
    assert_int_equal(core_job_offset(job), offset);
    assert_string_equal(call_email(core_job_call(job)), email);
    return job;
}

static void
expect_offset(struct fixture *fixture, int64_t offset)
{
    struct core_offset offsets[4];

    assert_int_equal(core_commit(fixture->core, offsets, 4), 1);
    assert_int_equal(offsets[0].offset, offset);
    core_committed(fixture->core, true);
}

static void
settle(struct fixture *fixture, struct core_job *job, enum verdict verdict, enum settled expected)
{
    assert_int_equal(core_settle(fixture->core, job, verdict, 0, 1000), expected);
}

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
    assert_null(core_next(fixture->core));
    settle(fixture, other, VERDICT_DONE, SETTLED_DONE);
    assert_false(core_commit_is_due(fixture->core)); /* 0 is not finished */
    settle(fixture, first, VERDICT_DONE, SETTLED_DONE);
    expect_offset(fixture, 1);
    settle(fixture, expect_next(fixture, 1, "A@example.com"), VERDICT_DONE, SETTLED_DONE);
    expect_offset(fixture, 3);
}

static void
a_transient_failure_waits_in_its_lane_and_others_go_on(void **state)
{
    struct fixture *fixture = *state;
    int64_t due_ms;

    open_event(fixture, fixture->part, "a@example.com", NULL);
    open_event(fixture, fixture->part, "a@example.com", NULL);
    open_event(fixture, fixture->part, "b@example.com", NULL);
    settle(fixture, expect_next(fixture, 0, "a@example.com"), VERDICT_TRANSIENT, SETTLED_WAITING);
    settle(fixture, expect_next(fixture, 2, "b@example.com"), VERDICT_DONE, SETTLED_DONE);
    assert_null(core_next(fixture->core));
    due_ms = core_deadline(fixture->core);
    assert_in_range(due_ms, 1001, 1100);
    core_tick(fixture->core, due_ms - 1);
    assert_null(core_next(fixture->core));
    core_tick(fixture->core, due_ms);
    settle(fixture, expect_next(fixture, 0, "a@example.com"), VERDICT_DONE, SETTLED_DONE);
    settle(fixture, expect_next(fixture, 1, "a@example.com"), VERDICT_DONE, SETTLED_DONE);
    expect_offset(fixture, 3);
}

static void
a_wish_to_wait_longer_is_honoured(void **state)
{
    struct fixture *fixture = *state;

    open_event(fixture, fixture->part, "a@example.com", NULL);
    assert_int_equal(
        core_settle(fixture->core, core_next(fixture->core), VERDICT_THROTTLED, 99000, 1000),
        SETTLED_WAITING);
    assert_int_equal(core_deadline(fixture->core), 99000);
}

static void
a_refused_call_holds_its_contact_and_its_offset_only(void **state)
{
    struct fixture *fixture = *state;
    struct core_gauges gauges;

    open_event(fixture, fixture->part, "a@example.com", NULL);
    open_event(fixture, fixture->part, "a@example.com", NULL);
    open_event(fixture, fixture->part, "b@example.com", NULL);
    settle(fixture, expect_next(fixture, 0, "a@example.com"), VERDICT_PERMANENT, SETTLED_HELD);
    settle(fixture, expect_next(fixture, 2, "b@example.com"), VERDICT_DONE, SETTLED_DONE);
    assert_null(core_next(fixture->core));
    assert_int_equal(core_deadline(fixture->core), CLOCK_NEVER);
    assert_false(core_commit_is_due(fixture->core));
    core_gauges(fixture->core, &gauges);
    assert_int_equal(gauges.held, 1);
    assert_int_equal(gauges.events, 2);
}

static void
an_event_that_cannot_be_mapped_holds_its_partition(void **state)
{
    struct fixture *fixture = *state;
    struct core_part *other = core_assign(fixture->core, 0, 0, NULL);

    open_event(fixture, fixture->part, NULL, NULL);
    core_hold(fixture->core, core_open(fixture->core, fixture->part, fixture->next++, 10));
    assert_false(core_has_room(fixture->core, fixture->part));
    assert_true(core_has_room(fixture->core, other));
    expect_offset(fixture, 1);
    core_revoke_all(fixture->core);
    assert_true(core_is_drained(fixture->core, NULL));
    assert_false(core_commit_is_due(fixture->core));
}

static void
a_rename_waits_for_both_contacts_and_holds_both(void **state)
{
    struct fixture *fixture = *state;
    struct core_event *event;
    struct call *rename = call_of("old@example.com", "new@example.com");
    struct core_job *old, *new, *job;

    open_event(fixture, fixture->part, "old@example.com", NULL);
    open_event(fixture, fixture->part, "new@example.com", NULL);
    event = core_open(fixture->core, fixture->part, fixture->next++, 10);
    core_add(fixture->core, event, &rename);
    core_close(fixture->core, event, EVENT_DELIVERED);
    open_event(fixture, fixture->part, "old@example.com", "new@example.com", NULL);
    old = expect_next(fixture, 0, "old@example.com");
    new = expect_next(fixture, 1, "new@example.com");
    settle(fixture, old, VERDICT_DONE, SETTLED_DONE);
    assert_null(core_next(fixture->core));
    settle(fixture, new, VERDICT_DONE, SETTLED_DONE);
    job = expect_next(fixture, 2, "old@example.com");
    assert_null(core_next(fixture->core));
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
    struct core_event *event = core_open(fixture->core, fixture->part, fixture->next++, 10);
    struct call *rename = call_of("a@example.com", "A@example.com");

    core_add(fixture->core, event, &rename);
    core_close(fixture->core, event, EVENT_DELIVERED);
    settle(fixture, expect_next(fixture, 0, "a@example.com"), VERDICT_DONE, SETTLED_DONE);
    expect_offset(fixture, 1);
}

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
    assert_false(core_has_room(fixture->core, fixture->part));
    assert_false(core_is_drained(fixture->core, fixture->part));
    settle(fixture, begun, VERDICT_DONE, SETTLED_DONE);
    settle(fixture, expect_next(fixture, 1, "a@example.com"), VERDICT_DONE, SETTLED_DONE);
    settle(fixture, expect_next(fixture, 2, "a@example.com"), VERDICT_DONE, SETTLED_DONE);
    assert_null(core_next(fixture->core));
    assert_true(core_is_drained(fixture->core, fixture->part));
    expect_offset(fixture, 3); /* the untouched one is not finished */
}

static void
a_held_call_does_not_keep_a_drain_waiting(void **state)
{
    struct fixture *fixture = *state;

    open_event(fixture, fixture->part, "a@example.com", "b@example.com", NULL);
    open_event(fixture, fixture->part, "b@example.com", "a@example.com", NULL);
    settle(fixture, expect_next(fixture, 0, "a@example.com"), VERDICT_PERMANENT, SETTLED_HELD);
    settle(fixture, expect_next(fixture, 0, "b@example.com"), VERDICT_DONE, SETTLED_DONE);
    settle(fixture, expect_next(fixture, 1, "b@example.com"), VERDICT_DONE, SETTLED_DONE);
    core_revoke(fixture->core, &fixture->part, 1);
    assert_true(core_is_drained(fixture->core, fixture->part));
    assert_null(core_next(fixture->core)); /* nothing overtakes the held one */
    core_abandon(fixture->core, fixture->part);
    assert_null(core_next(fixture->core));
    assert_false(core_commit_is_due(fixture->core));
}

static void
a_late_reply_of_a_part_that_is_gone_reports_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct core_job *job;
    struct core_counts counts;

    open_event(fixture, fixture->part, "a@example.com", NULL);
    job = core_next(fixture->core);
    core_release(fixture->core, fixture->part);
    assert_null(core_job_user(job));
    fixture->part = core_assign(fixture->core, 0, 0, fixture);
    fixture->next = 0;
    open_event(fixture, fixture->part, "a@example.com", NULL);
    assert_null(core_next(fixture->core)); /* the old call is still on the wire */
    settle(fixture, job, VERDICT_DONE, SETTLED_FORGOTTEN);
    assert_false(core_commit_is_due(fixture->core));
    settle(fixture, core_next(fixture->core), VERDICT_DONE, SETTLED_DONE);
    expect_offset(fixture, 1);
    core_totals(fixture->core, &counts);
    assert_int_equal(counts.consumed, 2);
    assert_int_equal(counts.ended[EVENT_GIVEN_BACK], 1);
    assert_int_equal(counts.ended[EVENT_DELIVERED], 1);
}

static void
a_part_holds_at_most_twice_its_share(void **state)
{
    struct fixture *fixture = *state;
    int opened = 0;

    for (int i = 0; i < 3; i++)
        core_assign(fixture->core, 0, 0, NULL);
    while (core_has_room(fixture->core, fixture->part)) {
        open_event(fixture, fixture->part, "a@example.com", NULL);
        opened++;
    }
    assert_int_equal(opened, 50); /* 100 events, 4 parts */
}

static void
bytes_bound_what_is_pending(void **state)
{
    struct fixture *fixture = *state;
    struct core_gauges gauges;
    int opened = 0;

    while (core_has_room(fixture->core, fixture->part)) {
        struct core_event *event =
            core_open(fixture->core, fixture->part, fixture->next++, 100 * 1024);
        struct call *call = call_of("a@example.com", NULL);

        core_add(fixture->core, event, &call);
        core_close(fixture->core, event, EVENT_DELIVERED);
        opened++;
    }
    assert_int_equal(opened, 11); /* 1 MiB, passed by at most one event */
    while (opened--)
        settle(fixture, core_next(fixture->core), VERDICT_DONE, SETTLED_DONE);
    core_gauges(fixture->core, &gauges);
    assert_int_equal(gauges.bytes, 0);
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

static void
accounts_take_turns_within_their_limits(void **state)
{
    struct fixture *fixture = *state;
    int per_account[2] = {0};

    core_set_account(fixture->core, 0, 3);
    core_set_account(fixture->core, 1, 2);
    for (int i = 0; i < 10; i++) {
        struct core_event *event = core_open(fixture->core, fixture->part, fixture->next++, 10);
        char email[32];
        struct call *call;

        snprintf(email, sizeof(email), "c%d@example.com", i);
        call = call_of(email, NULL);
        call->account = (unsigned)i % 2;
        core_add(fixture->core, event, &call);
        core_close(fixture->core, event, EVENT_DELIVERED);
    }
    for (struct core_job *job; (job = core_next(fixture->core));)
        per_account[core_job_call(job)->account]++;
    assert_int_equal(per_account[0], 3);
    assert_int_equal(per_account[1], 2);
}

#define WITH_CORE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_ledger_agrees_with_an_array_of_offsets),
        cmocka_unit_test(lanes_agree_with_a_list_of_jobs),
        cmocka_unit_test(delays_grow_to_the_maximum_with_full_jitter),
        WITH_CORE(a_contact_has_one_call_in_flight_in_event_order),
        WITH_CORE(a_transient_failure_waits_in_its_lane_and_others_go_on),
        WITH_CORE(a_wish_to_wait_longer_is_honoured),
        WITH_CORE(a_refused_call_holds_its_contact_and_its_offset_only),
        WITH_CORE(an_event_that_cannot_be_mapped_holds_its_partition),
        WITH_CORE(a_rename_waits_for_both_contacts_and_holds_both),
        WITH_CORE(a_rename_to_the_same_contact_is_an_ordinary_call),
        WITH_CORE(a_revoked_part_finishes_what_began_and_what_stands_before_it),
        WITH_CORE(a_held_call_does_not_keep_a_drain_waiting),
        WITH_CORE(a_late_reply_of_a_part_that_is_gone_reports_nothing),
        WITH_CORE(a_part_holds_at_most_twice_its_share),
        WITH_CORE(bytes_bound_what_is_pending),
        WITH_CORE(a_failed_commit_is_due_again),
        WITH_CORE(a_start_without_a_committed_offset_is_pinned_by_a_commit),
        WITH_CORE(accounts_take_turns_within_their_limits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
