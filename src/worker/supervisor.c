/* What the service manager is told: alive, and in a line what is going on. */
#include <stdlib.h>

#include "base/clock.h"
#include "worker/state.h"

enum { STATUS_MS = 1000, STATUS_MAX = 400 };

int
worker_open_supervisor(struct worker *worker, struct err *err)
{
    const struct notify_settings settings = {.socket = getenv("NOTIFY_SOCKET"),
                                             .watchdog_usec = getenv("WATCHDOG_USEC"),
                                             .watchdog_pid = getenv("WATCHDOG_PID")};

    worker->notify = notify_open(&settings, err);
    return err_is_set(err) ? -1 : 0;
}

static void
add_status(struct worker *worker, struct buf *text)
{
    enum letter_hold letters = core_letter_hold(worker->core, worker->now);
    struct core_counts counts;

    core_totals(worker->core, &counts);
    buf_printf(text, "%s%zu partitions, %llu events pending",
               worker->phase == PHASE_RUNNING ? "" : "stopping: ",
               core_parts(worker->core, NULL, 0), (unsigned long long)counts.pending);
    for (unsigned i = 0; i < worker->config->account_count; i++) {
        enum gate_reason reason = gate_reason(core_gate(worker->core, i), worker->now);

        if (reason != GATE_OPEN)
            buf_printf(text, "; account \"%s\" is held: %s", worker->config->accounts[i].name,
                       gate_reason_name(reason));
    }
    if (letters != LETTER_HOLD_NONE)
        buf_printf(text, "; dead letters are held: %s", letter_hold_name(letters));
    if (worker->stall.stalled)
        buf_add_text(text, "; nothing moves");
    if (worker->reload.last_failed)
        buf_add_text(text, "; the last reload was refused");
}

void
worker_supervisor_step(struct worker *worker)
{
    struct buf text;

    if (!worker->notify)
        return;
    if (!worker->stall.stalled)
        notify_alive(worker->notify, worker->now);
    if (worker->now < worker->status_due_ms)
        return;
    worker->status_due_ms = worker->now + STATUS_MS;
    buf_init(&text, STATUS_MAX);
    add_status(worker, &text);
    notify_status(worker->notify, buf_text(&text));
    buf_fini(&text);
}

int64_t
worker_supervisor_deadline(const struct worker *worker)
{
    return worker->stall.stalled ? CLOCK_NEVER : notify_deadline(worker->notify);
}
