/*
 * The structs behind delivery/core, shared by its files only: core.c (accounts, time), core_job.c
 * (the states of a call), core_event.c (the life of an event, dead letters), core_settle.c (what a
 * reply does), core_slot.c (when an event counts as finished), core_fold.c (calls that are sent as
 * one), core_parts.c (partitions, hand-over, commits), core_lost.c (what is remembered of lost
 * partitions), core_wait.c (what a partition waits for), core_view.c (for those who look on),
 * core_check.c (gauges and invariants).
 */
#ifndef DELIVERY_CORE_STATE_H
#define DELIVERY_CORE_STATE_H

#include "base/buf.h"
#include "base/heap.h"
#include "base/list.h"
#include "base/rng.h"
#include "delivery/budget.h"
#include "delivery/core.h"
#include "delivery/lane.h"
#include "delivery/ledger.h"
#include "delivery/progress.h"
#include "delivery/record.h"

enum {
    JOB_ENTRIES = 2,           /* a rename stands in two lanes */
    JOB_REASON_MAX = 80,       /* what is kept of the reason why a call is tried again */
    CONTACT_KEY_MAX = 32 << 20 /* of an event's 8 MiB of calls; lowering can make a text longer */
};

/* Each state is a container the job is in. */
enum job_state {
    JOB_QUEUED,    /* not at the head of all its lanes */
    JOB_READY,     /* in its account's heap of fresh ones, or of those that failed before */
    JOB_IN_FLIGHT, /* in its account's in_flight list */
    JOB_WAITING,   /* in the heap of timers */
    JOB_REFUSED,   /* in the list of refused ones */
    JOB_FOLDED     /* in the members of the fold that another one leads */
};

/* What a job sends together with those behind it in its lane. */
struct core_fold {
    struct list members;           /* of core_job.state_node, in the order of the lane */
    struct call *identify, *track; /* left to be sent, the identify first; or NULL */
    int64_t size;                  /* bytes, counted with the leader's event */
    bool broken;                   /* a member was given back while it was on its way */
};

/* What stops a whole account and a call drew, while others succeeded in between. */
struct core_strikes {
    unsigned count;
    int64_t alone_ms; /* of the second of them: others had succeeded for the first time */
};

struct core_job {
    struct call *call;
    struct call *create;      /* to be sent first: creates the contact of a track; or NULL */
    struct core_event *event; /* NULL once its event was given back while it was in flight */
    enum job_state state;
    struct lane_entry entries[JOB_ENTRIES];
    size_t entry_count;
    size_t index; /* within its event */

    unsigned attempts;            /* failed ones, but for those under a hold */
    unsigned tries;               /* all that ended, and repeats by the library */
    int64_t started_ms, first_ms; /* of the last and the first try; first_ms 0: none yet */
    int64_t held_ms;              /* the gate's, at the first try */
    uint64_t successes;           /* the gate's, at the first try or the last failure */
    struct core_strikes refusals, throttles; /* configuration; Retry-After */
    unsigned denials;                        /* of the refusals, those with 403 or 404 */
    bool created;                            /* its contact was created by us */
    bool alone;              /* is not folded: it was part of a fold that was refused */
    struct core_fold *fold;  /* that it leads, or NULL */
    struct core_job *leader; /* while folded */
    bool retrying, probe;    /* of the try in flight */

    struct core_failure failure; /* while refused */
    enum verdict last_verdict;   /* of the last try that failed */
    int last_status;
    char last_reason[JOB_REASON_MAX];
    int64_t seq;            /* in the order of arrival */
    struct list state_node; /* in flight, refused, folded */
    struct list tries_node; /* ready or waiting: core_account.tries */
    struct heap_node timer; /* waiting: by time; ready: by seq */
    struct list event_node; /* core_event.jobs */
    struct list todo_node;  /* while mark_stuck works */
    uint64_t stuck_round;   /* the last mark_stuck that found it behind a refused call */
};

/* Where an event is on its way to the dead-letter topic. */
enum letter_state {
    LETTER_NONE,
    LETTER_UNMAPPED, /* in core.unmapped: may not become one yet */
    LETTER_QUEUED,   /* in core.letters */
    LETTER_LARGE,    /* in core.large_letters: the broker will not take it as its limits are */
    LETTER_OUT       /* in core.letters_out: handed over by core_letter_next */
};

/* An event's place in its partition. It outlives the event until that counts as finished; see
 * core_slot.c. */
struct core_slot {
    struct ledger_slot place;
    struct core_part *part;
    struct core_event *event; /* NULL: it ended or was given back */
    bool given_back;
    int64_t bytes;     /* of the slot and its marks; not counted when it was given back */
    struct list marks; /* of core_mark.slot_node: where calls of it have ended */
    struct list todo_node;
};

struct core_mark {
    struct lane_mark lane;
    struct list slot_node;
    struct core_slot *slot;
};

struct core_event {
    struct core_slot *slot; /* NULL: given back while its letter was out; so is the part */
    struct core_part *part;
    struct record *record;
    struct list jobs; /* unfinished calls */
    size_t call_count;
    unsigned refs; /* unfinished calls, and one until core_close */
    unsigned in_flight;
    bool begun;            /* a call of it was sent */
    bool keep;             /* its part is revoked, and it is to be finished first */
    bool admitted;         /* it may become a dead letter: the budget was spent on it */
    struct list todo_node; /* while core_revoke works */
    enum event_outcome outcome;
    int64_t bytes;

    enum letter_state letter;
    struct list letter_node;
    char *reason; /* why it could not be mapped, or NULL */
    struct core_failure *failures;
    size_t failure_count, failure_cap;
};

