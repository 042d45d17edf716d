/* config_print_reference: the tables as Markdown. */
#include <string.h>

#include "config/config.h"
#include "config/kafka_section.h"
#include "config/option.h"
#include "config/rule_table.h"
#include "config/scan.h"
#include "rules/filter.h"
#include "rules/lint.h"

static const char intro[] =
    "# Configuration\n"
    "\n"
    "<!-- Written by `sendx-worker config --reference` from the tables that read the file. -->\n"
    "\n"
    "One file, `-c FILE`, in [libconfig's syntax](https://hyperrealm.github.io/libconfig/). "
    "`conf/sendx-worker.conf` has every setting with its default.\n"
    "\n"
    "- `@include \"NAME\"`, at the beginning of a line, puts another file in its place. NAME "
    "begins in "
    "the folder of FILE.\n"
    "- A **duration** is text: a whole number directly followed by `ms`, `s`, `m` or `h`, such as "
    "`\"250ms\"`. A **size** is text with `KiB` or `MiB`. Numbers without a unit are refused.\n"
    "- In every text of the sections, `${env:NAME}` is the environment variable and `${file:PATH}` "
    "is "
    "what the file holds, without the line break at its end; a relative PATH begins in the folder "
    "of "
    "FILE. One that is not there is an error (`check` only warns of it). `$${` is a plain `${`. In "
    "`email`, `tables` and `rules`, `${…}` is part of a template instead.\n"
    "- Whatever is unknown, of a wrong type or out of range is an error that names file, line and "
    "setting, all of them in one go. `sendx-worker check -c FILE` only looks; `sendx-worker config "
    "-c "
    "FILE` prints what is in force, with secrets as `***`.\n"
    "- SIGHUP makes a running worker read FILE again; a setting that says \"Needs a restart\" "
    "keeps "
    "its "
    "value until then.\n";

/* TEXT for a cell: a bar would end it. */
static void
print_cell(FILE *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '|')
            fputc('\\', out);
        fputc(*text, out);
    }
}

static void
print_choices(FILE *out, const char *choices)
{
    for (;;) {
        size_t len = strcspn(choices, "|");

        fprintf(out, "`%.*s`", (int)len, choices);
        if (!choices[len])
            return;
        choices += len + 1;
        fprintf(out, ", ");
    }
}

static void
print_preset(FILE *out, const struct option *option)
{
    struct buf text;

    if (option->flags & OPTION_REQUIRED) {
        fprintf(out, "*required*");
        return;
    }
    if (!option->preset) {
        fprintf(out, "*depends on* `api`");
        return;
    }
    buf_init(&text, 1024);
    option_print_preset(option, &text);
    fprintf(out, "`%s`", buf_text(&text));
    buf_fini(&text);
}

static void
print_option(FILE *out, const struct option *option)
{
    fprintf(out, "| `%s` | %s | ", option->name, option_type_name(option->type));
    print_preset(out, option);
    fprintf(out, " | ");
    if (option->choices)
        print_choices(out, option->choices);
    else if (option->least)
        fprintf(out, "%s to %s", option->least, option->most);
    else if (option->flags & OPTION_FILLED)
        fprintf(out, "not empty");
    fprintf(out, " | ");
    print_cell(out, option->doc);
    fprintf(out, "%s%s |\n", option->flags & OPTION_SECRET ? " Never printed or logged." : "",
            option->flags & OPTION_RESTART ? " Needs a restart." : "");
}

static void
print_refusals(FILE *out)
{
    fprintf(
        out,
        "\nEvery other setting of this section is a "
        "[property of librdkafka]"
        "(https://github.com/confluentinc/librdkafka/blob/master/CONFIGURATION.md) with `_` for "
        "each `.`: `session_timeout_ms = 45000;` is `session.timeout.ms`. Its value is text, an "
        "integer or a boolean, and librdkafka has the last word on it. File names in it begin in "
        "the working directory. These belong to the worker:\n\n"
        "| Property | Allowed | Why |\n|---|---|---|\n");
    for (size_t i = 0; i < kafka_refusal_count(); i++) {
        const struct kafka_refusal *refusal = kafka_refusal_at(i);

        fprintf(out, "| `%s` | ", refusal->name);
        if (refusal->allowed)
            print_choices(out, refusal->allowed);
        else if (refusal->least)
            fprintf(out, "at least %lld", (long long)refusal->least);
        else
            fprintf(out, "nothing");
        fprintf(out, " | ");
        print_cell(out, refusal->reason);
        fprintf(out, " |\n");
    }
}

