#include "cmd/asking.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "cmd/cmd.h"
#include "edge/http_get.h"

enum { TIMEOUT_MS = 5000 };

/* An address that listens everywhere is asked here. */
static char *
url_of(const char *listen)
{
    const char *colon = strrchr(listen, ':');
    size_t len = (size_t)(colon - listen);

    if (len == strlen("0.0.0.0") && !strncmp(listen, "0.0.0.0", len))
        return xasprintf("http://127.0.0.1%s", colon);
    if (len == strlen("[::]") && !strncmp(listen, "[::]", len))
        return xasprintf("http://[::1]%s", colon);
    return xasprintf("http://%s", listen);
}

static int
read_config(struct asking *asking, const char *command, const char *file)
{
    struct config *config = cmd_load(file, CONFIG_SECRETS_OPTIONAL);
    const char *colon = config ? strrchr(config->admin.listen, ':') : NULL;
    int status = CMD_OK;

    if (!config)
        return CMD_WRONG;
    if (!colon)
        status =
            cmd_usage(command, "admin.listen is empty in %s: this worker answers nobody", file);
    else if (!strcmp(colon, ":0"))
        status = cmd_usage(command,
                           "admin.listen takes any free port; the log line admin.listening has it: "
                           "give it by --url");
    if (status == CMD_OK) {
        asking->url = url_of(config->admin.listen);
        asking->token = xstrdup(config->admin.token);
    }
    config_free(config);
    return status;
}

/* Which worker; either may be NULL, but not both. */
static int
find_worker(struct asking *asking, const char *command, const char *file, const char *url)
{
    const char *token = getenv("SENDX_WORKER_TOKEN");
    size_t len;

    if (!file && !url)
        return cmd_usage(command, "say which worker: -c FILE, or --url URL");
    if (file && url)
        return cmd_usage(command, "-c and --url both say which worker; one of them does");
    if (file)
        return read_config(asking, command, file);
    len = strlen(url);
    while (len && url[len - 1] == '/')
        len--;
    if (!len || url[len - 1] == ':')
        return cmd_usage(command, "--url names no host: \"%s\"", url);
    asking->url = xasprintf("%.*s", (int)len, url);
    asking->token = xstrdup(token ? token : "");
    return CMD_OK;
}

int
asking_arguments(struct asking *asking, const char *command, int argc, char **argv,
                 const char *flag, bool *ret_flag)
{
    const struct option options[] = {{"config", required_argument, NULL, 'c'},
                                     {"url", required_argument, NULL, 'u'},
                                     {flag, no_argument, NULL, 'f'},
                                     {0}};
    const char *file = NULL, *url = NULL;
    int c;

    *asking = (struct asking){0};
    while ((c = getopt_long(argc, argv, "c:", options, NULL)) != -1) {
        if (c == 'c')
            file = optarg;
        else if (c == 'u')
            url = optarg;
        else if (c == 'f')
            *ret_flag = true;
        else
            return cmd_usage(command, NULL);
    }
    if (optind < argc)
        return cmd_usage(command, "\"%s\" is one argument too many", argv[optind]);
    return find_worker(asking, command, file, url);
}

void
asking_fini(struct asking *asking)
{
    xfree(asking->url);
    xfree(asking->token);
}

int
asking_get(const struct asking *asking, const char *path, struct buf *body, struct err *err)
{
    char *url = xasprintf("%s%s", asking->url, path);
    int status;

    buf_reset(body);
    status = http_get(url, asking->token, TIMEOUT_MS, body, err);
    if (status == 401)
        (void)err_set(err,
                      "%s: the token is missing or wrong (admin.token; with --url the "
                      "environment's SENDX_WORKER_TOKEN)",
                      url);
    xfree(url);
    return status;
}
