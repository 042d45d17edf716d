/* A configuration read beside the running one (config_load_beside). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/macros.h"
#include "config/config.h"
#include "rules/event.h"
#include "rules/ruleset.h"

/* libconfig 1.5 forgets the text it was reading when it finds a syntax error. */
const char *__lsan_default_suppressions(void);

const char *
__lsan_default_suppressions(void)
{
    return "leak:libconfig.so";
}

#define A "{ name = \"a\"; api_key = \"key-a\"; team_id = \"t\"; }"
#define B "{ name = \"b\"; api_key = \"key-b\"; team_id = \"t\"; }"
#define C "{ name = \"c\"; api_key = \"key-c\"; team_id = \"t\"; }"
#define ACCOUNTS(list) "accounts: ( " list " );\n"
#define RULE(account)                                                                  \
    "rules: ( { name = \"r\"; topics = [ \"t\" ]; email = \"${email}\"; " account "\n" \
    "  identify: { firstName = \"${name}\"; }; } );\n"

static char folder[] = "/tmp/test_beside.XXXXXX";
static char conf_path[64], key_path[64];

static int
make_folder(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    snprintf(conf_path, sizeof(conf_path), "%s/test.conf", folder);
    snprintf(key_path, sizeof(key_path), "%s/key", folder);
    return 0;
}

static int
remove_folder(void **state)
{
    (void)state;
    unlink(conf_path);
    unlink(key_path);
    return rmdir(folder);
}

static void
write_file(const char *path, const char *text)
{
    FILE *out = fopen(path, "w");

    assert_non_null(out);
    assert_int_equal(fwrite(text, 1, strlen(text), out), strlen(text));
    assert_int_equal(fclose(out), 0);
}

/* RUNNING NULL: as at the start. KEPT gets the names; NULL when it is refused. */
static struct config *
load(const char *text, const struct config *running, char kept[static 1024])
{
    struct config *config;
    struct diag diag;
    struct buf names;

    diag_init(&diag);
    buf_init(&names, 1024);
    write_file(conf_path, text);
    if (running)
        config = config_load_beside(conf_path, running, NULL, &names, &diag);
    else
        config = config_load(conf_path, CONFIG_SECRETS_REQUIRED, NULL, &diag);
    snprintf(kept, 1024, "%s", buf_text(&names));
    assert_true((config == NULL) == (diag.errors > 0));
    buf_fini(&names);
    diag_fini(&diag);
    return config;
}

/* The account that the one rule calls. */
static unsigned
called_account(const struct config *config)
{
    static const char payload[] = "{\"email\": \"ada@example.com\", \"name\": \"Ada\"}";
    const struct event event = {.topic = "t",
                                .timestamp_ms = EVENT_NO_TIME,
                                .payload = payload,
                                .payload_len = sizeof(payload) - 1};
    struct mapping mapping;
    unsigned account;

    mapping_init(&mapping);
    assert_int_equal(ruleset_map(config->rules, &event, 0, &mapping), MAP_CALLS);
    account = mapping.calls.items[0]->account;
    mapping_fini(&mapping);
    return account;
}

static void
an_account_keeps_its_index_wherever_it_is_written(void **state)
{
    char kept[1024];
    struct config *running = load(ACCOUNTS(A ", " B) RULE("account = \"a\";"), NULL, kept);
    struct config *config = load(ACCOUNTS(C ", " B ", " A) RULE("account = \"c\";"), running, kept);

    (void)state;
    assert_int_equal(config->account_count, 3);
    assert_string_equal(config->accounts[0].name, "a");
    assert_string_equal(config->accounts[1].name, "b");
    assert_string_equal(config->accounts[2].name, "c");
    assert_int_equal(called_account(running), 0);
    assert_int_equal(called_account(config), 2);
    assert_string_equal(kept, "");
    config_free(config);
    config_free(running);
}

static void
an_account_that_is_gone_is_kept_and_no_rule_finds_it(void **state)
{
    char kept[1024];
    struct config *running = load(ACCOUNTS(A) RULE(""), NULL, kept);
    struct config *config = load(ACCOUNTS(B) RULE(""), running, kept);
    struct config *third = load(ACCOUNTS(B ", " C) RULE("account = \"b\";"), config, kept);

    (void)state;
    assert_int_equal(config->account_count, 2);
    assert_true(config->accounts[0].removed);
    assert_string_equal(config->accounts[0].api_key, "key-a");
    assert_false(config->accounts[1].removed);
    assert_int_equal(called_account(config), 1); /* the only one there is, so it goes unnamed */
    assert_int_equal(called_account(third), 1);
    assert_true(third->accounts[0].removed);
    assert_null(load(ACCOUNTS(B) RULE("account = \"a\";"), running, kept));
    config_free(third);
    config_free(config);
    config_free(running);
}

static void
an_account_that_comes_back_has_its_old_place(void **state)
{
    char kept[1024];
    struct config *running = load(ACCOUNTS(A ", " B) RULE("account = \"a\";"), NULL, kept);
    struct config *without = load(ACCOUNTS(B) RULE(""), running, kept);
    struct config *again = load(ACCOUNTS(A ", " B) RULE("account = \"a\";"), without, kept);

    (void)state;
    assert_true(without->accounts[0].removed);
    assert_int_equal(again->account_count, 2);
    assert_false(again->accounts[0].removed);
    assert_int_equal(called_account(again), 0);
    config_free(again);
    config_free(without);
    config_free(running);
}

