#include "lab.h"

enum { OUT_MAX = 256 << 20, WRITTEN_AGAIN_MAX = 400 /* expressions of one input */ };

static struct spec_pair plans[] = {{{"pro", {0}, 0}, {"paid user", {0}, 0}},
                                   {{"", {0}, 0}, {"", {0}, 0}}};
static struct spec_table tables[] = {{{"t", {0}, 0}, {true, {0}, plans, ARRAY_LEN(plans)}}};
static const struct event_header headers[] = {
    {"a", "x", 1}, {"a", "y", 1}, {"bad", "\xff", 1}, {"none", NULL, 0}};

void
lab_open(struct lab *lab, struct fuzz_text payload)
{
    struct spec_ruleset spec = {.tables = tables, .table_count = ARRAY_LEN(tables)};
    char reason[128];

    *lab = (struct lab){
        .event = {.topic = "t", .partition = 1, .offset = 2, .timestamp_ms = 1700000000123}};
    code_init(&lab->code);
    arena_init(&lab->arena, 1024);
    arena_init(&lab->values, 1024);
    diag_init(&lab->diag);
    eval_init(&lab->eval, 1);
    table_set_init(&lab->tables, &spec, 1, &lab->arena, &lab->diag);
    lab->event.key = "k";
    lab->event.key_len = 1;
    lab->event.headers = headers;
    lab->event.header_count = ARRAY_LEN(headers);
    lab->event.payload = payload.text;
    lab->event.payload_len = payload.len;
    lab->payload = decode_json(payload.text, payload.len, reason, sizeof(reason));
    if (!lab->payload)
        lab->payload = json_pack("{s:s, s:i, s:[i,i]}", "a", "b", "c", 1, "d", 1, 2);
}

void
lab_close(struct lab *lab)
{
    json_decref(lab->payload);
    eval_fini(&lab->eval);
    table_set_fini(&lab->tables);
    diag_fini(&lab->diag);
    arena_fini(&lab->values);
    arena_fini(&lab->arena);
    code_fini(&lab->code);
}

struct expr_env
lab_env(struct lab *lab)
{
    return (struct expr_env){.code = &lab->code,
                             .tables = &lab->tables,
                             .diag = &lab->diag,
                             .at = {"f.conf", 12},
                             .where = "when"};
}

static bool
same_path(const struct path *a, const struct path *b)
{
    if (a->root != b->root || a->names_item != b->names_item || a->step_count != b->step_count ||
        a->first_all != b->first_all)
        return false;
    for (size_t i = 0; i < a->step_count; i++) {
        const struct path_step *x = &a->steps[i], *y = &b->steps[i];

        if (x->kind != y->kind)
            return false;
        if (x->kind == STEP_INDEX && x->index != y->index)
            return false;
        if (x->kind == STEP_KEY &&
            (x->key_len != y->key_len || memcmp(x->key, y->key, x->key_len) != 0))
            return false;
    }
    return true;
}

static bool
same_filters(const struct expr *a, const struct expr *b)
{
    for (size_t i = 0; i < a->count; i++) {
        const struct filter_use *x = &a->filters[i], *y = &b->filters[i];

        if (x->filter != y->filter || x->arg_count != y->arg_count || x->table != y->table ||
            x->offset_s != y->offset_s || !x->regex != !y->regex || !x->format != !y->format)
            return false;
        if (x->format && strcmp(x->format, y->format) != 0)
            return false;
        for (size_t k = 0; k < FILTER_ARGS_MAX; k++) {
            if (!x->args[k] != !y->args[k] || (x->args[k] && !lab_same(x->args[k], y->args[k])))
                return false;
        }
    }
    return true;
}

bool
lab_same(const struct expr *a, const struct expr *b)
{
    size_t work = 0, items = a->kind == EXPR_FILTERED ? 1 : a->count;

    if (a->kind != b->kind || a->count != b->count)
        return false;
    if (a->kind == EXPR_LITERAL)
        return value_equal(&a->literal, &b->literal, &work);
    if (a->kind == EXPR_PATH)
        return same_path(a->path, b->path);
    if (a->kind == EXPR_COMPARE && a->op != b->op)
        return false;
    for (size_t i = 0; i < items; i++) {
        if (!lab_same(a->items[i], b->items[i]))
            return false;
        if (a->kind == EXPR_CHAIN && i > 0 && a->ops[i] != b->ops[i])
            return false;
    }
    return a->kind != EXPR_FILTERED || same_filters(a, b);
}

