/* sendx-sandbox: a stand-in for the SendX API with an embedded broker, for the demo and for tests.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "sandbox/api.h"
#include "sandbox/broker.h"
#include "sandbox/demo.h"
#include "sandbox/options.h"

enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

/* Blocks the signals that end the program, for all threads there will be. Their descriptor, or -1.
 */
static int
open_signals(struct err *err)
{
    sigset_t set;
    int fd;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGCHLD); /* the demo's worker */
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGUSR1, SIG_IGN);
    fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return fd < 0 ? err_set(err, "signalfd: %s", strerror(errno)) : fd;
}

/* Whoever waits for FILE sees the whole line or nothing. */
static int
write_ready_file(const char *file, const char *line, struct err *err)
{
    char *part = xasprintf("%s.part", file);
    FILE *out = fopen(part, "we");
    int problem = out ? 0 : errno;

    if (out) {
        if (fputs(line, out) == EOF)
            problem = errno;
        if (fclose(out) == EOF && !problem)
            problem = errno;
        if (!problem && rename(part, file))
            problem = errno;
        if (problem)
            unlink(part);
    }
    xfree(part);
    return problem ? err_set(err, "cannot write %s: %s", file, strerror(problem)) : 0;
}

static int
say_ready(const struct options *options, const struct api *api, const struct broker *broker,
          struct err *err)
{
    char *line = xasprintf("sandbox.ready api=http://%s%s%s\n", api_address(api),
                           broker ? " kafka=" : "", broker ? broker_address(broker) : "");
    int result = 0;

    if (options->ready_file)
        result = write_ready_file(options->ready_file, line, err);
    if (result == 0) {
        fputs(line, stdout);
        fflush(stdout);
    }
    xfree(line);
    return result;
}

static void
serve_until_signal(struct api *api, int signal_fd)
{
    struct pollfd fds[] = {{.fd = signal_fd, .events = POLLIN},
                           {.fd = api_fd(api), .events = POLLIN}};

    while (!(fds[0].revents & POLLIN)) {
        int64_t now_ms = clock_now_ms();
        int64_t due_ms = api_deadline(api);
        int64_t wait_ms = due_ms == CLOCK_NEVER ? -1 : due_ms > now_ms ? due_ms - now_ms : 0;

        (void)poll(fds, 2, (int)wait_ms);
        api_step(api, clock_now_ms());
    }
}

static int
serve(const struct options *options, int signal_fd, struct err *err)
{
    struct api_options api_options = {.listen = options->listen,
                                      .service = {.api_key = options->api_key,
                                                  .team_id = options->team_id,
                                                  .max_requests = options->max_requests}};
    struct broker *broker = NULL;
    struct api *api = api_new(&api_options, err);
    int result = api ? 0 : -1;

    if (result == 0 && options->kafka) {
        broker = broker_new(options->topics, err);
        result = broker ? 0 : -1;
    }
    if (result == 0)
        result = say_ready(options, api, broker, err);
    if (result == 0)
        serve_until_signal(api, signal_fd);
    api_free(api);
    broker_free(broker);
    return result;
}

int
main(int argc, char **argv)
{
    struct err err = {""};
    struct options options;
    int signal_fd, result;

    if (options_read(argc, argv, &options, &err)) {
        fprintf(stderr, "sendx-sandbox: %s\n", err.msg);
        return EXIT_USAGE;
    }
    if (options.help) {
        options_print_help();
        return EXIT_OK;
    }
    signal_fd = open_signals(&err);
    result = signal_fd < 0 ? -1 : 0;
    if (result == 0)
        result =
            options.demo ? demo_run(&options, signal_fd, &err) : serve(&options, signal_fd, &err);
    if (signal_fd >= 0)
        close(signal_fd);
    if (result && err_is_set(&err))
        fprintf(stderr, "sendx-sandbox: %s\n", err.msg);
    return result ? EXIT_FAILED : EXIT_OK;
}
