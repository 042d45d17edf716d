/*
 * A record of Kafka, copied byte for byte: what a dead letter is made of. Owns one block that holds
 * the struct event and everything it points to.
 */
#ifndef DELIVERY_RECORD_H
#define DELIVERY_RECORD_H

#include "base/macros.h"
#include "rules/event.h"

struct record {
    struct event event; /* points into this block */
    size_t size;        /* bytes of the block */
};

struct record *record_new(const struct event *event) MUSTCHECK;
void record_free(struct record *record); /* NULL is accepted */

#endif
