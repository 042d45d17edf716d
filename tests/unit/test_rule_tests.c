/* Rule tests as files: how calls are compared, and that rewriting touches nothing else. */

#include <unistd.h>

#include "base/xalloc.h"
#include "cmd/test_diff.h"
#include "cmd/test_file.h"
#include "unit.h"

static const char config_text[] =
    "kafka: { bootstrap_servers = \"k\"; group_id = \"g\"; };\n"
    "accounts: ( { name = \"main\"; api = \"rest\"; api_key = \"k\"; } );\n"
    "rules: ( { name = \"r\"; topics = [ \"t\" ]; email = \"${email}\";\n"
    "           identify: { tags = [ \"${tags}\" ]; }; track: { addTags = [ \"${add}\" ]; }; } "
    ");\n";

struct bench {
    char folder[64], *conf, *tests;
    struct config *config;
    struct diag diag;
    struct mapping mapping;
};

static void
write_text(const char *path, const char *text)
{
    FILE *out = fopen(path, "w");

    assert_non_null(out);
    assert_true(fputs(text, out) >= 0);
    assert_int_equal(fclose(out), 0);
}

static void
open_bench(struct bench *bench)
{
    *bench = (struct bench){.folder = "/tmp/rule-tests.XXXXXX"};
    assert_non_null(mkdtemp(bench->folder));
    bench->conf = xasprintf("%s/a.conf", bench->folder);
    bench->tests = xasprintf("%s/a.json", bench->folder);
    write_text(bench->conf, config_text);
    diag_init(&bench->diag);
    bench->config = config_load(bench->conf, CONFIG_SECRETS_REQUIRED, NULL, &bench->diag);
    assert_non_null(bench->config);
    mapping_init(&bench->mapping);
}

static void
close_bench(struct bench *bench)
{
    unlink(bench->conf);
    unlink(bench->tests);
    rmdir(bench->folder);
    xfree(bench->conf);
    xfree(bench->tests);
    config_free(bench->config);
    diag_fini(&bench->diag);
    mapping_fini(&bench->mapping);
}

/* Runs the only test of TEXT; whether it agrees. */
static bool
passes(struct bench *bench, const char *text)
{
    struct test_file *file;
    bool agrees;

    write_text(bench->tests, text);
    file = test_file_read(bench->tests, bench->config, false, &bench->diag);
    if (!file)
        fail_msg("%s", bench->diag.items[bench->diag.count - 1].text);
    ruleset_map(bench->config->rules, &file->tests[0].record.event, 0, &bench->mapping);
    agrees = test_calls_agree(&file->tests[0].expected, &bench->mapping.calls);
    test_file_free(file);
    return agrees;
}

#define EVENT "{\"email\":\"a@b\",\"tags\":[\"x\",\"y\"],\"add\":\"z\"}"
#define TEST(expect) \
    "[{\"name\":\"n\",\"topic\":\"t\",\"event\":" EVENT ",\"expect\":[" expect "]}]"
#define IDENTIFIED "{\"identify\":{\"email\":\"a@b\",\"tags\":[\"y\",\"x\"]}}"
#define TRACKED "{\"track\":{\"email\":\"a@b\",\"addTags\":[\"z\"]}}"

static void
calls_agree_but_for_the_order_of_tags(void **state)
{
    struct bench bench;

    (void)state;
    open_bench(&bench);
    assert_true(passes(&bench, TEST(IDENTIFIED "," TRACKED)));
    assert_false(passes(&bench, TEST(TRACKED "," IDENTIFIED)));
    assert_false(passes(&bench, TEST(IDENTIFIED)));
    assert_false(passes(&bench, TEST("")));
    assert_false(passes(&bench, TEST(IDENTIFIED "," TRACKED "," TRACKED)));
    assert_false(
        passes(&bench, TEST("{\"identify\":{\"email\":\"a@b\",\"tags\":[\"y\"]}}," TRACKED)));
    assert_false(
        passes(&bench, TEST(IDENTIFIED ",{\"track\":{\"email\":\"a@b\",\"removeTags\":[\"z\"]}}")));
    assert_true(passes(&bench, TEST("{\"rule\":\"r\",\"account\":\"main\",\"identify\":{\"email\":"
                                    "\"a@b\",\"tags\":[\"y\",\"x\"]}}," TRACKED)));
    assert_false(passes(&bench, TEST("{\"rule\":\"s\",\"identify\":{\"email\":\"a@b\",\"tags\":"
                                     "[\"y\",\"x\"]}}," TRACKED)));
    close_bench(&bench);
}

/* Every test of TEXT is updated to what comes; the file is EXPECTED then. */
static void
expect_update(struct bench *bench, const char *text, const char *expected)
{
    struct err err = {{0}};
    struct test_file *file;
    struct buf found;
    FILE *in;
    int c;

    write_text(bench->tests, text);
    file = test_file_read(bench->tests, bench->config, true, &bench->diag);
    if (!file)
        fail_msg("%s", bench->diag.items[bench->diag.count - 1].text);
    for (size_t i = 0; i < file->count; i++) {
        enum map_outcome outcome =
            ruleset_map(bench->config->rules, &file->tests[i].record.event, 0, &bench->mapping);

        rule_test_update(file, &file->tests[i], bench->config, outcome, &bench->mapping);
    }
    assert_int_equal(test_file_write(file, &err), file->count);
    test_file_free(file);
    buf_init(&found, 1 << 20);
    in = fopen(bench->tests, "r");
    while ((c = fgetc(in)) != EOF)
        buf_add_char(&found, (char)c);
    fclose(in);
    assert_string_equal(buf_text(&found), expected);
    buf_fini(&found);
}

static void
an_update_rewrites_what_is_expected_and_nothing_else(void **state)
{
    struct bench bench;

    (void)state;
    open_bench(&bench);
    /* Numbers, blanks and escapes of the rest stay as they are written. */
    expect_update(
        &bench,
        "[ {\"name\" : \"n\\u0061\",\n\t\"expect\":[ ],\"topic\":\"t\",\n"
        "  \"event\": {\"email\":\"a@b\",   \"n\":19.90, \"big\":12345678901234567890123} }\n ]\n",
        "[ {\"name\" : \"n\\u0061\",\n\t\"expect\": [\n\t  {\"rule\": \"r\", \"identify\": "
        "{\"email\": \"a@b\"}}\n\t],\"topic\":\"t\",\n"
        "  \"event\": {\"email\":\"a@b\",   \"n\":19.90, \"big\":12345678901234567890123} }\n ]\n");
    /* Calls become an error, and an error calls; what was open is filled in. */
    expect_update(
        &bench,
        "[{\"name\":\"a\",\"topic\":\"t\",\"event\":{},\"expect\":[" TRACKED "]},\n"
        " {\"name\":\"b\",\"topic\":\"u\",\"event\":{},\"error\":\"x\"},\n"
        " {\"name\":\"c\",\n  \"topic\":\"u\",\n  \"payload\":null\n }]",
        "[{\"name\":\"a\",\"topic\":\"t\",\"event\":{},\"error\": \"rule \\\"r\\\": email: is null "
        "or empty, and there is nobody to send to; see without_email\"},\n"
        " {\"name\":\"b\",\"topic\":\"u\",\"event\":{},\"expect\": []},\n"
        " {\"name\":\"c\",\n  \"topic\":\"u\",\n  \"payload\":null,\n  \"expect\": []\n }]");
    close_bench(&bench);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_agree_but_for_the_order_of_tags),
        cmocka_unit_test(an_update_rewrites_what_is_expected_and_nothing_else),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
