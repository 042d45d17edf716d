/* sendx-worker probe: whether a running worker is ready, as exit status. */
#include <getopt.h>
#include <stdio.h>

#include "cmd/asking.h"
#include "cmd/cmd.h"

enum { REASON_MAX = 64 * 1024 };

static int
probe(const struct asking *asking, const char *path)
{
    struct err err = {0};
    struct buf body;
    int status;

    buf_init(&body, REASON_MAX);
    status = asking_get(asking, path, &body, &err);
    if (status == 200)
        printf("%s", buf_text(&body));
    else if (err_is_set(&err))
        fprintf(stderr, "%s\n", err.msg);
    else
        fprintf(stderr, "%s", buf_text(&body));
    buf_fini(&body);
    return status == 200 ? CMD_OK : CMD_FAILED;
}

int
cmd_probe(int argc, char **argv)
{
    bool live = false;
    struct asking asking;
    int status = asking_arguments(&asking, "probe", argc, argv, "live", &live);

    if (status == CMD_OK)
        status = probe(&asking, live ? "/livez" : "/readyz");
    asking_fini(&asking);
    return status;
}
