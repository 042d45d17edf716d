/* sendx-worker test: rule tests, in the form of the Test Anything Protocol. */
#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "cmd/call_text.h"
#include "cmd/cmd.h"
#include "cmd/explanation.h"
#include "cmd/test_diff.h"
#include "cmd/test_run.h"
#include "rules/table.h"

enum { FILES_MAX = 100000 };

struct test_order {
    const char *config_file;
    char **paths;
    size_t path_count;
    bool update, coverage;
};

struct run {
    const struct test_order *order;
    struct config *config;
    struct mapping mapping;
    struct trace *trace;
    char **paths; /* of files */
    size_t path_count, path_cap;
    struct test_file **files;
    size_t number, failed;
    int64_t wall_ms;
};

/* Files */

static void
add_path(struct run *run, char *path)
{
    run->paths = xgrow(run->paths, run->path_count, &run->path_cap, sizeof(run->paths[0]));
    run->paths[run->path_count++] = path;
}

static int
compare_paths(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool
is_test_name(const char *name)
{
    size_t len = strlen(name);

    return len > 5 && name[0] != '.' && !strcmp(name + len - 5, ".json");
}

/* The *.json files of FOLDER, by name. */
static int
add_folder(struct run *run, const char *folder, struct diag *diag)
{
    size_t start = run->path_count;
    DIR *dir = opendir(folder);
    struct dirent *entry;

    if (!dir)
        return diag_error(diag, (struct place){folder, 0}, "%s", strerror(errno));
    while ((entry = readdir(dir))) {
        if (is_test_name(entry->d_name) && run->path_count < FILES_MAX)
            add_path(run, xasprintf("%s%s%s", folder, folder[strlen(folder) - 1] == '/' ? "" : "/",
                                    entry->d_name));
    }
    closedir(dir);
    if (run->path_count == start)
        return diag_error(diag, (struct place){folder, 0}, "holds no file *.json");
    qsort(run->paths + start, run->path_count - start, sizeof(run->paths[0]), compare_paths);
    return 0;
}

static int
find_files(struct run *run, struct diag *diag)
{
    int rc = 0;

    for (size_t i = 0; i < run->order->path_count; i++) {
        const char *path = run->order->paths[i];
        struct stat info;

        if (stat(path, &info))
            rc = diag_error(diag, (struct place){path, 0}, "%s", strerror(errno));
        else if (!S_ISDIR(info.st_mode))
            add_path(run, xstrdup(path));
        else if (add_folder(run, path, diag))
            rc = -1;
    }
    return rc;
}

/* Everything is read before anything is run. */
static int
read_files(struct run *run)
{
    struct diag diag;
    int rc;

    diag_init(&diag);
    rc = find_files(run, &diag);
    run->files = xcalloc(run->path_count + 1, sizeof(run->files[0]));
    for (size_t i = 0; i < run->path_count; i++) {
        run->files[i] = test_file_read(run->paths[i], run->config, run->order->update, &diag);
        rc = run->files[i] ? rc : -1;
    }
    diag_print(&diag, stderr);
    diag_fini(&diag);
    return rc;
}

/* Tests */

/* A name in a line of TAP, where "#" would begin a directive. */
static void
print_name(const char *text)
{
    for (; *text; text++) {
        if (*text == '#')
            putchar('\\');
        putchar((unsigned char)*text < ' ' || *text == 0x7f ? ' ' : *text);
    }
}

static void
print_verdict(const char *verdict, const struct run *run, const struct test_file *file,
              const struct rule_test *test)
{
    printf("%s %zu - ", verdict, run->number);
    print_name(file->path);
    printf(": ");
    print_name(test->name);
    putchar('\n');
}

static void
print_why(const struct run *run, const struct rule_test *test)
{
    bool is_read = false;

    for (size_t i = 0; i < ruleset_rule_count(run->config->rules); i++) {
        const struct trace_rule *rule = trace_rule(run->trace, i);

        is_read |= rule->result != RULE_OTHER_TOPIC;
        if (rule->result != RULE_OTHER_TOPIC && !rule_result_is_match(rule->result))
            explanation_print_why(rule, "# ", stdout);
    }
    if (!is_read)
        printf("# no rule reads the topic %s\n", test->record.event.topic);
}

static void
print_difference(const struct run *run, const struct test_file *file, const struct rule_test *test,
                 enum map_outcome outcome)
{
    struct buf diff;

    printf("# %s:%u: expected -, got +\n", file->path, test_file_line(file, test));
    if (test->error)
        printf("# -  an error with: %s\n", test->error);
    else if (!test->expected.count)
        printf("# -  no call\n");
    buf_init(&diff, CALL_TEXT_MAX);
    test_add_diff((struct test_side){run->config, &test->expected},
                  (struct test_side){run->config, &run->mapping.calls}, "# ", &diff);
    fwrite(buf_text(&diff), 1, diff.len, stdout);
    buf_fini(&diff);
    if (map_outcome_is_failure(outcome))
        printf("# +  an error: %s\n", run->mapping.reason);
    else if (!run->mapping.calls.count)
        printf("# +  no call\n");
    if (!map_outcome_is_failure(outcome))
        print_why(run, test);
}

static void
run_test(struct run *run, const struct test_file *file, struct rule_test *test)
{
    enum map_outcome outcome =
        rule_test_map(test, run->config->rules, run->wall_ms, run->trace, &run->mapping);

    run->number++;
    if (rule_test_agrees(test, outcome, &run->mapping)) {
        print_verdict("ok", run, file, test);
    } else if (run->order->update) {
        rule_test_update(file, test, run->config, outcome, &run->mapping);
        print_verdict("ok", run, file, test);
        printf("# updated\n");
    } else {
        run->failed++;
        print_verdict("not ok", run, file, test);
        print_difference(run, file, test, outcome);
    }
}

static int
run_tests(struct run *run)
{
    size_t count = 0;
    int rc = 0;

    for (size_t i = 0; i < run->path_count; i++)
        count += run->files[i]->count;
    printf("TAP version 13\n1..%zu\n", count);
    for (size_t i = 0; i < run->path_count; i++) {
        struct test_file *file = run->files[i];
        struct err err = {{0}};
        int updated;

        for (size_t k = 0; k < file->count; k++)
            run_test(run, file, &file->tests[k]);
        updated = test_file_write(file, &err);
        if (updated > 0)
            printf("# %s: %d expectation%s rewritten\n", file->path, updated,
                   updated == 1 ? "" : "s");
        if (updated < 0) {
            fprintf(stderr, "sendx-worker test: %s\n", err.msg);
            rc = -1;
        }
    }
    return rc;
}

/* Coverage */

struct tally {
    size_t reached, all;
};

static void
count_one(struct tally *tally, bool reached)
{
    tally->all++;
    tally->reached += reached;
}

static void
cover_rule(const struct trace_rule *rule, struct tally *rules, struct tally *outcomes)
{
    const char *name = rule->rule->name;

    if (!rule->rule->enabled)
        return;
    count_one(rules, rule->ever_matched);
    if (!rule->ever_matched)
        printf("# not covered: rule \"%s\" never matches\n", name);
    if (!rule->rule->when)
        return;
    count_one(outcomes, rule->when_held);
    count_one(outcomes, rule->when_failed);
    if (!rule->when_held)
        printf("# not covered: rule \"%s\": when is never true\n", name);
    if (!rule->when_failed)
        printf("# not covered: rule \"%s\": when is never false\n", name);
}

static void
print_coverage(const struct run *run)
{
    const struct table_set *tables = ruleset_tables(run->config->rules);
    struct tally rules = {0}, outcomes = {0}, entries = {0};

    for (size_t i = 0; i < ruleset_rule_count(run->config->rules); i++)
        cover_rule(trace_rule(run->trace, i), &rules, &outcomes);
    for (size_t i = 0; i < tables->count; i++) {
        for (size_t k = 0; k < tables->tables[i].row_count; k++) {
            const struct table_entry *row = &tables->tables[i].rows[k];
            bool used = trace_entry_used(run->trace, row);

            count_one(&entries, used);
            if (!used)
                printf("# not covered: table %s: \"%.*s\" is never looked up\n",
                       tables->tables[i].name, (int)row->node.key_len, (const char *)row->node.key);
        }
    }
    printf("# coverage: %zu of %zu rules, %zu of %zu outcomes of when, %zu of %zu table entries\n",
           rules.reached, rules.all, outcomes.reached, outcomes.all, entries.reached, entries.all);
}

/* The command */

static int
run_all(struct run *run)
{
    if (read_files(run))
        return CMD_WRONG;
    if (run_tests(run))
        return CMD_WRONG;
    if (run->order->coverage)
        print_coverage(run);
    if (run->failed)
        printf("# %zu of %zu tests failed\n", run->failed, run->number);
    return run->failed ? CMD_FAILED : CMD_OK;
}

static int
test(const struct test_order *order)
{
    struct run run = {.order = order, .wall_ms = clock_wall_ms()};
    int status;

    run.config = cmd_load(order->config_file, CONFIG_SECRETS_OPTIONAL);
    if (!run.config)
        return CMD_WRONG;
    run.trace = trace_new(run.config->rules);
    mapping_init(&run.mapping);
    status = run_all(&run);
    for (size_t i = 0; i < run.path_count; i++) {
        test_file_free(run.files[i]);
        xfree(run.paths[i]);
    }
    xfree(run.files);
    xfree(run.paths);
    mapping_fini(&run.mapping);
    trace_free(run.trace);
    config_free(run.config);
    return status;
}

int
cmd_test(int argc, char **argv)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'},
        {"update", no_argument, NULL, 'u'},
        {"coverage", no_argument, NULL, 'o'},
        {0},
    };
    struct test_order order = {0};
    int c;

    while ((c = getopt_long(argc, argv, "c:", options, NULL)) != -1) {
        if (c == 'c')
            order.config_file = optarg;
        else if (c == 'u')
            order.update = true;
        else if (c == 'o')
            order.coverage = true;
        else
            return cmd_usage("test", NULL);
    }
    if (!order.config_file)
        return cmd_usage("test", "-c FILE is missing");
    if (optind == argc)
        return cmd_usage("test", "name files of tests, or folders with such *.json files");
    order.paths = argv + optind;
    order.path_count = (size_t)(argc - optind);
    return test(&order);
}
