/*
 * Rules and an event (rules_text.h): what does not load is told, each finding with its line; what
 * loads is linted; and what becomes of the event is the same twice, watched or not, and beside
 * rules of other topics. Calls are as the API takes them, within the limits; a setting that lint
 * says is always left out is.
 */
#include "rules/lint.h"
#include "rules/trace.h"
#include "rules_text.h"
#include "sendx/wire.h"

enum { OUT_MAX = 256 << 20 };

static const struct account accounts[] = {
    {.name = (char[]){"main"},
     .api = API_V1,
     .base_url = (char[]){"https://example.com/v1"},
     .api_key = (char[]){"k"},
     .team_id = (char[]){"4"},
     .on_unknown_contact = UNKNOWN_SKIP},
    {.name = (char[]){"other"},
     .api = API_REST,
     .base_url = (char[]){"https://example.com/rest"},
     .api_key = (char[]){"k"}},
};

/* Calls */

static void
check_email(const char *email)
{
    const char *at = email, *end = email + strlen(email), *sign = strchr(email, '@');

    FUZZ_CHECK(utf8_is_valid(email, strlen(email)));
    FUZZ_CHECK(sign && sign > email && sign[1] && !strchr(sign + 1, '@'), "%s", email);
    while (at < end)
        FUZZ_CHECK(!utf8_is_space(utf8_next(&at, end)), "%s", email);
}

static void
check_tags(const struct text_list *tags, const struct text_list *others)
{
    for (size_t i = 0; i < tags->count; i++) {
        FUZZ_CHECK(tags->items[i][0]);
        for (size_t k = 0; k < i && i < 100; k++)
            FUZZ_CHECK(strcmp(tags->items[i], tags->items[k]) != 0, "%s", tags->items[i]);
        for (size_t k = 0; others && k < others->count && k < 100; k++)
            FUZZ_CHECK(strcmp(tags->items[i], others->items[k]) != 0, "%s", tags->items[i]);
    }
}

static void
check_text(const char *text)
{
    FUZZ_CHECK(!text || (text[0] && utf8_is_valid(text, strlen(text))));
}

static void
check_identify(const struct contact_request *identify)
{
    check_email(identify->email);
    if (identify->new_email)
        check_email(identify->new_email);
    check_text(identify->first_name);
    check_text(identify->last_name);
    check_text(identify->company);
    FUZZ_CHECK(!identify->birthday || strlen(identify->birthday) == 10, "%s", identify->birthday);
    for (size_t i = 0; i < identify->custom_fields.count; i++)
        check_text(identify->custom_fields.items[i].value);
    check_tags(&identify->tags, NULL);
}

/* The request, whose body must be JSON and whose URL printable. */
static void
write_request(const struct call *call, struct wire_request *request, struct buf *out)
{
    json_t *body;

    wire_write(request, &accounts[call->account], call);
    for (const char *c = buf_text(&request->url); *c; c++)
        FUZZ_CHECK(*c > ' ' && *c < 0x7f, "%s", buf_text(&request->url));
    body = json_loadb(buf_text(&request->body), request->body.len, JSON_REJECT_DUPLICATES, NULL);
    FUZZ_CHECK(body, "%s", buf_text(&request->body));
    json_decref(body);
    buf_printf(out, "%s ", buf_text(&request->url));
    buf_add(out, request->body.data, request->body.len);
    buf_add_char(out, '\n');
}

static void
check_call(const struct call *call)
{
    FUZZ_CHECK(call->account < ARRAY_LEN(accounts));
    if (call->kind == CALL_IDENTIFY) {
        check_identify(&call->identify);
        return;
    }
    check_email(call->track.email);
    check_tags(&call->track.add_tags, &call->track.remove_tags);
    check_tags(&call->track.remove_tags, NULL);
    FUZZ_CHECK(call->track.add_tags.count + call->track.remove_tags.count > 0);
}

/* Mapping */

static void
write_mapping(const struct mapping *mapping, enum map_outcome outcome, struct buf *out)
{
    struct wire_request request;
    size_t bytes = 0;

    buf_init(out, OUT_MAX);
    buf_printf(out, "%s %s\n", map_outcome_name(outcome), mapping->reason);
    FUZZ_CHECK((outcome == MAP_CALLS) == (mapping->calls.count > 0));
    FUZZ_CHECK((outcome == MAP_NOT_JSON || outcome == MAP_NOT_RENDERED) == !!mapping->reason[0],
               "%s", buf_text(out));
    FUZZ_CHECK(outcome != MAP_NOT_RENDERED || !strncmp(mapping->reason, "rule \"", 6), "%s",
               mapping->reason);
    FUZZ_CHECK(utf8_is_valid(mapping->reason, strlen(mapping->reason)), "%s", mapping->reason);
    FUZZ_CHECK(mapping->calls.count <= RULESET_CALLS_MAX);
    wire_request_init(&request);
    for (size_t i = 0; i < mapping->calls.count; i++) {
        check_call(mapping->calls.items[i]);
        bytes += call_size(mapping->calls.items[i]);
        write_request(mapping->calls.items[i], &request, out);
    }
    /* What holds them takes something, too. */
    FUZZ_CHECK(bytes <= RULESET_BYTES_MAX + RULESET_CALLS_MAX * 4096u, "%zu", bytes);
    wire_request_fini(&request);
}

