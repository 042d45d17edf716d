/* Lints of which rules meet which events: those no event reaches, and tracks of the unknown. */
#include <string.h>

#include "rules/lint_state.h"

/* Whether each event of TOPIC is one of COVER. Of two expressions only the same one is told to be.
 */
static bool
covers(const struct lint_topic *cover, const struct lint_topic *topic)
{
    if (!strcmp(cover->text->text, topic->text->text) || !strcmp(cover->text->text, "^") ||
        !strcmp(cover->text->text, "^.*"))
        return true;
    return cover->is_pattern && !topic->is_pattern &&
           regexec(&cover->pattern, topic->text->text, 0, NULL, 0) == 0;
}

static bool
rule_covers(const struct lint_rule *rule, const struct lint_topic *topic)
{
    for (size_t i = 0; i < rule->spec->topics.count; i++) {
        if (covers(&rule->topics[i], topic))
            return true;
    }
    return false;
}

/* Whether some event may be both of TOPIC and of a topic of RULE: of two expressions nobody knows.
 */
static bool
rule_meets(const struct lint_rule *rule, const struct lint_topic *topic)
{
    for (size_t i = 0; i < rule->spec->topics.count; i++) {
        const struct lint_topic *other = &rule->topics[i];

        if (covers(other, topic) || covers(topic, other) ||
            (other->is_pattern && topic->is_pattern))
            return true;
    }
    return false;
}

static bool
always_true(const struct expr *when)
{
    return !when || (when->kind == EXPR_LITERAL && value_truth(&when->literal));
}

/* Whether each event that EARLIER sees, and that LATER would match, stops there. */
static bool
stops(const struct lint_rule *earlier, const struct lint_rule *later)
{
    const struct spec_rule *a = earlier->spec, *b = later->spec;

    if (a->disabled || !a->stop || a->root.text || a->for_each.text || a->max_age_ms)
        return false;
    if (always_true(earlier->when))
        return true;
    /* The same condition, asked of the same. */
    return later->when && !b->root.text && !b->for_each.text && !strcmp(a->when.text, b->when.text);
}

static const struct lint_rule *
stopper(const struct lint_state *state, size_t number, const struct lint_topic *topic)
{
    for (size_t i = 0; i < number; i++) {
        if (stops(&state->rules[i], &state->rules[number]) && rule_covers(&state->rules[i], topic))
            return &state->rules[i];
    }
    return NULL;
}

static void
find_unreachable(const struct lint_state *state, size_t number)
{
    const struct lint_rule *rule = &state->rules[number], *first = NULL;
    struct lint_text name = {.text = &rule->spec->name, .path = "name"};

    for (size_t i = 0; i < rule->spec->topics.count; i++) {
        const struct lint_rule *found = stopper(state, number, &rule->topics[i]);

        if (!found)
            return;
        first = first ? first : found;
    }
    lint_say(state, LINT_RULE_UNREACHABLE, rule, &name,
             "no event reaches it, since rule \"%s\" takes %s and has stop = true; put "
             "it before that one, or give that one a narrower \"when\"",
             first->spec->name.text,
             always_true(first->when) ? "every event of its topics"
                                      : "those with the same \"when\"");
}

static bool
is_identified(const struct lint_state *state, const struct lint_rule *rule,
              const struct lint_topic *topic)
{
    for (size_t i = 0; i < state->rule_count; i++) {
        const struct lint_rule *other = &state->rules[i];

        if (!other->spec->disabled && other->spec->identify.present &&
            other->account == rule->account && rule_meets(other, topic))
            return true;
    }
    return false;
}

static void
find_unknown(const struct lint_state *state, const struct lint_rule *rule)
{
    enum unknown_contact policy = rule->account->on_unknown_contact;

    if (!rule->spec->track.present || policy == UNKNOWN_CREATE)
        return;
    for (size_t i = 0; i < rule->spec->topics.count; i++) {
        struct lint_text track = {.text = rule->topics[i].text, .path = "track"};

        if (!is_identified(state, rule, &rule->topics[i]))
            lint_say(
                state, LINT_TRACK_WITHOUT_IDENTIFY, rule, &track,
                "no rule identifies in the topic \"%s\", and what is tracked of a contact that "
                "account \"%s\" does not have is %s; add an identify, or let the account say "
                "on_unknown_contact = \"create\"",
                rule->topics[i].text->text, rule->account->name,
                policy == UNKNOWN_SKIP ? "dropped" : "dead-lettered");
    }
}

void
lint_topics(const struct lint_state *state)
{
    for (size_t i = 0; i < state->rule_count; i++) {
        if (state->rules[i].spec->disabled)
            continue;
        find_unreachable(state, i);
        find_unknown(state, &state->rules[i]);
    }
}
