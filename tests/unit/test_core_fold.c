/* delivery/core with folding: what goes along with what, and what becomes of it when it does not
 * end well. Whether the contact ends the same is test_fold's matter; here each call has a tag of
 * its own, so that the API sees which calls a request stands for. */
#include "core_unit.h"

/* ---- a core that folds ---- */

static int
set_up_folding(void **state, enum fold_mode mode)
{
    struct core_limits limits = default_limits();

    limits.fold = mode;
    return open_fixture(state, &limits);
}

static int
set_up_safe(void **state)
{
    return set_up_folding(state, FOLD_SAFE);
}

/* Safe, and what is refused is held. */
static int
set_up_holding(void **state)
{
    struct core_limits limits = default_limits();

    limits.fold = FOLD_SAFE;
    limits.dead_letters = false;
    return open_fixture(state, &limits);
}

static int
set_up_final(void **state)
{
    return set_up_folding(state, FOLD_FINAL);
}

static void
add_tag(struct call *call, struct text_list *tags, const char *tag)
{
    tags->items = arena_alloc(&call->arena, sizeof(char *));
    tags->items[0] = arena_text(&call->arena, tag, strlen(tag));
    tags->count = 1;
}

/* An event with one call of a@example.com. */
static void
open_identify(struct fixture *fixture, const char *tag)
{
    struct call *call = call_of("a@example.com", NULL);

    add_tag(call, &call->identify.tags, tag);
    open_call(fixture, call);
}

static void
open_track(struct fixture *fixture, const char *tag)
{
    struct call *call = track_of("a@example.com");

    add_tag(call, &call->track.add_tags, tag);
    open_call(fixture, call);
}

/* The next call, which must be of KIND and have exactly these tags: "a b". */
static struct core_job *
expect_tags(struct fixture *fixture, enum call_kind kind, const char *wanted)
{
    struct core_job *job = core_next(fixture->core, fixture->now);
    const struct text_list *tags;
    char text[1024] = "";

    assert_non_null(job);
    assert_int_equal(core_job_call(job)->kind, kind);
    tags = kind == CALL_IDENTIFY ? &core_job_call(job)->identify.tags
                                 : &core_job_call(job)->track.add_tags;
    for (size_t i = 0; i < tags->count; i++)
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s", i ? " " : "",
                 tags->items[i]);
    assert_string_equal(text, wanted);
    core_check(fixture->core);
    return job;
}

static void
end(struct fixture *fixture, struct core_job *job, enum verdict verdict, int status,
    enum settled expected)
{
    struct settlement settlement = {.verdict = verdict, .status = status, .reason = "reason"};

    assert_int_equal(core_settle(fixture->core, job, &settlement, fixture->now), expected);
    core_check(fixture->core);
    core_tick(fixture->core, fixture->now);
}

/* The next call, which must have these tags, is taken. */
static void
deliver(struct fixture *fixture, enum call_kind kind, const char *wanted)
{
    end(fixture, expect_tags(fixture, kind, wanted), VERDICT_DONE, 200, SETTLED_DONE);
}

/* ---- what goes along ---- */

static void
what_waits_behind_a_call_goes_along_and_ends_with_it(void **state)
{
    struct fixture *fixture = *state;
    struct core_job *job;

    open_identify(fixture, "a");
    open_identify(fixture, "b");
    open_identify(fixture, "c");
    open_track(fixture, "d");
    job = expect_tags(fixture, CALL_IDENTIFY, "a b c");
    assert_int_equal(core_job_folded(job), 2);
    open_identify(fixture, "e"); /* too late to go along */
    expect_nothing(fixture);
    end(fixture, job, VERDICT_DONE, 200, SETTLED_DONE);
    expect_offset(fixture, 3);
    assert_int_equal(gauges_of(fixture).folded, 2);
    deliver(fixture, CALL_TRACK, "d");
    deliver(fixture, CALL_IDENTIFY, "e");
    expect_offset(fixture, 5);
    assert_int_equal(gauges_of(fixture).bytes, 0);
}

static void
off_nothing_goes_along(void **state)
{
    struct fixture *fixture = *state;

    open_identify(fixture, "a");
    open_identify(fixture, "b");
    deliver(fixture, CALL_IDENTIFY, "a");
    deliver(fixture, CALL_IDENTIFY, "b");
    assert_int_equal(gauges_of(fixture).folded, 0);
}

