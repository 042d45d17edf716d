#include "base/utf8.h"

#include <assert.h>
#include <locale.h>
#include <string.h>
#include <wctype.h>

#include "base/buf.h"

/* glibc has C.UTF-8 built in or ships it in its base package; without it nothing here can be right.
 */
static locale_t
utf8_locale(void)
{
    static locale_t locale;

    if (!locale)
        locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    assert(locale);
    return locale;
}

/* Length of the valid sequence at TEXT, 0 if there is none (Unicode 15, table 3-7). */
static size_t
sequence_len(const unsigned char *text, size_t len)
{
    unsigned char low = 0x80, high = 0xbf;
    size_t want;

    if (text[0] < 0x80)
        return 1;
    if (text[0] >= 0xc2 && text[0] <= 0xdf)
        want = 2;
    else if (text[0] >= 0xe0 && text[0] <= 0xef)
        want = 3;
    else if (text[0] >= 0xf0 && text[0] <= 0xf4)
        want = 4;
    else
        return 0;
    if (text[0] == 0xe0)
        low = 0xa0;
    else if (text[0] == 0xed)
        high = 0x9f;
    else if (text[0] == 0xf0)
        low = 0x90;
    else if (text[0] == 0xf4)
        high = 0x8f;
    if (len < want || text[1] < low || text[1] > high)
        return 0;
    for (size_t i = 2; i < want; i++) {
        if (text[i] < 0x80 || text[i] > 0xbf)
            return 0;
    }
    return want;
}

bool
utf8_is_valid(const char *text, size_t len)
{
    const unsigned char *bytes = (const unsigned char *)text;
    size_t at = 0;

    while (at < len) {
        size_t n = sequence_len(bytes + at, len - at);

        if (!n)
            return false;
        at += n;
    }
    return true;
}

size_t
utf8_cut(const char *text, size_t len, size_t max)
{
    if (len <= max)
        return len;
    while (max && ((unsigned char)text[max] & 0xc0) == 0x80)
        max--;
    return max;
}

void
utf8_copy(char *to, size_t size, const char *text)
{
    size_t len = utf8_cut(text, strnlen(text, size), size - 1);

    memcpy(to, text, len);
    to[len] = '\0';
}

uint32_t
utf8_next(const char **at, const char *end)
{
    const unsigned char *bytes = (const unsigned char *)*at;
    size_t n = sequence_len(bytes, (size_t)(end - *at));
    uint32_t c;

    assert(n);
    *at += n;
    if (n == 1)
        return bytes[0];
    c = bytes[0] & (0x7fu >> n);
    for (size_t i = 1; i < n; i++)
        c = (c << 6) | (bytes[i] & 0x3f);
    return c;
}

void
utf8_add(struct buf *buf, uint32_t c)
{
    char bytes[4];
    size_t n;

    if (c < 0x80) {
        buf_add_char(buf, (char)c);
        return;
    }
    if (c < 0x800) {
        bytes[0] = (char)(0xc0 | (c >> 6));
        n = 2;
    } else if (c < 0x10000) {
        bytes[0] = (char)(0xe0 | (c >> 12));
        n = 3;
    } else {
        bytes[0] = (char)(0xf0 | (c >> 18));
        n = 4;
    }
    for (size_t i = 1; i < n; i++)
        bytes[i] = (char)(0x80 | ((c >> (6 * (n - 1 - i))) & 0x3f));
    buf_add(buf, bytes, n);
}

uint32_t
utf8_lower(uint32_t c)
{
    if (c < 0x80)
        return c >= 'A' && c <= 'Z' ? c + 32 : c;
    return (uint32_t)towlower_l((wint_t)c, utf8_locale());
}

uint32_t
utf8_upper(uint32_t c)
{
    if (c < 0x80)
        return c >= 'a' && c <= 'z' ? c - 32 : c;
    return (uint32_t)towupper_l((wint_t)c, utf8_locale());
}

bool
utf8_is_space(uint32_t c)
{
    /* iswspace leaves out the no-break spaces, so the property is spelled out (PropList.txt). */
    return (c >= 0x09 && c <= 0x0d) || c == 0x20 || c == 0x85 || c == 0xa0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f ||
           c == 0x205f || c == 0x3000;
}

void
utf8_add_lower(struct buf *buf, const char *text, size_t len)
{
    const char *end = text + len;

    while (text < end)
        utf8_add(buf, utf8_lower(utf8_next(&text, end)));
}

bool
utf8_has_control(const char *text)
{
    while (*text && (unsigned char)*text >= ' ' && *text != 0x7f)
        text++;
    return *text;
}
