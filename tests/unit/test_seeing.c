/* worker/seeing: what is kept of calls, and that it has a bound. */

#include "core_unit.h"

#include "base/xalloc.h"
#include "worker/state.h"

static struct worker worker;
static struct account account = {.name = "main"};
static struct config config = {.accounts = &account, .account_count = 1};

/* Nobody is asked here. */
int
kafka_find_ends(struct kafka *kafka, struct err *err)
{
    (void)kafka;
    (void)err;
    return 0;
}

static int
open_seeing(void **state)
{
    struct fixture *fixture;

    set_up(state);
    fixture = *state;
    worker = (struct worker){.config = &config, .core = fixture->core};
    seeing_init(&worker.seeing, fixture->now);
    return 0;
}

static int
close_seeing(void **state)
{
    seeing_fini(&worker.seeing);
    return tear_down(state);
}

static void
open_track(struct fixture *fixture, const char *rule, const char *tag)
{
    struct call *call = call_new(CALL_TRACK, 0, rule);

    call->track.email = "ada@example.com";
    call->track.add_tags.items = arena_alloc(&call->arena, sizeof(tag));
    call->track.add_tags.items[0] = arena_text(&call->arena, tag, strlen(tag));
    call->track.add_tags.count = 1;
    open_call(fixture, call);
}

/* A track by RULE that adds TAG, delivered. */
static void
deliver(struct fixture *fixture, const char *rule, const char *tag)
{
    struct core_job *job;

    open_track(fixture, rule, tag);
    job = await_next(fixture);
    seeing_call(&worker, job, VERDICT_DONE, 5);
    settle(fixture, job, VERDICT_DONE, SETTLED_DONE);
}

static void
calls_and_tags_are_counted_by_rule(void **state)
{
    const struct seen_rule *rule;

    deliver(*state, "one", "a");
    deliver(*state, "one", "a");
    deliver(*state, "one", "b");
    deliver(*state, "two", "a");
    rule = seeing_rule(&worker.seeing, "one", "main");
    assert_int_equal(rule->calls[CALL_TRACK][VERDICT_DONE], 3);
    assert_int_equal(rule->tag_count, 2);
    assert_string_equal(rule->tags[0].name, "a");
    assert_int_equal(rule->tags[0].added, 2);
    assert_int_equal(histogram_count(&worker.seeing.call_seconds), 4);
    assert_null(seeing_rule(&worker.seeing, "three", "main"));
}

static void
what_goes_along_with_a_request_counts_for_its_own_rule(void **state)
{
    struct fixture *fixture = *state;
    struct core_limits limits = default_limits();
    const struct seen_rule *one, *two;
    struct core_job *job;

    limits.fold = FOLD_SAFE;
    core_set_limits(fixture->core, &limits);
    open_track(fixture, "one", "a");
    open_track(fixture, "two", "b");
    open_track(fixture, "two", "c");
    job = await_next(fixture);
    assert_int_equal(core_job_folded(job), 2);
    seeing_call(&worker, job, VERDICT_TRANSIENT, 5);
    settle(fixture, job, VERDICT_TRANSIENT, SETTLED_WAITING);
    assert_null(seeing_rule(&worker.seeing, "two", "main"));
    job = await_next(fixture);
    seeing_call(&worker, job, VERDICT_DONE, 5);
    settle(fixture, job, VERDICT_DONE, SETTLED_DONE);
    one = seeing_rule(&worker.seeing, "one", "main");
    two = seeing_rule(&worker.seeing, "two", "main");
    assert_int_equal(one->calls[CALL_TRACK][VERDICT_DONE], 1);
    assert_int_equal(one->folded[CALL_TRACK], 0);
    assert_int_equal(one->tag_count, 1);
    assert_int_equal(two->calls[CALL_TRACK][VERDICT_DONE], 0);
    assert_int_equal(two->folded[CALL_TRACK], 2);
    assert_int_equal(two->tag_count, 2);
}

