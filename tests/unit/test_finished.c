/* When an event counts as finished, and how the next owner of its partition learns of it. */
#include "core_unit.h"

#include "base/xalloc.h"

enum { MANY = 30000 };

static const uint64_t binding = 0xb1d;

static int
set_up_bound(void **state)
{
    struct core_limits limits = default_limits();
    struct fixture *fixture;

    limits.max_events = MANY;
    limits.max_bytes = 1 << 26;
    open_fixture(state, &limits);
    fixture = *state;
    core_part_bind(fixture->part, binding, NULL);
    return 0;
}

/* Commits and says what was committed, as "offset: finished above it". */
static void
expect_commit(struct fixture *fixture, int64_t offset, const char *finished)
{
    struct core_offset offsets[4];
    struct progress progress = {.highest = -1};
    struct buf text;
    size_t next = 0;

    assert_true(core_commit_is_due(fixture->core));
    assert_int_equal(core_commit(fixture->core, offsets, 4), 1);
    assert_int_equal(offsets[0].offset, offset);
    if (offsets[0].metadata)
        assert_true(progress_read(offsets[0].metadata, strlen(offsets[0].metadata), binding, offset,
                                  &progress));
    core_committed(fixture->core, true);
    assert_true(core_part_is_committed(fixture->part));
    buf_init(&text, 4096);
    for (int64_t at = offset; at <= progress.highest; at++) {
        if (next < progress.count && progress.unfinished[next] == at)
            next++;
        else
            buf_printf(&text, " %d", (int)at);
    }
    assert_string_equal(buf_text(&text), finished);
    buf_fini(&text);
    xfree(progress.unfinished);
}

static void
deliver(struct fixture *fixture, int64_t offset, const char *email)
{
    settle(fixture, expect_next(fixture, offset, email), VERDICT_DONE, SETTLED_DONE);
}

static void
what_is_finished_above_the_offset_is_committed_with_it(void **state)
{
    struct fixture *fixture = *state;
    struct core_job *waits;

    open_event(fixture, fixture->part, "a@example.com", NULL);
    open_event(fixture, fixture->part, "b@example.com", NULL);
    open_event(fixture, fixture->part, "c@example.com", NULL);
    waits = expect_next(fixture, 0, "a@example.com");
    assert_false(core_commit_is_due(fixture->core));
    deliver(fixture, 1, "b@example.com");
    expect_commit(fixture, 0, " 1");
    assert_false(core_commit_is_due(fixture->core));
    deliver(fixture, 2, "c@example.com");
    expect_commit(fixture, 0, " 1 2");
    settle(fixture, waits, VERDICT_DONE, SETTLED_DONE);
    expect_commit(fixture, 3, "");
}

static void
what_an_earlier_owner_has_finished_is_skipped_and_counted_so(void **state)
{
    struct fixture *fixture = *state;
    int64_t *unfinished = xcalloc(2, sizeof(*unfinished));
    struct progress progress = {.highest = 4, .unfinished = unfinished, .count = 2};
    const struct core_counts *counts;

    unfinished[0] = 0;
    unfinished[1] = 3;
    core_release(fixture->core, fixture->part);
    fixture->part = core_assign(fixture->core, 0, 0, fixture);
    core_part_bind(fixture->part, binding, &progress);
    assert_null(progress.unfinished);
    counts = core_part_counts(fixture->part);
    open_event(fixture, fixture->part, "a@example.com", NULL);
    assert_null(open_record(fixture, fixture->part));
    assert_false(core_commit_is_due(fixture->core));
    assert_null(open_record(fixture, fixture->part));
    assert_int_equal(counts->consumed, 3);
    assert_int_equal(counts->ended[EVENT_SKIPPED], 2);
    assert_int_equal(counts->finished_before, 2);
    deliver(fixture, 0, "a@example.com");
    expect_commit(fixture, 3, " 4"); /* not read yet, and not forgotten */
    open_event(fixture, fixture->part, "a@example.com", NULL);
    assert_null(open_record(fixture, fixture->part));
    open_event(fixture, fixture->part, "a@example.com", NULL);
    deliver(fixture, 3, "a@example.com");
    expect_commit(fixture, 5, "");
    deliver(fixture, 5, "a@example.com");
    expect_commit(fixture, 6, "");
}

/* Were B not sent again after the crash that makes A come again, its contact would end as A has it.
 */
