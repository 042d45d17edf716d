/* What delivery/core shows to those who look on. */

#include "core_unit.h"

enum { CAP = 20 };

static struct core_part_view
view_of(struct fixture *fixture)
{
    struct core_part_view view;

    core_part_view(fixture->part, &view);
    return view;
}

static void
a_part_shows_its_offsets_and_its_oldest_event(void **state)
{
    struct fixture *fixture = *state;
    struct core_job *job;

    assert_null(view_of(fixture).oldest);
    assert_int_equal(view_of(fixture).next, 0);
    open_event(fixture, fixture->part, "a@example.com", NULL);
    open_event(fixture, fixture->part, "b@example.com", NULL);
    assert_int_equal(view_of(fixture).next, 2);
    assert_int_equal(view_of(fixture).oldest->offset, 0);
    job = expect_next(fixture, 0, "a@example.com");
    assert_int_equal(core_job_record(job)->offset, 0);
    settle(fixture, job, VERDICT_DONE, SETTLED_DONE);
    assert_int_equal(view_of(fixture).watermark, 1);
    assert_int_equal(view_of(fixture).oldest->offset, 1);
    assert_int_equal(view_of(fixture).committed, 0);
    expect_offset(fixture, 1);
    assert_int_equal(view_of(fixture).committed, 1);
}

static void
the_oldest_event_is_one_that_has_not_ended(void **state)
{
    struct fixture *fixture = *state;
    struct core_event *event = open_record(fixture, fixture->part);
    struct call *calls[] = {call_of("a@example.com", NULL), call_of("b@example.com", NULL)};
    struct core_job *a, *b;

    for (size_t i = 0; i < ARRAY_LEN(calls); i++)
        core_add(fixture->core, event, &calls[i]);
    close_event(fixture, event);
    open_event(fixture, fixture->part, "a@example.com", NULL);
    a = expect_next(fixture, 0, "a@example.com");
    b = expect_next(fixture, 0, "b@example.com");
    settle(fixture, a, VERDICT_DONE, SETTLED_DONE);
    settle(fixture, expect_next(fixture, 1, "a@example.com"), VERDICT_DONE, SETTLED_DONE);
    /* Its slot is still there, since event 0 shares its contact; the event is not. */
    assert_int_equal(view_of(fixture).oldest_offset, 0);
    settle(fixture, b, VERDICT_DONE, SETTLED_DONE);
    assert_int_equal(view_of(fixture).oldest_offset, -1);
    assert_null(view_of(fixture).oldest);
    assert_int_equal(view_of(fixture).watermark, 2);
}

static void
an_event_that_is_left_to_the_next_owner_is_not_the_oldest(void **state)
{
    struct fixture *fixture = *state;
    struct core_job *job;

    open_event(fixture, fixture->part, "a@example.com", NULL);
    open_event(fixture, fixture->part, "b@example.com", NULL);
    job = expect_next(fixture, 0, "a@example.com");
    core_revoke(fixture->core, &fixture->part, 1);
    assert_int_equal(view_of(fixture).oldest_offset, 0);
    assert_true(view_of(fixture).revoked);
    settle(fixture, job, VERDICT_DONE, SETTLED_DONE);
    assert_int_equal(view_of(fixture).oldest_offset, -1);
    assert_int_equal(view_of(fixture).watermark, 1);
}

static void
of_a_redriven_event_the_offset_is_where_it_stands_now(void **state)
{
    struct fixture *fixture = *state;
    struct event original = record_at(4711);
    struct call *call = call_of("a@example.com", NULL);
    struct core_event *event = core_open(fixture->core, fixture->part, 3, &original);

    core_add(fixture->core, event, &call);
    close_event(fixture, event);
    assert_int_equal(view_of(fixture).oldest_offset, 3);
    assert_int_equal(view_of(fixture).oldest->offset, 4711);
}

/* What was folded to an identify and a track has not failed when the first of them is delivered. */
static void
half_of_what_was_folded_is_no_failure(void **state)
{
    struct fixture *fixture = *state;
    struct core_limits limits = default_limits();
    struct core_retry retries[CAP];
    struct call *track = track_of("a@example.com");
    size_t all;

    limits.fold = FOLD_FINAL;
    core_set_limits(fixture->core, &limits);
    track->track.add_tags.items = arena_alloc(&track->arena, sizeof(char *));
    track->track.add_tags.items[0] = "t";
    track->track.add_tags.count = 1;
    open_call(fixture, call_of("a@example.com", NULL));
    open_call(fixture, track);
    settle(fixture, await_next(fixture), VERDICT_DONE, SETTLED_HALFWAY);
    assert_int_equal(core_retries(fixture->core, retries, CAP, &all), 0);
    assert_int_equal(all, 0);
    settle(fixture, await_next(fixture), VERDICT_DONE, SETTLED_DONE);
}

