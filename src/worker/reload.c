/* Another configuration in place of the one in force, between two turns of the loop. */
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "edge/kafka_conf.h"
#include "worker/state.h"

enum {
    KEPT_MAX = 4096,              /* names of settings in a log line */
    FINDINGS_MAX = 20,            /* logged of one file */
    SWEEP_MS = 1000,              /* between looks whether old configurations are still in use */
    SECRETS_MS = 5000,            /* between looks at the files of keys that are refused */
    SECRETS_AGAIN_MS = 60 * 1000, /* after one that could not be taken up */
};

/* What is prepared beside the configuration in force. */
struct candidate {
    struct config *config;
    struct http_account **accounts; /* those that are the same on the wire are shared */
    const char **topics;
    size_t topic_count;
};

const char **
worker_topics(const struct config *config, size_t *ret_count)
{
    const struct dead_letter_config *letters = &config->dead_letter;
    size_t count = ruleset_topic_count(config->rules);
    const char **topics = xcalloc(count + 1, sizeof(*topics));

    for (size_t i = 0; i < count; i++)
        topics[i] = ruleset_topic(config->rules, i);
    if (*letters->topic && *letters->redrive_topic)
        topics[count++] = letters->redrive_topic;
    *ret_count = count;
    return topics;
}

/* ---- reading ---- */

static void
log_findings(const struct diag *diag)
{
    for (size_t i = 0; i < diag->count && i < FINDINGS_MAX; i++) {
        const struct diag_item *item = &diag->items[i];

        LOG_AT(item->severity == DIAG_ERROR ? LOG_ERROR : LOG_WARNING, "config.finding",
               log_text("text", item->text));
    }
    if (diag->count > FINDINGS_MAX)
        log_error("config.findings_cut", log_int("more", (int64_t)(diag->count - FINDINGS_MAX)),
                  log_text("effect", "sendx-worker check shows all of them"));
}

static void
log_kept(const struct buf *kept)
{
    if (kept->len)
        log_warning("config.kept", log_text("settings", buf_text(kept)),
                    log_text("effect", "they stay as they were until the worker is restarted"));
}

static struct config *
read_beside(struct worker *worker, struct err *err)
{
    struct config *config;
    struct diag diag;
    struct buf kept;

    diag_init(&diag);
    buf_init(&kept, KEPT_MAX);
    config = config_load_beside(worker->file, worker->config, kafka_check, &kept, &diag);
    log_findings(&diag);
    if (config)
        log_kept(&kept);
    else
        err_set(err, "%zu errors in %s", diag.errors, worker->file);
    buf_fini(&kept);
    diag_fini(&diag);
    return config;
}

/* ---- preparing ---- */

/* Whether account I stays as it is to the API, so that its connections are good for both. */
static bool
is_shared(const struct worker *worker, const struct config *config, size_t i)
{
    const struct config *old = worker->config;

    return i < old->account_count &&
           account_is_same_on_wire(&old->accounts[i], &config->accounts[i]);
}

static void
candidate_drop(struct worker *worker, struct candidate *candidate)
{
    for (size_t i = 0; candidate->accounts && i < candidate->config->account_count; i++) {
        if (!is_shared(worker, candidate->config, i))
            http_account_free(candidate->accounts[i]);
    }
    xfree(candidate->accounts);
    xfree(candidate->topics);
    config_free(candidate->config);
}

static int
prepare_accounts(struct worker *worker, struct candidate *candidate, struct err *err)
{
    const struct config *config = candidate->config;

    candidate->accounts = xcalloc(config->account_count, sizeof(candidate->accounts[0]));
    for (size_t i = 0; i < config->account_count; i++) {
        candidate->accounts[i] = is_shared(worker, config, i)
                                     ? worker->http_accounts[i]
                                     : http_account_new(worker->http, &config->accounts[i], err);
        if (!candidate->accounts[i])
            return err_prefix(err, "account \"%s\"", config->accounts[i].name);
    }
    return 0;
}

/* The last step that can fail. */
static int
subscribe(struct worker *worker, struct candidate *candidate, struct err *err)
{
    size_t count;
    const char **topics = worker_topics(worker->config, &count);
    bool same;

    candidate->topics = worker_topics(candidate->config, &candidate->topic_count);
    same = count == candidate->topic_count;
    for (size_t i = 0; same && i < count; i++)
        same = strcmp(topics[i], candidate->topics[i]) == 0;
    xfree(topics);
    return same ? 0
                : kafka_subscribe(worker->kafka, candidate->topics, candidate->topic_count, err);
}

/* ---- changing over ---- */

/* Requests on their way still need the key they went out with, so that it is masked in a reply. */
static void
retire(struct worker *worker)
{
    struct reload *reload = &worker->reload;

    if (reload->config)
        reload->retired[reload->retired_count++] = reload->config;
    reload->sweep_due_ms = worker->now + SWEEP_MS;
}

static bool
is_in_use(const struct worker *worker, const struct config *config)
{
    LIST_EACH(node, &worker->flights) {
        if (CONTAINER_OF(node, struct flight, node)->config == config)
            return true;
    }
    return false;
}

