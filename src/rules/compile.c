#include "rules/compile.h"

#include <string.h>

#include "base/mask.h"
#include "base/nearest.h"
#include "base/utf8.h"
#include "base/xalloc.h"

enum { WHERE_MAX = 4096 /* bytes of what begins a message */ };

/* The settings of one rule while they are gathered. */
struct gathering {
    struct compiler *compiler;
    const struct spec_rule *spec;
    struct rule *rule;
    const char *name; /* rule "x" */
    struct setting *items;
    size_t count, cap;
};

static const char *
join_words(struct code *code, const char *first, const char *sign, const char *second)
{
    struct buf buf;
    const char *text;

    buf_init(&buf, WHERE_MAX);
    buf_add_text(&buf, first);
    buf_add_text(&buf, sign);
    buf_add_text(&buf, second);
    text = arena_text(&code->arena, buf_text(&buf), buf.len);
    buf_fini(&buf);
    return text;
}

static struct expr_env
make_env(const struct gathering *gathering, struct place at, const char *path)
{
    struct compiler *compiler = gathering->compiler;

    return (struct expr_env){
        .code = compiler->code,
        .tables = compiler->tables,
        .diag = compiler->diag,
        .at = at,
        .where = join_words(compiler->code, gathering->name, ": ", path),
    };
}

static const struct template *
parse_template(struct compiler *compiler, const char *text, struct expr_env *env)
{
    struct template *template = arena_alloc(&compiler->code->arena, sizeof(*template));

    return template_parse(template, text, env) < 0 ? NULL : template;
}

void
compile_file(struct compiler *compiler)
{
    const struct spec_text *email = &compiler->spec->email;
    struct expr_env env = {.code = compiler->code,
                           .tables = compiler->tables,
                           .diag = compiler->diag,
                           .at = email->at,
                           .where = "email"};

    if (!email->text)
        return;
    compiler->email = parse_template(compiler, email->text, &env);
    compiler->email_uses_index = env.uses_index;
}

static void
check_index(const struct gathering *gathering, const struct expr_env *env)
{
    if (env->uses_index && !gathering->spec->for_each.text)
        diag_error(env->diag, env->at, "%s: @index is known only in a rule with for_each",
                   env->where);
}

/* Settings with templates */

static void
add_setting(struct gathering *gathering, struct setting setting, const struct spec_text *text)
{
    struct expr_env env = make_env(gathering, text->at, setting.path);

    setting.template = parse_template(gathering->compiler, text->text, &env);
    setting.order = text->order;
    if (!setting.template)
        return;
    check_index(gathering, &env);
    if (setting.target == SETTING_FIELD && !gathering->rule->allow_increment &&
        (template_begins(setting.template, "++") || template_begins(setting.template, "--")))
        diag_error(env.diag, env.at,
                   "%s: begins with ++ or --, which changes a number each time it is sent, repeats "
                   "included; say allow_increment = true in the rule if that is wanted",
                   env.where);
    gathering->items = xgrow(gathering->items, gathering->count, &gathering->cap, sizeof(setting));
    gathering->items[gathering->count++] = setting;
}

static void
add_text(struct gathering *gathering, enum setting_target target, const char *path,
         const struct spec_text *text)
{
    struct setting setting = {.target = target, .call = CALL_IDENTIFY, .path = path};

    if (text->text)
        add_setting(gathering, setting, text);
}

static void
add_tags(struct gathering *gathering, enum call_kind call, enum setting_target target,
         const char *path, const struct spec_list *list)
{
    struct setting setting = {.target = target, .call = call};
    char index[32];

    for (size_t i = 0; i < list->count; i++) {
        snprintf(index, sizeof(index), "[%zu]", i);
        setting.path = join_words(gathering->compiler->code, path, index, "");
        add_setting(gathering, setting, &list->items[i]);
    }
}

static void
check_field(const struct gathering *gathering, const char *path, const struct spec_pairs *fields,
            size_t number)
{
    const struct spec_text *name = &fields->items[number].name;
    struct diag *diag = gathering->compiler->diag;

    if (!name->text[0] || !utf8_is_valid(name->text, strlen(name->text)))
        diag_error(diag, name->at, "%s: identify.customFields: a field needs a name, in UTF-8",
                   gathering->name);
    if (strstr(name->text, "${"))
        diag_error(diag, name->at, "%s: %s: the name of a field is plain text, without \"${\"",
                   gathering->name, path);
    for (size_t i = 0; i < number; i++) {
        if (!strcmp(fields->items[i].name.text, name->text)) {
            diag_error(diag, name->at, "%s: %s: is given twice", gathering->name, path);
            return;
        }
    }
}

