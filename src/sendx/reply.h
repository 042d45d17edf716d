/*
 * What came back for a request, or why nothing did. Borrowed from edge/http during its callback.
 */
#ifndef SENDX_REPLY_H
#define SENDX_REPLY_H

#include <stdbool.h>
#include <stddef.h>

enum { REPLY_BODY_MAX = 64 * 1024 };

/* Why there is no HTTP status. */
enum reply_failure {
    REPLY_OK, /* there is a status */
    REPLY_DNS,
    REPLY_CONNECT,
    REPLY_TLS,
    REPLY_TIMEOUT,
    REPLY_RESET,   /* connection lost while sending or receiving */
    REPLY_ABORTED, /* by us: at a deadline, or before it went out */
    REPLY_OTHER
};

struct reply {
    enum reply_failure failure;
    int status;       /* HTTP status; 0 when failure is not REPLY_OK */
    const char *body; /* at most REPLY_BODY_MAX bytes, NUL-terminated; never NULL */
    size_t body_len;
    bool body_cut;           /* there was more */
    const char *retry_after; /* header values as they came, NULL when absent */
    const char *date;
    const char
        *detail; /* the library's words for a failure; may hold addresses, mask it; or NULL */
    long elapsed_ms;
    unsigned sends; /* how often it went out, repeats by the library counted; 0: not at all */
};

const char *reply_failure_name(enum reply_failure failure); /* "dns", "connect", … */

#endif
