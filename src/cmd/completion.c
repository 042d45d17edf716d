/* sendx-worker completion: the completion of command lines by a shell, from the table of commands.
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/command.h"

enum { WORDS_MAX = 4 /* of one option */ };

static const char head[] =
    "# Completion of sendx-worker in bash. Put it to use with\n"
    "#     source <(sendx-worker completion bash)\n"
    "# in ~/.bashrc, or write it to /etc/bash_completion.d/sendx-worker.\n"
    "_sendx_worker_words()\n"
    "{\n"
    "    mapfile -t COMPREPLY < <(compgen -W \"$1\" -- \"$2\")\n"
    "}\n"
    "\n"
    "_sendx_worker_files()\n"
    "{\n"
    "    mapfile -t COMPREPLY < <(compgen -f -- \"$1\")\n"
    "    compopt -o filenames 2>/dev/null\n"
    "}\n"
    "\n"
    "_sendx_worker()\n"
    "{\n"
    "    local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}\n"
    "    local words='' names=''\n"
    "\n"
    "    COMPREPLY=()\n";

static bool
names(const char *value, const char *what)
{
    size_t len = strlen(what);

    return strncmp(value, what, len) == 0 && (value[len] == '\0' || value[len] == '.');
}

static bool
is_file(const char *value)
{
    return names(value, "FILE") || names(value, "PATH");
}

static void
print_commands(FILE *out)
{
    for (size_t i = 0; i < command_count(); i++)
        fprintf(out, "%s%s", i ? " " : "", command_at(i)->name);
}

/* The branch of what follows an option's words: files, or nothing that could be known. */
static void
print_values(FILE *out, const struct command *command, bool files)
{
    struct command_word words[WORDS_MAX];
    size_t printed = 0;

    for (size_t i = 0; i < command_option_count(command); i++) {
        const struct command_option *option = &command->options[i];
        size_t count = command_option_words(option, words, WORDS_MAX);
        const char *value = command_option_value(option);

        if (!*value || is_file(value) != files)
            continue;
        for (size_t j = 0; j < count; j++)
            fprintf(out, "%s\"%s %.*s\"", printed++ ? " | " : "    ", command->name,
                    (int)words[j].len, words[j].text);
    }
    if (printed)
        fprintf(out, ")\n        %s\n        ;;\n",
                files ? "_sendx_worker_files \"$current\"\n        return" : "return");
}

static void
print_words(FILE *out, const struct command *command)
{
    struct command_word words[WORDS_MAX];
    bool has_files = false, has_commands = false;

    fprintf(out, "    %s)\n        words='", command->name);
    for (size_t i = 0; i < command_option_count(command); i++) {
        const struct command_option *option = &command->options[i];
        size_t count = command_option_words(option, words, WORDS_MAX);

        for (size_t j = 0; j < count; j++)
            fprintf(out, "%.*s ", (int)words[j].len, words[j].text);
        has_files |= count == 0 && is_file(command_option_value(option));
        has_commands |= count == 0 && names(command_option_value(option), "COMMAND");
    }
    if (has_commands) {
        print_commands(out);
        fputc(' ', out);
    }
    fprintf(out, "--help'\n%s        ;;\n", has_files ? "        names=files\n" : "");
}

void
command_print_bash(FILE *out)
{
    fputs(head, out);
    fprintf(out, "    if ((COMP_CWORD == 1)); then\n        _sendx_worker_words '");
    print_commands(out);
    fprintf(out, " --help --version' \"$current\"\n        return\n    fi\n"
                 "    case \"${COMP_WORDS[1]} $before\" in\n");
    for (size_t i = 0; i < command_count(); i++) {
        print_values(out, command_at(i), true);
        print_values(out, command_at(i), false);
    }
    fprintf(out, "    esac\n    case ${COMP_WORDS[1]} in\n");
    for (size_t i = 0; i < command_count(); i++)
        print_words(out, command_at(i));
    fprintf(out,
            "    esac\n"
            "    if [[ $names == files && $current != -* ]]; then\n"
            "        _sendx_worker_files \"$current\"\n"
            "    else\n"
            "        _sendx_worker_words \"$words\" \"$current\"\n"
            "    fi\n"
            "}\n\n"
            "complete -F _sendx_worker %s\n",
            command_program);
}

int
cmd_completion(int argc, char **argv)
{
    if (argc < 2)
        return cmd_usage("completion", "the shell is missing: bash");
    if (strcmp(argv[1], "bash") != 0)
        return cmd_usage("completion", "there is no completion for \"%s\", only for bash", argv[1]);
    if (argc > 2)
        return cmd_usage("completion", "\"%s\" is one argument too many", argv[2]);
    command_print_bash(stdout);
    return CMD_OK;
}
