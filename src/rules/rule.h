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

/* What a ruleset applies its rules with. Owns its memory, which is reused from event to event. */
struct renderer {
    struct eval eval;
    struct arena event_arena; /* what lives as long as the event: roots and arrays to go through */
    struct arena arena;       /* one rule on one element */
    struct call_list *calls;  /* borrowed: where calls go */
    size_t call_bytes;
    char *reason; /* borrowed: where the reason of a failure goes */
    size_t reason_size;
    struct sentinel *sentinel; /* borrowed: looks at the next match; NULL: nobody does */
};

void renderer_init(struct renderer *renderer, uint64_t seed);
void renderer_fini(struct renderer *renderer);

void renderer_start(struct renderer *renderer, const struct event *event, json_t *payload);
void renderer_done(struct renderer *renderer);

enum rule_result {
    RULE_NOT_MATCHED,
    RULE_MATCHED,
    RULE_FAILED /* the reason is written */
};

/* Adds the calls of RULE for the event that was started. */
enum rule_result rule_apply(const struct rule *rule, struct renderer *renderer);

#endif
