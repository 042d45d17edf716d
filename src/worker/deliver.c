#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/utf8.h"
#include "base/xalloc.h"
#include "delivery/letter.h"
#include "sendx/retry_after.h"
#include "worker/state.h"

enum { REASON_MAX = 1024, PLACE_MAX = 320 /* a topic's name has at most 249 bytes */ };

/* A topic that a reload took out is not read any more, though its partitions go only with the next
 * rebalance: its events are left to whoever names it again. */
static bool
is_left(const struct worker *worker, const char *topic)
{
    return worker->reload.done && !worker_is_redrive(worker, topic) &&
           !ruleset_reads(worker->config->rules, topic);
}

bool
worker_has_room(const struct worker *worker, struct kafka_part *part)
{
    return worker->phase == PHASE_RUNNING && !is_left(worker, kafka_part_topic(part)) &&
           core_has_room(worker->core, kafka_part_user(part), worker->now);
}

/* EVENT as kafka.skip would name it: where it was read, which for one that came back is not where
 * it was at first. */
static void
note_place(const struct core_event *event, char *place, size_t size)
{
    const struct kafka_part *part = core_event_user(event);

    snprintf(place, size, "%s:%d:%" PRId64, kafka_part_topic(part), (int)kafka_part_number(part),
             core_event_offset(event));
}

static void
refuse_event(struct worker *worker, struct core_event *event, const struct event *record)
{
    bool stored = core_refuse(worker->core, event, worker->mapping.reason, worker->now);
    int64_t kept_back = 0;
    struct traceparent trace;
    char place[PLACE_MAX];

    seeing_trace(record, &trace);
    seeing_failure(&worker->seeing, &(struct failure_line){.what = stored ? "dead_letter" : "held",
                                                           .rule = "",
                                                           .reason = worker->mapping.reason,
                                                           .class = "mapping",
                                                           .topic = record->topic,
                                                           .partition = record->partition,
                                                           .offset = record->offset,
                                                           .trace_id = trace.id});
    if (stored && !log_limit_pass(&worker->unmapped_lines, worker->now, &kept_back))
        return;
    if (!stored) /* else it may be gone */
        note_place(event, place, sizeof(place));
    log_write(stored ? LOG_WARNING : LOG_ERROR, stored ? "event.refused" : "event.held",
              (struct log_field[]){log_text("topic", record->topic),
                                   log_int("partition", record->partition),
                                   log_int("offset", record->offset),
                                   log_text("reason", worker->mapping.reason),
                                   log_text("kafka_skip", stored ? NULL : place),
                                   log_text("trace_id", *trace.id ? trace.id : NULL),
                                   log_int("kept_back", kept_back),
                                   log_text("effect", stored ? "it becomes a dead letter"
                                                             : "the partition is not read further"),
                                   {0}});
}

/* Of what the rules make of a redriven event only the calls that failed are left, and those that
 * they do not make any more are told. */
static enum map_outcome
keep_failed_calls(struct worker *worker, const struct event *record)
{
    struct letter_calls failed;
    struct err err = {0};
    int64_t kept_back = 0;
    size_t gone;

    if (letter_calls_read(record->only_calls, record->only_calls_len, &failed, &err) < 0) {
        snprintf(worker->mapping.reason, sizeof(worker->mapping.reason), "redrive: %.400s",
                 err.msg);
        call_list_fini(&worker->mapping.calls);
        return MAP_NOT_RENDERED;
    }
    gone = letter_calls_keep(&failed, &worker->mapping.calls);
    letter_calls_fini(&failed);
    worker->counts.redrive_gone += gone;
    if (gone && log_limit_pass(&worker->redrive_lines, worker->now, &kept_back))
        log_warning("redrive.calls_gone", log_text("topic", record->topic),
                    log_int("partition", record->partition), log_int("offset", record->offset),
                    log_int("calls", (int64_t)gone), log_int("kept_back", kept_back),
                    log_text("effect", "the rules do not make them any more: they are not sent"));
    return worker->mapping.calls.count ? MAP_CALLS : MAP_NO_CALL;
}

