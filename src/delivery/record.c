#include "delivery/record.h"

#include <string.h>

#include "base/xalloc.h"

static size_t
size_of(const struct event *event)
{
    size_t size = sizeof(struct record) + event->header_count * sizeof(struct event_header);

    size += strlen(event->topic) + 1 + event->key_len + event->payload_len + event->only_calls_len;
    for (size_t i = 0; i < event->header_count; i++)
        size += strlen(event->headers[i].name) + 1 + event->headers[i].value_len;
    return size;
}

/* Copies to *AT and moves it on; NULL stays NULL. */
static const void *
put(char **at, const void *bytes, size_t len)
{
    char *copy = *at;

    if (!bytes)
        return NULL;
    if (len)
        memcpy(copy, bytes, len);
    *at += len;
    return copy;
}

struct record *
record_new(const struct event *event)
{
    size_t size = size_of(event);
    struct record *record = xmalloc(size);
    struct event_header *headers = (struct event_header *)(record + 1);
    char *at = (char *)(headers + event->header_count);

    record->event = *event;
    record->size = size;
    record->event.headers = headers;
    for (size_t i = 0; i < event->header_count; i++) {
        headers[i] = event->headers[i];
        headers[i].name = put(&at, event->headers[i].name, strlen(event->headers[i].name) + 1);
        headers[i].value = put(&at, event->headers[i].value, event->headers[i].value_len);
    }
    record->event.topic = put(&at, event->topic, strlen(event->topic) + 1);
    record->event.key = put(&at, event->key, event->key_len);
    record->event.payload = put(&at, event->payload, event->payload_len);
    record->event.only_calls = put(&at, event->only_calls, event->only_calls_len);
    return record;
}

void
record_free(struct record *record)
{
    xfree(record);
}
