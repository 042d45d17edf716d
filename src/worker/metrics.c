#include <string.h>

#include "base/buf.h"
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
    add_help(text, "events_pending", "gauge", "Events taken and not ended.");
    add_value(text, "events_pending", (double)counts.pending);
    add_help(text, "events_mapped_total", "counter", "Events by what the rules made of them.");
    for (int i = 0; i < MAP_OUTCOME_COUNT; i++)
        add_labelled(text, "events_mapped_total", "outcome", map_outcome_name((enum map_outcome)i),
                     (double)worker->counts.mapped[i]);
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
add_metrics(void *arg, struct buf *text)
{
    struct worker *worker = arg;

    add_events(worker, text);
    add_calls(worker, text);
    add_holds(worker, text);
    add_gates(worker, text);
    add_help(text, "commits_total", "counter", "Commits answered.");
    add_labelled(text, "commits_total", "result", "stored",
                 (double)(worker->counts.commits - worker->counts.commits_failed));
    add_labelled(text, "commits_total", "result", "failed", (double)worker->counts.commits_failed);
    add_help(text, "partitions_total", "counter", "Partitions that came and went.");
    add_labelled(text, "partitions_total", "change", "assigned", (double)worker->counts.assigned);
    add_labelled(text, "partitions_total", "change", "revoked", (double)worker->counts.revoked);
    add_labelled(text, "partitions_total", "change", "lost", (double)worker->counts.lost);
    add_help(text, "partitions_owned", "gauge", "Partitions that are read.");
    add_value(text, "partitions_owned", (double)core_parts(worker->core, NULL, 0));
}

/* The loop answers, so it turns. */
static bool
is_live(void *arg, struct buf *reason)
{
    (void)arg;
    buf_add_text(reason, "the loop turns\n");
    return true;
}

static bool
is_ready(void *arg, struct buf *reason)
{
    struct worker *worker = arg;
    size_t parts = core_parts(worker->core, NULL, 0);

    buf_printf(reason, "%zu partitions are assigned\n", parts);
    return worker->phase == PHASE_RUNNING && parts > 0;
}

const struct admin_ops worker_admin_ops = {.metrics = add_metrics,
                                           .status = worker_add_status,
                                           .is_live = is_live,
                                           .is_ready = is_ready,
                                           .page = worker_page};
