/*
 * The one door of delivery: events go in with their calls, calls come out when their turn has come,
 * verdicts go in, and offsets come out once everything below them is finished. Owns the parts, the
 * events that are not finished, their calls, and the counters of conservation. Pure: no I/O, no
 * clock; `now` is a parameter in milliseconds and jitter comes from the seed, so a simulation
 * drives exactly what the worker drives.
 *
 * The life of an event: core_open takes the offset into the partition's ledger and holds one
 * reference; core_add gives it calls, each holding one; core_close drops the first. When the last
 * reference is dropped the event is finished, or, if a call of it failed for good, becomes a dead
 * letter and is finished by the broker's report. The life of a call:
 *
 *     queued -> ready -> in flight -> delivered
 *                 ^          |-> waiting: tried again at its time
 *                 '----------'   |-> refused: until it may become a dead letter; its lane waits
 *                                '-> failed: part of its event's dead letter
 */
#ifndef DELIVERY_CORE_H
#define DELIVERY_CORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"
#include "delivery/gate.h"
#include "delivery/progress.h"
#include "rules/event.h"
#include "sendx/account.h"
#include "sendx/call.h"
#include "sendx/fold.h"
#include "sendx/verdict.h"

struct core;
struct core_part;  /* one assignment of one partition */
struct core_event; /* an event that is not finished */
struct core_job;   /* a call that is not finished */

struct core_limits {
    int64_t retry_min_ms, retry_max_ms;
    int64_t retry_for_ms;          /* a call's age of attempts, holds not counted */
    int64_t max_events, max_bytes; /* pending, all partitions together */
    enum fold_mode fold;           /* how calls that wait behind one another are joined */
    bool dead_letters;             /* false: what is refused is held */
    double budget;                 /* of dead letters, see delivery/budget.h */
};

/*      id, name, how an event ended */
#define EVENT_OUTCOME_TABLE(X)                                                    \
    X(DELIVERED, "delivered", "every call of it was delivered")                   \
    X(NO_MATCH, "no_match", "no rule matched")                                    \
    X(SKIPPED, "skipped", "a tombstone, no call, finished before, or kafka.skip") \
    X(DEAD_LETTERED, "dead_lettered", "stored in the dead-letter topic")          \
    X(GIVEN_BACK, "given_back", "left to the partition's next owner")

#define X(id, name, doc) EVENT_##id,
enum event_outcome { EVENT_OUTCOME_TABLE(X) EVENT_OUTCOME_COUNT };
#undef X

/* consumed == pending + the sum of ended, at every moment (conservation). */
struct core_counts {
    uint64_t consumed;
    uint64_t ended[EVENT_OUTCOME_COUNT];
    uint64_t pending;
    uint64_t finished_before; /* of the skipped: by an earlier owner, or before the part was lost */
};

/* How full it is, for logs, metrics and tests. */
struct core_gauges {
    size_t events, lanes, ready, in_flight, waiting;
    size_t refused;       /* calls that wait to become part of a dead letter */
    size_t unmapped;      /* events that wait for the same */
    size_t letters;       /* on their way to the topic, or waiting for it */
    size_t large_letters; /* of them, too large for the broker */
    uint64_t folded;      /* calls that were delivered along with another, ever */
    size_t full_parts;    /* not read on, since the text of their progress may get too long */
    int64_t bytes;
};

/* The next offset to read, per part: what is to be committed. */
struct core_offset {
    void *user; /* of the part */
    int64_t offset;
    const char *metadata; /* text, the part's until the next commit; NULL: none */
};

struct core *core_new(const struct core_limits *limits, uint64_t seed) MUSTCHECK;
void core_free(struct core *core); /* whatever is in it is forgotten; NULL is accepted */

/* Other limits from now on. Whether there are dead letters at all cannot change. */
void core_set_limits(struct core *core, const struct core_limits *limits);

/* ACCOUNT's limits, at first and whenever they change. Before that nothing of it starts. */
void core_set_account(struct core *core, unsigned account, const struct gate_limits *limits,
                      enum unknown_contact unknown, int64_t now);

/* A held account is probed at once: its key or its address was changed. */
void core_probe_soon(struct core *core, unsigned account, int64_t now);

/* Parts. COMMITTED is the group's committed offset, or -1 when it has none: then START is committed
 * even if nothing is read. USER is handed back in core_offset. */
