#include "rules/rule.h"

#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "rules/date.h"
#include "rules/ruleset.h"
#include "rules/trace.h"

enum {
    ARENA_FIRST = 16 * 1024 /* bytes that do for an ordinary event */
};

/* Texts of one kind that were rendered so far: tags of a call before they become a list. */
struct texts {
    struct value *items;
    size_t count, cap;
};

/* What a rule renders to before it counts. */
struct draft {
    struct call *calls[RULE_KINDS];
    struct texts tags[RULE_KINDS], removed;
};

void
renderer_init(struct renderer *renderer, uint64_t seed)
{
    *renderer = (struct renderer){0};
    eval_init(&renderer->eval, seed);
    arena_init(&renderer->event_arena, ARENA_FIRST);
    arena_init(&renderer->arena, ARENA_FIRST);
}

void
renderer_fini(struct renderer *renderer)
{
    eval_fini(&renderer->eval);
    arena_fini(&renderer->event_arena);
    arena_fini(&renderer->arena);
}

void
renderer_start(struct renderer *renderer, const struct event *event, json_t *payload)
{
    eval_start(&renderer->eval, event, payload, &renderer->event_arena);
    renderer->call_bytes = 0;
}

void
renderer_done(struct renderer *renderer)
{
    eval_done(&renderer->eval);
    arena_reset(&renderer->event_arena);
    arena_reset(&renderer->arena);
}

/* Takes the last character off a text that was cut, which may have lost its end. */
static void
mend_end(char *text, size_t len)
{
    while (len && ((unsigned char)text[len - 1] & 0xc0) == 0x80)
        len--;
    if (len && (unsigned char)text[len - 1] >= 0x80)
        text[len - 1] = '\0';
}

static int
fail(struct renderer *renderer, const struct rule *rule, const char *path, const char *reason)
{
    int len = snprintf(renderer->reason, renderer->reason_size, "rule \"%s\": %s: %s", rule->name,
                       path, reason);

    if (len > 0 && (size_t)len >= renderer->reason_size)
        mend_end(renderer->reason, renderer->reason_size - 1);
    return -1;
}

static const char *
check_email(struct eval *eval, const struct value *text)
{
    const char *at = text->text, *end = at + text->len, *sign = memchr(at, '@', text->len);

    if (!eval_work(eval, text->len / 4 + 1))
        return eval->failure;
    if (!sign || memchr(sign + 1, '@', (size_t)(end - sign - 1)))
        return "is no e-mail address: it needs exactly one @";
    if (sign == at || sign + 1 == end)
        return "is no e-mail address: it needs something on both sides of the @";
    while (at < end) {
        unsigned char byte = (unsigned char)*at;

        /* Nearly all are ASCII, and then no space either. */
        if (byte > ' ' && byte < 0x80)
            at++;
        else if (utf8_is_space(utf8_next(&at, end)))
            return "is no e-mail address: it holds white space";
    }
    return NULL;
}

/* What VALUE cannot be as the text of a setting, or NULL. */
static const char *
check_text(struct eval *eval, const struct rule *rule, const struct setting *setting,
           const struct value *text)
{
    if (memchr(text->text, '\0', text->len))
        return "holds a NUL character";
    switch (setting->target) {
    case SETTING_EMAIL:
    case SETTING_NEW_EMAIL:
        return check_email(eval, text);
    case SETTING_BIRTHDAY:
        if (!date_is_day(text->text, text->len))
            return "is no calendar day YYYY-MM-DD; see the filter date";
        return NULL;
    case SETTING_FIELD:
        if (!rule->allow_increment && text->len >= 2 &&
            (!memcmp(text->text, "++", 2) || !memcmp(text->text, "--", 2)))
            return "begins with ++ or --, which would change a number each time it is sent; "
                   "see allow_increment";
        return NULL;
    default:
        return NULL;
    }
}

/* The text of VALUE in TEXT, which is empty when the setting is left out. */
static const char *
make_text(struct renderer *renderer, const struct rule *rule, const struct setting *setting,
          const struct value *value, struct value *text)
{
    struct eval *eval = &renderer->eval;
    const char *failure = NULL;

    *text = value_text("", 0);
    if (!eval->failure && !value_is_null(value)) {
        if (!value_as_text(value, eval->arena, text))
            return "is an array or an object where text must be";
        if (text->len && eval_read(eval, text->len))
            failure = check_text(eval, rule, setting, text);
    }
    if (!eval->failure)
        return failure;
    /* Said once, for this setting; another one may be to blame before it. */
    failure = eval->failure;
    eval->failure = NULL;
    *text = value_text("", 0);
    return failure;
}

