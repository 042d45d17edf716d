/*
 * make bench-rules: what rules cost, without Kafka and HTTP. A 330-byte event by ten rules, by
 * part; the same event among 500 rules of 50 topics; and the time such a configuration takes to
 * load. Medians of CPU time, and of instructions where the machine counts them. Figures are printed
 * beside their aims; nothing fails by them.
 *
 *   build/bench/rules [REPEATS]
 */
#include <errno.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "config/config.h"
#include "config/source.h"
#include "rules/decode.h"
#include "rules/rule.h"
#include "sendx/wire.h"

enum {
    RULES = 10, /* of a topic */
    TOPICS = 50,
    EVENTS = 500, /* of one repeat */
    REPEATS_MAX = 1000,
    BENCHES_MAX = 2,
    LOADS = 21,
    EVENT_AIM_US = 15,
    LOAD_AIM_MS = 50
};

/* 330 bytes as a product may send them. */
static const char EVENT[] =
    "{\"id\":\"5f1f2c1\",\"type\":\"plan.changed\",\"at\":\"2026-03-04T10:15:30Z\","
    "\"user\":{\"id\":81723,\"email\":\"Ada.Lovelace@Example.com\",\"first_name\":\"Ada\","
    "\"last_name\":\"Lovelace\",\"country\":\"gb\",\"internal\":false},\"from\":\"trial\",\"to\":"
    "\"pro\",\"seats\":12,\"amount\":1188.5,\"currency\":\"EUR\",\"interests\":[\"go\",\"kafka\"],"
    "\"company\":{\"name\":\"Acme\"},\"note\":null}";

/* "~" is the topic. Five of the ten match, and six calls come of it. */
static const char RULES_OF_A_TOPIC[] =
    "  { name = \"~ profile\"; topics = [ \"~\" ]; when = \"not user.internal\"; identify: {\n"
    "      firstName = \"${user.first_name}\"; lastName = \"${user.last_name}\";\n"
    "      company = \"${company.name ?? company}\";\n"
    "      customFields = ( (\"Plan\", \"${to}\"), (\"Seats\", \"${seats}\") );\n"
    "      tags = [ \"customer\", \"${interests | prefix('likes ')}\" ]; }; },\n"
    "  { name = \"~ plan\"; topics = [ \"~\" ]; when = \"from != to and to in ['pro', 'team']\";\n"
    "    track: { addTags = [ \"${to | table('plan')}\" ]; removeTags = [ \"${from | "
    "table('plan')}\" "
    "]; }; },\n"
    "  { name = \"~ big\"; topics = [ \"~\" ]; when = \"amount >= 1000 and currency == 'EUR'\";\n"
    "    track: { addTags = [ \"big spender\" ]; }; },\n"
    "  { name = \"~ seats\"; topics = [ \"~\" ]; when = \"seats > 10\";\n"
    "    identify: { customFields = ( (\"Size\", \"${seats > 100 ? 'large' : 'middle'}\") ); };\n"
    "    track: { addTags = [ \"team of ${seats}\" ]; }; },\n"
    "  { name = \"~ country\"; topics = [ \"~\" ]; when = \"user.country in ['gb', 'ie']\";\n"
    "    track: { addTags = [ \"country: ${user.country | upper}\" ]; }; },\n"
    "  { name = \"~ left\"; topics = [ \"~\" ]; when = \"to == 'none'\"; track: { addTags = [ "
    "\"churned\" ]; }; },\n"
    "  { name = \"~ gift\"; topics = [ \"~\" ]; when = \"note contains 'gift'\"; track: { addTags "
    "= [ "
    "\"gift\" ]; }; },\n"
    "  { name = \"~ us\"; topics = [ \"~\" ]; when = \"user.country == 'us' and amount > 10\";\n"
    "    track: { addTags = [ \"us\" ]; }; },\n"
    "  { name = \"~ test\"; topics = [ \"~\" ]; when = \"user.email matches '[+]test@'\"; track: { "
    "addTags = [ \"test\" ]; }; },\n"
    "  { name = \"~ staff\"; topics = [ \"~\" ]; when = \"user.internal or user.email ends_with "
    "'@sendx.example.com'\";\n    track: { addTags = [ \"staff\" ]; }; }";

/* Measuring */

struct cost {
    double us, instructions;
};

static int counter = -1;

