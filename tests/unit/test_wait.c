/* What the first unfinished event of a partition waits for (core_part_waits). */
#include "core_unit.h"

static void
expect_wait(struct fixture *fixture, enum event_wait on, int64_t offset, uint64_t events)
{
    struct core_wait wait;

    assert_true(core_part_waits(fixture->part, &wait));
    assert_string_equal(event_wait_name(wait.on), event_wait_name(on));
    assert_int_equal(wait.offset, offset);
    assert_int_equal(wait.events, events);
}

static void
a_call_waits_for_its_account_its_reply_and_its_repetition(void **state)
{
    struct fixture *fixture = *state;
    struct core_wait wait;
    struct core_job *job;

    assert_false(core_part_waits(fixture->part, &wait));
    open_event(fixture, fixture->part, "a@example.com", NULL);
    open_event(fixture, fixture->part, "a@example.com", NULL);
    expect_wait(fixture, WAIT_ACCOUNT, 0, 2);
    job = expect_next(fixture, 0, "a@example.com");
    expect_wait(fixture, WAIT_REPLY, 0, 2);
    settle(fixture, job, VERDICT_TRANSIENT, SETTLED_WAITING);
    expect_wait(fixture, WAIT_RETRY, 0, 2);
    settle(fixture, await_next(fixture), VERDICT_DONE, SETTLED_DONE);
    expect_wait(fixture, WAIT_ACCOUNT, 1, 1);
    settle(fixture, await_next(fixture), VERDICT_DONE, SETTLED_DONE);
    assert_false(core_part_waits(fixture->part, &wait));
}

static void
an_event_behind_another_partitions_call_waits_for_its_contact(void **state)
{
    struct fixture *fixture = *state;
    struct core_part *other = core_assign(fixture->core, 0, 0, fixture);

    open_event(fixture, other, "a@example.com", NULL);
    open_event(fixture, fixture->part, "a@example.com", NULL);
    expect_wait(fixture, WAIT_CONTACT, 1, 1);
    expect_next(fixture, 0, "a@example.com");
    expect_wait(fixture, WAIT_CONTACT, 1, 1);
}

static void
of_several_calls_the_nearest_to_its_end_counts(void **state)
{
    struct fixture *fixture = *state;

    open_event(fixture, fixture->part, "a@example.com", "a@example.com", "b@example.com", NULL);
    settle(fixture, expect_next(fixture, 0, "a@example.com"), VERDICT_TRANSIENT, SETTLED_WAITING);
    expect_wait(fixture, WAIT_ACCOUNT, 0, 1);
    expect_next(fixture, 0, "b@example.com");
    expect_wait(fixture, WAIT_REPLY, 0, 1);
}

static void
what_failed_waits_for_its_permit_or_the_topic(void **state)
{
    struct fixture *fixture = *state;
    struct core_event *event = open_record(fixture, fixture->part);

    assert_true(core_refuse(fixture->core, event, "no rule can read it", fixture->now));
    expect_wait(fixture, WAIT_LETTER, 0, 1);
    assert_ptr_equal(core_letter_next(fixture->core, fixture->now), event);
    expect_wait(fixture, WAIT_LETTER, 0, 1);
    core_letter_done(fixture->core, event, LETTER_STORED, fixture->now);
}

static void
without_dead_letters_what_failed_waits_for_ever(void **state)
{
    struct fixture *fixture = *state;
    struct core_event *event;

    open_event(fixture, fixture->part, "a@example.com", NULL);
    settle(fixture, expect_next(fixture, 0, "a@example.com"), VERDICT_PERMANENT, SETTLED_REFUSED);
    expect_wait(fixture, WAIT_PERMIT, 0, 1);
    event = open_record(fixture, fixture->part);
    assert_false(core_refuse(fixture->core, event, "no rule can read it", fixture->now));
    expect_wait(fixture, WAIT_PERMIT, 0, 2);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_CORE(a_call_waits_for_its_account_its_reply_and_its_repetition),
        WITH_CORE(an_event_behind_another_partitions_call_waits_for_its_contact),
        WITH_CORE(of_several_calls_the_nearest_to_its_end_counts),
        WITH_CORE(what_failed_waits_for_its_permit_or_the_topic),
        WITHOUT_DEAD_LETTERS(without_dead_letters_what_failed_waits_for_ever),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
