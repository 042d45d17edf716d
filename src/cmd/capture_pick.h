/*
 * Which tests capture keeps: so many of each rule, of the events that no rule matched, and of those
 * that would become dead letters; the more different the better. Owns the texts.
 */
#ifndef CMD_CAPTURE_PICK_H
#define CMD_CAPTURE_PICK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"

enum { PICKS_BYTES_MAX = 128 * 1024 * 1024 /* of all texts */ };

struct pick {
    char *text;
    bool *kinds;    /* the groups that its event would fit into */
    uint64_t shape; /* of the event; see capture_test.h */
};

/* The tests of a rule, or of another kind of events. */
struct pick_group {
    struct pick *items;
    size_t count;
    size_t seen; /* events of this kind */
};

struct picks {
    struct pick_group *groups;
    size_t group_count;
    size_t most;  /* tests of each */
    size_t bytes; /* of all texts */
};

void picks_init(struct picks *picks, size_t groups, size_t most);
void picks_fini(struct picks *picks);

/* Whether a test of an event of this SHAPE is wanted in GROUP: there is room, or one that is like
 * an earlier one can make room. None is when the texts hold too much. */
bool picks_wants(const struct picks *picks, size_t group, uint64_t shape);

/* Adds TEXT, which is taken, to a group that wants it. KINDS: for each group whether the event
 * would fit into it, too; copied. */
void picks_add(struct picks *picks, size_t group, const bool *kinds, uint64_t shape, char *text);

/* How many tests have an event that would fit into GROUP, wherever they are. */
size_t picks_fitting(const struct picks *picks, size_t group);

/* How many tests there are. */
size_t picks_count(const struct picks *picks);

#endif