struct core_part *core_assign(struct core *core, int64_t start, int64_t committed, void *user);

/* From now on the commits of PART, which is new, carry its progress as text under BINDING.
 * PROGRESS, or NULL, is what was found with the committed offset: taken over and cleared. */
void core_part_bind(struct core_part *part, uint64_t binding, struct progress *progress);

/* After core_part_bind. TEXT is the metadata that was found with the committed offset, without NUL,
 * LEN 0 where there is none. Where PART was lost before (core_lose) and offset and text are still
 * those that this core knew or had last sent, what it had finished by then takes the place of the
 * progress, and is returned: the part's. Else NULL. */
const struct progress *core_part_recall(struct core *core, struct core_part *part, const char *text,
                                        size_t len);

/* Whether another event of PART may be opened: the pending limits, of which a part may hold twice
 * its share; a held event; a drain; room in the text of its progress; no need, as every account has
 * calls enough that may start. */
bool core_has_room(const struct core *core, const struct core_part *part, int64_t now);

/* Events. OFFSET is where it stands in PART. RECORD, which of a redriven event is the original with
 * its own topic and offset, is copied; its size and the calls' count towards the limits. NULL: the
 * part's progress says that it was finished before; it is counted as skipped and there is nothing
 * to do. */
struct core_event *core_open(struct core *core, struct core_part *part, int64_t offset,
                             const struct event *record) MUSTCHECK;

/* Queues *CALL behind the earlier calls of its contact; takes it over and clears *CALL. */
void core_add(struct core *core, struct core_event *event, struct call **call);

/* No more calls come. OUTCOME is how the event ends once its calls are delivered. */
void core_close(struct core *core, struct core_event *event, enum event_outcome outcome,
                int64_t now);

/* In place of core_close, for an event that cannot be mapped, without calls: it becomes a dead
 * letter with REASON (copied). True: at once. False: when it may; until then its part is not read
 * further. */
bool core_refuse(struct core *core, struct core_event *event, const char *reason, int64_t now);

/* Where it was read: the user of its part, and its offset there, which of a redriven event is not
 * the record's. Not of one that was given back. */
void *core_event_user(const struct core_event *event);
int64_t core_event_offset(const struct core_event *event);

/* The rules have changed: those of the events that may not become a dead letter yet for which WANTS
 * says so are given to MAP, each as core_open left it. Nothing of their parts behind them has been
 * read. */
void core_map_again(struct core *core, bool (*wants)(void *arg, const struct core_event *event),
                    void (*map)(void *arg, struct core_event *event), void *arg);

/* Calls. The next one whose turn has come, now in flight, or NULL. */
struct core_job *core_next(struct core *core, int64_t now);

/* Whether JOB, which is in flight, may go out now: asked when its connection is there, which can be
 * long after core_next. AGAIN: it has gone out before, and the library would repeat it at once;
 * then that has to pass the gate anew, and is counted against the rate. */
bool core_may_send(struct core *core, const struct core_job *job, bool again, int64_t now);

/* What is to be sent for it: its call, or what that and calls behind it were folded to, or first an
 * identify that creates its contact. */
const struct call *core_job_call(const struct core_job *job);
unsigned core_job_attempts(const struct core_job *job); /* that ended, 0 on the first try */
void *core_job_user(const struct core_job *job);        /* of its part; NULL when that is gone */
int64_t core_job_offset(const struct core_job *job);
size_t core_job_folded(const struct core_job *job); /* how many other calls go along with it */
bool core_job_is_of(const struct core_job *job, const void *user); /* or one of those is */
const struct event *core_job_record(const struct core_job *job);   /* NULL when that is gone */

/* Tells LOOK of each call that ends if what is sent now is delivered: its own and those that go
 * along, in their order, each with its event. Of none when more is to be sent for them. */
void core_job_each(const struct core_job *job,
                   void (*look)(void *arg, const struct call *call, const struct event *record),
                   void *arg);

/* What came back for a call. */
struct settlement {
    enum verdict verdict;
    int status;            /* HTTP, 0: none */
    bool congestion;       /* 429, 503 or a timeout */
    int64_t not_before_ms; /* Retry-After, absolute; 0: none */
    const char *reason;    /* for people, masked; copied where it is kept */
    bool aborted;          /* broken off by us: no failure of the account */
    unsigned sends;        /* how often it went out, see reply.h */
};

