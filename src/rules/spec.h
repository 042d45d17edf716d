/*
 * The rules part of a configuration as somebody wrote it: texts with their places. Filled by
 * config/, compiled by ruleset_new. Borrows all texts; rules/ knows no file format.
 */
#ifndef RULES_SPEC_H
#define RULES_SPEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"

struct spec_text {
    const char *text; /* NULL: not written */
    struct place at;
    unsigned order; /* among all texts as they are written, included files where they are */
};

struct spec_list {
    bool present;
    struct place at;
    struct spec_text *items;
    size_t count;
};

struct spec_pair {
    struct spec_text name, value;
};

struct spec_pairs {
    bool present;
    struct place at;
    struct spec_pair *items;
    size_t count;
};

enum without_email { WITHOUT_EMAIL_INHERIT, WITHOUT_EMAIL_DEAD_LETTER, WITHOUT_EMAIL_SKIP };

struct spec_identify {
    bool present;
    struct place at;
    struct spec_text email, new_email, first_name, last_name, company, birthday;
    struct spec_pairs custom_fields;
    struct spec_list tags;
};

struct spec_track {
    bool present;
    struct place at;
    struct spec_text email;
    struct spec_list add_tags, remove_tags;
};

struct spec_rule {
    struct place at;
    struct spec_text name;
    struct spec_list topics;
    struct spec_text when, root, for_each, account, email;
    enum without_email without_email;
    int64_t max_age_ms; /* 0: none */
    bool allow_increment, stop, disabled;
    struct spec_identify identify;
    struct spec_track track;
};

struct spec_table {
    struct spec_text name;
    struct spec_pairs entries;
};

struct spec_ruleset {
    struct spec_text email;
    enum without_email without_email; /* INHERIT means the default, DEAD_LETTER */
    struct spec_table *tables;
    size_t table_count;
    struct spec_rule *rules;
    size_t rule_count;
    const char *const *accounts; /* names, in the order of their indexes; NULL: one that is gone */
    size_t account_count;
};

#endif
