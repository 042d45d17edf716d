#include <string.h>

#include "base/buf.h"
#include "base/xalloc.h"
#include "worker/state.h"

/* Prometheus text format 0.0.4. */

static void
add_help(struct buf *text, const char *name, const char *type, const char *help)
{
    buf_printf(text, "# HELP sendx_worker_%s %s\n# TYPE sendx_worker_%s %s\n", name, help, name,
               type);
}

static void
add_value(struct buf *text, const char *name, double value)
{
    buf_printf(text, "sendx_worker_%s %.17g\n", name, value);
}

static void
add_labelled(struct buf *text, const char *name, const char *label, const char *of, double value)
{
    buf_printf(text, "sendx_worker_%s{%s=", name, label);
    buf_add_json(text, of, strlen(of));
    buf_printf(text, "} %.17g\n", value);
}

static void
add_events(const struct worker *worker, struct buf *text)
{
    struct core_counts counts;

    core_totals(worker->core, &counts);
    add_help(text, "events_consumed_total", "counter", "Events taken from Kafka.");
    add_value(text, "events_consumed_total", (double)counts.consumed);
    add_help(text, "events_total", "counter", "Events that ended, by how.");
    for (int i = 0; i < EVENT_OUTCOME_COUNT; i++)
        add_labelled(text, "events_total", "outcome", event_outcome_name((enum event_outcome)i),
                     (double)counts.ended[i]);
    add_help(text, "events_finished_before_total", "counter",
             "Of the skipped: finished above the committed offset by an earlier owner.");
    add_value(text, "events_finished_before_total", (double)counts.finished_before);
    add_help(text, "events_pending", "gauge", "Events taken and not ended.");
    add_value(text, "events_pending", (double)counts.pending);
    add_help(text, "events_mapped_total", "counter", "Events by what the rules made of them.");
    for (int i = 0; i < MAP_OUTCOME_COUNT; i++)
        add_labelled(text, "events_mapped_total", "outcome", map_outcome_name((enum map_outcome)i),
                     (double)worker->counts.mapped[i]);
    add_help(text, "events_redriven_total", "counter", "Events that came back by redrive.");
    add_value(text, "events_redriven_total", (double)worker->counts.redriven);
    add_help(text, "redriven_calls_gone_total", "counter",
             "Calls of them that the rules do not make any more; they are not sent.");
    add_value(text, "redriven_calls_gone_total", (double)worker->counts.redrive_gone);
    add_help(text, "rules_too_old_total", "counter", "Rules that did not match for max_age.");
    add_value(text, "rules_too_old_total", (double)worker->counts.too_old);
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
    add_help(text, "calls_folded_total", "counter",
             "Calls delivered along with another's request.");
    add_value(text, "calls_folded_total", (double)gauges.folded);
    add_help(text, "calls_in_flight", "gauge", "Requests on the wire.");
    add_value(text, "calls_in_flight", (double)gauges.in_flight);
    add_help(text, "calls_waiting", "gauge", "Calls that wait to be tried again.");
    add_value(text, "calls_waiting", (double)gauges.waiting);
    add_help(text, "calls_held", "gauge", "Calls refused for good that hold their contact.");
    add_value(text, "calls_held", (double)gauges.refused);
    add_help(text, "events_held", "gauge",
             "Events that cannot be mapped and hold their partition.");
    add_value(text, "events_held", (double)gauges.unmapped);
    add_help(text, "contacts_pending", "gauge", "Contacts with a call that has not ended.");
    add_value(text, "contacts_pending", (double)gauges.lanes);
    add_help(text, "pending_bytes", "gauge", "Memory of events and calls that have not ended.");
    add_value(text, "pending_bytes", (double)gauges.bytes);
    add_help(text, "dead_letters_pending", "gauge", "Dead letters that are not stored yet.");
    add_value(text, "dead_letters_pending", (double)gauges.letters);
    add_help(text, "dead_letters_too_large", "gauge", "Of them, too large for the broker.");
    add_value(text, "dead_letters_too_large", (double)gauges.large_letters);
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
            const char *account = worker->config->accounts[i].name;

            buf_add_text(text, "sendx_worker_account_held{account=");
            buf_add_json(text, account, strlen(account));
            buf_printf(text, ",reason=\"%s\"} %d\n", gate_reason_name((enum gate_reason)r),
                       reason == (enum gate_reason)r);
        }
    }
    add_help(text, "dead_letters_held", "gauge", "Why dead letters wait; 1 is in force.");
    for (int r = LETTER_HOLD_NONE + 1; r < LETTER_HOLD_COUNT; r++)
        add_labelled(text, "dead_letters_held", "reason", letter_hold_name((enum letter_hold)r),
                     letters == (enum letter_hold)r);
}

