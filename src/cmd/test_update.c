/* Rewriting what tests expect. */
#include <string.h>

#include "base/xalloc.h"
#include "cmd/call_text.h"
#include "cmd/test_file.h"
#include "cmd/write_file.h"

enum {
    LINE_WIDTH = 100,
    BODY_DEPTH = 2 /* of the members of a call's body */
};

/* Adds compact JSON with blanks behind its signs; INDENT: and with each member of the body in a
 * line of its own that begins so. */
static void
add_spaced(struct buf *buf, const char *json, const char *indent)
{
    bool quoted = false;
    int depth = 0;

    for (const char *c = json; *c; c++) {
        buf_add_char(buf, *c);
        if (quoted && *c == '\\') {
            buf_add_char(buf, *++c);
            continue;
        }
        if (*c == '"')
            quoted = !quoted;
        if (quoted)
            continue;
        depth += (*c == '{' || *c == '[') - (*c == '}' || *c == ']');
        if (indent && depth == BODY_DEPTH && (*c == '{' || *c == ','))
            buf_printf(buf, "\n%s", indent);
        else if (*c == ',' || *c == ':')
            buf_add_char(buf, ' ');
    }
}

/* Adds a call in one line, or, where that is long, in several. */
static void
add_call(struct buf *buf, const char *json, const char *indent)
{
    char *deeper = xasprintf("%s  ", indent);
    size_t start = buf->len;

    add_spaced(buf, json, NULL);
    if (buf->len - start + strlen(indent) > LINE_WIDTH) {
        buf_truncate(buf, start);
        add_spaced(buf, json, deeper);
    }
    xfree(deeper);
}

/* The blanks with which the line begins that AT stands in. */
static char *
find_indent(const char *text, size_t at)
{
    size_t start = at, len = 0;
    char *copy;

    while (start > 0 && text[start - 1] != '\n')
        start--;
    while (text[start + len] == ' ' || text[start + len] == '\t')
        len++;
    copy = xmemdup(text + start, len);
    return copy;
}

/* The member that says what is expected; NAME and VALUE are empty and at the end of the last member
 * where there is none. */
static bool
find_expectation(const char *text, struct json_range object, struct json_range *name,
                 struct json_range *value)
{
    if (json_text_find(text, object, "expect", name, value) ||
        json_text_find(text, object, "error", name, value))
        return true;
    for (size_t i = 0; json_text_member(text, object, i, name, value); i++)
        ;
    return false;
}

void
rule_test_update(const struct test_file *file, struct rule_test *test, const struct config *config,
                 enum map_outcome outcome, const struct mapping *mapping)
{
    struct json_range name, value;
    struct buf out, json;
    char *indent, *deeper;

    find_expectation(buf_text(&file->text), test->object, &name, &value);
    indent = find_indent(buf_text(&file->text), name.at);
    deeper = xasprintf("%s  ", indent);
    buf_init(&out, CALL_TEXT_MAX);
    buf_init(&json, CALL_TEXT_MAX);
    if (map_outcome_is_failure(outcome)) {
        buf_add_text(&out, "\"error\": ");
        buf_add_json(&out, mapping->reason, strlen(mapping->reason));
    } else {
        buf_add_text(&out, "\"expect\": [");
        for (size_t i = 0; i < mapping->calls.count; i++) {
            buf_reset(&json);
            call_text_add_json(&json, config, mapping->calls.items[i], config->account_count > 1);
            buf_printf(&out, "%s\n%s", i ? "," : "", deeper);
            add_call(&out, buf_text(&json), deeper);
        }
        if (mapping->calls.count)
            buf_printf(&out, "\n%s", indent);
        buf_add_char(&out, ']');
    }
    xfree(indent);
    xfree(deeper);
    xfree(test->update);
    test->update = buf_steal(&out);
    buf_fini(&json);
}

/* Adds the file's text from AT up to the end of what TEST expects, that replaced; returns the place
 * behind it. */
static size_t
add_updated(struct buf *out, const struct test_file *file, const struct rule_test *test, size_t at)
{
    const char *text = buf_text(&file->text);
    struct json_range name, value;

    if (find_expectation(text, test->object, &name, &value)) {
        buf_add(out, text + at, name.at - at);
        buf_add_text(out, test->update);
    } else {
        char *indent = find_indent(text, name.at);

        buf_add(out, text + at, value.end - at);
        buf_printf(out, ",\n%s%s", indent, test->update);
        xfree(indent);
    }
    return value.end;
}

int
test_file_print(const struct test_file *file, struct buf *out)
{
    size_t at = 0;
    int count = 0;

    for (size_t i = 0; i < file->count; i++) {
        if (!file->tests[i].update)
            continue;
        at = add_updated(out, file, &file->tests[i], at);
        count++;
    }
    buf_add(out, buf_text(&file->text) + at, file->text.len - at);
    return count;
}

int
test_file_write(const struct test_file *file, struct err *err)
{
    struct buf out;
    int count, rc = 0;

    buf_init(&out, 2 * CALL_TEXT_MAX);
    count = test_file_print(file, &out);
    if (buf_toobig(&out))
        rc = err_set(err, "%s: would become too large", file->path);
    else if (count)
        rc = write_file(file->path, &out, true, err);
    buf_fini(&out);
    return rc ? -1 : count;
}
