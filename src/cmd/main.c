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

/* One row for each command, in the order of the help. The help, the manual page and the completion
 * are made from it. */
static const struct command commands[] = {
    {.name = "run",
     .arguments = "-c FILE",
     .doc = "consume events and send their calls",
     .run = cmd_run,
     .options = {OPTION_CONFIG}},
    {.name = "check",
     .arguments = "-c FILE [--strict]",
     .doc = "report every mistake in a configuration",
     .run = cmd_check,
     .options = {OPTION_CONFIG, {"--strict", "exit 1 when there is a warning"}}},
    {.name = "config",
     .arguments = "-c FILE | --reference",
     .doc = "print what is in force, secrets masked",
     .run = cmd_config,
     .options = {OPTION_CONFIG,
                 {"--reference", "print the documentation of all settings, in Markdown"}}},
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
