#include "delivery/letter.h"

#include <assert.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/utf8.h"
#include "base/xalloc.h"

enum {
    TEXT_MAX = 16 << 20, /* a thousand calls with long names of rules */
    CALLS_MAX = 1000     /* of one event, RULESET_CALLS_MAX */
};

/* ---- writing ---- */

void
letter_headers_init(struct letter_headers *headers)
{
    headers->count = 0;
    buf_init(&headers->text, TEXT_MAX);
}

void
letter_headers_fini(struct letter_headers *headers)
{
    headers->count = 0;
    buf_fini(&headers->text);
}

static void
begin_header(struct letter_headers *headers, const char *name)
{
    assert(headers->count < LETTER_HEADERS_MAX);
    headers->items[headers->count].name = name;
    headers->starts[headers->count++] = headers->text.len;
}

static void
add_text(struct letter_headers *headers, const char *name, const char *text)
{
    begin_header(headers, name);
    buf_add_text(&headers->text, text);
}

static void
add_number(struct letter_headers *headers, const char *name, int64_t number)
{
    begin_header(headers, name);
    buf_printf(&headers->text, "%lld", (long long)number);
}

static void
add_time(struct letter_headers *headers, const char *name, int64_t wall_ms)
{
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm tm;
    char text[32];

    gmtime_r(&seconds, &tm);
    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
    add_text(headers, name, text);
}

/* [{"index":0,"call":"identify","rule":"…","nth":0,"class":"…","status":422}, …] */
static void
add_calls(struct letter_headers *headers, const struct core_failure *failures, size_t count)
{
    begin_header(headers, "sx-calls");
    buf_add_char(&headers->text, '[');
    for (size_t i = 0; i < count; i++) {
        const struct call *call = failures[i].call;

        buf_printf(&headers->text, "%s{\"index\":%zu,\"call\":\"%s\",\"rule\":", i ? "," : "",
                   failures[i].index, call_kind_name(call->kind));
        buf_add_json(&headers->text, call->rule, strlen(call->rule));
        buf_printf(&headers->text, ",\"nth\":%zu,\"class\":\"%s\",\"status\":%d}", call->nth,
                   verdict_name(failures[i].verdict), failures[i].status);
    }
    buf_add_char(&headers->text, ']');
}

static void
add_origin(struct letter_headers *headers, const struct event *record, uint64_t rules_hash)
{
    add_text(headers, "sx-topic", record->topic);
    add_number(headers, "sx-partition", record->partition);
    add_number(headers, "sx-offset", record->offset);
    if (record->timestamp_ms != EVENT_NO_TIME)
        add_number(headers, "sx-timestamp", record->timestamp_ms);
    if (record->redrives)
        add_number(headers, "sx-redrives", record->redrives);
    add_text(headers, "sx-worker-version", VERSION);
    begin_header(headers, "sx-rules-hash");
    buf_printf(&headers->text, "%016llx", (unsigned long long)rules_hash);
}

static void
add_failures(struct letter_headers *headers, const struct core_failure *failures, size_t count,
             int64_t past_ms)
{
    const struct core_failure *first = &failures[0];

    add_text(headers, "sx-rule", first->call->rule);
    add_calls(headers, failures, count);
    add_text(headers, "sx-class", verdict_name(first->verdict));
    add_number(headers, "sx-status", first->status);
    add_text(headers, "sx-reason", first->reason);
    add_number(headers, "sx-attempts", first->attempts);
    add_time(headers, "sx-first-try", first->first_ms + past_ms);
    add_time(headers, "sx-last-try", first->last_ms + past_ms);
}

/* `rule "NAME": SETTING: …` is how rules begin their reasons. */
static void
add_rule_of_reason(struct letter_headers *headers, const char *reason)
{
    static const char before[] = "rule \"", behind[] = "\": ";
    const char *end;

    if (strncmp(reason, before, strlen(before)) != 0)
        return;
    reason += strlen(before);
    end = strstr(reason, behind);
    if (!end)
        return;
    begin_header(headers, "sx-rule");
    buf_add(&headers->text, reason, (size_t)(end - reason));
}

/* Of a redriven event only those calls are left that its first letter lists, also when it is
 * redriven once more. */
static void
add_mapping_failure(struct letter_headers *headers, const struct event *record, const char *reason)
{
    add_rule_of_reason(headers, reason);
    if (record->only_calls) {
        begin_header(headers, "sx-calls");
        buf_add(&headers->text, record->only_calls, record->only_calls_len);
    }
    add_text(headers, "sx-class", "mapping");
    add_text(headers, "sx-reason", reason);
}