static void
a_rename_is_a_barrier(void **state)
{
    struct fixture *fixture = *state;

    open_identify(fixture, "a");
    open_identify(fixture, "b");
    open_call(fixture, call_of("a@example.com", "new@example.com"));
    open_identify(fixture, "c");
    deliver(fixture, CALL_IDENTIFY, "a b");
    deliver(fixture, CALL_IDENTIFY, "");
    deliver(fixture, CALL_IDENTIFY, "c");
    expect_offset(fixture, 4);
}

static void
finally_an_identify_and_a_track_are_left(void **state)
{
    struct fixture *fixture = *state;

    for (int i = 0; i < 3; i++) {
        open_track(fixture, i ? i > 1 ? "e" : "c" : "a");
        open_identify(fixture, i ? i > 1 ? "f" : "d" : "b");
    }
    end(fixture, expect_tags(fixture, CALL_IDENTIFY, "b d f"), VERDICT_DONE, 200, SETTLED_HALFWAY);
    assert_false(core_commit_is_due(fixture->core)); /* they end together */
    deliver(fixture, CALL_TRACK, "a c e");
    expect_offset(fixture, 6);
    assert_int_equal(gauges_of(fixture).folded, 5);
    assert_int_equal(gauges_of(fixture).bytes, 0);
}

/* ---- what does not end well ---- */

static void
what_fails_for_now_is_tried_again_with_what_has_come_meanwhile(void **state)
{
    struct fixture *fixture = *state;
    struct core_job *job;

    open_identify(fixture, "a");
    open_identify(fixture, "b");
    job = expect_tags(fixture, CALL_IDENTIFY, "a b");
    open_identify(fixture, "c");
    end(fixture, job, VERDICT_TRANSIENT, 500, SETTLED_WAITING);
    expect_nothing(fixture);
    pass_to_deadline(fixture);
    core_tick(fixture->core, fixture->now);
    deliver(fixture, CALL_IDENTIFY, "a b c");
    expect_offset(fixture, 3);
}

static void
a_fold_that_is_refused_is_split_and_only_the_bad_call_fails(void **state)
{
    struct fixture *fixture = *state;
    const struct core_failure *failures;
    struct core_event *letter;

    open_identify(fixture, "a");
    open_identify(fixture, "bad");
    open_identify(fixture, "c");
    end(fixture, expect_tags(fixture, CALL_IDENTIFY, "a bad c"), VERDICT_PERMANENT, 422,
        SETTLED_SPLIT);
    deliver(fixture, CALL_IDENTIFY, "a");
    end(fixture, expect_tags(fixture, CALL_IDENTIFY, "bad"), VERDICT_PERMANENT, 422,
        SETTLED_FAILED);
    deliver(fixture, CALL_IDENTIFY, "c");
    letter = core_letter_next(fixture->core, fixture->now);
    assert_int_equal(core_letter_record(letter)->offset, 1);
    assert_int_equal(core_letter_failures(letter, &failures), 1);
    assert_string_equal(failures[0].call->identify.tags.items[0], "bad");
    core_letter_done(fixture->core, letter, LETTER_STORED, fixture->now);
    assert_null(core_letter_next(fixture->core, fixture->now));
    expect_offset(fixture, 3);
    assert_int_equal(gauges_of(fixture).bytes, 0);
}

static void
halfway_through_a_refused_track_all_are_sent_again(void **state)
{
    struct fixture *fixture = *state;

    open_track(fixture, "a");
    open_identify(fixture, "b");
    end(fixture, expect_tags(fixture, CALL_IDENTIFY, "b"), VERDICT_DONE, 200, SETTLED_HALFWAY);
    end(fixture, expect_tags(fixture, CALL_TRACK, "a"), VERDICT_PERMANENT, 400, SETTLED_SPLIT);
    deliver(fixture, CALL_TRACK, "a");
    deliver(fixture, CALL_IDENTIFY, "b");
    expect_offset(fixture, 2);
}

