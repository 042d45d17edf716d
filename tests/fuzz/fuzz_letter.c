/*
 * Headers of a record in the dead-letter or redrive topic, a line each, "name: value": they are no
 * letter, and it is said why, or one whose event can be restored and that can go round once more;
 * a list of calls is none, or one that keeps only what it names.
 */
#include "delivery/letter.h"
#include "fuzz.h"

enum { HEADERS_MAX = 40 };

struct record {
    struct arena arena;
    struct event event;
    struct event_header headers[HEADERS_MAX];
};

static void
read_record(struct record *record, struct fuzz_text input)
{
    memset(record, 0, sizeof(*record));
    arena_init(&record->arena, 1024);
    record->event = (struct event){.topic = "dead", .offset = 5, .headers = record->headers};
    while (input.len && record->event.header_count < HEADERS_MAX) {
        struct fuzz_text value = fuzz_take(&input, '\n'), name = fuzz_take(&value, ':');

        if (value.len && value.text[0] == ' ') {
            value.text++;
            value.len--;
        }
        record->headers[record->event.header_count++] = (struct event_header){
            arena_text(&record->arena, name.text, name.len), value.text, value.len};
    }
}

static void
check_raised(const struct event *event, const struct letter *letter)
{
    struct event_header headers[HEADERS_MAX + 1];
    struct event raised = *event;
    char number[LETTER_NUMBER_MAX];
    struct letter again;
    struct err err = {0};

    raised.header_count = letter_raise(event, letter, headers, number);
    raised.headers = headers;
    FUZZ_CHECK(raised.header_count <= event->header_count + 1);
    FUZZ_CHECK(!letter_read(&raised, &again, &err), "%s", err.msg);
    FUZZ_CHECK(again.redrives == letter->redrives + 1 && again.own == letter->own);
    FUZZ_CHECK(!strcmp(again.topic, letter->topic) && again.offset == letter->offset);
}

static void
check_letter(const struct event *event)
{
    struct letter letter;
    struct event restored;
    struct err err = {0};

    if (letter_read(event, &letter, &err) < 0) {
        FUZZ_CHECK(err.msg[0]);
        FUZZ_CHECK(utf8_is_valid(err.msg, strlen(err.msg)));
        return;
    }
    FUZZ_CHECK(letter.topic[0] && letter.partition >= 0 && letter.offset >= 0);
    FUZZ_CHECK(letter.own < event->header_count && letter.class.text);
    letter_restore(event, &letter, &restored);
    FUZZ_CHECK(restored.header_count == letter.own && restored.offset == letter.offset);
    if (letter.redrives < LETTER_REDRIVES_MAX)
        check_raised(event, &letter);
}

static void
check_calls(const char *text, size_t len)
{
    struct letter_calls calls;
    struct call_list list;
    struct err err = {0};
    size_t missing;

    if (letter_calls_read(text, len, &calls, &err) < 0) {
        FUZZ_CHECK(err.msg[0]);
        return;
    }
    call_list_init(&list);
    for (size_t i = 0; i < calls.count && i < 20; i++) {
        struct call *call = call_new(calls.items[i].kind, 0, calls.items[i].rule);

        call->nth = calls.items[i].nth;
        call->identify.email = "a@example.com";
        call_list_add(&list, call);
        FUZZ_CHECK(letter_calls_name(&calls, call->rule, strlen(call->rule)));
    }
    call_list_add(&list, call_new(CALL_TRACK, 0, "\x01 is no name"));
    missing = letter_calls_keep(&calls, &list);
    FUZZ_CHECK(missing <= calls.count && list.count <= calls.count);
    call_list_fini(&list);
    letter_calls_fini(&calls);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct record record;

    read_record(&record, (struct fuzz_text){(const char *)data, size});
    check_letter(&record.event);
    for (size_t i = 0; i < record.event.header_count; i++)
        check_calls(record.headers[i].value, record.headers[i].value_len);
    arena_fini(&record.arena);
    return 0;
}
