#include "cmd/capture_test.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/map.h"
#include "base/utf8.h"
#include "base/xalloc.h"
#include "cmd/call_text.h"
#include "cmd/json_layout.h"
#include "cmd/test_run.h"
#include "rules/decode.h"
#include "rules/mention.h"
#include "rules/trace.h"

enum { INDENT = 4, HEADERS_MAX = 1000 /* names of them that rules mention */ };

static const char opening[] = "[\n  {\n    \"name\": \"captured\",\n    ", closing[] = "\n]\n";

struct capture_maker {
    struct config *config;
    struct disguise *disguise;
    struct trace *trace;
    struct mapping original, mapping;
    enum map_outcome outcome;
    bool *matched; /* by each rule */
    uint64_t shape;
    int64_t wall_ms;
    /* What the rules read of a record beside its payload. */
    bool reads_key, reads_timestamp, reads_all_headers;
    const struct path_step *headers[HEADERS_MAX];
    size_t header_count;
};

/* ---- what rules mention ---- */

static void
take_text(void *opaque, const char *text, size_t len)
{
    struct capture_maker *maker = opaque;

    if (maker->disguise)
        disguise_keep(maker->disguise, text, len);
}

static void
take_path(void *opaque, const struct path *path)
{
    struct capture_maker *maker = opaque;

    maker->reads_key |= path->root == PATH_KEY;
    maker->reads_timestamp |= path->root == PATH_TIMESTAMP;
    if (path->root != PATH_HEADERS)
        return;
    if (path->step_count && path->steps[0].kind == STEP_KEY && maker->header_count < HEADERS_MAX)
        maker->headers[maker->header_count++] = &path->steps[0];
    else
        maker->reads_all_headers = true;
}

static bool
reads_header(const struct capture_maker *maker, const char *name)
{
    for (size_t i = 0; i < maker->header_count; i++) {
        const struct path_step *step = maker->headers[i];

        if (step->key_len == strlen(name) && !memcmp(step->key, name, step->key_len))
            return true;
    }
    return maker->reads_all_headers;
}

struct capture_maker *
capture_maker_new(struct config *config, struct disguise *disguise)
{
    static const struct mention_ops ops = {take_text, take_path};
    struct capture_maker *maker = xcalloc(1, sizeof(*maker));

    maker->config = config;
    maker->disguise = disguise;
    maker->trace = trace_new(config->rules);
    maker->matched = xcalloc(ruleset_rule_count(config->rules) + 1, sizeof(maker->matched[0]));
    maker->wall_ms = clock_wall_ms();
    mapping_init(&maker->original);
    mapping_init(&maker->mapping);
    mention_all(config->rules, &ops, maker);
    return maker;
}

void
capture_maker_free(struct capture_maker *maker)
{
    if (!maker)
        return;
    trace_free(maker->trace);
    mapping_fini(&maker->original);
    mapping_fini(&maker->mapping);
    xfree(maker->matched);
    xfree(maker);
}

/* ---- the event as it is ---- */

static void
mix(uint64_t *shape, const void *bytes, size_t len)
{
    *shape = map_hash(bytes, len, *shape);
}

/* Of the elements of for_each the first counts, so that their number does not. */
static uint64_t
find_shape(const struct capture_maker *maker)
{
    uint64_t shape = maker->outcome;

    for (size_t i = 0; i < ruleset_rule_count(maker->config->rules); i++) {
        const struct trace_rule *rule = trace_rule(maker->trace, i);
        const struct trace_element *element = rule->elements;

        mix(&shape, &rule->result, sizeof(rule->result));
        if (!element)
            continue;
        for (const struct trace_part *part = element->parts; part; part = part->next)
            mix(&shape, part->text, part->text_len);
        for (const struct trace_setting *set = element->settings; set; set = set->next)
            mix(&shape, &set->outcome, sizeof(set->outcome));
    }
    return shape;
}

enum map_outcome
capture_maker_map(struct capture_maker *maker, const struct event *event)
{
    maker->outcome =
        ruleset_map_traced(maker->config->rules, event, event_time(event, maker->wall_ms),
                           maker->trace, &maker->original);
    for (size_t i = 0; i < ruleset_rule_count(maker->config->rules); i++)
        maker->matched[i] = rule_result_is_match(trace_rule(maker->trace, i)->result);
    maker->shape = find_shape(maker);
    return maker->outcome;
}

