#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/nearest.h"
#include "base/rng.h"
#include "base/xalloc.h"
#include "config/address.h"
#include "config/config.h"
#include "config/kafka_section.h"
#include "config/option.h"
#include "config/rule_table.h"
#include "config/source.h"
#include "config/unit.h"

/* libconfig 1.5 forgets the text it was reading when it finds a syntax error. */
const char *__lsan_default_suppressions(void);

const char *
__lsan_default_suppressions(void)
{
    return "leak:libconfig.so";
}

/* A folder for the files of one test. */
struct folder {
    char path[32];
    char *files[8];
    size_t count;
};

#define ACCOUNT "accounts: ( { name = \"main\"; api_key = \"key-1\"; team_id = \"t\"; } );\n"
#define RULE                                                               \
    "rules: ( { name = \"r\"; topics = [ \"t\" ]; email = \"${email}\";\n" \
    "  identify: { firstName = \"${name}\"; }; } );\n"

static int
make_folder(void **state)
{
    struct folder *folder = xcalloc(1, sizeof(*folder));

    snprintf(folder->path, sizeof(folder->path), "/tmp/test_config.XXXXXX");
    if (!mkdtemp(folder->path))
        return -1;
    *state = folder;
    return 0;
}

static int
remove_folder(void **state)
{
    struct folder *folder = *state;

    for (size_t i = 0; i < folder->count; i++) {
        unlink(folder->files[i]);
        xfree(folder->files[i]);
    }
    rmdir(folder->path);
    xfree(folder);
    return 0;
}

/* Writes a file, again when it is there already; the path is borrowed. */
static const char *
write_file(struct folder *folder, const char *name, const void *bytes, size_t len)
{
    char *path = xasprintf("%s/%s", folder->path, name);
    FILE *out = fopen(path, "w");

    assert_non_null(out);
    assert_int_equal(fwrite(bytes, 1, len, out), len);
    assert_int_equal(fclose(out), 0);
    for (size_t i = 0; i < folder->count; i++) {
        if (strcmp(folder->files[i], path) == 0) {
            xfree(path);
            return folder->files[i];
        }
    }
    assert_true(folder->count < ARRAY_LEN(folder->files));
    folder->files[folder->count++] = path;
    return path;
}

static const char *
write_text(struct folder *folder, const char *name, const char *text)
{
    return write_file(folder, name, text, strlen(text));
}

static struct config *
load(struct folder *folder, const char *text, enum config_secrets secrets, struct diag *diag)
{
    diag_init(diag);
    return config_load(write_text(folder, "test.conf", text), secrets, NULL, diag);
}

/* Loads what must be good. */
static struct config *
load_good(struct folder *folder, const char *text)
{
    struct diag diag;
    struct config *config = load(folder, text, CONFIG_SECRETS_REQUIRED, &diag);

    diag_print(&diag, stderr);
    assert_non_null(config);
    assert_int_equal(diag.count, 0);
    diag_fini(&diag);
    return config;
}

/* What config_print says, without its first line, which names the file, and without the marks;
 * yours. */
static char *
printed(const struct config *config)
{
    char *text = NULL, *line, *rest;
    size_t len;
    FILE *out = open_memstream(&text, &len);
    struct buf plain;

    config_print(config, out);
    fclose(out);
    buf_init(&plain, 1024 * 1024);
    rest = strchr(text, '\n') + 1;
    while ((line = strsep(&rest, "\n"))) {
        char *mark = strstr(line, " # default");

        while (mark && mark > line && mark[-1] == ' ')
            mark--;
        buf_printf(&plain, "%.*s\n", mark ? (int)(mark - line) : (int)strlen(line), line);
    }
    xfree(text);
    return buf_steal(&plain);
}

