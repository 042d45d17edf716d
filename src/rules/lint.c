#include "rules/lint.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/xalloc.h"
#include "rules/lint_state.h"

enum { MESSAGE_MAX = 4096, PATH_MAX_LEN = 64 };

const char *
lint_name(enum lint lint)
{
#define X(id, name, doc) [LINT_##id] = name,
    static const char *const names[] = {LINT_TABLE(X)};
#undef X

    return names[lint];
}

const char *
lint_doc(enum lint lint)
{
#define X(id, name, doc) [LINT_##id] = doc,
    static const char *const docs[] = {LINT_TABLE(X)};
#undef X

    return docs[lint];
}

void
lint_say(const struct lint_state *state, enum lint lint, const struct lint_rule *rule,
         const struct lint_text *text, const char *fmt, ...)
{
    char message[MESSAGE_MAX];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(message, sizeof(message), fmt, ap);
    va_end(ap);
    if (rule)
        diag_lint(state->diag, lint_name(lint), text->text->at, "rule \"%s\": %s: %s",
                  rule->spec->name.text, text->path, message);
    else
        diag_lint(state->diag, lint_name(lint), text->text->at, "%s: %s", text->path, message);
}

/* Reading the rules once more */

static struct expr_env
make_env(struct lint_state *state)
{
    return (struct expr_env){
        .code = &state->code, .tables = &state->tables, .diag = &state->ignored, .where = ""};
}

static void
parse(struct lint_state *state, struct lint_text *text)
{
    struct expr_env env = make_env(state);

    /* The rules have loaded: this cannot fail. An empty template has nothing to look at. */
    if (template_parse(&text->template, text->text->text, &env) < 0)
        text->template = (struct template){.text = ""};
}

static void
add_text(struct lint_state *state, struct lint_rule *rule, struct lint_text text)
{
    if (!text.text->text)
        return;
    parse(state, &text);
    rule->texts = xgrow(rule->texts, rule->text_count, &rule->text_cap, sizeof(text));
    rule->texts[rule->text_count++] = text;
}

static void
add_list(struct lint_state *state, struct lint_rule *rule, const struct spec_list *list,
         const struct lint_text *pattern)
{
    struct lint_text text = *pattern;
    char path[PATH_MAX_LEN];
    int len;

    for (size_t i = 0; i < list->count; i++) {
        len = snprintf(path, sizeof(path), "%s[%zu]", pattern->path, i);
        text.text = &list->items[i];
        text.path = arena_text(&state->code.arena, path, (size_t)len);
        add_text(state, rule, text);
    }
}

static void
add_fields(struct lint_state *state, struct lint_rule *rule, const struct spec_pairs *fields)
{
    for (size_t i = 0; i < fields->count; i++) {
        struct buf path;
        struct lint_text text = {
            .text = &fields->items[i].value, .target = SETTING_FIELD, .call = CALL_IDENTIFY};

        buf_init(&path, MESSAGE_MAX);
        buf_printf(&path, "identify.customFields.%s", fields->items[i].name.text);
        text.path = arena_text(&state->code.arena, buf_text(&path), path.len);
        buf_fini(&path);
        add_text(state, rule, text);
    }
}

#define TEXT(member, called, what, kind) \
    ((struct lint_text){.text = &(member), .path = called, .target = what, .call = kind})