static void
behind_a_half_done_event_of_its_contact_none_is_finished(void **state)
{
    struct fixture *fixture = *state;
    struct core_job *waits;

    open_event(fixture, fixture->part, "a@example.com", "x@example.com", NULL);
    open_event(fixture, fixture->part, "x@example.com", "y@example.com", NULL);
    open_event(fixture, fixture->part, "y@example.com", NULL);
    open_event(fixture, fixture->part, "z@example.com", NULL);
    waits = expect_next(fixture, 0, "a@example.com");
    deliver(fixture, 0, "x@example.com");
    deliver(fixture, 1, "x@example.com");
    deliver(fixture, 1, "y@example.com");
    deliver(fixture, 2, "y@example.com");
    deliver(fixture, 3, "z@example.com");
    expect_commit(fixture, 0, " 3");
    assert_int_equal(core_part_counts(fixture->part)->pending, 1);
    settle(fixture, waits, VERDICT_DONE, SETTLED_DONE);
    expect_commit(fixture, 4, "");
    assert_int_equal(gauges_of(fixture).bytes, 0);
}

static void
a_rename_that_is_half_done_holds_both_of_its_contacts(void **state)
{
    struct fixture *fixture = *state;
    struct core_event *event = open_record(fixture, fixture->part);
    struct call *rename = call_of("old@example.com", "new@example.com");
    struct call *other = call_of("a@example.com", NULL);
    struct core_job *waits;

    core_add(fixture->core, event, &other);
    core_add(fixture->core, event, &rename);
    close_event(fixture, event);
    open_event(fixture, fixture->part, "new@example.com", NULL);
    open_event(fixture, fixture->part, "old@example.com", NULL);
    waits = expect_next(fixture, 0, "a@example.com");
    deliver(fixture, 0, "old@example.com");
    deliver(fixture, 1, "new@example.com");
    deliver(fixture, 2, "old@example.com");
    assert_false(core_commit_is_due(fixture->core));
    settle(fixture, waits, VERDICT_DONE, SETTLED_DONE);
    expect_commit(fixture, 3, "");
}

static void
behind_a_dead_letter_that_is_not_stored_none_is_finished(void **state)
{
    struct fixture *fixture = *state;
    struct core_event *letter;

    open_event(fixture, fixture->part, "a@example.com", NULL);
    open_event(fixture, fixture->part, "a@example.com", NULL);
    open_event(fixture, fixture->part, "b@example.com", NULL);
    settle(fixture, expect_next(fixture, 0, "a@example.com"), VERDICT_PERMANENT, SETTLED_FAILED);
    deliver(fixture, 1, "a@example.com");
    deliver(fixture, 2, "b@example.com");
    expect_commit(fixture, 0, " 2");
    letter = core_letter_next(fixture->core, fixture->now);
    core_letter_done(fixture->core, letter, LETTER_STORED, fixture->now);
    expect_commit(fixture, 3, "");
}

static void
an_event_of_another_partition_holds_nothing_up(void **state)
{
    struct fixture *fixture = *state;
    struct core_part *other = core_assign(fixture->core, 0, 0, NULL);
    struct core_job *waits;

    open_event(fixture, other, "a@example.com", "x@example.com", NULL); /* offset 0 */
    open_event(fixture, fixture->part, "b@example.com", NULL);
    open_event(fixture, fixture->part, "x@example.com", NULL);
    waits = expect_next(fixture, 0, "a@example.com");
    deliver(fixture, 0, "x@example.com");
    expect_next(fixture, 1, "b@example.com");
    deliver(fixture, 2, "x@example.com");
    expect_commit(fixture, 1, " 2");
    settle(fixture, waits, VERDICT_DONE, SETTLED_DONE);
}

static void
what_is_given_back_is_not_finished_and_what_is_above_it_may_be(void **state)
{
    struct fixture *fixture = *state;

    for (int i = 0; i < 3; i++)
        open_event(fixture, fixture->part, "a@example.com", NULL);
    open_event(fixture, fixture->part, "b@example.com", NULL);
    deliver(fixture, 0, "a@example.com");
    expect_next(fixture, 1, "a@example.com"); /* begun */
    deliver(fixture, 3, "b@example.com");
    core_revoke(fixture->core, &fixture->part, 1);
    expect_commit(fixture, 1, " 3");
    core_abandon(fixture->core, fixture->part);
    assert_true(core_part_is_committed(fixture->part));
}

