/*
 * A look at the text of a configuration file, for mistakes that libconfig swallows, and for what
 * its versions read differently. Keeps nothing. Files that are not regular (a pipe) can be read
 * only once, by libconfig, and are passed over.
 */
#ifndef CONFIG_SCAN_H
#define CONFIG_SCAN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/diag.h"
#include "base/macros.h"

#define SCAN_COMMA_MISSING "comma-missing" /* the name of the warning */

/* An integer that scan_text has refused. */
struct scan_integer {
    const struct scan_integer *next;
    struct place at;
    const char *word; /* as it is written */
};

/* An error for the first @include in FILE, and in what it includes, of a folder, or of a name that
 * begins with a slash; names begin in DIR. libconfig before 1.7 looks for such a name in DIR, too,
 * and later ones do not. */
int scan_includes(const char *file, const char *dir, struct diag *diag) MUSTCHECK;

/* A warning for two texts side by side in a list or array, which libconfig joins: [ "a" "b" ] is
 * one text. An error for an integer without an L behind it that has more than 32 bits or begins
 * with a 0: libconfig before 1.7 keeps the lowest 32 bits and reads decimal; later ones keep 64
 * bits, read octal, and stop at what is neither. Returns the first thousand of them, in ARENA. */
const struct scan_integer *scan_text(const char *file, const char *dir, struct arena *arena,
                                     struct diag *diag);

/* Whether some libconfig reads the word of INTEGER as VALUE. */
bool scan_integer_is(const struct scan_integer *integer, int64_t value);

/* Whether a comment in LINE of FILE, or alone in the line before, says "lint: allow NAME"; there
 * may be several names with commas between them. */
bool scan_allows(const char *file, unsigned line, const char *name);

/* Adds what the @include in LINE of FILE names; nothing when it cannot be seen. */
void scan_included_name(const char *file, unsigned line, struct buf *name);

#endif
