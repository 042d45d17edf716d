#include "cmd/test_file.h"

#include <errno.h>
#include <string.h>

#include "base/nearest.h"
#include "base/xalloc.h"
#include "cmd/contact_json.h"
#include "rules/decode.h"

enum { FILE_BYTES_MAX = 256 * 1024 * 1024 };

/* Where a test is read, and whom to tell. */
struct reading {
    struct test_file *file;
    const struct config *config;
    bool may_be_open;
    struct diag *diag;
    size_t number; /* of the test, from 1 */
    struct rule_test *test;
};

unsigned
test_file_line(const struct test_file *file, const struct rule_test *test)
{
    const char *text = buf_text(&file->text);
    unsigned line = 1;

    for (size_t i = 0; i < test->object.at; i++)
        line += text[i] == '\n';
    return line;
}

static int
refuse(const struct reading *reading, const char *why)
{
    struct place at = {reading->file->path, test_file_line(reading->file, reading->test)};

    if (reading->test->name)
        return diag_error(reading->diag, at, "test %zu, \"%s\": %s", reading->number,
                          reading->test->name, why);
    return diag_error(reading->diag, at, "test %zu: %s", reading->number, why);
}

static int
refuse_member(const struct reading *reading, const char *name)
{
    static const char *const members[] = {"name",    "topic",     "event", "payload", "key",
                                          "headers", "timestamp", "now",   "expect",  "error"};
    struct nearest nearest;
    struct buf text;

    nearest_init(&nearest, name);
    for (size_t i = 0; i < ARRAY_LEN(members); i++)
        nearest_try(&nearest, members[i]);
    buf_init(&text, ERR_MAX);
    buf_printf(&text, "there is no \"%.100s\" in a test", name);
    if (nearest_best(&nearest))
        buf_printf(&text, "; did you mean \"%s\"?", nearest_best(&nearest));
    refuse(reading, buf_text(&text));
    buf_fini(&text);
    return -1;
}

static int
check_members(const struct reading *reading, json_t *object)
{
    const char *name;
    json_t *value;
    int rc = 0;

    json_object_foreach(object, name, value) {
        bool known = record_json_has(name, false) || !strcmp(name, "name") ||
                     !strcmp(name, "now") || !strcmp(name, "expect") || !strcmp(name, "error");

        if (!known)
            rc = refuse_member(reading, name);
    }
    return rc;
}

/* Expected calls */

static int
find_account(const struct reading *reading, const json_t *name, unsigned *ret, struct err *err)
{
    const struct config *config = reading->config;

    *ret = TEST_ANY_ACCOUNT;
    if (!name)
        return 0;
    for (size_t i = 0; i < config->account_count; i++) {
        if (json_is_string(name) && !strcmp(config->accounts[i].name, json_string_value(name))) {
            *ret = (unsigned)i;
            return 0;
        }
    }
    return err_set(err, "\"account\" must be the name of one of the accounts");
}

static int
check_call(json_t *json, struct err *err)
{
    const char *name;
    json_t *value;

    if (!json_is_object(json))
        return err_set(err, "a call is an object: {\"track\": {…}} or {\"identify\": {…}}");
    json_object_foreach(json, name, value) {
        if (strcmp(name, "rule") && strcmp(name, "account") && strcmp(name, "identify") &&
            strcmp(name, "track"))
            return err_set(err,
                           "there is no \"%.100s\" in a call, only identify or track, rule and "
                           "account",
                           name);
    }
    if (!json_object_get(json, "identify") == !json_object_get(json, "track"))
        return err_set(err, "a call has one of \"identify\" and \"track\"");
    return 0;
}

static int
fill_call(struct call *call, json_t *body, struct err *err)
{
    if (call->kind == CALL_IDENTIFY) {
        if (contact_json_read_tree(&call->identify, &call->arena, body, err))
            return err_prefix(err, "identify");
        return 0;
    }
    if (contact_json_read_track(&call->track, &call->arena, body, err))
        return err_prefix(err, "track");
    return 0;
}

static int
read_call(const struct reading *reading, json_t *json, struct err *err)
{
    json_t *identify = json_object_get(json, "identify"), *rule = json_object_get(json, "rule");
    struct call *call;
    unsigned account;

    if (check_call(json, err) ||
        find_account(reading, json_object_get(json, "account"), &account, err))
        return -1;
    if (rule && !json_is_string(rule))
        return err_set(err, "\"rule\" must be the name of a rule");
    call = call_new(identify ? CALL_IDENTIFY : CALL_TRACK, account,
                    rule ? json_string_value(rule) : "");
    call_list_add(&reading->test->expected, call);
    return fill_call(call, identify ? identify : json_object_get(json, "track"), err);
}

static int
read_calls(const struct reading *reading, const json_t *calls)
{
    if (!json_is_array(calls))
        return refuse(reading, "\"expect\" must be an array of calls; [] is none");
    for (size_t i = 0; i < json_array_size(calls); i++) {
        struct err err = {{0}};

        if (read_call(reading, json_array_get(calls, i), &err)) {
            err_prefix(&err, "expect[%zu]", i);
            return refuse(reading, err.msg);
        }
    }
    return 0;
}

