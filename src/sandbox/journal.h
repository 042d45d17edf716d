/*
 * What happened at the stand-in API: a ring of the last requests, a ring of the last tag changes,
 * and which contacts have a request open. Pure: the time is a parameter, in milliseconds since
 * 1970, and must not go back. Owns its texts. Sequence numbers begin at 1 and have no holes.
 */
#ifndef SANDBOX_JOURNAL_H
#define SANDBOX_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/macros.h"

enum request_kind { REQUEST_IDENTIFY, REQUEST_TRACK };
enum request_flavour { FLAVOUR_V1, FLAVOUR_REST };
enum { REQUEST_KINDS = 2, REQUEST_CONTACTS = 2 };

struct open_contact;

/* A request while it is open, embedded by whoever answers it. */
struct open_request {
    uint64_t seq;
    uint64_t epoch; /* of the journal; a request that a reset outlived is not closed in the ring */
    struct open_contact *contacts[REQUEST_CONTACTS]; /* NULL: names fewer */
    bool is_open;
};

/* What is known of a request when its last byte is there. Texts are copied. */
struct request_start {
    enum request_flavour flavour;
    enum request_kind kind;
    const char *email, *new_email; /* NULL: none */
    const char *body;
    size_t body_len;
    bool body_is_json;
};

struct request_end {
    int status;     /* 0: it got no reply */
    bool applied;   /* the contact was changed, or could have been */
    unsigned fault; /* id of the scripted fault, 0 for none */
};

struct journal;

/* MAX_REQUESTS: size of the ring; the ring of tag changes has room for four times as many. */
struct journal *journal_new(size_t max_requests) MUSTCHECK;
void journal_free(struct journal *journal);  /* NULL is accepted; no request may be open */
void journal_reset(struct journal *journal); /* no request may be open */

void journal_open(struct journal *journal, const struct request_start *start, int64_t now_ms,
                  struct open_request *ret_open);
void journal_close(struct journal *journal, struct open_request *open,
                   const struct request_end *end, int64_t now_ms);

/* A tag came or went on the contact EMAIL because of REQUEST. */
void journal_add_trigger(struct journal *journal, uint64_t request, const char *email, bool added,
                         const char *tag);

/* Adds {"requests":[…]} or {"triggers":[…]}: at most LIMIT entries behind AFTER, fewer when BUF is
 * nearly full. "last" is where to go on: the last one written, or the newest there is when none
 * was. */
void journal_write_requests(const struct journal *journal, uint64_t after, uint64_t limit,
                            struct buf *buf);
void journal_write_triggers(const struct journal *journal, uint64_t after, uint64_t limit,
                            struct buf *buf);

struct journal_trigger {
    uint64_t request;
    const char *email, *tag; /* borrowed until the next change */
    bool added;
};

/* The tag change SEQ; false when there is none, or none any more. */
bool journal_trigger(const struct journal *journal, uint64_t seq,
                     struct journal_trigger *ret_trigger);

struct journal_totals {
    uint64_t requests[REQUEST_KINDS]; /* all since the start or the last reset */
    uint64_t tags_added, tags_removed;
    size_t open, max_open;
};

struct journal_totals journal_totals(const struct journal *journal);

#endif
