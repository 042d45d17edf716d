/* sendx/wire: URL, headers and body of a call in both flavours of the API. */
#include "base/xalloc.h"
#include "sendx/wire.h"
#include "unit.h"

static struct account v1 = {
    .api = API_V1, .base_url = "https://app.sendx.io/api/v1", .api_key = "secret", .team_id = "4"};
static struct account rest = {
    .api = API_REST, .base_url = "https://api.sendx.io/api/v1/rest", .api_key = "secret"};

static const char *paid[] = {"paid user"};
static const char *trial[] = {"trial user"};

static struct call *
track_of(const char *email)
{
    struct call *call = call_new(CALL_TRACK, 0, "r");

    call->track = (struct track_request){.email = email,
                                         .add_tags = {.items = paid, .count = 1},
                                         .remove_tags = {.items = trial, .count = 1}};
    return call;
}

static void
check(const struct account *account, struct call *call, const char *url, const char *body)
{
    struct wire_request request;

    wire_request_init(&request);
    wire_write(&request, account, call);
    assert_string_equal(buf_text(&request.url), url);
    assert_string_equal(buf_text(&request.body), body);
    wire_request_fini(&request);
    call_free(call);
}

static struct call *
identify_of(const char *email)
{
    struct call *call = call_new(CALL_IDENTIFY, 0, "r");

    call->identify.email = email;
    return call;
}

static void
v1_identify_names_the_team_in_the_query_and_the_contact_in_the_body(void **state)
{
    (void)state;
    check(&v1, identify_of("ada@example.com"),
          "https://app.sendx.io/api/v1/contact/identify?team_id=4",
          "{\"email\":\"ada@example.com\"}");
}

static void
v1_track_names_the_contact_in_the_query_only(void **state)
{
    (void)state;
    check(&v1, track_of("ada@example.com"),
          "https://app.sendx.io/api/v1/contact/track?team_id=4&email=ada%40example.com",
          "{\"addTags\":[\"paid user\"],\"removeTags\":[\"trial user\"]}");
}

static void
a_plus_in_an_address_is_encoded_since_a_raw_one_is_a_blank(void **state)
{
    (void)state;
    check(&v1, track_of("ada+b&c=d%jürgen@example.com"),
          "https://app.sendx.io/api/v1/contact/track?team_id=4"
          "&email=ada%2Bb%26c%3Dd%25j%C3%BCrgen%40example.com",
          "{\"addTags\":[\"paid user\"],\"removeTags\":[\"trial user\"]}");
}

static void
a_team_is_encoded_too(void **state)
{
    struct account account = v1;

    (void)state;
    account.team_id = "a b&c";
    check(&account, identify_of("ada@example.com"),
          "https://app.sendx.io/api/v1/contact/identify?team_id=a%20b%26c",
          "{\"email\":\"ada@example.com\"}");
}

static void
rest_has_no_query_and_track_names_the_contact_in_the_body(void **state)
{
    (void)state;
    check(&rest, identify_of("ada@example.com"),
          "https://api.sendx.io/api/v1/rest/contact/identify", "{\"email\":\"ada@example.com\"}");
    check(&rest, track_of("ada+b@example.com"), "https://api.sendx.io/api/v1/rest/contact/track",
          "{\"email\":\"ada+b@example.com\",\"addTags\":[\"paid user\"],"
          "\"removeTags\":[\"trial user\"]}");
}

static void
each_flavour_has_its_own_header_for_the_key(void **state)
{
    struct buf headers[WIRE_HEADERS];

    (void)state;
    wire_headers(&v1, headers);
    assert_string_equal(buf_text(&headers[0]), "Content-Type: application/json");
    assert_string_equal(buf_text(&headers[1]), "Accept: application/json");
    assert_string_equal(buf_text(&headers[2]), "api_key: secret");
    for (int i = 0; i < WIRE_HEADERS; i++)
        buf_fini(&headers[i]);
    wire_headers(&rest, headers);
    assert_string_equal(buf_text(&headers[2]), "X-Team-ApiKey: secret");
    for (int i = 0; i < WIRE_HEADERS; i++)
        buf_fini(&headers[i]);
}

static void
a_request_is_used_again_and_does_not_keep_the_memory_of_a_large_one(void **state)
{
    struct wire_request request;
    struct call *call = identify_of("ada@example.com");
    char *company = xcalloc(1, 300001);

    (void)state;
    memset(company, '\x01', 300000); /* six bytes each once escaped */
    call->identify.company = company;
    wire_request_init(&request);
    wire_write(&request, &v1, call);
    assert_true(request.body.len > 1800000);
    call->identify.company = NULL;
    wire_write(&request, &v1, call);
    assert_string_equal(buf_text(&request.body), "{\"email\":\"ada@example.com\"}");
    assert_true(request.body.room < 65536);
    wire_request_fini(&request);
    call_free(call);
    xfree(company);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(v1_identify_names_the_team_in_the_query_and_the_contact_in_the_body),
        cmocka_unit_test(v1_track_names_the_contact_in_the_query_only),
        cmocka_unit_test(a_plus_in_an_address_is_encoded_since_a_raw_one_is_a_blank),
        cmocka_unit_test(a_team_is_encoded_too),
        cmocka_unit_test(rest_has_no_query_and_track_names_the_contact_in_the_body),
        cmocka_unit_test(each_flavour_has_its_own_header_for_the_key),
        cmocka_unit_test(a_request_is_used_again_and_does_not_keep_the_memory_of_a_large_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
