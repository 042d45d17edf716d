/* sendx/verdict: every row of the table of outcomes, and the line for people. */
#include <jansson.h>
#include <time.h>

#include "base/utf8.h"
#include "base/xalloc.h"
#include "sendx/verdict.h"
#include "unit.h"

static enum verdict
judge(enum call_kind kind, int status, const char *body)
{
    struct reply reply = {.status = status, .body = body, .body_len = strlen(body)};

    return verdict_of(kind, &reply);
}

static void
no_status_at_all_is_transient_whatever_the_failure(void **state)
{
    (void)state;
    for (int failure = REPLY_DNS; failure <= REPLY_OTHER; failure++) {
        struct reply reply = {.failure = (enum reply_failure)failure, .body = ""};

        assert_int_equal(verdict_of(CALL_IDENTIFY, &reply), VERDICT_TRANSIENT);
        assert_int_equal(verdict_of(CALL_TRACK, &reply), VERDICT_TRANSIENT);
        assert_string_not_equal(reply_failure_name(reply.failure), "ok");
    }
}

/* The expected class of every status, written out by range from the table of the API's outcomes. */
static enum verdict
expected(enum call_kind kind, int status)
{
    if (status >= 200 && status <= 299)
        return VERDICT_DONE;
    if (status >= 300 && status <= 399)
        return VERDICT_CONFIGURATION;
    if (status == 408 || status == 425)
        return VERDICT_TRANSIENT;
    if (status == 429)
        return VERDICT_THROTTLED;
    if (status == 401 || status == 402 || status == 403 || status == 405 || status == 407)
        return VERDICT_CONFIGURATION;
    if (status == 404)
        return kind == CALL_IDENTIFY ? VERDICT_CONFIGURATION : VERDICT_UNKNOWN_CONTACT;
    if (status >= 400 && status <= 499)
        return VERDICT_PERMANENT;
    if (status == 501 || status == 505)
        return VERDICT_PERMANENT;
    return VERDICT_TRANSIENT;
}

static void
every_status_is_judged_as_the_table_says(void **state)
{
    (void)state;
    for (int status = 200; status <= 599; status++) {
        assert_int_equal(judge(CALL_IDENTIFY, status, "{}"), expected(CALL_IDENTIFY, status));
        assert_int_equal(judge(CALL_TRACK, status, "{}"), expected(CALL_TRACK, status));
    }
}

static void
a_status_outside_of_http_holds_the_account(void **state)
{
    (void)state;
    assert_int_equal(judge(CALL_TRACK, 100, "{}"), VERDICT_CONFIGURATION);
    assert_int_equal(judge(CALL_TRACK, 999, "{}"), VERDICT_CONFIGURATION);
}

static void
of_503_only_the_one_with_retry_after_is_throttled(void **state)
{
    struct reply reply = {.status = 503, .body = "", .retry_after = "5"};

    (void)state;
    assert_int_equal(verdict_of(CALL_TRACK, &reply), VERDICT_THROTTLED);
    reply.status = 500;
    assert_int_equal(verdict_of(CALL_TRACK, &reply), VERDICT_TRANSIENT);
    reply.status = 429;
    reply.retry_after = NULL;
    assert_int_equal(verdict_of(CALL_TRACK, &reply), VERDICT_THROTTLED);
}

static void
a_2xx_without_a_json_object_is_a_wrong_address(void **state)
{
    static const char *const bodies[] = {
        "",
        " ",
        "<html>Welcome</html>",
        "OK",
        "[]",
        "\"{}\"",
        "null",
        "200",
        "{",
        "{\"a\"",
        "{\"a\":",
        "{\"a\":1",
        "{}{}",
        "{} x",
        "{\"a\":1,}",
        "{a:1}",
        "{\"a\" 1}",
        "{,}",
        "{\"a\":[}",
        "{\"a\":[1,]}",
        "{\"a\":nul}",
        "{\"a\":\"x}",
        "{\"a\":\"x\\",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
        if (judge(CALL_TRACK, 200, bodies[i]) != VERDICT_CONFIGURATION)
            fail_msg("taken for an object: %s", bodies[i]);
    }
    assert_int_equal(judge(CALL_TRACK, 204, ""), VERDICT_DONE);
    assert_int_equal(judge(CALL_TRACK, 201, ""), VERDICT_CONFIGURATION);
}

static void
a_2xx_with_a_json_object_is_done_whatever_the_object_says(void **state)
{
    static const char *const bodies[] = {
        "{}",
        " \r\n\t{ } \n",
        "{\"status\":\"error\",\"message\":\"no\"}",
        "{\"status\":401}",
        "{\"a\":[],\"b\":{},\"c\":[[],{}],\"d\":[1,2.5e-3,true,false,null,\"x\"]}",
        "{\"a\":\"\\\"}{\\\\\",\"b\":\"\\u0000\"}",
        "{\"number\":123456789012345678901234567890,\"huge\":1e999}",
        "{\"latin 1\":\"J\xfcrgen\"}",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
        if (judge(CALL_IDENTIFY, 200, bodies[i]) != VERDICT_DONE)
            fail_msg("not taken for an object: %s", bodies[i]);
    }
}

