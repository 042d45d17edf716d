/* edge/admin through raw sockets; server and clients take turns in one thread. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "edge/admin.h"
#include "log_unit.h"

enum { GUARD_MS = 30 * 1000, SLOW_CLIENTS = 1000, LARGE = 3 * 1024 * 1024 };

/* What the worker says. */

struct worker {
    bool is_live, is_ready;
    const char *reason;
    size_t metrics_len;
    int asked;
};

static void
metrics(void *arg, struct buf *text)
{
    struct worker *worker = arg;

    worker->asked++;
    buf_add_text(text, "sendx_up 1\n");
    while (text->len < worker->metrics_len && !buf_toobig(text))
        buf_add_text(text, "sendx_filler_total{name=\"0123456789\"} 1\n");
}

static bool
is_live(void *arg, struct buf *reason)
{
    struct worker *worker = arg;

    buf_add_text(reason, worker->reason);
    return worker->is_live;
}

static bool
is_ready(void *arg, struct buf *reason)
{
    struct worker *worker = arg;

    buf_add_text(reason, worker->reason);
    return worker->is_ready;
}

static const struct admin_ops ops = {
    .metrics = metrics, .status = metrics, .is_live = is_live, .is_ready = is_ready, .page = "<p>"};

/* The endpoint under test. */

struct bench {
    struct worker worker;
    struct admin *admin;
    char line[256]; /* what it logged when it began to listen */
    int port;
    int turns;
    int64_t longest_ms; /* a turn of the endpoint */
};

/* Runs admin_open with standard error in memory. */
static struct admin *
open_and_read_log(const struct admin_config *config, struct worker *worker, char *line, size_t size,
                  struct err *err)
{
    struct log_catch catch;
    struct admin *admin;

    catch_log(&catch);
    admin = admin_open(config, &ops, worker, err);
    caught_log(&catch, line, size);
    return admin;
}

static void
begin(struct bench *bench, char *listen, char *token)
{
    struct admin_config config = {.listen = listen, .token = token};
    struct err err = {""};
    const char *colon;

    *bench = (struct bench){.worker = {.is_live = true, .is_ready = true, .reason = "moving"}};
    bench->admin =
        open_and_read_log(&config, &bench->worker, bench->line, sizeof(bench->line), &err);
    if (!bench->admin)
        fail_msg("%s", err.msg);
    colon = strrchr(bench->line, ':');
    assert_non_null(colon);
    bench->port = (int)strtol(colon + 1, NULL, 10);
}

static void
turn(struct bench *bench, int max_wait_ms)
{
    struct pollfd poll_fd = {.fd = admin_fd(bench->admin), .events = POLLIN};
    int64_t now = clock_now_ms(), wait_ms = admin_deadline(bench->admin, now) - now;

    if (wait_ms < 0)
        wait_ms = 0;
    poll(&poll_fd, 1, wait_ms < max_wait_ms ? (int)wait_ms : max_wait_ms);
    now = clock_now_ms();
    /* As the worker has it: not called when it has nothing to do. */
    if (poll_fd.revents || admin_deadline(bench->admin, now) <= now)
        admin_step(bench->admin);
    now = clock_now_ms() - now;
    if (now > bench->longest_ms)
        bench->longest_ms = now;
    bench->turns++;
}

/* Clients. */

static int
client_open(const struct bench *bench)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)bench->port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

    v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_true(fd >= 0);
    if (connect(fd, (struct sockaddr *)&v4, sizeof(v4)))
        assert_int_equal(errno, EINPROGRESS);
    return fd;
}

static void
client_write(struct bench *bench, int fd, const char *text)
{
    size_t len = strlen(text), sent = 0;
    int64_t guard = clock_now_ms() + GUARD_MS;

    while (sent < len) {
        ssize_t n = send(fd, text + sent, len - sent, MSG_NOSIGNAL);

        if (n > 0)
            sent += (size_t)n;
        else if (errno != EAGAIN)
            return; /* the endpoint has closed it */
        turn(bench, 1);
        assert_true(clock_now_ms() < guard);
    }
}

/* Reads to the end of the connection. */
static void
client_read(struct bench *bench, int fd, struct buf *text)
{
    int64_t guard = clock_now_ms() + GUARD_MS;
    char bytes[65536];

    for (;;) {
        ssize_t n = recv(fd, bytes, sizeof(bytes), 0);

        if (n > 0)
            buf_add(text, bytes, (size_t)n);
        else if (n == 0 || errno != EAGAIN)
            return;
        else
            turn(bench, 5);
        assert_true(clock_now_ms() < guard);
    }
}

