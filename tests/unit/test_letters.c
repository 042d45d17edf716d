#include "core_unit.h"

#include "delivery/budget.h"

/* ---- helpers ---- */

static const struct settlement refused = {
    .verdict = VERDICT_PERMANENT, .status = 422, .reason = "422 Unprocessable"};

static void
refuse(struct fixture *fixture, struct core_job *job, enum settled expected)
{
    settle_with(fixture, job, refused, expected);
}

/* An event whose only call is refused for good. */
static void
open_refused(struct fixture *fixture, const char *email, enum settled expected)
{
    int64_t offset = fixture->next;

    open_event(fixture, fixture->part, email, NULL);
    refuse(fixture, expect_next(fixture, offset, email), expected);
}

static struct core_event *
expect_letter(struct fixture *fixture, int64_t offset)
{
    struct core_event *letter = core_letter_next(fixture->core, fixture->now);

    assert_non_null(letter);
    assert_int_equal(core_letter_record(letter)->offset, offset);
    return letter;
}

static void
expect_no_letter(struct fixture *fixture)
{
    assert_null(core_letter_next(fixture->core, fixture->now));
}

static void
letter_done(struct fixture *fixture, struct core_event *letter, bool stored)
{
    core_letter_done(fixture->core, letter, stored ? LETTER_STORED : LETTER_FAILED, fixture->now);
    core_check(fixture->core);
}

static void
expect_hold(struct fixture *fixture, enum letter_hold hold)
{
    assert_string_equal(letter_hold_name(core_letter_hold(fixture->core, fixture->now)),
                        letter_hold_name(hold));
}

/* Stores every letter there is and returns how many those were. */
static int
store_all(struct fixture *fixture)
{
    struct core_event *letter;
    int count = 0;

    while ((letter = core_letter_next(fixture->core, fixture->now))) {
        letter_done(fixture, letter, true);
        count++;
    }
    return count;
}

/* Uses the budget up; all of it is stored. */
static void
exhaust_budget(struct fixture *fixture)
{
    for (int i = 0; i < BUDGET_LEAST; i++)
        open_refused(fixture, "spent@example.com", SETTLED_FAILED);
    assert_int_equal(store_all(fixture), BUDGET_LEAST);
    expect_hold(fixture, LETTER_HOLD_NONE); /* nothing waits for it yet */
}

static uint64_t
ended(struct fixture *fixture, enum event_outcome outcome)
{
    return core_part_counts(fixture->part)->ended[outcome];
}

/* The event without calls at the next offset cannot be mapped. */
static bool
open_unmapped(struct fixture *fixture)
{
    return core_refuse(fixture->core, open_record(fixture, fixture->part), "not JSON",
                       fixture->now);
}

static void
expect_empty(struct fixture *fixture)
{
    struct core_gauges gauges = gauges_of(fixture);

    assert_int_equal(gauges.events, 0);
    assert_int_equal(gauges.lanes, 0);
    assert_int_equal(gauges.letters + gauges.refused + gauges.unmapped, 0);
    assert_int_equal(gauges.ready + gauges.waiting + gauges.in_flight, 0);
    assert_int_equal(gauges.bytes, 0);
}

/* ---- what a letter is ---- */

static void
an_event_with_two_failed_calls_is_one_letter(void **state)
{
    struct fixture *fixture = *state;
    const struct core_failure *failures;
    struct core_job *jobs[3];
    struct core_event *letter;

    open_event(fixture, fixture->part, "a@example.com", "b@example.com", "c@example.com", NULL);
    jobs[0] = expect_next(fixture, 0, "a@example.com");
    jobs[1] = expect_next(fixture, 0, "b@example.com");
    jobs[2] = expect_next(fixture, 0, "c@example.com");
    pass(fixture, 40);
    refuse(fixture, jobs[2], SETTLED_FAILED);
    expect_no_letter(fixture);
    settle(fixture, jobs[1], VERDICT_DONE, SETTLED_DONE);
    expect_no_letter(fixture);
    pass(fixture, 2);
    settle_with(fixture, jobs[0],
                (struct settlement){.verdict = VERDICT_PERMANENT, .status = 400, .reason = "no"},
                SETTLED_FAILED);
    letter = expect_letter(fixture, 0);
    expect_no_letter(fixture);
    assert_null(core_letter_reason(letter));
    assert_int_equal(core_letter_failures(letter, &failures), 2);
    assert_int_equal(failures[0].index, 2);
    assert_string_equal(call_email(failures[0].call), "c@example.com");
    assert_int_equal(failures[0].verdict, VERDICT_PERMANENT);
    assert_int_equal(failures[0].status, 422);
    assert_string_equal(failures[0].reason, "422 Unprocessable");
    assert_int_equal(failures[0].attempts, 1);
    assert_int_equal(failures[0].first_ms, 1000);
    assert_int_equal(failures[0].last_ms, 1040);
    assert_int_equal(failures[1].index, 0);
    assert_int_equal(failures[1].status, 400);
    assert_int_equal(failures[1].last_ms, 1042);
    letter_done(fixture, letter, true);
    assert_int_equal(ended(fixture, EVENT_DEAD_LETTERED), 1);
    assert_int_equal(ended(fixture, EVENT_DELIVERED), 0);
    expect_empty(fixture);
}

static void
a_letter_carries_the_record_as_it_came(void **state)
{
    struct fixture *fixture = *state;
    struct event_header header = {.name = "trace", .value = "\0\xff", .value_len = 2};
    struct event record = record_at(fixture->next++);
    const struct event *copy;
    struct core_event *event;
    struct call *call = call_of("a@example.com", NULL);

    record.key = "k\0";
    record.key_len = 2;
    record.headers = &header;
    record.header_count = 1;
    event = core_open(fixture->core, fixture->part, record.offset, &record);
    core_add(fixture->core, event, &call);
    close_event(fixture, event);
    memset(&header, 0, sizeof(header));
    refuse(fixture, expect_next(fixture, 0, "a@example.com"), SETTLED_FAILED);
    copy = core_letter_record(expect_letter(fixture, 0));
    assert_string_equal(copy->topic, "user.changed");
    assert_memory_equal(copy->key, "k\0", 2);
    assert_memory_equal(copy->payload, "{\"a\":1}", 7);
    assert_memory_equal(copy->headers[0].value, "\0\xff", 2);
}

