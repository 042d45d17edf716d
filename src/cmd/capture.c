/* sendx-worker capture: rule tests, made of the events that there are. */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "cmd/arguments.h"
#include "cmd/call_text.h"
#include "cmd/capture_pick.h"
#include "cmd/capture_test.h"
#include "cmd/cmd.h"
#include "cmd/kafka_look.h"
#include "cmd/source.h"
#include "cmd/write_file.h"
#include "edge/signals.h"

enum {
    PER_RULE = 5,
    PER_RULE_MAX = 1000,
    WAIT_MS = 60 * 1000, /* for live events, where nothing else is said */
    KEY_MIN = 16,
    KEY_MAX = 4096,
    PLACE_MAX = 320
};

static const char key_variable[] = "SENDX_WORKER_CAPTURE_KEY";

struct capture_order {
    const char *config_file, *key_file, *output;
    struct source_order from;
    const char **fields; /* to replace, and then to leave */
    size_t replace_count, leave_count;
    int64_t per_rule;
    bool raw, force, live;
};

struct dropped {
    size_t count;
    char first[PLACE_MAX]; /* where the first of them is */
};

struct capture {
    const struct capture_order *order;
    struct config *config;
    struct disguise *disguise; /* NULL: nothing is replaced */
    struct capture_maker *maker;
    struct picks picks; /* the rules, then the two below */
    size_t no_match, dead_letter;
    bool *kinds;                  /* the groups that the latest event fits into */
    size_t tombstones, strangers; /* that no rule reads */
    struct dropped dropped[CAPTURE_DROP_COUNT];
    bool random_key;
};

/* ---- the key ---- */

static int
read_key_file(const char *path, struct buf *key)
{
    FILE *in = fopen(path, "re");
    char chunk[KEY_MAX];

    if (!in) {
        fprintf(stderr, "sendx-worker capture: --key: %s: %s\n", path, strerror(errno));
        return CMD_WRONG;
    }
    buf_add(key, chunk, fread(chunk, 1, sizeof(chunk), in));
    fclose(in);
    while (key->len && (key->data[key->len - 1] == '\n' || key->data[key->len - 1] == '\r'))
        buf_truncate(key, key->len - 1);
    return CMD_OK;
}

static int
find_key(struct capture *capture, struct buf *key)
{
    const char *file = capture->order->key_file, *variable = getenv(key_variable);
    char bytes[KEY_MIN];

    if (file && read_key_file(file, key))
        return CMD_WRONG;
    if (!file && variable && *variable)
        buf_add_text(key, variable);
    capture->random_key = !file && !(variable && *variable);
    if (capture->random_key) {
        if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes)) {
            perror("sendx-worker capture: no random key");
            return CMD_FAILED;
        }
        buf_add(key, bytes, sizeof(bytes));
    }
    if (key->len >= KEY_MIN)
        return CMD_OK;
    return cmd_usage("capture",
                     "the key in %s has %zu bytes; it needs %d, so that nobody guesses it",
                     file ? file : key_variable, key->len, (int)KEY_MIN);
}

static int
open_disguise(struct capture *capture)
{
    const struct capture_order *order = capture->order;
    struct buf key;
    int status;

    if (order->raw)
        return CMD_OK;
    buf_init(&key, KEY_MAX);
    status = find_key(capture, &key);
    if (status == CMD_OK) {
        capture->disguise = disguise_new(buf_text(&key), key.len);
        for (size_t i = 0; i < order->replace_count + order->leave_count; i++) {
            if (i < order->replace_count)
                disguise_replace_field(capture->disguise, order->fields[i]);
            else
                disguise_leave_field(capture->disguise, order->fields[i]);
        }
    }
    buf_fini(&key);
    return status;
}

/* ---- events ---- */

/* Where the event goes: of the rules that matched the one with the fewest tests. */
static bool
find_group(const struct capture *capture, enum map_outcome outcome, size_t *ret_group)
{
    uint64_t shape = capture_maker_shape(capture->maker);
    const struct picks *picks = &capture->picks;
    bool found = false;

    if (outcome == MAP_NO_MATCH || map_outcome_is_failure(outcome)) {
        *ret_group = outcome == MAP_NO_MATCH ? capture->no_match : capture->dead_letter;
        return picks_wants(picks, *ret_group, shape);
    }
    for (size_t i = 0; i < capture->no_match; i++) {
        if (!capture_maker_matched(capture->maker, i) || !picks_wants(picks, i, shape) ||
            (found && picks->groups[*ret_group].count <= picks->groups[i].count))
            continue;
        *ret_group = i;
        found = true;
    }
    return found;
}

