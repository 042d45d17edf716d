/* Where things stand in a JSON text: against the parser, on random texts with blanks anywhere. */

#include "cmd/json_text.h"
#include "json_unit.h"
#include "rules/decode.h"
#include "rules/value.h"

static void
add_blanks(struct rng *rng, struct buf *text)
{
    static const char blanks[] = " \t\n\r";

    for (size_t count = rng_below(rng, 3); count; count--)
        buf_add_char(text, blanks[rng_below(rng, 4)]);
}

/* Compact JSON with blanks around its signs; texts get some signs of their own. */
static void
write_loosely(struct rng *rng, const json_t *json, struct buf *text)
{
    const char *name;
    json_t *value;
    size_t i;
    bool first = true;

    add_blanks(rng, text);
    if (json_is_array(json)) {
        buf_add_char(text, '[');
        json_array_foreach(json, i, value) {
            buf_add_text(text, i ? "," : "");
            write_loosely(rng, value, text);
        }
        buf_add_char(text, ']');
    } else if (json_is_object(json)) {
        buf_add_char(text, '{');
        json_object_foreach((json_t *)json, name, value) {
            buf_add_text(text, first ? "" : ",");
            first = false;
            add_blanks(rng, text);
            buf_add_json(text, name, strlen(name));
            add_blanks(rng, text);
            buf_add_char(text, ':');
            write_loosely(rng, value, text);
        }
        buf_add_char(text, '}');
    } else if (json_is_string(json) && rng_below(rng, 2)) {
        buf_add_text(text, "\"\\\"}],:{[\\\\\"");
    } else {
        struct value scalar = value_of_json((json_t *)json);

        value_add_json(&scalar, text);
    }
    add_blanks(rng, text);
}

/* That RANGE of TEXT holds JSON, and all that is in it is found. */
static void
check_range(const char *text, struct json_range range, const json_t *json)
{
    char reason[256];
    json_t *read = decode_json(text + range.at, range.end - range.at, reason, sizeof(reason));
    struct json_range name, value, found;
    const char *key;
    json_t *item;
    size_t i = 0;

    if (!read || !json_equal(read, (json_t *)json))
        fail_msg("\"%.*s\" is not what it should be", (int)(range.end - range.at), text + range.at);
    json_decref(read);
    if (json_is_array(json)) {
        json_array_foreach(json, i, item) {
            assert_true(json_text_element(text, range, i, &value));
            check_range(text, value, item);
        }
        assert_false(json_text_element(text, range, json_array_size(json), &value));
    }
    if (!json_is_object(json))
        return;
    json_object_foreach((json_t *)json, key, item) {
        assert_true(json_text_member(text, range, i++, &name, &value));
        check_range(text, value, item);
        assert_true(json_text_find(text, range, key, &name, &found));
        assert_int_equal(found.at, value.at);
        assert_int_equal(found.end, value.end);
    }
    assert_false(json_text_member(text, range, i, &name, &value));
    assert_false(json_text_find(text, range, "nobody", &name, &value));
}

static void
everything_is_found_where_it_stands(void **state)
{
    struct rng rng = unit_rng("json text", 5);
    struct buf text;

    (void)state;
    buf_init(&text, 1 << 20);
    for (int round = 0; round < 5000; round++) {
        json_t *json = random_json(&rng, 5), *read;
        char reason[256];

        buf_reset(&text);
        write_loosely(&rng, json, &text);
        read = decode_json(buf_text(&text), text.len, reason, sizeof(reason));
        assert_non_null(read);
        check_range(buf_text(&text), json_text_value(buf_text(&text), text.len, 0), read);
        json_decref(read);
        json_decref(json);
    }
    buf_fini(&text);
}

static void
of_equal_names_the_last_counts(void **state)
{
    static const char text[] = " {\"a\":1, \"b\":2, \"a\" : [3] }";
    struct json_range name, value;

    (void)state;
    assert_true(json_text_find(text, json_text_value(text, strlen(text), 0), "a", &name, &value));
    assert_int_equal(value.end - value.at, 3);
    assert_memory_equal(text + value.at, "[3]", 3);
    assert_memory_equal(text + name.at, "\"a\" :", 5);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_is_found_where_it_stands),
        cmocka_unit_test(of_equal_names_the_last_counts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
