#include "cmd/test_diff.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "cmd/test_file.h"

enum {
    LINES_MAX = 20000,
    CELLS_MAX = 4 * 1000 * 1000 /* of the table that finds common lines */
};

struct line_list {
    char **items;
    size_t count, cap;
};

/* The lines of a call. Sorted where order does not matter, so that they can be compared. */

static void
add_line(struct line_list *lines, char *text)
{
    lines->items = xgrow(lines->items, lines->count, &lines->cap, sizeof(lines->items[0]));
    lines->items[lines->count++] = text;
}

static void
free_lines(struct line_list *lines)
{
    for (size_t i = 0; i < lines->count; i++)
        xfree(lines->items[i]);
    xfree(lines->items);
}

static void
add_member(struct line_list *lines, const char *name, const char *text)
{
    struct buf buf;

    if (!text)
        return;
    buf_init(&buf, 64 << 20);
    buf_printf(&buf, "     %-12s ", name);
    buf_add_json(&buf, text, strlen(text));
    add_line(lines, buf_steal(&buf));
}

static int
compare_lines(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Sorts the lines from START on and drops what stands twice. */
static void
sort_lines(struct line_list *lines, size_t start)
{
    size_t kept = start;

    if (lines->count - start < 2)
        return;
    qsort(lines->items + start, lines->count - start, sizeof(lines->items[0]), compare_lines);
    for (size_t i = start; i < lines->count; i++) {
        if (kept > start && !strcmp(lines->items[kept - 1], lines->items[i]))
            xfree(lines->items[i]);
        else
            lines->items[kept++] = lines->items[i];
    }
    lines->count = kept;
}

static void
add_tags(struct line_list *lines, const char *name, const struct text_list *tags)
{
    size_t start = lines->count;

    for (size_t i = 0; i < tags->count; i++)
        add_member(lines, name, tags->items[i]);
    sort_lines(lines, start);
}

static void
add_fields(struct line_list *lines, const struct field_list *fields)
{
    size_t start = lines->count;

    for (size_t i = 0; i < fields->count; i++) {
        char *name = xasprintf("customFields.%s", fields->items[i].name);

        add_member(lines, name, fields->items[i].value);
        xfree(name);
    }
    sort_lines(lines, start);
}

static void
add_body(struct line_list *lines, const struct call *call)
{
    const struct contact_request *identify = &call->identify;

    if (call->kind == CALL_TRACK) {
        add_member(lines, "email", call->track.email);
        add_tags(lines, "addTags", &call->track.add_tags);
        add_tags(lines, "removeTags", &call->track.remove_tags);
        return;
    }
    add_member(lines, "email", identify->email);
    add_member(lines, "newEmail", identify->new_email);
    add_member(lines, "firstName", identify->first_name);
    add_member(lines, "lastName", identify->last_name);
    add_member(lines, "company", identify->company);
    add_member(lines, "birthday", identify->birthday);
    add_fields(lines, &identify->custom_fields);
    add_tags(lines, "tags", &identify->tags);
}

/* NAMED: which of rule and account are shown. */
static void
add_call(struct line_list *lines, const struct config *config, const struct call *call,
         size_t number, const struct call *named)
{
    struct buf head;

    buf_init(&head, 64 << 10);
    buf_printf(&head, "  %zu. %s", number, call_kind_name(call->kind));
    if (*named->rule)
        buf_printf(&head, " from rule \"%s\"", call->rule);
    if (named->account != TEST_ANY_ACCOUNT)
        buf_printf(&head, " to account \"%s\"", config->accounts[call->account].name);
    add_line(lines, buf_steal(&head));
    add_body(lines, call);
}

static void
add_calls(struct line_list *lines, const struct config *config, const struct call_list *calls,
          const struct call_list *expected)
{
    static const struct call none = {.rule = "", .account = TEST_ANY_ACCOUNT};

    for (size_t i = 0; i < calls->count && lines->count < LINES_MAX; i++) {
        const struct call *named = &none;

        if (i < expected->count)
            named = expected->items[i];
        else if (expected->count == 0)
            named = calls->items[i];
        add_call(lines, config, calls->items[i], i + 1, named);
    }
    if (!calls->count)
        add_line(lines, xstrdup("  no call"));
}

static bool
bodies_agree(const struct call *a, const struct call *b)
{
    struct line_list of_a = {0}, of_b = {0};
    bool same;

    add_body(&of_a, a);
    add_body(&of_b, b);
    same = of_a.count == of_b.count;
    for (size_t i = 0; same && i < of_a.count; i++)
        same = !strcmp(of_a.items[i], of_b.items[i]);
    free_lines(&of_a);
    free_lines(&of_b);
    return same;
}

bool
test_calls_agree(const struct call_list *expected, const struct call_list *got)
{
    if (expected->count != got->count)
        return false;
    for (size_t i = 0; i < got->count; i++) {
        const struct call *a = expected->items[i], *b = got->items[i];

        if (a->kind != b->kind || (*a->rule && strcmp(a->rule, b->rule) != 0) ||
            (a->account != TEST_ANY_ACCOUNT && a->account != b->account) || !bodies_agree(a, b))
            return false;
    }
    return true;
}

/* The difference */

/* cells[i * (b + 1) + j]: how many lines the tails from A's I and B's J on have in common. NULL
 * when there are too many. */
static unsigned *
find_common(const struct line_list *a, const struct line_list *b)
{
    size_t width = b->count + 1;
    unsigned *cells;

    if ((a->count + 1) * width > CELLS_MAX)
        return NULL;
    cells = xcalloc((a->count + 1) * width, sizeof(cells[0]));
    for (size_t i = a->count; i-- > 0;) {
        for (size_t j = b->count; j-- > 0;) {
            unsigned down = cells[(i + 1) * width + j], right = cells[i * width + j + 1];

            if (!strcmp(a->items[i], b->items[j]))
                cells[i * width + j] = cells[(i + 1) * width + j + 1] + 1;
            else
                cells[i * width + j] = down > right ? down : right;
        }
    }
    return cells;
}

static void
print_line(FILE *out, const char *indent, char sign, const char *line)
{
    fprintf(out, "%s%c", indent, sign);
    for (; *line; line++)
        fputc((unsigned char)*line < ' ' || *line == 0x7f ? ' ' : *line, out);
    fputc('\n', out);
}

static void
print_lines(const struct line_list *a, const struct line_list *b, const char *indent, FILE *out)
{
    unsigned *cells = find_common(a, b);
    size_t width = b->count + 1, i = 0, j = 0;

    while (i < a->count || j < b->count) {
        bool more_a = i < a->count, more_b = j < b->count;

        if (cells && more_a && more_b && !strcmp(a->items[i], b->items[j])) {
            print_line(out, indent, ' ', a->items[i++]);
            j++;
        } else if (more_a &&
                   (!more_b || !cells || cells[(i + 1) * width + j] >= cells[i * width + j + 1])) {
            print_line(out, indent, '-', a->items[i++]);
        } else {
            print_line(out, indent, '+', b->items[j++]);
        }
    }
    xfree(cells);
}

void
test_print_diff(const struct config *config, const struct call_list *expected,
                const struct call_list *got, const char *indent, FILE *out)
{
    struct line_list a = {0}, b = {0};

    add_calls(&a, config, expected, expected);
    add_calls(&b, config, got, expected);
    print_lines(&a, &b, indent, out);
    free_lines(&a);
    free_lines(&b);
}
