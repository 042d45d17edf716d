/*
 * A number that stands for what rules and tables say, so that a dead letter tells by which rules it
 * was made. Keeps nothing.
 */
#ifndef RULES_SPEC_HASH_H
#define RULES_SPEC_HASH_H

#include <stdint.h>

#include "rules/spec.h"

/* The same for the same texts in the same order, on every machine; files, lines and spaces between
 * settings do not count. */
uint64_t spec_hash(const struct spec_ruleset *spec);

#endif
