/* What tests of edge/kafka share: librdkafka's mock clusters and members of groups. All members
 * that live are driven while a test waits, so that those of different tests join their groups at
 * the same time: that is what takes long. */
#ifndef TESTS_KAFKA_UNIT_H
#define TESTS_KAFKA_UNIT_H

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include "edge/kafka.h"
#include "edge/kafka_state.h"
#include "unit.h"

enum {
    HANG_GUARD_MS = 30 * 1000,
    MEMBERS_MAX = 16,
    PARTS_MAX = 8,
    RECORDS_MAX = 256,
    ERRORS_MAX = 100
};

struct cluster {
    rd_kafka_t *rk;
    rd_kafka_mock_cluster_t *mock;
    char *address;
    rd_kafka_t *producer;
};

void cluster_open(struct cluster *cluster);
void cluster_close(struct cluster *cluster);
void topic_create(struct cluster *cluster, const char *topic, int partitions);

/* VALUE NULL is a tombstone. One header, "kind", when HEADER is not NULL. */
void produce_full(struct cluster *cluster, const char *topic, int partition, const char *key,
                  const char *value, int64_t time_ms, const char *header);
void produce(struct cluster *cluster, const char *topic, int partition, const char *value,
             int64_t time_ms);

/* The next commits of the cluster are answered so. */
void answer_commits(struct cluster *cluster, const rd_kafka_resp_err_t *errors, size_t count);

/* The next COUNT questions for committed offsets are refused. */
void refuse_questions(struct cluster *cluster, size_t count);
void answer_questions(struct cluster *cluster); /* from now on */

/* The next Fetch is answered so, for all of its partitions. */
void answer_fetch(struct cluster *cluster, rd_kafka_resp_err_t error);

/* The next member that sends a heartbeat hears that it is none. */
void put_out_of_the_group(struct cluster *cluster);

/* What a member has got of a record. */
struct seen {
    int32_t partition;
    int64_t offset, time_ms;
    char key[32], value[32], header[32];
    bool has_key, has_value;
};

struct member {
    struct kafka *kafka;
    struct kafka_part *parts[PARTS_MAX];
    size_t count;
    struct kafka_part *revoked[PARTS_MAX];
    size_t revoked_count;
    size_t assigned_total, lost_total, rebalances;
    int64_t lost_era; /* of the last loss */
    struct seen seen[RECORDS_MAX];
    size_t seen_count;
    bool no_room, keep_revoked, failed;
    int commits;
    enum kafka_commit commit;
    size_t commits_refused;
};

extern const struct kafka_ops member_ops;

struct member *join(struct cluster *cluster, const char *group, const char *topic,
                    enum kafka_start start);
struct member *join_as(struct cluster *cluster, const char *group, const char *topic,
                       enum kafka_start start, const char *strategy);

/* Drives all members until the condition is met. */
typedef bool condition(struct member *member, int64_t number);
void wait_until(const char *what, condition *is_met, struct member *member, int64_t number);

bool has_parts(struct member *member, int64_t number);
bool is_asking(struct member *member, int64_t number); /* for so many partitions' offsets */
bool has_seen(struct member *member, int64_t number);
bool has_heads(struct member *member, int64_t number);
bool has_lost(struct member *member, int64_t number);
bool was_revoked(struct member *member, int64_t number);
bool is_closed(struct member *member, int64_t number);
bool has_stopped(struct member *member, int64_t number);
bool can_commit(struct member *member, int64_t number);

struct kafka_part *part_of(struct member *member, int32_t number);
void commit(struct member *member, int32_t number, int64_t offset, const char *metadata);
void commit_part(struct member *member, struct kafka_part *part, int64_t offset,
                 const char *metadata);
void commit_two(struct member *member, int64_t offset); /* for partitions 0 and 1 */

/* The member leaves its group and is gone; or it is gone without a word. */
void leave(struct member *member);
void discard(struct member *member);
void discard_all(void);

#endif
