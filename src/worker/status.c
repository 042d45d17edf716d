/* /status.json: docs/status.md says what each member means. */
#include "worker/status.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json_out.h"
#include "base/xalloc.h"
#include "worker/state.h"

enum {
    RETRYING_MAX = 20,
    PARTITIONS_MAX = 2000,
    TOPICS_MAX = 1000,
    REASON_MAX = 64 * 1024 /* far more than a probe has to say */
};

static const char *const gate_docs[] = {
#define X(id, name, doc) doc,
    GATE_REASON_TABLE(X)
#undef X
};

static const char *const letter_docs[] = {
#define X(id, name, doc) doc,
    LETTER_HOLD_TABLE(X)
#undef X
};

const char *
worker_phase_name(const struct worker *worker)
{
    static const char *const names[] = {[PHASE_RUNNING] = "running",
                                        [PHASE_STOPPING] = "stopping",
                                        [PHASE_COMMITTING] = "committing",
                                        [PHASE_LEAVING] = "leaving",
                                        [PHASE_DONE] = "stopped"};

    return names[worker->phase];
}

static double
seconds(int64_t ms)
{
    return (double)ms / 1000;
}

/* ---- partitions ---- */

static int
by_topic_and_number(const void *a, const void *b)
{
    const struct kafka_part *one = *(void *const *)a, *two = *(void *const *)b;
    int order = strcmp(kafka_part_topic(one), kafka_part_topic(two));
    int32_t first = kafka_part_number(one), second = kafka_part_number(two);

    return order ? order : (first > second) - (first < second);
}

struct kafka_part **
worker_parts(const struct worker *worker, size_t *ret_count)
{
    size_t count = core_parts(worker->core, NULL, 0);
    void **users = xcalloc(count + 1, sizeof(*users));

    core_parts(worker->core, users, count);
    qsort(users, count, sizeof(*users), by_topic_and_number);
    *ret_count = count;
    return (struct kafka_part **)users;
}

void
worker_part_status(const struct kafka_part *part, struct part_status *ret)
{
    const struct core_part *of = kafka_part_user(part);
    int64_t end = kafka_part_end(part);

    core_part_view(of, &ret->view);
    ret->counts = core_part_counts(of);
    ret->age_ms = ret->lag = ret->unread = -1;
    if (ret->view.oldest && ret->view.oldest->timestamp_ms != EVENT_NO_TIME) {
        ret->age_ms = clock_wall_ms() - ret->view.oldest->timestamp_ms;
        ret->age_ms = ret->age_ms > 0 ? ret->age_ms : 0;
    }
    if (end < 0)
        return;
    ret->unread = end > ret->view.next ? end - ret->view.next : 0;
    ret->lag = end > ret->view.watermark ? end - ret->view.watermark : 0;
}

/* A number that may not be known is NULL then. */
static void
add_known(struct json_out *out, const char *key, int64_t number)
{
    if (number < 0)
        json_out_null(out, key);
    else
        json_out_int(out, key, number);
}

static void
add_counts(struct json_out *out, const struct core_counts *counts)
{
    json_out_int(out, "consumed", (int64_t)counts->consumed);
    json_out_int(out, "pending", (int64_t)counts->pending);
    for (int i = 0; i < EVENT_OUTCOME_COUNT; i++)
        json_out_int(out, event_outcome_name((enum event_outcome)i), (int64_t)counts->ended[i]);
}

const char *
worker_part_hold(const struct core_part_view *view)
{
    if (view->unmapped)
        return "event_held";
    return view->full ? "progress_full" : NULL;
}

/* Why it is not read, or NULL. */
static const char *
part_reason(const struct kafka_part *part, const struct core_part_view *view)
{
    if (kafka_part_trouble(part))
        return kafka_part_trouble(part);
    return worker_part_hold(view);
}

