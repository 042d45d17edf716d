/* sendx-worker check: every finding about a configuration, and nothing else. */
#include <getopt.h>
#include <jansson.h>

#include "cmd/cmd.h"
#include "edge/kafka_conf.h"

struct check_options {
    const char *file;
    bool strict, json;
};

/* For people and editors */

static void
print_count(size_t count, const char *what)
{
    printf("%zu %s%s", count, what, count == 1 ? "" : "s");
}

static void
print_summary(const char *file, const struct config *config, const struct diag *diag)
{
    printf("%s: ", file);
    if (diag->errors || !config) {
        print_count(diag->errors, "error");
        printf(", ");
    } else {
        print_count(ruleset_rule_count(config->rules), "rule");
        printf(", ");
        print_count(ruleset_topic_count(config->rules), "topic");
        printf(", ");
        print_count(config->account_count, "account");
        printf(", ");
    }
    print_count(diag->count - diag->errors, "warning");
    printf("\n");
}

static void
print_findings(const struct diag *diag, bool errors)
{
    for (size_t i = 0; i < diag->count; i++) {
        if ((diag->items[i].severity == DIAG_ERROR) == errors)
            fprintf(stderr, "%s\n", diag->items[i].text);
    }
}

/* For programs */

static json_t *
finding_json(const struct diag_item *item)
{
    json_t *json = json_object();

    if (item->file_len)
        json_object_set_new(json, "file", json_stringn(item->text, item->file_len));
    if (item->line)
        json_object_set_new(json, "line", json_integer(item->line));
    if (item->severity != DIAG_ERROR)
        json_object_set_new(json, "strict", json_boolean(item->severity == DIAG_WARNING));
    if (item->name)
        json_object_set_new(json, "name", json_string(item->name));
    json_object_set_new(json, "text",
                        json_stringn(item->text + item->message_at, item->message_len));
    return json;
}

static void
print_json(const struct diag *diag)
{
    json_t *json = json_object(), *errors = json_array(), *warnings = json_array();

    for (size_t i = 0; i < diag->count; i++) {
        const struct diag_item *item = &diag->items[i];

        json_array_append_new(item->severity == DIAG_ERROR ? errors : warnings, finding_json(item));
    }
    json_object_set_new(json, "errors", errors);
    json_object_set_new(json, "warnings", warnings);
    json_dumpf(json, stdout, JSON_INDENT(2));
    printf("\n");
    json_decref(json);
}

static int
check(const struct check_options *options)
{
    struct diag diag;
    struct config *config;
    int status = CMD_OK;

    diag_init(&diag);
    config = config_load(options->file, CONFIG_SECRETS_OPTIONAL, kafka_check, &diag);
    if (config)
        config_lint(config, &diag);
    if (options->json) {
        print_json(&diag);
    } else {
        print_findings(&diag, true);
        print_findings(&diag, false);
        fflush(stderr);
        print_summary(options->file, config, &diag);
    }
    if (diag.errors || !config)
        status = CMD_WRONG;
    else if (options->strict && diag.warnings)
        status = CMD_FAILED;
    config_free(config);
    diag_fini(&diag);
    return status;
}

int
cmd_check(int argc, char **argv)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'},
        {"strict", no_argument, NULL, 's'},
        {"json", no_argument, NULL, 'j'},
        {0},
    };
    struct check_options checked = {0};
    int c;

    while ((c = getopt_long(argc, argv, "c:", options, NULL)) != -1) {
        if (c == 'c')
            checked.file = optarg;
        else if (c == 's')
            checked.strict = true;
        else if (c == 'j')
            checked.json = true;
        else
            return cmd_usage("check", NULL);
    }
    if (optind < argc)
        return cmd_usage("check", "\"%s\" is one argument too many", argv[optind]);
    if (!checked.file)
        return cmd_usage("check", "-c FILE is missing");
    return check(&checked);
}
