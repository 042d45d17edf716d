/*
 * What rules mention: the texts that stand in their expressions and tables, and the paths that they
 * read. For commands that must know what an event's values are compared with. Owns nothing.
 */
#ifndef RULES_MENTION_H
#define RULES_MENTION_H

#include "rules/expr.h"
#include "rules/ruleset.h"

struct mention_ops {
    /* A literal, a key of a table, or the source of a regular expression without its backslashes;
     * the first two may come more than once. */
    void (*text)(void *opaque, const char *text, size_t len);
    void (*path)(void *opaque, const struct path *path);
};

/* Tells OPS of all enabled rules and of all tables. */
void mention_all(const struct ruleset *rules, const struct mention_ops *ops, void *opaque);

#endif
