/* delivery/letter: what is written into the headers of a dead letter is what is read from them. */
#include "core_unit.h"

#include "base/xalloc.h"
#include "delivery/letter.h"

enum { ROUNDS = 20000, MANY = 64, NOW_WALL_MS = 1700000000 };

#define TEXT_HEADER(header_name, text)                                \
    (struct event_header)                                             \
    {                                                                 \
        .name = header_name, .value = text, .value_len = strlen(text) \
    }

/* ---- helpers ---- */

/* A record with the headers of the event, and those of the block behind them. */
struct stored {
    struct event record;
    struct event_header headers[MANY];
    struct letter_headers block;
};

static void
store(struct stored *stored, const struct event *event, struct core_event *letter)
{
    letter_headers_init(&stored->block);
    letter_write(&stored->block, letter, 0xabc, 5000, NOW_WALL_MS * INT64_C(1000));
    stored->record = *event;
    stored->record.topic = "dead";
    stored->record.partition = 77;
    stored->record.offset = 88;
    stored->record.headers = stored->headers;
    for (size_t i = 0; i < event->header_count; i++)
        stored->headers[i] = event->headers[i];
    for (size_t i = 0; i < stored->block.count; i++)
        stored->headers[event->header_count + i] = stored->block.items[i];
    stored->record.header_count = event->header_count + stored->block.count;
}

static void
expect_header(const struct event *record, const char *name, const char *text)
{
    for (size_t i = record->header_count; i > 0; i--) {
        const struct event_header *header = &record->headers[i - 1];

        if (strcmp(header->name, name) == 0) {
            assert_int_equal(header->value_len, strlen(text));
            assert_memory_equal(header->value, text, strlen(text));
            return;
        }
    }
    fail_msg("there is no header %s", name);
}

static void
expect_unreadable(const struct event_header *headers, size_t count, const char *why)
{
    struct event record = {.topic = "dead", .headers = headers, .header_count = count};
    struct letter letter;
    struct err err = {0};

    assert_int_equal(letter_read(&record, &letter, &err), -1);
    assert_string_equal(err.msg, why);
}

static struct call *
rule_call(const char *rule, enum call_kind kind, size_t nth)
{
    struct call *call = call_new(kind, 0, rule);
    const char *email = arena_text(&call->arena, "a@example.com", 13);

    if (kind == CALL_IDENTIFY)
        call->identify.email = email;
    else
        call->track.email = email;
    call->nth = nth;
    return call;
}

static const struct event_header own[] = {
    {.name = "sx-topic", .value = "mine", .value_len = 4},
    {.name = "sx-redrives", .value = "x", .value_len = 1},
    {.name = "n", .value = NULL, .value_len = 0},
};

static struct event
some_event(void)
{
    return (struct event){.topic = "user.changed",
                          .partition = 3,
                          .timestamp_ms = 1234567890123,
                          .key = "\xff\0k",
                          .key_len = 3,
                          .payload = "{}",
                          .payload_len = 2,
                          .headers = own,
                          .header_count = ARRAY_LEN(own)};
}

/* The letter of EVENT, all COUNT calls of which are refused. */
static struct core_event *
refuse_all(struct fixture *fixture, const struct event *event, struct call **calls, size_t count)
{
    struct core_event *opened = core_open(fixture->core, fixture->part, fixture->next++, event);
    struct core_job *job;

    for (size_t i = 0; i < count; i++)
        core_add(fixture->core, opened, &calls[i]);
    core_close(fixture->core, opened, EVENT_DELIVERED, fixture->now);
    while ((job = core_next(fixture->core, fixture->now)))
        (void)core_settle(fixture->core, job,
                          &(struct settlement){.verdict = VERDICT_PERMANENT,
                                               .status = 422,
                                               .reason = "422 Unprocessable"},
                          fixture->now);
    opened = core_letter_next(fixture->core, fixture->now);
    assert_non_null(opened);
    return opened;
}

static void
done(struct fixture *fixture, struct core_event *letter, struct stored *stored)
{
    letter_headers_fini(&stored->block);
    core_letter_done(fixture->core, letter, LETTER_STORED, fixture->now);
}

/* ---- which partition ---- */