/*      id, name, what core_settle did with the call */
#define SETTLED_TABLE(X)                                                                           \
    X(DONE, "done", "delivered")                                                                   \
    X(SKIPPED, "skipped", "a track of an unknown contact, left out as configured")                 \
    X(CREATED, "created", "its contact was created, now its own turn comes")                       \
    X(HALFWAY, "halfway", "of what was folded the identify is delivered, now comes the track")     \
    X(SPLIT, "split", "refused as it was folded; its parts are sent one by one")                   \
    X(WAITING, "waiting", "tried again")                                                           \
    X(FAILED, "failed", "part of a dead letter")                                                   \
    X(REFUSED, "refused", "is to become part of a dead letter and may not yet; its contact waits") \
    X(FORGOTTEN, "forgotten", "its event was given back meanwhile")

#define X(id, name, doc) SETTLED_##id,
enum settled { SETTLED_TABLE(X) SETTLED_COUNT };
#undef X

/* JOB must be in flight and is not to be used afterwards. */
enum settled core_settle(struct core *core, struct core_job *job,
                         const struct settlement *settlement, int64_t now);

/* Dead letters. The next event that is to be stored, or NULL; it stays core's, and core_letter_done
 * must be told how it ended. */
struct core_event *core_letter_next(struct core *core, int64_t now);

struct core_failure {
    struct call *call;
    size_t index; /* of the call within its event */
    enum verdict verdict;
    int status;
    char *reason;
    unsigned attempts;
    int64_t first_ms, last_ms; /* tries, in `now` */
};

const struct event *core_letter_record(const struct core_event *event);
const char *
core_letter_reason(const struct core_event *event); /* of one that was not mapped, or NULL */
size_t core_letter_failures(const struct core_event *event, const struct core_failure **ret);

/* After a letter that FAILED no other may be written until one was stored: they wait, with
 * back-off. One that is TOO_LARGE for the broker waits by itself. */
enum letter_result { LETTER_STORED, LETTER_FAILED, LETTER_TOO_LARGE };

void core_letter_done(struct core *core, struct core_event *event, enum letter_result result,
                      int64_t now);

/* Lets everything that waits for the budget become dead letters now. Returns how many events that
 * are. */
size_t core_admit_all(struct core *core, int64_t now);

/*      id, name, why dead letters wait */
#define LETTER_HOLD_TABLE(X)                                                               \
    X(NONE, "none", "they do not")                                                         \
    X(OFF, "dead_letter_off", "there is no dead-letter topic: dead_letter.topic is empty") \
    X(FAILING, "dead_letter_unavailable", "the dead-letter topic takes nothing")           \
    X(BUDGET, "dead_letter_budget", "too large a share of the events fails")               \
    X(TOO_LARGE, "dead_letter_too_large", "the broker refuses a letter for its size")

#define X(id, name, doc) LETTER_HOLD_##id,
enum letter_hold { LETTER_HOLD_TABLE(X) LETTER_HOLD_COUNT };
#undef X

enum letter_hold core_letter_hold(struct core *core, int64_t now); /* NONE where nothing waits */
const char *letter_hold_name(enum letter_hold hold);

/* Time. Moves what has become due. */
void core_tick(struct core *core, int64_t now);
int64_t core_deadline(const struct core *core, int64_t now); /* absolute; CLOCK_NEVER: none */

/* Giving up parts, all of a revocation at once. What has not begun is given back now; an event of
 * which a call was sent is finished, and so is whatever stands before its calls. */
void core_revoke(struct core *core, struct core_part **parts, size_t count);
void core_revoke_all(struct core *core);

/* Whether nothing of PART (NULL: of any part) is left that could still be finished. */
bool core_is_drained(struct core *core, const struct core_part *part);

/* The end of draining: gives back what is still unfinished in PART (NULL: in all), so that nothing
 * of it is sent any more. Calls and letters of it still on their way report nothing. */
void core_abandon(struct core *core, struct core_part *part);

/* The end of a part. What is unfinished is abandoned. */
void core_release(struct core *core, struct core_part *part);

/* The same for a part that was lost: what of it is finished is remembered, for core_part_recall, at
 * most PROGRESS_TEXT_MAX bytes. It is for the caller to know when it may be used: ERA is a number
 * that grows, and what was lost before one is forgotten by core_forget_lost. */
void core_lose(struct core *core, struct core_part *part, int64_t era);
void core_forget_lost(struct core *core, int64_t before);

