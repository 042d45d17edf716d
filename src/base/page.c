#include "base/page.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { WIDTH_DEFAULT = 80, BAR_MAX = 40, BAR_TEXT = 52 };

bool
page_is_terminal(void)
{
    return isatty(STDOUT_FILENO);
}

size_t
page_width(void)
{
    const char *columns = getenv("COLUMNS");
    struct winsize size = {0};
    char *end = NULL;
    long width = columns ? strtol(columns, &end, 10) : 0;

    if (width < 1 || width > 10000 || *end) {
        width = WIDTH_DEFAULT;
        if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
            width = size.ws_col;
    }
    if (width < PAGE_MIN)
        width = PAGE_MIN;
    return (size_t)(width > PAGE_MAX ? PAGE_MAX : width);
}

const char *
page_number(char text[PAGE_NUMBER_MAX], int64_t number)
{
    char digits[PAGE_NUMBER_MAX];
    size_t len = (size_t)snprintf(digits, sizeof(digits), "%" PRId64, number);
    size_t out = 0;

    for (size_t i = 0; i < len; i++) {
        if (i && (len - i) % 3 == 0 && digits[i - 1] != '-')
            text[out++] = ',';
        text[out++] = digits[i];
    }
    text[out] = '\0';
    return text;
}

static bool
is_continuation(char c)
{
    return ((unsigned char)c & 0xC0) == 0x80;
}

/* The bytes that the first WIDTH characters of TEXT take. */
static size_t
prefix_len(const char *text, size_t width)
{
    size_t len = 0;

    while (text[len] && width-- > 0) {
        len++;
        while (is_continuation(text[len]))
            len++;
    }
    return len;
}

static size_t
text_columns(const char *text, size_t len)
{
    size_t columns = 0;

    for (size_t i = 0; i < len; i++)
        columns += !is_continuation(text[i]);
    return columns;
}

/* How many bytes of TEXT go in a line: up to a blank or an @ if there is one, else as many as fit.
 */
static size_t
line_len(const char *text, size_t width)
{
    size_t len = prefix_len(text, width);

    if (text[len] == '\0' || text[len] == ' ')
        return len;
    for (size_t i = len; i > 1; i--)
        if (text[i - 1] == ' ' || text[i - 1] == '@')
            return i - 1;
    return len;
}

static const char *
skip_blanks(const char *text)
{
    while (*text == ' ')
        text++;
    return text;
}

void
page_paragraph(const char *first, const char *text)
{
    size_t indent = text_columns(first, strlen(first));
    size_t room = page_width();
    size_t width = room > indent + 10 ? room - indent : 10;

    fputs(first, stdout);
    for (;;) {
        size_t len = line_len(text, width);

        printf("%.*s\n", (int)len, text);
        text = skip_blanks(text + len);
        if (*text == '\0')
            return;
        printf("%*s", (int)indent, "");
    }
}

void
page_row(const size_t widths[PAGE_COLUMNS], const char *const cells[PAGE_COLUMNS])
{
    const char *rest[PAGE_COLUMNS];
    bool more = true;

    memcpy(rest, cells, sizeof(rest));
    while (more) {
        size_t pending = 0; /* blanks owed before the next text, so that no line ends in some */

        more = false;
        for (size_t i = 0; i < PAGE_COLUMNS; i++) {
            size_t len = line_len(rest[i], widths[i]);

            if (len) {
                printf("%*s%.*s", (int)pending, "", (int)len, rest[i]);
                pending = 0;
            }
            pending += widths[i] - text_columns(rest[i], len) + 2;
            rest[i] = skip_blanks(rest[i] + len);
            more = more || *rest[i];
        }
        putchar('\n');
    }
}

void
page_bar(int64_t done, int64_t total, const char *text)
{
    size_t width = page_width();
    size_t text_width = strlen(text) < BAR_TEXT ? BAR_TEXT : strlen(text); /* a bar that stays */
    size_t room = width > text_width + 6 ? width - text_width - 6 : 0;
    size_t bar = room > BAR_MAX ? BAR_MAX : room;
    size_t full = total > 0 ? bar * (size_t)done / (size_t)total : 0;

    fputs("\r  ", stdout);
    if (bar > 4) {
        putchar('[');
        for (size_t i = 0; i < bar; i++)
            putchar(i < full ? '#' : '.');
        fputs("] ", stdout);
    }
    printf("%.*s\033[K", (int)prefix_len(text, width - 3), text);
    fflush(stdout);
}

void
page_bar_end(void)
{
    putchar('\n');
    fflush(stdout);
}