/* A contact that waits, and one of its neighbours that never rests. */
static void
a_part_is_not_read_on_when_the_text_of_its_progress_may_get_too_long(void **state)
{
    struct fixture *fixture = *state;
    struct core_job *waits;
    int64_t count = 0;

    open_event(fixture, fixture->part, "a@example.com", "x@example.com", NULL);
    waits = expect_next(fixture, 0, "a@example.com");
    deliver(fixture, 0, "x@example.com");
    while (core_has_room(fixture->core, fixture->part, fixture->now)) {
        open_event(fixture, fixture->part, "x@example.com", NULL);
        deliver(fixture, ++count, "x@example.com");
        assert_true(count < MANY);
    }
    assert_in_range(count, PROGRESS_OFFSETS_MAX / 2, PROGRESS_OFFSETS_MAX);
    assert_int_equal(gauges_of(fixture).full_parts, 1);
    settle(fixture, waits, VERDICT_DONE, SETTLED_DONE);
    assert_true(core_has_room(fixture->core, fixture->part, fixture->now));
    expect_commit(fixture, count + 1, "");
}

static void
a_part_that_comes_with_a_full_text_is_read_on(void **state)
{
    struct fixture *fixture = *state;
    size_t count = PROGRESS_OFFSETS_MAX - 20;
    struct progress progress = {.highest = (int64_t)count, .count = count};

    progress.unfinished = xcalloc(count, sizeof(progress.unfinished[0]));
    for (size_t i = 0; i < count; i++)
        progress.unfinished[i] = (int64_t)i;
    core_release(fixture->core, fixture->part);
    fixture->part = core_assign(fixture->core, 0, 0, fixture);
    core_part_bind(fixture->part, binding, &progress);
    for (size_t i = 0; i < count; i++) {
        assert_true(core_has_room(fixture->core, fixture->part, fixture->now));
        open_event(fixture, fixture->part, "x@example.com", NULL);
    }
    assert_null(open_record(fixture, fixture->part));
    assert_false(core_has_room(fixture->core, fixture->part, fixture->now));
}

static void
texts_that_are_too_long_for_the_broker_are_halved(void **state)
{
    struct fixture *fixture = *state;
    struct core_offset offsets[1];
    size_t last = PROGRESS_TEXT_MAX, bytes;

    for (int i = 0; i < 200; i++) {
        char email[32];

        snprintf(email, sizeof(email), "user%d@example.com", i);
        open_event(fixture, fixture->part, email, NULL);
    }
    for (int i = 0; i < 200; i++) {
        struct core_job *job = core_next(fixture->core, fixture->now);

        if (!job)
            break;
        if (core_job_offset(job) % 2)
            settle(fixture, job, VERDICT_DONE, SETTLED_DONE);
    }
    do {
        assert_int_equal(core_commit(fixture->core, offsets, 1), 1);
        core_committed(fixture->core, false);
        assert_true(!offsets[0].metadata || strlen(offsets[0].metadata) <= last);
        bytes = core_shorten_progress(fixture->core);
        assert_int_equal(bytes, last / 2);
        last = bytes;
    } while (bytes);
    assert_int_equal(core_commit(fixture->core, offsets, 1), 1);
    assert_null(offsets[0].metadata);
    core_committed(fixture->core, true);
    assert_false(core_commit_is_due(fixture->core));
}

static void
an_offset_that_was_refused_alone_is_committed_again(void **state)
{
    struct fixture *fixture = *state;
    struct core_part *other = core_assign(fixture->core, 0, 0, NULL);
    struct core_offset offsets[2];

    open_event(fixture, other, "a@example.com", NULL);
    open_event(fixture, fixture->part, "b@example.com", NULL);
    deliver(fixture, 0, "a@example.com");
    deliver(fixture, 1, "b@example.com");
    assert_int_equal(core_commit(fixture->core, offsets, 2), 2);
    core_commit_refused(fixture->core, other);
    core_committed(fixture->core, true);
    assert_true(core_part_is_committed(fixture->part));
    assert_false(core_part_is_committed(other));
    assert_int_equal(core_commit(fixture->core, offsets, 2), 1);
    core_committed(fixture->core, true);
}

