#include "config/option.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/nearest.h"
#include "base/utf8.h"
#include "base/xalloc.h"
#include "config/expand.h"
#include "config/offset_list.h"
#include "config/quote.h"
#include "config/unit.h"
#include "rules/decimal.h"

/* A value on its way into its struct. */
struct option_value {
    int64_t integer; /* also a duration in ms, a size in bytes, a boolean, the index of a choice */
    double number;   /* for comparing with the range */
    char *text;      /* owned */
};

static const char *
expected(enum option_type type)
{
#define X(id, name, text) text,
    static const char *const texts[] = {OPTION_TYPE_TABLE(X)};
#undef X

    return texts[type];
}

/* The index of TEXT in "a|b|c", or -1. */
static int
choice_index(const char *choices, const char *text)
{
    size_t len = strlen(text);

    for (int i = 0;; i++) {
        size_t room = strcspn(choices, "|");

        if (room == len && memcmp(choices, text, len) == 0)
            return i;
        if (!choices[room])
            return -1;
        choices += room + 1;
    }
}

static void
add_choice(struct buf *out, const char *choices, int index)
{
    while (index-- > 0)
        choices += strcspn(choices, "|") + 1;
    buf_add(out, choices, strcspn(choices, "|"));
}

/* "a", "b" or "c" */
static void
list_choices(struct buf *out, const char *choices)
{
    for (;;) {
        size_t len = strcspn(choices, "|");

        buf_printf(out, "\"%.*s\"", (int)len, choices);
        if (!choices[len])
            return;
        choices += len + 1;
        buf_add_text(out, strchr(choices, '|') ? ", " : " or ");
    }
}

static int
parse_choice(const struct option *option, const char *text, struct option_value *value,
             struct err *err)
{
    int index = choice_index(option->choices, text);
    struct buf known;

    if (index >= 0) {
        value->integer = index;
        return 0;
    }
    buf_init(&known, 256);
    list_choices(&known, option->choices);
    if (option->type == OPTION_START)
        buf_add_text(&known, " or a time such as \"2026-01-31T09:30:00Z\"");
    err_set(err, "is not known: write %s", buf_text(&known));
    buf_fini(&known);
    return -1;
}

static int
parse_number(const char *text, struct option_value *value, struct err *err)
{
    char *end;

    value->integer = strtoll(text, &end, 10);
    value->number = strtod(text, &end);
    return *text && !*end ? 0 : err_set(err, "is no number");
}

/* Reads TEXT, which a file or the table has written, as a value of the option's type. */
static int
parse(const struct option *option, const char *text, struct option_value *value, struct err *err)
{
    int result = 0;

    switch (option->type) {
    case OPTION_TEXT:
        value->text = xstrdup(text);
        return 0;
    case OPTION_DURATION:
        result = duration_parse(text, &value->integer, err);
        break;
    case OPTION_SIZE:
        result = size_parse(text, &value->integer, err);
        break;
    case OPTION_CHOICE:
        return parse_choice(option, text, value, err);
    case OPTION_START:
        value->text = xstrdup(text);
        if (choice_index(option->choices, text) < 0 && text[0] >= '0' && text[0] <= '9')
            return time_parse(text, &value->integer, err);
        return parse_choice(option, text, value, err);
    case OPTION_OFFSETS: /* as the default only, which is empty */
        return 0;
    case OPTION_BOOLEAN:
        value->integer = strcmp(text, "true") == 0;
        return 0;
    case OPTION_INTEGER:
    case OPTION_NUMBER:
        return parse_number(text, value, err);
    case OPTION_TYPE_COUNT:
        break;
    }
    value->number = (double)value->integer;
    return result;
}

static double
bound(const struct option *option, const char *text)
{
    struct option_value value = {0};
    struct err err = {0};
    int result = parse(option, text, &value, &err);

    assert(result == 0);
    (void)result;
    return value.number;
}

static int
check_range(const struct option *option, const struct option_value *value, struct err *err)
{
    if (option->least && !(value->number >= bound(option, option->least)))
        return err_set(err, "is out of range: the least is %s", option->least);
    if (option->most && !(value->number <= bound(option, option->most)))
        return err_set(err, "is out of range: the most is %s", option->most);
    return 0;
}

static int
check_text(const struct option *option, const char *text, struct err *err)
{
    if ((option->flags & OPTION_FILLED) && !*text)
        return err_set(err, "must not be empty");
    for (const char *c = text; (option->flags & OPTION_VISIBLE) && *c; c++) {
        unsigned char byte = (unsigned char)*c;

        if (byte <= ' ' || byte > '~')
            return err_set(err, "holds a blank, a line break or a character that is not ASCII");
    }
    return 0;
}

