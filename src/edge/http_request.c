/* The life of a request, which is the way of every call. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/xalloc.h"
#include "edge/http_state.h"

enum {
    BODY_MAX = 64 * 1024 * 1024, /* as wire.c has it */
    KEEP_MAX = 16 * 1024         /* buffers of a handle at rest hold no more than this */
};

/* A transfer and its easy handle, which is used again by later requests of the account. Its state
 * is the list it is in: the account's idle ones, or http's active or ended ones. */
struct request {
    struct list node;
    struct http_account *account;
    CURL *easy;
    void *token;
    struct buf body; /* what is sent; curl reads it in place */
    char trace[sizeof("traceparent: ") + TRACEPARENT_LEN];
    struct curl_slist trace_header; /* TRACE, and behind it the account's headers */
    bool traced;                    /* curl was given trace_header */
    bool verbose;                   /* curl was told to say what it does */
    struct buf reply;               /* what came back */
    bool reply_cut, repeated;
    unsigned sends;             /* goes that were let through; more than one are curl's doing */
    enum reply_failure failure; /* of an ended one */
    char detail[CURL_ERROR_SIZE];
};

static size_t
on_body(char *bytes, size_t size, size_t count, void *arg)
{
    struct request *request = arg;
    size_t len = size * count;
    size_t room = request->reply.cap - request->reply.len;

    if (len > room)
        request->reply_cut = true;
    buf_add(&request->reply, bytes, len < room ? len : room);
    return len; /* what is over the cap is read and forgotten */
}

/* The connection is there, and nothing of the request was written to it. */
static int
on_sending(void *arg, char *ip, char *own_ip, int port, int own_port)
{
    struct request *request = arg;
    const struct http *http = request->account->http;

    (void)ip, (void)own_ip, (void)port, (void)own_port;
    if (http->ops.may_send && !http->ops.may_send(http->arg, request->token, request->sends > 0))
        return CURL_PREREQFUNC_ABORT;
    request->sends++;
    return CURL_PREREQFUNC_OK;
}

CURLcode
http_requests_set(CURL *easy)
{
    CURLcode rc = curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);

    return rc | curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_sending);
}

static void
free_request(struct request *request)
{
    list_remove(&request->node);
    curl_easy_cleanup(request->easy);
    buf_fini(&request->body);
    buf_fini(&request->reply);
    xfree(request);
}

static struct request *
new_request(struct http_account *account)
{
    struct request *request = xcalloc(1, sizeof(*request));

    request->account = account;
    request->easy = curl_easy_duphandle(account->model);
    assert(request->easy);
    list_init(&request->node);
    buf_init(&request->body, BODY_MAX);
    buf_init(&request->reply, REPLY_BODY_MAX);
    curl_easy_setopt(request->easy, CURLOPT_PRIVATE, request);
    curl_easy_setopt(request->easy, CURLOPT_WRITEDATA, request);
    curl_easy_setopt(request->easy, CURLOPT_PREREQDATA, request);
    curl_easy_setopt(request->easy, CURLOPT_ERRORBUFFER, request->detail);
    return request;
}

static struct request *
take_request(struct http_account *account)
{
    struct list *node = list_first(&account->idle);

    if (!node)
        return new_request(account);
    list_remove(node);
    return CONTAINER_OF(node, struct request, node);
}

/* Back to the account's idle ones. */
static void
rest_request(struct request *request)
{
    buf_recycle(&request->body, KEEP_MAX);
    buf_recycle(&request->reply, KEEP_MAX);
    list_push_front(&request->account->idle, &request->node);
    http_account_drop(request->account);
}

static void
add_to_multi(struct http *http, struct request *request)
{
    CURLMcode rc = curl_multi_add_handle(http->multi, request->easy);

    assert(rc == CURLM_OK);
    list_push_back(&http->active, &request->node);
    http->due_ms = 0; /* curl starts it in the next step */
}

