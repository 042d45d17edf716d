/* What tests of delivery/core share: a core with one part, events with literal calls, and a false
 * clock that only the test moves. */
#ifndef TESTS_CORE_UNIT_H
#define TESTS_CORE_UNIT_H

#include "unit.h"

#include "base/clock.h"
#include "delivery/core.h"

enum { SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE };

struct fixture {
    struct core *core;
    struct core_part *part;
    int64_t next; /* offset */
    int64_t now;
};

static inline struct core_limits
default_limits(void)
{
    return (struct core_limits){.retry_min_ms = 100,
                                .retry_max_ms = 1000,
                                .retry_for_ms = 10 * SECOND,
                                .max_events = 100,
                                .max_bytes = 1 << 20,
                                .dead_letters = true,
                                .budget = 0.05};
}

static inline struct gate_limits
default_gate(void)
{
    return (struct gate_limits){
        .max_in_flight = 100, .probe_min_ms = 250, .probe_max_ms = 30 * SECOND};
}

static inline int
open_fixture(void **state, const struct core_limits *limits)
{
    static struct fixture fixture;
    struct gate_limits gate = default_gate();

    fixture = (struct fixture){.now = 1000};
    fixture.core = core_new(limits, 1);
    core_set_account(fixture.core, 0, &gate, UNKNOWN_CREATE, fixture.now);
    fixture.part = core_assign(fixture.core, 0, 0, &fixture);
    *state = &fixture;
    return 0;
}

static inline int
set_up(void **state)
{
    struct core_limits limits = default_limits();

    return open_fixture(state, &limits);
}

static inline int
set_up_without_dead_letters(void **state)
{
    struct core_limits limits = default_limits();

    limits.dead_letters = false;
    return open_fixture(state, &limits);
}

static inline int
tear_down(void **state)
{
    struct fixture *fixture = *state;

    core_check(fixture->core);
    core_free(fixture->core);
    return 0;
}

static inline struct core_gauges
gauges_of(struct fixture *fixture)
{
    struct core_gauges gauges;

    core_gauges(fixture->core, &gauges);
    return gauges;
}

/* ---- events ---- */

static inline struct event
record_at(int64_t offset)
{
    return (struct event){.topic = "user.changed",
                          .offset = offset,
                          .timestamp_ms = EVENT_NO_TIME,
                          .payload = "{\"a\":1}",
                          .payload_len = 7};
}

static inline struct core_event *
open_record(struct fixture *fixture, struct core_part *part)
{
    struct event record = record_at(fixture->next++);

    return core_open(fixture->core, part, record.offset, &record);
}

static inline struct call *
call_of(const char *email, const char *new_email)
{
    struct call *call = call_new(CALL_IDENTIFY, 0, "rule");

    call->identify.email = arena_text(&call->arena, email, strlen(email));
    if (new_email)
        call->identify.new_email = arena_text(&call->arena, new_email, strlen(new_email));
    return call;
}

static inline struct call *
track_of(const char *email)
{
    struct call *call = call_new(CALL_TRACK, 0, "rule");

    call->track.email = arena_text(&call->arena, email, strlen(email));
    return call;
}

static inline void
close_event(struct fixture *fixture, struct core_event *event)
{
    core_close(fixture->core, event, EVENT_DELIVERED, fixture->now);
}

/* An event with CALL alone. */
static inline void
open_call(struct fixture *fixture, struct call *call)
{
    struct core_event *event = open_record(fixture, fixture->part);

    core_add(fixture->core, event, &call);
    assert_null(call);
    close_event(fixture, event);
}

/* An event with a call for each of the addresses, the last argument NULL. */
static inline void
open_event(struct fixture *fixture, struct core_part *part, const char *email, ...)
{
    struct core_event *event = open_record(fixture, part);
    va_list ap;

    va_start(ap, email);
    for (; email; email = va_arg(ap, const char *)) {
        struct call *call = call_of(email, NULL);

        core_add(fixture->core, event, &call);
        assert_null(call);
    }
    va_end(ap);
    close_event(fixture, event);
}

/* ---- calls ---- */

static inline struct core_job *
expect_next(struct fixture *fixture, int64_t offset, const char *email)
{
    struct core_job *job = core_next(fixture->core, fixture->now);

    assert_non_null(job);
    assert_int_equal(core_job_offset(job), offset);
    assert_string_equal(call_email(core_job_call(job)), email);
    return job;
}

static inline void
expect_nothing(struct fixture *fixture)
{
    assert_null(core_next(fixture->core, fixture->now));
}

static inline void
settle_with(struct fixture *fixture, struct core_job *job, struct settlement settlement,
            enum settled expected)
{
    assert_non_null(job);
    assert_int_equal(core_settle(fixture->core, job, &settlement, fixture->now), expected);
    core_check(fixture->core);
}

static inline void
settle(struct fixture *fixture, struct core_job *job, enum verdict verdict, enum settled expected)
{
    settle_with(fixture, job, (struct settlement){.verdict = verdict}, expected);
}

/* A configuration failure. */
static inline void
settle_status(struct fixture *fixture, struct core_job *job, int status, enum settled expected)
{
    settle_with(fixture, job,
                (struct settlement){.verdict = VERDICT_CONFIGURATION, .status = status}, expected);
}

static inline void
pass(struct fixture *fixture, int64_t ms)
{
    fixture->now += ms;
    core_tick(fixture->core, fixture->now);
}

/* To the next time at which something is due. */
static inline void
pass_to_deadline(struct fixture *fixture)
{
    int64_t due_ms = core_deadline(fixture->core, fixture->now);

    assert_true(due_ms != CLOCK_NEVER);
    if (due_ms > fixture->now)
        fixture->now = due_ms;
    core_tick(fixture->core, fixture->now);
}

/* Waits until a call may start. */
static inline struct core_job *
await_next(struct fixture *fixture)
{
    struct core_job *job;

    while (!(job = core_next(fixture->core, fixture->now)))
        pass_to_deadline(fixture);
    return job;
}

/* ---- offsets ---- */

static inline void
expect_offset(struct fixture *fixture, int64_t offset)
{
    struct core_offset offsets[4];

    assert_int_equal(core_commit(fixture->core, offsets, 4), 1);
    assert_int_equal(offsets[0].offset, offset);
    core_committed(fixture->core, true);
}

#define WITH_CORE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
#define WITHOUT_DEAD_LETTERS(test) \
    cmocka_unit_test_setup_teardown(test, set_up_without_dead_letters, tear_down)

#endif
