/* edge/kafka: commits and their answers, and the gate before them. */
#include "base/clock.h"
#include "base/log.h"
#include "edge/kafka_group.h"
#include "kafka_unit.h"

static struct cluster main_cluster;

/* They join together, before the first test. */
static struct member *fenced, *fenced_second, *apart, *eager, *eager_second, *alone, *alone_second;
static struct cluster alone_cluster; /* its broker goes away */

static int
set_up(void **state)
{
    (void)state;
    log_setup(getenv("KAFKA_LOG") ? LOG_DEBUG : LOG_ERROR, LOG_LOGFMT);
    cluster_open(&main_cluster);
    topic_create(&main_cluster, "fenced", 4);
    topic_create(&main_cluster, "apart", 2);
    topic_create(&main_cluster, "eager", 1);
    fenced = join(&main_cluster, "fenced", "fenced", KAFKA_START_EARLIEST);
    apart = join(&main_cluster, "apart", "apart", KAFKA_START_EARLIEST);
    eager = join_as(&main_cluster, "eager", "eager", KAFKA_START_EARLIEST, "range");
    cluster_open(&alone_cluster);
    topic_create(&alone_cluster, "alone", 2);
    alone = join(&alone_cluster, "alone", "alone", KAFKA_START_EARLIEST);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    discard_all();
    cluster_close(&main_cluster);
    cluster_close(&alone_cluster);
    return 0;
}

static void
where_one_partition_of_a_commit_fails_each_is_sent_by_itself(void **state)
{
    static const rd_kafka_resp_err_t passing[] = {RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, 0,
                                                  0},
                                     failing[] = {RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, 0,
                                                  RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED},
                                     again[] = {0, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED},
                                     all[] = {RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
                                              RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED},
                                     large[] = {RD_KAFKA_RESP_ERR_OFFSET_METADATA_TOO_LARGE};

    (void)state;
    wait_until("two partitions", has_parts, apart, 2);
    answer_commits(&main_cluster, passing, ARRAY_LEN(passing));
    commit_two(apart, 1);
    assert_int_equal(apart->commit, KAFKA_COMMIT_STORED);
    assert_int_equal(apart->commits_refused, 0);
    answer_commits(&main_cluster, failing, ARRAY_LEN(failing));
    commit_two(apart, 2);
    assert_int_equal(apart->commit, KAFKA_COMMIT_STORED);
    assert_int_equal(apart->commits_refused, 1);
    answer_commits(&main_cluster, again, ARRAY_LEN(again)); /* the one that failed goes last */
    commit_two(apart, 3);
    assert_int_equal(apart->commits_refused, 1);
    answer_commits(&main_cluster, all, ARRAY_LEN(all));
    commit_two(apart, 4);
    assert_int_equal(apart->commit, KAFKA_COMMIT_REFUSED);
    answer_commits(&main_cluster, large, ARRAY_LEN(large));
    commit_two(apart, 5);
    assert_int_equal(apart->commit, KAFKA_COMMIT_TOO_LARGE);
    commit_two(apart, 5);
    assert_int_equal(apart->commit, KAFKA_COMMIT_STORED);
    assert_int_equal(apart->lost_total, 0);
    leave(apart);
}

static void
a_commit_that_is_refused_for_the_member_is_a_loss_at_once(void **state)
{
    static const rd_kafka_resp_err_t out[] = {RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID};

    (void)state;
    wait_until("all partitions", has_parts, fenced, 4);
    produce(&main_cluster, "fenced", 0, "x", 1);
    wait_until("a record", has_seen, fenced, 1);
    answer_commits(&main_cluster, out, 1);
    commit(fenced, 1, 0, NULL);
    assert_int_equal(fenced->commit, KAFKA_COMMIT_REFUSED);
    assert_int_equal(fenced->lost_total, 4);
    assert_int_equal(fenced->count, 0);
    wait_until("all partitions again", has_parts, fenced, 4);
    wait_until("the record again", has_seen, fenced, 2);
    assert_int_equal(fenced->lost_total, 4);
    assert_false(fenced->failed);
}

static void
so_it_is_while_partitions_are_given_back(void **state)
{
    static const rd_kafka_resp_err_t out[] = {RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION};
    struct kafka_part *kept;

    (void)state;
    fenced->keep_revoked = true;
    fenced_second = join(&main_cluster, "fenced", "fenced", KAFKA_START_EARLIEST);
    wait_until("two partitions to be revoked", was_revoked, fenced, 2);
    kept = fenced->parts[0];
    answer_commits(&main_cluster, out, 1);
    commit(fenced, kafka_part_number(kept), 0, NULL);
    assert_int_equal(fenced->lost_total, 8);
    assert_int_equal(fenced->count, 0);
    fenced->keep_revoked = false;
    wait_until("two partitions", has_parts, fenced_second, 2);
    wait_until("the other two", has_parts, fenced, 2);
    for (int i = 0; i < 4; i++)
        produce(&main_cluster, "fenced", i, "y", 2);
    wait_until("what was produced", has_seen, fenced, 4);
    wait_until("what was produced", has_seen, fenced_second, 2);
    assert_false(fenced->failed || fenced_second->failed);
    leave(fenced_second);
}