static void
add_fields(struct gathering *gathering, const struct spec_pairs *fields)
{
    struct code *code = gathering->compiler->code;

    for (size_t i = 0; i < fields->count; i++) {
        const char *name = fields->items[i].name.text;
        struct setting setting = {.target = SETTING_FIELD, .call = CALL_IDENTIFY};

        setting.path = join_words(code, "identify.customFields", ".", name);
        setting.field = arena_text(&code->arena, name, strlen(name));
        check_field(gathering, setting.path, fields, i);
        add_setting(gathering, setting, &fields->items[i].value);
    }
    gathering->rule->field_count = fields->count;
}

/* E-mails */

static void
inherit_email(struct gathering *gathering, enum call_kind call, const struct template *email,
              unsigned order)
{
    struct setting setting = {
        .target = SETTING_EMAIL, .call = call, .path = "email", .template = email, .order = order};

    gathering->items = xgrow(gathering->items, gathering->count, &gathering->cap, sizeof(setting));
    gathering->items[gathering->count++] = setting;
}

/* The e-mail of a call: its own, else the rule's, else the file's. */
static void
add_email(struct gathering *gathering, enum call_kind call, const char *path, struct place call_at,
          const struct spec_text *own, const struct template *rule_email)
{
    const struct compiler *compiler = gathering->compiler;
    const struct spec_rule *spec = gathering->spec;

    if (own->text) {
        add_setting(gathering,
                    (struct setting){.target = SETTING_EMAIL, .call = call, .path = path}, own);
    } else if (spec->email.text) {
        if (rule_email)
            inherit_email(gathering, call, rule_email, spec->email.order);
    } else if (!compiler->spec->email.text) {
        diag_error(compiler->diag, call_at,
                   "%s: %s: nothing says who the contact is; write email here, in the rule or "
                   "for the whole file",
                   gathering->name, path);
    } else if (compiler->email) {
        inherit_email(gathering, call, compiler->email, 0);
        if (compiler->email_uses_index && !spec->for_each.text)
            diag_error(
                compiler->diag, compiler->spec->email.at,
                "email: %s inherits it and has no for_each, without which there is no @index",
                gathering->name);
    }
}

static void
gather_calls(struct gathering *gathering)
{
    const struct spec_rule *spec = gathering->spec;
    const struct spec_identify *identify = &spec->identify;
    const struct spec_track *track = &spec->track;
    const struct template *email = NULL;

    if (spec->email.text) {
        struct expr_env env = make_env(gathering, spec->email.at, "email");

        email = parse_template(gathering->compiler, spec->email.text, &env);
        check_index(gathering, &env);
    }
    if (identify->present) {
        add_email(gathering, CALL_IDENTIFY, "identify.email", identify->at, &identify->email,
                  email);
        add_text(gathering, SETTING_NEW_EMAIL, "identify.newEmail", &identify->new_email);
        add_text(gathering, SETTING_FIRST_NAME, "identify.firstName", &identify->first_name);
        add_text(gathering, SETTING_LAST_NAME, "identify.lastName", &identify->last_name);
        add_text(gathering, SETTING_COMPANY, "identify.company", &identify->company);
        add_text(gathering, SETTING_BIRTHDAY, "identify.birthday", &identify->birthday);
        add_fields(gathering, &identify->custom_fields);
        add_tags(gathering, CALL_IDENTIFY, SETTING_TAG, "identify.tags", &identify->tags);
    }
    if (track->present) {
        add_email(gathering, CALL_TRACK, "track.email", track->at, &track->email, email);
        add_tags(gathering, CALL_TRACK, SETTING_TAG, "track.addTags", &track->add_tags);
        add_tags(gathering, CALL_TRACK, SETTING_REMOVE_TAG, "track.removeTags",
                 &track->remove_tags);
    }
}

/* Into written order. */
static void
sort_settings(struct gathering *gathering)
{
    for (size_t i = 1; i < gathering->count; i++) {
        struct setting setting = gathering->items[i];
        size_t k = i;

        for (; k > 0 && gathering->items[k - 1].order > setting.order; k--)
            gathering->items[k] = gathering->items[k - 1];
        gathering->items[k] = setting;
    }
}

static void
keep_settings(struct gathering *gathering)
{
    size_t size = gathering->count * sizeof(gathering->items[0]);
    struct setting *settings = arena_alloc(&gathering->compiler->code->arena, size);

    if (size)
        memcpy(settings, gathering->items, size);
    gathering->rule->settings = settings;
    gathering->rule->setting_count = gathering->count;
    xfree(gathering->items);
}

/* The rest of a rule */

static const struct expr *
parse_setting(struct gathering *gathering, const struct spec_text *text, const char *path,
              bool only_path)
{
    struct expr_env env = make_env(gathering, text->at, path);
    const struct expr *expr;

    if (!text->text)
        return NULL;
    if (!utf8_is_valid(text->text, strlen(text->text))) {
        diag_error(env.diag, env.at, "%s: is not valid UTF-8", env.where);
        return NULL;
    }
    if (only_path)
        expr = expr_parse_path(text->text, strlen(text->text), &env);
    else
        expr = expr_parse(text->text, strlen(text->text), 1, &env);
    if (only_path && env.uses_index)
        diag_error(env.diag, env.at, "%s: @index is known only to what is done with each element",
                   env.where);
    else
        check_index(gathering, &env);
    return expr;
}