static void
add_part(struct json_out *out, const struct kafka_part *part)
{
    struct part_status status;

    worker_part_status(part, &status);
    json_out_object(out, NULL);
    json_out_text(out, "topic", kafka_part_topic(part));
    json_out_int(out, "partition", kafka_part_number(part));
    json_out_int(out, "next", status.view.next);
    add_known(out, "committed", status.view.committed);
    add_known(out, "end", kafka_part_end(part));
    add_known(out, "lag", status.lag);
    add_known(out, "unread", status.unread);
    add_known(out, "oldest_offset", status.view.oldest_offset);
    if (status.age_ms < 0)
        json_out_null(out, "oldest_age_seconds");
    else
        json_out_real(out, "oldest_age_seconds", seconds(status.age_ms));
    add_counts(out, status.counts);
    json_out_int(out, "bytes", status.view.bytes);
    json_out_text(out, "state", worker_part_state(part, &status.view));
    json_out_text(out, "reason", part_reason(part, &status.view));
    json_out_object_end(out);
}

const char *
worker_part_state(const struct kafka_part *part, const struct core_part_view *view)
{
    if (view->revoked)
        return "revoked";
    if (kafka_part_trouble(part))
        return "stopped";
    return worker_part_hold(view) ? "held" : "reading";
}

static void
add_partitions(struct json_out *out, const struct worker *worker)
{
    size_t count;
    struct kafka_part **parts = worker_parts(worker, &count);

    json_out_array(out, "partitions");
    for (size_t i = 0; i < count && i < PARTITIONS_MAX; i++)
        add_part(out, parts[i]);
    json_out_array_end(out);
    json_out_int(out, "partitions_owned", (int64_t)count);
    xfree(parts);
}

/* ---- the worker ---- */

static void
add_probe(struct json_out *out, const char *key, bool (*ask)(void *arg, struct buf *reason),
          struct worker *worker)
{
    struct buf reason;
    bool ok;

    buf_init(&reason, REASON_MAX);
    ok = ask(worker, &reason);
    json_out_object(out, key);
    json_out_bool(out, "ok", ok);
    json_out_text(out, "reason", buf_text(&reason));
    json_out_object_end(out);
    buf_fini(&reason);
}

static void
add_worker(struct json_out *out, struct worker *worker)
{
    json_out_object(out, "worker");
    json_out_text(out, "version", VERSION);
    json_out_text(out, "group", worker->config->kafka.group_id);
    json_out_text(out, "phase", worker_phase_name(worker));
    json_out_int(out, "started_ms", worker->seeing.started_wall_ms);
    json_out_int(out, "now_ms", clock_wall_ms());
    json_out_real(out, "uptime_seconds", seconds(worker->now - worker->seeing.started_ms));
    add_probe(out, "live", worker_is_live, worker);
    add_probe(out, "ready", worker_is_ready, worker);
    json_out_text(out, "paused", worker->stall.reason);
    json_out_object_end(out);
}

static void
add_reloads(struct json_out *out, const struct reload *reload)
{
    json_out_object(out, "reloads");
    json_out_int(out, "generation", (int64_t)reload->done + 1);
    json_out_bool(out, "last_ok", !reload->last_failed);
    json_out_int(out, "done", (int64_t)reload->done);
    json_out_int(out, "refused", (int64_t)reload->failed);
    json_out_object_end(out);
}

static void
add_rates(struct json_out *out, const struct seeing *seeing)
{
    json_out_object(out, "rates");
    json_out_int(out, "window_seconds", STATS_SECONDS);
    json_out_real(out, "events_taken", meter_rate(&seeing->taken));
    json_out_real(out, "events_finished", meter_rate(&seeing->finished));
    json_out_real(out, "calls_delivered", meter_rate(&seeing->delivered));
    json_out_real(out, "calls_failed", meter_rate(&seeing->failed));
    json_out_object_end(out);
}

static void
add_pending(struct json_out *out, const struct worker *worker)
{
    struct core_gauges gauges;

    core_gauges(worker->core, &gauges);
    json_out_object(out, "pending");
    json_out_int(out, "events", (int64_t)gauges.events);
    json_out_int(out, "max_events", worker->config->delivery.max_pending_events);
    json_out_int(out, "bytes", gauges.bytes);
    json_out_int(out, "max_bytes", worker->config->delivery.max_pending_bytes);
    json_out_int(out, "contacts", (int64_t)gauges.lanes);
    json_out_int(out, "calls_ready", (int64_t)gauges.ready);
    json_out_int(out, "calls_in_flight", (int64_t)gauges.in_flight);
    json_out_int(out, "calls_waiting", (int64_t)gauges.waiting);
    json_out_int(out, "calls_held", (int64_t)gauges.refused);
    json_out_int(out, "events_held", (int64_t)gauges.unmapped);
    json_out_object_end(out);
}

