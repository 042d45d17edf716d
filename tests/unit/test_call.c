/* sendx/call: calls as data, and what decides who is the same contact. */
#include "base/xalloc.h"
#include "sendx/account.h"
#include "sendx/call.h"
#include "unit.h"

static void
a_call_owns_the_name_of_its_rule_and_starts_with_everything_absent(void **state)
{
    char rule[] = "plan changed";
    struct call *call = call_new(CALL_IDENTIFY, 3, rule);

    (void)state;
    rule[0] = 'X';
    assert_string_equal(call->rule, "plan changed");
    assert_int_equal(call->account, 3);
    assert_null(call_email(call));
    assert_null(call_new_email(call));
    assert_int_equal(call->identify.tags.count, 0);
    call_free(call);
    call_free(NULL);
}

static void
the_contact_of_a_call_is_found_in_either_kind(void **state)
{
    struct call *identify = call_new(CALL_IDENTIFY, 0, "r");
    struct call *track = call_new(CALL_TRACK, 0, "r");

    (void)state;
    identify->identify.email = "a@example.com";
    identify->identify.new_email = "b@example.com";
    track->track.email = "c@example.com";
    assert_string_equal(call_email(identify), "a@example.com");
    assert_string_equal(call_new_email(identify), "b@example.com");
    assert_string_equal(call_email(track), "c@example.com");
    assert_null(call_new_email(track));
    assert_string_equal(call_kind_name(CALL_IDENTIFY), "identify");
    assert_string_equal(call_kind_name(CALL_TRACK), "track");
    call_free(identify);
    call_free(track);
}

static void
the_size_of_a_call_is_never_below_what_its_texts_take(void **state)
{
    struct call *call = call_new(CALL_TRACK, 0, "r");
    size_t before = call_size(call);

    (void)state;
    assert_true(before >= sizeof(*call));
    assert_non_null(arena_alloc(&call->arena, 100000));
    assert_true(call_size(call) >= 100000 + sizeof(*call));
    call_free(call);
}

static void
a_list_frees_what_was_not_taken_out_of_it(void **state)
{
    struct call_list list;
    struct call *taken;

    (void)state;
    call_list_init(&list);
    for (unsigned i = 0; i < 100; i++)
        call_list_add(&list, call_new(CALL_TRACK, i, "r"));
    assert_int_equal(list.count, 100);
    assert_int_equal(list.items[57]->account, 57);
    taken = list.items[--list.count];
    call_list_fini(&list);
    assert_int_equal(list.count, 0);
    call_free(taken);
}

static bool
same_contact(unsigned account_a, const char *a, unsigned account_b, const char *b)
{
    struct buf left, right;
    bool same;

    buf_init(&left, 1024);
    buf_init(&right, 1024);
    call_contact_key(&left, account_a, a);
    call_contact_key(&right, account_b, b);
    same = left.len == right.len && !memcmp(left.data, right.data, left.len);
    buf_fini(&left);
    buf_fini(&right);
    return same;
}

static void
addresses_that_differ_in_case_only_are_one_contact(void **state)
{
    (void)state;
    assert_true(same_contact(0, "Ada@Example.COM", 0, "ada@example.com"));
    assert_true(same_contact(1, "JÜRGEN@example.com", 1, "jürgen@example.com"));
    assert_false(same_contact(0, "ada@example.com", 0, "ada@example.org"));
    assert_false(same_contact(0, "ada@example.com", 0, "ada+x@example.com"));
}

static void
one_address_in_two_accounts_is_two_contacts(void **state)
{
    (void)state;
    assert_false(same_contact(0, "ada@example.com", 1, "ada@example.com"));
    assert_false(same_contact(1, "ada@example.com", 256, "ada@example.com"));
}

static void
an_account_can_be_emptied_twice(void **state)
{
    struct account account = {.name = xstrdup("main"), .api_key = xstrdup("key")};

    (void)state;
    account_fini(&account);
    assert_null(account.api_key);
    account_fini(&account);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_owns_the_name_of_its_rule_and_starts_with_everything_absent),
        cmocka_unit_test(the_contact_of_a_call_is_found_in_either_kind),
        cmocka_unit_test(the_size_of_a_call_is_never_below_what_its_texts_take),
        cmocka_unit_test(a_list_frees_what_was_not_taken_out_of_it),
        cmocka_unit_test(addresses_that_differ_in_case_only_are_one_contact),
        cmocka_unit_test(one_address_in_two_accounts_is_two_contacts),
        cmocka_unit_test(an_account_can_be_emptied_twice),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
