/* edge/http against a small server of its own, a child process that does what the path says. */
#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "edge/http.h"
#include "edge/http_log.h"
#include "log_unit.h"

/* The server. */

enum { PEERS_MAX = 128, REQUEST_MAX = 4 * 1024 * 1024, CROWD = 8 };

struct peer {
    int fd;
    bool waits; /* to be one of a crowd */
    struct buf request;
};

struct server {
    struct pollfd polls[PEERS_MAX + 1]; /* the last is the listener */
    struct peer peers[PEERS_MAX];
    int count, accepted, silent;
};

static void
answer(struct peer *peer, const char *status, const char *headers, const char *body, size_t len)
{
    struct buf out;
    size_t sent = 0;

    buf_init(&out, 2 * REQUEST_MAX);
    buf_printf(&out, "HTTP/1.1 %s\r\nContent-Length: %zu\r\n%s\r\n", status, len, headers);
    buf_add(&out, body, len);
    while (sent < out.len) {
        ssize_t n = write(peer->fd, out.data + sent, out.len - sent);

        if (n <= 0)
            break;
        sent += (size_t)n;
    }
    buf_fini(&out);
}

static void
reset_connection(struct peer *peer)
{
    struct linger linger = {.l_onoff = 1};

    setsockopt(peer->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}

static void
answer_large(struct peer *peer)
{
    enum { LEN = 200000 };
    char *body = xcalloc(1, LEN);

    memset(body, 'x', LEN);
    body[0] = '{';
    answer(peer, "200 OK", "", body, LEN);
    xfree(body);
}

/* Answers once so many wait for it: each on a connection of its own. */
static void
gather(struct server *server, struct peer *peer)
{
    int crowd = 0;

    peer->waits = true;
    for (int i = 0; i < server->count; i++)
        crowd += server->peers[i].waits;
    for (int i = 0; i < server->count && crowd == CROWD; i++) {
        if (server->peers[i].waits)
            answer(&server->peers[i], "200 OK", "", "{}", 2);
        server->peers[i].waits = false;
    }
}

/* Returns whether the connection is kept. */
static bool
handle(struct server *server, struct peer *peer)
{
    const char *body = strstr(peer->request.data, "\r\n\r\n") + 4;
    char text[64], path[32] = "";

    if (sscanf(peer->request.data, "POST http://api.example.com/%31s", path) == 1) {
        answer(peer, "200 OK", "", peer->request.data, peer->request.len); /* as a proxy of http */
    } else if (sscanf(peer->request.data, "POST /%31s", path) != 1) {
        answer(peer, "407 No", "Proxy-Authenticate: Basic\r\n", "", 0);
    } else if (!strncmp(path, "echo", 4)) {
        answer(peer, "200 OK", "", peer->request.data, peer->request.len);
    } else if (!strcmp(path, "length")) {
        answer(peer, "200 OK", "", text,
               (size_t)snprintf(text, sizeof(text), "%zu",
                                peer->request.len - (size_t)(body - peer->request.data)));
    } else if (!strcmp(path, "connections")) {
        answer(peer, "200 OK", "", text,
               (size_t)snprintf(text, sizeof(text), "%d", server->accepted));
    } else if (!strcmp(path, "silents")) {
        answer(peer, "200 OK", "", text,
               (size_t)snprintf(text, sizeof(text), "%d", server->silent));
    } else if (!strcmp(path, "silent")) {
        server->silent++;
        return false;
    } else if (!strcmp(path, "crowd")) {
        gather(server, peer);
    } else if (!strcmp(path, "large")) {
        answer_large(peer);
    } else if (!strcmp(path, "throttle")) {
        answer(peer, "429 Slow", "retry-after: 7\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\n",
               "{\"message\":\"slow down\"}", 23);
    } else if (!strcmp(path, "redirect")) {
        answer(peer, "302 Found", "Location: /echo\r\n", "", 0);
    } else if (!strcmp(path, "drop")) {
        for (int i = 0; i < server->count; i++) {
            if (&server->peers[i] != peer)
                shutdown(server->peers[i].fd, SHUT_RDWR);
        }
        answer(peer, "200 OK", "", "{}", 2);
    } else if (!strcmp(path, "bye")) {
        answer(peer, "200 OK", "", "{}", 2);
        return false;
    } else if (!strcmp(path, "partial")) {
        dprintf(peer->fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"a\"");
        return false;
    } else if (!strcmp(path, "garbage")) {
        dprintf(peer->fd, "nonsense, nonsense, nonsense\r\n\r\n");
        return false;
    } else if (!strcmp(path, "reset")) {
        reset_connection(peer);
        return false;
    }
    return true; /* "hang" */
}

static bool
is_complete(const struct peer *peer)
{
    const char *end = strstr(buf_text(&peer->request), "\r\n\r\n");
    const char *length = end ? strcasestr(peer->request.data, "\r\nContent-Length:") : NULL;

    return end &&
           (size_t)(end + 4 - peer->request.data) + (length ? strtoul(length + 17, NULL, 10) : 0) <=
               peer->request.len;
}

static void
drop_peer(struct server *server, int i)
{
    close(server->peers[i].fd);
    buf_fini(&server->peers[i].request);
    server->peers[i] = server->peers[--server->count];
}

static void
read_peer(struct server *server, int i)
{
    struct peer *peer = &server->peers[i];
    char bytes[65536];
    ssize_t n = read(peer->fd, bytes, sizeof(bytes));

    if (n > 0)
        buf_add(&peer->request, bytes, (size_t)n);
    if (n <= 0) {
        drop_peer(server, i);
    } else if (peer->request.data[0] == 0x16) { /* the beginning of TLS, which it does not speak */
        answer(peer, "400 Bad Request", "", "", 0);
        drop_peer(server, i);
    } else if (is_complete(peer)) {
        bool kept = handle(server, peer);

        buf_reset(&peer->request);
        if (!kept)
            drop_peer(server, i);
    }
}

static void
accept_peer(struct server *server, int listener)
{
    struct peer *peer = &server->peers[server->count];

    peer->fd = accept(listener, NULL, NULL);
    peer->waits = false;
    buf_init(&peer->request, REQUEST_MAX);
    server->count++;
    server->accepted++;
}

static NORETURN void
run_server(int listener)
{
    static struct server server;

    signal(SIGPIPE, SIG_IGN);
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* it does not outlive a test that aborts */
    for (;;) {
        int count = server.count;

        for (int i = 0; i < count; i++)
            server.polls[i] = (struct pollfd){.fd = server.peers[i].fd, .events = POLLIN};
        server.polls[count] =
            (struct pollfd){.fd = count < PEERS_MAX ? listener : -1, .events = POLLIN};
        poll(server.polls, (nfds_t)count + 1, -1);
        for (int i = count - 1; i >= 0; i--) {
            if (server.polls[i].revents)
                read_peer(&server, i);
        }
        if (server.polls[count].revents)
            accept_peer(&server, listener);
    }
}

static pid_t server_pid;
static char base_url[64];

static int
start_server(void **state)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM, 0);

    (void)state;
    if (bind(listener, (struct sockaddr *)&address, len) || listen(listener, 128) ||
        getsockname(listener, (struct sockaddr *)&address, &len))
        return -1;
    snprintf(base_url, sizeof(base_url), "http://127.0.0.1:%d", ntohs(address.sin_port));
    server_pid = fork();
    if (server_pid == 0)
        run_server(listener);
    close(listener);
    return server_pid < 0 ? -1 : 0;
}

