#include "edge/notify.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/xalloc.h"

enum {
    MESSAGE_MAX = 512,
    AGAIN_MS = 100 /* where the manager's queue was full */
};

struct notify {
    int fd;
    struct sockaddr_un address;
    socklen_t address_len;
    int64_t interval_ms; /* of the watchdog, 0: none */
    int64_t due_ms;
    char status[MESSAGE_MAX]; /* as last sent */
    char unsent[MESSAGE_MAX]; /* the newest that found no room, "" when there is none */
};

static int
set_address(struct notify *notify, const char *name, struct err *err)
{
    size_t len = strlen(name);

    if (name[0] != '/' && name[0] != '@')
        return err_set(err, "NOTIFY_SOCKET \"%.64s\" is neither a path nor \"@\" and a name", name);
    if (len >= sizeof(notify->address.sun_path))
        return err_set(err, "NOTIFY_SOCKET is longer than %zu bytes",
                       sizeof(notify->address.sun_path) - 1);
    notify->address.sun_family = AF_UNIX;
    memcpy(notify->address.sun_path, name, len);
    if (name[0] == '@')
        notify->address.sun_path[0] = '\0';
    /* An abstract name ends where the length says, a path with its NUL. */
    notify->address_len =
        (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + (name[0] == '/'));
    return 0;
}

/* Half of what the manager allows; 0 where it wants nothing of this process. */
static int64_t
watchdog_interval_ms(const struct notify_settings *settings)
{
    const char *pid = settings->watchdog_pid;
    int64_t allowed_us;
    char *end;

    if (!settings->watchdog_usec || (pid && *pid && strtoll(pid, &end, 10) != getpid()))
        return 0;
    allowed_us = strtoll(settings->watchdog_usec, &end, 10);
    if (*end || allowed_us <= 0)
        return 0;
    return allowed_us / 2000 > 0 ? allowed_us / 2000 : 1;
}

struct notify *
notify_open(const struct notify_settings *settings, struct err *err)
{
    struct notify *notify;

    if (!settings->socket || !*settings->socket)
        return NULL;
    notify = xcalloc(1, sizeof(*notify));
    notify->fd = -1;
    notify->interval_ms = watchdog_interval_ms(settings);
    notify->due_ms = notify->interval_ms ? 0 : CLOCK_NEVER;
    if (set_address(notify, settings->socket, err) == 0) {
        notify->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (notify->fd < 0)
            (void)err_set(err, "cannot open a socket for NOTIFY_SOCKET: %s", strerror(errno));
    }
    if (notify->fd < 0) {
        notify_close(notify);
        return NULL;
    }
    return notify;
}

void
notify_close(struct notify *notify)
{
    if (!notify)
        return;
    if (notify->fd >= 0)
        close(notify->fd);
    xfree(notify);
}

/* False when there is no room in the manager's queue. Where it is gone, nobody wants to know. */
static bool
try_send(const struct notify *notify, const char *message)
{
    ssize_t sent = sendto(notify->fd, message, strlen(message), MSG_NOSIGNAL,
                          (const struct sockaddr *)&notify->address, notify->address_len);

    return sent >= 0 || (errno != EAGAIN && errno != ENOBUFS && errno != EINTR);
}

/* A state that finds no room takes the place of one that waits already: it is the newer one. */
static void
send_state(struct notify *notify, const char *message)
{
    bool sent = try_send(notify, message);

    snprintf(notify->unsent, sizeof(notify->unsent), "%s", sent ? "" : message);
}

void
notify_ready(struct notify *notify)
{
    if (notify)
        send_state(notify, "READY=1");
}

void
notify_reloading(struct notify *notify)
{
    struct timespec now;
    char message[MESSAGE_MAX];

    if (!notify)
        return;
    /* To the microsecond: it is compared with the time of the manager's signal. */
    clock_gettime(CLOCK_MONOTONIC, &now);
    snprintf(message, sizeof(message), "RELOADING=1\nMONOTONIC_USEC=%lld",
             (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
    send_state(notify, message);
}

void
notify_stopping(struct notify *notify)
{
    if (notify)
        send_state(notify, "STOPPING=1");
}

void
notify_status(struct notify *notify, const char *text)
{
    char message[MESSAGE_MAX];

    if (!notify)
        return;
    snprintf(message, sizeof(message), "STATUS=%s", text);
    for (char *c = message; *c; c++) {
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = '?';
    }
    if (strcmp(message, notify->status) != 0 && try_send(notify, message))
        memcpy(notify->status, message, sizeof(message));
}

int64_t
notify_deadline(const struct notify *notify)
{
    return notify ? notify->due_ms : CLOCK_NEVER;
}

void
notify_alive(struct notify *notify, int64_t now)
{
    if (!notify)
        return;
    if (notify->unsent[0] && try_send(notify, notify->unsent))
        notify->unsent[0] = '\0';
    if (now < notify->due_ms)
        return;
    notify->due_ms = now + notify->interval_ms;
    if (!try_send(notify, "WATCHDOG=1"))
        notify->due_ms = clock_earlier(notify->due_ms, now + AGAIN_MS);
}
