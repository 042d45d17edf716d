/* An explanation for people. */
#include <inttypes.h>
#include <string.h>

#include "base/nearest.h"
#include "cmd/call_text.h"
#include "cmd/explanation.h"
#include "config/unit.h"

enum {
    NAMES_MAX = 8, /* rules of other topics that are named */
    LABEL_MIN = 8, /* width of the column of settings */
    LABEL_MAX = 36
};

enum colour { PLAIN, GOOD, BAD, FAINT, STRONG };

/* Where the text goes. */
struct page {
    FILE *out;
    bool colour;
    int label_width;
};

static void
paint(const struct page *page, enum colour colour)
{
    static const char *const codes[] = {"0", "32", "31", "2", "1"};

    if (page->colour)
        fprintf(page->out, "\033[%sm", codes[colour]);
}

/* Text of somebody's file or event: in one line, and nothing for the terminal in it. */
static void
print_raw(const struct page *page, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        fputc((unsigned char)text[i] < ' ' || text[i] == 0x7f ? ' ' : text[i], page->out);
}

static void
print_painted(const struct page *page, enum colour colour, const char *text)
{
    paint(page, colour);
    fputs(text, page->out);
    paint(page, PLAIN);
}

static void
start_line(const struct page *page, int indent, const char *label)
{
    fprintf(page->out, "%*s%-*s ", indent, "", page->label_width, label);
}

/* What was read */

static void
print_reads(const struct page *page, int indent, const struct trace_read *read)
{
    for (; read; read = read->next) {
        start_line(page, indent, "");
        print_raw(page, read->text, read->text_len);
        fprintf(page->out, " = %s\n", read->value.text);
    }
}

/* `when` */

static bool
is_plain_truth(const struct trace_part *part)
{
    return !strcmp(part->value.text, part->holds ? "true" : "false");
}

/* That the part is true or false, and what it saw. */
static void
print_truth(const struct page *page, int indent, const struct trace_part *part)
{
    paint(page, part->holds ? GOOD : BAD);
    if (part->is_compare || is_plain_truth(part))
        fprintf(page->out, " is %s", part->holds ? "true" : "false");
    else
        fprintf(page->out, " is %s, which counts as %s", part->value.text,
                part->holds ? "true" : "false");
    paint(page, PLAIN);
    fputc('\n', page->out);
    print_reads(page, indent, part->reads);
}

static void
print_parts(const struct page *page, int indent, const struct trace_element *element)
{
    const struct trace_part *part = element->parts;

    for (; part; part = part->next) {
        start_line(page, indent, part == element->parts ? "because" : "and");
        print_raw(page, part->text, part->text_len);
        print_truth(page, indent, part);
    }
    if (element->parts_cut) {
        start_line(page, indent, "and");
        fputs("…\n", page->out);
    }
}

static void
print_when(const struct page *page, int indent, const struct expr *when,
           const struct trace_element *element)
{
    const struct trace_part *part = element->parts;

    if (!element->has_when)
        return;
    start_line(page, indent, "when");
    print_raw(page, when->text, when->len);
    if (part && part->text_len == when->len) {
        print_truth(page, indent, part); /* the part is the whole */
        return;
    }
    print_painted(page, FAINT, part ? "" : " is true");
    fputc('\n', page->out);
    print_parts(page, indent, element);
}

/* Settings */

static bool
is_constant(const struct template *template)
{
    for (size_t i = 0; i < template->count; i++) {
        if (template->parts[i].expr)
            return false;
    }
    return true;
}

/* Whether the template is a path and nothing else, so that what it read is its result. */
static bool
is_lone_path(const struct template *template)
{
    return template->count == 1 && template->parts[0].expr &&
           template->parts[0].expr->kind == EXPR_PATH;
}

static const char *
empty_reason(const struct trace_setting *setting)
{
    if (setting->setting->target == SETTING_EMAIL)
        return setting->outcome == TRACE_NULL ? "null" : "empty";
    if (setting->outcome == TRACE_NULL)
        return setting->setting->template->count > 1 ? "left out: a part is null"
                                                     : "left out: null";
    return setting->value.text[0] == '[' ? "left out: no tag in it" : "left out: empty";
}

