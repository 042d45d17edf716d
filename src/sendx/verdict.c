#include "sendx/verdict.h"

#include <stdint.h>
#include <string.h>

#include "base/mask.h"
#include "base/utf8.h"
#include "sendx/model.h"

/*
 * Is it a JSON object? What stands inside a text is skimmed, not checked: this has to tell a reply
 * of the API from a proxy's page, and one odd character in a contact's name must not put a whole
 * account on hold. Without recursion, since a body is whatever somebody sent.
 */
enum { NESTING_MAX = 2048 };

struct skim {
    const char *at, *end;
    unsigned depth;
    bool in_object[NESTING_MAX];
};

static void
skip_space(struct skim *skim)
{
    while (skim->at < skim->end && memchr(" \t\r\n", *skim->at, 4))
        skim->at++;
}

static bool
skip_char(struct skim *skim, char c)
{
    skip_space(skim);
    if (skim->at == skim->end || *skim->at != c)
        return false;
    skim->at++;
    return true;
}

static bool
skip_string(struct skim *skim)
{
    if (!skip_char(skim, '"'))
        return false;
    for (; skim->at < skim->end; skim->at++) {
        if (*skim->at == '"') {
            skim->at++;
            return true;
        }
        if (*skim->at == '\\')
            skim->at++;
    }
    skim->at = skim->end;
    return false;
}

static bool
skip_digits(struct skim *skim)
{
    const char *start = skim->at;

    while (skim->at < skim->end && *skim->at >= '0' && *skim->at <= '9')
        skim->at++;
    return skim->at > start;
}

static bool
skip_one_of(struct skim *skim, const char *chars)
{
    if (skim->at == skim->end || !memchr(chars, *skim->at, strlen(chars)))
        return false;
    skim->at++;
    return true;
}

static bool
skip_number(struct skim *skim)
{
    skip_one_of(skim, "-");
    if (!skip_one_of(skim, "0") && !skip_digits(skim))
        return false;
    if (skip_one_of(skim, ".") && !skip_digits(skim))
        return false;
    if (!skip_one_of(skim, "eE"))
        return true;
    skip_one_of(skim, "+-");
    return skip_digits(skim);
}

static bool
skip_word(struct skim *skim, const char *word)
{
    size_t len = strlen(word);

    if ((size_t)(skim->end - skim->at) < len || memcmp(skim->at, word, len) != 0)
        return false;
    skim->at += len;
    return true;
}

static bool
skip_scalar(struct skim *skim)
{
    if (skim->at < skim->end && *skim->at == '"')
        return skip_string(skim);
    return skip_word(skim, "true") || skip_word(skim, "false") || skip_word(skim, "null") ||
           skip_number(skim);
}

/* From the '{' or '[' behind which SKIM stands. False when it is too deep. */
static bool
enter(struct skim *skim, bool object)
{
    if (skim->depth == NESTING_MAX)
        return false;
    skim->in_object[skim->depth++] = object;
    return true;
}

static bool
skip_name(struct skim *skim)
{
    return skip_string(skim) && skip_char(skim, ':');
}

/* After a value: leaves what is closed here, or goes on to the next value. False when it is
 * neither. */
static bool
leave_or_next(struct skim *skim)
{
    while (skim->depth) {
        bool object = skim->in_object[skim->depth - 1];

        if (skip_char(skim, ','))
            return !object || skip_name(skim);
        if (!skip_char(skim, object ? '}' : ']'))
            return false;
        skim->depth--;
    }
    return true;
}

/* One value, or the beginning of an object or array that is not empty. */
static bool
skip_value(struct skim *skim)
{
    if (skip_char(skim, '{'))
        return skip_char(skim, '}') ? leave_or_next(skim) : enter(skim, true) && skip_name(skim);
    if (skip_char(skim, '['))
        return skip_char(skim, ']') ? leave_or_next(skim) : enter(skim, false);
    return skip_scalar(skim) && leave_or_next(skim);
}

static bool
has_json_object(const struct reply *reply)
{
    struct skim skim;

    skim.at = reply->body;
    skim.end = reply->body + reply->body_len;
    skim.depth = 0;
    skip_space(&skim);
    if (skim.at == skim.end || *skim.at != '{')
        return false;
    if (reply->body_cut)
        return true;
    do {
        if (!skip_value(&skim))
            return false;
    } while (skim.depth);
    skip_space(&skim);
    return skim.at == skim.end;
}

static enum verdict
verdict_of_4xx(enum call_kind kind, int status)
{
    switch (status) {
    case 401:
    case 402:
    case 403:
    case 405:
    case 407:
        return VERDICT_CONFIGURATION;
    case 404:
        return kind == CALL_TRACK ? VERDICT_UNKNOWN_CONTACT : VERDICT_CONFIGURATION;
    case 408:
    case 425:
        return VERDICT_TRANSIENT;
    case 429:
        return VERDICT_THROTTLED;
    default:
        return VERDICT_PERMANENT;
    }
}

