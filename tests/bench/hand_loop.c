/*
 * The loop that is usually written by hand, as a peer of the worker in make bench: take an event,
 * make its call, wait for the reply, take the next. One connection that is kept, offsets stored
 * after the reply and committed by librdkafka every second. Same calls as the worker's rules in
 * tests/bench/events.py. A call that fails is repeated after a second, for ever.
 *
 *     hand_loop BROKERS GROUP BASE_URL TOPIC...      CA_FILE: certificates to trust
 */
#include <curl/curl.h>
#include <jansson.h>
#include <librdkafka/rdkafka.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

enum { URL_CAP = 4096, BODY_CAP = 64 * 1024, RETRY_MS = 1000, POLL_MS = 200 };

struct loop {
    rd_kafka_t *rk;
    CURL *easy;
    struct curl_slist *headers;
    const char *base_url;
    struct buf url, body;
};

static volatile sig_atomic_t stopped;

static void
stop(int signum)
{
    (void)signum;
    stopped = 1;
}

/* ---- the mapping ---- */

static const char *
text(const json_t *object, const char *name)
{
    const char *value = json_string_value(json_object_get(object, name));

    return value ? value : "";
}

static const char *
plan_tag(const char *plan)
{
    return strcmp(plan, "trial") == 0 ? "trial user" : "paid user";
}

static json_t *
identify_body(const json_t *event, const char *email)
{
    const json_t *user = json_object_get(event, "user");
    const char *source = text(json_object_get(user, "signup"), "source");
    json_t *tags = json_array();

    json_array_append_new(tags, json_string("registered"));
    json_array_append_new(tags, json_sprintf("source: %s", source));
    return json_pack("{s:s, s:s, s:s, s:s, s:{s:s, s:s}, s:o}", "email", email, "firstName",
                     text(user, "first_name"), "lastName", text(user, "last_name"), "company",
                     text(user, "company"), "customFields", "Plan", text(event, "plan"),
                     "Signup source", *source ? source : "direct", "tags", tags);
}

static json_t *
track_body(const json_t *event, const char *type)
{
    const char *from = text(event, "from"), *to = text(event, "to");

    if (strcmp(type, "live") == 0)
        return json_pack("{s:[o]}", "addTags", json_sprintf("at-%s", text(event, "at")));
    return strcmp(from, to) == 0
               ? NULL
               : json_pack("{s:[s], s:[s]}", "addTags", plan_tag(to), "removeTags", plan_tag(from));
}

static int
add_bytes(const char *bytes, size_t len, void *arg)
{
    buf_add(arg, bytes, len);
    return 0;
}

/* Whether the event asks for a call; url and body then hold it. */
static bool
map_event(struct loop *loop, const rd_kafka_message_t *message)
{
    json_t *event = json_loadb(message->payload, message->len, 0, NULL);
    const char *type = text(event, "type"), *email = text(json_object_get(event, "user"), "email");
    bool identify = strcmp(type, "user.registered") == 0;
    json_t *body = !event ? NULL : identify ? identify_body(event, email) : track_body(event, type);

    buf_reset(&loop->url);
    buf_reset(&loop->body);
    if (body) {
        buf_printf(&loop->url, "%s/contact/%s?team_id=bench", loop->base_url,
                   identify ? "identify" : "track");
        if (!identify) {
            buf_add_text(&loop->url, "&email=");
            buf_add_percent(&loop->url, email, strlen(email));
        }
        json_dump_callback(body, add_bytes, &loop->body, JSON_COMPACT);
    }
    json_decref(body);
    json_decref(event);
    return loop->body.len > 0;
}

/* ---- the call ---- */

static size_t
drop_reply(char *bytes, size_t size, size_t count, void *arg)
{
    (void)bytes;
    (void)arg;
    return size * count;
}

