/*
 * A rule test made of an event: what tells who somebody is replaced, the calls expected that come
 * then, run once before it is given out. Owns its evaluation; borrows the configuration and the
 * disguise.
 */
#ifndef CMD_CAPTURE_TEST_H
#define CMD_CAPTURE_TEST_H

#include "cmd/disguise.h"
#include "config/config.h"

enum { CAPTURE_EVENT_MAX = 64 * 1024 /* bytes of a payload */ };

/*      id, why no test was made of it */
#define CAPTURE_DROP_TABLE(X)                                                                     \
    X(LARGE, "whose payload is over 64 KiB")                                                      \
    X(NO_TEXT, "whose payload is no UTF-8 text, which a test cannot hold")                        \
    X(NOT_JSON, "whose payload is no JSON, so that nobody can tell what to replace in it; --raw " \
                "takes them")                                                                     \
    X(CHANGED, "that rules would treat otherwise with other names in it, which --keep FIELD or "  \
               "--raw takes, or at partition and offset 0, which a test has")                     \
    X(FAILS, "of which no test came that passes")

#define X(id, text) CAPTURE_##id,
enum capture_drop { CAPTURE_DROP_TABLE(X) CAPTURE_DROP_COUNT };
#undef X

struct capture_maker;

/* DISGUISE is told what the rules compare with; NULL: nothing is replaced. */
struct capture_maker *capture_maker_new(struct config *config, struct disguise *disguise) MUSTCHECK;
void capture_maker_free(struct capture_maker *maker); /* NULL is accepted */

/* Maps EVENT as it is, at a time at which it is new. */
enum map_outcome capture_maker_map(struct capture_maker *maker, const struct event *event);

/* Of the event that was mapped: whether a rule matched it; and a number that events share which
 * rules treat alike: the same rules match, or fail by the same part, with the same settings. */
bool capture_maker_matched(const struct capture_maker *maker, size_t rule);
uint64_t capture_maker_shape(const struct capture_maker *maker);

/* The test of the event that was mapped: all members but "name", from "topic" on to the closing
 * brace, for an array; yours to xfree. NULL: none, and *RET_DROP says why. */
char *capture_maker_test(struct capture_maker *maker, const struct event *event,
                         enum capture_drop *ret_drop) MUSTCHECK;

#endif
