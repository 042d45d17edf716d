/*
 * A look at the text of a configuration file, for mistakes that libconfig swallows. Keeps nothing.
 * Files that are not regular (a pipe) can be read only once, by libconfig, and are passed over.
 */
#ifndef CONFIG_SCAN_H
#define CONFIG_SCAN_H

#include "base/buf.h"
#include "base/diag.h"
#include "base/macros.h"

/* An error for the first @include of a folder in FILE and what it includes; names begin in DIR. */
int scan_includes(const char *file, const char *dir, struct diag *diag) MUSTCHECK;

/* A warning for two texts side by side in a list or array, which libconfig joins: [ "a" "b" ] is
 * one text. An error for an integer of more than 32 bits without an L behind it, of which libconfig
 * before 1.7 keeps the lowest bits. */
void scan_text(const char *file, const char *dir, struct diag *diag);

/* Adds what the @include in LINE of FILE names; nothing when it cannot be seen. */
void scan_included_name(const char *file, unsigned line, struct buf *name);

#endif
