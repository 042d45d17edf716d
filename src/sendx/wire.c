#include "sendx/wire.h"

#include <assert.h>
#include <string.h>

/* An event's calls hold at most 8 MiB rendered (rules/); escaping makes six bytes of one at worst.
 */
enum {
    URL_MAX = 32 * 1024 * 1024,
    BODY_MAX = 64 * 1024 * 1024,
    KEEP_MAX = 64 * 1024, /* more memory than this is not kept for the next call */
    HEADER_MAX = 64 * 1024
};

void
wire_request_init(struct wire_request *request)
{
    buf_init(&request->url, URL_MAX);
    buf_init(&request->body, BODY_MAX);
    request->trace = (struct traceparent){0};
}

void
wire_request_fini(struct wire_request *request)
{
    buf_fini(&request->url);
    buf_fini(&request->body);
}

static void
write_query(struct buf *url, const struct account *account, const struct call *call)
{
    buf_add_text(url, "?team_id=");
    buf_add_percent(url, account->team_id, strlen(account->team_id));
    if (call->kind != CALL_TRACK)
        return;
    buf_add_text(url, "&email=");
    buf_add_percent(url, call->track.email, strlen(call->track.email));
}

void
wire_write(struct wire_request *request, const struct account *account, const struct call *call)
{
    struct buf *url = &request->url;

    buf_recycle(url, KEEP_MAX);
    buf_recycle(&request->body, KEEP_MAX);
    request->trace.text[0] = request->trace.id[0] = '\0';
    buf_add_text(url, account->base_url);
    buf_add_text(url, "/contact/");
    buf_add_text(url, call_kind_name(call->kind));
    if (account->api == API_V1)
        write_query(url, account, call);
    if (call->kind == CALL_IDENTIFY)
        contact_request_write(&call->identify, &request->body);
    else
        track_request_write(&call->track, account->api == API_REST, &request->body);
    assert(!buf_toobig(url) && !buf_toobig(&request->body));
}

void
wire_headers(const struct account *account, struct buf headers[WIRE_HEADERS])
{
    for (int i = 0; i < WIRE_HEADERS; i++)
        buf_init(&headers[i], HEADER_MAX);
    buf_add_text(&headers[0], "Content-Type: application/json");
    buf_add_text(&headers[1], "Accept: application/json");
    buf_add_text(&headers[2], account->api == API_V1 ? "api_key: " : "X-Team-ApiKey: ");
    buf_add_text(&headers[2], account->api_key);
    assert(!buf_toobig(&headers[2]));
}
