#include "sandbox/service.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "sandbox/text.h"

enum { REST_MAX_CHARS = 255, STATUS_COUNT = 600 };

static const char json_content[] = "application/json";

struct service {
    struct service_options options;
    void (*end_open)(void *owner);
    void *owner;
    struct store *store;
    struct journal *journal;
    struct fault_set faults;
    uint64_t statuses[STATUS_COUNT]; /* of identify and track; 0: no reply */
    uint64_t request;                /* whose call is being applied, for triggers; 0: an import */
};

static void
on_tag(void *owner, const struct store_contact *contact, enum tag_change change, const char *tag)
{
    struct service *service = owner;

    if (service->request)
        journal_add_trigger(service->journal, service->request, contact->email, change == TAG_ADDED,
                            tag);
}

struct service *
service_new(const struct service_options *options, void (*end_open)(void *owner), void *owner)
{
    struct service *service = xcalloc(1, sizeof(*service));

    service->options = *options;
    service->end_open = end_open;
    service->owner = owner;
    service->store = store_new(on_tag, service);
    service->journal = journal_new(options->max_requests);
    fault_set_init(&service->faults);
    return service;
}

void
service_free(struct service *service)
{
    if (!service)
        return;
    fault_set_fini(&service->faults);
    journal_free(service->journal);
    store_free(service->store);
    xfree(service);
}

const struct store *
service_store(const struct service *service)
{
    return service->store;
}

const struct journal *
service_journal(const struct service *service)
{
    return service->journal;
}

uint64_t
service_replies(const struct service *service, int status)
{
    return service->statuses[status];
}

int
service_import(struct service *service, const char *text, struct err *err)
{
    json_t *body = json_loads(text, 0, NULL);
    int result;

    if (!body)
        return err_set(err, "not JSON: %s", text);
    result = store_check_identify(body, 0, err);
    service->request = 0;
    if (result == 0 && !store_identify(service->store, body))
        result = err_set(err, "the sandbox holds as many contacts as it can");
    json_decref(body);
    return result;
}

int
service_script(struct service *service, const char *text, struct err *err)
{
    json_t *spec = json_loads(text, 0, NULL);
    unsigned id;
    int result;

    if (!spec)
        return err_set(err, "not JSON: %s", text);
    result = fault_set_add(&service->faults, spec, &id, err);
    json_decref(spec);
    return result;
}

/* --- replies --- */

/* A short reply with a message; what the documentation does not specify is written like a success.
 */
static void
reply_message(struct reply *reply, int status, const char *message)
{
    reply->status = status;
    reply->content_type = json_content;
    buf_printf(&reply->body, "{\"status\":\"%d\",\"message\":", status);
    buf_add_json(&reply->body, message, strlen(message));
    buf_add_char(&reply->body, '}');
}

static void
reply_contact(struct reply *reply, const struct store_contact *contact, const char *team_id)
{
    reply->status = 200;
    reply->content_type = json_content;
    buf_add_text(&reply->body, "{\"status\":\"200\",\"message\":\"OK\",\"data\":");
    contact_write(contact, team_id, &reply->body);
    buf_add_char(&reply->body, '}');
}

static void
reply_success(struct reply *reply)
{
    reply->status = 200;
    reply->content_type = json_content;
    buf_add_text(&reply->body, "{\"status\":\"200\",\"message\":\"OK\",\"data\":\"success\"}");
}

/* --- identify and track --- */

static const char *
body_text(const struct exchange *exchange, const char *name)
{
    return json_string_value(json_object_get(exchange->body, name));
}

/* The address of the contact a request is about, or NULL. */
static const char *
request_email(const struct exchange *exchange, const struct request *request)
{
    if (exchange->flavour == FLAVOUR_V1 && exchange->kind == REQUEST_TRACK)
        return request->email;
    return body_text(exchange, "email");
}

static const char *
request_new_email(const struct exchange *exchange)
{
    return exchange->kind == REQUEST_IDENTIFY ? body_text(exchange, "newEmail") : NULL;
}

static bool
is_json_content(const char *content_type)
{
    size_t len = strlen(json_content);

    if (!content_type || strncasecmp(content_type, json_content, len) != 0)
        return false;
    return content_type[len] == '\0' || content_type[len] == ';' || content_type[len] == ' ';
}

static bool
is_same(const char *text, const char *wanted)
{
    return text && strcmp(text, wanted) == 0;
}