static void
a_body_that_was_cut_off_counts_by_its_beginning(void **state)
{
    struct reply reply = {.status = 200, .body = " {\"a\":[", .body_len = 7, .body_cut = true};

    (void)state;
    assert_int_equal(verdict_of(CALL_TRACK, &reply), VERDICT_DONE);
    reply.body = "<html> {";
    reply.body_len = 8;
    assert_int_equal(verdict_of(CALL_TRACK, &reply), VERDICT_CONFIGURATION);
}

static void
a_body_nested_without_end_takes_neither_stack_nor_time(void **state)
{
    enum { LEN = 60000 };
    char *body = xcalloc(1, LEN + 1);
    struct reply reply = {.status = 200, .body = body, .body_len = LEN};

    (void)state;
    memset(body, '[', LEN);
    memcpy(body, "{\"a\":", 5);
    assert_int_equal(verdict_of(CALL_TRACK, &reply), VERDICT_CONFIGURATION);
    xfree(body);
}

static void
add_random_value(struct rng *rng, struct buf *body, int depth)
{
    static const char *const scalars[] = {"1",    "-0.5",  "2e+7", "0",     "true",
                                          "null", "false", "\"\"", "\"x\"", "\"}]{\""};
    bool object = rng_below(rng, 2);
    size_t count = rng_below(rng, 4);

    if (depth == 0 || (depth < 4 && rng_below(rng, 2))) {
        buf_add_text(body, scalars[rng_below(rng, ARRAY_LEN(scalars))]);
        return;
    }
    object = object || depth == 4;
    buf_add_char(body, object ? '{' : '[');
    for (size_t i = 0; i < count; i++) {
        buf_add_text(body, i ? " ," : "");
        if (object)
            buf_printf(body, "\"%zu\":", i);
        add_random_value(rng, body, depth - 1);
    }
    buf_add_char(body, object ? '}' : ']');
}

/* Half of the bodies are an object, most others one with a few of its bytes changed. No
 * backslashes: escapes are skimmed. */
static void
make_random_body(struct rng *rng, struct buf *body)
{
    static const char bytes[] = "{}[]\",: 0-1.e+txnull";
    size_t changes = rng_below(rng, 2) * rng_below(rng, 4);

    buf_reset(body);
    add_random_value(rng, body, 4);
    for (size_t i = 0; i < changes; i++)
        body->data[rng_below(rng, body->len)] = bytes[rng_below(rng, sizeof(bytes) - 1)];
    if (changes && rng_below(rng, 4) == 0)
        buf_truncate(body, rng_below(rng, body->len));
}

static void
random_bodies_are_judged_as_jansson_judges_them(void **state)
{
    struct rng rng = unit_rng("bodies", (uint64_t)time(NULL));
    unsigned objects = 0;
    struct buf body;

    (void)state;
    buf_init(&body, 65536);
    for (int i = 0; i < 50000; i++) {
        struct reply reply = {.status = 200};
        json_t *root;
        bool object;

        make_random_body(&rng, &body);
        root = json_loadb(buf_text(&body), body.len, 0, NULL);
        object = json_is_object(root);
        json_decref(root);
        objects += object;
        reply.body = buf_text(&body);
        reply.body_len = body.len;
        if ((verdict_of(CALL_TRACK, &reply) == VERDICT_DONE) != object)
            fail_msg("jansson says %d of %s", object, reply.body);
    }
    assert_in_range(objects, 10000, 45000);
    buf_fini(&body);
}

static void
expect_line(const struct reply *reply, const char *expected_line)
{
    struct buf text;

    buf_init(&text, 4096);
    verdict_describe(reply, "key-of-the-account", &text);
    assert_string_equal(buf_text(&text), expected_line);
    buf_fini(&text);
}

static struct reply
reply_of(int status, const char *body)
{
    return (struct reply){.status = status, .body = body, .body_len = strlen(body)};
}

static void
a_description_has_the_status_its_name_and_the_message(void **state)
{
    struct reply refused = reply_of(422, "{\"status\":\"error\",\"message\":\"invalid birthday\"}");
    struct reply plain = reply_of(502, "<html>\r\n  <h1>Bad\tgateway</h1>\n</html>\n");
    struct reply odd = reply_of(499, "");
    struct reply page = reply_of(200, "<html>Log in</html>");
    struct reply slow = reply_of(429, "{\"message\":\"slow down\"}");

    (void)state;
    slow.retry_after = "30";
    expect_line(&refused, "422 Unprocessable: invalid birthday");
    expect_line(&plain, "502 Bad Gateway: <html> <h1>Bad gateway</h1> </html>");
    expect_line(&odd, "499");
    expect_line(&page, "200 OK, but its body is not a JSON object: <html>Log in</html>");
    expect_line(&slow, "429 Too Many Requests, Retry-After 30: slow down");
}

