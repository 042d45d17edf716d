/* The command line: a table of commands, help from it, and what every command needs. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/nearest.h"
#include "base/xalloc.h"
#include "cmd/cmd.h"
#include "edge/kafka_conf.h"

static const char program[] = "sendx-worker";

struct command_option {
    const char *form, *doc;
};

struct command {
    const char *name, *arguments, *doc;
    int (*run)(int argc, char **argv);
    struct command_option options[8]; /* those that are there come first */
};

static int cmd_help(int argc, char **argv);

#define OPTION_CONFIG                                 \
    {                                                 \
        "-c, --config FILE", "the configuration file" \
    }

/* Order is that of the help. */
static const struct command commands[] = {
    {"run", "-c FILE", "consume events and send their calls", cmd_run, {OPTION_CONFIG}},
    {"check",
     "-c FILE [--strict]",
     "report every mistake in a configuration",
     cmd_check,
     {OPTION_CONFIG, {"--strict", "exit 1 when there is a warning"}}},
    {"config",
     "-c FILE | --reference",
     "print what is in force, secrets masked",
     cmd_config,
     {OPTION_CONFIG, {"--reference", "print the documentation of all settings, in Markdown"}}},
    {"call",
     "-c FILE [--account NAME] identify JSON | track --email EMAIL [--add TAG]... [--remove "
     "TAG]...",
     "send one call by hand and print the reply",
     cmd_call,
     {OPTION_CONFIG,
      {"--account NAME", "the account to use; needed where there are several"},
      {"identify JSON", "create or update the contact that the JSON object describes"},
      {"track", "add and remove tags of a contact"},
      {"--email EMAIL", "the contact of track"},
      {"--add TAG", "a tag to add; may be repeated"},
      {"--remove TAG", "a tag to remove; may be repeated"}}},
    {"redrive",
     "-c FILE [--dry-run] [--rule NAME] [--reason TEXT] [--since TIME] [--until TIME] [--limit N] "
     "[--rate N]",
     "send dead letters again: the calls that failed",
     cmd_redrive,
     {OPTION_CONFIG,
      {"--dry-run", "print which letters would go, and send nothing"},
      {"--rule NAME", "letters in which a call of this rule failed"},
      {"--reason TEXT", "letters of this class, or with TEXT in their reason"},
      {"--since TIME", "letters written from TIME on: 2026-01-31T08:00:00Z, or 24h: a day ago"},
      {"--until TIME", "letters written before TIME"},
      {"--limit N", "the first N of them"},
      {"--rate N", "at most N letters a second"}}},
    {"version", "", "print the versions of the worker and its libraries", cmd_version, {{0}}},
    {"help", "[COMMAND]", "print this, or how a command is used", cmd_help, {{0}}},
};

static const struct command *
find_command(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    }
    return NULL;
}

static void
print_help(void)
{
    printf("Usage: %s COMMAND [ARGUMENT]...\n\n", program);
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        printf("  %-10s%s\n", commands[i].name, commands[i].doc);
    printf("\n\"%s help COMMAND\" says more. Exit status: 0 all went well, 1 something outside did "
           "not work,\n2 the configuration or the command line is wrong, 3 Kafka cannot go on.\n",
           program);
}

static void
print_command_help(const struct command *command)
{
    printf("Usage: %s %s%s%s\n\n%s: %s.\n", program, command->name, *command->arguments ? " " : "",
           command->arguments, command->name, command->doc);
    for (size_t i = 0; i < ARRAY_LEN(command->options) && command->options[i].form; i++)
        printf("%s  %-20s%s\n", i ? "" : "\n", command->options[i].form, command->options[i].doc);
}

static int
refuse_command(const char *name)
{
    struct nearest nearest;

    nearest_init(&nearest, name);
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        nearest_try(&nearest, commands[i].name);
    fprintf(stderr, "%s: there is no command \"%s\"", program, name);
    if (nearest_best(&nearest))
        fprintf(stderr, "; did you mean %s?", nearest_best(&nearest));
    fprintf(stderr, "\n\"%s help\" lists them.\n", program);
    return CMD_WRONG;
}

static int
cmd_help(int argc, char **argv)
{
    const struct command *command;

    if (argc < 2) {
        print_help();
        return CMD_OK;
    }
    command = find_command(argv[1]);
    if (!command)
        return refuse_command(argv[1]);
    print_command_help(command);
    return CMD_OK;
}

int
cmd_usage(const char *command, const char *fmt, ...)
{
    va_list ap;

    if (fmt) {
        fprintf(stderr, "%s %s: ", program, command);
        va_start(ap, fmt);
        vfprintf(stderr, fmt, ap);
        va_end(ap);
        fputc('\n', stderr);
    }
    fprintf(stderr, "\"%s help %s\" says how it is used.\n", program, command);
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
            print_command_help(command);
            return CMD_OK;
        }
    }
    /* getopt names it in its messages. */
    snprintf(name, sizeof(name), "%s %s", program, command->name);
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
        fprintf(stderr, "%s: a command is missing\n\"%s help\" lists them.\n", program, program);
        return CMD_WRONG;
    }
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        name = "help";
    if (strcmp(name, "--version") == 0)
        name = "version";
    command = find_command(name);
    if (!command)
        return refuse_command(name);
    status = run_command(command, argc - 1, argv + 1);
    if (fflush(stdout) != 0 && status == CMD_OK) {
        perror(program);
        status = CMD_FAILED;
    }
    return status;
}