/* False: REPLY says why the caller may not. */
static bool
check_access(const struct service *service, const struct exchange *exchange,
             const struct request *request, struct reply *reply)
{
    bool is_v1 = exchange->flavour == FLAVOUR_V1;

    if (!is_same(is_v1 ? request->api_key : request->team_api_key, service->options.api_key)) {
        reply_message(reply, 401,
                      is_v1 ? "the header api_key is missing or wrong"
                            : "the header X-Team-ApiKey is missing or wrong");
        return false;
    }
    if (is_v1 && !is_same(request->team_id, service->options.team_id)) {
        reply_message(reply, 403, "the query parameter team_id is missing or wrong");
        return false;
    }
    return true;
}

static bool
check_request(const struct exchange *exchange, const struct request *request, struct reply *reply)
{
    size_t max_chars = exchange->flavour == FLAVOUR_REST ? REST_MAX_CHARS : 0;
    const char *email = request_email(exchange, request);
    struct err err = {""};

    if (request->body_toobig) {
        reply_message(reply, 413, "the body is too large");
        return false;
    }
    if (!is_json_content(request->content_type)) {
        reply_message(reply, 400, "Content-Type must be application/json");
        return false;
    }
    if (!exchange->body) {
        reply_message(reply, 400, "the body is not JSON");
        return false;
    }
    if (exchange->kind == REQUEST_IDENTIFY ? store_check_identify(exchange->body, max_chars, &err)
                                           : store_check_track(exchange->body, &err)) {
        reply_message(reply, 400, err.msg);
        return false;
    }
    if (!email || !text_is_email(email)) {
        reply_message(reply, 400, "email is missing or no e-mail address");
        return false;
    }
    return true;
}

/* The normal way. True: the call took effect. */
static bool
apply_call(struct service *service, struct exchange *exchange, const struct request *request,
           struct reply *reply)
{
    const struct store_contact *contact;

    if (!check_access(service, exchange, request, reply) ||
        !check_request(exchange, request, reply))
        return false;
    service->request = exchange->open.seq;
    if (exchange->kind == REQUEST_IDENTIFY) {
        contact = store_identify(service->store, exchange->body);
        if (contact)
            reply_contact(reply, contact, service->options.team_id);
        else
            reply_message(reply, 507, "the sandbox holds as many contacts as it can");
    } else {
        contact = store_track(service->store, request_email(exchange, request), exchange->body);
        if (contact)
            reply_success(reply);
        else
            reply_message(reply, 404, "there is no such contact");
    }
    return contact != NULL;
}

static void
write_retry_after(const struct fault *fault, int64_t now_ms, char *text, size_t size)
{
    time_t due = (time_t)(now_ms / 1000 + fault->retry_after_s);
    struct tm tm;

    if (fault->retry_after_date)
        strftime(text, size, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&due, &tm));
    else
        snprintf(text, size, "%" PRId64, fault->retry_after_s);
}

static void
reply_fault(const struct fault *fault, int64_t now_ms, struct reply *reply)
{
    if (fault->action == FAULT_RESET || fault->action == FAULT_LOST_REPLY) {
        reply->reset = true;
        reply->status = 0;
        return;
    }
    if (fault->action == FAULT_HTML) {
        reply->status = 200;
        reply->content_type = "text/html; charset=utf-8";
        buf_add_text(&reply->body, "<!doctype html><title>Sign in</title><p>Please sign in.\n");
    } else if (fault->body) {
        reply->status = fault->status;
        reply->content_type = json_content;
        buf_add_text(&reply->body, fault->body);
    } else {
        reply_message(reply, fault->status, "scripted by a fault of the sandbox");
    }
    if (fault->retry_after)
        write_retry_after(fault, now_ms, reply->retry_after, sizeof(reply->retry_after));
}

static void
exchange_end(struct service *service, struct exchange *exchange, int status, bool applied,
             int64_t now_ms)
{
    struct request_end end = {
        .status = status,
        .applied = applied,
        .fault = exchange->pick.fault ? exchange->pick.fault->id : 0,
    };

    journal_close(service->journal, &exchange->open, &end, now_ms);
    service->statuses[status]++;
    json_decref(exchange->body);
    exchange->body = NULL;
}

