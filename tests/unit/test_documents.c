/*
 * What the documents say, done: each recipe of docs/cookbook.md is a configuration that loads
 * without a warning and makes of its events the calls beneath them; each value in docs/rules.md is
 * right. Runs in the folder of the project.
 */

#include <unistd.h>

#include "base/xalloc.h"
#include "config/config.h"
#include "rules_unit.h"
#include "sendx/model.h"

enum { LINE_MAX_LEN = 4096, BLOCK_MAX = 64 * 1024, HEADERS_MAX = 8 };

/* A block between fences: its language, what stands behind that, and its lines. */
struct block {
    char language[32], info[256];
    struct buf text;
};

struct document {
    const char *path;
    FILE *in;
    char heading[256]; /* the last one */
    int line;
};

static void
document_open(struct document *document, const char *path)
{
    *document = (struct document){.path = path, .in = fopen(path, "r")};
    if (!document->in)
        fail_msg("%s cannot be read from here", path);
}

static bool
document_line(struct document *document, char *line)
{
    if (!fgets(line, LINE_MAX_LEN, document->in))
        return false;
    document->line++;
    line[strcspn(line, "\n")] = '\0';
    if (!strncmp(line, "### ", 4))
        snprintf(document->heading, sizeof(document->heading), "%.250s", line + 4);
    return true;
}

/* The next block; false when there is none. */
static bool
document_block(struct document *document, struct block *block)
{
    char line[LINE_MAX_LEN];

    do {
        if (!document_line(document, line))
            return false;
    } while (strncmp(line, "```", 3) != 0);
    block->language[0] = block->info[0] = '\0';
    sscanf(line, "```%31[a-z] %255s", block->language, block->info);
    buf_reset(&block->text);
    while (document_line(document, line) && strcmp(line, "```") != 0) {
        buf_add_text(&block->text, line);
        buf_add_char(&block->text, '\n');
    }
    return true;
}

/* The cookbook */

/* The configuration of a recipe, or NULL after a failure was told. */
static struct config *
load_recipe(const struct document *document, const char *rules)
{
    static const char one[] = "accounts: ( { name = \"main\"; api = \"rest\"; api_key = "
                              "\"${env:COOKBOOK}\"; } );\n";
    static const char two[] =
        "accounts: ( { name = \"shop\"; api = \"rest\"; api_key = "
        "\"${env:COOKBOOK}\"; },\n { name = \"blog\"; api = \"rest\"; api_key "
        "= \"${env:COOKBOOK}\"; } );\n";
    char path[] = "/tmp/cookbook-XXXXXX";
    int fd = mkstemp(path);
    FILE *out = fdopen(fd, "w");
    struct config *config;
    struct diag diag;

    fputs(strstr(rules, "account = ") ? two : one, out);
    if (strncmp(rules, "email = ", 8) != 0)
        fputs("email = \"${user.email | trim | lower}\";\n", out);
    fputs(rules, out);
    fclose(out);
    setenv("COOKBOOK", "key", 1);
    diag_init(&diag);
    config = config_load(path, CONFIG_SECRETS_REQUIRED, NULL, &diag);
    if (config)
        config_lint(config, &diag);
    unlink(path);
    for (size_t i = 0; i < diag.count; i++)
        print_error("%s\n", diag.items[i].text);
    if (!config || diag.count)
        fail_msg("%s:%d: \"%s\" does not load without a word", document->path, document->line,
                 document->heading);
    diag_fini(&diag);
    return config;
}

/* What stands before the payload in an event's block: "key: …", "timestamp: …", "now: …" and
 * "header NAME: …". */
struct given {
    struct event event;
    struct event_header headers[HEADERS_MAX];
    int64_t now_ms;
    char *lines; /* cut up: names and values are borrowed from it */
};

static void
read_given(struct given *given, const char *topic, const char *text)
{
    char *at = given->lines = xstrdup(text);

    given->now_ms = INT64_C(1770000000000);
    given->event =
        (struct event){.topic = topic, .timestamp_ms = EVENT_NO_TIME, .headers = given->headers};
    while (*at != '{' && *at != '[') {
        char *end = at + strcspn(at, "\n"), *value = strstr(at, ": ");

        if (!*end || !value || value > end)
            fail_msg("an event has the line: %s", at);
        *end = *value = '\0';
        value += 2;
        if (!strcmp(at, "key")) {
            given->event.key = value;
            given->event.key_len = strlen(value);
        } else if (!strcmp(at, "timestamp")) {
            given->event.timestamp_ms = strtoll(value, NULL, 10);
        } else if (!strcmp(at, "now")) {
            given->now_ms = strtoll(value, NULL, 10);
        } else if (!strncmp(at, "header ", 7) && given->event.header_count < HEADERS_MAX) {
            given->headers[given->event.header_count++] =
                (struct event_header){at + 7, value, strlen(value)};
        } else {
            fail_msg("an event cannot have \"%s\"", at);
        }
        at = end + 1;
    }
    given->event.payload = at;
    given->event.payload_len = strlen(at);
}

