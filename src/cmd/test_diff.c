#include "cmd/test_diff.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "cmd/test_file.h"

enum {
    CELLS_MAX = 4 * 1000 * 1000 /* of the table that finds what is common */
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
         const struct call *named)
{
    struct buf head;

    buf_init(&head, 64 << 10);
    buf_printf(&head, "  %s", call_kind_name(call->kind));
    if (*named->rule)
        buf_printf(&head, " from rule \"%s\"", call->rule);
    if (named->account != TEST_ANY_ACCOUNT)
        buf_printf(&head, " to account \"%s\"", config->accounts[call->account].name);
    add_line(lines, buf_steal(&head));
    add_body(lines, call);
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

/* The difference of two rows of things, lines of a call or whole calls, by the longest row that
 * both have in common. */

typedef bool same_fn(const void *a, const void *b);

struct row {
    const void *const *items;
    size_t count;
};

/* cells[i * (b + 1) + j]: how much the tails from A's I and B's J on have in common. NULL when
 * there is too much to look at. */
static unsigned *
find_common(struct row a, struct row b, same_fn *same)
{
    size_t width = b.count + 1;
    unsigned *cells;

    if ((a.count + 1) * width > CELLS_MAX)
        return NULL;
    cells = xcalloc((a.count + 1) * width, sizeof(cells[0]));
    for (size_t i = a.count; i-- > 0;) {
        for (size_t j = b.count; j-- > 0;) {
            unsigned down = cells[(i + 1) * width + j], right = cells[i * width + j + 1];

            if (same(a.items[i], b.items[j]))
                cells[i * width + j] = cells[(i + 1) * width + j + 1] + 1;
            else
                cells[i * width + j] = down > right ? down : right;
        }
    }
    return cells;
}

/* What comes next: ' ' when both have it, '-' what only A has, '+' what only B has; '\0' at the
 * end. */
static char
next_sign(struct row a, struct row b, const unsigned *cells, same_fn *same, size_t i, size_t j)
{
    size_t width = b.count + 1;

    if (i == a.count)
        return j < b.count ? '+' : '\0';
    if (j == b.count)
        return '-';
    if (!cells)
        return '-';
    if (same(a.items[i], b.items[j]))
        return ' ';
    return cells[(i + 1) * width + j] >= cells[i * width + j + 1] ? '-' : '+';
}

static bool
same_line(const void *a, const void *b)
{
    return !strcmp(a, b);
}

/* Whether two calls are about the same, so that the lines tell what differs. */
static bool
same_purpose(const void *a, const void *b)
{
    const struct call *x = a, *y = b;

    return x->kind == y->kind && !strcmp(call_email(x), call_email(y));
}

/* Where a difference goes. */
struct page {
    struct test_side expected, got;
    const char *indent;
    struct buf *out;
};

static void
put_line(const struct page *page, char sign, const char *line)
{
    buf_add_text(page->out, page->indent);
    buf_add_char(page->out, sign);
    for (; *line; line++)
        buf_add_char(page->out, (unsigned char)*line < ' ' || *line == 0x7f ? ' ' : *line);
    buf_add_char(page->out, '\n');
}

static void
put_pair(const struct page *page, const struct call *expected, const struct call *got)
{
    struct line_list of_a = {0}, of_b = {0};
    struct row a, b;
    size_t i = 0, j = 0;
    unsigned *cells;
    char sign;

    add_call(&of_a, page->expected.config, expected, expected);
    add_call(&of_b, page->got.config, got, expected);
    a = (struct row){(const void *const *)of_a.items, of_a.count};
    b = (struct row){(const void *const *)of_b.items, of_b.count};
    cells = find_common(a, b, same_line);
    while ((sign = next_sign(a, b, cells, same_line, i, j))) {
        put_line(page, sign, sign == '+' ? of_b.items[j] : of_a.items[i]);
        i += sign != '+';
        j += sign != '-';
    }
    xfree(cells);
    free_lines(&of_a);
    free_lines(&of_b);
}

static void
put_whole(const struct page *page, char sign, const struct call *call)
{
    struct line_list lines = {0};

    add_call(&lines, sign == '+' ? page->got.config : page->expected.config, call, call);
    for (size_t i = 0; i < lines.count; i++)
        put_line(page, sign, lines.items[i]);
    free_lines(&lines);
}

void
test_add_diff(struct test_side expected, struct test_side got, const char *indent, struct buf *out)
{
    struct page page = {.expected = expected, .got = got, .indent = indent, .out = out};
    struct row a = {(const void *const *)expected.calls->items, expected.calls->count};
    struct row b = {(const void *const *)got.calls->items, got.calls->count};
    unsigned *cells = find_common(a, b, same_purpose);
    size_t i = 0, j = 0;
    char sign;

    while ((sign = next_sign(a, b, cells, same_purpose, i, j))) {
        if (sign == ' ')
            put_pair(&page, expected.calls->items[i], got.calls->items[j]);
        else
            put_whole(&page, sign, sign == '+' ? got.calls->items[j] : expected.calls->items[i]);
        i += sign != '+';
        j += sign != '-';
    }
    xfree(cells);
}

void
test_add_plain(const struct config *config, const struct call *call, struct buf *out)
{
    struct line_list lines = {0};

    add_body(&lines, call);
    buf_printf(out, "%s to %s\n", call_kind_name(call->kind), config->accounts[call->account].name);
    for (size_t i = 0; i < lines.count; i++) {
        buf_add_text(out, lines.items[i]);
        buf_add_char(out, '\n');
    }
    free_lines(&lines);
}
