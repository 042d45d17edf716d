/* sendx-worker call: one call by hand, through the same code that sends the worker's calls. */
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/utf8.h"
#include "base/xalloc.h"
#include "cmd/cmd.h"
#include "cmd/contact_json.h"
#include "edge/http.h"
#include "sendx/verdict.h"

/* The command line. Texts are borrowed from it. */
struct order {
    const char *file, *account, *email;
    struct text_list add, remove;
    enum call_kind kind;
    const char *json;
};

/* One call on its way. */
struct errand {
    const struct account *account;
    struct call *call;
    bool done;
    int status;
};

static int
read_options(struct order *order, int argc, char **argv)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'}, {"account", required_argument, NULL, 'A'},
        {"email", required_argument, NULL, 'e'},  {"add", required_argument, NULL, 'a'},
        {"remove", required_argument, NULL, 'r'}, {0},
    };
    int c;

    while ((c = getopt_long(argc, argv, "c:", options, NULL)) != -1) {
        if (c == 'c')
            order->file = optarg;
        else if (c == 'A')
            order->account = optarg;
        else if (c == 'e')
            order->email = optarg;
        else if (c == 'a')
            order->add.items[order->add.count++] = optarg;
        else if (c == 'r')
            order->remove.items[order->remove.count++] = optarg;
        else
            return cmd_usage("call", NULL);
    }
    return CMD_OK;
}

static int
check_identify(struct order *order, int count, char **arguments)
{
    order->kind = CALL_IDENTIFY;
    if (count < 2)
        return cmd_usage("call", "identify needs a contact as JSON, such as "
                                 "'{\"email\":\"ada@example.com\",\"tags\":[\"blogger\"]}'");
    if (count > 2)
        return cmd_usage("call", "\"%s\" is one argument too many; is the JSON in quotes?",
                         arguments[2]);
    if (order->email || order->add.count || order->remove.count)
        return cmd_usage("call", "--email, --add and --remove are for track; the JSON of identify "
                                 "has email and tags of its own");
    order->json = arguments[1];
    return CMD_OK;
}

static int
check_tags(const struct text_list *tags, const struct text_list *others)
{
    for (size_t i = 0; i < tags->count; i++) {
        if (!utf8_is_valid(tags->items[i], strlen(tags->items[i])))
            return cmd_usage("call", "a tag is not valid UTF-8");
        if (!*tags->items[i])
            return cmd_usage("call", "a tag is empty");
        for (size_t j = 0; j < others->count; j++) {
            if (!strcmp(tags->items[i], others->items[j]))
                return cmd_usage("call", "the tag \"%s\" cannot be both added and removed",
                                 tags->items[i]);
        }
    }
    return CMD_OK;
}

static int
check_track(struct order *order, int count, char **arguments)
{
    order->kind = CALL_TRACK;
    if (count > 1)
        return cmd_usage("call",
                         "\"%s\" is one argument too many; tags are given by --add and "
                         "--remove",
                         arguments[1]);
    if (!order->email)
        return cmd_usage("call", "track needs --email");
    if (!utf8_is_valid(order->email, strlen(order->email)))
        return cmd_usage("call", "--email is not valid UTF-8");
    if (!contact_json_is_email(order->email))
        return cmd_usage("call", "--email is not an e-mail address");
    if (!order->add.count && !order->remove.count)
        return cmd_usage("call", "track needs a tag: --add TAG or --remove TAG");
    return check_tags(&order->add, &order->remove) || check_tags(&order->remove, &order->add)
               ? CMD_WRONG
               : CMD_OK;
}

static int
check_order(struct order *order, int count, char **arguments)
{
    if (!order->file)
        return cmd_usage("call", "-c FILE is missing");
    if (count && !strcmp(arguments[0], "identify"))
        return check_identify(order, count, arguments);
    if (count && !strcmp(arguments[0], "track"))
        return check_track(order, count, arguments);
    if (count)
        return cmd_usage("call", "\"%s\" is neither identify nor track", arguments[0]);
    return cmd_usage("call", "say identify or track");
}