static void
sweep(struct worker *worker)
{
    struct reload *reload = &worker->reload;
    size_t kept = 0;

    for (size_t i = 0; i < reload->retired_count; i++) {
        if (is_in_use(worker, reload->retired[i]))
            reload->retired[kept++] = reload->retired[i];
        else
            config_free(reload->retired[i]);
    }
    reload->retired_count = kept;
    reload->sweep_due_ms = worker->now + SWEEP_MS;
}

static void
log_accounts(const struct config *old, const struct config *config)
{
    for (size_t i = 0; i < config->account_count; i++) {
        if (i >= old->account_count)
            log_info("account.added", log_text("account", config->accounts[i].name));
        else if (config->accounts[i].removed && !old->accounts[i].removed)
            log_warning("account.removed", log_text("account", config->accounts[i].name),
                        log_text("effect", "calls made for it before are still sent, with the "
                                           "settings it had"));
    }
}

/* Calls that were made before stay as they are; how they are sent follows the new settings. */
static void
change_over(struct worker *worker, struct candidate *candidate)
{
    const struct config *old = worker->config;
    struct config *config = candidate->config;
    struct core_limits limits = worker_core_limits(config);

    worker->gate_reasons =
        xrealloc(worker->gate_reasons, config->account_count, sizeof(worker->gate_reasons[0]));
    worker->rates = xrealloc(worker->rates, config->account_count, sizeof(worker->rates[0]));
    for (size_t i = old->account_count; i < config->account_count; i++) {
        worker->gate_reasons[i] = GATE_OPEN;
        worker->rates[i] = 0;
    }
    for (size_t i = 0; i < old->account_count; i++) {
        if (is_shared(worker, config, i))
            continue;
        http_account_free(worker->http_accounts[i]);
        core_probe_soon(worker->core, (unsigned)i, worker->now);
    }
    xfree(worker->http_accounts);
    worker->http_accounts = candidate->accounts;
    log_accounts(old, config);
    retire(worker);
    worker->reload.config = config;
    worker->config = config;
    ruleset_continue(config->rules, old->rules);
    seeing_reloaded(&worker->seeing);
    worker_forget_topics(worker);
    core_set_limits(worker->core, &limits);
    worker_set_limits(worker);
    log_setup(config->log.level, config->log.format);
    xfree(candidate->topics);
}

static int
reload_now(struct worker *worker, struct err *err)
{
    struct candidate candidate = {.config = read_beside(worker, err)};

    if (!candidate.config)
        return -1;
    if (prepare_accounts(worker, &candidate, err) || subscribe(worker, &candidate, err)) {
        candidate_drop(worker, &candidate);
        return -1;
    }
    change_over(worker, &candidate);
    return 0;
}

static void
reload_and_say(struct worker *worker, const char *why)
{
    struct reload *reload = &worker->reload;
    struct err err = {0};

    notify_reloading(worker->notify);
    reload->last_failed = reload_now(worker, &err) != 0;
    notify_ready(worker->notify);
    if (reload->last_failed) {
        reload->failed++;
        reload->secrets_due_ms = worker->now + SECRETS_AGAIN_MS;
        log_error("config.not_reloaded", log_text("why", why), log_text("reason", err.msg),
                  log_text("effect", "nothing has changed"));
        return;
    }
    reload->done++;
    log_info("config.reloaded", log_text("why", why),
             log_int("generation", (int64_t)reload->done + 1),
             log_int("rules", (int64_t)ruleset_rule_count(worker->config->rules)),
             log_int("topics", (int64_t)ruleset_topic_count(worker->config->rules)),
             log_int("accounts", (int64_t)worker->config->account_count));
    worker_map_again(worker);
}

/* ---- when ---- */

/* A key that was replaced is taken up without a signal, where the old one is refused. */
static bool
secret_has_changed(struct worker *worker)
{
    for (unsigned i = 0; i < worker->config->account_count; i++) {
        const struct gate *gate = core_gate(worker->core, i);

        if (gate && gate_reason(gate, worker->now) == GATE_CONFIGURATION &&
            config_secret_changed(worker->config, i))
            return true;
    }
    return false;
}

void
worker_reload(struct worker *worker, const char *why)
{
    worker->reload.why = why;
}

void
worker_reload_step(struct worker *worker)
{
    struct reload *reload = &worker->reload;
    const char *why;

    if (reload->retired_count && worker->now >= reload->sweep_due_ms)
        sweep(worker);
    if (worker->now >= reload->secrets_due_ms) {
        reload->secrets_due_ms = worker->now + SECRETS_MS;
        if (!reload->why && worker->phase == PHASE_RUNNING && secret_has_changed(worker))
            reload->why = "a secret was replaced";
    }
    /* With all places taken, requests of as many configurations are still out: soon one is not. */
    if (!reload->why || (reload->retired_count == RETIRED_MAX && worker->phase == PHASE_RUNNING))
        return;
    why = reload->why;
    reload->why = NULL;
    if (worker->phase == PHASE_RUNNING)
        reload_and_say(worker, why);
    else /* since it was asked for, perhaps */
        log_warning("config.not_reloaded", log_text("why", why), log_text("reason", "it stops"));
}

void
worker_reload_fini(struct worker *worker)
{
    struct reload *reload = &worker->reload;

    for (size_t i = 0; i < reload->retired_count; i++)
        config_free(reload->retired[i]);
    config_free(reload->config);
}