static void
ask(struct bench *bench, const char *request, struct buf *reply)
{
    int fd = client_open(bench);

    buf_reset(reply);
    client_write(bench, fd, request);
    client_read(bench, fd, reply);
    close(fd);
}

static void
assert_has(const struct buf *reply, const char *text)
{
    if (!strstr(buf_text(reply), text))
        fail_msg("no \"%s\" in:\n%.2000s", text, buf_text(reply));
}

static void
assert_lacks(const struct buf *reply, const char *text)
{
    if (strstr(buf_text(reply), text))
        fail_msg("\"%s\" in:\n%.2000s", text, buf_text(reply));
}

#define REQUEST(line, headers) line " HTTP/1.1\r\nHost: x\r\n" headers "\r\n"

static void
metrics_are_asked_for_anew_each_time(void **state)
{
    struct bench bench;
    struct buf reply;

    (void)state;
    begin(&bench, (char[]){"127.0.0.1:0"}, (char[]){""});
    buf_init(&reply, 16 * 1024 * 1024);
    for (int i = 1; i <= 3; i++) {
        ask(&bench, REQUEST("GET /metrics", ""), &reply);
        assert_has(&reply, "HTTP/1.1 200 ");
        assert_has(&reply, "Content-Type: text/plain; version=0.0.4");
        assert_has(&reply, "\r\n\r\nsendx_up 1\n");
        assert_int_equal(bench.worker.asked, i);
    }
    buf_fini(&reply);
    admin_close(bench.admin);
}

static void
probes_give_the_reason_in_words(void **state)
{
    struct bench bench;
    struct buf reply;

    (void)state;
    begin(&bench, (char[]){"127.0.0.1:0"}, (char[]){""});
    buf_init(&reply, 65536);
    ask(&bench, REQUEST("GET /livez", ""), &reply);
    assert_has(&reply, "HTTP/1.1 200 ");
    assert_has(&reply, "\r\n\r\nmoving\n");
    bench.worker = (struct worker){.is_live = false, .is_ready = true, .reason = "lag, no reason"};
    ask(&bench, REQUEST("GET /livez?verbose=1", ""), &reply);
    assert_has(&reply, "HTTP/1.1 503 ");
    assert_has(&reply, "\r\n\r\nlag, no reason\n");
    ask(&bench, REQUEST("GET /readyz", ""), &reply);
    assert_has(&reply, "HTTP/1.1 200 ");
    bench.worker = (struct worker){.is_live = true, .is_ready = false, .reason = ""};
    ask(&bench, REQUEST("GET /readyz", ""), &reply);
    assert_has(&reply, "HTTP/1.1 503 ");
    assert_has(&reply, "\r\n\r\nnot ready\n");
    buf_fini(&reply);
    admin_close(bench.admin);
}

static void
only_get_and_head_are_answered(void **state)
{
    static const char *const others[] = {
        REQUEST("POST /metrics", "Content-Length: 5\r\n") "hello",
        REQUEST("PUT /livez", "Content-Length: 1000000\r\n") "it never comes",
        REQUEST("POST /livez", "Content-Length: 5\r\nExpect: 100-continue\r\n"),
        REQUEST("DELETE /livez", ""),
        REQUEST("OPTIONS /", ""),
    };
    struct bench bench;
    struct buf reply;

    (void)state;
    begin(&bench, (char[]){"127.0.0.1:0"}, (char[]){""});
    buf_init(&reply, 65536);
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        ask(&bench, others[i], &reply);
        assert_has(&reply, "HTTP/1.1 405 ");
        assert_has(&reply, "Allow: GET, HEAD\r\n");
        assert_lacks(&reply, "100 Continue");
    }
    ask(&bench, REQUEST("HEAD /metrics", ""), &reply);
    assert_has(&reply, "HTTP/1.1 200 ");
    assert_has(&reply, "Content-Length: 11\r\n");
    assert_lacks(&reply, "sendx_up");
    buf_fini(&reply);
    admin_close(bench.admin);
}

static void
an_unknown_path_lists_what_there_is(void **state)
{
    struct bench bench;
    struct buf reply;

    (void)state;
    begin(&bench, (char[]){"127.0.0.1:0"}, (char[]){""});
    buf_init(&reply, 65536);
    ask(&bench, REQUEST("GET /metrics/", ""), &reply);
    assert_has(&reply, "HTTP/1.1 404 ");
    assert_has(&reply, "\n/metrics\n/livez\n/readyz\n");
    buf_fini(&reply);
    admin_close(bench.admin);
}

