#include <assert.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "edge/signals.h"
#include "worker/state.h"
#include "worker/worker.h"

enum {
    RECORDS_PER_TURN = 256,
    LETTER_CHECK_MS = 5000,
    WAIT_MAX_MS = 1000 /* librdkafka's main queue is looked at this often at least */
};

static int
open_http(struct worker *worker, struct err *err)
{
    const struct config *config = worker->config;

    worker->http = http_open(&worker_http_ops, worker, err);
    if (!worker->http)
        return -1;
    worker->http_accounts = xcalloc(config->account_count, sizeof(struct http_account *));
    for (size_t i = 0; i < config->account_count; i++) {
        worker->http_accounts[i] = http_account_new(worker->http, &config->accounts[i], err);
        if (!worker->http_accounts[i])
            return err_prefix(err, "account \"%s\"", config->accounts[i].name);
    }
    return 0;
}

static int
open_kafka(struct worker *worker, struct err *err)
{
    const struct config *config = worker->config;
    size_t count;
    const char **topics = worker_topics(config, &count);
    /* An expression may match them all the same. */
    const char *excluded[] = {config->dead_letter.topic, config->dead_letter.redrive_topic};
    struct kafka_settings settings = {.config = &config->kafka,
                                      .prefetch_bytes = config->delivery.prefetch_bytes,
                                      .topics = topics,
                                      .topic_count = count,
                                      .late_topic = worker->redrive_topic,
                                      .excluded = excluded,
                                      .excluded_count = worker->redrive_topic ? 1 : 2};

    worker->kafka = kafka_open(&settings, &worker_kafka_ops, worker, err);
    xfree(topics);
    return worker->kafka ? 0 : -1;
}

/* A topic that is not there is no reason not to start: what is refused waits until it is. */
static int
open_letters(struct worker *worker, struct err *err)
{
    const struct config *config = worker->config;
    struct err why = {0};

    if (!*config->dead_letter.topic)
        return 0;
    worker->letters = dead_letter_open(&config->kafka, config->dead_letter.topic,
                                       &worker_letter_ops, worker, err);
    if (!worker->letters)
        return -1;
    if (dead_letter_check(worker->letters, LETTER_CHECK_MS, &why))
        log_error("dead_letter.unavailable", log_text("topic", config->dead_letter.topic),
                  log_text("reason", why.msg));
    return 0;
}

static int
open_admin(struct worker *worker, struct err *err)
{
    if (!*worker->config->admin.listen)
        return 0;
    worker->admin = admin_open(&worker->config->admin, &worker_admin_ops, worker, err);
    return worker->admin ? 0 : -1;
}

struct core_limits
worker_core_limits(const struct config *config)
{
    const struct delivery_config *delivery = &config->delivery;

    return (struct core_limits){.retry_min_ms = delivery->retry_min_ms,
                                .retry_max_ms = delivery->retry_max_ms,
                                .retry_for_ms = delivery->retry_for_ms,
                                .fold = delivery->fold,
                                .dead_letters = *config->dead_letter.topic != '\0',
                                .budget = config->dead_letter.budget,
                                .max_events = delivery->max_pending_events,
                                .max_bytes = delivery->max_pending_bytes};
}

static int
worker_open(struct worker *worker, const char *file, const struct config *config, struct err *err)
{
    struct core_limits limits = worker_core_limits(config);
    uint64_t seed = (uint64_t)clock_wall_ms() * 1000003u ^ (uint64_t)clock_now_ms();

    *worker = (struct worker){.file = file, .config = config, .now = clock_now_ms()};
    list_init(&worker->flights);
    seeing_init(&worker->seeing, worker->now);
    mapping_init(&worker->mapping);
    wire_request_init(&worker->request);
    worker->core = core_new(&limits, seed);
    worker->signals = signals_open(err);
    worker->rates = xcalloc(config->account_count, sizeof(worker->rates[0]));
    if (*config->dead_letter.topic && *config->dead_letter.redrive_topic)
        worker->redrive_topic = xstrdup(config->dead_letter.redrive_topic);
    worker->gate_reasons = xcalloc(config->account_count, sizeof(worker->gate_reasons[0]));
    if (worker->signals < 0 || worker_open_supervisor(worker, err) || open_http(worker, err) ||
        open_kafka(worker, err) || open_letters(worker, err) || open_admin(worker, err))
        return -1;
    worker_set_limits(worker);
    return 0;
}