static void
print_section(FILE *out, const struct section *section)
{
    fprintf(out, "\n## %s\n\n%s\n\n", section->name, section->doc);
    fprintf(out, "| Setting | Type | Default | Values | Meaning |\n|---|---|---|---|---|\n");
    for (size_t i = 0; i < option_count(); i++) {
        if (strcmp(option_at(i)->section, section->name) == 0)
            print_option(out, option_at(i));
    }
    if (strcmp(section->name, "kafka") == 0)
        print_refusals(out);
}

static void
print_settings(FILE *out, const char *title, const struct rule_setting *settings)
{
    fprintf(out, "\n%s\n\n| Setting | Type | Meaning |\n|---|---|---|\n", title);
    for (; settings->name; settings++) {
        fprintf(out, "| `%s` | %s | ", settings->name, rule_kind_name(settings->kind));
        print_cell(out, settings->doc);
        fprintf(out, " |\n");
    }
}

void
config_print_reference(FILE *out)
{
    fputs(intro, out);
    for (size_t i = 0; i < section_count(); i++)
        print_section(out, section_at(i));
    print_settings(out,
                   "## The rules part\n\n"
                   "Beside the sections stand the rules and what they share.",
                   rule_file_settings);
    print_settings(
        out,
        "### rules\n\n"
        "Each rule is a group. A template is text with `${expression}` parts; an expression is "
        "text that is one. An array may be written `[ ]` or `( )`.",
        rule_settings);
    print_settings(
        out,
        "### identify\n\n"
        "What is null or empty is left out of the call. One of the three `email` settings is "
        "required.",
        rule_identify_settings);
    print_settings(out, "### track\n\nA call without any tag is not sent.", rule_track_settings);
}

static void
print_code(FILE *out, const char *before, const char *after)
{
    fputc('`', out);
    print_cell(out, before);
    print_cell(out, after);
    fputs("` |", out);
}

static void
print_filter(FILE *out, const struct filter *filter)
{
    fprintf(out, "| ");
    print_code(out, filter->name, filter->args_doc);
    fprintf(out, " %s | ", filter->scope == FILTER_EACH ? "each" : "");
    print_cell(out, filter->doc);
    fprintf(out, " | ");
    print_code(out, filter->example, "");
    fputc(' ', out);
    print_code(out, filter->result, "");
    fputc('\n', out);
}

static void
print_lint(FILE *out, const char *name, const char *doc)
{
    fprintf(out, "| ");
    print_code(out, name, "");
    fputc(' ', out);
    print_cell(out, doc);
    fprintf(out, " |\n");
}

void
config_print_rules_reference(FILE *out)
{
    fprintf(out,
            "<!-- filters -->\n| Filter | each | | Example | Value |\n|---|---|---|---|---|\n");
    for (size_t i = 0; i < filter_count(); i++)
        print_filter(out, filter_at(i));
    fprintf(out, "<!-- /filters -->\n<!-- lints -->\n| Name | What it has found |\n|---|---|\n");
    for (int i = 0; i < LINT_COUNT; i++)
        print_lint(out, lint_name((enum lint)i), lint_doc((enum lint)i));
    print_lint(out, SCAN_COMMA_MISSING,
               "two texts side by side in a list, which are read as one: `[ \"a\" \"b\" ]`");
    print_lint(out, CONFIG_SECRET_IN_FILE,
               "a key, token or password that stands in the file itself, not by `${env:NAME}` or "
               "`${file:PATH}`");
    fprintf(out, "<!-- /lints -->\n");
}