/* Index of the account that is meant, or -1. */
static int
find_account(const struct order *order, const struct config *config)
{
    struct buf names;

    if (!order->account && config->account_count == 1)
        return 0;
    buf_init(&names, 4096);
    for (size_t i = 0; i < config->account_count; i++) {
        if (order->account && !strcmp(config->accounts[i].name, order->account)) {
            buf_fini(&names);
            return (int)i;
        }
        buf_printf(&names, "%s%s", i ? ", " : "", config->accounts[i].name);
    }
    if (order->account)
        cmd_usage("call", "there is no account \"%s\", only %s", order->account, buf_text(&names));
    else
        cmd_usage("call", "say which account by --account: %s", buf_text(&names));
    buf_fini(&names);
    return -1;
}

static struct call *
make_call(const struct order *order, unsigned account)
{
    struct call *call = call_new(order->kind, account, "call");
    struct err err = {{0}};

    if (order->kind == CALL_TRACK) {
        call->track.email = order->email;
        call->track.add_tags = order->add;
        call->track.remove_tags = order->remove;
    } else if (contact_json_read(&call->identify, &call->arena, order->json, &err)) {
        cmd_usage("call", "the JSON of identify: %s", err.msg);
        call_free(call);
        return NULL;
    }
    return call;
}

/* What came back. */

/* A text of the reply: control characters are kept from the terminal. */
static void
print_text(const char *text)
{
    for (; *text; text++)
        putchar((unsigned char)*text < ' ' || *text == 0x7f ? '?' : *text);
    putchar('\n');
}

static void
print_line(const char *label, const char *text)
{
    if (!text || !*text)
        return;
    printf("  %-16s", label);
    print_text(text);
}

static void
print_contact(const struct contact *contact)
{
    print_line("email", contact->email);
    print_line("firstName", contact->first_name);
    print_line("lastName", contact->last_name);
    print_line("company", contact->company);
    print_line("birthday", contact->birthday);
    for (size_t i = 0; i < contact->tags.count; i++)
        print_line(i ? "" : "tags", contact->tags.items[i]);
    for (size_t i = 0; i < contact->custom_fields.count; i++) {
        const struct field *field = &contact->custom_fields.items[i];
        char *text = xasprintf("%s = %s", field->name, field->value);

        print_line(i ? "" : "customFields", text);
        xfree(text);
    }
    print_line("encryptedId", contact->encrypted_id);
    print_line("encryptedTeamId", contact->encrypted_team_id);
}

static void
print_identified(const struct reply *reply, struct arena *arena)
{
    struct contact_response response;
    struct err err = {{0}};

    if (contact_response_read(&response, arena, reply->body, reply->body_len, &err)) {
        printf("  the reply cannot be shown: %s\n", err.msg);
        return;
    }
    print_line("status", response.status);
    print_line("message", response.message);
    if (response.has_data) {
        printf("The contact as SendX has it now:\n");
        print_contact(&response.data);
    }
}

static void
print_tracked(const struct reply *reply, struct arena *arena)
{
    struct track_response response;
    struct err err = {{0}};

    if (track_response_read(&response, arena, reply->body, reply->body_len, &err)) {
        printf("  the reply cannot be shown: %s\n", err.msg);
        return;
    }
    print_line("status", response.status);
    print_line("message", response.message);
    print_line("data", response.data);
}

static void
print_done(const struct errand *errand, const struct reply *reply)
{
    struct arena arena;

    printf("%s sent to account \"%s\": HTTP %d after %ld ms\n", call_kind_name(errand->call->kind),
           errand->account->name, reply->status, reply->elapsed_ms);
    arena_init(&arena, 4096);
    if (reply->status != 204 && errand->call->kind == CALL_IDENTIFY)
        print_identified(reply, &arena);
    else if (reply->status != 204)
        print_tracked(reply, &arena);
    arena_fini(&arena);
}

static const char *
advice_for_failure(enum reply_failure failure)
{
    switch (failure) {
    case REPLY_DNS:
        return "The host name in base_url does not resolve: look for a slip in it, and at this "
               "machine's DNS.";
    case REPLY_CONNECT:
        return "Nothing answers at base_url: look at the address, the port and any firewall or "
               "proxy between.";
    case REPLY_TLS:
        return "The server's certificate is not trusted or TLS cannot be agreed on: look at "
               "base_url, and at ca_file where the certificate is not from a public authority.";
    case REPLY_TIMEOUT:
        return "No answer within the account's timeout and connect_timeout. Whether the call "
               "arrived is not known.";
    case REPLY_RESET:
        return "The connection broke before the answer. Whether the call arrived is not known.";
    default:
        return "What answers at base_url does not speak HTTP as it should; look at the address.";
    }
}

