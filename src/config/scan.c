#include "config/scan.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/xalloc.h"
#include "config/token.h"

enum {
    DEPTH_MAX = 10, /* of @include; libconfig's own limit */
    BRACKETS_MAX = 64 * 1024,
    LINE_MAX_LEN = 4096,
    EXCERPT_MAX = 48,
    INTEGERS_MAX = 1000 /* that are kept */
};

struct scan {
    const char *dir;
    struct diag *diag;
    struct arena *arena;                 /* of the integers */
    const struct scan_integer *integers; /* the newest first */
    size_t integer_count;
    bool includes_only;
    bool stopped; /* there was an error, or files include each other without end */
    int result;
};

/* Whether WORD is an integer without an L, and then whether it has more than 32 bits. */
static bool
is_integer(const char *word, bool *ret_long)
{
    const char *digits = word + (*word == '-' || *word == '+');
    bool negative = *word == '-';
    uint64_t value = 0;
    unsigned base = 10;

    if (digits[0] == '0' && (digits[1] == 'x' || digits[1] == 'X')) {
        base = 16;
        digits += 2;
    }
    for (; *digits; digits++) {
        if (base == 16 ? !isxdigit((unsigned char)*digits) : !isdigit((unsigned char)*digits))
            return false;
        if (value <= UINT32_MAX)
            value = value * base + (unsigned)(isdigit((unsigned char)*digits)
                                                  ? *digits - '0'
                                                  : tolower((unsigned char)*digits) - 'a' + 10);
    }
    *ret_long = value > (uint64_t)INT32_MAX + negative;
    return true;
}

static void
keep_integer(struct scan *scan, struct place at, const char *word)
{
    struct scan_integer *integer;

    if (scan->integer_count == INTEGERS_MAX)
        return;
    integer = arena_alloc(scan->arena, sizeof(*integer));
    integer->next = scan->integers;
    integer->at.file = arena_text(scan->arena, at.file, strlen(at.file));
    integer->at.line = at.line;
    integer->word = arena_text(scan->arena, word, strlen(word));
    scan->integers = integer;
    scan->integer_count++;
}

static void
check_word(struct scan *scan, const struct scanner *scanner)
{
    const char *word = buf_text(&scanner->text);
    const char *digits = word + (*word == '-' || *word == '+');
    struct place at = {scanner->file, scanner->line};
    bool is_long;

    if (!is_integer(word, &is_long))
        return;
    if (is_long)
        diag_error(scan->diag, at,
                   "%.32s does not fit into 32 bits: libconfig needs an L behind such an integer",
                   word);
    else if (digits[0] == '0' && isdigit((unsigned char)digits[1]))
        diag_error(scan->diag, at,
                   "%.32s begins with a 0: some versions of libconfig read it as octal", word);
    else
        return;
    keep_integer(scan, at, word);
}

bool
scan_integer_is(const struct scan_integer *integer, int64_t value)
{
    const char *word = integer->word;

    return value == (int32_t)strtoll(word, NULL, 10) || value == strtoll(word, NULL, 0) ||
           value == (int32_t)strtoull(word, NULL, 0);
}

static void
warn_joined(struct scan *scan, const struct scanner *scanner)
{
    const char *text = buf_text(&scanner->text);
    size_t len = strlen(text), shown = len;

    if (len > EXCERPT_MAX) {
        shown = EXCERPT_MAX;
        while (shown > 0 && ((unsigned char)text[shown] & 0xc0) == 0x80)
            shown--;
    }
    diag_lint(scan->diag, SCAN_COMMA_MISSING, (struct place){scanner->file, scanner->line},
              "no comma before \"%.*s%s\": it is read as the end of the text before it; put one "
              "between the two",
              (int)shown, text, shown < len ? "…" : "");
}

/* Keeps the open brackets; whether the innermost is one of a list or an array. */
static bool
follow_bracket(struct buf *brackets, int mark, bool in_sequence)
{
    if (strchr("[({", mark))
        buf_add_char(brackets, (char)mark);
    else if (strchr("])}", mark) && brackets->len > 0)
        buf_truncate(brackets, brackets->len - 1);
    else
        return in_sequence;
    return brackets->len > 0 && buf_text(brackets)[brackets->len - 1] != '{';
}

static void
refuse_include(struct scan *scan, struct place at, const char *name, const char *why)
{
    if (!scan->includes_only)
        return;
    scan->stopped = true;
    scan->result = diag_error(scan->diag, at, "\"%s\" %s", name, why);
}

static void scan_file(struct scan *scan, const char *file, unsigned depth);