static int
stop_server(void **state)
{
    (void)state;
    kill(server_pid, SIGKILL);
    return waitpid(server_pid, NULL, 0) == server_pid ? 0 : -1;
}

/* What each test has. */

struct fixture {
    struct http *http;
    struct http_account *account;
    size_t done;
    bool in_step;
    /* of the last reply, copied */
    void *token;
    struct reply reply;
    char body[REPLY_BODY_MAX + 1], retry_after[64], date[64], detail[300];
    /* what the callback is to do */
    size_t more;
    const char *path;
    const void *abort;
    bool fenced;  /* nothing may be sent */
    size_t fence; /* nor anything after so many were; 0: no such limit */
    size_t asked, asked_again;
};

static void
start(struct fixture *f, const char *path, void *token)
{
    struct wire_request request;

    wire_request_init(&request);
    buf_printf(&request.url, "%s/%s", base_url, path);
    buf_add_text(&request.body, "{\"email\":\"ada@example.com\"}");
    http_start(f->account, &request, token);
    wire_request_fini(&request);
}

static void
copy_text(char *to, size_t size, const char *text)
{
    snprintf(to, size, "%s", text ? text : "");
}

static void
done(void *arg, void *token, const struct reply *reply)
{
    struct fixture *f = arg;

    assert_true(f->in_step);
    assert_non_null(reply->body);
    assert_int_equal(reply->body[reply->body_len], 0);
    f->done++;
    f->token = token;
    f->reply = *reply;
    memcpy(f->body, reply->body, reply->body_len + 1);
    copy_text(f->retry_after, sizeof(f->retry_after), reply->retry_after);
    copy_text(f->date, sizeof(f->date), reply->date);
    copy_text(f->detail, sizeof(f->detail), reply->detail);
    if (f->abort)
        http_abort(f->http, f->abort);
    f->abort = NULL;
    if (f->more) {
        f->more--;
        start(f, f->path, token);
    }
}

static bool
may_send(void *arg, void *token, bool again)
{
    struct fixture *f = arg;

    assert_non_null(token);
    f->asked++;
    f->asked_again += again;
    return !f->fenced && (!f->fence || f->asked <= f->fence);
}

