#include "rules/ruleset.h"

#include <regex.h>
#include <string.h>

#include "base/map.h"
#include "base/xalloc.h"
#include "rules/compile.h"
#include "rules/decode.h"
#include "rules/spec_hash.h"
#include "rules/trace.h"

enum {
    TOPICS_KNOWN_MAX = 4096, /* topics whose rules are remembered */
    TOPIC_NAME_MAX = 249     /* Kafka's limit */
};

/* One of the topics that rules name. */
struct topic {
    const char *name; /* as written */
    bool is_pattern;  /* begins with ^ */
    regex_t pattern;
};

/* The rules that the events of a topic meet, in order. */
struct topic_rules {
    struct map_node node; /* by the topic's name, which stands behind the rules */
    size_t count;
    const struct rule *rules[];
};

struct ruleset {
    struct code code;
    struct table_set tables;
    struct rule *rules;
    struct sentinel *sentinels; /* of each rule */
    size_t rule_count;
    struct topic *topics;
    size_t topic_count, topic_cap;
    struct map known; /* struct topic_rules of topics that were met */
    struct renderer renderer;
    uint64_t hash;
};

/* Topics */

/* The characters and the length that Kafka allows. */
bool
ruleset_is_topic_name(const char *name)
{
    size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");

    return len > 0 && len <= TOPIC_NAME_MAX && !name[len] && strcmp(name, ".") &&
           strcmp(name, "..");
}

static int
add_topic(struct ruleset *rules, const struct rule *rule, const struct spec_text *text,
          struct diag *diag, size_t *place)
{
    struct topic topic = {.is_pattern = text->text[0] == '^'};
    char message[256];
    int error;

    for (*place = 0; *place < rules->topic_count; ++*place) {
        if (!strcmp(rules->topics[*place].name, text->text))
            return 0;
    }
    if (topic.is_pattern) {
        error = regcomp(&topic.pattern, text->text, REG_EXTENDED | REG_NOSUB);
        if (error) {
            regerror(error, &topic.pattern, message, sizeof(message));
            return diag_error(diag, text->at,
                              "rule \"%s\": topics: \"%s\" is no regular expression: %s",
                              rule->name, text->text, message);
        }
    } else if (!ruleset_is_topic_name(text->text)) {
        return diag_error(diag, text->at,
                          "rule \"%s\": topics: \"%s\" is no name of a topic, which has letters, "
                          "digits, \".\", \"_\" and \"-\"; a regular expression begins with \"^\"",
                          rule->name, text->text);
    }
    topic.name = arena_text(&rules->code.arena, text->text, strlen(text->text));
    rules->topics = xgrow(rules->topics, rules->topic_count, &rules->topic_cap, sizeof(topic));
    rules->topics[rules->topic_count++] = topic;
    return 0;
}

static void
add_topics(struct ruleset *rules, struct rule *rule, const struct spec_rule *spec,
           struct diag *diag)
{
    size_t *places = arena_alloc(&rules->code.arena, spec->topics.count * sizeof(places[0]));

    if (!spec->topics.count)
        diag_error(diag, spec->topics.present ? spec->topics.at : spec->at,
                   "rule \"%s\": topics: name one at least", rule->name);
    for (size_t i = 0; i < spec->topics.count; i++) {
        if (!add_topic(rules, rule, &spec->topics.items[i], diag, &places[rule->topic_count]))
            rule->topic_count++;
    }
    rule->topics = places;
}

static bool
meets(const struct rule *rule, const bool *matched)
{
    if (!rule->enabled)
        return false;
    for (size_t i = 0; i < rule->topic_count; i++) {
        if (matched[rule->topics[i]])
            return true;
    }
    return false;
}

static bool
topic_matches(const struct topic *topic, const char *name)
{
    if (topic->is_pattern)
        return regexec(&topic->pattern, name, 0, NULL, 0) == 0;
    return !strcmp(topic->name, name);
}

static void
forget_topics(struct ruleset *rules)
{
    struct map_node *node;

    while ((node = map_any(&rules->known))) {
        map_remove(&rules->known, node);
        xfree(CONTAINER_OF(node, struct topic_rules, node));
    }
}

