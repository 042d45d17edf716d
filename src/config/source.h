/*
 * A configuration file as a tree of settings with their places, included files and all. The only
 * user of libconfig, of which nothing shows here. Owns the texts and nodes; places borrow their
 * file names from it. It knows no setting by name.
 */
#ifndef CONFIG_SOURCE_H
#define CONFIG_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/diag.h"
#include "base/macros.h"

enum source_type {
    SOURCE_GROUP, /* { name = value; } */
    SOURCE_LIST,  /* ( value, value ): any types */
    SOURCE_ARRAY, /* [ value, value ]: scalars of one type */
    SOURCE_TEXT,
    SOURCE_INTEGER,
    SOURCE_NUMBER,
    SOURCE_BOOLEAN
};

struct source_node {
    enum source_type type;
    const char *name; /* NULL: an element of a list or an array */
    size_t index;     /* in its parent */
    struct place at;
    const struct source_node *parent; /* NULL: the root */
    const struct source_node *items;
    size_t count;
    const char *text; /* valid UTF-8 */
    int64_t integer;
    double number; /* of an integer, too */
    bool misread;  /* an integer that was refused as it is written: its value may be any */
    bool boolean;
};

struct source {
    struct arena arena; /* for whatever lives as long as the texts */
    const char *dir;    /* folder of the file, where relative names begin */
    struct source_node *root;
};

/* Reads FILE. An error of the syntax is reported alone, and NULL returned; texts that are not UTF-8
 * and integers that libconfig cannot hold are reported one by one, and the tree is returned. What
 * is said of a mistake does not depend on the version of libconfig, but for a comma behind the last
 * element of a list, which those before 1.7 refuse. */
struct source *source_read(const char *file, struct diag *diag) MUSTCHECK;
void source_free(struct source *source); /* NULL is accepted */

/* The member NAME of a group, or NULL. */
const struct source_node *source_find(const struct source_node *group, const char *name);

/* "text", "an integer", …: for messages. */
const char *source_type_name(enum source_type type);

/* Whether NODE is of TYPE; if not, says "PATH: expected WHAT, found …". */
bool source_is(const struct source_node *node, enum source_type type, const char *what,
               struct diag *diag);

static inline bool
source_is_sequence(const struct source_node *node)
{
    return node->type == SOURCE_LIST || node->type == SOURCE_ARRAY;
}

/* Findings that begin with the path of the setting, such as "rules[0].identify.tags[2]: ". */
int source_error(struct diag *diag, const struct source_node *node, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

/* The same for a member that GROUP does not have, "GROUP.NAME: ". */
int source_error_member(struct diag *diag, const struct source_node *group, const char *name,
                        const char *fmt, ...) PRINTF_LIKE(4, 5);
void source_notice(struct diag *diag, const struct source_node *node, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

const char *source_library_version(void); /* the libconfig it was built with */

#endif