/* As a member it has no other name than before; put out, it has to be given one. */
static void
what_comes_back_to_the_same_member_was_nobody_elses(void **state)
{
    static const rd_kafka_resp_err_t late[] = {RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION},
                                     out[] = {RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID};
    size_t lost = fenced->lost_total;
    int64_t era;

    (void)state;
    wait_until("all partitions", has_parts, fenced, 4);
    era = kafka_era(fenced->kafka);
    answer_commits(&main_cluster, late, 1);
    commit(fenced, 1, 0, NULL);
    assert_int_equal(fenced->lost_total, lost + 4);
    assert_int_equal(fenced->lost_era, era);
    wait_until("all partitions again", has_parts, fenced, 4);
    assert_in_range(kafka_era(fenced->kafka), era + 1, era + KAFKA_OWN_ERAS);
    era = kafka_era(fenced->kafka);
    answer_commits(&main_cluster, out, 1);
    commit(fenced, 1, 0, NULL);
    wait_until("all partitions again", has_parts, fenced, 4);
    assert_true(kafka_era(fenced->kafka) > era + KAFKA_OWN_ERAS);
}

/* Nothing of the group has changed then: it takes a topic for gone, which cannot be had from a
 * mock. */
static void
what_the_library_gives_up_by_itself_may_become_anybodys(void **state)
{
    static const rd_kafka_resp_err_t late[] = {RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION};
    int64_t era = kafka_era(fenced->kafka);

    (void)state;
    kafka_group_note_loss(fenced->kafka);
    answer_commits(&main_cluster, late, 1);
    commit(fenced, 1, 0, NULL);
    assert_int_equal(fenced->lost_era, era);
    wait_until("all partitions again", has_parts, fenced, 4);
    assert_true(kafka_era(fenced->kafka) > era + KAFKA_OWN_ERAS);
    leave(fenced);
}

static bool
has_rebalanced(struct member *member, int64_t number)
{
    return member->rebalances >= (size_t)number;
}

static bool
cannot_commit(struct member *member, int64_t number)
{
    (void)number;
    return !kafka_can_commit(member->kafka);
}

/* An eager group may give what it has taken to anybody. While it is taken, heartbeats go on, which
 * the gate depends on. */
static void
in_an_eager_group_nothing_can_be_said_of_that(void **state)
{
    size_t rebalances;
    int64_t era;

    (void)state;
    wait_until("a partition", has_parts, eager, 1);
    rebalances = eager->rebalances;
    era = kafka_era(eager->kafka);
    eager->keep_revoked = true;
    eager_second = join_as(&main_cluster, "eager", "eager", KAFKA_START_EARLIEST, "range");
    wait_until("it to be revoked", was_revoked, eager, 1);
    kafka_gate_alone(&eager->kafka->gate);
    assert_false(kafka_can_commit(eager->kafka));
    wait_until("the coordinator to be heard of", can_commit, eager, 0);
    eager->keep_revoked = false;
    wait_until("another assignment", has_rebalanced, eager, (int64_t)rebalances + 1);
    assert_true(kafka_era(eager->kafka) > era + KAFKA_OWN_ERAS);
    leave(eager_second);
    leave(eager);
}

/* The library would keep it and send it when there is a coordinator again: then the partitions may
 * have been given back, and be somebody else's. */
static void
while_partitions_are_given_back_no_commit_begins_without_a_coordinator(void **state)
{
    (void)state;
    wait_until("both partitions", has_parts, alone, 2);
    alone->keep_revoked = true;
    alone_second = join(&alone_cluster, "alone", "alone", KAFKA_START_EARLIEST);
    wait_until("a partition to be revoked", was_revoked, alone, 1);
    commit_part(alone, alone->revoked[0], 0, NULL);
    assert_int_equal(alone->commit, KAFKA_COMMIT_STORED);
    rd_kafka_mock_broker_set_down(alone_cluster.mock, 1);
    wait_until("the gate to close", cannot_commit, alone, 0);
    rd_kafka_mock_broker_set_up(alone_cluster.mock, 1);
    wait_until("the gate to open", can_commit, alone, 0);
    alone->keep_revoked = false;
    wait_until("a partition", has_parts, alone_second, 1);
    leave(alone_second);
    leave(alone);
}