/* How many accounts there are; *RET_LAST is the index of the last one. */
static size_t
count_accounts(const struct spec_ruleset *file, unsigned *ret_last)
{
    size_t count = 0;

    for (size_t i = 0; i < file->account_count; i++) {
        if (!file->accounts[i])
            continue;
        *ret_last = (unsigned)i;
        count++;
    }
    return count;
}

static void
find_account(struct gathering *gathering)
{
    const struct spec_ruleset *file = gathering->compiler->spec;
    const struct spec_text *account = &gathering->spec->account;
    struct diag *diag = gathering->compiler->diag;
    struct nearest nearest;

    if (!account->text) {
        if (count_accounts(file, &gathering->rule->account) > 1 &&
            (gathering->spec->identify.present || gathering->spec->track.present))
            diag_error(diag, gathering->spec->at,
                       "%s: account: there are several accounts; name one of them",
                       gathering->name);
        return;
    }
    nearest_init(&nearest, account->text);
    for (size_t i = 0; i < file->account_count; i++) {
        if (!file->accounts[i])
            continue;
        if (!strcmp(file->accounts[i], account->text)) {
            gathering->rule->account = (unsigned)i;
            return;
        }
        nearest_try(&nearest, file->accounts[i]);
    }
    if (nearest_best(&nearest))
        diag_error(diag, account->at,
                   "%s: account: there is no account \"%s\"; did you mean \"%s\"?", gathering->name,
                   account->text, nearest_best(&nearest));
    else
        diag_error(diag, account->at, "%s: account: there is no account \"%s\"", gathering->name,
                   account->text);
}

static void
name_rule(struct gathering *gathering, size_t number)
{
    const struct spec_text *name = &gathering->spec->name;
    struct code *code = gathering->compiler->code;
    struct diag *diag = gathering->compiler->diag;
    char ordinal[32];

    if (name->text && name->text[0] && !utf8_has_control(name->text)) {
        gathering->rule->name = arena_text(&code->arena, name->text, strlen(name->text));
        gathering->name = join_words(code, "rule \"", name->text, "\"");
        if (!utf8_is_valid(name->text, strlen(name->text)))
            diag_error(diag, name->at, "%s: name: is not valid UTF-8", gathering->name);
        if (mask_finds_email(name->text))
            diag_error(diag, name->at,
                       "%s: name: holds an e-mail address, and would stand in logs and metrics",
                       gathering->name);
        return;
    }
    snprintf(ordinal, sizeof(ordinal), "rules[%zu]", number);
    gathering->name = arena_text(&code->arena, ordinal, strlen(ordinal));
    gathering->rule->name = gathering->name;
    if (name->text && name->text[0]) {
        diag_error(diag, name->at, "%s: name: holds a control character", gathering->name);
        return;
    }
    diag_error(diag, name->text ? name->at : gathering->spec->at,
               "%s: name: is required; metrics and dead letters call the rule by it",
               gathering->name);
}

static bool
skips_without_email(const struct spec_ruleset *file, const struct spec_rule *rule)
{
    if (rule->without_email != WITHOUT_EMAIL_INHERIT)
        return rule->without_email == WITHOUT_EMAIL_SKIP;
    return file->without_email == WITHOUT_EMAIL_SKIP;
}

void
compile_rule(struct compiler *compiler, size_t number, struct rule *rule)
{
    const struct spec_rule *spec = &compiler->spec->rules[number];
    struct gathering gathering = {.compiler = compiler, .spec = spec, .rule = rule};

    *rule = (struct rule){
        .max_age_ms = spec->max_age_ms,
        .skip_without_email = skips_without_email(compiler->spec, spec),
        .allow_increment = spec->allow_increment,
        .stop = spec->stop,
        .enabled = !spec->disabled,
        .has_call = {[CALL_IDENTIFY] = spec->identify.present, [CALL_TRACK] = spec->track.present},
    };
    name_rule(&gathering, number);
    rule->when = parse_setting(&gathering, &spec->when, "when", false);
    rule->root = parse_setting(&gathering, &spec->root, "root", true);
    rule->for_each = parse_setting(&gathering, &spec->for_each, "for_each", true);
    find_account(&gathering);
    gather_calls(&gathering);
    sort_settings(&gathering);
    keep_settings(&gathering);
    if (!spec->identify.present && !spec->track.present && !spec->stop)
        diag_error(compiler->diag, spec->at,
                   "%s: does nothing; write identify or track, or stop = true to drop the events",
                   gathering.name);
}
