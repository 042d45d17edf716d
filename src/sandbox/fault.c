#include "sandbox/fault.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "base/xalloc.h"
#include "sandbox/text.h"

enum { DELAY_MAX_MS = 3600 * 1000, RETRY_AFTER_MAX_S = 7 * 24 * 3600 };

static const char *const action_names[FAULT_ACTIONS] = {
#define X(id, name, doc) [FAULT_##id] = name,
    FAULT_ACTION_TABLE(X)
#undef X
};

void
fault_set_init(struct fault_set *set)
{
    *set = (struct fault_set){.next_id = 1};
}

static void
fault_free(struct fault *fault)
{
    xfree(fault->contact);
    xfree(fault->retry_after);
    xfree(fault->body);
    xfree(fault);
}

void
fault_set_reset(struct fault_set *set)
{
    for (size_t i = 0; i < set->count; i++)
        fault_free(set->faults[i]);
    set->count = 0;
    set->next_id = 1;
}

void
fault_set_fini(struct fault_set *set)
{
    fault_set_reset(set);
    xfree(set->faults);
    fault_set_init(set);
}

/* --- reading a specification: an absent member leaves the target as it is --- */

static int
read_text(const json_t *spec, const char *name, const char **text, struct err *err)
{
    const json_t *value = json_object_get(spec, name);

    if (!value)
        return 0;
    if (!json_is_string(value))
        return err_set(err, "%s must be a string", name);
    *text = json_string_value(value);
    return 0;
}

static int
read_whole(const json_t *spec, const char *name, int64_t min, int64_t max, int64_t *number,
           struct err *err)
{
    const json_t *value = json_object_get(spec, name);

    if (!value)
        return 0;
    if (!json_is_integer(value) || json_integer_value(value) < min ||
        json_integer_value(value) > max)
        return err_set(err, "%s must be a whole number from %" PRId64 " to %" PRId64, name, min,
                       max);
    *number = json_integer_value(value);
    return 0;
}

static int
read_share(const json_t *spec, double *share, struct err *err)
{
    const json_t *value = json_object_get(spec, "share");

    if (!value)
        return 0;
    if (!json_is_number(value) || json_number_value(value) < 0 || json_number_value(value) > 1)
        return err_set(err, "share must be a number from 0 to 1");
    *share = json_number_value(value);
    return 0;
}

static int
read_bool(const json_t *spec, const char *name, bool *flag, struct err *err)
{
    const json_t *value = json_object_get(spec, name);

    if (!value)
        return 0;
    if (!json_is_boolean(value))
        return err_set(err, "%s must be true or false", name);
    *flag = json_is_true(value);
    return 0;
}

static int
read_kind(const json_t *spec, struct fault *fault, struct err *err)
{
    const char *path = NULL;

    if (read_text(spec, "path", &path, err))
        return -1;
    fault->any_kind = path == NULL;
    if (!path)
        return 0;
    if (strcmp(path, "identify") != 0 && strcmp(path, "track") != 0)
        return err_set(err, "path must be \"identify\" or \"track\"");
    fault->kind = strcmp(path, "track") == 0 ? REQUEST_TRACK : REQUEST_IDENTIFY;
    return 0;
}

static int
read_retry_after(const json_t *spec, struct fault *fault, struct err *err)
{
    static const char date_prefix[] = "date:+";
    const char *text = NULL, *seconds;
    long long number;

    if (read_text(spec, "retry_after", &text, err))
        return -1;
    if (!text)
        return 0;
    fault->retry_after_date = strncmp(text, date_prefix, strlen(date_prefix)) == 0;
    seconds = fault->retry_after_date ? text + strlen(date_prefix) : text;
    if (!text_number(seconds, 0, RETRY_AFTER_MAX_S, &number))
        return err_set(err, "retry_after must be text such as \"5\" or \"date:+5\", in seconds");
    fault->retry_after_s = number;
    fault->retry_after = xstrdup(text);
    return 0;
}

/* Without an action there is one for a status, and one for a delay alone. */
static int
read_action(const json_t *spec, struct fault *fault, struct err *err)
{
    const char *name = NULL;

    if (read_text(spec, "action", &name, err))
        return -1;
    if (!name)
        name = !json_object_get(spec, "status") && fault->delay_ms > 0 ? "delay" : "status";
    for (fault->action = 0; fault->action < FAULT_ACTIONS; fault->action++)
        if (strcmp(name, action_names[fault->action]) == 0)
            break;
    if (fault->action == FAULT_ACTIONS)
        return err_set(
            err, "action must be status, hang, reset, lost_reply, html or delay, not \"%.40s\"",
            name);
    if (fault->action == FAULT_STATUS && !json_object_get(spec, "status"))
        return err_set(err, "the action \"status\" needs a status");
    if (fault->action == FAULT_DELAY && fault->delay_ms == 0)
        return err_set(err, "the action \"delay\" needs delay_ms");
    fault->apply = fault->action == FAULT_LOST_REPLY || fault->action == FAULT_DELAY;
    return fault->apply ? 0 : read_bool(spec, "apply", &fault->apply, err);
}

static int
check_names(const json_t *spec, struct err *err)
{
    static const char *const known[] = {"path",   "email",  "share",       "seed",
                                        "count",  "status", "retry_after", "delay_ms",
                                        "action", "body",   "apply"};
    const char *name;
    json_t *value;

    if (!json_is_object(spec))
        return err_set(err, "a fault must be a JSON object");
    json_object_foreach((json_t *)spec, name, value) {
        size_t i = 0;

        while (i < ARRAY_LEN(known) && strcmp(name, known[i]) != 0)
            i++;
        if (i == ARRAY_LEN(known))
            return err_set(err, "a fault has no \"%.40s\"", name);
    }
    return 0;
}

