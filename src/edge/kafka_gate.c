#include "edge/kafka_gate.h"

#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/macros.h"
#include "edge/kafka_handle.h"

enum {
    API_METADATA = 3, /* ApiKeys of the Kafka protocol */
    API_JOIN_GROUP = 11,
    API_HEARTBEAT = 12,
    API_SYNC_GROUP = 14,
    JOIN_INTERVAL_MS = 1000, /* of the library */
    /* What follows at once takes below 1 ms where there is a CPU to be had. A twentieth of the time
     * between two heartbeats, within these. */
    SETTLE_MIN_MS = 50,
    SETTLE_MAX_MS = 150,
    AFTER_RELEASE_MS = 500,
    LATE_MS = 1000 /* an answer to a heartbeat may take so long */
};

static rd_kafka_resp_err_t
on_request_sent(rd_kafka_t *rk, int sockfd, const char *brokername, int32_t brokerid,
                int16_t api_key, int16_t api_version, int32_t corr_id, size_t size, void *opaque)
{
    (void)rk, (void)sockfd, (void)brokername, (void)brokerid, (void)api_version, (void)corr_id,
        (void)size;
    kafka_gate_sent(opaque, api_key);
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static rd_kafka_resp_err_t
on_response_received(rd_kafka_t *rk, int sockfd, const char *brokername, int32_t brokerid,
                     int16_t api_key, int16_t api_version, int32_t corr_id, size_t size,
                     int64_t rtt, rd_kafka_resp_err_t error, void *opaque)
{
    (void)rk, (void)sockfd, (void)brokername, (void)brokerid, (void)api_version, (void)corr_id,
        (void)size, (void)rtt;
    if (!error)
        kafka_gate_answered(opaque, api_key);
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static rd_kafka_resp_err_t
on_broker_state_change(rd_kafka_t *rk, int32_t broker_id, const char *secproto, const char *name,
                       int port, const char *state, void *opaque)
{
    (void)rk, (void)broker_id, (void)secproto, (void)port;
    if (strcmp(name, "GroupCoordinator") == 0 && strcmp(state, "UP") != 0)
        kafka_gate_alone(opaque);
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static rd_kafka_resp_err_t
on_new(rd_kafka_t *rk, const rd_kafka_conf_t *conf, void *opaque, char *errstr, size_t errstr_size)
{
    (void)conf, (void)errstr, (void)errstr_size;
    rd_kafka_interceptor_add_on_request_sent(rk, "commit gate", on_request_sent, opaque);
    rd_kafka_interceptor_add_on_response_received(rk, "commit gate", on_response_received, opaque);
    rd_kafka_interceptor_add_on_broker_state_change(rk, "commit gate", on_broker_state_change,
                                                    opaque);
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

void
kafka_gate_init(struct kafka_gate *gate, rd_kafka_conf_t *conf, int wake_fd)
{
    *gate = (struct kafka_gate){.wake_fd = wake_fd,
                                .heartbeat_ms = kafka_conf_number(conf, "heartbeat.interval.ms")};
    gate->settle_ms = clock_earlier(gate->heartbeat_ms / 20, SETTLE_MAX_MS);
    if (gate->settle_ms < SETTLE_MIN_MS)
        gate->settle_ms = SETTLE_MIN_MS;
    atomic_init(&gate->join_out, false);
    atomic_init(&gate->joined_ms, 0);
    atomic_init(&gate->heard_ms, 0);
    atomic_init(&gate->alive_ms, 0);
    atomic_init(&gate->assignment_due, false);
    atomic_init(&gate->joined, false);
    rd_kafka_conf_interceptor_add_on_new(conf, "commit gate", on_new, gate);
}

static void
wake(const struct kafka_gate *gate)
{
    static const uint64_t one = 1;

    if (write(gate->wake_fd, &one, sizeof(one)) < 0) {
        /* The counter is full, so the loop is awake anyway. */
    }
}

void
kafka_gate_sent(struct kafka_gate *gate, int16_t api_key)
{
    if (api_key != API_JOIN_GROUP)
        return;
    atomic_store(&gate->joined_ms, clock_now_ms());
    atomic_store(&gate->join_out, true);
    atomic_store(&gate->assignment_due, false);
    wake(gate);
}

/* The answer to SyncGroup may be that the member is to join once more, which is not seen here. */
void
kafka_gate_answered(struct kafka_gate *gate, int16_t api_key)
{
    if (api_key == API_HEARTBEAT || api_key == API_SYNC_GROUP || api_key == API_METADATA)
        atomic_store(&gate->heard_ms, clock_now_ms());
    if (api_key == API_HEARTBEAT || api_key == API_SYNC_GROUP)
        atomic_store(&gate->alive_ms, clock_now_ms());
    if (api_key == API_JOIN_GROUP) {
        atomic_store(&gate->assignment_due, true);
        atomic_store(&gate->joined, true);
    }
    if (api_key != API_SYNC_GROUP)
        return;
    atomic_store(&gate->join_out, false);
    wake(gate);
}

void
kafka_gate_alone(struct kafka_gate *gate)
{
    atomic_store(&gate->alive_ms, 0);
}

void
kafka_gate_assigned(struct kafka_gate *gate)
{
    atomic_store(&gate->assignment_due, false);
}

void
kafka_gate_expect_assignment(struct kafka_gate *gate)
{
    atomic_store(&gate->assignment_due, true);
}

bool
kafka_gate_assignment_is_due(const struct kafka_gate *gate)
{
    return atomic_load(&gate->assignment_due);
}

void
kafka_gate_expect(struct kafka_gate *gate, int64_t now)
{
    gate->expect_ms = now + AFTER_RELEASE_MS;
}

/* Until when a JoinGroup may follow partitions that were given back. It has followed when one was
 * sent since. */
static int64_t
expected_until(const struct kafka_gate *gate)
{
    return atomic_load(&gate->joined_ms) >= gate->expect_ms - AFTER_RELEASE_MS ? 0
                                                                               : gate->expect_ms;
}

static bool
is_settled(const struct kafka_gate *gate)
{
    return atomic_load(&gate->heard_ms) <= gate->settled_ms;
}

/* Any question to the main thread would do. It sends the JoinGroup that is due when it has answered
 * the first, and has done so when it answers the second. Both take their time where CPU is scarce,
 * and what follows waits from then on: hence the clock and not the turn's time. */
static void
nudge(struct kafka_gate *gate, rd_kafka_t *rk)
{
    (void)rd_kafka_rebalance_protocol(rk);
    (void)rd_kafka_rebalance_protocol(rk);
    gate->nudged_ms = clock_now_ms();
}

int64_t
kafka_gate_step(struct kafka_gate *gate, rd_kafka_t *rk, int64_t now)
{
    int64_t heard_ms = atomic_load(&gate->heard_ms);
    int64_t until_ms = expected_until(gate);
    int64_t due_ms = atomic_load(&gate->joined_ms) + JOIN_INTERVAL_MS;

    if (is_settled(gate))
        return until_ms > now ? until_ms : CLOCK_NEVER;
    if (due_ms < heard_ms)
        due_ms = heard_ms;
    due_ms += gate->settle_ms;
    if (now < due_ms)
        return due_ms;
    if (gate->nudged_ms < due_ms)
        nudge(gate, rk);
    if (now < gate->nudged_ms + gate->settle_ms)
        return gate->nudged_ms + gate->settle_ms;
    gate->settled_ms = heard_ms;
    return until_ms > now ? until_ms : CLOCK_NEVER;
}

static bool
has_coordinator(const struct kafka_gate *gate, int64_t now)
{
    return now - atomic_load(&gate->alive_ms) <= gate->heartbeat_ms + LATE_MS;
}

bool
kafka_gate_is_open(const struct kafka_gate *gate, int64_t now)
{
    return !atomic_load(&gate->join_out) && is_settled(gate) && now >= expected_until(gate) &&
           has_coordinator(gate, now);
}

bool
kafka_gate_is_open_revoking(const struct kafka_gate *gate, int64_t now)
{
    return !atomic_load(&gate->join_out) && has_coordinator(gate, now);
}
