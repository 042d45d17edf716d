#include "base/buf.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/xalloc.h"

void
buf_init(struct buf *buf, size_t cap)
{
    *buf = (struct buf){.cap = cap};
}

void
buf_fini(struct buf *buf)
{
    xfree(buf->data);
    *buf = (struct buf){.cap = buf->cap};
}

void
buf_reset(struct buf *buf)
{
    buf->len = 0;
    buf->toobig = false;
    if (buf->data)
        buf->data[0] = '\0';
}

void
buf_recycle(struct buf *buf, size_t max)
{
    if (buf->room > max)
        buf_fini(buf);
    buf_reset(buf);
}

void
buf_truncate(struct buf *buf, size_t len)
{
    assert(len <= buf->len);
    buf->len = len;
    if (buf->data)
        buf->data[len] = '\0';
}

/* Room for LEN bytes and the NUL behind them; false when that would pass the cap. */
static bool
make_room(struct buf *buf, size_t len)
{
    size_t room = buf->room ? buf->room : 64;

    if (buf->toobig || len > buf->cap - buf->len) {
        buf->toobig = true;
        return false;
    }
    if (buf->len + len + 1 <= buf->room)
        return true;
    while (room < buf->len + len + 1)
        room *= 2;
    buf->data = xrealloc(buf->data, room, 1);
    buf->room = room;
    return true;
}

void
buf_add(struct buf *buf, const void *bytes, size_t len)
{
    if (!make_room(buf, len))
        return;
    if (len)
        memcpy(buf->data + buf->len, bytes, len);
    buf->len += len;
    buf->data[buf->len] = '\0';
}

void
buf_add_text(struct buf *buf, const char *text)
{
    buf_add(buf, text, strlen(text));
}

void
buf_add_char(struct buf *buf, char c)
{
    if (!make_room(buf, 1))
        return;
    buf->data[buf->len++] = c;
    buf->data[buf->len] = '\0';
}

void
buf_printf(struct buf *buf, const char *fmt, ...)
{
    va_list ap;
    int len;

    va_start(ap, fmt);
    len = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    assert(len >= 0);
    if (!make_room(buf, (size_t)len))
        return;
    va_start(ap, fmt);
    vsnprintf(buf->data + buf->len, (size_t)len + 1, fmt, ap);
    va_end(ap);
    buf->len += (size_t)len;
}

void
buf_add_json(struct buf *buf, const char *text, size_t len)
{
    static const char hex[] = "0123456789abcdef";
    size_t start = 0;

    buf_add_char(buf, '"');
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        char escape[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
        size_t escape_len = 6;

        if (c >= 0x20 && c != '"' && c != '\\' && c != 0x7f)
            continue;
        if (c == '"' || c == '\\') {
            escape[1] = (char)c;
            escape_len = 2;
        } else if (c == '\n' || c == '\t' || c == '\r') {
            escape[1] = c == '\n' ? 'n' : c == '\t' ? 't' : 'r';
            escape_len = 2;
        }
        buf_add(buf, text + start, i - start);
        buf_add(buf, escape, escape_len);
        start = i + 1;
    }
    buf_add(buf, text + start, len - start);
    buf_add_char(buf, '"');
}

static bool
is_unreserved(unsigned char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

void
buf_add_percent(struct buf *buf, const char *text, size_t len)
{
    static const char hex[] = "0123456789ABCDEF";
    size_t start = 0;

    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        char escape[3] = {'%', hex[c >> 4], hex[c & 15]};

        if (is_unreserved(c))
            continue;
        buf_add(buf, text + start, i - start);
        buf_add(buf, escape, sizeof(escape));
        start = i + 1;
    }
    buf_add(buf, text + start, len - start);
}

const char *
buf_text(const struct buf *buf)
{
    return buf->data ? buf->data : "";
}

char *
buf_steal(struct buf *buf)
{
    char *data = buf->data ? buf->data : xstrdup("");

    buf_init(buf, buf->cap);
    return data;
}
