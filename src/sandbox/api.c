#include "sandbox/api.h"

#include <assert.h>
#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/heap.h"
#include "base/list.h"
#include "base/xalloc.h"

enum { CONNECTIONS_MAX = 8192, BACKLOG = 1024, STEP_EVENTS = 64, HOST_MAX = 128 };

enum client_state {
    CLIENT_SENDING, /* the request is not complete */
    CLIENT_HELD,    /* suspended: delayed, or hangs */
    CLIENT_DUE,     /* resumed to be answered */
    CLIENT_GONE     /* resumed, or not, to be closed */
};

/* One request. Its connection belongs to libmicrohttpd, which tells when the request is over. */
struct client {
    struct api *api;
    struct MHD_Connection *connection;
    char *path, *method;
    enum client_state state;
    struct buf body;
    struct exchange exchange;
    struct list link;       /* in api->held */
    struct heap_node timer; /* while it is held and not hanging */
};

struct api {
    struct service *service;
    struct MHD_Daemon *daemon;
    int epoll_fd; /* libmicrohttpd's own, and the sockets of held requests */
    struct list held;
    struct heap timers;
    int64_t wall_offset_ms; /* wall clock minus monotonic clock at the start */
    char address[HOST_MAX + 16];
};

/* Wall clock time that never goes back. */
static int64_t
api_now(const struct api *api)
{
    return clock_now_ms() + api->wall_offset_ms;
}

/* --- a held request --- */

static int
client_fd(const struct client *client)
{
    return MHD_get_connection_info(client->connection, MHD_CONNECTION_INFO_CONNECTION_FD)
        ->connect_fd;
}

/* The request stands aside; a client that goes away meanwhile is noticed through the socket. */
static void
client_hold(struct client *client)
{
    struct epoll_event event = {.events = EPOLLRDHUP, .data.ptr = client};
    struct api *api = client->api;

    client->state = CLIENT_HELD;
    MHD_suspend_connection(client->connection);
    list_push_back(&api->held, &client->link);
    if (client->exchange.due_ms != CLOCK_NEVER)
        heap_add(&api->timers, &client->timer, client->exchange.due_ms - api->wall_offset_ms);
    if (epoll_ctl(api->epoll_fd, EPOLL_CTL_ADD, client_fd(client), &event))
        perror("sendx-sandbox: epoll_ctl"); /* the request is answered all the same */
}

static void
client_unhold(struct client *client, enum client_state state)
{
    struct api *api = client->api;

    assert(client->state == CLIENT_HELD);
    client->state = state;
    list_remove(&client->link);
    heap_remove(&api->timers, &client->timer);
    (void)epoll_ctl(api->epoll_fd, EPOLL_CTL_DEL, client_fd(client), NULL);
    if (state == CLIENT_GONE)
        service_abandon(api->service, &client->exchange, api_now(api));
    MHD_resume_connection(client->connection);
}

/* The service wants nothing open any more: every client that is held is cut off. */
static void
end_open(void *owner)
{
    struct api *api = owner;

    LIST_EACH(link, &api->held)
        client_unhold(CONTAINER_OF(link, struct client, link), CLIENT_GONE);
}

/* --- one request through libmicrohttpd --- */

static struct client *
client_new(struct api *api, struct MHD_Connection *connection, const char *path, const char *method)
{
    struct client *client = xcalloc(1, sizeof(*client));

    client->api = api;
    client->connection = connection;
    client->path = xstrdup(path);
    client->method = xstrdup(method);
    list_init(&client->link);
    buf_init(&client->body, REQUEST_MAX);
    return client;
}

static void
client_free(struct client *client)
{
    assert(client->state != CLIENT_HELD);
    service_abandon(client->api->service, &client->exchange, api_now(client->api));
    buf_fini(&client->body);
    xfree(client->path);
    xfree(client->method);
    xfree(client);
}

static void
on_completed(void *owner, struct MHD_Connection *connection, void **client,
             enum MHD_RequestTerminationCode code)
{
    (void)owner;
    (void)connection;
    (void)code;
    if (*client)
        client_free(*client);
    *client = NULL;
}

static const char *
header(const struct client *client, const char *name)
{
    return MHD_lookup_connection_value(client->connection, MHD_HEADER_KIND, name);
}

static const char *
query(const struct client *client, const char *name)
{
    return MHD_lookup_connection_value(client->connection, MHD_GET_ARGUMENT_KIND, name);
}