/* Its identify is delivered each time, which makes it no younger. */
static void
a_track_half_that_always_fails_backs_off_and_is_found_in_the_end(void **state)
{
    struct fixture *fixture = *state;
    struct core_job *job;
    unsigned tries = 0;
    enum settled settled = SETTLED_WAITING;

    open_identify(fixture, "a");
    open_track(fixture, "b");
    while (settled != SETTLED_FAILED) {
        struct settlement reply = {.verdict = VERDICT_TRANSIENT, .status = 500, .reason = "broken"};

        job = await_next(fixture);
        if (core_job_call(job)->kind == CALL_IDENTIFY)
            reply = (struct settlement){.verdict = VERDICT_DONE, .status = 200};
        settled = core_settle(fixture->core, job, &reply, fixture->now);
        core_check(fixture->core);
        tries++;
        assert_true(tries < 200); /* 10 s folded and 10 s alone, about two a second */
        if (tries % 2 == 0)       /* others succeed */
            open_event(fixture, fixture->part, "other@example.com", NULL);
    }
    assert_true(fixture->now < MINUTE);
}

static void
an_unknown_contact_is_created_for_all_of_a_fold(void **state)
{
    struct fixture *fixture = *state;

    open_track(fixture, "a");
    open_track(fixture, "b");
    end(fixture, expect_tags(fixture, CALL_TRACK, "a b"), VERDICT_UNKNOWN_CONTACT, 404,
        SETTLED_WAITING);
    end(fixture, expect_tags(fixture, CALL_IDENTIFY, ""), VERDICT_DONE, 200, SETTLED_CREATED);
    deliver(fixture, CALL_TRACK, "a b");
    expect_offset(fixture, 2);
}

/* ---- partitions that go ---- */

static struct core_part *
open_in_another_part(struct fixture *fixture, const char *tag)
{
    struct core_part *other = core_assign(fixture->core, 0, 0, &fixture->now);
    struct call *call = call_of("a@example.com", NULL);
    struct event record = record_at(0);
    struct core_event *event = core_open(fixture->core, other, record.offset, &record);

    add_tag(call, &call->identify.tags, tag);
    core_add(fixture->core, event, &call);
    close_event(fixture, event);
    return other;
}

static void
a_hand_over_waits_for_what_goes_along(void **state)
{
    struct fixture *fixture = *state;
    struct core_part *other;
    struct core_job *job;

    open_identify(fixture, "a");
    other = open_in_another_part(fixture, "b");
    job = expect_tags(fixture, CALL_IDENTIFY, "a b");
    assert_true(core_job_is_of(job, fixture) && core_job_is_of(job, &fixture->now));
    core_revoke(fixture->core, &other, 1);
    assert_false(core_is_drained(fixture->core, other));
    end(fixture, job, VERDICT_DONE, 200, SETTLED_DONE);
    assert_true(core_is_drained(fixture->core, other));
    assert_int_equal(core_part_counts(other)->ended[EVENT_DELIVERED], 1);
    core_release(fixture->core, other);
}

static void
a_hand_over_waits_for_what_goes_along_though_another_call_of_its_event_is_held(void **state)
{
    struct fixture *fixture = *state;
    struct core_part *other = core_assign(fixture->core, 0, 0, &fixture->now);
    struct call *along = call_of("a@example.com", NULL), *held = call_of("b@example.com", NULL);
    struct event record = record_at(0);
    struct core_event *event;
    struct core_job *job;

    open_identify(fixture, "a");
    event = core_open(fixture->core, other, record.offset, &record);
    add_tag(along, &along->identify.tags, "c");
    core_add(fixture->core, event, &along);
    core_add(fixture->core, event, &held);
    close_event(fixture, event);
    job = expect_tags(fixture, CALL_IDENTIFY, "a c");
    end(fixture, expect_tags(fixture, CALL_IDENTIFY, ""), VERDICT_PERMANENT, 422, SETTLED_REFUSED);
    core_revoke(fixture->core, &other, 1);
    assert_false(core_is_drained(fixture->core, other));
    end(fixture, job, VERDICT_DONE, 200, SETTLED_DONE);
    assert_true(core_is_drained(fixture->core, other));
    core_release(fixture->core, other);
}

static void
an_unknown_contact_of_the_track_half_is_not_held_against_the_identify(void **state)
{
    struct fixture *fixture = *state;
    struct gate_limits gate = default_gate();

    core_set_account(fixture->core, 0, &gate, UNKNOWN_DEAD_LETTER, fixture->now);
    open_identify(fixture, "a");
    open_track(fixture, "b");
    end(fixture, expect_tags(fixture, CALL_IDENTIFY, "a"), VERDICT_DONE, 200, SETTLED_HALFWAY);
    end(fixture, expect_tags(fixture, CALL_TRACK, "b"), VERDICT_UNKNOWN_CONTACT, 404,
        SETTLED_SPLIT);
    deliver(fixture, CALL_IDENTIFY, "a");
    deliver(fixture, CALL_TRACK, "b");
    expect_offset(fixture, 2);
}

