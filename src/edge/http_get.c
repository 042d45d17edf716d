#include "edge/http_get.h"

#include <assert.h>
#include <curl/curl.h>

enum { HEADER_MAX = 8 * 1024 };

static size_t
on_body(char *bytes, size_t size, size_t count, void *arg)
{
    buf_add(arg, bytes, size * count);
    return size * count;
}

static struct curl_slist *
headers_with(const char *token)
{
    struct curl_slist *headers = NULL;
    struct buf line;

    if (!*token)
        return NULL;
    buf_init(&line, HEADER_MAX);
    buf_printf(&line, "Authorization: Bearer %s", token);
    headers = curl_slist_append(NULL, buf_text(&line));
    buf_fini(&line);
    return headers;
}

int
http_get(const char *url, const char *token, int64_t timeout_ms, struct buf *body, struct err *err)
{
    char detail[CURL_ERROR_SIZE] = "";
    struct curl_slist *headers = headers_with(token);
    CURL *easy = curl_easy_init();
    CURLcode code;
    long status = 0;

    assert(easy);
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "sendx-worker/" VERSION);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, body);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, detail);
    code = curl_easy_perform(easy);
    if (code)
        (void)err_set(err, "%s: %s", url, *detail ? detail : curl_easy_strerror(code));
    else
        curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_cleanup(easy);
    curl_slist_free_all(headers);
    return code ? -1 : (int)status;
}