static const struct http_ops ops = {.done = done, .may_send = may_send};

static struct account
account_of(char *url)
{
    return (struct account){.name = "main",
                            .base_url = url,
                            .api_key = "secret",
                            .team_id = "4",
                            .max_in_flight = 64,
                            .timeout_ms = 10000,
                            .connect_timeout_ms = 5000};
}

static int
set_up(void **state)
{
    struct fixture *f = xcalloc(1, sizeof(*f));
    struct account account = account_of(base_url);
    struct err err = {{0}};

    f->http = http_open(&ops, f, &err);
    f->account = f->http ? http_account_new(f->http, &account, &err) : NULL;
    *state = f;
    return f->account ? 0 : -1;
}

static int
tear_down(void **state)
{
    struct fixture *f = *state;

    http_account_free(f->account);
    http_close(f->http);
    xfree(f);
    return 0;
}

static void
use_account(struct fixture *f, const struct account *account)
{
    struct err err = {{0}};

    http_account_free(f->account);
    f->account = http_account_new(f->http, account, &err);
    assert_non_null(f->account);
}

static void
step(struct fixture *f)
{
    f->in_step = true;
    http_step(f->http, clock_now_ms());
    f->in_step = false;
}

/* Turns as the worker's loop does, until COUNT requests are done. */
static void
run_until_done(struct fixture *f, size_t count)
{
    int64_t give_up_ms = clock_now_ms() + 20000;

    while (f->done < count) {
        struct pollfd pollfd = {.fd = http_fd(f->http), .events = POLLIN};
        int64_t now = clock_now_ms();
        int64_t until_ms = clock_earlier(http_deadline(f->http), give_up_ms);

        assert_true(now < give_up_ms);
        poll(&pollfd, 1, until_ms > now ? (int)(until_ms - now) : 0);
        step(f);
    }
    assert_int_equal(f->done, count);
}

static void
request(struct fixture *f, const char *path)
{
    start(f, path, f);
    run_until_done(f, f->done + 1);
    assert_ptr_equal(f->token, f);
    assert_int_equal(http_in_flight(f->http), 0);
}

/* A request for PATH of another server: an account of URL takes the place of the fixture's. */
static void
request_at(struct fixture *f, char *url, const char *path)
{
    struct account account = account_of(url);
    struct wire_request wire;

    use_account(f, &account);
    wire_request_init(&wire);
    buf_printf(&wire.url, "%s/%s", url, path);
    http_start(f->account, &wire, f);
    wire_request_fini(&wire);
    run_until_done(f, f->done + 1);
}

/* The tests. */

static void
a_request_carries_its_headers_and_body_and_nothing_odd(void **state)
{
    struct fixture *f = *state;

    request(f, "echo");
    assert_int_equal(f->reply.failure, REPLY_OK);
    assert_int_equal(f->reply.status, 200);
    assert_false(f->reply.body_cut);
    assert_int_equal(strncmp(f->body, "POST /echo HTTP/1.1\r\n", 21), 0);
    assert_non_null(strstr(f->body, "\r\napi_key: secret\r\n"));
    assert_non_null(strstr(f->body, "\r\nContent-Type: application/json\r\n"));
    assert_non_null(strstr(f->body, "\r\nAccept: application/json\r\n"));
    assert_non_null(strstr(f->body, "\r\nUser-Agent: sendx-worker/" VERSION "\r\n"));
    assert_null(strcasestr(f->body, "Expect"));
    assert_non_null(strstr(f->body, "\r\n\r\n{\"email\":\"ada@example.com\"}"));
    assert_string_equal(f->retry_after, "");
    assert_null(f->reply.retry_after);
    assert_null(f->reply.detail);
}

static void
nothing_is_sent_or_reported_before_a_step(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(http_deadline(f->http), CLOCK_NEVER);
    start(f, "echo", f);
    assert_int_equal(f->done, 0);
    assert_int_equal(http_in_flight(f->http), 1);
    assert_true(http_deadline(f->http) <= clock_now_ms());
    run_until_done(f, 1);
    assert_int_equal(http_in_flight(f->http), 0);
}

static void
a_connection_is_kept_for_the_next_request(void **state)
{
    struct fixture *f = *state;
    long before;

    request(f, "connections");
    before = strtol(f->body, NULL, 10);
    for (int i = 0; i < 50; i++)
        request(f, "connections");
    assert_int_equal(strtol(f->body, NULL, 10), before);
}

static void
the_callback_may_start_the_next_request_a_thousand_times(void **state)
{
    struct fixture *f = *state;

    f->more = 1000;
    f->path = "echo";
    start(f, "echo", f);
    run_until_done(f, 1001);
    assert_int_equal(f->reply.status, 200);
}

