/* Filters that make texts or numbers of single values. See filter.h. */
#ifndef RULES_FILTER_TEXT_H
#define RULES_FILTER_TEXT_H

#include "rules/filter.h"

filter_fn filter_lower, filter_upper, filter_trim, filter_title, filter_slug, filter_replace,
    filter_split, filter_prefix, filter_suffix, filter_substr, filter_match, filter_number,
    filter_round, filter_fixed, filter_date, filter_epoch, filter_table;

/* What a slug keeps: runs of these stand between its "-". */
#define FILTER_SLUG_PATTERN "[\\p{L}\\p{M}\\p{N}]+"

#endif