static void
add_texts(struct lint_state *state, struct lint_rule *rule)
{
    const struct spec_identify *identify = &rule->spec->identify;
    const struct spec_track *track = &rule->spec->track;
    struct lint_text tags = {.path = "identify.tags", .target = SETTING_TAG, .call = CALL_IDENTIFY};
    struct lint_text added = {.path = "track.addTags", .target = SETTING_TAG, .call = CALL_TRACK};
    struct lint_text removed = {
        .path = "track.removeTags", .target = SETTING_REMOVE_TAG, .call = CALL_TRACK};
    const struct lint_text texts[] = {
        TEXT(rule->spec->email, "email", SETTING_EMAIL, CALL_IDENTIFY),
        TEXT(identify->email, "identify.email", SETTING_EMAIL, CALL_IDENTIFY),
        TEXT(identify->new_email, "identify.newEmail", SETTING_NEW_EMAIL, CALL_IDENTIFY),
        TEXT(identify->first_name, "identify.firstName", SETTING_FIRST_NAME, CALL_IDENTIFY),
        TEXT(identify->last_name, "identify.lastName", SETTING_LAST_NAME, CALL_IDENTIFY),
        TEXT(identify->company, "identify.company", SETTING_COMPANY, CALL_IDENTIFY),
        TEXT(identify->birthday, "identify.birthday", SETTING_BIRTHDAY, CALL_IDENTIFY),
        TEXT(track->email, "track.email", SETTING_EMAIL, CALL_TRACK),
    };

    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        add_text(state, rule, texts[i]);
    add_fields(state, rule, &identify->custom_fields);
    add_list(state, rule, &identify->tags, &tags);
    add_list(state, rule, &track->add_tags, &added);
    add_list(state, rule, &track->remove_tags, &removed);
}

static void
add_topics(struct lint_rule *rule)
{
    const struct spec_list *list = &rule->spec->topics;

    rule->topics = xcalloc(list->count + 1, sizeof(rule->topics[0]));
    for (size_t i = 0; i < list->count; i++) {
        struct lint_topic *topic = &rule->topics[i];

        topic->text = &list->items[i];
        topic->is_pattern =
            topic->text->text[0] == '^' &&
            regcomp(&topic->pattern, topic->text->text, REG_EXTENDED | REG_NOSUB) == 0;
    }
}

static const struct account *
account_of(const struct lint_state *state, const struct spec_rule *rule,
           const struct account *accounts)
{
    for (size_t i = 0; rule->account.text && i < state->spec->account_count; i++) {
        if (!strcmp(state->spec->accounts[i], rule->account.text))
            return &accounts[i];
    }
    return &accounts[0];
}

static void
add_rule(struct lint_state *state, const struct spec_rule *spec, const struct account *accounts)
{
    struct lint_rule *rule = &state->rules[state->rule_count++];
    struct expr_env env = make_env(state);

    rule->spec = spec;
    rule->account = account_of(state, spec, accounts);
    if (spec->when.text)
        rule->when = expr_parse(spec->when.text, strlen(spec->when.text), 1, &env);
    add_texts(state, rule);
    add_topics(rule);
}

static void
fini(struct lint_state *state)
{
    for (size_t i = 0; i < state->rule_count; i++) {
        struct lint_rule *rule = &state->rules[i];

        for (size_t t = 0; t < rule->spec->topics.count; t++) {
            if (rule->topics[t].is_pattern)
                regfree(&rule->topics[t].pattern);
        }
        xfree(rule->topics);
        xfree(rule->texts);
    }
    xfree(state->rules);
    table_set_fini(&state->tables);
    code_fini(&state->code);
    diag_fini(&state->ignored);
}

void
lint_rules(const struct spec_ruleset *spec, const struct account *accounts, struct diag *diag)
{
    struct lint_state state = {.spec = spec, .diag = diag};

    code_init(&state.code);
    diag_init(&state.ignored);
    table_set_init(&state.tables, spec, 0, &state.code.arena, &state.ignored);
    state.rules = xcalloc(spec->rule_count + 1, sizeof(state.rules[0]));
    if (spec->email.text) {
        state.email = TEXT(spec->email, "email", SETTING_EMAIL, CALL_IDENTIFY);
        parse(&state, &state.email);
    }
    for (size_t i = 0; i < spec->rule_count; i++)
        add_rule(&state, &spec->rules[i], accounts);
    lint_topics(&state);
    lint_tags(&state);
    lint_values(&state);
    fini(&state);
}
