/*
 * Tokens of an expression. Borrows the text, owns nothing.
 */
#ifndef RULES_EXPR_LEX_H
#define RULES_EXPR_LEX_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

enum token_kind {
    TOKEN_END,
    TOKEN_BAD, /* the lexer's err says why */
    TOKEN_NUMBER,
    TOKEN_TEXT, /* with its quotes */
    TOKEN_WORD,
    TOKEN_META, /* @word */
    TOKEN_OPEN,
    TOKEN_CLOSE,
    TOKEN_OPEN_ARRAY,
    TOKEN_CLOSE_ARRAY,
    TOKEN_COMMA,
    TOKEN_DOT,
    TOKEN_QUESTION,
    TOKEN_COLON,
    TOKEN_DEFAULT, /* ?? */
    TOKEN_PLUS,
    TOKEN_MINUS,
    TOKEN_STAR,
    TOKEN_SLASH,
    TOKEN_PERCENT,
    TOKEN_PIPE,
    TOKEN_EQUAL,
    TOKEN_NOT_EQUAL,
    TOKEN_LESS,
    TOKEN_LESS_EQUAL,
    TOKEN_GREATER,
    TOKEN_GREATER_EQUAL
};

struct token {
    enum token_kind kind;
    size_t at, len;
};

struct lexer {
    const char *text;
    size_t len, at;
    struct err err;
};

struct token lexer_next(struct lexer *lexer);

/* Where the quoted text that begins at AT ends, behind its closing quote; 0 when it does not. */
size_t lexer_skip_text(const char *text, size_t len, size_t at);

bool lexer_starts_word(char c);

#endif