static void
scan_include(struct scan *scan, struct scanner *scanner, unsigned depth)
{
    struct place at = {scanner->file, scanner->line};
    bool here = strcmp(scan->dir, ".") == 0;
    char *path;
    struct stat st;

    if (token_next(scanner) != TOKEN_TEXT)
        return;
    if (buf_text(&scanner->text)[0] == '/') {
        refuse_include(
            scan, at, buf_text(&scanner->text),
            "cannot be included: its name must be relative to the folder of the first file");
        return;
    }
    path = xasprintf("%s%s%s", here ? "" : scan->dir, here ? "" : "/", buf_text(&scanner->text));
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
        refuse_include(scan, at, path, "is a folder; only files can be included");
    } else if (depth < DEPTH_MAX) {
        scan_file(scan, path, depth + 1);
    } else {
        scan->stopped = true; /* libconfig says so */
    }
    xfree(path);
}

static void
scan_tokens(struct scan *scan, struct scanner *scanner, unsigned depth)
{
    struct buf brackets;
    bool in_sequence = false;
    enum token before = TOKEN_MARK, token = token_next(scanner);

    buf_init(&brackets, BRACKETS_MAX);
    while (token != TOKEN_END && !scan->stopped) {
        if (token == TOKEN_INCLUDE)
            scan_include(scan, scanner, depth);
        else if (token == TOKEN_MARK)
            in_sequence = follow_bracket(&brackets, scanner->mark, in_sequence);
        else if (token == TOKEN_WORD && !scan->includes_only)
            check_word(scan, scanner);
        else if (token == TOKEN_TEXT && before == TOKEN_TEXT && in_sequence && !scan->includes_only)
            warn_joined(scan, scanner);
        before = token;
        token = token_next(scanner);
    }
    buf_fini(&brackets);
}

static void
scan_file(struct scan *scan, const char *file, unsigned depth)
{
    struct scanner scanner;

    if (!scanner_open(&scanner, file))
        return;
    scan_tokens(scan, &scanner, depth);
    scanner_close(&scanner);
}

int
scan_includes(const char *file, const char *dir, struct diag *diag)
{
    struct scan scan = {.dir = dir, .diag = diag, .includes_only = true};

    scan_file(&scan, file, 0);
    return scan.result;
}

const struct scan_integer *
scan_text(const char *file, const char *dir, struct arena *arena, struct diag *diag)
{
    struct scan scan = {.dir = dir, .arena = arena, .diag = diag};

    scan_file(&scan, file, 0);
    return scan.integers;
}

void
scan_included_name(const char *file, unsigned line, struct buf *name)
{
    struct scanner scanner;
    enum token token;

    if (!scanner_open(&scanner, file))
        return;
    do {
        token = token_next(&scanner);
    } while (token != TOKEN_END && !(token == TOKEN_INCLUDE && scanner.line >= line));
    if (token == TOKEN_INCLUDE && token_next(&scanner) == TOKEN_TEXT)
        buf_add_text(name, buf_text(&scanner.text));
    scanner_close(&scanner);
}

/* Whether LINE has a comment in which NAME is allowed: "lint: allow NAME, NAME". *RET_ALONE:
 * nothing stands before the comment. */
static bool
allows(const char *line, const char *name, bool *ret_alone)
{
    static const char allow[] = "lint: allow ";
    const char *at = strstr(line, allow);
    size_t len = strlen(name), blanks = strspn(line, " \t");

    *ret_alone = line[blanks] == '#' || strncmp(line + blanks, "//", 2) == 0;
    if (!at || (!memchr(line, '#', (size_t)(at - line)) && !strstr(line, "//")))
        return false;
    at += strlen(allow);
    for (;;) {
        size_t word = strcspn(at, " ,\t\r\n");

        if (word == len && memcmp(at, name, len) == 0)
            return true;
        at += word;
        if (*at != ',')
            return false;
        at += 1 + strspn(at + 1, " \t");
    }
}

/* The next line without its end, or as much as LINE takes of it; false when there is none. */
static bool
read_line(FILE *in, struct buf *line)
{
    int c = getc(in);

    buf_reset(line);
    if (c == EOF)
        return false;
    for (; c != EOF && c != '\n'; c = getc(in))
        buf_add_char(line, (char)c);
    return true;
}

bool
scan_allows(const char *file, unsigned line, const char *name)
{
    struct stat st;
    FILE *in = stat(file, &st) == 0 && S_ISREG(st.st_mode) ? fopen(file, "r") : NULL;
    struct buf text;
    bool allowed = false;

    buf_init(&text, LINE_MAX_LEN);
    for (unsigned i = 1; in && i <= line && read_line(in, &text); i++) {
        bool alone, found = i + 1 >= line && allows(buf_text(&text), name, &alone);

        allowed |= found && (i == line || alone);
    }
    buf_fini(&text);
    if (in)
        fclose(in);
    return allowed;
}
