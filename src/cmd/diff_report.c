#include "cmd/diff_report.h"

#include <inttypes.h>
#include <string.h>

#include "base/json_out.h"
#include "base/mask.h"
#include "base/page.h"
#include "base/xalloc.h"
#include "cmd/call_text.h"

enum { NAME_WIDTH = 40, NAME_LEAST = 24, TAGS_SHOWN = 20, SAMPLE_LINES = 40 };

/* ---- samples ---- */

static char *
masked(const char *text)
{
    struct buf out;

    buf_init(&out, CALL_TEXT_MAX);
    mask_add_text(&out, text, strlen(text));
    return buf_steal(&out);
}

/* Those of one side that differ, or all where only their order does. The list borrows them. */
static void
gather(const struct diff_pairs *pairs, size_t side, const struct call_list *all,
       struct call_list *calls)
{
    for (size_t i = 0; !pairs->differing && i < all->count; i++)
        call_list_add(calls, all->items[i]);
    for (size_t i = 0; pairs->differing && i < pairs->count; i++) {
        const struct diff_pair *pair = &pairs->items[i];
        const struct call *call = side == DIFF_OLD ? pair->old : pair->new;

        if (call && pair->kind != DIFF_SAME)
            call_list_add(calls, (struct call *)call);
    }
}

static char *
calls_as_json(const struct config *config, const struct call_list *calls)
{
    struct buf out;
    char *text = NULL;

    buf_init(&out, DIFF_SAMPLE_BYTES);
    buf_add_char(&out, '[');
    for (size_t i = 0; i < calls->count; i++) {
        buf_add_text(&out, i ? "," : "");
        call_text_add_json(&out, config, calls->items[i], true);
    }
    buf_add_char(&out, ']');
    if (!buf_toobig(&out))
        text = masked(buf_text(&out));
    buf_fini(&out);
    return text;
}

/* The first lines of TEXT. */
static char *
cut_lines(const char *text)
{
    size_t lines = 0, len = 0;

    while (text[len] && lines < SAMPLE_LINES && len < DIFF_SAMPLE_BYTES)
        lines += text[len++] == '\n';
    while (text[len] && len && text[len - 1] != '\n')
        len--;
    if (!text[len])
        return masked(text);
    return xasprintf("%.*s  … and more\n", (int)len, text);
}

static char *
calls_as_text(struct test_side old, struct test_side new)
{
    struct buf out, masked_text;
    char *text;

    buf_init(&out, CALL_TEXT_MAX);
    buf_init(&masked_text, CALL_TEXT_MAX);
    test_add_diff(old, new, "    ", &out);
    mask_add_text(&masked_text, buf_text(&out), out.len);
    text = cut_lines(buf_text(&masked_text));
    buf_fini(&out);
    buf_fini(&masked_text);
    return text;
}

/* The rule by whose name the sample goes. */
static const char *
rule_of(const struct diff_pairs *pairs)
{
    for (size_t i = 0; i < pairs->count; i++) {
        const struct diff_pair *pair = &pairs->items[i];

        if (pair->kind != DIFF_SAME)
            return pair->new ? pair->new->rule : pair->old->rule;
    }
    return "";
}

/* A name that lives as long as the report. */
static const char *
kept_name(const struct diff_report *report, const char *rule)
{
    struct map_node *node = map_find(&report->tally.rules_by_name, rule, strlen(rule));

    return node ? CONTAINER_OF(node, struct diff_rule, node)->name : "";
}

static bool
wants_sample(const struct diff_report *report, const char *rule, bool reordered)
{
    size_t count = 0;

    for (size_t i = 0; i < report->sample_count; i++)
        count +=
            report->samples[i].reordered == reordered && !strcmp(report->samples[i].rule, rule);
    return report->sample_count < DIFF_SAMPLES_MAX && count < report->samples_most;
}

