#include "base/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <string.h>

#include "base/xalloc.h"

struct arena_block {
    struct arena_block *next;
    size_t size;
    alignas(max_align_t) char bytes[];
};

void
arena_init(struct arena *arena, size_t first_size)
{
    *arena = (struct arena){.first_size = first_size};
}

static void
free_blocks(struct arena_block *block)
{
    while (block) {
        struct arena_block *next = block->next;

        xfree(block);
        block = next;
    }
}

void
arena_fini(struct arena *arena)
{
    free_blocks(arena->blocks);
    arena_init(arena, arena->first_size);
}

void
arena_reset(struct arena *arena)
{
    struct arena_block *block = arena->blocks;

    arena->used = 0;
    if (!block)
        return;
    /* The oldest block is the first: it is kept, whatever one event made us add is not. */
    while (block->next) {
        struct arena_block *next = block->next;

        xfree(block);
        block = next;
    }
    arena->blocks = block;
    arena->at = block->bytes;
    arena->end = block->bytes + block->size;
}

static void
add_block(struct arena *arena, size_t least)
{
    size_t size = arena->blocks ? arena->blocks->size * 2 : arena->first_size;
    struct arena_block *block;

    if (size < least)
        size = least;
    block = xmalloc(sizeof(*block) + size);
    block->size = size;
    block->next = arena->blocks;
    arena->blocks = block;
    arena->at = block->bytes;
    arena->end = block->bytes + size;
}

void *
arena_alloc(struct arena *arena, size_t size)
{
    size_t rounded = (size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
    void *piece;

    if (!arena->at || rounded > (size_t)(arena->end - arena->at))
        add_block(arena, rounded);
    piece = arena->at;
    arena->at += rounded;
    arena->used += rounded;
    return piece;
}

char *
arena_text(struct arena *arena, const char *text, size_t len)
{
    char *copy = arena_alloc(arena, len + 1);

    if (len)
        memcpy(copy, text, len);
    copy[len] = '\0';
    return copy;
}