static struct request
client_request(const struct client *client)
{
    return (struct request){
        .method = client->method,
        .path = client->path,
        .api_key = header(client, "api_key"),
        .team_api_key = header(client, "X-Team-ApiKey"),
        .content_type = header(client, "Content-Type"),
        .email = query(client, "email"),
        .team_id = query(client, "team_id"),
        .after = query(client, "after"),
        .limit = query(client, "limit"),
        .id = query(client, "id"),
        .body = buf_text(&client->body),
        .body_len = client->body.len,
        .body_toobig = buf_toobig(&client->body),
    };
}

/* Disconnecting a TCP socket sends a reset at once; libmicrohttpd then closes what is left. */
static enum MHD_Result
client_reset(struct client *client)
{
    struct sockaddr nowhere = {.sa_family = AF_UNSPEC};

    if (connect(client_fd(client), &nowhere, sizeof(nowhere)))
        perror("sendx-sandbox: resetting a connection");
    return MHD_NO;
}

static enum MHD_Result
client_send(struct client *client, struct reply *reply)
{
    size_t len = reply->body.len;
    struct MHD_Response *response =
        MHD_create_response_from_buffer_with_free_callback(len, buf_steal(&reply->body), xfree);
    enum MHD_Result result;

    assert(response);
    if (reply->content_type && reply->status != 204)
        (void)MHD_add_response_header(response, "Content-Type", reply->content_type);
    if (reply->retry_after[0])
        (void)MHD_add_response_header(response, "Retry-After", reply->retry_after);
    result = MHD_queue_response(client->connection, (unsigned)reply->status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result
client_answer(struct client *client)
{
    struct request request = client_request(client);
    struct reply reply = {0};
    enum MHD_Result result;

    buf_init(&reply.body, REPLY_MAX);
    service_finish(client->api->service, &client->exchange, &request, api_now(client->api), &reply);
    result = reply.reset ? client_reset(client) : client_send(client, &reply);
    buf_fini(&reply.body);
    return result;
}

static enum MHD_Result
client_start(struct client *client)
{
    struct request request = client_request(client);
    int64_t now_ms = api_now(client->api);

    service_start(client->api->service, &client->exchange, &request, now_ms);
    if (client->exchange.due_ms <= now_ms)
        return client_answer(client);
    client_hold(client);
    return MHD_YES;
}

/* Called with the headers, then with each piece of the body, then at the end, and again after a
 * held request was resumed. */
static enum MHD_Result
on_request(void *owner, struct MHD_Connection *connection, const char *path, const char *method,
           const char *version, const char *upload, size_t *upload_len, void **request_state)
{
    struct client *client = *request_state;

    (void)version;
    if (!client) {
        *request_state = client_new(owner, connection, path, method);
        return MHD_YES;
    }
    if (*upload_len) {
        buf_add(&client->body, upload, *upload_len);
        *upload_len = 0;
        return MHD_YES;
    }
    switch (client->state) {
    case CLIENT_SENDING:
        return client_start(client);
    case CLIENT_DUE:
        return client_answer(client);
    case CLIENT_GONE:
        return client_reset(client);
    case CLIENT_HELD:
        break;
    }
    return MHD_YES; /* not reached: a suspended connection is not called */
}

/* --- the socket --- */

/* Splits HOST:PORT or [HOST]:PORT; the parts of TEXT must fit. */
static int
split_address(const char *text, char host[HOST_MAX], const char **ret_port, struct err *err)
{
    const char *colon = strrchr(text, ':');
    size_t len = colon ? (size_t)(colon - text) : 0;
    bool bracketed = len >= 2 && text[0] == '[' && text[len - 1] == ']';

    if (bracketed) {
        text++;
        len -= 2;
    }
    if (len == 0 || len >= HOST_MAX || colon[1] == '\0')
        return err_set(err, "--listen wants HOST:PORT, such as 127.0.0.1:0");
    memcpy(host, text, len);
    host[len] = '\0';
    *ret_port = colon + 1;
    return 0;
}

static int
bind_socket(const struct addrinfo *info, struct err *err)
{
    int one = 1;
    int fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return err_set(err, "no socket: %s", strerror(errno));
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(fd, info->ai_addr, info->ai_addrlen) || listen(fd, BACKLOG)) {
        (void)err_set(err, "%s%s", strerror(errno),
                      errno == EADDRINUSE ? "; choose another port, or 0 for a free one" : "");
        close(fd);
        return -1;
    }
    return fd;
}

static int
listen_on(const char *text, struct err *err)
{
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
                             .ai_socktype = SOCK_STREAM};
    struct addrinfo *info;
    char host[HOST_MAX];
    const char *port = NULL;
    int problem, fd;

    if (split_address(text, host, &port, err))
        return -1;
    problem = getaddrinfo(strcmp(host, "localhost") == 0 ? "127.0.0.1" : host, port, &hints, &info);
    if (problem)
        return err_set(err, "--listen %s: %s (a numeric address and port are wanted)", text,
                       gai_strerror(problem));
    fd = bind_socket(info, err);
    freeaddrinfo(info);
    if (fd < 0)
        (void)err_prefix(err, "cannot listen on %s", text);
    return fd;
}

