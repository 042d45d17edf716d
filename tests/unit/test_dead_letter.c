/* edge/dead_letter against the library's mock cluster, read back with a consumer of its own. */
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <poll.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "edge/dead_letter.h"
#include "unit.h"

enum {
    GUARD_MS = 30 * 1000,
    CHECK_MS = 5000,
    ANSWER_MS = 20 * 1000, /* of a broker that is far away */
    PARTITIONS = 8,
    SEEN_MAX = 512,
    API_PRODUCE = 0, /* of Kafka's protocol */
    API_INIT_PRODUCER_ID = 22
};

/* The cluster of all tests, each with a topic of its own, and a reader of what is in it. */

static rd_kafka_t *host;
static rd_kafka_mock_cluster_t *cluster;
static char bootstrap[256];

struct seen {
    int32_t partition;
    char key[32], payload[64], headers[256]; /* "null" where there is none; bytes escaped */
};

struct bench {
    char topic[32];
    struct dead_letters *letters;
    int done, failed;
    bool too_large;
    void *token;
    char error[ERR_MAX];
    struct seen seen[SEEN_MAX];
    int seen_count;
};

static void
drop_log(const rd_kafka_t *rk, int level, const char *facility, const char *message)
{
    (void)rk;
    (void)level;
    (void)facility;
    (void)message;
}

static rd_kafka_t *
client_new(rd_kafka_type_t type, const char *name, const char *value)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    char errstr[256];
    rd_kafka_t *rk;

    rd_kafka_conf_set_log_cb(conf, drop_log);
    assert_int_equal(rd_kafka_conf_set(conf, name, value, errstr, sizeof(errstr)), 0);
    if (type == RD_KAFKA_CONSUMER) {
        rd_kafka_conf_set(conf, "group.id", "reader", errstr, sizeof(errstr));
        rd_kafka_conf_set(conf, "fetch.wait.max.ms", "10", errstr, sizeof(errstr));
    }
    rk = rd_kafka_new(type, conf, errstr, sizeof(errstr));
    assert_non_null(rk);
    return rk;
}

static void
on_done(void *arg, void *token, const char *error, bool too_large)
{
    struct bench *bench = arg;

    bench->done++;
    bench->failed += error != NULL;
    bench->too_large = too_large;
    bench->token = token;
    snprintf(bench->error, sizeof(bench->error), "%s", error ? error : "");
}

static const struct dead_letter_ops ops = {on_done};

static void
open_letters(struct bench *bench)
{
    struct kafka_config config = {.bootstrap_servers = bootstrap};
    struct err err = {""};

    bench->letters = dead_letter_open(&config, bench->topic, &ops, bench, &err);
    if (!bench->letters)
        fail_msg("%s", err.msg);
}

/* A topic, about which every question is answered with TOPIC_ERROR, and the letters opened on it.
 * The mock creates a topic that is asked for, whatever the question says; a real broker obeys. So
 * it has to be there before anybody asks. */
static struct bench *
begin(rd_kafka_resp_err_t topic_error)
{
    static int count;
    struct bench *bench = xcalloc(1, sizeof(*bench));

    snprintf(bench->topic, sizeof(bench->topic), "letters-%d", ++count);
    assert_int_equal(rd_kafka_mock_topic_create(cluster, bench->topic, PARTITIONS, 1), 0);
    rd_kafka_mock_topic_set_error(cluster, bench->topic, topic_error);
    open_letters(bench);
    return bench;
}

static struct bench *
begin_with_topic(void)
{
    struct bench *bench = begin(RD_KAFKA_RESP_ERR_NO_ERROR);
    struct err err = {""};

    if (dead_letter_check(bench->letters, CHECK_MS, &err) < 0)
        fail_msg("%s", err.msg);
    return bench;
}

static void
end(struct bench *bench)
{
    dead_letter_close(bench->letters);
    xfree(bench);
}

static void
turn(struct bench *bench)
{
    struct pollfd poll_fd = {.fd = dead_letter_fd(bench->letters), .events = POLLIN};
    int64_t now = clock_now_ms();

    poll(&poll_fd, 1, (int)(dead_letter_deadline(bench->letters, now) - now));
    dead_letter_step(bench->letters, clock_now_ms());
}

