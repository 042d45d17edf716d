/* config_lint: the lints of the rules, and those of the file. */
#include <string.h>

#include "base/buf.h"
#include "config/address.h"
#include "config/config.h"
#include "config/kafka_section.h"
#include "config/option.h"
#include "config/scan.h"
#include "config/source.h"
#include "rules/lint.h"

enum { FILE_NAME_MAX = 4096 };

/* Text that names no variable and no file is the secret itself. */
static void
check_secret(const struct source_node *node, const char *path, struct diag *diag)
{
    if (node->type != SOURCE_TEXT || !*node->text || strstr(node->text, "${env:") ||
        strstr(node->text, "${file:"))
        return;
    diag_lint(diag, CONFIG_SECRET_IN_FILE, node->at,
              "%s: the secret itself is in the file, for everyone to see who can read it; write "
              "\"${env:NAME}\", or \"${file:PATH}\"",
              path);
}

/* NAME is a property with "_" for each ".". */
static bool
is_secret_property(const char *name)
{
    struct buf dotted;
    bool secret;

    buf_init(&dotted, FILE_NAME_MAX);
    for (; *name; name++)
        buf_add_char(&dotted, *name == '_' ? '.' : *name);
    secret = kafka_property_is_secret(buf_text(&dotted));
    buf_fini(&dotted);
    return secret;
}

static void
check_group(const struct source_node *group, const char *section, const char *path,
            struct diag *diag)
{
    struct buf name;

    buf_init(&name, FILE_NAME_MAX);
    for (size_t i = 0; group && i < group->count; i++) {
        const struct source_node *node = &group->items[i];
        const struct option *option = option_find(section, node->name);

        buf_reset(&name);
        buf_add_text(&name, path);
        buf_add_char(&name, '.');
        buf_add_text(&name, node->name);
        if (option ? (option->flags & OPTION_SECRET) != 0
                   : !strcmp(section, "kafka") && is_secret_property(node->name))
            check_secret(node, buf_text(&name), diag);
    }
    buf_fini(&name);
}

/* Whether ACCOUNT is a stand-in on this machine, whose key nobody can use elsewhere. */
static bool
is_stand_in(const struct account *account)
{
    struct err err = {0};
    bool plaintext = false;

    return strncmp(account->base_url, "http://", 7) == 0 &&
           address_check(account->base_url, &plaintext, &err) == 0 && !plaintext;
}

static void
check_secrets(const struct config *config, struct diag *diag)
{
    const struct source *source = config->source;
    const struct source_node *accounts = source_find(source->root, "accounts");
    char path[64];

    for (size_t i = 0; accounts && i < accounts->count; i++) {
        if (is_stand_in(&config->accounts[i]))
            continue;
        snprintf(path, sizeof(path), "accounts[%zu]", i);
        check_group(&accounts->items[i], "accounts", path, diag);
    }
    for (size_t i = 0; i < section_count(); i++) {
        const char *section = section_at(i)->name;

        if (!section_at(i)->is_list)
            check_group(source_find(source->root, section), section, section, diag);
    }
}

static bool
is_allowed(const struct diag_item *item)
{
    struct buf file;
    bool allowed;

    buf_init(&file, FILE_NAME_MAX);
    buf_add(&file, item->text, item->file_len);
    allowed = item->line && scan_allows(buf_text(&file), item->line, item->name);
    buf_fini(&file);
    return allowed;
}

void
config_lint(const struct config *config, struct diag *diag)
{
    check_secrets(config, diag);
    lint_rules(config->spec, config->accounts, diag);
    diag_drop(diag, is_allowed);
    diag_sort(diag);
}