static void
take_calls(struct worker *worker, struct core_event *event, enum event_outcome outcome)
{
    struct call_list *calls = &worker->mapping.calls;

    for (size_t i = 0; i < calls->count; i++)
        core_add(worker->core, event, &calls->items[i]);
    core_close(worker->core, event, outcome, worker->now);
}

static void
map_event(struct worker *worker, struct core_event *event, const struct event *record)
{
    struct mapping *mapping = &worker->mapping;
    enum map_outcome outcome;

    if (!event)
        return;
    outcome = ruleset_map(worker->config->rules, record, clock_wall_ms(), mapping);
    worker->counts.mapped[outcome]++;
    worker->counts.too_old += mapping->too_old;
    if (outcome != MAP_NOT_JSON && outcome != MAP_NOT_RENDERED && record->only_calls)
        outcome = keep_failed_calls(worker, record);
    switch (outcome) {
    case MAP_CALLS:
        take_calls(worker, event, EVENT_DELIVERED);
        break;
    case MAP_NO_MATCH:
        core_close(worker->core, event, EVENT_NO_MATCH, worker->now);
        break;
    case MAP_NO_CALL:
    case MAP_TOMBSTONE:
        core_close(worker->core, event, EVENT_SKIPPED, worker->now);
        break;
    default:
        refuse_event(worker, event, record);
    }
}

bool
worker_is_redrive(const struct worker *worker, const char *topic)
{
    return worker->redrive_topic && strcmp(worker->redrive_topic, topic) == 0;
}

/* Before anything looks into it: it may be what ends every worker. */
static bool
is_skipped(const struct worker *worker, const struct kafka_part *part, int64_t offset)
{
    return offset_list_has(&worker->config->kafka.skip, kafka_part_topic(part),
                           kafka_part_number(part), offset);
}

static void
skip(struct worker *worker, struct core_event *event)
{
    const struct kafka_part *part = event ? core_event_user(event) : NULL;

    if (!event)
        return;
    log_warning("event.skipped", log_text("topic", kafka_part_topic(part)),
                log_int("partition", kafka_part_number(part)),
                log_int("offset", core_event_offset(event)), log_text("reason", "kafka.skip"));
    core_close(worker->core, event, EVENT_SKIPPED, worker->now);
}

/* What is no dead letter but stands among them is not mended by rules. */
static bool
may_be_mended(void *arg, const struct core_event *event)
{
    const struct worker *worker = arg;
    const char *topic = core_letter_record(event)->topic;

    return is_skipped(worker, core_event_user(event), core_event_offset(event)) ||
           (!worker_is_redrive(worker, topic) && !is_left(worker, topic));
}

static void
map_again(void *arg, struct core_event *event)
{
    if (is_skipped(arg, core_event_user(event), core_event_offset(event)))
        skip(arg, event);
    else
        map_event(arg, event, core_letter_record(event));
}

void
worker_map_again(struct worker *worker)
{
    struct core_gauges before, after;

    core_gauges(worker->core, &before);
    if (!before.unmapped)
        return;
    core_map_again(worker->core, may_be_mended, map_again, worker);
    core_gauges(worker->core, &after);
    log_info("event.mapped_again", log_int("held_before", (int64_t)before.unmapped),
             log_int("held", (int64_t)after.unmapped));
}

/* What came back is the event that it was, at another offset. What cannot be read as such is
 * refused as it stands. */
static void
take_redriven(struct worker *worker, struct kafka_part *part, const struct event *record)
{
    struct core_part *core_part = kafka_part_user(part);
    struct core_event *event;
    struct err err = {0};
    struct letter letter;
    struct event original;

    if (letter_read(record, &letter, &err) < 0) {
        mapping_fini(&worker->mapping);
        snprintf(worker->mapping.reason, sizeof(worker->mapping.reason),
                 "redrive: it is no dead letter: %.400s", err.msg);
        event = core_open(worker->core, core_part, record->offset, record);
        if (event)
            refuse_event(worker, event, record);
        return;
    }
    worker->counts.redriven++;
    letter_restore(record, &letter, &original);
    map_event(worker, core_open(worker->core, core_part, record->offset, &original), &original);
}

