#include "edge/admin.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "base/xalloc.h"

enum {
    CONNECTIONS_MAX = 100,
    CONNECTION_BYTES = 8 * 1024, /* the request's head, and the answer's */
    BACKLOG = 1024,              /* wait in the kernel, where they cost us nothing */
    CONNECTION_MS = 10 * 1000,   /* from accept to the answer's last byte */
    CROWDED_MS = 500,            /* the same when others wait for a connection */
    BODY_MAX = 8 * 1024 * 1024,
    BODIES_MAX = 2 * BODY_MAX, /* answers that are being read, together */
    HOST_MAX = 128,
    ADDRESS_MAX = HOST_MAX + 16
};

/* One connection, which is one request: every answer closes it. */
struct peer {
    struct list link; /* in admin->peers, the oldest first, until it is cut off */
    int fd;           /* libmicrohttpd's */
    int64_t since_ms;
    size_t body_len;
};

struct admin {
    const struct admin_ops *ops;
    void *arg;
    char *token;
    struct MHD_Daemon *daemon;
    int epoll_fd; /* libmicrohttpd's */
    struct list peers;
    size_t peer_count;
    size_t bodies_len;
    bool ended; /* a connection, in the last step: who waits for its place is let in by the next */
};

struct reply {
    unsigned status;
    const char *header, *header_value; /* NULL: none but the usual ones */
    const char *content_type;
    struct buf body;
};

/* The page brings all it needs and asks nobody but us. */
static const char page_policy[] =
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
    "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'";

/* --- answers --- */

static void
say(struct reply *reply, unsigned status, const char *text)
{
    reply->status = status;
    buf_reset(&reply->body);
    buf_add_text(&reply->body, text);
    buf_add_char(&reply->body, '\n');
}

/* A long answer that is not read is kept: there must not be too many. */
static bool
has_room(const struct admin *admin, struct reply *reply)
{
    if (admin->bodies_len <= BODIES_MAX - BODY_MAX)
        return true;
    say(reply, MHD_HTTP_SERVICE_UNAVAILABLE, "Too many answers are being read at this moment.");
    return false;
}

static void
answer_status(struct admin *admin, struct reply *reply)
{
    if (!has_room(admin, reply))
        return;
    reply->content_type = "application/json";
    admin->ops->status(admin->arg, &reply->body);
}

static void
answer_root(struct admin *admin, struct reply *reply)
{
    if (!has_room(admin, reply))
        return;
    reply->content_type = "text/html; charset=utf-8";
    reply->header = "Content-Security-Policy";
    reply->header_value = page_policy;
    buf_add_text(&reply->body, admin->ops->page);
}

static void
answer_metrics(struct admin *admin, struct reply *reply)
{
    if (!has_room(admin, reply))
        return;
    reply->content_type = "text/plain; version=0.0.4; charset=utf-8";
    admin->ops->metrics(admin->arg, &reply->body);
}

static void
answer_live(struct admin *admin, struct reply *reply)
{
    bool is_live = admin->ops->is_live(admin->arg, &reply->body);

    reply->status = is_live ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE;
    buf_add_text(&reply->body, reply->body.len ? "\n" : is_live ? "live\n" : "not live\n");
}

static void
answer_ready(struct admin *admin, struct reply *reply)
{
    bool is_ready = admin->ops->is_ready(admin->arg, &reply->body);

    reply->status = is_ready ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE;
    buf_add_text(&reply->body, reply->body.len ? "\n" : is_ready ? "ready\n" : "not ready\n");
}

static const struct page {
    const char *path;
    void (*answer)(struct admin *admin, struct reply *reply);
    bool is_open; /* without a token */
} pages[] = {
    {"/", answer_root, true},
    {"/status.json", answer_status, false},
    {"/metrics", answer_metrics, false},
    {"/livez", answer_live, false},
    {"/readyz", answer_ready, false},
};

