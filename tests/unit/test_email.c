/* Where addresses begin and end in a text, and which their parts are. */

#include "cmd/email.h"
#include "unit.h"

struct reading {
    const char *text;
    struct email_token token;
};

static void
assert_readings(const struct reading *readings, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *text = readings[i].text;
        struct email_token wish = readings[i].token, token = email_read(text, strchr(text, '\0'));

        if (token.len != wish.len || token.local_len != wish.local_len ||
            token.sign_len != wish.sign_len || token.domain_len != wish.domain_len)
            fail_msg("\"%s\": %zu bytes, of them %zu before the sign of %zu and %zu behind it",
                     text, token.len, token.local_len, token.sign_len, token.domain_len);
    }
}

static void
an_address_has_three_parts(void **state)
{
    static const struct reading readings[] = {
        {"ada@corp.example", {16, 3, 1, 12}},
        {"Ada.King+7@corp.example, please", {23, 10, 1, 12}},
        {"ada%40corp.example&b=1", {18, 3, 3, 12}},
        {"ada@corp.example>", {16, 3, 1, 12}},
        {"\303\251ve@caf\303\251.example", {18, 4, 1, 13}},
        {"a!#$%^*|~`b@c", {13, 11, 1, 1}},
    };

    (void)state;
    assert_readings(readings, ARRAY_LEN(readings));
}

static void
what_has_no_sign_is_no_address(void **state)
{
    static const struct reading readings[] = {
        {"", {.len = 0}},
        {" ada@corp", {.len = 0}},
        {"<ada@corp>", {.len = 0}},
        {"'ada@corp'", {.len = 0}},
        {"ada", {.len = 3}},
        {"ada corp", {.len = 3}},
        {"ada%4 0corp", {.len = 5}},
        {"ada=x@y", {.len = 3}},
    };

    (void)state;
    assert_readings(readings, ARRAY_LEN(readings));
}

static void
the_last_sign_counts(void **state)
{
    static const struct reading readings[] = {
        {"a@b@c.example", {13, 3, 1, 9}},   {"a%40b@c.example", {15, 5, 1, 9}},
        {"a@b%40c.example", {15, 3, 3, 9}}, {"ada@", {4, 3, 1, 0}},
        {"@corp.example", {13, 0, 1, 12}},  {"@", {1, 0, 1, 0}},
    };

    (void)state;
    assert_readings(readings, ARRAY_LEN(readings));
}

static void
a_domain_ends_with_a_letter_or_digit(void **state)
{
    static const struct reading readings[] = {
        {"ada@corp.example.", {17, 3, 1, 12}},
        {"ada@corp.example...!", {20, 3, 1, 12}},
        {"ada@corp-1.example-", {19, 3, 1, 14}},
        {"ada@corp_1.example", {18, 3, 1, 4}},
        {"ada@.", {5, 3, 1, 0}},
        {"ada@corp.example\342\200\246", {19, 3, 1, 12}},
    };

    (void)state;
    assert_readings(readings, ARRAY_LEN(readings));
}

static void
an_apostrophe_stands_between_letters_only(void **state)
{
    static const struct reading readings[] = {
        {"o'brien@corp.example", {20, 7, 1, 12}},
        {"andr\303\251'o@corp.example", {21, 8, 1, 12}},
        {"o'\327\220@corp.example", {17, 4, 1, 12}},
        {"ada' or", {.len = 3}},
        {"ada.'b@c", {.len = 4}},
        {"ada@corp.example'", {16, 3, 1, 12}},
    };

    (void)state;
    assert_readings(readings, ARRAY_LEN(readings));
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_has_three_parts),
        cmocka_unit_test(what_has_no_sign_is_no_address),
        cmocka_unit_test(the_last_sign_counts),
        cmocka_unit_test(a_domain_ends_with_a_letter_or_digit),
        cmocka_unit_test(an_apostrophe_stands_between_letters_only),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
