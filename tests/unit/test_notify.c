/* What the service manager hears (edge/notify). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/err.h"
#include "edge/notify.h"

/* The manager's end of the socket, under a path or, with '@', an abstract name. */
struct manager {
    int fd;
    char name[sizeof(((struct sockaddr_un *)0)->sun_path)];
};

static void
listen_as(struct manager *manager, bool abstract)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t len;

    snprintf(manager->name, sizeof(manager->name), "%stest_notify.%d", abstract ? "@" : "/tmp/",
             (int)getpid());
    len = strlen(manager->name);
    memcpy(address.sun_path, manager->name, len);
    if (abstract)
        address.sun_path[0] = '\0';
    else
        unlink(manager->name);
    manager->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    assert_true(manager->fd >= 0);
    assert_int_equal(bind(manager->fd, (struct sockaddr *)&address,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + !abstract)),
                     0);
}

static void
end(struct manager *manager)
{
    close(manager->fd);
    if (manager->name[0] == '/')
        unlink(manager->name);
}

/* The next datagram, "" when there is none. */
static const char *
heard(struct manager *manager)
{
    static char text[1024];
    ssize_t len = recv(manager->fd, text, sizeof(text) - 1, 0);

    text[len > 0 ? len : 0] = '\0';
    return text;
}

static struct notify *
open_for(const struct manager *manager, const char *usec, const char *pid)
{
    const struct notify_settings settings = {manager->name, usec, pid};
    struct err err = {0};
    struct notify *notify = notify_open(&settings, &err);

    assert_string_equal(err.msg, "");
    assert_non_null(notify);
    return notify;
}

static void
tell_everything(struct manager *manager)
{
    struct notify *notify = open_for(manager, NULL, NULL);
    struct timespec now;
    long long usec;

    notify_ready(notify);
    assert_string_equal(heard(manager), "READY=1");
    clock_gettime(CLOCK_MONOTONIC, &now);
    notify_reloading(notify);
    assert_int_equal(sscanf(heard(manager), "RELOADING=1\nMONOTONIC_USEC=%lld", &usec), 1);
    assert_true(usec >= (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
    notify_status(notify, "one\ntwo");
    assert_string_equal(heard(manager), "STATUS=one?two");
    notify_status(notify, "one\ntwo");
    assert_string_equal(heard(manager), ""); /* it is known */
    notify_stopping(notify);
    assert_string_equal(heard(manager), "STOPPING=1");
    assert_true(notify_deadline(notify) == CLOCK_NEVER);
    notify_alive(notify, 1000000);
    assert_string_equal(heard(manager), "");
    notify_close(notify);
}

static void
states_go_to_a_path(void **state)
{
    struct manager manager;

    (void)state;
    listen_as(&manager, false);
    tell_everything(&manager);
    end(&manager);
}

static void
states_go_to_an_abstract_name(void **state)
{
    struct manager manager;

    (void)state;
    listen_as(&manager, true);
    tell_everything(&manager);
    end(&manager);
}

static void
the_watchdog_hears_of_us_twice_as_often_as_it_wants(void **state)
{
    struct manager manager;
    struct notify *notify;
    char pid[16];

    (void)state;
    listen_as(&manager, true);
    snprintf(pid, sizeof(pid), "%d", (int)getpid());
    notify = open_for(&manager, "3000000", pid);
    assert_true(notify_deadline(notify) <= 1000);
    notify_alive(notify, 1000);
    assert_string_equal(heard(&manager), "WATCHDOG=1");
    assert_true(notify_deadline(notify) == 2500);
    notify_alive(notify, 2499);
    assert_string_equal(heard(&manager), "");
    notify_alive(notify, 2500);
    assert_string_equal(heard(&manager), "WATCHDOG=1");
    notify_close(notify);
    end(&manager);
}

static void
a_watchdog_of_another_process_or_of_nonsense_is_none(void **state)
{
    static const char *const cases[][2] = {
        {"3000000", "1"}, {"0", NULL}, {"-5", NULL}, {"soon", NULL}, {"", NULL}};
    struct manager manager;

    (void)state;
    listen_as(&manager, true);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct notify *notify = open_for(&manager, cases[i][0], cases[i][1]);

        assert_true(notify_deadline(notify) == CLOCK_NEVER);
        notify_close(notify);
    }
    end(&manager);
}

static void
a_full_queue_delays_a_state_and_never_blocks(void **state)
{
    struct manager manager;
    struct notify *notify;
    int sent = 0;

    (void)state;
    listen_as(&manager, true);
    notify = open_for(&manager, "3000000", NULL);
    for (int64_t now = 0; now < 10000000; now += 100000) /* nobody reads */
        notify_alive(notify, now);
    notify_stopping(notify);
    while (strcmp(heard(&manager), "WATCHDOG=1") == 0)
        sent++;
    assert_in_range(sent, 1, 99);
    notify_alive(notify, 10000000);
    assert_string_equal(heard(&manager), "STOPPING=1");
    assert_string_equal(heard(&manager), "WATCHDOG=1");
    notify_close(notify);
    end(&manager);
}

static void
without_a_socket_there_is_nothing_to_do(void **state)
{
    const struct notify_settings none = {NULL, "1000", NULL}, empty = {"", NULL, NULL};
    struct err err = {0};

    (void)state;
    assert_null(notify_open(&none, &err));
    assert_null(notify_open(&empty, &err));
    assert_false(err_is_set(&err));
    notify_ready(NULL);
    notify_reloading(NULL);
    notify_stopping(NULL);
    notify_status(NULL, "x");
    notify_alive(NULL, 1);
    assert_true(notify_deadline(NULL) == CLOCK_NEVER);
    notify_close(NULL);
}

static void
a_name_that_cannot_be_a_socket_is_an_error(void **state)
{
    char name[200];
    struct notify_settings settings = {.socket = "relative"};
    struct err err = {0};

    (void)state;
    assert_null(notify_open(&settings, &err));
    assert_non_null(strstr(err.msg, "NOTIFY_SOCKET"));
    err_clear(&err);
    memset(name, 'x', sizeof(name) - 1);
    name[0] = '/';
    name[sizeof(name) - 1] = '\0';
    settings.socket = name;
    assert_null(notify_open(&settings, &err));
    assert_non_null(strstr(err.msg, "longer"));
}

static void
a_manager_that_is_gone_disturbs_nobody(void **state)
{
    struct manager manager;
    struct notify *notify;

    (void)state;
    listen_as(&manager, false);
    notify = open_for(&manager, "1000000", NULL);
    end(&manager);
    notify_ready(notify);
    notify_alive(notify, 1000);
    assert_true(notify_deadline(notify) == 1500);
    notify_close(notify);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(states_go_to_a_path),
        cmocka_unit_test(states_go_to_an_abstract_name),
        cmocka_unit_test(the_watchdog_hears_of_us_twice_as_often_as_it_wants),
        cmocka_unit_test(a_watchdog_of_another_process_or_of_nonsense_is_none),
        cmocka_unit_test(a_full_queue_delays_a_state_and_never_blocks),
        cmocka_unit_test(without_a_socket_there_is_nothing_to_do),
        cmocka_unit_test(a_name_that_cannot_be_a_socket_is_an_error),
        cmocka_unit_test(a_manager_that_is_gone_disturbs_nobody),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