/* The rules that meet topics of which MATCHED tells whether NAME is one. */
static struct topic_rules *
gather_rules(const struct ruleset *rules, const char *name, size_t name_len, const bool *matched)
{
    struct topic_rules *met;
    size_t count = 0;

    for (size_t i = 0; i < rules->rule_count; i++)
        count += meets(&rules->rules[i], matched);
    met = xmalloc(sizeof(*met) + count * sizeof(met->rules[0]) + name_len);
    met->count = 0;
    for (size_t i = 0; i < rules->rule_count; i++) {
        if (meets(&rules->rules[i], matched))
            met->rules[met->count++] = &rules->rules[i];
    }
    memcpy(&met->rules[count], name, name_len);
    return met;
}

static const struct topic_rules *
rules_of_topic(struct ruleset *rules, const char *name)
{
    size_t name_len = strlen(name);
    struct map_node *node = map_find(&rules->known, name, name_len);
    struct topic_rules *met;
    bool *matched;

    if (node)
        return CONTAINER_OF(node, struct topic_rules, node);
    if (rules->known.count >= TOPICS_KNOWN_MAX)
        forget_topics(rules);
    matched = xcalloc(rules->topic_count + 1, sizeof(matched[0]));
    for (size_t i = 0; i < rules->topic_count; i++)
        matched[i] = topic_matches(&rules->topics[i], name);
    met = gather_rules(rules, name, name_len, matched);
    xfree(matched);
    map_add(&rules->known, &met->node, &met->rules[met->count], name_len);
    return met;
}

/* Loading */

struct seen_name {
    struct map_node node;
};

static void
check_names(const struct spec_ruleset *spec, struct diag *diag)
{
    struct seen_name *seen = xcalloc(spec->rule_count + 1, sizeof(*seen));
    struct map names;

    map_init(&names, 0);
    for (size_t i = 0; i < spec->rule_count; i++) {
        const struct spec_text *name = &spec->rules[i].name;

        if (!name->text || !name->text[0])
            continue;
        if (map_find(&names, name->text, strlen(name->text)))
            diag_error(diag, name->at, "rule \"%s\": name: is given to two rules", name->text);
        else
            map_add(&names, &seen[i].node, name->text, strlen(name->text));
    }
    map_fini(&names);
    xfree(seen);
}

static void
compile(struct ruleset *rules, const struct spec_ruleset *spec, struct diag *diag)
{
    struct compiler compiler = {
        .spec = spec, .code = &rules->code, .tables = &rules->tables, .diag = diag};

    compile_file(&compiler);
    rules->rules = arena_alloc(&rules->code.arena, spec->rule_count * sizeof(struct rule));
    for (size_t i = 0; i < spec->rule_count; i++) {
        struct rule *rule = &rules->rules[rules->rule_count++];

        compile_rule(&compiler, i, rule);
        add_topics(rules, rule, &spec->rules[i], diag);
    }
    check_names(spec, diag);
}

static void
watch(struct ruleset *rules)
{
    rules->sentinels =
        arena_alloc(&rules->code.arena, rules->rule_count * sizeof(rules->sentinels[0]));
    for (size_t i = 0; i < rules->rule_count; i++)
        sentinel_init(&rules->sentinels[i], &rules->rules[i], &rules->code.arena);
}

struct ruleset *
ruleset_new(const struct spec_ruleset *spec, struct diag *diag)
{
    struct ruleset *rules = xcalloc(1, sizeof(*rules));
    uint64_t seed = (uint64_t)(uintptr_t)rules;
    size_t errors = diag->errors;

    code_init(&rules->code);
    table_set_init(&rules->tables, spec, seed, &rules->code.arena, diag);
    map_init(&rules->known, seed);
    renderer_init(&rules->renderer, seed);
    rules->hash = spec_hash(spec);
    compile(rules, spec, diag);
    if (diag->errors == errors) {
        watch(rules);
        return rules;
    }
    ruleset_free(rules);
    return NULL;
}

void
ruleset_free(struct ruleset *rules)
{
    if (!rules)
        return;
    renderer_fini(&rules->renderer);
    forget_topics(rules);
    map_fini(&rules->known);
    for (size_t i = 0; i < rules->topic_count; i++) {
        if (rules->topics[i].is_pattern)
            regfree(&rules->topics[i].pattern);
    }
    xfree(rules->topics);
    table_set_fini(&rules->tables);
    code_fini(&rules->code);
    xfree(rules);
}

