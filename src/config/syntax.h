/*
 * Why libconfig refuses a file: its own words are "syntax error", and people need more. Reads the
 * file once more, by libconfig's grammar, up to the first token that cannot stand where it does.
 * Keeps nothing.
 */
#ifndef CONFIG_SYNTAX_H
#define CONFIG_SYNTAX_H

#include "base/buf.h"

/* Adds what is wrong in LINE of FILE, and what to write instead; nothing where that is not known,
 * or where the first mistake stands in another line, as in a file that is included within a list.
 */
void syntax_explain(const char *file, unsigned line, struct buf *text);

#endif
