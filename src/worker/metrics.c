#include "worker/metrics.h"

#include "base/clock.h"
#include "worker/state.h"

enum { TOPICS_MAX = 1000 /* series of one family */ };

static void
add_help(struct buf *text, const char *name, const char *type, const char *help)
{
    prom_out_family(&(struct prom_out){.buf = text}, name, type, help);
}

static void
add_value(struct buf *text, const char *name, double value)
{
    prom_out_real(&(struct prom_out){.buf = text, .name = name}, value, NULL);
}

/* A family of one series. */
static void
add_one(struct buf *text, const char *name, const char *type, const char *help, double value)
{
    add_help(text, name, type, help);
    add_value(text, name, value);
}

static void
add_labelled(struct buf *text, const char *name, const char *label, const char *of, double value)
{
    prom_out_real(&(struct prom_out){.buf = text, .name = name}, value, label, of, NULL);
}

static void
add_events(const struct worker *worker, struct buf *text)
{
    struct core_counts counts;

    core_totals(worker->core, &counts);
    add_one(text, "events_consumed_total", "counter", "Events taken from Kafka.",
            (double)counts.consumed);
    add_help(text, "events_total", "counter", "Events that ended, by how.");
    for (int i = 0; i < EVENT_OUTCOME_COUNT; i++)
        add_labelled(text, "events_total", "outcome", event_outcome_name((enum event_outcome)i),
                     (double)counts.ended[i]);
    add_one(
        text, "events_finished_before_total", "counter",
        "Of the skipped: finished above the committed offset by an earlier owner, or before the "
        "partition was lost.",
        (double)counts.finished_before);
    add_one(text, "events_pending", "gauge", "Events taken and not ended.", (double)counts.pending);
    add_help(text, "events_mapped_total", "counter",
             "Events by what the rules made of them; held ones again after a reload.");
    for (int i = 0; i < MAP_OUTCOME_COUNT; i++)
        add_labelled(text, "events_mapped_total", "outcome", map_outcome_name((enum map_outcome)i),
                     (double)worker->counts.mapped[i]);
    add_one(text, "events_redriven_total", "counter", "Events that came back by redrive.",
            (double)worker->counts.redriven);
    add_one(text, "redriven_calls_gone_total", "counter",
            "Calls of them that the rules do not make any more; they are not sent.",
            (double)worker->counts.redrive_gone);
    add_one(text, "rules_too_old_total", "counter", "Rules that did not match for max_age.",
            (double)worker->counts.too_old);
}

static void
add_calls(const struct worker *worker, struct buf *text)
{
    static const char *const settled[] = {
#define X(id, name, doc) name,
        SETTLED_TABLE(X)
#undef X
    };
    struct core_gauges gauges;

    core_gauges(worker->core, &gauges);
    add_help(text, "calls_total", "counter", "Requests that ended, by the class of their reply.");
    for (int i = 0; i < VERDICT_COUNT; i++)
        add_labelled(text, "calls_total", "class", verdict_name((enum verdict)i),
                     (double)worker->counts.verdicts[i]);
    add_help(text, "calls_settled_total", "counter", "The same, by what was done with the call.");
    for (int i = 0; i < SETTLED_COUNT; i++)
        add_labelled(text, "calls_settled_total", "result", settled[i],
                     (double)worker->counts.settled[i]);
    add_one(text, "calls_repeated_total", "counter",
            "Requests sent once more at once, their connection having ended without an answer.",
            (double)worker->counts.repeats);
    add_one(text, "calls_folded_total", "counter", "Calls delivered along with another's request.",
            (double)gauges.folded);
    add_one(text, "calls_in_flight", "gauge", "Requests on the wire.", (double)gauges.in_flight);
    add_one(text, "calls_waiting", "gauge", "Calls that wait to be tried again.",
            (double)gauges.waiting);
    add_one(text, "calls_held", "gauge", "Calls refused for good that hold their contact.",
            (double)gauges.refused);
    add_one(text, "events_held", "gauge", "Events that cannot be mapped and hold their partition.",
            (double)gauges.unmapped);
    add_one(text, "contacts_pending", "gauge", "Contacts with a call that has not ended.",
            (double)gauges.lanes);
    add_one(text, "pending_bytes", "gauge", "Memory of events and calls that have not ended.",
            (double)gauges.bytes);
    add_one(text, "dead_letters_pending", "gauge", "Dead letters that are not stored yet.",
            (double)gauges.letters);
    add_one(text, "dead_letters_too_large", "gauge", "Of them, too large for the broker.",
            (double)gauges.large_letters);
    add_help(text, "dead_letters_total", "counter", "Dead letters by how writing them ended.");
    add_labelled(text, "dead_letters_total", "result", "stored",
                 (double)worker->counts.letters_stored);
    add_labelled(text, "dead_letters_total", "result", "failed",
                 (double)worker->counts.letters_failed);
}