static bool
is_open_page(const char *path)
{
    for (size_t i = 0; i < ARRAY_LEN(pages); i++) {
        if (strcmp(path, pages[i].path) == 0)
            return pages[i].is_open;
    }
    return false;
}

static void
answer_page(struct admin *admin, const char *path, struct reply *reply)
{
    for (size_t i = 0; i < ARRAY_LEN(pages); i++) {
        if (strcmp(path, pages[i].path) == 0) {
            pages[i].answer(admin, reply);
            return;
        }
    }
    reply->status = MHD_HTTP_NOT_FOUND;
    buf_add_text(&reply->body, "There is no such page. There are:\n");
    for (size_t i = 0; i < ARRAY_LEN(pages); i++)
        buf_printf(&reply->body, "%s\n", pages[i].path);
}

static bool
is_read_only(const char *method)
{
    return strcmp(method, MHD_HTTP_METHOD_GET) == 0 || strcmp(method, MHD_HTTP_METHOD_HEAD) == 0;
}

/* Takes as long for a wrong secret as for the right one; only GIVEN's own length shows. */
static bool
is_same_secret(const char *given, const char *wanted)
{
    size_t given_len = strlen(given), wanted_len = strlen(wanted);
    volatile unsigned char difference = given_len != wanted_len;

    for (size_t i = 0; i < given_len; i++)
        difference |= (unsigned char)(given[i] ^ wanted[i % wanted_len]);
    return difference == 0;
}

static bool
is_allowed(const struct admin *admin, struct MHD_Connection *connection)
{
    static const char scheme[] = "Bearer ";
    const char *given;

    if (admin->token[0] == '\0')
        return true;
    given = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_AUTHORIZATION);
    if (!given || strncasecmp(given, scheme, sizeof(scheme) - 1) != 0)
        return false;
    return is_same_secret(given + sizeof(scheme) - 1, admin->token);
}

/* The order tells a stranger nothing but that a token is needed. */
static void
answer(struct admin *admin, struct MHD_Connection *connection, const char *path, const char *method,
       struct reply *reply)
{
    if (!is_open_page(path) && !is_allowed(admin, connection)) {
        reply->header = MHD_HTTP_HEADER_WWW_AUTHENTICATE;
        reply->header_value = "Bearer";
        say(reply, MHD_HTTP_UNAUTHORIZED, "This needs the header Authorization: Bearer TOKEN.");
    } else if (!is_read_only(method)) {
        reply->header = MHD_HTTP_HEADER_ALLOW;
        reply->header_value = "GET, HEAD";
        say(reply, MHD_HTTP_METHOD_NOT_ALLOWED, "Only GET and HEAD are answered.");
    } else {
        answer_page(admin, path, reply);
        if (buf_toobig(&reply->body))
            say(reply, MHD_HTTP_INTERNAL_SERVER_ERROR, "The answer is too large.");
    }
}

static enum MHD_Result
send_reply(struct admin *admin, struct MHD_Connection *connection, struct reply *reply)
{
    struct peer *peer =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
    size_t len = reply->body.len;
    struct MHD_Response *response =
        MHD_create_response_from_buffer_with_free_callback(len, buf_steal(&reply->body), xfree);
    enum MHD_Result result;

    if (!response)
        return MHD_NO; /* closes the connection */
    peer->body_len = len;
    admin->bodies_len += len;
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, reply->content_type);
    (void)MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    if (reply->header)
        (void)MHD_add_response_header(response, reply->header, reply->header_value);
    result = MHD_queue_response(connection, reply->status, response);
    MHD_destroy_response(response);
    return result;
}

/* Called with the head of a request and, for GET and HEAD, again at its end. What is refused is
 * refused before its body is read. */
