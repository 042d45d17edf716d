#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int
err_set(struct err *err, const char *fmt, ...)
{
    va_list ap;

    if (err_is_set(err))
        return -1;
    va_start(ap, fmt);
    vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
    va_end(ap);
    return -1;
}

int
err_prefix(struct err *err, const char *fmt, ...)
{
    char prefix[ERR_MAX];
    size_t prefix_len, msg_len = strlen(err->msg);
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(prefix, sizeof(prefix) / 2, fmt, ap);
    va_end(ap);
    prefix_len = strlen(prefix);
    prefix[prefix_len++] = ':';
    prefix[prefix_len++] = ' ';
    if (prefix_len + msg_len >= sizeof(err->msg))
        msg_len = sizeof(err->msg) - 1 - prefix_len; /* the end of the message is cut */
    memmove(err->msg + prefix_len, err->msg, msg_len);
    memcpy(err->msg, prefix, prefix_len);
    err->msg[prefix_len + msg_len] = '\0';
    return -1;
}
