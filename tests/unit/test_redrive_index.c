/* cmd/redrive_index: which letters go, and in which order. */
#include "base/xalloc.h"
#include "cmd/redrive_index.h"
#include "unit.h"

enum { ROUNDS = 300, LETTERS = 40, HEADERS = 8, CAP = 1000 };

static const struct redrive_filter everything = {
    .since_ms = EVENT_NO_TIME, .until_ms = EVENT_NO_TIME, .limit = INT64_MAX};

/* ---- helpers ---- */

struct given {
    const char *topic, *rule, *class;
    int32_t partition;
    int64_t offset;
    unsigned redrives;
    int32_t at_partition; /* where the letter stands */
    int64_t at_offset, time_ms;
    int64_t event_ms; /* 0: the event has none */
};

static void
with_record(const struct given *given,
            int (*take)(struct redrive_index *, const struct event *, struct err *),
            struct redrive_index *index, int expected)
{
    char partition[24], offset[24], redrives[24], event_ms[24], calls[128];
    struct event_header headers[HEADERS];
    struct event record = {.topic = "dead",
                           .partition = given->at_partition,
                           .offset = given->at_offset,
                           .timestamp_ms = given->time_ms,
                           .headers = headers};
    const char *const texts[] = {"sx-topic",     given->topic,
                                 "sx-partition", partition,
                                 "sx-offset",    offset,
                                 "sx-redrives",  redrives,
                                 "sx-timestamp", event_ms,
                                 "sx-class",     given->class ? given->class : "permanent",
                                 "sx-rule",      given->rule ? given->rule : "r",
                                 "sx-calls",     calls};
    struct err err = {0};

    snprintf(partition, sizeof(partition), "%d", (int)given->partition);
    snprintf(offset, sizeof(offset), "%lld", (long long)given->offset);
    snprintf(redrives, sizeof(redrives), "%u", given->redrives);
    snprintf(calls, sizeof(calls),
             "[{\"call\":\"track\",\"rule\":\"%s\",\"nth\":0},"
             "{\"call\":\"track\",\"rule\":\"second\",\"nth\":0}]",
             given->rule ? given->rule : "r");
    snprintf(event_ms, sizeof(event_ms), "%lld", (long long)given->event_ms);
    for (size_t i = 0; i < ARRAY_LEN(texts); i += 2) {
        if (texts[i + 1] == event_ms && !given->event_ms)
            continue;
        headers[record.header_count++] = (struct event_header){
            .name = texts[i], .value = texts[i + 1], .value_len = strlen(texts[i + 1])};
    }
    assert_int_equal(take(index, &record, &err), expected);
    assert_int_equal(err_is_set(&err), expected != 0);
}

static void
add(struct redrive_index *index, struct given given)
{
    with_record(&given, redrive_index_add, index, 0);
}

static void
note(struct redrive_index *index, struct given given)
{
    with_record(&given, redrive_index_note, index, 0);
}

static struct redrive_index *
open_index(const struct redrive_filter *filter)
{
    return redrive_index_new(filter, "redrive", CAP);
}

/* "partition:offset …" in the order in which they go. */
static void
expect_order(const struct redrive_index *index, const char *expected)
{
    char text[1024] = "";
    size_t len = 0;

    for (size_t i = 0; i < redrive_index_count(index); i++) {
        int32_t partition;
        int64_t offset;

        redrive_index_get(index, i, &partition, &offset);
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%d:%lld", i ? " " : "",
                                (int)partition, (long long)offset);
    }
    assert_string_equal(text, expected);
}

/* ---- tests ---- */

static void
a_letter_that_was_redriven_does_not_go_again(void **state)
{
    struct redrive_index *index = open_index(&everything);

    (void)state;
    note(index, (struct given){.topic = "t", .offset = 1, .redrives = 1});
    note(index, (struct given){.topic = "t", .offset = 2, .redrives = 3});
    note(index, (struct given){.topic = "t", .offset = 2, .redrives = 1});
    add(index, (struct given){.topic = "t", .offset = 1, .at_offset = 0});
    add(index, (struct given){.topic = "t", .offset = 1, .redrives = 1, .at_offset = 1});
    add(index, (struct given){.topic = "t", .offset = 2, .redrives = 2, .at_offset = 2});
    add(index, (struct given){.topic = "t", .partition = 1, .offset = 1, .at_offset = 3});
    add(index, (struct given){.topic = "u", .offset = 1, .at_offset = 4});
    redrive_index_arrange(index);
    expect_order(index, "0:1 0:3 0:4");
    assert_int_equal(redrive_index_fate(index, REDRIVE_REDRIVEN), 2);
    redrive_index_free(index);
}