static json_t *
call_json(const struct config *config, const struct call *call)
{
    json_t *json = json_object();
    struct buf body;

    if (config->account_count > 1)
        json_object_set_new(json, "account", json_string(config->accounts[call->account].name));
    buf_init(&body, BLOCK_MAX);
    if (call->kind == CALL_IDENTIFY)
        contact_request_write(&call->identify, &body);
    else
        track_request_write(&call->track, true, &body);
    json_object_set_new(json, call_kind_name(call->kind), json_loads(buf_text(&body), 0, NULL));
    buf_fini(&body);
    return json;
}

static void
add_bytes(struct buf *text, const json_t *json)
{
    size_t size = json_dumpb(json, NULL, 0, JSON_COMPACT);
    char *bytes = xmalloc(size + 1);

    json_dumpb(json, bytes, size, JSON_COMPACT);
    buf_add(text, bytes, size);
    xfree(bytes);
}

static void
check_calls(const struct document *document, const struct config *config, const char *topic,
            const char *event, const char *expected)
{
    struct given given = {0};
    struct mapping mapping;
    json_error_t error;
    json_t *wanted = json_loads(expected, 0, &error), *found = json_array();

    if (!wanted)
        fail_msg("%s:%d: the calls are no JSON: %s", document->path, document->line, error.text);
    read_given(&given, topic, event);
    mapping_init(&mapping);
    ruleset_map(config->rules, &given.event, given.now_ms, &mapping);
    for (size_t i = 0; i < mapping.calls.count; i++)
        json_array_append_new(found, call_json(config, mapping.calls.items[i]));
    if (!json_equal(wanted, found)) {
        struct buf text;

        buf_init(&text, BLOCK_MAX);
        add_bytes(&text, found);
        fail_msg("%s:%d: \"%s\" gives %s %s\n  and not %s", document->path, document->line,
                 document->heading, buf_text(&text), mapping.reason, expected);
    }
    mapping_fini(&mapping);
    json_decref(wanted);
    json_decref(found);
    xfree(given.lines);
}

static void
each_recipe_of_the_cookbook_does_what_it_says(void **state)
{
    struct document document;
    struct config *config = NULL;
    struct block block;
    char topic[256] = "", *event = NULL;
    int recipes = 0, outcomes = 0;

    (void)state;
    buf_init(&block.text, BLOCK_MAX);
    document_open(&document, "docs/cookbook.md");
    while (document_block(&document, &block)) {
        if (!strcmp(block.language, "rules")) {
            config_free(config);
            config = load_recipe(&document, buf_text(&block.text));
            recipes++;
        } else if (!strcmp(block.language, "event")) {
            assert_null(event);
            snprintf(topic, sizeof(topic), "%s", block.info);
            event = xstrdup(buf_text(&block.text));
        } else if (!strcmp(block.language, "calls")) {
            assert_non_null(event);
            check_calls(&document, config, topic, event, buf_text(&block.text));
            xfree(event);
            event = NULL;
            outcomes++;
        }
    }
    assert_null(event);
    print_message("%d recipes, %d events\n", recipes, outcomes);
    assert_true(recipes >= 20 && outcomes >= recipes);
    config_free(config);
    buf_fini(&block.text);
    fclose(document.in);
}

/* The reference */

static void
check_value(const struct document *document, const char *line, const struct buf *event)
{
    static const char arrow[] = "→";
    const char *sign = strstr(line, arrow), *end = sign;
    char expression[512];
    struct lab lab;
    json_t *wanted, *found;

    if (!sign)
        fail_msg("%s:%d: no value: %s", document->path, document->line, line);
    while (end > line && end[-1] == ' ')
        end--;
    snprintf(expression, sizeof(expression), "%.*s", (int)(end - line), line);
    lab_init(&lab);
    found = json_loads(lab_value(&lab, expression, false, event->data, event->len, NULL),
                       JSON_DECODE_ANY, NULL);
    wanted = json_loads(sign + strlen(arrow), JSON_DECODE_ANY, NULL);
    if (!wanted || !found || !json_equal(wanted, found))
        fail_msg("%s: %s is %s", document->path, expression, buf_text(&lab.out));
    json_decref(wanted);
    json_decref(found);
    lab_fini(&lab);
}

static void
each_value_in_the_reference_of_rules_is_right(void **state)
{
    struct document document;
    char line[LINE_MAX_LEN], before[LINE_MAX_LEN] = "";
    struct buf event;
    int values = 0;

    (void)state;
    buf_init(&event, BLOCK_MAX);
    document_open(&document, "docs/rules.md");
    while (document_line(&document, line)) {
        bool is_event = !strcmp(before, "<!-- example: event -->");
        bool is_list = !strcmp(before, "<!-- example: expressions -->");

        snprintf(before, sizeof(before), "%s", line);
        while ((is_event || is_list) && document_line(&document, line) && strcmp(line, "```")) {
            if (is_event) {
                buf_add_text(&event, line);
            } else {
                check_value(&document, line, &event);
                values++;
            }
        }
    }
    print_message("%d values\n", values);
    assert_true(values >= 20);
    buf_fini(&event);
    fclose(document.in);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_recipe_of_the_cookbook_does_what_it_says),
        cmocka_unit_test(each_value_in_the_reference_of_rules_is_right),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
