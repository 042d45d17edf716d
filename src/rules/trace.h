/*
 * What a ruleset did with one event, told while it does it: each rule with what became of it, the
 * part of its `when` that decided, each setting with the paths it read. The evaluator is the
 * worker's; a trace only watches (ruleset_trace), and what it asks for itself costs the event
 * nothing of its limits. Owns the notes of the latest event, and what all events together reached.
 * Bounded: long values are cut, and past a limit nothing is noted but the results of rules.
 */
#ifndef RULES_TRACE_H
#define RULES_TRACE_H

#include "rules/rule.h"
#include "rules/ruleset.h"

enum {
    TRACE_VALUE_MAX = 160,        /* bytes of a value, about */
    TRACE_READS_MAX = 16,         /* paths of one setting */
    TRACE_PARTS_MAX = 8,          /* parts of one `when` */
    TRACE_ELEMENTS_MAX = 100,     /* elements of one for_each */
    TRACE_BYTES_MAX = 1024 * 1024 /* of all notes of an event */
};

/* A value as JSON text; cut: it is no JSON any more, and ends in "…". */
struct trace_value {
    const char *text;
    bool cut;
};

/* What an expression read: a path, or an operand, with its value. */
struct trace_read {
    const struct trace_read *next;
    const char *text; /* as written, TEXT_LEN bytes */
    size_t text_len;
    bool is_path;
    struct trace_value value;
};

/* A part of `when` that decided. */
struct trace_part {
    const struct trace_part *next;
    const char *text; /* as written, TEXT_LEN bytes */
    size_t text_len;
    bool holds;
    bool is_compare;          /* its value is its truth, and READS are the operands */
    struct trace_value value; /* of the part */
    const struct trace_read *reads;
};

enum trace_outcome {
    TRACE_SET,
    TRACE_NULL,  /* left out */
    TRACE_EMPTY, /* left out: empty text, or an array without a tag in it */
    TRACE_WRONG  /* cannot be rendered */
};

struct trace_setting {
    const struct trace_setting *next;
    const struct setting *setting;
    enum trace_outcome outcome;
    struct trace_value value; /* what it rendered to */
    const char *reason;       /* of TRACE_WRONG */
    const struct trace_read *reads;
};

/* A tag that was rendered and left out of its call. */
struct trace_drop {
    const struct trace_drop *next;
    enum call_kind call;
    struct trace_value tag;
    bool removed; /* it stood among those to remove */
};

/* The rule on the whole event, or on one element. */
struct trace_element {
    const struct trace_element *next;
    bool is_item;
    int64_t index;           /* of the item */
    struct trace_value item; /* of for_each */
    enum rule_result result;
    bool has_when;
    const struct trace_part *parts; /* when it does not hold */
    bool parts_cut;                 /* there are more */
    const struct trace_setting *settings;
    const struct trace_drop *dropped;
    bool track_empty; /* a track without a tag, which is not sent */
};

struct trace_rule {
    const struct rule *rule;
    enum rule_result result;
    const struct rule *stopped_by; /* of RULE_STOPPED */
    size_t element_count, matched_count;
    const struct trace_element *elements; /* the first of them */
    /* Over all events since trace_new. */
    bool ever_matched, when_held, when_failed;
};

struct trace;

/* RULES is borrowed. */
struct trace *trace_new(const struct ruleset *rules) MUSTCHECK;
void trace_free(struct trace *trace); /* NULL is accepted */

/* The rules in written order, as many as the ruleset has. Borrowed until the next event. */
const struct trace_rule *trace_rule(const struct trace *trace, size_t i);

/* Whether notes of the latest event were left out for want of room. */
bool trace_is_cut(const struct trace *trace);

/* Whether any event since trace_new used ENTRY of a table. */
bool trace_entry_used(const struct trace *trace, const struct table_entry *entry);

/* What follows is for ruleset and rule, in the order in which it is told. */

/* The event that EVAL is about to see. EVAL is borrowed until trace_done. */
void trace_start(struct trace *trace, struct eval *eval);
void trace_done(struct trace *trace);

/* RULE reads the event's topic. */
void trace_met(struct trace *trace, const struct rule *rule);
void trace_stopped(struct trace *trace, const struct rule *by);

void trace_rule_start(struct trace *trace, const struct rule *rule);
void trace_rule_done(struct trace *trace, enum rule_result result);

void trace_element_start(struct trace *trace);
void trace_when(struct trace *trace, bool holds);
void trace_setting_start(struct trace *trace);
void trace_setting_done(struct trace *trace, const struct setting *setting,
                        enum trace_outcome outcome, const struct value *value, const char *reason);
void trace_tag_dropped(struct trace *trace, enum call_kind call, const struct value *tag,
                       bool removed);
void trace_track_empty(struct trace *trace);
void trace_element_done(struct trace *trace, enum rule_result result);

#endif