static void
an_empty_section_has_its_defaults(void **state)
{
    struct config *config = load_good(*state, "kafka: { };\n" ACCOUNT RULE);

    assert_string_equal(config->kafka.bootstrap_servers, "localhost:9092");
    assert_string_equal(config->kafka.group_id, "sendx-worker");
    assert_int_equal(config->kafka.start, KAFKA_START_EARLIEST);
    assert_int_equal(config->kafka.property_count, 0);
    assert_int_equal(config->account_count, 1);
    assert_string_equal(config->accounts[0].base_url, "https://app.sendx.io/api/v1");
    assert_int_equal(config->accounts[0].max_in_flight, 64);
    assert_int_equal(config->accounts[0].timeout_ms, 30000);
    assert_int_equal(config->accounts[0].connect_timeout_ms, 3000);
    assert_null(config->accounts[0].ca_file);
    assert_false(config->accounts[0].allow_plaintext);
    assert_true(config->accounts[0].rate_limit == 0.0);
    assert_false(config->accounts[0].hold);
    assert_int_equal(config->accounts[0].on_unknown_contact, UNKNOWN_CREATE);
    assert_int_equal(config->delivery.retry_min_ms, 250);
    assert_int_equal(config->delivery.retry_max_ms, 60000);
    assert_int_equal(config->delivery.retry_for_ms, 3600000);
    assert_int_equal(config->delivery.retry_after_max_ms, 3600000);
    assert_int_equal(config->delivery.max_pending_events, 10000);
    assert_int_equal(config->delivery.max_pending_bytes, 64 * 1024 * 1024);
    assert_int_equal(config->delivery.prefetch_bytes, 32 * 1024 * 1024);
    assert_int_equal(config->delivery.commit_interval_ms, 1000);
    assert_int_equal(config->delivery.drain_timeout_ms, 10000);
    assert_string_equal(config->dead_letter.topic, "sendx-worker.dead-letter");
    assert_string_equal(config->dead_letter.redrive_topic, "sendx-worker.redrive");
    assert_true(config->dead_letter.budget == 0.05);
    assert_string_equal(config->admin.listen, "127.0.0.1:9464");
    assert_string_equal(config->admin.token, "");
    assert_false(config->admin.allow_public);
    assert_int_equal(config->log.level, LOG_INFO);
    assert_int_equal(config->log.format, LOG_LOGFMT);
    config_free(config);
}

static void
rest_has_its_own_base_url_and_no_team(void **state)
{
    struct config *config = load_good(
        *state, "accounts: ( { name = \"a\"; api = \"rest\"; api_key = \"k\"; } );\n" RULE);

    assert_int_equal(config->accounts[0].api, API_REST);
    assert_string_equal(config->accounts[0].base_url, "https://api.sendx.io/api/v1/rest");
    assert_null(config->accounts[0].team_id);
    config_free(config);
}

static void
a_choice_is_stored_as_its_place_in_the_enum(void **state)
{
    struct config *config =
        load_good(*state, "log: { level = \"error\"; format = \"json\"; };\n"
                          "kafka: { start = \"latest\"; };\n"
                          "accounts: ( { name = \"a\"; api_key = \"k\"; team_id = \"t\";\n"
                          "  on_unknown_contact = \"skip\"; } );\n" RULE);

    assert_int_equal(config->accounts[0].on_unknown_contact, UNKNOWN_SKIP);
    assert_int_equal(config->log.level, LOG_ERROR);
    assert_int_equal(config->log.format, LOG_JSON);
    assert_int_equal(config->kafka.start, KAFKA_START_LATEST);
    config_free(config);
}

static void
a_start_may_be_a_time(void **state)
{
    struct config *config =
        load_good(*state, "kafka: { start = \"1970-01-02T01:00:00+01:00\"; };\n" ACCOUNT RULE);

    assert_int_equal(config->kafka.start, KAFKA_START_TIME);
    assert_int_equal(config->kafka.start_ms, 24 * 60 * 60 * 1000);
    config_free(config);
}

static void
other_kafka_settings_are_properties_with_dots(void **state)
{
    struct config *config =
        load_good(*state, "kafka: { session_timeout_ms = 6000;\n  check_crcs = true;\n"
                          "  client_id = \"a_b\"; };\n" ACCOUNT RULE);
    const struct kafka_property *properties = config->kafka.properties;

    assert_int_equal(config->kafka.property_count, 3);
    assert_string_equal(properties[0].name, "session.timeout.ms");
    assert_string_equal(properties[0].value, "6000");
    assert_int_equal(properties[0].at.line, 1);
    assert_string_equal(properties[1].name, "check.crcs");
    assert_string_equal(properties[1].value, "true");
    assert_int_equal(properties[1].at.line, 2);
    assert_string_equal(properties[2].name, "client.id");
    assert_string_equal(properties[2].value, "a_b");
    config_free(config);
}