/* Notes which groups the event fits into. */
static void
find_kinds(struct capture *capture, enum map_outcome outcome)
{
    for (size_t i = 0; i < capture->no_match; i++)
        capture->kinds[i] =
            capture_maker_matched(capture->maker, i) && !map_outcome_is_failure(outcome);
    capture->kinds[capture->no_match] = outcome == MAP_NO_MATCH;
    capture->kinds[capture->dead_letter] = map_outcome_is_failure(outcome);
    for (size_t i = 0; i < capture->picks.group_count; i++)
        capture->picks.groups[i].seen += capture->kinds[i];
}

/* Whether the rules that can be reached have all they may have. */
static bool
has_enough(const struct capture *capture)
{
    const struct ruleset *rules = capture->config->rules;

    for (size_t i = 0; i < capture->no_match; i++) {
        bool reads =
            !capture->order->from.topic || ruleset_rule_reads(rules, i, capture->order->from.topic);

        if (reads && ruleset_rule_is_enabled(rules, i) &&
            capture->picks.groups[i].count < capture->picks.most)
            return false;
    }
    return true;
}

static int
take_event(void *opaque, const struct event *event, const char *where)
{
    struct capture *capture = opaque;
    enum map_outcome outcome;
    enum capture_drop drop;
    size_t group = 0;
    char *text;

    if (!ruleset_reads(capture->config->rules, event->topic)) {
        capture->strangers++;
        return 0;
    }
    outcome = capture_maker_map(capture->maker, event);
    if (outcome == MAP_TOMBSTONE) {
        capture->tombstones++;
        return 0;
    }
    find_kinds(capture, outcome);
    if (!find_group(capture, outcome, &group))
        return 0;
    text = capture_maker_test(capture->maker, event, &drop);
    if (text) {
        picks_add(&capture->picks, group, capture->kinds, capture_maker_shape(capture->maker),
                  text);
    } else if (!capture->dropped[drop].count++) {
        snprintf(capture->dropped[drop].first, PLACE_MAX, "%s", where);
    }
    return capture->order->live && has_enough(capture);
}

/* ---- what is written ---- */

static const char *
group_name(const struct capture *capture, size_t group)
{
    if (group < capture->no_match)
        return ruleset_rule_name(capture->config->rules, group);
    return group == capture->no_match ? "no rule matches" : "a dead letter";
}

static void
write_tests(const struct capture *capture, struct buf *out)
{
    const char *sign = "[";

    for (size_t i = 0; i < capture->picks.group_count; i++) {
        const struct pick_group *group = &capture->picks.groups[i];

        for (size_t k = 0; k < group->count; k++) {
            char *name = xasprintf("%s, %zu", group_name(capture, i), k + 1);

            buf_printf(out, "%s\n  {\n    \"name\": ", sign);
            buf_add_json(out, name, strlen(name));
            buf_printf(out, ",\n    %s", group->items[k].text);
            xfree(name);
            sign = ",";
        }
    }
    buf_add_text(out, "\n]\n");
}

static int
print_tests(const struct buf *text, struct err *err)
{
    if (fwrite(buf_text(text), 1, text->len, stdout) != text->len || fflush(stdout))
        return err_set(err, "standard output: %s", strerror(errno));
    return 0;
}

static int
put_out(const struct capture *capture)
{
    const struct capture_order *order = capture->order;
    struct err err = {{0}};
    struct buf out;
    int rc = 0;

    if (!picks_count(&capture->picks))
        return CMD_FAILED;
    buf_init(&out, CALL_TEXT_MAX);
    write_tests(capture, &out);
    if (buf_toobig(&out))
        rc = err_set(&err, "the tests hold more than 256 MiB; take fewer by --per-rule");
    else if (order->output)
        rc = write_file(order->output, &out, order->force, &err);
    else
        rc = print_tests(&out, &err);
    buf_fini(&out);
    if (rc)
        fprintf(stderr, "sendx-worker capture: %s\n", err.msg);
    return rc ? CMD_FAILED : CMD_OK;
}

/* ---- what is said ---- */

static const char *
plural(size_t count)
{
    return count == 1 ? "" : "s";
}

static void
say_groups(const struct capture *capture)
{
    static const char *const others[] = {"(no rule matched)", "(would be dead letters)"};
    const struct ruleset *rules = capture->config->rules;
    int width = (int)strlen(others[1]);

    for (size_t i = 0; i < capture->no_match; i++) {
        int len = (int)strlen(ruleset_rule_name(rules, i));

        width = len > width && len <= 40 ? len : width;
    }
    for (size_t i = 0; i < capture->picks.group_count; i++) {
        const struct pick_group *group = &capture->picks.groups[i];
        size_t tests = picks_fitting(&capture->picks, i);
        bool is_rule = i < capture->no_match;

        if (is_rule ? !ruleset_rule_is_enabled(rules, i) : !group->seen)
            continue;
        fprintf(stderr, "  %-*s  %zu test%s of %zu event%s\n", width,
                is_rule ? ruleset_rule_name(rules, i) : others[i - capture->no_match], tests,
                plural(tests), group->seen, plural(group->seen));
    }
}