static void
the_tries_of_a_failed_call_are_told(void **state)
{
    struct fixture *fixture = *state;
    const struct core_failure *failures;

    open_event(fixture, fixture->part, "a@example.com", NULL);
    settle(fixture, expect_next(fixture, 0, "a@example.com"), VERDICT_TRANSIENT, SETTLED_WAITING);
    settle(fixture, await_next(fixture), VERDICT_TRANSIENT, SETTLED_WAITING);
    settle_with(fixture, await_next(fixture), (struct settlement){.verdict = VERDICT_PERMANENT},
                SETTLED_FAILED);
    core_letter_failures(expect_letter(fixture, 0), &failures);
    assert_int_equal(failures[0].attempts, 3);
    assert_int_equal(failures[0].first_ms, 1000);
    assert_int_equal(failures[0].last_ms, fixture->now);
    assert_string_equal(failures[0].reason, ""); /* never NULL */
}

static void
the_offset_moves_only_when_the_letter_is_stored(void **state)
{
    struct fixture *fixture = *state;
    struct core_event *letter;

    open_refused(fixture, "a@example.com", SETTLED_FAILED);
    open_event(fixture, fixture->part, "b@example.com", NULL);
    settle(fixture, expect_next(fixture, 1, "b@example.com"), VERDICT_DONE, SETTLED_DONE);
    assert_false(core_commit_is_due(fixture->core));
    letter = expect_letter(fixture, 0);
    assert_false(core_commit_is_due(fixture->core));
    letter_done(fixture, letter, false);
    assert_false(core_commit_is_due(fixture->core));
    assert_int_equal(ended(fixture, EVENT_DEAD_LETTERED), 0);
    pass(fixture, 500);
    letter = expect_letter(fixture, 0);
    letter_done(fixture, letter, true);
    assert_int_equal(ended(fixture, EVENT_DEAD_LETTERED), 1);
    expect_offset(fixture, 2);
    expect_empty(fixture);
}

static void
a_failed_call_lets_its_contact_go_on_at_once(void **state)
{
    struct fixture *fixture = *state;

    open_event(fixture, fixture->part, "a@example.com", NULL);
    open_event(fixture, fixture->part, "a@example.com", NULL);
    refuse(fixture, expect_next(fixture, 0, "a@example.com"), SETTLED_FAILED);
    settle(fixture, expect_next(fixture, 1, "a@example.com"), VERDICT_DONE, SETTLED_DONE);
}

/* ---- the topic takes nothing ---- */

static void
letters_that_fail_wait_with_back_off(void **state)
{
    struct fixture *fixture = *state;
    int64_t most_ms = 0;

    open_refused(fixture, "a@example.com", SETTLED_FAILED);
    expect_hold(fixture, LETTER_HOLD_NONE);
    for (int i = 0; i < 300; i++) {
        int64_t ceiling_ms = i < 6 ? INT64_C(500) << i : 30 * SECOND, due_ms;

        letter_done(fixture, expect_letter(fixture, 0), false);
        expect_hold(fixture, LETTER_HOLD_FAILING);
        expect_no_letter(fixture);
        due_ms = core_deadline(fixture->core, fixture->now);
        assert_in_range(due_ms - fixture->now, 1, ceiling_ms);
        most_ms = due_ms - fixture->now > most_ms ? due_ms - fixture->now : most_ms;
        pass(fixture, due_ms - fixture->now - 1);
        expect_no_letter(fixture);
        pass(fixture, 1);
    }
    assert_in_range(most_ms, 25 * SECOND, 30 * SECOND);
    letter_done(fixture, expect_letter(fixture, 0), true);
    expect_hold(fixture, LETTER_HOLD_NONE);
    expect_empty(fixture);
}

static void
while_the_topic_fails_nothing_more_becomes_a_letter(void **state)
{
    struct fixture *fixture = *state;

    open_refused(fixture, "a@example.com", SETTLED_FAILED);
    letter_done(fixture, expect_letter(fixture, 0), false);
    open_refused(fixture, "b@example.com", SETTLED_REFUSED);
    assert_false(open_unmapped(fixture));
    open_event(fixture, fixture->part, "b@example.com", NULL);
    expect_nothing(fixture); /* b's lane waits */
    assert_false(core_has_room(fixture->core, fixture->part, fixture->now));
    pass(fixture, MINUTE);
    expect_nothing(fixture);
    letter_done(fixture, expect_letter(fixture, 0), true);
    core_tick(fixture->core, fixture->now);
    settle(fixture, expect_next(fixture, 3, "b@example.com"), VERDICT_DONE, SETTLED_DONE);
    assert_int_equal(store_all(fixture), 2);
    assert_true(core_has_room(fixture->core, fixture->part, fixture->now));
    expect_offset(fixture, 4);
    expect_empty(fixture);
}