static void
store_start(struct kafka_config *kafka, const struct option *option,
            const struct option_value *value)
{
    int index = choice_index(option->choices, value->text);

    kafka->start = index == 0   ? KAFKA_START_EARLIEST
                   : index == 1 ? KAFKA_START_LATEST
                                : KAFKA_START_TIME;
    kafka->start_ms = index < 0 ? value->integer : 0;
}

/* Moves the value into its member. */
static void
store(const struct option *option, struct option_value *value, void *base)
{
    void *member = (char *)base + option->offset;
    int integer = (int)value->integer;

    switch (option->type) {
    case OPTION_TEXT:
        assert(option->size == sizeof(char *));
        xfree(*(char **)member);
        *(char **)member = value->text;
        value->text = NULL;
        return;
    case OPTION_START:
        store_start(member, option, value);
        return;
    case OPTION_OFFSETS:
        offset_list_fini(member);
        return;
    case OPTION_BOOLEAN:
        assert(option->size == sizeof(bool));
        *(bool *)member = value->integer != 0;
        return;
    case OPTION_NUMBER:
        assert(option->size == sizeof(double));
        *(double *)member = value->number;
        return;
    default:
        assert(option->size == sizeof(int64_t) || option->size == sizeof(int));
        if (option->size == sizeof(int64_t))
            memcpy(member, &value->integer, sizeof(int64_t));
        else
            memcpy(member, &integer, sizeof(int));
    }
}

static void
store_preset(const struct option *option, void *base)
{
    struct option_value value = {0};
    struct err err = {0};
    int result;

    if (!option->preset)
        return;
    result = parse(option, option->preset, &value, &err);
    assert(result == 0);
    (void)result;
    store(option, &value, base);
    xfree(value.text);
}

/* Adds "NODE: WHAT IS WRITTEN REASON". Of a secret, and of what ${…} names, nothing is shown. */
static int
refuse_value(const struct option *option, const struct source_node *node, const struct err *err,
             struct diag *diag)
{
    if (node->type != SOURCE_TEXT && node->type != SOURCE_INTEGER && node->type != SOURCE_NUMBER)
        return source_error(diag, node, "%s", err->msg);
    if (node->type == SOURCE_INTEGER)
        return source_error(diag, node, "%lld %s", (long long)node->integer, err->msg);
    if (node->type == SOURCE_NUMBER)
        return source_error(diag, node, "%g %s", node->number, err->msg);
    if ((option->flags & OPTION_SECRET) || !*node->text || utf8_has_control(node->text))
        return source_error(diag, node, "%s", err->msg);
    return source_error(diag, node, "\"%.64s\" %s", node->text, err->msg);
}

static int
take_text(const struct option *option, const struct source_node *node, void *base,
          const struct loader *loader)
{
    struct option_value value = {0};
    struct err err = {0};
    bool missing;
    char *text = expand_text(node, loader, option->flags & OPTION_SECRET, &missing);
    int result;

    if (!text)
        return -1;
    if (missing && option->type != OPTION_TEXT) {
        xfree(text);
        return -1;
    }
    result = missing ? 0 : check_text(option, text, &err);
    if (result == 0)
        result = parse(option, text, &value, &err);
    if (result == 0)
        result = check_range(option, &value, &err);
    if (result == 0)
        store(option, &value, base);
    else
        refuse_value(option, node, &err, loader->diag);
    xfree(value.text);
    xfree(text);
    return result;
}

static int
take_number(const struct option *option, const struct source_node *node, void *base,
            const struct loader *loader)
{
    struct option_value value = {.integer = node->integer, .number = node->number};
    struct err err = {0};

    if (node->misread)
        return -1;
    if (check_range(option, &value, &err) != 0)
        return refuse_value(option, node, &err, loader->diag);
    store(option, &value, base);
    return 0;
}

/* Stores what was written; -1 when it cannot be, which is reported. */
static int
take(const struct option *option, const struct source_node *node, void *base,
     const struct loader *loader)
{
    struct option_value value = {0};

    switch (option->type) {
    case OPTION_OFFSETS:
        return offset_list_read(node, (struct offset_list *)((char *)base + option->offset),
                                loader);
    case OPTION_INTEGER:
        if (!source_is(node, SOURCE_INTEGER, expected(option->type), loader->diag))
            return -1;
        return take_number(option, node, base, loader);
    case OPTION_NUMBER:
        if (node->type != SOURCE_INTEGER &&
            !source_is(node, SOURCE_NUMBER, expected(option->type), loader->diag))
            return -1;
        return take_number(option, node, base, loader);
    case OPTION_BOOLEAN:
        if (!source_is(node, SOURCE_BOOLEAN, expected(option->type), loader->diag))
            return -1;
        value.integer = node->boolean;
        store(option, &value, base);
        return 0;
    default:
        if (!source_is(node, SOURCE_TEXT, expected(option->type), loader->diag))
            return -1;
        return take_text(option, node, base, loader);
    }
}

