/*
 * The table of commands as the rest of cmd/ sees it, and all that is printed from it: the help, the
 * manual page, the completion for bash. Owns nothing; the rows stand in main.c.
 */
#ifndef CMD_COMMAND_H
#define CMD_COMMAND_H

#include <stdio.h>

#include "base/macros.h"

enum { COMMAND_OPTIONS_MAX = 16 };

/* FORM is "-c, --config FILE", "--strict", or a word that is no option: "identify JSON". Capitals
 * are what the user puts in; FILE, PATH and COMMAND are completed. */
struct command_option {
    const char *form, *doc;
};

struct command {
    const char *name, *arguments, *doc; /* DOC: a line without a full stop */
    int (*run)(int argc, char **argv);
    struct command_option options[COMMAND_OPTIONS_MAX]; /* those that are there come first */
    const char *more; /* paragraphs beneath the options, without line breaks in them; or NULL */
};

extern const char command_program[]; /* "sendx-worker" */

size_t command_count(void);
const struct command *command_at(size_t i);
const struct command *command_find(const char *name); /* NULL: there is none */

/* How many of the options are there. */
size_t command_option_count(const struct command *command);

/* The words of OPTION that stand for it in a command line: at most MOST, each as a length from a
 * start in its form. Returns how many. */
struct command_word {
    const char *text;
    size_t len;
};
size_t command_option_words(const struct command_option *option, struct command_word *words,
                            size_t most);

/* What has to follow those words: "FILE" of "-c, --config FILE". "" when nothing has to. */
const char *command_option_value(const struct command_option *option);

void command_print_help(FILE *out);
void command_print_usage(const struct command *command, FILE *out);
void command_print_manual(FILE *out);
void command_print_bash(FILE *out);

#endif
