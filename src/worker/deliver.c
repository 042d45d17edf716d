#include "base/buf.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "worker/state.h"

enum { REASON_MAX = 1024 };

bool
worker_has_room(const struct worker *worker, struct kafka_part *part)
{
    return worker->phase == PHASE_RUNNING && core_has_room(worker->core, kafka_part_user(part));
}

static void
hold_event(struct worker *worker, struct core_event *event, const struct event *record)
{
    log_error("event.held", log_text("topic", record->topic),
              log_int("partition", record->partition), log_int("offset", record->offset),
              log_text("reason", worker->mapping.reason),
              log_text("effect", "the partition is not read further"));
    core_hold(worker->core, event);
}

void
worker_take(struct worker *worker, struct kafka_part *part, const struct event *record)
{
    struct core_event *event = core_open(worker->core, kafka_part_user(part), record->offset,
                                         record->key_len + record->payload_len);
    struct mapping *mapping = &worker->mapping;
    enum map_outcome outcome = ruleset_map(worker->config->rules, record, mapping);

    worker->outcomes[outcome]++;
    switch (outcome) {
    case MAP_CALLS:
        for (size_t i = 0; i < mapping->calls.count; i++)
            core_add(worker->core, event, &mapping->calls.items[i]);
        core_close(worker->core, event, EVENT_DELIVERED);
        break;
    case MAP_NO_MATCH:
        core_close(worker->core, event, EVENT_NO_MATCH);
        break;
    case MAP_NO_CALL:
    case MAP_TOMBSTONE:
        core_close(worker->core, event, EVENT_SKIPPED);
        break;
    default:
        hold_event(worker, event, record);
    }
}

void
worker_send(struct worker *worker)
{
    struct core_job *job;

    while ((job = core_next(worker->core))) {
        const struct call *call = core_job_call(job);
        struct flight *flight = xmalloc(sizeof(*flight));

        *flight = (struct flight){.worker = worker, .job = job, .account = call->account};
        list_push_back(&worker->flights, &flight->node);
        wire_write(&worker->request, &worker->config->accounts[call->account], call);
        http_start(worker->http_accounts[call->account], &worker->request, flight);
    }
}

void
worker_abort_flights(struct worker *worker, const struct kafka_part *part)
{
    LIST_EACH(node, &worker->flights) {
        struct flight *flight = CONTAINER_OF(node, struct flight, node);

        if (!part || core_job_user(flight->job) == part)
            http_abort(worker->http, flight);
    }
}

static void
log_failure(struct worker *worker, const struct flight *flight, enum verdict verdict,
            const struct reply *reply)
{
    const struct call *call = core_job_call(flight->job);
    bool held = verdict == VERDICT_PERMANENT || verdict == VERDICT_UNKNOWN_CONTACT;
    int64_t kept_back = 0;
    struct buf reason;

    if (!held && !log_limit_pass(&worker->retry_lines[verdict], worker->now, &kept_back))
        return;
    buf_init(&reason, REASON_MAX);
    verdict_describe(reply, worker->config->accounts[call->account].api_key, &reason);
    log_write(
        held ? LOG_ERROR : LOG_WARNING, held ? "call.held" : "call.retry",
        (struct log_field[]){log_text("call", call_kind_name(call->kind)),
                             log_text("rule", call->rule),
                             log_text("account", worker->config->accounts[call->account].name),
                             log_contact("contact", call_email(call)),
                             log_text("class", verdict_name(verdict)),
                             log_int("status", reply->status),
                             log_text("reason", buf_text(&reason)),
                             log_int("try", core_job_attempts(flight->job) + 1),
                             log_int("kept_back", kept_back),
                             log_text("effect", held ? "the contact and its offset wait" : NULL),
                             {0}});
    buf_fini(&reason);
}

static void
log_done(const struct worker *worker, const struct flight *flight, const struct reply *reply)
{
    const struct call *call = core_job_call(flight->job);

    log_debug("call.done", log_text("call", call_kind_name(call->kind)),
              log_text("rule", call->rule),
              log_text("account", worker->config->accounts[call->account].name),
              log_contact("contact", call_email(call)), log_int("status", reply->status),
              log_int("ms", reply->elapsed_ms), log_int("try", core_job_attempts(flight->job) + 1));
}

static void
flight_done(void *arg, void *token, const struct reply *reply)
{
    struct worker *worker = arg;
    struct flight *flight = token;
    enum verdict verdict = verdict_of(core_job_call(flight->job)->kind, reply);

    if (verdict == VERDICT_DONE)
        log_done(worker, flight, reply);
    else if (reply->failure != REPLY_ABORTED)
        log_failure(worker, flight, verdict, reply);
    switch (core_settle(worker->core, flight->job, verdict, 0, worker->now)) {
    case SETTLED_DONE:
        worker->calls_done++;
        break;
    case SETTLED_WAITING:
        worker->calls_retried++;
        break;
    case SETTLED_HELD:
        worker->calls_held++;
        break;
    case SETTLED_FORGOTTEN:
        break;
    }
    list_remove(&flight->node);
    xfree(flight);
}

const struct http_ops worker_http_ops = {.done = flight_done};
