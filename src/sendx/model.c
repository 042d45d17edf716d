#include "sendx/model.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Writing, in the order of the API's description. SEPARATOR is '{' before the first member. */

static void
start_member(struct buf *body, char *separator, const char *name)
{
    buf_add_char(body, *separator);
    *separator = ',';
    buf_add_char(body, '"');
    buf_add_text(body, name);
    buf_add(body, "\":", 2);
}

static void
close_object(struct buf *body, char separator)
{
    if (separator == '{')
        buf_add_char(body, '{');
    buf_add_char(body, '}');
}

static void
add_json_text(struct buf *body, const char *text)
{
    buf_add_json(body, text, strlen(text));
}

static void
write_text(struct buf *body, char *separator, const char *name, const char *text)
{
    if (!text)
        return;
    start_member(body, separator, name);
    add_json_text(body, text);
}

static void
write_texts(struct buf *body, char *separator, const char *name, const struct text_list *list)
{
    if (!list->count)
        return;
    start_member(body, separator, name);
    for (size_t i = 0; i < list->count; i++) {
        buf_add_char(body, i ? ',' : '[');
        add_json_text(body, list->items[i]);
    }
    buf_add_char(body, ']');
}

static void
write_fields(struct buf *body, char *separator, const char *name, const struct field_list *list)
{
    if (!list->count)
        return;
    start_member(body, separator, name);
    for (size_t i = 0; i < list->count; i++) {
        buf_add_char(body, i ? ',' : '{');
        add_json_text(body, list->items[i].name);
        buf_add_char(body, ':');
        add_json_text(body, list->items[i].value);
    }
    buf_add_char(body, '}');
}

void
contact_request_write(const struct contact_request *request, struct buf *body)
{
    char separator = '{';

    write_text(body, &separator, "email", request->email);
    write_text(body, &separator, "newEmail", request->new_email);
    write_text(body, &separator, "firstName", request->first_name);
    write_text(body, &separator, "lastName", request->last_name);
    write_text(body, &separator, "company", request->company);
    write_text(body, &separator, "birthday", request->birthday);
    write_fields(body, &separator, "customFields", &request->custom_fields);
    write_texts(body, &separator, "tags", &request->tags);
    close_object(body, separator);
}

void
track_request_write(const struct track_request *request, bool with_email, struct buf *body)
{
    char separator = '{';

    if (with_email)
        write_text(body, &separator, "email", request->email);
    write_texts(body, &separator, "addTags", &request->add_tags);
    write_texts(body, &separator, "removeTags", &request->remove_tags);
    close_object(body, separator);
}

/* Reading. */

static const char *
copy_string(struct arena *arena, const json_t *value)
{
    const char *text = json_string_value(value);

    return text ? arena_text(arena, text, json_string_length(value)) : NULL;
}

/* A string or a number, as text: status is either, and so may be the value of a number field. */
static const char *
copy_scalar(struct arena *arena, const json_t *value)
{
    char text[32];

    if (json_is_integer(value)) {
        snprintf(text, sizeof(text), "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    } else if (json_is_real(value)) {
        double number = json_real_value(value);

        /* the shortest of the two that reads back; strtod minds the locale as snprintf does */
        snprintf(text, sizeof(text), "%.15g", number);
        if (strtod(text, NULL) != number)
            snprintf(text, sizeof(text), "%.17g", number);
    } else {
        return copy_string(arena, value);
    }
    return arena_text(arena, text, strlen(text));
}

static void
copy_texts(struct text_list *list, struct arena *arena, const json_t *array)
{
    size_t size = json_array_size(array);

    if (!size)
        return;
    list->items = arena_alloc(arena, size * sizeof(*list->items));
    for (size_t i = 0; i < size; i++) {
        const char *text = copy_string(arena, json_array_get(array, i));

        if (text)
            list->items[list->count++] = text;
    }
}

static void
copy_fields(struct field_list *list, struct arena *arena, json_t *object)
{
    size_t size = json_object_size(object);
    const char *name;
    json_t *value;

    if (!size)
        return;
    list->items = arena_alloc(arena, size * sizeof(*list->items));
    json_object_foreach(object, name, value) {
        const char *text = copy_scalar(arena, value);

        if (text)
            list->items[list->count++] =
                (struct field){.name = arena_text(arena, name, strlen(name)), .value = text};
    }
}

static void
copy_contact(struct contact *contact, struct arena *arena, const json_t *data)
{
    contact->encrypted_team_id = copy_string(arena, json_object_get(data, "encryptedTeamId"));
    contact->encrypted_id = copy_string(arena, json_object_get(data, "encryptedId"));
    contact->first_name = copy_string(arena, json_object_get(data, "firstName"));
    contact->last_name = copy_string(arena, json_object_get(data, "lastName"));
    contact->email = copy_string(arena, json_object_get(data, "email"));
    contact->company = copy_string(arena, json_object_get(data, "company"));
    contact->birthday = copy_string(arena, json_object_get(data, "birthday"));
    copy_texts(&contact->tags, arena, json_object_get(data, "tags"));
    copy_fields(&contact->custom_fields, arena, json_object_get(data, "customFields"));
}

/* The body's tree, to be dropped by json_decref; NULL when it is not a JSON object. */
static json_t *
load_object(const char *body, size_t body_len, struct err *err)
{
    json_error_t at;
    json_t *root = json_loadb(body, body_len, 0, &at);

    /* jansson refuses a whole document for one integer over 2^63 */
    if (!root && json_error_code(&at) == json_error_numeric_overflow)
        root = json_loadb(body, body_len, JSON_DECODE_INT_AS_REAL, &at);
    if (!root) {
        err_set(err, "the reply is not JSON (byte %d)", at.position);
        return NULL;
    }
    if (!json_is_object(root)) {
        err_set(err, "the reply is JSON, but not an object");
        json_decref(root);
        return NULL;
    }
    return root;
}

int
contact_response_read(struct contact_response *response, struct arena *arena, const char *body,
                      size_t body_len, struct err *err)
{
    json_t *root = load_object(body, body_len, err);
    const json_t *data;

    *response = (struct contact_response){0};
    if (!root)
        return -1;
    response->status = copy_scalar(arena, json_object_get(root, "status"));
    response->message = copy_string(arena, json_object_get(root, "message"));
    data = json_object_get(root, "data");
    if (json_is_object(data)) {
        response->has_data = true;
        copy_contact(&response->data, arena, data);
    }
    json_decref(root);
    return 0;
}

int
track_response_read(struct track_response *response, struct arena *arena, const char *body,
                    size_t body_len, struct err *err)
{
    json_t *root = load_object(body, body_len, err);

    *response = (struct track_response){0};
    if (!root)
        return -1;
    response->status = copy_scalar(arena, json_object_get(root, "status"));
    response->message = copy_string(arena, json_object_get(root, "message"));
    response->data = copy_string(arena, json_object_get(root, "data"));
    json_decref(root);
    return 0;
}