void
worker_take(struct worker *worker, struct kafka_part *part, const struct event *record)
{
    if (is_skipped(worker, part, record->offset))
        skip(worker, core_open(worker->core, kafka_part_user(part), record->offset, record));
    else if (worker_is_redrive(worker, record->topic))
        take_redriven(worker, part, record);
    else
        map_event(worker, core_open(worker->core, kafka_part_user(part), record->offset, record),
                  record);
}

void
worker_send(struct worker *worker)
{
    struct core_job *job;

    while ((job = core_next(worker->core, worker->now))) {
        const struct call *call = core_job_call(job);
        struct flight *flight = xmalloc(sizeof(*flight));

        *flight = (struct flight){
            .worker = worker, .job = job, .config = worker->config, .account = call->account};
        list_push_back(&worker->flights, &flight->node);
        wire_write(&worker->request, &worker->config->accounts[call->account], call);
        seeing_trace(core_job_record(job), &worker->request.trace);
        http_start(worker->http_accounts[call->account], &worker->request, flight);
    }
}

void
worker_abort_flights(struct worker *worker, const struct kafka_part *part)
{
    LIST_EACH(node, &worker->flights) {
        struct flight *flight = CONTAINER_OF(node, struct flight, node);

        if (!part || core_job_is_of(flight->job, part))
            http_abort(worker->http, flight);
    }
}

/* What the log says of a call, copied: it is gone when it is known what became of it. */
struct call_line {
    enum call_kind kind;
    char rule[128], contact[256], topic[256];
    const char *account;
    int64_t tries, offset;
    int32_t partition;
    struct traceparent trace;
};

static void
note_call(const struct worker *worker, const struct core_job *job, unsigned sends,
          struct call_line *line)
{
    const struct call *call = core_job_call(job);
    const struct event *record = core_job_record(job);

    line->kind = call->kind;
    utf8_copy(line->rule, sizeof(line->rule), call->rule);
    utf8_copy(line->contact, sizeof(line->contact), call_email(call));
    line->account = worker->config->accounts[call->account].name;
    line->tries = core_job_attempts(job) + (sends > 1 ? sends : 1);
    line->offset = record ? record->offset : -1;
    line->partition = record ? record->partition : 0;
    utf8_copy(line->topic, sizeof(line->topic), record ? record->topic : "");
    seeing_trace(record, &line->trace);
}

/* The trace that a line belongs to, left out where there is none. */
static struct log_field
log_trace(const struct traceparent *trace)
{
    return log_text("trace_id", *trace->id ? trace->id : NULL);
}

static void
show_failure(struct worker *worker, const struct call_line *line,
             const struct settlement *settlement, enum settled settled)
{
    static const char *const names[SETTLED_COUNT] = {
        [SETTLED_FAILED] = "dead_letter", [SETTLED_REFUSED] = "held", [SETTLED_WAITING] = "retry"};

    if (!names[settled])
        return;
    seeing_failure(&worker->seeing,
                   &(struct failure_line){.what = names[settled],
                                          .rule = line->rule,
                                          .contact = line->contact,
                                          .reason = settlement->reason,
                                          .call = call_kind_name(line->kind),
                                          .class = verdict_name(settlement->verdict),
                                          .topic = line->topic,
                                          .trace_id = line->trace.id,
                                          .status = settlement->status,
                                          .partition = line->partition,
                                          .offset = line->offset});
}

