/*
 * A record of Kafka as JSON, as `explain` and rule tests have it: an object with "topic" and either
 * "event", which is any JSON, or "payload", which is a text (or null) and may be anything. Owns the
 * list of headers; the event borrows from the tree and from the text.
 */
#ifndef CMD_RECORD_JSON_H
#define CMD_RECORD_JSON_H

#include <jansson.h>

#include "base/err.h"
#include "base/macros.h"
#include "cmd/json_text.h"
#include "rules/event.h"

struct record_json {
    struct event event;
    struct event_header *headers;
};

/* Whether JSON is an object that must be meant as a record: it has a topic, an event or a payload,
 * and no member that a record has not. */
bool record_json_is_one(const json_t *json);

/* Whether a record has a member called NAME; COORDINATES: partition and offset are such, too. */
bool record_json_has(const char *name, bool coordinates);

/* Reads OBJECT, which stands at RANGE of TEXT; other members are none of its business. */
int record_json_read(struct record_json *record, const json_t *object, const char *text,
                     struct json_range range, struct err *err) MUSTCHECK;
void record_json_fini(struct record_json *record);

/* The member NAME of OBJECT as a time: milliseconds since 1970, or a text such as
 * "2026-01-31T09:30:00Z". *RET_MS is left alone where there is none. */
int record_json_time(const json_t *object, const char *name, int64_t *ret_ms,
                     struct err *err) MUSTCHECK;

#endif