static void
add_group(struct json_out *out, const struct worker *worker)
{
    const struct worker_counts *counts = &worker->counts;
    int64_t committed_ms = worker->seeing.committed_ms;

    json_out_object(out, "commits");
    json_out_int(out, "stored", (int64_t)(counts->commits - counts->commits_failed));
    json_out_int(out, "failed", (int64_t)counts->commits_failed);
    if (committed_ms)
        json_out_real(out, "last_seconds_ago", seconds(worker->now - committed_ms));
    else
        json_out_null(out, "last_seconds_ago");
    json_out_object_end(out);
    json_out_object(out, "rebalances");
    json_out_int(out, "assigned", (int64_t)counts->assigned);
    json_out_int(out, "revoked", (int64_t)counts->revoked);
    json_out_int(out, "lost", (int64_t)counts->lost);
    json_out_object_end(out);
}

/* ---- accounts ---- */

/* Milliseconds until calls may start, or until the next probe; -1 where no time helps. */
static int64_t
countdown_ms(const struct gate *gate, enum gate_reason reason, int64_t now)
{
    int64_t due_ms = reason == GATE_THROTTLED ? gate->not_before_ms : gate->probe_due_ms;

    if (reason == GATE_OPEN || reason == GATE_OPERATOR)
        return -1;
    return due_ms > now ? due_ms - now : 0;
}

static void
add_countdown(struct json_out *out, int64_t ms)
{
    if (ms < 0)
        json_out_null(out, "countdown_seconds");
    else
        json_out_real(out, "countdown_seconds", seconds(ms));
}

static void
add_classes(struct json_out *out, const char *key, const uint64_t calls[VERDICT_COUNT])
{
    json_out_object(out, key);
    for (int i = 0; i < VERDICT_COUNT; i++)
        json_out_int(out, verdict_name((enum verdict)i), (int64_t)calls[i]);
    json_out_object_end(out);
}

static void
add_account(struct json_out *out, struct worker *worker, unsigned i)
{
    const struct account *account = &worker->config->accounts[i];
    const struct gate *gate = core_gate(worker->core, i);
    enum gate_reason reason = gate_reason(gate, worker->now);
    uint64_t calls[VERDICT_COUNT] = {0};
    size_t count;
    const struct seen_rule **rules = seeing_rules(&worker->seeing, &count);

    for (size_t r = 0; r < count; r++) {
        for (int v = 0; strcmp(rules[r]->account, account->name) == 0 && v < VERDICT_COUNT; v++)
            calls[v] += rules[r]->calls[CALL_IDENTIFY][v] + rules[r]->calls[CALL_TRACK][v];
    }
    xfree(rules);
    json_out_object(out, NULL);
    json_out_text(out, "name", account->name);
    json_out_text(out, "gate", gate_reason_name(reason));
    json_out_text(out, "why", gate_docs[reason]);
    add_countdown(out, countdown_ms(gate, reason, worker->now));
    json_out_int(out, "in_flight", gate->in_flight);
    json_out_int(out, "limit", gate_limit(gate));
    json_out_int(out, "max_in_flight", account->max_in_flight);
    json_out_real(out, "rate_limit", gate->limits.rate);
    add_classes(out, "calls", calls);
    json_out_object_end(out);
}

static void
add_accounts(struct json_out *out, struct worker *worker)
{
    json_out_array(out, "accounts");
    for (unsigned i = 0; i < worker->config->account_count; i++)
        add_account(out, worker, i);
    json_out_array_end(out);
}

/* ---- rules ---- */

static void
add_paths(struct json_out *out, const struct sentinel *sentinel)
{
    json_out_array(out, "paths");
    for (size_t i = 0; i < sentinel->path_count; i++) {
        const struct sentinel_path *path = &sentinel->paths[i];

        json_out_object(out, NULL);
        json_out_text(out, "path", path->text);
        json_out_int(out, "samples", sentinel_samples(path));
        json_out_real(out, "present_ratio", sentinel_present(path));
        json_out_object(out, "kinds");
        for (int kind = 0; kind < SENTINEL_KINDS; kind++) {
            if (path->counts[kind])
                json_out_int(out, sentinel_kind_name((enum value_kind)kind), path->counts[kind]);
        }
        json_out_object_end(out);
        json_out_object_end(out);
    }
    json_out_array_end(out);
}