static void
every_default_and_bound_of_the_table_is_a_value(void **state)
{
    struct config config = {0};
    struct account account = {0};
    struct loader loader = {.dir = "."};

    (void)state;
    for (size_t i = 0; i < option_count(); i++) {
        const struct option *option = option_at(i);
        struct source_node node = {.type = SOURCE_TEXT, .name = option->name};
        struct source_node group = {.type = SOURCE_GROUP, .items = &node, .count = 1};
        const char *texts[] = {option->preset, option->least, option->most};
        bool of_account = strcmp(option->section, "accounts") == 0;
        struct diag diag;

        assert_ptr_equal(option_find(option->section, option->name), option);
        for (size_t j = 0; j < ARRAY_LEN(texts); j++) {
            if (!texts[j])
                continue;
            node.text = texts[j];
            if (option->type == OPTION_INTEGER) {
                node.type = SOURCE_INTEGER;
                node.integer = strtoll(texts[j], NULL, 10);
                node.number = (double)node.integer;
            } else if (option->type == OPTION_NUMBER) {
                node.type = SOURCE_NUMBER;
                node.number = strtod(texts[j], NULL);
            } else if (option->type == OPTION_BOOLEAN) {
                node.type = SOURCE_BOOLEAN;
            } else if (option->type == OPTION_OFFSETS) {
                assert_string_equal(texts[j], "[ ]");
                node.type = SOURCE_ARRAY;
            }
            diag_init(&diag);
            loader.diag = &diag;
            section_read(option->section, &group, of_account ? (void *)&account : &config, &loader);
            for (size_t k = 0; k < diag.count; k++)
                assert_non_null(strstr(diag.items[k].text, "is required"));
            diag_fini(&diag);
        }
    }
    account_fini(&account);
    kafka_section_fini(&config.kafka);
    xfree(config.dead_letter.topic);
    xfree(config.dead_letter.redrive_topic);
    xfree(config.admin.listen);
    xfree(config.admin.token);
}

static void
secrets_come_from_the_environment_and_from_files(void **state)
{
    struct config *config;

    setenv("TEST_CONFIG_TEAM", "team-9", 1);
    write_text(*state, "key", "key-9\n");
    write_text(*state, "lines", "\r\na\n\r\n");
    write_text(*state, "unit", "m");
    config =
        load_good(*state, "accounts: ( { name = \"a ${env:TEST_CONFIG_TEAM} $${b} $c\";\n"
                          "  api_key = \"${file:key}\"; team_id = \"x${env:TEST_CONFIG_TEAM}y\";\n"
                          "  timeout = \"1${file:unit}\"; } );\n"
                          "kafka: { client_id = \"${file:lines}\"; };\n" RULE);
    assert_string_equal(config->accounts[0].name, "a team-9 ${b} $c");
    assert_string_equal(config->accounts[0].api_key, "key-9");
    assert_string_equal(config->accounts[0].team_id, "xteam-9y");
    assert_int_equal(config->accounts[0].timeout_ms, 60000);
    assert_string_equal(config->kafka.properties[0].value, "\r\na\n");
    config_free(config);
}

static void
a_file_that_is_no_text_is_refused(void **state)
{
    static const char text[] =
        "accounts: ( { name = \"a\"; team_id = \"t\";\n api_key = \"${file:key}\"; } );\n" RULE;
    static char big[64 * 1024 + 1];
    const char *const reasons[] = {"holds a NUL byte", "more than 64 KiB", "not valid UTF-8"};

    memset(big, 'k', sizeof(big));
    for (size_t i = 0; i < ARRAY_LEN(reasons); i++) {
        struct diag diag;

        if (i == 0)
            write_file(*state, "key", "a\0b", 3);
        else if (i == 1)
            write_file(*state, "key", big, sizeof(big));
        else
            write_file(*state, "key", "\xff", 1);
        assert_null(load(*state, text, CONFIG_SECRETS_REQUIRED, &diag));
        assert_int_equal(diag.errors, 1);
        assert_non_null(strstr(diag.items[0].text, "test.conf:2: error: accounts[0].api_key: "));
        assert_non_null(strstr(diag.items[0].text, reasons[i]));
        diag_fini(&diag);
    }
}

static void
a_missing_secret_is_empty_where_secrets_are_optional(void **state)
{
    static const char text[] = "accounts: ( { name = \"a\"; team_id = \"t\";\n"
                               " api_key = \"Bearer-${env:TEST_CONFIG_NOT_SET}\";\n"
                               " timeout = \"${env:TEST_CONFIG_NOT_SET}\"; } );\n" RULE;
    struct diag diag;
    struct config *config = load(*state, text, CONFIG_SECRETS_OPTIONAL, &diag);

    assert_non_null(config);
    assert_string_equal(config->accounts[0].api_key, "");
    assert_int_equal(config->accounts[0].timeout_ms, 30000);
    assert_int_equal(diag.errors, 0);
    assert_int_equal(diag.warnings, 0);
    assert_int_equal(diag.count, 2);
    config_free(config);
    diag_fini(&diag);

    assert_null(load(*state, text, CONFIG_SECRETS_REQUIRED, &diag));
    assert_int_equal(diag.errors, 2);
    diag_fini(&diag);
}

