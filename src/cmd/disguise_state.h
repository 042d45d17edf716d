/*
 * The state of a disguise, shared by disguise.c (life, what it is told), disguise_json.c,
 * disguise_plain.c and disguise_word.c only. Each of the last three calls only those behind it.
 */
#ifndef CMD_DISGUISE_STATE_H
#define CMD_DISGUISE_STATE_H

#include "base/rng.h"
#include "cmd/disguise.h"
#include "cmd/disguise_fields.h"
#include "cmd/disguise_kept.h"

enum { DISGUISE_TEXT_MAX = 256 * 1024 * 1024 };

struct disguise {
    uint64_t key[2]; /* hashes of the key that was given, under two seeds */
    struct disguise_kept kept;
    struct disguise_fields fields;
    struct disguise_counts counts;
    struct buf folded;      /* of disguise_fold */
    struct buf word, tried; /* of disguise_add_word: what may stand for a word, and that folded */
};

/* Adds a text that is not JSON, replaced: its addresses and phone numbers, and with ALL every word
 * of it. */
void disguise_add_plain(struct disguise *disguise, const char *text, size_t len, bool all,
                        struct buf *out);

/* TEXT folded; borrowed until the next one is, and disguise_add_word folds, too. */
const struct buf *disguise_fold(struct disguise *disguise, const char *text, size_t len);

/* Random numbers that belong to the folded text under the key, the ATTEMPT-th series of them. */
struct rng disguise_series(const struct disguise *disguise, const struct buf *folded,
                           uint64_t attempt);

/* Adds the word, or each word of a text, replaced. FORCE: also one that rules hold. */
void disguise_add_word(struct disguise *disguise, const char *word, size_t len, bool force,
                       struct buf *out);
void disguise_add_words(struct disguise *disguise, const char *text, size_t len, bool force,
                        struct buf *out);

#endif
