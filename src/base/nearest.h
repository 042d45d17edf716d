/*
 * "Did you mean": the candidate nearest to a name that nobody knows. Case, "_" and "-" do not
 * count. Borrows all texts.
 */
#ifndef BASE_NEAREST_H
#define BASE_NEAREST_H

#include <stddef.h>

struct nearest {
    const char *name;
    const char *best;
    size_t distance; /* edits between the two; a swap of neighbours is one */
};

void nearest_init(struct nearest *nearest, const char *name);
void nearest_try(struct nearest *nearest, const char *candidate);

/* The best candidate so far, or NULL when none is near enough to be worth a question. */
const char *nearest_best(const struct nearest *nearest);

#endif
