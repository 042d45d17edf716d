/*
 * What diff found, told to people and to programs. Owns the samples, in which addresses are masked
 * and which are bounded in number and length.
 */
#ifndef CMD_DIFF_REPORT_H
#define CMD_DIFF_REPORT_H

#include "cmd/diff_tally.h"

enum {
    DIFF_SAMPLES_MAX = 100,       /* of all rules together */
    DIFF_SAMPLE_BYTES = 16 * 1024 /* of one, about */
};

struct diff_sample {
    char *where, *topic;
    const char *rule;         /* of the call that it is a sample for; "" without one */
    bool reordered;           /* nothing else differs */
    char *reason[DIFF_SIDES]; /* why there is a dead letter; NULL: there is none */
    char *text;               /* the difference, for people */
    char *calls[DIFF_SIDES];  /* those that differ, as JSON; NULL where they are too long */
};

struct diff_report {
    const char *files[DIFF_SIDES];
    const struct ruleset *rules[DIFF_SIDES];
    struct diff_tally tally;
    struct diff_sample samples[DIFF_SAMPLES_MAX];
    size_t sample_count;
    size_t samples_most; /* of each rule */
    bool interrupted;    /* there were more events */
};

/* Keeps the event as a sample if there is not enough of its kind. REASONS: NULL where it could be
 * mapped. */
void diff_report_sample(struct diff_report *report, const struct event *event, const char *where,
                        const char *const reasons[DIFF_SIDES], const struct diff_pairs *pairs,
                        const struct test_side sides[DIFF_SIDES]);
void diff_report_fini(struct diff_report *report); /* the samples, and the tally */

void diff_report_print(const struct diff_report *report, FILE *out);
void diff_report_print_json(const struct diff_report *report, FILE *out);

#endif
