/* sendx/model: the five models, written as JSON and read from replies. */
#include "sendx/model.h"
#include "unit.h"

static struct arena arena;
static struct err err;

static int
set_up(void **state)
{
    (void)state;
    arena_init(&arena, 256);
    err_clear(&err);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    arena_fini(&arena);
    return 0;
}

static void
expect_contact_body(const struct contact_request *request, const char *expected)
{
    struct buf body;

    buf_init(&body, 65536);
    contact_request_write(request, &body);
    assert_string_equal(buf_text(&body), expected);
    buf_fini(&body);
}

static void
expect_track_body(const struct track_request *request, bool with_email, const char *expected)
{
    struct buf body;

    buf_init(&body, 65536);
    track_request_write(request, with_email, &body);
    assert_string_equal(buf_text(&body), expected);
    buf_fini(&body);
}

static void
a_contact_request_has_the_exact_names_of_the_api(void **state)
{
    static struct field fields[] = {{"Designation", "Engineer"}, {"Signup source", "web"}};
    static const char *tags[] = {"Developer", "API Team"};
    struct contact_request request = {.email = "old@example.com",
                                      .new_email = "new@example.com",
                                      .first_name = "Ada",
                                      .last_name = "Lovelace",
                                      .company = "Engines \"&\" Co\\",
                                      .birthday = "1815-12-10",
                                      .custom_fields = {.items = fields, .count = 2},
                                      .tags = {.items = tags, .count = 2}};

    (void)state;
    expect_contact_body(&request,
                        "{\"email\":\"old@example.com\",\"newEmail\":\"new@example.com\","
                        "\"firstName\":\"Ada\",\"lastName\":\"Lovelace\","
                        "\"company\":\"Engines \\\"&\\\" Co\\\\\",\"birthday\":\"1815-12-10\","
                        "\"customFields\":{\"Designation\":\"Engineer\",\"Signup source\":\"web\"},"
                        "\"tags\":[\"Developer\",\"API Team\"]}");
}

static void
what_is_absent_is_left_out_and_never_null(void **state)
{
    struct contact_request request = {.email = "ada@example.com"};
    struct track_request track = {.email = "ada@example.com"};

    (void)state;
    expect_contact_body(&request, "{\"email\":\"ada@example.com\"}");
    expect_track_body(&track, false, "{}");
    expect_track_body(&track, true, "{\"email\":\"ada@example.com\"}");
}

static void
the_examples_of_the_documentation_are_written_as_they_stand(void **state)
{
    static const char *added[] = {"blogger", "female"};
    static const char *paid[] = {"paid user"};
    static const char *trial[] = {"trial user"};
    struct track_request blogger = {.add_tags = {.items = added, .count = 2}};
    struct track_request upgrade = {.add_tags = {.items = paid, .count = 1},
                                    .remove_tags = {.items = trial, .count = 1}};
    struct track_request downgrade = {.remove_tags = {.items = paid, .count = 1}};

    (void)state;
    expect_track_body(&blogger, false, "{\"addTags\":[\"blogger\",\"female\"]}");
    expect_track_body(&upgrade, false,
                      "{\"addTags\":[\"paid user\"],\"removeTags\":[\"trial user\"]}");
    expect_track_body(&downgrade, false, "{\"removeTags\":[\"paid user\"]}");
}

static int
read_contact(struct contact_response *response, const char *body)
{
    return contact_response_read(response, &arena, body, strlen(body), &err);
}

static void
a_contact_response_is_read_whole(void **state)
{
    struct contact_response response;

    (void)state;
    assert_int_equal(
        read_contact(&response,
                     "{\"status\":\"200\",\"message\":\"OK\",\"data\":{\"encryptedTeamId\":\"T\","
                     "\"encryptedId\":\"I\",\"firstName\":\"Ada\",\"lastName\":\"L\","
                     "\"email\":\"ada@example.com\",\"company\":\"C\",\"birthday\":\"1815-12-10\","
                     "\"tags\":[\"Developer\",\"API Team\"],"
                     "\"customFields\":{\"Designation\":\"Engineer\",\"Age\":27}}}"),
        0);
    assert_string_equal(response.status, "200");
    assert_string_equal(response.message, "OK");
    assert_true(response.has_data);
    assert_string_equal(response.data.encrypted_team_id, "T");
    assert_string_equal(response.data.encrypted_id, "I");
    assert_string_equal(response.data.first_name, "Ada");
    assert_string_equal(response.data.last_name, "L");
    assert_string_equal(response.data.email, "ada@example.com");
    assert_string_equal(response.data.company, "C");
    assert_string_equal(response.data.birthday, "1815-12-10");
    assert_int_equal(response.data.tags.count, 2);
    assert_string_equal(response.data.tags.items[1], "API Team");
    assert_int_equal(response.data.custom_fields.count, 2);
    assert_string_equal(response.data.custom_fields.items[0].name, "Designation");
    assert_string_equal(response.data.custom_fields.items[0].value, "Engineer");
    assert_string_equal(response.data.custom_fields.items[1].value, "27");
}

