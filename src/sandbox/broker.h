/*
 * The embedded broker: librdkafka's mock cluster with one node on a free port of 127.0.0.1, and one
 * client of it that produces and asks what a group has committed. Nothing is kept on disk, and the
 * mock forgets the oldest records of a partition above 5 MB. Owns the cluster and the client, whose
 * threads are librdkafka's.
 */
#ifndef SANDBOX_BROKER_H
#define SANDBOX_BROKER_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/macros.h"

enum { BROKER_MAX_TOPICS = 64, BROKER_MAX_PARTITIONS = 1000 };

struct broker;

/* TOPICS: "NAME:PARTITIONS,…". */
struct broker *broker_new(const char *topics, struct err *err) MUSTCHECK;
void broker_free(struct broker *broker); /* NULL is accepted; ends the cluster */

const char *broker_address(const struct broker *broker); /* HOST:PORT */

size_t broker_topic_count(const struct broker *broker);
const char *broker_topic_name(const struct broker *broker, size_t topic);
size_t broker_partition_count(const struct broker *broker, size_t topic);

/* Queues a record; records with the same key keep their order. TOPIC counts from 0. */
int broker_produce(struct broker *broker, size_t topic, const char *key, const struct buf *payload,
                   struct err *err) MUSTCHECK;

/* Asks what GROUP has committed, unless a question is out already. */
void broker_ask_committed(struct broker *broker, const char *group);

int broker_fd(const struct broker *broker); /* readable: there are answers */

/* Takes the answers in. An error: a record was refused. */
int broker_step(struct broker *broker, struct err *err) MUSTCHECK;

int64_t broker_end(const struct broker *broker, size_t topic, size_t partition);

/* As of the last answer; 0 as long as nothing is committed. */
int64_t broker_committed(const struct broker *broker, size_t topic, size_t partition);

#endif