size_t
ruleset_topic_count(const struct ruleset *rules)
{
    return rules->topic_count;
}

const char *
ruleset_topic(const struct ruleset *rules, size_t i)
{
    return rules->topics[i].name;
}

static bool
calls_account(const struct rule *rule, unsigned account)
{
    return rule->enabled && rule->account == account &&
           (rule->has_call[CALL_IDENTIFY] || rule->has_call[CALL_TRACK]);
}

bool
ruleset_topic_calls(const struct ruleset *rules, size_t i, unsigned account)
{
    for (size_t r = 0; r < rules->rule_count; r++) {
        const struct rule *rule = &rules->rules[r];

        for (size_t t = 0; t < rule->topic_count; t++) {
            if (rule->topics[t] == i && calls_account(rule, account))
                return true;
        }
    }
    return false;
}

bool
ruleset_reads(const struct ruleset *rules, const char *topic)
{
    for (size_t i = 0; i < rules->topic_count; i++) {
        if (topic_matches(&rules->topics[i], topic))
            return true;
    }
    return false;
}

bool
ruleset_name_calls(struct ruleset *rules, const char *topic, unsigned account)
{
    const struct topic_rules *known = rules_of_topic(rules, topic);

    for (size_t i = 0; i < known->count; i++) {
        if (calls_account(known->rules[i], account))
            return true;
    }
    return false;
}

size_t
ruleset_rule_count(const struct ruleset *rules)
{
    return rules->rule_count;
}

uint64_t
ruleset_hash(const struct ruleset *rules)
{
    return rules->hash;
}

const char *
ruleset_rule_name(const struct ruleset *rules, size_t i)
{
    return rules->rules[i].name;
}

const struct rule *
ruleset_rules(const struct ruleset *rules)
{
    return rules->rules;
}

const struct table_set *
ruleset_tables(const struct ruleset *rules)
{
    return &rules->tables;
}

unsigned
ruleset_rule_account(const struct ruleset *rules, size_t i)
{
    return rules->rules[i].account;
}

bool
ruleset_rule_is_enabled(const struct ruleset *rules, size_t i)
{
    return rules->rules[i].enabled;
}

const char *
ruleset_rule_topic(const struct ruleset *rules, size_t i, size_t j)
{
    const struct rule *rule = &rules->rules[i];

    return j < rule->topic_count ? rules->topics[rule->topics[j]].name : NULL;
}

const struct sentinel *
ruleset_rule_sentinel(const struct ruleset *rules, size_t i)
{
    return &rules->sentinels[i];
}

void
ruleset_continue(struct ruleset *rules, const struct ruleset *old)
{
    struct seen_name *seen = xcalloc(old->rule_count + 1, sizeof(*seen));
    struct map names;

    map_init(&names, 0);
    for (size_t i = 0; i < old->rule_count; i++)
        map_add(&names, &seen[i].node, old->rules[i].name, strlen(old->rules[i].name));
    for (size_t i = 0; i < rules->rule_count; i++) {
        const char *name = rules->rules[i].name;
        struct map_node *node = map_find(&names, name, strlen(name));

        if (node)
            sentinel_continue(&rules->sentinels[i],
                              &old->sentinels[CONTAINER_OF(node, struct seen_name, node) - seen]);
    }
    map_fini(&names);
    xfree(seen);
}

/* Mapping */

void
mapping_init(struct mapping *mapping)
{
    call_list_init(&mapping->calls);
    mapping->reason[0] = '\0';
    mapping->too_old = 0;
}

void
mapping_fini(struct mapping *mapping)
{
    call_list_fini(&mapping->calls);
    mapping->reason[0] = '\0';
    mapping->too_old = 0;
}

/* An event of the future is young. */
static bool
is_too_old(const struct rule *rule, const struct event *event, int64_t wall_ms)
{
    if (rule->max_age_ms == 0 || event->timestamp_ms == EVENT_NO_TIME)
        return false;
    return event->timestamp_ms < wall_ms - rule->max_age_ms;
}

static enum rule_result
try_rule(struct renderer *renderer, const struct rule *rule, bool too_old)
{
    enum rule_result result = RULE_TOO_OLD;

    if (renderer->trace)
        trace_rule_start(renderer->trace, rule);
    if (!too_old)
        result = rule_apply(rule, renderer);
    if (renderer->trace)
        trace_rule_done(renderer->trace, result);
    return result;
}

