#include "worker/seeing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mask.h"
#include "base/utf8.h"
#include "base/xalloc.h"
#include "worker/state.h"

enum {
    STEP_MS = 1000,
    ENDS_MS = 5000,          /* between questions for the ends of the partitions */
    ENDS_MAX_MS = 60 * 1000, /* the same while there is no answer */
    KEY_MAX = 64 * 1024,     /* names are far shorter */
    CONFIG_MAX = 256 * 1024  /* bytes of the configuration that are shown */
};

static const double call_bounds[] = {0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30};
static const double age_bounds[] = {0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600, 21600, 86400, 604800};

void
seeing_init(struct seeing *seeing, int64_t now)
{
    *seeing = (struct seeing){.started_ms = now,
                              .started_wall_ms = clock_wall_ms(),
                              .step_ms = now,
                              .ends_ms = now,
                              .ends_pause_ms = ENDS_MS};
    map_init(&seeing->rules, (uint64_t)seeing->started_wall_ms);
    buf_init(&seeing->key, KEY_MAX);
    histogram_init(&seeing->call_seconds, call_bounds, ARRAY_LEN(call_bounds));
    histogram_init(&seeing->age_seconds, age_bounds, ARRAY_LEN(age_bounds));
}

static void
rule_free(struct seen_rule *rule)
{
    if (!rule)
        return;
    for (size_t i = 0; i < rule->tag_count; i++)
        xfree(rule->tags[i].name);
    xfree(rule->tags);
    xfree(rule->name);
    xfree(rule->account);
    xfree(rule->key);
    xfree(rule);
}

void
seeing_fini(struct seeing *seeing)
{
    struct map_node *node;

    while ((node = map_any(&seeing->rules))) {
        map_remove(&seeing->rules, node);
        rule_free(CONTAINER_OF(node, struct seen_rule, node));
    }
    map_fini(&seeing->rules);
    buf_fini(&seeing->key);
    rule_free(seeing->other);
    xfree(seeing->config_text);
}

/* ---- rules and tags ---- */

static struct seen_rule *
rule_new(const char *name, const char *account)
{
    struct seen_rule *rule = xcalloc(1, sizeof(*rule));

    rule->name = xstrdup(name);
    rule->account = xstrdup(account);
    return rule;
}

/* Neither name holds a control character. */
static void
write_key(struct seeing *seeing, const char *name, const char *account)
{
    buf_reset(&seeing->key);
    buf_add_text(&seeing->key, account);
    buf_add_char(&seeing->key, '\n');
    buf_add_text(&seeing->key, name);
}

const struct seen_rule *
seeing_rule(struct seeing *seeing, const char *name, const char *account)
{
    struct map_node *node;

    write_key(seeing, name, account);
    node = map_find(&seeing->rules, buf_text(&seeing->key), seeing->key.len);
    return node ? CONTAINER_OF(node, struct seen_rule, node) : NULL;
}

static struct seen_rule *
rule_of(struct seeing *seeing, const char *name, const char *account)
{
    struct seen_rule *rule = (struct seen_rule *)seeing_rule(seeing, name, account);

    if (rule)
        return rule;
    if (seeing->rules.count >= SEEING_RULES_MAX) {
        if (!seeing->other)
            seeing->other = rule_new(SEEING_OTHER, SEEING_OTHER);
        return seeing->other;
    }
    rule = rule_new(name, account);
    rule->key_len = seeing->key.len;
    rule->key = xmemdup(buf_text(&seeing->key), rule->key_len);
    map_add(&seeing->rules, &rule->node, rule->key, rule->key_len);
    return rule;
}

/* A tag may be made of anything in an event: it is kept short and without addresses. */
static char *
tag_name(const char *tag)
{
    size_t len = utf8_cut(tag, strlen(tag), SEEING_TAG_LEN);
    struct buf name;

    buf_init(&name, 4 * SEEING_TAG_LEN);
    mask_add_text(&name, tag, len);
    return buf_steal(&name);
}

static bool
may_hold_address(const char *tag)
{
    return strchr(tag, '@') || strstr(tag, "%40") || strlen(tag) > SEEING_TAG_LEN;
}

static struct seen_tag *
find_tag(const struct seen_rule *rule, enum call_kind kind, const char *name)
{
    for (size_t i = 0; i < rule->tag_count; i++) {
        if (rule->tags[i].kind == kind && strcmp(rule->tags[i].name, name) == 0)
            return &rule->tags[i];
    }
    return NULL;
}