static void
add_tags(struct json_out *out, const struct seen_rule *seen)
{
    json_out_array(out, "tags");
    for (size_t i = 0; seen && i < seen->tag_count; i++) {
        json_out_object(out, NULL);
        json_out_text(out, "tag", seen->tags[i].name);
        json_out_text(out, "call", call_kind_name(seen->tags[i].kind));
        json_out_int(out, "added", (int64_t)seen->tags[i].added);
        json_out_int(out, "removed", (int64_t)seen->tags[i].removed);
        json_out_object_end(out);
    }
    json_out_array_end(out);
    json_out_int(out, "tags_other", seen ? (int64_t)seen->tags_other : 0);
}

static void
add_rule(struct json_out *out, struct worker *worker, size_t i)
{
    static const uint64_t none[VERDICT_COUNT];
    const struct ruleset *rules = worker->config->rules;
    const struct sentinel *sentinel = ruleset_rule_sentinel(rules, i);
    const char *name = ruleset_rule_name(rules, i), *topic;
    const char *account = worker->config->accounts[ruleset_rule_account(rules, i)].name;
    const struct seen_rule *seen = seeing_rule(&worker->seeing, name, account);

    json_out_object(out, NULL);
    json_out_text(out, "name", name);
    json_out_text(out, "account", account);
    json_out_bool(out, "enabled", ruleset_rule_is_enabled(rules, i));
    json_out_array(out, "topics");
    for (size_t j = 0; (topic = ruleset_rule_topic(rules, i, j)); j++)
        json_out_text(out, NULL, topic);
    json_out_array_end(out);
    json_out_int(out, "matched", (int64_t)sentinel->matched);
    json_out_int(out, "not_matched", (int64_t)sentinel->not_matched);
    json_out_int(out, "failed", (int64_t)sentinel->failed);
    json_out_int(out, "too_old", (int64_t)sentinel->too_old);
    json_out_object(out, "calls");
    for (int kind = 0; kind <= CALL_TRACK; kind++)
        add_classes(out, call_kind_name((enum call_kind)kind), seen ? seen->calls[kind] : none);
    json_out_object_end(out);
    json_out_int(out, "folded",
                 seen ? (int64_t)(seen->folded[CALL_IDENTIFY] + seen->folded[CALL_TRACK]) : 0);
    add_tags(out, seen);
    add_paths(out, sentinel);
    json_out_object_end(out);
}

static void
add_rules(struct json_out *out, struct worker *worker)
{
    size_t count = ruleset_rule_count(worker->config->rules);

    json_out_array(out, "rules");
    for (size_t i = 0; i < count && i < SEEING_RULES_MAX; i++)
        add_rule(out, worker, i);
    json_out_array_end(out);
}

/* ---- what stands still, and what failed ---- */

static void
add_hold(struct json_out *out, const char *scope, const char *name, const char *reason,
         const char *why, int64_t wait_ms)
{
    json_out_object(out, NULL);
    json_out_text(out, "scope", scope);
    json_out_text(out, "name", name);
    json_out_text(out, "reason", reason);
    json_out_text(out, "why", why);
    add_countdown(out, wait_ms);
    json_out_object_end(out);
}

/* Reasons other than those of gates and dead letters. */
static const char *
why_of(const char *reason)
{
    static const struct {
        const char *reason, *why;
    } docs[] = {
        {"out_of_range", "the next offset is gone from the topic; it is not jumped over"},
        {"topic_missing", "Kafka does not have the topic"},
        {"topic_not_authorized", "the topic may not be read"},
        {"group_not_authorized", "the group does not let this process in"},
        {"event_held", "an event cannot be mapped and may not become a dead letter yet"},
        {"progress_full", "so much above the committed offset is finished, and so much not, that "
                          "no commit could say it; an event holds that offset back"},
        {"pending_full", "as much is pending as may be; more is read when some of it is done"},
        {"gap",
         "the process stood still or could store no commit: one must show whether the partitions "
         "are still its own"},
        {"stalled", "events wait, nothing moves, and nothing gives a reason; the log has more"},
    };

    for (size_t i = 0; i < ARRAY_LEN(docs); i++) {
        if (strcmp(reason, docs[i].reason) == 0)
            return docs[i].why;
    }
    return "the log says more";
}

