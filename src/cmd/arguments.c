#include "cmd/arguments.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "cmd/cmd.h"
#include "config/unit.h"

int
argument_number(const char *command, const char *name, const char *text, int64_t min, int64_t max,
                int64_t *ret)
{
    char *end;

    errno = 0;
    *ret = strtoll(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || errno || *end || *ret < min || *ret > max)
        return cmd_usage(command, "--%s: \"%s\" is no whole number from %lld to %lld", name, text,
                         (long long)min, (long long)max);
    return CMD_OK;
}

int
argument_count(const char *command, const char *name, const char *text, int64_t max, int64_t *ret)
{
    return argument_number(command, name, text, 1, max, ret);
}

int
argument_time(const char *command, const char *name, const char *text, int64_t *ret_ms)
{
    struct err ignored = {0}, why = {0};
    int64_t ago_ms;

    if (duration_parse(text, &ago_ms, &ignored) == 0) {
        *ret_ms = clock_wall_ms() - ago_ms;
        if (*ret_ms < 0)
            *ret_ms = 0;
        return CMD_OK;
    }
    if (time_parse(text, ret_ms, &why) == 0)
        return CMD_OK;
    return cmd_usage(command,
                     "--%s: \"%s\" is neither a time such as 2026-01-31T08:00:00Z nor how long "
                     "ago, such as 24h or 30m",
                     name, text);
}

int
argument_duration(const char *command, const char *name, const char *text, int64_t *ret_ms)
{
    struct err ignored = {0};

    if (duration_parse(text, ret_ms, &ignored) == 0 && *ret_ms > 0)
        return CMD_OK;
    return cmd_usage(command, "--%s: \"%s\" is no duration such as 30s or 10m", name, text);
}
