#include "cmd/disguise.h"

#include <jansson.h>
#include <string.h>

#include "base/map.h"
#include "base/rng.h"
#include "base/utf8.h"
#include "base/xalloc.h"
#include "cmd/disguise_fields.h"
#include "cmd/disguise_kept.h"
#include "cmd/email.h"
#include "cmd/json_text.h"
#include "cmd/phone.h"
#include "cmd/word.h"
#include "rules/decode.h"

enum {
    TEXT_MAX = 256 * 1024 * 1024,
    ATTEMPTS = 16,  /* to find a word that is another */
    DOMAIN_LEN = 7, /* letters before .example */
    INSIDE_MAX = 4  /* levels of JSON in a string of JSON */
};

struct disguise {
    uint64_t key[2];
    struct disguise_kept kept;
    struct disguise_fields fields;
    struct buf folded, word, tried; /* to work with */
    struct disguise_counts counts;
};

/* ---- words ---- */

/* TEXT folded, until the next one is. */
static const struct buf *
fold(struct disguise *disguise, const char *text, size_t len)
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

/* Random numbers that belong to the folded text under the key, the ATTEMPT-th series of them. */
static struct rng
series(const struct disguise *disguise, const struct buf *folded, uint64_t attempt)
{
    return (struct rng){map_hash(buf_text(folded), folded->len, disguise->key[0]) ^
                        map_hash(buf_text(folded), folded->len, disguise->key[1] + attempt)};
}

/* Into disguise->word. */
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

/* FORCE: also a word that rules hold. */
static void
add_word(struct disguise *disguise, const char *word, size_t len, bool force, struct buf *out)
{
    const struct buf *folded = fold(disguise, word, len);

    if (!force && disguise_kept_has_word(&disguise->kept, buf_text(folded), folded->len)) {
        buf_add(out, word, len);
        return;
    }
    for (uint64_t attempt = 0; attempt < ATTEMPTS; attempt++) {
        try_word(disguise, word, len, series(disguise, folded, attempt));
        if (!is_spoilt(disguise, folded))
            break;
    }
    buf_add(out, buf_text(&disguise->word), disguise->word.len);
}

static void
add_words(struct disguise *disguise, const char *text, size_t len, bool force, struct buf *out)
{
    const char *end = text + len;

    while (text < end) {
        bool is_word;
        size_t n = word_piece(text, end, &is_word);

        if (is_word)
            add_word(disguise, text, n, force, out);
        else
            buf_add(out, text, n);
        text += n;
    }
}

/* ---- addresses ---- */

/* Returns whether it became another one. */
static bool
add_domain(struct disguise *disguise, const char *domain, size_t len, struct buf *out)
{
    const struct buf *folded = fold(disguise, domain, len);
    struct rng rng;

    if (disguise_kept_has_domain(&disguise->kept, buf_text(folded), folded->len)) {
        buf_add(out, domain, len);
        return false;
    }
    rng = series(disguise, folded, 0);
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
    add_words(disguise, text, token.local_len, false, out);
    buf_add(out, sign, token.sign_len);
    other = token.domain_len && add_domain(disguise, domain, token.domain_len, out);
    if (!other && out->len - start == whole_len && !memcmp(out->data + start, text, whole_len)) {
        folded = fold(disguise, text, whole_len);
        if (!disguise_kept_has_address(&disguise->kept, buf_text(folded), folded->len)) {
            buf_truncate(out, start);
            add_words(disguise, text, token.local_len, true, out);
            buf_add(out, sign, token.sign_len + token.domain_len);
        }
    }
    add_words(disguise, rest, token.len - whole_len, false, out);
}

/* ---- texts ---- */

/* Adds the run of digits that begins at TEXT, replaced if it looks like a phone number. Returns its
 * bytes, 0 when there is none. */
static size_t
add_run(struct disguise *disguise, const char *start, const char *text, const char *end,
        struct buf *out)
{
    struct phone_run run = phone_read(start, text, end);

    if (run.is_phone) {
        disguise->counts.phones++;
        add_words(disguise, text, run.len, false, out);
    } else {
        buf_add(out, text, run.len);
    }
    return run.len;
}

