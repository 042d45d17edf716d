/* What is remembered of a partition that was lost, and when it counts. */
#include "core_unit.h"

#include "base/xalloc.h"

static const uint64_t binding = 0xb1d;

/* What the broker has. */
struct stored {
    int64_t offset;
    char text[PROGRESS_TEXT_MAX + 1];
};

static void
store(struct stored *stored, int64_t offset, const char *text)
{
    stored->offset = offset;
    snprintf(stored->text, sizeof(stored->text), "%s", text ? text : "");
}

/* Starts a commit; STORED, unless NULL, becomes what it says. */
static void
commit_start(struct fixture *fixture, struct stored *stored)
{
    struct core_offset offsets[4];

    assert_int_equal(core_commit(fixture->core, offsets, 4), 1);
    if (stored)
        store(stored, offsets[0].offset, offsets[0].metadata);
}

static void
commit(struct fixture *fixture, struct stored *stored)
{
    commit_start(fixture, stored);
    core_committed(fixture->core, true);
}

/* The part comes (back) with what is stored. True: something was remembered. */
static bool
assign(struct fixture *fixture, const struct stored *stored)
{
    struct progress progress;
    size_t len = strlen(stored->text);
    bool found = progress_read(stored->text, len, binding, stored->offset, &progress);

    fixture->part = core_assign(fixture->core, stored->offset, stored->offset, fixture);
    fixture->next = stored->offset;
    core_part_bind(fixture->part, binding, found ? &progress : NULL);
    return core_part_recall(fixture->core, fixture->part, stored->text, len) != NULL;
}

static void
lose(struct fixture *fixture)
{
    core_lose(fixture->core, fixture->part, 7);
    fixture->part = NULL;
}

static void
deliver(struct fixture *fixture, int64_t offset, const char *email)
{
    settle(fixture, expect_next(fixture, offset, email), VERDICT_DONE, SETTLED_DONE);
}

/* Offset 0 is finished and stored, 1 in flight, 2 and 3 are finished since, 4 waits. STORED is what
 * the broker has. Returns the call in flight. */
static struct core_job *
work(struct fixture *fixture, struct stored *stored)
{
    struct core_job *job;

    core_release(fixture->core, fixture->part);
    store(stored, 0, "");
    assert_false(assign(fixture, stored));
    open_event(fixture, fixture->part, "a@example.com", NULL);
    deliver(fixture, 0, "a@example.com");
    commit(fixture, stored);
    assert_int_equal(stored->offset, 1);
    open_event(fixture, fixture->part, "b@example.com", NULL);
    open_event(fixture, fixture->part, "c@example.com", NULL);
    open_event(fixture, fixture->part, "d@example.com", NULL);
    open_event(fixture, fixture->part, "b@example.com", NULL);
    job = expect_next(fixture, 1, "b@example.com");
    deliver(fixture, 2, "c@example.com");
    deliver(fixture, 3, "d@example.com");
    return job;
}

static void
expect_two_to_be_skipped(struct fixture *fixture)
{
    const struct core_counts *counts = core_part_counts(fixture->part);
    struct stored stored;

    assert_true(core_commit_is_due(fixture->core)); /* so that a crash does not repeat it either */
    commit(fixture, &stored);
    assert_int_equal(stored.offset, 1);
    assert_true(*stored.text);
    open_event(fixture, fixture->part, "b@example.com", NULL);
    assert_null(open_record(fixture, fixture->part));
    assert_null(open_record(fixture, fixture->part));
    open_event(fixture, fixture->part, "b@example.com", NULL);
    assert_int_equal(counts->ended[EVENT_SKIPPED], 2);
    assert_int_equal(counts->finished_before, 2);
    deliver(fixture, 1, "b@example.com");
    deliver(fixture, 4, "b@example.com");
    expect_nothing(fixture);
    commit(fixture, &stored);
    assert_int_equal(stored.offset, 5);
}

static void
expect_all_again(struct fixture *fixture, int64_t from)
{
    static const char *const emails[] = {"a@example.com", "b@example.com", "c@example.com",
                                         "d@example.com"};

    for (int64_t offset = from; offset < 4; offset++)
        open_event(fixture, fixture->part, emails[offset], NULL);
    for (int64_t offset = from; offset < 4; offset++)
        deliver(fixture, offset, emails[offset]);
    assert_int_equal(core_part_counts(fixture->part)->ended[EVENT_SKIPPED], 0);
}

static void
what_was_finished_is_skipped_where_nobody_has_committed_since(void **state)
{
    struct fixture *fixture = *state;
    struct stored stored;
    struct core_job *job = work(fixture, &stored);

    lose(fixture);
    settle(fixture, job, VERDICT_DONE, SETTLED_FORGOTTEN); /* too late to count */
    assert_true(assign(fixture, &stored));
    expect_two_to_be_skipped(fixture);
}

static void
so_it_is_where_the_commit_that_was_out_was_stored_after_all(void **state)
{
    struct fixture *fixture = *state;
    struct stored stored;
    struct core_job *job = work(fixture, &stored);

    open_event(fixture, fixture->part, "e@example.com", NULL);
    commit_start(fixture, &stored); /* says that 2 and 3 are finished */
    deliver(fixture, 5, "e@example.com");
    core_committed(fixture->core, false);
    lose(fixture);
    settle(fixture, job, VERDICT_DONE, SETTLED_FORGOTTEN);
    assert_true(assign(fixture, &stored));
    open_event(fixture, fixture->part, "b@example.com", NULL);
    assert_null(open_record(fixture, fixture->part));
    assert_null(open_record(fixture, fixture->part));
    open_event(fixture, fixture->part, "b@example.com", NULL);
    assert_null(open_record(fixture, fixture->part));
}