static int
name_socket(int fd, char *address, size_t size, struct err *err)
{
    struct sockaddr_storage name;
    socklen_t len = sizeof(name);
    char host[HOST_MAX], port[16];

    if (getsockname(fd, (struct sockaddr *)&name, &len) ||
        getnameinfo((struct sockaddr *)&name, len, host, sizeof(host), port, sizeof(port),
                    NI_NUMERICHOST | NI_NUMERICSERV))
        return err_set(err, "cannot tell the port of the socket: %s", strerror(errno));
    snprintf(address, size, name.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
    return 0;
}

/* --- life --- */

/* A connection is a file descriptor; many shells allow only 1,024 of them at first. */
static void
raise_file_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit))
        return;
    if (limit.rlim_cur < CONNECTIONS_MAX + 256) {
        limit.rlim_cur =
            limit.rlim_max < CONNECTIONS_MAX + 256 ? limit.rlim_max : CONNECTIONS_MAX + 256;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static int
daemon_start(struct api *api, int socket_fd, struct err *err)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    const union MHD_DaemonInfo *info;

    api->daemon =
        MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, on_request, api,
                         MHD_OPTION_LISTEN_SOCKET, socket_fd, MHD_OPTION_NOTIFY_COMPLETED,
                         on_completed, api, MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX,
                         MHD_OPTION_CONNECTION_TIMEOUT, 0u, MHD_OPTION_END);
    if (!api->daemon) {
        close(socket_fd);
        return err_set(err, "libmicrohttpd cannot start its server");
    }
    info = MHD_get_daemon_info(api->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    if (!info || epoll_ctl(api->epoll_fd, EPOLL_CTL_ADD, info->epoll_fd, &event))
        return err_set(err, "cannot wait for libmicrohttpd: %s", strerror(errno));
    return 0;
}

struct api *
api_new(const struct api_options *options, struct err *err)
{
    struct api *api = xcalloc(1, sizeof(*api));
    int socket_fd;

    list_init(&api->held);
    heap_init(&api->timers);
    api->wall_offset_ms = clock_wall_ms() - clock_now_ms();
    api->service = service_new(&options->service, end_open, api);
    raise_file_limit();
    api->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (api->epoll_fd < 0) {
        (void)err_set(err, "epoll: %s", strerror(errno));
        goto fail;
    }
    socket_fd = listen_on(options->listen, err);
    if (socket_fd < 0)
        goto fail;
    if (name_socket(socket_fd, api->address, sizeof(api->address), err)) {
        close(socket_fd);
        goto fail;
    }
    if (daemon_start(api, socket_fd, err))
        goto fail;
    return api;

fail:
    api_free(api);
    return NULL;
}

void
api_free(struct api *api)
{
    if (!api)
        return;
    if (api->daemon) {
        end_open(api);
        (void)MHD_run(api->daemon); /* it must not be stopped with a suspended connection */
        MHD_stop_daemon(api->daemon);
    }
    if (api->epoll_fd >= 0)
        close(api->epoll_fd);
    service_free(api->service);
    heap_fini(&api->timers);
    xfree(api);
}

const char *
api_address(const struct api *api)
{
    return api->address;
}

struct service *
api_service(const struct api *api)
{
    return api->service;
}

/* --- the loop --- */

int
api_fd(const struct api *api)
{
    return api->epoll_fd;
}

int64_t
api_deadline(const struct api *api)
{
    struct heap_node *first = heap_first(&api->timers);
    int64_t due_ms = first ? first->due_ms : CLOCK_NEVER;
    MHD_UNSIGNED_LONG_LONG timeout_ms;

    if (MHD_get_timeout(api->daemon, &timeout_ms) == MHD_YES)
        due_ms = clock_earlier(due_ms, clock_now_ms() + (int64_t)timeout_ms);
    return due_ms;
}

static void
step_sockets(struct api *api)
{
    struct epoll_event events[STEP_EVENTS];
    int count = epoll_wait(api->epoll_fd, events, STEP_EVENTS, 0);

    for (int i = 0; i < count; i++)
        if (events[i].data.ptr)
            client_unhold(events[i].data.ptr, CLIENT_GONE);
}

void
api_step(struct api *api, int64_t now_ms)
{
    struct heap_node *node;

    step_sockets(api);
    while ((node = heap_first(&api->timers)) && node->due_ms <= now_ms)
        client_unhold(CONTAINER_OF(node, struct client, timer), CLIENT_DUE);
    (void)MHD_run(api->daemon);
}
