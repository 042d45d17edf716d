/*
 * What two sets of rules make of events, counted: by rule, by tag, by contact. Bounded: contacts
 * are told apart up to a number, and tags are listed up to one. Owns its maps.
 */
#ifndef CMD_DIFF_TALLY_H
#define CMD_DIFF_TALLY_H

#include "base/map.h"
#include "cmd/diff_pair.h"
#include "rules/ruleset.h"

enum {
    DIFF_TAGS_MAX = 1000,            /* that are listed */
    DIFF_CONTACTS_MAX = 1024 * 1024, /* times that a contact is remembered, by rule and tag */
    DIFF_OLD = 0,
    DIFF_NEW = 1,
    DIFF_SIDES = 2
};

/* Hashes of contacts, each beneath the number of what it is counted for. */
struct contact_set {
    uint64_t *slots; /* 0: free */
    size_t slot_count, count;
    bool full; /* more came than have room */
};

struct diff_rule {
    struct map_node node; /* by its name */
    const char *name;
    size_t calls[4]; /* by enum diff_kind */
    size_t contacts;
};

struct diff_tag {
    struct map_node node; /* by the tag */
    const char *tag;
    size_t more[2], fewer[2]; /* times that it is added, or [1] removed */
    size_t contacts;
};

struct diff_tally {
    size_t events, differing; /* those of which anything differs */
    size_t outcomes[DIFF_SIDES][MAP_OUTCOME_COUNT];
    size_t total[DIFF_SIDES]; /* calls */
    size_t calls[4];          /* by enum diff_kind */
    size_t contacts;          /* of calls that differ */
    size_t reordered;         /* events */
    size_t differences;       /* calls that differ, and one for an event that does so otherwise */
    struct diff_rule *rules;  /* of both, the old ones first */
    size_t rule_count;
    struct diff_tag **tags; /* sorted by diff_tally_sort */
    size_t tag_count, tag_cap;
    size_t tags_left_out; /* changes of tags that are not listed */
    struct map rules_by_name, tags_by_text;
    struct contact_set seen;
    struct arena arena;
    struct buf key;
};

void diff_tally_init(struct diff_tally *tally, const struct ruleset *old,
                     const struct ruleset *new);
void diff_tally_fini(struct diff_tally *tally);

/* Counts an event: what became of it on each side, and its calls. Returns whether anything differs.
 */
bool diff_tally_add(struct diff_tally *tally, const enum map_outcome outcomes[DIFF_SIDES],
                    const struct diff_pairs *pairs, const struct test_side sides[DIFF_SIDES]);

/* Puts the tags with the most changes first. */
void diff_tally_sort(struct diff_tally *tally);

#endif
