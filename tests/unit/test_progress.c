#include "unit.h"

#include "base/xalloc.h"
#include "delivery/progress.h"

enum { OFFSETS = 20000, ROUNDS = 3000 };

static const uint64_t binding = 0x5eed;

/* ---- a naive model: a set of finished offsets ---- */

struct model {
    int64_t committed;
    bool unfinished[OFFSETS]; /* by distance from committed */
    int64_t highest;
    int64_t list[OFFSETS];
    size_t count;
};

static void
model_list(struct model *model)
{
    model->count = 0;
    for (int64_t i = 0; model->committed + i < model->highest; i++) {
        if (model->unfinished[i])
            model->list[model->count++] = model->committed + i;
    }
}

/* Sparse, dense or mixed; short, or far too long for a text. */
static void
model_fill(struct model *model, struct rng *rng)
{
    uint64_t percent = rng_below(rng, 101);
    int64_t length = 1 + (int64_t)rng_below(rng, rng_below(rng, 3) ? 300 : OFFSETS - 1);

    memset(model, 0, sizeof(*model));
    model->committed = rng_below(rng, 4) ? (int64_t)rng_below(rng, 1u << 20) : INT64_MAX / 2;
    for (int64_t i = 0; i < length; i++)
        model->unfinished[i] = rng_below(rng, 100) < percent;
    model->unfinished[length - 1] = false;
    model->highest = model->committed + length - 1;
    model_list(model);
}

static struct progress
progress_of(struct model *model)
{
    return (struct progress){
        .highest = model->highest, .unfinished = model->list, .count = model->count};
}

/* ---- writing and reading ---- */

static bool
read_back(const struct buf *text, int64_t committed, struct progress *ret)
{
    char *copy = xmemdup(text->data, text->len);
    bool read;

    copy[text->len] = 'A'; /* as Kafka gives it: no NUL behind */
    read = progress_read(copy, text->len, binding, committed, ret);
    xfree(copy);
    return read;
}

/* All that is said of offsets up to what was read is what the model says. */
static void
check_against(const struct model *model, const struct progress *progress)
{
    size_t next = 0;

    assert_true(progress->highest >= model->committed && progress->highest <= model->highest);
    for (int64_t offset = model->committed; offset <= progress->highest; offset++) {
        bool listed = next < progress->count && progress->unfinished[next] == offset;

        next += listed;
        assert_int_equal(listed, model->unfinished[offset - model->committed]);
    }
    assert_int_equal(next, progress->count);
}

static size_t
distance_bits(int shift, int64_t distance)
{
    if (shift < 0)
        return 8 * progress_distance_size(distance);
    return (size_t)((distance - 1) >> shift) + 1 + (size_t)shift;
}

/* What the text of MODEL up to HIGHEST would take. SHIFT: of version 2; -1: version 1. */
static size_t
size_of(const struct model *model, int64_t highest, int shift)
{
    size_t bits = 8 * PROGRESS_CHECKSUM_SIZE + (shift < 0 ? 0 : 8);
    int64_t at = model->committed - 1;

    for (size_t i = 0; i < model->count && model->list[i] < highest; i++) {
        bits += distance_bits(shift, model->list[i] - at);
        at = model->list[i];
    }
    bits += distance_bits(shift, highest - at);
    return 1 + ((bits + 7) / 8 * 8 + 5) / 6;
}

/* The byte behind the checksum of a text of version 2: its bits 64 to 71. */
static int
shift_of(const struct buf *text)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

    if (text->len < 13 || text->data[0] == '1')
        return -1;
    assert_int_equal(text->data[0], '2');
    return (int)((strchr(digits, text->data[11]) - digits) % 4 * 64 +
                 (strchr(digits, text->data[12]) - digits));
}

/* Nothing more would have found room. HIGHEST: the highest that was said, or one below the
 * committed. */
static void
check_is_longest(const struct model *model, int64_t highest, int shift, size_t max)
{
    if (highest == model->highest)
        return;
    do
        highest++;
    while (model->unfinished[highest - model->committed]);
    assert_true(size_of(model, highest, shift) > max);
    assert_true(size_of(model, highest, -1) > max);
}