static void
secrets_are_in_nothing_that_is_printed(void **state)
{
    static const char text[] =
        "kafka: { sasl_password = \"hush-1\"; ssl_key_password = \"hush-2\"; };\n"
        "accounts: ( { name = \"a\"; team_id = \"t\"; api_key = \"hush-3\"; } );\n"
        "admin: { listen = \"[::]:80\"; token = \"hush-6\"; };\n" RULE;
    static const char wrong[] =
        "accounts: ( { name = \"a\"; team_id = \"t\"; api_key = \"hush 4\";\n"
        " timeout = \"${env:TEST_CONFIG_SECRET}\"; } );\n"
        "admin: { token = \"hush\\t7\"; };\n" RULE;
    struct config *config = load_good(*state, text);
    char *out = printed(config);
    struct diag diag;

    assert_null(strstr(out, "hush"));
    assert_non_null(strstr(out, "sasl_password = \"***\";"));
    assert_non_null(strstr(out, "api_key = \"***\";"));
    assert_non_null(strstr(out, "token = \"***\";"));
    xfree(out);
    config_free(config);

    setenv("TEST_CONFIG_SECRET", "hush-5", 1);
    assert_null(load(*state, wrong, CONFIG_SECRETS_REQUIRED, &diag));
    assert_int_equal(diag.errors, 3);
    for (size_t i = 0; i < diag.count; i++)
        assert_null(strstr(diag.items[i].text, "hush"));
    diag_fini(&diag);
}

static void
included_files_begin_in_the_folder_of_the_file_and_are_named(void **state)
{
    struct folder *folder = *state;
    char *expected = xasprintf("%s/more.conf:2: error: log.level: ", folder->path);
    struct diag diag;

    write_text(folder, "more.conf", "log: {\n  level = 5; };\n");
    assert_null(
        load(folder, "@include \"more.conf\"\n" ACCOUNT RULE, CONFIG_SECRETS_REQUIRED, &diag));
    assert_int_equal(diag.count, 1);
    assert_memory_equal(diag.items[0].text, expected, strlen(expected));
    xfree(expected);
    diag_fini(&diag);
}

static const char full[] =
    "kafka: { bootstrap_servers = \"a:1,b:2\"; group_id = \"$${x} \\\"q\\\" \\\\ \\t\";\n"
    "  start = \"2026-01-31T09:30:00Z\"; session_timeout_ms = 6000; "
    "skip = [ \"t:0:1\", \"u.v:2147483647:9223372036854775807\" ]; };\n"
    "accounts: ( { name = \"a\"; team_id = \"t\"; api_key = \"k\"; timeout = \"90s\";\n"
    "    rate_limit = 12.3; hold = true; on_unknown_contact = \"skip\"; },\n"
    "  { name = \"b\"; api = \"rest\"; api_key = \"k\"; base_url = \"http://127.0.0.1:8/x/\"; } "
    ");\n"
    "delivery: { retry_min = \"1s\"; max_pending_bytes = \"1024KiB\"; max_pending_events = 7; };\n"
    "dead_letter: { topic = \"dead\"; redrive_topic = \"\"; budget = 0.1; };\n"
    "admin: { listen = \"0.0.0.0:80\"; token = \"t\"; allow_public = true; };\n"
    "log: { level = \"debug\"; };\n"
    "email = \"${email | lower}\";\n"
    "tables: { t = ( (\"a\", \"b\") ); u: { c = \"d\"; }; };\n"
    "rules: ( { name = \"r \\\"1\\\"\"; topics = [ \"t\" ]; account = \"a\"; when = \"a == 'b'\";\n"
    "    max_age = \"36h\";\n"
    "    identify: { customFields = ( (\"A b\", \"$${ ${c}\") ); tags = [ \"x\", \"y ${z}\" ]; }; "
    "},\n"
    "  { name = \"s\"; topics = ( \"t\", \"^u\" ); account = \"b\"; stop = true; enabled = false; "
    "} );\n";

