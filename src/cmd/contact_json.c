#include "cmd/contact_json.h"

#include <jansson.h>
#include <string.h>

#include "base/nearest.h"
#include "base/utf8.h"
#include "rules/date.h"

static const struct {
    const char *name;
    size_t offset; /* of its text in the request; unused for the last two */
} members[] = {
    {"email", offsetof(struct contact_request, email)},
    {"newEmail", offsetof(struct contact_request, new_email)},
    {"firstName", offsetof(struct contact_request, first_name)},
    {"lastName", offsetof(struct contact_request, last_name)},
    {"company", offsetof(struct contact_request, company)},
    {"birthday", offsetof(struct contact_request, birthday)},
    {"customFields", 0},
    {"tags", 0},
};

enum { TEXT_MEMBERS = 6 };

bool
contact_json_is_email(const char *text)
{
    const char *sign = strchr(text, '@');
    const char *at = text, *end = text + strlen(text);

    if (!sign || sign == text || sign + 1 == end || strchr(sign + 1, '@'))
        return false;
    while (at < end) {
        if (utf8_is_space(utf8_next(&at, end)))
            return false;
    }
    return true;
}

static const char *
type_name(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return "an array";
    case JSON_STRING:
        return "a text";
    case JSON_INTEGER:
    case JSON_REAL:
        return "a number";
    case JSON_NULL:
        return "null";
    default:
        return "a boolean";
    }
}

/* NULL when VALUE is no text that can be sent. */
static const char *
read_text(struct arena *arena, const char *name, const json_t *value, struct err *err)
{
    if (!json_is_string(value)) {
        err_set(err, "%s is %s and must be a text in quotes", name, type_name(value));
        return NULL;
    }
    if (json_string_length(value) == 0) {
        err_set(err, "%s is empty; leave it out", name);
        return NULL;
    }
    return arena_text(arena, json_string_value(value), json_string_length(value));
}

static int
read_fields(struct field_list *list, struct arena *arena, json_t *object, struct err *err)
{
    const char *name;
    json_t *value;

    if (!json_is_object(object))
        return err_set(err, "customFields is %s and must be an object: {\"Plan\": \"pro\"}",
                       type_name(object));
    list->items = arena_alloc(arena, (json_object_size(object) + 1) * sizeof(*list->items));
    json_object_foreach(object, name, value) {
        const char *text = read_text(arena, name, value, err);

        if (!text)
            return err_prefix(err, "customFields");
        list->items[list->count++] =
            (struct field){.name = arena_text(arena, name, strlen(name)), .value = text};
    }
    return 0;
}

static int
read_tags(struct text_list *list, const char *name, struct arena *arena, const json_t *array,
          struct err *err)
{
    size_t size = json_array_size(array);

    if (!json_is_array(array))
        return err_set(err, "%s is %s and must be an array: [\"blogger\"]", name, type_name(array));
    list->items = arena_alloc(arena, (size + 1) * sizeof(*list->items));
    for (size_t i = 0; i < size; i++) {
        const char *text = read_text(arena, "a tag", json_array_get(array, i), err);

        if (!text)
            return -1;
        list->items[list->count++] = text;
    }
    return 0;
}

static int
refuse_member(const char *name, struct err *err)
{
    struct nearest nearest;
    struct buf text;

    buf_init(&text, ERR_MAX);
    buf_printf(&text, "there is no field \"%.100s\"", name);
    nearest_init(&nearest, name);
    for (size_t i = 0; i < ARRAY_LEN(members); i++)
        nearest_try(&nearest, members[i].name);
    if (nearest_best(&nearest))
        buf_printf(&text, " (did you mean %s?)", nearest_best(&nearest));
    buf_add_text(&text, "; a contact has");
    for (size_t i = 0; i < ARRAY_LEN(members); i++)
        buf_printf(&text, "%s %s", i ? "," : "", members[i].name);
    err_set(err, "%s", buf_text(&text));
    buf_fini(&text);
    return -1;
}

static int
read_member(struct contact_request *request, struct arena *arena, const char *name, json_t *value,
            struct err *err)
{
    if (!strcmp(name, "customFields"))
        return read_fields(&request->custom_fields, arena, value, err);
    if (!strcmp(name, "tags"))
        return read_tags(&request->tags, name, arena, value, err);
    for (size_t i = 0; i < TEXT_MEMBERS; i++) {
        const char **text = (const char **)((char *)request + members[i].offset);

        if (strcmp(name, members[i].name) != 0)
            continue;
        *text = read_text(arena, name, value, err);
        return *text ? 0 : -1;
    }
    return refuse_member(name, err);
}

static int
check_request(const struct contact_request *request, struct err *err)
{
    if (!request->email)
        return err_set(err, "email is missing: it says which contact is meant");
    if (!contact_json_is_email(request->email))
        return err_set(err, "email is not an e-mail address");
    if (request->new_email && !contact_json_is_email(request->new_email))
        return err_set(err, "newEmail is not an e-mail address");
    if (request->birthday && !date_is_day(request->birthday, strlen(request->birthday)))
        return err_set(err, "birthday must be a day of the calendar, written YYYY-MM-DD");
    return 0;
}

int
contact_json_read_tree(struct contact_request *request, struct arena *arena, json_t *root,
                       struct err *err)
{
    const char *name;
    json_t *value;

    *request = (struct contact_request){0};
    if (!json_is_object(root))
        return err_set(err, "it is %s and must be an object: {\"email\": \"ada@example.com\"}",
                       type_name(root));
    json_object_foreach(root, name, value) {
        if (read_member(request, arena, name, value, err))
            return -1;
    }
    return check_request(request, err);
}

int
contact_json_read(struct contact_request *request, struct arena *arena, const char *json,
                  struct err *err)
{
    json_error_t at;
    json_t *root = json_loads(json, JSON_REJECT_DUPLICATES, &at);
    int rc;

    *request = (struct contact_request){0};
    if (!root)
        return err_set(err, "not JSON: %s (byte %d)", at.text, at.position);
    rc = contact_json_read_tree(request, arena, root, err);
    json_decref(root);
    return rc;
}

int
contact_json_read_track(struct track_request *request, struct arena *arena, json_t *root,
                        struct err *err)
{
    const char *name;
    json_t *value;
    int rc = 0;

    *request = (struct track_request){0};
    if (!json_is_object(root))
        return err_set(err, "it is %s and must be an object: {\"email\": \"ada@example.com\"}",
                       type_name(root));
    json_object_foreach(root, name, value) {
        if (!strcmp(name, "email")) {
            request->email = read_text(arena, name, value, err);
            rc = request->email ? 0 : -1;
        } else if (!strcmp(name, "addTags")) {
            rc = read_tags(&request->add_tags, name, arena, value, err);
        } else if (!strcmp(name, "removeTags")) {
            rc = read_tags(&request->remove_tags, name, arena, value, err);
        } else {
            rc = err_set(
                err, "there is no field \"%.100s\"; a track has email, addTags, removeTags", name);
        }
        if (rc)
            return rc;
    }
    if (!request->email)
        return err_set(err, "email is missing: it says which contact is meant");
    return 0;
}
