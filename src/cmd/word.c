#include "cmd/word.h"

#include "base/utf8.h"

bool
word_is_ascii(uint32_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

bool
word_is_char(uint32_t c)
{
    if (c < 0x80)
        return word_is_ascii(c);
    if (c < 0xc0)
        return c == 0xaa || c == 0xb5 || c == 0xba;
    return c != 0xd7 && c != 0xf7 && c != 0x2212 && !(c >= 0x2000 && c <= 0x206f) &&
           !(c >= 0x3000 && c <= 0x303f) && !utf8_is_space(c);
}

size_t
word_piece(const char *text, const char *end, bool *ret_word)
{
    const char *at = text;

    *ret_word = word_is_char(utf8_next(&at, end));
    while (*ret_word && at < end) {
        const char *next = at;

        if (!word_is_char(utf8_next(&next, end)))
            break;
        at = next;
    }
    return (size_t)(at - text);
}
