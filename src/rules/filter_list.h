/* Filters that take arrays and objects as a whole. See filter.h. */
#ifndef RULES_FILTER_LIST_H
#define RULES_FILTER_LIST_H

#include "rules/filter.h"

filter_fn filter_join, filter_first, filter_last, filter_length, filter_unique, filter_sort,
    filter_keys, filter_sum, filter_min, filter_max, filter_json, filter_default;

#endif
