/*
 * What redrive knows of the dead letters: which there are, which of them it is to send, and in
 * which order. Filled from records, first those of the redrive topic, then the letters; keeps
 * numbers of them only, so that millions fit. Owns all of it. Does no I/O.
 */
#ifndef CMD_REDRIVE_INDEX_H
#define CMD_REDRIVE_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/macros.h"
#include "delivery/letter.h"
#include "rules/event.h"

enum {
    REDRIVE_LETTERS_MAX = 5 * 1000 * 1000, /* and as many records of the redrive topic; 700 MB */
    REDRIVE_GROUPS_MAX = 1000,             /* lines of the table */
    REDRIVE_NAME_MAX = 48                  /* bytes of a name in it */
};

/* Which letters are meant. The time of a letter is that of its record: when it was written. */
struct redrive_filter {
    const char *rule;           /* of the letter, or of any of its calls; NULL: any */
    const char *reason;         /* the class, or part of the reason; NULL: any */
    int64_t since_ms, until_ms; /* since 1970; from, and before; EVENT_NO_TIME: not asked */
    int64_t limit;              /* the first so many; INT64_MAX: all */
};

/*      id, what the totals say of it */
#define REDRIVE_FATE_TABLE(X)                                 \
    X(SELECTED, "selected")                                   \
    X(REDRIVEN, "already redriven")                           \
    X(EXHAUSTED, "exhausted (redriven 5 times)")              \
    X(FOREIGN, "foreign (without headers of the worker)")     \
    X(OTHER, "not selected")                                  \
    X(REPEATED, "repeated (of an event with a newer letter)") \
    X(BEYOND, "left for later by --limit")

#define X(id, text) REDRIVE_##id,
enum redrive_fate { REDRIVE_FATE_TABLE(X) REDRIVE_FATE_COUNT };
#undef X

/* Selected letters that failed in the same way. Texts are masked and without control characters. */
struct redrive_group {
    char rule[REDRIVE_NAME_MAX], class[REDRIVE_NAME_MAX], status[REDRIVE_NAME_MAX];
    size_t count;
    int64_t first_ms, last_ms; /* EVENT_NO_TIME: no letter has a time */
};

struct redrive_index;

/* FILTER is borrowed for as long as letters are added. REDRIVE_TOPIC: what came out of it as a
 * letter by itself is not the worker's. CAP: REDRIVE_LETTERS_MAX but for tests. */
struct redrive_index *redrive_index_new(const struct redrive_filter *filter,
                                        const char *redrive_topic, size_t cap) MUSTCHECK;
void redrive_index_free(struct redrive_index *index); /* NULL is accepted */

/* A record of the redrive topic: the letter that it was made of is not sent again. -1: too many. */
int redrive_index_note(struct redrive_index *index, const struct event *record,
                       struct err *err) MUSTCHECK;

/* A letter, those of one partition in the order of their offsets. One that is not meant still tells
 * that its event had come back. -1: too many. */
int redrive_index_add(struct redrive_index *index, const struct event *record,
                      struct err *err) MUSTCHECK;

/* No more letters come: decides which go, and in which order. */
void redrive_index_arrange(struct redrive_index *index);

/* Then: the letters to be sent, in order, by where they stand. Partition by partition; within one
 * as they were stored, but those of one partition of the original topic in the order of its
 * offsets: a letter that failed again stands behind younger ones. */
size_t redrive_index_count(const struct redrive_index *index);
void redrive_index_get(const struct redrive_index *index, size_t i, int32_t *ret_partition,
                       int64_t *ret_offset);

size_t redrive_index_fate(const struct redrive_index *index, enum redrive_fate fate);
const char *redrive_fate_text(enum redrive_fate fate);

/* Why the first foreign letter is none of the worker's, and where it stands; "" when there is none.
 */
const char *redrive_index_foreign(const struct redrive_index *index);

/* The groups of what is selected, by rule, class and status; *RET_COUNT of them. Borrowed. */
const struct redrive_group *redrive_index_groups(const struct redrive_index *index,
                                                 size_t *ret_count);

#endif