static void
so_it_is_where_a_commit_that_moved_the_offset_was_stored_after_all(void **state)
{
    struct fixture *fixture = *state;
    struct stored stored;

    settle(fixture, work(fixture, &stored), VERDICT_DONE, SETTLED_DONE);
    commit_start(fixture, &stored);
    assert_int_equal(stored.offset, 4);
    deliver(fixture, 4, "b@example.com");
    lose(fixture); /* while it is out */
    core_committed(fixture->core, false);
    assert_true(assign(fixture, &stored));
    assert_null(open_record(fixture, fixture->part));
    open_event(fixture, fixture->part, "f@example.com", NULL);
    deliver(fixture, 5, "f@example.com");
}

static void
where_somebody_has_committed_since_everything_is_sent_again(void **state)
{
    struct fixture *fixture = *state;
    struct stored stored, other;
    struct core_job *job = work(fixture, &stored);

    lose(fixture);
    settle(fixture, job, VERDICT_DONE, SETTLED_FORGOTTEN);
    store(&other, 1, "somebody else's");
    assert_false(assign(fixture, &other));
    expect_all_again(fixture, 1);
    core_release(fixture->core, fixture->part); /* once it was asked for it is forgotten */
    assert_false(assign(fixture, &stored));
    expect_all_again(fixture, 1);
}

static void
where_the_offset_was_set_back_everything_is_sent_again(void **state)
{
    struct fixture *fixture = *state;
    struct stored stored, other;
    struct core_job *job = work(fixture, &stored);

    lose(fixture);
    settle(fixture, job, VERDICT_DONE, SETTLED_FORGOTTEN);
    store(&other, 0, "");
    assert_false(assign(fixture, &other));
    expect_all_again(fixture, 0);
}

static void
what_was_lost_too_long_ago_is_forgotten(void **state)
{
    struct fixture *fixture = *state;
    struct stored stored;
    struct core_job *job = work(fixture, &stored);

    lose(fixture);
    settle(fixture, job, VERDICT_DONE, SETTLED_FORGOTTEN);
    core_forget_lost(fixture->core, 8);
    assert_false(assign(fixture, &stored));
    expect_all_again(fixture, 1);
}

static void
what_was_lost_just_now_is_not_forgotten(void **state)
{
    struct fixture *fixture = *state;
    struct stored stored;
    struct core_job *job = work(fixture, &stored);

    lose(fixture);
    settle(fixture, job, VERDICT_DONE, SETTLED_FORGOTTEN);
    core_forget_lost(fixture->core, 7);
    assert_true(assign(fixture, &stored));
    expect_two_to_be_skipped(fixture);
}

static void
of_a_part_that_was_given_back_in_order_nothing_is_remembered(void **state)
{
    struct fixture *fixture = *state;
    struct stored stored;
    struct core_job *job = work(fixture, &stored);

    core_release(fixture->core, fixture->part);
    settle(fixture, job, VERDICT_DONE, SETTLED_FORGOTTEN);
    assert_false(assign(fixture, &stored));
    expect_all_again(fixture, 1);
}

/* Only the report finishes it, and that comes too late. */
static void
a_dead_letter_that_was_out_is_written_again(void **state)
{
    struct fixture *fixture = *state;
    struct stored stored;
    struct core_event *letter;

    settle(fixture, work(fixture, &stored), VERDICT_PERMANENT, SETTLED_FAILED);
    letter = core_letter_next(fixture->core, fixture->now);
    assert_non_null(letter);
    lose(fixture);
    core_letter_done(fixture->core, letter, LETTER_STORED, fixture->now);
    assert_true(assign(fixture, &stored));
    expect_two_to_be_skipped(fixture);
}

/* Nothing is known of what it was before. */
static void
where_nothing_was_ever_committed_nothing_is_remembered(void **state)
{
    struct fixture *fixture = *state;
    struct stored stored;

    core_release(fixture->core, fixture->part);
    store(&stored, 0, "");
    fixture->part = core_assign(fixture->core, 0, -1, fixture);
    core_part_bind(fixture->part, binding, NULL);
    assert_null(core_part_recall(fixture->core, fixture->part, NULL, 0));
    open_event(fixture, fixture->part, "a@example.com", NULL);
    deliver(fixture, 0, "a@example.com");
    lose(fixture);
    fixture->next = 0;
    fixture->part = core_assign(fixture->core, 0, -1, fixture);
    core_part_bind(fixture->part, binding, NULL);
    assert_null(core_part_recall(fixture->core, fixture->part, NULL, 0));
    open_event(fixture, fixture->part, "a@example.com", NULL);
    deliver(fixture, 0, "a@example.com");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_CORE(what_was_finished_is_skipped_where_nobody_has_committed_since),
        WITH_CORE(so_it_is_where_the_commit_that_was_out_was_stored_after_all),
        WITH_CORE(so_it_is_where_a_commit_that_moved_the_offset_was_stored_after_all),
        WITH_CORE(where_somebody_has_committed_since_everything_is_sent_again),
        WITH_CORE(where_the_offset_was_set_back_everything_is_sent_again),
        WITH_CORE(what_was_lost_too_long_ago_is_forgotten),
        WITH_CORE(what_was_lost_just_now_is_not_forgotten),
        WITH_CORE(of_a_part_that_was_given_back_in_order_nothing_is_remembered),
        WITH_CORE(a_dead_letter_that_was_out_is_written_again),
        WITH_CORE(where_nothing_was_ever_committed_nothing_is_remembered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
