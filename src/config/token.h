/*
 * The tokens of a configuration file, as libconfig divides it, comments left out. Files that are
 * not regular (a pipe) can be read only once, by libconfig, and are not opened.
 */
#ifndef CONFIG_TOKEN_H
#define CONFIG_TOKEN_H

#include <stdbool.h>
#include <stdio.h>

#include "base/buf.h"

enum token { TOKEN_END, TOKEN_TEXT, TOKEN_WORD, TOKEN_INCLUDE, TOKEN_MARK };

struct scanner {
    FILE *in;
    const char *file; /* borrowed */
    unsigned line;
    struct buf text; /* of a text (escapes as written), a word, an included name */
    int mark;        /* of TOKEN_MARK: the character */
    unsigned start;  /* the line in which the last text began */
    bool is_open;    /* it does not end */
};

/* False, and nothing to close, when FILE cannot be read. */
bool scanner_open(struct scanner *scanner, const char *file);
void scanner_close(struct scanner *scanner);

enum token token_next(struct scanner *scanner);

#endif
