#include "sandbox/store.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "base/xalloc.h"
#include "sandbox/text.h"

enum { STORE_SEED = 7 }; /* contacts come from tests: nobody chooses colliding keys */

struct store {
    struct map contacts;
    struct list order;
    unsigned long next_serial;
    store_tag_cb *on_tag;
    void *owner;
};

static const char *const property_names[CONTACT_PROPERTIES] = {"firstName", "lastName", "company",
                                                               "birthday"};

struct store *
store_new(store_tag_cb *on_tag, void *owner)
{
    struct store *store = xcalloc(1, sizeof(*store));

    map_init(&store->contacts, STORE_SEED);
    list_init(&store->order);
    store->on_tag = on_tag;
    store->owner = owner;
    store->next_serial = 1;
    return store;
}

static void
contact_forget(struct store *store, struct store_contact *contact)
{
    map_remove(&store->contacts, &contact->node);
    list_remove(&contact->link);
    for (size_t i = 0; i < CONTACT_PROPERTIES; i++)
        xfree(contact->properties[i]);
    for (size_t i = 0; i < contact->field_count; i++) {
        xfree(contact->fields[i].name);
        xfree(contact->fields[i].value);
    }
    for (size_t i = 0; i < contact->tag_count; i++)
        xfree(contact->tags[i]);
    xfree(contact->fields);
    xfree(contact->tags);
    xfree(contact->key);
    xfree(contact->email);
    xfree(contact);
}

void
store_reset(struct store *store)
{
    LIST_EACH(link, &store->order)
        contact_forget(store, CONTAINER_OF(link, struct store_contact, link));
    store->next_serial = 1;
}

void
store_free(struct store *store)
{
    if (!store)
        return;
    store_reset(store);
    map_fini(&store->contacts);
    xfree(store);
}

/* --- what a body may hold --- */

static int
check_text(const json_t *body, const char *name, size_t max_chars, struct err *err)
{
    const json_t *value = json_object_get(body, name);
    const char *at, *end;
    size_t chars = 0;

    if (!value)
        return 0;
    if (!json_is_string(value))
        return err_set(err, "%s must be a string", name);
    if (!max_chars)
        return 0;
    at = json_string_value(value);
    end = at + json_string_length(value);
    for (; at < end; chars++)
        utf8_next(&at, end);
    if (chars > max_chars)
        return err_set(err, "%s has %zu characters, more than %zu", name, chars, max_chars);
    return 0;
}

static int
check_email(const json_t *body, const char *name, struct err *err)
{
    const char *email = json_string_value(json_object_get(body, name));

    if (!email || !text_is_email(email))
        return err_set(err, "%s must be an e-mail address", name);
    return 0;
}

static bool
is_birthday(const char *text)
{
    static const int days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int year, month, day, len = 0;
    bool leap;

    if (strlen(text) != 10 || strspn(text, "0123456789-") != 10)
        return false;
    if (sscanf(text, "%4d-%2d-%2d%n", &year, &month, &day, &len) != 3 || len != 10)
        return false;
    leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return year >= 0 && month >= 1 && month <= 12 && day >= 1 &&
           day <= days[month - 1] + (month == 2 && leap);
}

static int
check_tags(const json_t *body, const char *name, struct err *err)
{
    const json_t *tags = json_object_get(body, name);
    const json_t *tag;
    size_t i;

    if (!tags)
        return 0;
    if (!json_is_array(tags))
        return err_set(err, "%s must be an array of strings", name);
    json_array_foreach(tags, i, tag) {
        if (!json_is_string(tag) || json_string_length(tag) == 0)
            return err_set(err, "%s[%zu] must be a string that is not empty", name, i);
    }
    return 0;
}

static int
check_fields(const json_t *body, struct err *err)
{
    const json_t *fields = json_object_get(body, "customFields");
    const char *name;
    json_t *value;

    if (!fields)
        return 0;
    if (!json_is_object(fields))
        return err_set(err, "customFields must be an object");
    json_object_foreach((json_t *)fields, name, value) {
        if (!json_is_string(value))
            return err_set(err, "customFields.%.100s must be a string", name);
        if (name[0] == '\0')
            return err_set(err, "a custom field must have a name");
    }
    return 0;
}

int
store_check_identify(const json_t *body, size_t max_chars, struct err *err)
{
    const char *birthday = json_string_value(json_object_get(body, "birthday"));

    if (!json_is_object(body))
        return err_set(err, "the body must be a JSON object");
    if (check_email(body, "email", err))
        return -1;
    if (json_object_get(body, "newEmail") && check_email(body, "newEmail", err))
        return -1;
    for (size_t i = 0; i < CONTACT_PROPERTIES; i++)
        if (check_text(body, property_names[i], max_chars, err))
            return -1;
    if (birthday && !is_birthday(birthday))
        return err_set(err, "birthday must be a day written YYYY-MM-DD");
    if (check_fields(body, err))
        return -1;
    return check_tags(body, "tags", err);
}

