#include "sandbox/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "base/xalloc.h"

bool
text_is_email(const char *email)
{
    const char *at_sign = strchr(email, '@');
    size_t len = strlen(email);
    const char *at = email;

    if (!at_sign || at_sign == email || at_sign[1] == '\0' || strchr(at_sign + 1, '@'))
        return false;
    if (!utf8_is_valid(email, len))
        return false;
    while (at < email + len)
        if (utf8_is_space(utf8_next(&at, email + len)))
            return false;
    return true;
}

char *
text_contact_key(const char *email)
{
    size_t len = strlen(email);
    struct buf key;

    if (!utf8_is_valid(email, len))
        return xstrdup(email);
    /* A lowered character has at most three bytes where the original had one. */
    buf_init(&key, 3 * len + 1);
    utf8_add_lower(&key, email, len);
    return buf_steal(&key);
}

/* The length of the valid UTF-8 sequence at TEXT, 0 when there is none. */
static size_t
sequence_len(const char *text, size_t len)
{
    for (size_t n = 1; n <= 4 && n <= len; n++)
        if (utf8_is_valid(text, n))
            return n;
    return 0;
}

void
text_add_json(struct buf *buf, const char *text, size_t len)
{
    struct buf valid;
    size_t step;

    if (utf8_is_valid(text, len)) {
        buf_add_json(buf, text, len);
        return;
    }
    buf_init(&valid, 3 * len + 1);
    for (size_t i = 0; i < len; i += step ? step : 1) {
        step = sequence_len(text + i, len - i);
        if (step)
            buf_add(&valid, text + i, step);
        else
            buf_add_text(&valid, "\xEF\xBF\xBD");
    }
    buf_add_json(buf, buf_text(&valid), valid.len);
    buf_fini(&valid);
}

bool
text_number(const char *text, long long min, long long max, long long *ret_number)
{
    long long number;
    char *end;

    if (text[0] < '0' || text[0] > '9')
        return false;
    errno = 0;
    number = strtoll(text, &end, 10);
    if (errno || *end || number < min || number > max)
        return false;
    *ret_number = number;
    return true;
}