void
letter_write(struct letter_headers *headers, const struct core_event *event, uint64_t rules_hash,
             int64_t now, int64_t wall_ms)
{
    const struct core_failure *failures;
    size_t count = core_letter_failures(event, &failures);

    headers->count = 0;
    buf_reset(&headers->text);
    add_origin(headers, core_letter_record(event), rules_hash);
    if (count)
        add_failures(headers, failures, count, wall_ms - now);
    else
        add_mapping_failure(headers, core_letter_record(event), core_letter_reason(event));
    for (size_t i = 0; i < headers->count; i++) {
        size_t end = i + 1 < headers->count ? headers->starts[i + 1] : headers->text.len;

        headers->items[i].value = buf_text(&headers->text) + headers->starts[i];
        headers->items[i].value_len = end - headers->starts[i];
    }
}

void
letter_partition_key(struct buf *key, const char *account, const char *email)
{
    buf_add(key, account, strlen(account) + 1);
    utf8_add_lower(key, email, strlen(email));
}

/* ---- reading ---- */

/* Where the block begins; the record's count of headers when there is none. */
static size_t
find_block(const struct event *record)
{
    for (size_t i = record->header_count; i > 0; i--) {
        if (strcmp(record->headers[i - 1].name, "sx-topic") == 0)
            return i - 1;
    }
    return record->header_count;
}

/* Only sx- headers, none twice: nobody has added anything behind it. */
static int
check_block(const struct event *record, size_t begin, struct err *err)
{
    if (begin == record->header_count)
        return err_set(err, "it has no header sx-topic");
    for (size_t i = begin; i < record->header_count; i++) {
        const char *name = record->headers[i].name;

        if (strncmp(name, "sx-", 3) != 0)
            return err_set(err, "a header that is not the worker's stands behind sx-topic");
        for (size_t j = begin; j < i; j++) {
            if (strcmp(record->headers[j].name, name) == 0)
                return err_set(err, "one of its sx- headers stands there twice");
        }
    }
    return 0;
}

static struct letter_text
find_text(const struct event *record, size_t begin, const char *name)
{
    for (size_t i = begin; i < record->header_count; i++) {
        const struct event_header *header = &record->headers[i];

        if (strcmp(header->name, name) == 0 && header->value)
            return (struct letter_text){.text = header->value, .len = header->value_len};
    }
    return (struct letter_text){0};
}

/* Digits only, 0 to MAX. */
static int
read_number(const struct event *record, size_t begin, const char *name, int64_t max, int64_t *ret,
            struct err *err)
{
    struct letter_text header = find_text(record, begin, name);
    int64_t number = 0;

    if (!header.text || header.len == 0)
        return err_set(err, "it has no header %s", name);
    for (size_t i = 0; i < header.len; i++) {
        int digit = header.text[i] - '0';

        if (digit < 0 || digit > 9 || number > (max - digit) / 10)
            return err_set(err, "its header %s is no number from 0 to %lld", name, (long long)max);
        number = number * 10 + digit;
    }
    *ret = number;
    return 0;
}

static int
read_number_if_there(const struct event *record, size_t begin, const char *name, int64_t max,
                     int64_t *ret, struct err *err)
{
    return find_text(record, begin, name).text ? read_number(record, begin, name, max, ret, err)
                                               : 0;
}

static int
read_topic(const struct event *record, size_t begin, struct letter *letter, struct err *err)
{
    struct letter_text topic = find_text(record, begin, "sx-topic");

    if (!topic.text || topic.len == 0 || topic.len > LETTER_TOPIC_MAX ||
        memchr(topic.text, '\0', topic.len))
        return err_set(err, "its header sx-topic is no name of a topic");
    memcpy(letter->topic, topic.text, topic.len);
    letter->topic[topic.len] = '\0';
    return 0;
}

static int
check_calls(const struct letter *letter, struct err *err)
{
    struct letter_calls calls;

    if (!letter->calls.text) {
        if (letter->class.len == 7 && memcmp(letter->class.text, "mapping", 7) == 0)
            return 0;
        return err_set(err, "it has no header sx-calls");
    }
    if (letter_calls_read(letter->calls.text, letter->calls.len, &calls, err) < 0)
        return -1;
    letter_calls_fini(&calls);
    return 0;
}

int
letter_read(const struct event *record, struct letter *ret, struct err *err)
{
    size_t begin = find_block(record);
    int64_t partition, redrives = 0;

    *ret = (struct letter){.own = begin, .timestamp_ms = EVENT_NO_TIME};
    if (check_block(record, begin, err) < 0 || read_topic(record, begin, ret, err) < 0 ||
        read_number(record, begin, "sx-partition", INT32_MAX, &partition, err) < 0 ||
        read_number(record, begin, "sx-offset", INT64_MAX - 1, &ret->offset, err) < 0 ||
        read_number_if_there(record, begin, "sx-timestamp", INT64_MAX, &ret->timestamp_ms, err) <
            0 ||
        read_number_if_there(record, begin, "sx-redrives", 1000000, &redrives, err) < 0)
        return -1;
    ret->partition = (int32_t)partition;
    ret->redrives = (unsigned)redrives;
    ret->class = find_text(record, begin, "sx-class");
    ret->rule = find_text(record, begin, "sx-rule");
    ret->status = find_text(record, begin, "sx-status");
    ret->reason = find_text(record, begin, "sx-reason");
    ret->calls = find_text(record, begin, "sx-calls");
    if (!ret->class.text)
        return err_set(err, "it has no header sx-class");
    return check_calls(ret, err);
}