static void
status_is_text_also_where_the_reply_has_a_number(void **state)
{
    struct contact_response response;

    (void)state;
    assert_int_equal(read_contact(&response, "{\"status\":401}"), 0);
    assert_string_equal(response.status, "401");
    assert_int_equal(read_contact(&response, "{\"status\":\"error\",\"message\":\"no\"}"), 0);
    assert_string_equal(response.status, "error");
    assert_int_equal(read_contact(&response, "{\"status\":0.1}"), 0);
    assert_string_equal(response.status, "0.1");
    assert_int_equal(read_contact(&response, "{\"status\":123456789012345678901}"), 0);
    assert_non_null(response.status);
}

static void
members_of_a_wrong_type_count_as_absent(void **state)
{
    struct contact_response response;

    (void)state;
    assert_int_equal(
        read_contact(&response,
                     "{\"status\":[],\"message\":7,\"more\":{\"x\":[1,2]},\"data\":{\"email\":1,"
                     "\"firstName\":null,\"tags\":[1,\"kept\",null,[]],"
                     "\"customFields\":{\"a\":{},\"b\":\"kept\",\"c\":null}}}"),
        0);
    assert_null(response.status);
    assert_null(response.message);
    assert_true(response.has_data);
    assert_null(response.data.email);
    assert_null(response.data.first_name);
    assert_int_equal(response.data.tags.count, 1);
    assert_string_equal(response.data.tags.items[0], "kept");
    assert_int_equal(response.data.custom_fields.count, 1);
    assert_string_equal(response.data.custom_fields.items[0].name, "b");
    assert_int_equal(read_contact(&response, "{\"data\":\"success\"}"), 0);
    assert_false(response.has_data);
    assert_int_equal(read_contact(&response, "{\"data\":{\"tags\":{},\"customFields\":[]}}"), 0);
    assert_true(response.has_data);
    assert_int_equal(response.data.tags.count, 0);
    assert_int_equal(response.data.custom_fields.count, 0);
}

static void
a_body_that_is_not_an_object_is_an_error_that_quotes_nothing_of_it(void **state)
{
    static const char *const bodies[] = {"", "<html>ada@example.com</html>", "[1]", "1",
                                         "{\"email\":\"ada@example.com\""};
    struct contact_response response;
    struct track_response track;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
        err_clear(&err);
        assert_int_equal(read_contact(&response, bodies[i]), -1);
        assert_true(err_is_set(&err));
        assert_null(strstr(err.msg, "ada"));
        assert_false(response.has_data);
        assert_int_equal(track_response_read(&track, &arena, bodies[i], strlen(bodies[i]), &err),
                         -1);
        assert_null(track.status);
    }
}

static void
a_track_response_is_read_whole(void **state)
{
    static const char body[] = "{\"status\":\"200\",\"message\":\"OK\",\"data\":\"success\"}";
    struct track_response response;

    (void)state;
    assert_int_equal(track_response_read(&response, &arena, body, strlen(body), &err), 0);
    assert_string_equal(response.status, "200");
    assert_string_equal(response.message, "OK");
    assert_string_equal(response.data, "success");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_contact_request_has_the_exact_names_of_the_api),
        TEST(what_is_absent_is_left_out_and_never_null),
        TEST(the_examples_of_the_documentation_are_written_as_they_stand),
        TEST(a_contact_response_is_read_whole),
        TEST(status_is_text_also_where_the_reply_has_a_number),
        TEST(members_of_a_wrong_type_count_as_absent),
        TEST(a_body_that_is_not_an_object_is_an_error_that_quotes_nothing_of_it),
        TEST(a_track_response_is_read_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