/* The bytes are part of the promise: where they change, letters of a contact part. */
static void
letters_of_a_contact_share_a_key_that_knows_the_account_by_name(void **state)
{
    struct buf key;

    (void)state;
    buf_init(&key, 100);
    letter_partition_key(&key, "shop", "Ada@Example.com");
    assert_int_equal(key.len, 20);
    assert_memory_equal(buf_text(&key), "shop\0ada@example.com", 20);
    buf_fini(&key);
}

/* ---- writing and reading ---- */

static void
a_letter_is_restored_to_the_event_that_it_was(void **state)
{
    struct fixture *fixture = *state;
    struct call *calls[] = {rule_call("a \"quoted\" rule", CALL_IDENTIFY, 0),
                            rule_call("b", CALL_TRACK, 7)};
    struct event event = some_event(), restored;
    struct core_event *core_letter = refuse_all(fixture, &event, calls, 2);
    struct stored stored;
    struct letter letter;
    struct letter_calls listed;
    struct err err = {0};

    store(&stored, &event, core_letter);
    assert_int_equal(letter_read(&stored.record, &letter, &err), 0);
    letter_restore(&stored.record, &letter, &restored);
    assert_string_equal(restored.topic, "user.changed");
    assert_int_equal(restored.partition, 3);
    assert_int_equal(restored.offset, 0);
    assert_int_equal(restored.timestamp_ms, 1234567890123);
    assert_int_equal(restored.redrives, 0);
    assert_int_equal(restored.header_count, ARRAY_LEN(own));
    assert_ptr_equal(restored.key, event.key);
    assert_int_equal(letter_calls_read(restored.only_calls, restored.only_calls_len, &listed, &err),
                     0);
    assert_int_equal(listed.count, 2);
    assert_string_equal(listed.items[0].rule, "a \"quoted\" rule");
    assert_int_equal(listed.items[1].nth, 7);
    assert_int_equal(listed.items[1].kind, CALL_TRACK);
    assert_true(letter_calls_name(&listed, "b", 1));
    assert_false(letter_calls_name(&listed, "bb", 2));
    letter_calls_fini(&listed);
    expect_header(&stored.record, "sx-rules-hash", "0000000000000abc");
    expect_header(&stored.record, "sx-last-try", "2023-11-14T22:13:16Z");
    done(fixture, core_letter, &stored);
}

static void
raising_the_count_changes_nothing_else(void **state)
{
    struct fixture *fixture = *state;
    struct call *calls[] = {rule_call("r", CALL_IDENTIFY, 0)};
    struct event event = some_event(), again;
    struct core_event *core_letter = refuse_all(fixture, &event, calls, 1);
    struct event_header headers[MANY], more[MANY];
    char number[LETTER_NUMBER_MAX];
    struct stored stored;
    struct letter letter;
    struct err err = {0};

    store(&stored, &event, core_letter);
    assert_int_equal(letter_read(&stored.record, &letter, &err), 0);
    again = stored.record;
    again.headers = headers;
    again.header_count = letter_raise(&stored.record, &letter, headers, number);
    assert_int_equal(again.header_count, stored.record.header_count + 1);
    assert_memory_equal(headers, stored.headers,
                        stored.record.header_count * sizeof(struct event_header));
    assert_int_equal(letter_read(&again, &letter, &err), 0);
    assert_int_equal(letter.redrives, 1);
    assert_int_equal(letter.own, ARRAY_LEN(own));
    /* The second time it is replaced; the event's own header of that name stays. */
    assert_int_equal(letter_raise(&again, &letter, more, number), again.header_count);
    assert_string_equal(number, "2");
    assert_memory_equal(more[1].value, "x", 1);
    done(fixture, core_letter, &stored);
}

