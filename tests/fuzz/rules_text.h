/*
 * Rules and an event in lines, for inputs that are cut and joined anywhere and stay readable:
 *
 *   email=${a}                    a setting of the file, from config/rule_table; before any rule
 *   table.pro=paid user           an entry of the table "t"
 *   rule=first                    begins a rule on the topic "t"
 *   when=a == 1                   settings of the rule
 *   identify.tags=${b}            and of its calls; what is a list grows
 *   identify.customFields.Plan=x
 *   key=k1                        of the event, anywhere
 *   header.type=x
 *                                 an empty line, and behind it
 *   {"a": 1}                      the payload
 *
 * Lines that are none of these are passed over. Owns its texts.
 */
#ifndef TESTS_FUZZ_RULES_TEXT_H
#define TESTS_FUZZ_RULES_TEXT_H

#include "fuzz.h"
#include "rules/ruleset.h"

enum { RULES_TEXT_RULES = 6, RULES_TEXT_ITEMS = 12 };

struct rules_text {
    struct arena arena;
    struct spec_ruleset spec;
    struct spec_table tables[2];
    struct spec_rule rules[RULES_TEXT_RULES + 1]; /* the last one stays empty */
    struct event event;
    struct event_header headers[RULES_TEXT_ITEMS];
    unsigned line;
};

void rules_text_read(struct rules_text *text, struct fuzz_text input);
void rules_text_fini(struct rules_text *text);

#endif
