/*
 * What stands for a word: letters and digits of the same kinds, drawn by random numbers that belong
 * to the word and the key, and never a word that rules mean something by.
 */
#include <string.h>

#include "base/utf8.h"
#include "cmd/disguise_state.h"
#include "cmd/word.h"

enum { ATTEMPTS = 16 /* to find a word that is another */ };

const struct buf *
disguise_fold(struct disguise *disguise, const char *text, size_t len)
{
    buf_reset(&disguise->folded);
    utf8_add_lower(&disguise->folded, text, len);
    return &disguise->folded;
}

/* The letters of Latin-1 with their small and large forms 0x20 apart. */
static uint32_t
latin_letter(uint64_t random)
{
    uint32_t letter = 0xe0 + (uint32_t)(random % 30);

    return letter >= 0xf7 ? letter + 1 : letter;
}

/* What stands for C, which is the FIRST of its word. Nothing but its kind and case counts, so that
 * texts which differ in case only become such. */
static uint32_t
stand_in(uint32_t c, bool first, uint64_t random)
{
    uint32_t lower = utf8_lower(c), letter;

    if (c >= '0' && c <= '9') {
        if (!first)
            return '0' + (uint32_t)(random % 10);
        return c == '0' ? c : '1' + (uint32_t)(random % 9);
    }
    if (lower >= 0x300 && lower <= 0x36f)
        return c; /* a mark on what stands before it */
    if (lower < 0x80)
        letter = 'a' + (uint32_t)(random % 26);
    else if (lower < 0x250 || utf8_upper(lower) != lower)
        letter = latin_letter(random);
    else
        return 0x4e00 + (uint32_t)(random % 0x4000); /* without case */
    return lower == c ? letter : utf8_upper(letter);
}

struct rng
disguise_series(const struct disguise *disguise, const struct buf *folded, uint64_t attempt)
{
    return (struct rng){map_hash(buf_text(folded), folded->len, disguise->key[0]) ^
                        map_hash(buf_text(folded), folded->len, disguise->key[1] + attempt)};
}

/* Into disguise->word, what stands for WORD by the numbers. */
static void
try_word(struct disguise *disguise, const char *word, size_t len, struct rng rng)
{
    const char *at = word, *end = word + len;

    buf_reset(&disguise->word);
    while (at < end) {
        bool first = at == word;
        uint32_t c = utf8_next(&at, end);

        utf8_add(&disguise->word, stand_in(c, first, rng_next(&rng)));
    }
}

/* Whether what was tried for the FOLDED word is the same, or a text that rules mean something by.
 */
static bool
is_spoilt(struct disguise *disguise, const struct buf *folded)
{
    struct buf *tried = &disguise->tried;
    const char *text;

    buf_reset(tried);
    utf8_add_lower(tried, buf_text(&disguise->word), disguise->word.len);
    text = buf_text(tried);
    return (tried->len == folded->len && !memcmp(text, buf_text(folded), folded->len)) ||
           disguise_kept_has_word(&disguise->kept, text, tried->len) ||
           disguise_kept_has(&disguise->kept, text, tried->len);
}

void
disguise_add_word(struct disguise *disguise, const char *word, size_t len, bool force,
                  struct buf *out)
{
    const struct buf *folded = disguise_fold(disguise, word, len);

    if (!force && disguise_kept_has_word(&disguise->kept, buf_text(folded), folded->len)) {
        buf_add(out, word, len);
        return;
    }
    for (uint64_t attempt = 0; attempt < ATTEMPTS; attempt++) {
        try_word(disguise, word, len, disguise_series(disguise, folded, attempt));
        if (!is_spoilt(disguise, folded))
            break;
    }
    buf_add(out, buf_text(&disguise->word), disguise->word.len);
}

void
disguise_add_words(struct disguise *disguise, const char *text, size_t len, bool force,
                   struct buf *out)
{
    const char *end = text + len;

    while (text < end) {
        bool is_word;
        size_t n = word_piece(text, end, &is_word);

        if (is_word)
            disguise_add_word(disguise, text, n, force, out);
        else
            buf_add(out, text, n);
        text += n;
    }
}
