#include "base/map.h"

#include <assert.h>
#include <endian.h>
#include <stdbool.h>
#include <string.h>

#include "base/xalloc.h"

enum { MAP_FIRST_BUCKETS = 16 };

void
map_init(struct map *map, uint64_t seed)
{
    *map = (struct map){.seed = seed};
}

void
map_fini(struct map *map)
{
    xfree(map->buckets);
    map_init(map, map->seed);
}

static struct map_node **
bucket_of(const struct map *map, uint64_t hash)
{
    return &map->buckets[hash & (map->bucket_count - 1)];
}

struct map_node *
map_find(const struct map *map, const void *key, size_t key_len)
{
    uint64_t hash;

    if (!map->count)
        return NULL;
    hash = map_hash(key, key_len, map->seed);
    for (struct map_node *node = *bucket_of(map, hash); node; node = node->next) {
        if (node->hash == hash && node->key_len == key_len && !memcmp(node->key, key, key_len))
            return node;
    }
    return NULL;
}

static void
grow(struct map *map)
{
    struct map_node **old = map->buckets;
    size_t old_count = map->bucket_count;

    map->bucket_count = old_count ? old_count * 2 : MAP_FIRST_BUCKETS;
    map->buckets = xcalloc(map->bucket_count, sizeof(struct map_node *));
    for (size_t i = 0; i < old_count; i++) {
        struct map_node *node = old[i];

        while (node) {
            struct map_node *next = node->next;
            struct map_node **bucket = bucket_of(map, node->hash);

            node->next = *bucket;
            *bucket = node;
            node = next;
        }
    }
    xfree(old);
}

void
map_add(struct map *map, struct map_node *node, const void *key, size_t key_len)
{
    struct map_node **bucket;

    if (map->count >= map->bucket_count)
        grow(map);
    node->key = key;
    node->key_len = key_len;
    node->hash = map_hash(key, key_len, map->seed);
    bucket = bucket_of(map, node->hash);
    node->next = *bucket;
    *bucket = node;
    map->count++;
}

void
map_remove(struct map *map, struct map_node *node)
{
    struct map_node **at = bucket_of(map, node->hash);

    while (*at != node) {
        assert(*at);
        at = &(*at)->next;
    }
    *at = node->next;
    node->next = NULL;
    map->count--;
}

struct map_node *
map_any(const struct map *map)
{
    for (size_t i = 0; i < map->bucket_count && map->count; i++) {
        if (map->buckets[i])
            return map->buckets[i];
    }
    return NULL;
}

static uint64_t
rotate(uint64_t x, int bits)
{
    return (x << bits) | (x >> (64 - bits));
}

static void
sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[0] = rotate(v[0], 32);
    v[2] += v[3];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[2] = rotate(v[2], 32);
}

static void
sip_word(uint64_t v[4], uint64_t word)
{
    v[3] ^= word;
    sip_round(v);
    v[0] ^= word;
}

uint64_t
map_hash(const void *key, size_t key_len, uint64_t seed)
{
    uint64_t v[4] = {seed ^ 0x736f6d6570736575, 0x646f72616e646f6d, seed ^ 0x6c7967656e657261,
                     0x7465646279746573};
    const unsigned char *bytes = key;
    uint64_t word;
    size_t i;

    for (i = 0; i + 8 <= key_len; i += 8) {
        memcpy(&word, bytes + i, 8);
        sip_word(v, le64toh(word));
    }
    word = (uint64_t)key_len << 56;
    for (size_t k = 0; i + k < key_len; k++)
        word |= (uint64_t)bytes[i + k] << (8 * k);
    sip_word(v, word);
    v[2] ^= 0xff;
    for (int n = 0; n < 3; n++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}
