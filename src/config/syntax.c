#include "config/syntax.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "config/token.h"

enum { LEVELS_MAX = 64, NAME_MAX_LEN = 64 };

enum state {
    AT_NAME,    /* of a setting, or the end of the group */
    AT_SIGN,    /* "=" or ":" */
    AT_VALUE,   /* of a setting */
    AT_FIRST,   /* element of a list or array, or its end */
    AT_ELEMENT, /* after a comma */
    AFTER_VALUE /* of a setting, or an element */
};

struct level {
    char bracket; /* 0: the file */
    unsigned line;
};

struct reader {
    struct scanner scanner;
    struct level levels[LEVELS_MAX];
    size_t depth; /* index of the innermost */
    enum state state;
    enum token before;             /* the token before this one */
    unsigned before_line;          /* where that ends */
    unsigned text_start, text_end; /* the lines of the last text */
    bool after_text;               /* the name of this setting stands directly behind a text */
    bool after_value;              /* or behind a value, and may be the rest of that */
    char name[NAME_MAX_LEN + 1];   /* of the setting */
    struct buf *why;
};

/* Ends the reading. */
static bool PRINTF_LIKE(2, 3) refuse(struct reader *reader, const char *fmt, ...)
{
    char message[256];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(message, sizeof(message), fmt, ap);
    va_end(ap);
    buf_add_text(reader->why, message);
    return false;
}

static bool
refuse_quote(struct reader *reader)
{
    if (reader->text_start < reader->text_end)
        return refuse(reader, "the text that begins in line %u has no closing quote in that line",
                      reader->text_start);
    return refuse(reader, "the text ended at the double quote before this; within an expression "
                          "texts stand between single quotes, and elsewhere a double quote is "
                          "written \\\"");
}

static bool
in_sequence(const struct reader *reader)
{
    char bracket = reader->levels[reader->depth].bracket;

    return bracket == '(' || bracket == '[';
}

static bool
is_value(const char *word)
{
    const char *digits = word + (*word == '-' || *word == '+');

    return isdigit((unsigned char)*digits) || *digits == '.' || !strcasecmp(word, "true") ||
           !strcasecmp(word, "false");
}

static bool
open_level(struct reader *reader)
{
    char bracket = (char)reader->scanner.mark;

    if (reader->levels[reader->depth].bracket == '[')
        return refuse(reader, "an array [ ] holds only texts, numbers or booleans; write a list "
                              "( ) around groups and lists");
    if (reader->depth + 1 == LEVELS_MAX)
        return false; /* nobody writes that */
    reader->levels[++reader->depth] = (struct level){bracket, reader->scanner.line};
    reader->state = bracket == '{' ? AT_NAME : AT_FIRST;
    return true;
}

static bool
close_level(struct reader *reader)
{
    const struct level *level = &reader->levels[reader->depth];
    char closing = (char)reader->scanner.mark;
    const char *pairs = "{}()[]", *pair = level->bracket ? strchr(pairs, level->bracket) : NULL;

    if (!pair)
        return refuse(reader, "nothing is open that \"%c\" could close", closing);
    if (pair[1] != closing)
        return refuse(reader, "\"%c\" stands where the \"%c\" of line %u must be closed first",
                      closing, level->bracket, level->line);
    if (reader->state == AT_ELEMENT)
        return refuse(reader,
                      "there is a comma behind the last element, before this \"%c\"; "
                      "take it out",
                      closing);
    reader->depth--;
    reader->state = AFTER_VALUE;
    return true;
}

static bool
take_name(struct reader *reader)
{
    const char *word = buf_text(&reader->scanner.text);

    /* What is part of a value may be part of a secret, and is not repeated. */
    reader->after_value = reader->state == AFTER_VALUE && reader->before != TOKEN_MARK &&
                          reader->before_line == reader->scanner.line;
    if (strchr(word, '.'))
        return refuse(reader,
                      "the name \"%.64s\" holds a dot; in the names of librdkafka's properties "
                      "write \"_\" for it",
                      reader->after_value ? "..." : word);
    snprintf(reader->name, sizeof(reader->name), "%.64s", reader->after_value ? "..." : word);
    reader->after_text = reader->before == TOKEN_TEXT && reader->text_end == reader->scanner.line;
    reader->state = AT_SIGN;
    return true;
}

static bool
read_sign(struct reader *reader, enum token token)
{
    if (token == TOKEN_MARK && strchr("=:", reader->scanner.mark)) {
        reader->state = AT_VALUE;
        return true;
    }
    if (reader->after_text)
        return refuse_quote(reader);
    /* The word is not repeated: it may be a secret whose "=" and quotes were forgotten. */
    if (token == TOKEN_WORD)
        return refuse(
            reader,
            "behind the name \"%s\" there is no \"=\"; a name that holds a blank stands in "
            "a list of pairs: ( (\"%s ...\", \"...\") )",
            reader->name, reader->name);
    return refuse(reader, "behind the name \"%s\" there is no \"=\"", reader->name);
}