static void
sixty_four_requests_go_out_at_once_and_their_connections_are_kept(void **state)
{
    struct fixture *f = *state;
    char tokens[64];
    long before;

    for (size_t i = 0; i < sizeof(tokens); i++)
        start(f, "echo", &tokens[i]);
    assert_int_equal(http_in_flight(f->http), 64);
    run_until_done(f, 64);
    request(f, "connections");
    before = strtol(f->body, NULL, 10);
    for (size_t i = 0; i < sizeof(tokens); i++)
        start(f, "echo", &tokens[i]);
    run_until_done(f, 64 + 1 + 64);
    request(f, "connections");
    assert_int_equal(strtol(f->body, NULL, 10), before);
}

/* As a reload does it, which shares what stays the same on the wire. */
static void
connections_are_kept_for_as_many_requests_as_an_account_comes_to_allow(void **state)
{
    struct fixture *f = *state;
    struct account few = account_of(base_url), many = few;
    char tokens[32];
    long before;

    few.max_in_flight = 2;
    use_account(f, &few);
    many.max_in_flight = (int)sizeof(tokens);
    if (!account_is_same_on_wire(&few, &many))
        use_account(f, &many);
    for (size_t i = 0; i < sizeof(tokens); i++)
        start(f, "echo", &tokens[i]);
    run_until_done(f, sizeof(tokens));
    request(f, "connections");
    before = strtol(f->body, NULL, 10);
    for (size_t round = 0; round < 20; round++) {
        for (size_t i = 0; i < sizeof(tokens); i++)
            start(f, "echo", &tokens[i]);
        run_until_done(f, f->done + sizeof(tokens));
    }
    request(f, "connections");
    assert_int_equal(strtol(f->body, NULL, 10), before);
}

static void
a_body_over_the_cap_is_cut_and_marked(void **state)
{
    struct fixture *f = *state;

    request(f, "large");
    assert_int_equal(f->reply.status, 200);
    assert_int_equal(f->reply.body_len, REPLY_BODY_MAX);
    assert_true(f->reply.body_cut);
    assert_int_equal(f->body[0], '{');
    request(f, "echo");
    assert_false(f->reply.body_cut);
}

static void
a_large_body_is_sent_whole(void **state)
{
    enum { LEN = 3 * 1024 * 1024 };
    struct fixture *f = *state;
    char *body = xcalloc(1, LEN);
    struct wire_request wire;

    memset(body, 'x', LEN);
    wire_request_init(&wire);
    buf_printf(&wire.url, "%s/length", base_url);
    buf_add(&wire.body, body, LEN);
    http_start(f->account, &wire, f);
    wire_request_fini(&wire); /* what was handed over is a copy */
    xfree(body);
    run_until_done(f, 1);
    assert_int_equal(strtol(f->body, NULL, 10), LEN);
}

static void
retry_after_and_date_come_as_they_were_sent(void **state)
{
    struct fixture *f = *state;

    request(f, "throttle");
    assert_int_equal(f->reply.status, 429);
    assert_string_equal(f->retry_after, "7");
    assert_string_equal(f->date, "Thu, 01 Jan 2026 00:00:00 GMT");
    assert_string_equal(f->body, "{\"message\":\"slow down\"}");
    request(f, "echo");
    assert_null(f->reply.retry_after);
    assert_null(f->reply.date);
}

static void
a_redirect_is_not_followed(void **state)
{
    struct fixture *f = *state;

    request(f, "redirect");
    assert_int_equal(f->reply.failure, REPLY_OK);
    assert_int_equal(f->reply.status, 302);
}

static void
expect_failure(struct fixture *f, enum reply_failure failure)
{
    assert_int_equal(f->reply.failure, failure);
    assert_int_equal(f->reply.status, 0);
    assert_string_equal(f->body, "");
    assert_string_not_equal(f->detail, "");
}

static void
a_connection_that_breaks_is_a_reset(void **state)
{
    struct fixture *f = *state;

    request(f, "reset");
    expect_failure(f, REPLY_RESET);
    request(f, "partial");
    expect_failure(f, REPLY_RESET);
    request(f, "echo");
    assert_int_equal(f->reply.status, 200);
}

static void
what_is_not_http_is_another_failure(void **state)
{
    struct fixture *f = *state;

    request(f, "garbage");
    expect_failure(f, REPLY_OTHER);
}

static void
a_hanging_server_ends_in_a_timeout_of_the_account(void **state)
{
    struct fixture *f = *state;
    struct account account = account_of(base_url);

    account.timeout_ms = 50;
    use_account(f, &account);
    request(f, "hang");
    expect_failure(f, REPLY_TIMEOUT);
    assert_in_range(f->reply.elapsed_ms, 50, 5000);
}