static void
what_is_printed_reads_back_as_the_same(void **state)
{
    struct config *config = load_good(*state, full);
    char *first = printed(config), *second, *third;

    config_free(config);
    /* A default is printed in the table's words ("60s"), what was written in our own ("1m"). */
    config = load_good(*state, first);
    second = printed(config);
    config_free(config);
    config = load_good(*state, second);
    third = printed(config);
    assert_string_equal(second, third);
    assert_int_equal(config->kafka.start_ms, INT64_C(1769851800000));
    assert_string_equal(config->kafka.group_id, "${x} \"q\" \\ \t");
    assert_string_equal(config->accounts[1].base_url, "http://127.0.0.1:8/x");
    assert_true(config->accounts[0].rate_limit == 12.3);
    assert_true(config->accounts[0].hold);
    assert_true(config->dead_letter.budget == 0.1);
    assert_string_equal(config->dead_letter.redrive_topic, "");
    config_free(config);
    xfree(first);
    xfree(second);
    xfree(third);
}

static void
the_rules_part_fills_the_spec_with_places(void **state)
{
    const char *file = write_text(*state, "test.conf", full);
    struct spec_ruleset spec = {0};
    const struct spec_rule *rule;
    struct source *source;
    struct diag diag;

    diag_init(&diag);
    source = source_read(file, &diag);
    assert_non_null(source);
    rule_table_read(source, &spec, &diag);
    assert_int_equal(diag.count, 0);
    assert_string_equal(spec.email.text, "${email | lower}");
    assert_int_equal(spec.without_email, WITHOUT_EMAIL_INHERIT);
    assert_int_equal(spec.table_count, 2);
    assert_string_equal(spec.tables[0].name.text, "t");
    assert_string_equal(spec.tables[0].entries.items[0].value.text, "b");
    assert_string_equal(spec.tables[1].entries.items[0].name.text, "c");
    assert_int_equal(spec.rule_count, 2);
    rule = &spec.rules[0];
    assert_string_equal(rule->name.text, "r \"1\"");
    assert_int_equal(rule->name.at.line, 12);
    assert_int_equal(rule->max_age_ms, 36 * 60 * 60 * 1000);
    assert_string_equal(rule->name.at.file, file);
    assert_int_equal(rule->topics.count, 1);
    assert_string_equal(rule->when.text, "a == 'b'");
    assert_null(rule->email.text);
    assert_true(rule->identify.present);
    assert_false(rule->track.present);
    assert_int_equal(rule->identify.custom_fields.count, 1);
    assert_string_equal(rule->identify.custom_fields.items[0].name.text, "A b");
    assert_int_equal(rule->identify.custom_fields.items[0].value.at.line, 14);
    assert_int_equal(rule->identify.tags.count, 2);
    assert_false(rule->stop || rule->disabled);
    rule = &spec.rules[1];
    assert_int_equal(rule->topics.count, 2);
    assert_int_equal(rule->max_age_ms, 0);
    assert_true(rule->stop && rule->disabled);
    diag_fini(&diag);
    source_free(source);
}

/* The first of two settings that cannot be rendered is the one that is written first. */
static void
expect_first(struct folder *folder, const char *text, const char *path)
{
    struct event event = {.topic = "t", .payload = "{\"a\":{}}", .payload_len = 8};
    struct config *config = load_good(folder, text);
    struct mapping mapping;

    mapping_init(&mapping);
    assert_int_equal(ruleset_map(config->rules, &event, 0, &mapping), MAP_NOT_RENDERED);
    if (!strstr(mapping.reason, path))
        fail_msg("%s\n  is not about %s", mapping.reason, path);
    mapping_fini(&mapping);
    config_free(config);
}

static void
settings_are_in_written_order_on_one_line_and_over_included_files(void **state)
{
    static const char head[] = "accounts: ( { name = \"m\"; api = \"rest\"; api_key = \"k\"; } ); "
                               "rules: ( { name = \"r\"; "
                               "topics = [ \"t\" ]; email = \"a@example.com\"; identify: {";
    char text[1024];

    snprintf(text, sizeof(text), "%s company = \"${a}\"; firstName = \"${a}\"; }; } );", head);
    expect_first(*state, text, "identify.company");
    snprintf(text, sizeof(text), "%s customFields: { A = \"${a}\" }; company = \"${a}\"; }; } );",
             head);
    expect_first(*state, text, "identify.customFields.A");
    write_text(*state, "one.inc", "\n\n\n\ncompany = \"${a}\";\n");
    snprintf(text, sizeof(text), "%s\n@include \"one.inc\"\nfirstName = \"${a}\"; }; } );", head);
    expect_first(*state, text, "identify.company");
}

