#include "cmd/record_json.h"

#include <limits.h>
#include <string.h>

#include "base/xalloc.h"
#include "config/unit.h"

static const char *const members[] = {"topic",   "event",     "payload",   "key",
                                      "headers", "timestamp", "partition", "offset"};

enum { COORDINATES = 2 /* how many of them stand at the end */ };

bool
record_json_has(const char *name, bool coordinates)
{
    for (size_t i = 0; i < ARRAY_LEN(members) - (coordinates ? 0 : COORDINATES); i++) {
        if (!strcmp(members[i], name))
            return true;
    }
    return false;
}

bool
record_json_is_one(const json_t *json)
{
    const char *name;
    json_t *value;

    if (!json_is_string(json_object_get(json, "topic")) ||
        (!json_object_get(json, "event") && !json_object_get(json, "payload")))
        return false;
    json_object_foreach((json_t *)json, name, value) {
        if (!record_json_has(name, true))
            return false;
    }
    return true;
}

static int
read_payload(struct record_json *record, const json_t *object, const char *text,
             struct json_range range, struct err *err)
{
    const json_t *payload = json_object_get(object, "payload");
    bool has_event = json_object_get(object, "event") != NULL;
    struct json_range name, value;

    if (has_event == (payload != NULL))
        return err_set(err, "give one of \"event\", as JSON, and \"payload\", as text");
    if (payload && !json_is_string(payload) && !json_is_null(payload))
        return err_set(err,
                       "\"payload\" is the payload as text, or null; JSON goes into \"event\"");
    if (payload) {
        record->event.payload = json_string_value(payload);
        record->event.payload_len = json_string_length(payload);
        return 0;
    }
    if (!json_text_find(text, range, "event", &name, &value))
        return err_set(err, "write \"event\" without escapes");
    record->event.payload = text + value.at;
    record->event.payload_len = value.end - value.at;
    return 0;
}

static int
read_headers(struct record_json *record, const json_t *object, struct err *err)
{
    json_t *headers = json_object_get(object, "headers");
    const char *name;
    json_t *value;

    if (!headers)
        return 0;
    if (!json_is_object(headers))
        return err_set(err, "\"headers\" is an object: {\"event-type\": \"signup\"}");
    record->headers = xcalloc(json_object_size(headers) + 1, sizeof(record->headers[0]));
    record->event.headers = record->headers;
    json_object_foreach(headers, name, value) {
        struct event_header *header = &record->headers[record->event.header_count++];

        if (!json_is_string(value) && !json_is_null(value))
            return err_set(err, "\"headers\": the value of \"%.100s\" must be a text, or null",
                           name);
        *header = (struct event_header){.name = name,
                                        .value = json_string_value(value),
                                        .value_len = json_string_length(value)};
    }
    return 0;
}

static int
read_integer(const json_t *object, const char *name, int64_t max, int64_t *ret, struct err *err)
{
    const json_t *value = json_object_get(object, name);

    if (!value)
        return 0;
    if (!json_is_integer(value) || json_integer_value(value) < 0 || json_integer_value(value) > max)
        return err_set(err, "\"%s\" must be a whole number, not below 0", name);
    *ret = json_integer_value(value);
    return 0;
}

int
record_json_time(const json_t *object, const char *name, int64_t *ret_ms, struct err *err)
{
    const json_t *value = json_object_get(object, name);
    struct err why = {{0}};

    if (!value)
        return 0;
    if (json_is_integer(value) && json_integer_value(value) >= 0) {
        *ret_ms = json_integer_value(value);
        return 0;
    }
    if (json_is_string(value) && time_parse(json_string_value(value), ret_ms, &why) == 0)
        return 0;
    return err_set(err,
                   "\"%s\" must be milliseconds since 1970, or a time such as "
                   "\"2026-01-31T09:30:00Z\"",
                   name);
}

static int
read_members(struct record_json *record, const json_t *object, const char *text,
             struct json_range range, struct err *err)
{
    const json_t *topic = json_object_get(object, "topic");
    const json_t *key = json_object_get(object, "key");
    int64_t partition = 0;

    if (!json_is_string(topic) || !json_string_length(topic))
        return err_set(err, "\"topic\" must name the topic of the event");
    if (key && !json_is_string(key) && !json_is_null(key))
        return err_set(err, "\"key\" must be a text, or null");
    record->event.topic = json_string_value(topic);
    record->event.key = json_string_value(key);
    record->event.key_len = json_string_length(key);
    if (read_payload(record, object, text, range, err) || read_headers(record, object, err) ||
        record_json_time(object, "timestamp", &record->event.timestamp_ms, err) ||
        read_integer(object, "partition", INT_MAX, &partition, err) ||
        read_integer(object, "offset", INT64_MAX, &record->event.offset, err))
        return -1;
    record->event.partition = (int32_t)partition;
    return 0;
}

int
record_json_read(struct record_json *record, const json_t *object, const char *text,
                 struct json_range range, struct err *err)
{
    *record = (struct record_json){.event.timestamp_ms = EVENT_NO_TIME};
    if (read_members(record, object, text, range, err)) {
        record_json_fini(record);
        return -1;
    }
    return 0;
}

void
record_json_fini(struct record_json *record)
{
    xfree(record->headers);
    *record = (struct record_json){.event.timestamp_ms = EVENT_NO_TIME};
}
