/*
 * Intrusive hash map from bytes to elements. An element embeds a map_node; the key bytes belong to
 * the element and must not change while it is in the map. Hashes are seeded, so that chosen keys
 * cannot make it slow. The map owns its buckets only.
 */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include <stddef.h>
#include <stdint.h>

struct map_node {
    struct map_node *next;
    uint64_t hash;
    const void *key; /* borrowed from the element */
    size_t key_len;
};

struct map {
    struct map_node **buckets;
    size_t bucket_count; /* a power of two */
    size_t count;
    uint64_t seed;
};

void map_init(struct map *map, uint64_t seed);
void map_fini(struct map *map); /* elements that are still in it are left alone */

struct map_node *map_find(const struct map *map, const void *key, size_t key_len);

/* The key must not be in the map yet. */
void map_add(struct map *map, struct map_node *node, const void *key, size_t key_len);
void map_remove(struct map *map, struct map_node *node); /* NODE must be in the map */

/* Any element, or NULL: to empty a map. */
struct map_node *map_any(const struct map *map);

/* SipHash-1-3 of the bytes under SEED (Aumasson and Bernstein, "SipHash: a fast short-input PRF").
 */
uint64_t map_hash(const void *key, size_t key_len, uint64_t seed);

#endif
