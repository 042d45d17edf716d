/*
 * What an API answers: a line with the status, one with Retry-After, one with Date, and the body.
 * There is a verdict, a wait within its bound, a description of one line that repeats no key; and
 * the two models read the body or say why not. The first line is also tried as a traceparent.
 */
#include "fuzz.h"
#include "sendx/retry_after.h"
#include "sendx/traceparent.h"
#include "sendx/verdict.h"

enum { WAIT_MAX_MS = 3600000 };

static void
check_models(const struct reply *reply)
{
    struct contact_response contact = {0};
    struct track_response track = {0};
    struct err err = {0};
    struct arena arena;

    arena_init(&arena, 1024);
    if (contact_response_read(&contact, &arena, reply->body, reply->body_len, &err) < 0)
        FUZZ_CHECK(err.msg[0]);
    err = (struct err){0};
    if (track_response_read(&track, &arena, reply->body, reply->body_len, &err) < 0)
        FUZZ_CHECK(err.msg[0]);
    arena_fini(&arena);
}

static void
check_reply(const struct reply *reply)
{
    static const char key[] = "se-cr-et-key";
    struct buf text;
    int64_t wait_ms = retry_after_ms(reply, INT64_C(1770000000000), WAIT_MAX_MS);

    FUZZ_CHECK(wait_ms >= 0 && wait_ms <= WAIT_MAX_MS, "%lld", (long long)wait_ms);
    FUZZ_CHECK(verdict_of(CALL_IDENTIFY, reply) < VERDICT_COUNT);
    FUZZ_CHECK(verdict_of(CALL_IDENTIFY, reply) != VERDICT_UNKNOWN_CONTACT);
    FUZZ_CHECK(verdict_of(CALL_TRACK, reply) < VERDICT_COUNT);
    buf_init(&text, 1 << 20);
    verdict_describe(reply, key, &text);
    FUZZ_CHECK(utf8_is_valid(buf_text(&text), text.len), "%s", buf_text(&text));
    FUZZ_CHECK(!strchr(buf_text(&text), '\n'), "%s", buf_text(&text));
    FUZZ_CHECK(!strstr(buf_text(&text), key), "%s", buf_text(&text));
    buf_fini(&text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_text rest = {(const char *)data, size}, lines[3];
    struct traceparent trace;
    struct reply reply = {0};
    struct arena arena;

    arena_init(&arena, 1024);
    for (size_t i = 0; i < ARRAY_LEN(lines); i++)
        lines[i] = fuzz_take(&rest, '\n');
    if (traceparent_read(&trace, lines[0].text, lines[0].len))
        FUZZ_CHECK(strlen(trace.text) == TRACEPARENT_LEN && strlen(trace.id) == TRACEPARENT_ID_LEN);
    if (rest.len > REPLY_BODY_MAX)
        rest.len = REPLY_BODY_MAX;
    reply.status = (int)strtoul(arena_text(&arena, lines[0].text, lines[0].len), NULL, 10) % 1000;
    reply.failure = reply.status < 0 ? REPLY_OTHER : REPLY_OK;
    reply.retry_after = lines[1].len ? arena_text(&arena, lines[1].text, lines[1].len) : NULL;
    reply.date = lines[2].len ? arena_text(&arena, lines[2].text, lines[2].len) : NULL;
    reply.body = arena_text(&arena, rest.text, rest.len);
    reply.body_len = rest.len;
    check_reply(&reply);
    check_models(&reply);
    arena_fini(&arena);
    return 0;
}
