#include "cmd/command.h"

#include <stdbool.h>
#include <string.h>

size_t
command_option_count(const struct command *command)
{
    size_t count = 0;

    while (count < COMMAND_OPTIONS_MAX && command->options[count].form)
        count++;
    return count;
}

const struct command *
command_find(const char *name)
{
    for (size_t i = 0; i < command_count(); i++) {
        if (strcmp(command_at(i)->name, name) == 0)
            return command_at(i);
    }
    return NULL;
}

/* Whether what begins at TEXT is to be written as it stands: an option, or a word in small letters.
 */
static bool
is_word(const char *text)
{
    return *text == '-' || (*text >= 'a' && *text <= 'z');
}

size_t
command_option_words(const struct command_option *option, struct command_word *words, size_t most)
{
    const char *at = option->form;
    size_t count = 0;

    while (is_word(at) && count < most) {
        size_t len = strcspn(at, ", ");

        words[count++] = (struct command_word){at, len};
        at += len;
        at += strspn(at, ", ");
    }
    return count;
}

const char *
command_option_value(const struct command_option *option)
{
    const char *at = option->form;

    while (is_word(at)) {
        at += strcspn(at, ", ");
        at += strspn(at, ", ");
    }
    return at;
}
