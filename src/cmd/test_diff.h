/*
 * Calls that were expected and calls that came: whether they agree, and in which lines they do not.
 * The order of calls matters; tags and custom fields are sets. Owns nothing.
 */
#ifndef CMD_TEST_DIFF_H
#define CMD_TEST_DIFF_H

#include <stdbool.h>
#include <stdio.h>

#include "config/config.h"

/* Rule and account of EXPECTED count where they are named; see test_file.h. */
bool test_calls_agree(const struct call_list *expected, const struct call_list *got);

/* Prints both as one text, a "-" before what was expected only, a "+" before what came only. Each
 * line begins with INDENT. Nothing where both are empty. */
void test_print_diff(const struct config *config, const struct call_list *expected,
                     const struct call_list *got, const char *indent, FILE *out);

#endif
