/*
 * Folding: neighbouring calls of one contact as fewer calls, since calls are what an API limits.
 * Pure: a function of the calls alone. Borrows the calls it is given; what it makes is the
 * caller's.
 *
 *     safe    identifys that follow one another, in which no field has two values and no tag stands
 *             twice, become one; so do tracks that follow one another and only add or only remove,
 *             no tag twice. Every tag change there would have been still is, in the same order.
 *     final   everything becomes at most one identify and one track, sent in that order: of a field
 *             the last value counts, of a tag the last change. The contact ends as it would have,
 *             by perhaps fewer changes on the way. It also ends so when the calls themselves are
 *             sent once more, in their order, after any of what they became.
 *
 * A call that renames or that counts a field up or down is never folded.
 */
#ifndef SENDX_FOLD_H
#define SENDX_FOLD_H

#include <stdbool.h>
#include <stddef.h>

#include "sendx/call.h"

enum fold_mode { FOLD_OFF, FOLD_SAFE, FOLD_FINAL };

enum {
    FOLD_CALLS_MAX = 256,
    FOLD_ITEMS_MAX = 1000,      /* tags and fields together */
    FOLD_BYTES_MAX = 256 * 1024 /* as call_size counts them */
};

struct fold {
    enum fold_mode mode;
    bool creates; /* a track of an unknown contact creates it */
    const struct call *calls[FOLD_CALLS_MAX];
    size_t count, items, bytes;
};

/* CREATES: what becomes of a track of an unknown contact. Where it does not create the contact, an
 * identify must not be sent before a track that it followed. */
void fold_init(struct fold *fold, enum fold_mode mode, bool creates, const struct call *first);

/* Takes CALL, the next one of the same contact, if it can be folded with those taken before. */
bool fold_add(struct fold *fold, const struct call *call);

/* For two calls or more. What takes the place of them, first the identify, then the track; NULL
 * when there is none of it. The names of rules and the spelling of the address are those of the
 * first call of its kind.
 */
struct call *fold_identify(const struct fold *fold) MUSTCHECK;
struct call *fold_track(const struct fold *fold) MUSTCHECK;

#endif
