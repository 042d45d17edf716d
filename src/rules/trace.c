#include "rules/trace.h"

#include <string.h>

#include "base/utf8.h"
#include "base/xalloc.h"

enum {
    BRIEF_TEXT_MAX = 120, /* bytes of a text that a value shows */
    BRIEF_DEPTH_MAX = 4,
    SCRATCH_MAX = 64 * 1024
};

struct trace {
    struct eval_watch watch; /* first: what the evaluation knows of the trace */
    const struct ruleset *rules;
    struct trace_rule *items; /* as many as rules */
    bool *entries_used;
    struct arena arena;   /* the notes */
    struct arena scratch; /* what questions of the trace make */
    struct buf text;
    bool cut;

    /* Where things are at the moment. */
    struct eval *eval;
    struct trace_rule *rule;
    const struct trace_element **next_element; /* the ends of lists */
    const struct trace_part **next_part;
    const struct trace_setting **next_setting;
    const struct trace_drop **next_drop;
    struct trace_element *element; /* NULL: it is not noted */
    size_t part_count;
    const struct trace_read **reads; /* NULL: what is read is not noted */
    const struct trace_read *setting_reads;
};

/* Values in brief */

static bool
add_text(struct buf *buf, const char *text, size_t len)
{
    size_t shown = utf8_cut(text, len, BRIEF_TEXT_MAX);

    buf_add_json(buf, text, shown);
    if (shown == len)
        return false;
    buf_truncate(buf, buf->len - 1);
    buf_add_text(buf, "…\"");
    return true;
}

static bool add_brief(struct buf *buf, const struct value *value, int depth);

/* Whether another element has no room. */
static bool
is_full(struct buf *buf, int depth)
{
    if (buf->len < TRACE_VALUE_MAX && depth < BRIEF_DEPTH_MAX)
        return false;
    buf_add_text(buf, "…");
    return true;
}

static bool
add_array(struct buf *buf, const struct value *array, int depth)
{
    bool cut = false;

    buf_add_char(buf, '[');
    for (size_t i = 0; i < array->len && !cut; i++) {
        struct value item = value_item(array, i);

        if (i)
            buf_add_char(buf, ',');
        cut = is_full(buf, depth) || add_brief(buf, &item, depth + 1);
    }
    buf_add_char(buf, ']');
    return cut;
}

static bool
add_object(struct buf *buf, json_t *object, int depth)
{
    void *iter = json_object_iter(object);
    bool cut = false, first = true;

    buf_add_char(buf, '{');
    for (; iter && !cut; iter = json_object_iter_next(object, iter)) {
        struct value value = value_of_json(json_object_iter_value(iter));

        if (!first)
            buf_add_char(buf, ',');
        first = false;
        if (is_full(buf, depth)) {
            cut = true;
            break;
        }
        cut = add_text(buf, json_object_iter_key(iter), json_object_iter_key_len(iter));
        buf_add_char(buf, ':');
        cut |= add_brief(buf, &value, depth + 1);
    }
    buf_add_char(buf, '}');
    return cut;
}

/* Adds VALUE as JSON, cut where it is long; whether it was. */
static bool
add_brief(struct buf *buf, const struct value *value, int depth)
{
    switch (value->kind) {
    case VALUE_TEXT:
        return add_text(buf, value->text, value->len);
    case VALUE_ARRAY:
        return add_array(buf, value, depth);
    case VALUE_OBJECT:
        return add_object(buf, value->json, depth);
    default:
        value_add_json(value, buf);
        return false;
    }
}

static struct trace_value
brief(struct trace *trace, const struct value *value)
{
    struct trace_value result;

    buf_reset(&trace->text);
    result.cut = add_brief(&trace->text, value, 0);
    result.text = arena_text(&trace->arena, buf_text(&trace->text), trace->text.len);
    return result;
}

/* Room for a note, zeroed; NULL when there is none left. */
static void *
make_note(struct trace *trace, size_t size)
{
    void *note;

    if (trace->arena.used + size > TRACE_BYTES_MAX) {
        trace->cut = true;
        return NULL;
    }
    note = arena_alloc(&trace->arena, size);
    memset(note, 0, size);
    return note;
}

/* What is read */

static void
note_read(struct trace *trace, const struct expr *expr, const struct value *value)
{
    const struct trace_read **at = trace->reads;
    struct trace_read *read;
    size_t count = 0;

    for (; *at; at = (const struct trace_read **)&(*at)->next) {
        if ((*at)->text_len == expr->len && !memcmp((*at)->text, expr->text, expr->len))
            return;
        count++;
    }
    if (count >= TRACE_READS_MAX) {
        trace->cut = true;
        return;
    }
    read = make_note(trace, sizeof(*read));
    if (!read)
        return;
    read->text = expr->text;
    read->text_len = expr->len;
    read->is_path = expr->kind == EXPR_PATH;
    read->value = brief(trace, value);
    *at = read;
}

