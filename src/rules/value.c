#include "rules/value.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "base/map.h"
#include "rules/decimal.h"

/* Doubles at and above this, 2^63, are not 64-bit integers. */
#define INT_END 9223372036854775808.0

struct value
value_real(double real)
{
    return isfinite(real) ? (struct value){.kind = VALUE_REAL, .real = real} : value_null();
}

struct value
value_of_json(json_t *json)
{
    if (!json)
        return value_null();
    switch (json_typeof(json)) {
    case JSON_OBJECT:
        return (struct value){.kind = VALUE_OBJECT, .json = json};
    case JSON_ARRAY:
        return (struct value){
            .kind = VALUE_ARRAY, .in_json = true, .len = json_array_size(json), .json = json};
    case JSON_STRING:
        return value_text(json_string_value(json), json_string_length(json));
    case JSON_INTEGER:
        return value_int(json_integer_value(json));
    case JSON_REAL:
        return value_real(json_real_value(json));
    case JSON_TRUE:
        return value_bool(true);
    case JSON_FALSE:
        return value_bool(false);
    case JSON_NULL:
        break;
    }
    return value_null();
}

struct value
value_item(const struct value *array, size_t i)
{
    return array->in_json ? value_of_json(json_array_get(array->json, i)) : array->items[i];
}

struct value
value_member(const struct value *object, const char *key, size_t key_len)
{
    if (object->kind != VALUE_OBJECT)
        return value_null();
    return value_of_json(json_object_getn(object->json, key, key_len));
}

bool
value_truth(const struct value *value)
{
    switch (value->kind) {
    case VALUE_NULL:
        return false;
    case VALUE_BOOL:
        return value->boolean;
    case VALUE_INT:
        return value->integer != 0;
    case VALUE_REAL:
        return value->real != 0;
    case VALUE_TEXT:
    case VALUE_ARRAY:
        return value->len != 0;
    case VALUE_OBJECT:
        return json_object_size(value->json) != 0;
    }
    return false;
}

double
value_number(const struct value *number)
{
    return number->kind == VALUE_INT ? (double)number->integer : number->real;
}

bool
value_whole(const struct value *number, int64_t *whole)
{
    if (number->kind == VALUE_INT) {
        *whole = number->integer;
        return true;
    }
    if (number->kind != VALUE_REAL || number->real >= INT_END || number->real < -INT_END ||
        number->real != floor(number->real))
        return false;
    *whole = (int64_t)number->real;
    return true;
}

static int
compare_int_real(int64_t integer, double real)
{
    int64_t cut;

    if (real >= INT_END)
        return -1;
    if (real < -INT_END)
        return 1;
    cut = (int64_t)real;
    if (integer != cut)
        return integer < cut ? -1 : 1;
    return real > (double)cut ? -1 : real < (double)cut;
}

static int
compare_numbers(const struct value *a, const struct value *b)
{
    if (a->kind == VALUE_INT && b->kind == VALUE_INT)
        return a->integer < b->integer ? -1 : a->integer > b->integer;
    if (a->kind == VALUE_INT)
        return compare_int_real(a->integer, b->real);
    if (b->kind == VALUE_INT)
        return -compare_int_real(b->integer, a->real);
    return a->real < b->real ? -1 : a->real > b->real;
}

/* The order of UTF-8's bytes is that of the code points. */
static int
compare_texts(const struct value *a, const struct value *b)
{
    size_t len = a->len < b->len ? a->len : b->len;
    int order = len ? memcmp(a->text, b->text, len) : 0;

    if (order)
        return order;
    return a->len < b->len ? -1 : a->len > b->len;
}

int
value_compare(const struct value *a, const struct value *b)
{
    if (value_is_number(a)) {
        assert(value_is_number(b));
        return compare_numbers(a, b);
    }
    assert(a->kind == VALUE_TEXT && b->kind == VALUE_TEXT);
    return compare_texts(a, b);
}

static bool
arrays_equal(const struct value *a, const struct value *b, size_t *work)
{
    if (a->len != b->len)
        return false;
    for (size_t i = 0; i < a->len; i++) {
        struct value left = value_item(a, i), right = value_item(b, i);

        if (!value_equal(&left, &right, work))
            return false;
    }
    return true;
}

static bool
objects_equal(json_t *a, json_t *b, size_t *work)
{
    void *iter;

    if (a == b)
        return true;
    if (json_object_size(a) != json_object_size(b))
        return false;
    for (iter = json_object_iter(a); iter; iter = json_object_iter_next(a, iter)) {
        json_t *other =
            json_object_getn(b, json_object_iter_key(iter), json_object_iter_key_len(iter));
        struct value left = value_of_json(json_object_iter_value(iter));
        struct value right = value_of_json(other);

        *work += json_object_iter_key_len(iter) / VALUE_WORK_BYTES;
        if (!other || !value_equal(&left, &right, work))
            return false;
    }
    return true;
}

bool
value_equal(const struct value *a, const struct value *b, size_t *work)
{
    ++*work;
    if (value_is_number(a) && value_is_number(b))
        return compare_numbers(a, b) == 0;
    if (a->kind != b->kind)
        return false;
    switch (a->kind) {
    case VALUE_NULL:
        return true;
    case VALUE_BOOL:
        return a->boolean == b->boolean;
    case VALUE_TEXT:
        if (a->len != b->len)
            return false;
        *work += a->len / VALUE_WORK_BYTES;
        return !a->len || !memcmp(a->text, b->text, a->len);
    case VALUE_ARRAY:
        return arrays_equal(a, b, work);
    case VALUE_OBJECT:
        return objects_equal(a->json, b->json, work);
    default:
        return false;
    }
}

