#include "log_unit.h"

#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/diag.h"
#include "base/err.h"
#include "base/heap.h"
#include "base/list.h"
#include "base/log.h"
#include "base/log_limit.h"
#include "base/map.h"
#include "base/mask.h"
#include "base/utf8.h"
#include "base/xalloc.h"

static void
a_finding_is_one_line_of_utf8_whatever_it_quotes(void **state)
{
    char long_text[10000];
    struct diag diag;

    (void)state;
    memset(long_text, 0xc3, sizeof(long_text));
    for (size_t i = 1; i < sizeof(long_text); i += 2)
        long_text[i] = (char)0xa9;
    long_text[sizeof(long_text) - 1] = '\0';
    diag_init(&diag);
    diag_error(&diag, (struct place){"a.conf", 7}, "\"%s\" is none",
               "a\n\x1b[31m\x7f \xc2\x9b\xc2\xa0\xc3\xa9 \xff \xc3");
    diag_notice(&diag, (struct place){"a.conf", 8}, "%s", long_text);
    assert_string_equal(diag.items[0].text,
                        "a.conf:7: error: \"a\\x0a\\x1b[31m\\x7f \\xc2\\x9b\xc2\xa0\xc3\xa9 \\xff "
                        "\\xc3\" is none");
    assert_int_equal(diag.items[0].message_at + diag.items[0].message_len,
                     strlen(diag.items[0].text));
    assert_true(utf8_is_valid(diag.items[1].text, strlen(diag.items[1].text)));
    assert_false(utf8_has_control(diag.items[0].text));
    diag_fini(&diag);
}

static void
the_first_error_wins_and_callers_add_where(void **state)
{
    struct err err = {0};

    (void)state;
    assert_int_equal(err_set(&err, "no such %s", "file"), -1);
    assert_int_equal(err_set(&err, "later"), -1);
    assert_int_equal(err_prefix(&err, "a.conf:%d", 7), -1);
    assert_string_equal(err.msg, "a.conf:7: no such file");
}

static void
a_prefix_never_overflows_a_long_message(void **state)
{
    struct err err = {0};

    (void)state;
    memset(err.msg, 'x', ERR_MAX - 1);
    err_prefix(&err, "where");
    assert_int_equal(strlen(err.msg), ERR_MAX - 1);
    assert_memory_equal(err.msg, "where: xx", 9);
}

static void
a_buffer_stops_at_its_cap_and_says_so(void **state)
{
    struct buf buf;

    (void)state;
    buf_init(&buf, 5);
    buf_add_text(&buf, "abc");
    assert_false(buf_toobig(&buf));
    buf_add_text(&buf, "def");
    assert_true(buf_toobig(&buf));
    assert_string_equal(buf_text(&buf), "abc");
    buf_add_text(&buf, "d"); /* sticky: no hole in the middle */
    assert_string_equal(buf_text(&buf), "abc");
    buf_reset(&buf);
    buf_printf(&buf, "%d", 12345);
    assert_string_equal(buf_text(&buf), "12345");
    buf_fini(&buf);
}

static void
json_text_is_escaped(void **state)
{
    struct buf buf;

    (void)state;
    buf_init(&buf, 1000);
    buf_add_json(&buf, "a\"\\\n\x01\xc3\xa9", 7);
    assert_string_equal(buf_text(&buf), "\"a\\\"\\\\\\n\\u0001\xc3\xa9\"");
    buf_fini(&buf);
}

static void
queries_are_percent_encoded(void **state)
{
    struct buf buf;

    (void)state;
    buf_init(&buf, 1000);
    buf_add_percent(&buf, "a+b c@\xc3\xa9~.", 10);
    assert_string_equal(buf_text(&buf), "a%2Bb%20c%40%C3%A9~.");
    buf_fini(&buf);
}

