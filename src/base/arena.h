/*
 * Bump allocator: many small pieces with one lifetime. Owns its blocks; pieces are never freed one
 * by one. Aborts when there is no memory. Alignment is that of max_align_t.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

#include "base/macros.h"

struct arena_block;

struct arena {
    struct arena_block *blocks; /* newest first */
    char *at, *end;             /* free room in the newest block */
    size_t used;                /* bytes handed out since init or reset */
    size_t first_size;          /* size of the first block */
};

void arena_init(struct arena *arena, size_t first_size);
void arena_fini(struct arena *arena);
void arena_reset(struct arena *arena); /* all pieces are gone; the first block is kept */

void *arena_alloc(struct arena *arena, size_t size) MUSTCHECK; /* not zeroed */

/* A copy of the bytes with a NUL behind it. */
char *arena_text(struct arena *arena, const char *text, size_t len) MUSTCHECK;

#endif
