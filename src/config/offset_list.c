#include "config/offset_list.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "config/expand.h"
#include "config/quote.h"
#include "rules/ruleset.h"

/* The decimal number at *TEXT, at most MOST, up to END, behind which *TEXT is left; -1 when there
 * is none. */
static int64_t
take_number(const char **text, char end, int64_t most)
{
    int64_t number = 0;
    const char *c = *text;

    for (; *c >= '0' && *c <= '9'; c++) {
        if (number > (most - (*c - '0')) / 10)
            return -1;
        number = number * 10 + (*c - '0');
    }
    if (c == *text || *c != end)
        return -1;
    *text = c + (end != '\0');
    return number;
}

/* A topic's name holds no colon. RET's topic is NULL after an error. */
static int
parse(const char *text, struct topic_offset *ret)
{
    const char *colon = strchr(text, ':');
    int64_t partition, offset;

    *ret = (struct topic_offset){0};
    if (!colon)
        return -1;
    ret->topic = xmemdup(text, (size_t)(colon - text));
    text = colon + 1;
    partition = take_number(&text, ':', INT32_MAX);
    offset = partition < 0 ? -1 : take_number(&text, '\0', INT64_MAX);
    if (offset >= 0 && ruleset_is_topic_name(ret->topic)) {
        ret->partition = (int32_t)partition;
        ret->offset = offset;
        return 0;
    }
    xfree(ret->topic);
    ret->topic = NULL;
    return -1;
}

static int
read_element(const struct source_node *node, struct topic_offset *ret, const struct loader *loader)
{
    bool missing;
    char *text;
    int result;

    if (!source_is(node, SOURCE_TEXT, "text", loader->diag))
        return -1;
    text = expand_text(node, loader, false, &missing);
    if (!text)
        return -1;
    result = missing ? -1 : parse(text, ret);
    if (result != 0 && !missing)
        source_error(loader->diag, node,
                     "\"%.64s\" is no \"topic:partition:offset\", such as \"plan.changed:0:4711\"",
                     node->text);
    xfree(text);
    return result;
}

int
offset_list_read(const struct source_node *node, struct offset_list *list,
                 const struct loader *loader)
{
    struct offset_list read = {0};
    int result = 0;

    if (!source_is_sequence(node))
        return source_error(loader->diag, node,
                            "expected an array of text, [ \"topic:partition:offset\" ], found %s",
                            source_type_name(node->type));
    if (node->count > OFFSET_LIST_MAX)
        return source_error(loader->diag, node, "has %zu elements, and at most %d are allowed",
                            node->count, OFFSET_LIST_MAX);
    read.items = xcalloc(node->count, sizeof(read.items[0]));
    for (size_t i = 0; i < node->count; i++) {
        if (read_element(&node->items[i], &read.items[read.count], loader) == 0)
            read.count++;
        else
            result = -1;
    }
    if (result == 0) {
        offset_list_fini(list);
        *list = read;
    } else {
        offset_list_fini(&read);
    }
    return result;
}

void
offset_list_print(const struct offset_list *list, struct buf *out)
{
    buf_add_text(out, "[ ");
    for (size_t i = 0; i < list->count; i++) {
        const struct topic_offset *item = &list->items[i];
        char *text =
            xasprintf("%s:%" PRId32 ":%" PRId64, item->topic, item->partition, item->offset);

        buf_add_text(out, i ? ", " : "");
        quote_add(out, text, QUOTE_SECTIONS);
        xfree(text);
    }
    buf_add_text(out, list->count ? " ]" : "]");
}

bool
offset_list_has(const struct offset_list *list, const char *topic, int32_t partition,
                int64_t offset)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct topic_offset *item = &list->items[i];

        if (item->offset == offset && item->partition == partition &&
            strcmp(item->topic, topic) == 0)
            return true;
    }
    return false;
}

void
offset_list_fini(struct offset_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        xfree(list->items[i].topic);
    xfree(list->items);
    *list = (struct offset_list){0};
}