/* One series per reason, 1 for the one in force: a hold shows as soon as it is there. */
static void
add_holds(struct worker *worker, struct buf *text)
{
    enum letter_hold letters = core_letter_hold(worker->core, worker->now);

    add_help(text, "account_held", "gauge", "Why no call of an account starts; 1 is in force.");
    for (unsigned i = 0; i < worker->config->account_count; i++) {
        enum gate_reason reason = gate_reason(core_gate(worker->core, i), worker->now);

        for (int r = GATE_OPEN + 1; r < GATE_REASON_COUNT; r++) {
            prom_out_int(&(struct prom_out){.buf = text, .name = "account_held"},
                         reason == (enum gate_reason)r, "account", worker->config->accounts[i].name,
                         "reason", gate_reason_name((enum gate_reason)r), NULL);
        }
    }
    add_help(text, "dead_letters_held", "gauge", "Why dead letters wait; 1 is in force.");
    for (int r = LETTER_HOLD_NONE + 1; r < LETTER_HOLD_COUNT; r++)
        add_labelled(text, "dead_letters_held", "reason", letter_hold_name((enum letter_hold)r),
                     letters == (enum letter_hold)r);
}

static double
in_flight_limit(struct worker *worker, unsigned i)
{
    return gate_limit(core_gate(worker->core, i));
}

static double
rate_limit(struct worker *worker, unsigned i)
{
    return core_gate(worker->core, i)->limits.rate;
}

static double
in_flight(struct worker *worker, unsigned i)
{
    return core_gate(worker->core, i)->in_flight;
}

static double
held_seconds(struct worker *worker, unsigned i)
{
    return (double)gate_held_ms(core_gate(worker->core, i), worker->now) / 1000;
}

static const struct {
    const char *name, *type, *help;
    double (*value)(struct worker *worker, unsigned account);
} gates[] = {
    {"account_in_flight_limit", "gauge", "Calls in flight that are allowed now.", in_flight_limit},
    {"account_calls_in_flight", "gauge", "Calls in flight.", in_flight},
    {"account_rate_limit", "gauge", "This process's share, calls/s; 0: unlimited.", rate_limit},
    {"account_held_seconds_total", "counter", "Time under any hold, Retry-After included.",
     held_seconds},
};

static void
add_gates(struct worker *worker, struct buf *text)
{
    for (size_t g = 0; g < ARRAY_LEN(gates); g++) {
        add_help(text, gates[g].name, gates[g].type, gates[g].help);
        for (unsigned i = 0; i < worker->config->account_count; i++)
            add_labelled(text, gates[g].name, "account", worker->config->accounts[i].name,
                         gates[g].value(worker, i));
    }
}

static void
add_config(const struct worker *worker, struct buf *text)
{
    const struct reload *reload = &worker->reload;

    add_one(text, "config_generation", "gauge",
            "Configurations that were in force since the start, this one included.",
            (double)reload->done + 1);
    add_one(text, "config_last_reload_ok", "gauge",
            "0: the last reload was refused, and the configuration before it is in force.",
            !reload->last_failed);
    add_help(text, "config_reloads_total", "counter", "Reloads by how they ended.");
    add_labelled(text, "config_reloads_total", "result", "done", (double)reload->done);
    add_labelled(text, "config_reloads_total", "result", "refused", (double)reload->failed);
}

/* Only what is in trouble has a series. How many have none for want of room. */
static size_t
add_troubles(const struct worker *worker, struct buf *text)
{
    const struct ruleset *rules = worker->config->rules;
    size_t shown = 0;

    add_help(text, "topic_unavailable", "gauge", "1: a topic that rules name, and why.");
    for (size_t i = 0; i < ruleset_topic_count(rules); i++) {
        if (worker_topic_trouble(worker, i) && shown++ < TOPICS_MAX)
            prom_out_int(&(struct prom_out){.buf = text, .name = "topic_unavailable"}, 1, "topic",
                         ruleset_topic(rules, i), "reason", worker_topic_trouble(worker, i), NULL);
    }
    add_help(text, "group_refused", "gauge", "1: the group does not let this process in, and why.");
    if (kafka_trouble(worker->kafka))
        add_labelled(text, "group_refused", "reason", kafka_trouble(worker->kafka), 1);
    return shown > TOPICS_MAX ? shown - TOPICS_MAX : 0;
}

static void
add_progress(const struct worker *worker, struct buf *text)
{
    add_one(text, "stalled", "gauge",
            "1: events wait, nothing moves, and nothing gives a reason; /livez fails.",
            worker->stall.stalled);
    add_help(text, "paused", "gauge", "1: events wait, and why.");
    if (worker->stall.reason)
        add_labelled(text, "paused", "reason", worker->stall.reason, 1);
}