enum verdict
verdict_of(enum call_kind kind, const struct reply *reply)
{
    int status = reply->status;

    if (reply->failure != REPLY_OK)
        return VERDICT_TRANSIENT;
    switch (status / 100) {
    case 2:
        return status == 204 || has_json_object(reply) ? VERDICT_DONE : VERDICT_CONFIGURATION;
    case 3:
        return VERDICT_CONFIGURATION;
    case 4:
        return verdict_of_4xx(kind, status);
    case 5:
        if (status == 501 || status == 505)
            return VERDICT_PERMANENT;
        return status == 503 && reply->retry_after ? VERDICT_THROTTLED : VERDICT_TRANSIENT;
    default: /* no status of HTTP: something else answers there */
        return VERDICT_CONFIGURATION;
    }
}

const char *
verdict_name(enum verdict verdict)
{
    static const char *const names[] = {
#define X(id, name, doc) name,
        VERDICT_TABLE(X)
#undef X
    };

    return verdict < VERDICT_COUNT ? names[verdict] : "unknown";
}

static const char *
status_phrase(int status)
{
    static const struct {
        int status;
        const char *phrase;
    } table[] = {
        {200, "OK"},
        {201, "Created"},
        {202, "Accepted"},
        {204, "No Content"},
        {301, "Moved Permanently"},
        {302, "Found"},
        {303, "See Other"},
        {307, "Temporary Redirect"},
        {308, "Permanent Redirect"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {402, "Payment Required"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {407, "Proxy Authentication Required"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {415, "Unsupported Media Type"},
        {422, "Unprocessable"},
        {425, "Too Early"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
        {505, "HTTP Version Not Supported"},
    };

    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        if (table[i].status == status)
            return table[i].phrase;
    }
    return NULL;
}

/* Texts for people: 300 bytes at most, of which a reply's own words take what is left. */
enum { DESCRIPTION_MAX = 300 };

/* Length of the UTF-8 character at TEXT, or 0 where there is none. */
static size_t
valid_char(const char *text, size_t len)
{
    for (size_t n = 1; n <= 4 && n <= len; n++) {
        if (utf8_is_valid(text, n))
            return n;
    }
    return 0;
}

/* Adds WORDS as one line: control characters and runs of blanks become one blank, what is not UTF-8
 * a question mark; "…" where it had to end at MAX bytes. */
static void
add_line(struct buf *text, const char *words, size_t len, size_t max)
{
    static const char more[] = "…";
    size_t stop = text->len + max - strlen(more);
    size_t start = text->len;
    bool blank = false;

    for (size_t i = 0; i < len;) {
        size_t n = valid_char(words + i, len - i);
        bool bad = !n;

        if (n == 1 && ((unsigned char)words[i] <= ' ' || words[i] == 0x7f)) {
            blank = text->len > start;
            i++;
            continue;
        }
        if (bad)
            n = 1;
        if (text->len + blank + n > stop) {
            buf_add_text(text, more);
            return;
        }
        if (blank)
            buf_add_char(text, ' ');
        blank = false;
        buf_add(text, bad ? "?" : words + i, n);
        i += n;
    }
}

/* Masks before it cuts: half a secret or an address would not be known as one. */
static void
add_masked_line(struct buf *text, const char *words, size_t len, size_t max, const char *secret)
{
    struct buf raw, masked;

    buf_init(&raw, SIZE_MAX / 2);
    buf_init(&masked, SIZE_MAX / 2);
    buf_add(&raw, words, len);
    mask_secret(&raw, secret);
    mask_add_text(&masked, buf_text(&raw), raw.len);
    add_line(text, buf_text(&masked), masked.len, max);
    buf_fini(&masked);
    buf_fini(&raw);
}

/* Adds ": WORDS", up to LIMIT as the length of TEXT. */
static void
add_words(struct buf *text, size_t limit, const char *words, size_t len, const char *secret)
{
    if (!len || text->len + 16 > limit)
        return;
    buf_add_text(text, ": ");
    add_masked_line(text, words, len, limit - text->len, secret);
}

/* What the body says: its message if it has one, else its beginning. */
static void
add_body(struct buf *text, size_t limit, const struct reply *reply, const char *secret)
{
    struct track_response response;
    struct arena arena;
    struct err err = {{0}};

    arena_init(&arena, 1024);
    if (!track_response_read(&response, &arena, reply->body, reply->body_len, &err) &&
        response.message && *response.message)
        add_words(text, limit, response.message, strlen(response.message), secret);
    else
        add_words(text, limit, reply->body, reply->body_len, secret);
    arena_fini(&arena);
}

void
verdict_describe(const struct reply *reply, const char *secret, struct buf *text)
{
    size_t limit = text->len + DESCRIPTION_MAX;
    const char *phrase = status_phrase(reply->status);

    if (reply->failure != REPLY_OK) {
        buf_add_text(text, reply_failure_name(reply->failure));
        if (reply->detail)
            add_words(text, limit, reply->detail, strlen(reply->detail), secret);
        return;
    }
    buf_printf(text, "%d", reply->status);
    if (phrase)
        buf_printf(text, " %s", phrase);
    if (reply->status / 100 == 2 && reply->status != 204 && !has_json_object(reply))
        buf_add_text(text, ", but its body is not a JSON object");
    if (reply->retry_after) {
        buf_add_text(text, ", Retry-After ");
        add_masked_line(text, reply->retry_after, strlen(reply->retry_after), 48, secret);
    }
    add_body(text, limit, reply, secret);
}