static void
durations_and_sizes_read_back_as_they_are_printed(void **state)
{
    uint64_t seed = (uint64_t)time(NULL);
    struct rng rng = {.state = seed};
    struct err err = {0};
    struct buf text;

    (void)state;
    print_message("seed %llu\n", (unsigned long long)seed);
    buf_init(&text, 64);
    for (int i = 0; i < 20000; i++) {
        int64_t written = (int64_t)(rng_next(&rng) >> (1 + rng_below(&rng, 62))), read = -1;

        if (rng_below(&rng, 2))
            written -= written % 60000;
        buf_reset(&text);
        duration_print(&text, written);
        assert_int_equal(duration_parse(buf_text(&text), &read, &err), 0);
        assert_int_equal(read, written);
        written -= written % 1024;
        buf_reset(&text);
        size_print(&text, written);
        assert_int_equal(size_parse(buf_text(&text), &read, &err), 0);
        assert_int_equal(read, written);
    }
    buf_fini(&text);
}

static void
only_whole_numbers_with_a_unit_are_durations(void **state)
{
    static const char *const wrong[] = {"",
                                        "5",
                                        "ms",
                                        " 5s",
                                        "5 s",
                                        "5s ",
                                        "+5s",
                                        "-5s",
                                        "1.5s",
                                        "5S",
                                        "5sec",
                                        "0x5s",
                                        "5ms1s",
                                        "5KiB",
                                        "1e3s",
                                        "5d",
                                        "9223372036854775808ms"};
    int64_t ms;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        struct err err = {0};

        assert_int_equal(duration_parse(wrong[i], &ms, &err), -1);
    }
}

static void
a_base_url_is_http_or_https_with_a_host(void **state)
{
    static const char *const wrong[] = {
        "",
        "x",
        "ftp://a",
        "https:/a",
        "https://",
        "https:///p",
        "https://:80/",
        "https://a:0/",
        "https://a:65536/",
        "https://a:/",
        "https://a:8x/",
        "https://u@a/",
        "https://u:p@a/",
        "https://a/?q",
        "https://a/#f",
        "https://a b/",
        "https://a/\n",
        "https://a/\xc3\xa9",
        "https://[::1/",
        "https://[]/",
        "https://[::1]x/",
    };
    static const char *const plain[] = {"http://a",          "HTTP://10.0.0.1/x",
                                        "http://128.0.0.1/", "http://127.0.0.1.example.com/",
                                        "http://[::2]/",     "http://localhost.example.com/",
                                        "http://127.1/",     "http://[::ffff:10.0.0.1]/"};
    static const char *const good[] = {"https://a",          "HTTPS://a.example.com:443/p/q",
                                       "http://localhost:8", "http://LOCALHOST/",
                                       "http://127.9.9.9/x", "http://[::1]:65535/"};
    struct err err = {0};
    bool plaintext;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
        assert_int_equal(address_check(wrong[i], &plaintext, &err), -1);
    for (size_t i = 0; i < ARRAY_LEN(plain); i++) {
        assert_int_equal(address_check(plain[i], &plaintext, &err), 0);
        assert_true(plaintext);
    }
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        assert_int_equal(address_check(good[i], &plaintext, &err), 0);
        assert_false(plaintext);
    }
}