static void
open_counter(void)
{
    struct perf_event_attr attr = {.type = PERF_TYPE_HARDWARE,
                                   .size = sizeof(attr),
                                   .config = PERF_COUNT_HW_INSTRUCTIONS,
                                   .exclude_kernel = 1,
                                   .exclude_hv = 1};

    counter = (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);
}

static struct cost
cost_now(void)
{
    uint64_t instructions = 0;
    struct timespec now;

    if (counter >= 0 && read(counter, &instructions, sizeof(instructions)) < 0)
        instructions = 0;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (struct cost){(double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3,
                         (double)instructions};
}

static int
compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double
median(double *items, size_t count)
{
    qsort(items, count, sizeof(items[0]), compare);
    return items[count / 2];
}

struct bench {
    struct config *config;
    struct renderer renderer;
    struct mapping mapping;
    struct wire_request request;
    struct event event;
    json_t *payload;
};

typedef void step_fn(struct bench *bench);

/* What one step costs, on each of the benches: the median over REPEATS of EVENTS of it. The benches
 * take turns, so that whatever slows the machine down slows all. */
static void
measure(struct bench *const *benches, size_t count, step_fn *step, size_t repeats,
        struct cost *ret_costs)
{
    static double us[BENCHES_MAX][REPEATS_MAX], instructions[BENCHES_MAX][REPEATS_MAX];

    for (size_t i = 0; i < repeats; i++) {
        for (size_t b = 0; b < count; b++) {
            struct cost before = cost_now(), after;

            for (int k = 0; k < EVENTS; k++)
                step(benches[b]);
            after = cost_now();
            us[b][i] = (after.us - before.us) / EVENTS;
            instructions[b][i] = (after.instructions - before.instructions) / EVENTS;
        }
    }
    for (size_t b = 0; b < count; b++)
        ret_costs[b] = (struct cost){median(us[b], repeats), median(instructions[b], repeats)};
}

static struct cost
measure_one(struct bench *bench, step_fn *step, size_t repeats)
{
    struct cost cost;

    step(bench); /* what grows on first use has grown */
    measure(&bench, 1, step, repeats, &cost);
    return cost;
}

/* Steps */

static void
parse(struct bench *bench)
{
    char reason[64];

    json_decref(
        decode_json(bench->event.payload, bench->event.payload_len, reason, sizeof(reason)));
}

/* Every condition of the topic's rules, as rule_apply asks for it. */
static void
match(struct bench *bench)
{
    const struct rule *rules = ruleset_rules(bench->config->rules);

    renderer_start(&bench->renderer, &bench->event, bench->payload);
    for (size_t i = 0; i < RULES; i++) {
        struct value value = expr_eval(rules[i].when, &bench->renderer.eval);

        value_truth(&value);
    }
    renderer_done(&bench->renderer);
}

static void
map(struct bench *bench)
{
    if (ruleset_map(bench->config->rules, &bench->event, 0, &bench->mapping) != MAP_CALLS)
        abort();
}

static void
serialise(struct bench *bench)
{
    for (size_t i = 0; i < bench->mapping.calls.count; i++)
        wire_write(&bench->request, &bench->config->accounts[0], bench->mapping.calls.items[i]);
}

/* Configurations */

static void
write_topic(FILE *out, int topic)
{
    for (const char *at = RULES_OF_A_TOPIC; *at; at++) {
        if (*at == '~')
            fprintf(out, "topic.%02d", topic);
        else
            fputc(*at, out);
    }
}

static void
write_configuration(const char *path, int topics)
{
    FILE *out = fopen(path, "w");

    if (!out) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        exit(2);
    }
    fputs("accounts: ( { name = \"main\"; api_key = \"key\"; team_id = \"4\"; } );\n"
          "email = \"${user.email | trim | lower}\";\n"
          "tables: { plan = ( (\"pro\", \"paid user\"), (\"trial\", \"trial user\") ); };\n"
          "rules: (\n",
          out);
    for (int i = 0; i < topics; i++) {
        write_topic(out, i);
        fputs(i + 1 < topics ? ",\n" : "\n);\n", out);
    }
    fclose(out);
}

static struct config *
load(const char *path)
{
    struct config *config;
    struct diag diag;

    diag_init(&diag);
    config = config_load(path, CONFIG_SECRETS_REQUIRED, NULL, &diag);
    diag_print(&diag, stderr);
    diag_fini(&diag);
    if (!config)
        exit(2);
    return config;
}

