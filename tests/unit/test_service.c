/* sandbox/service: what the stand-in API answers and remembers, without HTTP. */
#include <jansson.h>

#include "base/clock.h"
#include "sandbox/service.h"
#include "unit.h"

enum { RING = 8, REPLY_ROOM = 1 << 20 };

struct fixture {
    struct service *service;
    int64_t now_ms;
    unsigned ended; /* how often the service wanted everything open to end */
};

/* One request from its start to its reply. */
struct transfer {
    struct request request;
    struct exchange exchange;
    struct reply reply;
};

static void
end_open(void *owner)
{
    struct fixture *fixture = owner;

    fixture->ended++;
}

static int
setup(void **state)
{
    static struct fixture fixture;
    struct service_options options = {.api_key = "key", .team_id = "team", .max_requests = RING};

    fixture = (struct fixture){.now_ms = 1000000000000};
    fixture.service = service_new(&options, end_open, &fixture);
    *state = &fixture;
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *fixture = *state;

    service_free(fixture->service);
    return 0;
}

static struct request
rest(const char *kind, const char *body)
{
    return (struct request){
        .method = "POST",
        .path = strcmp(kind, "track") == 0 ? "/api/v1/rest/contact/track"
                                           : "/api/v1/rest/contact/identify",
        .team_api_key = "key",
        .content_type = "application/json",
        .body = body,
        .body_len = strlen(body),
    };
}

static void
start(struct fixture *fixture, struct transfer *transfer, struct request request)
{
    *transfer = (struct transfer){.request = request};
    buf_init(&transfer->reply.body, REPLY_ROOM);
    service_start(fixture->service, &transfer->exchange, &transfer->request, fixture->now_ms);
}

static int
finish(struct fixture *fixture, struct transfer *transfer)
{
    service_finish(fixture->service, &transfer->exchange, &transfer->request, fixture->now_ms,
                   &transfer->reply);
    buf_fini(&transfer->reply.body);
    return transfer->reply.status;
}

static int
call(struct fixture *fixture, struct request request)
{
    struct transfer transfer;

    start(fixture, &transfer, request);
    return finish(fixture, &transfer);
}

/* Asks a control path. Yours. */
static json_t *
ask(struct fixture *fixture, const char *method, const char *path, const char *body)
{
    struct transfer transfer;
    json_t *answer;

    start(fixture, &transfer,
          (struct request){.method = method, .path = path, .body = body, .body_len = strlen(body)});
    service_finish(fixture->service, &transfer.exchange, &transfer.request, fixture->now_ms,
                   &transfer.reply);
    answer = json_loadb(buf_text(&transfer.reply.body), transfer.reply.body.len, 0, NULL);
    if (!answer)
        fail_msg("%s %s: no JSON", method, path);
    buf_fini(&transfer.reply.body);
    return answer;
}

static void
script(struct fixture *fixture, const char *spec)
{
    struct err err = {""};

    if (service_script(fixture->service, spec, &err))
        fail_msg("%s: %s", spec, err.msg);
}

/* A member of the request SEQ as it is remembered: a number, or 0 and 1. */
static int64_t
remembered(struct fixture *fixture, size_t seq, const char *name)
{
    json_t *list = ask(fixture, "GET", "/_sandbox/requests", "");
    const json_t *requests = json_object_get(list, "requests");
    const json_t *value = NULL;
    int64_t number;

    for (size_t i = 0; i < json_array_size(requests); i++) {
        const json_t *entry = json_array_get(requests, i);

        if (json_integer_value(json_object_get(entry, "seq")) == (json_int_t)seq)
            value = json_object_get(entry, name);
    }
    if (!value)
        fail_msg("request %zu is not remembered with %s", seq, name);
    number = json_is_integer(value) ? json_integer_value(value) : json_is_true(value);
    json_decref(list);
    return number;
}

static const char ada[] = "{\"email\":\"ada@example.com\"}";
static const char ada_tag[] = "{\"email\":\"ada@example.com\",\"addTags\":[\"t\"]}";

static void
both_flavours_share_their_contacts(void **state)
{
    struct fixture *fixture = *state;
    struct request v1 = {.method = "POST",
                         .path = "/api/v1/contact/track",
                         .api_key = "key",
                         .team_id = "team",
                         .email = "ada@example.com",
                         .content_type = "application/json; charset=utf-8",
                         .body = "{\"addTags\":[\"t\"]}",
                         .body_len = 17};

    assert_int_equal(call(fixture, rest("identify", ada)), 200);
    assert_int_equal(call(fixture, v1), 200);
    assert_true(
        contact_has_tag(store_find(service_store(fixture->service), "ada@example.com"), "t"));
}