static uint64_t
hash_number(const struct value *number, uint64_t seed)
{
    double real;
    int64_t whole;

    if (value_whole(number, &whole))
        return map_hash(&whole, sizeof(whole), seed);
    real = number->real;
    return map_hash(&real, sizeof(real), seed + 1);
}

/* The members' hashes are summed, so that their order does not count. */
static uint64_t
hash_object(json_t *object, uint64_t seed, size_t *work)
{
    uint64_t sum = json_object_size(object);
    void *iter;

    for (iter = json_object_iter(object); iter; iter = json_object_iter_next(object, iter)) {
        struct value value = value_of_json(json_object_iter_value(iter));
        uint64_t pair[2] = {
            map_hash(json_object_iter_key(iter), json_object_iter_key_len(iter), seed),
            value_hash(&value, seed, work)};

        *work += json_object_iter_key_len(iter) / VALUE_WORK_BYTES;
        sum += map_hash(pair, sizeof(pair), seed);
    }
    return sum;
}

uint64_t
value_hash(const struct value *value, uint64_t seed, size_t *work)
{
    uint64_t pair[2] = {value->kind, 0};

    ++*work;
    switch (value->kind) {
    case VALUE_NULL:
        break;
    case VALUE_BOOL:
        pair[1] = value->boolean;
        break;
    case VALUE_INT:
    case VALUE_REAL:
        return hash_number(value, seed);
    case VALUE_TEXT:
        *work += value->len / VALUE_WORK_BYTES;
        return map_hash(value->text, value->len, seed + 2);
    case VALUE_ARRAY:
        for (size_t i = 0; i < value->len; i++) {
            struct value item = value_item(value, i);

            pair[0] = map_hash(pair, sizeof(pair), seed);
            pair[1] = value_hash(&item, seed, work);
        }
        break;
    case VALUE_OBJECT:
        pair[1] = hash_object(value->json, seed, work);
        break;
    }
    return map_hash(pair, sizeof(pair), seed);
}

struct value_set_slot {
    bool used;
    uint64_t hash;
    struct value value;
};

static size_t
slots_for(size_t most)
{
    size_t count = 8;

    while (count < 2 * most)
        count *= 2;
    return count;
}

size_t
value_set_size(size_t most)
{
    return slots_for(most) * sizeof(struct value_set_slot);
}

void
value_set_init(struct value_set *set, size_t most, uint64_t seed, void *room)
{
    memset(room, 0, value_set_size(most));
    set->seed = seed;
    set->slot_count = slots_for(most);
    set->slots = room;
}

bool
value_set_add(struct value_set *set, const struct value *value, size_t *work)
{
    uint64_t hash = value_hash(value, set->seed, work);
    size_t i = hash & (set->slot_count - 1);

    for (; set->slots[i].used; i = (i + 1) & (set->slot_count - 1)) {
        if (set->slots[i].hash == hash && value_equal(&set->slots[i].value, value, work))
            return false;
    }
    set->slots[i] = (struct value_set_slot){.used = true, .hash = hash, .value = *value};
    return true;
}

static size_t
write_number(const struct value *number, char *text)
{
    struct decimal decimal;

    /* Past 2^53 JavaScript would round an integer; here it keeps its digits, and below 1e21 that is
     * how a decimal is written anyway. */
    if (number->kind == VALUE_INT)
        decimal = decimal_of_int(number->integer);
    else
        decimal = decimal_of_real(number->real);
    return decimal_write(&decimal, text);
}

bool
value_as_text(const struct value *value, struct arena *arena, struct value *text)
{
    char number[DECIMAL_TEXT_MAX];
    size_t len;

    switch (value->kind) {
    case VALUE_TEXT:
        *text = *value;
        return true;
    case VALUE_BOOL:
        *text = value->boolean ? value_text("true", 4) : value_text("false", 5);
        return true;
    case VALUE_INT:
    case VALUE_REAL:
        len = write_number(value, number);
        *text = value_text(arena_text(arena, number, len), len);
        return true;
    default:
        return false;
    }
}

static void
add_json_array(const struct value *array, struct buf *buf)
{
    buf_add_char(buf, '[');
    for (size_t i = 0; i < array->len && !buf_toobig(buf); i++) {
        struct value item = value_item(array, i);

        if (i)
            buf_add_char(buf, ',');
        value_add_json(&item, buf);
    }
    buf_add_char(buf, ']');
}

static void
add_json_object(json_t *object, struct buf *buf)
{
    char separator = '{';
    void *iter;

    if (!json_object_size(object))
        buf_add_char(buf, '{');
    for (iter = json_object_iter(object); iter && !buf_toobig(buf);
         iter = json_object_iter_next(object, iter)) {
        struct value value = value_of_json(json_object_iter_value(iter));

        buf_add_char(buf, separator);
        separator = ',';
        buf_add_json(buf, json_object_iter_key(iter), json_object_iter_key_len(iter));
        buf_add_char(buf, ':');
        value_add_json(&value, buf);
    }
    buf_add_char(buf, '}');
}

void
value_add_json(const struct value *value, struct buf *buf)
{
    char number[DECIMAL_TEXT_MAX];

    switch (value->kind) {
    case VALUE_NULL:
        buf_add_text(buf, "null");
        break;
    case VALUE_BOOL:
        buf_add_text(buf, value->boolean ? "true" : "false");
        break;
    case VALUE_INT:
    case VALUE_REAL:
        buf_add(buf, number, write_number(value, number));
        break;
    case VALUE_TEXT:
        buf_add_json(buf, value->text, value->len);
        break;
    case VALUE_ARRAY:
        add_json_array(value, buf);
        break;
    case VALUE_OBJECT:
        add_json_object(value->json, buf);
        break;
    }
}
