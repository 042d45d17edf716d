#include "sandbox/process.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/xalloc.h"

/* Whether NAME=… in OURS is replaced by one of SPEC. */
static bool
is_replaced(const struct process_spec *spec, const char *ours)
{
    size_t len = strcspn(ours, "=");

    for (size_t i = 0; i < PROCESS_ENV_MAX && spec->env[i]; i++)
        if (strncmp(spec->env[i], ours, len) == 0 && spec->env[i][len] == '=')
            return true;
    return false;
}

/* An array of borrowed texts; free the array only. */
static const char **
make_env(const struct process_spec *spec)
{
    const char **env;
    size_t count = 0, ours = 0;

    while (environ[ours])
        ours++;
    env = xcalloc(ours + PROCESS_ENV_MAX + 1, sizeof(*env));
    for (size_t i = 0; i < ours; i++)
        if (!is_replaced(spec, environ[i]))
            env[count++] = environ[i];
    for (size_t i = 0; i < PROCESS_ENV_MAX && spec->env[i]; i++)
        env[count++] = spec->env[i];
    return env;
}

/* Between fork and exec of a process with threads: system calls only. */
NORETURN static void
become(const struct process_spec *spec, const char **env, pid_t parent, int log_fd, int error_fd)
{
    sigset_t none;
    int problem;

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    signal(SIGUSR1, SIG_DFL);
    setpgid(0, 0);
    (void)close_range(3, ~0U, CLOSE_RANGE_CLOEXEC); /* the broker's sockets are not */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    if (dup2(log_fd, STDOUT_FILENO) >= 0 && dup2(log_fd, STDERR_FILENO) >= 0)
        execve(spec->argv[0], (char **)(intptr_t)spec->argv, (char **)(intptr_t)env);
    problem = errno;
    (void)!write(error_fd, &problem, sizeof(problem));
    _exit(127);
}

/* The pipe closes when the program was executed, and carries errno when it was not. */
static int
wait_for_exec(struct process *process, const char *file, int fd, struct err *err)
{
    int problem;
    ssize_t len;

    do
        len = read(fd, &problem, sizeof(problem));
    while (len < 0 && errno == EINTR);
    if (len != sizeof(problem))
        return 0;
    process_fini(process);
    return err_set(err, "cannot start %s: %s", file, strerror(problem));
}

int
process_start(struct process *process, const struct process_spec *spec, struct err *err)
{
    const char **env;
    pid_t parent = getpid();
    int pipe_fds[2], result;
    int log_fd = open(spec->log, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0644);

    *process = (struct process){0};
    if (log_fd < 0)
        return err_set(err, "cannot write %s: %s", spec->log, strerror(errno));
    if (pipe2(pipe_fds, O_CLOEXEC)) {
        close(log_fd);
        return err_set(err, "pipe: %s", strerror(errno));
    }
    env = make_env(spec);
    process->pid = fork();
    if (process->pid == 0)
        become(spec, env, parent, log_fd, pipe_fds[1]);
    close(pipe_fds[1]);
    close(log_fd);
    xfree(env);
    if (process->pid < 0) {
        process->pid = 0;
        result = err_set(err, "fork: %s", strerror(errno));
    } else {
        result = wait_for_exec(process, spec->argv[0], pipe_fds[0], err);
    }
    close(pipe_fds[0]);
    return result;
}

bool
process_has_ended(struct process *process)
{
    if (process->pid && waitpid(process->pid, &process->status, WNOHANG) == process->pid)
        process->pid = 0;
    return process->pid == 0;
}

void
process_signal(const struct process *process, int signal)
{
    if (process->pid)
        kill(process->pid, signal);
}

void
process_fini(struct process *process)
{
    if (!process->pid)
        return;
    kill(process->pid, SIGKILL);
    while (waitpid(process->pid, &process->status, 0) < 0 && errno == EINTR)
        ;
    process->pid = 0;
}

bool
process_succeeded(const struct process *process)
{
    return WIFEXITED(process->status) && WEXITSTATUS(process->status) == 0;
}

void
process_describe_end(const struct process *process, struct buf *text)
{
    if (WIFEXITED(process->status))
        buf_printf(text, "exited with %d", WEXITSTATUS(process->status));
    else
        buf_printf(text, "was ended by signal %d (%s)", WTERMSIG(process->status),
                   strsignal(WTERMSIG(process->status)));
}