static void
a_closed_port_is_a_failure_to_connect(void **state)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct fixture *f = *state;
    socklen_t len = sizeof(address);
    int bound = socket(AF_INET, SOCK_STREAM, 0); /* bound, but nobody listens */
    char url[80];

    assert_int_equal(bind(bound, (struct sockaddr *)&address, len), 0);
    assert_int_equal(getsockname(bound, (struct sockaddr *)&address, &len), 0);
    snprintf(url, sizeof(url), "http://127.0.0.1:%d", ntohs(address.sin_port));
    request_at(f, url, "");
    expect_failure(f, REPLY_CONNECT);
    close(bound);
}

static void
a_name_that_does_not_resolve_is_a_failure_of_dns(void **state)
{
    struct fixture *f = *state;
    char url[] = "http://no..such.invalid"; /* refused before any server is asked */

    request_at(f, url, "");
    expect_failure(f, REPLY_DNS);
}

static void
a_server_without_tls_is_a_failure_of_tls(void **state)
{
    struct fixture *f = *state;
    char url[80];

    snprintf(url, sizeof(url), "https%s", base_url + 4);
    request_at(f, url, "echo");
    expect_failure(f, REPLY_TLS);
}

static void
a_proxy_that_wants_a_password_is_a_407(void **state)
{
    struct fixture *f = *state;
    char url[] = "https://api.example.com";

    setenv("https_proxy", base_url, 1);
    request_at(f, url, "");
    unsetenv("https_proxy");
    assert_int_equal(f->reply.failure, REPLY_OK);
    assert_int_equal(f->reply.status, 407);
}

static void
a_proxy_of_http_is_given_the_whole_url(void **state)
{
    struct fixture *f = *state;
    char url[] = "http://api.example.com/under";

    setenv("http_proxy", base_url, 1);
    request_at(f, url, "echo?team_id=4");
    unsetenv("http_proxy");
    assert_int_equal(f->reply.status, 200);
    assert_ptr_equal(
        strstr(f->body, "POST http://api.example.com/under/echo?team_id=4 HTTP/1.1\r\n"), f->body);
}

static void
a_proxy_that_curl_cannot_use_is_told_without_its_password(void **state)
{
    static const char *const proxies[] = {"http://ada:pa=ss@localhost:99999",
                                          "ada:pa=ss@localhost:99999",
                                          "http://ada:pa ss/wo'rd@localhost:1"};
    struct fixture *f = *state;
    struct account account = account_of(base_url);

    for (size_t i = 0; i < ARRAY_LEN(proxies); i++) {
        setenv("http_proxy", proxies[i], 1);
        use_account(f, &account);
        request(f, "echo");
        unsetenv("http_proxy");
        assert_int_not_equal(f->reply.failure, REPLY_OK);
        assert_non_null(strstr(f->detail, "proxy"));
        assert_null(strstr(f->detail, "pa"));
    }
}

static void
the_path_goes_out_as_it_was_written(void **state)
{
    struct fixture *f = *state;

    request(f, "echo/../x?email=a%2Bb%40example.com&x=%2e");
    assert_ptr_equal(
        strstr(f->body, "POST /echo/../x?email=a%2Bb%40example.com&x=%2e HTTP/1.1\r\n"), f->body);
    assert_non_null(strstr(f->body, base_url + 7)); /* Host */
}

static void
a_connection_that_the_server_closes_after_its_answer_costs_no_request(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < 20; i++) {
        request(f, "bye");
        assert_int_equal(f->reply.status, 200);
    }
}

/* By a connection of its own, which is closed when this returns. */
static void
make_server_drop_all_connections(void)
{
    static const char request_text[] = "POST /drop HTTP/1.1\r\nContent-Length: 0\r\n\r\n";
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    char reply[256];

    address.sin_port = htons((uint16_t)strtoul(strrchr(base_url, ':') + 1, NULL, 10));
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_true(write(fd, request_text, sizeof(request_text) - 1) > 0);
    assert_true(read(fd, reply, sizeof(reply)) > 0);
    close(fd);
}

static void
a_connection_that_is_closed_while_at_rest_costs_no_request_and_no_turns(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < 5; i++) {
        struct pollfd pollfd = {.fd = http_fd(f->http), .events = POLLIN};
        int turns = 0;

        request(f, "echo");
        assert_int_equal(f->reply.status, 200);
        make_server_drop_all_connections();
        for (; poll(&pollfd, 1, 0) == 1; turns++) {
            assert_true(turns < 3);
            step(f);
        }
        assert_true(http_deadline(f->http) > clock_now_ms());
    }
}

/* curl's doing, which nothing turns off: not a byte came back, so it holds the connection to have
 * been closed before. A new one that does the same is believed. */
