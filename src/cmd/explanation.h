/*
 * What `explain` has to tell of one event, and its two ways of telling. Borrows everything.
 */
#ifndef CMD_EXPLANATION_H
#define CMD_EXPLANATION_H

#include <stdio.h>

#include "config/config.h"
#include "rules/trace.h"

struct explanation {
    const struct config *config;
    const struct event *event;
    size_t number;      /* of the event, from 1 */
    const char *source; /* where it was read: "events.jsonl:3" */
    enum map_outcome outcome;
    const struct mapping *mapping;
    const struct trace *trace;
    bool curl;   /* commands, too */
    bool colour; /* for a terminal */
};

/* For people. */
void explanation_print(const struct explanation *explanation, FILE *out);

/* Why a rule that was tried did not match, or what it lacks, in lines that begin with INDENT. */
void explanation_print_why(const struct trace_rule *rule, const char *indent, FILE *out);

/* For programs: one line of JSON. */
void explanation_print_json(const struct explanation *explanation, FILE *out);

#endif
