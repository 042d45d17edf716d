/*
 * Memory that is always there: these functions abort when the system has none left. A crash is a
 * recovery, since Kafka brings back what was not committed. Sizes are checked for overflow.
 */
#ifndef BASE_XALLOC_H
#define BASE_XALLOC_H

#include <stddef.h>

#include "base/macros.h"

void *xmalloc(size_t size) MUSTCHECK;
void *xcalloc(size_t count, size_t size) MUSTCHECK; /* zeroed */
void *xrealloc(void *ptr, size_t count, size_t size) MUSTCHECK;
char *xstrdup(const char *text) MUSTCHECK;
void *xmemdup(const void *bytes, size_t len) MUSTCHECK; /* one NUL is put behind the copy */
char *xasprintf(const char *fmt, ...) PRINTF_LIKE(1, 2) MUSTCHECK;
void xfree(void *ptr); /* NULL is accepted */

/* Makes room in an array for one element more than COUNT: returns the array, grown by doubling. */
void *xgrow(void *array, size_t count, size_t *cap, size_t size) MUSTCHECK;

#endif