static void
a_kept_connection_that_is_closed_in_place_of_an_answer_costs_one_more_request(void **state)
{
    struct fixture *f = *state;

    request(f, "silent");
    assert_int_equal(f->reply.failure, REPLY_RESET);
    request(f, "silents");
    assert_string_equal(f->body, "1");
    request(f, "silent");
    assert_int_equal(f->reply.failure, REPLY_RESET);
    request(f, "silents");
    assert_string_equal(f->body, "3");
}

/* How many requests were read and not answered. */
static long
silents(struct fixture *f)
{
    request(f, "silents");
    assert_int_equal(f->reply.status, 200);
    return strtol(f->body, NULL, 10);
}

static void
a_reply_tells_how_often_its_request_went_out(void **state)
{
    struct fixture *f = *state;
    long before;

    request(f, "silent"); /* over a new connection */
    assert_int_equal(f->reply.sends, 1);
    before = silents(f);
    assert_int_equal(f->reply.sends, 1);
    f->asked = 0;
    request(f, "silent"); /* over a kept one, and by curl's doing over a new one */
    assert_int_equal(f->reply.sends, 2);
    assert_int_equal(f->asked, 2);
    assert_int_equal(f->asked_again, 1);
    assert_int_equal(silents(f), before + 2);
}

/* It has gone out and may have been carried out: it is not one of those that were never sent. */
static void
a_repeat_that_is_kept_back_leaves_a_request_that_was_lost(void **state)
{
    struct fixture *f = *state;
    long before = silents(f);

    f->fence = f->asked + 1;
    request(f, "silent");
    expect_failure(f, REPLY_RESET);
    assert_non_null(strstr(f->detail, "may not go out again"));
    assert_int_equal(f->reply.sends, 1);
    assert_int_equal(f->asked_again, 1);
    f->fence = 0;
    assert_int_equal(silents(f), before + 1);
}

/* Each kept connection ends the same way. That curl has had enough is no reason to begin anew. */
static void
a_request_is_repeated_five_times_at_most(void **state)
{
    struct fixture *f = *state;
    char tokens[CROWD];
    long before = silents(f);

    for (size_t i = 0; i < sizeof(tokens); i++)
        start(f, "crowd", &tokens[i]);
    run_until_done(f, f->done + sizeof(tokens));
    request(f, "silent");
    expect_failure(f, REPLY_RESET);
    assert_int_equal(f->reply.sends, 6);
    assert_int_equal(f->asked_again, 5);
    assert_int_equal(silents(f), before + 6);
}

static void
an_aborted_request_is_reported_by_the_next_step(void **state)
{
    struct fixture *f = *state;
    char a, b;

    start(f, "hang", &a);
    start(f, "hang", &b);
    step(f);
    http_abort(f->http, &a);
    http_abort(f->http, &a);
    http_abort(f->http, f); /* not in flight: nothing */
    assert_int_equal(f->done, 0);
    assert_int_equal(http_in_flight(f->http), 2);
    assert_true(http_deadline(f->http) <= clock_now_ms());
    step(f);
    assert_int_equal(f->done, 1);
    assert_ptr_equal(f->token, &a);
    assert_int_equal(f->reply.failure, REPLY_ABORTED);
    assert_int_equal(http_in_flight(f->http), 1);
    http_abort(f->http, &b);
    step(f);
    assert_ptr_equal(f->token, &b);
    assert_int_equal(http_in_flight(f->http), 0);
}

static void
the_callback_may_abort_another_request(void **state)
{
    struct fixture *f = *state;
    char a, b;

    f->abort = &b;
    start(f, "hang", &b);
    start(f, "echo", &a);
    run_until_done(f, 2);
    assert_ptr_equal(f->token, &b);
    assert_int_equal(f->reply.failure, REPLY_ABORTED);
}

static void
what_was_started_and_not_sent_can_still_be_kept_back(void **state)
{
    struct fixture *f = *state;
    char first, kept;

    request(f, "echo"); /* a connection that is kept */
    start(f, "echo", &first);
    f->fenced = true;
    run_until_done(f, 2);
    assert_ptr_equal(f->token, &first);
    assert_int_equal(f->reply.failure, REPLY_ABORTED);
    assert_int_equal(f->reply.status, 0);
    assert_int_equal(f->reply.sends, 0);
    f->fenced = false;
    start(f, "echo", &kept);
    run_until_done(f, 3);
    assert_int_equal(f->reply.status, 200);
    assert_int_equal(f->asked, 3);
}

/* A request that waits for its connection is asked for when that is there. */
static void
so_can_what_waits_for_its_connection(void **state)
{
    struct fixture *f = *state;

    start(f, "echo", f);
    f->fenced = true;
    run_until_done(f, 1);
    assert_int_equal(f->reply.failure, REPLY_ABORTED);
    assert_int_equal(f->asked, 1);
}