/* Ends REQUEST without a reply; the next step reports it. */
static void
end_request(struct http *http, struct request *request, enum reply_failure failure)
{
    request->failure = failure;
    list_push_back(&http->ended, &request->node);
    http->due_ms = 0;
}

/* curl borrows the list: the request's own header stands before those that all requests share. */
static void
set_trace(struct request *request, const struct traceparent *trace)
{
    bool traced = trace->text[0] != '\0';

    if (traced)
        snprintf(request->trace, sizeof(request->trace), "traceparent: %s", trace->text);
    if (traced == request->traced)
        return;
    request->trace_header =
        (struct curl_slist){.data = request->trace, .next = request->account->headers};
    request->traced = traced;
    curl_easy_setopt(request->easy, CURLOPT_HTTPHEADER,
                     traced ? &request->trace_header : request->account->headers);
}

static void
set_verbose(struct request *request)
{
    if (request->verbose == http_log_is_on())
        return;
    request->verbose = !request->verbose;
    curl_easy_setopt(request->easy, CURLOPT_VERBOSE, request->verbose ? 1L : 0L);
}

static CURLcode
set_url(struct request *request, const char *url)
{
    const struct http_account *account = request->account;

    assert(!strncmp(url, account->origin, account->origin_len));
    if (account->proxied)
        return curl_easy_setopt(request->easy, CURLOPT_URL, url);
    return curl_easy_setopt(request->easy, CURLOPT_REQUEST_TARGET, url + account->origin_len);
}

void
http_start(struct http_account *account, const struct wire_request *wire, void *token)
{
    struct http *http = account->http;
    struct request *request = take_request(account);
    CURLcode rc;

    http->in_flight++;
    http_account_hold(account);
    request->token = token;
    request->reply_cut = request->repeated = false;
    request->sends = 0;
    request->detail[0] = '\0';
    set_trace(request, &wire->trace);
    set_verbose(request);
    buf_add(&request->body, buf_text(&wire->body), wire->body.len);
    assert(!buf_toobig(&request->body));
    curl_easy_setopt(request->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.len);
    curl_easy_setopt(request->easy, CURLOPT_POSTFIELDS, buf_text(&request->body));
    rc = set_url(request, buf_text(&wire->url));
    if (rc) /* longer than curl takes: 8,000,000 bytes */
        end_request(http, request, REPLY_OTHER);
    else
        add_to_multi(http, request);
}

void
http_abort(struct http *http, const void *token)
{
    LIST_EACH(node, &http->active) {
        struct request *request = CONTAINER_OF(node, struct request, node);

        if (request->token != token)
            continue;
        curl_multi_remove_handle(http->multi, request->easy);
        list_remove(node);
        end_request(http, request, REPLY_ABORTED);
        return;
    }
}

/* The end of a request. */

static enum reply_failure
failure_of(CURLcode code)
{
    switch (code) {
    case CURLE_OK:
        return REPLY_OK;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
        return REPLY_DNS;
    case CURLE_COULDNT_CONNECT:
    case CURLE_PROXY:
        return REPLY_CONNECT;
    case CURLE_OPERATION_TIMEDOUT:
        return REPLY_TIMEOUT;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
        return REPLY_TLS;
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
        return REPLY_RESET;
    case CURLE_ABORTED_BY_CALLBACK: /* on_sending */
        return REPLY_ABORTED;
    default:
        return REPLY_OTHER;
    }
}

static const char *
header_of(CURL *easy, const char *name)
{
    struct curl_header *header;

    if (curl_easy_header(easy, name, 0, CURLH_HEADER, -1, &header) != CURLHE_OK)
        return NULL;
    return header->value;
}