static void
add_gates(struct worker *worker, struct buf *text)
{
    add_help(text, "account_in_flight_limit", "gauge", "Calls in flight that are allowed now.");
    for (unsigned i = 0; i < worker->config->account_count; i++)
        add_labelled(text, "account_in_flight_limit", "account", worker->config->accounts[i].name,
                     gate_limit(core_gate(worker->core, i)));
    add_help(text, "account_rate_limit", "gauge", "This process's share, calls/s; 0: unlimited.");
    for (unsigned i = 0; i < worker->config->account_count; i++)
        add_labelled(text, "account_rate_limit", "account", worker->config->accounts[i].name,
                     core_gate(worker->core, i)->limits.rate);
}

static void
add_trouble(struct buf *text, const char *name, const char *topic, int32_t partition,
            const char *reason)
{
    buf_printf(text, "sendx_worker_%s{topic=", name);
    buf_add_json(text, topic, strlen(topic));
    if (partition >= 0)
        buf_printf(text, ",partition=\"%d\"", (int)partition);
    buf_printf(text, ",reason=\"%s\"} 1\n", reason);
}

static void
add_progress(const struct worker *worker, struct buf *text)
{
    add_help(text, "stalled", "gauge",
             "1: events wait, nothing moves, and nothing gives a reason; /livez fails.");
    add_value(text, "stalled", worker->stall.stalled);
    add_help(text, "paused", "gauge", "1: events wait, and why.");
    if (worker->stall.reason)
        add_labelled(text, "paused", "reason", worker->stall.reason, 1);
}

/* Only what is in trouble has a series. */
static void
add_troubles(const struct worker *worker, struct buf *text)
{
    size_t count = core_parts(worker->core, NULL, 0);
    void **parts = xcalloc(count, sizeof(*parts));

    core_parts(worker->core, parts, count);
    add_help(text, "partition_stopped", "gauge", "1: nothing is read of it, and why.");
    for (size_t i = 0; i < count; i++) {
        if (kafka_part_trouble(parts[i]))
            add_trouble(text, "partition_stopped", kafka_part_topic(parts[i]),
                        kafka_part_number(parts[i]), kafka_part_trouble(parts[i]));
    }
    xfree(parts);
    add_help(text, "topic_unavailable", "gauge", "1: a topic that rules name, and why.");
    for (size_t i = 0; i < ruleset_topic_count(worker->config->rules); i++) {
        if (worker_topic_trouble(worker, i))
            add_trouble(text, "topic_unavailable", ruleset_topic(worker->config->rules, i), -1,
                        worker_topic_trouble(worker, i));
    }
    add_help(text, "group_refused", "gauge", "1: the group does not let this process in, and why.");
    if (kafka_trouble(worker->kafka))
        add_labelled(text, "group_refused", "reason", kafka_trouble(worker->kafka), 1);
}

