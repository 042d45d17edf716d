#include "edge/http.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "edge/http_state.h"

struct http *
http_open(const struct http_ops *ops, void *arg, struct err *err)
{
    struct http *http;

    if (curl_global_init(CURL_GLOBAL_DEFAULT)) {
        err_set(err, "libcurl cannot be initialised");
        return NULL;
    }
    http = xcalloc(1, sizeof(*http));
    http->ops = *ops;
    http->arg = arg;
    http->due_ms = CLOCK_NEVER;
    list_init(&http->active);
    list_init(&http->ended);
    http->epoll_fd = -1;
    http->multi = curl_multi_init();
    if (!http->multi || http_sockets_init(http) < 0) {
        err_set(err, "HTTP cannot be set up: %s", strerror(errno));
        http_close(http);
        return NULL;
    }
    return http;
}

void
http_close(struct http *http)
{
    if (!http)
        return;
    http_requests_end(&http->active);
    http_requests_end(&http->ended);
    assert(!http->accounts);
    curl_multi_cleanup(http->multi);
    http_sockets_fini(http);
    xfree(http);
    curl_global_cleanup();
}

size_t
http_in_flight(const struct http *http)
{
    return http->in_flight;
}

int
http_fd(const struct http *http)
{
    return http->epoll_fd;
}

int64_t
http_deadline(const struct http *http)
{
    return http->due_ms;
}

bool
http_step(struct http *http, int64_t now)
{
    long wait_ms = -1;
    bool more;
    int running;

    http->now_ms = now;
    /* http->due_ms is asked from curl after each step. Its timer callback would only tell of
     * changes, so a timer that fired a moment too early for curl would be lost. */
    if (http->due_ms <= now)
        curl_multi_socket_action(http->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    more = http_sockets_step(http);
    http_requests_step(http);
    curl_multi_timeout(http->multi, &wait_ms);
    http->due_ms = wait_ms < 0 ? CLOCK_NEVER : now + wait_ms;
    if (!list_is_empty(&http->ended))
        http->due_ms = now;
    return more || http->due_ms <= now;
}

const char *
http_library_version(void)
{
    return curl_version();
}