static void
of_an_event_the_last_letter_goes(void **state)
{
    struct redrive_index *index = open_index(&everything);

    (void)state;
    add(index, (struct given){.topic = "t", .offset = 1, .at_offset = 0, .time_ms = 9});
    add(index, (struct given){.topic = "t", .offset = 1, .at_offset = 7, .time_ms = 5});
    add(index, (struct given){.topic = "t", .offset = 2, .at_offset = 8, .time_ms = 5});
    add(index, (struct given){.topic = "t", .offset = 2, .redrives = 1, .at_offset = 9});
    redrive_index_arrange(index);
    expect_order(index, "0:0 0:9");
    assert_int_equal(redrive_index_fate(index, REDRIVE_REPEATED), 1);
    /* It came back, though nothing in the redrive topic tells any more. */
    assert_int_equal(redrive_index_fate(index, REDRIVE_REDRIVEN), 1);
    redrive_index_free(index);
}

static void
an_event_of_a_topic_that_was_made_anew_is_another_one(void **state)
{
    struct redrive_index *index = open_index(&everything);

    (void)state;
    note(index, (struct given){.topic = "t", .offset = 1, .event_ms = 70, .redrives = 1});
    add(index, (struct given){.topic = "t", .offset = 1, .event_ms = 70, .at_offset = 0});
    add(index, (struct given){.topic = "t", .offset = 1, .event_ms = 90, .at_offset = 1});
    add(index, (struct given){.topic = "t", .offset = 1, .at_offset = 2}); /* its own value */
    add(index, (struct given){.topic = "t", .offset = 2, .event_ms = 91, .at_offset = 3});
    add(index, (struct given){.topic = "t", .offset = 2, .event_ms = 92, .at_offset = 4});
    redrive_index_arrange(index);
    expect_order(index, "0:2 0:1 0:3 0:4");
    assert_int_equal(redrive_index_fate(index, REDRIVE_REDRIVEN), 1);
    assert_int_equal(redrive_index_fate(index, REDRIVE_REPEATED), 0);
    redrive_index_free(index);
}

static void
a_letter_with_a_successor_that_does_not_go_does_not_go_either(void **state)
{
    struct redrive_filter filter = everything;
    struct redrive_index *index;

    (void)state;
    filter.reason = "transient";
    index = open_index(&filter);
    /* The second letter is not asked for. */
    add(index, (struct given){.topic = "t", .class = "transient", .offset = 1, .at_offset = 0});
    add(index, (struct given){.topic = "t", .offset = 1, .redrives = 1, .at_offset = 1});
    /* It is exhausted; and it stands in a partition that is read before. */
    add(index, (struct given){
                   .topic = "t", .class = "transient", .offset = 2, .redrives = 5, .at_offset = 2});
    add(index, (struct given){.topic = "t",
                              .class = "transient",
                              .offset = 2,
                              .redrives = 4,
                              .at_partition = 1,
                              .at_offset = 0});
    redrive_index_arrange(index);
    expect_order(index, "");
    assert_int_equal(redrive_index_fate(index, REDRIVE_REDRIVEN), 2);
    assert_int_equal(redrive_index_fate(index, REDRIVE_OTHER), 1);
    assert_int_equal(redrive_index_fate(index, REDRIVE_EXHAUSTED), 1);
    redrive_index_free(index);
}

static void
letters_of_one_partition_change_places_among_themselves_only(void **state)
{
    struct redrive_index *index = open_index(&everything);

    (void)state;
    add(index, (struct given){.topic = "t", .offset = 5, .at_offset = 0});
    add(index, (struct given){.topic = "u", .offset = 9, .at_offset = 1});
    add(index, (struct given){.topic = "t", .offset = 6, .at_offset = 2});
    add(index, (struct given){.topic = "u", .offset = 8, .at_offset = 3});
    add(index, (struct given){.topic = "t", .offset = 4, .at_offset = 4, .redrives = 1});
    add(index, (struct given){.topic = "t", .offset = 1, .at_partition = 1, .at_offset = 0});
    redrive_index_arrange(index);
    expect_order(index, "0:4 0:3 0:0 0:1 0:2 1:0");
    redrive_index_free(index);
}

static void
foreign_and_exhausted_letters_are_left_and_counted(void **state)
{
    struct redrive_index *index = open_index(&everything);
    struct event record = {.topic = "dead", .partition = 2, .offset = 3};
    struct err err = {0};

    (void)state;
    assert_int_equal(redrive_index_add(index, &record, &err), 0);
    add(index, (struct given){.topic = "redrive", .offset = 1});
    add(index, (struct given){.topic = "t", .offset = 1, .redrives = 5});
    redrive_index_arrange(index);
    expect_order(index, "");
    assert_int_equal(redrive_index_fate(index, REDRIVE_FOREIGN), 2);
    assert_int_equal(redrive_index_fate(index, REDRIVE_EXHAUSTED), 1);
    assert_string_equal(redrive_index_foreign(index),
                        "partition 2, offset 3: it has no header sx-topic");
    redrive_index_free(index);
}