/* ---- the commit gate by itself ---- */

/* The question to the main thread is asked late in a turn that took long, so what may follow it has
 * to be waited for from then on. */
static void
the_gate_waits_from_when_the_main_thread_has_answered(void **state)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    struct kafka_gate gate;
    int64_t real = clock_now_ms();
    int64_t now = real - 1000; /* when the turn began */
    int64_t due;

    (void)state;
    kafka_gate_init(&gate, conf, -1);
    atomic_store(&gate.heard_ms, now - 400);
    atomic_store(&gate.alive_ms, now);
    assert_false(kafka_gate_is_open(&gate, now));
    due = kafka_gate_step(&gate, main_cluster.rk, now);
    assert_true(due > real);
    assert_false(kafka_gate_is_open(&gate, now));
    due = kafka_gate_step(&gate, main_cluster.rk, due - 1);
    assert_false(kafka_gate_is_open(&gate, due - 1));
    assert_int_equal(kafka_gate_step(&gate, main_cluster.rk, due), CLOCK_NEVER);
    assert_true(kafka_gate_is_open(&gate, due));
    rd_kafka_conf_destroy(conf);
}

/* The answer may be that it is to join once more, which it does with a delay and without a
 * heartbeat in between. */
static void
the_gate_expects_another_join_after_the_answer_to_sync_group(void **state)
{
    enum { API_JOIN_GROUP = 11, API_SYNC_GROUP = 14, JOIN_INTERVAL_MS = 1000 };
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    struct kafka_gate gate;
    int64_t now = clock_now_ms();

    (void)state;
    kafka_gate_init(&gate, conf, -1);
    atomic_store(&gate.alive_ms, now);
    assert_true(kafka_gate_is_open(&gate, now));
    kafka_gate_sent(&gate, API_JOIN_GROUP);
    assert_false(kafka_gate_is_open_revoking(&gate, now));
    kafka_gate_answered(&gate, API_SYNC_GROUP);
    assert_true(kafka_gate_is_open_revoking(&gate, now));
    assert_false(kafka_gate_is_open(&gate, now));
    assert_true(kafka_gate_step(&gate, main_cluster.rk, now) > now + JOIN_INTERVAL_MS);
    assert_false(kafka_gate_is_open(&gate, now + JOIN_INTERVAL_MS));
    rd_kafka_conf_destroy(conf);
}

/* The library would send it when there is a coordinator again, whatever has happened by then. */
static void
no_commit_begins_while_the_coordinator_is_silent(void **state)
{
    enum { API_HEARTBEAT = 12, INTERVAL_MS = 3000, LATE_MS = 1000 };
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    struct kafka_gate gate;
    int64_t heard;

    (void)state;
    kafka_gate_init(&gate, conf, -1);
    gate.settled_ms = CLOCK_NEVER;
    assert_false(kafka_gate_is_open(&gate, clock_now_ms()));
    kafka_gate_answered(&gate, API_HEARTBEAT);
    heard = atomic_load(&gate.alive_ms);
    assert_true(kafka_gate_is_open(&gate, heard + INTERVAL_MS + LATE_MS));
    assert_false(kafka_gate_is_open(&gate, heard + INTERVAL_MS + LATE_MS + 1));
    assert_false(kafka_gate_is_open_revoking(&gate, heard + INTERVAL_MS + LATE_MS + 1));
    kafka_gate_alone(&gate);
    assert_false(kafka_gate_is_open(&gate, heard));
    assert_false(kafka_gate_is_open_revoking(&gate, heard));
    kafka_gate_answered(&gate, API_HEARTBEAT);
    assert_true(kafka_gate_is_open(&gate, atomic_load(&gate.alive_ms)));
    rd_kafka_conf_destroy(conf);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(where_one_partition_of_a_commit_fails_each_is_sent_by_itself),
        cmocka_unit_test(a_commit_that_is_refused_for_the_member_is_a_loss_at_once),
        cmocka_unit_test(so_it_is_while_partitions_are_given_back),
        cmocka_unit_test(what_comes_back_to_the_same_member_was_nobody_elses),
        cmocka_unit_test(what_the_library_gives_up_by_itself_may_become_anybodys),
        cmocka_unit_test(in_an_eager_group_nothing_can_be_said_of_that),
        cmocka_unit_test(while_partitions_are_given_back_no_commit_begins_without_a_coordinator),
        cmocka_unit_test(the_gate_waits_from_when_the_main_thread_has_answered),
        cmocka_unit_test(the_gate_expects_another_join_after_the_answer_to_sync_group),
        cmocka_unit_test(no_commit_begins_while_the_coordinator_is_silent),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