static void
watch_path(struct eval_watch *watch, const struct expr *path, const struct value *value)
{
    struct trace *trace = CONTAINER_OF(watch, struct trace, watch);

    if (trace->reads)
        note_read(trace, path, value);
}

static void
watch_entry(struct eval_watch *watch, const struct table_entry *entry)
{
    struct trace *trace = CONTAINER_OF(watch, struct trace, watch);

    trace->entries_used[entry->number] = true;
}

/* The value of EXPR once more, with limits of its own: what the event may spend stays as it is. The
 * value lives until the next question. */
static struct value
ask(struct trace *trace, const struct expr *expr)
{
    struct eval *eval = trace->eval;
    struct arena *arena = eval->arena;
    size_t work_left = eval->work_left, bytes_left = eval->bytes_left;
    size_t regex_left = eval->regex_left;
    uint64_t regex_limited = eval->regex_limited;
    struct value value;

    arena_reset(&trace->scratch);
    eval->arena = &trace->scratch;
    eval->work_left = EVAL_WORK_MAX;
    eval->bytes_left = EVAL_BYTES_MAX;
    eval->regex_left = EVAL_REGEX_MAX;
    value = expr_eval(expr, eval);
    if (eval->failure)
        value = value_null();
    eval->failure = NULL;
    eval->arena = arena;
    eval->work_left = work_left;
    eval->bytes_left = bytes_left;
    eval->regex_left = regex_left;
    eval->regex_limited = regex_limited;
    return value;
}

static bool
ask_truth(struct trace *trace, const struct expr *expr)
{
    struct value value = ask(trace, expr);

    return value_truth(&value);
}

/* The deciding part of `when` */

/* Notes the value of EXPR, and what it reads. */
static void
note_operand(struct trace *trace, const struct expr *expr, const struct trace_read **reads)
{
    struct value value;

    trace->reads = NULL;
    if (expr->kind == EXPR_LITERAL)
        return;
    value = ask(trace, expr);
    trace->reads = reads;
    note_read(trace, expr, &value);
    if (expr->kind != EXPR_PATH)
        ask(trace, expr);
    trace->reads = NULL;
}

static void
note_part(struct trace *trace, const struct expr *expr, bool holds)
{
    struct trace_part *part;
    struct value value;

    if (trace->part_count == TRACE_PARTS_MAX) {
        trace->element->parts_cut = true;
        return;
    }
    part = make_note(trace, sizeof(*part));
    if (!part)
        return;
    trace->part_count++;
    *trace->next_part = part;
    trace->next_part = &part->next;
    part->text = expr->text;
    part->text_len = expr->len;
    part->holds = holds;
    part->is_compare = expr->kind == EXPR_COMPARE;
    value = ask(trace, expr);
    part->value = brief(trace, &value);
    if (expr->kind == EXPR_COMPARE) {
        note_operand(trace, expr->items[0], &part->reads);
        if (expr->op != OP_MATCHES)
            note_operand(trace, expr->items[1], &part->reads);
    } else if (expr->kind != EXPR_PATH) {
        trace->reads = &part->reads;
        ask(trace, expr);
        trace->reads = NULL;
    }
}

static void note_why(struct trace *trace, const struct expr *expr, bool holds);

/* Of a row whose truth one item decided: that item; else all of them. */
static void
note_row(struct trace *trace, const struct expr *row, bool holds)
{
    bool one_decides = (row->kind == EXPR_OR) == holds;

    for (size_t i = 0; i < row->count; i++) {
        if (one_decides && ask_truth(trace, row->items[i]) != holds)
            continue;
        note_why(trace, row->items[i], holds);
        if (one_decides)
            return;
    }
}

/* Notes the parts of EXPR that make it true, if it HOLDS, or else false. */
static void
note_why(struct trace *trace, const struct expr *expr, bool holds)
{
    const struct expr *branch;
    bool condition;

    switch (expr->kind) {
    case EXPR_AND:
    case EXPR_OR:
        note_row(trace, expr, holds);
        break;
    case EXPR_NOT:
        note_why(trace, expr->items[0], !holds);
        break;
    case EXPR_CHOICE:
        condition = ask_truth(trace, expr->items[0]);
        branch = expr->items[condition ? 1 : 2];
        note_why(trace, expr->items[0], condition);
        if (branch->kind != EXPR_LITERAL)
            note_why(trace, branch, holds);
        break;
    default:
        note_part(trace, expr, holds);
        break;
    }
}

/* What the ruleset tells */

struct trace *
trace_new(const struct ruleset *rules)
{
    struct trace *trace = xcalloc(1, sizeof(*trace));
    size_t count = ruleset_rule_count(rules);

    trace->watch = (struct eval_watch){.path = watch_path, .entry = watch_entry};
    trace->rules = rules;
    trace->items = xcalloc(count + 1, sizeof(trace->items[0]));
    trace->entries_used = xcalloc(ruleset_tables(rules)->entry_count + 1, sizeof(bool));
    for (size_t i = 0; i < count; i++)
        trace->items[i].rule = &ruleset_rules(rules)[i];
    arena_init(&trace->arena, 16 * 1024);
    arena_init(&trace->scratch, 16 * 1024);
    buf_init(&trace->text, SCRATCH_MAX);
    return trace;
}

