/* Prints the words of the language and of the configuration, from their tables, as libFuzzer's
 * dictionary. */
#include <stdio.h>

#include "config/option.h"
#include "config/rule_table.h"
#include "rules/filter.h"
#include "rules/lint.h"

/* What has no table: it is what the parsers compare with. */
static const char *const SIGNS[] = {" and ",
                                    " or ",
                                    " not ",
                                    " in ",
                                    " not in ",
                                    " contains ",
                                    " starts_with ",
                                    " ends_with ",
                                    " matches ",
                                    "true",
                                    "false",
                                    "null",
                                    "==",
                                    "!=",
                                    "<=",
                                    ">=",
                                    "??",
                                    "[*]",
                                    "[-1]",
                                    "['a']",
                                    "${",
                                    "$${",
                                    "}",
                                    "''",
                                    "@topic",
                                    "@partition",
                                    "@offset",
                                    "@key",
                                    "@timestamp",
                                    "@headers.a",
                                    "@payload",
                                    "@root",
                                    "@index",
                                    "item",
                                    "'(a+)'",
                                    "'%Y-%m-%d'",
                                    "'+05:30'",
                                    "('t')",
                                    "1e308",
                                    "-0",
                                    "9223372036854775807",
                                    "9223372036854775808",
                                    "2024-02-29T12:30:15.5Z",
                                    "\\u00df",
                                    "@include \"i.conf\"",
                                    "${env:KEY}",
                                    "${file:i.conf}",
                                    "\"",
                                    "(",
                                    ")",
                                    "{",
                                    "};",
                                    ": {",
                                    "= [",
                                    "# lint: allow ",
                                    "0x10",
                                    "10L",
                                    "\n",
                                    "sx-topic: ",
                                    "sx-partition: ",
                                    "sx-offset: ",
                                    "sx-timestamp: ",
                                    "sx-class: ",
                                    "sx-calls: ",
                                    "sx-redrives: ",
                                    "sx-rule: ",
                                    "identify",
                                    "track",
                                    "Fri, 13 Feb 2026 10:00:00 GMT",
                                    "Retry-After",
                                    "a@example.com"};

static void
word(const char *text)
{
    if (!*text)
        return;
    putchar('"');
    for (; *text; text++) {
        if (*text == '"' || *text == '\\' || *text < ' ' || *text > '~')
            printf("\\x%02x", (unsigned char)*text);
        else
            putchar(*text);
    }
    puts("\"");
}

static void
settings(const struct rule_setting *setting)
{
    for (; setting->name; setting++)
        word(setting->name);
}

int
main(void)
{
    for (size_t i = 0; i < filter_count(); i++) {
        word(filter_at(i)->name);
        word(filter_at(i)->example);
    }
    for (size_t i = 0; i < option_count(); i++) {
        word(option_at(i)->name);
        if (option_at(i)->preset)
            word(option_at(i)->preset);
    }
    for (size_t i = 0; i < section_count(); i++)
        word(section_at(i)->name);
    for (size_t i = 0; i < LINT_COUNT; i++)
        word(lint_name((enum lint)i));
    settings(rule_file_settings);
    settings(rule_settings);
    settings(rule_identify_settings);
    settings(rule_track_settings);
    for (size_t i = 0; i < ARRAY_LEN(SIGNS); i++)
        word(SIGNS[i]);
    return 0;
}
