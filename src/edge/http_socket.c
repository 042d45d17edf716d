/* These callbacks are called by curl and must not call curl_multi_*. */
#include <assert.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "edge/http_state.h"

enum { EVENTS_MAX = 256 /* sockets served in one step */ };

static struct http_watch *
watch_of(struct http *http, int fd)
{
    size_t count = http->watch_count ? http->watch_count : 64;

    assert(fd >= 0);
    if ((size_t)fd < http->watch_count)
        return &http->watches[fd];
    while (count <= (size_t)fd)
        count *= 2;
    http->watches = xrealloc(http->watches, count, sizeof(*http->watches));
    memset(http->watches + http->watch_count, 0,
           (count - http->watch_count) * sizeof(*http->watches));
    http->watch_count = count;
    return &http->watches[fd];
}

static void
set_watch(struct http *http, int fd, uint32_t events)
{
    struct http_watch *watch = watch_of(http, fd);
    struct epoll_event event = {.events = events, .data.fd = fd};
    int op = !watch->events ? EPOLL_CTL_ADD : events ? EPOLL_CTL_MOD : EPOLL_CTL_DEL;
    int rc;

    if (watch->events == events)
        return;
    rc = epoll_ctl(http->epoll_fd, op, fd, &event);
    assert(!rc || op == EPOLL_CTL_DEL);
    watch->events = events;
}

/* curl wants to hear of a socket, or no more. A connection stays watched between its requests,
 * which saves two system calls for each of them. */
static int
on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
    struct http *http = arg;
    struct http_watch *watch = watch_of(http, fd);
    uint32_t events = (what & CURL_POLL_IN ? EPOLLIN : 0) | (what & CURL_POLL_OUT ? EPOLLOUT : 0);

    (void)easy;
    (void)socket_arg;
    watch->wanted = what != CURL_POLL_REMOVE;
    if (watch->wanted)
        set_watch(http, fd, events);
    else if (!watch->kept || watch->events != EPOLLIN)
        set_watch(http, fd, 0);
    return 0;
}

static curl_socket_t
open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct http *http = arg;
    int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);

    (void)purpose;
    if (fd < 0)
        return CURL_SOCKET_BAD;
    *watch_of(http, fd) = (struct http_watch){.kept = true};
    return fd;
}

static int
close_socket(void *arg, curl_socket_t fd)
{
    struct http *http = arg;

    *watch_of(http, fd) = (struct http_watch){0}; /* epoll forgets what is closed */
    return close(fd);
}

int
http_sockets_init(struct http *http)
{
    http->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (http->epoll_fd < 0)
        return -1;
    curl_multi_setopt(http->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(http->multi, CURLMOPT_SOCKETDATA, http);
    return 0;
}

void
http_sockets_fini(struct http *http)
{
    if (http->epoll_fd >= 0)
        close(http->epoll_fd);
    xfree(http->watches);
}

CURLcode
http_sockets_watch(struct http *http, CURL *easy)
{
    CURLcode rc = curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);

    rc |= curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, http);
    rc |= curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, close_socket);
    rc |= curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, http);
    return rc;
}

static void
serve(struct http *http, const struct epoll_event *event)
{
    int fd = event->data.fd;
    int ready = 0, running;

    /* A connection at rest was closed: curl finds it out when it wants to use it. */
    if (!watch_of(http, fd)->wanted) {
        set_watch(http, fd, 0);
        return;
    }
    if (event->events & EPOLLIN)
        ready |= CURL_CSELECT_IN;
    if (event->events & EPOLLOUT)
        ready |= CURL_CSELECT_OUT;
    if (event->events & (EPOLLERR | EPOLLHUP))
        ready |= CURL_CSELECT_ERR;
    curl_multi_socket_action(http->multi, fd, ready, &running);
}

bool
http_sockets_step(struct http *http)
{
    struct epoll_event events[EVENTS_MAX];
    int count = epoll_wait(http->epoll_fd, events, EVENTS_MAX, 0);

    for (int i = 0; i < count; i++)
        serve(http, &events[i]);
    return count == EVENTS_MAX;
}