void
letter_restore(const struct event *record, const struct letter *letter, struct event *ret)
{
    *ret = *record;
    ret->topic = letter->topic;
    ret->partition = letter->partition;
    ret->offset = letter->offset;
    ret->timestamp_ms = letter->timestamp_ms;
    ret->header_count = letter->own;
    ret->redrives = letter->redrives;
    ret->only_calls = letter->calls.text;
    ret->only_calls_len = letter->calls.len;
}

size_t
letter_raise(const struct event *record, const struct letter *letter, struct event_header *headers,
             char number[LETTER_NUMBER_MAX])
{
    int len = snprintf(number, LETTER_NUMBER_MAX, "%u", letter->redrives + 1);
    struct event_header raised = {.name = "sx-redrives", .value = number, .value_len = (size_t)len};
    bool is_there = false;

    for (size_t i = 0; i < record->header_count; i++) {
        bool is_it = i >= letter->own && strcmp(record->headers[i].name, raised.name) == 0;

        headers[i] = is_it ? raised : record->headers[i];
        is_there = is_there || is_it;
    }
    if (is_there)
        return record->header_count;
    headers[record->header_count] = raised;
    return record->header_count + 1;
}

/* ---- the calls of a letter ---- */

static int
read_call(const json_t *item, struct letter_call *ret, struct err *err)
{
    const char *kind = json_string_value(json_object_get(item, "call"));
    const char *rule = json_string_value(json_object_get(item, "rule"));
    const json_t *nth = json_object_get(item, "nth");

    if (!kind || !rule || !json_is_integer(nth) || json_integer_value(nth) < 0)
        return err_set(err, "its header sx-calls does not say call, rule and nth of each call");
    ret->rule = rule;
    ret->nth = (size_t)json_integer_value(nth);
    if (strcmp(kind, call_kind_name(CALL_IDENTIFY)) == 0)
        ret->kind = CALL_IDENTIFY;
    else if (strcmp(kind, call_kind_name(CALL_TRACK)) == 0)
        ret->kind = CALL_TRACK;
    else
        return err_set(err, "its header sx-calls names a call that there is not");
    return 0;
}

int
letter_calls_read(const char *text, size_t len, struct letter_calls *ret, struct err *err)
{
    json_t *list = len <= TEXT_MAX ? json_loadb(text, len, 0, NULL) : NULL;
    size_t count = json_array_size(list);
    int result = 0;

    *ret = (struct letter_calls){0};
    if (!json_is_array(list) || count == 0 || count > CALLS_MAX) {
        json_decref(list);
        return err_set(err, "its header sx-calls is no list of calls");
    }
    ret->json = list;
    ret->items = xcalloc(count, sizeof(ret->items[0]));
    while (result == 0 && ret->count < count) {
        result = read_call(json_array_get(list, ret->count), &ret->items[ret->count], err);
        ret->count++;
    }
    if (result < 0)
        letter_calls_fini(ret);
    return result;
}

void
letter_calls_fini(struct letter_calls *calls)
{
    json_decref(calls->json);
    xfree(calls->items);
    *calls = (struct letter_calls){0};
}

bool
letter_calls_name(const struct letter_calls *calls, const char *rule, size_t rule_len)
{
    for (size_t i = 0; i < calls->count; i++) {
        if (strlen(calls->items[i].rule) == rule_len &&
            memcmp(calls->items[i].rule, rule, rule_len) == 0)
            return true;
    }
    return false;
}

static bool
is_same(const struct letter_call *listed, const struct call *call)
{
    return listed->kind == call->kind && listed->nth == call->nth &&
           strcmp(listed->rule, call->rule) == 0;
}

static bool
is_listed(const struct letter_calls *calls, const struct call *call)
{
    for (size_t i = 0; i < calls->count; i++) {
        if (is_same(&calls->items[i], call))
            return true;
    }
    return false;
}

static bool
is_rendered(const struct call_list *list, const struct letter_call *listed)
{
    for (size_t i = 0; i < list->count; i++) {
        if (is_same(listed, list->items[i]))
            return true;
    }
    return false;
}

size_t
letter_calls_keep(const struct letter_calls *calls, struct call_list *list)
{
    size_t kept = 0, gone = 0;

    for (size_t i = 0; i < list->count; i++) {
        if (is_listed(calls, list->items[i]))
            list->items[kept++] = list->items[i];
        else
            call_free(list->items[i]);
    }
    list->count = kept;
    for (size_t i = 0; i < calls->count; i++)
        gone += !is_rendered(list, &calls->items[i]);
    return gone;
}
