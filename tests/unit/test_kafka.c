/* edge/kafka: opening, settings, records, where reading begins. */
#include "base/clock.h"
#include "base/log.h"
#include "edge/kafka_conf.h"
#include "edge/kafka_handle.h"
#include "kafka_unit.h"

static struct cluster main_cluster, torn_cluster, eager_cluster;

/* They join together, before the first test. */
static struct member *reader, *latest, *timely, *leaderless, *doubter, *eager;

static int
set_up(void **state)
{
    (void)state;
    log_setup(getenv("KAFKA_LOG") ? LOG_DEBUG : LOG_ERROR, LOG_LOGFMT);
    cluster_open(&main_cluster);
    cluster_open(&torn_cluster);
    cluster_open(&eager_cluster);
    topic_create(&main_cluster, "read", 2);
    topic_create(&main_cluster, "late", 1);
    topic_create(&main_cluster, "timely", 2);
    topic_create(&torn_cluster, "doubted", 1);
    topic_create(&eager_cluster, "doubted", 1);
    topic_create(&main_cluster, "leaderless", 2);
    rd_kafka_mock_partition_set_leader(main_cluster.mock, "leaderless", 1, -1);
    produce_full(&main_cluster, "read", 0, "ada", "{\"n\":1}", 1700000000123, "greeting");
    produce_full(&main_cluster, "read", 0, NULL, NULL, 1700000000124, NULL);
    produce_full(&main_cluster, "read", 0, "", "", 1700000000125, NULL);
    produce(&main_cluster, "late", 0, "before", 1700000000000);
    produce(&torn_cluster, "doubted", 0, "x", 1700000000000);
    produce(&eager_cluster, "doubted", 0, "x", 1700000000000);
    for (int i = 0; i < 10; i++)
        produce(&main_cluster, "timely", i % 2, "x", 1700000000000 + i);
    assert_int_equal(rd_kafka_flush(main_cluster.producer, HANG_GUARD_MS), 0);
    reader = join(&main_cluster, "reader", "read", KAFKA_START_EARLIEST);
    latest = join(&main_cluster, "latest", "late", KAFKA_START_LATEST);
    timely = join(&main_cluster, "timely", "^tim[e]ly$", KAFKA_START_EARLIEST);
    timely->no_room = true;
    doubter = join(&torn_cluster, "doubted", "doubted", KAFKA_START_EARLIEST);
    eager = join_as(&eager_cluster, "doubted", "doubted", KAFKA_START_EARLIEST, "range");
    leaderless = join(&main_cluster, "leaderless", "leaderless", KAFKA_START_EARLIEST);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    discard_all();
    cluster_close(&eager_cluster);
    cluster_close(&torn_cluster);
    cluster_close(&main_cluster);
    return 0;
}

static void
excluded_topics_join_those_that_the_user_excludes(void **state)
{
    static const char *const topics[] = {"a.dead-letter", "", "b_c"};
    struct kafka_property property = {.name = "topic.blacklist", .value = "^x,^y$"};
    struct kafka_config config = {.bootstrap_servers = "127.0.0.1:1",
                                  .group_id = "g",
                                  .properties = &property,
                                  .property_count = 1};
    struct err err = {0};
    rd_kafka_conf_t *conf = kafka_producer_conf(&config, &err);
    char list[256];
    size_t size = sizeof(list);

    (void)state;
    assert_int_equal(kafka_exclude(conf, topics, ARRAY_LEN(topics), &err), 0);
    assert_int_equal(rd_kafka_conf_get(conf, "topic.blacklist", list, &size), RD_KAFKA_CONF_OK);
    assert_string_equal(list, "^x,^y$,^a[.]dead-letter$,^b_c$");
    rd_kafka_conf_destroy(conf);
}

