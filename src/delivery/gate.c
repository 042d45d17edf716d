#include "delivery/gate.h"

#include <assert.h>

#include "base/clock.h"
#include "delivery/retry.h"

enum {
    FIRST_LIMIT = 8,                 /* calls in flight at the start, doubling a round */
    BUCKET_MS = 100,                 /* what the token bucket holds, at least one call */
    TOKEN_MAX_MS = 24 * 3600 * 1000, /* the longest wait for a token that is told */
    OUTCOMES = 20,                   /* an outage is seen in the last so many calls … */
    OUTAGE_FAILED = 18               /* … of which at least so many failed */
};

void
gate_init(struct gate *gate, int64_t now)
{
    *gate =
        (struct gate){.limit = FIRST_LIMIT, .tokens_ms = now, .counted_ms = now, .cut_ms = now - 1};
}

static double
bucket_size(const struct gate *gate)
{
    double size = gate->limits.rate * BUCKET_MS / 1000;

    return size > 1 ? size : 1;
}

static void
fill_bucket(struct gate *gate, int64_t now)
{
    gate->tokens += gate->limits.rate * (double)(now - gate->tokens_ms) / 1000;
    if (gate->tokens > bucket_size(gate))
        gate->tokens = bucket_size(gate);
    gate->tokens_ms = now;
}

int
gate_limit(const struct gate *gate)
{
    return gate->limit < gate->limits.max_in_flight ? gate->limit : gate->limits.max_in_flight;
}

int64_t
gate_held_ms(const struct gate *gate, int64_t now)
{
    int64_t until_ms = now;

    if (!gate->limits.hold && gate->hold == GATE_OPEN && gate->not_before_ms < now)
        until_ms = gate->not_before_ms;
    return gate->held_ms + (until_ms > gate->counted_ms ? until_ms - gate->counted_ms : 0);
}

/* Before anything changes that says whether a call may start. */
static void
count_held(struct gate *gate, int64_t now)
{
    gate->held_ms = gate_held_ms(gate, now);
    gate->counted_ms = now;
}

void
gate_set_limits(struct gate *gate, const struct gate_limits *limits, int64_t now)
{
    fill_bucket(gate, now);
    count_held(gate, now);
    gate->limits = *limits;
    if (gate->tokens > bucket_size(gate))
        gate->tokens = bucket_size(gate);
}

enum gate_reason
gate_reason(const struct gate *gate, int64_t now)
{
    if (gate->limits.hold)
        return GATE_OPERATOR;
    if (gate->hold != GATE_OPEN)
        return gate->hold;
    return now < gate->not_before_ms ? GATE_THROTTLED : GATE_OPEN;
}

bool
gate_may_send(const struct gate *gate, int64_t now)
{
    return !gate->limits.hold && now >= gate->not_before_ms;
}

/* Whether time and rate allow a call. */
static bool
has_token(struct gate *gate, int64_t now)
{
    if (!gate_may_send(gate, now))
        return false;
    if (gate->limits.rate <= 0)
        return true;
    fill_bucket(gate, now);
    return gate->tokens >= 1;
}

bool
gate_admits(struct gate *gate, bool retrying, int64_t now)
{
    int limit = gate_limit(gate);

    if (gate->hold != GATE_OPEN)
        return false;
    if (gate->in_flight >= limit) {
        gate->was_full = true;
        return false;
    }
    if (retrying && gate->retrying >= (limit > 1 ? limit / 2 : 1))
        return false;
    return has_token(gate, now);
}

bool
gate_wants_probe(struct gate *gate, int64_t now)
{
    return gate->hold != GATE_OPEN && !gate->probe_out && now >= gate->probe_due_ms &&
           gate->limits.max_in_flight > 0 && has_token(gate, now);
}

void
gate_probe_soon(struct gate *gate, int64_t now)
{
    gate->probes_failed = 0;
    if (gate->probe_due_ms > now)
        gate->probe_due_ms = now;
}

void
gate_start(struct gate *gate, bool retrying, bool probe)
{
    gate->in_flight++;
    gate->retrying += retrying;
    if (probe)
        gate->probe_out = true;
    if (gate->limits.rate > 0)
        gate->tokens -= 1;
}

bool
gate_start_again(struct gate *gate, bool probe, int64_t now)
{
    if ((gate->hold != GATE_OPEN && !probe) || !gate_may_send(gate, now))
        return false;
    if (gate->limits.rate > 0) {
        fill_bucket(gate, now);
        gate->tokens -= 1;
    }
    return true;
}

static void
begin_hold(struct gate *gate, enum gate_reason reason, int64_t delay_ms, int64_t now)
{
    gate->hold = reason;
    gate->probes_failed = 0;
    gate->probe_due_ms = now + delay_ms;
}