static struct seen_tag *
tag_of(struct seeing *seeing, struct seen_rule *rule, enum call_kind kind, const char *tag)
{
    struct seen_tag *seen = may_hold_address(tag) ? NULL : find_tag(rule, kind, tag);
    char *name;

    if (seen)
        return seen;
    name = tag_name(tag);
    seen = find_tag(rule, kind, name);
    if (!seen && rule->tag_count < SEEING_TAGS_MAX) {
        rule->tags = xgrow(rule->tags, rule->tag_count, &rule->tag_cap, sizeof(rule->tags[0]));
        seen = &rule->tags[rule->tag_count++];
        *seen = (struct seen_tag){.name = name, .kind = kind};
        return seen;
    }
    xfree(name);
    if (!seen) {
        rule->tags_other++;
        seeing->overflowed++;
    }
    return seen;
}

static void
count_tags(struct seeing *seeing, struct seen_rule *rule, enum call_kind kind,
           const struct text_list *tags, bool added)
{
    for (size_t i = 0; i < tags->count; i++) {
        struct seen_tag *tag = tag_of(seeing, rule, kind, tags->items[i]);

        if (tag && added)
            tag->added++;
        else if (tag)
            tag->removed++;
    }
}

/* A request was delivered, and with it calls of several rules perhaps. */
struct delivery {
    struct worker *worker;
    bool is_first;
};

static void
count_delivered(void *arg, const struct call *call, const struct event *record)
{
    struct delivery *delivery = arg;
    struct worker *worker = delivery->worker;
    struct seeing *seeing = &worker->seeing;
    struct seen_rule *rule =
        rule_of(seeing, call->rule, worker->config->accounts[call->account].name);

    if (call->kind == CALL_IDENTIFY) {
        count_tags(seeing, rule, call->kind, &call->identify.tags, true);
    } else {
        count_tags(seeing, rule, call->kind, &call->track.add_tags, true);
        count_tags(seeing, rule, call->kind, &call->track.remove_tags, false);
    }
    if (record->timestamp_ms != EVENT_NO_TIME) {
        int64_t age_ms = clock_wall_ms() - record->timestamp_ms;

        histogram_add(&seeing->age_seconds, age_ms > 0 ? (double)age_ms / 1000 : 0);
    }
    if (!delivery->is_first) {
        rule->folded[call->kind]++;
        seeing->overflowed += rule == seeing->other;
    }
    delivery->is_first = false;
}

void
seeing_call(struct worker *worker, const struct core_job *job, enum verdict verdict,
            long elapsed_ms)
{
    struct seeing *seeing = &worker->seeing;
    const struct call *call = core_job_call(job);
    struct seen_rule *rule =
        rule_of(seeing, call->rule, worker->config->accounts[call->account].name);

    rule->calls[call->kind][verdict]++;
    seeing->overflowed += rule == seeing->other;
    histogram_add(&seeing->call_seconds, (double)elapsed_ms / 1000);
    if (verdict == VERDICT_DONE)
        core_job_each(job, count_delivered, &(struct delivery){.worker = worker, .is_first = true});
}

static int
by_name(const void *a, const void *b)
{
    const struct seen_rule *one = *(const struct seen_rule *const *)a;
    const struct seen_rule *two = *(const struct seen_rule *const *)b;
    int order = strcmp(one->name, two->name);

    return order ? order : strcmp(one->account, two->account);
}

const struct seen_rule **
seeing_rules(const struct seeing *seeing, size_t *ret_count)
{
    const struct seen_rule **rules = xcalloc(seeing->rules.count + 1, sizeof(*rules));
    size_t count = 0;

    for (size_t i = 0; i < seeing->rules.bucket_count; i++) {
        for (struct map_node *node = seeing->rules.buckets[i]; node; node = node->next)
            rules[count++] = CONTAINER_OF(node, struct seen_rule, node);
    }
    qsort(rules, count, sizeof(*rules), by_name);
    if (seeing->other)
        rules[count++] = seeing->other;
    *ret_count = count;
    return rules;
}

/* ---- failures ---- */

static void
keep_contact(char *to, size_t size, const char *email)
{
    struct buf masked;

    buf_init(&masked, 4096);
    if (email)
        mask_add_email(&masked, email);
    utf8_copy(to, size, buf_text(&masked));
    buf_fini(&masked);
}