static void
map(struct ruleset *rules, const struct event *event, struct trace *trace, struct buf *out)
{
    int64_t wall_ms = INT64_C(1770000000000);
    struct mapping mapping;
    enum map_outcome outcome;

    mapping_init(&mapping);
    if (trace)
        outcome = ruleset_map_traced(rules, event, wall_ms, trace, &mapping);
    else
        outcome = ruleset_map(rules, event, wall_ms, &mapping);
    write_mapping(&mapping, outcome, out);
    mapping_fini(&mapping);
}

static void
check_same(const struct buf *expected, struct buf *found)
{
    FUZZ_CHECK(!strcmp(buf_text(expected), buf_text(found)), "%s\n%s", buf_text(expected),
               buf_text(found));
    buf_fini(found);
}

/* Lint and trace */

static void
check_setting(const struct diag *lints, const struct trace_setting *setting,
              const struct rule *rule)
{
    struct buf told;

    if (setting->outcome != TRACE_SET)
        return;
    buf_init(&told, OUT_MAX);
    buf_printf(&told, "rule \"%s\": %s: ", rule->name, setting->setting->path);
    for (size_t i = 0; i < lints->count; i++) {
        const struct diag_item *item = &lints->items[i];
        bool is_it = !strcmp(item->name, lint_name(LINT_ALWAYS_LEFT_OUT)) &&
                     !strncmp(item->text + item->message_at, buf_text(&told), told.len);

        FUZZ_CHECK(!is_it, "%s\nis %s", item->text, setting->value.text);
    }
    buf_fini(&told);
}

static void
check_trace(const struct trace *trace, size_t rules, const struct diag *lints)
{
    for (size_t i = 0; i < rules; i++) {
        const struct trace_rule *rule = trace_rule(trace, i);

        for (const struct trace_element *element = rule->elements; element;
             element = element->next) {
            for (const struct trace_setting *setting = element->settings; setting;
                 setting = setting->next)
                check_setting(lints, setting, rule->rule);
        }
    }
}

static void
check_rules(struct rules_text *text, struct ruleset *rules)
{
    struct buf once, again;
    struct trace *trace = trace_new(rules);
    struct diag lints;

    diag_init(&lints);
    lint_rules(&text->spec, accounts, &lints);
    FUZZ_CHECK(!lints.errors);
    fuzz_check_findings(&lints, "f.conf");
    map(rules, &text->event, NULL, &once);
    map(rules, &text->event, NULL, &again);
    check_same(&once, &again);
    map(rules, &text->event, trace, &again);
    check_same(&once, &again);
    check_trace(trace, ruleset_rule_count(rules), &lints);
    trace_free(trace);
    diag_fini(&lints);
    buf_fini(&once);
}

/* The same rules behind one of another topic. */
static void
check_beside_others(struct rules_text *text, struct ruleset *rules)
{
    struct spec_text topic = {"other", {"f.conf", 1}, 0};
    struct spec_rule all[RULES_TEXT_RULES + 1] = {{.name = {"of another topic", {"f.conf", 1}, 0},
                                                   .topics = {true, {"f.conf", 1}, &topic, 1},
                                                   .stop = true}};
    struct spec_ruleset spec = text->spec;
    struct buf alone, beside;
    struct ruleset *more;
    struct diag diag;

    memcpy(all + 1, text->rules, text->spec.rule_count * sizeof(all[0]));
    spec.rules = all;
    spec.rule_count++;
    diag_init(&diag);
    more = ruleset_new(&spec, &diag);
    if (more) { /* there may be one of the same name */
        map(rules, &text->event, NULL, &alone);
        map(more, &text->event, NULL, &beside);
        check_same(&alone, &beside);
        FUZZ_CHECK(ruleset_rule_sentinel(more, 0)->not_matched == 0);
        buf_fini(&alone);
    }
    ruleset_free(more);
    diag_fini(&diag);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ruleset *rules;
    struct rules_text text;
    struct diag diag;

    rules_text_read(&text, (struct fuzz_text){(const char *)data, size});
    diag_init(&diag);
    rules = ruleset_new(&text.spec, &diag);
    FUZZ_CHECK(!rules == (diag.errors > 0));
    fuzz_check_findings(&diag, "f.conf");
    if (rules) {
        check_rules(&text, rules);
        check_beside_others(&text, rules);
    }
    ruleset_free(rules);
    diag_fini(&diag);
    rules_text_fini(&text);
    return 0;
}