static void
print_setting(const struct page *page, int indent, const struct trace_setting *setting)
{
    const struct template *template = setting->setting->template;

    start_line(page, indent, setting->setting->path);
    if (setting->outcome == TRACE_SET) {
        fputs(setting->value.text, page->out);
    } else if (setting->outcome == TRACE_WRONG) {
        print_painted(page, BAD, setting->value.text);
        fprintf(page->out, " %s", setting->reason);
    } else {
        print_painted(page, FAINT, empty_reason(setting));
    }
    fputc('\n', page->out);
    if (is_constant(template))
        return;
    start_line(page, indent, "");
    paint(page, FAINT);
    fputs("from ", page->out);
    print_raw(page, template->text, strlen(template->text));
    paint(page, PLAIN);
    fputc('\n', page->out);
    if (!is_lone_path(template))
        print_reads(page, indent, setting->reads);
}

static void
print_drop(const struct page *page, int indent, const struct trace_drop *drop)
{
    const char *label = drop->call == CALL_IDENTIFY ? "identify.tags" : "track.addTags";

    start_line(page, indent, drop->removed ? "track.removeTags" : label);
    fprintf(page->out, "%s is left out: the call %s\n", drop->tag.text,
            drop->removed ? "adds it, or removes it already" : "has it already");
}

static void
print_element_body(const struct page *page, int indent, const struct rule *rule,
                   const struct trace_element *element)
{
    print_when(page, indent, rule->when, element);
    for (const struct trace_setting *set = element->settings; set; set = set->next)
        print_setting(page, indent, set);
    for (const struct trace_drop *drop = element->dropped; drop; drop = drop->next)
        print_drop(page, indent, drop);
    if (element->track_empty) {
        start_line(page, indent, "track");
        fputs("not sent: no tag is left\n", page->out);
    }
    if (element->result == RULE_WITHOUT_EMAIL) {
        start_line(page, indent, "nothing is sent");
        fputs("there is no e-mail, and without_email = \"skip\"\n", page->out);
    }
}

/* Rules */

static enum colour
colour_of(enum rule_result result)
{
    if (rule_result_is_match(result))
        return GOOD;
    return result == RULE_FAILED ? BAD : FAINT;
}

static void
print_result(const struct page *page, const struct trace_rule *rule)
{
    static const char *const texts[RULE_RESULT_COUNT] = {
        [RULE_OTHER_TOPIC] = "not tried, it does not read this topic",
        [RULE_DISABLED] = "not tried, enabled = false",
        [RULE_NOT_REACHED] = "not tried, the event had failed before",
        [RULE_STOPPED] = "not tried",
        [RULE_TOO_OLD] = "not matched",
        [RULE_NO_ROOT] = "not matched",
        [RULE_NO_ELEMENTS] = "not matched",
        [RULE_NOT_MATCHED] = "not matched",
        [RULE_WITHOUT_EMAIL] = "matched, without an e-mail",
        [RULE_MATCHED] = "matched",
        [RULE_FAILED] = "cannot be rendered",
    };

    paint(page, colour_of(rule->result));
    fputs(texts[rule->result], page->out);
    paint(page, PLAIN);
    if (rule->stopped_by)
        fprintf(page->out, ", rule \"%s\" matched and has stop = true", rule->stopped_by->name);
    if (!rule->rule->for_each || !rule->element_count)
        return;
    if (rule->matched_count)
        fprintf(page->out, " for %zu of", rule->matched_count);
    else
        fputs(" for any of", page->out);
    fprintf(page->out, " %zu element%s", rule->element_count, rule->element_count == 1 ? "" : "s");
}

static void
print_age(const struct page *page, const struct explanation *explanation, const struct rule *rule)
{
    struct buf text;

    buf_init(&text, 256);
    buf_add_text(&text, "the event is older than ");
    duration_print(&text, rule->max_age_ms);
    buf_add_text(&text, ": its timestamp is ");
    time_print(&text, explanation->event->timestamp_ms);
    start_line(page, 4, "max_age");
    fprintf(page->out, "%s\n", buf_text(&text));
    buf_fini(&text);
}

