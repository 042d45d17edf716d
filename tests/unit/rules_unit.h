/*
 * What the tests of rules share: expressions and templates from text to JSON text. Owns one lab at
 * a time; every result is overwritten by the next question.
 */
#ifndef TESTS_RULES_UNIT_H
#define TESTS_RULES_UNIT_H

#include "rules/decode.h"
#include "rules/template.h"
#include "unit.h"

struct lab {
    struct code code;
    struct table_set tables;
    struct eval eval;
    struct arena tables_arena, arena;
    struct diag diag;
    struct buf out;
};

static struct spec_pair lab_plans[] = {
    {{"pro", {0}, 0}, {"paid user", {0}, 0}}, {{"trial", {0}, 0}, {"trial user", {0}, 0}},
    {{"1", {0}, 0}, {"one", {0}, 0}},         {{"true", {0}, 0}, {"yes", {0}, 0}},
    {{"", {0}, 0}, {"nothing", {0}, 0}},
};
static struct spec_table lab_tables[] = {
    {{"plan_tag", {0}, 0}, {true, {0}, lab_plans, ARRAY_LEN(lab_plans)}}};

static inline void
lab_init(struct lab *lab)
{
    struct spec_ruleset spec = {.tables = lab_tables, .table_count = 1};

    code_init(&lab->code);
    arena_init(&lab->tables_arena, 1024);
    arena_init(&lab->arena, 1024);
    diag_init(&lab->diag);
    table_set_init(&lab->tables, &spec, 7, &lab->tables_arena, &lab->diag);
    eval_init(&lab->eval, 7);
    buf_init(&lab->out, 64 << 20);
}

static inline void
lab_fini(struct lab *lab)
{
    eval_fini(&lab->eval);
    code_fini(&lab->code);
    table_set_fini(&lab->tables);
    arena_fini(&lab->tables_arena);
    arena_fini(&lab->arena);
    diag_fini(&lab->diag);
    buf_fini(&lab->out);
}

/* What a record has around its payload in these tests. */
static const struct event_header lab_headers[] = {
    {"event-type", "old", 3},   {"event-type", "signup", 6}, {"Source", "web", 3},
    {"bad", "\xff", 1},         {"nothing", NULL, 0},        {"empty", "", 0},
    {"name", "J\xc3\xb6rg", 5},
};
static const struct event lab_event = {
    .topic = "user.registered",
    .partition = 3,
    .offset = 9007199254740993,
    .timestamp_ms = 1700000000123,
    .key = "k1",
    .key_len = 2,
    .headers = lab_headers,
    .header_count = ARRAY_LEN(lab_headers),
};

static inline struct expr_env
lab_env(struct lab *lab)
{
    return (struct expr_env){.code = &lab->code,
                             .tables = &lab->tables,
                             .diag = &lab->diag,
                             .at = {"f.conf", 12},
                             .where = "when"};
}

/* All findings so far, a line each. */
static inline const char *
lab_findings(struct lab *lab)
{
    buf_reset(&lab->out);
    for (size_t i = 0; i < lab->diag.count; i++) {
        if (i)
            buf_add_char(&lab->out, '\n');
        buf_add_text(&lab->out, lab->diag.items[i].text);
    }
    return buf_text(&lab->out);
}

/* VALUE as JSON, or why the evaluation was given up. */
static inline const char *
lab_show(struct lab *lab, struct value value)
{
    buf_reset(&lab->out);
    if (lab->eval.failure)
        buf_printf(&lab->out, "failure: %s", lab->eval.failure);
    else
        value_add_json(&value, &lab->out);
    return buf_text(&lab->out);
}

static inline json_t *
lab_payload(const char *payload, size_t len)
{
    char reason[256];
    json_t *json = decode_json(payload, len, reason, sizeof(reason));

    if (!json)
        fail_msg("payload: %s", reason);
    return json;
}

/* The value of an expression, or of a template, over PAYLOAD; or the load errors. EVENT may be
 * NULL. */
static inline const char *
lab_value(struct lab *lab, const char *text, bool is_template, const char *payload, size_t len,
          const struct event *event)
{
    struct expr_env env = lab_env(lab);
    struct event record = event ? *event : lab_event;
    const struct expr *expr = NULL;
    struct template template = {0};
    json_t *json;

    if (is_template ? template_parse(&template, text, &env) < 0
                    : !(expr = expr_parse(text, strlen(text), 1, &env)))
        return lab_findings(lab);
    json = lab_payload(payload, len);
    record.payload = payload;
    record.payload_len = len;
    arena_reset(&lab->arena);
    eval_start(&lab->eval, &record, json, &lab->arena);
    if (is_template)
        lab_show(lab, template_eval(&template, &lab->eval));
    else
        lab_show(lab, expr_eval(expr, &lab->eval));
    eval_done(&lab->eval);
    json_decref(json);
    return buf_text(&lab->out);
}

struct lab_case {
    const char *text, *expected, *payload; /* NULL: the test's own */
};

/* Runs CASES; EXPECTED is JSON. */
static inline void
lab_run(const struct lab_case *cases, size_t count, bool is_template, const char *payload)
{
    for (size_t i = 0; i < count; i++) {
        struct lab lab;
        const char *json = cases[i].payload ? cases[i].payload : payload;
        const char *found;

        lab_init(&lab);
        found = lab_value(&lab, cases[i].text, is_template, json, strlen(json), NULL);
        if (strcmp(found, cases[i].expected))
            fail_msg("%s\n  gives    %s\n  expected %s\n  over %s", cases[i].text, found,
                     cases[i].expected, json);
        lab_fini(&lab);
    }
}

/* Runs CASES that do not load; EXPECTED is part of the messages. */
static inline void
lab_refuse(const struct lab_case *cases, size_t count, bool is_template)
{
    for (size_t i = 0; i < count; i++) {
        struct lab lab;
        const char *found;

        lab_init(&lab);
        found = lab_value(&lab, cases[i].text, is_template, "{}", 2, NULL);
        if (!lab.diag.errors || !strstr(found, cases[i].expected))
            fail_msg("%s\n  gives    %s\n  expected %s", cases[i].text, found, cases[i].expected);
        lab_fini(&lab);
    }
}

#endif
