/* edge/kafka: leaving while the library is in the middle of joining. */
#include <poll.h>

#include "base/clock.h"
#include "base/log.h"
#include "kafka_unit.h"

static struct cluster cluster;

static int
set_up(void **state)
{
    (void)state;
    log_setup(getenv("KAFKA_LOG") ? LOG_DEBUG : LOG_ERROR, LOG_LOGFMT);
    cluster_open(&cluster);
    topic_create(&cluster, "late", 2);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    discard_all();
    cluster_close(&cluster);
    return 0;
}

static bool
has_joined(struct member *member, int64_t number)
{
    (void)number;
    return atomic_load(&member->kafka->gate.joined);
}

static void
leaving_waits_at_most_half_of_the_time_it_has(void **state)
{
    struct kafka kafka = {.now_ms = 5000, .leave_by_ms = 5400};

    (void)state;
    assert_int_equal(kafka_going_close_due(&kafka), 5200);
    kafka.leave_by_ms = 4000; /* over already */
    assert_int_equal(kafka_going_close_due(&kafka), 5000);
    kafka.leave_by_ms = 5000 + 60 * 1000;
    assert_int_equal(kafka_going_close_due(&kafka), 8000);
}

/* The library aborts when it is closed in between. */
static void
leaving_waits_for_an_assignment_that_is_on_its_way(void **state)
{
    enum { BROKER = 1, API_SYNC_GROUP = 14, DELAY_MS = 1000 };
    struct member *member;

    (void)state;
    assert_int_equal(rd_kafka_mock_broker_push_request_error_rtts(cluster.mock, BROKER,
                                                                  API_SYNC_GROUP, 1, 0, DELAY_MS),
                     0);
    member = join(&cluster, "late", "late", KAFKA_START_EARLIEST);
    wait_until("the answer to its JoinGroup", has_joined, member, 0);
    assert_false(member->kafka->was_assigned);
    kafka_leave(member->kafka, clock_now_ms() + HANG_GUARD_MS);
    assert_false(kafka_is_closed(member->kafka));
    wait_until("the group to be left", is_closed, member, 0);
    assert_true(member->kafka->was_assigned);
    assert_false(kafka_must_be_left(member->kafka));
    discard(member);
}

/* The library joins without being polled: the assignment waits in the queue, behind COUNT others.
 */
static void
wait_unseen(const struct member *member, size_t count)
{
    const struct kafka_gate *gate = &member->kafka->gate;
    int64_t end_ms = clock_now_ms() + HANG_GUARD_MS;

    while (!atomic_load(&gate->joined) || atomic_load(&gate->join_out) ||
           rd_kafka_queue_length(member->kafka->main) <= count) {
        assert_true(clock_now_ms() < end_ms);
        poll(NULL, 0, 1);
    }
}

/* As if the assignment had come in between the look for it and the close. */
static void
leave_with_an_assignment_unseen(const char *group, const char *strategy)
{
    struct member *member = join_as(&cluster, group, "late", KAFKA_START_EARLIEST, strategy);

    wait_unseen(member, rd_kafka_queue_length(member->kafka->main));
    assert_false(member->kafka->was_assigned);
    kafka_gate_assigned(&member->kafka->gate);
    kafka_leave(member->kafka, clock_now_ms() + HANG_GUARD_MS);
    wait_until("the group to be left", is_closed, member, 0);
    assert_true(member->kafka->was_assigned);
    assert_false(kafka_must_be_left(member->kafka));
    discard(member);
}

static void
an_assignment_that_comes_while_leaving_is_taken_back_by_the_library(void **state)
{
    (void)state;
    leave_with_an_assignment_unseen("unseen", "cooperative-sticky");
    leave_with_an_assignment_unseen("unseen-eager", "range");
}

/* There is nothing to take back, so the library waits for ever: it is left as it is. That it comes
 * to this cannot be brought about at will. */
static void
an_empty_assignment_that_comes_while_leaving_is_the_end_of_it(void **state)
{
    rd_kafka_topic_partition_list_t *none = rd_kafka_topic_partition_list_new(0);
    struct member *member = join(&cluster, "nothing", "^nothing$", KAFKA_START_EARLIEST);

    (void)state;
    member->kafka->life = KAFKA_CLOSING;
    kafka_coming_assign(member->kafka, none);
    assert_true(kafka_is_closed(member->kafka));
    assert_true(kafka_must_be_left(member->kafka));
    discard(member);
    rd_kafka_topic_partition_list_destroy(none);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(leaving_waits_at_most_half_of_the_time_it_has),
        cmocka_unit_test(leaving_waits_for_an_assignment_that_is_on_its_way),
        cmocka_unit_test(an_assignment_that_comes_while_leaving_is_taken_back_by_the_library),
        cmocka_unit_test(an_empty_assignment_that_comes_while_leaving_is_the_end_of_it),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
