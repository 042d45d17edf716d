/*
 * ${env:NAME} and ${file:PATH} in the texts of the sections; "$${" is "${". Keeps nothing.
 */
#ifndef CONFIG_EXPAND_H
#define CONFIG_EXPAND_H

#include "config/option.h"

enum { EXPAND_MAX = 256 * 1024 }; /* bytes that a text may become */

/* The text of NODE, yours to free, or NULL after an error. *RET_MISSING: something it names is not
 * there, which the loader lets pass; the text is "". IS_SECRET: no finding shows what may be the
 * secret itself, put where a name should be. */
char *expand_text(const struct source_node *node, const struct loader *loader, bool is_secret,
                  bool *ret_missing) MUSTCHECK;

#endif