static void
an_arena_keeps_pieces_apart_and_starts_again(void **state)
{
    struct arena arena;
    char *texts[100];

    (void)state;
    arena_init(&arena, 64);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 100; i++) {
            char text[16];
            int len = snprintf(text, sizeof(text), "text %d", i);

            texts[i] = arena_text(&arena, text, (size_t)len);
            assert_int_equal((uintptr_t)texts[i] % 16, 0);
        }
        for (int i = 0; i < 100; i++)
            assert_int_equal(strtol(texts[i] + 5, NULL, 10), i);
        arena_reset(&arena);
        assert_int_equal(arena.used, 0);
    }
    arena_fini(&arena);
}

struct timer {
    struct heap_node node;
    int64_t due_ms;
    int order;
};

static void
timers_come_out_in_order_whatever_is_removed(void **state)
{
    struct rng rng = unit_rng("heap", 42);
    struct timer timers[300] = {0};
    struct heap heap;
    int64_t last_ms = -1;
    int last_order = -1, left = 0, count = 0;

    (void)state;
    heap_init(&heap);
    for (int i = 0; i < 300; i++) {
        timers[i].due_ms = (int64_t)rng_below(&rng, 50);
        timers[i].order = i;
        heap_add(&heap, &timers[i].node, timers[i].due_ms);
    }
    for (int i = 0; i < 300; i++) {
        if (rng_below(&rng, 2))
            heap_remove(&heap, &timers[i].node);
    }
    for (int i = 0; i < 300; i++)
        left += heap_has(&timers[i].node);
    while (heap_first(&heap)) {
        struct timer *timer = CONTAINER_OF(heap_first(&heap), struct timer, node);

        assert_true(timer->due_ms > last_ms ||
                    (timer->due_ms == last_ms && timer->order > last_order));
        last_ms = timer->due_ms;
        last_order = timer->order;
        heap_remove(&heap, &timer->node);
        count++;
    }
    assert_int_equal(count, left);
    heap_fini(&heap);
}

struct entry {
    struct map_node node;
    char key[16];
    bool in;
};

static void
a_map_agrees_with_an_array(void **state)
{
    struct rng rng = unit_rng("map", 7);
    static struct entry entries[500];
    struct map map;
    size_t count = 0;

    (void)state;
    map_init(&map, 99);
    for (int i = 0; i < 500; i++)
        snprintf(entries[i].key, sizeof(entries[i].key), "key %d", i);
    for (int step = 0; step < 20000; step++) {
        struct entry *entry = &entries[rng_below(&rng, 500)];
        struct map_node *found = map_find(&map, entry->key, strlen(entry->key));

        assert_ptr_equal(found, entry->in ? &entry->node : NULL);
        if (entry->in)
            map_remove(&map, &entry->node);
        else
            map_add(&map, &entry->node, entry->key, strlen(entry->key));
        count += entry->in ? (size_t)-1 : 1;
        entry->in = !entry->in;
        assert_int_equal(map.count, count);
    }
    while (map_any(&map))
        map_remove(&map, map_any(&map));
    map_fini(&map);
}

static void
hashes_are_those_of_siphash(void **state)
{
    (void)state;
    /* Different lengths of the same bytes, and different seeds, differ. */
    assert_int_not_equal(map_hash("aaaaaaaa", 8, 1), map_hash("aaaaaaaaa", 9, 1));
    assert_int_not_equal(map_hash("a", 1, 1), map_hash("a", 1, 2));
    assert_int_equal(map_hash("abc", 3, 5), map_hash("abc", 3, 5));
}

