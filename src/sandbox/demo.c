#include "sandbox/demo.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/page.h"
#include "base/xalloc.h"
#include "sandbox/api.h"
#include "sandbox/broker.h"
#include "sandbox/process.h"
#include "sandbox/report.h"
#include "sandbox/sample.h"

enum {
    ASK_MS = 150,         /* how often the committed offsets are asked for */
    BAR_MS = 100,         /* how often the bar is drawn on a terminal */
    PEOPLE_PER_MS = 20,   /* and rarer by this when there are many: each is looked at */
    LINE_MS = 1000,       /* how often a line is printed elsewhere */
    LIVE_LINE_MS = 10000, /* the same, while it goes on */
    TRICKLE_MS = 300,     /* between two events of --live */
    STALL_MS = 30000,     /* nothing moved for so long: something is wrong */
    STOP_MS = 20000,      /* how long the worker may take to stop */
    TEXT_MAX = 1024
};

/* The group that the demo's configuration names. */
static const char group[] = "sendx-demo";
static const char topics[] = "user.registered:4,plan.changed:4"; /* in the order of sample_topic */

/* An API far away, and not always in a good mood. */
static const char *const script[] = {
    "{\"action\":\"delay\",\"delay_ms\":40}",
    "{\"status\":503,\"share\":0.01,\"seed\":1}",
};

enum phase {
    PHASE_DELIVER, /* until every event is committed */
    PHASE_LIVE,    /* a trickle of events, until interrupted */
    PHASE_STOP,    /* the worker was told to stop */
    PHASE_OVER
};

struct demo {
    const struct options *options;
    int signal_fd;
    struct api *api;
    struct broker *broker;
    struct sample *sample;
    struct sample_event event;
    struct process worker;
    enum phase phase;
    bool is_live;     /* the report was given, it went on */
    bool interrupted; /* before the work was done */
    bool is_terminal, bar_is_open;
    struct err failure; /* why it failed, said at the end */
    int64_t started_ms, first_call_ms, delivered_ms, changed_ms; /* 0: not yet */
    int64_t next_ask_ms, next_print_ms, next_event_ms, kill_ms;
    uint64_t last_mark;
};

/* --- numbers --- */

static size_t
events_produced(const struct demo *demo)
{
    struct sample_totals totals = sample_totals(demo->sample);

    return totals.events[SAMPLE_REGISTERED] + totals.events[SAMPLE_PLAN_CHANGED];
}

static int64_t
events_committed(const struct demo *demo)
{
    int64_t sum = 0;

    for (size_t t = 0; t < broker_topic_count(demo->broker); t++)
        for (size_t p = 0; p < broker_partition_count(demo->broker, t); p++)
            sum += broker_committed(demo->broker, t, p);
    return sum;
}

static uint64_t
calls_received(const struct demo *demo)
{
    struct journal_totals totals = journal_totals(service_journal(api_service(demo->api)));

    return totals.requests[REQUEST_IDENTIFY] + totals.requests[REQUEST_TRACK];
}

static struct report
make_report(const struct demo *demo)
{
    return (struct report){
        .service = api_service(demo->api),
        .broker = demo->broker,
        .sample = demo->sample,
        .group = group,
        .api_address = api_address(demo->api),
        .worker = demo->options->worker,
        .conf = demo->options->conf,
        .log = demo->options->log,
        .waited_ms = demo->first_call_ms - demo->started_ms,
        .delivered_ms = demo->delivered_ms - demo->first_call_ms,
    };
}

/* --- showing how far it is --- */

/* How many contacts are what all events together make of them: it grows more evenly than the
 * committed offsets, which wait for the slowest contact of each partition. */
static size_t
contacts_done(const struct demo *demo)
{
    struct report report = make_report(demo);

    return sample_people(demo->sample) - report_check(&report);
}

static void
progress_text(const struct demo *demo, size_t done, char *text, size_t size)
{
    char number[5][PAGE_NUMBER_MAX];

    if (!demo->first_call_ms) {
        snprintf(text, size, "waiting for partitions (about 3 s)");
        return;
    }
    snprintf(text, size, "%s calls, %s/%s contacts, %s/%s committed",
             page_number(number[0], (int64_t)calls_received(demo)),
             page_number(number[1], (int64_t)done),
             page_number(number[2], (int64_t)sample_people(demo->sample)),
             page_number(number[3], events_committed(demo)),
             page_number(number[4], (int64_t)events_produced(demo)));
}