static void
add_account_holds(struct json_out *out, struct worker *worker)
{
    for (unsigned i = 0; i < worker->config->account_count; i++) {
        const struct gate *gate = core_gate(worker->core, i);
        enum gate_reason reason = gate_reason(gate, worker->now);

        if (reason != GATE_OPEN)
            add_hold(out, "account", worker->config->accounts[i].name, gate_reason_name(reason),
                     gate_docs[reason], countdown_ms(gate, reason, worker->now));
    }
}

static void
add_partition_holds(struct json_out *out, const struct worker *worker)
{
    size_t count;
    struct kafka_part **parts = worker_parts(worker, &count);

    for (size_t i = 0; i < count && i < PARTITIONS_MAX; i++) {
        struct core_part_view view;
        const char *reason;
        char *name;

        core_part_view(kafka_part_user(parts[i]), &view);
        reason = part_reason(parts[i], &view);
        if (!reason)
            continue;
        name = xasprintf("%s/%d", kafka_part_topic(parts[i]), (int)kafka_part_number(parts[i]));
        add_hold(out, "partition", name, reason, why_of(reason), -1);
        xfree(name);
    }
    xfree(parts);
}

static void
add_topic_holds(struct json_out *out, const struct worker *worker)
{
    const struct ruleset *rules = worker->config->rules;

    for (size_t i = 0; i < ruleset_topic_count(rules) && i < TOPICS_MAX; i++) {
        const char *reason = worker_topic_trouble(worker, i);

        if (reason)
            add_hold(out, "topic", ruleset_topic(rules, i), reason, why_of(reason), -1);
    }
}

static void
add_worker_holds(struct json_out *out, const struct worker *worker)
{
    const struct delivery_config *delivery = &worker->config->delivery;
    const char *refused = kafka_trouble(worker->kafka);
    struct core_gauges gauges;

    core_gauges(worker->core, &gauges);
    if ((int64_t)gauges.events >= delivery->max_pending_events ||
        gauges.bytes >= delivery->max_pending_bytes)
        add_hold(out, "worker", "intake", "pending_full", why_of("pending_full"), -1);
    if (refused)
        add_hold(out, "group", worker->config->kafka.group_id, refused, why_of(refused), -1);
    if (core_is_doubted(worker->core))
        add_hold(out, "worker", "calls", "gap", why_of("gap"), -1);
    if (worker->stall.stalled)
        add_hold(out, "worker", "events", "stalled", why_of("stalled"), -1);
}

static void
add_holds(struct json_out *out, struct worker *worker)
{
    enum letter_hold letters = core_letter_hold(worker->core, worker->now);

    json_out_array(out, "holds");
    add_account_holds(out, worker);
    if (letters != LETTER_HOLD_NONE)
        add_hold(out, "dead letters", worker->config->dead_letter.topic, letter_hold_name(letters),
                 letter_docs[letters], -1);
    add_partition_holds(out, worker);
    add_topic_holds(out, worker);
    add_worker_holds(out, worker);
    json_out_array_end(out);
}

static void
add_letters(struct json_out *out, struct worker *worker)
{
    enum letter_hold hold = core_letter_hold(worker->core, worker->now);
    struct core_gauges gauges;

    core_gauges(worker->core, &gauges);
    json_out_object(out, "dead_letters");
    json_out_text(out, "topic", worker->config->dead_letter.topic);
    json_out_int(out, "stored", (int64_t)worker->counts.letters_stored);
    json_out_int(out, "failed", (int64_t)worker->counts.letters_failed);
    json_out_int(out, "pending", (int64_t)gauges.letters);
    json_out_int(out, "too_large", (int64_t)gauges.large_letters);
    json_out_text(out, "hold", letter_hold_name(hold));
    json_out_object_end(out);
}

