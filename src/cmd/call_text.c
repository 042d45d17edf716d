#include "cmd/call_text.h"

#include <string.h>

void
call_text_add_body(struct buf *buf, const struct call *call)
{
    if (call->kind == CALL_IDENTIFY)
        contact_request_write(&call->identify, buf);
    else
        track_request_write(&call->track, true, buf);
}

void
call_text_add_json(struct buf *buf, const struct config *config, const struct call *call,
                   bool with_account)
{
    const char *account = config->accounts[call->account].name;

    buf_add_text(buf, "{\"rule\":");
    buf_add_json(buf, call->rule, strlen(call->rule));
    if (with_account) {
        buf_add_text(buf, ",\"account\":");
        buf_add_json(buf, account, strlen(account));
    }
    buf_printf(buf, ",\"%s\":", call_kind_name(call->kind));
    call_text_add_body(buf, call);
    buf_add_char(buf, '}');
}

void
call_text_request(struct wire_request *request, const struct account *account,
                  const struct call *call)
{
    static char base_url[] = "BASE_URL", team_id[] = "TEAM_ID";
    struct account shown = *account;

    if (!shown.base_url || !*shown.base_url)
        shown.base_url = base_url;
    if (!shown.team_id || !*shown.team_id)
        shown.team_id = team_id;
    wire_write(request, &shown, call);
}

/* In single quotes; one inside ends them, stands for itself, and begins them again. */
static void
add_quoted(struct buf *buf, const char *text)
{
    buf_add_char(buf, '\'');
    for (; *text; text++) {
        if (*text == '\'')
            buf_add_text(buf, "'\\''");
        else
            buf_add_char(buf, *text);
    }
    buf_add_char(buf, '\'');
}

void
call_text_add_curl(struct buf *buf, const struct account *account, const struct call *call)
{
    struct wire_request request;

    wire_request_init(&request);
    call_text_request(&request, account, call);
    buf_add_text(buf, "curl -X POST ");
    add_quoted(buf, buf_text(&request.url));
    buf_add_text(buf, " -H 'Content-Type: application/json' -H 'Accept: application/json'");
    buf_printf(buf, " -H \"%s: $SENDX_API_KEY\" --data ",
               account->api == API_V1 ? "api_key" : "X-Team-ApiKey");
    add_quoted(buf, buf_text(&request.body));
    wire_request_fini(&request);
}
