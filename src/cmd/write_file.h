/*
 * A file written whole. Owns nothing.
 */
#ifndef CMD_WRITE_FILE_H
#define CMD_WRITE_FILE_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"

/* REPLACE: written beside the file, PATH.new, and then over it, so that it is whole at any moment,
 * with the mode that it has; else PATH must not be there yet. */
int write_file(const char *path, const struct buf *text, bool replace, struct err *err) MUSTCHECK;

#endif