static void
call_finish(struct service *service, struct exchange *exchange, const struct request *request,
            int64_t now_ms, struct reply *reply)
{
    const struct fault *fault = exchange->pick.fault;
    bool applied = false;

    if (!fault || fault->apply)
        applied = apply_call(service, exchange, request, reply);
    /* A lost reply of a call that was refused is as lost as any other. */
    if (fault && fault->action != FAULT_DELAY) {
        buf_reset(&reply->body);
        reply_fault(fault, now_ms, reply);
    }
    exchange_end(service, exchange, reply->status, applied, now_ms);
}

static void
call_start(struct service *service, struct exchange *exchange, const struct request *request,
           int64_t now_ms)
{
    struct request_start start = {
        .flavour = exchange->flavour,
        .kind = exchange->kind,
        .body = request->body,
        .body_len = request->body_len,
    };
    const struct fault *fault;

    exchange->body = json_loadb(request->body, request->body_len, JSON_DECODE_ANY, NULL);
    start.body_is_json = exchange->body != NULL;
    start.email = request_email(exchange, request);
    start.new_email = request_new_email(exchange);
    journal_open(service->journal, &start, now_ms, &exchange->open);
    exchange->pick = fault_set_pick(&service->faults, start.kind, start.email, start.new_email);
    fault = exchange->pick.fault;
    exchange->due_ms = now_ms + exchange->pick.delay_ms;
    if (fault && fault->action == FAULT_HANG) {
        struct reply unseen = {0};

        buf_init(&unseen.body, REPLY_MAX);
        exchange->applied = fault->apply && apply_call(service, exchange, request, &unseen);
        buf_fini(&unseen.body);
        exchange->due_ms = CLOCK_NEVER;
    }
}

void
service_abandon(struct service *service, struct exchange *exchange, int64_t now_ms)
{
    if (exchange->open.is_open)
        exchange_end(service, exchange, 0, exchange->applied, now_ms);
}

/* --- control --- */

static void
control_contacts(struct service *service, const struct request *request, struct reply *reply)
{
    const struct store_contact *contact = NULL;
    bool first = true;

    buf_add_text(&reply->body, "{\"contacts\":[");
    if (request->email) {
        contact = store_find(service->store, request->email);
        if (contact)
            contact_write(contact, service->options.team_id, &reply->body);
    } else {
        while ((contact = store_next(service->store, contact))) {
            if (!first)
                buf_add_text(&reply->body, ",\n");
            first = false;
            contact_write(contact, service->options.team_id, &reply->body);
        }
    }
    buf_add_text(&reply->body, "]}");
}

static void
control_listing(struct service *service, const struct request *request, struct reply *reply)
{
    long long after = 0, limit = INT64_MAX;

    if ((request->after && !text_number(request->after, 0, INT64_MAX - 1, &after)) ||
        (request->limit && !text_number(request->limit, 0, INT64_MAX, &limit))) {
        reply_message(reply, 400, "after and limit must be whole numbers");
        return;
    }
    if (strcmp(request->path, "/_sandbox/requests") == 0)
        journal_write_requests(service->journal, (uint64_t)after, (uint64_t)limit, &reply->body);
    else
        journal_write_triggers(service->journal, (uint64_t)after, (uint64_t)limit, &reply->body);
}

static void
control_stats(struct service *service, const struct request *request, struct reply *reply)
{
    struct journal_totals totals = journal_totals(service->journal);
    const char *comma = "";

    (void)request;
    buf_printf(&reply->body,
               "{\"contacts\":%zu,\"requests\":%" PRIu64 ",\"identify\":%" PRIu64
               ",\"track\":%" PRIu64 ",\"open\":%zu,\"max_open\":%zu,\"tags_added\":%" PRIu64
               ",\"tags_removed\":%" PRIu64 ",\"statuses\":{",
               store_count(service->store),
               totals.requests[REQUEST_IDENTIFY] + totals.requests[REQUEST_TRACK],
               totals.requests[REQUEST_IDENTIFY], totals.requests[REQUEST_TRACK], totals.open,
               totals.max_open, totals.tags_added, totals.tags_removed);
    for (int i = 0; i < STATUS_COUNT; i++) {
        if (!service->statuses[i])
            continue;
        buf_printf(&reply->body, "%s\"%d\":%" PRIu64, comma, i, service->statuses[i]);
        comma = ",";
    }
    buf_add_text(&reply->body, "}}");
}

static void
control_faults_list(struct service *service, const struct request *request, struct reply *reply)
{
    (void)request;
    fault_set_write(&service->faults, &reply->body);
}

