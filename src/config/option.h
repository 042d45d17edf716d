/*
 * The option table: a row per setting of the sections, which parses, checks, prints and documents
 * it. The rules part has its own table, config/rule_table. A new setting is a row here and a member
 * of the struct it fills. The table owns nothing; texts it stores belong to the struct.
 */
#ifndef CONFIG_OPTION_H
#define CONFIG_OPTION_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "config/config.h"
#include "config/source.h"

/*    id, how the reference calls it, what a message expects */
#define OPTION_TYPE_TABLE(X)                                \
    X(TEXT, "text", "text")                                 \
    X(DURATION, "duration", "a duration such as \"250ms\"") \
    X(SIZE, "size", "a size such as \"64MiB\"")             \
    X(INTEGER, "integer", "an integer")                     \
    X(NUMBER, "number", "a number")                         \
    X(BOOLEAN, "boolean", "true or false")                  \
    X(CHOICE, "choice", "text")                             \
    X(START, "choice or time", "text")                      \
    X(OFFSETS, "array of text", "an array")

#define X(id, name, expected) OPTION_##id,
enum option_type { OPTION_TYPE_TABLE(X) OPTION_TYPE_COUNT };
#undef X

enum option_flag {
    OPTION_REQUIRED = 1, /* must be written */
    OPTION_FILLED = 2,   /* must not be empty */
    OPTION_VISIBLE = 4,  /* printable ASCII without blanks: what an HTTP header takes */
    OPTION_SECRET = 8,   /* never printed */
    OPTION_RESTART = 16  /* a reload leaves it as it is */
};

struct option {
    const char *section, *name;
    enum option_type type;
    unsigned flags;
    const char *preset; /* the default as it would be written, without quotes; NULL: see doc */
    const char *least, *most; /* as they would be written; NULL: no bound */
    const char *choices;      /* "a|b", in the order of the enum */
    size_t offset, size;      /* of the member in struct config, for accounts in struct account */
    const char *doc;
};

struct section {
    const char *name;
    bool is_list; /* of groups, one for each account */
    const char *doc;
};

/* What reading an option needs to know. */
struct loader {
    struct diag *diag;
    const char *dir; /* where relative file names begin */
    enum config_secrets secrets;
};

size_t option_count(void);
const struct option *option_at(size_t i);
size_t section_count(void);
const struct section *section_at(size_t i);
const char *option_type_name(enum option_type type);

/* The row, or NULL. */
const struct option *option_find(const char *section, const char *name);

/* Stores what GROUP says for every option of SECTION, else the default, in BASE (a struct config,
 * or a struct account). GROUP may be NULL: nothing was written. Findings go to the loader's diag.
 */
void section_read(const char *section, const struct source_node *group, void *base,
                  const struct loader *loader);

/* Says that NODE, a member of SECTION, is unknown, and what may have been meant. */
void option_refuse(const char *section, const struct source_node *node, struct diag *diag);

/* The same, told what may have been meant: the setting of another SECTION, or the setting NAME;
 * both may be NULL. */
void option_refuse_unknown(const struct source_node *node, const char *section, const char *name,
                           struct diag *diag);

/* A section other than SECTION (which may be NULL) that has an option NAME, or NULL. */
const char *option_elsewhere(const char *name, const char *section);

/* Adds the default as the file would say it; there must be one. */
void option_print_preset(const struct option *option, struct buf *out);

/* Adds the value that BASE holds as the file would say it; secrets are masked. */
void option_print(const struct option *option, const void *base, struct buf *out);

#endif
