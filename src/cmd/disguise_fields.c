#include "cmd/disguise_fields.h"

#include <string.h>

#include "base/utf8.h"
#include "base/xalloc.h"

enum {
    FORM_MAX = 256 * 1024 * 1024,
    SHOWN_MAX = 64 /* a longer name is cut where it is listed */
};

/* In the form in which names are compared. */
static const char *const known[] = {
    "name",         "firstname",     "lastname",     "middlename",   "surname",
    "givenname",    "familyname",    "forename",     "fullname",     "displayname",
    "nickname",     "maidenname",    "username",     "customername", "contactname",
    "email",        "mail",          "emailaddress", "phone",        "phonenumber",
    "mobile",       "mobilenumber",  "cell",         "cellphone",    "mobilephone",
    "telephone",    "tel",           "fax",          "msisdn",       "whatsapp",
    "address",      "streetaddress", "street",       "addressline1", "address1",
    "addressline2", "address2",      "ip",           "ipaddress",    "remoteaddress",
};

struct disguise_field {
    struct map_node node; /* by its name in the form in which it is compared */
    bool replace;
    size_t count;
    char *written; /* as it was last written; NULL before it was met */
    struct disguise_field *next;
};

void
disguise_fields_init(struct disguise_fields *fields, uint64_t seed)
{
    map_init(&fields->map, seed);
    fields->first = NULL;
    fields->last = &fields->first;
    arena_init(&fields->arena, 4096);
    buf_init(&fields->form, FORM_MAX);
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        disguise_fields_set(fields, known[i], true);
}

void
disguise_fields_fini(struct disguise_fields *fields)
{
    for (struct disguise_field *field = fields->first; field; field = field->next)
        xfree(field->written);
    map_fini(&fields->map);
    arena_fini(&fields->arena);
    buf_fini(&fields->form);
}

const char *
disguise_fields_known(size_t i)
{
    return i < ARRAY_LEN(known) ? known[i] : NULL;
}

/* Into fields->form. */
static void
read_form(struct disguise_fields *fields, const char *name)
{
    const char *end = name + strlen(name);

    buf_reset(&fields->form);
    while (name < end) {
        uint32_t c = utf8_next(&name, end);

        if (c >= 0x80 || !strchr("_- ", (int)c))
            utf8_add(&fields->form, utf8_lower(c));
    }
}

/* Any that is called NAME, whose form is in fields->form then. */
static struct disguise_field *
find(struct disguise_fields *fields, const char *name)
{
    struct map_node *node;

    read_form(fields, name);
    node = map_find(&fields->map, buf_text(&fields->form), fields->form.len);
    return node ? CONTAINER_OF(node, struct disguise_field, node) : NULL;
}

static struct disguise_field *
add(struct disguise_fields *fields, const struct buf *form)
{
    struct disguise_field *field = arena_alloc(&fields->arena, sizeof(*field));
    const char *key = arena_text(&fields->arena, buf_text(form), form->len);

    *field = (struct disguise_field){0};
    map_add(&fields->map, &field->node, key, form->len);
    *fields->last = field;
    fields->last = &field->next;
    return field;
}

void
disguise_fields_set(struct disguise_fields *fields, const char *name, bool replace)
{
    struct disguise_field *field = find(fields, name);

    if (!field)
        field = add(fields, &fields->form);
    field->replace = replace;
}

struct disguise_field *
disguise_fields_find(struct disguise_fields *fields, const char *name)
{
    struct disguise_field *field = name ? find(fields, name) : NULL;

    return field && field->replace ? field : NULL;
}

void
disguise_fields_count(struct disguise_field *field, const char *name)
{
    field->count++;
    if (field->written && !strcmp(field->written, name))
        return;
    xfree(field->written);
    field->written = xstrdup(name);
}

void
disguise_fields_add_met(const struct disguise_fields *fields, struct buf *out)
{
    size_t start = out->len;

    for (const struct disguise_field *field = fields->first; field; field = field->next) {
        if (field->count)
            buf_printf(out, "%s%.*s (%zu)", out->len > start ? ", " : "", SHOWN_MAX, field->written,
                       field->count);
    }
}
