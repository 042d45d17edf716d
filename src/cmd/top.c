/* sendx-worker top: what the page shows, in a terminal. */
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cmd/asking.h"
#include "cmd/cmd.h"
#include "cmd/top_page.h"
#include "edge/signals.h"

enum { STATUS_MAX = 8 * 1024 * 1024, PAGE_MAX = 1024 * 1024, REFRESH_MS = 1000 };

/* Adds the worker's status as lines, or -1 and why there is none. */
static int
add_page(const struct asking *asking, struct buf *page, struct err *err)
{
    json_error_t where;
    struct buf body;
    json_t *status = NULL;
    int code;

    buf_init(&body, STATUS_MAX);
    code = asking_get(asking, "/status.json", &body, err);
    if (code == 200)
        status = json_loadb(buf_text(&body), body.len, 0, &where);
    if (json_is_object(status))
        top_page_add(page, status);
    else if (!err_is_set(err))
        (void)err_set(err, "%s/status.json is no status of a worker (HTTP %d)", asking->url, code);
    json_decref(status);
    buf_fini(&body);
    return err_is_set(err) ? -1 : 0;
}

/* As much of PAGE as the terminal has room for, over what stood there before. */
static void
draw(const char *page)
{
    struct winsize size = {0};
    unsigned columns, rows;

    (void)ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
    columns = size.ws_col ? size.ws_col : 80;
    rows = size.ws_row ? size.ws_row : 24;
    printf("\033[H");
    for (unsigned row = 1; row < rows && *page; row++) {
        unsigned column = 0;

        for (; *page && *page != '\n'; page++) {
            bool begins = ((unsigned char)*page & 0xc0) != 0x80;

            column += begins;
            if (column <= columns)
                putchar(*page);
        }
        printf("\033[K\n");
        page += *page == '\n';
    }
    printf("\033[J");
    fflush(stdout);
}

/* True when somebody wants to end it. */
static bool
wait_a_while(int signals)
{
    struct pollfd fd = {.fd = signals, .events = POLLIN};

    return poll(&fd, 1, REFRESH_MS) > 0 && signals_next(signals);
}

static int
watch(const struct asking *asking)
{
    struct err err = {0};
    int signals = signals_open(&err);

    if (signals < 0) {
        fprintf(stderr, "%s\n", err.msg);
        return CMD_FAILED;
    }
    printf("\033[?1049h\033[?25l"); /* a screen of its own, without a cursor */
    do {
        struct buf page;

        buf_init(&page, PAGE_MAX);
        err_clear(&err);
        if (add_page(asking, &page, &err) < 0)
            buf_printf(&page, "No answer: %s\n", err.msg);
        draw(buf_text(&page));
        buf_fini(&page);
    } while (!wait_a_while(signals));
    printf("\033[?25h\033[?1049l");
    signals_close(signals);
    return CMD_OK;
}

static int
print_once(const struct asking *asking)
{
    struct err err = {0};
    struct buf page;
    int result;

    buf_init(&page, PAGE_MAX);
    result = add_page(asking, &page, &err);
    printf("%s", buf_text(&page));
    if (result < 0)
        fprintf(stderr, "%s\n", err.msg);
    buf_fini(&page);
    return result < 0 ? CMD_FAILED : CMD_OK;
}

int
cmd_top(int argc, char **argv)
{
    bool once = !isatty(STDOUT_FILENO);
    struct asking asking;
    int status = asking_arguments(&asking, "top", argc, argv, "once", &once);

    if (status == CMD_OK)
        status = once ? print_once(&asking) : watch(&asking);
    asking_fini(&asking);
    return status;
}