static void
show_progress(struct demo *demo, int64_t now_ms)
{
    size_t people = sample_people(demo->sample);
    size_t done = demo->first_call_ms ? contacts_done(demo) : 0;
    char text[160];

    progress_text(demo, done, text, sizeof(text));
    if (demo->is_terminal) {
        page_bar((int64_t)done, (int64_t)people, text);
        demo->bar_is_open = true;
        demo->next_print_ms = now_ms + BAR_MS + (int64_t)people / PEOPLE_PER_MS;
        return;
    }
    printf("  %2" PRId64 " s: %s\n", (now_ms - demo->started_ms) / 1000, text);
    fflush(stdout);
    demo->next_print_ms = now_ms + (demo->phase == PHASE_LIVE ? LIVE_LINE_MS : LINE_MS);
}

static void
end_bar(struct demo *demo)
{
    if (demo->bar_is_open)
        page_bar_end();
    demo->bar_is_open = false;
}

/* --- steps --- */

static int
produce_next(struct demo *demo, struct err *err)
{
    struct sample_event *event = &demo->event;

    sample_next(demo->sample, event);
    if (event->known.len && service_import(api_service(demo->api), buf_text(&event->known), err))
        return -1;
    return broker_produce(demo->broker, event->topic, event->key, &event->payload, err);
}

static void
stop_worker(struct demo *demo, int64_t now_ms)
{
    demo->phase = PHASE_STOP;
    demo->kill_ms = now_ms + STOP_MS;
    process_signal(&demo->worker, SIGTERM);
}

/* Remembers the first reason and brings the worker down. */
static void
fail(struct demo *demo, int64_t now_ms, const char *why)
{
    (void)err_set(&demo->failure, "%s", why);
    if (demo->phase != PHASE_STOP && demo->phase != PHASE_OVER)
        stop_worker(demo, now_ms);
}

static bool
all_delivered(const struct demo *demo)
{
    for (size_t t = 0; t < broker_topic_count(demo->broker); t++)
        for (size_t p = 0; p < broker_partition_count(demo->broker, t); p++)
            if (broker_committed(demo->broker, t, p) != broker_end(demo->broker, t, p))
                return false;
    return events_committed(demo) == (int64_t)events_produced(demo);
}

static void
watch_progress(struct demo *demo, int64_t now_ms)
{
    uint64_t calls = calls_received(demo);
    uint64_t mark = calls + (uint64_t)events_committed(demo);

    if (calls && !demo->first_call_ms)
        demo->first_call_ms = now_ms;
    if (mark != demo->last_mark) {
        demo->last_mark = mark;
        demo->changed_ms = now_ms;
    }
}

/* Everything is delivered for the first time: tells, and goes on when it is to. */
static void
step_delivered(struct demo *demo, int64_t now_ms)
{
    struct report report;

    show_progress(demo, now_ms);
    end_bar(demo);
    demo->delivered_ms = now_ms;
    if (!demo->options->live || demo->is_live) {
        stop_worker(demo, now_ms);
        return;
    }
    report = make_report(demo);
    if (report_check(&report)) {
        fail(demo, now_ms, "the contacts are not what the events say");
        return;
    }
    demo->is_live = true;
    report_events(&report);
    report_people(&report);
    report_addresses(&report);
    demo->phase = PHASE_LIVE;
    demo->next_event_ms = now_ms;
}

static void
step_deliver(struct demo *demo, int64_t now_ms)
{
    if (all_delivered(demo))
        step_delivered(demo, now_ms);
    else if (now_ms - demo->changed_ms > STALL_MS)
        fail(demo, now_ms,
             demo->first_call_ms ? "nothing has moved for 30 s"
                                 : "the worker has made no call for 30 s");
}

static void
step_live(struct demo *demo, int64_t now_ms)
{
    if (now_ms < demo->next_event_ms)
        return;
    demo->next_event_ms = now_ms + TRICKLE_MS;
    if (produce_next(demo, &demo->failure))
        fail(demo, now_ms, "cannot go on");
}