static void
say_dropped(const struct capture *capture)
{
#define X(id, text) [CAPTURE_##id] = text,
    static const char *const texts[] = {CAPTURE_DROP_TABLE(X)};
#undef X

    for (size_t i = 0; i < CAPTURE_DROP_COUNT; i++) {
        const struct dropped *dropped = &capture->dropped[i];

        if (dropped->count)
            fprintf(stderr, "Left out: %zu event%s (%s%s) %s.\n", dropped->count,
                    plural(dropped->count), dropped->count > 1 ? "the first: " : "", dropped->first,
                    texts[i]);
    }
    if (capture->tombstones)
        fprintf(stderr, "Left out: %zu tombstone%s.\n", capture->tombstones,
                plural(capture->tombstones));
    if (capture->strangers)
        fprintf(stderr, "Left out: %zu event%s of topics that no rule reads.\n", capture->strangers,
                plural(capture->strangers));
}

static void
say_replaced(const struct capture *capture)
{
    struct disguise_counts counts;
    struct buf fields;

    if (!capture->disguise) {
        fprintf(stderr, "Nothing was replaced: the tests hold what the events hold.\n");
        return;
    }
    counts = disguise_counts(capture->disguise);
    buf_init(&fields, 1 << 20);
    disguise_add_fields(capture->disguise, &fields);
    fprintf(stderr, "Replaced: %zu e-mail address%s", counts.emails,
            counts.emails == 1 ? "" : "es");
    if (counts.phones)
        fprintf(stderr, ", %zu phone number%s", counts.phones, plural(counts.phones));
    fprintf(stderr, "%s%s.\n", fields.len ? ", and all in the fields " : "", buf_text(&fields));
    buf_fini(&fields);
    if (capture->random_key)
        fprintf(stderr,
                "The key was a random one: another run replaces otherwise. --key FILE keeps it.\n");
}

static void
say_all(const struct capture *capture, const struct source *source)
{
    const struct capture_order *order = capture->order;
    size_t count = picks_count(&capture->picks);

    fprintf(stderr, "%s%zu event%s read, %zu test%s written%s%s\n",
            source->signal ? "Interrupted. " : "", source->events, plural(source->events), count,
            plural(count), count && order->output ? " to " : "",
            count && order->output ? order->output : "");
    say_groups(capture);
    say_dropped(capture);
    if (!count)
        return;
    say_replaced(capture);
    fprintf(stderr,
            "Look through them before you share them. Run them by: sendx-worker test -c %s %s\n",
            order->config_file, order->output ? order->output : "FILE");
}

/* ---- the command ---- */

static int
capture_events(struct capture *capture)
{
    struct err err = {{0}};
    struct source source = {.command = "capture",
                            .order = &capture->order->from,
                            .kafka = &capture->config->kafka,
                            .rules = {capture->config->rules},
                            .take = take_event,
                            .opaque = capture};
    int status, written;

    source.signals = signals_open(&err);
    if (source.signals < 0) {
        fprintf(stderr, "sendx-worker capture: %s\n", err.msg);
        return CMD_FAILED;
    }
    status = source_run(&source);
    signals_close(source.signals);
    if (status != CMD_OK)
        return status;
    written = put_out(capture);
    if (written == CMD_OK || !picks_count(&capture->picks))
        say_all(capture, &source);
    return written;
}

static int
capture_tests(const struct capture_order *order)
{
    struct capture capture = {.order = order};
    int status = CMD_WRONG;

    if (order->output && !order->force && access(order->output, F_OK) == 0)
        return cmd_usage("capture", "%s is there already; --force writes over it", order->output);
    capture.config = cmd_load(order->config_file, CONFIG_SECRETS_OPTIONAL);
    if (capture.config)
        status = open_disguise(&capture);
    if (status == CMD_OK) {
        capture.no_match = ruleset_rule_count(capture.config->rules);
        capture.dead_letter = capture.no_match + 1;
        picks_init(&capture.picks, capture.no_match + 2, (size_t)order->per_rule);
        capture.kinds = xcalloc(capture.no_match + 2, sizeof(capture.kinds[0]));
        capture.maker = capture_maker_new(capture.config, capture.disguise);
        status = capture_events(&capture);
        capture_maker_free(capture.maker);
        picks_fini(&capture.picks);
        xfree(capture.kinds);
    }
    disguise_free(capture.disguise);
    config_free(capture.config);
    return status;
}