static void
what_was_lost_is_not_sent_again(void **state)
{
    struct fixture *fixture = *state;
    struct core_part *other;
    struct core_job *job;

    open_identify(fixture, "a");
    other = open_in_another_part(fixture, "b");
    open_identify(fixture, "c");
    job = expect_tags(fixture, CALL_IDENTIFY, "a b c");
    core_release(fixture->core, other);
    core_check(fixture->core);
    end(fixture, job, VERDICT_TRANSIENT, 500, SETTLED_WAITING);
    pass_to_deadline(fixture);
    core_tick(fixture->core, fixture->now);
    deliver(fixture, CALL_IDENTIFY, "a c");
    expect_offset(fixture, 2);
}

/* The first call of a fold of two is lost with its partition, and then the reply comes. */
static void
lose_the_first_of_a_fold(struct fixture *fixture, enum verdict verdict, int status)
{
    struct core_part *other = open_in_another_part(fixture, "a");
    struct core_job *job;

    open_identify(fixture, "b");
    job = expect_tags(fixture, CALL_IDENTIFY, "a b");
    core_release(fixture->core, other);
    end(fixture, job, verdict, status, SETTLED_FORGOTTEN);
}

static void
what_is_left_of_a_fold_whose_first_call_was_lost_is_sent(void **state)
{
    struct fixture *fixture = *state;

    lose_the_first_of_a_fold(fixture, VERDICT_TRANSIENT, 500);
    deliver(fixture, CALL_IDENTIFY, "b");
    expect_offset(fixture, 1);
}

static void
what_went_along_with_a_call_that_was_lost_is_done_when_that_is(void **state)
{
    struct fixture *fixture = *state;

    lose_the_first_of_a_fold(fixture, VERDICT_DONE, 200);
    expect_nothing(fixture);
    expect_offset(fixture, 1);
}

static void
halfway_what_was_lost_is_left_out_of_the_track(void **state)
{
    struct fixture *fixture = *state;
    struct core_part *other;
    struct core_job *job;

    open_track(fixture, "a");
    other = open_in_another_part(fixture, "b");
    open_track(fixture, "c");
    job = expect_tags(fixture, CALL_IDENTIFY, "b");
    core_release(fixture->core, other);
    end(fixture, job, VERDICT_DONE, 200, SETTLED_HALFWAY);
    deliver(fixture, CALL_TRACK, "a c");
    expect_offset(fixture, 2);
}

#define SAFE(test) cmocka_unit_test_setup_teardown(test, set_up_safe, tear_down)
#define FINAL(test) cmocka_unit_test_setup_teardown(test, set_up_final, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        SAFE(what_waits_behind_a_call_goes_along_and_ends_with_it),
        cmocka_unit_test_setup_teardown(off_nothing_goes_along, set_up, tear_down),
        SAFE(a_rename_is_a_barrier),
        FINAL(finally_an_identify_and_a_track_are_left),
        SAFE(what_fails_for_now_is_tried_again_with_what_has_come_meanwhile),
        SAFE(a_fold_that_is_refused_is_split_and_only_the_bad_call_fails),
        FINAL(halfway_through_a_refused_track_all_are_sent_again),
        FINAL(a_track_half_that_always_fails_backs_off_and_is_found_in_the_end),
        SAFE(an_unknown_contact_is_created_for_all_of_a_fold),
        SAFE(a_hand_over_waits_for_what_goes_along),
        cmocka_unit_test_setup_teardown(
            a_hand_over_waits_for_what_goes_along_though_another_call_of_its_event_is_held,
            set_up_holding, tear_down),
        FINAL(an_unknown_contact_of_the_track_half_is_not_held_against_the_identify),
        SAFE(what_was_lost_is_not_sent_again),
        SAFE(what_is_left_of_a_fold_whose_first_call_was_lost_is_sent),
        SAFE(what_went_along_with_a_call_that_was_lost_is_done_when_that_is),
        FINAL(halfway_what_was_lost_is_left_out_of_the_track),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