static void
what_could_not_be_mapped_names_its_rule_and_keeps_the_calls_that_were_left(void **state)
{
    static const char left[] =
        "[{\"index\":1,\"call\":\"track\",\"rule\":\"r\",\"nth\":0,\"class\":\"permanent\"}]";
    struct fixture *fixture = *state;
    struct event event = some_event();
    struct core_event *core_letter;
    struct stored stored;
    struct letter letter;
    struct err err = {0};

    event.redrives = 2;
    event.only_calls = left;
    event.only_calls_len = strlen(left);
    assert_true(core_refuse(fixture->core,
                            core_open(fixture->core, fixture->part, fixture->next++, &event),
                            "rule \"a \"b\"\": email: is null", fixture->now));
    core_letter = core_letter_next(fixture->core, fixture->now);
    store(&stored, &event, core_letter);
    expect_header(&stored.record, "sx-rule", "a \"b\"");
    expect_header(&stored.record, "sx-class", "mapping");
    expect_header(&stored.record, "sx-redrives", "2");
    expect_header(&stored.record, "sx-calls", left);
    assert_int_equal(letter_read(&stored.record, &letter, &err), 0);
    assert_int_equal(letter.redrives, 2);
    done(fixture, core_letter, &stored);
}

static void
a_thousand_failed_calls_of_a_rule_with_a_long_name_can_be_read_again(void **state)
{
    struct core_limits limits = default_limits();
    struct gate_limits gate = default_gate();
    struct fixture *fixture = *state;
    struct call *calls[1000];
    char name[2001] = "";
    struct event event = some_event();
    struct core_event *core_letter;
    struct stored stored;
    struct letter letter;
    struct letter_calls listed;
    struct err err = {0};

    (void)limits;
    gate.max_in_flight = 2000;
    core_set_account(fixture->core, 0, &gate, UNKNOWN_CREATE, fixture->now);
    memset(name, 'r', sizeof(name) - 1);
    for (size_t i = 0; i < ARRAY_LEN(calls); i++)
        calls[i] = rule_call(name, CALL_IDENTIFY, i);
    core_letter = refuse_all(fixture, &event, calls, ARRAY_LEN(calls));
    store(&stored, &event, core_letter);
    assert_false(buf_toobig(&stored.block.text));
    assert_int_equal(letter_read(&stored.record, &letter, &err), 0);
    assert_int_equal(letter_calls_read(letter.calls.text, letter.calls.len, &listed, &err), 0);
    assert_int_equal(listed.count, 1000);
    letter_calls_fini(&listed);
    done(fixture, core_letter, &stored);
}

static void
what_is_no_letter_is_refused_with_a_reason(void **state)
{
    const struct event_header topic = TEXT_HEADER("sx-topic", "t");
    const struct event_header partition = TEXT_HEADER("sx-partition", "0");
    const struct event_header offset = TEXT_HEADER("sx-offset", "9223372036854775806");
    const struct event_header class = TEXT_HEADER("sx-class", "permanent");
    const struct event_header calls = TEXT_HEADER("sx-calls", "[]");
    const struct event_header large = TEXT_HEADER("sx-partition", "2147483648");
    const struct event_header other = TEXT_HEADER("traceparent", "00");

    (void)state;
    expect_unreadable(NULL, 0, "it has no header sx-topic");
    expect_unreadable(&other, 1, "it has no header sx-topic");
    expect_unreadable(&topic, 1, "it has no header sx-partition");
    expect_unreadable((struct event_header[]){topic, partition, other}, 3,
                      "a header that is not the worker's stands behind sx-topic");
    expect_unreadable((struct event_header[]){topic, partition, partition}, 3,
                      "one of its sx- headers stands there twice");
    expect_unreadable((struct event_header[]){topic, large}, 2,
                      "its header sx-partition is no number from 0 to 2147483647");
    expect_unreadable((struct event_header[]){TEXT_HEADER("sx-topic", ""), partition, offset}, 3,
                      "its header sx-topic is no name of a topic");
    expect_unreadable((struct event_header[]){topic, partition, offset}, 3,
                      "it has no header sx-class");
    expect_unreadable((struct event_header[]){topic, partition, offset, class}, 4,
                      "it has no header sx-calls");
    expect_unreadable((struct event_header[]){topic, partition, offset, class, calls}, 5,
                      "its header sx-calls is no list of calls");
}

/* Blocks with a header left out, doubled, cut or with a byte changed: refused, or read to something
 * that is within its bounds. */
