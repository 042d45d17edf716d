/*
 * The structs behind delivery/core, shared by its files only: core.c (accounts, time), core_job.c
 * (the states of a call), core_event.c (the life of an event, dead letters), core_settle.c (what a
 * reply does), core_parts.c (partitions, hand-over, commits), core_view.c (for those who look on),
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
    JOB_REFUSED    /* in the list of refused ones */
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
    unsigned tries;               /* all that ended */
    int64_t started_ms, first_ms; /* of the last and the first try; first_ms 0: none yet */
    int64_t held_ms;              /* the gate's, at the first try */
    uint64_t successes;           /* the gate's, at the first try or the last failure */
    unsigned strikes;             /* 403 or 404 while others succeeded in between */
    bool created;                 /* its contact was created by us */
    bool retrying, probe;         /* of the try in flight */

    struct core_failure failure; /* while refused */
    enum verdict last_verdict;   /* of the last try that failed */
    int last_status;
    char last_reason[JOB_REASON_MAX];
    int64_t seq;            /* in the order of arrival */
    struct list state_node; /* in flight, refused */
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

struct core_event {
    struct ledger_slot slot;
    struct core_part *part; /* NULL: given back while its letter was out */
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

struct core_part {
    struct list node;
    struct ledger ledger;
    int64_t committed;  /* last stored, -1: none known */
    int64_t committing; /* in the commit that is out, -1: not in it */
    bool revoked;
    unsigned unmapped; /* events that may not become dead letters yet: it is not read on */
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
    bool commit_out;
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

/* core_event.c. Drops a reference. */
void core_event_drop(struct core *core, struct core_event *event, int64_t now);
void core_event_add_bytes(struct core *core, struct core_event *event, int64_t bytes);

/* Leaves EVENT to the next owner of its partition. What is on its way reports nothing. */
void core_event_give_back(struct core *core, struct core_event *event);

/* A refused call becomes part of its event's dead letter if it may: true, and JOB is gone. */
bool core_event_admit(struct core *core, struct core_job *job, int64_t now);

/* Tries again what waits to become a dead letter. */
void core_event_admit_waiting(struct core *core, int64_t now);

/* Frees the letters that are out and belong to nobody any more. */
void core_event_forget_letters(struct core *core);

void core_add_counts(struct core_counts *to, const struct core_counts *from);

#endif