static void
wait_until_done(struct bench *bench, int count)
{
    int64_t guard = clock_now_ms() + GUARD_MS;

    while (bench->done < count) {
        turn(bench);
        assert_true(clock_now_ms() < guard);
    }
    assert_int_equal(bench->done, count);
}

static int
try_send(struct bench *bench, const struct event *record, const char *by,
         const struct event_header *extra, size_t extra_count, struct err *err)
{
    struct dead_letter letter = {.record = record,
                                 .partition_by = by,
                                 .partition_by_len = by ? strlen(by) : 0,
                                 .extra = extra,
                                 .extra_count = extra_count};

    return dead_letter_send(bench->letters, &letter, (void *)record, &bench->too_large, err);
}

static void
send_letter(struct bench *bench, const struct event *record, const char *by)
{
    struct err err = {""};

    if (try_send(bench, record, by, NULL, 0, &err) < 0)
        fail_msg("%s", err.msg);
}

static struct event
record_of(const char *key, const char *payload)
{
    return (struct event){.topic = "plan.changed",
                          .key = key,
                          .key_len = key ? strlen(key) : 0,
                          .payload = payload,
                          .payload_len = payload ? strlen(payload) : 0};
}

static void
write_bytes(char *text, size_t size, const void *bytes, size_t len)
{
    struct buf buf;

    buf_init(&buf, 4096);
    if (!bytes)
        buf_add_text(&buf, "null");
    for (size_t i = 0; bytes && i < len; i++) {
        unsigned char c = ((const unsigned char *)bytes)[i];

        if (c > ' ' && c < 0x7f)
            buf_add_char(&buf, (char)c);
        else
            buf_printf(&buf, "\\%02x", c);
    }
    snprintf(text, size, "%s", buf_text(&buf));
    buf_fini(&buf);
}