static void
option_read(const struct option *option, const struct source_node *group, void *base,
            const struct loader *loader)
{
    const struct source_node *node = source_find(group, option->name);

    if (node && take(option, node, base, loader) == 0)
        return;
    if (!node && (option->flags & OPTION_REQUIRED))
        source_error_member(loader->diag, group, option->name, "is required");
    store_preset(option, base);
}

void
section_read(const char *section, const struct source_node *group, void *base,
             const struct loader *loader)
{
    for (size_t i = 0; i < option_count(); i++) {
        if (strcmp(option_at(i)->section, section) == 0)
            option_read(option_at(i), group, base, loader);
    }
}

const char *
option_elsewhere(const char *name, const char *section)
{
    for (size_t i = 0; i < option_count(); i++) {
        const struct option *option = option_at(i);

        if (strcmp(option->name, name) == 0 && (!section || strcmp(option->section, section) != 0))
            return option->section;
    }
    return NULL;
}

void
option_refuse(const char *section, const struct source_node *node, struct diag *diag)
{
    const char *other = option_elsewhere(node->name, section);
    struct nearest nearest;

    nearest_init(&nearest, node->name);
    for (size_t i = 0; i < option_count(); i++) {
        if (strcmp(option_at(i)->section, section) == 0)
            nearest_try(&nearest, option_at(i)->name);
    }
    option_refuse_unknown(node, other, nearest_best(&nearest), diag);
}

void
option_refuse_unknown(const struct source_node *node, const char *section, const char *name,
                      struct diag *diag)
{
    if (section)
        source_error(diag, node, "unknown setting here; it belongs to %s", section);
    else if (name)
        source_error(diag, node, "unknown setting; did you mean %s?", name);
    else
        source_error(diag, node, "unknown setting");
}

/* Whether values of TYPE are written without quotes. */
static bool
is_bare(enum option_type type)
{
    return type == OPTION_INTEGER || type == OPTION_NUMBER || type == OPTION_BOOLEAN ||
           type == OPTION_OFFSETS;
}

void
option_print_preset(const struct option *option, struct buf *out)
{
    if (is_bare(option->type))
        buf_add_text(out, option->preset);
    else
        quote_add(out, option->preset, QUOTE_SECTIONS);
}

static void
print_start(const struct kafka_config *kafka, const struct option *option, struct buf *out)
{
    if (kafka->start == KAFKA_START_TIME)
        time_print(out, kafka->start_ms);
    else
        add_choice(out, option->choices, kafka->start == KAFKA_START_LATEST);
}

static int64_t
stored_integer(const struct option *option, const void *member)
{
    int64_t wide;
    int narrow;

    if (option->size == sizeof(wide)) {
        memcpy(&wide, member, sizeof(wide));
        return wide;
    }
    memcpy(&narrow, member, sizeof(narrow));
    return narrow;
}

/* The shortest text that reads back as the same. */
static void
print_number(double number, struct buf *out)
{
    struct decimal decimal = decimal_of_real(number);
    char text[DECIMAL_TEXT_MAX];

    buf_add(out, text, decimal_write(&decimal, text));
}

static void
print_text(const struct option *option, const char *text, struct buf *out)
{
    if ((option->flags & OPTION_SECRET) && text && *text)
        text = "***";
    quote_add(out, text ? text : "", QUOTE_SECTIONS);
}

void
option_print(const struct option *option, const void *base, struct buf *out)
{
    const void *member = (const char *)base + option->offset;
    bool quoted = !is_bare(option->type) && option->type != OPTION_TEXT;

    if (quoted)
        buf_add_char(out, '"');
    switch (option->type) {
    case OPTION_TEXT:
        print_text(option, *(char *const *)member, out);
        break;
    case OPTION_START:
        print_start(member, option, out);
        break;
    case OPTION_OFFSETS:
        offset_list_print(member, out);
        break;
    case OPTION_BOOLEAN:
        buf_add_text(out, *(const bool *)member ? "true" : "false");
        break;
    case OPTION_NUMBER:
        print_number(*(const double *)member, out);
        break;
    case OPTION_DURATION:
        duration_print(out, stored_integer(option, member));
        break;
    case OPTION_SIZE:
        size_print(out, stored_integer(option, member));
        break;
    case OPTION_CHOICE:
        add_choice(out, option->choices, (int)stored_integer(option, member));
        break;
    default:
        buf_printf(out, "%lld", (long long)stored_integer(option, member));
    }
    if (quoted)
        buf_add_char(out, '"');
}