static void
one_letter_at_a_time_finds_out_whether_the_topic_is_back(void **state)
{
    struct fixture *fixture = *state;
    struct core_event *letters[3], *probe;

    open_refused(fixture, "a@example.com", SETTLED_FAILED);
    open_refused(fixture, "b@example.com", SETTLED_FAILED);
    open_refused(fixture, "c@example.com", SETTLED_FAILED);
    for (int i = 0; i < 3; i++)
        letters[i] = expect_letter(fixture, i);
    for (int i = 0; i < 3; i++)
        letter_done(fixture, letters[i], false);
    for (int i = 0; i < 5; i++) {
        pass(fixture, 30 * SECOND);
        probe = core_letter_next(fixture->core, fixture->now);
        assert_non_null(probe);
        expect_no_letter(fixture);
        assert_int_equal(core_deadline(fixture->core, fixture->now), CLOCK_NEVER);
        pass(fixture, HOUR);
        expect_no_letter(fixture);
        letter_done(fixture, probe, false);
    }
    pass(fixture, 30 * SECOND);
    letter_done(fixture, core_letter_next(fixture->core, fixture->now), true);
    assert_int_equal(store_all(fixture), 2); /* the others follow at once */
    expect_offset(fixture, 3);
}

static void
a_letter_that_is_stored_takes_back_the_failure_of_another(void **state)
{
    struct fixture *fixture = *state;
    struct core_event *first, *second;

    open_refused(fixture, "a@example.com", SETTLED_FAILED);
    open_refused(fixture, "b@example.com", SETTLED_FAILED);
    first = expect_letter(fixture, 0);
    second = expect_letter(fixture, 1);
    letter_done(fixture, first, false);
    expect_no_letter(fixture);
    letter_done(fixture, second, true);
    letter_done(fixture, expect_letter(fixture, 0), true);
    expect_offset(fixture, 2);
}

static void
a_failing_letter_that_is_given_back_holds_up_nobody(void **state)
{
    struct fixture *fixture = *state;
    struct core_part *part = fixture->part;

    open_refused(fixture, "a@example.com", SETTLED_FAILED);
    letter_done(fixture, expect_letter(fixture, 0), false);
    fixture->part = core_assign(fixture->core, 0, 0, NULL);
    fixture->next = 0;
    open_refused(fixture, "b@example.com", SETTLED_REFUSED);
    open_refused(fixture, "c@example.com", SETTLED_REFUSED);
    core_release(fixture->core, part);
    expect_hold(fixture, LETTER_HOLD_FAILING); /* until its time has come */
    expect_no_letter(fixture);
    pass_to_deadline(fixture);
    letter_done(fixture, expect_letter(fixture, 0), false); /* b goes as the probe, alone */
    expect_no_letter(fixture);
    assert_int_equal(gauges_of(fixture).refused, 1);
    pass_to_deadline(fixture);
    letter_done(fixture, expect_letter(fixture, 0), true);
    pass(fixture, 0);
    letter_done(fixture, expect_letter(fixture, 1), true);
    expect_empty(fixture);
}

static void
a_letter_given_back_while_it_is_out_holds_up_nobody_when_it_fails(void **state)
{
    struct fixture *fixture = *state;
    struct core_part *part = fixture->part;
    struct core_event *letter;

    open_refused(fixture, "a@example.com", SETTLED_FAILED);
    letter = expect_letter(fixture, 0);
    core_release(fixture->core, part);
    fixture->part = core_assign(fixture->core, 0, 0, NULL);
    fixture->next = 0;
    letter_done(fixture, letter, false);
    open_refused(fixture, "b@example.com", SETTLED_REFUSED);
    pass_to_deadline(fixture);
    letter_done(fixture, expect_letter(fixture, 0), true);
    expect_empty(fixture);
}

/* ---- hand-over ---- */

static void
a_revoked_part_waits_for_the_report_of_its_letter(void **state)
{
    struct fixture *fixture = *state;
    struct core_event *letter;

    open_refused(fixture, "a@example.com", SETTLED_FAILED);
    letter = expect_letter(fixture, 0);
    core_revoke(fixture->core, &fixture->part, 1);
    assert_false(core_is_drained(fixture->core, fixture->part));
    letter_done(fixture, letter, true);
    assert_true(core_is_drained(fixture->core, fixture->part));
    assert_int_equal(ended(fixture, EVENT_DEAD_LETTERED), 1);
    expect_offset(fixture, 1);
}

static void
the_letter_of_an_unmapped_event_is_awaited_as_well(void **state)
{
    struct fixture *fixture = *state;
    struct core_event *letter;

    assert_true(open_unmapped(fixture));
    letter = expect_letter(fixture, 0);
    core_revoke(fixture->core, &fixture->part, 1);
    assert_false(core_is_drained(fixture->core, fixture->part));
    letter_done(fixture, letter, true);
    assert_int_equal(ended(fixture, EVENT_DEAD_LETTERED), 1);
    expect_offset(fixture, 1);
}

static void
a_letter_that_was_not_handed_over_is_still_written_by_a_drain(void **state)
{
    struct fixture *fixture = *state;

    open_refused(fixture, "a@example.com", SETTLED_FAILED);
    core_revoke(fixture->core, &fixture->part, 1);
    assert_false(core_is_drained(fixture->core, fixture->part));
    letter_done(fixture, expect_letter(fixture, 0), true);
    assert_true(core_is_drained(fixture->core, fixture->part));
    expect_offset(fixture, 1);
}

static void
an_unmapped_event_without_a_letter_is_given_back(void **state)
{
    struct fixture *fixture = *state;

    exhaust_budget(fixture);
    expect_offset(fixture, BUDGET_LEAST);
    assert_false(open_unmapped(fixture));
    core_revoke(fixture->core, &fixture->part, 1);
    assert_true(core_is_drained(fixture->core, fixture->part));
    assert_int_equal(ended(fixture, EVENT_GIVEN_BACK), 1);
    assert_false(core_commit_is_due(fixture->core));
    expect_empty(fixture);
}

static void
a_letter_that_waits_for_the_topic_does_not_keep_a_drain_waiting(void **state)
{
    struct fixture *fixture = *state;

    open_refused(fixture, "a@example.com", SETTLED_FAILED);
    letter_done(fixture, expect_letter(fixture, 0), false);
    core_revoke(fixture->core, &fixture->part, 1);
    assert_true(core_is_drained(fixture->core, fixture->part));
    core_abandon(fixture->core, fixture->part);
    assert_false(core_commit_is_due(fixture->core));
    pass(fixture, HOUR);
    expect_no_letter(fixture);
    expect_empty(fixture);
}

