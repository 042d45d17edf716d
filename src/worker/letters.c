#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "worker/state.h"

enum {
    HEADERS_MAX = 20,
    HEADER_TEXT_MAX = 64 * 1024, /* all sx- headers of a letter together */
    KEY_MAX = 32 << 20
};

/* The sx- headers of a letter while it is made. */
struct heading {
    struct event_header headers[HEADERS_MAX];
    size_t count;
    size_t starts[HEADERS_MAX];
    struct buf text; /* the values, one behind the other */
};

static void
begin_header(struct heading *heading, const char *name)
{
    heading->headers[heading->count].name = name;
    heading->starts[heading->count++] = heading->text.len;
}

static void
add_text(struct heading *heading, const char *name, const char *text)
{
    begin_header(heading, name);
    buf_add_text(&heading->text, text);
}

static void
add_number(struct heading *heading, const char *name, int64_t number)
{
    begin_header(heading, name);
    buf_printf(&heading->text, "%lld", (long long)number);
}

/* THEN_MS is in the loop's time. */
static void
add_time(struct heading *heading, const char *name, int64_t then_ms, int64_t now)
{
    int64_t wall_ms = clock_wall_ms() - (now - then_ms);
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm tm;
    char text[32];

    gmtime_r(&seconds, &tm);
    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
    add_text(heading, name, text);
}

/* Which calls failed: [{"index":0,"call":"identify","rule":"…","class":"…","status":422}, …] */
static void
add_calls(struct heading *heading, const struct core_failure *failures, size_t count)
{
    begin_header(heading, "sx-calls");
    buf_add_char(&heading->text, '[');
    for (size_t i = 0; i < count; i++) {
        const struct call *call = failures[i].call;

        buf_printf(&heading->text, "%s{\"index\":%zu,\"call\":\"%s\",\"rule\":", i ? "," : "",
                   failures[i].index, call_kind_name(call->kind));
        buf_add_json(&heading->text, call->rule, strlen(call->rule));
        buf_printf(&heading->text, ",\"class\":\"%s\",\"status\":%d}",
                   verdict_name(failures[i].verdict), failures[i].status);
    }
    buf_add_char(&heading->text, ']');
}

static void
add_origin(struct heading *heading, const struct event *record)
{
    add_text(heading, "sx-topic", record->topic);
    add_number(heading, "sx-partition", record->partition);
    add_number(heading, "sx-offset", record->offset);
    if (record->timestamp_ms != EVENT_NO_TIME)
        add_number(heading, "sx-timestamp", record->timestamp_ms);
    add_text(heading, "sx-worker-version", VERSION);
}

static void
add_failures(struct heading *heading, const struct core_failure *failures, size_t count,
             int64_t now)
{
    const struct core_failure *first = &failures[0];

    add_text(heading, "sx-rule", first->call->rule);
    add_calls(heading, failures, count);
    add_text(heading, "sx-class", verdict_name(first->verdict));
    add_number(heading, "sx-status", first->status);
    add_text(heading, "sx-reason", first->reason);
    add_number(heading, "sx-attempts", first->attempts);
    add_time(heading, "sx-first-try", first->first_ms, now);
    add_time(heading, "sx-last-try", first->last_ms, now);
}

static void
make_heading(struct heading *heading, const struct core_event *event, int64_t now)
{
    const struct core_failure *failures;
    size_t count = core_letter_failures(event, &failures);

    heading->count = 0;
    buf_init(&heading->text, HEADER_TEXT_MAX);
    add_origin(heading, core_letter_record(event));
    if (count) {
        add_failures(heading, failures, count, now);
    } else {
        add_text(heading, "sx-class", "mapping");
        add_text(heading, "sx-reason", core_letter_reason(event));
    }
    for (size_t i = 0; i < heading->count; i++) {
        size_t end = i + 1 < heading->count ? heading->starts[i + 1] : heading->text.len;

        heading->headers[i].value = buf_text(&heading->text) + heading->starts[i];
        heading->headers[i].value_len = end - heading->starts[i];
    }
}

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
    struct heading heading;
    struct err err = {0};
    struct buf key;
    int result;

    buf_init(&key, KEY_MAX);
    make_heading(&heading, event, worker->now);
    if (core_letter_failures(event, &failures)) {
        call_contact_key(&key, failures[0].call->account, call_email(failures[0].call));
        letter.partition_by = buf_text(&key);
        letter.partition_by_len = key.len;
    }
    letter.extra = heading.headers;
    letter.extra_count = heading.count;
    result = dead_letter_send(worker->letters, &letter, event, ret_too_large, &err);
    if (result)
        log_letter_failed(worker, letter.record, err.msg, *ret_too_large);
    buf_fini(&heading.text);
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