/* A call that is tried again is a new failure each time: those of a kind share a place. */
static struct seen_failure *
find_same(struct seeing *seeing, const struct failure_line *line)
{
    if (strcmp(line->what, "retry") != 0)
        return NULL;
    for (size_t i = 0; i < SEEING_FAILURES; i++) {
        struct seen_failure *seen = &seeing->failures[i];

        if (seen->count && seen->what == line->what && seen->status == line->status &&
            seen->class == line->class && strcmp(seen->rule, line->rule) == 0)
            return seen;
    }
    return NULL;
}

void
seeing_failure(struct seeing *seeing, const struct failure_line *line)
{
    struct seen_failure *seen = find_same(seeing, line);

    if (!seen) {
        seen = &seeing->failures[seeing->failure_next];
        seeing->failure_next = (seeing->failure_next + 1) % SEEING_FAILURES;
        seen->count = 0;
    }
    seen->count++;
    seen->wall_ms = clock_wall_ms();
    seen->what = line->what;
    seen->call = line->call;
    seen->class = line->class;
    seen->status = line->status;
    seen->partition = line->partition;
    seen->offset = line->offset;
    utf8_copy(seen->rule, sizeof(seen->rule), line->rule ? line->rule : "");
    utf8_copy(seen->topic, sizeof(seen->topic), line->topic ? line->topic : "");
    utf8_copy(seen->reason, sizeof(seen->reason), line->reason ? line->reason : "");
    utf8_copy(seen->trace_id, sizeof(seen->trace_id), line->trace_id ? line->trace_id : "");
    keep_contact(seen->contact, sizeof(seen->contact), line->contact);
}

bool
seeing_trace(const struct event *record, struct traceparent *ret)
{
    for (size_t i = 0; record && i < record->header_count; i++) {
        const struct event_header *header = &record->headers[i];

        if (strcasecmp(header->name, "traceparent") == 0)
            return traceparent_read(ret, header->value, header->value_len);
    }
    return traceparent_read(ret, NULL, 0);
}

/* ---- now and then ---- */

/* Nothing of the work depends on the ends, so a broker that does not answer is asked less often. */
static void
find_ends(struct worker *worker)
{
    struct seeing *seeing = &worker->seeing;
    struct err err = {0};

    if (kafka_find_ends(worker->kafka, &err) == 0) {
        seeing->ends_pause_ms = ENDS_MS;
        seeing->ends_ms = worker->now + ENDS_MS;
        return;
    }
    seeing->ends_failed++;
    log_debug("kafka.ends_unknown", log_text("reason", err.msg),
              log_int("again_ms", seeing->ends_pause_ms));
    seeing->ends_ms = worker->now + seeing->ends_pause_ms;
    seeing->ends_pause_ms = clock_earlier(2 * seeing->ends_pause_ms, ENDS_MAX_MS);
}

static uint64_t
count_failed(const struct worker_counts *counts)
{
    uint64_t failed = 0;

    for (int i = 0; i < VERDICT_COUNT; i++)
        failed += i == VERDICT_DONE ? 0 : counts->verdicts[i];
    return failed;
}

void
seeing_step(struct worker *worker)
{
    struct seeing *seeing = &worker->seeing;
    struct core_counts counts;

    if (worker->now < seeing->step_ms)
        return;
    seeing->step_ms = worker->now + STEP_MS;
    core_totals(worker->core, &counts);
    meter_note(&seeing->taken, counts.consumed, worker->now);
    meter_note(&seeing->finished, counts.consumed - counts.pending - counts.ended[EVENT_GIVEN_BACK],
               worker->now);
    meter_note(&seeing->delivered, worker->counts.verdicts[VERDICT_DONE], worker->now);
    meter_note(&seeing->failed, count_failed(&worker->counts), worker->now);
    if (worker->admin && worker->phase == PHASE_RUNNING && worker->now >= seeing->ends_ms)
        find_ends(worker);
}

/* ---- the configuration ---- */

static char *
print_config(const struct config *config)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    struct buf masked;

    if (!out)
        return xstrdup("");
    config_print(config, out);
    fclose(out);
    buf_init(&masked, CONFIG_MAX);
    mask_add_text(&masked, text, strnlen(text, CONFIG_MAX / 2));
    xfree(text); /* the C library's, by malloc as ours are */
    return buf_steal(&masked);
}

const char *
seeing_config(struct worker *worker)
{
    struct seeing *seeing = &worker->seeing;

    if (!seeing->config_text)
        seeing->config_text = print_config(worker->config);
    return seeing->config_text;
}

void
seeing_reloaded(struct seeing *seeing)
{
    xfree(seeing->config_text);
    seeing->config_text = NULL;
}