static int
read_spec(const json_t *spec, struct fault *fault, struct err *err)
{
    const char *email = NULL, *body = NULL;
    int64_t status = 200, seed = fault->id;

    if (check_names(spec, err) || read_kind(spec, fault, err) ||
        read_text(spec, "email", &email, err) || read_text(spec, "body", &body, err))
        return -1;
    if (email)
        fault->contact = text_contact_key(email);
    if (body)
        fault->body = xstrdup(body);
    if (read_share(spec, &fault->share, err) ||
        read_whole(spec, "seed", 0, INT64_MAX, &seed, err) ||
        read_whole(spec, "count", 0, INT64_MAX, &fault->count, err) ||
        read_whole(spec, "status", 200, 599, &status, err) ||
        read_whole(spec, "delay_ms", 0, DELAY_MAX_MS, &fault->delay_ms, err))
        return -1;
    fault->status = (int)status;
    fault->seed = (uint64_t)seed;
    fault->rng.state = fault->seed;
    fault->ended = fault->count == 0;
    if (read_retry_after(spec, fault, err))
        return -1;
    return read_action(spec, fault, err);
}

int
fault_set_add(struct fault_set *set, const json_t *spec, unsigned *ret_id, struct err *err)
{
    struct fault *fault;

    if (set->count >= FAULT_MAX)
        return err_set(err, "there are %d faults already; POST /_sandbox/reset forgets them",
                       FAULT_MAX);
    fault = xcalloc(1, sizeof(*fault));
    fault->id = set->next_id;
    fault->share = 1;
    fault->count = -1;
    if (read_spec(spec, fault, err)) {
        fault_free(fault);
        return -1;
    }
    set->next_id++;
    set->faults = xgrow(set->faults, set->count, &set->cap, sizeof(struct fault *));
    set->faults[set->count++] = fault;
    *ret_id = fault->id;
    return 0;
}

bool
fault_set_end(struct fault_set *set, unsigned id)
{
    bool found = id == 0;

    for (size_t i = 0; i < set->count; i++) {
        if (id && set->faults[i]->id != id)
            continue;
        set->faults[i]->ended = true;
        found = true;
    }
    return found;
}

static bool
fault_fits(const struct fault *fault, enum request_kind kind, char *const keys[REQUEST_CONTACTS])
{
    if (fault->ended || (!fault->any_kind && fault->kind != kind))
        return false;
    if (!fault->contact)
        return true;
    for (size_t i = 0; i < REQUEST_CONTACTS; i++)
        if (keys[i] && strcmp(keys[i], fault->contact) == 0)
            return true;
    return false;
}

/* Draws for a request that fits; a share of 1 draws nothing. */
static bool
fault_draws(struct fault *fault)
{
    const double two_to_53 = 9007199254740992.0;

    if (fault->share >= 1)
        return true;
    return (double)(rng_next(&fault->rng) >> 11) / two_to_53 < fault->share;
}

struct fault_pick
fault_set_pick(struct fault_set *set, enum request_kind kind, const char *email,
               const char *new_email)
{
    struct fault_pick pick = {0};
    char *keys[REQUEST_CONTACTS];

    if (set->count == 0)
        return pick;
    keys[0] = email ? text_contact_key(email) : NULL;
    keys[1] = new_email ? text_contact_key(new_email) : NULL;
    for (size_t i = 0; i < set->count; i++) {
        struct fault *fault = set->faults[i];

        if (!fault_fits(fault, kind, keys) || !fault_draws(fault))
            continue;
        fault->hits++;
        fault->ended = fault->hits == fault->count;
        pick.delay_ms += fault->delay_ms;
        pick.fault = fault;
        if (fault->action != FAULT_DELAY)
            break;
    }
    xfree(keys[0]);
    xfree(keys[1]);
    return pick;
}

static void
fault_write(const struct fault *fault, struct buf *buf)
{
    buf_printf(buf, "{\"id\":%u,\"action\":\"%s\"", fault->id, action_names[fault->action]);
    if (!fault->any_kind)
        buf_printf(buf, ",\"path\":\"%s\"", fault->kind == REQUEST_IDENTIFY ? "identify" : "track");
    if (fault->contact) {
        buf_add_text(buf, ",\"email\":");
        text_add_json(buf, fault->contact, strlen(fault->contact));
    }
    buf_printf(buf, ",\"share\":%.17g,\"seed\":%" PRIu64, fault->share, fault->seed);
    if (fault->count >= 0)
        buf_printf(buf, ",\"count\":%" PRId64, fault->count);
    if (fault->action == FAULT_STATUS)
        buf_printf(buf, ",\"status\":%d", fault->status);
    if (fault->retry_after)
        buf_printf(buf, ",\"retry_after\":\"%s\"", fault->retry_after);
    if (fault->body) {
        buf_add_text(buf, ",\"body\":");
        text_add_json(buf, fault->body, strlen(fault->body));
    }
    buf_printf(buf, ",\"delay_ms\":%" PRId64 ",\"apply\":%s,\"hits\":%" PRId64 ",\"ended\":%s}",
               fault->delay_ms, fault->apply ? "true" : "false", fault->hits,
               fault->ended ? "true" : "false");
}

void
fault_set_write(const struct fault_set *set, struct buf *buf)
{
    buf_add_text(buf, "{\"faults\":[");
    for (size_t i = 0; i < set->count; i++) {
        if (i)
            buf_add_char(buf, ',');
        fault_write(set->faults[i], buf);
    }
    buf_add_text(buf, "]}");
}
