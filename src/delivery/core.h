/*
 * The one door of delivery: events go in with their calls, calls come out when their turn has come,
 * verdicts go in, and offsets come out once everything below them is finished. Owns the parts, the
 * events that are not finished, their calls, and the counters of conservation. Pure: no I/O, no
 * clock; `now` is a parameter in milliseconds and jitter comes from the seed, so a simulation
 * drives exactly what the worker drives.
 *
 * The life of an event: core_open takes the offset into the partition's ledger and holds one
 * reference; core_add gives it calls, each holding one; core_close drops the first. The event is
 * finished when the last reference is dropped. The life of a call:
 *
 *     queued -> ready -> in flight -> done
 *                 ^          |-> waiting (tried again at its time)
 *                 '----------'   '-> held (refused for good: stays at the head of its lane)
 */
#ifndef DELIVERY_CORE_H
#define DELIVERY_CORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"
#include "sendx/call.h"
#include "sendx/verdict.h"

struct core;
struct core_part;  /* one assignment of one partition */
struct core_event; /* an event that is not finished */
struct core_job;   /* a call that is not finished */

struct core_limits {
    int64_t retry_min_ms, retry_max_ms;
    int64_t max_events, max_bytes; /* pending, all partitions together */
};

/*      id, name, how an event ended */
#define EVENT_OUTCOME_TABLE(X)                                      \
    X(DELIVERED, "delivered", "every call of it was delivered")     \
    X(NO_MATCH, "no_match", "no rule matched")                      \
    X(SKIPPED, "skipped", "a tombstone, or matched without a call") \
    X(GIVEN_BACK, "given_back", "left to the partition's next owner")

#define X(id, name, doc) EVENT_##id,
enum event_outcome { EVENT_OUTCOME_TABLE(X) EVENT_OUTCOME_COUNT };
#undef X

/* consumed == pending + the sum of ended, at every moment (conservation). */
struct core_counts {
    uint64_t consumed;
    uint64_t ended[EVENT_OUTCOME_COUNT];
    uint64_t pending;
};

/* How full it is, for logs, metrics and tests. */
struct core_gauges {
    size_t events, lanes, ready, in_flight, waiting, held;
    int64_t bytes;
};

/* The next offset to read, per part: what is to be committed. */
struct core_offset {
    void *user; /* of the part */
    int64_t offset;
};

struct core *core_new(const struct core_limits *limits, uint64_t seed) MUSTCHECK;
void core_free(struct core *core); /* whatever is in it is forgotten; NULL is accepted */

/* At most MAX_IN_FLIGHT calls of ACCOUNT at once. An account has 0 until this is said. */
void core_set_account(struct core *core, unsigned account, int max_in_flight);

/* Parts. COMMITTED is the group's committed offset, or -1 when it has none: then START is committed
 * even if nothing is read. USER is handed back in core_offset. */
struct core_part *core_assign(struct core *core, int64_t start, int64_t committed, void *user);

/* Whether another event of PART may be opened: the pending limits, of which a part may hold twice
 * its share; a held event; a drain. */
bool core_has_room(const struct core *core, const struct core_part *part);

/* Events. BYTES is the record's size; it and the calls' count towards the limits. */
struct core_event *core_open(struct core *core, struct core_part *part, int64_t offset,
                             size_t bytes);

/* Queues *CALL behind the earlier calls of its contact; takes it over and clears *CALL. */
void core_add(struct core *core, struct core_event *event, struct call **call);

/* No more calls come. OUTCOME is how the event ends once its calls are delivered. */
void core_close(struct core *core, struct core_event *event, enum event_outcome outcome);

/* In place of core_close, for an event that cannot be mapped: it stays unfinished, and its part is
 * not read further. It must have no calls. */
void core_hold(struct core *core, struct core_event *event);

/* Calls. The next one whose turn has come, now in flight, or NULL. */
struct core_job *core_next(struct core *core);
const struct call *core_job_call(const struct core_job *job);
unsigned core_job_attempts(const struct core_job *job); /* those that ended, 0 on the first try */
void *core_job_user(const struct core_job *job);        /* of its part; NULL when that is gone */
int64_t core_job_offset(const struct core_job *job);

/* What core_settle did with the call. */
enum settled { SETTLED_DONE, SETTLED_WAITING, SETTLED_HELD, SETTLED_FORGOTTEN };

/* The reply to JOB, which must be in flight and is not to be used afterwards. NOT_BEFORE_MS: no
 * earlier than this (0: no wish). */
enum settled core_settle(struct core *core, struct core_job *job, enum verdict verdict,
                         int64_t not_before_ms, int64_t now);

/* Time. Moves the calls whose waiting is over. */
void core_tick(struct core *core, int64_t now);
int64_t core_deadline(const struct core *core); /* absolute; CLOCK_NEVER when nothing waits */

/* Giving up parts, all of a revocation at once. What has not begun is given back now; an event of
 * which a call was sent is finished, and so is whatever stands before its calls. */
void core_revoke(struct core *core, struct core_part **parts, size_t count);

void core_revoke_all(struct core *core);

/* Whether nothing of PART (NULL: of any part) is left that could still be finished. */
bool core_is_drained(struct core *core, const struct core_part *part);

/* The end of draining: gives back what is still unfinished in PART (NULL: in all), so that nothing
 * of it is sent any more. Calls of it still in flight report nothing. */
void core_abandon(struct core *core, struct core_part *part);

/* The end of a part. What is unfinished is given back; calls of it still in flight report nothing.
 */
void core_release(struct core *core, struct core_part *part);

/* Commits, one at a time. Writes at most CAP offsets of parts that moved since the last stored
 * commit (all parts when ALL) and returns how many; core_committed says how it ended. */
bool core_commit_is_due(const struct core *core);
size_t core_commit(struct core *core, struct core_offset *offsets, size_t cap);
void core_committed(struct core *core, bool stored);
size_t core_part_count(const struct core *core);

const struct core_counts *core_part_counts(const struct core_part *part);
void core_totals(const struct core *core, struct core_counts *ret); /* parts that are gone, too */
void core_gauges(const struct core *core, struct core_gauges *ret);
const char *event_outcome_name(enum event_outcome outcome);

/* Checks every invariant that can be checked from inside, by assertions. For tests. */
void core_check(const struct core *core);

#endif