static bool
read_value(struct reader *reader, enum token token)
{
    int mark = reader->scanner.mark;
    const char *word = buf_text(&reader->scanner.text);

    if (token == TOKEN_TEXT || (token == TOKEN_WORD && is_value(word))) {
        reader->state = AFTER_VALUE;
        return true;
    }
    if (token == TOKEN_WORD)
        return refuse(reader, "what stands here is no value: a text stands between double quotes");
    if (token == TOKEN_MARK && strchr("{([", mark))
        return open_level(reader);
    if (token == TOKEN_MARK && mark == '\'')
        return refuse(reader, "a text stands between double quotes, not single ones");
    if (token == TOKEN_MARK && strchr("})]", mark) && reader->state != AT_VALUE)
        return close_level(reader);
    if (token != TOKEN_MARK)
        return refuse(reader, "the file ends here, and a value is missing");
    if (reader->state == AT_VALUE)
        return refuse(reader, "behind \"%s\" a value is missing", reader->name);
    return refuse(reader, "\"%c\" stands where a value must be", mark);
}

static bool
read_name(struct reader *reader, enum token token)
{
    if (token == TOKEN_WORD)
        return take_name(reader);
    if (token == TOKEN_TEXT)
        return refuse(reader, "the name of a setting stands without quotes");
    if (token == TOKEN_MARK && strchr("})]", reader->scanner.mark))
        return close_level(reader);
    return refuse(reader, "\"%c\" stands where the name of a setting must be",
                  reader->scanner.mark);
}

static bool
read_more(struct reader *reader, enum token token)
{
    bool sequence = in_sequence(reader);
    int mark = reader->scanner.mark;

    if (token == TOKEN_TEXT && reader->before == TOKEN_TEXT)
        return true; /* libconfig joins them */
    if (token == TOKEN_MARK && (mark == ',' || (mark == ';' && !sequence))) {
        reader->state = sequence ? AT_ELEMENT : AT_NAME;
        return true;
    }
    if (token == TOKEN_MARK && strchr("})]", mark))
        return close_level(reader);
    if (!sequence)
        return read_name(reader, token);
    if (reader->before == TOKEN_TEXT && token == TOKEN_WORD)
        return refuse_quote(reader);
    if (token == TOKEN_MARK && !strchr("{([", mark))
        return refuse(reader, "\"%c\" stands where a comma or the end of the list must be", mark);
    return refuse(reader, "a comma is missing between this element and the one before");
}

static bool
read_end(struct reader *reader)
{
    const struct level *level = &reader->levels[reader->depth];

    if (reader->scanner.is_open)
        return refuse(reader, "the text that begins in line %u has no closing quote",
                      reader->scanner.start);
    if (level->bracket)
        return refuse(reader, "the \"%c\" of line %u is not closed", level->bracket, level->line);
    return false;
}

static bool
read_token(struct reader *reader, enum token token)
{
    /* Where a quote is missing, what comes behind it is read inside out, up to the end. */
    if (reader->state == AT_SIGN && reader->after_text && token != TOKEN_MARK)
        return refuse_quote(reader);
    if (token == TOKEN_END || (token == TOKEN_TEXT && reader->scanner.is_open))
        return read_end(reader);
    if (token == TOKEN_INCLUDE) {
        token_next(&reader->scanner);
        return true;
    }
    switch (reader->state) {
    case AT_NAME:
        return read_name(reader, token);
    case AT_SIGN:
        return read_sign(reader, token);
    case AFTER_VALUE:
        return read_more(reader, token);
    default:
        return read_value(reader, token);
    }
}

void
syntax_explain(const char *file, unsigned line, struct buf *text)
{
    struct reader reader = {.state = AT_NAME, .before = TOKEN_MARK};
    struct buf why;
    bool goes_on = true;

    if (!scanner_open(&reader.scanner, file))
        return;
    buf_init(&why, 1024);
    reader.why = &why;
    while (goes_on) {
        enum token token = token_next(&reader.scanner);

        goes_on = read_token(&reader, token);
        reader.before = token;
        reader.before_line = reader.scanner.line;
        if (token == TOKEN_TEXT) {
            reader.text_start = reader.scanner.start;
            reader.text_end = reader.scanner.line;
        }
    }
    if (reader.scanner.line == line)
        buf_add(text, why.data, why.len);
    buf_fini(&why);
    scanner_close(&reader.scanner);
}