static void
where_to_listen_is_an_address_and_a_port(void **state)
{
    static const char *const wrong[] = {
        "",
        "9464",
        ":9464",
        "*:9464",
        "host:9464",
        "127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:x",
        "::1:9464",
        "[::1]",
        "[]:1",
        "[::1:80",
        "[127.0.0.1]:80",
        "127.1:80",
        "[localhost]:80",
        "[",
        "[]",
        "[:",
        "[::1]9464",
        "localhost:65536",
        "::",
        "0.0.0.0:80:1",
        "1.2.3.4:-1",
        "[fe80::1%eth0]:80",
        "0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:80",
    };
    static const struct {
        const char *text, *host;
        bool ipv6, loopback;
        uint16_t port;
    } good[] = {
        {"127.0.0.1:9464", "127.0.0.1", false, true, 9464},
        {"127.255.255.254:0", "127.255.255.254", false, true, 0},
        {"localhost:80", "127.0.0.1", false, true, 80},
        {"LOCALHOST:80", "127.0.0.1", false, true, 80},
        {"[::1]:65535", "::1", true, true, 65535},
        {"0.0.0.0:1", "0.0.0.0", false, false, 1},
        {"10.0.0.1:1", "10.0.0.1", false, false, 1},
        {"[::]:1", "::", true, false, 1},
        {"[::ffff:10.0.0.1]:1", "::ffff:10.0.0.1", true, false, 1},
    };
    struct listen_address address;
    struct err err = {0};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        if (address_listen(wrong[i], &address, &err) == 0)
            fail_msg("taken: %s", wrong[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        assert_int_equal(address_listen(good[i].text, &address, &err), 0);
        assert_string_equal(address.host, good[i].host);
        assert_int_equal(address.ipv6, good[i].ipv6);
        assert_int_equal(address.loopback, good[i].loopback);
        assert_int_equal(address.port, good[i].port);
    }
}

static void
what_other_machines_reach_needs_a_token_or_a_word(void **state)
{
    static const struct {
        const char *admin;
        bool good;
    } table[] = {
        {"", true},
        {"listen = \"\";", true},
        {"listen = \"0.0.0.0:80\";", false},
        {"listen = \"0.0.0.0:80\"; token = \"\";", false},
        {"listen = \"0.0.0.0:80\"; token = \"${env:TEST_CONFIG_EMPTY}\";", false},
        {"listen = \"0.0.0.0:80\"; token = \"x\";", true},
        {"listen = \"0.0.0.0:80\"; allow_public = true;", true},
        {"listen = \"0.0.0.0:80\"; allow_public = false;", false},
    };
    struct diag diag;

    setenv("TEST_CONFIG_EMPTY", "", 1);
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        char *text = xasprintf("admin: { %s };\n" ACCOUNT RULE, table[i].admin);
        struct config *config = load(*state, text, CONFIG_SECRETS_REQUIRED, &diag);

        assert_int_equal(config != NULL, table[i].good);
        assert_int_equal(diag.errors, !table[i].good);
        config_free(config);
        diag_fini(&diag);
        xfree(text);
    }
    /* A token that is not known here is not missed. */
    config_free(load(*state,
                     "admin: { listen = \"0.0.0.0:80\"; token = \"${env:TEST_CONFIG_NOT_SET}\"; "
                     "};\n" ACCOUNT RULE,
                     CONFIG_SECRETS_OPTIONAL, &diag));
    assert_int_equal(diag.errors, 0);
    assert_int_equal(diag.count, 1);
    diag_fini(&diag);
}

static void
no_rule_reads_the_topics_of_dead_letters(void **state)
{
    static const char rules[] =
        "rules: ( { name = \"r\"; stop = true;\n topics = [ \"t\",\n \"sendx-worker.redrive\", "
        "\"^sendx-worker\" ]; },\n"
        "{ name = \"s\"; stop = true; enabled = false;\n topics = ( "
        "\"sendx-worker.dead-letter\" ); } );\n";
    static const char other[] =
        "dead_letter: { topic = \"dead\"; redrive_topic = \"\"; };\n" ACCOUNT;
    char *text = xasprintf("%s%s", ACCOUNT, rules);
    struct diag diag;

    assert_null(load(*state, text, CONFIG_SECRETS_REQUIRED, &diag));
    assert_int_equal(diag.errors, 2);
    assert_non_null(strstr(diag.items[0].text, ":4: error: rules[0].topics[1]: "));
    assert_non_null(strstr(diag.items[1].text, ":6: error: rules[1].topics[0]: "));
    diag_fini(&diag);
    xfree(text);
    text = xasprintf("%s%s", other, rules);
    config_free(load_good(*state, text));
    xfree(text);
}

