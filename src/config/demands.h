/*
 * What settings of the sections demand of one another and of the rules, beyond what the option
 * table says of each alone. Owns nothing.
 */
#ifndef CONFIG_DEMANDS_H
#define CONFIG_DEMANDS_H

#include "config/option.h"

/* Adds its findings on CONFIG, whose sections were read from ROOT, to the loader's diag. */
void demands_check(const struct source_node *root, const struct config *config,
                   const struct loader *loader);

#endif
