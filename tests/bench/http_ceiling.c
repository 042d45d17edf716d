/*
 * The ceiling for the worker on this machine: edge/http posting one constant body, without Kafka
 * and without rules. make bench-quick sets the worker's figures beside it.
 *
 *     http_ceiling URL COUNT IN_FLIGHT
 */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "edge/http.h"

struct run {
    struct http *http;
    struct http_account *account;
    struct wire_request request;
    long left, bad;
    struct reply last; /* its status and failure */
};

static void
done(void *arg, void *token, const struct reply *reply)
{
    struct run *run = arg;

    if (reply->failure != REPLY_OK || reply->status / 100 != 2)
        run->bad++;
    run->last.failure = reply->failure;
    run->last.status = reply->status;
    if (run->left > 0) {
        run->left--;
        http_start(run->account, &run->request, token);
    }
}

static void
work(struct run *run, int in_flight)
{
    bool more = false;

    for (int i = 0; i < in_flight && run->left > 0; i++, run->left--)
        http_start(run->account, &run->request, run);
    while (http_in_flight(run->http)) {
        int64_t now = clock_now_ms();
        int64_t wait_ms = http_deadline(run->http) - now;
        struct pollfd pollfd = {.fd = http_fd(run->http), .events = POLLIN};

        if (!more && wait_ms > 0)
            poll(&pollfd, 1, wait_ms < 1000 ? (int)wait_ms : 1000);
        more = http_step(run->http, clock_now_ms());
    }
}

/* Of this program. getrusage() also counts what its parent held when it was started. */
static double
peak_mb(void)
{
    FILE *status = fopen("/proc/self/status", "re");
    char line[256];
    long kb = 0;

    while (status && kb == 0 && fgets(line, sizeof line, status))
        if (strncmp(line, "VmHWM:", 6) == 0)
            kb = strtol(line + 6, NULL, 10);
    if (status)
        fclose(status);
    return (double)kb / 1024;
}

static int
print_result(const struct run *run, long count, int64_t elapsed_ms)
{
    struct rusage usage;
    double cpu_us;

    getrusage(RUSAGE_SELF, &usage);
    cpu_us = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
             (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
    printf("requests=%ld failed=%ld requests/s=%.0f cpu_us/request=%.1f peak_mb=%.1f\n", count,
           run->bad, (double)count * 1000 / (double)(elapsed_ms ? elapsed_ms : 1),
           cpu_us / (double)count, peak_mb());
    if (run->bad)
        printf("the last reply: %s, status %d\n", reply_failure_name(run->last.failure),
               run->last.status);
    return run->bad ? 1 : 0;
}

int
main(int argc, char **argv)
{
    static const struct http_ops ops = {.done = done};
    struct account account = {.name = "ceiling",
                              .api_key = "key",
                              .timeout_ms = 30000,
                              .connect_timeout_ms = 3000,
                              .allow_plaintext = true};
    struct run run = {.left = 0};
    struct err err = {{0}};
    long count = argc == 4 ? strtol(argv[2], NULL, 10) : 0;
    int64_t start_ms;
    int rc;

    if (count <= 0 || (account.max_in_flight = (int)strtol(argv[3], NULL, 10)) <= 0) {
        fprintf(stderr, "usage: http_ceiling URL COUNT IN_FLIGHT\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    account.base_url = argv[1];
    account.ca_file = getenv("CA_FILE");
    run.http = http_open(&ops, &run, &err);
    run.account = run.http ? http_account_new(run.http, &account, &err) : NULL;
    if (!run.account) {
        fprintf(stderr, "%s\n", err.msg);
        return 1;
    }
    wire_request_init(&run.request);
    buf_add_text(&run.request.url, argv[1]);
    buf_add_text(&run.request.body,
                 "{\"email\":\"ada@example.com\",\"firstName\":\"Ada\",\"lastName\":\"Lovelace\","
                 "\"customFields\":{\"Plan\":\"pro\"},\"tags\":[\"registered\",\"source: web\"]}");
    run.left = count;
    start_ms = clock_now_ms();
    work(&run, account.max_in_flight);
    rc = print_result(&run, count, clock_now_ms() - start_ms);
    wire_request_fini(&run.request);
    http_account_free(run.account);
    http_close(run.http);
    return rc;
}