static void
tell_setting(struct renderer *renderer, const struct setting *setting, const struct value *value,
             bool is_there, const char *failure)
{
    enum trace_outcome outcome = value_is_null(value) ? TRACE_NULL : TRACE_EMPTY;

    if (!renderer->trace)
        return;
    if (failure)
        outcome = TRACE_WRONG;
    else if (is_there)
        outcome = TRACE_SET;
    trace_setting_done(renderer->trace, setting, outcome, value, failure);
}

/* Texts that stand alone: sets TEXT, empty when the setting is left out. */
static const char *
render_text(struct renderer *renderer, const struct rule *rule, const struct setting *setting,
            struct value *text)
{
    struct value value;
    const char *failure;

    if (renderer->trace)
        trace_setting_start(renderer->trace);
    value = template_eval(setting->template, &renderer->eval);
    failure = make_text(renderer, rule, setting, &value, text);
    tell_setting(renderer, setting, text->len ? text : &value, text->len > 0, failure);
    return failure;
}

static bool
add_text(struct renderer *renderer, struct texts *texts, const struct value *text)
{
    if (texts->count == texts->cap) {
        size_t cap = texts->cap ? texts->cap * 2 : 8;
        struct value *items = eval_values(&renderer->eval, cap);

        if (!items)
            return false;
        if (texts->count)
            memcpy(items, texts->items, texts->count * sizeof(items[0]));
        texts->items = items;
        texts->cap = cap;
    }
    texts->items[texts->count++] = *text;
    return true;
}

/* Adds VALUE as tags: arrays are flattened at any depth, nulls and empty texts left out. */
static const char *
add_tags(struct renderer *renderer, struct texts *tags, const struct value *value)
{
    const char *failure = NULL;
    struct value text;

    if (value->kind == VALUE_ARRAY) {
        for (size_t i = 0; i < value->len && !failure; i++) {
            struct value item = value_item(value, i);

            if (!eval_work(&renderer->eval, 1))
                return renderer->eval.failure;
            failure = add_tags(renderer, tags, &item);
        }
        return failure;
    }
    if (value_is_null(value))
        return NULL;
    if (!value_as_text(value, renderer->eval.arena, &text))
        return "is an object where a tag must be";
    if (!text.len)
        return NULL;
    if (!eval_read(&renderer->eval, text.len))
        return renderer->eval.failure;
    if (memchr(text.text, '\0', text.len))
        return "holds a NUL character";
    return add_text(renderer, tags, &text) ? NULL : renderer->eval.failure;
}

static const char *
render_tags(struct renderer *renderer, const struct setting *setting, struct draft *draft)
{
    struct texts *tags =
        setting->target == SETTING_TAG ? &draft->tags[setting->call] : &draft->removed;
    size_t before = tags->count;
    const char *failure;
    struct value value;

    if (renderer->trace)
        trace_setting_start(renderer->trace);
    value = template_eval(setting->template, &renderer->eval);
    failure = renderer->eval.failure;
    if (!failure)
        failure = add_tags(renderer, tags, &value);
    tell_setting(renderer, setting, &value, tags->count > before, failure);
    return failure;
}

static const char **
text_of(struct call *call, enum setting_target target)
{
    switch (target) {
    case SETTING_NEW_EMAIL:
        return &call->identify.new_email;
    case SETTING_FIRST_NAME:
        return &call->identify.first_name;
    case SETTING_LAST_NAME:
        return &call->identify.last_name;
    case SETTING_COMPANY:
        return &call->identify.company;
    case SETTING_BIRTHDAY:
        return &call->identify.birthday;
    default:
        return call->kind == CALL_IDENTIFY ? &call->identify.email : &call->track.email;
    }
}

static void
put_text(struct call *call, const struct setting *setting, const struct value *text)
{
    const char *copy = arena_text(&call->arena, text->text, text->len);
    struct field_list *fields = &call->identify.custom_fields;

    if (setting->target == SETTING_FIELD) {
        const char *name = arena_text(&call->arena, setting->field, strlen(setting->field));

        fields->items[fields->count++] = (struct field){.name = name, .value = copy};
    } else {
        *text_of(call, setting->target) = copy;
    }
}

/* The e-mails come first, whatever order they are written in: without one the rule may have nothing
 * to send at all. What is wrong with them is kept for its turn. */
struct emails {
    const struct setting *settings[RULE_KINDS];
    struct value texts[RULE_KINDS];
    const char *failures[RULE_KINDS];
    bool missing;
};

static void
render_email(struct renderer *renderer, const struct rule *rule, const struct setting *setting,
             struct emails *emails)
{
    int other = setting->call == CALL_IDENTIFY ? CALL_TRACK : CALL_IDENTIFY;
    struct value *text = &emails->texts[setting->call];
    const char **failure = &emails->failures[setting->call];

