/* What libconfig calls a syntax error, explained. Each file is read by libconfig, too: what is
 * explained is what it refuses, in the line that it names. */

#include <unistd.h>

#include "config/source.h"
#include "config/syntax.h"
#include "unit.h"

enum { LINES = 12 };

/* libconfig keeps a few bytes of some files that it refuses. */
const char *__lsan_default_suppressions(void);

const char *
__lsan_default_suppressions(void)
{
    return "leak:libconfig";
}

/* What reading TEXT as a file says, without the file's name; nothing is explained in a file that
 * can be read. */
static void
read_file(const char *text, struct buf *said)
{
    char path[] = "/tmp/syntax-XXXXXX";
    int fd = mkstemp(path);
    FILE *out = fdopen(fd, "w");
    struct source *source;
    struct diag diag;

    fputs(text, out);
    fclose(out);
    diag_init(&diag);
    source = source_read(path, &diag);
    buf_reset(said);
    for (size_t i = 0; i < diag.count; i++)
        buf_add_text(said, diag.items[i].text + strlen(path) + 1);
    for (unsigned line = 1; source && line <= LINES; line++) {
        size_t len = said->len;

        syntax_explain(path, line, said);
        if (said->len > len)
            fail_msg("%s\n  is right, and explained by: %s", text, buf_text(said));
    }
    source_free(source);
    diag_fini(&diag);
    unlink(path);
}

static void
a_mistake_is_named_with_what_to_write_instead(void **state)
{
    static const struct {
        const char *text, *expected; /* NULL: no mistake */
    } cases[] = {
        {"a = 1; b: { c = \"x\" d = [ 1, 2 ], e = ( ) }", NULL},
        {"z = \"a\" \"b\"; a = ( \"x\", { b = TRUE; }, [ -1.5, .5 ], ( 0x1F ) );", NULL},
        {"# a = = 1\n// b\n/* c\n = */ a = \"it\\\"s\";", NULL},
        {"a = \"x == \"pro\"\";", "1: error: syntax error: the text ended at the double quote"},
        {"a = [ \"x == \"pro\"\" ];", "1: error: syntax error: the text ended at the double"},
        {"a = \"x;\nb = \"y\";\n", "3: error: syntax error: the text that begins in line 1 has no"},
        {"a = \"x;\n", "2: error: syntax error: the text that begins in line 1 has no closing"},
        {"a = (\n1,\n);", "3: error: syntax error: there is a comma behind the last element"},
        {"a = [ 1, ];", "1: error: syntax error: there is a comma behind the last element"},
        {"a = { Signup Date = \"x\"; };",
         "1: error: syntax error: behind the name \"Signup\" there is no \"=\"; a name that holds "
         "a "
         "blank stands in a list of pairs: ( (\"Signup ...\", \"...\") )"},
        {"a = \"x\"\nb c = 1;", "2: error: syntax error: behind the name \"b\" there is no"},
        {"a = \"x\";\nb c = 1;", "2: error: syntax error: behind the name \"b\" there is no"},
        {"k: { bootstrap.servers = \"x\"; };",
         "1: error: syntax error: the name \"bootstrap.servers\" holds a dot"},
        {"a = (\n{ b = 1; }\n{ b = 2; } );", "3: error: syntax error: a comma is missing"},
        {"a = ( (\"b\", \"c\") (\"d\", \"e\") );", "1: error: syntax error: a comma is missing"},
        {"a = [\n{ b = 1; } ];", "2: error: syntax error: an array [ ] holds only texts"},
        {"a = 'x';", "1: error: syntax error: a text stands between double quotes, not single"},
        {"a = [ 'x' ];", "1: error: syntax error: a text stands between double quotes, not single"},
        {"a = yes;", "1: error: syntax error: what stands here is no value: a text stands between"},
        {"api_key = 12 s3cret;",
         "1: error: syntax error: behind the name \"...\" there is no \"=\""},
        {"a { b = 1; };", "1: error: syntax error: behind the name \"a\" there is no \"=\""},
        {"{ \"a\": 1 }", "1: error: syntax error: \"{\" stands where the name of a setting must"},
        {"a = { \"b\": 1 };",
         "1: error: syntax error: the name of a setting stands without quotes"},
        {"a = ;", "1: error: syntax error: behind \"a\" a value is missing"},
        {"a = (\n{ b = 1; )\n;", "2: error: syntax error: \")\" stands where the \"{\" of line 2"},
        {"a = (\n{ b = 1; }\n", "3: error: syntax error: the \"(\" of line 1 is not closed"},
        {"a = 1; }", "1: error: syntax error: nothing is open that \"}\" could close"},
        {"a = ( 1; 2 );", "1: error: syntax error: \";\" stands where a comma or the end"},
        {"a = ( 1 @b );", "1: error: syntax error: \"@\" stands where a comma or the end"},
        {"a = @b;", "1: error: syntax error: behind \"a\" a value is missing"},
        {"a = 1; @b = 2;", "1: error: syntax error: \"@\" stands where the name of a setting"},
        {"a = [ 1, \"x\" ];", "1: error: the values of an array [ ] must be of one type"},
    };
    struct buf said;

    (void)state;
    buf_init(&said, 1 << 16);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *expected = cases[i].expected ? cases[i].expected : "";

        read_file(cases[i].text, &said);
        if (strncmp(buf_text(&said), expected, strlen(expected)) || (!*expected && said.len))
            fail_msg("%s\n  says     %s\n  expected %s", cases[i].text, buf_text(&said), expected);
    }
    buf_fini(&said);
}

