/* The command line: a table of commands, help from it, and what every command needs. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/nearest.h"
#include "base/xalloc.h"
#include "cmd/cmd.h"
#include "cmd/command.h"
#include "edge/kafka_conf.h"

const char command_program[] = "sendx-worker";

static int cmd_help(int argc, char **argv);

#define OPTION_CONFIG                                 \
    {                                                 \
        "-c, --config FILE", "the configuration file" \
    }

#define OPTION_URL                                                                             \
    {                                                                                          \
        "--url URL", "where it listens, such as http://127.0.0.1:9464; a token is taken from " \
                     "the environment, SENDX_WORKER_TOKEN"                                     \
    }

/* Which events a command takes from Kafka. */
#define OPTION_TOPIC                                                                          \
    {                                                                                         \
        "--topic TOPIC", "events of this topic; without it, those of all topics of the rules" \
    }

#define OPTION_LAST                                            \
    {                                                          \
        "--last N", "the last N events of each topic in Kafka" \
    }

#define OPTION_SINCE                                                                           \
    {                                                                                          \
        "--since TIME", "those in Kafka from TIME on: 2026-01-31T08:00:00Z, or 24h: a day ago" \
    }

/* One row for each command, in the order of the help. The help, the manual page and the completion
 * are made from it. */
static const struct command commands[] = {
    {.name = "run",
     .arguments = "-c FILE",
     .doc = "consume events and send their calls",
     .run = cmd_run,
     .options = {OPTION_CONFIG}},
    {.name = "check",
     .arguments = "-c FILE [--strict] [--json]",
     .doc = "report every mistake in a configuration, and what is hardly meant",
     .run = cmd_check,
     .options = {OPTION_CONFIG,
                 {"--strict", "exit 1 when there is a warning, but for what ${…} names and is not "
                              "on this machine"},
                 {"--json", "print one JSON object: {\"errors\": […], \"warnings\": […]}, each "
                            "with file, line, text and, for a warning, its name"}},
     .more = "A warning ends with its name in brackets; docs/rules.md tells what each name means. "
             "A comment \"lint: allow NAME\" in the line, or alone in the line before it, "
             "takes it back. Exit status: 0 no error, 1 warnings with --strict, 2 errors."},
    {.name = "explain",
     .arguments = "-c FILE [--topic TOPIC [--last N] | --at PLACE] [--curl] [--json] [FILE]",
     .doc = "show what the rules make of events, and why",
     .run = cmd_explain,
     .options = {OPTION_CONFIG,
                 {"--topic TOPIC", "every line is the payload of an event of this topic"},
                 {"--last N", "the last N events of that topic in Kafka"},
                 {"--at PLACE", "one event in Kafka: topic:partition:offset"},
                 {"--curl", "print a command for each call, too; the key is $SENDX_API_KEY"},
                 {"--json", "print a line of JSON for each event, for programs"},
                 {"FILE",
                  "events, one JSON text a line; standard input without it, or with \"-\""}},
     .more =
         "A line is an event as {\"topic\": \"plan.changed\", \"event\": {\"to\": \"pro\"}}, "
         "and may have \"key\", \"headers\", \"timestamp\", \"partition\" and \"offset\", or "
         "\"payload\" with the payload as text instead of \"event\". With --topic, or where all "
         "rules read the same topic, a line is the payload alone.\n\n"
         "Nothing is sent and no secret is needed or shown. Each rule is listed with whether it "
         "matched and, if not, the part of its \"when\" that decided; each setting with its "
         "template and what that read; then the calls as they would be sent, before folding. "
         "NO_COLOR switches the colours of a terminal off. "
         "From Kafka events are only read: in no consumer group, and nothing is committed.\n\n"
         "Exit status: 0 all events could be mapped, 1 one would become a dead letter or Kafka "
         "could not be read, 2 the "
         "configuration, the command line or a line is wrong."},
    {.name = "test",
     .arguments = "-c FILE [--update] [--coverage] PATH...",
     .doc = "run tests of the rules",
     .run = cmd_test,
     .options = {OPTION_CONFIG,
                 {"--update", "make the tests expect what comes now, in their files"},
                 {"--coverage", "list the rules, outcomes of when and table entries that no test "
                                "reaches"},
                 {"PATH", "a file of tests, or a folder with such *.json files"}},
     .more =
         "A file holds an array of tests: {\"name\", \"topic\", \"event\" or \"payload\" (as "
         "text), \"expect\": [call, ...] or \"error\": \"text in the reason\"}, and where needed "
         "\"key\", \"headers\", \"timestamp\" and \"now\", the last two as milliseconds or ISO "
         "times. A call is {\"identify\": {...}} or {\"track\": {\"email\", \"addTags\", "
         "\"removeTags\"}}, with \"rule\" and \"account\" where they matter. The order of calls "
         "counts, that of tags does not. Without \"now\" the event is a new one, "
         "whatever its timestamp.\n\n"
         "The output is that of the Test Anything Protocol, with a difference for each failure. "
         "Nothing is sent and no secret is needed.\n\n"
         "Exit status: 0 all tests passed or were updated, 1 a test failed, 2 the "
         "configuration, the command line or a file of tests is wrong; then none is run."},
    {.name = "capture",
     .arguments = "-c FILE [--topic TOPIC] [--last N | --since TIME] [--wait TIME] [OPTION]... "
                  "[FILE]",
     .doc = "write rule tests from events, names and addresses replaced",
     .run = cmd_capture,
     .options =
         {OPTION_CONFIG,
          OPTION_TOPIC,
          {"--per-rule N", "at most N tests of each rule, of events that no rule matches and of "
                           "those that would be dead letters; 5 without it"},
          OPTION_LAST,
          OPTION_SINCE,
          {"--wait TIME", "and those that come during TIME, such as 10m"},
          {"--raw", "replace nothing"},
          {"--replace FIELD", "replace what stands in FIELD, too; may be repeated"},
          {"--keep FIELD", "leave FIELD but for addresses and phone numbers in it; may be "
                           "repeated"},
          {"--key FILE", "replace by the key in FILE, at least 16 bytes; without it by that in "
                         "the environment, SENDX_WORKER_CAPTURE_KEY, else by a random one"},
          {"--output FILE", "write the tests to FILE, which must not be there yet"},
          {"--force", "write over FILE"},
          {"FILE", "events, one JSON text a line as explain has them; \"-\": standard input"}},
     .more =
         "Without FILE, --last and --since it takes what comes, for a minute or --wait, and ends "
         "when each rule has its tests; Ctrl-C ends it earlier and writes what there is. From "
         "Kafka events are only read: in no consumer group, and nothing is committed.\n\n"
         "Of more events than are wanted those are taken that rules treat differently. Each test "
         "is run before it is written, and left out if it does not pass, or if rules would treat "
         "its event otherwise than the original: the output says how many and which.\n\n"
         "Replaced are e-mail addresses and phone numbers, wherever they stand, and all that "
         "stands in fields with names such as name, first_name, email, phone or address; "
         "docs/rules.md has the list. The same becomes the same, and texts that rules compare "
         "with stay.\n\n"
         "Exit status: 0 tests were written, 1 none could be made or Kafka could not be read, 2 "
         "the configuration, the command line or a line is wrong."},
    {.name = "diff",
     .arguments = "--old FILE --new FILE [--topic TOPIC] [--last N | --since TIME] [--fail-over N] "
                  "[--json] [FILE]",
     .doc = "show what other rules would change for events",
     .run = cmd_diff,
     .options = {{"--old FILE", "the configuration as it was"},
                 {"--new FILE", "the configuration as it would be; Kafka is read as it says"},
                 OPTION_TOPIC,
                 OPTION_LAST,
                 OPTION_SINCE,
                 {"--fail-over N", "exit 1 only where there are more than N differences"},
                 {"--samples N", "show at most N events for each rule; 2 without it"},
                 {"--json", "print one JSON object, for programs"},
                 {"FILE",
                  "events, one JSON text a line as explain has them; standard input without "
                  "it, or with \"-\""}},
     .more =
         "Nothing is sent, and no secret is needed. Calls are compared by what they send: those "
         "that both make count as the same, by whichever rule. Of the others, an old and a new one "
         "of the same kind for the same contact are one that changes; the rest are added or "
         "removed. The order of tags does not count, that of calls of a contact does. Calls are "
         "those before folding, and each event is a new one, whatever max_age says.\n\n"
         "A tag counts as added or removed more or fewer times over all events. Contacts are "
         "counted once each, exactly up to a million by rule and tag. In the samples addresses are "
         "masked; other values stand as they would be sent. From Kafka events are only read: in no "
         "consumer group, and nothing is committed.\n\n"
         "Exit status, as diff(1) has it: 0 no difference, or not more than --fail-over allows, 1 "
         "differences, 2 trouble: a configuration, the command line or a line is wrong, Kafka "
         "could "
         "not be read, or it was interrupted. An event that only becomes a dead letter, or none "
         "any "
         "more, or whose calls only change places, counts as one call that differs."},
    {.name = "config",
     .arguments = "-c FILE | --reference | --rules-reference",
     .doc = "print what is in force, secrets masked",
     .run = cmd_config,
     .options = {OPTION_CONFIG,
                 {"--reference", "print the documentation of all settings, in Markdown"},
                 {"--rules-reference", "print that of the filters and of the warnings of check"}}},
    {.name = "call",
     .arguments = "-c FILE [--account NAME] identify JSON | track --email EMAIL [--add TAG]... "
                  "[--remove TAG]...",
     .doc = "send one call by hand and print the reply",
     .run = cmd_call,
     .options = {OPTION_CONFIG,
                 {"--account NAME", "the account to use; needed where there are several"},
                 {"identify JSON", "create or update the contact that the JSON object describes"},
                 {"track", "add and remove tags of a contact"},
                 {"--email EMAIL", "the contact of track"},
                 {"--add TAG", "a tag to add; may be repeated"},
                 {"--remove TAG", "a tag to remove; may be repeated"}}},
    {.name = "redrive",
     .arguments = "-c FILE [--dry-run] [--rule NAME] [--reason TEXT] [--since TIME] "
                  "[--until TIME] [--limit N] [--rate N]",
     .doc = "send dead letters again: the calls that failed",
     .run = cmd_redrive,
     .options = {OPTION_CONFIG,
                 {"--dry-run", "print which letters would go, and send nothing"},
                 {"--rule NAME", "letters in which a call of this rule failed"},
                 {"--reason TEXT", "letters of this class, or with TEXT in their reason"},
                 {"--since TIME",
                  "letters written from TIME on: 2026-01-31T08:00:00Z, or 24h: a day ago"},
                 {"--until TIME", "letters written before TIME"},
                 {"--limit N", "the first N of them"},
                 {"--rate N", "at most N letters a second"}}},
    {.name = "probe",
     .arguments = "-c FILE | --url URL [--live]",
     .doc = "ask a running worker whether it is ready; the exit status says so",
     .run = cmd_probe,
     .options = {OPTION_CONFIG, OPTION_URL, {"--live", "ask whether it is live instead"}}},
    {.name = "top",
     .arguments = "-c FILE | --url URL [--once]",
     .doc = "show what a running worker does",
     .run = cmd_top,
     .options = {OPTION_CONFIG,
                 OPTION_URL,
                 {"--once", "print it once, for scripts; so it is where no terminal is"}}},
    {.name = "completion",
     .arguments = "bash",
     .doc = "print the completion of command lines for a shell",
     .run = cmd_completion,
     .options = {{"bash", "for bash: source <(sendx-worker completion bash)"}}},
    {.name = "manual",
     .arguments = "",
     .doc = "print the manual page, for man(1)",
     .run = cmd_manual},
    {.name = "version",
     .arguments = "",
     .doc = "print the versions of the worker and its libraries",
     .run = cmd_version},
    {.name = "help",
     .arguments = "[COMMAND]",
     .doc = "print this, or how a command is used",
     .run = cmd_help,
     .options = {{"COMMAND", "the command to tell about"}}},
};

