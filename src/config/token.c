#include "config/token.h"

#include <ctype.h>
#include <string.h>
#include <sys/stat.h>

enum { TOKEN_MAX = 4096 };

bool
scanner_open(struct scanner *scanner, const char *file)
{
    struct stat st;

    *scanner = (struct scanner){.file = file, .line = 1};
    if (stat(file, &st) != 0 || !S_ISREG(st.st_mode))
        return false;
    scanner->in = fopen(file, "r");
    if (!scanner->in)
        return false;
    buf_init(&scanner->text, TOKEN_MAX);
    return true;
}

void
scanner_close(struct scanner *scanner)
{
    buf_fini(&scanner->text);
    fclose(scanner->in);
}

static int
next_char(struct scanner *scanner)
{
    int c = getc(scanner->in);

    if (c == '\n')
        scanner->line++;
    return c;
}

static int
peek_char(struct scanner *scanner)
{
    int c = getc(scanner->in);

    ungetc(c, scanner->in);
    return c;
}

static void
skip_line(struct scanner *scanner)
{
    int c;

    do {
        c = next_char(scanner);
    } while (c != '\n' && c != EOF);
}

static void
skip_comment(struct scanner *scanner)
{
    int before = 0, c = next_char(scanner);

    while (c != EOF && !(before == '*' && c == '/')) {
        before = c;
        c = next_char(scanner);
    }
}

static void
read_text(struct scanner *scanner)
{
    int c = next_char(scanner);

    buf_reset(&scanner->text);
    scanner->start = scanner->line - (c == '\n');
    while (c != EOF && c != '"') {
        buf_add_char(&scanner->text, (char)c);
        if (c == '\\') {
            c = next_char(scanner);
            if (c == EOF)
                return;
            buf_add_char(&scanner->text, (char)c);
        }
        c = next_char(scanner);
    }
    scanner->is_open = c == EOF;
}

static bool
is_word(int c)
{
    return c != EOF && (isalnum(c) || strchr("+-._*", c));
}

static void
read_word(struct scanner *scanner, int first)
{
    buf_reset(&scanner->text);
    buf_add_char(&scanner->text, (char)first);
    while (is_word(peek_char(scanner)))
        buf_add_char(&scanner->text, (char)next_char(scanner));
}

enum token
token_next(struct scanner *scanner)
{
    for (;;) {
        int c = next_char(scanner);

        if (c == EOF)
            return TOKEN_END;
        if (isspace(c))
            continue;
        if (c == '#' || (c == '/' && peek_char(scanner) == '/')) {
            skip_line(scanner);
        } else if (c == '/' && peek_char(scanner) == '*') {
            next_char(scanner);
            skip_comment(scanner);
        } else if (c == '"') {
            read_text(scanner);
            return TOKEN_TEXT;
        } else if (c == '@') {
            scanner->mark = '@';
            read_word(scanner, '@');
            return strcmp(buf_text(&scanner->text), "@include") == 0 ? TOKEN_INCLUDE : TOKEN_MARK;
        } else if (is_word(c)) {
            read_word(scanner, c);
            return TOKEN_WORD;
        } else {
            scanner->mark = c;
            return TOKEN_MARK;
        }
    }
}