static void
without_the_token_nothing_is_told(void **state)
{
    static const char *const refused[] = {
        REQUEST("GET /metrics", ""),
        REQUEST("GET /livez", "Authorization: Bearer wrong\r\n"),
        REQUEST("GET /metrics", "Authorization: Bearer s3cre\r\n"),
        REQUEST("GET /metrics", "Authorization: Bearer s3crets3cret\r\n"),
        REQUEST("GET /metrics", "Authorization: Bearer \r\n"),
        REQUEST("GET /metrics", "Authorization: Basic s3cret\r\n"),
        REQUEST("GET /metrics?token=s3cret", ""),
        REQUEST("GET /nowhere", ""),
        REQUEST("POST /metrics", "Content-Length: 0\r\n"),
    };
    struct bench bench;
    struct buf reply;

    (void)state;
    begin(&bench, (char[]){"127.0.0.1:0"}, (char[]){"s3cret"});
    buf_init(&reply, 65536);
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        ask(&bench, refused[i], &reply);
        assert_has(&reply, "HTTP/1.1 401 ");
        assert_has(&reply, "WWW-Authenticate: Bearer\r\n");
        assert_lacks(&reply, "s3cret");
    }
    assert_int_equal(bench.worker.asked, 0);
    ask(&bench, REQUEST("GET /metrics", "authorization: bearer s3cret\r\n"), &reply);
    assert_has(&reply, "HTTP/1.1 200 ");
    ask(&bench, REQUEST("POST /metrics", "Authorization: Bearer s3cret\r\nContent-Length: 0\r\n"),
        &reply);
    assert_has(&reply, "HTTP/1.1 405 ");
    buf_fini(&reply);
    admin_close(bench.admin);
}

static void
nonsense_and_huge_heads_harm_nobody(void **state)
{
    struct bench bench;
    struct buf reply, request;

    (void)state;
    begin(&bench, (char[]){"127.0.0.1:0"}, (char[]){""});
    buf_init(&reply, 65536);
    ask(&bench, "\r\n\r\n\x16\x03\x01 nonsense\r\n\r\n", &reply);
    buf_init(&request, 1024 * 1024);
    buf_add_text(&request, "GET /livez HTTP/1.1\r\nHost: x\r\nX: ");
    while (request.len < 200 * 1024)
        buf_add_text(&request, "0123456789");
    buf_add_text(&request, "\r\n\r\n");
    ask(&bench, buf_text(&request), &reply);
    assert_lacks(&reply, "HTTP/1.1 200 ");
    ask(&bench, REQUEST("GET /livez", ""), &reply);
    assert_has(&reply, "HTTP/1.1 200 ");
    buf_fini(&request);
    buf_fini(&reply);
    admin_close(bench.admin);
}

static void
a_large_answer_arrives_whole_and_one_above_the_cap_is_an_error(void **state)
{
    struct bench bench;
    struct buf reply;

    (void)state;
    begin(&bench, (char[]){"127.0.0.1:0"}, (char[]){""});
    bench.worker.metrics_len = LARGE;
    buf_init(&reply, 16 * 1024 * 1024);
    ask(&bench, REQUEST("GET /metrics", ""), &reply);
    assert_true(reply.len > LARGE);
    assert_string_equal(reply.data + reply.len - 2, "1\n");
    bench.worker.metrics_len = 16 * 1024 * 1024;
    ask(&bench, REQUEST("GET /metrics", ""), &reply);
    assert_has(&reply, "HTTP/1.1 500 ");
    assert_true(reply.len < 1000);
    buf_fini(&reply);
    admin_close(bench.admin);
}

/* Clients that ask and do not read hold their answers in memory; there is an end to that. */
static void
answers_nobody_reads_are_bounded_and_probes_still_answered(void **state)
{
    struct bench bench;
    struct buf reply;
    int fds[8], small = 4096;

    (void)state;
    begin(&bench, (char[]){"127.0.0.1:0"}, (char[]){""});
    bench.worker.metrics_len = 2 * LARGE; /* more than the kernel takes off our hands */
    buf_init(&reply, 16 * 1024 * 1024);
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        fds[i] = client_open(&bench);
        setsockopt(fds[i], SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
        client_write(&bench, fds[i], REQUEST("GET /metrics", ""));
        turn(&bench, 5);
    }
    ask(&bench, REQUEST("GET /metrics", ""), &reply);
    assert_has(&reply, "HTTP/1.1 503 ");
    assert_true(bench.worker.asked < (int)ARRAY_LEN(fds));
    ask(&bench, REQUEST("GET /livez", ""), &reply);
    assert_has(&reply, "HTTP/1.1 200 ");
    for (size_t i = 0; i < ARRAY_LEN(fds); i++)
        close(fds[i]);
    /* What they held is given back. */
    do {
        ask(&bench, REQUEST("GET /metrics", ""), &reply);
    } while (!strstr(buf_text(&reply), "HTTP/1.1 200 "));
    buf_fini(&reply);
    admin_close(bench.admin);
}