static void
filters_choose_by_rule_and_class_and_time(void **state)
{
    struct redrive_filter filter = everything;
    struct redrive_index *index;

    (void)state;
    filter.rule = "second";
    filter.reason = "transient";
    filter.since_ms = 10;
    filter.until_ms = 20;
    filter.limit = 2;
    index = open_index(&filter);
    for (int64_t n = 8; n < 22; n++)
        add(index, (struct given){.topic = "t",
                                  .class = n == 12 ? "permanent" : "transient",
                                  .offset = n,
                                  .at_offset = n,
                                  .time_ms = n});
    redrive_index_arrange(index);
    expect_order(index, "0:10 0:11");
    assert_int_equal(redrive_index_fate(index, REDRIVE_OTHER), 5);
    assert_int_equal(redrive_index_fate(index, REDRIVE_BEYOND), 7);
    redrive_index_free(index);
}

static void
names_of_the_table_hide_addresses_and_control_characters(void **state)
{
    struct redrive_index *index = open_index(&everything);
    const struct redrive_group *groups;
    size_t count;

    (void)state;
    add(index, (struct given){.topic = "t",
                              .rule = "of ada@example.com",
                              .class = "\033[2Jx",
                              .offset = 1,
                              .at_offset = 1,
                              .time_ms = 40});
    add(index, (struct given){.topic = "t",
                              .rule = "of ada@example.com",
                              .class = "\033[2Jx",
                              .offset = 2,
                              .at_offset = 2,
                              .time_ms = 30});
    redrive_index_arrange(index);
    groups = redrive_index_groups(index, &count);
    assert_int_equal(count, 1);
    assert_string_equal(groups[0].rule, "of a***@example.com");
    assert_string_equal(groups[0].class, "?[2Jx");
    assert_string_equal(groups[0].status, "-");
    assert_int_equal(groups[0].count, 2);
    assert_int_equal(groups[0].first_ms, 30);
    assert_int_equal(groups[0].last_ms, 40);
    redrive_index_free(index);
}

static void
more_letters_than_fit_are_an_error(void **state)
{
    struct redrive_index *index = redrive_index_new(&everything, "redrive", 2);
    struct given given = {.topic = "t", .redrives = 1};

    (void)state;
    for (given.offset = 0; given.offset < 3; given.offset++)
        with_record(&given, redrive_index_note, index, given.offset < 2 ? 0 : -1);
    given.topic = "u";
    for (given.offset = 0; given.offset < 3; given.offset++)
        with_record(&given, redrive_index_add, index, given.offset < 2 ? 0 : -1);
    redrive_index_free(index);
    /* Those that came back and are not in the redrive topic count, also when none of them goes. */
    index = redrive_index_new(&everything, "redrive", 2);
    given.redrives = LETTER_REDRIVES_MAX;
    for (given.offset = 0; given.offset < 3; given.offset++)
        with_record(&given, redrive_index_add, index, given.offset < 2 ? 0 : -1);
    redrive_index_free(index);
}

/* ---- against a naive model ---- */

struct model {
    struct given letters[LETTERS], noted[LETTERS];
    size_t count, noted_count;
    struct redrive_filter filter;
};

static bool
is_event(const struct given *a, const struct given *b)
{
    return a->partition == b->partition && a->offset == b->offset && a->event_ms == b->event_ms &&
           strcmp(a->topic, b->topic) == 0;
}

/* Asked for, and could go by itself. */
static bool
could_go(const struct model *model, const struct given *letter)
{
    const char *reason = model->filter.reason;

    return letter->redrives < LETTER_REDRIVES_MAX && letter->time_ms >= model->filter.since_ms &&
           (!reason || strcmp(letter->class, reason) == 0);
}

/* Whether the I-th letter goes: its event has not come back since by anything that can be seen,
 * and it is the newest of its copies that could go. */
static bool
goes(const struct model *model, size_t i)
{
    const struct given *letter = &model->letters[i];

    if (!could_go(model, letter))
        return false;
    for (size_t n = 0; n < model->noted_count; n++) {
        if (is_event(&model->noted[n], letter) && model->noted[n].redrives > letter->redrives)
            return false;
    }
    for (size_t n = 0; n < model->count; n++) {
        const struct given *other = &model->letters[n];

        if (n == i || !is_event(other, letter))
            continue;
        if (other->redrives > letter->redrives)
            return false;
        if (other->redrives == letter->redrives && could_go(model, other) &&
            (other->time_ms > letter->time_ms || (other->time_ms == letter->time_ms && n > i)))
            return false;
    }
    return true;
}