int
store_check_track(const json_t *body, struct err *err)
{
    if (!json_is_object(body))
        return err_set(err, "the body must be a JSON object");
    if (check_tags(body, "addTags", err))
        return -1;
    return check_tags(body, "removeTags", err);
}

/* --- one contact --- */

static struct store_contact *
find_key(const struct store *store, const char *key)
{
    struct map_node *node = map_find(&store->contacts, key, strlen(key));

    return node ? CONTAINER_OF(node, struct store_contact, node) : NULL;
}

static struct store_contact *
find_email(const struct store *store, const char *email)
{
    char *key = text_contact_key(email);
    struct store_contact *contact = find_key(store, key);

    xfree(key);
    return contact;
}

static struct store_contact *
contact_create(struct store *store, const char *email)
{
    struct store_contact *contact;

    if (store->contacts.count >= STORE_MAX_CONTACTS)
        return NULL;
    contact = xcalloc(1, sizeof(*contact));
    contact->key = text_contact_key(email);
    contact->email = xstrdup(email);
    contact->serial = store->next_serial++;
    map_add(&store->contacts, &contact->node, contact->key, strlen(contact->key));
    list_init(&contact->link);
    list_push_back(&store->order, &contact->link);
    return contact;
}

static void
replace(char **text, const char *value)
{
    char *copy = xstrdup(value);

    xfree(*text);
    *text = copy;
}

static struct contact_field *
find_field(const struct store_contact *contact, const char *name)
{
    for (size_t i = 0; i < contact->field_count; i++)
        if (strcmp(contact->fields[i].name, name) == 0)
            return &contact->fields[i];
    return NULL;
}

static bool
read_number(const char *text, double *ret_number)
{
    const char *digits = text[0] == '-' ? text + 1 : text;
    char *end;

    if (digits[0] < '0' || digits[0] > '9' || strspn(digits, "0123456789.") != strlen(digits))
        return false;
    *ret_number = strtod(text, &end);
    return *end == '\0';
}

/* OLD and BY as whole numbers, added up; false when they or their sum are none of 64 bits. */
static bool
add_whole(const char *old, const char *by, bool up, int64_t *ret_sum)
{
    long long was, step;

    if (strchr(old, '.') || strchr(by, '.'))
        return false;
    errno = 0;
    was = strtoll(old, NULL, 10);
    step = strtoll(by, NULL, 10);
    if (errno)
        return false;
    return up ? !__builtin_add_overflow(was, step, ret_sum)
              : !__builtin_sub_overflow(was, step, ret_sum);
}

/* The value of a field that held OLD (NULL: was not there) once VALUE was given. Yours. */
static char *
field_value(const char *old, const char *value)
{
    bool up = strncmp(value, "++", 2) == 0;
    int64_t sum;
    double was, by;

    if (!up && strncmp(value, "--", 2) != 0)
        return xstrdup(value);
    if (!old)
        old = "0";
    if (!read_number(old, &was) || value[2] == '-' || !read_number(value + 2, &by))
        return xstrdup(value);
    if (add_whole(old, value + 2, up, &sum))
        return xasprintf("%" PRId64, sum);
    return xasprintf("%.15g", up ? was + by : was - by);
}

/* TEXT becomes the contact's. */
static void
contact_put_field(struct store_contact *contact, const char *name, char *text)
{
    struct contact_field *field = find_field(contact, name);

    if (!field) {
        contact->fields = xgrow(contact->fields, contact->field_count, &contact->field_cap,
                                sizeof(*contact->fields));
        field = &contact->fields[contact->field_count++];
        *field = (struct contact_field){.name = xstrdup(name)};
    }
    xfree(field->value);
    field->value = text;
}

/* False: it was there already. */
static bool
contact_add_tag(struct store_contact *contact, const char *tag)
{
    if (contact_has_tag(contact, tag))
        return false;
    contact->tags =
        xgrow(contact->tags, contact->tag_count, &contact->tag_cap, sizeof(*contact->tags));
    contact->tags[contact->tag_count++] = xstrdup(tag);
    return true;
}

/* False: it was not there. */
static bool
contact_remove_tag(struct store_contact *contact, const char *tag)
{
    for (size_t i = 0; i < contact->tag_count; i++) {
        if (strcmp(contact->tags[i], tag) != 0)
            continue;
        xfree(contact->tags[i]);
        contact->tag_count--;
        memmove(&contact->tags[i], &contact->tags[i + 1],
                (contact->tag_count - i) * sizeof(*contact->tags));
        return true;
    }
    return false;
}

static void
change_tags(struct store *store, struct store_contact *contact, const json_t *tags,
            enum tag_change change)
{
    const json_t *item;
    size_t i;

    json_array_foreach(tags, i, item) {
        const char *tag = json_string_value(item);
        bool changed =
            change == TAG_ADDED ? contact_add_tag(contact, tag) : contact_remove_tag(contact, tag);

        if (changed && store->on_tag)
            store->on_tag(store->owner, contact, change, tag);
    }
}

/* --- the calls --- */