static void
librdkafka_judges_properties_by_file_and_line(void **state)
{
    struct kafka_property properties[] = {
        {.name = "session.timeout.ms", .value = "6000", .at = {"a.conf", 3}},
        {.name = "sesion.timeout.ms", .value = "6000", .at = {"a.conf", 4}},
        {.name = "heartbeat.interval.ms", .value = "soon", .at = {"b.conf", 5}}};
    struct kafka_config config = {.properties = properties,
                                  .property_count = ARRAY_LEN(properties)};
    struct diag diag;

    (void)state;
    diag_init(&diag);
    assert_int_equal(kafka_check(&config, &diag), -1);
    assert_int_equal(diag.errors, 2);
    assert_non_null(strstr(diag.items[0].text, "a.conf:4: "));
    assert_non_null(strstr(diag.items[0].text, "kafka.sesion_timeout_ms: No such"));
    assert_non_null(strstr(diag.items[1].text, "b.conf:5: "));
    assert_non_null(strstr(diag.items[1].text, "kafka.heartbeat_interval_ms: Invalid value"));
    diag_fini(&diag);
    config.property_count = 1;
    diag_init(&diag);
    assert_int_equal(kafka_check(&config, &diag), 0);
    diag_fini(&diag);
}

static void
what_the_library_cannot_use_is_an_error_of_opening(void **state)
{
    struct kafka_property property = {
        .name = "session.timeout.ms", .value = "none", .at = {"a.conf", 7}};
    struct kafka_config config = {.bootstrap_servers = main_cluster.address,
                                  .group_id = (char *)"group",
                                  .properties = &property,
                                  .property_count = 1};
    const char *topic = "read";
    struct kafka_settings settings = {.config = &config, .topics = &topic, .topic_count = 1};
    struct err err = {0};

    (void)state;
    assert_null(kafka_open(&settings, &member_ops, NULL, &err));
    assert_non_null(strstr(err.msg, "a.conf:7: kafka: "));
    config.property_count = 0;
    topic = "^(";
    err_clear(&err);
    assert_null(kafka_open(&settings, &member_ops, NULL, &err));
    assert_non_null(strstr(err.msg, "cannot subscribe"));
}

static void
a_new_group_reads_from_the_earliest_record(void **state)
{
    (void)state;
    wait_until("two partitions", has_parts, reader, 2);
    wait_until("three records", has_seen, reader, 3);
    assert_int_equal(kafka_part_offset(part_of(reader, 0)), 0);
    assert_int_equal(kafka_part_committed(part_of(reader, 0)), -1);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(reader->seen[i].partition, 0);
        assert_int_equal(reader->seen[i].offset, i);
        assert_int_equal(reader->seen[i].time_ms, 1700000000123 + i);
    }
    assert_string_equal(reader->seen[0].key, "ada");
    assert_string_equal(reader->seen[0].value, "{\"n\":1}");
    assert_string_equal(reader->seen[0].header, "greeting");
}

static void
a_tombstone_and_an_empty_payload_are_told_apart(void **state)
{
    (void)state;
    assert_false(reader->seen[1].has_key);
    assert_false(reader->seen[1].has_value);
    assert_true(reader->seen[2].has_value);
    assert_string_equal(reader->seen[2].value, "");
    assert_string_equal(reader->seen[2].header, "");
}

static void
a_new_group_may_begin_at_the_end(void **state)
{
    (void)state;
    wait_until("a partition", has_parts, latest, 1);
    assert_int_equal(kafka_part_offset(part_of(latest, 0)), 1);
    produce(&main_cluster, "late", 0, "after", 1700000000001);
    wait_until("a record", has_seen, latest, 1);
    assert_string_equal(latest->seen[0].value, "after");
    leave(latest);
}

static void
nothing_is_handed_over_without_room_then_the_oldest_first(void **state)
{
    (void)state;
    wait_until("the heads of both partitions", has_heads, timely, 2);
    assert_int_equal(timely->seen_count, 0);
    timely->no_room = false;
    wait_until("ten records", has_seen, timely, 10);
    for (int i = 0; i < 10; i++)
        assert_int_equal(timely->seen[i].time_ms, 1700000000000 + i);
    discard(timely); /* without leaving, partitions in hand */
}