static void
a_refused_call_does_not_keep_a_drain_waiting(void **state)
{
    struct fixture *fixture = *state;

    open_event(fixture, fixture->part, "a@example.com", "b@example.com", NULL);
    open_event(fixture, fixture->part, "b@example.com", "a@example.com", NULL);
    refuse(fixture, expect_next(fixture, 0, "a@example.com"), SETTLED_REFUSED);
    settle(fixture, expect_next(fixture, 0, "b@example.com"), VERDICT_DONE, SETTLED_DONE);
    settle(fixture, expect_next(fixture, 1, "b@example.com"), VERDICT_DONE, SETTLED_DONE);
    core_revoke(fixture->core, &fixture->part, 1);
    assert_true(core_is_drained(fixture->core, fixture->part));
    expect_nothing(fixture); /* nothing overtakes the refused one */
    core_abandon(fixture->core, fixture->part);
    expect_nothing(fixture);
    assert_false(core_commit_is_due(fixture->core));
    expect_empty(fixture);
}

static void
a_probe_letter_that_is_out_keeps_a_drain_waiting(void **state)
{
    struct fixture *fixture = *state;
    struct core_event *letter;

    open_refused(fixture, "a@example.com", SETTLED_FAILED);
    letter_done(fixture, expect_letter(fixture, 0), false);
    pass(fixture, SECOND);
    letter = expect_letter(fixture, 0);
    core_revoke(fixture->core, &fixture->part, 1);
    assert_false(core_is_drained(fixture->core, fixture->part));
    letter_done(fixture, letter, true);
    assert_true(core_is_drained(fixture->core, fixture->part));
    expect_offset(fixture, 1);
}

static void
a_call_in_flight_beside_a_refused_one_keeps_a_drain_waiting(void **state)
{
    struct fixture *fixture = *state;
    struct core_job *job;

    open_event(fixture, fixture->part, "a@example.com", "b@example.com", NULL);
    refuse(fixture, expect_next(fixture, 0, "a@example.com"), SETTLED_REFUSED);
    job = expect_next(fixture, 0, "b@example.com");
    core_revoke(fixture->core, &fixture->part, 1);
    assert_false(core_is_drained(fixture->core, fixture->part));
    settle(fixture, job, VERDICT_DONE, SETTLED_DONE);
    assert_true(core_is_drained(fixture->core, fixture->part));
}

static void
an_abandoned_letter_reports_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct core_event *stored, *failed, *kept;

    open_refused(fixture, "a@example.com", SETTLED_FAILED);
    open_refused(fixture, "b@example.com", SETTLED_FAILED);
    open_refused(fixture, "c@example.com", SETTLED_FAILED);
    open_refused(fixture, "d@example.com", SETTLED_FAILED);
    stored = expect_letter(fixture, 0);
    failed = expect_letter(fixture, 1);
    kept = expect_letter(fixture, 2);
    core_abandon(fixture->core, fixture->part);
    assert_int_equal(ended(fixture, EVENT_GIVEN_BACK), 4);
    expect_no_letter(fixture); /* d's is not sent any more */
    assert_int_equal(gauges_of(fixture).letters, 3);
    letter_done(fixture, stored, true);
    letter_done(fixture, failed, false);
    assert_int_equal(gauges_of(fixture).letters, 1);
    assert_int_equal(ended(fixture, EVENT_DEAD_LETTERED), 0);
    assert_false(core_commit_is_due(fixture->core));
    assert_string_equal(core_letter_record(kept)->topic, "user.changed"); /* until it is done */
    assert_int_equal(gauges_of(fixture).bytes, 0);
}

static void
a_release_while_a_letter_is_out_keeps_the_letter_until_it_is_done(void **state)
{
    struct fixture *fixture = *state;
    const struct core_failure *failures;
    struct core_event *letter;
    struct core_counts counts;

    open_refused(fixture, "a@example.com", SETTLED_FAILED);
    letter = expect_letter(fixture, 0);
    core_release(fixture->core, fixture->part);
    assert_int_equal(core_letter_failures(letter, &failures), 1);
    assert_string_equal(call_email(failures[0].call), "a@example.com");
    letter_done(fixture, letter, true);
    core_totals(fixture->core, &counts);
    assert_int_equal(counts.consumed, 1);
    assert_int_equal(counts.pending, 0);
    assert_int_equal(counts.ended[EVENT_GIVEN_BACK], 1);
    assert_int_equal(counts.ended[EVENT_DEAD_LETTERED], 0);
    expect_empty(fixture);
}

/* ---- the budget ---- */

static void
past_the_budget_a_refused_call_holds_its_contact_and_its_offset_only(void **state)
{
    struct fixture *fixture = *state;

    exhaust_budget(fixture);
    expect_offset(fixture, BUDGET_LEAST);
    open_refused(fixture, "a@example.com", SETTLED_REFUSED);
    expect_hold(fixture, LETTER_HOLD_BUDGET);
    open_event(fixture, fixture->part, "a@example.com", NULL);
    open_event(fixture, fixture->part, "b@example.com", NULL);
    settle(fixture, expect_next(fixture, BUDGET_LEAST + 2, "b@example.com"), VERDICT_DONE,
           SETTLED_DONE);
    expect_nothing(fixture);
    expect_no_letter(fixture);
    assert_false(core_commit_is_due(fixture->core));
    assert_int_equal(gauges_of(fixture).refused, 1);
    assert_int_equal(gauges_of(fixture).events, 2);
    assert_true(core_has_room(fixture->core, fixture->part, fixture->now));
}