static void
add_wait(struct json_out *out, const struct worker *worker, const struct core_retry *wait)
{
    json_out_object(out, NULL);
    json_out_contact(out, "contact", call_email(wait->call));
    json_out_text(out, "rule", wait->call->rule);
    json_out_text(out, "account", worker->config->accounts[wait->call->account].name);
    json_out_text(out, "call", call_kind_name(wait->call->kind));
    json_out_text(out, "topic", wait->record->topic);
    json_out_int(out, "partition", wait->record->partition);
    json_out_int(out, "offset", wait->record->offset);
    json_out_int(out, "tries", wait->tries);
    json_out_real(out, "since_seconds", seconds(worker->now - wait->first_ms));
    if (wait->due_ms == CLOCK_NEVER)
        json_out_null(out, "due_seconds");
    else
        json_out_real(out, "due_seconds",
                      wait->due_ms > worker->now ? seconds(wait->due_ms - worker->now) : 0);
    json_out_text(out, "class", verdict_name(wait->verdict));
    json_out_int(out, "status", wait->status);
    json_out_text(out, "reason", wait->reason);
    json_out_object_end(out);
}

static void
add_retrying(struct json_out *out, const struct worker *worker)
{
    struct core_retry waits[RETRYING_MAX];
    size_t all, count = core_retries(worker->core, waits, RETRYING_MAX, &all);

    json_out_array(out, "retrying");
    for (size_t i = 0; i < count; i++)
        add_wait(out, worker, &waits[i]);
    json_out_array_end(out);
    json_out_int(out, "retrying_all", (int64_t)all);
}

static void
add_failure(struct json_out *out, const struct seen_failure *failure)
{
    json_out_object(out, NULL);
    json_out_int(out, "at_ms", failure->wall_ms);
    json_out_int(out, "count", (int64_t)failure->count);
    json_out_text(out, "what", failure->what);
    json_out_text(out, "rule", *failure->rule ? failure->rule : NULL);
    json_out_text(out, "call", failure->call);
    json_out_text(out, "contact", *failure->contact ? failure->contact : NULL);
    json_out_text(out, "class", failure->class);
    json_out_int(out, "status", failure->status);
    json_out_text(out, "reason", failure->reason);
    json_out_text(out, "topic", failure->topic);
    json_out_int(out, "partition", failure->partition);
    json_out_int(out, "offset", failure->offset);
    json_out_text(out, "trace_id", *failure->trace_id ? failure->trace_id : NULL);
    json_out_object_end(out);
}

static int
newest_first(const void *a, const void *b)
{
    const struct seen_failure *one = *(const struct seen_failure *const *)a;
    const struct seen_failure *two = *(const struct seen_failure *const *)b;

    return (two->wall_ms > one->wall_ms) - (two->wall_ms < one->wall_ms);
}

static void
add_failures(struct json_out *out, const struct seeing *seeing)
{
    const struct seen_failure *failures[SEEING_FAILURES];
    size_t count = 0;

    for (size_t i = 0; i < SEEING_FAILURES; i++) {
        if (seeing->failures[i].count)
            failures[count++] = &seeing->failures[i];
    }
    qsort(failures, count, sizeof(failures[0]), newest_first);
    json_out_array(out, "failures");
    for (size_t i = 0; i < count; i++)
        add_failure(out, failures[i]);
    json_out_array_end(out);
}

void
worker_add_status(void *arg, struct buf *text)
{
    struct worker *worker = arg;
    struct json_out out = {.buf = text};
    struct core_counts counts;

    core_totals(worker->core, &counts);
    json_out_object(&out, NULL);
    add_worker(&out, worker);
    add_rates(&out, &worker->seeing);
    json_out_object(&out, "events");
    add_counts(&out, &counts);
    json_out_int(&out, "finished_before", (int64_t)counts.finished_before);
    json_out_int(&out, "redriven", (int64_t)worker->counts.redriven);
    json_out_object_end(&out);
    add_pending(&out, worker);
    add_holds(&out, worker);
    add_accounts(&out, worker);
    add_rules(&out, worker);
    add_partitions(&out, worker);
    add_retrying(&out, worker);
    add_failures(&out, &worker->seeing);
    add_letters(&out, worker);
    add_group(&out, worker);
    add_reloads(&out, &worker->reload);
    json_out_text(&out, "configuration", seeing_config(worker));
    json_out_object_end(&out);
    buf_add_char(text, '\n');
}