static void
a_successor_begins_at_the_committed_offset_and_gets_its_metadata(void **state)
{
    const char *metadata;
    size_t len;

    (void)state;
    commit(reader, 0, 2, "1:progress");
    assert_int_equal(reader->commit, KAFKA_COMMIT_STORED);
    commit(reader, 1, 1000, NULL); /* beyond the end; for a later test */
    assert_int_equal(reader->commits, 2);
    leave(reader);
    reader = join(&main_cluster, "reader", "read", KAFKA_START_EARLIEST);
    wait_until("two partitions", has_parts, reader, 2);
    assert_int_equal(kafka_part_offset(part_of(reader, 0)), 2);
    assert_int_equal(kafka_part_committed(part_of(reader, 0)), 2);
    metadata = kafka_part_metadata(part_of(reader, 0), &len);
    assert_int_equal(len, strlen("1:progress"));
    assert_memory_equal(metadata, "1:progress", len);
    wait_until("a record", has_seen, reader, 1);
    assert_int_equal(reader->seen[0].offset, 2);
}

static void
an_offset_out_of_range_stops_its_partition_and_no_other(void **state)
{
    size_t at = kafka_part_number(reader->parts[0]) == 1 ? 0 : 1;

    (void)state;
    assert_int_equal(kafka_part_offset(part_of(reader, 1)), 1000);
    wait_until("the partition to be stopped", has_stopped, reader, (int64_t)at);
    produce(&main_cluster, "read", 0, "goes on", 1700000000200);
    produce(&main_cluster, "read", 1, "is not read", 1700000000100);
    wait_until("a record", has_seen, reader, 2);
    assert_string_equal(reader->seen[1].value, "goes on");
    assert_false(reader->failed);
    leave(reader);
}

static bool
is_in_doubt(struct member *member, int64_t number)
{
    return (member->parts[0]->doubted_ms != KAFKA_NO_DOUBT) == number;
}

static bool
has_gone_on(struct member *member, int64_t number)
{
    (void)number;
    return strcmp(member->seen[member->seen_count - 1].value, "goes on") == 0;
}

static void
doubt_and_read_on(struct cluster *cluster, struct member *member)
{
    wait_until("a partition", has_parts, member, 1);
    wait_until("a record", has_seen, member, 1);
    answer_fetch(cluster, RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE);
    wait_until("a doubt", is_in_doubt, member, true);
    produce(cluster, "doubted", 0, "goes on", 1700000000100);
    wait_until("the other record", has_gone_on, member, 0);
    assert_null(kafka_part_trouble(member->parts[0]));
    assert_true(is_in_doubt(member, false));
    leave(member);
}

static bool
is_stopped(struct member *member, int64_t number)
{
    return member->parts[0]->stopped == number;
}

static bool
was_asked(struct member *member, int64_t number)
{
    (void)number;
    return member->parts[0]->check_due_ms > member->kafka->now_ms;
}

/* Nothing has come since the last doubt, which was long ago. */
static void
a_doubt_that_was_settled_counts_no_more(struct cluster *cluster, struct member *member)
{
    struct kafka_part *part;

    wait_until("a partition", has_parts, member, 1);
    wait_until("a record", has_seen, member, 1);
    part = member->parts[0];
    part->doubted_ms = member->kafka->now_ms - 3600 * 1000;
    part->next += 5; /* which the leader lacks, and says so */
    answer_fetch(cluster, RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE);
    wait_until("a doubt", is_stopped, member, true);
    wait_until("the leader to be asked", was_asked, member, 0);
    assert_true(part->check_due_ms != CLOCK_NEVER);
    part->next -= 5;
    wait_until("it to be read on", is_stopped, member, false);
}

/* The library still asks the false leader. */
static void
a_doubt_that_comes_back_waits(struct cluster *cluster, struct member *member)
{
    wait_until("a partition", has_parts, member, 1);
    wait_until("a record", has_seen, member, 1);
    member->parts[0]->doubted_ms = member->kafka->now_ms;
    answer_fetch(cluster, RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE);
    wait_until("a doubt", is_stopped, member, true);
    assert_true(member->parts[0]->check_due_ms > member->kafka->now_ms);
    wait_until("it to be read on", is_stopped, member, false);
}

