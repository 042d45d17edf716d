#include "cmd/email.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/mask.h"
#include "base/utf8.h"
#include "cmd/word.h"

/* All beyond ASCII counts: rather a sign too many than a name cut in two. */
static bool
is_letter(char c)
{
    return (unsigned char)c >= 0x80 || word_is_ascii((unsigned char)c);
}

/* O'Brien: a quotation mark that is none. */
static bool
is_apostrophe(const char *text, const char *at, const char *end)
{
    return *at == '\'' && at > text && at + 1 < end && is_letter(at[-1]) && is_letter(at[1]);
}

/* Bytes of what could be an address or a part of one. */
static size_t
token_len(const char *text, const char *end)
{
    const char *at = text;

    while (at < end && (mask_is_address_char(*at) || is_apostrophe(text, at, end)))
        at++;
    return (size_t)(at - text);
}

/* Bytes of the domain at TEXT. */
static size_t
domain_len(const char *text, const char *end)
{
    const char *at = text;

    while (at < end) {
        const char *next = at;
        uint32_t c = utf8_next(&next, end);

        if (!word_is_char(c) && c != '.' && c != '-')
            break;
        at = next;
    }
    while (at > text && (at[-1] == '.' || at[-1] == '-'))
        at--;
    return (size_t)(at - text);
}

size_t
email_sign_len(const char *text, const char *end)
{
    if (*text == '@')
        return 1;
    return end - text >= 3 && !memcmp(text, "%40", 3) ? 3 : 0;
}

struct email_token
email_read(const char *text, const char *end)
{
    struct email_token token = {.len = token_len(text, end)};
    const char *behind = text + token.len;

    for (size_t at = token.len; at-- > 0 && !token.sign_len;) {
        token.local_len = at;
        token.sign_len = email_sign_len(text + at, behind);
    }
    if (token.sign_len)
        token.domain_len = domain_len(text + token.local_len + token.sign_len, behind);
    return token;
}