static void
a_misspelt_name_finds_its_neighbour_and_a_strange_one_none(void **state)
{
    static const char *const names[] = {"timeout", "connect_timeout", "firstName", "api"};
    static const char *const pairs[][2] = {
        {"timeuot", "timeout"},
        {"TIMEOUT", "timeout"},
        {"connectTimeout", "connect_timeout"},
        {"first_name", "firstName"},
        {"conect_timeuot", "connect_timeout"},
        {"apis", "api"},
        {"colour", NULL},
        {"ap", "api"},
        {"tomeuos", NULL},
        {"x", NULL},
        {"", NULL},
        {"a_name_that_is_so_long_that_it_cannot_have_any_neighbour_here", NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
        struct nearest nearest;

        nearest_init(&nearest, pairs[i][0]);
        for (size_t j = 0; j < ARRAY_LEN(names); j++)
            nearest_try(&nearest, names[j]);
        if (pairs[i][1])
            assert_string_equal(nearest_best(&nearest), pairs[i][1]);
        else
            assert_null(nearest_best(&nearest));
    }
}

static void
findings_are_sorted_by_file_and_line_and_otherwise_stay(void **state)
{
    struct diag diag;

    (void)state;
    diag_init(&diag);
    diag_error(&diag, (struct place){"ab", 1}, "5");
    diag_error(&diag, (struct place){"a", 10}, "4");
    diag_error(&diag, (struct place){"a", 2}, "2");
    diag_error(&diag, (struct place){"a", 0}, "1");
    diag_error(&diag, (struct place){"a", 2}, "3");
    diag_error(&diag, (struct place){NULL, 0}, "0");
    diag_sort(&diag);
    assert_int_equal(diag.count, 6);
    for (size_t i = 0; i < diag.count; i++)
        assert_int_equal(diag.items[i].text[strlen(diag.items[i].text) - 1] - '0', (int)i);
    diag_fini(&diag);
}

/* One change of TEXT at random. */
static size_t
spoil(struct rng *rng, char *text, size_t len)
{
    static const char marks[] = "\"\\{}[]();:=,#/*@$ \n0x";
    size_t at = rng_below(rng, len);

    switch (rng_below(rng, 4)) {
    case 0:
        memmove(text + at, text + at + 1, len - at - 1);
        return len - 1;
    case 1:
        text[at] = marks[rng_below(rng, sizeof(marks) - 1)];
        return len;
    case 2:
        text[at] = (char)rng_next(rng);
        return len;
    default:
        memmove(text + at + 1, text + at, len - at);
        text[at] = marks[rng_below(rng, sizeof(marks) - 1)];
        return len + 1;
    }
}

static void
a_spoilt_file_is_refused_or_read_and_never_worse(void **state)
{
    uint64_t seed = (uint64_t)time(NULL);
    struct rng rng = {.state = seed};
    size_t loaded = 0, refused = 0;

    print_message("seed %llu\n", (unsigned long long)seed);
    for (int i = 0; i < 2000; i++) {
        char text[sizeof(full) + 16];
        size_t len = sizeof(full) - 1;
        struct config *config;
        struct diag diag;

        memcpy(text, full, len);
        for (uint64_t changes = 1 + rng_below(&rng, 4); changes > 0; changes--)
            len = spoil(&rng, text, len);
        diag_init(&diag);
        config = config_load(write_file(*state, "test.conf", text, len), CONFIG_SECRETS_OPTIONAL,
                             NULL, &diag);
        assert_true((config != NULL) == (diag.errors == 0));
        if (config)
            loaded++;
        else
            refused++;
        if (config)
            xfree(printed(config));
        config_free(config);
        diag_fini(&diag);
    }
    assert_true(loaded > 0 && refused > 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_empty_section_has_its_defaults),
        TEST(rest_has_its_own_base_url_and_no_team),
        TEST(a_choice_is_stored_as_its_place_in_the_enum),
        TEST(a_start_may_be_a_time),
        TEST(other_kafka_settings_are_properties_with_dots),
        TEST(every_default_and_bound_of_the_table_is_a_value),
        TEST(secrets_come_from_the_environment_and_from_files),
        TEST(a_file_that_is_no_text_is_refused),
        TEST(a_missing_secret_is_empty_where_secrets_are_optional),
        TEST(secrets_are_in_nothing_that_is_printed),
        TEST(included_files_begin_in_the_folder_of_the_file_and_are_named),
        TEST(what_is_printed_reads_back_as_the_same),
        TEST(the_rules_part_fills_the_spec_with_places),
        TEST(settings_are_in_written_order_on_one_line_and_over_included_files),
        TEST(durations_and_sizes_read_back_as_they_are_printed),
        TEST(only_whole_numbers_with_a_unit_are_durations),
        TEST(a_base_url_is_http_or_https_with_a_host),
        TEST(where_to_listen_is_an_address_and_a_port),
        TEST(what_other_machines_reach_needs_a_token_or_a_word),
        TEST(no_rule_reads_the_topics_of_dead_letters),
        TEST(a_misspelt_name_finds_its_neighbour_and_a_strange_one_none),
        TEST(findings_are_sorted_by_file_and_line_and_otherwise_stay),
        TEST(a_spoilt_file_is_refused_or_read_and_never_worse),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