/* What was sent is not asked for again: its reply is taken. */
static void
what_was_sent_before_is_left_to_its_reply(void **state)
{
    struct fixture *f = *state;
    int64_t give_up_ms = clock_now_ms() + 20000;

    start(f, "echo", f);
    while (!f->asked) {
        assert_true(clock_now_ms() < give_up_ms);
        step(f);
    }
    f->fenced = true;
    run_until_done(f, 1);
    assert_int_equal(f->reply.status, 200);
}

static void
a_url_that_curl_refuses_is_reported_like_any_other_failure(void **state)
{
    struct fixture *f = *state;
    struct wire_request wire;
    char *path = xcalloc(1, 9000001);

    memset(path, 'x', 9000000);
    wire_request_init(&wire);
    buf_printf(&wire.url, "%s/%s", base_url, path);
    http_start(f->account, &wire, f);
    assert_int_equal(f->done, 0);
    step(f);
    assert_int_equal(f->done, 1);
    expect_failure(f, REPLY_OTHER);
    wire_request_fini(&wire);
    xfree(path);
    request(f, "echo");
    assert_int_equal(f->reply.status, 200);
}

static void
an_account_may_be_replaced_while_its_requests_are_in_flight(void **state)
{
    struct fixture *f = *state;
    struct account account = account_of(base_url);

    start(f, "echo", f);
    account.api_key = "another";
    use_account(f, &account);
    run_until_done(f, 1);
    assert_non_null(strstr(f->body, "api_key: secret"));
    request(f, "echo");
    assert_non_null(strstr(f->body, "api_key: another"));
}

static void
closing_ends_what_is_in_flight_without_a_word(void **state)
{
    struct fixture *f = *state;

    start(f, "hang", f);
    step(f);
    start(f, "hang", f);
    start(f, "hang", &f->done);
    http_abort(f->http, &f->done);
    http_account_free(f->account);
    http_close(f->http);
    assert_int_equal(f->done, 0);
    f->http = NULL;
    f->account = NULL;
}

/* What is logged by COUNT requests for PATH at LEVEL, and a step more. */
static void
log_of(struct fixture *f, enum log_level level, const char *path, int count, char *text,
       size_t size)
{
    struct log_catch catch;

    catch_log(&catch);
    log_setup(level, LOG_LOGFMT);
    for (int i = 0; i < count; i++)
        request(f, path);
    log_setup(LOG_INFO, LOG_LOGFMT);
    caught_log(&catch, text, size);
}

static size_t
count_of(const char *text, const char *part)
{
    size_t count = 0;

    for (; (text = strstr(text, part)); text++)
        count++;
    return count;
}

static void
what_curl_says_is_logged_at_debug_and_at_no_other_level(void **state)
{
    struct fixture *f = *state;
    char text[65536];

    log_of(f, LOG_INFO, "echo", 1, text, sizeof(text));
    assert_string_equal(text, "");
    log_of(f, LOG_DEBUG, "bye", 1, text, sizeof(text));
    assert_non_null(strstr(text, " level=debug event=http.log account=main text="));
    assert_non_null(strstr(text, "127.0.0.1"));
    /* Neither what is sent nor what comes back. */
    assert_null(strstr(text, "secret"));
    assert_null(strstr(text, "api_key"));
    assert_null(strstr(text, "HTTP/1.1 200"));
    assert_null(strstr(text, "@example.com"));
    log_of(f, LOG_INFO, "echo", 1, text, sizeof(text)); /* the same handle, another level */
    assert_string_equal(text, "");
}

static void
what_curl_says_over_and_over_is_logged_once_and_counted(void **state)
{
    struct fixture *f = *state;
    char text[65536];
    size_t first, more;

    f->more = 0;
    log_of(f, LOG_DEBUG, "echo", 2, text, sizeof(text)); /* the second finds a connection */
    first = count_of(text, "event=http.log");
    assert_true(first > 2);
    log_of(f, LOG_DEBUG, "echo", 200, text, sizeof(text));
    more = count_of(text, "event=http.log");
    assert_true(more <= 3);
    assert_true(count_of(text, "kept_back=0") == more);
}

/* What http_log_text makes of TEXT. */
static void
line_of(const char *curl_text, char *line, size_t size)
{
    static struct log_kinds kinds;
    struct log_catch catch;
    size_t len = strlen(curl_text);
    char *copy = xmalloc(len ? len : 1); /* curl promises no NUL behind it */

    memcpy(copy, curl_text, len);
    kinds = (struct log_kinds){0};
    catch_log(&catch);
    log_setup(LOG_DEBUG, LOG_LOGFMT);
    http_log_text(&kinds, "main", "the key", copy, len, 1000);
    xfree(copy);
    log_setup(LOG_INFO, LOG_LOGFMT);
    caught_log(&catch, line, size);
}

