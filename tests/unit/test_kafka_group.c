/* edge/kafka: partitions that come and go. */
#include "base/clock.h"
#include "base/log.h"
#include "kafka_unit.h"

static struct cluster main_cluster, faulty_cluster, mute_cluster;

/* They join together, before the first test. */
static struct member *unlucky, *asking, *one, *more;
static struct member *first, *second, *eager, *eager_second; /* two groups of two */

static int
set_up(void **state)
{
    (void)state;
    log_setup(getenv("KAFKA_LOG") ? LOG_DEBUG : LOG_ERROR, LOG_LOGFMT);
    cluster_open(&main_cluster);
    cluster_open(&faulty_cluster);
    cluster_open(&mute_cluster);
    topic_create(&main_cluster, "shared", 4);
    topic_create(&main_cluster, "eager", 2);
    topic_create(&main_cluster, "single", 1);
    topic_create(&faulty_cluster, "unlucky", 2);
    topic_create(&mute_cluster, "asked", 2);
    produce(&faulty_cluster, "unlucky", 0, "x", 1700000000000);
    assert_int_equal(rd_kafka_flush(faulty_cluster.producer, HANG_GUARD_MS), 0);
    refuse_questions(&faulty_cluster, 2);
    refuse_questions(&mute_cluster, ERRORS_MAX);
    one = join(&main_cluster, "single", "single", KAFKA_START_EARLIEST);
    first = join(&main_cluster, "shared", "shared", KAFKA_START_EARLIEST);
    eager = join_as(&main_cluster, "eager", "eager", KAFKA_START_EARLIEST, "range");
    asking = join(&mute_cluster, "asking", "asked", KAFKA_START_EARLIEST);
    unlucky = join(&faulty_cluster, "unlucky", "unlucky", KAFKA_START_EARLIEST);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    discard_all();
    cluster_close(&mute_cluster);
    cluster_close(&faulty_cluster);
    cluster_close(&main_cluster);
    return 0;
}

/* For the tests after the first, since it takes its time. */
static void
disturb_the_groups(void)
{
    wait_until("all partitions", has_parts, first, 4);
    wait_until("all partitions", has_parts, eager, 2);
    wait_until("its partition", has_parts, one, 1);
    assert_int_equal(one->rebalances, 1);
    more = join(&main_cluster, "single", "single", KAFKA_START_EARLIEST);
    first->keep_revoked = eager->keep_revoked = true;
    second = join(&main_cluster, "shared", "shared", KAFKA_START_EARLIEST);
    eager_second = join_as(&main_cluster, "eager", "eager", KAFKA_START_EARLIEST, "range");
    put_out_of_the_group(&faulty_cluster);
    wait_until("an assignment", is_asking, asking, 2);
    put_out_of_the_group(&mute_cluster);
    wait_until("the assignment to be forgotten", is_asking, asking, 0);
    answer_questions(&mute_cluster);
}

static void
questions_without_an_answer_are_asked_again(void **state)
{
    (void)state;
    wait_until("two partitions", has_parts, unlucky, 2);
    wait_until("a record", has_seen, unlucky, 1);
    assert_false(unlucky->failed);
    disturb_the_groups();
}

static void
a_lost_assignment_is_reported_and_the_member_comes_back(void **state)
{
    (void)state;
    wait_until("two lost partitions", has_lost, unlucky, 2);
    wait_until("two partitions", has_parts, unlucky, 2);
    wait_until("the record again", has_seen, unlucky, 2);
    assert_int_equal(unlucky->seen[1].offset, 0);
    leave(unlucky);
}

static void
an_assignment_lost_while_questions_are_open_is_forgotten(void **state)
{
    (void)state;
    wait_until("two partitions", has_parts, asking, 2);
    assert_int_equal(asking->assigned_total, 2);
    assert_int_equal(asking->lost_total, 0);
    assert_false(asking->failed);
    refuse_questions(&mute_cluster, ERRORS_MAX);
    put_out_of_the_group(&mute_cluster);
}

static void
leaving_with_a_question_open_is_done_at_once(void **state)
{
    (void)state;
    wait_until("two lost partitions", has_lost, asking, 2);
    wait_until("an assignment", is_asking, asking, 2);
    leave(asking);
}