static void
random_damage_is_never_more_than_unreadable(void **state)
{
    struct rng rng = unit_rng("damage", 26);
    const struct event_header whole[] = {
        TEXT_HEADER("h", "1"),
        TEXT_HEADER("sx-topic", "user.changed"),
        TEXT_HEADER("sx-partition", "12"),
        TEXT_HEADER("sx-offset", "345"),
        TEXT_HEADER("sx-timestamp", "1700000000000"),
        TEXT_HEADER("sx-redrives", "3"),
        TEXT_HEADER("sx-class", "permanent"),
        TEXT_HEADER("sx-calls", "[{\"call\":\"identify\",\"rule\":\"r\",\"nth\":0}]"),
    };
    size_t readable = 0;

    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        struct event_header headers[MANY];
        struct event record = {.topic = "dead", .headers = headers};
        size_t victim = rng_below(&rng, ARRAY_LEN(whole));
        char *bytes = xmemdup(whole[victim].value, whole[victim].value_len);
        struct letter letter;
        struct err err = {0};

        for (size_t i = 0; i < ARRAY_LEN(whole); i++) {
            struct event_header *header = &headers[record.header_count];

            *header = whole[i];
            if (i != victim) {
                record.header_count++;
                continue;
            }
            header->value = bytes;
            bytes[rng_below(&rng, header->value_len)] = (char)rng_below(&rng, 256);
            if (rng_below(&rng, 4) == 0)
                header->value_len = rng_below(&rng, header->value_len + 1);
            if (rng_below(&rng, 16) == 0)
                header->value = NULL;
            record.header_count += rng_below(&rng, 8) == 0 ? 0 : 1;
        }
        if (letter_read(&record, &letter, &err) == 0) {
            readable++;
            assert_true(letter.partition >= 0 && letter.offset >= 0);
            assert_true(letter.own <= record.header_count && strlen(letter.topic) > 0);
        } else {
            assert_true(err_is_set(&err));
        }
        xfree(bytes);
    }
    assert_true(readable > ROUNDS / 100 && readable < ROUNDS);
}

/* ---- the calls that are left ---- */

static void
only_listed_calls_are_kept_and_those_that_are_gone_are_counted(void **state)
{
    static const char text[] = "[{\"call\":\"track\",\"rule\":\"a\",\"nth\":1},"
                               "{\"call\":\"identify\",\"rule\":\"a\",\"nth\":0},"
                               "{\"call\":\"track\",\"rule\":\"gone\",\"nth\":0}]";
    struct call_list list;
    struct letter_calls calls;
    struct err err = {0};

    (void)state;
    call_list_init(&list);
    call_list_add(&list, rule_call("a", CALL_IDENTIFY, 0));
    call_list_add(&list, rule_call("a", CALL_TRACK, 0));
    call_list_add(&list, rule_call("a", CALL_IDENTIFY, 1));
    call_list_add(&list, rule_call("a", CALL_TRACK, 1));
    call_list_add(&list, rule_call("b", CALL_TRACK, 1));
    assert_int_equal(letter_calls_read(text, strlen(text), &calls, &err), 0);
    assert_int_equal(letter_calls_keep(&calls, &list), 1);
    assert_int_equal(list.count, 2);
    assert_int_equal(list.items[0]->kind, CALL_IDENTIFY);
    assert_int_equal(list.items[1]->kind, CALL_TRACK);
    assert_int_equal(list.items[1]->nth, 1);
    letter_calls_fini(&calls);
    call_list_fini(&list);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_letter_is_restored_to_the_event_that_it_was),
        TEST(raising_the_count_changes_nothing_else),
        TEST(what_could_not_be_mapped_names_its_rule_and_keeps_the_calls_that_were_left),
        TEST(a_thousand_failed_calls_of_a_rule_with_a_long_name_can_be_read_again),
        cmocka_unit_test(letters_of_a_contact_share_a_key_that_knows_the_account_by_name),
        cmocka_unit_test(what_is_no_letter_is_refused_with_a_reason),
        cmocka_unit_test(random_damage_is_never_more_than_unreadable),
        cmocka_unit_test(only_listed_calls_are_kept_and_those_that_are_gone_are_counted),
    };
#undef TEST

    return cmocka_run_group_tests(tests, NULL, NULL);
}
