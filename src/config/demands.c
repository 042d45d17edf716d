#include "config/demands.h"

#include <string.h>

#include "config/address.h"
#include "rules/ruleset.h"

/* Of two settings of a section, LEAST_NAME must not be above MOST_NAME. One of them is written
 * where that is not so. */
static void
check_order(const struct source_node *group, const char *least_name, int64_t least,
            const char *most_name, int64_t most, struct diag *diag)
{
    const struct source_node *node = source_find(group, least_name);

    if (least <= most)
        return;
    if (node)
        source_error(diag, node, "is above %s.%s", group->name, most_name);
    else
        source_error(diag, source_find(group, most_name), "is below %s.%s", group->name,
                     least_name);
}

static void
check_delivery(const struct source_node *group, const struct delivery_config *delivery,
               struct diag *diag)
{
    check_order(group, "retry_min", delivery->retry_min_ms, "retry_max", delivery->retry_max_ms,
                diag);
    check_order(group, "retry_max", delivery->retry_max_ms, "retry_for", delivery->retry_for_ms,
                diag);
}

/* An error where TOPIC, which setting NAME names, is a topic of a rule, too. */
static void
check_rules(const struct source_node *rules, const char *name, const char *topic, const char *why,
            struct diag *diag)
{
    for (size_t i = 0; *topic && rules && i < rules->count; i++) {
        const struct source_node *topics = source_find(&rules->items[i], "topics");

        for (size_t j = 0; topics && j < topics->count; j++) {
            const struct source_node *node = &topics->items[j];

            if (node->type == SOURCE_TEXT && strcmp(node->text, topic) == 0)
                source_error(diag, node, "\"%.64s\" is dead_letter.%s: %s", topic, name, why);
        }
    }
}

static void
check_topic(const struct source_node *group, const char *name, const char *topic, struct diag *diag)
{
    const struct source_node *node = source_find(group, name);

    /* Shown as written: what ${…} names may be nobody's business. */
    if (node && *topic && !ruleset_is_topic_name(topic))
        source_error(diag, node,
                     "\"%.64s\" is no name of a topic, which has letters, digits, \".\", \"_\" and "
                     "\"-\"",
                     node->text);
}

static void
check_dead_letter(const struct source_node *root, const struct dead_letter_config *letters,
                  struct diag *diag)
{
    const struct source_node *group = source_find(root, "dead_letter");
    const struct source_node *rules = source_find(root, "rules");
    const struct source_node *redrive = source_find(group, "redrive_topic");

    check_topic(group, "topic", letters->topic, diag);
    check_topic(group, "redrive_topic", letters->redrive_topic, diag);
    if (*letters->topic && strcmp(letters->topic, letters->redrive_topic) == 0)
        source_error(diag, redrive ? redrive : source_find(group, "topic"),
                     "is dead_letter.%s, too: every dead letter would come back at once",
                     redrive ? "topic" : "redrive_topic");
    check_rules(rules, "topic", letters->topic,
                "what fails would be read as an event again and again", diag);
    check_rules(rules, "redrive_topic", letters->redrive_topic,
                "what is in it goes by the rules of the topics it came from", diag);
}

/* A token whose text names a secret counts as set where secrets are optional. */
static void
check_admin(const struct source_node *group, const struct admin_config *admin,
            const struct loader *loader)
{
    const struct source_node *node = source_find(group, "listen");
    const struct source_node *token = source_find(group, "token");
    bool has_token = *admin->token || (loader->secrets == CONFIG_SECRETS_OPTIONAL && token &&
                                       token->type == SOURCE_TEXT && *token->text);
    struct listen_address address;
    struct err err = {0};

    if (!node || !*admin->listen)
        return;
    if (address_listen(admin->listen, &address, &err) != 0)
        source_error(loader->diag, node, "\"%.64s\" %s", node->text, err.msg);
    else if (!address.loopback && !has_token && !admin->allow_public)
        source_error(loader->diag, node,
                     "other machines could reach \"%.64s\": set admin.token, or say allow_public = "
                     "true",
                     node->text);
}

void
demands_check(const struct source_node *root, const struct config *config,
              const struct loader *loader)
{
    check_delivery(source_find(root, "delivery"), &config->delivery, loader->diag);
    check_dead_letter(root, &config->dead_letter, loader->diag);
    check_admin(source_find(root, "admin"), &config->admin, loader);
}
