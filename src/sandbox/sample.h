/*
 * Made-up events of made-up people, as an application might publish them, and what they should make
 * of each person's contact. The expectation is computed here, from what was made up, and shares
 * nothing with rules or with the worker; it belongs to the rules of conf/demo.conf. Pure: the same
 * seed gives the same events. Owns the people.
 */
#ifndef SANDBOX_SAMPLE_H
#define SANDBOX_SAMPLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/macros.h"
#include "sandbox/portrait.h"

enum sample_topic { SAMPLE_REGISTERED, SAMPLE_PLAN_CHANGED };
enum { SAMPLE_TOPICS = 2 };

struct sample_event {
    enum sample_topic topic;
    const char *key;    /* of the record: the person's id; borrowed from the sample */
    struct buf payload; /* JSON */
    struct buf known;   /* the contact as SendX has it already, to be identified first; or empty */
};

struct sample_totals {
    size_t events[SAMPLE_TOPICS];
    size_t internal; /* events of the company's own people, which rules leave out */
    size_t no_plan;  /* changes of a plan to itself or to the free one, which rules leave out */
};

/* What is worth showing about a person. */
struct sample_person {
    const char *email;
    struct portrait before, after; /* after all events so far */
    bool internal;
    unsigned registrations;
};

struct sample;

struct sample *sample_new(uint64_t seed) MUSTCHECK;
void sample_free(struct sample *sample); /* NULL is accepted */

void sample_event_init(struct sample_event *event);
void sample_event_fini(struct sample_event *event);

/* Makes up the next event; EVENT is used again. */
void sample_next(struct sample *sample, struct sample_event *event);

struct sample_totals sample_totals(const struct sample *sample);
size_t sample_people(const struct sample *sample);
struct sample_person sample_person(const struct sample *sample, size_t i);

#endif