static int
read_expectation(const struct reading *reading, const json_t *object)
{
    const json_t *calls = json_object_get(object, "expect");
    const json_t *error = json_object_get(object, "error");

    if (calls && error)
        return refuse(reading,
                      "has both \"expect\" and \"error\"; an event becomes calls or fails");
    if (calls)
        return read_calls(reading, calls);
    if (error) {
        if (!json_is_string(error) || !json_string_length(error))
            return refuse(reading, "\"error\" must be text that the reason holds");
        reading->test->error = json_string_value(error);
        return 0;
    }
    reading->test->is_open = true;
    if (!reading->may_be_open)
        return refuse(reading,
                      "expects nothing: write \"expect\": [call…] or \"error\": \"text\", or "
                      "let --update do it");
    return 0;
}

/* Tests */

static int
read_test(const struct reading *reading, json_t *object)
{
    struct rule_test *test = reading->test;
    const char *text = buf_text(&reading->file->text);
    struct err err = {{0}};

    if (!json_is_object(object))
        return refuse(reading, "must be an object: {\"name\": …, \"topic\": …, \"event\": …, "
                               "\"expect\": …}");
    test->name = json_string_value(json_object_get(object, "name"));
    if (check_members(reading, object))
        return -1;
    if (!test->name || !*test->name)
        return refuse(reading, "\"name\" must say in words what is tested");
    if (record_json_read(&test->record, object, text, test->object, &err))
        return refuse(reading, err.msg);
    test->has_now = json_object_get(object, "now") != NULL;
    if (record_json_time(object, "now", &test->now_ms, &err))
        return refuse(reading, err.msg);
    return read_expectation(reading, object);
}

static int
read_tests(struct test_file *file, struct reading *reading)
{
    const char *text = buf_text(&file->text);
    struct json_range array = json_text_value(text, file->text.len, 0);
    size_t count = json_array_size(file->root), errors = reading->diag->errors;

    if (!json_is_array(file->root))
        return diag_error(reading->diag, (struct place){file->path, 0},
                          "must hold an array of tests: [{\"name\": …, \"topic\": …, \"event\": …, "
                          "\"expect\": …}]");
    file->tests = xcalloc(count + 1, sizeof(file->tests[0]));
    for (size_t i = 0; i < count; i++) {
        struct rule_test *test = &file->tests[file->count++];

        call_list_init(&test->expected);
        json_text_element(text, array, i, &test->object);
        reading->number = i + 1;
        reading->test = test;
        /* What is wrong is in the diag. */
        if (read_test(reading, json_array_get(file->root, i)))
            continue;
    }
    return reading->diag->errors == errors ? 0 : -1;
}

static int
load_text(struct test_file *file, struct diag *diag)
{
    FILE *in = fopen(file->path, "re");
    char chunk[16384];
    size_t len;

    if (!in)
        return diag_error(diag, (struct place){file->path, 0}, "%s", strerror(errno));
    while ((len = fread(chunk, 1, sizeof(chunk), in)))
        buf_add(&file->text, chunk, len);
    fclose(in);
    if (buf_toobig(&file->text))
        return diag_error(diag, (struct place){file->path, 0}, "has more than 256 MiB");
    return 0;
}

static int
load_tree(struct test_file *file, struct diag *diag)
{
    const char *text = buf_text(&file->text);
    char reason[256];
    json_error_t at;

    file->root = json_loadb(text, file->text.len, JSON_DECODE_ANY, &at);
    if (!file->root && json_error_code(&at) == json_error_numeric_overflow)
        file->root = decode_json(text, file->text.len, reason, sizeof(reason));
    if (file->root)
        return 0;
    return diag_error(diag, (struct place){file->path, at.line > 0 ? (unsigned)at.line : 0},
                      "not JSON: column %d: %s", at.column, at.text);
}

static struct test_file *
parse(struct test_file *file, const struct config *config, bool may_be_open, struct diag *diag)
{
    struct reading reading = {
        .file = file, .config = config, .may_be_open = may_be_open, .diag = diag};

    if (!load_tree(file, diag) && !read_tests(file, &reading))
        return file;
    test_file_free(file);
    return NULL;
}

struct test_file *
test_file_read(const char *path, const struct config *config, bool may_be_open, struct diag *diag)
{
    struct test_file *file = xcalloc(1, sizeof(*file));

    file->path = path;
    buf_init(&file->text, FILE_BYTES_MAX);
    if (!load_text(file, diag))
        return parse(file, config, may_be_open, diag);
    test_file_free(file);
    return NULL;
}

struct test_file *
test_file_parse(const char *path, struct buf *text, const struct config *config, bool may_be_open,
                struct diag *diag)
{
    struct test_file *file = xcalloc(1, sizeof(*file));

    file->path = path;
    file->text = *text;
    buf_init(text, text->cap);
    return parse(file, config, may_be_open, diag);
}

void
test_file_free(struct test_file *file)
{
    if (!file)
        return;
    for (size_t i = 0; i < file->count; i++) {
        record_json_fini(&file->tests[i].record);
        call_list_fini(&file->tests[i].expected);
        xfree(file->tests[i].update);
    }
    xfree(file->tests);
    json_decref(file->root);
    buf_fini(&file->text);
    xfree(file);
}