size_t
command_count(void)
{
    return ARRAY_LEN(commands);
}

const struct command *
command_at(size_t i)
{
    return &commands[i];
}

static int
refuse_command(const char *name)
{
    struct nearest nearest;

    nearest_init(&nearest, name);
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        nearest_try(&nearest, commands[i].name);
    fprintf(stderr, "%s: there is no command \"%s\"", command_program, name);
    if (nearest_best(&nearest))
        fprintf(stderr, "; did you mean %s?", nearest_best(&nearest));
    fprintf(stderr, "\n\"%s help\" lists them.\n", command_program);
    return CMD_WRONG;
}

static int
cmd_help(int argc, char **argv)
{
    const struct command *command;

    if (argc < 2) {
        command_print_help(stdout);
        return CMD_OK;
    }
    command = command_find(argv[1]);
    if (!command)
        return refuse_command(argv[1]);
    command_print_usage(command, stdout);
    return CMD_OK;
}

int
cmd_usage(const char *command, const char *fmt, ...)
{
    va_list ap;

    if (fmt) {
        fprintf(stderr, "%s %s: ", command_program, command);
        va_start(ap, fmt);
        vfprintf(stderr, fmt, ap);
        va_end(ap);
        fputc('\n', stderr);
    }
    fprintf(stderr, "\"%s help %s\" says how it is used.\n", command_program, command);
    return CMD_WRONG;
}

struct config *
cmd_load(const char *file, enum config_secrets secrets)
{
    struct diag diag;
    struct config *config;

    diag_init(&diag);
    config = config_load(file, secrets, kafka_check, &diag);
    diag_print(&diag, stderr);
    diag_fini(&diag);
    return config;
}

static int
run_command(const struct command *command, int argc, char **argv)
{
    char name[64];

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            command_print_usage(command, stdout);
            return CMD_OK;
        }
    }
    /* getopt names it in its messages. */
    snprintf(name, sizeof(name), "%s %s", command_program, command->name);
    argv[0] = name;
    return command->run(argc, argv);
}

int
main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : NULL;
    const struct command *command;
    int status;

    if (!name) {
        fprintf(stderr, "%s: a command is missing\n\"%s help\" lists them.\n", command_program,
                command_program);
        return CMD_WRONG;
    }
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        name = "help";
    if (strcmp(name, "--version") == 0)
        name = "version";
    command = command_find(name);
    if (!command)
        return refuse_command(name);
    status = run_command(command, argc - 1, argv + 1);
    if (fflush(stdout) != 0 && status == CMD_OK) {
        perror(command_program);
        status = CMD_FAILED;
    }
    return status;
}