static void
step_worker(struct demo *demo, int64_t now_ms)
{
    struct buf text;

    if (demo->phase == PHASE_STOP && now_ms >= demo->kill_ms) {
        (void)err_set(&demo->failure, "the worker did not stop within %d s", STOP_MS / 1000);
        process_signal(&demo->worker, SIGKILL);
    }
    if (!process_has_ended(&demo->worker))
        return;
    buf_init(&text, TEXT_MAX);
    process_describe_end(&demo->worker, &text);
    if (demo->phase != PHASE_STOP)
        (void)err_set(&demo->failure, "the worker %s before the work was done", buf_text(&text));
    else if (!process_succeeded(&demo->worker))
        (void)err_set(&demo->failure, "the worker %s when it was stopped; 0 was expected",
                      buf_text(&text));
    buf_fini(&text);
    demo->phase = PHASE_OVER;
}

/* The first interrupt stops in good order, the second at once. */
static void
step_interrupt(struct demo *demo, int64_t now_ms)
{
    end_bar(demo);
    if (demo->phase == PHASE_LIVE) {
        printf("Interrupted: waiting for the last events, then stopping the worker. Once more to"
               " stop at once.\n");
        fflush(stdout);
        demo->phase = PHASE_DELIVER;
        demo->changed_ms = now_ms;
    } else if (demo->phase == PHASE_STOP || demo->is_live) {
        demo->interrupted = true;
        (void)err_set(&demo->failure, "interrupted");
        process_fini(&demo->worker);
        demo->phase = PHASE_OVER;
    } else {
        demo->interrupted = true;
        fail(demo, now_ms, "interrupted");
    }
}

static void
step_signals(struct demo *demo, int64_t now_ms)
{
    struct signalfd_siginfo info;

    while (read(demo->signal_fd, &info, sizeof(info)) == sizeof(info))
        if (info.ssi_signo != SIGCHLD && demo->phase != PHASE_OVER)
            step_interrupt(demo, now_ms);
}

static void
step(struct demo *demo, int64_t now_ms)
{
    struct err err = {""};

    api_step(demo->api, now_ms);
    if (broker_step(demo->broker, &err))
        fail(demo, now_ms, err.msg);
    step_signals(demo, now_ms);
    if (demo->phase == PHASE_OVER)
        return;
    watch_progress(demo, now_ms);
    if (demo->phase == PHASE_DELIVER)
        step_deliver(demo, now_ms);
    else if (demo->phase == PHASE_LIVE)
        step_live(demo, now_ms);
    if (now_ms >= demo->next_ask_ms) {
        broker_ask_committed(demo->broker, group);
        demo->next_ask_ms = now_ms + ASK_MS;
    }
    if (now_ms >= demo->next_print_ms && demo->phase != PHASE_STOP)
        show_progress(demo, now_ms);
    step_worker(demo, now_ms);
}

static void
run(struct demo *demo)
{
    struct pollfd fds[] = {{.fd = demo->signal_fd, .events = POLLIN},
                           {.fd = api_fd(demo->api), .events = POLLIN},
                           {.fd = broker_fd(demo->broker), .events = POLLIN}};

    while (demo->phase != PHASE_OVER) {
        int64_t now_ms = clock_now_ms();
        int64_t due_ms = clock_earlier(api_deadline(demo->api), demo->next_ask_ms);

        if (demo->phase == PHASE_LIVE)
            due_ms = clock_earlier(due_ms, demo->next_event_ms);
        (void)poll(fds, ARRAY_LEN(fds), due_ms > now_ms ? (int)(due_ms - now_ms) : 0);
        step(demo, clock_now_ms());
    }
    end_bar(demo);
}

/* --- from the beginning to the end --- */

static int
check_files(const struct options *options, struct err *err)
{
    if (access(options->worker, X_OK))
        return err_set(err,
                       "there is no worker at %s (%s): run make first, or name it with --worker",
                       options->worker, strerror(errno));
    if (access(options->conf, R_OK))
        return err_set(err,
                       "cannot read %s (%s): run it from the project's folder, or name the"
                       " configuration with --conf",
                       options->conf, strerror(errno));
    return 0;
}

static int
open_all(struct demo *demo, struct err *err)
{
    const struct options *options = demo->options;
    struct api_options api = {.listen = options->listen,
                              .service = {.api_key = options->api_key,
                                          .team_id = options->team_id,
                                          .max_requests = options->max_requests}};

    demo->api = api_new(&api, err);
    if (!demo->api)
        return -1;
    for (size_t i = 0; i < ARRAY_LEN(script); i++)
        if (service_script(api_service(demo->api), script[i], err))
            return -1;
    demo->broker = broker_new(topics, err);
    return demo->broker ? 0 : -1;
}

