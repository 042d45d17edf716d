/* cmd/contact_json: what a person writes for "call identify", and what they are told. */
#include "cmd/contact_json.h"
#include "unit.h"

static struct arena arena;
static struct contact_request request;
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
expect_error(const char *json, const char *message)
{
    err_clear(&err);
    assert_int_equal(contact_json_read(&request, &arena, json, &err), -1);
    assert_string_equal(err.msg, message);
}

static void
every_field_of_the_api_is_read(void **state)
{
    (void)state;
    assert_int_equal(
        contact_json_read(&request, &arena,
                          "{\"email\":\"old@example.com\",\"newEmail\":\"new@example.com\","
                          "\"firstName\":\"Ada\",\"lastName\":\"Lovelace\",\"company\":\"Engines\","
                          "\"birthday\":\"1815-12-10\",\"customFields\":{\"Signup source\":\"web\","
                          "\"Age\":\"27\"},\"tags\":[\"Developer\",\"API Team\"]}",
                          &err),
        0);
    assert_string_equal(request.email, "old@example.com");
    assert_string_equal(request.new_email, "new@example.com");
    assert_string_equal(request.first_name, "Ada");
    assert_string_equal(request.last_name, "Lovelace");
    assert_string_equal(request.company, "Engines");
    assert_string_equal(request.birthday, "1815-12-10");
    assert_int_equal(request.custom_fields.count, 2);
    assert_string_equal(request.custom_fields.items[0].name, "Signup source");
    assert_string_equal(request.custom_fields.items[1].value, "27");
    assert_int_equal(request.tags.count, 2);
    assert_string_equal(request.tags.items[1], "API Team");
}

static void
an_unknown_field_is_refused_with_the_known_ones(void **state)
{
    (void)state;
    expect_error("{\"email\":\"ada@example.com\",\"first_name\":\"Ada\"}",
                 "there is no field \"first_name\" (did you mean firstName?); a contact has email, "
                 "newEmail, firstName, lastName, company, birthday, customFields, tags");
    expect_error("{\"colour\":\"red\"}",
                 "there is no field \"colour\"; a contact has email, newEmail, firstName, "
                 "lastName, company, birthday, customFields, tags");
}

static void
a_wrong_type_is_named_with_what_it_must_be(void **state)
{
    (void)state;
    expect_error("[]", "it is an array and must be an object: {\"email\": \"ada@example.com\"}");
    expect_error("{\"company\":7}", "company is a number and must be a text in quotes");
    expect_error("{\"company\":null}", "company is null and must be a text in quotes");
    expect_error("{\"company\":\"\"}", "company is empty; leave it out");
    expect_error("{\"tags\":\"blogger\"}", "tags is a text and must be an array: [\"blogger\"]");
    expect_error("{\"tags\":[\"blogger\",true]}",
                 "a tag is a boolean and must be a text in quotes");
    expect_error("{\"customFields\":[]}",
                 "customFields is an array and must be an object: {\"Plan\": \"pro\"}");
    expect_error("{\"customFields\":{\"Age\":27}}",
                 "customFields: Age is a number and must be a text in quotes");
}

static void
what_cannot_be_sent_is_refused(void **state)
{
    (void)state;
    expect_error("{\"company\":\"Engines\"}", "email is missing: it says which contact is meant");
    expect_error("{\"email\":\"ada\"}", "email is not an e-mail address");
    expect_error("{\"email\":\"ada@example.com\",\"newEmail\":\"@\"}",
                 "newEmail is not an e-mail address");
    expect_error("{\"email\":\"ada@example.com\",\"birthday\":\"1.12.1815\"}",
                 "birthday must be a day of the calendar, written YYYY-MM-DD");
    expect_error("{\"email\":\"ada@example.com\",\"birthday\":\"1815-02-30\"}",
                 "birthday must be a day of the calendar, written YYYY-MM-DD");
    err_clear(&err);
    assert_int_equal(contact_json_read(&request, &arena, "{\"email\":\"ada@example.com\"", &err),
                     -1);
    assert_int_equal(contact_json_read(&request, &arena, "{\"tags\":[],\"tags\":[]}", &err), -1);
}

static void
an_address_has_one_at_sign_with_something_on_both_sides(void **state)
{
    (void)state;
    assert_true(contact_json_is_email("ada+list@example.com"));
    assert_false(contact_json_is_email(""));
    assert_false(contact_json_is_email("@example.com"));
    assert_false(contact_json_is_email("ada@"));
    assert_false(contact_json_is_email("ada@b@example.com"));
    assert_false(contact_json_is_email("ada @example.com"));
    assert_false(contact_json_is_email("ada\xc2\xa0@example.com"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_field_of_the_api_is_read),
        TEST(an_unknown_field_is_refused_with_the_known_ones),
        TEST(a_wrong_type_is_named_with_what_it_must_be),
        TEST(what_cannot_be_sent_is_refused),
        TEST(an_address_has_one_at_sign_with_something_on_both_sides),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