/* Commits, one at a time. Writes at most CAP offsets of parts that moved since the last stored
 * commit and returns how many; unless that is 0, core_committed says how it ended. An offset is
 * followed by the part's progress: which events above it are finished. An event is, when its calls
 * have ended and so has every earlier event of its part that shares a contact with it (core_slot.c
 * says why). */
bool core_commit_is_due(const struct core *core);
bool core_part_is_committed(const struct core_part *part); /* as far as it is finished */
size_t core_commit(struct core *core, struct core_offset *offsets, size_t cap);
void core_committed(struct core *core, bool stored);

/* The parts there are now may be somebody else's by now. Until a commit of each was stored, which
 * it then says is not so, or they are released, no call starts and no dead letter is written. */
void core_doubt(struct core *core);
bool core_is_doubted(const struct core *core);

/* Before core_committed: of the commit that is out, PART's offset was not stored. */
void core_commit_refused(struct core *core, struct core_part *part);

/* The broker found a text too long: from now on they are at most half as long, cut from the top.
 * Returns the bytes they may have; at 0 none are written. */
size_t core_shorten_progress(struct core *core);
/*      id, name, what an unfinished event waits for, the nearest to its end last */
#define EVENT_WAIT_TABLE(X)                                                       \
    X(NOTHING, "nothing", "nothing that is known: a mistake of ours")             \
    X(CONTACT, "contact", "an earlier call of its contact")                       \
    X(PERMIT, "permit", "what failed may not become a dead letter yet")           \
    X(LETTER, "dead_letter", "the dead-letter topic")                             \
    X(RETRY, "retry", "the time at which a call is tried again")                  \
    X(ACCOUNT, "account", "its account: a hold, the rate, or too many in flight") \
    X(REPLY, "reply", "the reply to a call")

#define X(id, name, doc) WAIT_##id,
enum event_wait { EVENT_WAIT_TABLE(X) EVENT_WAIT_COUNT };
#undef X

struct core_wait {
    enum event_wait on; /* of the first unfinished event */
    int64_t offset;     /* its */
    uint64_t events;    /* unfinished, all of the part */
};

/* False when nothing of PART is unfinished. */
bool core_part_waits(const struct core_part *part, struct core_wait *ret);
const char *event_wait_name(enum event_wait wait);

/* The parts there are, by their users: writes at most CAP and returns how many there are. */
size_t core_parts(const struct core *core, void **users, size_t cap);

/* A part as it stands, for those who look on. */
struct core_part_view {
    int64_t next;               /* one past the highest offset taken */
    int64_t watermark;          /* the first offset that is not finished, or NEXT */
    int64_t oldest_offset;      /* of the first that has not ended, -1: none */
    int64_t committed;          /* last stored, -1: none known */
    const struct event *oldest; /* it, of a redriven one the original; borrowed, NULL: none */
    int64_t bytes;
    unsigned unmapped; /* events that may not become dead letters yet: it is not read on */
    bool revoked;
    bool doubted; /* it may be somebody else's by now, see core_doubt */
    bool full;    /* it is not read on, since its progress has no more room */
};

void core_part_view(const struct core_part *part, struct core_part_view *ret);

/* A call that failed and is not over: it is tried again, or may not become a dead letter yet.
 * Everything is borrowed until core changes. */
struct core_retry {
    const struct call *call;
    const struct event *record;
    unsigned tries;
    int64_t first_ms; /* of the first try */
    int64_t due_ms;   /* CLOCK_NEVER: refused, it waits to become a dead letter */
    enum verdict verdict;
    int status;
    const char *reason; /* of the last try, masked, cut short */
};

/* Writes the CAP that wait longest, the longest first, and how many there are in all. */
size_t core_retries(const struct core *core, struct core_retry *retries, size_t cap,
                    size_t *ret_all);

const struct core_counts *core_part_counts(const struct core_part *part);
void core_totals(const struct core *core, struct core_counts *ret); /* parts that are gone, too */
void core_gauges(const struct core *core, struct core_gauges *ret);
const struct gate *core_gate(const struct core *core, unsigned account); /* borrowed, may be NULL */
bool core_account_waits(const struct core *core, unsigned account); /* a call of it, for its turn */
const char *event_outcome_name(enum event_outcome outcome);

/* Checks every invariant that can be checked from inside, by assertions. For tests. */
void core_check(const struct core *core);

#endif
