#include "config/account_section.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/mask.h"
#include "base/utf8.h"
#include "base/xalloc.h"
#include "config/address.h"

const char *
account_default_url(enum api_flavour api)
{
    return api == API_REST ? "https://api.sendx.io/api/v1/rest" : "https://app.sendx.io/api/v1";
}

static void
finish_url(const struct source_node *group, struct account *account, const struct loader *loader)
{
    const struct source_node *node = source_find(group, "base_url");
    struct err err = {0};
    bool plaintext = false;
    size_t len;

    if (!account->base_url || !*account->base_url) {
        xfree(account->base_url);
        account->base_url = xstrdup(account_default_url(account->api));
        return;
    }
    if (address_check(account->base_url, &plaintext, &err) != 0)
        source_error(loader->diag, node, "%s", err.msg);
    else if (plaintext && !account->allow_plaintext)
        source_error(loader->diag, node,
                     "plain http:// would show the key and all contacts to the network: use "
                     "https://, or say allow_plaintext = true");
    len = strlen(account->base_url);
    while (len > 0 && account->base_url[len - 1] == '/')
        account->base_url[--len] = '\0';
}

static void
check_team(const struct source_node *group, struct account *account, const struct loader *loader)
{
    const struct source_node *node = source_find(group, "team_id");

    if (account->api == API_V1 && !node)
        source_error_member(loader->diag, group, "team_id", "is required for api = \"v1\"");
    if (account->api == API_REST && node)
        source_error(loader->diag, node,
                     "is for api = \"v1\" only: with \"rest\" the key belongs to a team");
}

static void
finish_ca_file(const struct source_node *group, struct account *account,
               const struct loader *loader)
{
    const struct source_node *node = source_find(group, "ca_file");
    char *path = account->ca_file;

    account->ca_file = NULL;
    if (!path || !*path) {
        xfree(path);
        return;
    }
    if (*path == '/' || strcmp(loader->dir, ".") == 0) {
        account->ca_file = path;
    } else {
        account->ca_file = xasprintf("%s/%s", loader->dir, path);
        xfree(path);
    }
    if (access(account->ca_file, R_OK) == 0)
        return;
    if (loader->secrets == CONFIG_SECRETS_REQUIRED)
        source_error(loader->diag, node, "cannot be read: %s", strerror(errno));
    else
        source_notice(loader->diag, node, "cannot be read: %s", strerror(errno));
}

/* So slow a rate is a slip of the pen, and the time to the next call could not be told. */
static void
check_rate(const struct source_node *group, const struct account *account,
           const struct loader *loader)
{
    if (account->rate_limit > 0 && account->rate_limit < 0.001)
        source_error(loader->diag, source_find(group, "rate_limit"),
                     "%g is out of range: 0 (no limit), or at least 0.001", account->rate_limit);
}

static void
check_name(const struct source_node *group, const struct config *config, size_t index,
           const struct loader *loader)
{
    const char *name = config->accounts[index].name;

    if (utf8_has_control(name)) {
        source_error(loader->diag, source_find(group, "name"), "holds a control character");
        return;
    }
    if (mask_finds_email(name))
        source_error(loader->diag, source_find(group, "name"),
                     "holds an e-mail address, and would stand in logs and metrics");
    for (size_t i = 0; i < index; i++) {
        if (*name && strcmp(config->accounts[i].name, name) == 0) {
            source_error(loader->diag, source_find(group, "name"),
                         "\"%.64s\" is the name of an earlier account, too", name);
            return;
        }
    }
}

static void
read_account(const struct source_node *group, struct config *config, size_t index,
             const struct loader *loader)
{
    struct account *account = &config->accounts[index];

    section_read("accounts", group, account, loader);
    if (!account->name)
        account->name = xstrdup("");
    if (!account->api_key)
        account->api_key = xstrdup("");
    finish_url(group, account, loader);
    finish_ca_file(group, account, loader);
    check_team(group, account, loader);
    check_rate(group, account, loader);
    check_name(group, config, index, loader);
    for (size_t i = 0; i < group->count; i++) {
        if (!option_find("accounts", group->items[i].name))
            option_refuse("accounts", &group->items[i], loader->diag);
    }
}

void
account_section_read(const struct source_node *node, const struct source_node *root,
                     struct config *config, const struct loader *loader)
{
    static const char *const what = "a list of groups, ( { name = …; } )";

    if (!node) {
        source_error_member(loader->diag, root, "accounts", "is required: one account at least");
        return;
    }
    if (!source_is(node, SOURCE_LIST, what, loader->diag))
        return;
    if (node->count == 0)
        source_error(loader->diag, node, "is empty: one account at least");
    config->accounts = xcalloc(node->count, sizeof(config->accounts[0]));
    for (size_t i = 0; i < node->count; i++) {
        if (source_is(&node->items[i], SOURCE_GROUP, "a group { name = …; }", loader->diag))
            read_account(&node->items[i], config, config->account_count++, loader);
    }
}
