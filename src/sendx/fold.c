#include "sendx/fold.h"

#include <assert.h>
#include <string.h>

/* A change of a tag by one of the calls. */
struct change {
    const char *tag;
    bool removes;
    size_t call; /* index */
};

/* ---- which calls may be joined ---- */

static bool
counts(const char *value)
{
    return strncmp(value, "++", 2) == 0 || strncmp(value, "--", 2) == 0;
}

/* Neither renames nor counts. */
static bool
is_plain(const struct call *call)
{
    const struct field_list *fields = &call->identify.custom_fields;

    if (call->kind == CALL_TRACK)
        return true;
    if (call->identify.new_email)
        return false;
    for (size_t i = 0; i < fields->count; i++) {
        if (counts(fields->items[i].value))
            return false;
    }
    return true;
}

static size_t
item_count(const struct call *call)
{
    return call->kind == CALL_TRACK
               ? call->track.add_tags.count + call->track.remove_tags.count
               : call->identify.custom_fields.count + call->identify.tags.count;
}

static bool
has(const struct text_list *list, const char *text)
{
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->items[i], text) == 0)
            return true;
    }
    return false;
}

static bool
share_one(const struct text_list *a, const struct text_list *b)
{
    for (size_t i = 0; i < b->count; i++) {
        if (has(a, b->items[i]))
            return true;
    }
    return false;
}

static bool
differ(const char *a, const char *b)
{
    return a && b && strcmp(a, b) != 0;
}

static bool
fields_differ(const struct field_list *a, const struct field_list *b)
{
    for (size_t i = 0; i < a->count; i++) {
        for (size_t k = 0; k < b->count; k++) {
            if (strcmp(a->items[i].name, b->items[k].name) == 0 &&
                differ(a->items[i].value, b->items[k].value))
                return true;
        }
    }
    return false;
}

static bool
identifys_agree(const struct contact_request *a, const struct contact_request *b)
{
    return !differ(a->first_name, b->first_name) && !differ(a->last_name, b->last_name) &&
           !differ(a->company, b->company) && !differ(a->birthday, b->birthday) &&
           !fields_differ(&a->custom_fields, &b->custom_fields) && !share_one(&a->tags, &b->tags);
}

static bool
tracks_agree(const struct track_request *a, const struct track_request *b)
{
    if (a->remove_tags.count + b->remove_tags.count == 0)
        return !share_one(&a->add_tags, &b->add_tags);
    return a->add_tags.count + b->add_tags.count == 0 &&
           !share_one(&a->remove_tags, &b->remove_tags);
}

static bool
is_safe(const struct fold *fold, const struct call *call)
{
    for (size_t i = 0; i < fold->count; i++) {
        const struct call *before = fold->calls[i];

        if (before->kind != call->kind)
            return false;
        if (call->kind == CALL_IDENTIFY ? !identifys_agree(&before->identify, &call->identify)
                                        : !tracks_agree(&before->track, &call->track))
            return false;
    }
    return true;
}

static bool
is_final(const struct fold *fold, const struct call *call)
{
    if (fold->creates || call->kind == CALL_TRACK)
        return true;
    for (size_t i = 0; i < fold->count; i++) {
        if (fold->calls[i]->kind == CALL_TRACK)
            return false;
    }
    return true;
}

void
fold_init(struct fold *fold, enum fold_mode mode, bool creates, const struct call *first)
{
    fold->mode = mode;
    fold->creates = creates;
    fold->calls[0] = first;
    fold->count = 1;
    fold->items = item_count(first);
    fold->bytes = call_size(first);
}

bool
fold_add(struct fold *fold, const struct call *call)
{
    size_t items = fold->items + item_count(call);
    size_t bytes = fold->bytes + call_size(call);

    assert(call->account == fold->calls[0]->account);
    if (fold->mode == FOLD_OFF || fold->count == FOLD_CALLS_MAX || items > FOLD_ITEMS_MAX ||
        bytes > FOLD_BYTES_MAX || !is_plain(call) || !is_plain(fold->calls[0]))
        return false;
    if (fold->mode == FOLD_SAFE ? !is_safe(fold, call) : !is_final(fold, call))
        return false;
    fold->calls[fold->count++] = call;
    fold->items = items;
    fold->bytes = bytes;
    return true;
}

/* ---- what they become ---- */

static size_t
add_changes(struct change *changes, size_t count, const struct text_list *tags, bool removes,
            size_t call)
{
    for (size_t i = 0; i < tags->count; i++)
        changes[count++] = (struct change){tags->items[i], removes, call};
    return count;
}

