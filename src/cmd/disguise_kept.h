/*
 * The texts that rules compare with, and so mean something by: whole values, the words of them, and
 * the addresses and domains that they name. All texts are folded, those that are added and those
 * that are asked for. Owns its copies.
 */
#ifndef CMD_DISGUISE_KEPT_H
#define CMD_DISGUISE_KEPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/map.h"

struct disguise_kept_text;

struct disguise_kept {
    struct map texts, words;
    struct disguise_kept_text *first;
    struct arena arena;
};

void disguise_kept_init(struct disguise_kept *kept, uint64_t seed);
void disguise_kept_fini(struct disguise_kept *kept);

void disguise_kept_add(struct disguise_kept *kept, const char *text, size_t len);

/* Whether TEXT is one of the texts. */
bool disguise_kept_has(const struct disguise_kept *kept, const char *text, size_t len);

/* Whether it is a word of one; words of a single byte are none. */
bool disguise_kept_has_word(const struct disguise_kept *kept, const char *word, size_t len);

/* Whether a text names the domain, or one that it belongs to: '@corp.example', '.corp.example'. */
bool disguise_kept_has_domain(const struct disguise_kept *kept, const char *domain, size_t len);

/* Whether a text holds the address, with nothing that would go on with it at either end. */
bool disguise_kept_has_address(const struct disguise_kept *kept, const char *address, size_t len);

#endif