static void
utf8_is_read_strictly(void **state)
{
    static const char *const good[] = {"",
                                       "abc",
                                       "\xc3\xa9",
                                       "\xe2\x82\xac",
                                       "\xf0\x9f\x98\x80",
                                       "\xf4\x8f\xbf\xbf",
                                       "\xed\x9f\xbf"};
    static const char *const bad[] = {"\x80",         "\xc3",         "\xc0\x80",
                                      "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80",
                                      "\xff",         "a\xe2\x82",    "\xf5\x80\x80\x80"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        assert_true(utf8_is_valid(good[i], strlen(good[i])));
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(utf8_is_valid(bad[i], strlen(bad[i])));
}

static void
every_code_point_survives_writing_and_reading(void **state)
{
    struct buf buf;

    (void)state;
    buf_init(&buf, 16);
    for (uint32_t c = 0; c <= 0x10ffff; c++) {
        const char *at;

        if (c >= 0xd800 && c <= 0xdfff)
            continue;
        buf_reset(&buf);
        utf8_add(&buf, c);
        at = buf.data;
        assert_true(utf8_is_valid(buf.data, buf.len));
        assert_int_equal(utf8_next(&at, buf.data + buf.len), c);
        assert_ptr_equal(at, buf.data + buf.len);
    }
    buf_fini(&buf);
}

static void
a_copy_that_is_cut_ends_with_a_whole_character(void **state)
{
    static const struct {
        size_t size;
        const char *copy;
    } cuts[] = {{1, ""},
                {2, "a"},
                {3, "a"},
                {4, "a\u00e4"},
                {7, "a\u00e4"},
                {8, "a\u00e4\U0001f600"},
                {99, "a\u00e4\U0001f600"}};
    char copy[99];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cuts); i++) {
        utf8_copy(copy, cuts[i].size, "a\u00e4\U0001f600");
        assert_string_equal(copy, cuts[i].copy);
    }
}

static void
case_is_mapped_one_to_one_without_a_locale(void **state)
{
    struct buf buf;

    (void)state;
    buf_init(&buf, 100);
    utf8_add_lower(&buf, "\xc3\x84\xd0\x96Z\xc3\x9f", 7);
    assert_string_equal(buf_text(&buf), "\xc3\xa4\xd0\xb6z\xc3\x9f");
    assert_int_equal(utf8_upper(0xdf), 0xdf); /* sharp s has no single upper case */
    assert_int_equal(utf8_lower('A'), 'a');
    assert_true(utf8_is_space(0xa0));
    assert_false(utf8_is_space(0x200b));
    buf_fini(&buf);
}

static void
masked(const char *text, const char *expected)
{
    struct buf buf;

    buf_init(&buf, 1000);
    mask_add_text(&buf, text, strlen(text));
    assert_string_equal(buf_text(&buf), expected);
    buf_fini(&buf);
}

static void
addresses_are_masked_wherever_they_stand(void **state)
{
    struct buf buf;

    (void)state;
    masked("no address here", "no address here");
    masked("contact ada@example.com is unknown", "contact a***@example.com is unknown");
    masked("{\"email\":\"ada@example.com\"}", "{\"email\":\"a***@example.com\"}");
    masked("/track?email=ada%40example.com&x=1", "/track?email=a***%40example.com&x=1");
    masked("<ada+tag@example.com>", "<a***@example.com>");
    buf_init(&buf, 100);
    mask_add_email(&buf, "\xc3\xa9t@example.com");
    assert_string_equal(buf_text(&buf), "\xc3\xa9***@example.com");
    buf_reset(&buf);
    mask_add_email(&buf, "nobody");
    assert_string_equal(buf_text(&buf), "***");
    buf_fini(&buf);
}

/* Runs what writes one log line and returns it without its time. */
static void
logged(enum log_format format, char *line, size_t size)
{
    struct log_catch catch;

    catch_log(&catch);
    log_setup(LOG_INFO, format);
    log_debug("not.this");
    log_info("call.done", log_text("rule", "plan \"changed\""), log_int("status", 200),
             log_contact("contact", "ada@example.com"), log_text("absent", NULL));
    log_setup(LOG_INFO, LOG_LOGFMT);
    caught_log(&catch, line, size);
}