static void
what_may_be_a_secret_is_not_repeated(void **state)
{
    static const char *const texts[] = {
        "api_key s3cret;",
        "api_key s3cret.s3cret;",
        "api_key s3cret==;",
        "api_key = s3cret.s3cret;",
        "api_key = \"a\"s3cret.b\";",
        "api_key = \"a;\nb = \"s3cret c\";",
        "api_key = 12 s3cret.b;",
        "api_key = [ \"a\"s3cret ];",
        "api_key \"s3cret\";",
        "api_key = 's3cret';",
    };
    struct buf said;

    (void)state;
    buf_init(&said, 1 << 16);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        read_file(texts[i], &said);
        assert_non_null(strstr(buf_text(&said), "error: syntax error: "));
        if (strstr(buf_text(&said), "s3cret"))
            fail_msg("%s\n  says %s", texts[i], buf_text(&said));
    }
    buf_fini(&said);
}

static void
nearly_all_that_libconfig_refuses_is_explained_and_nothing_else(void **state)
{
    static const char *const pieces[] = {"a", " = ", "1", ";", ",",      "\"x\"", "{",
                                         "}", "(",   ")", "[", "]",      "\n",    " ",
                                         ":", "b",   "'", ".", "a = 1;", "-2",    "true"};
    struct rng rng = unit_rng("syntax", 1);
    struct buf text, said;
    size_t right = 0, explained = 0, refused = 0;

    (void)state;
    buf_init(&text, 1 << 16);
    buf_init(&said, 1 << 16);
    for (int round = 0; round < 20000; round++) {
        bool is_syntax;

        buf_reset(&text);
        for (size_t count = 1 + rng_below(&rng, 10); count; count--)
            buf_add_text(&text, pieces[rng_below(&rng, ARRAY_LEN(pieces))]);
        read_file(buf_text(&text), &said);
        is_syntax = strstr(buf_text(&said), "error: syntax error") != NULL;
        right += !said.len;
        refused += is_syntax;
        explained += strstr(buf_text(&said), "error: syntax error: ") != NULL;
    }
    print_message("%zu right, %zu refused, %zu explained\n", right, refused, explained);
    assert_true(right > 50);
    assert_true(explained * 10 > refused * 9);
    buf_fini(&text);
    buf_fini(&said);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mistake_is_named_with_what_to_write_instead),
        cmocka_unit_test(what_may_be_a_secret_is_not_repeated),
        cmocka_unit_test(nearly_all_that_libconfig_refuses_is_explained_and_nothing_else),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
