/* Random JSON for tests of rules: small, so that paths often hit and values often meet their
 * equals. */
#ifndef TESTS_JSON_UNIT_H
#define TESTS_JSON_UNIT_H

#include <jansson.h>

#include "unit.h"

static const char *const NAMES[] = {"a", "b", "c", "item", "not"};
static const char *const TEXTS[] = {"", "a", "a", "ab", "b", "1", "\xc3\xa9"};
static const double REALS[] = {
    0.0, 1.0, 1.0, 2.0, 1.5, 1e21, 9007199254740992.0, 9223372036854775808.0};
static const json_int_t INTS[] = {0, 1, 1, 2, 2, -1, 9007199254740993, INT64_MAX};

#define PICK(rng, list) ((list)[rng_below(rng, ARRAY_LEN(list))])

static inline json_t *
random_json(struct rng *rng, int depth)
{
    json_t *json;
    size_t count = rng_below(rng, 4);

    switch (rng_below(rng, depth > 0 ? 9 : 6)) {
    case 0:
        return json_null();
    case 1:
        return json_boolean(rng_below(rng, 2));
    case 2:
        return json_integer(PICK(rng, INTS));
    case 3:
        return json_real(PICK(rng, REALS));
    case 4:
    case 5:
        return json_string(PICK(rng, TEXTS));
    case 6:
        json = json_array();
        while (count--)
            json_array_append_new(json, random_json(rng, depth - 1));
        return json;
    default:
        json = json_object();
        while (count--)
            json_object_set_new(json, PICK(rng, NAMES), random_json(rng, depth - 1));
        return json;
    }
}

#endif