/* What only OTHER has goes into CONTACT; OTHER is gone. */
static void
contact_merge(struct store *store, struct store_contact *contact, struct store_contact *other)
{
    for (size_t i = 0; i < CONTACT_PROPERTIES; i++)
        if (!contact->properties[i] && other->properties[i])
            replace(&contact->properties[i], other->properties[i]);
    for (size_t i = 0; i < other->field_count; i++)
        if (!find_field(contact, other->fields[i].name))
            contact_put_field(contact, other->fields[i].name, xstrdup(other->fields[i].value));
    for (size_t i = 0; i < other->tag_count; i++)
        (void)contact_add_tag(contact, other->tags[i]);
    contact_forget(store, other);
}

static void
contact_rename(struct store *store, struct store_contact *contact, const char *new_email)
{
    struct store_contact *other = find_email(store, new_email);

    if (other && other != contact)
        contact_merge(store, contact, other);
    map_remove(&store->contacts, &contact->node);
    xfree(contact->key);
    contact->key = text_contact_key(new_email);
    replace(&contact->email, new_email);
    map_add(&store->contacts, &contact->node, contact->key, strlen(contact->key));
}

const struct store_contact *
store_identify(struct store *store, const json_t *body)
{
    const char *email = json_string_value(json_object_get(body, "email"));
    const char *new_email = json_string_value(json_object_get(body, "newEmail"));
    struct store_contact *contact;
    const char *name;
    json_t *value;

    assert(email);
    contact = find_email(store, email);
    if (contact && new_email)
        contact_rename(store, contact, new_email);
    else if (!contact && new_email)
        contact = find_email(store, new_email);
    if (!contact)
        contact = contact_create(store, new_email ? new_email : email);
    if (!contact)
        return NULL;
    for (size_t i = 0; i < CONTACT_PROPERTIES; i++) {
        const char *text = json_string_value(json_object_get(body, property_names[i]));

        if (text)
            replace(&contact->properties[i], text);
    }
    json_object_foreach(json_object_get(body, "customFields"), name, value) {
        contact_put_field(contact, name,
                          field_value(contact_field(contact, name), json_string_value(value)));
    }
    change_tags(store, contact, json_object_get(body, "tags"), TAG_ADDED);
    return contact;
}

const struct store_contact *
store_track(struct store *store, const char *email, const json_t *body)
{
    struct store_contact *contact = find_email(store, email);

    if (!contact)
        return NULL;
    change_tags(store, contact, json_object_get(body, "removeTags"), TAG_REMOVED);
    change_tags(store, contact, json_object_get(body, "addTags"), TAG_ADDED);
    return contact;
}

/* --- questions --- */

const struct store_contact *
store_find(const struct store *store, const char *email)
{
    return find_email(store, email);
}

size_t
store_count(const struct store *store)
{
    return store->contacts.count;
}

const struct store_contact *
store_next(const struct store *store, const struct store_contact *contact)
{
    const struct list *link = contact ? contact->link.next : store->order.next;

    return link == &store->order ? NULL : CONTAINER_OF(link, struct store_contact, link);
}

bool
contact_has_tag(const struct store_contact *contact, const char *tag)
{
    for (size_t i = 0; i < contact->tag_count; i++)
        if (strcmp(contact->tags[i], tag) == 0)
            return true;
    return false;
}

const char *
contact_field(const struct store_contact *contact, const char *name)
{
    const struct contact_field *field = find_field(contact, name);

    return field ? field->value : NULL;
}

static void
add_member(struct buf *buf, const char *name, const char *value)
{
    if (!value)
        return;
    buf_add_json(buf, name, strlen(name));
    buf_add_char(buf, ':');
    buf_add_json(buf, value, strlen(value));
    buf_add_char(buf, ',');
}

static void
add_id(struct buf *buf, const char *name, const void *bytes, size_t len)
{
    buf_printf(buf, "\"%s\":\"%016" PRIx64 "\",", name, map_hash(bytes, len, STORE_SEED));
}

void
contact_write(const struct store_contact *contact, const char *team_id, struct buf *buf)
{
    buf_add_char(buf, '{');
    add_id(buf, "encryptedTeamId", team_id, strlen(team_id));
    add_id(buf, "encryptedId", &contact->serial, sizeof(contact->serial));
    add_member(buf, "email", contact->email);
    for (size_t i = 0; i < CONTACT_PROPERTIES; i++)
        add_member(buf, property_names[i], contact->properties[i]);
    buf_add_text(buf, "\"tags\":[");
    for (size_t i = 0; i < contact->tag_count; i++) {
        if (i)
            buf_add_char(buf, ',');
        buf_add_json(buf, contact->tags[i], strlen(contact->tags[i]));
    }
    buf_add_text(buf, "],\"customFields\":{");
    for (size_t i = 0; i < contact->field_count; i++) {
        if (i)
            buf_add_char(buf, ',');
        buf_add_json(buf, contact->fields[i].name, strlen(contact->fields[i].name));
        buf_add_char(buf, ':');
        buf_add_json(buf, contact->fields[i].value, strlen(contact->fields[i].value));
    }
    buf_add_text(buf, "}}");
}
