/* config_print: sections by the option table, the rules part as it was written. */
#include <string.h>

#include "config/config.h"
#include "config/kafka_section.h"
#include "config/option.h"
#include "config/quote.h"
#include "config/rule_table.h"
#include "config/source.h"

enum {
    LINE_MAX_LEN = 1024 * 1024, /* of one setting */
    COMMENT_COLUMN = 44
};

struct printer {
    FILE *out;
    struct buf line;
};

static void
add_indent(struct buf *line, unsigned depth)
{
    while (depth-- > 0)
        buf_add_text(line, "  ");
}

static void
end_line(struct printer *printer, const char *comment)
{
    while (comment && printer->line.len < COMMENT_COLUMN - 1)
        buf_add_char(&printer->line, ' ');
    fprintf(printer->out, "%s%s%s\n", buf_text(&printer->line), comment ? " # " : "",
            comment ? comment : "");
    buf_reset(&printer->line);
}

/* Whether there is nothing to say about an option: a text without a default that nobody wrote. */
static bool
is_absent(const struct option *option, const void *base)
{
    char *const *text = (char *const *)(const void *)((const char *)base + option->offset);

    return option->type == OPTION_TEXT && !option->preset && !*text;
}

static void
print_options(struct printer *printer, const char *section, const struct source_node *group,
              const void *base, unsigned depth)
{
    for (size_t i = 0; i < option_count(); i++) {
        const struct option *option = option_at(i);
        bool written = source_find(group, option->name) != NULL;

        if (strcmp(option->section, section) != 0 || is_absent(option, base))
            continue;
        add_indent(&printer->line, depth);
        buf_printf(&printer->line, "%s = ", option->name);
        if (written || !option->preset)
            option_print(option, base, &printer->line);
        else
            option_print_preset(option, &printer->line);
        buf_add_char(&printer->line, ';');
        end_line(printer, written ? NULL : "default");
    }
}

static void
print_properties(struct printer *printer, const struct kafka_config *kafka)
{
    for (size_t i = 0; i < kafka->property_count; i++) {
        const struct kafka_property *property = &kafka->properties[i];
        bool secret = kafka_property_is_secret(property->name);

        add_indent(&printer->line, 1);
        for (const char *c = property->name; *c; c++)
            buf_add_char(&printer->line, (char)(*c == '.' ? '_' : *c));
        buf_add_text(&printer->line, " = ");
        quote_add(&printer->line, secret ? "***" : property->value, QUOTE_SECTIONS);
        buf_add_char(&printer->line, ';');
        end_line(printer, NULL);
    }
}

static void
print_accounts(struct printer *printer, const struct config *config,
               const struct source_node *accounts)
{
    fprintf(printer->out, "accounts: (\n");
    for (size_t i = 0; i < config->account_count; i++) {
        fprintf(printer->out, "  {\n");
        print_options(printer, "accounts", &accounts->items[i], &config->accounts[i], 2);
        fprintf(printer->out, "  }%s\n", i + 1 < config->account_count ? "," : "");
    }
    fprintf(printer->out, ");\n");
}

static bool
is_scalar(const struct source_node *node)
{
    return node->type != SOURCE_GROUP && !source_is_sequence(node);
}

static bool
is_flat(const struct source_node *node)
{
    for (size_t i = 0; i < node->count; i++) {
        if (!is_scalar(&node->items[i]))
            return false;
    }
    return is_scalar(node) || source_is_sequence(node) || node->count == 0;
}

static const char *
open_bracket(const struct source_node *node)
{
    return node->type == SOURCE_GROUP ? "{" : node->type == SOURCE_LIST ? "(" : "[";
}

static const char *
close_bracket(const struct source_node *node)
{
    return node->type == SOURCE_GROUP ? "}" : node->type == SOURCE_LIST ? ")" : "]";
}

/* The rules part holds texts and booleans only: anything else was refused. */
static void
add_scalar(struct buf *line, const struct source_node *node)
{
    if (node->type == SOURCE_TEXT)
        quote_add(line, node->text, QUOTE_RULES);
    else
        buf_add_text(line, node->boolean ? "true" : "false");
}

static void
add_flat(struct buf *line, const struct source_node *node)
{
    if (is_scalar(node)) {
        add_scalar(line, node);
        return;
    }
    buf_add_text(line, open_bracket(node));
    for (size_t i = 0; i < node->count; i++) {
        buf_add_text(line, i ? ", " : " ");
        add_scalar(line, &node->items[i]);
    }
    buf_printf(line, " %s", close_bracket(node));
}

static void
print_node(struct printer *printer, const struct source_node *node, const char *end, unsigned depth)
{
    bool in_sequence = node->parent && source_is_sequence(node->parent);

    add_indent(&printer->line, depth);
    if (node->name)
        buf_printf(&printer->line, "%s%s", node->name, node->type == SOURCE_GROUP ? ": " : " = ");
    if (is_flat(node)) {
        add_flat(&printer->line, node);
        buf_add_text(&printer->line, end);
        end_line(printer, NULL);
        return;
    }
    buf_add_text(&printer->line, open_bracket(node));
    end_line(printer, NULL);
    for (size_t i = 0; i < node->count; i++) {
        const char *item_end = node->type == SOURCE_GROUP ? ";" : i + 1 < node->count ? "," : "";

        print_node(printer, &node->items[i], item_end, depth + 1);
    }
    add_indent(&printer->line, depth);
    buf_printf(&printer->line, "%s%s", close_bracket(node), in_sequence ? end : ";");
    end_line(printer, NULL);
}

static void
print_rules(struct printer *printer, const struct source_node *root)
{
    for (const struct rule_setting *setting = rule_file_settings; setting->name; setting++) {
        const struct source_node *node = source_find(root, setting->name);

        if (node) {
            print_node(printer, node, ";", 0);
        } else if (setting->kind == RULE_WITHOUT_EMAIL) {
            buf_printf(&printer->line, "%s = \"dead_letter\";", setting->name);
            end_line(printer, "default");
        }
    }
}

void
config_print(const struct config *config, FILE *out)
{
    const struct source_node *root = ((const struct source *)config->source)->root;
    struct printer printer = {.out = out};

    buf_init(&printer.line, LINE_MAX_LEN);
    fprintf(out, "# What %s puts in force; secrets are masked.\n", root->at.file);
    for (size_t i = 0; i < section_count(); i++) {
        const char *section = section_at(i)->name;

        if (section_at(i)->is_list) {
            print_accounts(&printer, config, source_find(root, section));
            continue;
        }
        fprintf(out, "%s: {\n", section);
        print_options(&printer, section, source_find(root, section), config, 1);
        if (strcmp(section, "kafka") == 0)
            print_properties(&printer, &config->kafka);
        fprintf(out, "};\n");
    }
    print_rules(&printer, root);
    buf_fini(&printer.line);
}
