/*
 * The log: one event, one line, on standard error, as logfmt or JSON. A stable event name first,
 * then typed fields. Keys and whole e-mail addresses never go in: use log_contact for an address.
 *
 *     log_info("call.done", log_text("rule", name), log_contact("contact", email),
 * log_int("status", 200));
 *
 * Owns the level and the format, the only globals beside base/stats.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR };
enum log_format { LOG_LOGFMT, LOG_JSON };

enum log_field_type { LOG_FIELD_END, LOG_FIELD_TEXT, LOG_FIELD_INT, LOG_FIELD_CONTACT };

struct log_field {
    const char *key;
    enum log_field_type type;
    const char *text; /* NULL is written as nothing at all: the field is left out */
    int64_t number;
};

void log_setup(enum log_level level, enum log_format format);
enum log_level log_level(void);

/* FIELDS ends with a zeroed element. */
void log_write(enum log_level level, const char *event, const struct log_field *fields);

static inline struct log_field
log_text(const char *key, const char *text)
{
    return (struct log_field){.key = key, .type = LOG_FIELD_TEXT, .text = text};
}

static inline struct log_field
log_int(const char *key, int64_t number)
{
    return (struct log_field){.key = key, .type = LOG_FIELD_INT, .number = number};
}

/* An e-mail address, masked: ada@example.com is written a***@example.com. */
static inline struct log_field
log_contact(const char *key, const char *email)
{
    return (struct log_field){.key = key, .type = LOG_FIELD_CONTACT, .text = email};
}

#define LOG_AT(level, event, ...)                                                             \
    do {                                                                                      \
        if ((level) >= log_level())                                                           \
            log_write((level), (event), (struct log_field[]){__VA_ARGS__ __VA_OPT__(, ){0}}); \
    } while (0)
#define log_debug(...) LOG_AT(LOG_DEBUG, __VA_ARGS__)
#define log_info(...) LOG_AT(LOG_INFO, __VA_ARGS__)
#define log_warning(...) LOG_AT(LOG_WARNING, __VA_ARGS__)
#define log_error(...) LOG_AT(LOG_ERROR, __VA_ARGS__)

#endif