static void
write_headers(char *text, size_t size, const rd_kafka_message_t *message)
{
    rd_kafka_headers_t *headers;
    struct buf buf;
    const char *name;
    const void *value;
    size_t len;

    buf_init(&buf, 4096);
    if (rd_kafka_message_headers(message, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR) {
        for (size_t i = 0; !rd_kafka_header_get_all(headers, i, &name, &value, &len); i++) {
            char shown[128];

            write_bytes(shown, sizeof(shown), value, len);
            buf_printf(&buf, "%s=%s;", name, shown);
        }
    }
    snprintf(text, size, "%s", buf_text(&buf));
    buf_fini(&buf);
}

/* Reads COUNT records, then looks whether there are more. */
static void
read_letters(struct bench *bench, int count)
{
    rd_kafka_t *reader = client_new(RD_KAFKA_CONSUMER, "bootstrap.servers", bootstrap);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(PARTITIONS);
    int64_t guard = clock_now_ms() + GUARD_MS;

    rd_kafka_topic_partition_list_add_range(list, bench->topic, 0, PARTITIONS - 1);
    for (int i = 0; i < list->cnt; i++)
        list->elems[i].offset = RD_KAFKA_OFFSET_BEGINNING;
    assert_int_equal(rd_kafka_assign(reader, list), 0);
    rd_kafka_topic_partition_list_destroy(list);
    for (;;) {
        rd_kafka_message_t *message =
            rd_kafka_consumer_poll(reader, bench->seen_count < count ? 100 : 50);

        assert_true(clock_now_ms() < guard);
        if (!message && bench->seen_count >= count)
            break;
        if (message && !message->err) {
            struct seen *seen = &bench->seen[bench->seen_count++];

            assert_true(bench->seen_count < SEEN_MAX);
            seen->partition = message->partition;
            write_bytes(seen->key, sizeof(seen->key), message->key, message->key_len);
            write_bytes(seen->payload, sizeof(seen->payload), message->payload, message->len);
            write_headers(seen->headers, sizeof(seen->headers), message);
        }
        if (message)
            rd_kafka_message_destroy(message);
    }
    rd_kafka_destroy_flags(reader, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    assert_int_equal(bench->seen_count, count);
}

static void
assert_has(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("no \"%s\" in: %s", part, text);
}

/* What arrives. */

static void
key_value_and_headers_arrive_byte_for_byte(void **state)
{
    static const struct event_header own[] = {
        {"trace", "a\0b", 3}, {"trace", "second", 6}, {"", "", 0}, {"nothing", NULL, 0}};
    static const struct event_header extra[] = {{"sx-topic", "plan.changed", 12},
                                                {"sx-none", NULL, 0}};
    struct bench *bench = begin_with_topic();
    struct event record = {.topic = "plan.changed",
                           .key = "k\0\xff",
                           .key_len = 3,
                           .payload = "{\0}\n\xc3",
                           .payload_len = 5,
                           .headers = own,
                           .header_count = ARRAY_LEN(own)};
    struct err err = {""};

    (void)state;
    assert_int_equal(try_send(bench, &record, "ada@example.com", extra, ARRAY_LEN(extra), &err), 0);
    assert_int_equal(dead_letter_in_flight(bench->letters), 1);
    wait_until_done(bench, 1);
    assert_int_equal(bench->failed, 0);
    assert_ptr_equal(bench->token, &record);
    assert_int_equal(dead_letter_in_flight(bench->letters), 0);
    read_letters(bench, 1);
    assert_string_equal(bench->seen[0].key, "k\\00\\ff");
    assert_string_equal(bench->seen[0].payload, "{\\00}\\0a\\c3");
    assert_string_equal(bench->seen[0].headers,
                        "trace=a\\00b;trace=second;=;nothing=null;sx-topic=plan.changed;"
                        "sx-none=null;");
    end(bench);
}

static void
nothing_and_empty_stay_apart(void **state)
{
    struct bench *bench = begin_with_topic();
    struct event nothing = record_of(NULL, NULL), empty = record_of("", "");

    (void)state;
    send_letter(bench, &nothing, "ada@example.com");
    wait_until_done(bench, 1);
    send_letter(bench, &empty, "ada@example.com");
    wait_until_done(bench, 2);
    read_letters(bench, 2);
    assert_string_equal(bench->seen[0].key, "null");
    assert_string_equal(bench->seen[0].payload, "null");
    assert_string_equal(bench->seen[1].key, "");
    assert_string_equal(bench->seen[1].payload, "");
    end(bench);
}

static void
letters_of_a_contact_stay_in_order_in_one_partition_whatever_their_keys(void **state)
{
    enum { CONTACTS = 20, EACH = 10 };
    struct bench *bench = begin_with_topic();
    int32_t partition_of[CONTACTS];
    int next_of[CONTACTS] = {0}, used = 0;
    bool is_used[PARTITIONS] = {false};

    (void)state;
    for (int i = 0; i < CONTACTS * EACH; i++) {
        char by[32], key[32], payload[32];
        struct event record;

        snprintf(by, sizeof(by), "user%d@example.com", i % CONTACTS);
        snprintf(key, sizeof(key), "key-%d", i);
        snprintf(payload, sizeof(payload), "%d/%d", i % CONTACTS, i / CONTACTS);
        record = record_of(i % 3 ? key : NULL, payload);
        record.partition = i;
        send_letter(bench, &record, by); /* copies: all of it is on this stack frame */
    }
    wait_until_done(bench, CONTACTS * EACH);
    assert_int_equal(bench->failed, 0);
    read_letters(bench, CONTACTS * EACH);
    for (int i = 0; i < bench->seen_count; i++) {
        int contact = -1, number = -1;

        assert_int_equal(sscanf(bench->seen[i].payload, "%d/%d", &contact, &number), 2);
        if (number == 0)
            partition_of[contact] = bench->seen[i].partition;
        assert_int_equal(number, next_of[contact]++);
        assert_int_equal(bench->seen[i].partition, partition_of[contact]);
        is_used[bench->seen[i].partition] = true;
    }
    for (int i = 0; i < PARTITIONS; i++)
        used += is_used[i];
    assert_true(used > PARTITIONS / 2);
    end(bench);
}

static void
without_a_contact_the_key_decides_and_without_a_key_the_partition_it_came_from(void **state)
{
    static const char *const keys[] = {"ada", "grace", "edsger", "barbara"};
    struct bench *bench = begin_with_topic();

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        struct event record = record_of(keys[i], "keyed");

        send_letter(bench, &record, NULL);
    }
    for (int i = 0; i < 3; i++) {
        struct event record = record_of(NULL, "bare");

        record.partition = PARTITIONS + 5;
        send_letter(bench, &record, NULL);
    }
    wait_until_done(bench, 7);
    read_letters(bench, 7);
    for (int i = 0; i < bench->seen_count; i++) {
        const struct seen *seen = &bench->seen[i];
        int32_t wanted = 5;

        if (strcmp(seen->payload, "keyed") == 0)
            wanted = rd_kafka_msg_partitioner_murmur2(NULL, seen->key, strlen(seen->key),
                                                      PARTITIONS, NULL, NULL);
        assert_int_equal(seen->partition, wanted);
    }
    end(bench);
}

/* What does not. */

static void
a_missing_topic_is_named_and_found_once_it_is_there(void **state)
{
    struct bench *bench = begin(RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
    struct event record = record_of("ada", "{}");
    struct err err = {""};

    (void)state;
    assert_int_equal(dead_letter_check(bench->letters, CHECK_MS, &err), -1);
    assert_has(err.msg, bench->topic);
    assert_has(err.msg, "\" does not exist: create it");
    send_letter(bench, &record, NULL); /* perhaps it has only just been created */
    wait_until_done(bench, 1);
    assert_has(bench->error, "does not exist");
    assert_false(bench->too_large);
    err_clear(&err);
    assert_int_equal(try_send(bench, &record, NULL, NULL, 0, &err), -1);
    assert_has(err.msg, "does not exist");
    assert_int_equal(dead_letter_in_flight(bench->letters), 0);
    assert_int_equal(bench->done, 1);
    rd_kafka_mock_topic_set_error(cluster, bench->topic, RD_KAFKA_RESP_ERR_NO_ERROR);
    err_clear(&err);
    assert_int_equal(dead_letter_check(bench->letters, CHECK_MS, &err), 0);
    send_letter(bench, &record, NULL);
    wait_until_done(bench, 2);
    assert_int_equal(bench->failed, 1);
    read_letters(bench, 1);
    end(bench);
}

static void
a_topic_that_may_not_be_written_to_says_which_rights_are_wanted(void **state)
{
    struct bench *bench = begin_with_topic();
    struct event record = record_of("ada", "{}");
    struct err err = {""};

    (void)state;
    rd_kafka_mock_push_request_errors(cluster, API_PRODUCE, 1,
                                      RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
    send_letter(bench, &record, NULL);
    wait_until_done(bench, 1);
    assert_has(bench->error, "Describe and Write");
    rd_kafka_mock_topic_set_error(cluster, bench->topic,
                                  RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
    assert_int_equal(dead_letter_check(bench->letters, CHECK_MS, &err), -1);
    assert_has(err.msg, "Describe and Write");
    end(bench);
}

static void
passing_errors_are_tried_again_unseen_and_the_letter_is_stored_once(void **state)
{
    struct bench *bench = begin_with_topic();
    struct event record = record_of("ada", "{}");

    (void)state;
    rd_kafka_mock_push_request_errors(
        cluster, API_PRODUCE, 4, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
        RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
        RD_KAFKA_RESP_ERR__TRANSPORT);
    send_letter(bench, &record, NULL);
    wait_until_done(bench, 1);
    assert_string_equal(bench->error, "");
    read_letters(bench, 1);
    end(bench);
}

static void
a_record_the_broker_finds_too_large_says_so_and_the_next_goes_on(void **state)
{
    struct bench *bench = begin_with_topic();
    struct event record = record_of("ada", "{}");

    (void)state;
    rd_kafka_mock_push_request_errors(cluster, API_PRODUCE, 1,
                                      RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE);
    send_letter(bench, &record, NULL);
    wait_until_done(bench, 1);
    assert_true(bench->too_large);
    assert_has(bench->error, "max.message.bytes");
    send_letter(bench, &record, NULL);
    wait_until_done(bench, 2);
    assert_false(bench->too_large);
    assert_string_equal(bench->error, "");
    end(bench);
}

static void
a_record_above_our_own_cap_is_refused_at_once(void **state)
{
    enum { TOO_MUCH = 64 * 1024 * 1024 + 1 };
    struct bench *bench = begin_with_topic();
    char *payload = xcalloc(1, TOO_MUCH);
    struct event record = {.topic = "t", .payload = payload, .payload_len = TOO_MUCH};
    struct err err = {""};

    (void)state;
    assert_int_equal(try_send(bench, &record, NULL, NULL, 0, &err), -1);
    assert_true(bench->too_large);
    assert_int_equal(dead_letter_in_flight(bench->letters), 0);
    record.payload_len = TOO_MUCH - 1024; /* and the largest one passes, compressed */
    send_letter(bench, &record, NULL);
    wait_until_done(bench, 1);
    assert_string_equal(bench->error, "");
    xfree(payload);
    end(bench);
}

static void
a_producer_that_is_refused_for_good_is_replaced_once_it_may_write(void **state)
{
    struct bench *bench = begin(RD_KAFKA_RESP_ERR_NO_ERROR);
    struct event record = record_of("ada", "{}");
    int64_t guard = clock_now_ms() + GUARD_MS;
    struct err err = {""};

    (void)state;
    log_setup(LOG_ERROR, LOG_LOGFMT);
    dead_letter_close(bench->letters);
    rd_kafka_mock_push_request_errors(cluster, API_INIT_PRODUCER_ID, 1,
                                      RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED);
    open_letters(bench);
    send_letter(bench, &record, NULL);
    wait_until_done(bench, 1);
    assert_has(bench->error, "IdempotentWrite");
    while (try_send(bench, &record, NULL, NULL, 0, &err) < 0)
        assert_true(clock_now_ms() < guard);
    wait_until_done(bench, 2);
    assert_string_equal(bench->error, "");
    read_letters(bench, 1);
    end(bench);
}

static void
what_waits_for_an_unreachable_cluster_is_bounded(void **state)
{
    enum { LETTERS_MAX = 10000 };
    struct bench *bench = begin_with_topic();
    struct event record = record_of("ada", "{}");
    struct err err = {""};
    int sent = 0;

    (void)state;
    rd_kafka_mock_broker_set_down(cluster, -1);
    while (try_send(bench, &record, NULL, NULL, 0, &err) == 0)
        assert_true(++sent <= LETTERS_MAX);
    assert_int_equal(sent, LETTERS_MAX);
    assert_false(bench->too_large);
    assert_has(err.msg, "on their way already");
    assert_int_equal(dead_letter_in_flight(bench->letters), LETTERS_MAX);
    rd_kafka_mock_broker_set_up(cluster, -1);
    wait_until_done(bench, LETTERS_MAX);
    assert_int_equal(bench->failed, 0);
    end(bench);
}

static void
closing_forgets_what_is_on_its_way(void **state)
{
    struct bench *bench = begin_with_topic();
    struct event record = record_of("ada", "{}");
    int64_t start;

    (void)state;
    rd_kafka_mock_broker_set_rtt(cluster, -1, ANSWER_MS);
    for (int i = 0; i < 100; i++)
        send_letter(bench, &record, NULL);
    turn(bench);
    start = clock_now_ms();
    dead_letter_close(bench->letters);
    assert_true(clock_now_ms() - start < ANSWER_MS); /* it does not wait for answers */
    assert_int_equal(bench->done, 0);
    bench->letters = NULL;
    rd_kafka_mock_broker_set_rtt(cluster, -1, 0);
    end(bench);
}

static void
without_a_broker_the_check_ends_in_time(void **state)
{
    struct bench *bench = begin(RD_KAFKA_RESP_ERR_NO_ERROR);
    struct err err = {""};
    int64_t start = clock_now_ms();

    (void)state;
    rd_kafka_mock_broker_set_down(cluster, -1);
    assert_int_equal(dead_letter_check(bench->letters, 300, &err), -1);
    assert_true(clock_now_ms() - start < GUARD_MS); /* socket.timeout.ms is longer */
    assert_has(err.msg, bench->topic);
    rd_kafka_mock_broker_set_up(cluster, -1);
    end(bench);
}

/* Settings. */

static void
settings_for_the_consumer_do_not_weaken_the_letters(void **state)
{
    struct kafka_property properties[] = {
        {.name = (char[]){"acks"}, .value = (char[]){"0"}},
        {.name = (char[]){"delivery.report.only.error"}, .value = (char[]){"true"}},
        {.name = (char[]){"fetch.max.bytes"}, .value = (char[]){"2000000"}},
        {.name = (char[]){"message.max.bytes"}, .value = (char[]){"1000"}},
        {.name = (char[]){"max.in.flight"}, .value = (char[]){"1000"}},
        {.name = (char[]){"receive.message.max.bytes"}, .value = (char[]){"3000000"}},
        {.name = (char[]){"session.timeout.ms"}, .value = (char[]){"10000"}},
    };
    struct kafka_config config = {.properties = properties,
                                  .property_count = ARRAY_LEN(properties)};
    struct bench *bench = begin_with_topic();
    char payload[4000] = {'x'};
    struct event record = {.topic = "t", .payload = payload, .payload_len = sizeof(payload)};
    struct err err = {""};

    (void)state;
    dead_letter_close(bench->letters);
    config.bootstrap_servers = bootstrap;
    bench->letters = dead_letter_open(&config, bench->topic, &ops, bench, &err);
    if (!bench->letters)
        fail_msg("%s", err.msg);
    send_letter(bench, &record, NULL);
    wait_until_done(bench, 1);
    assert_string_equal(bench->error, "");
    end(bench);
}

static void
what_cannot_be_opened_says_why(void **state)
{
    struct kafka_property bad = {.name = (char[]){"no.such.property"}, .value = (char[]){"1"}};
    struct kafka_config config = {
        .bootstrap_servers = (char[]){"127.0.0.1:1"}, .properties = &bad, .property_count = 1};
    struct err err = {""};
    char name[600];

    (void)state;
    assert_null(dead_letter_open(&config, "letters", &ops, NULL, &err));
    assert_has(err.msg, "no.such.property");
    memset(name, 'x', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    config.property_count = 0;
    err_clear(&err);
    assert_null(dead_letter_open(&config, name, &ops, NULL, &err));
    assert_has(err.msg, "dead_letter.topic");
    dead_letter_close(NULL);
}

static int
start_cluster(void **state)
{
    (void)state;
    host = client_new(RD_KAFKA_PRODUCER, "client.id", "host");
    cluster = rd_kafka_mock_cluster_new(host, 1);
    snprintf(bootstrap, sizeof(bootstrap), "%s", rd_kafka_mock_cluster_bootstraps(cluster));
    return 0;
}

static int
stop_cluster(void **state)
{
    (void)state;
    rd_kafka_mock_cluster_destroy(cluster);
    rd_kafka_destroy(host);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(key_value_and_headers_arrive_byte_for_byte),
        cmocka_unit_test(nothing_and_empty_stay_apart),
        cmocka_unit_test(letters_of_a_contact_stay_in_order_in_one_partition_whatever_their_keys),
        cmocka_unit_test(
            without_a_contact_the_key_decides_and_without_a_key_the_partition_it_came_from),
        cmocka_unit_test(a_missing_topic_is_named_and_found_once_it_is_there),
        cmocka_unit_test(a_topic_that_may_not_be_written_to_says_which_rights_are_wanted),
        cmocka_unit_test(passing_errors_are_tried_again_unseen_and_the_letter_is_stored_once),
        cmocka_unit_test(a_record_the_broker_finds_too_large_says_so_and_the_next_goes_on),
        cmocka_unit_test(a_record_above_our_own_cap_is_refused_at_once),
        cmocka_unit_test(a_producer_that_is_refused_for_good_is_replaced_once_it_may_write),
        cmocka_unit_test(what_waits_for_an_unreachable_cluster_is_bounded),
        cmocka_unit_test(closing_forgets_what_is_on_its_way),
        cmocka_unit_test(without_a_broker_the_check_ends_in_time),
        cmocka_unit_test(settings_for_the_consumer_do_not_weaken_the_letters),
        cmocka_unit_test(what_cannot_be_opened_says_why),
    };

    return cmocka_run_group_tests(tests, start_cluster, stop_cluster);
}