void
diff_report_sample(struct diff_report *report, const struct event *event, const char *where,
                   const char *const reasons[DIFF_SIDES], const struct diff_pairs *pairs,
                   const struct test_side sides[DIFF_SIDES])
{
    const char *rule = rule_of(pairs);
    struct call_list calls[DIFF_SIDES] = {0};
    struct diff_sample *sample;

    bool reordered = pairs->reordered && !pairs->differing;

    if (!wants_sample(report, rule, reordered))
        return;
    sample = &report->samples[report->sample_count++];
    *sample = (struct diff_sample){.where = xstrdup(where),
                                   .topic = xstrdup(event->topic),
                                   .rule = kept_name(report, rule),
                                   .reordered = reordered};
    for (size_t side = 0; side < DIFF_SIDES; side++) {
        gather(pairs, side, sides[side].calls, &calls[side]);
        sample->calls[side] = calls_as_json(sides[side].config, &calls[side]);
        if (reasons[side])
            sample->reason[side] = masked(reasons[side]);
    }
    sample->text = calls_as_text((struct test_side){sides[DIFF_OLD].config, &calls[DIFF_OLD]},
                                 (struct test_side){sides[DIFF_NEW].config, &calls[DIFF_NEW]});
    for (size_t side = 0; side < DIFF_SIDES; side++)
        xfree(calls[side].items); /* the calls are borrowed */
}

void
diff_report_fini(struct diff_report *report)
{
    for (size_t i = 0; i < report->sample_count; i++) {
        struct diff_sample *sample = &report->samples[i];

        xfree(sample->where);
        xfree(sample->topic);
        xfree(sample->text);
        for (size_t side = 0; side < DIFF_SIDES; side++) {
            xfree(sample->reason[side]);
            xfree(sample->calls[side]);
        }
    }
    diff_tally_fini(&report->tally);
}

/* ---- for people ---- */

static const char *
plural(size_t count)
{
    return count == 1 ? "" : "s";
}

static int
name_width(const struct diff_report *report)
{
    int width = NAME_LEAST;

    for (size_t i = 0; i < report->tally.rule_count; i++) {
        int len = (int)strlen(report->tally.rules[i].name) + 2;

        if (len > width && len <= NAME_WIDTH)
            width = len;
    }
    return width;
}

static void
print_row(FILE *out, int width, const char *name, const size_t *numbers, size_t count)
{
    char text[PAGE_NUMBER_MAX];

    fprintf(out, "  %-*s", width, name);
    for (size_t i = 0; i < count; i++)
        fprintf(out, "  %9s", page_number(text, (int64_t)numbers[i]));
    fputc('\n', out);
}

static void
print_events(const struct diff_report *report, int width, FILE *out)
{
    static const struct {
        enum map_outcome outcomes[2];
        const char *name;
    } rows[] = {
        {{MAP_CALLS, MAP_CALLS}, "become calls"},
        {{MAP_NO_CALL, MAP_NO_CALL}, "match without a call"},
        {{MAP_NO_MATCH, MAP_NO_MATCH}, "match no rule"},
        {{MAP_NOT_RENDERED, MAP_NOT_JSON}, "become dead letters"},
        {{MAP_TOMBSTONE, MAP_TOMBSTONE}, "are tombstones"},
    };
    const struct diff_tally *tally = &report->tally;

    fprintf(out, "%-*s  %9s  %9s\n", width + 2, "Events that", "old", "new");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        size_t numbers[DIFF_SIDES];

        for (size_t side = 0; side < DIFF_SIDES; side++) {
            numbers[side] = tally->outcomes[side][rows[i].outcomes[0]];
            if (rows[i].outcomes[1] != rows[i].outcomes[0])
                numbers[side] += tally->outcomes[side][rows[i].outcomes[1]];
        }
        if (numbers[DIFF_OLD] || numbers[DIFF_NEW])
            print_row(out, width, rows[i].name, numbers, DIFF_SIDES);
    }
    fputs("Calls\n", out);
    print_row(out, width, "of all rules", tally->total, DIFF_SIDES);
}

