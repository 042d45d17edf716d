#include "rules_text.h"

#include "config/rule_table.h"

static const char *const accounts[] = {"main", "other"};

static struct spec_text
text_of(struct rules_text *text, const char *value)
{
    return (struct spec_text){value, {"f.conf", text->line}, text->line};
}

/* A list with room for one item more, or NULL. */
static void *
grow(struct rules_text *text, void *items, size_t count, size_t size)
{
    if (count >= RULES_TEXT_ITEMS)
        return NULL;
    if (!items) {
        items = arena_alloc(&text->arena, RULES_TEXT_ITEMS * size);
        memset(items, 0, RULES_TEXT_ITEMS * size);
    }
    return items;
}

static void
add_text(struct rules_text *text, struct spec_list *list, const char *value)
{
    struct spec_text *items = grow(text, list->items, list->count, sizeof(items[0]));

    if (!items)
        return;
    list->present = true;
    list->at = (struct place){"f.conf", text->line};
    list->items = items;
    list->items[list->count++] = text_of(text, value);
}

static void
add_pair(struct rules_text *text, struct spec_pairs *pairs, const char *name, const char *value)
{
    struct spec_pair *items = grow(text, pairs->items, pairs->count, sizeof(items[0]));

    if (!items)
        return;
    pairs->present = true;
    pairs->at = (struct place){"f.conf", text->line};
    pairs->items = items;
    pairs->items[pairs->count++] = (struct spec_pair){text_of(text, name), text_of(text, value)};
}

static void
set_scalar(struct rules_text *text, const struct rule_setting *setting, char *member,
           const char *value)
{
    switch (setting->kind) {
    case RULE_TEMPLATE:
    case RULE_EXPRESSION:
    case RULE_TEXT:
        *(struct spec_text *)(void *)member = text_of(text, value);
        break;
    case RULE_TEXTS:
    case RULE_TEMPLATES:
        add_text(text, (struct spec_list *)(void *)member, value);
        break;
    case RULE_BOOLEAN:
        *(bool *)member = !strcmp(value, "true");
        break;
    case RULE_NEGATED:
        *(bool *)member = !strcmp(value, "false");
        break;
    case RULE_WITHOUT_EMAIL:
        *(enum without_email *)(void *)member =
            strcmp(value, "skip") != 0 ? WITHOUT_EMAIL_DEAD_LETTER : WITHOUT_EMAIL_SKIP;
        break;
    case RULE_DURATION:
        *(int64_t *)(void *)member = (int64_t)strlen(value) * 1000;
        break;
    default:
        break;
    }
}

/* Both groups begin with the same members. */
static void
mark_group(struct rules_text *text, void *group)
{
    struct spec_track *head = group;

    head->present = true;
    head->at = (struct place){"f.conf", text->line};
}

/* NAME, which may go on behind a dot, of what BASE is. */
static void
set(struct rules_text *text, const struct rule_setting *settings, void *base, char *name,
    const char *value)
{
    char *dot = strchr(name, '.');
    const struct rule_setting *setting;
    char *member;

    if (dot)
        *dot = '\0';
    setting = rule_setting_find(settings, name);
    if (!setting)
        return;
    member = (char *)base + setting->offset;
    if (setting->kind == RULE_GROUP) {
        mark_group(text, member);
        if (dot)
            set(text, setting->members, member, dot + 1, value);
    } else if (setting->kind == RULE_PAIRS) {
        add_pair(text, (struct spec_pairs *)(void *)member, dot ? dot + 1 : "", value);
    } else if (!dot) {
        set_scalar(text, setting, member, value);
    }
}

static void
begin_rule(struct rules_text *text, const char *name)
{
    struct spec_rule *rule = &text->rules[text->spec.rule_count];

    if (text->spec.rule_count >= RULES_TEXT_RULES)
        return;
    text->spec.rule_count++;
    rule->at = (struct place){"f.conf", text->line};
    rule->name = text_of(text, name);
    add_text(text, &rule->topics, "t");
}

static void
read_line(struct rules_text *text, char *name, char *value)
{
    struct spec_ruleset *spec = &text->spec;

    if (!strcmp(name, "rule")) {
        begin_rule(text, value);
    } else if (!strcmp(name, "key")) {
        text->event.key = value;
        text->event.key_len = strlen(value);
    } else if (!strcmp(name, "timestamp")) {
        text->event.timestamp_ms = strtoll(value, NULL, 10);
    } else if (!strncmp(name, "header.", 7) && text->event.header_count < RULES_TEXT_ITEMS) {
        text->headers[text->event.header_count++] =
            (struct event_header){name + 7, value, strlen(value)};
    } else if (!strncmp(name, "table.", 6)) {
        add_pair(text, &text->tables[0].entries, name + 6, value);
    } else if (spec->rule_count) {
        set(text, rule_settings, &text->rules[spec->rule_count - 1], name, value);
    } else if (!strcmp(name, "email") || !strcmp(name, "without_email")) {
        set(text, rule_file_settings, spec, name, value);
    }
}

void
rules_text_read(struct rules_text *text, struct fuzz_text input)
{
    memset(text, 0, sizeof(*text));
    arena_init(&text->arena, 4096);
    text->tables[0].name = (struct spec_text){"t", {"f.conf", 1}, 0};
    text->spec.tables = text->tables;
    text->spec.table_count = 1;
    text->spec.rules = text->rules;
    text->spec.accounts = accounts;
    text->spec.account_count = ARRAY_LEN(accounts);
    text->event.topic = "t";
    text->event.timestamp_ms = EVENT_NO_TIME;
    text->event.headers = text->headers;
    while (input.len) {
        struct fuzz_text line = fuzz_take(&input, '\n');
        char *copy = arena_text(&text->arena, line.text, line.len), *sign = strchr(copy, '=');

        text->line++;
        if (!line.len)
            break;
        /* config/ has looked at the bytes before. */
        if (!sign || !utf8_is_valid(copy, strlen(copy)))
            continue;
        *sign = '\0';
        read_line(text, copy, sign + 1);
    }
    text->event.payload = input.text;
    text->event.payload_len = input.len;
}

void
rules_text_fini(struct rules_text *text)
{
    arena_fini(&text->arena);
}