static void
rules_and_tags_past_their_bounds_are_counted_together(void **state)
{
    const struct seen_rule **rules;
    char name[32];
    size_t count;

    for (int i = 0; i < SEEING_TAGS_MAX + 7; i++) {
        snprintf(name, sizeof(name), "tag %d", i);
        deliver(*state, "many tags", name);
    }
    assert_int_equal(seeing_rule(&worker.seeing, "many tags", "main")->tag_count, SEEING_TAGS_MAX);
    assert_int_equal(seeing_rule(&worker.seeing, "many tags", "main")->tags_other, 7);
    for (int i = 0; i < SEEING_RULES_MAX + 4; i++) {
        snprintf(name, sizeof(name), "rule %d", i);
        deliver(*state, name, "a");
    }
    rules = seeing_rules(&worker.seeing, &count);
    assert_int_equal(count, SEEING_RULES_MAX + 1);
    assert_string_equal(rules[count - 1]->name, SEEING_OTHER);
    assert_int_equal(rules[count - 1]->calls[CALL_TRACK][VERDICT_DONE], 5);
    assert_int_equal(worker.seeing.overflowed, 7 + 5);
    xfree(rules);
}

/* Else a tag made of an address would be one for each contact, and tell who they are. */
static void
addresses_in_tags_are_masked_and_long_tags_cut(void **state)
{
    const struct seen_rule *rule;
    char tag[4 * SEEING_TAG_LEN];

    deliver(*state, "r", "of ada@example.com");
    deliver(*state, "r", "of abe@example.com");
    deliver(*state, "r", "of ada%40example.com");
    for (size_t i = 0; i + 2 < sizeof(tag); i += 2)
        memcpy(tag + i, "\xc3\xa4", 3);
    tag[0] = 'x';
    tag[1] = 'y';
    deliver(*state, "r", tag);
    rule = seeing_rule(&worker.seeing, "r", "main");
    assert_int_equal(rule->tag_count, 3);
    assert_string_equal(rule->tags[0].name, "of a***@example.com");
    assert_int_equal(rule->tags[0].added, 2);
    assert_null(strstr(rule->tags[1].name, "ada"));
    assert_int_equal(strlen(rule->tags[2].name), SEEING_TAG_LEN);
}

static void
fail_with(const char *what, const char *rule, const char *contact, int status)
{
    static const char class[] = "transient";

    seeing_failure(&worker.seeing, &(struct failure_line){.what = what,
                                                          .rule = rule,
                                                          .contact = contact,
                                                          .reason = "no",
                                                          .class = class,
                                                          .topic = "t",
                                                          .status = status});
}

static void
the_last_failures_are_kept_and_repeats_share_a_place(void **state)
{
    static const char retry[] = "retry", letter[] = "dead_letter";
    const struct seen_failure *failures = worker.seeing.failures;

    (void)state;
    for (int i = 0; i < 100; i++)
        fail_with(retry, "r", "ada@example.com", 503);
    assert_int_equal(failures[0].count, 100);
    assert_string_equal(failures[0].contact, "a***@example.com");
    fail_with(retry, "r", "ada@example.com", 500);
    fail_with(retry, "q", "ada@example.com", 503);
    assert_int_equal(failures[2].count, 1);
    for (int i = 0; i < SEEING_FAILURES; i++)
        fail_with(letter, "r", "ada@example.com", 422);
    assert_string_equal(failures[0].what, letter);
    assert_int_equal(failures[0].count, 1);
    assert_int_equal(worker.seeing.failure_next, 3);
}

#define WITH_SEEING(test) cmocka_unit_test_setup_teardown(test, open_seeing, close_seeing)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SEEING(calls_and_tags_are_counted_by_rule),
        WITH_SEEING(what_goes_along_with_a_request_counts_for_its_own_rule),
        WITH_SEEING(rules_and_tags_past_their_bounds_are_counted_together),
        WITH_SEEING(addresses_in_tags_are_masked_and_long_tags_cut),
        WITH_SEEING(the_last_failures_are_kept_and_repeats_share_a_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