static void
what_curl_says_shows_no_header_no_password_no_key_and_no_address(void **state)
{
    static const char *const silent[] = {"h2h3 [api_key: other]",
                                         "h2h3 [:path: /contact/track?email=ada%40example.com]",
                                         "h2h3 [api_key: a key so long that it was cut",
                                         "[HTTP/2] [1] [api_key: other]\n",
                                         "[HTTP/2] [1] [api_key: cut",
                                         "one [day: another]",
                                         "\n",
                                         ""};
    static const struct {
        const char *text, *logged;
    } said[] = {
        {"Issue another request to this URL: 'https://api.example.com/contact/track?a=1&email="
         "ada%2Bb%40example.com'\n",
         "/contact/track?a=1&email=a***%40example.com'"},
        {"Uses proxy env variable https_proxy == 'http://ada:pass@word@proxy.example.com:3128'",
         "'***proxy.example.com:3128'"},
        {"Uses proxy env variable https_proxy == 'ada:pa=ss@localhost:3128'",
         "'***localhost:3128'"},
        {"Unsupported proxy syntax in 'http://ada:pa ss'@w/ord@localhost:3128'",
         "'***localhost:3128'"},
        {"two http://a:b@c/d@e and http://f:g@h", "two http://***c/d***@e and http://***h"},
        {"it says the key, twice: the key", "it says ***, twice: ***"},
        {"subject: emailAddress=ada@example.com", "subject: emailAddress=a***@example.com"},
        {"connect to [::1] port 80 failed: Connection refused", "connect to [::1] port 80 failed"},
        {"an open end: http://", "an open end: http://"},
    };
    char line[8192];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(silent); i++) {
        line_of(silent[i], line, sizeof(line));
        assert_string_equal(line, "");
    }
    for (size_t i = 0; i < ARRAY_LEN(said); i++) {
        line_of(said[i].text, line, sizeof(line));
        if (!strstr(line, said[i].logged))
            fail_msg("%s\nwas logged as\n%s", said[i].text, line);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_request_carries_its_headers_and_body_and_nothing_odd),
        TEST(nothing_is_sent_or_reported_before_a_step),
        TEST(a_connection_is_kept_for_the_next_request),
        TEST(the_callback_may_start_the_next_request_a_thousand_times),
        TEST(sixty_four_requests_go_out_at_once_and_their_connections_are_kept),
        TEST(connections_are_kept_for_as_many_requests_as_an_account_comes_to_allow),
        TEST(a_body_over_the_cap_is_cut_and_marked),
        TEST(a_large_body_is_sent_whole),
        TEST(retry_after_and_date_come_as_they_were_sent),
        TEST(a_redirect_is_not_followed),
        TEST(a_connection_that_breaks_is_a_reset),
        TEST(what_is_not_http_is_another_failure),
        TEST(a_hanging_server_ends_in_a_timeout_of_the_account),
        TEST(a_closed_port_is_a_failure_to_connect),
        TEST(a_name_that_does_not_resolve_is_a_failure_of_dns),
        TEST(a_server_without_tls_is_a_failure_of_tls),
        TEST(a_proxy_that_wants_a_password_is_a_407),
        TEST(a_proxy_of_http_is_given_the_whole_url),
        TEST(a_proxy_that_curl_cannot_use_is_told_without_its_password),
        TEST(the_path_goes_out_as_it_was_written),
        TEST(a_connection_that_the_server_closes_after_its_answer_costs_no_request),
        TEST(a_connection_that_is_closed_while_at_rest_costs_no_request_and_no_turns),
        TEST(a_kept_connection_that_is_closed_in_place_of_an_answer_costs_one_more_request),
        TEST(a_reply_tells_how_often_its_request_went_out),
        TEST(a_repeat_that_is_kept_back_leaves_a_request_that_was_lost),
        TEST(a_request_is_repeated_five_times_at_most),
        TEST(an_aborted_request_is_reported_by_the_next_step),
        TEST(the_callback_may_abort_another_request),
        TEST(what_was_started_and_not_sent_can_still_be_kept_back),
        TEST(so_can_what_waits_for_its_connection),
        TEST(what_was_sent_before_is_left_to_its_reply),
        TEST(a_url_that_curl_refuses_is_reported_like_any_other_failure),
        TEST(an_account_may_be_replaced_while_its_requests_are_in_flight),
        TEST(closing_ends_what_is_in_flight_without_a_word),
        TEST(what_curl_says_is_logged_at_debug_and_at_no_other_level),
        TEST(what_curl_says_over_and_over_is_logged_once_and_counted),
        TEST(what_curl_says_shows_no_header_no_password_no_key_and_no_address),
    };
    static const char *const proxies[] = {"http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy",
                                          "ALL_PROXY",  "no_proxy",    "NO_PROXY"};

    signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; i < ARRAY_LEN(proxies); i++)
        unsetenv(proxies[i]);
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
