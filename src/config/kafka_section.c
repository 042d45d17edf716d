#include "config/kafka_section.h"

#include <stdlib.h>
#include <string.h>

#include "base/mask.h"
#include "base/nearest.h"
#include "base/xalloc.h"
#include "config/expand.h"
#include "config/offset_list.h"

static const struct kafka_refusal refusals[] = {
    {"enable.auto.commit", NULL, "the worker commits what is finished, and nothing else does", 0},
    {"auto.commit.enable", NULL, "the worker commits what is finished, and nothing else does", 0},
    {"auto.commit.interval.ms", NULL, "set delivery.commit_interval", 0},
    {"enable.auto.offset.store", NULL, "the worker commits what is finished, and nothing else does",
     0},
    {"auto.offset.reset", NULL, "set kafka.start", 0},
    {"metadata.broker.list", NULL, "set kafka.bootstrap_servers", 0},
    {"queued.max.messages.kbytes", NULL, "set delivery.prefetch_bytes", 0},
    {"isolation.level", "read_committed",
     "what an aborted transaction has left behind never happened", 0},
    {"enable.partition.eof", NULL, "the worker has no use for the end of a partition", 0},
    {"partition.assignment.strategy", "cooperative-sticky|range",
     "the worker hands partitions over by one of these", 0},
    {"heartbeat.interval.ms", NULL,
     "after each heartbeat commits wait for a moment, so they need the time between two", 200},
    {"group.protocol", "classic",
     "handing partitions over without repeats is built on the classic protocol", 0},
    {"group.remote.assignor", NULL, "it belongs to group.protocol=consumer, which is refused", 0},
};

size_t
kafka_refusal_count(void)
{
    return ARRAY_LEN(refusals);
}

const struct kafka_refusal *
kafka_refusal_at(size_t i)
{
    return &refusals[i];
}

bool
kafka_property_is_secret(const char *name)
{
    static const char *const parts[] = {"password", "passphrase", "secret",
                                        "private",  "key.pem",    "oauthbearer.config"};

    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        if (strstr(name, parts[i]))
            return true;
    }
    return false;
}

/* Whether VALUE is one of "a|b". */
static bool
is_one_of(const char *value, const char *choices)
{
    size_t len = strlen(value);

    while (*choices) {
        size_t room = strcspn(choices, "|");

        if (room == len && strncmp(choices, value, len) == 0)
            return true;
        choices += room + (choices[room] == '|');
    }
    return false;
}

static int
refuse(const struct source_node *node, const struct kafka_property *property,
       const struct loader *loader)
{
    for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
        const struct kafka_refusal *refusal = &refusals[i];
        const char *other;

        if (strcmp(refusal->name, property->name) != 0)
            continue;
        if (refusal->least && strtoll(property->value, NULL, 10) >= refusal->least)
            return 0;
        if (refusal->least)
            return source_error(loader->diag, node, "must be at least %lld: %s",
                                (long long)refusal->least, refusal->reason);
        if (!refusal->allowed)
            return source_error(loader->diag, node, "is the worker's own: %s", refusal->reason);
        if (is_one_of(property->value, refusal->allowed))
            return 0;
        other = strchr(refusal->allowed, '|');
        if (!other)
            return source_error(loader->diag, node, "can only be \"%s\": %s", refusal->allowed,
                                refusal->reason);
        return source_error(loader->diag, node, "can only be \"%.*s\" or \"%s\": %s",
                            (int)(other - refusal->allowed), refusal->allowed, other + 1,
                            refusal->reason);
    }
    return 0;
}

/* The value as librdkafka takes it, or NULL where there was an error. */
static char *
read_value(const struct source_node *node, const struct loader *loader, bool is_secret,
           bool *ret_missing)
{
    *ret_missing = false;
    if (node->type == SOURCE_TEXT)
        return expand_text(node, loader, is_secret, ret_missing);
    if (node->misread)
        return NULL;
    if (node->type == SOURCE_INTEGER)
        return xasprintf("%lld", (long long)node->integer);
    if (node->type == SOURCE_BOOLEAN)
        return xstrdup(node->boolean ? "true" : "false");
    source_error(loader->diag, node, "expected text, an integer or a boolean, found %s",
                 source_type_name(node->type));
    return NULL;
}

/* Whether NAME is an option of the worker but for a letter or the way of writing it. */
static bool
is_misspelt(const char *name)
{
    struct nearest nearest;

    nearest_init(&nearest, name);
    for (size_t i = 0; i < option_count(); i++) {
        if (strcmp(option_at(i)->section, "kafka") == 0)
            nearest_try(&nearest, option_at(i)->name);
    }
    return nearest_best(&nearest) && nearest.distance <= 1;
}

static void
read_property(const struct source_node *node, struct kafka_config *kafka,
              const struct loader *loader)
{
    struct kafka_property property = {.at = node->at};
    bool missing;

    if (is_misspelt(node->name)) {
        option_refuse("kafka", node, loader->diag);
        return;
    }
    property.name = xstrdup(node->name);
    for (char *c = property.name; *c; c++) {
        if (*c == '_')
            *c = '.';
    }
    property.value = read_value(node, loader, kafka_property_is_secret(property.name), &missing);
    if (!property.value) {
        xfree(property.name);
        return;
    }
    /* A property whose text is not there is left out: librdkafka would refuse "" for most. */
    if (missing || refuse(node, &property, loader) != 0) {
        xfree(property.name);
        xfree(property.value);
        return;
    }
    kafka->properties[kafka->property_count++] = property;
}

void
kafka_section_read(const struct source_node *group, struct kafka_config *kafka,
                   const struct loader *loader)
{
    if (!group || group->count == 0)
        return;
    if (kafka->group_id && mask_finds_email(kafka->group_id))
        source_error(loader->diag, source_find(group, "group_id"),
                     "holds an e-mail address, and would stand in logs and metrics");
    kafka->properties = xcalloc(group->count, sizeof(kafka->properties[0]));
    for (size_t i = 0; i < group->count; i++) {
        if (!option_find("kafka", group->items[i].name))
            read_property(&group->items[i], kafka, loader);
    }
}

void
kafka_section_drop_properties(struct kafka_config *kafka)
{
    for (size_t i = 0; i < kafka->property_count; i++) {
        xfree(kafka->properties[i].name);
        explicit_bzero(kafka->properties[i].value, strlen(kafka->properties[i].value));
        xfree(kafka->properties[i].value);
    }
    xfree(kafka->properties);
    kafka->properties = NULL;
    kafka->property_count = 0;
}

void
kafka_section_fini(struct kafka_config *kafka)
{
    kafka_section_drop_properties(kafka);
    offset_list_fini(&kafka->skip);
    xfree(kafka->bootstrap_servers);
    xfree(kafka->group_id);
    *kafka = (struct kafka_config){0};
}
