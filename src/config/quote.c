#include "config/quote.h"

#include <string.h>

static void
add_char(struct buf *out, unsigned char c)
{
    if (c == '"' || c == '\\')
        buf_printf(out, "\\%c", c);
    else if (c == '\n')
        buf_add_text(out, "\\n");
    else if (c == '\r')
        buf_add_text(out, "\\r");
    else if (c == '\t')
        buf_add_text(out, "\\t");
    else if (c < ' ' || c == 0x7f)
        buf_printf(out, "\\x%02x", c);
    else
        buf_add_char(out, (char)c);
}

void
quote_add(struct buf *out, const char *text, enum quote_form form)
{
    buf_add_char(out, '"');
    for (; *text; text++) {
        if (form == QUOTE_SECTIONS && strncmp(text, "${", 2) == 0)
            buf_add_char(out, '$');
        add_char(out, (unsigned char)*text);
    }
    buf_add_char(out, '"');
}
