/*
 * The gate of one account: whether another call may start now. Four things decide: the operator's
 * hold and the API's Retry-After, the rate limit (a token bucket), an adaptive limit of calls in
 * flight, and a breaker. The breaker holds everything when calls fail wholesale or the account is
 * refused, lets one probe through with back-off, and opens up by a ramp. Pure: `now` is a parameter
 * in milliseconds, and jitter comes from the caller's state. Embeds in its owner; owns nothing.
 */
#ifndef DELIVERY_GATE_H
#define DELIVERY_GATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/rng.h"
#include "sendx/verdict.h"

/*      id, name, why no call starts */
#define GATE_REASON_TABLE(X)                                                               \
    X(OPEN, "open", "calls start")                                                         \
    X(OPERATOR, "operator", "the account says hold = true")                                \
    X(CONFIGURATION, "configuration", "the API refuses the account: key, team or address") \
    X(OUTAGE, "outage", "calls fail wholesale")                                            \
    X(THROTTLED, "throttled", "the API asked to wait (Retry-After)")

#define X(id, name, doc) GATE_##id,
enum gate_reason { GATE_REASON_TABLE(X) GATE_REASON_COUNT };
#undef X

struct gate_limits {
    int max_in_flight;                  /* the adaptive limit's upper bound */
    double rate;                        /* calls a second of this process, 0: unlimited */
    bool hold;                          /* an operator's stop */
    int64_t probe_min_ms, probe_max_ms; /* back-off between probes */
};

struct gate {
    struct gate_limits limits;
    double tokens; /* calls the rate limit allows now */
    int64_t tokens_ms;

    int limit;      /* of calls in flight, adapts */
    bool was_cut;   /* doubling is over: +1 a round */
    bool was_full;  /* the limit was what stopped a call in this round */
    int round;      /* calls done in this round */
    int64_t cut_ms; /* calls that started before do not cut again */
    int in_flight, retrying;

    enum gate_reason hold; /* GATE_OPEN, GATE_CONFIGURATION or GATE_OUTAGE */
    int64_t probe_due_ms;
    unsigned probes_failed;
    bool probe_out;
    uint32_t failures; /* the last calls, the newest in bit 0; set: it failed */
    int outcomes;      /* how many of them are known */

    int64_t not_before_ms; /* Retry-After */
    int64_t held_ms;       /* under any hold until counted_ms, Retry-After included */
    int64_t counted_ms;
    uint64_t successes;
};

/* What a finished call means to the gate. */
struct gate_reply {
    enum verdict verdict;
    bool congestion; /* 429, 503 or a timeout: too many calls */
    int64_t started_ms;
    int64_t not_before_ms; /* Retry-After, absolute; 0: none */
    bool retrying, probe;  /* as in gate_start */
    bool aborted;          /* by us: nothing is known of the API */
};

void gate_init(struct gate *gate, int64_t now);
void gate_set_limits(struct gate *gate, const struct gate_limits *limits, int64_t now);

/* Whether a call may start; RETRYING: one that failed before. A call that is stopped by the limit
 * of calls in flight is noted, so that the limit grows only where it binds. */
bool gate_admits(struct gate *gate, bool retrying, int64_t now);

/* Whether, under a hold, one call may go out to see whether it is over. */
bool gate_wants_probe(struct gate *gate, int64_t now);

/* What held it may have been mended: the next probe may go out now. */
void gate_probe_soon(struct gate *gate, int64_t now);

void gate_start(struct gate *gate, bool retrying, bool probe);

/* Whether a call that was started and has not gone out yet still may: Retry-After and the
 * operator's hold may have come meanwhile. */
bool gate_may_send(const struct gate *gate, int64_t now);

/* Whether a call in flight may go out once more without having ended, PROBE as it was started;
 * then it is counted against the rate, if need be by what others have to wait: when a server closes
 * all connections at once, a rate that is used up does not make failures of what was in flight. */
bool gate_start_again(struct gate *gate, bool probe, int64_t now);

void gate_done(struct gate *gate, const struct gate_reply *reply, struct rng *rng, int64_t now);

/* When a call may start that may not now for want of time alone; CLOCK_NEVER when no time helps. */
int64_t gate_deadline(const struct gate *gate, int64_t now);

int gate_limit(const struct gate *gate); /* calls in flight allowed now */
enum gate_reason gate_reason(const struct gate *gate, int64_t now);
const char *gate_reason_name(enum gate_reason reason);

/* Milliseconds under any hold so far. */
int64_t gate_held_ms(const struct gate *gate, int64_t now);

#endif
