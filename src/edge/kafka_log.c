#include "edge/kafka_log.h"

#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mask.h"

enum { TEXT_MAX = 4096 };

/* What syslog's numbers mean to us: the library reports as an error what it will try again. */
static enum log_level
level_of(int syslog_level)
{
    if (syslog_level <= 2)
        return LOG_ERROR;
    if (syslog_level <= 4)
        return LOG_WARNING;
    return syslog_level <= 6 ? LOG_INFO : LOG_DEBUG;
}

void
kafka_log_init(struct kafka_log *log, bool quiet)
{
    *log = (struct kafka_log){.quiet = quiet};
}

static void
say(enum log_level level, const char *event, struct log_field what, const char *text,
    int64_t kept_back)
{
    struct buf masked;

    buf_init(&masked, TEXT_MAX);
    mask_add_text(&masked, text, strnlen(text, TEXT_MAX / 2));
    LOG_AT(level, event, what, log_text("text", buf_text(&masked)),
           log_int("kept_back", kept_back));
    buf_fini(&masked);
}

void
kafka_log_text(struct kafka_log *log, int syslog_level, const char *facility, const char *text,
               int64_t now)
{
    enum log_level level;
    uint64_t hash;
    int64_t kept_back = 0;

    /* Both handles get all properties, so each is warned of those that only the other one uses. */
    if (strcmp(facility, "CONFWARN") == 0 && strstr(text, "will be ignored by this"))
        return;
    level = log->quiet ? LOG_DEBUG : level_of(syslog_level);
    if (level < log_level())
        return;
    /* Texts hold addresses and durations; only what is said at the start is told apart by them. */
    hash = map_hash(facility, strlen(facility), 0);
    if (strcmp(facility, "CONFWARN") == 0)
        hash = map_hash(text, strlen(text), hash);
    if (level > LOG_DEBUG && !log_limit_pass(log_kinds_limit(&log->kinds, hash), now, &kept_back))
        return;
    say(level, "kafka.log", log_text("facility", facility), text, kept_back);
}

void
kafka_log_line(struct kafka_log *log, rd_kafka_event_t *event, int64_t now)
{
    const char *facility, *text;
    int syslog_level;

    if (rd_kafka_event_log(event, &facility, &text, &syslog_level) == 0)
        kafka_log_text(log, syslog_level, facility, text, now);
}

void
kafka_log_error(struct kafka_log *log, rd_kafka_resp_err_t code, const char *text, int64_t now)
{
    uint64_t hash = map_hash(&code, sizeof(code), 1);
    int64_t kept_back = 0;

    if (log->quiet && log_level() > LOG_DEBUG)
        return;
    if (code > 0)
        hash = map_hash(text, strlen(text), hash);
    if (log_limit_pass(log_kinds_limit(&log->kinds, hash), now, &kept_back))
        say(log->quiet ? LOG_DEBUG : LOG_WARNING, "kafka.error",
            log_text("code", rd_kafka_err2name(code)), text, kept_back);
}