/* The ramp: one call, and doubling again. */
static void
end_hold(struct gate *gate)
{
    gate->hold = GATE_OPEN;
    gate->limit = 1;
    gate->was_cut = gate->was_full = false;
    gate->round = 0;
    gate->failures = 0;
    gate->outcomes = 0;
}

static void
cut(struct gate *gate, int64_t now)
{
    gate->limit = gate_limit(gate) / 2 > 1 ? gate_limit(gate) / 2 : 1;
    gate->was_cut = true;
    gate->was_full = false;
    gate->round = 0;
    gate->cut_ms = now;
}

static void
grow(struct gate *gate)
{
    if (++gate->round < gate->limit)
        return;
    gate->round = 0;
    if (gate->was_full && gate->limit < gate->limits.max_in_flight)
        gate->limit = gate->was_cut ? gate->limit + 1 : gate->limit * 2;
    gate->was_full = false;
}

static bool
is_failure(enum verdict verdict)
{
    return verdict == VERDICT_TRANSIENT || verdict == VERDICT_THROTTLED ||
           verdict == VERDICT_CONFIGURATION;
}

static bool
is_outage(const struct gate *gate)
{
    return gate->outcomes >= OUTCOMES &&
           __builtin_popcount(gate->failures & ((1u << OUTCOMES) - 1)) >= OUTAGE_FAILED;
}

static void
probe_done(struct gate *gate, const struct gate_reply *reply, struct rng *rng, int64_t now)
{
    gate->probe_out = false;
    if (gate->hold == GATE_OPEN)
        return;
    if (!is_failure(reply->verdict)) {
        end_hold(gate);
        return;
    }
    gate->hold = reply->verdict == VERDICT_CONFIGURATION ? GATE_CONFIGURATION : GATE_OUTAGE;
    gate->probes_failed++;
    gate->probe_due_ms = now + retry_delay_ms(rng, gate->probes_failed, gate->limits.probe_min_ms,
                                              gate->limits.probe_max_ms);
}

void
gate_done(struct gate *gate, const struct gate_reply *reply, struct rng *rng, int64_t now)
{
    bool failed = is_failure(reply->verdict);

    assert(gate->in_flight > 0);
    count_held(gate, now);
    gate->in_flight--;
    gate->retrying -= reply->retrying;
    if (reply->aborted) {
        gate->probe_out &= !reply->probe;
        return;
    }
    gate->failures = gate->failures << 1 | failed;
    if (gate->outcomes < OUTCOMES)
        gate->outcomes++;
    if (!failed) {
        gate->successes++;
        grow(gate);
    }
    if (reply->not_before_ms > gate->not_before_ms)
        gate->not_before_ms = reply->not_before_ms;
    if (reply->congestion && reply->started_ms > gate->cut_ms)
        cut(gate, now);
    if (reply->probe)
        probe_done(gate, reply, rng, now);
    else if (gate->hold == GATE_OPEN && reply->verdict == VERDICT_CONFIGURATION)
        begin_hold(gate, GATE_CONFIGURATION, gate->limits.probe_min_ms, now);
    else if (gate->hold == GATE_OPEN && is_outage(gate))
        begin_hold(gate, GATE_OUTAGE, gate->limits.probe_min_ms, now);
}

int64_t
gate_deadline(const struct gate *gate, int64_t now)
{
    int64_t due_ms = gate->not_before_ms;

    if (gate->limits.hold || (gate->hold != GATE_OPEN && gate->probe_out))
        return CLOCK_NEVER;
    if (gate->hold == GATE_OPEN && gate->in_flight >= gate_limit(gate))
        return CLOCK_NEVER;
    if (gate->hold != GATE_OPEN && gate->probe_due_ms > due_ms)
        due_ms = gate->probe_due_ms;
    if (gate->limits.rate > 0 && gate->tokens < 1) {
        double wait_ms = (1 - gate->tokens) * 1000 / gate->limits.rate;
        int64_t token_ms =
            gate->tokens_ms + (wait_ms < TOKEN_MAX_MS ? (int64_t)wait_ms : TOKEN_MAX_MS) + 1;

        due_ms = token_ms > due_ms ? token_ms : due_ms;
    }
    return due_ms > now ? due_ms : CLOCK_NEVER;
}

const char *
gate_reason_name(enum gate_reason reason)
{
#define X(id, name, doc) name,
    static const char *const names[] = {GATE_REASON_TABLE(X)};
#undef X

    assert((size_t)reason < GATE_REASON_COUNT);
    return names[reason];
}
