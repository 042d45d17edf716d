/* Which events capture keeps: the first ones, and those that are different before more of the same.
 */

#include "base/xalloc.h"
#include "cmd/capture_pick.h"
#include "unit.h"

static const bool in_it[] = {true};

/* Offers events of the SHAPES, one letter each; says which were kept, by their number. */
static const char *
kept(const char *shapes, size_t most)
{
    static char text[64];
    struct picks picks;
    size_t len = 0;

    picks_init(&picks, 1, most);
    for (size_t i = 0; shapes[i]; i++) {
        if (picks_wants(&picks, 0, (uint64_t)shapes[i]))
            picks_add(&picks, 0, in_it, (uint64_t)shapes[i], xasprintf("%zu", i));
    }
    for (size_t i = 0; i < picks.groups[0].count; i++)
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s", i ? " " : "",
                                picks.groups[0].items[i].text);
    picks_fini(&picks);
    return text;
}

static void
the_first_ones_are_kept(void **state)
{
    (void)state;
    assert_string_equal(kept("abcde", 3), "0 1 2");
    assert_string_equal(kept("aaaaa", 3), "0 1 2");
    assert_string_equal(kept("ab", 3), "0 1");
}

static void
a_different_one_takes_the_place_of_the_last_that_is_like_another(void **state)
{
    (void)state;
    assert_string_equal(kept("aaab", 3), "0 1 3");
    assert_string_equal(kept("aaabcd", 3), "0 4 3");
    assert_string_equal(kept("abab", 3), "0 1 2");
    assert_string_equal(kept("ababc", 4), "0 1 2 4");
}

/* Whatever comes: as many as there is room for, and no shape that could be there is missing. */
static void
as_many_shapes_are_kept_as_there_is_room_for(void **state)
{
    struct rng rng = unit_rng("picks", 64);

    (void)state;
    for (int round = 0; round < 2000; round++) {
        size_t most = 1 + rng_below(&rng, 5), count = rng_below(&rng, 20), kinds = 0, held = 0;
        bool came[6] = {0}, is_held[6] = {0};
        struct picks picks;

        picks_init(&picks, 1, most);
        for (size_t i = 0; i < count; i++) {
            uint64_t shape = rng_below(&rng, 6);

            kinds += !came[shape];
            came[shape] = true;
            if (picks_wants(&picks, 0, shape))
                picks_add(&picks, 0, in_it, shape, xstrdup("x"));
        }
        for (size_t i = 0; i < picks.groups[0].count; i++) {
            held += !is_held[picks.groups[0].items[i].shape];
            is_held[picks.groups[0].items[i].shape] = true;
        }
        assert_int_equal(picks_count(&picks), count < most ? count : most);
        assert_int_equal(held, kinds < most ? kinds : most);
        assert_int_equal(picks_fitting(&picks, 0), picks_count(&picks));
        picks_fini(&picks);
    }
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_ones_are_kept),
        cmocka_unit_test(a_different_one_takes_the_place_of_the_last_that_is_like_another),
        cmocka_unit_test(as_many_shapes_are_kept_as_there_is_room_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