static void
what_needs_a_restart_keeps_its_value_and_is_named(void **state)
{
    char kept[1024];
    struct config *running =
        load("kafka: { group_id = \"one\"; session_timeout_ms = 6000; client_id = \"x\"; };\n"
             "delivery: { commit_interval = \"1s\"; };\n" ACCOUNTS(A) RULE(""),
             NULL, kept);
    struct config *config =
        load("kafka: { group_id = \"two\"; start = \"latest\"; session_timeout_ms = 7000; "
             "fetch_wait_max_ms = 7; };\n"
             "delivery: { commit_interval = \"2s\"; prefetch_bytes = \"4MiB\"; };\n"
             "admin: { token = \"secret\"; };\nlog: { level = \"debug\"; };\n" ACCOUNTS(A) RULE(""),
             running, kept);

    (void)state;
    assert_string_equal(kept, "kafka.group_id kafka.start delivery.prefetch_bytes admin.token "
                              "kafka.session_timeout_ms kafka.fetch_wait_max_ms kafka.client_id");
    assert_string_equal(config->kafka.group_id, "one");
    assert_int_equal(config->kafka.start, KAFKA_START_EARLIEST);
    assert_int_equal(config->kafka.property_count, 2);
    assert_string_equal(config->kafka.properties[0].value, "6000");
    assert_int_equal(config->delivery.prefetch_bytes, 32 * 1024 * 1024);
    assert_string_equal(config->admin.token, "");
    assert_int_equal(config->delivery.commit_interval_ms, 2000);
    assert_int_equal(config->log.level, LOG_DEBUG);
    config_free(config);
    config_free(running);
}

static void
no_rule_may_read_the_dead_letter_topic_that_stays_in_force(void **state)
{
    char kept[1024];
    struct config *running =
        load("dead_letter: { topic = \"t.dead\"; };\n" ACCOUNTS(A) RULE(""), NULL, kept);

    (void)state;
    assert_null(load("dead_letter: { topic = \"other\"; };\n" ACCOUNTS(
                         A) "rules: ( { name = \"r\"; topics = [ \"t.dead\" ]; email = \"${e}\"; "
                            "identify: { }; } );\n",
                     running, kept));
    config_free(running);
}

static void
a_secret_has_changed_when_its_file_says_something_else(void **state)
{
    char kept[1024], text[512];
    struct config *config, *beside;

    (void)state;
    snprintf(text, sizeof(text),
             ACCOUNTS(B ", { name = \"a\"; api_key = \"${file:%s}\"; team_id = \"t\"; }")
                 RULE("account = \"a\";"),
             key_path);
    write_file(key_path, "first\n");
    config = load(text, NULL, kept);
    assert_false(config_secret_changed(config, 0));
    assert_false(config_secret_changed(config, 1));
    write_file(key_path, "first"); /* the line break is no part of it */
    assert_false(config_secret_changed(config, 1));
    write_file(key_path, "second\n");
    assert_true(config_secret_changed(config, 1));
    assert_false(config_secret_changed(config, 0));
    beside = load(text, config, kept);
    assert_string_equal(beside->accounts[1].api_key, "second");
    assert_false(config_secret_changed(beside, 1));
    unlink(key_path);
    assert_false(config_secret_changed(beside, 1)); /* it is being replaced, perhaps */
    write_file(key_path, "");
    assert_false(config_secret_changed(beside, 1));
    config_free(beside);
    config_free(config);
}

static void
events_to_skip_are_taken_up(void **state)
{
    char kept[1024];
    struct config *running =
        load("kafka: { skip = [ \"t:0:5\", \"t:2147483647:9223372036854775807\" ]; };\n" ACCOUNTS(A)
                 RULE(""),
             NULL, kept);
    struct config *config =
        load("kafka: { skip = ( \"t.b-c_d:1:0\" ); };\n" ACCOUNTS(A) RULE(""), running, kept);

    (void)state;
    assert_int_equal(running->kafka.skip.count, 2);
    assert_true(offset_list_has(&running->kafka.skip, "t", 0, 5));
    assert_true(offset_list_has(&running->kafka.skip, "t", INT32_MAX, INT64_MAX));
    assert_false(offset_list_has(&running->kafka.skip, "t", 1, 5));
    assert_false(offset_list_has(&running->kafka.skip, "u", 0, 5));
    assert_false(offset_list_has(&running->kafka.skip, "t", 0, 4));
    assert_string_equal(kept, "");
    assert_int_equal(config->kafka.skip.count, 1);
    assert_true(offset_list_has(&config->kafka.skip, "t.b-c_d", 1, 0));
    config_free(config);
    config_free(running);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_account_keeps_its_index_wherever_it_is_written),
        cmocka_unit_test(an_account_that_is_gone_is_kept_and_no_rule_finds_it),
        cmocka_unit_test(an_account_that_comes_back_has_its_old_place),
        cmocka_unit_test(what_needs_a_restart_keeps_its_value_and_is_named),
        cmocka_unit_test(no_rule_may_read_the_dead_letter_topic_that_stays_in_force),
        cmocka_unit_test(events_to_skip_are_taken_up),
        cmocka_unit_test(a_secret_has_changed_when_its_file_says_something_else),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