/* Tells the owner, and puts REQUEST to rest. */
static void
report(struct http *http, struct request *request, struct reply *reply)
{
    curl_off_t elapsed_us = 0;

    curl_easy_getinfo(request->easy, CURLINFO_TOTAL_TIME_T, &elapsed_us);
    reply->elapsed_ms = (long)(elapsed_us / 1000);
    reply->sends = request->sends;
    if (reply->failure == REPLY_OK) {
        reply->body = buf_text(&request->reply);
        reply->body_len = request->reply.len;
        reply->body_cut = request->reply_cut;
        reply->retry_after = header_of(request->easy, "Retry-After");
        if (reply->retry_after)
            reply->date = header_of(request->easy, "Date");
    } else {
        reply->body = "";
    }
    http->in_flight--;
    http->ops.done(http->arg, request->token, reply);
    rest_request(request);
}

/* A connection that was kept went away before the request was sent: as good as never tried. Where
 * curl has repeated it, it was, and the same code says that curl has had enough. */
static bool
may_repeat(const struct request *request, CURLcode code)
{
    long connects = 1;

    if (code != CURLE_SEND_ERROR || request->repeated || request->sends > 1)
        return false;
    curl_easy_getinfo(request->easy, CURLINFO_NUM_CONNECTS, &connects);
    return connects == 0;
}

/* What curl says of the failure, or CODE's name. Borrowed until REQUEST is started again. */
static const char *
detail_of(struct request *request, CURLcode code)
{
    struct buf masked;

    if (!request->detail[0])
        return curl_easy_strerror(code);
    buf_init(&masked, 2 * CURL_ERROR_SIZE);
    http_log_mask(&masked, request->detail, strlen(request->detail));
    snprintf(request->detail, sizeof(request->detail), "%s", buf_text(&masked));
    buf_fini(&masked);
    return request->detail;
}

static void
finish(struct http *http, struct request *request, CURLcode code)
{
    struct reply reply = {.failure = failure_of(code)};
    long status = 0, proxy_status = 0;

    curl_multi_remove_handle(http->multi, request->easy);
    list_remove(&request->node);
    if (may_repeat(request, code)) {
        request->repeated = true;
        request->sends = 0;
        add_to_multi(http, request);
        return;
    }
    if (code) {
        curl_easy_getinfo(request->easy, CURLINFO_HTTP_CONNECTCODE, &proxy_status);
        if (proxy_status == 407) { /* the proxy wants a password: nothing that trying again mends */
            reply.failure = REPLY_OK;
            status = proxy_status;
        }
        reply.detail = detail_of(request, code);
        if (code == CURLE_ABORTED_BY_CALLBACK && request->sends) {
            reply.failure = REPLY_RESET;
            reply.detail =
                "its connection ended without an answer, and it may not go out again yet";
        }
    } else {
        curl_easy_getinfo(request->easy, CURLINFO_RESPONSE_CODE, &status);
    }
    reply.status = (int)status;
    report(http, request, &reply);
}

static void
report_ended(struct http *http)
{
    struct list ended;
    struct list *node;

    list_init(&ended);
    while ((node = list_first(&http->ended))) {
        list_remove(node);
        list_push_back(&ended, node);
    }
    while ((node = list_first(&ended))) {
        struct request *request = CONTAINER_OF(node, struct request, node);
        struct reply reply = {.failure = request->failure};

        list_remove(node);
        if (reply.failure == REPLY_OTHER)
            reply.detail = "URL too long";
        report(http, request, &reply);
    }
}

static void
report_finished(struct http *http)
{
    CURLMsg *msg;
    int left;

    while ((msg = curl_multi_info_read(http->multi, &left))) {
        char *request = NULL;

        if (msg->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &request);
        finish(http, (struct request *)request, msg->data.result);
    }
}

void
http_requests_step(struct http *http)
{
    report_ended(http);
    report_finished(http);
}

void
http_requests_free(struct list *idle)
{
    struct list *node;

    while ((node = list_first(idle)))
        free_request(CONTAINER_OF(node, struct request, node));
}

void
http_requests_end(struct list *requests)
{
    struct list *node;

    while ((node = list_first(requests))) {
        struct request *request = CONTAINER_OF(node, struct request, node);
        struct http_account *account = request->account;

        curl_multi_remove_handle(account->http->multi, request->easy);
        free_request(request);
        http_account_drop(account);
    }
}