static int
start_worker(struct demo *demo, struct err *err)
{
    const struct options *options = demo->options;
    const char *argv[] = {options->worker, "run", "-c", options->conf, NULL};
    char *env[] = {xasprintf("SANDBOX_API=http://%s", api_address(demo->api)),
                   xasprintf("SANDBOX_KAFKA=%s", broker_address(demo->broker)),
                   xasprintf("SENDX_API_KEY=%s", options->api_key),
                   xasprintf("SENDX_TEAM_ID=%s", options->team_id)};
    struct process_spec spec = {.argv = argv, .log = options->log};
    int result;

    for (size_t i = 0; i < ARRAY_LEN(env); i++)
        spec.env[i] = env[i];
    result = process_start(&demo->worker, &spec, err);
    for (size_t i = 0; i < ARRAY_LEN(env); i++)
        xfree(env[i]);
    return result;
}

static void
introduce(const struct demo *demo)
{
    char number[PAGE_NUMBER_MAX];
    char *text = xasprintf("%s made-up events, an embedded broker, a stand-in for the SendX API"
                           " (answers after 40 ms, and one call in 100 with 503), and the real"
                           " worker between them.",
                           page_number(number, (int64_t)demo->options->events));

    page_paragraph("", text);
    xfree(text);
    printf("  broker  %s\n  API     http://%s\n  worker  %s run -c %s\n  log     %s\n\n",
           broker_address(demo->broker), api_address(demo->api), demo->options->worker,
           demo->options->conf, demo->options->log);
    fflush(stdout);
}

static int
start_all(struct demo *demo, struct err *err)
{
    if (check_files(demo->options, err) || open_all(demo, err))
        return -1;
    introduce(demo);
    for (size_t i = 0; i < demo->options->events; i++)
        if (produce_next(demo, err))
            return -1;
    if (start_worker(demo, err))
        return -1;
    demo->started_ms = demo->changed_ms = clock_now_ms();
    demo->next_print_ms = demo->started_ms + (demo->is_terminal ? 0 : LINE_MS);
    return 0;
}

/* Why the demo failed, what it shows, and what to do about it. */
static void
tell_failure(const struct demo *demo, const char *why)
{
    const struct options *options = demo->options;
    struct report report = make_report(demo);
    bool is_different = calls_received(demo) > 0 && report_check(&report);

    printf("\nThe demo failed: %s.\n", why);
    if (demo->interrupted)
        return;
    if (is_different)
        report_differences(&report);
    report_log_tail(options->log);
    printf("\nWhat to do\n");
    page_paragraph("  - ", "Read the worker's log: it names what it waits for or what it refused.");
    if (is_different && events_committed(demo) == (int64_t)events_produced(demo))
        page_paragraph("  - ",
                       "If you changed the rules, that is why: the demo expects what the rules"
                       " of conf/demo.conf made when it was written.");
    printf("  - Have the configuration checked:\n"
           "    SANDBOX_API=http://127.0.0.1:1 SANDBOX_KAFKA=127.0.0.1:1 \\\n"
           "    SENDX_API_KEY=k SENDX_TEAM_ID=t %s check -c %s\n",
           options->worker, options->conf);
}

static int
tell_end(const struct demo *demo)
{
    struct report report = make_report(demo);
    size_t different = demo->interrupted ? 0 : report_check(&report);
    char number[PAGE_NUMBER_MAX];

    if (different || err_is_set(&demo->failure)) {
        tell_failure(demo, err_is_set(&demo->failure) ? demo->failure.msg
                                                      : "the contacts are not what the events say");
        return -1;
    }
    if (demo->is_live) {
        printf(
            "The worker exited with 0. All %s events are in their contacts, each exactly what the"
            " events say.\n",
            page_number(number, (int64_t)events_produced(demo)));
        return 0;
    }
    report_events(&report);
    report_people(&report);
    report_next(&report);
    return 0;
}

int
demo_run(const struct options *options, int signal_fd, struct err *err)
{
    struct demo demo = {.options = options, .signal_fd = signal_fd};
    int result;

    demo.is_terminal = page_is_terminal();
    demo.sample = sample_new(options->seed);
    sample_event_init(&demo.event);
    result = start_all(&demo, err);
    if (result == 0) {
        run(&demo);
        result = tell_end(&demo);
    }
    process_fini(&demo.worker);
    api_free(demo.api);
    broker_free(demo.broker);
    sample_event_fini(&demo.event);
    sample_free(demo.sample);
    return result;
}
