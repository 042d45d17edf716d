/*
 * One call of the API as data, on its way from a rule to the wire. Owns all its bytes in one arena:
 * nothing in it points into Kafka's memory or a JSON tree. Made by rules/ (and by redrive), queued
 * by delivery/, borrowed by sendx/wire while it is sent.
 */
#ifndef SENDX_CALL_H
#define SENDX_CALL_H

#include <stdint.h>

#include "base/arena.h"
#include "sendx/model.h"

enum call_kind { CALL_IDENTIFY, CALL_TRACK };

struct call {
    struct arena arena;
    enum call_kind kind;
    unsigned account; /* index in the configuration's list of accounts */
    const char *rule; /* name of the rule that made it */
    size_t nth;       /* of the element of for_each that it is for, 0 without: with kind and rule it
                         tells the calls of an event apart, whatever else the rules make of it */
    union {
        struct contact_request identify;
        struct track_request track;
    };
};

/* What one event became. Owns the calls. */
struct call_list {
    struct call **items;
    size_t count, cap;
};

/* RULE is copied. The request is all absent. */
struct call *call_new(enum call_kind kind, unsigned account, const char *rule) MUSTCHECK;
void call_free(struct call *call); /* NULL is accepted */

void call_list_init(struct call_list *list);
void call_list_fini(struct call_list *list); /* frees the calls that were not taken out */
void call_list_add(struct call_list *list, struct call *call);

const char *call_kind_name(enum call_kind kind); /* "identify" or "track" */
const char *call_email(const struct call *call);
const char *call_new_email(const struct call *call); /* NULL unless it renames */
size_t call_size(const struct call *call);           /* bytes it holds, for the pending limits */

/* Adds the key of the contact EMAIL of ACCOUNT: what decides who is "the same contact". Addresses
 * that differ only in case are the same. */
void call_contact_key(struct buf *key, unsigned account, const char *email);

#endif