bool
capture_maker_matched(const struct capture_maker *maker, size_t rule)
{
    return maker->matched[rule];
}

uint64_t
capture_maker_shape(const struct capture_maker *maker)
{
    return maker->shape;
}

/* ---- its text ---- */

/* Adds the bytes as a JSON string, or null where they are no text. */
static void
add_text(const struct capture_maker *maker, const char *field, const char *bytes, size_t len,
         struct buf *out)
{
    struct buf replaced;

    if (!bytes || !utf8_is_valid(bytes, len) || memchr(bytes, '\0', len)) {
        buf_add_text(out, "null");
        return;
    }
    buf_init(&replaced, CALL_TEXT_MAX);
    if (maker->disguise)
        disguise_text(maker->disguise, field, bytes, len, &replaced);
    else
        buf_add(&replaced, bytes, len);
    buf_add_json(out, buf_text(&replaced), replaced.len);
    buf_fini(&replaced);
}

static void
add_headers(const struct capture_maker *maker, const struct event *event, struct buf *out)
{
    bool first = true;

    for (size_t i = 0; i < event->header_count; i++) {
        const struct event_header *header = &event->headers[i];
        bool again = false;

        /* The last of equal names counts. */
        for (size_t k = i + 1; k < event->header_count; k++)
            again |= !strcmp(event->headers[k].name, header->name);
        if (again || !reads_header(maker, header->name) ||
            !utf8_is_valid(header->name, strlen(header->name)))
            continue;
        buf_add_text(out, first ? "\"headers\": {" : ", ");
        first = false;
        add_text(maker, NULL, header->name, strlen(header->name), out);
        buf_add_text(out, ": ");
        add_text(maker, header->name, header->value, header->value_len, out);
    }
    if (!first)
        buf_add_text(out, "},\n    ");
}

static void
add_payload(const struct capture_maker *maker, const struct event *event, struct buf *out)
{
    static const char name[] = "\"event\": ";
    struct buf replaced;

    if (maker->outcome == MAP_NOT_JSON) {
        buf_add_text(out, "\"payload\": ");
        add_text(maker, NULL, event->payload, event->payload_len, out);
        return;
    }
    buf_add_text(out, name);
    buf_init(&replaced, CALL_TEXT_MAX);
    if (maker->disguise)
        disguise_json(maker->disguise, event->payload, event->payload_len, &replaced);
    else
        buf_add(&replaced, event->payload, event->payload_len);
    json_layout_add(out, buf_text(&replaced), replaced.len, INDENT, INDENT + strlen(name));
    buf_fini(&replaced);
}

/* A file of this test, which expects nothing yet. */
static void
add_open_test(const struct capture_maker *maker, const struct event *event, struct buf *out)
{
    buf_add_text(out, opening);
    buf_add_text(out, "\"topic\": ");
    buf_add_json(out, event->topic, strlen(event->topic));
    buf_add_text(out, ",\n    ");
    if (maker->reads_key && event->key) {
        buf_add_text(out, "\"key\": ");
        add_text(maker, NULL, event->key, event->key_len, out);
        buf_add_text(out, ",\n    ");
    }
    add_headers(maker, event, out);
    if (maker->reads_timestamp && event->timestamp_ms >= 0)
        buf_printf(out, "\"timestamp\": %" PRId64 ",\n    ", event->timestamp_ms);
    add_payload(maker, event, out);
    buf_add_text(out, "\n  }");
    buf_add_text(out, closing);
}

/* ---- whether it means the same ---- */

static bool
same_text_is_there(const char *a, const char *b)
{
    return !a == !b;
}

static bool
same_identify(const struct contact_request *a, const struct contact_request *b)
{
    if (!same_text_is_there(a->new_email, b->new_email) ||
        !same_text_is_there(a->first_name, b->first_name) ||
        !same_text_is_there(a->last_name, b->last_name) ||
        !same_text_is_there(a->company, b->company) ||
        !same_text_is_there(a->birthday, b->birthday) || a->tags.count != b->tags.count ||
        a->custom_fields.count != b->custom_fields.count)
        return false;
    for (size_t i = 0; i < a->custom_fields.count; i++) {
        if (strcmp(a->custom_fields.items[i].name, b->custom_fields.items[i].name) != 0)
            return false;
    }
    return true;
}