static void
what_is_written_is_read_back_as_a_model_has_it(void **state)
{
    static struct model model;
    struct rng rng = unit_rng("progress", 27);
    struct buf text;

    (void)state;
    buf_init(&text, PROGRESS_TEXT_MAX);
    for (int round = 0; round < ROUNDS / 10; round++) {
        struct progress progress;
        size_t max = rng_below(&rng, 2) ? PROGRESS_TEXT_MAX : rng_below(&rng, 600);

        model_fill(&model, &rng);
        progress = progress_of(&model);
        progress_write(&text, max, binding, model.committed, &progress);
        assert_true(text.len <= max);
        if (!text.len) {
            check_is_longest(&model, model.committed - 1, -1, max);
            continue;
        }
        assert_true(read_back(&text, model.committed, &progress));
        check_against(&model, &progress);
        assert_int_equal(text.len, size_of(&model, progress.highest, shift_of(&text)));
        assert_true(text.len <= size_of(&model, progress.highest, -1));
        check_is_longest(&model, progress.highest, shift_of(&text), max);
        xfree(progress.unfinished);
    }
    buf_fini(&text);
}

static struct buf
text_of(int64_t committed, int64_t highest, int64_t *unfinished, size_t count, size_t max)
{
    struct progress progress = {highest, unfinished, count};
    struct buf text;

    buf_init(&text, PROGRESS_TEXT_MAX);
    progress_write(&text, max, binding, committed, &progress);
    return text;
}

static void
without_progress_there_is_no_text(void **state)
{
    struct buf text = text_of(100, 99, NULL, 0, PROGRESS_TEXT_MAX);

    (void)state;
    assert_string_equal(buf_text(&text), "");
    buf_fini(&text);
}

/* It must be read by later versions, so its form, and the hash it is built on, are kept. */
static void
the_text_of_version_1_stays_as_it_is(void **state)
{
    int64_t unfinished[] = {1000, 1001, 1400};
    struct buf text = text_of(1000, 1401, unfinished, 3, PROGRESS_TEXT_MAX);
    struct progress progress;

    (void)state;
    assert_string_equal(buf_text(&text), "1yNhAZmrUHWgAAI4DAA");
    assert_true(read_back(&text, 1000, &progress));
    assert_int_equal(progress.count, 3);
    assert_int_equal(progress.unfinished[2], 1400);
    assert_int_equal(progress.highest, 1401);
    xfree(progress.unfinished);
    buf_fini(&text);
    assert_true(progress_binding("group", "topic", 7) == 0x9f7b2f3db194b1ca);
}

static void
the_text_of_version_2_stays_as_it_is(void **state)
{
    int64_t unfinished[] = {1000, 1001, 1002, 1003, 1005, 1008};
    struct buf text = text_of(1000, 1010, unfinished, ARRAY_LEN(unfinished), PROGRESS_TEXT_MAX);
    struct progress progress;

    (void)state;
    assert_string_equal(buf_text(&text), "2ZVx5hx_S_4wA9KA");
    assert_true(read_back(&text, 1000, &progress));
    assert_int_equal(progress.count, 6);
    assert_int_equal(progress.unfinished[5], 1008);
    assert_int_equal(progress.highest, 1010);
    xfree(progress.unfinished);
    text.data[0] = '1'; /* the version is part of the checksum */
    assert_false(read_back(&text, 1000, &progress));
    buf_fini(&text);
}

/* A backlog that is read whole, its contacts spread over it. */
static void
many_events_that_wait_close_together_take_a_bit_or_two_each(void **state)
{
    static int64_t unfinished[12000];
    struct progress progress;
    struct buf text;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(unfinished); i++)
        unfinished[i] = 10 + 2 * (int64_t)i;
    text = text_of(10, 24009, unfinished, ARRAY_LEN(unfinished), PROGRESS_TEXT_MAX);
    assert_true(read_back(&text, 10, &progress));
    assert_int_equal(progress.count, 12000);
    assert_int_equal(progress.highest, 24009);
    xfree(progress.unfinished);
    buf_fini(&text);
    assert_in_range(progress_coded_size(12000, 24000), 3000, 3002);
    assert_in_range(progress_coded_size(1000, 100000), 1000, 1100);
    assert_in_range(progress_coded_size(2, INT64_MAX / 2), 1, SIZE_MAX);
}