static const struct given *
letter_at(const struct model *model, const struct redrive_index *index, size_t place)
{
    int32_t partition;
    int64_t offset;

    redrive_index_get(index, place, &partition, &offset);
    for (size_t i = 0; i < model->count; i++) {
        if (model->letters[i].at_partition == partition && model->letters[i].at_offset == offset)
            return &model->letters[i];
    }
    fail_msg("there is no letter at %d:%lld", (int)partition, (long long)offset);
    return NULL;
}

static void
random_given(struct rng *rng, struct given *given)
{
    static const char *const topics[] = {"t", "u"}, *const classes[] = {"permanent", "transient"};

    *given = (struct given){.topic = topics[rng_below(rng, 2)],
                            .class = classes[rng_below(rng, 2)],
                            .partition = (int32_t)rng_below(rng, 2),
                            .offset = (int64_t)rng_below(rng, 12),
                            .event_ms = rng_below(rng, 4) ? 50 : (int64_t)rng_below(rng, 3),
                            .redrives = (unsigned)rng_below(rng, 7),
                            .time_ms = (int64_t)rng_below(rng, 5)};
}

static void
random_model(struct rng *rng, struct model *model)
{
    size_t per_partition = rng_below(rng, LETTERS / 2);

    *model = (struct model){.filter = everything, .noted_count = rng_below(rng, LETTERS)};
    if (rng_below(rng, 2))
        model->filter.reason = "transient";
    if (rng_below(rng, 3) == 0)
        model->filter.since_ms = 2;
    for (size_t i = 0; i < model->noted_count; i++) {
        random_given(rng, &model->noted[i]);
        model->noted[i].redrives = model->noted[i].redrives % 5 + 1;
    }
    for (size_t i = 0; i < 2 * per_partition; i++) {
        struct given *letter = &model->letters[model->count++];

        random_given(rng, letter);
        letter->at_partition = i >= per_partition;
        letter->at_offset = (int64_t)(i % per_partition) * 3;
    }
}

/* What is in order: letters of one original partition, within a letter partition. */
static void
check_order(const struct model *model, const struct redrive_index *index)
{
    for (size_t i = 0; i < redrive_index_count(index); i++) {
        const struct given *letter = letter_at(model, index, i);

        assert_true(goes(model, (size_t)(letter - model->letters)));
        for (size_t j = 0; j < i; j++) {
            const struct given *before = letter_at(model, index, j);

            assert_true(before != letter && before->at_partition <= letter->at_partition);
            if (before->at_partition == letter->at_partition &&
                before->partition == letter->partition && !strcmp(before->topic, letter->topic))
                assert_true(
                    before->offset < letter->offset ||
                    (before->offset == letter->offset && before->event_ms < letter->event_ms));
        }
    }
}

static void
check_round(struct rng *rng)
{
    struct model model;
    struct redrive_index *index;
    size_t expected = 0, fates = 0;

    random_model(rng, &model);
    index = open_index(&model.filter);
    for (size_t i = 0; i < model.noted_count; i++)
        note(index, model.noted[i]);
    for (size_t i = 0; i < model.count; i++)
        add(index, model.letters[i]);
    redrive_index_arrange(index);
    for (size_t i = 0; i < model.count; i++)
        expected += goes(&model, i);
    assert_int_equal(redrive_index_count(index), expected);
    for (int fate = 0; fate < REDRIVE_FATE_COUNT; fate++)
        fates += redrive_index_fate(index, (enum redrive_fate)fate);
    assert_int_equal(fates, model.count);
    check_order(&model, index);
    redrive_index_free(index);
}

static void
random_letters_go_once_and_in_the_order_of_their_events(void **state)
{
    struct rng rng = unit_rng("letters", 5);

    (void)state;
    for (int round = 0; round < ROUNDS; round++)
        check_round(&rng);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_letter_that_was_redriven_does_not_go_again),
        cmocka_unit_test(of_an_event_the_last_letter_goes),
        cmocka_unit_test(an_event_of_a_topic_that_was_made_anew_is_another_one),
        cmocka_unit_test(a_letter_with_a_successor_that_does_not_go_does_not_go_either),
        cmocka_unit_test(letters_of_one_partition_change_places_among_themselves_only),
        cmocka_unit_test(foreign_and_exhausted_letters_are_left_and_counted),
        cmocka_unit_test(filters_choose_by_rule_and_class_and_time),
        cmocka_unit_test(names_of_the_table_hide_addresses_and_control_characters),
        cmocka_unit_test(more_letters_than_fit_are_an_error),
        cmocka_unit_test(random_letters_go_once_and_in_the_order_of_their_events),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