static void
the_window_slides_and_lets_it_go(void **state)
{
    struct fixture *fixture = *state;
    int64_t since_ms = fixture->now;

    exhaust_budget(fixture);
    open_refused(fixture, "a@example.com", SETTLED_REFUSED);
    open_event(fixture, fixture->part, "a@example.com", NULL);
    while (gauges_of(fixture).refused) {
        expect_no_letter(fixture);
        expect_nothing(fixture);
        pass_to_deadline(fixture);
    }
    assert_in_range(fixture->now - since_ms, 9 * MINUTE, 10 * MINUTE);
    assert_int_equal(store_all(fixture), 1);
    settle(fixture, expect_next(fixture, BUDGET_LEAST + 1, "a@example.com"), VERDICT_DONE,
           SETTLED_DONE);
    expect_offset(fixture, BUDGET_LEAST + 2);
    expect_empty(fixture);
}

static void
successes_earn_what_waits_its_way(void **state)
{
    struct fixture *fixture = *state;

    exhaust_budget(fixture);
    open_refused(fixture, "a@example.com", SETTLED_REFUSED);
    for (int i = 0; i < 419; i++) {
        open_event(fixture, fixture->part, NULL, NULL);
        pass(fixture, 0);
        assert_int_equal(gauges_of(fixture).refused, 1);
    }
    open_event(fixture, fixture->part, NULL, NULL); /* the 21st of 420 */
    pass(fixture, 0);
    assert_int_equal(gauges_of(fixture).refused, 0);
    assert_int_equal(store_all(fixture), 1);
    open_refused(fixture, "a@example.com", SETTLED_REFUSED); /* a letter earns nothing */
}

static void
what_was_given_back_earns_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct core_part *other = core_assign(fixture->core, 0, 0, NULL);

    exhaust_budget(fixture);
    for (int i = 0; i < 40; i++)
        open_event(fixture, other, "a@example.com", NULL);
    core_revoke(fixture->core, &other, 1);
    open_refused(fixture, "b@example.com", SETTLED_REFUSED);
    for (int i = 0; i < 400; i++)
        open_event(fixture, fixture->part, NULL, NULL);
    pass(fixture, 0);
    assert_int_equal(gauges_of(fixture).refused, 1);
}

static void
an_event_spends_once_however_many_calls_fail(void **state)
{
    struct fixture *fixture = *state;

    for (int i = 0; i < BUDGET_LEAST; i++) {
        struct core_job *job;

        open_event(fixture, fixture->part, "a@example.com", "b@example.com", NULL);
        while ((job = core_next(fixture->core, fixture->now)))
            refuse(fixture, job, SETTLED_FAILED);
    }
    assert_int_equal(store_all(fixture), BUDGET_LEAST);
    open_refused(fixture, "a@example.com", SETTLED_REFUSED);
}

static void
two_refused_calls_of_an_event_are_admitted_as_one_letter(void **state)
{
    struct fixture *fixture = *state;
    const struct core_failure *failures;
    struct core_job *job;

    exhaust_budget(fixture);
    open_event(fixture, fixture->part, "a@example.com", "b@example.com", NULL);
    while ((job = core_next(fixture->core, fixture->now)))
        refuse(fixture, job, SETTLED_REFUSED);
    assert_int_equal(gauges_of(fixture).refused, 2);
    assert_int_equal(core_admit_all(fixture->core, fixture->now), 1);
    assert_int_equal(core_letter_failures(expect_letter(fixture, BUDGET_LEAST), &failures), 2);
    expect_no_letter(fixture);
}

static void
admit_all_lets_everything_go(void **state)
{
    struct fixture *fixture = *state;

    exhaust_budget(fixture);
    open_refused(fixture, "a@example.com", SETTLED_REFUSED);
    open_refused(fixture, "b@example.com", SETTLED_REFUSED);
    assert_false(open_unmapped(fixture));
    open_event(fixture, fixture->part, "a@example.com", NULL);
    expect_nothing(fixture);
    assert_int_equal(core_admit_all(fixture->core, fixture->now), 3);
    expect_hold(fixture, LETTER_HOLD_NONE);
    assert_true(core_has_room(fixture->core, fixture->part, fixture->now));
    settle(fixture, expect_next(fixture, BUDGET_LEAST + 3, "a@example.com"), VERDICT_DONE,
           SETTLED_DONE);
    assert_int_equal(store_all(fixture), 3);
    expect_offset(fixture, BUDGET_LEAST + 4);
    expect_empty(fixture);
    assert_int_equal(core_admit_all(fixture->core, fixture->now), 0);
    open_refused(fixture, "a@example.com", SETTLED_REFUSED); /* it was for those that waited */
}

static void
what_was_let_go_still_waits_for_the_topic(void **state)
{
    struct fixture *fixture = *state;

    exhaust_budget(fixture);
    open_refused(fixture, "a@example.com", SETTLED_REFUSED);
    core_admit_all(fixture->core, fixture->now);
    letter_done(fixture, expect_letter(fixture, BUDGET_LEAST), false);
    open_refused(fixture, "b@example.com", SETTLED_REFUSED);
    core_admit_all(fixture->core, fixture->now);
    assert_int_equal(gauges_of(fixture).refused, 1);
    expect_hold(fixture, LETTER_HOLD_FAILING);
    pass_to_deadline(fixture);
    letter_done(fixture, expect_letter(fixture, BUDGET_LEAST), true);
    core_tick(fixture->core, fixture->now);
    letter_done(fixture, expect_letter(fixture, BUDGET_LEAST + 1), true);
    expect_empty(fixture);
}

/* ---- events that cannot be mapped ---- */

