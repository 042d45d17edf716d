/*
 * Files of rule tests: read, checked, and rewritten where expectations change, byte by byte the
 * same but for these. Owns the text, the tree and the tests.
 */
#ifndef CMD_TEST_FILE_H
#define CMD_TEST_FILE_H

#include <limits.h>

#include "cmd/record_json.h"
#include "config/config.h"
#include "rules/ruleset.h"

enum { TEST_ANY_ACCOUNT = UINT_MAX /* a call expected of whichever account */ };

struct rule_test {
    const char *name; /* borrowed from the tree */
    struct record_json record;
    bool has_now;
    int64_t now_ms;
    bool is_open;              /* neither calls nor an error are expected yet */
    struct call_list expected; /* their rule is "" where none is named */
    const char *error;         /* text in the reason; NULL: calls are expected */
    struct json_range object;  /* where it stands */
    char *update;              /* what to expect from now on, as written; NULL: nothing new */
};

struct test_file {
    const char *path; /* borrowed */
    struct buf text;
    json_t *root;
    struct rule_test *tests;
    size_t count;
};

/* Reads PATH. Every mistake goes to DIAG; NULL when there was one. MAY_BE_OPEN: tests need not
 * expect anything. */
struct test_file *test_file_read(const char *path, const struct config *config, bool may_be_open,
                                 struct diag *diag) MUSTCHECK;

/* The same for a text that is handed in; PATH is what messages call it. TEXT is taken. */
struct test_file *test_file_parse(const char *path, struct buf *text, const struct config *config,
                                  bool may_be_open, struct diag *diag) MUSTCHECK;
void test_file_free(struct test_file *file); /* NULL is accepted */

unsigned test_file_line(const struct test_file *file, const struct rule_test *test); /* from 1 */

/* Makes the test expect what came of its event. */
void rule_test_update(const struct test_file *file, struct rule_test *test,
                      const struct config *config, enum map_outcome outcome,
                      const struct mapping *mapping);

/* Adds the file's text as it is with all updates. Returns how many there are. */
int test_file_print(const struct test_file *file, struct buf *out);

/* Writes the file anew if a test was updated. Returns how many were, or -1. */
int test_file_write(const struct test_file *file, struct err *err) MUSTCHECK;

#endif
