#include "rules/sentinel.h"

#include <assert.h>
#include <string.h>

#include "base/buf.h"
#include "base/mask.h"
#include "rules/rule.h"

enum { LOOK_WORK_MAX = 10000, LOOK_BYTES_MAX = 1 << 20 /* of one look, see rules/eval.h */ };

/* Where the paths of a rule are gathered. */
struct gathering {
    struct sentinel *sentinel;
    struct arena *arena;
    const char *text; /* of the expression they stand in */
};

/* Those of the record stand there always. */
static bool
is_watched(const struct path *path)
{
    switch (path->root) {
    case PATH_TOPIC:
    case PATH_PARTITION:
    case PATH_OFFSET:
    case PATH_TIMESTAMP:
    case PATH_INDEX:
        return false;
    default:
        return true;
    }
}

static bool
is_known(const struct sentinel *sentinel, const struct buf *text)
{
    for (size_t i = 0; i < sentinel->path_count; i++) {
        if (!strcmp(sentinel->paths[i].text, buf_text(text)))
            return true;
    }
    return false;
}

/* A field may be called by an address. Of those that look alike when masked the first is watched.
 */
static void
add_path(struct gathering *gathering, const struct expr *expr)
{
    struct sentinel *sentinel = gathering->sentinel;
    struct buf text;

    buf_init(&text, SIZE_MAX / 2);
    mask_add_text(&text, gathering->text + expr->at, expr->len);
    if (is_known(sentinel, &text)) {
        buf_fini(&text);
        return;
    }
    if (sentinel->path_count == SENTINEL_PATHS_MAX)
        sentinel->paths_left_out++;
    else
        sentinel->paths[sentinel->path_count++] = (struct sentinel_path){
            .text = arena_text(gathering->arena, buf_text(&text), text.len), .expr = expr};
    buf_fini(&text);
}

/* Nesting is bounded when expressions are parsed. */
static void
gather(struct gathering *gathering, const struct expr *expr)
{
    if (expr->kind == EXPR_PATH && is_watched(expr->path))
        add_path(gathering, expr);
    if (expr->kind == EXPR_FILTERED) {
        gather(gathering, expr->items[0]);
        for (size_t i = 0; i < expr->count; i++) {
            const struct filter_use *use = &expr->filters[i];

            for (size_t j = 0; j < use->arg_count; j++) {
                if (use->args[j])
                    gather(gathering, use->args[j]);
            }
        }
        return;
    }
    for (size_t i = 0; expr->items && i < expr->count; i++)
        gather(gathering, expr->items[i]);
}

void
sentinel_init(struct sentinel *sentinel, const struct rule *rule, struct arena *arena)
{
    struct gathering gathering = {.sentinel = sentinel, .arena = arena};

    *sentinel = (struct sentinel){0};
    sentinel->paths = arena_alloc(arena, SENTINEL_PATHS_MAX * sizeof(sentinel->paths[0]));
    for (size_t i = 0; i < rule->setting_count; i++) {
        const struct template *template = rule->settings[i].template;

        for (size_t j = 0; j < template->count; j++) {
            gathering.text = template->parts[j].text;
            if (template->parts[j].expr)
                gather(&gathering, template->parts[j].expr);
        }
    }
}

void
sentinel_continue(struct sentinel *sentinel, const struct sentinel *old)
{
    sentinel->matched = old->matched;
    sentinel->not_matched = old->not_matched;
    sentinel->failed = old->failed;
    sentinel->too_old = old->too_old;
}

/* Spent time lies at most a burst behind the clock, and never ahead of one that was put back. */
bool
sentinel_is_due(struct sentinel *sentinel, int64_t wall_ms)
{
    int64_t oldest_ms = wall_ms - SENTINEL_BURST * SENTINEL_PAUSE_MS;

    if (sentinel->credit_ms < oldest_ms || sentinel->credit_ms > wall_ms)
        sentinel->credit_ms = oldest_ms;
    return sentinel->path_count && wall_ms - sentinel->credit_ms >= SENTINEL_PAUSE_MS;
}

static void
count(struct sentinel_path *path, enum value_kind kind)
{
    if (sentinel_samples(path) >= SENTINEL_SAMPLES) {
        for (size_t i = 0; i < SENTINEL_KINDS; i++)
            path->counts[i] /= 2;
    }
    path->counts[kind]++;
}

/* What rules do with an event must not depend on whether somebody looked: the limits are put back
 * as they were. */
void
sentinel_look(struct sentinel *sentinel, struct eval *eval)
{
    size_t work_left = eval->work_left, bytes_left = eval->bytes_left;
    size_t regex_left = eval->regex_left;
    const char *failure = eval->failure;

    sentinel->credit_ms += SENTINEL_PAUSE_MS;
    eval->work_left = LOOK_WORK_MAX;
    eval->bytes_left = LOOK_BYTES_MAX;
    eval->failure = NULL;
    for (size_t i = 0; i < sentinel->path_count && !eval->failure; i++) {
        struct value value = expr_eval(sentinel->paths[i].expr, eval);
        bool empty = value.kind == VALUE_ARRAY && !value.len;

        if (!eval->failure)
            count(&sentinel->paths[i], empty ? VALUE_NULL : value.kind);
    }
    eval->work_left = work_left;
    eval->bytes_left = bytes_left;
    eval->regex_left = regex_left;
    eval->failure = failure;
}

unsigned
sentinel_samples(const struct sentinel_path *path)
{
    unsigned samples = 0;

    for (size_t i = 0; i < SENTINEL_KINDS; i++)
        samples += path->counts[i];
    return samples;
}

double
sentinel_present(const struct sentinel_path *path)
{
    unsigned samples = sentinel_samples(path);

    return samples ? (double)(samples - path->counts[VALUE_NULL]) / samples : 1;
}

const char *
sentinel_kind_name(enum value_kind kind)
{
    static const char *const names[] = {
        [VALUE_NULL] = "missing", [VALUE_BOOL] = "boolean", [VALUE_INT] = "integer",
        [VALUE_REAL] = "number",  [VALUE_TEXT] = "text",    [VALUE_ARRAY] = "array",
        [VALUE_OBJECT] = "object"};

    assert((size_t)kind < ARRAY_LEN(names));
    return names[kind];
}
