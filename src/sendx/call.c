#include "sendx/call.h"

#include <string.h>

#include "base/utf8.h"
#include "base/xalloc.h"

/* Room for the texts of an ordinary call; one with more grows by further blocks. */
enum { ARENA_FIRST = 512 };

struct call *
call_new(enum call_kind kind, unsigned account, const char *rule)
{
    struct call *call = xcalloc(1, sizeof(*call));

    arena_init(&call->arena, ARENA_FIRST);
    call->kind = kind;
    call->account = account;
    call->rule = arena_text(&call->arena, rule, strlen(rule));
    return call;
}

void
call_free(struct call *call)
{
    if (!call)
        return;
    arena_fini(&call->arena);
    xfree(call);
}

void
call_list_init(struct call_list *list)
{
    *list = (struct call_list){0};
}

void
call_list_fini(struct call_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        call_free(list->items[i]);
    xfree(list->items);
    call_list_init(list);
}

void
call_list_add(struct call_list *list, struct call *call)
{
    list->items = xgrow(list->items, list->count, &list->cap, sizeof(struct call *));
    list->items[list->count++] = call;
}

const char *
call_kind_name(enum call_kind kind)
{
    return kind == CALL_IDENTIFY ? "identify" : "track";
}

const char *
call_email(const struct call *call)
{
    return call->kind == CALL_IDENTIFY ? call->identify.email : call->track.email;
}

const char *
call_new_email(const struct call *call)
{
    return call->kind == CALL_IDENTIFY ? call->identify.new_email : NULL;
}

size_t
call_size(const struct call *call)
{
    size_t texts = call->arena.used > ARENA_FIRST ? call->arena.used : ARENA_FIRST;

    return sizeof(*call) + texts;
}

void
call_contact_key(struct buf *key, unsigned account, const char *email)
{
    buf_add(key, &account, sizeof(account));
    utf8_add_lower(key, email, strlen(email));
}