static void
control_faults_add(struct service *service, const struct request *request, struct reply *reply)
{
    json_error_t json_error;
    json_t *spec = json_loadb(request->body, request->body_len, 0, &json_error);
    struct err err = {""};
    unsigned id;

    if (!spec)
        reply_message(reply, 400, "the body is not JSON");
    else if (fault_set_add(&service->faults, spec, &id, &err))
        reply_message(reply, 400, err.msg);
    else
        buf_printf(&reply->body, "{\"id\":%u}", id);
    json_decref(spec);
}

static void
control_faults_end(struct service *service, const struct request *request, struct reply *reply)
{
    long long id = 0;

    if (request->id && !text_number(request->id, 1, UINT32_MAX, &id))
        reply_message(reply, 400, "id must be the number of a fault");
    else if (!fault_set_end(&service->faults, (unsigned)id))
        reply_message(reply, 404, "there is no such fault");
    else
        buf_add_text(&reply->body, "{}");
}

static void
control_reset(struct service *service, const struct request *request, struct reply *reply)
{
    (void)request;
    service->end_open(service->owner);
    store_reset(service->store);
    journal_reset(service->journal);
    fault_set_reset(&service->faults);
    memset(service->statuses, 0, sizeof(service->statuses));
    buf_add_text(&reply->body, "{}");
}

/* --- where a request goes --- */

typedef void control_handler(struct service *service, const struct request *request,
                             struct reply *reply);

static const struct control_route {
    const char *method, *path;
    control_handler *handler;
} control_routes[] = {
    {"GET", "/_sandbox/contacts", control_contacts},
    {"GET", "/_sandbox/requests", control_listing},
    {"GET", "/_sandbox/triggers", control_listing},
    {"GET", "/_sandbox/stats", control_stats},
    {"GET", "/_sandbox/faults", control_faults_list},
    {"POST", "/_sandbox/faults", control_faults_add},
    {"DELETE", "/_sandbox/faults", control_faults_end},
    {"POST", "/_sandbox/reset", control_reset},
};

static const struct call_route {
    const char *path;
    enum request_flavour flavour;
    enum request_kind kind;
} call_routes[] = {
    {"/api/v1/contact/identify", FLAVOUR_V1, REQUEST_IDENTIFY},
    {"/api/v1/contact/track", FLAVOUR_V1, REQUEST_TRACK},
    {"/api/v1/rest/contact/identify", FLAVOUR_REST, REQUEST_IDENTIFY},
    {"/api/v1/rest/contact/track", FLAVOUR_REST, REQUEST_TRACK},
};

static const struct call_route *
find_call_route(const struct request *request)
{
    for (size_t i = 0; i < ARRAY_LEN(call_routes); i++)
        if (strcmp(request->path, call_routes[i].path) == 0)
            return &call_routes[i];
    return NULL;
}

static void
other_finish(struct service *service, const struct request *request, struct reply *reply)
{
    bool path_is_known = find_call_route(request) != NULL;

    for (size_t i = 0; i < ARRAY_LEN(control_routes); i++) {
        const struct control_route *route = &control_routes[i];

        if (strcmp(request->path, route->path) != 0)
            continue;
        path_is_known = true;
        if (strcmp(request->method, route->method) != 0)
            continue;
        reply->status = 200;
        reply->content_type = json_content;
        route->handler(service, request, reply);
        if (buf_toobig(&reply->body)) {
            buf_reset(&reply->body);
            reply_message(reply, 507, "the answer is too large for the sandbox");
        }
        return;
    }
    if (path_is_known)
        reply_message(reply, 405, "this path has no such method");
    else
        reply_message(reply, 404, "there is no such path");
}

void
service_start(struct service *service, struct exchange *exchange, const struct request *request,
              int64_t now_ms)
{
    const struct call_route *route = find_call_route(request);

    exchange->due_ms = now_ms;
    if (!route || strcmp(request->method, "POST") != 0)
        return;
    exchange->flavour = route->flavour;
    exchange->kind = route->kind;
    call_start(service, exchange, request, now_ms);
}

void
service_finish(struct service *service, struct exchange *exchange, const struct request *request,
               int64_t now_ms, struct reply *reply)
{
    if (exchange->open.is_open)
        call_finish(service, exchange, request, now_ms, reply);
    else
        other_finish(service, request, reply);
    if (reply->status == 204 || reply->status == 304)
        buf_reset(&reply->body);
}
