/* sendx-worker manual: the manual page, docs/sendx-worker.1, from the table of commands. In the
 * macros of man(7), which groff, mandoc and troff read. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "cmd/cmd.h"
#include "cmd/command.h"

static const char description[] =
    "sendx-worker stands between Kafka and SendX. It consumes topics, maps each event by the rules "
    "of its configuration to calls of SendX's API, sends them, and commits an offset only when "
    "everything up to it is finished. More processes with one configuration and one group_id share "
    "the work.";

static const char signals[] =
    "\n.TP\n\\fBSIGTERM\\fR, \\fBSIGINT\\fR\n"
    "to run: finish what has begun, commit, leave the group and exit 0, within "
    "delivery.drain_timeout; a second one exits at once with 1, and what was unfinished is read "
    "again.\n.TP\n\\fBSIGHUP\\fR\n"
    "to run: read the configuration again; one with a mistake changes "
    "nothing.\n.TP\n\\fBSIGUSR1\\fR\n"
    "to run: let everything that waits for the budget of dead letters become dead letters.";

/* TEXT as roff: backslashes and hyphens for what they are, no request at the start of a line, ASCII
 * only. */
static void
print_text(FILE *out, const char *text)
{
    const char *end = text + strlen(text);
    bool starts = true;

    while (text < end) {
        uint32_t c = utf8_next(&text, end);

        if (starts && (c == '.' || c == '\''))
            fputs("\\&", out);
        starts = c == '\n';
        if (c >= 0x80)
            fprintf(out, "\\[u%04X]", (unsigned)c);
        else if (c == '\\')
            fputs("\\e", out);
        else if (c == '-')
            fputs("\\-", out);
        else if (c == '\'')
            fputs("\\(aq", out);
        else
            fputc((int)c, out);
    }
}

/* A form or a synopsis: words to be written as they stand bold, what stands for something italic.
 */
static void
print_form(FILE *out, const char *form)
{
    static const char signs[] = " ,|[].=:";

    while (*form) {
        size_t len = strspn(form, signs);

        fprintf(out, "%.*s", (int)len, form);
        form += len;
        len = strcspn(form, signs);
        if (len > 0) {
            char word[64];

            snprintf(word, sizeof(word), "%.*s", (int)len, form);
            fputs(*form >= 'A' && *form <= 'Z' ? "\\fI" : "\\fB", out);
            print_text(out, word);
            fputs("\\fR", out);
        }
        form += len;
    }
}

static void
print_command(FILE *out, const struct command *command)
{
    fprintf(out, ".SS \"");
    print_text(out, command->name);
    fprintf(out, "\"\n.B %s %s\n", "sendx\\-worker", command->name);
    print_form(out, command->arguments);
    fprintf(out, "\n.PP\n%c",
            command->doc[0] >= 'a' ? command->doc[0] - 'a' + 'A' : command->doc[0]);
    print_text(out, command->doc + 1);
    fprintf(out, ".\n");
    for (size_t i = 0; i < command_option_count(command); i++) {
        fprintf(out, ".TP\n");
        print_form(out, command->options[i].form);
        fprintf(out, "\n");
        print_text(out, command->options[i].doc);
        fprintf(out, "\n");
    }
    if (command->more) {
        fprintf(out, ".PP\n");
        print_text(out, command->more);
        fprintf(out, "\n");
    }
}

static void
print_statuses(FILE *out)
{
    static const char *const statuses[] = {
        "all went well",
        "something outside did not work, or what a command was asked to look for "
        "was found",
        "the configuration or the command line is wrong", "librdkafka cannot go on"};

    fprintf(out, ".SH EXIT STATUS\n");
    for (size_t i = 0; i < ARRAY_LEN(statuses); i++)
        fprintf(out, ".TP\n.B %zu\n%s\n", i, statuses[i]);
}

void
command_print_manual(FILE *out)
{
    fprintf(out,
            ".\\\" Written by \"sendx-worker manual\" from the table of commands.\n"
            ".TH SENDX-WORKER 1 \"\" \"sendx-worker %s\" \"User commands\"\n"
            ".SH NAME\nsendx-worker \\- from events in Kafka to calls of SendX, by rules\n"
            ".SH SYNOPSIS\n.B sendx\\-worker\n.I COMMAND\n.RI [ ARGUMENT ]...\n"
            ".SH DESCRIPTION\n",
            VERSION);
    print_text(out, description);
    fprintf(out, "\n.SH COMMANDS\n");
    for (size_t i = 0; i < command_count(); i++)
        print_command(out, command_at(i));
    print_statuses(out);
    fprintf(out,
            ".SH ENVIRONMENT\nThe sections of the configuration may name variables, as in "
            "${env:SENDX_API_KEY}; no other variable is looked at by a command unless it says so.\n"
            ".SH SIGNALS%s\n"
            ".SH SEE ALSO\nconfiguration.md, rules.md, cookbook.md and operations.md in the "
            "folder docs of the source\n",
            signals);
}

int
cmd_manual(int argc, char **argv)
{
    if (argc > 1)
        return cmd_usage("manual", "\"%s\" is one argument too many", argv[1]);
    command_print_manual(stdout);
    return CMD_OK;
}
