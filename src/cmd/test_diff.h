/*
 * Calls that were expected and calls that came: whether they agree, and in which lines they do not.
 * The order of calls matters; tags and custom fields are sets. Owns nothing.
 */
#ifndef CMD_TEST_DIFF_H
#define CMD_TEST_DIFF_H

#include <stdbool.h>

#include "config/config.h"

/* Rule and account of EXPECTED count where they are named; see test_file.h. */
bool test_calls_agree(const struct call_list *expected, const struct call_list *got);

/* Calls, and the configuration whose accounts they name. */
struct test_side {
    const struct config *config;
    const struct call_list *calls;
};

/* Adds both as one text, a "-" before what was expected only, a "+" before what came only. Each
 * line begins with INDENT. Nothing where both are empty. */
void test_add_diff(struct test_side expected, struct test_side got, const char *indent,
                   struct buf *out);

/* Adds what a call sends, to whom, in a form in which two calls that do the same are the same. */
void test_add_plain(const struct config *config, const struct call *call, struct buf *out);

#endif
