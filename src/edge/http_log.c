#include "edge/http_log.h"

#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mask.h"

enum { TEXT_MAX = 4096 };

bool
http_log_is_on(void)
{
    return log_level() == LOG_DEBUG;
}

static bool
begins(const char *text, size_t len, const char *with)
{
    return len >= strlen(with) && memcmp(text, with, strlen(with)) == 0;
}

/* Over HTTP/2 curl tells each header among its texts, the key's too: "h2h3 [name: value]", later
 * "[HTTP/2] [1] [name: value]"; a long one is cut. */
static bool
is_header(const char *text, size_t len)
{
    const char *open = memchr(text, '[', len);

    if (begins(text, len, "h2h3 [") || begins(text, len, "[HTTP/"))
        return true;
    return open && text[len - 1] == ']' && memmem(open, (size_t)(text + len - open), ": ", 2);
}

/* Texts of one kind differ in numbers, addresses, and handles: in words with a digit. */
static uint64_t
kind_of(const char *text, size_t len)
{
    uint64_t hash = 0;
    size_t i = 0;

    while (i < len) {
        size_t start = i;
        bool has_digit = false;

        for (; i < len && text[i] != ' '; i++)
            has_digit |= text[i] >= '0' && text[i] <= '9';
        if (!has_digit)
            hash = map_hash(text + start, i - start, hash);
        i++;
    }
    return hash;
}

/* Bytes at TEXT, of LEN, in which a URL's user and password can be. */
static size_t
authority_len(const char *text, size_t len)
{
    size_t i = 0;

    while (i < len && !strchr("/?# '\"", text[i]))
        i++;
    return i;
}

static void
mask_userinfo(struct buf *to, const char *text, size_t len)
{
    const char *end = text + len;
    const char *scheme;

    while ((scheme = memmem(text, (size_t)(end - text), "://", 3))) {
        const char *authority = scheme + 3;
        const char *at =
            memrchr(authority, '@', authority_len(authority, (size_t)(end - authority)));

        buf_add(to, text, (size_t)(authority - text));
        if (at)
            buf_add_text(to, "***");
        text = at ? at + 1 : authority;
    }
    buf_add(to, text, (size_t)(end - text));
}

/* curl quotes a proxy's URL, which may have no scheme, or be one that it cannot take apart since
 * the password holds what ends it. */
void
http_log_mask(struct buf *to, const char *text, size_t len)
{
    const char *quote = memchr(text, '\'', len);
    const char *at = quote ? memrchr(quote, '@', (size_t)(text + len - quote)) : NULL;

    if (!at) {
        mask_userinfo(to, text, len);
        return;
    }
    buf_add(to, text, (size_t)(quote + 1 - text));
    buf_add_text(to, "***");
    buf_add(to, at + 1, (size_t)(text + len - at - 1));
}

void
http_log_text(struct log_kinds *kinds, const char *account, const char *secret, const char *text,
              size_t len, int64_t now)
{
    struct buf raw, masked;
    int64_t kept_back = 0;

    while (len && text[len - 1] == '\n')
        len--;
    while (len && *text == ' ') {
        text++;
        len--;
    }
    if (!len || !http_log_is_on() || is_header(text, len))
        return;
    if (!log_limit_pass(log_kinds_limit(kinds, kind_of(text, len)), now, &kept_back))
        return;
    buf_init(&raw, SIZE_MAX / 2);
    buf_init(&masked, TEXT_MAX);
    http_log_mask(&raw, text, len);
    mask_secret(&raw, secret);
    mask_add_text(&masked, buf_text(&raw), raw.len);
    log_debug("http.log", log_text("account", account), log_text("text", buf_text(&masked)),
              log_int("kept_back", kept_back));
    buf_fini(&masked);
    buf_fini(&raw);
}