static void
a_text_of_something_else_is_no_progress(void **state)
{
    int64_t unfinished[] = {1000};
    struct buf text = text_of(1000, 1401, unfinished, 1, PROGRESS_TEXT_MAX);
    struct progress progress;

    (void)state;
    assert_false(progress_read(text.data, text.len, binding + 1, 1000, &progress));
    assert_false(progress_read(text.data, text.len, binding, 1001, &progress));
    assert_false(progress_read(text.data, text.len, binding, 999, &progress));
    assert_false(progress_read(text.data, text.len, binding, -1, &progress));
    assert_false(progress_read(text.data, text.len - 1, binding, 1000, &progress));
    assert_false(progress_read("", 0, binding, 1000, &progress));
    buf_fini(&text);
    assert_true(progress_binding("g", "topic", 1) != progress_binding("g", "topic", 2));
    assert_true(progress_binding("g", "topic", 1) != progress_binding("h", "topic", 1));
    assert_true(progress_binding("g", "topic", 1) != progress_binding("gt", "opic", 1));
}

static void
a_long_list_is_cut_from_the_top(void **state)
{
    static int64_t unfinished[PROGRESS_OFFSETS_MAX + 100];
    struct progress progress;
    struct buf text;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(unfinished); i++)
        unfinished[i] = 10 + 2 * (int64_t)i;
    text = text_of(10, 1 << 20, unfinished, ARRAY_LEN(unfinished), PROGRESS_TEXT_MAX);
    assert_in_range(text.len, PROGRESS_TEXT_MAX - 2, PROGRESS_TEXT_MAX);
    assert_true(read_back(&text, 10, &progress));
    assert_in_range(progress.count, PROGRESS_ROOM, PROGRESS_OFFSETS_MAX / 2);
    assert_int_equal(progress.highest, unfinished[progress.count - 1] + 1);
    xfree(progress.unfinished);
    buf_fini(&text);
}

static void
what_is_all_unfinished_leaves_nothing_to_say_when_cut(void **state)
{
    static int64_t unfinished[PROGRESS_OFFSETS_MAX + 100];
    struct buf text;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(unfinished); i++)
        unfinished[i] = 10 + (int64_t)i;
    text = text_of(10, 1 << 20, unfinished, ARRAY_LEN(unfinished), PROGRESS_TEXT_MAX);
    assert_string_equal(buf_text(&text), "");
    buf_fini(&text);
}

static void
no_damaged_text_is_read_as_something_else(void **state)
{
    static struct model model;
    struct rng rng = unit_rng("damage", 28);
    struct buf text;

    (void)state;
    buf_init(&text, PROGRESS_TEXT_MAX);
    for (int round = 0; round < ROUNDS; round++) {
        struct progress progress;
        int flips = 1 + (int)rng_below(&rng, 3);

        if (round % 10 == 0)
            model_fill(&model, &rng);
        progress = progress_of(&model);
        progress_write(&text, PROGRESS_TEXT_MAX, binding, model.committed, &progress);
        for (int i = 0; text.len && i < flips; i++)
            text.data[rng_below(&rng, text.len)] ^= (char)(1 << rng_below(&rng, 8));
        if (!text.len || !read_back(&text, model.committed, &progress))
            continue;
        check_against(&model, &progress); /* flipped back */
        assert_int_equal(flips, 2);
        xfree(progress.unfinished);
    }
    buf_fini(&text);
}

static void
garbage_is_no_progress(void **state)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    struct rng rng = unit_rng("garbage", 29);
    static char text[PROGRESS_TEXT_MAX + 10];
    struct progress progress;

    (void)state;
    for (int round = 0; round < ROUNDS * 10; round++) {
        size_t len = rng_below(&rng, rng_below(&rng, 10) ? 40 : sizeof(text));
        bool in_alphabet = rng_below(&rng, 2);

        for (size_t i = 0; i < len; i++)
            text[i] = in_alphabet ? alphabet[rng_below(&rng, 64)] : (char)rng_below(&rng, 256);
        if (len && rng_below(&rng, 2))
            text[0] = rng_below(&rng, 2) ? '1' : '2';
        assert_false(progress_read(text, len, binding, 1000, &progress));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read_back_as_a_model_has_it),
        cmocka_unit_test(without_progress_there_is_no_text),
        cmocka_unit_test(the_text_of_version_1_stays_as_it_is),
        cmocka_unit_test(the_text_of_version_2_stays_as_it_is),
        cmocka_unit_test(many_events_that_wait_close_together_take_a_bit_or_two_each),
        cmocka_unit_test(a_text_of_something_else_is_no_progress),
        cmocka_unit_test(a_long_list_is_cut_from_the_top),
        cmocka_unit_test(what_is_all_unfinished_leaves_nothing_to_say_when_cut),
        cmocka_unit_test(no_damaged_text_is_read_as_something_else),
        cmocka_unit_test(garbage_is_no_progress),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
