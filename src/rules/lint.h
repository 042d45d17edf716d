/*
 * Lints: what is allowed in rules and hardly meant. For rules that load without an error. Each
 * finding is a warning with a name and a way out, and is given only where it is certain; what
 * depends on the events is left alone. Pure: no I/O, no clock, no globals. Owns nothing afterwards.
 */
#ifndef RULES_LINT_H
#define RULES_LINT_H

#include "rules/spec.h"
#include "sendx/account.h"

/*    id, name, what it finds */
#define LINT_TABLE(X)                                                                             \
    X(RULE_UNREACHABLE, "rule-unreachable",                                                       \
      "an earlier rule with `stop` takes every event of the rule's topics")                       \
    X(TAG_ADDED_AND_REMOVED, "tag-added-and-removed", "a rule adds and removes the same tag")     \
    X(TAG_NEVER_ADDED, "tag-never-added", "a tag is removed that no rule of the account can add") \
    X(TRACK_WITHOUT_IDENTIFY, "track-without-identify",                                           \
      "`track` in a topic in which no rule identifies, while the account's `on_unknown_contact` " \
      "does not create the contact")                                                              \
    X(EMAIL_WITHOUT_LOWER, "email-without-lower",                                                 \
      "an e-mail that may hold capitals, so that one person may become two contacts")             \
    X(ALWAYS_LEFT_OUT, "always-left-out", "a template that is null or empty whatever the event")  \
    X(PART_MAY_BE_EMPTY, "part-may-be-empty",                                                     \
      "a part of a tag may be an empty text, which leaves a tag such as `source: `")              \
    X(FOREIGN_CONSTANT, "foreign-constant",                                                       \
      "a field called `True`, `None`, `nil` or the like, where a constant is meant")              \
    X(TABLE_KEY_EXCLUDED, "table-key-excluded",                                                   \
      "an entry of a table that every rule's `when` "                                             \
      "keeps from being looked up")

#define X(id, name, doc) LINT_##id,
enum lint { LINT_TABLE(X) LINT_COUNT };
#undef X

const char *lint_name(enum lint lint);
const char *lint_doc(enum lint lint);

/* Adds what it finds in SPEC to DIAG. ACCOUNTS are those that SPEC names, in its order. */
void lint_rules(const struct spec_ruleset *spec, const struct account *accounts, struct diag *diag);

#endif