/* What the broker may have of a partition: an offset, -1 for none, and a hash of its metadata. */
struct core_stamp {
    int64_t offset;
    uint64_t text_hash;
};

struct core_part {
    struct list node;
    struct ledger ledger;
    int64_t committed;  /* last stored, -1: none known */
    int64_t committing; /* in the commit that is out, -1: not in it */
    bool bound;         /* its progress is committed, too */
    uint64_t binding;
    struct progress past; /* found at the start; what was not received yet is still as it says */
    size_t past_at;       /* unfinished ones before it were received */
    uint64_t committed_changes, committing_changes; /* of the ledger */
    struct buf text;                                /* metadata of the last commit */
    struct core_stamp known, sent; /* found or stored last, and sent last; see core_lost.c */
    bool revoked;
    bool doubted;       /* see core_doubt */
    bool being_assured; /* by the commit that is out */
    unsigned unmapped;  /* events that may not become dead letters yet: it is not read on */
    int64_t bytes;
    void *user;
    struct core_counts counts;
};

struct core_account {
    struct gate gate;
    bool is_set;
    enum unknown_contact unknown;
    struct heap fresh, again; /* ready: never tried, and failed before; the oldest first, so that
                                 the committed offset moves */
    struct list tries; /* ready or waiting, the longest untried first: whose turn a probe is */
    struct list in_flight;
};

struct core {
    struct core_limits limits;
    struct rng rng;
    struct lanes lanes;
    struct heap timers;
    struct list parts, refused, unmapped;
    struct list letters, large_letters, letters_out;
    struct list ended;    /* slots, while core_slot_end works */
    struct list lost;     /* of core_lost.node */
    int64_t large_due_ms; /* none of the large ones before this */
    size_t part_count;
    struct core_account **accounts;
    size_t account_count, account_cap;
    size_t next_account; /* whose turn it is */
    struct buf key;
    int64_t next_seq;
    struct budget budget;
    unsigned letters_failed; /* in a row */
    int64_t letters_due_ms;  /* no letter before this */
    struct core_counts gone; /* of parts that were released */
    size_t events, ready, in_flight, waiting, refused_count, unmapped_count, letter_count;
    int64_t bytes;
    uint64_t folded; /* calls that were delivered along with another */
    bool commit_out;
    size_t doubted;  /* parts */
    size_t text_max; /* bytes of metadata that the broker takes */
    uint64_t stuck_round;
};

struct core_account *core_account_of(struct core *core, unsigned account);

/* core_job.c. Queues a job for CALL, which it takes over. */
struct core_job *core_job_new(struct core *core, struct core_event *event, struct call *call);

/* Takes JOB out of its state and its lanes and frees it, with its call unless that was taken. */
void core_job_end(struct core *core, struct core_job *job);

/* The one door between states. DUE_MS: for JOB_WAITING. */
void core_job_set_state(struct core *core, struct core_job *job, enum job_state state,
                        int64_t due_ms);

/* Whether JOB is at the head of all its lanes. */
bool core_job_heads_lanes(const struct core_job *job);

/* core_slot.c. A new event's slot, at OFFSET. */
struct core_slot *core_slot_open(struct core *core, struct core_part *part, int64_t offset);

/* JOB is about to end, and its event goes on unless ENDS. */
void core_slot_mark(struct core *core, const struct core_job *job, bool ends);

/* The event of SLOT has ended: it is finished now, or when the earlier ones that share a contact
 * with it are. */
void core_slot_end(struct core *core, struct core_slot *slot);

/* The event of SLOT is left to the next owner. */
void core_slot_give_back(struct core *core, struct core_slot *slot);

/* The part is about to go. */
void core_slot_forget(struct core *core, struct core_slot *slot);

/* core_fold.c. JOB, about to be sent, may take along what waits behind it. */
void core_fold_start(struct core *core, struct core_job *job);

/* Takes the fold of JOB apart; its members wait for their turn again. Split: and alone. */
void core_fold_dissolve(struct core *core, struct core_job *job);
void core_fold_split(struct core *core, struct core_job *job);

/* The end of a fold whose members have been taken out. */
void core_fold_free(struct core *core, struct core_job *job);

/* A folded job is about to end without its fold. */
void core_fold_leave(struct core *core, struct core_job *member);

/* core_event.c. Drops a reference. */
void core_event_drop(struct core *core, struct core_event *event, int64_t now);
void core_event_add_bytes(struct core *core, struct core_event *event, int64_t bytes);
void core_part_add_bytes(struct core *core, struct core_part *part, int64_t bytes);

/* Leaves EVENT to the next owner of its partition. What is on its way reports nothing. */
void core_event_give_back(struct core *core, struct core_event *event);

/* A refused call becomes part of its event's dead letter if it may: true, and JOB is gone. */
bool core_event_admit(struct core *core, struct core_job *job, int64_t now);

/* Tries again what waits to become a dead letter. */
void core_event_admit_waiting(struct core *core, int64_t now);

/* Frees the letters that are out and belong to nobody any more. */
void core_event_forget_letters(struct core *core);

/* core_wait.c. The first event that has not ended and is not left to another owner; or NULL. */
const struct core_event *core_part_oldest(const struct core_part *part);

/* core_parts.c. Whether the text of its progress leaves no room to read on. */
bool core_part_is_full(const struct core_part *part);

/* Makes part->text that of its progress above OFFSET, at most MAX bytes; "" where there is none. */
void core_part_write_progress(struct core_part *part, size_t max, int64_t offset);

/* core_lost.c. LEN 0: no text. */
struct core_stamp core_stamp_of(int64_t offset, const char *text, size_t len);

void core_add_counts(struct core_counts *to, const struct core_counts *from);

#endif
