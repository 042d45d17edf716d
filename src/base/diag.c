#include "base/diag.h"

#include <stdarg.h>
#include <string.h>

#include "base/buf.h"
#include "base/utf8.h"
#include "base/xalloc.h"

enum { DIAG_TEXT_MAX = 8192 };

void
diag_init(struct diag *diag)
{
    *diag = (struct diag){0};
}

void
diag_fini(struct diag *diag)
{
    for (size_t i = 0; i < diag->count; i++)
        xfree(diag->items[i].text);
    xfree(diag->items);
    diag_init(diag);
}

/* Bytes of the character that begins at AT; 0: it is none that people can see. */
static size_t
visible_len(const char *at, const char *end)
{
    unsigned char c = (unsigned char)*at;
    size_t len = c < 0xc0 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;

    if (c < ' ' || c == 0x7f || len > (size_t)(end - at))
        return 0;
    if (c == 0xc2 && (unsigned char)at[1] < 0xa0) /* U+0080 to U+009F are orders, too */
        return 0;
    return utf8_is_valid(at, len) ? len : 0;
}

/* What people wrote is quoted in messages, and may hold anything: a finding is one line, and a
 * terminal takes no orders from it. The end of a message that was too long may be half a character.
 */
static void
add_visible(struct buf *text, const char *message)
{
    const char *at = message, *end = message + strlen(message);

    while (at < end) {
        size_t len = visible_len(at, end);

        if (len)
            buf_add(text, at, len);
        else
            buf_printf(text, "\\x%02x", (unsigned char)*at);
        at += len ? len : 1;
    }
}

static void
add(struct diag *diag, enum diag_severity severity, const char *name, struct place at,
    const char *fmt, va_list ap)
{
    char message[DIAG_TEXT_MAX];
    struct buf text;
    size_t message_at, message_len;

    vsnprintf(message, sizeof(message), fmt, ap);
    buf_init(&text, 5 * DIAG_TEXT_MAX);
    if (at.file && at.line)
        buf_printf(&text, "%s:%u: ", at.file, at.line);
    else if (at.file)
        buf_printf(&text, "%s: ", at.file);
    buf_add_text(&text, severity == DIAG_ERROR ? "error: " : "warning: ");
    message_at = text.len;
    add_visible(&text, message);
    message_len = text.len - message_at;
    if (name)
        buf_printf(&text, " [%s]", name);
    diag->items = xgrow(diag->items, diag->count, &diag->cap, sizeof(diag->items[0]));
    diag->items[diag->count++] = (struct diag_item){
        .severity = severity,
        .text = buf_steal(&text),
        .file_len = at.file ? strlen(at.file) : 0,
        .message_at = message_at,
        .message_len = message_len,
        .line = at.file ? at.line : 0,
        .name = name,
    };
    if (severity == DIAG_ERROR)
        diag->errors++;
    else if (severity == DIAG_WARNING)
        diag->warnings++;
}

int
diag_error(struct diag *diag, struct place at, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    add(diag, DIAG_ERROR, NULL, at, fmt, ap);
    va_end(ap);
    return -1;
}

void
diag_notice(struct diag *diag, struct place at, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    add(diag, DIAG_NOTICE, NULL, at, fmt, ap);
    va_end(ap);
}

void
diag_lint(struct diag *diag, const char *name, struct place at, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    add(diag, DIAG_WARNING, name, at, fmt, ap);
    va_end(ap);
}

void
diag_drop(struct diag *diag, bool (*drop)(const struct diag_item *item))
{
    size_t kept = 0;

    for (size_t i = 0; i < diag->count; i++) {
        struct diag_item item = diag->items[i];

        if (item.severity == DIAG_WARNING && item.name && drop(&item)) {
            xfree(item.text);
            diag->warnings--;
        } else {
            diag->items[kept++] = item;
        }
    }
    diag->count = kept;
}

static bool
comes_before(const struct diag_item *a, const struct diag_item *b)
{
    size_t len = a->file_len < b->file_len ? a->file_len : b->file_len;
    int order = memcmp(a->text, b->text, len);

    if (order != 0)
        return order < 0;
    if (a->file_len != b->file_len)
        return a->file_len < b->file_len;
    return a->line < b->line;
}

void
diag_sort(struct diag *diag)
{
    for (size_t i = 1; i < diag->count; i++) {
        struct diag_item item = diag->items[i];
        size_t j = i;

        for (; j > 0 && comes_before(&item, &diag->items[j - 1]); j--)
            diag->items[j] = diag->items[j - 1];
        diag->items[j] = item;
    }
}

void
diag_print(const struct diag *diag, FILE *out)
{
    for (size_t i = 0; i < diag->count; i++)
        fprintf(out, "%s\n", diag->items[i].text);
}
