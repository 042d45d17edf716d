/*
 * What each rule meets in its events: how often it matches, and for each path that its settings
 * read, how often something stands there and of which kind. A producer that renames a field shows
 * here before anybody misses it. Lives in its ruleset, in fixed memory; changes no result.
 *
 * Matches are counted for each event. Paths are looked at for one event of a rule in
 * SENTINEL_PAUSE_MS, and one element of it, after a pause for SENTINEL_BURST of them: the cost has
 * a bound whatever the load. The counts are halved at SENTINEL_SAMPLES, so that they tell of the
 * last thousand or so that were looked at.
 */
#ifndef RULES_SENTINEL_H
#define RULES_SENTINEL_H

#include "base/arena.h"
#include "rules/eval.h"

enum {
    SENTINEL_PATHS_MAX = 32, /* of one rule; more are not watched */
    SENTINEL_PAUSE_MS = 20,
    SENTINEL_BURST = 64,
    SENTINEL_SAMPLES = 1024,
    SENTINEL_KINDS = VALUE_OBJECT + 1
};

struct expr;
struct rule;

struct sentinel_path {
    const char *text; /* as written */
    const struct expr *expr;
    unsigned counts[SENTINEL_KINDS]; /* by enum value_kind; VALUE_NULL: null, or not there */
};

struct sentinel {
    uint64_t matched, not_matched, failed, too_old; /* events */
    int64_t credit_ms;           /* wall time until which looks are paid for: one costs a pause */
    struct sentinel_path *paths; /* in ARENA, as is their text */
    size_t path_count, paths_left_out;
};

/* Finds the paths of RULE. */
void sentinel_init(struct sentinel *sentinel, const struct rule *rule, struct arena *arena);

/* Takes over what was counted for each event. */
void sentinel_continue(struct sentinel *sentinel, const struct sentinel *old);

/* Whether paths are to be looked at now, should the rule match. */
bool sentinel_is_due(struct sentinel *sentinel, int64_t wall_ms);

/* Looks at what stands there in the event, or element, that EVAL is at. Costs EVAL nothing. */
void sentinel_look(struct sentinel *sentinel, struct eval *eval);

/* How many were looked at, and the share of them where something stood: 1 while there is none. */
unsigned sentinel_samples(const struct sentinel_path *path);
double sentinel_present(const struct sentinel_path *path);

const char *sentinel_kind_name(enum value_kind kind);

#endif
