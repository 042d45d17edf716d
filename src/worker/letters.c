#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "delivery/letter.h"
#include "worker/state.h"

enum { KEY_MAX = 32 << 20 };

static void
log_letter_failed(struct worker *worker, const struct event *record, const char *error,
                  bool too_large)
{
    int64_t kept_back = 0;
    struct traceparent trace;

    worker->counts.letters_failed++;
    if (!log_limit_pass(&worker->letter_lines, worker->now, &kept_back))
        return;
    seeing_trace(record, &trace);
    log_error("dead_letter.failed", log_text("topic", record->topic),
              log_int("partition", record->partition), log_int("offset", record->offset),
              log_text("reason", error), log_text("trace_id", *trace.id ? trace.id : NULL),
              log_int("kept_back", kept_back),
              log_text("effect", too_large
                                     ? "its offset waits: raise max.message.bytes of the topic"
                                     : "its offset waits; tried again with back-off"));
}

/* -1 when the producer refused it at once. */
static int
write_letter(struct worker *worker, struct core_event *event, bool *ret_too_large)
{
    const struct core_failure *failures;
    struct dead_letter letter = {.record = core_letter_record(event)};
    struct letter_headers headers;
    struct err err = {0};
    struct buf key;
    int result;

    buf_init(&key, KEY_MAX);
    letter_headers_init(&headers);
    letter_write(&headers, event, ruleset_hash(worker->config->rules), worker->now,
                 clock_wall_ms());
    if (core_letter_failures(event, &failures)) {
        const struct call *call = failures[0].call;

        letter_partition_key(&key, worker->config->accounts[call->account].name, call_email(call));
        letter.partition_by = buf_text(&key);
        letter.partition_by_len = key.len;
    }
    letter.extra = headers.items;
    letter.extra_count = headers.count;
    result = dead_letter_send(worker->letters, &letter, event, ret_too_large, &err);
    if (result)
        log_letter_failed(worker, letter.record, err.msg, *ret_too_large);
    letter_headers_fini(&headers);
    buf_fini(&key);
    return result;
}

void
worker_write_letters(struct worker *worker)
{
    struct core_event *event;

    if (!worker->letters)
        return;
    while ((event = core_letter_next(worker->core, worker->now))) {
        bool too_large = false;

        if (write_letter(worker, event, &too_large))
            core_letter_done(worker->core, event, too_large ? LETTER_TOO_LARGE : LETTER_FAILED,
                             worker->now);
    }
}

static void
letter_done(void *arg, void *token, const char *error, bool too_large)
{
    struct worker *worker = arg;
    const struct event *record = core_letter_record(token);

    if (error) {
        log_letter_failed(worker, record, error, too_large);
    } else {
        struct traceparent trace;

        seeing_trace(record, &trace);
        worker->counts.letters_stored++;
        log_info("dead_letter.stored", log_text("topic", record->topic),
                 log_int("partition", record->partition), log_int("offset", record->offset),
                 log_text("trace_id", *trace.id ? trace.id : NULL));
    }
    core_letter_done(worker->core, token,
                     !error      ? LETTER_STORED
                     : too_large ? LETTER_TOO_LARGE
                                 : LETTER_FAILED,
                     worker->now);
}

void
worker_admit_letters(struct worker *worker)
{
    size_t count = core_admit_all(worker->core, worker->now);

    log_info("dead_letter.admitted", log_int("events", (int64_t)count),
             log_text("effect", worker->letters ? "they become dead letters past the budget"
                                                : "none: dead_letter.topic is empty"));
}

const struct dead_letter_ops worker_letter_ops = {.done = letter_done};