/* All changes of tags, in order. */
static size_t
list_changes(const struct fold *fold, struct change changes[FOLD_ITEMS_MAX])
{
    size_t count = 0;

    assert(fold->items <= FOLD_ITEMS_MAX);
    for (size_t i = 0; i < fold->count; i++) {
        const struct call *call = fold->calls[i];

        if (call->kind == CALL_IDENTIFY) {
            count = add_changes(changes, count, &call->identify.tags, false, i);
        } else {
            count = add_changes(changes, count, &call->track.remove_tags, true, i);
            count = add_changes(changes, count, &call->track.add_tags, false, i);
        }
    }
    return count;
}

/* Only the last change of each tag, in order. */
static size_t
keep_last(struct change *changes, size_t count)
{
    size_t kept = 0;

    for (size_t i = 0; i < count; i++) {
        bool last = true;

        for (size_t k = i + 1; k < count && last; k++)
            last = strcmp(changes[i].tag, changes[k].tag) != 0;
        if (last)
            changes[kept++] = changes[i];
    }
    return kept;
}

static const char *
copy(struct call *call, const char *text)
{
    return text ? arena_text(&call->arena, text, strlen(text)) : NULL;
}

static void
put_tag(struct call *call, struct text_list *list, const char *tag, size_t room)
{
    if (!list->items)
        list->items = arena_alloc(&call->arena, room * sizeof(char *));
    list->items[list->count++] = copy(call, tag);
}

static const struct call *
first_of(const struct fold *fold, enum call_kind kind)
{
    for (size_t i = 0; i < fold->count; i++) {
        if (fold->calls[i]->kind == kind)
            return fold->calls[i];
    }
    return NULL;
}

static void
put_field(struct call *call, const struct field *field, size_t room)
{
    struct field_list *fields = &call->identify.custom_fields;

    if (!fields->items)
        fields->items = arena_alloc(&call->arena, room * sizeof(struct field));
    for (size_t i = 0; i < fields->count; i++) {
        if (strcmp(fields->items[i].name, field->name) == 0) {
            fields->items[i].value = copy(call, field->value);
            return;
        }
    }
    fields->items[fields->count++] =
        (struct field){.name = copy(call, field->name), .value = copy(call, field->value)};
}

static void
put_value(struct call *call, const char **to, const char *value)
{
    if (value)
        *to = copy(call, value);
}

static void
put_identify(struct call *call, const struct contact_request *from, size_t room)
{
    struct contact_request *to = &call->identify;

    put_value(call, &to->first_name, from->first_name);
    put_value(call, &to->last_name, from->last_name);
    put_value(call, &to->company, from->company);
    put_value(call, &to->birthday, from->birthday);
    for (size_t i = 0; i < from->custom_fields.count; i++)
        put_field(call, &from->custom_fields.items[i], room);
}

struct call *
fold_identify(const struct fold *fold)
{
    const struct call *first = first_of(fold, CALL_IDENTIFY);
    struct change changes[FOLD_ITEMS_MAX];
    struct call *call;
    size_t count;

    if (!first)
        return NULL;
    call = call_new(CALL_IDENTIFY, first->account, first->rule);
    call->identify.email = copy(call, first->identify.email);
    for (size_t i = 0; i < fold->count; i++) {
        if (fold->calls[i]->kind == CALL_IDENTIFY)
            put_identify(call, &fold->calls[i]->identify, fold->items);
    }
    count = keep_last(changes, list_changes(fold, changes));
    for (size_t i = 0; i < count; i++) {
        if (fold->calls[changes[i].call]->kind == CALL_IDENTIFY)
            put_tag(call, &call->identify.tags, changes[i].tag, fold->items);
    }
    return call;
}

struct call *
fold_track(const struct fold *fold)
{
    const struct call *first = first_of(fold, CALL_TRACK);
    struct change changes[FOLD_ITEMS_MAX];
    struct call *call;
    size_t count;

    if (!first)
        return NULL;
    call = call_new(CALL_TRACK, first->account, first->rule);
    call->track.email = copy(call, first->track.email);
    count = keep_last(changes, list_changes(fold, changes));
    for (size_t i = 0; i < count; i++) {
        if (fold->calls[changes[i].call]->kind == CALL_TRACK)
            put_tag(call, changes[i].removes ? &call->track.remove_tags : &call->track.add_tags,
                    changes[i].tag, fold->items);
    }
    if (call->track.add_tags.count + call->track.remove_tags.count > 0)
        return call;
    call_free(call); /* later identifys add what the tracks changed */
    return NULL;
}
