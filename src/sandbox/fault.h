/*
 * Scripted faults of the stand-in API: which request gets one, and which. Pure; chance comes from
 * each fault's own seed. Owns the faults; a pointer that was handed out stays good until
 * fault_set_reset.
 */
#ifndef SANDBOX_FAULT_H
#define SANDBOX_FAULT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/macros.h"
#include "base/rng.h"
#include "sandbox/journal.h"

enum { FAULT_MAX = 10000 };

/*                          name, what the client sees */
#define FAULT_ACTION_TABLE(X)                                                            \
    X(STATUS, "status", "the scripted status, Retry-After and body")                     \
    X(HANG, "hang", "nothing, until it gives up")                                        \
    X(RESET, "reset", "the connection reset")                                            \
    X(LOST_REPLY, "lost_reply", "the connection reset, after the call was applied")      \
    X(HTML, "html", "200 with an HTML page, as from a captive portal or a wrong server") \
    X(DELAY, "delay", "the normal reply, late")

#define X(id, name, doc) FAULT_##id,
enum fault_action { FAULT_ACTION_TABLE(X) FAULT_ACTIONS };
#undef X

struct fault {
    unsigned id; /* from 1 */
    enum fault_action action;
    bool any_kind; /* no "path" given */
    enum request_kind kind;
    char *contact; /* key of the contact, NULL: any */
    double share;  /* 0 to 1 of the requests that fit */
    uint64_t seed;
    int64_t count; /* ends after so many, -1: never */
    int status;
    char *retry_after; /* as it was given: "5" or "date:+5"; NULL for none */
    int64_t retry_after_s;
    bool retry_after_date; /* written as an HTTP date */
    int64_t delay_ms;      /* before anything else happens */
    bool apply;            /* the call takes effect although the reply says otherwise */
    char *body;            /* NULL: a standard one */
    struct rng rng;
    int64_t hits;
    bool ended;
};

struct fault_set {
    struct fault **faults;
    size_t count, cap;
    unsigned next_id;
};

void fault_set_init(struct fault_set *set);
void fault_set_fini(struct fault_set *set);
void fault_set_reset(struct fault_set *set); /* forgets all */

/* Adds the fault that SPEC describes; all that is wrong with it is an error. */
int fault_set_add(struct fault_set *set, const json_t *spec, unsigned *ret_id,
                  struct err *err) MUSTCHECK;

/* Ends the fault ID, or all with 0. Requests it holds stay held. False: there is none. */
bool fault_set_end(struct fault_set *set, unsigned id);

struct fault_pick {
    const struct fault *fault; /* what decides the reply; NULL: nothing scripted */
    int64_t delay_ms;          /* to wait before that */
};

/* What befalls this request, and counts it. Faults are asked in the order they were added: each
 * delay that takes the request adds up, the first of any other action ends the search. Addresses
 * may be NULL. */
struct fault_pick fault_set_pick(struct fault_set *set, enum request_kind kind, const char *email,
                                 const char *new_email);

void fault_set_write(const struct fault_set *set, struct buf *buf); /* adds {"faults":[…]} */

#endif