/* Opens connections that send half a request and then nothing. */
static void
open_slow(struct bench *bench, int *fds, int count)
{
    for (int i = 0; i < count; i++) {
        fds[i] = client_open(bench);
        (void)!send(fds[i], "GET /met", 8, MSG_NOSIGNAL);
        turn(bench, 0);
    }
}

static void
reset_connection(int fd)
{
    struct linger linger = {.l_onoff = 1};

    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    close(fd);
}

static bool
raise_file_limit(rlim_t wanted)
{
    struct rlimit limit;

    getrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur >= wanted)
        return true;
    limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
    setrlimit(RLIMIT_NOFILE, &limit);
    return limit.rlim_cur >= wanted;
}

static void
a_thousand_slow_clients_neither_block_the_loop_nor_keep_it_busy(void **state)
{
    struct bench bench;
    struct buf reply;
    int *fds = xcalloc(SLOW_CLIENTS, sizeof(*fds));
    int64_t end;

    (void)state;
    assert_true(raise_file_limit(SLOW_CLIENTS + 256));
    begin(&bench, (char[]){"127.0.0.1:0"}, (char[]){""});
    open_slow(&bench, fds, SLOW_CLIENTS);
    bench.turns = 0;
    end = clock_now_ms() + 300;
    while (clock_now_ms() < end)
        turn(&bench, 1000);
    assert_true(bench.turns < 100);
    assert_true(bench.longest_ms < 1000); /* a bound that also valgrind keeps */
    for (int i = 0; i < SLOW_CLIENTS; i++)
        reset_connection(fds[i]);
    buf_init(&reply, 65536);
    ask(&bench, REQUEST("GET /livez", ""), &reply);
    assert_has(&reply, "HTTP/1.1 200 ");
    buf_fini(&reply);
    xfree(fds);
    admin_close(bench.admin);
}

static void
in_a_crowd_slow_clients_are_cut_off_so_that_a_probe_is_answered(void **state)
{
    struct bench bench;
    struct buf reply;
    int fds[150];
    char byte;

    (void)state;
    begin(&bench, (char[]){"127.0.0.1:0"}, (char[]){""});
    open_slow(&bench, fds, ARRAY_LEN(fds));
    buf_init(&reply, 65536);
    ask(&bench, REQUEST("GET /livez", ""), &reply);
    assert_has(&reply, "HTTP/1.1 200 ");
    assert_int_equal(recv(fds[0], &byte, 1, 0), 0);
    for (size_t i = 0; i < ARRAY_LEN(fds); i++)
        close(fds[i]);
    buf_fini(&reply);
    admin_close(bench.admin);
}

static void
closing_with_clients_connected_leaves_nothing(void **state)
{
    struct bench bench;
    int fds[3];

    (void)state;
    begin(&bench, (char[]){"127.0.0.1:0"}, (char[]){""});
    bench.worker.metrics_len = LARGE;
    for (size_t i = 0; i < ARRAY_LEN(fds); i++)
        fds[i] = client_open(&bench);
    client_write(&bench, fds[0], "GET");
    client_write(&bench, fds[1], REQUEST("GET /metrics", ""));
    turn(&bench, 5);
    admin_close(bench.admin);
    for (size_t i = 0; i < ARRAY_LEN(fds); i++)
        close(fds[i]);
    admin_close(NULL);
}

/* Addresses. */

static void
assert_refused(char *listen, char *token, bool allow_public, const char *message)
{
    struct admin_config config = {.listen = listen, .token = token, .allow_public = allow_public};
    struct worker worker = {0};
    struct err err = {""};

    assert_null(admin_open(&config, &ops, &worker, &err));
    if (!strstr(err.msg, message))
        fail_msg("no \"%s\" in: %s", message, err.msg);
}

