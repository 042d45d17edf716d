#include "base/log.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mask.h"
#include "base/utf8.h"

enum {
    LOG_LINE_MAX = 64 * 1024,
    LOG_TEXT_MAX = 4096 /* of one field; the rest is cut */
};

static enum log_level current_level = LOG_INFO;
static enum log_format current_format = LOG_LOGFMT;

void
log_setup(enum log_level level, enum log_format format)
{
    current_level = level;
    current_format = format;
}

enum log_level
log_level(void)
{
    return current_level;
}

static const char *
level_name(enum log_level level)
{
    static const char *const names[] = {"debug", "info", "warning", "error"};

    assert((size_t)level < ARRAY_LEN(names));
    return names[level];
}

static void
add_time(struct buf *line)
{
    int64_t wall_ms = clock_wall_ms();
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm tm;
    char text[32];

    gmtime_r(&seconds, &tm);
    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
    buf_printf(line, "%s.%03dZ", text, (int)(wall_ms % 1000));
}

/* In logfmt, text that is a plain word stands as it is; everything else is quoted as in JSON. */
static void
add_value(struct buf *line, const char *text, size_t len)
{
    bool plain = len > 0 && current_format == LOG_LOGFMT;

    for (size_t i = 0; plain && i < len; i++)
        plain = (unsigned char)text[i] > ' ' && (unsigned char)text[i] < 0x7f &&
                !strchr("\"=\\", text[i]);
    if (plain)
        buf_add(line, text, len);
    else
        buf_add_json(line, text, len);
}

/* Text of a library or from outside, which may be anything, and may have been cut in a character.
 */
static void
add_text(struct buf *line, const char *text, size_t len)
{
    struct buf plain;

    if (utf8_is_valid(text, len)) {
        add_value(line, text, len);
        return;
    }
    buf_init(&plain, LOG_TEXT_MAX);
    for (size_t i = 0; i < len; i++)
        buf_add_char(&plain, (unsigned char)text[i] < 0x80 ? text[i] : '?');
    add_value(line, buf_text(&plain), plain.len);
    buf_fini(&plain);
}

static void
add_key(struct buf *line, const char *key)
{
    if (current_format == LOG_JSON) {
        buf_add_text(line, ",\"");
        buf_add_text(line, key);
        buf_add_text(line, "\":");
    } else {
        buf_add_char(line, ' ');
        buf_add_text(line, key);
        buf_add_char(line, '=');
    }
}

static void
add_field(struct buf *line, const struct log_field *field)
{
    struct buf masked;

    if (field->type == LOG_FIELD_INT) {
        add_key(line, field->key);
        buf_printf(line, "%" PRId64, field->number);
        return;
    }
    if (!field->text)
        return;
    add_key(line, field->key);
    if (field->type == LOG_FIELD_TEXT) {
        add_text(line, field->text, strnlen(field->text, LOG_TEXT_MAX));
        return;
    }
    buf_init(&masked, LOG_TEXT_MAX);
    mask_add_email(&masked, field->text);
    add_text(line, buf_text(&masked), masked.len);
    buf_fini(&masked);
}

void
log_write(enum log_level level, const char *event, const struct log_field *fields)
{
    struct buf line;

    buf_init(&line, LOG_LINE_MAX);
    buf_add_text(&line, current_format == LOG_JSON ? "{\"ts\":\"" : "ts=");
    add_time(&line);
    buf_add_text(&line, current_format == LOG_JSON ? "\"" : "");
    add_key(&line, "level");
    add_value(&line, level_name(level), strlen(level_name(level)));
    add_key(&line, "event");
    add_value(&line, event, strlen(event));
    for (; fields->type != LOG_FIELD_END; fields++)
        add_field(&line, fields);
    buf_add_text(&line, current_format == LOG_JSON ? "}\n" : "\n");
    /* One write, so that lines of several processes on one pipe do not mix. */
    if (write(STDERR_FILENO, buf_text(&line), line.len) < 0) {
        /* Nowhere is left to say so. */
    }
    buf_fini(&line);
}
