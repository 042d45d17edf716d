/*
 * Dead letters as records of Kafka: what stands in their headers. A letter has the event's own
 * headers, and behind them a block of sx- headers that begins at the last sx-topic. Written when an
 * event fails, read when it is to be sent again; both in one place, so that they agree. A record of
 * the redrive topic is the same, with sx-redrives raised by one. Pure. Owns the texts it writes.
 */
#ifndef DELIVERY_LETTER_H
#define DELIVERY_LETTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/macros.h"
#include "delivery/core.h"
#include "rules/event.h"
#include "sendx/call.h"

enum {
    LETTER_HEADERS_MAX = 20, /* of the block */
    LETTER_TOPIC_MAX = 249,  /* Kafka's limit */
    LETTER_NUMBER_MAX = 24,
    LETTER_REDRIVES_MAX = 5 /* a letter that came back as often is not redriven any more */
};

/* ---- writing ---- */

struct letter_headers {
    struct event_header items[LETTER_HEADERS_MAX]; /* values are borrowed from text */
    size_t count;
    size_t starts[LETTER_HEADERS_MAX];
    struct buf text;
};

void letter_headers_init(struct letter_headers *headers);
void letter_headers_fini(struct letter_headers *headers);

/* The block of EVENT, which core_letter_next gave. RULES_HASH: of the rules in force. NOW and
 * WALL_MS are the same moment, in the core's time and since 1970. */
void letter_write(struct letter_headers *headers, const struct core_event *event,
                  uint64_t rules_hash, int64_t now, int64_t wall_ms);

/* Adds what says which letter partition a contact's letters share: EMAIL in whatever case, of the
 * account called ACCOUNT. It stays the same when other accounts come or go, as indices do not. */
void letter_partition_key(struct buf *key, const char *account, const char *email);

/* ---- reading ---- */

struct letter_text {
    const char *text; /* not NUL-terminated; NULL: there is no such header */
    size_t len;
};

struct letter {
    char topic[LETTER_TOPIC_MAX + 1]; /* where the event stands */
    int32_t partition;
    int64_t offset;
    int64_t timestamp_ms;     /* the event's, or EVENT_NO_TIME */
    unsigned redrives;        /* how often it came back; 0: never */
    size_t own;               /* so many headers of the record are the event's own */
    struct letter_text class; /* always there */
    struct letter_text rule, status, reason, calls;
};

/* Reads the block of RECORD; RET borrows from it. -1: it has none that can be read, ERR says why.
 */
int letter_read(const struct event *record, struct letter *ret, struct err *err) MUSTCHECK;

/* The event as it was when it failed. RET borrows from both. */
void letter_restore(const struct event *record, const struct letter *letter, struct event *ret);

/* The headers of RECORD with its count of redrives raised by one, in HEADERS, which has room for
 * one more than the record has. Returns how many there are. NUMBER is where the new text goes. */
size_t letter_raise(const struct event *record, const struct letter *letter,
                    struct event_header *headers, char number[LETTER_NUMBER_MAX]);

/* The calls that a letter lists: those that failed. */
struct letter_call {
    const char *rule;
    enum call_kind kind;
    size_t nth; /* struct call's */
};

struct letter_calls {
    void *json; /* what the names are borrowed from */
    struct letter_call *items;
    size_t count;
};

/* -1: TEXT is no such list. RET must be given to letter_calls_fini only when it is. */
int letter_calls_read(const char *text, size_t len, struct letter_calls *ret,
                      struct err *err) MUSTCHECK;
void letter_calls_fini(struct letter_calls *calls);

bool letter_calls_name(const struct letter_calls *calls, const char *rule, size_t rule_len);

/* Takes out of LIST, and frees, what is not listed; the order stays. Returns how many listed calls
 * LIST does not have. */
size_t letter_calls_keep(const struct letter_calls *calls, struct call_list *list);

#endif