static void
add_group(const struct worker *worker, struct buf *text)
{
    struct core_gauges gauges;
    const struct worker_counts *counts = &worker->counts;
    int64_t committed_ms = worker->seeing.committed_ms;

    add_help(text, "commits_total", "counter", "Commits answered.");
    add_labelled(text, "commits_total", "result", "stored",
                 (double)(counts->commits - counts->commits_failed));
    add_labelled(text, "commits_total", "result", "failed", (double)counts->commits_failed);
    add_help(text, "last_commit_age_seconds", "gauge",
             "Since the last commit that was stored, or since the start where none was.");
    add_value(text, "last_commit_age_seconds",
              (double)(worker->now - (committed_ms ? committed_ms : worker->seeing.started_ms)) /
                  1000);
    add_help(text, "partitions_total", "counter", "Partitions that came and went.");
    add_labelled(text, "partitions_total", "change", "assigned", (double)counts->assigned);
    add_labelled(text, "partitions_total", "change", "revoked", (double)counts->revoked);
    add_labelled(text, "partitions_total", "change", "lost", (double)counts->lost);
    core_gauges(worker->core, &gauges);
    add_one(text, "partitions_progress_full", "gauge",
            "Partitions not read on, since their commits have no room for more progress.",
            (double)gauges.full_parts);
    add_one(text, "partitions_owned", "gauge", "Partitions that are read.",
            (double)core_parts(worker->core, NULL, 0));
}

static void
add_process(struct worker *worker, struct buf *text)
{
    const struct delivery_config *delivery = &worker->config->delivery;
    struct prom_out out = {.buf = text};

    prom_out_family(&out, "build_info", "gauge", "1, with what is running.");
    prom_out_int(&out, 1, "version", VERSION, "group", worker->config->kafka.group_id, NULL);
    add_one(text, "start_time_seconds", "gauge", "When the worker started, since 1970.",
            (double)(worker->seeing.started_wall_ms / 1000));
    add_one(text, "ready", "gauge", "What /readyz says: 1 is ready.",
            worker_is_ready(worker, &(struct buf){.cap = 0}));
    add_one(text, "live", "gauge", "What /livez says: 1 is live.",
            worker_is_live(worker, &(struct buf){.cap = 0}));
    add_one(text, "events_pending_limit", "gauge", "delivery.max_pending_events.",
            (double)delivery->max_pending_events);
    add_one(text, "pending_bytes_limit", "gauge", "delivery.max_pending_bytes.",
            (double)delivery->max_pending_bytes);
}

/* What the metrics cost, and what they have no room for. */
static void
add_own(const struct worker *worker, struct buf *text, const struct metrics_left_out *left_out)
{
    const struct seeing *seeing = &worker->seeing;

    add_one(text, "end_questions_failed_total", "counter",
            "Questions for the ends of the partitions that got no answer.",
            (double)seeing->ends_failed);
    add_one(text, "names_left_out_total", "counter",
            "Rules and tags counted under (other), for want of room.", (double)seeing->overflowed);
    add_help(text, "series_left_out", "gauge", "Things this answer has no series of, by what.");
    add_labelled(text, "series_left_out", "of", "partitions", (double)left_out->partitions);
    add_labelled(text, "series_left_out", "of", "topics", (double)left_out->topics);
    add_labelled(text, "series_left_out", "of", "tags", (double)left_out->tags);
    add_labelled(text, "series_left_out", "of", "paths", (double)left_out->paths);
    add_one(text, "answer_seconds", "gauge", "Time that the answer before this one took to make.",
            seeing->answer_seconds);
}

static void
add_metrics(void *arg, struct buf *text)
{
    struct worker *worker = arg;
    struct metrics_left_out left_out;
    struct prom_out out = {.buf = text};
    int64_t began_us = clock_now_us();

    add_process(worker, text);
    add_events(worker, text);
    add_calls(worker, text);
    prom_out_histogram(&out, "call_seconds", "Time from the start of a request to its end.",
                       &worker->seeing.call_seconds);
    prom_out_histogram(&out, "event_age_seconds",
                       "Age of an event, by its timestamp, when a call of it was delivered.",
                       &worker->seeing.age_seconds);
    add_holds(worker, text);
    add_gates(worker, text);
    add_group(worker, text);
    add_config(worker, text);
    left_out.topics = add_troubles(worker, text);
    add_progress(worker, text);
    left_out.partitions = metrics_add_parts(&out, worker);
    metrics_add_rules(&out, worker, &left_out);
    add_own(worker, text, &left_out);
    worker->seeing.answer_seconds = (double)(clock_now_us() - began_us) / 1e6;
}

const struct admin_ops worker_admin_ops = {.metrics = add_metrics,
                                           .status = worker_add_status,
                                           .is_live = worker_is_live,
                                           .is_ready = worker_is_ready,
                                           .page = worker_page};