static void
after_a_gap_no_call_starts_before_a_commit_was_stored(void **state)
{
    struct fixture *fixture = *state;
    struct core_offset offsets[4];

    open_event(fixture, fixture->part, "a@example.com", NULL);
    open_event(fixture, fixture->part, "b@example.com", NULL);
    deliver(fixture, 0, "a@example.com");
    assert_int_equal(core_commit(fixture->core, offsets, 4), 1);
    core_doubt(fixture->core);
    expect_nothing(fixture);
    core_committed(fixture->core, true); /* it was sent before */
    expect_nothing(fixture);
    assert_int_equal(core_commit(fixture->core, offsets, 4), 1);
    core_committed(fixture->core, false);
    expect_nothing(fixture);
    assert_int_equal(core_commit(fixture->core, offsets, 4), 1);
    core_committed(fixture->core, true);
    deliver(fixture, 1, "b@example.com");
}

static void
after_a_gap_a_part_that_is_refused_alone_keeps_no_other_waiting(void **state)
{
    struct fixture *fixture = *state;
    struct core_part *other = core_assign(fixture->core, 0, 0, NULL);
    struct core_offset offsets[4];

    open_event(fixture, other, "a@example.com", NULL);
    deliver(fixture, 0, "a@example.com");
    core_doubt(fixture->core);
    assert_int_equal(core_commit(fixture->core, offsets, 4), 2);
    core_commit_refused(fixture->core, other);
    core_committed(fixture->core, true); /* of the same member, so both are still its own */
    assert_false(core_is_doubted(fixture->core));
    assert_false(core_part_is_committed(other));
    open_event(fixture, fixture->part, "b@example.com", NULL);
    deliver(fixture, 1, "b@example.com");
}

static void
after_a_gap_what_is_released_is_in_nobodys_way(void **state)
{
    struct fixture *fixture = *state;

    core_doubt(fixture->core);
    core_release(fixture->core, fixture->part);
    fixture->part = core_assign(fixture->core, 0, 0, fixture);
    open_event(fixture, fixture->part, "a@example.com", NULL);
    deliver(fixture, 0, "a@example.com");
}

/* A request that was started and, when its turn to be sent came, might be another's. */
static void
after_a_gap_a_call_that_was_kept_back_has_lost_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct settlement aborted = {.verdict = VERDICT_TRANSIENT, .aborted = true};
    struct core_offset offsets[4];
    struct core_job *job;

    open_event(fixture, fixture->part, "a@example.com", NULL);
    job = expect_next(fixture, 0, "a@example.com");
    core_doubt(fixture->core);
    settle_with(fixture, job, aborted, SETTLED_WAITING);
    pass(fixture, 0);
    expect_nothing(fixture);
    assert_int_equal(core_commit(fixture->core, offsets, 4), 1);
    core_committed(fixture->core, true);
    job = expect_next(fixture, 0, "a@example.com"); /* at once, and as if it were the first try */
    assert_int_equal(core_job_attempts(job), 0);
    settle(fixture, job, VERDICT_DONE, SETTLED_DONE);
}

#define BOUND(test) cmocka_unit_test_setup_teardown(test, set_up_bound, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        BOUND(what_is_finished_above_the_offset_is_committed_with_it),
        BOUND(what_an_earlier_owner_has_finished_is_skipped_and_counted_so),
        BOUND(behind_a_half_done_event_of_its_contact_none_is_finished),
        BOUND(a_rename_that_is_half_done_holds_both_of_its_contacts),
        BOUND(behind_a_dead_letter_that_is_not_stored_none_is_finished),
        BOUND(an_event_of_another_partition_holds_nothing_up),
        BOUND(what_is_given_back_is_not_finished_and_what_is_above_it_may_be),
        BOUND(a_part_is_not_read_on_when_the_text_of_its_progress_may_get_too_long),
        BOUND(a_part_that_comes_with_a_full_text_is_read_on),
        BOUND(texts_that_are_too_long_for_the_broker_are_halved),
        BOUND(an_offset_that_was_refused_alone_is_committed_again),
        BOUND(after_a_gap_no_call_starts_before_a_commit_was_stored),
        BOUND(after_a_gap_a_part_that_is_refused_alone_keeps_no_other_waiting),
        BOUND(after_a_gap_a_call_that_was_kept_back_has_lost_nothing),
        BOUND(after_a_gap_what_is_released_is_in_nobodys_way),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
