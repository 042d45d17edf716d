#include "sandbox/portrait.h"

#include <string.h>

void
portrait_add_field(struct portrait *portrait, const char *name, const char *value)
{
    if (portrait->field_count == PORTRAIT_FIELDS)
        portrait->overflow = true;
    else
        portrait->fields[portrait->field_count++] = (struct portrait_field){name, value};
}

void
portrait_add_tag(struct portrait *portrait, const char *tag)
{
    if (portrait->tag_count == PORTRAIT_TAGS)
        portrait->overflow = true;
    else
        portrait->tags[portrait->tag_count++] = tag;
}

struct portrait
portrait_of(const struct store_contact *contact)
{
    struct portrait portrait = {.exists = contact != NULL};

    if (!contact)
        return portrait;
    for (size_t i = 0; i < CONTACT_PROPERTIES; i++)
        portrait.properties[i] = contact->properties[i];
    for (size_t i = 0; i < contact->field_count; i++)
        portrait_add_field(&portrait, contact->fields[i].name, contact->fields[i].value);
    for (size_t i = 0; i < contact->tag_count; i++)
        portrait_add_tag(&portrait, contact->tags[i]);
    return portrait;
}

static bool
same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool
has_field(const struct portrait *portrait, const struct portrait_field *field)
{
    for (size_t i = 0; i < portrait->field_count; i++)
        if (strcmp(portrait->fields[i].name, field->name) == 0)
            return strcmp(portrait->fields[i].value, field->value) == 0;
    return false;
}

static bool
has_tag(const struct portrait *portrait, const char *tag)
{
    for (size_t i = 0; i < portrait->tag_count; i++)
        if (strcmp(portrait->tags[i], tag) == 0)
            return true;
    return false;
}

bool
portrait_is_same(const struct portrait *a, const struct portrait *b)
{
    if (a->overflow || b->overflow || a->exists != b->exists || a->field_count != b->field_count ||
        a->tag_count != b->tag_count)
        return false;
    for (size_t i = 0; i < CONTACT_PROPERTIES; i++)
        if (!same_text(a->properties[i], b->properties[i]))
            return false;
    for (size_t i = 0; i < a->field_count; i++)
        if (!has_field(b, &a->fields[i]))
            return false;
    /* Neither side holds a tag or a field twice, so the counts and one direction are enough. */
    for (size_t i = 0; i < a->tag_count; i++)
        if (!has_tag(b, a->tags[i]))
            return false;
    return true;
}

static void
add_part(struct buf *buf, size_t start, const char *separator, const char *name, const char *value)
{
    if (!value)
        return;
    if (buf->len > start)
        buf_add_text(buf, separator);
    buf_add_text(buf, name);
    buf_add_text(buf, value);
}

void
portrait_write(const struct portrait *portrait, struct buf *buf)
{
    const char *const *properties = portrait->properties;
    size_t start = buf->len;

    if (!portrait->exists) {
        buf_add_text(buf, "unknown to SendX");
        return;
    }
    add_part(buf, start, "", "", properties[CONTACT_FIRST_NAME]);
    add_part(buf, start, " ", "", properties[CONTACT_LAST_NAME]);
    add_part(buf, start, ", ", "", properties[CONTACT_COMPANY]);
    add_part(buf, start, ", ", "born ", properties[CONTACT_BIRTHDAY]);
    for (size_t i = 0; i < portrait->field_count; i++) {
        add_part(buf, start, "; ", "", portrait->fields[i].name);
        buf_add_text(buf, ": ");
        buf_add_text(buf, portrait->fields[i].value);
    }
    for (size_t i = 0; i < portrait->tag_count; i++)
        add_part(buf, start, i ? ", " : "; ", i ? "" : "tags: ", portrait->tags[i]);
}