static enum MHD_Result
on_request(void *arg, struct MHD_Connection *connection, const char *path, const char *method,
           const char *version, const char *upload, size_t *upload_len, void **request_state)
{
    static int is_begun;
    struct admin *admin = arg;
    struct reply reply = {.status = MHD_HTTP_OK, .content_type = "text/plain; charset=utf-8"};
    enum MHD_Result result;

    (void)version;
    (void)upload;
    if (!*request_state && is_read_only(method)) {
        *request_state = &is_begun;
        return MHD_YES;
    }
    if (*upload_len > 0) {
        *upload_len = 0;
        return MHD_YES;
    }
    buf_init(&reply.body, BODY_MAX);
    answer(admin, connection, path, method, &reply);
    result = send_reply(admin, connection, &reply);
    buf_fini(&reply.body);
    return result;
}

/* --- connections --- */

static void
on_connection(void *arg, struct MHD_Connection *connection, void **context,
              enum MHD_ConnectionNotificationCode code)
{
    struct admin *admin = arg;
    struct peer *peer = *context;

    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        peer = xcalloc(1, sizeof(*peer));
        peer->fd =
            MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
        peer->since_ms = clock_now_ms();
        list_push_back(&admin->peers, &peer->link);
        admin->peer_count++;
    } else {
        list_remove(&peer->link);
        admin->peer_count--;
        admin->ended = true;
        admin->bodies_len -= peer->body_len;
        xfree(peer);
        peer = NULL;
    }
    *context = peer;
}

/* When PEER is cut off. */
static int64_t
cut_ms(const struct admin *admin, const struct list *peer)
{
    int64_t limit_ms = admin->peer_count < CONNECTIONS_MAX ? CONNECTION_MS : CROWDED_MS;

    return CONTAINER_OF(peer, struct peer, link)->since_ms + limit_ms;
}

/* libmicrohttpd's own limit is one of idleness, which a byte now and then defeats. It sees the end
 * of a shut socket and closes it in the same step. */
static void
cut_late(struct admin *admin, int64_t now)
{
    LIST_EACH(link, &admin->peers) {
        if (cut_ms(admin, link) > now)
            return;
        shutdown(CONTAINER_OF(link, struct peer, link)->fd, SHUT_RDWR);
        list_remove(link);
    }
}

/* --- the socket --- */

/* Splits HOST:PORT or [HOST]:PORT; *RET_PORT stays within TEXT. */
static int
split_address(const char *text, char host[HOST_MAX], const char **ret_port, struct err *err)
{
    const char *colon = strrchr(text, ':');
    size_t len = colon ? (size_t)(colon - text) : 0;
    const char *start = text;

    if (len >= 2 && text[0] == '[' && text[len - 1] == ']') {
        start++;
        len -= 2;
    } else if (memchr(text, ':', len)) {
        return err_set(err, "an IPv6 address is written in brackets, such as [::1]:9464");
    }
    if (len == 0 || len >= HOST_MAX || colon[1] == '\0')
        return err_set(err, "HOST:PORT is wanted, such as 127.0.0.1:9464");
    memcpy(host, start, len);
    host[len] = '\0';
    *ret_port = colon + 1;
    return 0;
}

static bool
is_loopback(const struct sockaddr *address)
{
    const struct sockaddr_in6 *v6 = (const void *)address;
    const struct sockaddr_in *v4 = (const void *)address;

    if (address->sa_family == AF_INET)
        return ntohl(v4->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
    return IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr) ||
           (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr) && v6->sin6_addr.s6_addr[12] == IN_LOOPBACKNET);
}

static int
open_socket(const struct addrinfo *info, struct err *err)
{
    int one = 1, fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return err_set(err, "%s", strerror(errno));
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(fd, info->ai_addr, info->ai_addrlen) || listen(fd, BACKLOG)) {
        (void)err_set(err, "%s%s", strerror(errno),
                      errno == EADDRINUSE ? ": choose another port, or 0 for any free one" : "");
        close(fd);
        return -1;
    }
    return fd;
}

