/*
 * A growing byte buffer with a mandatory cap. What would pass the cap is dropped whole and marks
 * the buffer (buf_toobig), so a builder writes on and asks once at the end. Owns its bytes; always
 * NUL-terminated behind len.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"

struct buf {
    char *data; /* NULL until something is added; see buf_text */
    size_t len;
    size_t room; /* bytes allocated */
    size_t cap;  /* len never passes this */
    bool toobig;
};

void buf_init(struct buf *buf, size_t cap);
void buf_fini(struct buf *buf);
void buf_reset(struct buf *buf);                /* forgets the contents, keeps the memory */
void buf_recycle(struct buf *buf, size_t max);  /* keeps at most MAX bytes of it */
void buf_truncate(struct buf *buf, size_t len); /* LEN must not be above buf->len */

void buf_add(struct buf *buf, const void *bytes, size_t len);
void buf_add_text(struct buf *buf, const char *text);
void buf_add_char(struct buf *buf, char c);
void buf_printf(struct buf *buf, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Adds TEXT as a JSON string with its quotes. The bytes must be UTF-8. */
void buf_add_json(struct buf *buf, const char *text, size_t len);

/* Adds TEXT percent-encoded for a URL's query: all but A-Z a-z 0-9 - . _ ~ (RFC 3986). */
void buf_add_percent(struct buf *buf, const char *text, size_t len);

/* The contents, never NULL. Borrowed until the next change. */
const char *buf_text(const struct buf *buf);

/* The contents, yours to xfree; the buffer is empty afterwards. */
char *buf_steal(struct buf *buf) MUSTCHECK;

static inline bool
buf_toobig(const struct buf *buf)
{
    return buf->toobig;
}

#endif