static void
a_second_member_gets_what_the_first_gives_back(void **state)
{
    (void)state;
    wait_until("two partitions to be revoked", was_revoked, first, 2);
    assert_int_equal(second->count, 0);
    for (size_t i = 0; i < 2; i++) {
        produce(&main_cluster, "shared", kafka_part_number(first->revoked[i]), "moved", 1);
        produce(&main_cluster, "shared", kafka_part_number(first->parts[i]), "kept", 1);
    }
    first->keep_revoked = false;
    wait_until("two partitions", has_parts, second, 2);
    wait_until("the records of both", has_seen, second, 2);
    wait_until("the records of those that were kept", has_seen, first, 2);
    assert_string_equal(first->seen[0].value, "kept");
    assert_string_equal(second->seen[0].value, "moved");
    assert_int_equal(first->assigned_total, 4);
    leave(second);
    wait_until("all partitions", has_parts, first, 4);
    assert_int_equal(first->assigned_total, 6);
    assert_int_equal(first->lost_total, 0);
}

static void
leaving_waits_for_a_revocation_that_is_under_way(void **state)
{
    (void)state;
    first->keep_revoked = true;
    second = join(&main_cluster, "shared", "shared", KAFKA_START_EARLIEST);
    wait_until("two partitions to be revoked", was_revoked, first, 2);
    kafka_leave(first->kafka, clock_now_ms() + HANG_GUARD_MS);
    assert_int_equal(first->count, 2);
    first->keep_revoked = false;
    wait_until("the group to be left", is_closed, first, 0);
    assert_int_equal(first->count, 0);
    assert_int_equal(first->lost_total, 0);
    discard(first);
    wait_until("all partitions", has_parts, second, 4);
    leave(second);
}

static bool
has_rebalanced(struct member *member, int64_t number)
{
    return member->rebalances > (size_t)number;
}

/* What it says of the others' shares: nothing has changed for this one. */
static void
a_rebalance_that_changes_nothing_here_is_told(void **state)
{
    (void)state;
    wait_until("another rebalance", has_rebalanced, one, 1);
    assert_int_equal(one->assigned_total, 1);
    assert_int_equal(one->count, 1);
    leave(more);
    leave(one);
}

static void
who_is_asked_for_partitions_is_not_waited_for_long(void **state)
{
    enum { ALL_BROKERS = -1, SLOW_MS = 2000, TIMEOUT_MS = 50 };

    (void)state;
    assert_int_equal(
        kafka_count_partitions(unlucky->kafka, (const char *[]){"unlucky"}, 1, HANG_GUARD_MS), 2);
    rd_kafka_mock_broker_set_rtt(faulty_cluster.mock, ALL_BROKERS, SLOW_MS);
    assert_int_equal(
        kafka_count_partitions(unlucky->kafka, (const char *[]){"unlucky"}, 1, TIMEOUT_MS), 0);
    rd_kafka_mock_broker_set_rtt(faulty_cluster.mock, ALL_BROKERS, 0);
}

static void
an_eager_group_gives_and_takes_everything(void **state)
{
    (void)state;
    wait_until("all partitions to be revoked", was_revoked, eager, 2);
    eager->keep_revoked = false;
    wait_until("one of two partitions", has_parts, eager_second, 1);
    wait_until("the other one", has_parts, eager, 1);
    assert_int_not_equal(kafka_part_number(eager->parts[0]),
                         kafka_part_number(eager_second->parts[0]));
    produce(&main_cluster, "eager", 0, "x", 1);
    produce(&main_cluster, "eager", 1, "x", 1);
    wait_until("a record", has_seen, eager, 1);
    wait_until("a record", has_seen, eager_second, 1);
    leave(eager_second);
    leave(eager);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(questions_without_an_answer_are_asked_again),
        cmocka_unit_test(an_assignment_lost_while_questions_are_open_is_forgotten),
        cmocka_unit_test(a_second_member_gets_what_the_first_gives_back),
        cmocka_unit_test(leaving_waits_for_a_revocation_that_is_under_way),
        cmocka_unit_test(a_rebalance_that_changes_nothing_here_is_told),
        cmocka_unit_test(an_eager_group_gives_and_takes_everything),
        cmocka_unit_test(who_is_asked_for_partitions_is_not_waited_for_long),
        cmocka_unit_test(a_lost_assignment_is_reported_and_the_member_comes_back),
        cmocka_unit_test(leaving_with_a_question_open_is_done_at_once),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