static void
an_unmapped_event_is_a_letter_with_its_reason(void **state)
{
    struct fixture *fixture = *state;
    const struct core_failure *failures;
    char reason[] = "rule \"r\": email: no e-mail";
    struct core_event *letter;

    assert_true(
        core_refuse(fixture->core, open_record(fixture, fixture->part), reason, fixture->now));
    memset(reason, 'x', sizeof(reason) - 1);
    assert_true(core_has_room(fixture->core, fixture->part, fixture->now));
    letter = expect_letter(fixture, 0);
    assert_string_equal(core_letter_reason(letter), "rule \"r\": email: no e-mail");
    assert_int_equal(core_letter_failures(letter, &failures), 0);
    assert_false(core_commit_is_due(fixture->core));
    letter_done(fixture, letter, true);
    expect_offset(fixture, 1);
    expect_empty(fixture);
}

static bool
wants_even(void *arg, const struct core_event *event)
{
    (void)arg;
    return core_letter_record(event)->offset % 2 == 0;
}

static void
map_to_one_call(void *arg, struct core_event *event)
{
    struct fixture *fixture = arg;
    struct call *call = call_of("ada@example.com", NULL);

    core_add(fixture->core, event, &call);
    close_event(fixture, event);
}

static void
refuse_again(void *arg, struct core_event *event)
{
    struct fixture *fixture = arg;

    assert_false(core_refuse(fixture->core, event, "still not", fixture->now));
}

static bool
wants_none_and_looks(void *arg, const struct core_event *event)
{
    struct fixture *fixture = arg;

    assert_ptr_equal(core_event_user(event), fixture);
    assert_int_equal(core_event_offset(event), 7);
    assert_int_equal(core_letter_record(event)->offset, 4711);
    return false;
}

static void
a_redriven_event_that_is_held_is_known_by_where_it_was_read(void **state)
{
    struct fixture *fixture = *state;
    struct core_part *redrive = core_assign(fixture->core, 7, 7, fixture);
    const struct event original = {.topic = "first", .offset = 4711};
    struct core_event *event = core_open(fixture->core, redrive, 7, &original);

    assert_false(core_refuse(fixture->core, event, "x", fixture->now));
    core_map_again(fixture->core, wants_none_and_looks, refuse_again, fixture);
    assert_int_equal(gauges_of(fixture).unmapped, 1);
    core_release(fixture->core, redrive);
}

static void
what_could_not_be_mapped_may_be_mapped_again(void **state)
{
    struct fixture *fixture = *state;
    struct core_part *other = core_assign(fixture->core, 1, 1, NULL);

    assert_false(open_unmapped(fixture)); /* offset 0 */
    assert_false(core_refuse(fixture->core, open_record(fixture, other), "x", fixture->now));
    core_map_again(fixture->core, wants_even, refuse_again, fixture);
    assert_int_equal(gauges_of(fixture).unmapped, 2);
    assert_false(core_has_room(fixture->core, fixture->part, fixture->now));
    core_map_again(fixture->core, wants_even, map_to_one_call, fixture);
    core_check(fixture->core);
    assert_int_equal(gauges_of(fixture).unmapped, 1); /* the other's, at offset 1 */
    assert_true(core_has_room(fixture->core, fixture->part, fixture->now));
    settle(fixture, expect_next(fixture, 0, "ada@example.com"), VERDICT_DONE, SETTLED_DONE);
    expect_offset(fixture, 1);
    assert_int_equal(ended(fixture, EVENT_DELIVERED), 1);
    core_release(fixture->core, other);
    expect_empty(fixture);
}

static void
an_unmapped_event_past_the_budget_holds_its_part_alone(void **state)
{
    struct fixture *fixture = *state;
    struct core_part *other = core_assign(fixture->core, 0, 0, NULL);

    exhaust_budget(fixture);
    expect_offset(fixture, BUDGET_LEAST);
    assert_false(open_unmapped(fixture));
    expect_hold(fixture, LETTER_HOLD_BUDGET);
    assert_int_equal(gauges_of(fixture).unmapped, 1);
    assert_false(core_has_room(fixture->core, fixture->part, fixture->now));
    assert_true(core_has_room(fixture->core, other, fixture->now));
    assert_true(core_is_drained(fixture->core, fixture->part)); /* nothing of it can end now */
    expect_no_letter(fixture);
    while (!core_has_room(fixture->core, fixture->part, fixture->now))
        pass_to_deadline(fixture);
    assert_int_equal(store_all(fixture), 1);
    expect_offset(fixture, BUDGET_LEAST + 1);
}

static void
mapping_failures_draw_on_the_budget_as_well(void **state)
{
    struct fixture *fixture = *state;

    for (int i = 0; i < BUDGET_LEAST; i++)
        assert_true(open_unmapped(fixture));
    open_refused(fixture, "a@example.com", SETTLED_REFUSED);
}

/* ---- without a dead-letter topic ---- */

static void
the_reason_of_what_is_refused_counts_as_pending(void **state)
{
    static char reason[1000];
    struct fixture *fixture = *state;
    struct settlement settlement = {.verdict = VERDICT_PERMANENT, .status = 422, .reason = reason};
    int64_t bytes;

    memset(reason, 'r', sizeof(reason) - 1);
    open_event(fixture, fixture->part, "a@example.com", NULL);
    bytes = gauges_of(fixture).bytes;
    assert_int_equal(core_settle(fixture->core, expect_next(fixture, 0, "a@example.com"),
                                 &settlement, fixture->now),
                     SETTLED_REFUSED);
    assert_int_equal(gauges_of(fixture).bytes, bytes + (int64_t)sizeof(reason));
}

