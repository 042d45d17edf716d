/*
 * Texts that are not JSON: the addresses and phone numbers in them are replaced, or all words. An
 * address goes before a phone number, since it may hold one.
 */
#include <string.h>

#include "cmd/disguise_state.h"
#include "cmd/email.h"
#include "cmd/phone.h"
#include "cmd/word.h"

enum { DOMAIN_LEN = 7 /* letters before .example */ };

/* A text on its way. */
struct walk {
    struct disguise *disguise;
    const char *start, *at, *end;
    const char *token_end; /* up to there no address stands */
    struct buf *out;
};

/* Returns whether it became another one. */
static bool
add_domain(struct disguise *disguise, const char *domain, size_t len, struct buf *out)
{
    const struct buf *folded = disguise_fold(disguise, domain, len);
    struct rng rng;

    if (disguise_kept_has_domain(&disguise->kept, buf_text(folded), folded->len)) {
        buf_add(out, domain, len);
        return false;
    }
    rng = disguise_series(disguise, folded, 0);
    for (int i = 0; i < DOMAIN_LEN; i++)
        buf_add_char(out, (char)('a' + rng_below(&rng, 26)));
    buf_add_text(out, ".example");
    return true;
}

/* TEXT is a token with an address in it. */
static void
add_address(struct disguise *disguise, const char *text, struct email_token token, struct buf *out)
{
    const char *sign = text + token.local_len, *domain = sign + token.sign_len;
    const char *rest = domain + token.domain_len;
    size_t start = out->len, whole_len = (size_t)(rest - text);
    const struct buf *folded;
    bool other;

    if (token.local_len && token.domain_len)
        disguise->counts.emails++;
    disguise_add_words(disguise, text, token.local_len, false, out);
    buf_add(out, sign, token.sign_len);
    other = token.domain_len && add_domain(disguise, domain, token.domain_len, out);
    /* Rules name the domain and each word, but perhaps not this address. */
    if (!other && out->len - start == whole_len && !memcmp(out->data + start, text, whole_len)) {
        folded = disguise_fold(disguise, text, whole_len);
        if (!disguise_kept_has_address(&disguise->kept, buf_text(folded), folded->len)) {
            buf_truncate(out, start);
            disguise_add_words(disguise, text, token.local_len, true, out);
            buf_add(out, sign, token.sign_len + token.domain_len);
        }
    }
    disguise_add_words(disguise, rest, token.len - whole_len, false, out);
}

/* Each of these three adds what stands at walk->at and goes behind it; the first two only if it is
 * what they know. */
static bool
take_address(struct walk *walk)
{
    struct email_token token;

    if (walk->at < walk->token_end)
        return false;
    token = email_read(walk->at, walk->end);
    if (!token.sign_len) {
        walk->token_end = walk->at + token.len;
        return false;
    }
    add_address(walk->disguise, walk->at, token, walk->out);
    walk->at += token.len;
    return true;
}

static bool
take_run(struct walk *walk)
{
    struct phone_run run = phone_read(walk->start, walk->at, walk->end);

    if (run.is_phone) {
        walk->disguise->counts.phones++;
        disguise_add_words(walk->disguise, walk->at, run.len, false, walk->out);
    } else {
        buf_add(walk->out, walk->at, run.len);
    }
    walk->at += run.len;
    return run.len > 0;
}

static void
take_piece(struct walk *walk, bool all)
{
    bool is_word;
    size_t len = word_piece(walk->at, walk->end, &is_word);

    if (is_word && all)
        disguise_add_word(walk->disguise, walk->at, len, false, walk->out);
    else
        buf_add(walk->out, walk->at, len);
    walk->at += len;
}

/* Whether TEXT as a whole is one that rules hold. */
static bool
is_kept(struct disguise *disguise, const char *text, size_t len)
{
    const struct buf *folded;

    while (len && (*text == ' ' || *text == '\t')) {
        text++;
        len--;
    }
    while (len && (text[len - 1] == ' ' || text[len - 1] == '\t'))
        len--;
    folded = disguise_fold(disguise, text, len);
    return disguise_kept_has(&disguise->kept, buf_text(folded), folded->len);
}

void
disguise_add_plain(struct disguise *disguise, const char *text, size_t len, bool all,
                   struct buf *out)
{
    struct walk walk = {disguise, text, text, text + len, text, out};

    if (is_kept(disguise, text, len)) {
        buf_add(out, text, len);
        return;
    }
    while (walk.at < walk.end) {
        if (!take_address(&walk) && (all || !take_run(&walk)))
            take_piece(&walk, all);
    }
}