static void
addresses_are_read_strictly(void **state)
{
    (void)state;
    assert_refused((char[]){"9464"}, (char[]){""}, false, "HOST:PORT is wanted");
    assert_refused((char[]){"127.0.0.1:"}, (char[]){""}, false, "HOST:PORT is wanted");
    assert_refused((char[]){":9464"}, (char[]){""}, false, "HOST:PORT is wanted");
    assert_refused((char[]){"[]:9464"}, (char[]){""}, false, "HOST:PORT is wanted");
    assert_refused((char[]){"::1:9464"}, (char[]){""}, false, "in brackets");
    assert_refused((char[]){"127.0.0.1:http"}, (char[]){""}, false, "numeric");
    assert_refused((char[]){"metrics.example.com:9464"}, (char[]){""}, false, "numeric");
}

static void
other_machines_need_a_token_unless_the_operator_says_otherwise(void **state)
{
    struct admin_config config = {
        .listen = (char[]){"0.0.0.0:0"}, .token = (char[]){""}, .allow_public = true};
    struct worker worker = {0};
    struct err err = {""};
    struct admin *admin;
    char line[256];

    (void)state;
    assert_refused((char[]){"0.0.0.0:0"}, (char[]){""}, false, "set admin.token");
    assert_refused((char[]){"[::]:0"}, (char[]){""}, false, "set admin.token");
    admin = open_and_read_log(&config, &worker, line, sizeof(line), &err);
    assert_non_null(admin);
    admin_close(admin);
    config.allow_public = false;
    config.token = (char[]){"s3cret"};
    admin = open_and_read_log(&config, &worker, line, sizeof(line), &err);
    assert_non_null(admin);
    assert_null(strstr(line, "s3cret"));
    admin_close(admin);
}

static void
the_real_port_is_logged_and_a_taken_one_refused_with_advice(void **state)
{
    struct bench bench;
    char address[64];

    (void)state;
    begin(&bench, (char[]){"localhost:0"}, (char[]){""});
    assert_non_null(strstr(bench.line, "admin.listening address="));
    assert_true(bench.port > 0);
    snprintf(address, sizeof(address), "127.0.0.1:%d", bench.port);
    assert_refused(address, (char[]){""}, false, "choose another port");
    admin_close(bench.admin);
}

static void
ipv6_addresses_stand_in_brackets(void **state)
{
    struct admin_config config = {.listen = (char[]){"[::1]:0"}, .token = (char[]){""}};
    int probe = socket(AF_INET6, SOCK_STREAM, 0);
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    bool has_v6 = probe >= 0 && bind(probe, (struct sockaddr *)&v6, sizeof(v6)) == 0;
    struct worker worker = {.is_live = true, .reason = "moving"};
    struct bench bench = {0};
    struct err err = {""};
    struct buf reply;
    int fd;

    (void)state;
    close(probe);
    if (!has_v6)
        skip();
    bench.admin = open_and_read_log(&config, &worker, bench.line, sizeof(bench.line), &err);
    assert_non_null(bench.admin);
    assert_non_null(strstr(bench.line, "[::1]:"));
    v6.sin6_port = htons((uint16_t)strtol(strrchr(bench.line, ':') + 1, NULL, 10));
    fd = socket(AF_INET6, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&v6, sizeof(v6)), 0);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    buf_init(&reply, 65536);
    client_write(&bench, fd, REQUEST("GET /livez", ""));
    client_read(&bench, fd, &reply);
    assert_has(&reply, "HTTP/1.1 200 ");
    buf_fini(&reply);
    close(fd);
    admin_close(bench.admin);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(metrics_are_asked_for_anew_each_time),
        cmocka_unit_test(probes_give_the_reason_in_words),
        cmocka_unit_test(only_get_and_head_are_answered),
        cmocka_unit_test(an_unknown_path_lists_what_there_is),
        cmocka_unit_test(without_the_token_nothing_is_told),
        cmocka_unit_test(nonsense_and_huge_heads_harm_nobody),
        cmocka_unit_test(a_large_answer_arrives_whole_and_one_above_the_cap_is_an_error),
        cmocka_unit_test(answers_nobody_reads_are_bounded_and_probes_still_answered),
        cmocka_unit_test(a_thousand_slow_clients_neither_block_the_loop_nor_keep_it_busy),
        cmocka_unit_test(in_a_crowd_slow_clients_are_cut_off_so_that_a_probe_is_answered),
        cmocka_unit_test(closing_with_clients_connected_leaves_nothing),
        cmocka_unit_test(addresses_are_read_strictly),
        cmocka_unit_test(other_machines_need_a_token_unless_the_operator_says_otherwise),
        cmocka_unit_test(the_real_port_is_logged_and_a_taken_one_refused_with_advice),
        cmocka_unit_test(ipv6_addresses_stand_in_brackets),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
