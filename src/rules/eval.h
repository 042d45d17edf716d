/*
 * What an evaluation sees and what it may spend: the event, the roots of its paths, scratch memory
 * and limits. Owns its buffers; values it makes live in the arena it points to. One per ruleset,
 * reused from event to event. Evaluation never fails: what cannot be done is null. What must not go
 * on (a text that grows too far, too much work) marks it, and rendering asks for the mark.
 */
#ifndef RULES_EVAL_H
#define RULES_EVAL_H

#include "base/arena.h"
#include "base/buf.h"
#include "rules/event.h"
#include "rules/value.h"

enum {
    EVAL_TEXT_MAX = 64 * 1024,    /* bytes a text may grow to */
    EVAL_WORK_MAX = 20 * 1000000, /* elements looked at or made, and pieces of texts, per event */
    EVAL_BYTES_MAX = 64 << 20,    /* bytes that values made take, per event */
    EVAL_REGEX_MAX = 2 * 1000000  /* steps of all regular expressions, per event */
};

struct expr;
struct table_entry;

/* Who watches what is read. */
struct eval_watch {
    void (*path)(struct eval_watch *watch, const struct expr *path, const struct value *value);
    void (*entry)(struct eval_watch *watch, const struct table_entry *entry);
};

struct eval {
    const struct event *event;
    struct value payload, root;
    struct value item; /* for_each */
    bool has_item;
    int64_t index;       /* of the item */
    struct arena *arena; /* where values are made; borrowed */
    struct buf text;     /* where a text is built before it moves to the arena */
    json_t *headers;     /* @headers as an object, made when it is first asked for */
    const char *failure; /* why nothing may come of this, or NULL; holds no value of the event */
    size_t work_left, bytes_left, regex_left;
    uint64_t regex_limited;   /* matches given up at a limit since eval_init */
    uint64_t seed;            /* of hashes */
    struct eval_watch *watch; /* borrowed; NULL: nobody watches */
};

void eval_init(struct eval *eval, uint64_t seed);
void eval_fini(struct eval *eval);

/* Begins an event whose payload is PAYLOAD; both are borrowed until eval_done. */
void eval_start(struct eval *eval, const struct event *event, json_t *payload, struct arena *arena);
void eval_done(struct eval *eval);

/* The first reason stays. */
void eval_fail(struct eval *eval, const char *reason);

/* Takes UNITS from what is left; false, and a failure, when that is not enough. */
bool eval_work(struct eval *eval, size_t units);

/* The same for looking at each byte of a text of LEN bytes once, a unit for 16 of them. */
static inline bool
eval_read(struct eval *eval, size_t len)
{
    return eval_work(eval, len / VALUE_WORK_BYTES + 1);
}

/* Room for COUNT values, or NULL and a failure. */
struct value *eval_values(struct eval *eval, size_t count);

/* An empty set for at most MOST values; false, and a failure, when there is no room. */
bool eval_set(struct eval *eval, struct value_set *set, size_t most);

/* Building a text: the buffer, empty, taking as many bytes as a text may have that is made from one
 * of INPUT_LEN bytes (what the payload holds already is not growth). Nothing else may be evaluated
 * before the text is taken. */
struct buf *eval_text_start(struct eval *eval, size_t input_len);
struct value eval_text_take(struct eval *eval); /* null, and a failure, when it grew too far */

/* Room for a text of LEN bytes, to be filled at once, or NULL and a failure. */
char *eval_bytes(struct eval *eval, size_t len);

/* A copy of the LEN bytes as a value, or null and a failure. */
struct value eval_text_copy(struct eval *eval, const char *text, size_t len);

/* Value of a header, the last of several; or of all, as an object. */
struct value eval_header(struct eval *eval, const char *name, size_t name_len);
struct value eval_headers(struct eval *eval);

/* The record's key, as text. */
struct value eval_key(struct eval *eval);

#endif
