#include "base/mask.h"

#include <string.h>

#include "base/buf.h"

/* Bytes of the character that starts at TEXT: 1 to 4, never past LEN. */
static size_t
char_len(const char *text, size_t len)
{
    size_t n = 1;

    while (n < len && n < 4 && ((unsigned char)text[n] & 0xc0) == 0x80)
        n++;
    return n;
}

static void
add_masked(struct buf *buf, const char *email, size_t len)
{
    const char *at = memchr(email, '@', len);

    if (at && at > email)
        buf_add(buf, email, char_len(email, (size_t)(at - email)));
    buf_add_text(buf, "***");
    if (at)
        buf_add(buf, at, len - (size_t)(at - email));
}

void
mask_add_email(struct buf *buf, const char *email)
{
    add_masked(buf, email, strlen(email));
}

bool
mask_is_address_char(char c)
{
    return (unsigned char)c > ' ' && !strchr("\"'<>()[]{},;:=&?/\\", c);
}

void
mask_add_text(struct buf *buf, const char *text, size_t len)
{
    size_t i = 0;

    while (i < len) {
        size_t start = i;

        while (i < len && mask_is_address_char(text[i]))
            i++;
        if (i == start) {
            buf_add_char(buf, text[i++]);
            continue;
        }
        if (memchr(text + start, '@', i - start)) {
            add_masked(buf, text + start, i - start);
        } else {
            const char *encoded = memmem(text + start, i - start, "%40", 3);

            if (encoded) {
                buf_add(buf, text + start, 1);
                buf_add_text(buf, "***");
                buf_add(buf, encoded, (size_t)(text + i - encoded));
            } else {
                buf_add(buf, text + start, i - start);
            }
        }
    }
}

void
mask_secret(struct buf *buf, const char *secret)
{
    size_t len = secret ? strlen(secret) : 0;
    struct buf copy;
    const char *at, *found;

    if (!len || !buf->len || !memmem(buf->data, buf->len, secret, len))
        return;
    buf_init(&copy, buf->cap);
    for (at = buf->data; (found = memmem(at, buf->len - (size_t)(at - buf->data), secret, len));
         at = found + len) {
        buf_add(&copy, at, (size_t)(found - at));
        buf_add_text(&copy, "***");
    }
    buf_add(&copy, at, buf->len - (size_t)(at - buf->data));
    buf_reset(buf);
    buf_add(buf, buf_text(&copy), copy.len);
    buf_fini(&copy);
}

bool
mask_finds_email(const char *text)
{
    for (const char *at = strchr(text, '@'); at; at = strchr(at + 1, '@')) {
        if (at > text && mask_is_address_char(at[-1]) && mask_is_address_char(at[1]))
            return true;
    }
    return false;
}