static void
worker_close(struct worker *worker)
{
    notify_close(worker->notify);
    admin_close(worker->admin);
    kafka_close(worker->kafka);
    dead_letter_close(worker->letters);
    xfree(worker->gate_reasons);
    xfree(worker->rates);
    xfree(worker->redrive_topic);
    for (size_t i = 0; worker->http_accounts && i < worker->config->account_count; i++)
        http_account_free(worker->http_accounts[i]);
    xfree(worker->http_accounts);
    http_close(worker->http);
    LIST_EACH(node, &worker->flights) {
        xfree(CONTAINER_OF(node, struct flight, node));
    }
    core_free(worker->core);
    seeing_fini(&worker->seeing);
    mapping_fini(&worker->mapping);
    wire_request_fini(&worker->request);
    xfree(worker->revocation.parts);
    if (worker->signals >= 0)
        signals_close(worker->signals);
    worker_forget_topics(worker);
    worker_reload_fini(worker);
}

static void
signals_step(struct worker *worker)
{
    int signo;

    while ((signo = signals_next(worker->signals))) {
        if (signo == SIGHUP)
            worker_reload(worker, "SIGHUP");
        else if (signo == SIGUSR1)
            worker_admit_letters(worker);
        else
            worker_stop(worker, strsignal(signo));
    }
}

/* What the loop waits for. A descriptor that is not there is -1, which poll(2) passes over. */
enum { WAIT_SIGNALS, WAIT_KAFKA, WAIT_HTTP, WAIT_LETTERS, WAIT_ADMIN, WAITS };

/* MORE: an edge stopped at its budget, so there is nothing to wait for. */
static void
wait_for_work(struct worker *worker, struct pollfd fds[WAITS], bool more)
{
    int64_t due_ms = worker->now + WAIT_MAX_MS;

    due_ms = clock_earlier(due_ms, kafka_deadline(worker->kafka, worker->now));
    due_ms = clock_earlier(due_ms, http_deadline(worker->http));
    due_ms = clock_earlier(due_ms, core_deadline(worker->core, worker->now));
    if (worker->letters)
        due_ms = clock_earlier(due_ms, dead_letter_deadline(worker->letters, worker->now));
    if (worker->admin)
        due_ms = clock_earlier(due_ms, admin_deadline(worker->admin, worker->now));
    due_ms = clock_earlier(due_ms, worker->limits_due_ms);
    due_ms = clock_earlier(due_ms, worker_rebalance_deadline(worker));
    due_ms = clock_earlier(due_ms, worker_topics_deadline(worker));
    due_ms = clock_earlier(due_ms, worker_supervisor_deadline(worker));
    poll(fds, WAITS, !more && due_ms > worker->now ? (int)(due_ms - worker->now) : 0);
}

/* The edges that have little to do are called only when they have: a call costs them a system call
 * or a lock, which shows at thousands of turns a second. */
static void
quiet_edges_step(struct worker *worker, const struct pollfd fds[WAITS])
{
    if (fds[WAIT_SIGNALS].revents)
        signals_step(worker);
    if (worker->letters && (fds[WAIT_LETTERS].revents ||
                            dead_letter_deadline(worker->letters, worker->now) <= worker->now))
        dead_letter_step(worker->letters, worker->now);
    if (worker->admin &&
        (fds[WAIT_ADMIN].revents || admin_deadline(worker->admin, worker->now) <= worker->now))
        admin_step(worker->admin);
}