/* Whether TEXT as a whole is one that rules hold. */
static bool
is_kept_whole(struct disguise *disguise, const char *text, size_t len)
{
    const struct buf *folded;

    while (len && (*text == ' ' || *text == '\t')) {
        text++;
        len--;
    }
    while (len && (text[len - 1] == ' ' || text[len - 1] == '\t'))
        len--;
    folded = fold(disguise, text, len);
    return disguise_kept_has(&disguise->kept, buf_text(folded), folded->len);
}

/* Adds what stands at TEXT, which is in the text from START to END, at least one character, and
 * returns its bytes. *PLAIN_END: up to there no address stands. */
static size_t
add_piece(struct disguise *disguise, const char *start, const char *text, const char *end, bool all,
          const char **plain_end, struct buf *out)
{
    struct email_token token;
    bool is_word;
    size_t n;

    if (text >= *plain_end) {
        token = email_read(text, end);
        if (token.sign_len) {
            add_address(disguise, text, token, out);
            return token.len;
        }
        *plain_end = text + token.len;
    }
    n = all ? 0 : add_run(disguise, start, text, end, out);
    if (n)
        return n;
    n = word_piece(text, end, &is_word);
    if (is_word && all)
        add_word(disguise, text, n, false, out);
    else
        buf_add(out, text, n);
    return n;
}

/* ALL: not only addresses and phone numbers. */
static void
add_text(struct disguise *disguise, const char *text, size_t len, bool all, struct buf *out)
{
    const char *start = text, *end = text + len, *plain_end = text;

    if (is_kept_whole(disguise, text, len)) {
        buf_add(out, text, len);
        return;
    }
    while (text < end)
        text += add_piece(disguise, start, text, end, all, &plain_end, out);
}

/* ---- JSON ---- */

struct walk {
    struct disguise *disguise;
    const char *text;
    size_t len, at;
    int inside; /* how many strings of JSON it stands in */
    struct buf *out;
};

static void add_value(struct walk *walk, bool all);

/* The byte that comes next but for blanks. */
static char
peek(struct walk *walk)
{
    while (walk->at < walk->len && strchr(" \t\r\n", walk->text[walk->at]))
        walk->at++;
    return walk->at < walk->len ? walk->text[walk->at] : '\0';
}

/* The string that comes next, yours to json_decref. */
static json_t *
take_string(struct walk *walk)
{
    struct json_range range = json_text_value(walk->text, walk->len, walk->at);

    walk->at = range.end;
    return json_loadb(walk->text + range.at, range.end - range.at, JSON_DECODE_ANY, NULL);
}

/* Whether TEXT, which stands in INSIDE strings of JSON, is an object or array itself, which then is
 * added replaced. */
static bool
add_inner(struct disguise *disguise, const char *text, size_t len, int inside, bool all,
          struct buf *out)
{
    struct walk walk = {disguise, text, len, 0, inside, out};
    char reason[256], first = peek(&walk);
    json_t *json;

    if (inside > INSIDE_MAX || (first != '{' && first != '['))
        return false;
    json = decode_json(text, len, reason, sizeof(reason));
    if (!json)
        return false;
    json_decref(json);
    add_value(&walk, all);
    return true;
}

static void
add_string(struct walk *walk, bool all)
{
    json_t *json = take_string(walk);
    const char *text = json_string_value(json);
    size_t len = json_string_length(json);
    struct buf replaced;

    buf_init(&replaced, TEXT_MAX);
    if (!add_inner(walk->disguise, text, len, walk->inside + 1, all, &replaced))
        add_text(walk->disguise, text, len, all, &replaced);
    buf_add_json(walk->out, buf_text(&replaced), replaced.len);
    buf_fini(&replaced);
    json_decref(json);
}

/* A number, true, false or null. The exponent of a number stays: it is its size. */
static void
add_scalar(struct walk *walk, bool all)
{
    struct json_range range = json_text_value(walk->text, walk->len, walk->at);
    const char *text = walk->text + range.at;
    size_t len = range.end - range.at, digits = 0;

    walk->at = range.end;
    if (all && strchr("-0123456789", *text)) {
        while (digits < len && text[digits] != 'e' && text[digits] != 'E')
            digits++;
        add_words(walk->disguise, text, digits, false, walk->out);
    }
    buf_add(walk->out, text + digits, len - digits);
}