static void
a_call_is_refused_by_the_first_thing_that_is_wrong_with_it(void **state)
{
    struct fixture *fixture = *state;
    struct request request = rest("track", ada_tag);

    assert_int_equal(call(fixture, request), 404);
    request.body = "{";
    request.body_len = 1;
    assert_int_equal(call(fixture, request), 400);
    request.content_type = NULL;
    assert_int_equal(call(fixture, request), 400);
    request.team_api_key = "wrong";
    assert_int_equal(call(fixture, request), 401);
    request.api_key = "key";
    request.team_api_key = NULL;
    assert_int_equal(call(fixture, request), 401);
    request.path = "/api/v1/contact/track";
    request.team_id = "wrong";
    assert_int_equal(call(fixture, request), 403);
    request.method = "GET";
    assert_int_equal(call(fixture, request), 405);
    request.path = "/api/v1/contact/nothing";
    assert_int_equal(call(fixture, request), 404);
}

static void
a_request_overlaps_when_its_contact_has_another_one_open(void **state)
{
    struct fixture *fixture = *state;
    struct transfer first, second, third;

    script(fixture, "{\"action\":\"delay\",\"delay_ms\":50}");
    start(fixture, &first, rest("identify", ada));
    start(fixture, &second,
          rest("identify", "{\"email\":\"x@example.com\",\"newEmail\":\"ADA@example.com\"}"));
    start(fixture, &third, rest("identify", "{\"email\":\"other@example.com\"}"));
    assert_int_equal(first.exchange.due_ms, fixture->now_ms + 50);
    fixture->now_ms += 50;
    finish(fixture, &first);
    finish(fixture, &second);
    finish(fixture, &third);
    assert_int_equal(journal_totals(service_journal(fixture->service)).max_open, 3);
    assert_false(remembered(fixture, 1, "overlap"));
    assert_true(remembered(fixture, 2, "overlap"));
    assert_false(remembered(fixture, 3, "overlap"));
    call(fixture, rest("identify", ada));
    assert_false(remembered(fixture, 4, "overlap"));
}

static void
a_lost_reply_was_applied_and_a_reset_was_not(void **state)
{
    struct fixture *fixture = *state;
    struct transfer transfer;

    call(fixture, rest("identify", ada));
    script(fixture, "{\"action\":\"reset\",\"count\":1}");
    start(fixture, &transfer, rest("track", ada_tag));
    assert_int_equal(finish(fixture, &transfer), 0);
    assert_true(transfer.reply.reset);
    assert_false(
        contact_has_tag(store_find(service_store(fixture->service), "ada@example.com"), "t"));
    script(fixture, "{\"action\":\"lost_reply\",\"count\":1}");
    start(fixture, &transfer, rest("track", ada_tag));
    assert_int_equal(finish(fixture, &transfer), 0);
    assert_true(transfer.reply.reset);
    assert_true(
        contact_has_tag(store_find(service_store(fixture->service), "ada@example.com"), "t"));
    assert_true(remembered(fixture, 3, "applied"));
    assert_int_equal(remembered(fixture, 3, "status"), 0);
    assert_int_equal(remembered(fixture, 3, "fault"), 2);
    assert_int_equal(call(fixture, rest("track", ada_tag)), 200);
}

static void
a_request_that_hangs_is_open_until_its_client_goes(void **state)
{
    struct fixture *fixture = *state;
    struct transfer transfer;

    script(fixture, "{\"action\":\"hang\"}");
    start(fixture, &transfer, rest("identify", ada));
    assert_int_equal(transfer.exchange.due_ms, CLOCK_NEVER);
    assert_int_equal(remembered(fixture, 1, "finished_ms"), -1);
    fixture->now_ms += 7;
    service_abandon(fixture->service, &transfer.exchange, fixture->now_ms);
    service_abandon(fixture->service, &transfer.exchange, fixture->now_ms);
    buf_fini(&transfer.reply.body);
    assert_int_equal(remembered(fixture, 1, "finished_ms"), fixture->now_ms);
    assert_int_equal(store_count(service_store(fixture->service)), 0);
}

static void
retry_after_comes_in_both_forms(void **state)
{
    struct fixture *fixture = *state;
    struct transfer transfer;

    script(fixture, "{\"status\":429,\"retry_after\":\"5\",\"count\":1}");
    script(fixture, "{\"status\":503,\"retry_after\":\"date:+5\",\"count\":1}");
    start(fixture, &transfer, rest("identify", ada));
    assert_int_equal(finish(fixture, &transfer), 429);
    assert_string_equal(transfer.reply.retry_after, "5");
    start(fixture, &transfer, rest("identify", ada));
    assert_int_equal(finish(fixture, &transfer), 503);
    assert_string_equal(transfer.reply.retry_after, "Sun, 09 Sep 2001 01:46:45 GMT");
    assert_int_equal(call(fixture, rest("identify", ada)), 200);
}

