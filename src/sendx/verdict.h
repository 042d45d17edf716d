/*
 * What a reply means for its call, by HTTP status; of a body only whether a 2xx carries a JSON
 * object. Pure.
 */
#ifndef SENDX_VERDICT_H
#define SENDX_VERDICT_H

#include "base/buf.h"
#include "sendx/call.h"
#include "sendx/reply.h"

/*                    name, what becomes of the call */
#define VERDICT_TABLE(X)                                                                    \
    X(DONE, "done", "delivered")                                                            \
    X(TRANSIENT, "transient", "tried again with back-off")                                  \
    X(THROTTLED, "throttled", "tried again, not before Retry-After")                        \
    X(CONFIGURATION, "configuration", "tried again until the account or address is mended") \
    X(UNKNOWN_CONTACT, "unknown_contact", "a track of a contact that SendX does not have")  \
    X(PERMANENT, "permanent", "refused for good")

#define X(id, name, doc) VERDICT_##id,
enum verdict { VERDICT_TABLE(X) VERDICT_COUNT };
#undef X

enum verdict verdict_of(enum call_kind kind, const struct reply *reply);
const char *verdict_name(enum verdict verdict);

/* Adds the reply in a line for people: "422 Unprocessable: invalid birthday". Addresses are masked,
 * and so is SECRET (the account's key, NULL: none), which an API may well repeat. */
void verdict_describe(const struct reply *reply, const char *secret, struct buf *text);

#endif
