#include "edge/kafka_gate.h"

#include <unistd.h>

#include "base/clock.h"
#include "base/macros.h"

enum {
    API_JOIN_GROUP = 11, /* ApiKeys of the Kafka protocol */
    API_SYNC_GROUP = 14,
    EXPECT_MS = 500
};

enum gate_state { GATE_OPEN, GATE_EXPECTS_JOIN, GATE_CLOSED };

static rd_kafka_resp_err_t
on_request_sent(rd_kafka_t *rk, int sockfd, const char *brokername, int32_t brokerid,
                int16_t api_key, int16_t api_version, int32_t corr_id, size_t size, void *opaque)
{
    struct kafka_gate *gate = opaque;

    (void)rk, (void)sockfd, (void)brokername, (void)brokerid, (void)api_version, (void)corr_id,
        (void)size;
    if (api_key == API_JOIN_GROUP)
        atomic_store(&gate->state, GATE_CLOSED);
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static rd_kafka_resp_err_t
on_response_received(rd_kafka_t *rk, int sockfd, const char *brokername, int32_t brokerid,
                     int16_t api_key, int16_t api_version, int32_t corr_id, size_t size,
                     int64_t rtt, rd_kafka_resp_err_t error, void *opaque)
{
    struct kafka_gate *gate = opaque;
    static const uint64_t one = 1;

    (void)rk, (void)sockfd, (void)brokername, (void)brokerid, (void)api_version, (void)corr_id,
        (void)size, (void)rtt, (void)error;
    if (api_key == API_SYNC_GROUP) {
        atomic_store(&gate->state, GATE_OPEN);
        if (write(gate->wake_fd, &one, sizeof(one)) < 0) {
            /* The counter is full, so the loop is awake anyway. */
        }
    }
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static rd_kafka_resp_err_t
on_new(rd_kafka_t *rk, const rd_kafka_conf_t *conf, void *opaque, char *errstr, size_t errstr_size)
{
    (void)conf, (void)errstr, (void)errstr_size;
    rd_kafka_interceptor_add_on_request_sent(rk, "commit gate", on_request_sent, opaque);
    rd_kafka_interceptor_add_on_response_received(rk, "commit gate", on_response_received, opaque);
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

void
kafka_gate_init(struct kafka_gate *gate, rd_kafka_conf_t *conf, int wake_fd)
{
    atomic_init(&gate->state, GATE_OPEN);
    gate->wake_fd = wake_fd;
    gate->expect_until_ms = 0;
    rd_kafka_conf_interceptor_add_on_new(conf, "commit gate", on_new, gate);
}

void
kafka_gate_expect(struct kafka_gate *gate, int64_t now)
{
    int open = GATE_OPEN;

    gate->expect_until_ms = now + EXPECT_MS;
    atomic_compare_exchange_strong(&gate->state, &open, GATE_EXPECTS_JOIN);
}

static bool
expects_join(const struct kafka_gate *gate, int64_t now)
{
    return atomic_load(&gate->state) == GATE_EXPECTS_JOIN && now < gate->expect_until_ms;
}

bool
kafka_gate_is_open(const struct kafka_gate *gate, int64_t now)
{
    return atomic_load(&gate->state) != GATE_CLOSED && !expects_join(gate, now);
}

int64_t
kafka_gate_deadline(const struct kafka_gate *gate, int64_t now)
{
    return expects_join(gate, now) ? gate->expect_until_ms : CLOCK_NEVER;
}