static void
a_fault_takes_only_what_it_names_and_the_same_share_for_the_same_seed(void **state)
{
    struct fixture *fixture = *state;
    char first[RING * 8 + 1] = "", second[sizeof(first)] = "";

    script(fixture, "{\"path\":\"track\",\"email\":\"ADA@example.com\",\"status\":500}");
    assert_int_equal(call(fixture, rest("identify", ada)), 200);
    assert_int_equal(call(fixture, rest("track", ada_tag)), 500);
    assert_int_equal(call(fixture, rest("track", "{\"email\":\"b@example.com\"}")), 404);
    for (size_t round = 0; round < 2; round++) {
        json_decref(ask(fixture, "POST", "/_sandbox/reset", ""));
        script(fixture, "{\"share\":0.5,\"seed\":3,\"status\":500}");
        for (size_t i = 0; i + 1 < sizeof(first); i++)
            (round ? second : first)[i] = call(fixture, rest("identify", ada)) == 500 ? 'x' : '.';
    }
    assert_string_equal(first, second);
    assert_non_null(strchr(first, 'x'));
    assert_non_null(strchr(first, '.'));
    assert_int_equal(fixture->ended, 2);
}

static void
delays_add_up_and_the_first_other_fault_decides(void **state)
{
    struct fixture *fixture = *state;
    struct transfer transfer;

    script(fixture, "{\"action\":\"delay\",\"delay_ms\":10}");
    script(fixture, "{\"status\":500,\"delay_ms\":5}");
    script(fixture, "{\"status\":400}");
    start(fixture, &transfer, rest("identify", ada));
    assert_int_equal(transfer.exchange.due_ms, fixture->now_ms + 15);
    fixture->now_ms += 15;
    assert_int_equal(finish(fixture, &transfer), 500);
    json_decref(ask(fixture, "DELETE", "/_sandbox/faults", ""));
    assert_int_equal(call(fixture, rest("identify", ada)), 200);
}

static void
the_ring_keeps_the_newest_requests_and_counts_what_it_dropped(void **state)
{
    struct fixture *fixture = *state;
    json_t *list;

    for (size_t i = 0; i < RING + 3; i++)
        call(fixture, rest("identify", ada));
    list = ask(fixture, "GET", "/_sandbox/requests", "");
    assert_int_equal(json_array_size(json_object_get(list, "requests")), RING);
    assert_int_equal(json_integer_value(json_object_get(list, "dropped")), 3);
    assert_int_equal(json_integer_value(json_object_get(list, "last")), RING + 3);
    json_decref(list);
}

static void
a_request_that_left_the_ring_while_open_is_closed_quietly(void **state)
{
    struct fixture *fixture = *state;
    struct transfer transfer;

    script(fixture, "{\"action\":\"delay\",\"delay_ms\":5,\"count\":1}");
    start(fixture, &transfer, rest("identify", ada));
    for (size_t i = 0; i < RING; i++)
        call(fixture, rest("identify", "{\"email\":\"b@example.com\"}"));
    assert_int_equal(finish(fixture, &transfer), 200);
    assert_int_equal(journal_totals(service_journal(fixture->service)).open, 0);
}

static void
an_import_leaves_no_trace_but_the_contact(void **state)
{
    struct fixture *fixture = *state;
    struct journal_trigger trigger;
    struct err err = {""};

    assert_int_equal(service_import(fixture->service,
                                    "{\"email\":\"ada@example.com\",\"tags\":[\"old\"]}", &err),
                     0);
    assert_false(journal_trigger(service_journal(fixture->service), 1, &trigger));
    call(fixture, rest("track", ada_tag));
    assert_true(journal_trigger(service_journal(fixture->service), 1, &trigger));
    assert_string_equal(trigger.tag, "t");
    assert_int_equal(trigger.request, 1);
    assert_true(trigger.added);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(both_flavours_share_their_contacts, setup, teardown),
        cmocka_unit_test_setup_teardown(a_call_is_refused_by_the_first_thing_that_is_wrong_with_it,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_request_overlaps_when_its_contact_has_another_one_open,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_lost_reply_was_applied_and_a_reset_was_not, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_request_that_hangs_is_open_until_its_client_goes, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(retry_after_comes_in_both_forms, setup, teardown),
        cmocka_unit_test_setup_teardown(
            a_fault_takes_only_what_it_names_and_the_same_share_for_the_same_seed, setup, teardown),
        cmocka_unit_test_setup_teardown(delays_add_up_and_the_first_other_fault_decides, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            the_ring_keeps_the_newest_requests_and_counts_what_it_dropped, setup, teardown),
        cmocka_unit_test_setup_teardown(a_request_that_left_the_ring_while_open_is_closed_quietly,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(an_import_leaves_no_trace_but_the_contact, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
