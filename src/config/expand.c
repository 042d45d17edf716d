#include "config/expand.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "base/xalloc.h"

enum { FILE_MAX = 64 * 1024 }; /* bytes of a file that a text names */

struct expansion {
    const struct source_node *node;
    const struct loader *loader;
    struct buf text;
    bool is_secret, missing;
};

/* Something named is not there: an error, or a notice where secrets are optional. */
static int
miss(struct expansion *expansion, const char *what, const char *name, const char *reason)
{
    if (expansion->loader->secrets == CONFIG_SECRETS_REQUIRED)
        return source_error(expansion->loader->diag, expansion->node, "${%s:%s}: %s", what, name,
                            reason);
    source_notice(expansion->loader->diag, expansion->node, "${%s:%s}: %s", what, name, reason);
    expansion->missing = true;
    return 0;
}

static bool
is_variable(const char *name)
{
    if (!isalpha((unsigned char)*name) && *name != '_')
        return false;
    while (isalnum((unsigned char)*name) || *name == '_')
        name++;
    return !*name;
}

/* Whether NAME is written as variables are by custom, which a key in its place hardly is. */
static bool
is_shown(const struct expansion *expansion, const char *name)
{
    return !expansion->is_secret || !name[strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789")];
}

static int
add_variable(struct expansion *expansion, const char *name)
{
    const char *value;

    if (!is_variable(name))
        return source_error(expansion->loader->diag, expansion->node,
                            "${env:%s}: no name of an environment variable",
                            is_shown(expansion, name) ? name : "…");
    value = getenv(name);
    if (!value)
        return miss(expansion, "env", is_shown(expansion, name) ? name : "…",
                    "the variable is not set");
    buf_add_text(&expansion->text, value);
    return 0;
}

/* Reads at most FILE_MAX + 1 bytes. */
static int
read_file(const char *path, char *bytes, size_t *ret_len)
{
    FILE *in = fopen(path, "r");
    int failed;

    if (!in)
        return -1;
    errno = 0;
    *ret_len = fread(bytes, 1, FILE_MAX + 1, in);
    failed = ferror(in) ? errno : 0;
    fclose(in);
    errno = failed;
    return failed ? -1 : 0;
}

static int
add_file(struct expansion *expansion, const char *name)
{
    const struct loader *loader = expansion->loader;
    bool joined = *name != '/' && strcmp(loader->dir, ".") != 0;
    char *path = xasprintf("%s%s%s", joined ? loader->dir : "", joined ? "/" : "", name);
    char *bytes = xmalloc(FILE_MAX + 1);
    size_t len;
    int result = 0;

    if (read_file(path, bytes, &len) != 0) {
        result = miss(expansion, "file", name, strerror(errno));
    } else if (len > FILE_MAX) {
        result = source_error(loader->diag, expansion->node, "${file:%s}: more than 64 KiB", name);
    } else if (memchr(bytes, '\0', len)) {
        result = source_error(loader->diag, expansion->node, "${file:%s}: holds a NUL byte", name);
    } else {
        if (len > 0 && bytes[len - 1] == '\n')
            len--;
        if (len > 0 && bytes[len - 1] == '\r')
            len--;
        buf_add(&expansion->text, bytes, len);
    }
    explicit_bzero(bytes, FILE_MAX + 1);
    xfree(bytes);
    xfree(path);
    return result;
}

/* *AT is behind "${"; moves it behind the "}". */
static int
add_part(struct expansion *expansion, const char **at)
{
    const char *close = strchr(*at, '}');
    char *part;
    int result;

    if (!close)
        return source_error(expansion->loader->diag, expansion->node,
                            "\"${\" without \"}\"; a plain \"${\" is written \"$${\"");
    part = xmemdup(*at, (size_t)(close - *at));
    *at = close + 1;
    if (strncmp(part, "env:", 4) == 0)
        result = add_variable(expansion, part + 4);
    else if (strncmp(part, "file:", 5) == 0 && part[5])
        result = add_file(expansion, part + 5);
    else
        result = source_error(expansion->loader->diag, expansion->node,
                              "\"${%.64s}\": there is ${env:NAME} and ${file:PATH}; a plain "
                              "\"${\" is written \"$${\"",
                              expansion->is_secret ? "…" : part);
    xfree(part);
    return result;
}

static int
add_all(struct expansion *expansion)
{
    const char *at = expansion->node->text;
    int result = 0;

    while (*at) {
        if (strncmp(at, "$${", 3) == 0) {
            buf_add_text(&expansion->text, "${");
            at += 3;
        } else if (strncmp(at, "${", 2) == 0) {
            at += 2;
            if (add_part(expansion, &at) != 0) {
                result = -1;
                if (!strchr(at, '}'))
                    break;
            }
        } else {
            buf_add_char(&expansion->text, *at++);
        }
    }
    return result;
}

char *
expand_text(const struct source_node *node, const struct loader *loader, bool is_secret,
            bool *ret_missing)
{
    struct expansion expansion = {.node = node, .loader = loader, .is_secret = is_secret};
    char *text = NULL;
    int result;

    buf_init(&expansion.text, EXPAND_MAX);
    result = add_all(&expansion);
    if (result == 0 && buf_toobig(&expansion.text))
        result = source_error(loader->diag, node, "the text grows over 256 KiB");
    if (result == 0 && !utf8_is_valid(buf_text(&expansion.text), expansion.text.len))
        result = source_error(loader->diag, node, "what it names is not valid UTF-8");
    if (expansion.missing)
        buf_reset(&expansion.text);
    if (result == 0) {
        *ret_missing = expansion.missing;
        text = buf_steal(&expansion.text);
    }
    buf_fini(&expansion.text);
    return text;
}
