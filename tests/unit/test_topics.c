/* worker/topics: when Kafka is asked for the topics of the rules. */
#include "base/clock.h"
#include "base/xalloc.h"
#include "ruleset_unit.h"
#include "worker/state.h"

enum { TOPICS = 12, SLOW_MS = 30 };

/* The Kafka that is asked. */
static struct {
    enum kafka_topic_state state;
    int asked, subscribed;
    bool slow, doubts;
} fake;

static struct worker worker;
static struct config config;
static struct bench bench;

enum kafka_topic_state
kafka_look_for_topic(struct kafka *kafka, const char *topic)
{
    int64_t until_ms = clock_now_ms() + (fake.slow ? SLOW_MS : 0);

    (void)kafka, (void)topic;
    fake.asked++;
    while (clock_now_ms() < until_ms)
        continue;
    return fake.state;
}

bool
kafka_doubts_topics(struct kafka *kafka)
{
    bool doubts = fake.doubts;

    (void)kafka;
    fake.doubts = false;
    return doubts;
}

int
kafka_subscribe(struct kafka *kafka, const char *const *topics, size_t count, struct err *err)
{
    (void)kafka, (void)topics, (void)count, (void)err;
    fake.subscribed++;
    return 0;
}

const char **
worker_topics(const struct config *of, size_t *ret_count)
{
    (void)of;
    *ret_count = 0;
    return NULL;
}

static int
set_up(void **state)
{
    static struct spec_text topics[TOPICS];
    static char names[TOPICS][16];
    struct spec_rule rules[] = {RULE(.name = T("r"), .stop = true)};

    (void)state;
    for (size_t i = 0; i < TOPICS; i++) {
        snprintf(names[i], sizeof(names[i]), "topic-%zu", i);
        topics[i] = (struct spec_text)T(names[i]);
    }
    rules[0].topics.present = true;
    rules[0].topics.items = topics;
    rules[0].topics.count = TOPICS;
    bench_open(&bench, &(struct spec_ruleset){.rules = rules, .rule_count = 1});
    assert_string_equal(bench_findings(&bench), "");
    config.rules = bench.rules;
    worker = (struct worker){.config = &config, .phase = PHASE_RUNNING, .now = 1000};
    memset(&fake, 0, sizeof(fake));
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    worker_forget_topics(&worker);
    bench_close(&bench);
    return 0;
}

/* As the loop does, until the round is over. Returns the turns it took. */
static int
look_around(void)
{
    int turns = 0;

    do {
        if (worker.now < worker_topics_deadline(&worker))
            worker.now = worker_topics_deadline(&worker);
        worker_watch_topics(&worker);
        turns++;
    } while (worker.topics.at);
    return turns;
}

static void
a_round_asks_for_each_and_then_for_those_that_are_missing(void **state)
{
    (void)state;
    fake.state = KAFKA_TOPIC_MISSING;
    assert_int_equal(look_around(), 1);
    assert_int_equal(fake.asked, TOPICS);
    assert_string_equal(worker_topic_trouble(&worker, TOPICS - 1), "topic_missing");
    fake.state = KAFKA_TOPIC_THERE;
    look_around();
    assert_int_equal(fake.asked, 2 * TOPICS);
    assert_int_equal(fake.subscribed, 1);
    assert_null(worker_topic_trouble(&worker, 0));
    assert_int_equal(worker_topics_deadline(&worker), CLOCK_NEVER);
}

/* Each answer takes its time: the loop has other things to do in between. */
static void
a_slow_kafka_is_asked_for_a_fifth_of_the_time_at_most(void **state)
{
    int64_t began_ms = clock_now_ms();

    (void)state;
    worker.now = began_ms;
    fake.slow = true;
    worker_watch_topics(&worker);
    assert_in_range(fake.asked, 1, 4);
    assert_true(worker_topics_deadline(&worker) >= began_ms + 5 * SLOW_MS);
    assert_true(look_around() >= 2);
    assert_int_equal(fake.asked, TOPICS);
}

static void
what_kafka_complains_of_in_the_middle_of_a_round_is_asked_once_more(void **state)
{
    (void)state;
    worker.now = clock_now_ms();
    fake.slow = true;
    worker_watch_topics(&worker);
    assert_true(worker.topics.at > 0);
    fake.slow = false;
    fake.doubts = true;
    look_around();
    assert_int_equal(fake.asked, TOPICS);
    look_around();
    assert_int_equal(fake.asked, 2 * TOPICS);
    assert_int_equal(worker_topics_deadline(&worker), CLOCK_NEVER);
}

static void
where_nobody_answers_the_whole_round_is_asked_again_later(void **state)
{
    int64_t now = worker.now;

    (void)state;
    fake.state = KAFKA_TOPIC_UNKNOWN;
    worker_watch_topics(&worker);
    assert_int_equal(fake.asked, 1);
    assert_int_equal(worker_topics_deadline(&worker), now + 30 * 1000);
    fake.state = KAFKA_TOPIC_THERE;
    look_around();
    assert_int_equal(fake.asked, 1 + TOPICS);
}

#define WITH_TOPICS(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_TOPICS(a_round_asks_for_each_and_then_for_those_that_are_missing),
        WITH_TOPICS(a_slow_kafka_is_asked_for_a_fifth_of_the_time_at_most),
        WITH_TOPICS(what_kafka_complains_of_in_the_middle_of_a_round_is_asked_once_more),
        WITH_TOPICS(where_nobody_answers_the_whole_round_is_asked_again_later),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
