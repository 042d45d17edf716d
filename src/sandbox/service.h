/*
 * What the stand-in API answers, apart from HTTP itself: a request as data goes in, a reply as data
 * comes out, at once, later or never. Both flavours and the control paths under /_sandbox/. Pure:
 * the time is a parameter. Owns contacts, journal and faults.
 */
#ifndef SANDBOX_SERVICE_H
#define SANDBOX_SERVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/macros.h"
#include "sandbox/fault.h"
#include "sandbox/journal.h"
#include "sandbox/store.h"

enum {
    REQUEST_MAX = 8 * 1024 * 1024, /* bytes of a request's body; more is answered 413 */
    REPLY_MAX = 256 * 1024 * 1024
};

/* Borrowed for the length of a call. What is absent is NULL. */
struct request {
    const char *method, *path;
    const char *api_key, *team_api_key, *content_type; /* headers */
    const char *email, *team_id, *after, *limit, *id;  /* query, decoded */
    const char *body;                                  /* never NULL */
    size_t body_len;
    bool body_toobig;
};

struct reply {
    int status;
    bool reset; /* reset the connection instead */
    const char *content_type;
    char retry_after[40]; /* header; "" for none */
    struct buf body;
};

/* One request on its way, embedded by the caller, zeroed before service_start. */
struct exchange {
    struct open_request open; /* open only for identify and track */
    enum request_kind kind;
    enum request_flavour flavour;
    json_t *body; /* NULL: not JSON */
    struct fault_pick pick;
    bool applied;   /* it took effect while it hangs */
    int64_t due_ms; /* when service_finish wants to be called; CLOCK_NEVER: not at all */
};

struct service_options {
    const char *api_key, *team_id; /* borrowed for as long as the service lives */
    size_t max_requests;
};

struct service;

/* END_OPEN is called when a client wants everything forgotten: it has to abandon all exchanges that
 * are held. */
struct service *service_new(const struct service_options *options, void (*end_open)(void *owner),
                            void *owner) MUSTCHECK;
void service_free(struct service *service); /* NULL is accepted; no exchange may be held */

/* A request is complete. Sets exchange->due_ms, which may be now. Times are wall clock, ms. */
void service_start(struct service *service, struct exchange *exchange,
                   const struct request *request, int64_t now_ms);

/* Fills REPLY, whose body the caller has initialised. The same request as before. */
void service_finish(struct service *service, struct exchange *exchange,
                    const struct request *request, int64_t now_ms, struct reply *reply);

/* The client is gone. Does nothing after service_finish. */
void service_abandon(struct service *service, struct exchange *exchange, int64_t now_ms);

/* --- for the demonstration, past HTTP --- */

/* An identify that leaves no trace: a contact from before. BODY is a ContactRequest. */
int service_import(struct service *service, const char *body, struct err *err) MUSTCHECK;

/* Adds a fault, as POST /_sandbox/faults does. */
int service_script(struct service *service, const char *spec, struct err *err) MUSTCHECK;

const struct store *service_store(const struct service *service);
const struct journal *service_journal(const struct service *service);
uint64_t service_replies(const struct service *service, int status); /* with this status; 0: none */

#endif