static void
an_address_is_found_in_a_name(void **state)
{
    static const char *const with[] = {"ada@example.com", "to ada@b", "mailto:ada@example.com!",
                                       "@ a@b", "a@b@c"};
    static const char *const without[] = {
        "", "@", "@home", "at @ work", "ada@", "<@example.com", "plan changed"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(with); i++) {
        if (!mask_finds_email(with[i]))
            fail_msg("no address in \"%s\"", with[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(without); i++) {
        if (mask_finds_email(without[i]))
            fail_msg("an address in \"%s\"", without[i]);
    }
}

/* A library's text, a name from outside: a collector refuses a line that is no UTF-8. */
static void
a_log_line_is_utf8_whatever_a_field_holds(void **state)
{
    struct log_catch catch;
    char line[8192], large[5000];

    (void)state;
    memset(large, 'x', sizeof(large) - 1);
    large[sizeof(large) - 1] = '\0';
    memcpy(large + 4095, "\xc3\xa9", 2); /* the cut falls into it */
    catch_log(&catch);
    log_info("odd", log_text("a", "caf\xe9 \xc3\xa9"), log_text("b", "\xc3\xa9"),
             log_text("c", large));
    caught_log(&catch, line, sizeof(line));
    assert_true(utf8_is_valid(line, strlen(line)));
    assert_non_null(strstr(line, "a=\"caf? ??\""));
    assert_non_null(strstr(line, "b=\"\xc3\xa9\""));
    assert_non_null(strstr(line, "xxx?"));
}

static void
a_log_line_is_logfmt_or_json_with_addresses_masked(void **state)
{
    char line[1000];

    (void)state;
    logged(LOG_LOGFMT, line, sizeof(line));
    assert_string_equal(strstr(line, " level="),
                        " level=info event=call.done rule=\"plan \\\"changed\\\"\" status=200 "
                        "contact=a***@example.com\n");
    logged(LOG_JSON, line, sizeof(line));
    assert_memory_equal(line, "{\"ts\":\"20", 9);
    assert_string_equal(strstr(line, ",\"level\""),
                        ",\"level\":\"info\",\"event\":\"call.done\",\"rule\":\"plan "
                        "\\\"changed\\\"\",\"status\":200,\"contact\":\"a***@example.com\"}\n");
}

static void
a_repeated_line_passes_once_an_interval_with_a_count(void **state)
{
    struct log_limit limit = {0};
    int64_t kept_back = -1;

    (void)state;
    assert_true(log_limit_pass(&limit, 1000, &kept_back));
    assert_int_equal(kept_back, 0);
    assert_false(log_limit_pass(&limit, 1001, &kept_back));
    assert_false(log_limit_pass(&limit, 1002, &kept_back));
    assert_true(log_limit_pass(&limit, 1000 + LOG_LIMIT_MS, &kept_back));
    assert_int_equal(kept_back, 2);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_finding_is_one_line_of_utf8_whatever_it_quotes),
        cmocka_unit_test(the_first_error_wins_and_callers_add_where),
        cmocka_unit_test(a_prefix_never_overflows_a_long_message),
        cmocka_unit_test(a_buffer_stops_at_its_cap_and_says_so),
        cmocka_unit_test(json_text_is_escaped),
        cmocka_unit_test(queries_are_percent_encoded),
        cmocka_unit_test(an_arena_keeps_pieces_apart_and_starts_again),
        cmocka_unit_test(timers_come_out_in_order_whatever_is_removed),
        cmocka_unit_test(a_map_agrees_with_an_array),
        cmocka_unit_test(hashes_are_those_of_siphash),
        cmocka_unit_test(utf8_is_read_strictly),
        cmocka_unit_test(every_code_point_survives_writing_and_reading),
        cmocka_unit_test(a_copy_that_is_cut_ends_with_a_whole_character),
        cmocka_unit_test(case_is_mapped_one_to_one_without_a_locale),
        cmocka_unit_test(addresses_are_masked_wherever_they_stand),
        cmocka_unit_test(a_log_line_is_logfmt_or_json_with_addresses_masked),
        cmocka_unit_test(an_address_is_found_in_a_name),
        cmocka_unit_test(a_log_line_is_utf8_whatever_a_field_holds),
        cmocka_unit_test(a_repeated_line_passes_once_an_interval_with_a_count),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