static void
without_dead_letters_what_is_refused_is_held_for_ever(void **state)
{
    struct fixture *fixture = *state;

    expect_hold(fixture, LETTER_HOLD_NONE);
    open_refused(fixture, "a@example.com", SETTLED_REFUSED);
    open_event(fixture, fixture->part, "a@example.com", NULL);
    assert_false(open_unmapped(fixture));
    expect_hold(fixture, LETTER_HOLD_OFF);
    assert_int_equal(core_deadline(fixture->core, fixture->now), CLOCK_NEVER);
    assert_int_equal(core_admit_all(fixture->core, fixture->now), 0);
    for (int day = 0; day < 10; day++) {
        pass(fixture, 24 * (int64_t)HOUR);
        expect_nothing(fixture);
        expect_no_letter(fixture);
        assert_false(core_has_room(fixture->core, fixture->part, fixture->now));
    }
    assert_false(core_commit_is_due(fixture->core));
    core_revoke_all(fixture->core);
    assert_true(core_is_drained(fixture->core, NULL));
    core_abandon(fixture->core, NULL);
    assert_int_equal(ended(fixture, EVENT_GIVEN_BACK), 3);
    expect_empty(fixture);
}

/* ---- whatever happens ---- */

enum { PARTS = 3, OUT_MAX = 64 };

struct chaos {
    struct fixture *fixture;
    struct rng rng;
    struct core_part *parts[PARTS];
    int64_t next[PARTS];
    struct core_job *jobs[OUT_MAX];
    struct core_event *letters[OUT_MAX];
    int job_count, letter_count;
    uint64_t stored;
};

static void
chaos_open(struct chaos *chaos)
{
    struct fixture *fixture = chaos->fixture;
    size_t p = rng_below(&chaos->rng, PARTS);
    struct event record = record_at(chaos->next[p]);
    struct core_event *event;

    if (!core_has_room(fixture->core, chaos->parts[p], fixture->now))
        return;
    chaos->next[p]++;
    event = core_open(fixture->core, chaos->parts[p], record.offset, &record);
    if (!rng_below(&chaos->rng, 20)) {
        core_refuse(fixture->core, event, "not JSON", fixture->now);
        return;
    }
    for (size_t calls = rng_below(&chaos->rng, 4); calls; calls--) {
        char emails[2][24];
        struct call *call;

        for (int i = 0; i < 2; i++)
            snprintf(emails[i], sizeof(emails[i]), "c%d@example.com",
                     (int)rng_below(&chaos->rng, 12));
        call = rng_below(&chaos->rng, 2)
                   ? track_of(emails[0])
                   : call_of(emails[0], rng_below(&chaos->rng, 8) ? NULL : emails[1]);
        core_add(fixture->core, event, &call);
    }
    close_event(fixture, event);
}

static void
chaos_settle(struct chaos *chaos, bool mended)
{
    size_t i = rng_below(&chaos->rng, (uint64_t)chaos->job_count);
    struct core_job *job = chaos->jobs[i];
    struct settlement settlement = {.status = 403, .reason = "for people"};

    if (!mended && rng_below(&chaos->rng, 3))
        settlement.verdict = (enum verdict)rng_below(&chaos->rng, VERDICT_COUNT);
    if (settlement.verdict == VERDICT_UNKNOWN_CONTACT && core_job_call(job)->kind != CALL_TRACK)
        settlement.verdict = VERDICT_PERMANENT;
    if (settlement.verdict == VERDICT_THROTTLED)
        settlement.not_before_ms = chaos->fixture->now + (int64_t)rng_below(&chaos->rng, 2000);
    chaos->jobs[i] = chaos->jobs[--chaos->job_count];
    core_settle(chaos->fixture->core, job, &settlement, chaos->fixture->now);
}

static void
chaos_letter_done(struct chaos *chaos, bool mended)
{
    size_t i = rng_below(&chaos->rng, (uint64_t)chaos->letter_count);
    struct core_event *letter = chaos->letters[i];
    bool stored = mended || rng_below(&chaos->rng, 2);

    chaos->letters[i] = chaos->letters[--chaos->letter_count];
    core_letter_done(chaos->fixture->core, letter, stored ? LETTER_STORED : LETTER_FAILED,
                     chaos->fixture->now);
}

static void
chaos_send(struct chaos *chaos)
{
    struct fixture *fixture = chaos->fixture;
    struct core_job *job;
    struct core_event *letter;

    while (chaos->job_count < OUT_MAX && (job = core_next(fixture->core, fixture->now)))
        chaos->jobs[chaos->job_count++] = job;
    while (chaos->letter_count < OUT_MAX &&
           (letter = core_letter_next(fixture->core, fixture->now)))
        chaos->letters[chaos->letter_count++] = letter;
}

/* The part changes hands and comes back, read again from what is not finished. */
static void
chaos_hand_over(struct chaos *chaos)
{
    struct core *core = chaos->fixture->core;
    size_t p = rng_below(&chaos->rng, PARTS);

    if (rng_below(&chaos->rng, 2))
        core_revoke(core, &chaos->parts[p], 1);
    if (rng_below(&chaos->rng, 2))
        core_abandon(core, chaos->parts[p]);
    core_release(core, chaos->parts[p]);
    chaos->parts[p] = core_assign(core, chaos->next[p], chaos->next[p], NULL);
}

static void
chaos_step(struct chaos *chaos, bool mended)
{
    struct fixture *fixture = chaos->fixture;

    if (!mended && rng_below(&chaos->rng, 2))
        chaos_open(chaos);
    if (chaos->job_count && rng_below(&chaos->rng, 3))
        chaos_settle(chaos, mended);
    if (chaos->letter_count && !rng_below(&chaos->rng, 3))
        chaos_letter_done(chaos, mended);
    if (!mended && !rng_below(&chaos->rng, 200))
        chaos_hand_over(chaos);
    if (!rng_below(&chaos->rng, 300))
        core_admit_all(fixture->core, fixture->now);
    if (!rng_below(&chaos->rng, 4))
        pass(fixture, (int64_t)rng_below(&chaos->rng, 400));
    chaos_send(chaos);
    core_check(fixture->core);
}

