#include "rules/eval.h"

#include <string.h>

#include "base/utf8.h"

enum {
    TEXT_KEPT = 2 * EVAL_TEXT_MAX, /* memory the buffer keeps from event to event */
    PIECE_MIN = 16                 /* bytes even a short text takes in an arena */
};

void
eval_init(struct eval *eval, uint64_t seed)
{
    *eval = (struct eval){.seed = seed};
    buf_init(&eval->text, EVAL_TEXT_MAX);
}

void
eval_fini(struct eval *eval)
{
    eval_done(eval);
    buf_fini(&eval->text);
}

void
eval_start(struct eval *eval, const struct event *event, json_t *payload, struct arena *arena)
{
    eval->event = event;
    eval->payload = eval->root = value_of_json(payload);
    eval->has_item = false;
    eval->arena = arena;
    eval->failure = NULL;
    eval->work_left = EVAL_WORK_MAX;
    eval->bytes_left = EVAL_BYTES_MAX;
    eval->regex_left = EVAL_REGEX_MAX;
}

void
eval_done(struct eval *eval)
{
    json_decref(eval->headers);
    eval->headers = NULL;
    eval->event = NULL;
    eval->arena = NULL;
    if (eval->text.room > TEXT_KEPT)
        buf_fini(&eval->text);
}

void
eval_fail(struct eval *eval, const char *reason)
{
    if (!eval->failure)
        eval->failure = reason;
}

bool
eval_work(struct eval *eval, size_t units)
{
    if (eval->failure)
        return false;
    if (units > eval->work_left) {
        eval->work_left = 0;
        eval_fail(eval, "looks at more elements than one event may make it");
        return false;
    }
    eval->work_left -= units;
    return true;
}

static bool
take_bytes(struct eval *eval, size_t bytes)
{
    if (eval->failure)
        return false;
    if (bytes > eval->bytes_left) {
        eval->bytes_left = 0;
        eval_fail(eval, "makes more values than one event may");
        return false;
    }
    eval->bytes_left -= bytes;
    return true;
}

struct value *
eval_values(struct eval *eval, size_t count)
{
    if (!eval_work(eval, count) || !take_bytes(eval, count * sizeof(struct value)))
        return NULL;
    return arena_alloc(eval->arena, count * sizeof(struct value));
}

bool
eval_set(struct eval *eval, struct value_set *set, size_t most)
{
    size_t size = value_set_size(most);

    if (!eval_work(eval, most) || !take_bytes(eval, size))
        return false;
    value_set_init(set, most, eval->seed, arena_alloc(eval->arena, size));
    return true;
}

struct buf *
eval_text_start(struct eval *eval, size_t input_len)
{
    buf_reset(&eval->text);
    eval->text.cap = input_len > EVAL_TEXT_MAX ? input_len : EVAL_TEXT_MAX;
    return &eval->text;
}

struct value
eval_text_take(struct eval *eval)
{
    if (buf_toobig(&eval->text)) {
        eval_fail(eval, "a text would grow over 64 KiB");
        return value_null();
    }
    return eval_text_copy(eval, buf_text(&eval->text), eval->text.len);
}

char *
eval_bytes(struct eval *eval, size_t len)
{
    return take_bytes(eval, len + PIECE_MIN) ? arena_alloc(eval->arena, len) : NULL;
}

struct value
eval_text_copy(struct eval *eval, const char *text, size_t len)
{
    char *copy = eval_bytes(eval, len);

    if (!copy)
        return value_null();
    memcpy(copy, text, len);
    return value_text(copy, len);
}

static struct value
of_bytes(struct eval *eval, const void *bytes, size_t len)
{
    if (!bytes || !eval_read(eval, len) || !utf8_is_valid(bytes, len))
        return value_null();
    return value_text(bytes, len);
}

struct value
eval_header(struct eval *eval, const char *name, size_t name_len)
{
    for (size_t i = eval->event->header_count; i > 0; i--) {
        const struct event_header *header = &eval->event->headers[i - 1];

        if (strlen(header->name) == name_len && !memcmp(header->name, name, name_len))
            return of_bytes(eval, header->value, header->value_len);
    }
    return value_null();
}

struct value
eval_headers(struct eval *eval)
{
    if (eval->headers)
        return value_of_json(eval->headers);
    eval->headers = json_object();
    for (size_t i = 0; i < eval->event->header_count; i++) {
        const struct event_header *header = &eval->event->headers[i];
        struct value value = of_bytes(eval, header->value, header->value_len);
        json_t *json = value_is_null(&value) ? json_null() : json_stringn(value.text, value.len);

        /* A name that is not UTF-8 cannot be asked for and is left out. */
        if (json_object_set_new(eval->headers, header->name, json))
            continue;
    }
    return value_of_json(eval->headers);
}

struct value
eval_key(struct eval *eval)
{
    return of_bytes(eval, eval->event->key, eval->event->key_len);
}
