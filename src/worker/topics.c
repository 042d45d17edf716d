/* Whether the topics that rules name are there and may be read: looked at when the worker begins,
 * when Kafka complains, and again and again while one is not. */
#include "base/clock.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "worker/state.h"

enum {
    LOOK_AGAIN_MS = 5000,
    LOOK_LATER_MS = 30 * 1000 /* where nobody answers: each look may stand still for a second */
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

/* ALL: those that were there, too. False when nobody answers. */
static bool
look(struct worker *worker, bool all)
{
    struct topic_watch *watch = &worker->topics;
    bool found = false;
    size_t i;

    for (i = 0; i < watch->count; i++) {
        const char *topic = ruleset_topic(worker->config->rules, i);
        enum kafka_topic_state state;

        if (topic[0] == '^' || (!all && watch->states[i] == KAFKA_TOPIC_THERE))
            continue;
        state = kafka_look_for_topic(worker->kafka, topic);
        if (state == KAFKA_TOPIC_UNKNOWN)
            break;
        found |= note_state(worker, i, state);
    }
    if (found)
        subscribe_again(worker);
    return i == watch->count;
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

void
worker_watch_topics(struct worker *worker)
{
    struct topic_watch *watch = &worker->topics;

    if (kafka_doubts_topics(worker->kafka)) {
        watch->looked = false;
        watch->due_ms = clock_earlier(watch->due_ms, worker->now + LOOK_AGAIN_MS);
    }
    if (worker->phase != PHASE_RUNNING || worker->now < watch->due_ms)
        return;
    if (!watch->states) {
        watch->count = ruleset_topic_count(worker->config->rules);
        watch->states = xcalloc(watch->count, sizeof(watch->states[0]));
    }
    if (!look(worker, !watch->looked)) {
        watch->due_ms = worker->now + LOOK_LATER_MS;
        return;
    }
    watch->looked = true;
    watch->due_ms = all_are_there(watch) ? CLOCK_NEVER : worker->now + LOOK_AGAIN_MS;
}

int64_t
worker_topics_deadline(const struct worker *worker)
{
    return worker->phase == PHASE_RUNNING ? worker->topics.due_ms : CLOCK_NEVER;
}