static void
bench_open(struct bench *bench, const char *path, int topics)
{
    char reason[64];

    memset(bench, 0, sizeof(*bench));
    write_configuration(path, topics);
    bench->config = load(path);
    bench->event = (struct event){
        .topic = "topic.00", .timestamp_ms = 0, .payload = EVENT, .payload_len = strlen(EVENT)};
    bench->payload = decode_json(EVENT, strlen(EVENT), reason, sizeof(reason));
    renderer_init(&bench->renderer, 1);
    mapping_init(&bench->mapping);
    wire_request_init(&bench->request);
    if (!bench->payload)
        abort();
}

static void
bench_close(struct bench *bench)
{
    wire_request_fini(&bench->request);
    mapping_fini(&bench->mapping);
    renderer_fini(&bench->renderer);
    json_decref(bench->payload);
    config_free(bench->config);
}

/* Reports */

static void
line(const char *what, struct cost cost, const char *note)
{
    printf("  %-34s %7.2f us", what, cost.us);
    if (counter >= 0)
        printf(" %9.0f instructions", cost.instructions);
    printf("%s\n", note);
}

static void
report_event(const char *path, size_t repeats)
{
    struct cost all, parsed, matched, rendered, written;
    struct bench bench;
    char note[64];

    bench_open(&bench, path, 1);
    parsed = measure_one(&bench, parse, repeats);
    matched = measure_one(&bench, match, repeats);
    all = measure_one(&bench, map, repeats);
    written = measure_one(&bench, serialise, repeats);
    rendered = (struct cost){all.us - parsed.us - matched.us,
                             all.instructions - parsed.instructions - matched.instructions};
    printf("an event of %zu bytes, %d rules, %zu calls\n", strlen(EVENT), RULES,
           bench.mapping.calls.count);
    line("parse: bytes to JSON", parsed, "");
    line("match: ten conditions", matched, "");
    line("render: templates to calls", rendered, "");
    line("serialise: URLs and bodies", written, "");
    snprintf(note, sizeof(note), "   (aim: %d us)", EVENT_AIM_US);
    line("all of it", (struct cost){all.us + written.us, all.instructions + written.instructions},
         note);
    bench_close(&bench);
}

static void
report_topics(const char *path, const char *large_path, size_t repeats)
{
    struct bench few, many, *const both[] = {&few, &many};
    struct cost costs[2];

    bench_open(&few, path, 1);
    bench_open(&many, large_path, TOPICS);
    measure(both, 2, map, repeats, costs);
    printf("mapping it, beside rules of other topics\n");
    line("10 rules, 1 topic", costs[0], "");
    line("500 rules, 50 topics", costs[1], "");
    bench_close(&few);
    bench_close(&many);
}

static void
report_load(const char *path)
{
    double whole[LOADS], read_only[LOADS], lint[LOADS];

    for (int i = 0; i < LOADS; i++) {
        struct cost start = cost_now(), loaded, read, linted;
        struct config *config = load(path);
        struct source *source;
        struct diag diag;

        loaded = cost_now();
        diag_init(&diag);
        source = source_read(path, &diag);
        read = cost_now();
        config_lint(config, &diag);
        linted = cost_now();
        source_free(source);
        diag_fini(&diag);
        config_free(config);
        whole[i] = (loaded.us - start.us) / 1e3;
        read_only[i] = (read.us - loaded.us) / 1e3;
        lint[i] = (linted.us - read.us) / 1e3;
    }
    printf("a configuration of %d rules over %d topics\n", RULES * TOPICS, TOPICS);
    printf("  %-34s %7.2f ms   (aim: %d ms)\n", "load", median(whole, LOADS), LOAD_AIM_MS);
    printf("  %-34s %7.2f ms\n", "of which reading the file", median(read_only, LOADS));
    printf("  %-34s %7.2f ms\n", "lint, for check only", median(lint, LOADS));
}

int
main(int argc, char **argv)
{
    size_t repeats = argc > 1 ? strtoul(argv[1], NULL, 10) : 101;
    char folder[] = "/tmp/bench-rules-XXXXXX", small[64], large[64];

    if (!repeats || repeats > REPEATS_MAX || !mkdtemp(folder)) {
        fprintf(stderr, "usage: rules [REPEATS, 1 to %d]\n", REPEATS_MAX);
        return 2;
    }
    snprintf(small, sizeof(small), "%s/small.conf", folder);
    snprintf(large, sizeof(large), "%s/large.conf", folder);
    open_counter();
    report_event(small, repeats);
    report_topics(small, large, repeats);
    report_load(large);
    unlink(small);
    unlink(large);
    rmdir(folder);
    return 0;
}
