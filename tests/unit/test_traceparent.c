/* sendx/traceparent: the examples of W3C Trace Context, and what it forbids. */

#include "sendx/traceparent.h"
#include "unit.h"

static bool
reads(const char *text)
{
    struct traceparent trace;
    bool read = traceparent_read(&trace, text, strlen(text));

    assert_string_equal(trace.text, read ? text : "");
    assert_int_equal(strlen(trace.id), read ? TRACEPARENT_ID_LEN : 0);
    return read;
}

static void
a_traceparent_is_read_whole(void **state)
{
    struct traceparent trace;
    static const char text[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    (void)state;
    assert_true(reads(text));
    assert_true(traceparent_read(&trace, text, strlen(text)));
    assert_string_equal(trace.id, "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_true(reads("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"));
    assert_true(reads("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-09"));
}

static void
what_is_none_is_not_handed_on(void **state)
{
    static const char *const wrong[] = {
        "",
        "00",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01 ",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7_01",
        "00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0\n",
    };
    struct traceparent trace;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        if (reads(wrong[i]))
            fail_msg("\"%s\" is read", wrong[i]);
    }
    assert_false(traceparent_read(&trace, NULL, 0));
}

static void
bytes_of_any_kind_are_survived(void **state)
{
    struct rng rng = unit_rng("traceparent", 71);

    (void)state;
    for (int i = 0; i < 100000; i++) {
        char bytes[TRACEPARENT_LEN + 1] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        struct traceparent trace;

        for (int j = 0; j < 2; j++)
            bytes[rng_below(&rng, TRACEPARENT_LEN)] = (char)rng_below(&rng, 256);
        if (traceparent_read(&trace, bytes, TRACEPARENT_LEN))
            assert_int_equal(strspn(trace.text, "0123456789abcdef-"), TRACEPARENT_LEN);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_traceparent_is_read_whole),
        cmocka_unit_test(what_is_none_is_not_handed_on),
        cmocka_unit_test(bytes_of_any_kind_are_survived),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
