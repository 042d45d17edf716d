/* The help: of the program, and of a command. */
#include <string.h>

#include "cmd/command.h"

enum { WIDTH = 80, OPTION_COLUMN = 22 };

static const char exit_status[] =
    "Exit status: 0 all went well, 1 something outside did not work, 2 the configuration or the "
    "command line is wrong, 3 Kafka cannot go on.";

/* Characters, not bytes: texts are UTF-8. */
static size_t
width_of(const char *text, size_t len)
{
    size_t width = 0;

    for (size_t i = 0; i < len; i++)
        width += ((unsigned char)text[i] & 0xc0) != 0x80;
    return width;
}

/* Writes TEXT, which begins at COLUMN, in lines of at most WIDTH columns that begin at INDENT. */
static void
print_wrapped(FILE *out, const char *text, size_t column, size_t indent)
{
    while (*text) {
        size_t len = strcspn(text, " \n");
        size_t width = width_of(text, len);

        if (column > indent && column + 1 + width > WIDTH) {
            fprintf(out, "\n%*s", (int)indent, "");
            column = indent;
        } else if (column > indent) {
            fputc(' ', out);
            column++;
        }
        fwrite(text, 1, len, out);
        column += width;
        text += len;
        if (*text == '\n') {
            fprintf(out, "\n%*s", (int)indent, "");
            column = indent;
        }
        text += *text != '\0';
    }
    fputc('\n', out);
}

void
command_print_help(FILE *out)
{
    fprintf(out, "Usage: %s COMMAND [ARGUMENT]...\n\n", command_program);
    for (size_t i = 0; i < command_count(); i++)
        fprintf(out, "  %-12s%s\n", command_at(i)->name, command_at(i)->doc);
    fprintf(out, "\n\"%s help COMMAND\" says more.\n", command_program);
    print_wrapped(out, exit_status, 0, 0);
}

static void
print_option(FILE *out, const struct command_option *option)
{
    size_t column = 2 + strlen(option->form);

    fprintf(out, "  %s", option->form);
    if (column + 2 > OPTION_COLUMN)
        fprintf(out, "\n%*s", OPTION_COLUMN, "");
    else
        fprintf(out, "%*s", (int)(OPTION_COLUMN - column), "");
    print_wrapped(out, option->doc, OPTION_COLUMN, OPTION_COLUMN);
}

void
command_print_usage(const struct command *command, FILE *out)
{
    size_t column = (size_t)fprintf(out, "Usage: %s %s", command_program, command->name);

    if (*command->arguments)
        print_wrapped(out, command->arguments, column, 7);
    else
        fputc('\n', out);
    fprintf(out, "\n%s: %s.\n", command->name, command->doc);
    for (size_t i = 0; i < command_option_count(command); i++) {
        if (i == 0)
            fputc('\n', out);
        print_option(out, &command->options[i]);
    }
    if (command->more) {
        fputc('\n', out);
        print_wrapped(out, command->more, 0, 0);
    }
}