static int
open_listener(const struct admin_config *config, struct err *err)
{
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
                             .ai_socktype = SOCK_STREAM};
    struct addrinfo *info;
    char host[HOST_MAX];
    const char *port = NULL;
    int problem, fd = -1;

    if (split_address(config->listen, host, &port, err) < 0)
        return -1;
    problem =
        getaddrinfo(strcasecmp(host, "localhost") == 0 ? "127.0.0.1" : host, port, &hints, &info);
    if (problem)
        return err_set(err, "%s: a numeric address and port are wanted, such as 127.0.0.1:9464",
                       gai_strerror(problem));
    if (!is_loopback(info->ai_addr) && config->token[0] == '\0' && !config->allow_public)
        (void)err_set(err, "other machines can reach this address: set admin.token, or "
                           "admin.allow_public = true");
    else
        fd = open_socket(info, err);
    freeaddrinfo(info);
    return fd;
}

/* The port is a real one here also where the configuration says 0. */
static void
log_address(int fd)
{
    struct sockaddr_storage name;
    socklen_t len = sizeof(name);
    char host[HOST_MAX], port[16], address[ADDRESS_MAX];

    if (getsockname(fd, (struct sockaddr *)&name, &len) ||
        getnameinfo((struct sockaddr *)&name, len, host, sizeof(host), port, sizeof(port),
                    NI_NUMERICHOST | NI_NUMERICSERV))
        return;
    snprintf(address, sizeof(address), name.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host,
             port);
    log_info("admin.listening", log_text("address", address));
}

/* --- life --- */

static int
start(struct admin *admin, int fd, struct err *err)
{
    const union MHD_DaemonInfo *info;

    admin->daemon = MHD_start_daemon(
        MHD_USE_EPOLL, 0, NULL, NULL, on_request, admin, MHD_OPTION_LISTEN_SOCKET, fd,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, admin, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)CONNECTIONS_MAX, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)(CONNECTION_MS / 1000), MHD_OPTION_END);
    if (!admin->daemon) {
        close(fd);
        return err_set(err, "libmicrohttpd cannot start");
    }
    info = MHD_get_daemon_info(admin->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    if (!info)
        return err_set(err, "libmicrohttpd was built without epoll");
    admin->epoll_fd = info->epoll_fd;
    return 0;
}

struct admin *
admin_open(const struct admin_config *config, const struct admin_ops *ops, void *arg,
           struct err *err)
{
    struct admin *admin = xcalloc(1, sizeof(*admin));
    int fd = open_listener(config, err);

    admin->ops = ops;
    admin->arg = arg;
    admin->token = xstrdup(config->token);
    list_init(&admin->peers);
    if (fd < 0 || start(admin, fd, err) < 0) {
        (void)err_prefix(err, "admin.listen \"%s\"", config->listen);
        admin_close(admin);
        return NULL;
    }
    log_address(fd);
    return admin;
}

void
admin_close(struct admin *admin)
{
    if (!admin)
        return;
    if (admin->daemon)
        MHD_stop_daemon(admin->daemon); /* reports every connection's end, closes the socket */
    xfree(admin->token);
    xfree(admin);
}

/* --- the loop --- */

int
admin_fd(const struct admin *admin)
{
    return admin->epoll_fd;
}

int64_t
admin_deadline(const struct admin *admin, int64_t now)
{
    const struct list *oldest = list_first(&admin->peers);
    int64_t due_ms = oldest ? cut_ms(admin, oldest) : CLOCK_NEVER;
    MHD_UNSIGNED_LONG_LONG timeout_ms;

    if (admin->ended)
        return now;
    if (MHD_get_timeout(admin->daemon, &timeout_ms) == MHD_YES)
        due_ms = clock_earlier(due_ms, now + (int64_t)timeout_ms);
    return due_ms;
}

void
admin_step(struct admin *admin)
{
    cut_late(admin, clock_now_ms());
    admin->ended = false;
    (void)MHD_run(admin->daemon);
}