static void
count_result(struct sentinel *sentinel, enum rule_result result)
{
    if (rule_result_is_match(result))
        sentinel->matched++;
    else if (result == RULE_FAILED)
        sentinel->failed++;
    else if (result == RULE_TOO_OLD)
        sentinel->too_old++;
    else
        sentinel->not_matched++;
}

static enum map_outcome
apply_rules(struct ruleset *rules, const struct event *event, int64_t wall_ms, uint64_t *ret_old)
{
    const struct topic_rules *met = rules_of_topic(rules, event->topic);
    struct trace *trace = rules->renderer.trace;
    bool matched = false;

    for (size_t i = 0; i < met->count; i++) {
        const struct rule *rule = met->rules[i];
        struct sentinel *sentinel = &rules->sentinels[rule - rules->rules];
        bool too_old = is_too_old(rule, event, wall_ms);
        enum rule_result result;

        /* What the sentinel reads is not what the rule reads, so it rests while somebody watches.
         */
        rules->renderer.sentinel = !trace && sentinel_is_due(sentinel, wall_ms) ? sentinel : NULL;
        result = try_rule(&rules->renderer, rule, too_old);
        count_result(sentinel, result);
        *ret_old += too_old;
        if (result == RULE_FAILED)
            return MAP_NOT_RENDERED;
        if (!rule_result_is_match(result))
            continue;
        matched = true;
        if (!rule->stop)
            continue;
        if (trace)
            trace_stopped(trace, rule);
        break;
    }
    if (!matched)
        return MAP_NO_MATCH;
    return rules->renderer.calls->count ? MAP_CALLS : MAP_NO_CALL;
}

enum map_outcome
ruleset_map(struct ruleset *rules, const struct event *event, int64_t wall_ms,
            struct mapping *mapping)
{
    struct renderer *renderer = &rules->renderer;
    enum map_outcome outcome = MAP_TOMBSTONE;
    json_t *payload;

    mapping_fini(mapping);
    if (!event->payload)
        return MAP_TOMBSTONE;
    payload =
        decode_json(event->payload, event->payload_len, mapping->reason, sizeof(mapping->reason));
    if (!payload)
        return MAP_NOT_JSON;
    if (!json_is_null(payload)) {
        renderer->calls = &mapping->calls;
        renderer->reason = mapping->reason;
        renderer->reason_size = sizeof(mapping->reason);
        renderer_start(renderer, event, payload);
        outcome = apply_rules(rules, event, wall_ms, &mapping->too_old);
        renderer_done(renderer);
    }
    /* All or nothing. */
    if (outcome != MAP_CALLS)
        call_list_fini(&mapping->calls);
    json_decref(payload);
    return outcome;
}

static bool
reads_topic(const struct ruleset *rules, const struct rule *rule, const char *name)
{
    for (size_t i = 0; i < rule->topic_count; i++) {
        if (topic_matches(&rules->topics[rule->topics[i]], name))
            return true;
    }
    return false;
}

bool
ruleset_rule_reads(const struct ruleset *rules, size_t i, const char *topic)
{
    return reads_topic(rules, &rules->rules[i], topic);
}

enum map_outcome
ruleset_map_traced(struct ruleset *rules, const struct event *event, int64_t wall_ms,
                   struct trace *trace, struct mapping *mapping)
{
    enum map_outcome outcome;

    trace_start(trace, &rules->renderer.eval);
    for (size_t i = 0; i < rules->rule_count; i++) {
        if (reads_topic(rules, &rules->rules[i], event->topic))
            trace_met(trace, &rules->rules[i]);
    }
    rules->renderer.trace = trace;
    outcome = ruleset_map(rules, event, wall_ms, mapping);
    rules->renderer.trace = NULL;
    trace_done(trace);
    return outcome;
}

uint64_t
ruleset_regex_limited(const struct ruleset *rules)
{
    return rules->renderer.eval.regex_limited;
}

const char *
map_outcome_name(enum map_outcome outcome)
{
#define X(id, name, doc) [MAP_##id] = name,
    static const char *const names[] = {MAP_OUTCOME_TABLE(X)};
#undef X

    return names[outcome];
}
