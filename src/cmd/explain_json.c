/* An explanation for programs: a line of JSON for each event. */
#include <inttypes.h>
#include <string.h>

#include "cmd/call_text.h"
#include "cmd/explanation.h"

static void
add_text(struct buf *out, const char *name, const char *text)
{
    buf_printf(out, ",\"%s\":", name);
    buf_add_json(out, text, strlen(text));
}

/* A value, or, where it was cut, its beginning as text under another name. */
static void
add_value(struct buf *out, const char *name, const struct trace_value *value)
{
    if (value->cut) {
        buf_printf(out, ",\"%s_cut\":", name);
        buf_add_json(out, value->text, strlen(value->text));
    } else {
        buf_printf(out, ",\"%s\":%s", name, value->text);
    }
}

static void
add_reads(struct buf *out, const struct trace_read *read)
{
    if (!read)
        return;
    buf_add_text(out, ",\"read\":[");
    for (bool first = true; read; read = read->next, first = false) {
        buf_printf(out, "%s{\"%s\":", first ? "" : ",", read->is_path ? "path" : "expression");
        buf_add_json(out, read->text, read->text_len);
        add_value(out, "value", &read->value);
        buf_add_char(out, '}');
    }
    buf_add_char(out, ']');
}

static void
add_when(struct buf *out, const struct rule *rule, const struct trace_element *element)
{
    const struct trace_part *part = element->parts;

    if (!element->has_when)
        return;
    buf_add_text(out, ",\"when\":{\"expression\":");
    buf_add_json(out, rule->when->text, rule->when->len);
    buf_printf(out, ",\"holds\":%s", part ? "false" : "true");
    for (; part; part = part->next) {
        buf_add_text(out, part == element->parts ? ",\"because\":[" : ",");
        buf_add_text(out, "{\"part\":");
        buf_add_json(out, part->text, part->text_len);
        buf_printf(out, ",\"holds\":%s", part->holds ? "true" : "false");
        add_value(out, "value", &part->value);
        add_reads(out, part->reads);
        buf_add_text(out, part->next ? "}" : "}]");
    }
    buf_add_char(out, '}');
}

static void
add_setting(struct buf *out, const struct trace_setting *setting)
{
    static const char *const outcomes[] = {[TRACE_SET] = "set",
                                           [TRACE_NULL] = "null",
                                           [TRACE_EMPTY] = "empty",
                                           [TRACE_WRONG] = "wrong"};

    buf_add_text(out, "{\"setting\":");
    buf_add_json(out, setting->setting->path, strlen(setting->setting->path));
    buf_printf(out, ",\"call\":\"%s\"", call_kind_name(setting->setting->call));
    add_text(out, "template", setting->setting->template->text);
    add_text(out, "result", outcomes[setting->outcome]);
    add_value(out, "value", &setting->value);
    if (setting->reason)
        add_text(out, "reason", setting->reason);
    add_reads(out, setting->reads);
    buf_add_char(out, '}');
}

static void
add_dropped(struct buf *out, const struct trace_drop *drop)
{
    if (!drop)
        return;
    buf_add_text(out, ",\"dropped\":[");
    for (bool first = true; drop; drop = drop->next, first = false) {
        buf_printf(out, "%s{\"call\":\"%s\",\"removed\":%s", first ? "" : ",",
                   call_kind_name(drop->call), drop->removed ? "true" : "false");
        add_value(out, "tag", &drop->tag);
        buf_add_char(out, '}');
    }
    buf_add_char(out, ']');
}

static void
add_element(struct buf *out, const struct rule *rule, const struct trace_element *element)
{
    buf_printf(out, "{\"result\":\"%s\"", rule_result_name(element->result));
    if (element->is_item) {
        buf_printf(out, ",\"index\":%" PRId64, element->index);
        add_value(out, "item", &element->item);
    }
    add_when(out, rule, element);
    for (const struct trace_setting *set = element->settings; set; set = set->next) {
        buf_add_text(out, set == element->settings ? ",\"settings\":[" : ",");
        add_setting(out, set);
        buf_add_text(out, set->next ? "" : "]");
    }
    add_dropped(out, element->dropped);
    buf_add_char(out, '}');
}

static void
add_rule(struct buf *out, const struct trace_rule *rule)
{
    const struct trace_element *element = rule->elements;

    buf_add_text(out, "{\"rule\":");
    buf_add_json(out, rule->rule->name, strlen(rule->rule->name));
    buf_printf(out, ",\"result\":\"%s\"", rule_result_name(rule->result));
    if (rule->stopped_by)
        add_text(out, "stopped_by", rule->stopped_by->name);
    if (rule->element_count)
        buf_printf(out, ",\"elements\":%zu,\"matched\":%zu", rule->element_count,
                   rule->matched_count);
    for (; element; element = element->next) {
        buf_add_text(out, element == rule->elements ? ",\"tried\":[" : ",");
        add_element(out, rule->rule, element);
        buf_add_text(out, element->next ? "" : "]");
    }
    buf_add_char(out, '}');
}

static void
add_call(struct buf *out, const struct explanation *explanation, const struct call *call)
{
    const struct account *account = &explanation->config->accounts[call->account];
    struct wire_request request;
    struct buf curl;

    call_text_add_json(out, explanation->config, call, true);
    buf_truncate(out, out->len - 1); /* its members go on */
    wire_request_init(&request);
    call_text_request(&request, account, call);
    buf_add_text(out, ",\"request\":{\"method\":\"POST\"");
    add_text(out, "url", buf_text(&request.url));
    add_text(out, "body", buf_text(&request.body));
    buf_add_char(out, '}');
    wire_request_fini(&request);
    if (explanation->curl) {
        buf_init(&curl, CALL_TEXT_MAX);
        call_text_add_curl(&curl, account, call);
        add_text(out, "curl", buf_text(&curl));
        buf_fini(&curl);
    }
    buf_add_char(out, '}');
}

void
explanation_print_json(const struct explanation *explanation, FILE *file)
{
    const struct mapping *mapping = explanation->mapping;
    size_t count = ruleset_rule_count(explanation->config->rules);
    struct buf out;

    buf_init(&out, CALL_TEXT_MAX);
    buf_printf(&out, "{\"event\":%zu", explanation->number);
    add_text(&out, "source", explanation->source);
    add_text(&out, "topic", explanation->event->topic);
    add_text(&out, "outcome", map_outcome_name(explanation->outcome));
    if (*mapping->reason)
        add_text(&out, "reason", mapping->reason);
    buf_printf(&out, ",\"cut\":%s,\"rules\":[",
               trace_is_cut(explanation->trace) ? "true" : "false");
    for (size_t i = 0; i < count; i++) {
        buf_add_text(&out, i ? "," : "");
        add_rule(&out, trace_rule(explanation->trace, i));
    }
    buf_add_text(&out, "],\"calls\":[");
    for (size_t i = 0; i < mapping->calls.count; i++) {
        buf_add_text(&out, i ? "," : "");
        add_call(&out, explanation, mapping->calls.items[i]);
    }
    buf_add_text(&out, "]}\n");
    fwrite(buf_text(&out), 1, out.len, file);
    buf_fini(&out);
}
