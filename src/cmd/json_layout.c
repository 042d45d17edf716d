#include "cmd/json_layout.h"

#include <string.h>

#include "cmd/json_text.h"

enum { WIDTH = 100, INDENT_MAX = 60 /* what is deeper stays in one line */ };

struct layout {
    struct buf *buf;
    const char *text;
    size_t len, at;
};

static char
peek(struct layout *layout)
{
    while (layout->at < layout->len && strchr(" \t\r\n", layout->text[layout->at]))
        layout->at++;
    return layout->at < layout->len ? layout->text[layout->at] : '\0';
}

/* Adds what stands in RANGE in one line. */
static void
add_flat(struct layout *layout, struct json_range range)
{
    bool quoted = false;

    for (size_t i = range.at; i < range.end; i++) {
        char c = layout->text[i];

        if (!quoted && strchr(" \t\r\n", c))
            continue;
        buf_add_char(layout->buf, c);
        if (quoted && c == '\\')
            buf_add_char(layout->buf, layout->text[++i]);
        else if (c == '"')
            quoted = !quoted;
        else if (!quoted && (c == ',' || c == ':'))
            buf_add_char(layout->buf, ' ');
    }
    layout->at = range.end;
}

/* Puts the byte that comes next into a line of its own. */
static void
add_line(struct layout *layout, size_t indent)
{
    buf_printf(layout->buf, "\n%*s", (int)indent, "");
}

static void
add_value(struct layout *layout, size_t indent, size_t column)
{
    struct json_range range = {0};
    size_t start = layout->buf->len;
    char open = peek(layout), close = open == '{' ? '}' : ']';

    range = json_text_value(layout->text, layout->len, layout->at);
    add_flat(layout, range);
    if ((open != '{' && open != '[') || layout->buf->len - start + column <= WIDTH ||
        indent >= INDENT_MAX)
        return;
    buf_truncate(layout->buf, start);
    layout->at = range.at + 1;
    buf_add_char(layout->buf, open);
    while (peek(layout) != close) {
        size_t line = layout->buf->len + 1;

        add_line(layout, indent + 2);
        if (open == '{') {
            add_flat(layout, json_text_value(layout->text, layout->len, layout->at));
            (void)peek(layout);
            layout->at++;
            buf_add_text(layout->buf, ": ");
        }
        add_value(layout, indent + 2, layout->buf->len - line);
        if (peek(layout) == ',') {
            layout->at++;
            buf_add_char(layout->buf, ',');
        }
    }
    layout->at++;
    add_line(layout, indent);
    buf_add_char(layout->buf, close);
}

void
json_layout_add(struct buf *buf, const char *text, size_t len, size_t indent, size_t at)
{
    struct layout layout = {buf, text, len, 0};

    add_value(&layout, indent, at);
}