static void
check_conservation(struct fixture *fixture)
{
    struct core_gauges gauges = gauges_of(fixture);
    struct core_counts counts;
    uint64_t sum = 0;

    core_totals(fixture->core, &counts);
    for (int i = 0; i < EVENT_OUTCOME_COUNT; i++)
        sum += counts.ended[i];
    assert_int_equal(counts.consumed, counts.pending + sum);
    assert_int_equal(counts.pending, gauges.events);
    assert_true(gauges.bytes >= 0);
    assert_int_equal(!gauges.events, !gauges.bytes);
}

static void
chaos_run(struct chaos *chaos)
{
    struct fixture *fixture = chaos->fixture;

    for (int p = 0; p < PARTS; p++)
        chaos->parts[p] = core_assign(fixture->core, 0, 0, NULL);
    for (int step = 0; step < 2000; step++) {
        chaos_step(chaos, false);
        check_conservation(fixture);
    }
    for (int step = 0; gauges_of(fixture).events || chaos->job_count || chaos->letter_count;
         step++) {
        chaos_step(chaos, true);
        if (!chaos->job_count && !chaos->letter_count && gauges_of(fixture).events)
            pass_to_deadline(fixture);
        assert_true(step < 100000);
    }
    expect_empty(fixture);
    for (int p = 0; p < PARTS; p++) {
        const struct core_counts *counts = core_part_counts(chaos->parts[p]);

        assert_int_equal(counts->pending, 0);
    }
}

static void
whatever_happens_nothing_is_lost_and_nothing_stays(void **state)
{
    struct rng rng = unit_rng("letters", 41);

    for (int run = 0; run < 40; run++) {
        struct chaos chaos = {.fixture = *state, .rng = {.state = rng_next(&rng)}};

        chaos_run(&chaos);
        tear_down(state);
        set_up(state);
    }
}

static void
letters_that_are_out_at_the_end_are_freed(void **state)
{
    struct fixture *fixture = *state;

    open_refused(fixture, "a@example.com", SETTLED_FAILED);
    open_refused(fixture, "b@example.com", SETTLED_FAILED);
    expect_letter(fixture, 0);
    core_abandon(fixture->core, fixture->part);
    open_record(fixture, core_assign(fixture->core, 0, 0, NULL)); /* and an event half made */
}

static void
holds_have_names(void **state)
{
    (void)state;
    assert_string_equal(letter_hold_name(LETTER_HOLD_NONE), "none");
    assert_string_equal(letter_hold_name(LETTER_HOLD_OFF), "dead_letter_off");
    assert_string_equal(letter_hold_name(LETTER_HOLD_FAILING), "dead_letter_unavailable");
    assert_string_equal(letter_hold_name(LETTER_HOLD_BUDGET), "dead_letter_budget");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_CORE(an_event_with_two_failed_calls_is_one_letter),
        WITH_CORE(a_letter_carries_the_record_as_it_came),
        WITH_CORE(the_tries_of_a_failed_call_are_told),
        WITH_CORE(the_offset_moves_only_when_the_letter_is_stored),
        WITH_CORE(a_failed_call_lets_its_contact_go_on_at_once),
        WITH_CORE(letters_that_fail_wait_with_back_off),
        WITH_CORE(while_the_topic_fails_nothing_more_becomes_a_letter),
        WITH_CORE(one_letter_at_a_time_finds_out_whether_the_topic_is_back),
        WITH_CORE(a_letter_that_is_stored_takes_back_the_failure_of_another),
        WITH_CORE(a_failing_letter_that_is_given_back_holds_up_nobody),
        WITH_CORE(a_letter_given_back_while_it_is_out_holds_up_nobody_when_it_fails),
        WITH_CORE(a_revoked_part_waits_for_the_report_of_its_letter),
        WITH_CORE(the_letter_of_an_unmapped_event_is_awaited_as_well),
        WITH_CORE(a_letter_that_was_not_handed_over_is_still_written_by_a_drain),
        WITH_CORE(an_unmapped_event_without_a_letter_is_given_back),
        WITH_CORE(a_letter_that_waits_for_the_topic_does_not_keep_a_drain_waiting),
        WITHOUT_DEAD_LETTERS(a_refused_call_does_not_keep_a_drain_waiting),
        WITH_CORE(a_probe_letter_that_is_out_keeps_a_drain_waiting),
        WITHOUT_DEAD_LETTERS(a_call_in_flight_beside_a_refused_one_keeps_a_drain_waiting),
        WITH_CORE(an_abandoned_letter_reports_nothing),
        WITH_CORE(a_release_while_a_letter_is_out_keeps_the_letter_until_it_is_done),
        WITH_CORE(past_the_budget_a_refused_call_holds_its_contact_and_its_offset_only),
        WITH_CORE(the_window_slides_and_lets_it_go),
        WITH_CORE(successes_earn_what_waits_its_way),
        WITH_CORE(what_was_given_back_earns_nothing),
        WITH_CORE(an_event_spends_once_however_many_calls_fail),
        WITH_CORE(two_refused_calls_of_an_event_are_admitted_as_one_letter),
        WITH_CORE(admit_all_lets_everything_go),
        WITH_CORE(what_was_let_go_still_waits_for_the_topic),
        WITH_CORE(an_unmapped_event_is_a_letter_with_its_reason),
        WITHOUT_DEAD_LETTERS(what_could_not_be_mapped_may_be_mapped_again),
        WITHOUT_DEAD_LETTERS(a_redriven_event_that_is_held_is_known_by_where_it_was_read),
        WITH_CORE(an_unmapped_event_past_the_budget_holds_its_part_alone),
        WITH_CORE(mapping_failures_draw_on_the_budget_as_well),
        WITHOUT_DEAD_LETTERS(the_reason_of_what_is_refused_counts_as_pending),
        WITHOUT_DEAD_LETTERS(without_dead_letters_what_is_refused_is_held_for_ever),
        WITH_CORE(whatever_happens_nothing_is_lost_and_nothing_stays),
        WITH_CORE(letters_that_are_out_at_the_end_are_freed),
        WITH_CORE(holds_have_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