void
trace_free(struct trace *trace)
{
    if (!trace)
        return;
    xfree(trace->items);
    xfree(trace->entries_used);
    arena_fini(&trace->arena);
    arena_fini(&trace->scratch);
    buf_fini(&trace->text);
    xfree(trace);
}

const struct trace_rule *
trace_rule(const struct trace *trace, size_t i)
{
    return &trace->items[i];
}

bool
trace_is_cut(const struct trace *trace)
{
    return trace->cut;
}

bool
trace_entry_used(const struct trace *trace, const struct table_entry *entry)
{
    return trace->entries_used[entry->number];
}

static struct trace_rule *
find_rule(struct trace *trace, const struct rule *rule)
{
    return &trace->items[rule - ruleset_rules(trace->rules)];
}

void
trace_start(struct trace *trace, struct eval *eval)
{
    size_t count = ruleset_rule_count(trace->rules);

    arena_reset(&trace->arena);
    trace->cut = false;
    trace->eval = eval;
    eval->watch = &trace->watch;
    trace->reads = NULL;
    for (size_t i = 0; i < count; i++) {
        struct trace_rule *item = &trace->items[i];

        item->result = RULE_OTHER_TOPIC;
        item->stopped_by = NULL;
        item->element_count = item->matched_count = 0;
        item->elements = NULL;
    }
}

void
trace_done(struct trace *trace)
{
    trace->eval->watch = NULL;
    trace->eval = NULL;
}

void
trace_met(struct trace *trace, const struct rule *rule)
{
    find_rule(trace, rule)->result = rule->enabled ? RULE_NOT_REACHED : RULE_DISABLED;
}

void
trace_stopped(struct trace *trace, const struct rule *by)
{
    for (size_t i = 0; i < ruleset_rule_count(trace->rules); i++) {
        if (trace->items[i].result != RULE_NOT_REACHED)
            continue;
        trace->items[i].result = RULE_STOPPED;
        trace->items[i].stopped_by = by;
    }
}

void
trace_rule_start(struct trace *trace, const struct rule *rule)
{
    trace->rule = find_rule(trace, rule);
    trace->next_element = &trace->rule->elements;
}

void
trace_rule_done(struct trace *trace, enum rule_result result)
{
    trace->rule->result = result;
    trace->rule->ever_matched |= rule_result_is_match(result);
    trace->rule = NULL;
}

void
trace_element_start(struct trace *trace)
{
    const struct eval *eval = trace->eval;
    struct trace_element *element = NULL;

    trace->element = NULL;
    if (trace->rule->element_count++ < TRACE_ELEMENTS_MAX)
        element = make_note(trace, sizeof(*element));
    else
        trace->cut = true;
    if (!element)
        return;
    element->is_item = eval->has_item;
    if (element->is_item) {
        element->index = eval->index;
        element->item = brief(trace, &eval->item);
    }
    *trace->next_element = element;
    trace->next_element = &element->next;
    trace->next_part = &element->parts;
    trace->next_setting = &element->settings;
    trace->next_drop = &element->dropped;
    trace->part_count = 0;
    trace->element = element;
}

void
trace_when(struct trace *trace, bool holds)
{
    if (holds)
        trace->rule->when_held = true;
    else
        trace->rule->when_failed = true;
    if (!trace->element)
        return;
    trace->element->has_when = true;
    if (!holds)
        note_why(trace, trace->rule->rule->when, false);
}

void
trace_setting_start(struct trace *trace)
{
    trace->setting_reads = NULL;
    trace->reads = trace->element ? &trace->setting_reads : NULL;
}

void
trace_setting_done(struct trace *trace, const struct setting *setting, enum trace_outcome outcome,
                   const struct value *value, const char *reason)
{
    struct trace_setting *note = NULL;

    trace->reads = NULL;
    if (trace->element)
        note = make_note(trace, sizeof(*note));
    if (!note)
        return;
    note->setting = setting;
    note->outcome = outcome;
    note->value = brief(trace, value);
    note->reason = reason;
    note->reads = trace->setting_reads;
    *trace->next_setting = note;
    trace->next_setting = &note->next;
}

void
trace_tag_dropped(struct trace *trace, enum call_kind call, const struct value *tag, bool removed)
{
    struct trace_drop *note = NULL;

    if (trace->element)
        note = make_note(trace, sizeof(*note));
    if (!note)
        return;
    note->call = call;
    note->tag = brief(trace, tag);
    note->removed = removed;
    *trace->next_drop = note;
    trace->next_drop = &note->next;
}

void
trace_track_empty(struct trace *trace)
{
    if (trace->element)
        trace->element->track_empty = true;
}

void
trace_element_done(struct trace *trace, enum rule_result result)
{
    trace->rule->matched_count += rule_result_is_match(result);
    if (trace->element)
        trace->element->result = result;
    trace->element = NULL;
}