static void
print_elements(const struct page *page, const struct trace_rule *rule)
{
    const struct trace_element *element = rule->elements;
    size_t shown = 0;

    for (; element; element = element->next, shown++) {
        if (!element->is_item) {
            print_element_body(page, 4, rule->rule, element);
            continue;
        }
        fputs("    ", page->out);
        print_raw(page, rule->rule->for_each->text, rule->rule->for_each->len);
        fprintf(page->out, "[%" PRId64 "] ", element->index);
        print_painted(page, colour_of(element->result),
                      rule_result_is_match(element->result) ? "matched"
                      : element->result == RULE_FAILED      ? "cannot be rendered"
                                                            : "not matched");
        fprintf(page->out, "  item = %s\n", element->item.text);
        print_element_body(page, 6, rule->rule, element);
    }
    if (shown < rule->element_count)
        fprintf(page->out, "    … and %zu more elements\n", rule->element_count - shown);
}

/* How wide the names of what RULE set are. */
static int
measure_labels(const struct trace_rule *rule)
{
    size_t width = LABEL_MIN;

    for (const struct trace_element *element = rule->elements; element; element = element->next) {
        for (const struct trace_setting *set = element->settings; set; set = set->next) {
            size_t len = strlen(set->setting->path);

            width = len > width ? len : width;
        }
    }
    return width < LABEL_MAX ? (int)width : LABEL_MAX;
}

static void
print_rule(struct page *page, const struct explanation *explanation, const struct trace_rule *rule)
{
    const struct expr *path = rule->result == RULE_NO_ROOT ? rule->rule->root : NULL;

    if (rule->result == RULE_NO_ELEMENTS)
        path = rule->rule->for_each;
    page->label_width = measure_labels(rule);
    fputs("  ", page->out);
    paint(page, STRONG);
    fprintf(page->out, "rule \"%s\"", rule->rule->name);
    paint(page, PLAIN);
    fputs(": ", page->out);
    print_result(page, rule);
    fputc('\n', page->out);
    if (rule->result == RULE_TOO_OLD)
        print_age(page, explanation, rule->rule);
    if (path) {
        start_line(page, 4, rule->result == RULE_NO_ROOT ? "root" : "for_each");
        print_raw(page, path->text, path->len);
        fputs(rule->result == RULE_NO_ROOT ? " is null or missing\n"
                                           : " is null, missing or empty\n",
              page->out);
    }
    print_elements(page, rule);
}

/* The rules of other topics in one line. */
static void
print_others(const struct page *page, const struct explanation *explanation)
{
    size_t count = 0, total = ruleset_rule_count(explanation->config->rules);

    for (size_t i = 0; i < total; i++) {
        const struct trace_rule *rule = trace_rule(explanation->trace, i);

        if (rule->result != RULE_OTHER_TOPIC)
            continue;
        if (!count)
            fputs("  Not tried, since they do not read this topic: ", page->out);
        if (count < NAMES_MAX)
            fprintf(page->out, "%s\"%s\"", count ? ", " : "", rule->rule->name);
        count++;
    }
    if (count > NAMES_MAX)
        fprintf(page->out, " and %zu more", count - NAMES_MAX);
    if (count)
        fputc('\n', page->out);
}

void
explanation_print_why(const struct trace_rule *rule, const char *indent, FILE *out)
{
    const struct trace_element *element = rule->elements;

    fprintf(out, "%srule \"%s\": ", indent, rule->rule->name);
    print_result(&(struct page){.out = out}, rule);
    if (element && element->parts) {
        const struct trace_part *part = element->parts;
        const struct trace_read *read = part->reads;

        fprintf(out, ": %.*s is %s", (int)part->text_len, part->text, part->value.text);
        for (; read; read = read->next)
            fprintf(out, ", %.*s = %s", (int)read->text_len, read->text, read->value.text);
    }
    fputc('\n', out);
}

/* Calls */

/* A body in lines of one member each: BODY is compact JSON. */
static void
print_body(const struct page *page, const char *body)
{
    bool quoted = false;
    int depth = 0;

    fputs("       ", page->out);
    for (const char *c = body; *c; c++) {
        fputc(*c, page->out);
        if (*c == '"')
            quoted = !quoted;
        if (quoted && *c == '\\') {
            fputc(*++c, page->out);
            continue;
        }
        if (quoted)
            continue;
        if (*c == '{' || *c == '[')
            depth++;
        if (*c == '}' || *c == ']')
            depth--;
        if (*c == ',' && depth == 1)
            fputs("\n        ", page->out);
        else if (*c == ',' || *c == ':')
            fputc(' ', page->out);
    }
    fputc('\n', page->out);
}

