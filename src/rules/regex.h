/*
 * Regular expressions of rules: PCRE2, Perl's syntax, UTF without UCP, bounded in steps. Owns the
 * compiled code. Texts that are handed in are valid UTF-8.
 */
#ifndef RULES_REGEX_H
#define RULES_REGEX_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/macros.h"

enum {
    REGEX_SUBJECT_MAX = 4096,     /* bytes; a longer subject does not match */
    REGEX_STEPS_MAX = 100 * 1000, /* steps one match may take */
    REGEX_GROUPS_MAX = 64
};

struct regex;

/* NULL, and the reason in ERR with the place in the pattern. */
struct regex *regex_new(const char *pattern, size_t len, struct err *err) MUSTCHECK;
void regex_free(struct regex *regex); /* NULL is accepted */

/* A pattern of ours, which needs no limits, neither of steps nor of the subject's size. */
struct regex *regex_new_own(const char *pattern) MUSTCHECK;

/* How many capturing groups it has. */
unsigned regex_group_count(const struct regex *regex);

/* Whether it may match an empty text; false only where that is certain. */
bool regex_may_match_empty(const struct regex *regex);

/* Whether what the first group finds may be an empty text. Told from the group's own pattern, which
 * is not possible for all: REGEX_GROUP_UNKNOWN. */
enum regex_group { REGEX_GROUP_UNKNOWN, REGEX_GROUP_FILLED, REGEX_GROUP_MAY_BE_EMPTY };
enum regex_group regex_first_group(const struct regex *regex);

enum regex_result { REGEX_NO_MATCH, REGEX_MATCH, REGEX_LIMITED };

/* What a match found: byte offsets of the whole and of the first group. */
struct regex_found {
    size_t start, end;
    bool has_group; /* the first group took part */
    size_t group_start, group_end;
};

/* Searches TEXT from START on. Takes the steps it needs from STEPS_LEFT and gives up when those of
 * one match, or those that are left, do not do. */
enum regex_result regex_search(struct regex *regex, const char *text, size_t len, size_t start,
                               size_t *steps_left, struct regex_found *found);

/* PCRE2's at run time, such as "10.42 2022-12-11", written into TEXT. */
const char *regex_library_version(char text[64]);

#endif