static void
print_rules(const struct diff_report *report, int width, FILE *out)
{
    const struct diff_tally *tally = &report->tally;
    const size_t all[] = {tally->calls[DIFF_ADDED], tally->calls[DIFF_REMOVED],
                          tally->calls[DIFF_CHANGED], tally->contacts};

    fprintf(out, "\n%-*s  %9s  %9s  %9s  %9s\n", width + 2, "Calls by rule", "added", "removed",
            "changed", "contacts");
    print_row(out, width, "all rules", all, ARRAY_LEN(all));
    for (size_t i = 0; i < tally->rule_count; i++) {
        const struct diff_rule *rule = &tally->rules[i];
        const size_t numbers[] = {rule->calls[DIFF_ADDED], rule->calls[DIFF_REMOVED],
                                  rule->calls[DIFF_CHANGED], rule->contacts};

        if (numbers[0] || numbers[1] || numbers[2])
            print_row(out, width, rule->name, numbers, ARRAY_LEN(numbers));
    }
    if (tally->seen.full)
        fprintf(out, "There are more contacts than can be told apart: take their numbers as the "
                     "least.\n");
    if (tally->reordered)
        fprintf(out, "In %zu event%s calls of a contact that are the same come in another order.\n",
                tally->reordered, plural(tally->reordered));
}

static void
print_tags(const struct diff_report *report, int width, FILE *out)
{
    const struct diff_tally *tally = &report->tally;

    if (!tally->tag_count)
        return;
    fprintf(out, "\n%-*s  %9s  %9s  %9s  %9s  %9s\n", width + 2, "Tags, times more or less",
            "added +", "added -", "removed +", "removed -", "contacts");
    for (size_t i = 0; i < tally->tag_count && i < TAGS_SHOWN; i++) {
        const struct diff_tag *tag = tally->tags[i];
        const size_t numbers[] = {tag->more[0], tag->fewer[0], tag->more[1], tag->fewer[1],
                                  tag->contacts};
        char *text = masked(tag->tag);

        print_row(out, width, text, numbers, ARRAY_LEN(numbers));
        xfree(text);
    }
    if (tally->tag_count > TAGS_SHOWN || tally->tags_left_out)
        fprintf(out, "  and %zu%s more tags; --json lists them\n", tally->tag_count - TAGS_SHOWN,
                tally->tags_left_out ? " or" : "");
}

static void
print_sample(const struct diff_sample *sample, FILE *out)
{
    fprintf(out, "\n  %s%s%s", sample->where, *sample->rule ? ", rule " : "",
            *sample->rule ? sample->rule : "");
    fprintf(out, ", topic %s%s\n", sample->topic,
            sample->reordered ? ", only the order differs" : "");
    fputs(sample->text, out);
    if (sample->reason[DIFF_OLD])
        fprintf(out, "    -  a dead letter: %s\n", sample->reason[DIFF_OLD]);
    if (sample->reason[DIFF_NEW])
        fprintf(out, "    +  a dead letter: %s\n", sample->reason[DIFF_NEW]);
}

void
diff_report_print(const struct diff_report *report, FILE *out)
{
    const struct diff_tally *tally = &report->tally;
    int width = name_width(report);
    char numbers[3][PAGE_NUMBER_MAX];

    if (report->interrupted)
        fputs("Interrupted: this is about a part of the events.\n", out);
    fprintf(out, "old  %s, %zu rule%s\nnew  %s, %zu rule%s\n\n", report->files[DIFF_OLD],
            ruleset_rule_count(report->rules[DIFF_OLD]),
            plural(ruleset_rule_count(report->rules[DIFF_OLD])), report->files[DIFF_NEW],
            ruleset_rule_count(report->rules[DIFF_NEW]),
            plural(ruleset_rule_count(report->rules[DIFF_NEW])));
    if (!tally->differing) {
        fprintf(out, "No difference: both make the same of %s event%s.\n",
                page_number(numbers[0], (int64_t)tally->events), plural(tally->events));
        return;
    }
    fprintf(out, "%s of %s event%s would become something else: %s difference%s.\n\n",
            page_number(numbers[0], (int64_t)tally->differing),
            page_number(numbers[1], (int64_t)tally->events), plural(tally->events),
            page_number(numbers[2], (int64_t)tally->differences), plural(tally->differences));
    print_events(report, width, out);
    print_rules(report, width, out);
    print_tags(report, width, out);
    if (report->sample_count)
        fputs("\nSamples, - old and + new, addresses masked:\n", out);
    for (size_t i = 0; i < report->sample_count; i++)
        print_sample(&report->samples[i], out);
}

/* ---- for programs ---- */

static void
add_size(struct json_out *json, const char *key, size_t number)
{
    json_out_int(json, key, (int64_t)number);
}

