/*
 * The structs behind delivery/core, shared by its files only: core.c (calls and events),
 * core_parts.c (partitions, hand-over, commits), core_check.c (gauges and invariants). A job's
 * state is the container it is in; core.c has the one door between states.
 */
#ifndef DELIVERY_CORE_STATE_H
#define DELIVERY_CORE_STATE_H

#include "base/buf.h"
#include "base/heap.h"
#include "base/list.h"
#include "base/rng.h"
#include "delivery/core.h"
#include "delivery/lane.h"
#include "delivery/ledger.h"

enum {
    JOB_ENTRIES = 2,          /* a rename stands in two lanes */
    CONTACT_KEY_MAX = 1 << 20 /* an address is a text of an event, at most its size */
};

/* Each state is a container the job is in. */
enum job_state {
    JOB_QUEUED,    /* not at the head of all its lanes */
    JOB_READY,     /* in its account's ready list */
    JOB_IN_FLIGHT, /* in its account's in_flight list */
    JOB_WAITING,   /* in the heap of timers */
    JOB_HELD       /* in the list of held ones */
};

struct core_job {
    struct call *call;
    struct core_event *event; /* NULL once its event was given back while it was in flight */
    enum job_state state;
    unsigned attempts;
    struct lane_entry entries[JOB_ENTRIES];
    size_t entry_count;
    struct list state_node; /* ready, in flight, held */
    struct heap_node timer; /* waiting */
    struct list event_node; /* core_event.jobs */
    struct list todo_node;  /* while mark_stuck works */
    uint64_t stuck_round;   /* the last mark_stuck that found it behind a held call */
};

struct core_event {
    struct ledger_slot slot;
    struct core_part *part;
    struct list jobs; /* unfinished calls */
    unsigned refs;    /* unfinished calls, and one until core_close */
    unsigned in_flight;
    bool begun;            /* a call of it was sent */
    bool keep;             /* its part is revoked, and it is to be finished first */
    bool unmapped;         /* it cannot be mapped: it stays until its part goes */
    struct list todo_node; /* while core_revoke works */
    enum event_outcome outcome;
    int64_t bytes;
};

struct core_part {
    struct list node;
    struct ledger ledger;
    int64_t committed;  /* last stored, -1: none known */
    int64_t committing; /* in the commit that is out, -1: not in it */
    bool revoked;
    unsigned unmapped; /* events that cannot be mapped: it is not read on */
    int64_t bytes;
    void *user;
    struct core_counts counts;
};

struct core_account {
    struct list ready, in_flight;
    int in_flight_count, max_in_flight;
};

struct core {
    struct core_limits limits;
    struct rng rng;
    struct lanes lanes;
    struct heap timers;
    struct list parts, held;
    size_t part_count;
    struct core_account **accounts;
    size_t account_count, account_cap;
    size_t next_account; /* whose turn it is */
    struct buf key;
    struct core_counts gone; /* of parts that were released */
    size_t events, ready, in_flight, waiting, held_count;
    int64_t bytes;
    bool commit_out;
    uint64_t stuck_round;
};

/* Leaves EVENT to the next owner of its partition. Calls in flight go on and report nothing. */
void core_give_back(struct core *core, struct core_event *event);

void core_add_counts(struct core_counts *to, const struct core_counts *from);

/* Whether JOB is at the head of all its lanes. */
bool core_heads_lanes(const struct core_job *job);

#endif
