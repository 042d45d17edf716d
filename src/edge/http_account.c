/* An account's side of edge/http: what all its requests share, set up once. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/xalloc.h"
#include "edge/http_state.h"

static int
on_text(CURL *easy, curl_infotype type, char *text, size_t len, void *arg)
{
    struct http_account *account = arg;

    (void)easy;
    if (type == CURLINFO_TEXT)
        http_log_text(&account->said, account->name, account->secret, text, len,
                      account->http->now_ms);
    return 0;
}

/* Once its owner has freed it and no request is left. */
static void
free_if_over(struct http_account *account)
{
    if (!account->freed || account->in_flight)
        return;
    http_requests_free(&account->idle);
    curl_easy_cleanup(account->model);
    curl_slist_free_all(account->headers);
    xfree(account->name);
    xfree(account->secret);
    curl_url_cleanup(account->url);
    xfree(account->origin);
    account->http->accounts--;
    xfree(account);
}

static void
add_connections(struct http *http, long count)
{
    http->max_connections += count;
    curl_multi_setopt(http->multi, CURLMOPT_MAXCONNECTS, http->max_connections);
}

/* As the option for it curl would write it twice for each request. */
static const char user_agent[] = "User-Agent: sendx-worker/" VERSION;

static struct curl_slist *
header_list(const struct account *account)
{
    struct buf headers[WIRE_HEADERS];
    struct curl_slist *list = curl_slist_append(NULL, "Expect:"); /* no "100-continue" */

    list = curl_slist_append(list, user_agent);
    assert(list);
    wire_headers(account, headers);
    for (int i = 0; i < WIRE_HEADERS; i++) {
        list = curl_slist_append(list, buf_text(&headers[i]));
        assert(list);
        buf_fini(&headers[i]);
    }
    return list;
}

static CURLcode
set_transport(CURL *easy, const struct account *account)
{
    bool https = !strncasecmp(account->base_url, "https:", 6);
    CURLcode rc = CURLE_OK;

    rc |= curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, https ? "https" : "http");
    rc |= curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)account->timeout_ms);
    rc |= curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)account->connect_timeout_ms);
    rc |= curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    rc |= curl_easy_setopt(easy, CURLOPT_QUICK_EXIT,
                           1L); /* never wait for a DNS look-up that hangs */
    rc |= curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
    if (!https)
        return rc | curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    rc |= curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
    rc |= curl_easy_setopt(easy, CURLOPT_PIPEWAIT, 1L);
    rc |= curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (account->ca_file)
        rc |= curl_easy_setopt(easy, CURLOPT_CAINFO, account->ca_file);
    /* With a folder of certificates beside the file curl reads the file anew for each connection.
     */
    if (account->ca_file || curl_version_info(CURLVERSION_NOW)->cainfo)
        rc |= curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    return rc;
}

static bool
has_proxy(void)
{
    static const char *const names[] = {"http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy",
                                        "ALL_PROXY"};

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (getenv(names[i]))
            return true;
    }
    return false;
}

/* The way to the server. curl takes the URL of each request apart and prints it three times, byte
 * by byte: a fifth of what a call costs. So what is the same for all is taken apart once, and the
 * path is given by itself; not so to a proxy of http, which wants the whole URL. */
static CURLcode
set_way(struct http_account *self, const char *base_url)
{
    const char *host = strstr(base_url, "://");
    CURLcode rc;

    assert(host);
    self->origin_len = (size_t)(host - base_url) + 3 + strcspn(host + 3, "/");
    self->origin = xmemdup(base_url, self->origin_len);
    self->proxied = has_proxy();
    if (self->proxied) /* the proxy is told who connects: no other header goes there */
        return curl_easy_setopt(self->model, CURLOPT_USERAGENT, strchr(user_agent, ' ') + 1);
    self->url = curl_url();
    assert(self->url);
    if (curl_url_set(self->url, CURLUPART_URL, self->origin, 0))
        return CURLE_URL_MALFORMAT;
    rc = curl_easy_setopt(self->model, CURLOPT_PROXY, "");
    return rc | curl_easy_setopt(self->model, CURLOPT_CURLU, self->url);
}

struct http_account *
http_account_new(struct http *http, const struct account *account, struct err *err)
{
    struct http_account *self = xcalloc(1, sizeof(*self));
    CURL *easy = curl_easy_init();
    CURLcode rc;

    assert(easy);
    self->http = http;
    self->model = easy;
    self->headers = header_list(account);
    self->max_in_flight = account->max_in_flight;
    self->name = xstrdup(account->name);
    self->secret = xstrdup(account->api_key);
    list_init(&self->idle);
    http->accounts++;
    add_connections(http, self->max_in_flight);
    rc = set_transport(easy, account);
    rc |= curl_easy_setopt(easy, CURLOPT_POST, 1L);
    rc |= curl_easy_setopt(easy, CURLOPT_HTTPHEADER, self->headers);
    rc |= set_way(self, account->base_url);
    rc |= curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    rc |= http_sockets_watch(http, easy);
    rc |= curl_easy_setopt(easy, CURLOPT_DEBUGFUNCTION, on_text);
    rc |= curl_easy_setopt(easy, CURLOPT_DEBUGDATA, self);
    rc |= http_requests_set(easy);
    if (rc) {
        err_set(err, "account \"%s\": libcurl refuses its settings", account->name);
        http_account_free(self);
        return NULL;
    }
    return self;
}

void
http_account_free(struct http_account *account)
{
    if (!account)
        return;
    account->freed = true;
    add_connections(account->http, -account->max_in_flight);
    free_if_over(account);
}

void
http_account_hold(struct http_account *account)
{
    assert(!account->freed);
    account->in_flight++;
}

void
http_account_drop(struct http_account *account)
{
    account->in_flight--;
    free_if_over(account);
}
