/* Metrics by rule. */
#include "worker/metrics.h"

#include "base/xalloc.h"
#include "worker/state.h"

enum { TAGS_MAX = 2000, PATHS_MAX = 2000 /* series of one family */ };

static size_t
rule_count(const struct worker *worker)
{
    size_t count = ruleset_rule_count(worker->config->rules);

    return count < SEEING_RULES_MAX ? count : SEEING_RULES_MAX;
}

static void
add_events(struct prom_out *out, const struct worker *worker)
{
    const struct ruleset *rules = worker->config->rules;

    prom_out_family(out, "rule_events_total", "counter", "Events that a rule met, by what it did.");
    for (size_t i = 0; i < rule_count(worker); i++) {
        const struct sentinel *sentinel = ruleset_rule_sentinel(rules, i);
        const char *name = ruleset_rule_name(rules, i);

        prom_out_int(out, (int64_t)sentinel->matched, "rule", name, "result", "matched", NULL);
        prom_out_int(out, (int64_t)sentinel->not_matched, "rule", name, "result", "not_matched",
                     NULL);
        prom_out_int(out, (int64_t)sentinel->failed, "rule", name, "result", "failed", NULL);
        prom_out_int(out, (int64_t)sentinel->too_old, "rule", name, "result", "too_old", NULL);
    }
}

/* A class that a rule has never met has no series, but for the one of success. */
static void
add_calls(struct prom_out *out, const struct seen_rule *const *rules, size_t count)
{
    prom_out_family(out, "rule_calls_total", "counter",
                    "Requests that ended, by rule and by the class of their reply.");
    for (size_t i = 0; i < count; i++) {
        for (int kind = 0; kind <= CALL_TRACK; kind++) {
            for (int v = 0; v < VERDICT_COUNT; v++) {
                uint64_t calls = rules[i]->calls[kind][v];

                if (calls || v == VERDICT_DONE)
                    prom_out_int(out, (int64_t)calls, "rule", rules[i]->name, "account",
                                 rules[i]->account, "call", call_kind_name((enum call_kind)kind),
                                 "class", verdict_name((enum verdict)v), NULL);
            }
        }
    }
}

static void
add_folded(struct prom_out *out, const struct seen_rule *const *rules, size_t count)
{
    prom_out_family(out, "rule_calls_folded_total", "counter",
                    "Calls that were delivered along with another's request, by rule.");
    for (size_t i = 0; i < count; i++) {
        for (int kind = 0; kind <= CALL_TRACK; kind++) {
            if (rules[i]->folded[kind])
                prom_out_int(out, (int64_t)rules[i]->folded[kind], "rule", rules[i]->name,
                             "account", rules[i]->account, "call",
                             call_kind_name((enum call_kind)kind), NULL);
        }
    }
}

static size_t
add_tags(struct prom_out *out, const struct seen_rule *const *rules, size_t count)
{
    size_t shown = 0, left_out = 0;

    prom_out_family(out, "rule_tags_total", "counter",
                    "Tags in delivered calls, by rule and by what was done with them.");
    for (size_t i = 0; i < count; i++) {
        const struct seen_rule *rule = rules[i];

        for (size_t t = 0; t < rule->tag_count; t++) {
            const struct seen_tag *tag = &rule->tags[t];

            if (shown >= TAGS_MAX) {
                left_out++;
                continue;
            }
            shown += (tag->added > 0) + (tag->removed > 0);
            if (tag->added)
                prom_out_int(out, (int64_t)tag->added, "rule", rule->name, "account", rule->account,
                             "call", call_kind_name(tag->kind), "tag", tag->name, "change", "added",
                             NULL);
            if (tag->removed)
                prom_out_int(out, (int64_t)tag->removed, "rule", rule->name, "account",
                             rule->account, "call", call_kind_name(tag->kind), "tag", tag->name,
                             "change", "removed", NULL);
        }
        if (rule->tags_other)
            prom_out_int(out, (int64_t)rule->tags_other, "rule", rule->name, "account",
                         rule->account, "call", "any", "tag", SEEING_OTHER, "change", "any", NULL);
    }
    return left_out;
}

static void
add_kinds(struct prom_out *out, const char *rule, const struct sentinel_path *path)
{
    unsigned samples = sentinel_samples(path);

    for (int kind = 0; kind < SENTINEL_KINDS; kind++) {
        if (path->counts[kind])
            prom_out_real(out, (double)path->counts[kind] / samples, "rule", rule, "path",
                          path->text, "kind", sentinel_kind_name((enum value_kind)kind), NULL);
    }
}

/* Those that were never looked at say nothing. KINDS: the family that tells them apart. */
static size_t
add_paths(struct prom_out *out, const struct worker *worker, bool kinds)
{
    const struct ruleset *rules = worker->config->rules;
    size_t shown = 0, left_out = 0;

    for (size_t i = 0; i < rule_count(worker); i++) {
        const struct sentinel *sentinel = ruleset_rule_sentinel(rules, i);

        for (size_t p = 0; p < sentinel->path_count; p++) {
            const struct sentinel_path *path = &sentinel->paths[p];

            if (!sentinel_samples(path))
                continue;
            left_out += shown >= PATHS_MAX;
            if (shown++ >= PATHS_MAX)
                continue;
            if (kinds)
                add_kinds(out, ruleset_rule_name(rules, i), path);
            else
                prom_out_real(out, sentinel_present(path), "rule", ruleset_rule_name(rules, i),
                              "path", path->text, NULL);
        }
        left_out += sentinel->paths_left_out;
    }
    return left_out;
}

void
metrics_add_rules(struct prom_out *out, const struct worker *worker,
                  struct metrics_left_out *left_out)
{
    size_t count;
    const struct seen_rule **rules = seeing_rules(&worker->seeing, &count);

    add_events(out, worker);
    add_calls(out, rules, count);
    add_folded(out, rules, count);
    left_out->tags = add_tags(out, rules, count);
    prom_out_family(out, "rule_path_present_ratio", "gauge",
                    "Share of the matched events where something stood at a path, of the last "
                    "thousand looked at.");
    left_out->paths = add_paths(out, worker, false);
    prom_out_family(out, "rule_path_kind_ratio", "gauge",
                    "The same by what kind of value it was; missing: none.");
    (void)add_paths(out, worker, true);
    xfree(rules);
}