/* A broker that returns takes itself for the leader for a moment, and lacks the last records. */
static void
an_offset_that_only_a_false_leader_lacks_is_read(void **state)
{
    (void)state;
    a_doubt_that_was_settled_counts_no_more(&torn_cluster, doubter);
    doubt_and_read_on(&torn_cluster, doubter);
    a_doubt_that_comes_back_waits(&eager_cluster, eager);
    doubt_and_read_on(&eager_cluster, eager);
}

static struct kafka_part *
add_doubted(struct kafka *kafka, int32_t number, int64_t since_ms)
{
    struct kafka_part *part = kafka_part_new("doubted", number);

    part->check_due_ms = since_ms;
    list_push_back(&kafka->reading, &part->node);
    return part;
}

/* Each question takes its whole time where nobody answers. */
static void
many_doubts_take_a_fifth_of_the_time_and_their_turns(void **state)
{
    struct kafka_config config = {.bootstrap_servers = "127.0.0.1:1", .group_id = "nobody"};
    struct kafka_settings settings = {.config = &config};
    struct kafka kafka = {.now_ms = clock_now_ms()};
    struct kafka_part *first, *second;
    struct err err = {0};
    int64_t began_ms = kafka.now_ms, due_ms;

    (void)state;
    list_init(&kafka.reading);
    kafka.ask = kafka_ask_open(&settings, -1, &err);
    assert_non_null(kafka.ask);
    first = add_doubted(&kafka, 0, began_ms - 2);
    second = add_doubted(&kafka, 1, began_ms - 1);
    kafka_range_step(&kafka);
    due_ms = kafka.range_due_ms;
    assert_true(first->check_due_ms > began_ms);
    assert_true(due_ms - began_ms >= 5 * 90); /* of the 100 ms that a question may take */
    first->check_due_ms = began_ms;           /* its turn comes again before the other's came */
    kafka.now_ms = due_ms - 1;
    kafka_range_step(&kafka);
    assert_int_equal(second->check_due_ms, began_ms - 1);
    kafka.now_ms = due_ms;
    kafka_range_step(&kafka);
    assert_true(second->check_due_ms > due_ms);
    assert_int_equal(first->check_due_ms, began_ms);
    kafka_part_free(first);
    kafka_part_free(second);
    kafka_ask_close(kafka.ask);
}

static void
a_partition_without_a_leader_keeps_no_other_waiting(void **state)
{
    (void)state;
    wait_until("one partition", has_parts, leaderless, 1);
    assert_int_equal(kafka_part_number(leaderless->parts[0]), 0);
    rd_kafka_mock_partition_set_leader(main_cluster.mock, "leaderless", 1, 1);
    wait_until("the other one", has_parts, leaderless, 2);
    leave(leaderless);
}

static void
a_member_leaves_before_it_ever_joined(void **state)
{
    (void)state;
    leave(join(&main_cluster, "short", "read", KAFKA_START_EARLIEST));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(excluded_topics_join_those_that_the_user_excludes),
        cmocka_unit_test(librdkafka_judges_properties_by_file_and_line),
        cmocka_unit_test(what_the_library_cannot_use_is_an_error_of_opening),
        cmocka_unit_test(a_new_group_reads_from_the_earliest_record),
        cmocka_unit_test(a_tombstone_and_an_empty_payload_are_told_apart),
        cmocka_unit_test(a_new_group_may_begin_at_the_end),
        cmocka_unit_test(nothing_is_handed_over_without_room_then_the_oldest_first),
        cmocka_unit_test(a_successor_begins_at_the_committed_offset_and_gets_its_metadata),
        cmocka_unit_test(an_offset_out_of_range_stops_its_partition_and_no_other),
        cmocka_unit_test(a_partition_without_a_leader_keeps_no_other_waiting),
        cmocka_unit_test(an_offset_that_only_a_false_leader_lacks_is_read),
        cmocka_unit_test(many_doubts_take_a_fifth_of_the_time_and_their_turns),
        cmocka_unit_test(a_member_leaves_before_it_ever_joined),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