static void
log_failure(struct worker *worker, const struct call_line *line,
            const struct settlement *settlement, enum settled settled)
{
    static const struct {
        const char *event, *effect;
        enum log_level level;
    } lines[SETTLED_COUNT] = {
        [SETTLED_FAILED] = {"call.failed", "it becomes part of a dead letter", LOG_WARNING},
        [SETTLED_REFUSED] = {"call.held", "the contact and its offset wait", LOG_ERROR},
        [SETTLED_SKIPPED] = {"call.skipped", "left out as on_unknown_contact says", LOG_INFO},
        [SETTLED_WAITING] = {"call.retry", NULL, LOG_WARNING},
    };
    int64_t kept_back = 0;

    if (!lines[settled].event ||
        !log_limit_pass(&worker->call_lines[settled][settlement->verdict], worker->now, &kept_back))
        return;
    log_write(lines[settled].level, lines[settled].event,
              (struct log_field[]){log_text("call", call_kind_name(line->kind)),
                                   log_text("rule", line->rule),
                                   log_text("account", line->account),
                                   log_contact("contact", line->contact),
                                   log_text("class", verdict_name(settlement->verdict)),
                                   log_int("status", settlement->status),
                                   log_text("reason", settlement->reason),
                                   log_int("try", line->tries),
                                   log_trace(&line->trace),
                                   log_int("kept_back", kept_back),
                                   log_text("effect", lines[settled].effect),
                                   {0}});
}

static void
log_done(const struct call_line *line, const struct reply *reply)
{
    log_debug("call.done", log_text("call", call_kind_name(line->kind)),
              log_text("rule", line->rule), log_text("account", line->account),
              log_contact("contact", line->contact), log_int("status", reply->status),
              log_int("ms", reply->elapsed_ms), log_int("try", line->tries),
              log_trace(&line->trace));
}

static bool
is_congestion(const struct reply *reply)
{
    return reply->status == 429 || reply->status == 503 || reply->failure == REPLY_TIMEOUT;
}

/* WAIT_MS from now, never less: the turn's time is that of its beginning, and what is asked for is
 * counted from the reply. The clock's milliseconds are cut off. */
static int64_t
later_ms(int64_t wait_ms)
{
    return clock_now_ms() + 1 + wait_ms;
}

static void
flight_done(void *arg, void *token, const struct reply *reply)
{
    struct worker *worker = arg;
    struct flight *flight = token;
    const struct delivery_config *delivery = &worker->config->delivery;
    int64_t wait_ms = retry_after_ms(reply, clock_wall_ms(), delivery->retry_after_max_ms);
    struct settlement settlement = {.verdict = verdict_of(core_job_call(flight->job)->kind, reply),
                                    .status = reply->status,
                                    .congestion = is_congestion(reply),
                                    .aborted = reply->failure == REPLY_ABORTED,
                                    .sends = reply->sends,
                                    .not_before_ms = wait_ms ? later_ms(wait_ms) : 0};
    struct call_line line;
    struct buf reason;
    enum settled settled;

    buf_init(&reason, REASON_MAX);
    if (settlement.verdict != VERDICT_DONE || log_level() <= LOG_DEBUG)
        note_call(worker, flight->job, reply->sends, &line);
    if (settlement.verdict != VERDICT_DONE)
        verdict_describe(reply, flight->config->accounts[flight->account].api_key, &reason);
    settlement.reason = buf_text(&reason);
    if (reply->failure != REPLY_ABORTED)
        seeing_call(worker, flight->job, settlement.verdict, reply->elapsed_ms);
    settled = core_settle(worker->core, flight->job, &settlement, worker->now);
    worker->counts.repeats += reply->sends > 1 ? reply->sends - 1 : 0;
    if (!settlement.aborted || settlement.sends) { /* it went out */
        worker->counts.verdicts[settlement.verdict]++;
        worker->counts.settled[settled]++;
    }
    if (settlement.verdict == VERDICT_DONE && log_level() <= LOG_DEBUG)
        log_done(&line, reply);
    else if (settlement.verdict != VERDICT_DONE && reply->failure != REPLY_ABORTED) {
        show_failure(worker, &line, &settlement, settled);
        log_failure(worker, &line, &settlement, settled);
    }
    buf_fini(&reason);
    list_remove(&flight->node);
    xfree(flight);
}

/* Between its start and this a request may have waited for a connection, or the process stood
 * still; or libcurl would send it once more. */
static bool
may_send(void *arg, void *token, bool again)
{
    const struct worker *worker = arg;
    const struct flight *flight = token;

    return !worker_is_gap(worker, clock_now_ms() - worker->now) &&
           core_may_send(worker->core, flight->job, again, worker->now);
}

const struct http_ops worker_http_ops = {.done = flight_done, .may_send = may_send};