static bool
call(struct loop *loop)
{
    long status = 0;

    curl_easy_setopt(loop->easy, CURLOPT_URL, buf_text(&loop->url));
    curl_easy_setopt(loop->easy, CURLOPT_POSTFIELDS, buf_text(&loop->body));
    curl_easy_setopt(loop->easy, CURLOPT_POSTFIELDSIZE, (long)loop->body.len);
    if (curl_easy_perform(loop->easy) != CURLE_OK)
        return false;
    curl_easy_getinfo(loop->easy, CURLINFO_RESPONSE_CODE, &status);
    return status / 100 == 2;
}

static void
handle(struct loop *loop, rd_kafka_message_t *message)
{
    if (map_event(loop, message))
        while (!call(loop) && !stopped)
            poll(NULL, 0, RETRY_MS);
    if (!stopped)
        rd_kafka_offset_store(message->rkt, message->partition, message->offset);
}

/* ---- set-up ---- */

static int
open_api(struct loop *loop)
{
    static const char *const lines[] = {"api_key: bench", "Content-Type: application/json",
                                        "Accept: application/json", "Expect:"};
    const char *ca_file = getenv("CA_FILE");

    loop->easy = curl_easy_init();
    if (!loop->easy)
        return -1;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        loop->headers = curl_slist_append(loop->headers, lines[i]);
    curl_easy_setopt(loop->easy, CURLOPT_HTTPHEADER, loop->headers);
    curl_easy_setopt(loop->easy, CURLOPT_WRITEFUNCTION, drop_reply);
    curl_easy_setopt(loop->easy, CURLOPT_TIMEOUT, 30L);
    if (ca_file)
        curl_easy_setopt(loop->easy, CURLOPT_CAINFO, ca_file);
    return 0;
}

static int
open_kafka(struct loop *loop, const char *brokers, const char *group, char **topics, int count)
{
    const char *const settings[][2] = {{"bootstrap.servers", brokers},
                                       {"group.id", group},
                                       {"auto.offset.reset", "earliest"},
                                       {"auto.commit.interval.ms", "1000"},
                                       {"enable.auto.offset.store", "false"}};
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(count);
    char problem[512] = "";
    int rc = -1;

    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
        rd_kafka_conf_set(conf, settings[i][0], settings[i][1], problem, sizeof problem);
    loop->rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, problem, sizeof problem);
    if (loop->rk) {
        rd_kafka_poll_set_consumer(loop->rk);
        for (int i = 0; i < count; i++)
            rd_kafka_topic_partition_list_add(list, topics[i], RD_KAFKA_PARTITION_UA);
        rc = rd_kafka_subscribe(loop->rk, list) ? -1 : 0;
    } else {
        fprintf(stderr, "hand_loop: %s\n", problem);
    }
    rd_kafka_topic_partition_list_destroy(list);
    return rc;
}

static void
run(struct loop *loop)
{
    while (!stopped) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(loop->rk, POLL_MS);

        if (message && !message->err)
            handle(loop, message);
        if (message)
            rd_kafka_message_destroy(message);
    }
    rd_kafka_consumer_close(loop->rk);
}

int
main(int argc, char **argv)
{
    struct loop loop = {.base_url = argc > 4 ? argv[3] : NULL};

    if (argc < 5) {
        fprintf(stderr, "usage: hand_loop BROKERS GROUP BASE_URL TOPIC...\n");
        return 2;
    }
    signal(SIGTERM, stop);
    signal(SIGPIPE, SIG_IGN);
    curl_global_init(CURL_GLOBAL_ALL);
    buf_init(&loop.url, URL_CAP);
    buf_init(&loop.body, BODY_CAP);
    if (open_api(&loop) || open_kafka(&loop, argv[1], argv[2], argv + 4, argc - 4)) {
        fprintf(stderr, "hand_loop: cannot start\n");
        return 1;
    }
    run(&loop);
    rd_kafka_destroy(loop.rk);
    curl_easy_cleanup(loop.easy);
    curl_slist_free_all(loop.headers);
    buf_fini(&loop.url);
    buf_fini(&loop.body);
    return 0;
}