static const char *
advice_for_configuration(int status)
{
    switch (status) {
    case 401:
    case 403:
        return "The key is refused: look at the account's api_key and, with api = \"v1\", team_id. "
               "A proxy built on nginx drops the header api_key unless underscores_in_headers is "
               "on.";
    case 402:
        return "SendX wants the team's plan to be paid or extended.";
    case 407:
        return "The proxy between wants a login: look at https_proxy in the environment.";
    default:
        return "This is not how the API answers: look at the account's base_url and api.";
    }
}

static const char *
advice(enum verdict verdict, const struct reply *reply)
{
    switch (verdict) {
    case VERDICT_TRANSIENT:
        if (reply->failure != REPLY_OK)
            return advice_for_failure(reply->failure);
        return "The trouble is on the other side and may pass: the worker would try again with "
               "back-off.";
    case VERDICT_THROTTLED:
        return "Too many requests: wait (Retry-After says how long) and try again. Workers on the "
               "same account count, too.";
    case VERDICT_CONFIGURATION:
        return advice_for_configuration(reply->status);
    case VERDICT_UNKNOWN_CONTACT:
        return "SendX does not have this contact: create it by identify first. Where no contact is "
               "ever found, look at base_url.";
    default:
        return "The API refuses this call for what is in it; trying again would not help.";
    }
}

static void
print_failed(const struct errand *errand, enum verdict verdict, const struct reply *reply)
{
    struct buf text;

    buf_init(&text, 1024);
    verdict_describe(reply, errand->account->api_key, &text);
    fprintf(stderr, "%s to account \"%s\" failed after %ld ms: %s\n%s\n",
            call_kind_name(errand->call->kind), errand->account->name, reply->elapsed_ms,
            buf_text(&text), advice(verdict, reply));
    buf_fini(&text);
}

/* The only request is over. */
static void
errand_done(void *arg, void *token, const struct reply *reply)
{
    struct errand *errand = arg;
    enum verdict verdict = verdict_of(errand->call->kind, reply);

    (void)token;
    errand->done = true;
    if (verdict == VERDICT_DONE)
        print_done(errand, reply);
    else
        print_failed(errand, verdict, reply);
    errand->status = verdict == VERDICT_DONE ? CMD_OK : CMD_FAILED;
}

static void
turn_until_done(struct http *http, const struct errand *errand)
{
    while (!errand->done) {
        struct pollfd pollfd = {.fd = http_fd(http), .events = POLLIN};
        int64_t wait_ms = http_deadline(http) - clock_now_ms();

        if (wait_ms > 0)
            poll(&pollfd, 1, wait_ms < 1000 ? (int)wait_ms : 1000);
        http_step(http, clock_now_ms());
    }
}

static int
send_call(struct errand *errand)
{
    static const struct http_ops ops = {.done = errand_done};
    struct err err = {{0}};
    struct http *http = http_open(&ops, errand, &err);
    struct http_account *account = http ? http_account_new(http, errand->account, &err) : NULL;
    struct wire_request request;

    if (account) {
        wire_request_init(&request);
        wire_write(&request, errand->account, errand->call);
        http_start(account, &request, errand);
        wire_request_fini(&request);
        turn_until_done(http, errand);
    } else {
        fprintf(stderr, "%s\n", err.msg);
        errand->status = CMD_FAILED;
    }
    http_account_free(account);
    http_close(http);
    return errand->status;
}

static int
run_order(const struct order *order)
{
    struct config *config = cmd_load(order->file, CONFIG_SECRETS_REQUIRED);
    struct errand errand = {.status = CMD_WRONG};
    int account = config ? find_account(order, config) : -1;

    if (account >= 0)
        errand.call = make_call(order, (unsigned)account);
    if (errand.call) {
        errand.account = &config->accounts[account];
        send_call(&errand);
    }
    call_free(errand.call);
    config_free(config);
    return errand.status;
}

int
cmd_call(int argc, char **argv)
{
    struct order order = {
        .add.items = xcalloc((size_t)argc, sizeof(char *)),
        .remove.items = xcalloc((size_t)argc, sizeof(char *)),
    };
    int status;

    signal(SIGPIPE, SIG_IGN);
    status = read_options(&order, argc, argv);
    if (status == CMD_OK)
        status = check_order(&order, argc - optind, argv + optind);
    if (status == CMD_OK)
        status = run_order(&order);
    xfree(order.add.items);
    xfree(order.remove.items);
    return status;
}