static void
a_call_that_failed_shows_until_it_is_delivered(void **state)
{
    struct fixture *fixture = *state;
    struct core_retry retries[CAP];
    struct core_job *job;
    size_t all;

    open_event(fixture, fixture->part, "a@example.com", NULL);
    assert_int_equal(core_retries(fixture->core, retries, CAP, &all), 0);
    job = await_next(fixture);
    settle_with(fixture, job,
                (struct settlement){
                    .verdict = VERDICT_TRANSIENT, .status = 503, .reason = "503: later, please"},
                SETTLED_WAITING);
    assert_int_equal(core_retries(fixture->core, retries, CAP, &all), 1);
    assert_int_equal(all, 1);
    assert_string_equal(call_email(retries[0].call), "a@example.com");
    assert_string_equal(retries[0].reason, "503: later, please");
    assert_int_equal(retries[0].status, 503);
    assert_int_equal(retries[0].tries, 1);
    assert_true(retries[0].due_ms > fixture->now);
    job = await_next(fixture);
    assert_int_equal(core_retries(fixture->core, retries, CAP, &all), 0); /* on the wire again */
    settle(fixture, job, VERDICT_DONE, SETTLED_DONE);
    assert_int_equal(core_retries(fixture->core, retries, CAP, &all), 0);
}

static void
a_refused_call_shows_as_waiting_for_no_time(void **state)
{
    struct fixture *fixture = *state;
    struct core_retry retries[CAP];
    size_t all;

    open_event(fixture, fixture->part, "a@example.com", NULL);
    settle(fixture, await_next(fixture), VERDICT_PERMANENT, SETTLED_REFUSED);
    assert_int_equal(core_retries(fixture->core, retries, CAP, &all), 1);
    assert_int_equal(retries[0].due_ms, CLOCK_NEVER);
    assert_int_equal(retries[0].verdict, VERDICT_PERMANENT);
}

/* Under a hold their time comes and passes: they must not vanish from sight. */
static void
the_longest_waits_come_first_and_all_are_counted(void **state)
{
    struct fixture *fixture = *state;
    struct core_retry retries[3];
    size_t all, failed = 0;

    for (int i = 0; i < 30; i++) {
        char email[32];

        snprintf(email, sizeof(email), "user%d@example.com", i);
        open_event(fixture, fixture->part, email, NULL);
    }
    for (int i = 0; i < 30; i++) {
        struct core_job *job = core_next(fixture->core, fixture->now);

        failed += job && !core_job_attempts(job);
        if (job)
            settle(fixture, job, VERDICT_TRANSIENT, SETTLED_WAITING);
        pass(fixture, 10);
    }
    pass(fixture, 5000);
    assert_int_equal(core_retries(fixture->core, retries, 3, &all), 3);
    assert_true(failed > 3);
    assert_int_equal(all, failed);
    assert_string_equal(call_email(retries[0].call), "user0@example.com");
    assert_true(retries[0].first_ms <= retries[1].first_ms &&
                retries[1].first_ms <= retries[2].first_ms);
    assert_int_equal(core_retries(fixture->core, retries, 0, &all), 0);
    assert_int_equal(all, failed);
}

static void
a_reason_is_cut_between_characters(void **state)
{
    struct fixture *fixture = *state;
    struct core_retry retries[CAP];
    char reason[200];
    size_t all;

    for (size_t i = 0; i + 2 < sizeof(reason); i += 2)
        memcpy(reason + i, "\xc3\xa4", 3);
    open_event(fixture, fixture->part, "a@example.com", NULL);
    settle_with(fixture, await_next(fixture),
                (struct settlement){.verdict = VERDICT_TRANSIENT, .reason = reason},
                SETTLED_WAITING);
    assert_int_equal(core_retries(fixture->core, retries, CAP, &all), 1);
    assert_true(strlen(retries[0].reason) > 60 && strlen(retries[0].reason) % 2 == 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_CORE(a_part_shows_its_offsets_and_its_oldest_event),
        WITH_CORE(the_oldest_event_is_one_that_has_not_ended),
        WITH_CORE(an_event_that_is_left_to_the_next_owner_is_not_the_oldest),
        WITH_CORE(of_a_redriven_event_the_offset_is_where_it_stands_now),
        WITH_CORE(half_of_what_was_folded_is_no_failure),
        WITH_CORE(a_call_that_failed_shows_until_it_is_delivered),
        WITHOUT_DEAD_LETTERS(a_refused_call_shows_as_waiting_for_no_time),
        WITH_CORE(the_longest_waits_come_first_and_all_are_counted),
        WITH_CORE(a_reason_is_cut_between_characters),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