static void
add_config(const struct worker *worker, struct buf *text)
{
    const struct reload *reload = &worker->reload;

    add_help(text, "config_generation", "gauge",
             "Configurations that were in force since the start, this one included.");
    add_value(text, "config_generation", (double)reload->done + 1);
    add_help(text, "config_last_reload_ok", "gauge",
             "0: the last reload was refused, and the configuration before it is in force.");
    add_value(text, "config_last_reload_ok", !reload->last_failed);
    add_help(text, "config_reloads_total", "counter", "Reloads by how they ended.");
    add_labelled(text, "config_reloads_total", "result", "done", (double)reload->done);
    add_labelled(text, "config_reloads_total", "result", "refused", (double)reload->failed);
}

static void
add_metrics(void *arg, struct buf *text)
{
    struct worker *worker = arg;
    struct core_gauges gauges;

    add_events(worker, text);
    add_calls(worker, text);
    add_holds(worker, text);
    add_gates(worker, text);
    add_config(worker, text);
    add_troubles(worker, text);
    add_progress(worker, text);
    add_help(text, "commits_total", "counter", "Commits answered.");
    add_labelled(text, "commits_total", "result", "stored",
                 (double)(worker->counts.commits - worker->counts.commits_failed));
    add_labelled(text, "commits_total", "result", "failed", (double)worker->counts.commits_failed);
    add_help(text, "partitions_total", "counter", "Partitions that came and went.");
    add_labelled(text, "partitions_total", "change", "assigned", (double)worker->counts.assigned);
    add_labelled(text, "partitions_total", "change", "revoked", (double)worker->counts.revoked);
    add_labelled(text, "partitions_total", "change", "lost", (double)worker->counts.lost);
    core_gauges(worker->core, &gauges);
    add_help(text, "partitions_progress_full", "gauge",
             "Partitions not read on, since their commits have no room for more progress.");
    add_value(text, "partitions_progress_full", (double)gauges.full_parts);
    add_help(text, "partitions_owned", "gauge", "Partitions that are read.");
    add_value(text, "partitions_owned", (double)core_parts(worker->core, NULL, 0));
}

/* The loop answers, so it turns. */
static bool
is_live(void *arg, struct buf *reason)
{
    const struct worker *worker = arg;

    if (worker->stall.stalled)
        buf_printf(
            reason,
            "nothing has moved for %lld s, without a reason; the log says what each partition "
            "waits for\n",
            (long long)worker->stall.still_ms / 1000);
    else if (worker->stall.reason)
        buf_printf(reason, "the loop turns; events wait: %s\n", worker->stall.reason);
    else
        buf_add_text(reason, "the loop turns\n");
    return !worker->stall.stalled;
}

/* What stands still for want of Kafka, a line each. */
static void
add_reasons(const struct worker *worker, struct buf *text)
{
    size_t count = core_parts(worker->core, NULL, 0);
    void **parts = xcalloc(count, sizeof(*parts));

    core_parts(worker->core, parts, count);
    for (size_t i = 0; i < count; i++) {
        if (kafka_part_trouble(parts[i]))
            buf_printf(text, "partition %d of %s is stopped: %s\n",
                       (int)kafka_part_number(parts[i]), kafka_part_topic(parts[i]),
                       kafka_part_trouble(parts[i]));
    }
    xfree(parts);
    for (size_t i = 0; i < ruleset_topic_count(worker->config->rules); i++) {
        if (worker_topic_trouble(worker, i))
            buf_printf(text, "topic %s: %s\n", ruleset_topic(worker->config->rules, i),
                       worker_topic_trouble(worker, i));
    }
    if (kafka_trouble(worker->kafka))
        buf_printf(text, "the group: %s\n", kafka_trouble(worker->kafka));
}

static bool
is_ready(void *arg, struct buf *reason)
{
    struct worker *worker = arg;
    size_t parts = core_parts(worker->core, NULL, 0);

    buf_printf(reason, "%zu partitions are assigned\n", parts);
    add_reasons(worker, reason);
    return worker->phase == PHASE_RUNNING && parts > 0;
}

const struct admin_ops worker_admin_ops = {
    .metrics = add_metrics, .is_live = is_live, .is_ready = is_ready};