static void
a_description_of_a_failure_says_what_kind_it_was(void **state)
{
    struct reply reply = {
        .failure = REPLY_CONNECT, .body = "", .detail = "Failed to connect to localhost port 1"};

    (void)state;
    expect_line(&reply, "connect: Failed to connect to localhost port 1");
    reply.detail = NULL;
    expect_line(&reply, "connect");
}

static void
the_accounts_key_is_masked_where_an_api_repeats_it(void **state)
{
    struct reply message =
        reply_of(403, "{\"message\":\"key-of-the-account? key-of-the-account\"}");
    struct reply failure = {
        .failure = REPLY_OTHER, .body = "", .detail = "xkey-of-the-account@example.com"};

    (void)state;
    expect_line(&message, "403 Forbidden: ***? ***");
    expect_line(&failure, "other: x***@example.com");
}

static void
addresses_are_masked_wherever_they_stand(void **state)
{
    struct reply message = reply_of(400, "{\"message\":\"ada@example.com is no contact\"}");
    struct reply body = reply_of(400, "no such contact: <ada@example.com>");
    struct reply failure = {.failure = REPLY_OTHER,
                            .body = "",
                            .detail = "bad URL https://x.example/?email=ada%40example.com"};
    struct reply header = reply_of(503, "");

    (void)state;
    header.retry_after = "ask ada@example.com";
    expect_line(&message, "400 Bad Request: a***@example.com is no contact");
    expect_line(&body, "400 Bad Request: no such contact: <a***@example.com>");
    expect_line(&failure, "other: bad URL https://x.example/?email=a***%40example.com");
    expect_line(&header, "503 Service Unavailable, Retry-After ask a***@example.com");
}

static void
a_description_is_one_short_line_of_utf8_whatever_came_back(void **state)
{
    struct rng rng = {7};
    struct buf text;

    (void)state;
    buf_init(&text, 4096);
    for (int i = 0; i < 2000; i++) {
        char body[2000];
        size_t len = rng_below(&rng, sizeof(body));
        struct reply reply = {.status = 400, .body = body, .body_len = len};

        for (size_t j = 0; j < len; j++)
            body[j] = (char)(rng_below(&rng, 3) ? 'a' : rng_next(&rng));
        buf_reset(&text);
        buf_add_text(&text, "before ");
        verdict_describe(&reply, NULL, &text);
        assert_true(text.len <= 7 + 300);
        assert_true(utf8_is_valid(buf_text(&text), text.len));
        for (size_t j = 0; j < text.len; j++)
            assert_true((unsigned char)text.data[j] >= ' ');
    }
    buf_fini(&text);
}

static void
an_address_at_the_place_of_the_cut_leaves_nothing_unmasked(void **state)
{
    (void)state;
    for (size_t at = 200; at < 320; at++) {
        char body[512];
        struct reply reply = {.status = 400, .body = body};
        struct buf text;

        memset(body, 'x', at);
        body[at] = ' ';
        reply.body_len =
            at + 1 + (size_t)snprintf(body + at + 1, 64, "secret.name@example.com yes");
        buf_init(&text, 4096);
        verdict_describe(&reply, NULL, &text);
        assert_null(strstr(buf_text(&text), "secret"));
        assert_null(strstr(buf_text(&text), "se"));
        buf_fini(&text);
    }
}

static void
every_verdict_has_a_name(void **state)
{
    (void)state;
    assert_string_equal(verdict_name(VERDICT_DONE), "done");
    assert_string_equal(verdict_name(VERDICT_PERMANENT), "permanent");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_status_at_all_is_transient_whatever_the_failure),
        cmocka_unit_test(every_status_is_judged_as_the_table_says),
        cmocka_unit_test(a_status_outside_of_http_holds_the_account),
        cmocka_unit_test(of_503_only_the_one_with_retry_after_is_throttled),
        cmocka_unit_test(a_2xx_without_a_json_object_is_a_wrong_address),
        cmocka_unit_test(a_2xx_with_a_json_object_is_done_whatever_the_object_says),
        cmocka_unit_test(a_body_that_was_cut_off_counts_by_its_beginning),
        cmocka_unit_test(a_body_nested_without_end_takes_neither_stack_nor_time),
        cmocka_unit_test(random_bodies_are_judged_as_jansson_judges_them),
        cmocka_unit_test(a_description_has_the_status_its_name_and_the_message),
        cmocka_unit_test(a_description_of_a_failure_says_what_kind_it_was),
        cmocka_unit_test(the_accounts_key_is_masked_where_an_api_repeats_it),
        cmocka_unit_test(addresses_are_masked_wherever_they_stand),
        cmocka_unit_test(a_description_is_one_short_line_of_utf8_whatever_came_back),
        cmocka_unit_test(an_address_at_the_place_of_the_cut_leaves_nothing_unmasked),
        cmocka_unit_test(every_verdict_has_a_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
