/*
 * One rule, compiled, and its application to an event: what its settings render to as calls. A rule
 * owns nothing; it lives in the struct code of its ruleset.
 */
#ifndef RULES_RULE_H
#define RULES_RULE_H

#include "rules/sentinel.h"
#include "rules/template.h"
#include "sendx/call.h"

enum { RULE_KINDS = 2 /* CALL_IDENTIFY and CALL_TRACK */ };

enum setting_target {
    SETTING_EMAIL,
    SETTING_NEW_EMAIL,
    SETTING_FIRST_NAME,
    SETTING_LAST_NAME,
    SETTING_COMPANY,
    SETTING_BIRTHDAY,
    SETTING_FIELD,
    SETTING_TAG, /* to add: identify's tags, track's addTags */
    SETTING_REMOVE_TAG
};

/* A template and where its text goes. */
struct setting {
    enum setting_target target;
    enum call_kind call;
    const char *path;  /* "identify.customFields.Age"; of an inherited e-mail "email" */
    const char *field; /* name of the custom field */
    const struct template *template;
    unsigned order; /* spec_text's; 0 for the file's e-mail, which stands before all rules */
};

struct rule {
    const char *name;
    const struct expr *when, *root, *for_each; /* NULL: not written */
    unsigned account;
    int64_t max_age_ms; /* older events do not match; 0: any age does */
    bool skip_without_email, allow_increment, stop, enabled;
    bool has_call[RULE_KINDS];
    size_t field_count;
    const struct setting *settings; /* in written order */
    size_t setting_count;
    const size_t *topics; /* indexes in the ruleset's */
    size_t topic_count;
};

struct trace;

/* What a ruleset applies its rules with. Owns its memory, which is reused from event to event. */
struct renderer {
    struct eval eval;
    struct arena event_arena; /* what lives as long as the event: roots and arrays to go through */
    struct arena arena;       /* one rule on one element */
    struct call_list *calls;  /* borrowed: where calls go */
    size_t call_bytes;
    char *reason; /* borrowed: where the reason of a failure goes */
    size_t reason_size;
    struct trace *trace;       /* borrowed: who is told what happens; NULL: nobody */
    struct sentinel *sentinel; /* borrowed: looks at the next match; NULL: nobody does */
};

void renderer_init(struct renderer *renderer, uint64_t seed);
void renderer_fini(struct renderer *renderer);

void renderer_start(struct renderer *renderer, const struct event *event, json_t *payload);
void renderer_done(struct renderer *renderer);

/* What becomes of a rule on an event. Of several elements the last in this order counts. */
/*      id, name, what happened */
#define RULE_RESULT_TABLE(X)                                                         \
    X(OTHER_TOPIC, "other_topic", "it does not read this topic")                     \
    X(DISABLED, "disabled", "enabled = false")                                       \
    X(NOT_REACHED, "not_reached", "the event had ended before")                      \
    X(STOPPED, "stopped", "an earlier rule with stop = true matched")                \
    X(TOO_OLD, "too_old", "the event is older than max_age")                         \
    X(NO_ROOT, "no_root", "root is null or missing")                                 \
    X(NO_ELEMENTS, "no_elements", "for_each is null, missing or empty")              \
    X(NOT_MATCHED, "not_matched", "when is false")                                   \
    X(WITHOUT_EMAIL, "without_email", "matched, and sends nothing by without_email") \
    X(MATCHED, "matched", "matched")                                                 \
    X(FAILED, "failed", "cannot be rendered; the reason is written")

#define X(id, name, doc) RULE_##id,
enum rule_result { RULE_RESULT_TABLE(X) RULE_RESULT_COUNT };
#undef X

static inline bool
rule_result_is_match(enum rule_result result)
{
    return result == RULE_MATCHED || result == RULE_WITHOUT_EMAIL;
}

/* Adds the calls of RULE for the event that was started. The result is RULE_NO_ROOT or one behind
 * it. */
enum rule_result rule_apply(const struct rule *rule, struct renderer *renderer);

const char *rule_result_name(enum rule_result result);

#endif
