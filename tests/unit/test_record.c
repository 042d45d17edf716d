#include "unit.h"

#include "delivery/record.h"

enum { HEADERS_MAX = 6, BYTES_MAX = 64 };

static void
expect_bytes(const void *copy, size_t copy_len, const void *bytes, size_t len)
{
    assert_int_equal(copy_len, len);
    assert_int_equal(copy == NULL, bytes == NULL);
    if (len)
        assert_memory_equal(copy, bytes, len);
}

static void
expect_within(const struct record *record, const void *bytes, size_t len)
{
    uintptr_t start = (uintptr_t)record, at = (uintptr_t)bytes;

    if (bytes)
        assert_true(at >= start && at + len <= start + record->size);
}

static void
expect_copy(const struct record *record, const struct event *event)
{
    const struct event *copy = &record->event;

    assert_string_equal(copy->topic, event->topic);
    expect_within(record, copy->topic, strlen(event->topic) + 1);
    assert_int_equal(copy->partition, event->partition);
    assert_int_equal(copy->offset, event->offset);
    assert_int_equal(copy->timestamp_ms, event->timestamp_ms);
    expect_bytes(copy->key, copy->key_len, event->key, event->key_len);
    expect_within(record, copy->key, copy->key_len);
    expect_bytes(copy->payload, copy->payload_len, event->payload, event->payload_len);
    expect_within(record, copy->payload, copy->payload_len);
    assert_int_equal(copy->header_count, event->header_count);
    for (size_t i = 0; i < event->header_count; i++) {
        assert_string_equal(copy->headers[i].name, event->headers[i].name);
        expect_within(record, copy->headers[i].name, strlen(event->headers[i].name) + 1);
        expect_bytes(copy->headers[i].value, copy->headers[i].value_len, event->headers[i].value,
                     event->headers[i].value_len);
        expect_within(record, copy->headers[i].value, copy->headers[i].value_len);
    }
}

static void
a_record_outlives_what_it_was_copied_from(void **state)
{
    char topic[] = "user.changed", key[] = "k\0y", payload[] = "{\"a\":\"\0\"}", name[] = "trace";
    char value[] = "\xff\0\x01";
    struct event_header header = {.name = name, .value = value, .value_len = 3};
    struct event event = {.topic = topic,
                          .partition = 7,
                          .offset = INT64_C(5000000000),
                          .timestamp_ms = INT64_C(1700000000123),
                          .key = key,
                          .key_len = 3,
                          .payload = payload,
                          .payload_len = sizeof(payload) - 1,
                          .headers = &header,
                          .header_count = 1};
    struct record *record = record_new(&event);
    const struct event *copy = &record->event;

    (void)state;
    expect_copy(record, &event);
    memset(topic, 'x', sizeof(topic));
    memset(key, 'x', sizeof(key));
    memset(payload, 'x', sizeof(payload));
    memset(name, 'x', sizeof(name));
    memset(value, 'x', sizeof(value));
    memset(&header, 0, sizeof(header));
    assert_string_equal(copy->topic, "user.changed");
    assert_memory_equal(copy->key, "k\0y", 3);
    assert_memory_equal(copy->payload, "{\"a\":\"\0\"}", 9);
    assert_string_equal(copy->headers[0].name, "trace");
    assert_memory_equal(copy->headers[0].value, "\xff\0\x01", 3);
    record_free(record);
}

static void
nothing_and_no_bytes_are_not_the_same(void **state)
{
    struct event_header headers[] = {
        {.name = "null"}, {.name = "empty", .value = ""}, {.name = ""}};
    struct event event = {.topic = "t",
                          .timestamp_ms = EVENT_NO_TIME,
                          .key = "",
                          .headers = headers,
                          .header_count = ARRAY_LEN(headers)};
    struct record *record = record_new(&event);

    (void)state;
    expect_copy(record, &event);
    assert_non_null(record->event.key);
    assert_null(record->event.payload);
    assert_null(record->event.headers[0].value);
    assert_non_null(record->event.headers[1].value);
    record_free(record);
    event.key = NULL;
    event.payload = "";
    event.headers = NULL;
    event.header_count = 0;
    record = record_new(&event);
    expect_copy(record, &event);
    assert_null(record->event.key);
    assert_non_null(record->event.payload);
    record_free(record);
    record_free(NULL);
}

/* What counts towards the pending limits. */
static void
its_size_holds_all_bytes(void **state)
{
    static char payload[100000];
    struct event event = {.topic = "t", .payload = payload, .payload_len = sizeof(payload)};
    struct record *record = record_new(&event);

    (void)state;
    assert_in_range(record->size, sizeof(payload), sizeof(payload) + 1024);
    record_free(record);
}

/* NULL, or up to BYTES_MAX bytes of *AT. */
static const void *
random_bytes(struct rng *rng, char **at, size_t *len)
{
    char *bytes = *at;

    *len = 0;
    if (!rng_below(rng, 4))
        return NULL;
    *len = rng_below(rng, 3) ? rng_below(rng, BYTES_MAX) : 0;
    for (size_t i = 0; i < *len; i++)
        bytes[i] = (char)rng_next(rng);
    *at += *len;
    return bytes;
}

static const char *
random_text(struct rng *rng, char **at)
{
    char *text = *at;
    size_t len = rng_below(rng, 20);

    for (size_t i = 0; i < len; i++)
        text[i] = (char)('a' + rng_below(rng, 26));
    text[len] = '\0';
    *at += len + 1;
    return text;
}

static void
any_record_is_copied_byte_for_byte(void **state)
{
    struct rng rng = unit_rng("record", 22);

    (void)state;
    for (int run = 0; run < 5000; run++) {
        static char bytes[(HEADERS_MAX + 2) * 2 * BYTES_MAX];
        struct event_header headers[HEADERS_MAX];
        char *at = bytes;
        struct event event = {.topic = random_text(&rng, &at),
                              .offset = (int64_t)(rng_next(&rng) >> 1),
                              .headers = headers,
                              .header_count = rng_below(&rng, HEADERS_MAX + 1)};
        struct record *record;

        event.key = random_bytes(&rng, &at, &event.key_len);
        event.payload = random_bytes(&rng, &at, &event.payload_len);
        for (size_t i = 0; i < event.header_count; i++) {
            headers[i].name = random_text(&rng, &at);
            headers[i].value = random_bytes(&rng, &at, &headers[i].value_len);
        }
        record = record_new(&event);
        expect_copy(record, &event);
        record_free(record);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_outlives_what_it_was_copied_from),
        cmocka_unit_test(nothing_and_no_bytes_are_not_the_same),
        cmocka_unit_test(its_size_holds_all_bytes),
        cmocka_unit_test(any_record_is_copied_byte_for_byte),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