static void
add_array(struct walk *walk, bool all)
{
    walk->at++;
    buf_add_char(walk->out, '[');
    while (peek(walk) != ']') {
        add_value(walk, all);
        if (peek(walk) == ',')
            buf_add_char(walk->out, walk->text[walk->at++]);
    }
    walk->at++;
    buf_add_char(walk->out, ']');
}

static void
add_member(struct walk *walk, bool all)
{
    json_t *json = take_string(walk);
    const char *name = json_string_value(json);
    struct disguise_field *field = disguise_fields_find(&walk->disguise->fields, name);
    struct buf replaced;

    buf_init(&replaced, TEXT_MAX);
    add_text(walk->disguise, name, strlen(name), false, &replaced);
    buf_add_json(walk->out, buf_text(&replaced), replaced.len);
    buf_fini(&replaced);
    (void)peek(walk);
    buf_add_char(walk->out, walk->text[walk->at++]); /* the colon */
    if (field && peek(walk) != 'n')
        disguise_fields_count(field, name);
    json_decref(json);
    add_value(walk, all || field);
}

static void
add_object(struct walk *walk, bool all)
{
    walk->at++;
    buf_add_char(walk->out, '{');
    while (peek(walk) != '}') {
        add_member(walk, all);
        if (peek(walk) == ',')
            buf_add_char(walk->out, walk->text[walk->at++]);
        (void)peek(walk);
    }
    walk->at++;
    buf_add_char(walk->out, '}');
}

/* Nesting is bounded by decode_json, which has read it before. */
static void
add_value(struct walk *walk, bool all)
{
    switch (peek(walk)) {
    case '{':
        add_object(walk, all);
        break;
    case '[':
        add_array(walk, all);
        break;
    case '"':
        add_string(walk, all);
        break;
    default:
        add_scalar(walk, all);
        break;
    }
}

void
disguise_text(struct disguise *disguise, const char *field_name, const char *text, size_t len,
              struct buf *out)
{
    struct disguise_field *field = disguise_fields_find(&disguise->fields, field_name);

    if (field)
        disguise_fields_count(field, field_name);
    if (!add_inner(disguise, text, len, 1, field != NULL, out))
        add_text(disguise, text, len, field != NULL, out);
}

void
disguise_json(struct disguise *disguise, const char *text, size_t len, struct buf *out)
{
    struct walk walk = {disguise, text, len, 0, 0, out};

    add_value(&walk, false);
}

/* ---- life ---- */

struct disguise *
disguise_new(const void *key, size_t len)
{
    struct disguise *disguise = xcalloc(1, sizeof(*disguise));

    disguise->key[0] = map_hash(key, len, 0);
    disguise->key[1] = map_hash(key, len, 1);
    disguise_kept_init(&disguise->kept, disguise->key[0]);
    disguise_fields_init(&disguise->fields, disguise->key[0]);
    buf_init(&disguise->folded, TEXT_MAX);
    buf_init(&disguise->word, TEXT_MAX);
    buf_init(&disguise->tried, TEXT_MAX);
    return disguise;
}

void
disguise_free(struct disguise *disguise)
{
    if (!disguise)
        return;
    disguise_kept_fini(&disguise->kept);
    disguise_fields_fini(&disguise->fields);
    buf_fini(&disguise->folded);
    buf_fini(&disguise->word);
    buf_fini(&disguise->tried);
    xfree(disguise);
}

void
disguise_keep(struct disguise *disguise, const char *text, size_t len)
{
    const struct buf *folded = fold(disguise, text, len);

    disguise_kept_add(&disguise->kept, buf_text(folded), folded->len);
}

void
disguise_replace_field(struct disguise *disguise, const char *name)
{
    disguise_fields_set(&disguise->fields, name, true);
}

void
disguise_leave_field(struct disguise *disguise, const char *name)
{
    disguise_fields_set(&disguise->fields, name, false);
}

struct disguise_counts
disguise_counts(const struct disguise *disguise)
{
    return disguise->counts;
}

void
disguise_add_fields(const struct disguise *disguise, struct buf *out)
{
    disguise_fields_add_met(&disguise->fields, out);
}