enum {
    OPTION_TOPIC = 256,
    OPTION_PER_RULE,
    OPTION_LAST,
    OPTION_SINCE,
    OPTION_WAIT,
    OPTION_RAW,
    OPTION_REPLACE,
    OPTION_KEEP,
    OPTION_KEY,
    OPTION_OUTPUT,
    OPTION_FORCE
};

static const struct option options[] = {
    {"config", required_argument, NULL, 'c'},
    {"topic", required_argument, NULL, OPTION_TOPIC},
    {"per-rule", required_argument, NULL, OPTION_PER_RULE},
    {"last", required_argument, NULL, OPTION_LAST},
    {"since", required_argument, NULL, OPTION_SINCE},
    {"wait", required_argument, NULL, OPTION_WAIT},
    {"raw", no_argument, NULL, OPTION_RAW},
    {"replace", required_argument, NULL, OPTION_REPLACE},
    {"keep", required_argument, NULL, OPTION_KEEP},
    {"key", required_argument, NULL, OPTION_KEY},
    {"output", required_argument, NULL, OPTION_OUTPUT},
    {"force", no_argument, NULL, OPTION_FORCE},
    {0},
};

static int
read_last(const char *text, struct source_order *from)
{
    int64_t count = 0;
    int status = argument_count("capture", "last", text, KAFKA_LOOK_MAX, &count);

    from->last = (size_t)count;
    return status;
}

/* 0, or the exit status. */
static int
read_option(int c, struct capture_order *order)
{
    switch (c) {
    case 'c':
        order->config_file = optarg;
        return CMD_OK;
    case OPTION_TOPIC:
        order->from.topic = optarg;
        return CMD_OK;
    case OPTION_PER_RULE:
        return argument_count("capture", "per-rule", optarg, PER_RULE_MAX, &order->per_rule);
    case OPTION_LAST:
        return read_last(optarg, &order->from);
    case OPTION_SINCE:
        return argument_time("capture", "since", optarg, &order->from.since_ms);
    case OPTION_WAIT:
        return argument_duration("capture", "wait", optarg, &order->from.wait_ms);
    case OPTION_RAW:
        order->raw = true;
        return CMD_OK;
    case OPTION_REPLACE:
        /* Those to replace stand before those to leave. */
        order->fields[order->replace_count + order->leave_count] =
            order->fields[order->replace_count];
        order->fields[order->replace_count++] = optarg;
        return CMD_OK;
    case OPTION_KEEP:
        order->fields[order->replace_count + order->leave_count++] = optarg;
        return CMD_OK;
    case OPTION_KEY:
        order->key_file = optarg;
        return CMD_OK;
    case OPTION_OUTPUT:
        order->output = optarg;
        return CMD_OK;
    case OPTION_FORCE:
        order->force = true;
        return CMD_OK;
    default: /* getopt has said why */
        return cmd_usage("capture", NULL);
    }
}

static int
check_order(struct capture_order *order)
{
    struct source_order *from = &order->from;

    if (!order->config_file)
        return cmd_usage("capture", "-c FILE is missing");
    if (order->raw && (order->replace_count || order->leave_count || order->key_file))
        return cmd_usage("capture", "--raw replaces nothing; --replace, --keep and --key go "
                                    "without it");
    if (order->force && !order->output)
        return cmd_usage("capture", "--force is about the file that --output names");
    if (!from->input && !from->last && from->since_ms == EVENT_NO_TIME) {
        order->live = true;
        if (!from->wait_ms)
            from->wait_ms = WAIT_MS;
    }
    return source_check("capture", from);
}

int
cmd_capture(int argc, char **argv)
{
    struct capture_order order = {.from.since_ms = EVENT_NO_TIME, .per_rule = PER_RULE};
    int c, status = CMD_OK;

    order.fields = xcalloc((size_t)argc + 1, sizeof(order.fields[0]));
    while (status == CMD_OK && (c = getopt_long(argc, argv, "c:", options, NULL)) != -1)
        status = read_option(c, &order);
    if (status == CMD_OK && optind + 1 < argc)
        status = cmd_usage("capture", "\"%s\" is one argument too many", argv[optind + 1]);
    if (status == CMD_OK && optind < argc)
        order.from.input = argv[optind];
    if (status == CMD_OK)
        status = check_order(&order);
    if (status == CMD_OK)
        status = capture_tests(&order);
    xfree(order.fields);
    return status;
}