static void
print_call(const struct page *page, const struct explanation *explanation, size_t i)
{
    const struct call *call = explanation->mapping->calls.items[i];
    const struct account *account = &explanation->config->accounts[call->account];
    struct wire_request request;
    struct buf curl;

    fprintf(page->out, "    %zu. ", i + 1);
    print_painted(page, STRONG, call_kind_name(call->kind));
    fprintf(page->out, " from rule \"%s\" to account \"%s\"\n", call->rule, account->name);
    wire_request_init(&request);
    call_text_request(&request, account, call);
    fprintf(page->out, "       POST %s\n", buf_text(&request.url));
    print_body(page, buf_text(&request.body));
    wire_request_fini(&request);
    if (!explanation->curl)
        return;
    buf_init(&curl, CALL_TEXT_MAX);
    call_text_add_curl(&curl, account, call);
    fprintf(page->out, "\n%s\n\n", buf_text(&curl));
    buf_fini(&curl);
}

static void
print_failure(const struct page *page, const struct explanation *explanation)
{
    bool dead_letter = *explanation->config->dead_letter.topic;

    fputs("  ", page->out);
    print_painted(page, BAD, dead_letter ? "Dead letter" : "Held");
    fprintf(page->out, ": %s\n", explanation->mapping->reason);
    if (dead_letter)
        fprintf(page->out, "  Nothing is sent: the event goes to the topic %s.\n",
                explanation->config->dead_letter.topic);
    else
        fputs("  Nothing is sent: the event holds its partition, since dead letters are switched "
              "off.\n",
              page->out);
}

/* A topic that no rule reads may be a slip of the keyboard. */
static void
print_no_match(const struct page *page, const struct explanation *explanation)
{
    const struct ruleset *rules = explanation->config->rules;
    bool is_read = false;
    struct nearest nearest;

    for (size_t i = 0; i < ruleset_rule_count(rules); i++)
        is_read |= trace_rule(explanation->trace, i)->result != RULE_OTHER_TOPIC;
    fputs(is_read ? "  No rule matched" : "  No rule reads this topic", page->out);
    nearest_init(&nearest, explanation->event->topic);
    for (size_t i = 0; i < ruleset_topic_count(rules) && !is_read; i++)
        nearest_try(&nearest, ruleset_topic(rules, i));
    if (!is_read && nearest_best(&nearest))
        fprintf(page->out, " (did you mean %s?)", nearest_best(&nearest));
    fputs(": nothing is sent, and the event is finished.\n", page->out);
}

static void
print_outcome(const struct page *page, const struct explanation *explanation)
{
    size_t count = explanation->mapping->calls.count;

    switch (explanation->outcome) {
    case MAP_CALLS:
        fprintf(page->out, "  %zu call%s\n", count,
                count == 1 ? " would be sent:" : "s would be sent, in this order:");
        for (size_t i = 0; i < count; i++)
            print_call(page, explanation, i);
        break;
    case MAP_NO_MATCH:
        print_no_match(page, explanation);
        break;
    case MAP_NO_CALL:
        fputs("  Matched, but there is nothing to send: the event is finished.\n", page->out);
        break;
    case MAP_TOMBSTONE:
        fputs("  No payload (a tombstone): nothing is sent, and the event is finished.\n",
              page->out);
        break;
    default:
        print_failure(page, explanation);
        break;
    }
}

void
explanation_print(const struct explanation *explanation, FILE *out)
{
    struct page page = {.out = out, .colour = explanation->colour};
    bool is_read = explanation->outcome != MAP_TOMBSTONE && explanation->outcome != MAP_NOT_JSON;

    paint(&page, STRONG);
    fprintf(out, "Event %zu, topic ", explanation->number);
    print_raw(&page, explanation->event->topic, strlen(explanation->event->topic));
    paint(&page, PLAIN);
    fprintf(out, " (%s)\n", explanation->source);
    for (size_t i = 0; is_read && i < ruleset_rule_count(explanation->config->rules); i++) {
        const struct trace_rule *rule = trace_rule(explanation->trace, i);

        if (rule->result != RULE_OTHER_TOPIC)
            print_rule(&page, explanation, rule);
    }
    if (is_read) {
        print_others(&page, explanation);
        fputc('\n', out);
    }
    print_outcome(&page, explanation);
    if (trace_is_cut(explanation->trace))
        fputs("  (The event is large: not everything that was read is shown.)\n", out);
    fputc('\n', out);
}