static void
check_text(struct lab *lab, const struct expr *expr, int *left)
{
    size_t items = expr->kind == EXPR_FILTERED ? 1 : expr->count;
    struct expr_env env = lab_env(lab);
    const struct expr *again;

    if (--*left < 0)
        return;
    again = expr_parse(expr->text, expr->len, 1, &env);
    FUZZ_CHECK(again && lab_same(expr, again), "%.*s", (int)expr->len, expr->text);
    if (expr->kind == EXPR_LITERAL || expr->kind == EXPR_PATH)
        return;
    for (size_t i = 0; i < items; i++)
        check_text(lab, expr->items[i], left);
    for (size_t i = 0; expr->kind == EXPR_FILTERED && i < expr->count; i++) {
        for (size_t k = 0; k < FILTER_ARGS_MAX; k++) {
            if (expr->filters[i].args[k])
                check_text(lab, expr->filters[i].args[k], left);
        }
    }
}

void
lab_check_text(struct lab *lab, const struct expr *expr)
{
    int left = WRITTEN_AGAIN_MAX;

    check_text(lab, expr, &left);
}

/* Nothing grows: no text within VALUE is longer than one may become, or than the payload. */
static void
check_size(const struct lab *lab, const struct value *value)
{
    size_t most = lab->event.payload_len > EVAL_TEXT_MAX ? lab->event.payload_len : EVAL_TEXT_MAX;

    if (value->kind == VALUE_TEXT) {
        FUZZ_CHECK(value->len <= most, "%zu bytes", value->len);
        FUZZ_CHECK(utf8_is_valid(value->text, value->len));
    }
    FUZZ_CHECK(value->kind != VALUE_REAL || (value->real - value->real == 0));
    for (size_t i = 0; value->kind == VALUE_ARRAY && !value->in_json && i < value->len; i++)
        check_size(lab, &value->items[i]);
}

static void
start(struct lab *lab)
{
    arena_reset(&lab->values);
    eval_start(&lab->eval, &lab->event, lab->payload, &lab->values);
}

static void
finish(struct lab *lab, const struct value *value, struct buf *out)
{
    FUZZ_CHECK(lab->eval.work_left <= EVAL_WORK_MAX);
    FUZZ_CHECK(lab->eval.bytes_left <= EVAL_BYTES_MAX);
    FUZZ_CHECK(lab->eval.regex_left <= EVAL_REGEX_MAX);
    check_size(lab, value);
    buf_init(out, OUT_MAX);
    if (lab->eval.failure)
        buf_printf(out, "failure: %s", lab->eval.failure);
    else
        value_add_json(value, out);
    eval_done(&lab->eval);
}

/* Not foresee.c's, which is what it judges. */
static unsigned
kind_of(const struct value *value)
{
    switch (value->kind) {
    case VALUE_NULL:
        return FORESEE_NULL;
    case VALUE_BOOL:
        return FORESEE_BOOL;
    case VALUE_INT:
    case VALUE_REAL:
        return FORESEE_NUMBER;
    case VALUE_TEXT:
        return value->len ? FORESEE_TEXT : FORESEE_EMPTY;
    case VALUE_ARRAY:
        return FORESEE_ARRAY;
    default:
        return FORESEE_OBJECT;
    }
}

void
lab_write_expr(struct lab *lab, const struct expr *expr, struct buf *out)
{
    struct foresight sight = {tables, ARRAY_LEN(tables), NULL};
    struct value value;

    start(lab);
    value = expr_eval(expr, &lab->eval);
    FUZZ_CHECK(lab->eval.failure || (foresee(expr, &sight) & kind_of(&value)),
               "%.*s: kind %u was not foreseen", (int)expr->len, expr->text, kind_of(&value));
    finish(lab, &value, out);
}

void
lab_write_template(struct lab *lab, const struct template *template, struct buf *out)
{
    struct value value;

    start(lab);
    value = template_eval(template, &lab->eval);
    finish(lab, &value, out);
}
