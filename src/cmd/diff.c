/* sendx-worker diff: what a change of the rules changes. It sends nothing. */
#include <getopt.h>
#include <stdio.h>

#include "base/clock.h"
#include "cmd/arguments.h"
#include "cmd/cmd.h"
#include "cmd/diff_report.h"
#include "cmd/kafka_look.h"
#include "cmd/source.h"
#include "cmd/test_run.h"
#include "edge/signals.h"

enum {
    DIFF_NONE = 0, /* exit status, as diff(1) has it */
    DIFF_FOUND = 1,
    DIFF_TROUBLE = 2,
    SAMPLES = 2, /* of each rule */
    FAIL_OVER_MAX = 1000000000
};

struct diff_order {
    const char *files[DIFF_SIDES];
    struct source_order from;
    int64_t fail_over, samples;
    bool json;
};

struct diff {
    struct config *configs[DIFF_SIDES];
    struct mapping mappings[DIFF_SIDES];
    struct diff_pairs pairs;
    struct diff_report report;
    int64_t wall_ms;
};

/* Each event is a new one, so that no max_age keeps it out. */
static int
take_event(void *opaque, const struct event *event, const char *where)
{
    struct diff *diff = opaque;
    enum map_outcome outcomes[DIFF_SIDES];
    const char *reasons[DIFF_SIDES] = {NULL, NULL};
    struct test_side sides[DIFF_SIDES];

    for (size_t side = 0; side < DIFF_SIDES; side++) {
        outcomes[side] = ruleset_map(diff->configs[side]->rules, event,
                                     event_time(event, diff->wall_ms), &diff->mappings[side]);
        sides[side] = (struct test_side){diff->configs[side], &diff->mappings[side].calls};
        if (map_outcome_is_failure(outcomes[side]))
            reasons[side] = diff->mappings[side].reason;
    }
    diff_pairs_make(&diff->pairs, sides[DIFF_OLD], sides[DIFF_NEW]);
    if (diff_tally_add(&diff->report.tally, outcomes, &diff->pairs, sides))
        diff_report_sample(&diff->report, event, where, reasons, &diff->pairs, sides);
    return 0;
}

static int
compare(struct diff *diff, const struct diff_order *order)
{
    struct err err = {{0}};
    struct source source = {
        .command = "diff",
        .order = &order->from,
        .kafka = &diff->configs[DIFF_NEW]->kafka,
        .rules = {diff->configs[DIFF_OLD]->rules, diff->configs[DIFF_NEW]->rules},
        .take = take_event,
        .opaque = diff};
    int status;

    source.signals = signals_open(&err);
    if (source.signals < 0) {
        fprintf(stderr, "sendx-worker diff: %s\n", err.msg);
        return DIFF_TROUBLE;
    }
    status = source_run(&source);
    signals_close(source.signals);
    if (status != CMD_OK)
        return DIFF_TROUBLE;
    diff->report.interrupted = source.signal != 0;
    diff_tally_sort(&diff->report.tally);
    if (order->json)
        diff_report_print_json(&diff->report, stdout);
    else
        diff_report_print(&diff->report, stdout);
    if (fflush(stdout) || ferror(stdout)) {
        perror("sendx-worker diff: standard output");
        return DIFF_TROUBLE;
    }
    if (source.signal)
        return DIFF_TROUBLE;
    return diff->report.tally.differences > (size_t)order->fail_over ? DIFF_FOUND : DIFF_NONE;
}

static int
load_and_compare(struct diff *diff, const struct diff_order *order)
{
    struct diff_report *report = &diff->report;
    int status;

    for (size_t side = 0; side < DIFF_SIDES; side++) {
        diff->configs[side] = cmd_load(order->files[side], CONFIG_SECRETS_OPTIONAL);
        if (!diff->configs[side])
            return DIFF_TROUBLE;
        report->files[side] = order->files[side];
        report->rules[side] = diff->configs[side]->rules;
    }
    report->samples_most = (size_t)order->samples;
    diff_tally_init(&report->tally, report->rules[DIFF_OLD], report->rules[DIFF_NEW]);
    diff_pairs_init(&diff->pairs);
    status = compare(diff, order);
    diff_pairs_fini(&diff->pairs);
    diff_report_fini(report);
    return status;
}

static int
diff_rules(const struct diff_order *order)
{
    struct diff diff = {.wall_ms = clock_wall_ms()};
    int status;

    for (size_t side = 0; side < DIFF_SIDES; side++)
        mapping_init(&diff.mappings[side]);
    status = load_and_compare(&diff, order);
    for (size_t side = 0; side < DIFF_SIDES; side++) {
        mapping_fini(&diff.mappings[side]);
        config_free(diff.configs[side]);
    }
    return status;
}

enum {
    OPTION_OLD = 256,
    OPTION_NEW,
    OPTION_TOPIC,
    OPTION_LAST,
    OPTION_SINCE,
    OPTION_FAIL_OVER,
    OPTION_SAMPLES,
    OPTION_JSON
};

static const struct option options[] = {
    {"old", required_argument, NULL, OPTION_OLD},
    {"new", required_argument, NULL, OPTION_NEW},
    {"topic", required_argument, NULL, OPTION_TOPIC},
    {"last", required_argument, NULL, OPTION_LAST},
    {"since", required_argument, NULL, OPTION_SINCE},
    {"fail-over", required_argument, NULL, OPTION_FAIL_OVER},
    {"samples", required_argument, NULL, OPTION_SAMPLES},
    {"json", no_argument, NULL, OPTION_JSON},
    {0},
};

/* 0, or the exit status. */
static int
read_option(int c, struct diff_order *order)
{
    int64_t count = 0;
    int status;

    switch (c) {
    case OPTION_OLD:
        order->files[DIFF_OLD] = optarg;
        return CMD_OK;
    case OPTION_NEW:
        order->files[DIFF_NEW] = optarg;
        return CMD_OK;
    case OPTION_TOPIC:
        order->from.topic = optarg;
        return CMD_OK;
    case OPTION_LAST:
        status = argument_count("diff", "last", optarg, KAFKA_LOOK_MAX, &count);
        order->from.last = (size_t)count;
        return status;
    case OPTION_SINCE:
        return argument_time("diff", "since", optarg, &order->from.since_ms);
    case OPTION_FAIL_OVER:
        return argument_number("diff", "fail-over", optarg, 0, FAIL_OVER_MAX, &order->fail_over);
    case OPTION_SAMPLES:
        return argument_number("diff", "samples", optarg, 0, DIFF_SAMPLES_MAX, &order->samples);
    case OPTION_JSON:
        order->json = true;
        return CMD_OK;
    default: /* getopt has said why */
        return cmd_usage("diff", NULL);
    }
}

int
cmd_diff(int argc, char **argv)
{
    struct diff_order order = {.from.since_ms = EVENT_NO_TIME, .samples = SAMPLES};
    int c;

    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (read_option(c, &order))
            return DIFF_TROUBLE;
    }
    if (!order.files[DIFF_OLD] || !order.files[DIFF_NEW])
        return cmd_usage("diff", "name both configurations: --old FILE --new FILE");
    if (optind + 1 < argc)
        return cmd_usage("diff", "\"%s\" is one argument too many", argv[optind + 1]);
    if (optind < argc)
        order.from.input = argv[optind];
    if (source_check("diff", &order.from))
        return DIFF_TROUBLE;
    return diff_rules(&order);
}
