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
    static const struct option options[] = {{"config", required_argument, NULL, 'c'},
                                            {"url", required_argument, NULL, 'u'},
                                            {"live", no_argument, NULL, 'l'},
                                            {0}};
    const char *file = NULL, *url = NULL, *path = "/readyz";
    struct asking asking;
    int c, status;

    while ((c = getopt_long(argc, argv, "c:", options, NULL)) != -1) {
        if (c == 'c')
            file = optarg;
        else if (c == 'u')
            url = optarg;
        else if (c == 'l')
            path = "/livez";
        else
            return cmd_usage("probe", NULL);
    }
    if (optind < argc)
        return cmd_usage("probe", "\"%s\" is one argument too many", argv[optind]);
    status = asking_init(&asking, "probe", file, url);
    if (status == CMD_OK)
        status = probe(&asking, path);
    asking_fini(&asking);
    return status;
}
