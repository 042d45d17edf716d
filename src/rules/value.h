/*
 * A value while an expression is evaluated: a scalar, a text that carries its length, or an array
 * or object. Owns nothing: texts and items live in an arena or in the event's JSON tree, which
 * outlive it.
 */
#ifndef RULES_VALUE_H
#define RULES_VALUE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/macros.h"

enum value_kind {
    VALUE_NULL,
    VALUE_BOOL,
    VALUE_INT,
    VALUE_REAL, /* always finite */
    VALUE_TEXT, /* valid UTF-8; may hold NUL, not NUL-terminated */
    VALUE_ARRAY,
    VALUE_OBJECT
};

struct value {
    enum value_kind kind;
    bool in_json; /* array: its elements are JSON, not items */
    size_t len;   /* text: bytes; array: elements */
    union {
        bool boolean;
        int64_t integer;
        double real;
        const char *text;
        const struct value *items;
        json_t *json; /* object, or an array in_json; never counted as a reference */
    };
};

static inline struct value
value_null(void)
{
    return (struct value){.kind = VALUE_NULL};
}

static inline struct value
value_bool(bool boolean)
{
    return (struct value){.kind = VALUE_BOOL, .boolean = boolean};
}

static inline struct value
value_int(int64_t integer)
{
    return (struct value){.kind = VALUE_INT, .integer = integer};
}

static inline struct value
value_text(const char *text, size_t len)
{
    return (struct value){.kind = VALUE_TEXT, .text = text, .len = len};
}

static inline struct value
value_array(const struct value *items, size_t count)
{
    return (struct value){.kind = VALUE_ARRAY, .items = items, .len = count};
}

static inline bool
value_is_null(const struct value *value)
{
    return value->kind == VALUE_NULL;
}

static inline bool
value_is_number(const struct value *value)
{
    return value->kind == VALUE_INT || value->kind == VALUE_REAL;
}

enum { VALUE_WORK_BYTES = 16 /* bytes of a text that count as one more element looked at */ };

struct value value_real(double real);     /* null when REAL is not finite */
struct value value_of_json(json_t *json); /* NULL is null */

struct value value_item(const struct value *array, size_t i);

/* The member of an object, or null. */
struct value value_member(const struct value *object, const char *key, size_t key_len);

/* False are null, false, 0, "", [] and {}. */
bool value_truth(const struct value *value);

double value_number(const struct value *number); /* an integer over 2^53 is rounded */

/* Whether NUMBER is whole and fits; sets WHOLE then. */
bool value_whole(const struct value *number, int64_t *whole);

/* Different types are not equal, numbers compare by exact value, arrays and objects by what they
 * hold. Adds to WORK the elements looked at, a long text counting as many. */
bool value_equal(const struct value *a, const struct value *b, size_t *work);

/* Of two numbers, or of two texts (by code point): below, at or above 0. */
int value_compare(const struct value *a, const struct value *b);

/* Equal values have equal hashes. Adds to WORK as value_equal does. */
uint64_t value_hash(const struct value *value, uint64_t seed, size_t *work);

/* A set of values, to find repeated ones in linear time. */
struct value_set {
    struct value_set_slot *slots;
    size_t slot_count; /* a power of two */
    uint64_t seed;
};

/* For at most MOST values, in ROOM of as many bytes as value_set_size says. */
size_t value_set_size(size_t most);
void value_set_init(struct value_set *set, size_t most, uint64_t seed, void *room);

/* False when an equal value is in it already. */
bool value_set_add(struct value_set *set, const struct value *value, size_t *work);

/* A scalar as text: numbers as JavaScript writes them, integers with all digits. False for null,
 * arrays and objects. What is no text yet is written into ARENA. */
bool value_as_text(const struct value *value, struct arena *arena, struct value *text);

/* Adds compact JSON, keys in their order, numbers as value_as_text writes them. */
void value_add_json(const struct value *value, struct buf *buf);

#endif
