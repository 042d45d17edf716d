/*
 * A call as an HTTP request: URL, headers, body, in both flavours. Owns its texts. The key is in
 * headers only; the contact's address may be in the URL: neither is ever logged.
 */
#ifndef SENDX_WIRE_H
#define SENDX_WIRE_H

#include "base/buf.h"
#include "sendx/account.h"
#include "sendx/call.h"
#include "sendx/traceparent.h"

struct wire_request {
    struct buf url;
    struct buf body;
    struct traceparent trace; /* goes along as a header; wire_write clears it */
};

/* Fills REQUEST, whose memory is reused between calls. */
void wire_request_init(struct wire_request *request);
void wire_request_fini(struct wire_request *request);
void wire_write(struct wire_request *request, const struct account *account,
                const struct call *call);

/* The header lines every request of ACCOUNT carries: Content-Type, Accept and the key's. */
enum { WIRE_HEADERS = 3 };
void wire_headers(const struct account *account, struct buf headers[WIRE_HEADERS]);

#endif
