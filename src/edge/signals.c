#include "edge/signals.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

static void
fill(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGHUP);
    sigaddset(set, SIGUSR1);
}

int
signals_open(struct err *err)
{
    sigset_t set;
    int fd;

    fill(&set);
    signal(SIGPIPE, SIG_IGN);
    if (sigprocmask(SIG_BLOCK, &set, NULL))
        return err_set(err, "cannot block signals: %s", strerror(errno));
    fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (fd < 0)
        return err_set(err, "cannot open a signalfd: %s", strerror(errno));
    return fd;
}

int
signals_next(int fd)
{
    struct signalfd_siginfo info;
    ssize_t len = read(fd, &info, sizeof(info));

    return len == (ssize_t)sizeof(info) ? (int)info.ssi_signo : 0;
}

void
signals_close(int fd)
{
    sigset_t set;

    fill(&set);
    close(fd);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
}
