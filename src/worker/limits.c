#include "base/clock.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "worker/state.h"

#define NO_RATE 1e-6 /* calls a second: as good as none */

enum {
    PROBE_MIN_MS = 250, /* back-off between the probes of a hold */
    PROBE_MAX_MS = 30 * 1000,
    ASK_MIN_MS = 200, /* how long the loop waits for an answer; the more often in vain the longer */
    ASK_MAX_MS = 3000,
    ASK_AGAIN_MIN_MS = 1000, /* while nobody says how many partitions there are */
    ASK_AGAIN_MAX_MS = 30 * 1000
};

/* FIRST_MS doubled for each question that was in vain, up to MAX_MS. */
static int64_t
grown(const struct worker *worker, int64_t first_ms, int64_t max_ms)
{
    int64_t ms = first_ms;

    for (unsigned i = 0; i < worker->limits_asked && ms < max_ms; i++)
        ms *= 2;
    return clock_earlier(ms, max_ms);
}

/* What came back by redrive can be of any account: the redrive topic counts for all of them. */

/* How many partitions there are of the topics whose rules call ACCOUNT; 0 when nobody says. */
static int64_t
count_all(struct worker *worker, unsigned account)
{
    const struct ruleset *rules = worker->config->rules;
    const char **topics = xcalloc(ruleset_topic_count(rules) + 1, sizeof(*topics));
    size_t count = 0;
    int64_t partitions;

    for (size_t i = 0; i < ruleset_topic_count(rules); i++) {
        if (ruleset_topic_calls(rules, i, account))
            topics[count++] = ruleset_topic(rules, i);
    }
    if (worker->redrive_topic)
        topics[count++] = worker->redrive_topic;
    partitions = count ? kafka_count_partitions(worker->kafka, topics, count,
                                                (int)grown(worker, ASK_MIN_MS, ASK_MAX_MS))
                       : 0;
    xfree(topics);
    return partitions;
}

static int64_t
count_owned(struct worker *worker, unsigned account)
{
    size_t parts = core_parts(worker->core, NULL, 0);
    void **users = xcalloc(parts, sizeof(*users));
    int64_t count = 0;

    core_parts(worker->core, users, parts);
    for (size_t i = 0; i < parts; i++) {
        const char *topic = kafka_part_topic(users[i]);

        count += worker_is_redrive(worker, topic) ||
                 ruleset_name_calls(worker->config->rules, topic, account);
    }
    xfree(users);
    return count;
}

/* Asking blocks, so it is not done in every turn. The clock may have moved on meanwhile. */
static int64_t
ask_again_ms(const struct worker *worker)
{
    return clock_now_ms() + grown(worker, ASK_AGAIN_MIN_MS, ASK_AGAIN_MAX_MS);
}

/* Calls of rules that a reload took away go on at the rate they had. */
static double
rate_of_leftovers(const struct worker *worker, unsigned account, double rate)
{
    const struct gate *gate = core_gate(worker->core, account);

    if (!gate)
        return NO_RATE;
    return gate->limits.rate > 0 && gate->limits.rate < rate ? gate->limits.rate : rate;
}

/* The rate limit is the whole group's: a process takes the share of the partitions that it owns.
 * While nobody says how many there are, nothing starts. */
static double
rate_of(struct worker *worker, unsigned account)
{
    double rate = worker->config->accounts[account].rate_limit;
    int64_t owned, all;

    if (rate <= 0)
        return 0;
    owned = count_owned(worker, account);
    /* Who did not answer for one account is not asked for the next. */
    all = owned && worker->limits_due_ms == CLOCK_NEVER ? count_all(worker, account) : 0;
    if (owned && !all)
        worker->limits_due_ms = ask_again_ms(worker);
    if (!owned && worker->reload.done)
        return rate_of_leftovers(worker, account, rate);
    if (all && owned <= all)
        rate *= (double)owned / (double)all;
    else
        rate = NO_RATE;
    if (rate == worker->rates[account])
        return rate;
    worker->rates[account] = rate;
    log_info("account.rate", log_text("account", worker->config->accounts[account].name),
             log_int("partitions", owned), log_int("of", all),
             log_int("calls_per_1000_s", (int64_t)(rate * 1000)));
    return rate;
}

static void
set_limits(struct worker *worker, unsigned account)
{
    const struct account *settings = &worker->config->accounts[account];
    struct gate_limits limits = {.max_in_flight = settings->max_in_flight,
                                 .rate = rate_of(worker, account),
                                 .hold = settings->hold,
                                 .probe_min_ms = PROBE_MIN_MS,
                                 .probe_max_ms = PROBE_MAX_MS};

    core_set_account(worker->core, account, &limits, settings->on_unknown_contact, worker->now);
}

void
worker_set_limits(struct worker *worker)
{
    worker->limits_due_ms = CLOCK_NEVER;
    for (unsigned i = 0; i < worker->config->account_count; i++) {
        if (!worker->config->accounts[i].removed) /* such a one keeps what it had */
            set_limits(worker, i);
    }
    worker->limits_asked = worker->limits_due_ms == CLOCK_NEVER ? 0 : worker->limits_asked + 1;
}

static void
log_gate(struct worker *worker, unsigned account)
{
    enum gate_reason reason = gate_reason(core_gate(worker->core, account), worker->now);
    enum gate_reason last = worker->gate_reasons[account];
    const char *name = worker->config->accounts[account].name;

    worker->gate_reasons[account] = reason;
    /* Throttling comes and goes with each reply: the metrics have it. */
    if (reason == last || reason == GATE_THROTTLED || last == GATE_THROTTLED)
        return;
    if (reason == GATE_OPEN)
        log_info("account.open", log_text("account", name),
                 log_text("was", gate_reason_name(last)));
    else
        log_error("account.held", log_text("account", name),
                  log_text("reason", gate_reason_name(reason)),
                  log_text("effect", "nothing is lost; probes find out when it is over"));
}

void
worker_log_holds(struct worker *worker)
{
    enum letter_hold hold = core_letter_hold(worker->core, worker->now);

    for (unsigned i = 0; i < worker->config->account_count; i++)
        log_gate(worker, i);
    if (hold == worker->letter_hold)
        return;
    if (hold == LETTER_HOLD_NONE)
        log_info("dead_letter.open", log_text("was", letter_hold_name(worker->letter_hold)));
    else
        log_error("dead_letter.held", log_text("reason", letter_hold_name(hold)),
                  log_text("effect", hold == LETTER_HOLD_BUDGET
                                         ? "mend the cause, or let them go with SIGUSR1"
                                         : "what is refused waits, and its contacts with it"));
    worker->letter_hold = hold;
}