/* The same call but for its texts. */
static bool
same_call(const struct call *a, const struct call *b)
{
    if (a->kind != b->kind || a->account != b->account || a->nth != b->nth ||
        strcmp(a->rule, b->rule) != 0)
        return false;
    if (a->kind == CALL_IDENTIFY)
        return same_identify(&a->identify, &b->identify);
    return a->track.add_tags.count == b->track.add_tags.count &&
           a->track.remove_tags.count == b->track.remove_tags.count;
}

/* Whether the rules made of the replaced event what they made of the original, but for texts. */
static bool
means_the_same(const struct capture_maker *maker, enum map_outcome outcome)
{
    const struct call_list *a = &maker->original.calls, *b = &maker->mapping.calls;

    if (outcome != maker->outcome || a->count != b->count ||
        strcmp(maker->original.reason, maker->mapping.reason) != 0)
        return false;
    for (size_t i = 0; i < ruleset_rule_count(maker->config->rules); i++) {
        if (rule_result_is_match(trace_rule(maker->trace, i)->result) != maker->matched[i])
            return false;
    }
    for (size_t i = 0; i < a->count; i++) {
        if (!same_call(a->items[i], b->items[i]))
            return false;
    }
    return true;
}

/* ---- the test ---- */

/* Makes TEXT expect what comes. */
static int
fill_in(struct capture_maker *maker, struct buf *text, struct diag *diag, enum capture_drop *drop)
{
    struct test_file *file = test_file_parse("captured", text, maker->config, true, diag);
    enum map_outcome outcome;
    int rc = -1;

    *drop = CAPTURE_FAILS;
    if (!file)
        return -1;
    outcome = rule_test_map(&file->tests[0], maker->config->rules, maker->wall_ms, maker->trace,
                            &maker->mapping);
    if (means_the_same(maker, outcome)) {
        rule_test_update(file, &file->tests[0], maker->config, outcome, &maker->mapping);
        (void)test_file_print(file, text);
        rc = 0;
    } else {
        *drop = CAPTURE_CHANGED;
    }
    test_file_free(file);
    return rc;
}

/* Whether the test passes as it is written. */
static bool
passes(struct capture_maker *maker, const struct buf *text, struct diag *diag)
{
    struct test_file *file;
    enum map_outcome outcome;
    struct buf copy;
    bool agrees;

    buf_init(&copy, text->cap);
    buf_add(&copy, buf_text(text), text->len);
    file = test_file_parse("captured", &copy, maker->config, false, diag);
    if (!file)
        return false;
    outcome = rule_test_map(&file->tests[0], maker->config->rules, maker->wall_ms, maker->trace,
                            &maker->mapping);
    agrees = rule_test_agrees(&file->tests[0], outcome, &maker->mapping);
    test_file_free(file);
    return agrees;
}

static bool
is_unfit(const struct capture_maker *maker, const struct event *event, enum capture_drop *drop)
{
    const char *payload = event->payload;

    *drop = CAPTURE_LARGE;
    if (event->payload_len > CAPTURE_EVENT_MAX)
        return true;
    *drop = CAPTURE_NOT_JSON;
    if (maker->outcome == MAP_NOT_JSON && maker->disguise)
        return true;
    *drop = CAPTURE_NO_TEXT;
    return maker->outcome == MAP_NOT_JSON && (!utf8_is_valid(payload, event->payload_len) ||
                                              memchr(payload, '\0', event->payload_len));
}

char *
capture_maker_test(struct capture_maker *maker, const struct event *event,
                   enum capture_drop *ret_drop)
{
    size_t before = strlen(opening), behind = strlen(closing);
    char *test = NULL;
    struct diag diag;
    struct buf text;

    if (is_unfit(maker, event, ret_drop))
        return NULL;
    diag_init(&diag);
    buf_init(&text, CALL_TEXT_MAX);
    add_open_test(maker, event, &text);
    if (!fill_in(maker, &text, &diag, ret_drop)) {
        *ret_drop = CAPTURE_FAILS;
        if (passes(maker, &text, &diag))
            test = xmemdup(buf_text(&text) + before, text.len - before - behind);
    }
    buf_fini(&text);
    diag_fini(&diag);
    return test;
}