static void
loop(struct worker *worker)
{
    struct pollfd fds[WAITS] = {
        [WAIT_SIGNALS] = {worker->signals, POLLIN,
                          POLLIN}, /* each is looked at once to begin with */
        [WAIT_KAFKA] = {kafka_fd(worker->kafka), POLLIN, POLLIN},
        [WAIT_HTTP] = {http_fd(worker->http), POLLIN, POLLIN},
        [WAIT_LETTERS] = {worker->letters ? dead_letter_fd(worker->letters) : -1, POLLIN, POLLIN},
        [WAIT_ADMIN] = {worker->admin ? admin_fd(worker->admin) : -1, POLLIN, POLLIN}};

    while (worker->phase != PHASE_DONE) {
        int64_t last_ms = worker->now;
        bool more;

        worker->now = clock_now_ms();
        worker_watch_gap(worker, last_ms, worker->now);
        more = http_step(worker->http, worker->now); /* first: replies make room for records */
        kafka_step(worker->kafka, worker->now, RECORDS_PER_TURN);
        quiet_edges_step(worker, fds);
        worker_reload_step(worker);
        if (worker->now >= worker->limits_due_ms)
            worker_set_limits(worker);
        core_tick(worker->core, worker->now);
        worker_watch_gap(worker, worker->now, clock_now_ms()); /* a stop within the turn */
        worker_send(worker);
        worker_write_letters(worker);
        worker_log_holds(worker);
        worker_commit_step(worker);
        worker_rebalance_step(worker);
        worker_watch_topics(worker);
        worker_watch_progress(worker);
        worker_supervisor_step(worker);
        seeing_step(worker);
        if (worker->phase != PHASE_DONE)
            wait_for_work(worker, fds, more);
    }
}

static void
log_stopped(const struct worker *worker)
{
    struct core_counts counts;

    core_totals(worker->core, &counts);
    log_info("worker.stopped", log_int("exit", worker->exit_status),
             log_int("consumed", (int64_t)counts.consumed),
             log_int("delivered", (int64_t)counts.ended[EVENT_DELIVERED]),
             log_int("no_match", (int64_t)counts.ended[EVENT_NO_MATCH]),
             log_int("skipped", (int64_t)counts.ended[EVENT_SKIPPED]),
             log_int("finished_before", (int64_t)counts.finished_before),
             log_int("dead_lettered", (int64_t)counts.ended[EVENT_DEAD_LETTERED]),
             log_int("given_back", (int64_t)counts.ended[EVENT_GIVEN_BACK]),
             log_int("pending", (int64_t)counts.pending),
             log_int("tombstones", (int64_t)worker->counts.mapped[MAP_TOMBSTONE]),
             log_int("not_json", (int64_t)worker->counts.mapped[MAP_NOT_JSON]),
             log_int("not_rendered", (int64_t)worker->counts.mapped[MAP_NOT_RENDERED]),
             log_int("calls_done", (int64_t)worker->counts.settled[SETTLED_DONE]),
             log_int("calls_retried", (int64_t)worker->counts.settled[SETTLED_WAITING]),
             log_int("calls_failed", (int64_t)worker->counts.settled[SETTLED_FAILED]),
             log_int("calls_held", (int64_t)worker->counts.settled[SETTLED_REFUSED]));
}

int
worker_run(const char *file, const struct config *config, bool *ret_left, struct err *err)
{
    static struct worker worker; /* static: librdkafka's threads may outlive this function */
    int status = -1;

    *ret_left = false;

    if (!worker_open(&worker, file, config, err)) {
        log_info("worker.ready", log_text("version", VERSION),
                 log_text("group", config->kafka.group_id),
                 log_int("rules", (int64_t)ruleset_rule_count(config->rules)),
                 log_int("accounts", (int64_t)config->account_count));
        notify_ready(worker.notify);
        loop(&worker);
        log_stopped(&worker);
        status = worker.exit_status;
        *ret_left =
            status != WORKER_STOPPED || worker.counts.lost > 0 || kafka_must_be_left(worker.kafka);
    } else {
        *ret_left = worker.kafka != NULL; /* it may be a member already */
    }
    if (!*ret_left)
        worker_close(&worker);
    return status;
}
