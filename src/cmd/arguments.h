/*
 * What several commands take in their command lines. Each returns CMD_OK, or CMD_WRONG when it was
 * said on standard error what is wrong. Owns nothing.
 */
#ifndef CMD_ARGUMENTS_H
#define CMD_ARGUMENTS_H

#include <stdint.h>

#include "base/macros.h"

/* TEXT, given to --NAME of COMMAND, as a whole number from MIN to MAX. */
int argument_number(const char *command, const char *name, const char *text, int64_t min,
                    int64_t max, int64_t *ret) MUSTCHECK;

/* The same, from 1 on. */
int argument_count(const char *command, const char *name, const char *text, int64_t max,
                   int64_t *ret) MUSTCHECK;

/* A time in milliseconds since 1970: written as one, or as how long ago it was. */
int argument_time(const char *command, const char *name, const char *text,
                  int64_t *ret_ms) MUSTCHECK;

/* A duration of a millisecond at least. */
int argument_duration(const char *command, const char *name, const char *text,
                      int64_t *ret_ms) MUSTCHECK;

#endif