static void
add_kinds(struct json_out *json, const size_t calls[4], size_t contacts)
{
    add_size(json, "same", calls[DIFF_SAME]);
    add_size(json, "added", calls[DIFF_ADDED]);
    add_size(json, "removed", calls[DIFF_REMOVED]);
    add_size(json, "changed", calls[DIFF_CHANGED]);
    add_size(json, "contacts", contacts);
}

static void
add_outcomes(struct json_out *json, const struct diff_tally *tally)
{
    static const char *const sides[] = {"old", "new"};

    json_out_object(json, "outcomes");
    for (size_t side = 0; side < DIFF_SIDES; side++) {
        json_out_object(json, sides[side]);
        for (size_t i = 0; i < MAP_OUTCOME_COUNT; i++)
            add_size(json, map_outcome_name((enum map_outcome)i), tally->outcomes[side][i]);
        json_out_object_end(json);
    }
    json_out_object_end(json);
}

static void
add_tags(struct json_out *json, const struct diff_tally *tally)
{
    json_out_array(json, "tags");
    for (size_t i = 0; i < tally->tag_count; i++) {
        const struct diff_tag *tag = tally->tags[i];
        char *text = masked(tag->tag);

        json_out_object(json, NULL);
        json_out_text(json, "tag", text);
        add_size(json, "added_more", tag->more[0]);
        add_size(json, "added_fewer", tag->fewer[0]);
        add_size(json, "removed_more", tag->more[1]);
        add_size(json, "removed_fewer", tag->fewer[1]);
        add_size(json, "contacts", tag->contacts);
        json_out_object_end(json);
        xfree(text);
    }
    json_out_array_end(json);
    add_size(json, "tag_changes_not_listed", tally->tags_left_out);
}

/* A member whose value is JSON as it stands. */
static void
add_json(struct json_out *json, const char *key, const char *text)
{
    json_out_null(json, key);
    if (!text)
        return;
    buf_truncate(json->buf, json->buf->len - strlen("null"));
    buf_add_text(json->buf, text);
}

static void
add_samples(struct json_out *json, const struct diff_report *report)
{
    json_out_array(json, "samples");
    for (size_t i = 0; i < report->sample_count; i++) {
        const struct diff_sample *sample = &report->samples[i];

        json_out_object(json, NULL);
        json_out_text(json, "source", sample->where);
        json_out_text(json, "topic", sample->topic);
        json_out_text(json, "rule", *sample->rule ? sample->rule : NULL);
        add_json(json, "old", sample->calls[DIFF_OLD]);
        add_json(json, "new", sample->calls[DIFF_NEW]);
        json_out_text(json, "old_reason", sample->reason[DIFF_OLD]);
        json_out_text(json, "new_reason", sample->reason[DIFF_NEW]);
        json_out_object_end(json);
    }
    json_out_array_end(json);
}

void
diff_report_print_json(const struct diff_report *report, FILE *out)
{
    const struct diff_tally *tally = &report->tally;
    struct buf buf;
    struct json_out json = {.buf = &buf};

    buf_init(&buf, CALL_TEXT_MAX);
    json_out_object(&json, NULL);
    json_out_bool(&json, "interrupted", report->interrupted);
    add_size(&json, "events", tally->events);
    add_size(&json, "events_that_differ", tally->differing);
    add_size(&json, "differences", tally->differences);
    add_size(&json, "reordered", tally->reordered);
    json_out_bool(&json, "contacts_exact", !tally->seen.full);
    add_outcomes(&json, tally);
    json_out_object(&json, "calls");
    add_kinds(&json, tally->calls, tally->contacts);
    json_out_object_end(&json);
    json_out_array(&json, "rules");
    for (size_t i = 0; i < tally->rule_count; i++) {
        json_out_object(&json, NULL);
        json_out_text(&json, "rule", tally->rules[i].name);
        add_kinds(&json, tally->rules[i].calls, tally->rules[i].contacts);
        json_out_object_end(&json);
    }
    json_out_array_end(&json);
    add_tags(&json, tally);
    add_samples(&json, report);
    json_out_object_end(&json);
    buf_add_char(&buf, '\n');
    fwrite(buf_text(&buf), 1, buf.len, out);
    buf_fini(&buf);
}
