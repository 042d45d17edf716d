#include "rules/expr_lex.h"

#include <string.h>

#include "base/macros.h"

/* Longer ones first, where one begins another. */
static const struct {
    const char *text;
    enum token_kind kind;
} SIGNS[] = {
    {"??", TOKEN_DEFAULT},
    {"==", TOKEN_EQUAL},
    {"!=", TOKEN_NOT_EQUAL},
    {"<=", TOKEN_LESS_EQUAL},
    {">=", TOKEN_GREATER_EQUAL},
    {"(", TOKEN_OPEN},
    {")", TOKEN_CLOSE},
    {"[", TOKEN_OPEN_ARRAY},
    {"]", TOKEN_CLOSE_ARRAY},
    {",", TOKEN_COMMA},
    {".", TOKEN_DOT},
    {"?", TOKEN_QUESTION},
    {":", TOKEN_COLON},
    {"+", TOKEN_PLUS},
    {"-", TOKEN_MINUS},
    {"*", TOKEN_STAR},
    {"/", TOKEN_SLASH},
    {"%", TOKEN_PERCENT},
    {"|", TOKEN_PIPE},
    {"<", TOKEN_LESS},
    {">", TOKEN_GREATER},
};

/* What people write who know other languages. */
static const struct {
    const char *text, *advice;
} FOREIGN[] = {
    {"===", "write \"==\" to compare"},
    {"!==", "write \"!=\" to compare"},
    {"||", "write \"or\" for \"||\""},
    {"&&", "write \"and\" for \"&&\""},
    {"!", "write \"not\" for \"!\""},
    {"=~", "write \"matches\" for \"=~\""},
    {"~", "write \"matches\" for \"~\""},
    {"=", "write \"==\" to compare"},
    {"\"", "text stands between single quotes: 'text'"},
    {"{", "there are no braces in an expression"},
    {"${", "this is an expression already: leave out the ${ and the }"},
    {"$", "a path begins with the name of a field, or with @root"},
};

static bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool
lexer_starts_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool
in_word(char c)
{
    return lexer_starts_word(c) || is_digit(c);
}

/* The byte at AT, or NUL behind the end. */
static char
peek(const struct lexer *lexer, size_t at)
{
    return at < lexer->len ? lexer->text[at] : '\0';
}

static struct token
take(struct lexer *lexer, enum token_kind kind, size_t end)
{
    struct token token = {.kind = kind, .at = lexer->at, .len = end - lexer->at};

    lexer->at = end;
    return token;
}

static struct token
bad(struct lexer *lexer, const char *reason)
{
    err_set(&lexer->err, "%s", reason);
    return (struct token){.kind = TOKEN_BAD, .at = lexer->at, .len = lexer->len - lexer->at};
}

static struct token
word(struct lexer *lexer, enum token_kind kind, size_t start)
{
    size_t end = start;

    while (in_word(peek(lexer, end)))
        end++;
    if (peek(lexer, end) == '-' && lexer_starts_word(peek(lexer, end + 1)))
        return bad(lexer,
                   "a name has no \"-\"; write ['a-b'] for such a field, or blanks around a minus");
    if (peek(lexer, end) & 0x80)
        return bad(
            lexer,
            "a name has only ASCII letters, digits and \"_\"; write ['…'] for any other field");
    return take(lexer, kind, end);
}

static size_t
skip_digits(const struct lexer *lexer, size_t at)
{
    while (is_digit(peek(lexer, at)))
        at++;
    return at;
}

static struct token
number(struct lexer *lexer)
{
    size_t end = skip_digits(lexer, lexer->at);

    if (peek(lexer, end) == '.' && is_digit(peek(lexer, end + 1)))
        end = skip_digits(lexer, end + 1);
    if (peek(lexer, end) == 'e' || peek(lexer, end) == 'E') {
        size_t digits = end + 1;

        if (peek(lexer, digits) == '+' || peek(lexer, digits) == '-')
            digits++;
        if (is_digit(peek(lexer, digits)))
            end = skip_digits(lexer, digits);
    }
    if (in_word(peek(lexer, end)) || peek(lexer, end) == '.')
        return bad(lexer, "this is no number");
    return take(lexer, TOKEN_NUMBER, end);
}

size_t
lexer_skip_text(const char *text, size_t len, size_t at)
{
    for (at++; at < len; at++) {
        if (text[at] != '\'')
            continue;
        if (at + 1 < len && text[at + 1] == '\'')
            at++;
        else
            return at + 1;
    }
    return 0;
}

static struct token
text(struct lexer *lexer)
{
    size_t end = lexer_skip_text(lexer->text, lexer->len, lexer->at);

    if (!end)
        return bad(lexer, "a text has no closing quote; a quote inside one is written twice");
    return take(lexer, TOKEN_TEXT, end);
}

static bool
stands(const struct lexer *lexer, const char *sign)
{
    size_t len = strlen(sign);

    return lexer->len - lexer->at >= len && !memcmp(lexer->text + lexer->at, sign, len);
}

static struct token
sign(struct lexer *lexer)
{
    bool compares = stands(lexer, "==") || stands(lexer, "!=");

    if (!compares || peek(lexer, lexer->at + 2) == '=') {
        for (size_t i = 0; i < ARRAY_LEN(FOREIGN); i++) {
            if (stands(lexer, FOREIGN[i].text))
                return bad(lexer, FOREIGN[i].advice);
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(SIGNS); i++) {
        if (stands(lexer, SIGNS[i].text))
            return take(lexer, SIGNS[i].kind, lexer->at + strlen(SIGNS[i].text));
    }
    if (peek(lexer, lexer->at) & 0x80)
        return bad(
            lexer,
            "a name has only ASCII letters, digits and \"_\"; write ['…'] for any other field");
    return bad(lexer, "this character means nothing here");
}

struct token
lexer_next(struct lexer *lexer)
{
    char c;

    while (lexer->at < lexer->len && strchr(" \t\r\n", lexer->text[lexer->at]))
        lexer->at++;
    if (lexer->at == lexer->len)
        return take(lexer, TOKEN_END, lexer->len);
    c = lexer->text[lexer->at];
    if (lexer_starts_word(c))
        return word(lexer, TOKEN_WORD, lexer->at);
    if (c == '@')
        return word(lexer, TOKEN_META, lexer->at + 1);
    if (is_digit(c))
        return number(lexer);
    if (c == '\'')
        return text(lexer);
    return sign(lexer);
}
