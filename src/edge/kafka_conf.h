/*
 * librdkafka's own opinion of the kafka section. Keeps nothing.
 */
#ifndef EDGE_KAFKA_CONF_H
#define EDGE_KAFKA_CONF_H

#include "base/diag.h"
#include "base/macros.h"
#include "config/config.h"

/* Adds an error with file:line for each property that librdkafka refuses. -1 when there was one. */
int kafka_check(const struct kafka_config *kafka, struct diag *diag) MUSTCHECK;

#endif
