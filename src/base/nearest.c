#include "base/nearest.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>

enum { NAME_MAX_LEN = 48 }; /* longer names have no neighbours */

void
nearest_init(struct nearest *nearest, const char *name)
{
    *nearest = (struct nearest){.name = name, .distance = SIZE_MAX};
}

/* NAME without what does not count; its length, NAME_MAX_LEN + 1 when it is too long. */
static size_t
fold(const char *name, char folded[NAME_MAX_LEN])
{
    size_t len = 0;

    for (; *name; name++) {
        if (*name == '_' || *name == '-')
            continue;
        if (len == NAME_MAX_LEN)
            return NAME_MAX_LEN + 1;
        folded[len++] = (char)tolower((unsigned char)*name);
    }
    return len;
}

static size_t
least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Optimal string alignment: insertions, deletions, replacements and swaps of neighbours. */
static size_t
distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
    size_t rows[3][NAME_MAX_LEN + 1];
    size_t *above2 = rows[0], *above = rows[1], *row = rows[2];

    for (size_t j = 0; j <= b_len; j++)
        above[j] = j;
    for (size_t i = 1; i <= a_len; i++) {
        size_t *next = above2;

        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            row[j] = above[j - 1] + (a[i - 1] != b[j - 1]);
            row[j] = least(row[j], least(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = least(row[j], above2[j - 2] + 1);
        }
        above2 = above;
        above = row;
        row = next;
    }
    return above[b_len];
}

void
nearest_try(struct nearest *nearest, const char *candidate)
{
    char a[NAME_MAX_LEN], b[NAME_MAX_LEN];
    size_t a_len = fold(nearest->name, a), b_len = fold(candidate, b), found, limit;

    if (a_len > NAME_MAX_LEN || b_len > NAME_MAX_LEN)
        return;
    found = distance(a, a_len, b, b_len);
    limit = least((a_len > b_len ? a_len : b_len) / 3, 3);
    if (found > limit && least(a_len, b_len) >= 3 && memcmp(a, b, least(a_len, b_len)) == 0)
        found = limit; /* a beginning of the other */
    if (found > limit || found >= nearest->distance)
        return;
    nearest->best = candidate;
    nearest->distance = found;
}

const char *
nearest_best(const struct nearest *nearest)
{
    return nearest->best;
}