    emails->settings[setting->call] = setting;
    if (emails->settings[other] && emails->settings[other]->template == setting->template) {
        *text = emails->texts[other];
        *failure = emails->failures[other];
        return;
    }
    *failure = render_text(renderer, rule, setting, text);
    if (!*failure && !text->len) {
        emails->missing = true;
        *failure = "is null or empty, and there is nobody to send to; see without_email";
    }
}

static void
render_emails(struct renderer *renderer, const struct rule *rule, struct emails *emails)
{
    *emails = (struct emails){0};
    for (size_t i = 0; i < rule->setting_count; i++) {
        if (rule->settings[i].target == SETTING_EMAIL)
            render_email(renderer, rule, &rule->settings[i], emails);
    }
}

static int
render_setting(struct renderer *renderer, const struct rule *rule, const struct setting *setting,
               const struct emails *emails, struct draft *draft)
{
    struct value text = value_text("", 0);
    const char *failure;

    if (setting->target == SETTING_EMAIL) {
        text = emails->texts[setting->call];
        failure = emails->failures[setting->call];
    } else if (setting->target == SETTING_TAG || setting->target == SETTING_REMOVE_TAG) {
        failure = render_tags(renderer, setting, draft);
    } else {
        failure = render_text(renderer, rule, setting, &text);
    }
    if (failure)
        return fail(renderer, rule, setting->path, failure);
    if (text.len)
        put_text(draft->calls[setting->call], setting, &text);
    return 0;
}

/* Adds to LIST the texts that are not in SET yet; what cannot go on marks the evaluation. */
static void
put_tags(struct renderer *renderer, struct call *call, struct text_list *list,
         const struct texts *texts, struct value_set *set)
{
    struct eval *eval = &renderer->eval;

    if (!texts->count)
        return;
    list->items = arena_alloc(&call->arena, texts->count * sizeof(list->items[0]));
    for (size_t i = 0; i < texts->count; i++) {
        const struct value *text = &texts->items[i];
        size_t work = 0;

        if (value_set_add(set, text, &work))
            list->items[list->count++] = arena_text(&call->arena, text->text, text->len);
        else if (renderer->trace)
            trace_tag_dropped(renderer->trace, call->kind, text,
                              call->kind == CALL_TRACK && list == &call->track.remove_tags);
        if (!eval_work(eval, work))
            return;
    }
}

static int
finish_tags(struct renderer *renderer, const struct rule *rule, struct draft *draft)
{
    struct call *identify = draft->calls[CALL_IDENTIFY], *track = draft->calls[CALL_TRACK];
    const struct texts *tags = &draft->tags[CALL_IDENTIFY], *added = &draft->tags[CALL_TRACK];
    struct eval *eval = &renderer->eval;
    struct value_set set;

    if (identify && tags->count) {
        if (!eval_set(eval, &set, tags->count))
            return fail(renderer, rule, "identify.tags", eval->failure);
        put_tags(renderer, identify, &identify->identify.tags, tags, &set);
        if (eval->failure)
            return fail(renderer, rule, "identify.tags", eval->failure);
    }
    if (track && added->count + draft->removed.count) {
        if (!eval_set(eval, &set, added->count + draft->removed.count))
            return fail(renderer, rule, "track", eval->failure);
        put_tags(renderer, track, &track->track.add_tags, added, &set);
        /* The set holds what is added: that is not removed, too. */
        put_tags(renderer, track, &track->track.remove_tags, &draft->removed, &set);
        if (eval->failure)
            return fail(renderer, rule, "track", eval->failure);
    }
    return 0;
}

static bool
has_something(const struct call *call)
{
    return call->kind == CALL_IDENTIFY || call->track.add_tags.count ||
           call->track.remove_tags.count;
}

static int
hand_over(struct renderer *renderer, const struct rule *rule, struct call **call)
{
    const char *kind = call_kind_name((*call)->kind);

    renderer->call_bytes += call_size(*call);
    if (renderer->calls->count >= RULESET_CALLS_MAX)
        return fail(renderer, rule, kind, "the event would become more than 1000 calls");
    if (renderer->call_bytes > RULESET_BYTES_MAX)
        return fail(renderer, rule, kind, "the calls of the event would hold more than 8 MiB");
    call_list_add(renderer->calls, *call);
    *call = NULL;
    return 0;
}

