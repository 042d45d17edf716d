/* Whether the topics that rules name are there and may be read: looked at when the worker begins,
 * when Kafka complains, and again and again while one is not. */
#include "base/clock.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "worker/state.h"

enum {
    LOOK_AGAIN_MS = 5000,      /* between two rounds while one is not there */
    LOOK_LATER_MS = 30 * 1000, /* where nobody answers: each question may take a second */
    LOOK_MS = 100,             /* of a turn: what is left of a round is asked later */
    IDLE_SHARE = 4             /* how much later, by the time that was taken */
};

static const char *
state_name(enum kafka_topic_state state)
{
    switch (state) {
    case KAFKA_TOPIC_MISSING:
        return "topic_missing";
    case KAFKA_TOPIC_DENIED:
        return "topic_not_authorized";
    default:
        return NULL;
    }
}

const char *
worker_topic_trouble(const struct worker *worker, size_t i)
{
    return i < worker->topics.count ? state_name(worker->topics.states[i]) : NULL;
}

void
worker_forget_topics(struct worker *worker)
{
    xfree(worker->topics.states);
    worker->topics = (struct topic_watch){0};
}

static void
subscribe_again(struct worker *worker)
{
    struct err err = {0};
    size_t count;
    const char **topics = worker_topics(worker->config, &count);

    /* It makes the library look for its topics at once. */
    if (kafka_subscribe(worker->kafka, topics, count, &err))
        log_warning("kafka.not_subscribed", log_text("reason", err.msg),
                    log_text("effect", "the topic is found by the next refresh of the metadata"));
    xfree(topics);
}

/* True when the topic has come to be there. */
static bool
note_state(struct worker *worker, size_t i, enum kafka_topic_state state)
{
    const char *topic = ruleset_topic(worker->config->rules, i);
    enum kafka_topic_state before = worker->topics.states[i];

    worker->topics.states[i] = state;
    if (state == before)
        return false;
    if (state == KAFKA_TOPIC_THERE) {
        log_info("topic.available", log_text("topic", topic));
        return true;
    }
    log_error("topic.unavailable", log_text("topic", topic), log_text("reason", state_name(state)),
              log_text("effect", "nothing of it is read; the worker goes on looking for it"));
    return false;
}

static bool
is_asked_for(const struct worker *worker, size_t i)
{
    const struct topic_watch *watch = &worker->topics;

    return ruleset_topic(worker->config->rules, i)[0] != '^' &&
           (watch->all || watch->states[i] != KAFKA_TOPIC_THERE);
}

/* Goes on with the round. False when nobody answers. */
static bool
look(struct worker *worker, int64_t until_ms)
{
    struct topic_watch *watch = &worker->topics;

    for (; watch->at < watch->count && clock_now_ms() < until_ms; watch->at++) {
        const char *topic = ruleset_topic(worker->config->rules, watch->at);
        enum kafka_topic_state state;

        if (!is_asked_for(worker, watch->at))
            continue;
        state = kafka_look_for_topic(worker->kafka, topic);
        if (state == KAFKA_TOPIC_UNKNOWN)
            return false;
        watch->found |= note_state(worker, watch->at, state);
    }
    return true;
}

static bool
all_are_there(const struct topic_watch *watch)
{
    for (size_t i = 0; i < watch->count; i++) {
        if (watch->states[i] != KAFKA_TOPIC_THERE)
            return false;
    }
    return true;
}

static void
begin_round(struct worker *worker)
{
    struct topic_watch *watch = &worker->topics;

    if (!watch->states) {
        watch->count = ruleset_topic_count(worker->config->rules);
        watch->states = xcalloc(watch->count, sizeof(watch->states[0]));
    }
    watch->all = !watch->looked;
    watch->looked = true; /* unless Kafka complains meanwhile */
    watch->found = false;
}

static void
end_round(struct worker *worker, bool answered)
{
    struct topic_watch *watch = &worker->topics;

    if (watch->found)
        subscribe_again(worker);
    watch->looked &= answered || !watch->all;
    watch->at = 0;
    if (!answered)
        watch->due_ms = worker->now + LOOK_LATER_MS;
    else if (!watch->looked || !all_are_there(watch))
        watch->due_ms = worker->now + LOOK_AGAIN_MS;
    else
        watch->due_ms = CLOCK_NEVER;
}

void
worker_watch_topics(struct worker *worker)
{
    struct topic_watch *watch = &worker->topics;
    int64_t begin_ms, end_ms;
    bool answered;

    if (kafka_doubts_topics(worker->kafka)) {
        watch->looked = false;
        watch->due_ms = clock_earlier(watch->due_ms, worker->now + LOOK_AGAIN_MS);
    }
    if (worker->phase != PHASE_RUNNING || worker->now < watch->due_ms)
        return;
    if (!watch->at)
        begin_round(worker);
    begin_ms = clock_now_ms();
    answered = look(worker, begin_ms + LOOK_MS);
    end_ms = clock_now_ms();
    if (answered && watch->at < watch->count)
        watch->due_ms = end_ms + IDLE_SHARE * (end_ms - begin_ms);
    else
        end_round(worker, answered);
}

int64_t
worker_topics_deadline(const struct worker *worker)
{
    return worker->phase == PHASE_RUNNING ? worker->topics.due_ms : CLOCK_NEVER;
}