static int
fill_draft(struct renderer *renderer, const struct rule *rule, const struct emails *emails,
           struct draft *draft)
{
    for (int kind = 0; kind < RULE_KINDS; kind++) {
        if (rule->has_call[kind])
            draft->calls[kind] = call_new((enum call_kind)kind, rule->account, rule->name);
        if (draft->calls[kind] && renderer->eval.has_item)
            draft->calls[kind]->nth = (size_t)renderer->eval.index;
    }
    if (rule->field_count) {
        struct call *identify = draft->calls[CALL_IDENTIFY];

        identify->identify.custom_fields.items =
            arena_alloc(&identify->arena, rule->field_count * sizeof(struct field));
    }
    for (size_t i = 0; i < rule->setting_count; i++) {
        if (render_setting(renderer, rule, &rule->settings[i], emails, draft) < 0)
            return -1;
    }
    if (finish_tags(renderer, rule, draft) < 0)
        return -1;
    for (int kind = 0; kind < RULE_KINDS; kind++) {
        struct call **call = &draft->calls[kind];

        if (!*call)
            continue;
        if (has_something(*call)) {
            if (hand_over(renderer, rule, call) < 0)
                return -1;
        } else if (renderer->trace) {
            trace_track_empty(renderer->trace);
        }
    }
    return 0;
}

static enum rule_result
render(struct renderer *renderer, const struct rule *rule)
{
    struct emails emails;
    struct draft draft = {0};
    int result;

    render_emails(renderer, rule, &emails);
    if (emails.missing && rule->skip_without_email)
        return RULE_WITHOUT_EMAIL;
    result = fill_draft(renderer, rule, &emails, &draft);
    for (int kind = 0; kind < RULE_KINDS; kind++)
        call_free(draft.calls[kind]);
    return result < 0 ? RULE_FAILED : RULE_MATCHED;
}

static enum rule_result
ask_when(struct renderer *renderer, const struct rule *rule)
{
    struct value value = expr_eval(rule->when, &renderer->eval);
    bool holds = value_truth(&value);

    if (renderer->eval.failure) {
        fail(renderer, rule, "when", renderer->eval.failure);
        return RULE_FAILED;
    }
    if (renderer->trace)
        trace_when(renderer->trace, holds);
    return holds ? RULE_MATCHED : RULE_NOT_MATCHED;
}

/* One element of an event is enough. */
static void
look(struct renderer *renderer)
{
    if (!renderer->sentinel)
        return;
    sentinel_look(renderer->sentinel, &renderer->eval);
    renderer->sentinel = NULL;
}

/* The rule on the event, or on one element. */
static enum rule_result
apply_once(struct renderer *renderer, const struct rule *rule)
{
    enum rule_result result = RULE_MATCHED;

    arena_reset(&renderer->arena);
    renderer->eval.arena = &renderer->arena;
    if (renderer->trace)
        trace_element_start(renderer->trace);
    if (rule->when)
        result = ask_when(renderer, rule);
    if (result == RULE_MATCHED) {
        look(renderer);
        result = render(renderer, rule);
    }
    if (renderer->trace)
        trace_element_done(renderer->trace, result);
    return result;
}

static enum rule_result
apply_to_each(struct renderer *renderer, const struct rule *rule)
{
    struct eval *eval = &renderer->eval;
    struct value array = expr_eval(rule->for_each, eval);
    enum rule_result result = RULE_NO_ELEMENTS;

    if (!eval->failure && value_is_null(&array))
        return RULE_NO_ELEMENTS;
    if (eval->failure || array.kind != VALUE_ARRAY) {
        fail(renderer, rule, "for_each", eval->failure ? eval->failure : "is not an array");
        return RULE_FAILED;
    }
    for (size_t i = 0; i < array.len && result != RULE_FAILED; i++) {
        enum rule_result one;

        eval->has_item = true;
        eval->item = value_item(&array, i);
        eval->index = (int64_t)i;
        /* Whatever an element does counts, so that a long array cannot go on for ever. */
        eval_work(eval, 8);
        one = apply_once(renderer, rule);
        result = one > result ? one : result;
    }
    eval->has_item = false;
    return result;
}

enum rule_result
rule_apply(const struct rule *rule, struct renderer *renderer)
{
    struct eval *eval = &renderer->eval;

    eval->root = eval->payload;
    eval->arena = &renderer->event_arena;
    if (rule->root) {
        eval->root = expr_eval(rule->root, eval);
        if (eval->failure) {
            fail(renderer, rule, "root", eval->failure);
            return RULE_FAILED;
        }
        if (value_is_null(&eval->root))
            return RULE_NO_ROOT;
    }
    return rule->for_each ? apply_to_each(renderer, rule) : apply_once(renderer, rule);
}

const char *
rule_result_name(enum rule_result result)
{
#define X(id, name, doc) [RULE_##id] = name,
    static const char *const names[] = {RULE_RESULT_TABLE(X)};
#undef X

    return names[result];
}
