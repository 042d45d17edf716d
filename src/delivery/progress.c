#include "delivery/progress.h"

#include <assert.h>
#include <string.h>

#include "base/map.h"
#include "base/xalloc.h"

enum {
    VARINT_MAX = 9, /* bytes, of 63 bits */
    SHIFT_MAX = 40,
    AS_VARINTS = -1 /* instead of a shift: version 1 */
};

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* ---- the checksum ---- */

static void
put_number(uint8_t *bytes, uint64_t number)
{
    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(number >> (8 * i));
}

static uint64_t
hash_number(uint64_t number, uint64_t seed)
{
    uint8_t bytes[8];

    put_number(bytes, number);
    return map_hash(bytes, sizeof(bytes), seed);
}

uint64_t
progress_binding(const char *group, const char *topic, int32_t partition)
{
    uint64_t hash = map_hash(group, strlen(group), '1');

    hash = map_hash(topic, strlen(topic), hash);
    return hash_number((uint64_t)partition, hash);
}

static uint64_t
checksum_of(char version, const uint8_t *bytes, size_t len, uint64_t binding, int64_t committed)
{
    if (version != '1') /* which came first, and has no number in it */
        binding = hash_number((uint64_t)version, binding);
    return map_hash(bytes, len, hash_number((uint64_t)committed, binding));
}

/* ---- varints: seven bits a byte, the low ones first; the eighth says that more come ---- */

size_t
progress_distance_size(int64_t distance)
{
    size_t size = 1;

    for (uint64_t rest = (uint64_t)(distance - 1) >> 7; rest; rest >>= 7)
        size++;
    return size;
}

/* The distance from what stood before, less the one that is sure. */
static size_t
put_distance(uint8_t *bytes, int64_t distance)
{
    uint64_t rest = (uint64_t)(distance - 1);
    size_t len = 0;

    assert(distance >= 1);
    for (; rest >= 0x80; rest >>= 7)
        bytes[len++] = (uint8_t)(rest | 0x80);
    bytes[len++] = (uint8_t)rest;
    return len;
}

/* Adds it to *AT and returns the bytes it took; 0 where there is none or it is no offset. */
static size_t
add_distance(const uint8_t *bytes, size_t len, int64_t *at)
{
    uint64_t value = 0;

    for (size_t i = 0; i < len && i < VARINT_MAX; i++) {
        value |= (uint64_t)(bytes[i] & 0x7f) << (7 * i);
        if (bytes[i] & 0x80)
            continue;
        if (value >= (uint64_t)INT64_MAX - (uint64_t)*at) /* AT may be -1 */
            return 0;
        *at = (int64_t)((uint64_t)*at + value + 1);
        return i + 1;
    }
    return 0;
}

/* ---- bits, the high ones of a byte first ---- */

static void
put_bit(uint8_t *bytes, size_t *at, unsigned bit)
{
    uint8_t mask = (uint8_t)(0x80 >> *at % 8);

    bytes[*at / 8] = (uint8_t)((bytes[*at / 8] & ~mask) | (bit ? mask : 0));
    ++*at;
}

static unsigned
bit_at(const uint8_t *bytes, size_t at)
{
    return bytes[at / 8] >> (7 - at % 8) & 1;
}

/* Golomb's code for a power of two: all but the low SHIFT bits as so many zeros and a one, then
 * those bits. */
static void
put_coded(uint8_t *bytes, size_t *at, int shift, int64_t distance)
{
    uint64_t rest = (uint64_t)(distance - 1);

    for (uint64_t zeros = rest >> shift; zeros; zeros--)
        put_bit(bytes, at, 0);
    put_bit(bytes, at, 1);
    for (int i = shift - 1; i >= 0; i--)
        put_bit(bytes, at, rest >> i & 1);
}

/* Adds the distance at bit *AT of END to *OFFSET. False where there is none or it is no offset. */
static bool
take_coded(const uint8_t *bytes, size_t end, size_t *at, int shift, int64_t *offset)
{
    uint64_t rest = 0;

    while (*at < end && !bit_at(bytes, *at)) {
        rest++;
        ++*at;
    }
    if (end - *at < (size_t)shift + 1)
        return false;
    ++*at;
    for (int i = 0; i < shift; i++)
        rest = rest << 1 | bit_at(bytes, (*at)++);
    if (rest >= (uint64_t)INT64_MAX - (uint64_t)*offset)
        return false;
    *offset = (int64_t)((uint64_t)*offset + rest + 1);
    return true;
}

static uint64_t
coded_bits(int shift, uint64_t count, uint64_t span)
{
    return count * ((uint64_t)shift + 1) + ((span - count) >> shift);
}

/* The shift that suits COUNT distances that add up to SPAN, whatever each of them is. */
static int
best_shift(uint64_t count, uint64_t span)
{
    int shift = 0;

    while (shift < SHIFT_MAX && coded_bits(shift + 1, count, span) < coded_bits(shift, count, span))
        shift++;
    return shift;
}

size_t
progress_coded_size(size_t count, int64_t span)
{
    return 1 +
           (size_t)(coded_bits(best_shift(count, (uint64_t)span), count, (uint64_t)span) + 7) / 8;
}

/* ---- base64url ---- */

static size_t
encoded_size(size_t len)
{
    return (len * 8 + 5) / 6;
}

static void
encode(struct buf *text, const uint8_t *bytes, size_t len)
{
    uint32_t bits = 0;
    unsigned count = 0;

    for (size_t i = 0; i < len; i++) {
        bits = bits << 8 | bytes[i];
        for (count += 8; count >= 6; count -= 6)
            buf_add_char(text, digits[bits >> (count - 6) & 63]);
    }
    if (count)
        buf_add_char(text, digits[bits << (6 - count) & 63]);
}

static int
digit_of(char c)
{
    const char *found = c ? strchr(digits, c) : NULL;

    return found ? (int)(found - digits) : -1;
}

/* The number of bytes, or 0 where TEXT is not what encode makes. */
static size_t
decode(const char *text, size_t len, uint8_t *bytes)
{
    uint32_t bits = 0;
    unsigned count = 0;
    size_t out = 0;

    for (size_t i = 0; i < len; i++) {
        int digit = digit_of(text[i]);

        if (digit < 0)
            return 0;
        bits = bits << 6 | (uint32_t)digit;
        count += 6;
        if (count < 8)
            continue;
        count -= 8;
        bytes[out++] = (uint8_t)(bits >> count);
    }
    /* Less than a digit is left over, and it is zero. */
    return count < 6 && !(bits & ((1u << count) - 1)) ? out : 0;
}

/* ---- writing ---- */

static size_t
distance_bits(int shift, int64_t distance)
{
    if (shift == AS_VARINTS)
        return 8 * progress_distance_size(distance);
    return (size_t)((uint64_t)(distance - 1) >> shift) + 1 + (size_t)shift;
}

/* That finds room in so many bits; 0: none does. */
static int64_t
longest_distance(int shift, size_t bits)
{
    if (shift == AS_VARINTS)
        return bits / 8 >= VARINT_MAX ? INT64_MAX : bits / 8 ? (int64_t)1 << 7 * (bits / 8) : 0;
    return bits > (size_t)shift ? (int64_t)(bits - (size_t)shift) << shift : 0;
}

/* Takes off the top of PROGRESS what passes MAX bits. Returns how many bits the rest takes: the
 * distances of the unfinished offsets and of the highest, from COMMITTED on. 0: nothing is left. */
static size_t
cut(struct progress *progress, size_t max, int shift, int64_t committed)
{
    int64_t at = committed - 1, highest = progress->highest;
    size_t len = 0, count = 0;

    while (count < progress->count && progress->unfinished[count] < highest) {
        size_t bits = distance_bits(shift, progress->unfinished[count] - at);

        if (bits > max - len) {
            highest = progress->unfinished[count] - 1; /* all below is said already */
            break;
        }
        len += bits;
        at = progress->unfinished[count++];
    }
    for (;;) {
        int64_t longest = longest_distance(shift, max - len);

        if (highest - at > longest)
            highest = at + longest;
        if (highest > at)
            break;
        if (!count)
            return 0;
        /* The last one is not said either: HIGHEST ends before it. */
        highest = at - 1;
        at = --count ? progress->unfinished[count - 1] : committed - 1;
        len -= distance_bits(shift, highest + 1 - at);
    }
    progress->highest = highest;
    progress->count = count;
    return len + distance_bits(shift, highest - at);
}

/* Returns the number of bytes. */
static size_t
put_offsets(uint8_t *bytes, int shift, int64_t committed, const struct progress *progress)
{
    int64_t at = committed - 1;
    size_t bits = 0;

    for (size_t i = 0; i <= progress->count; i++) {
        int64_t next = i < progress->count ? progress->unfinished[i] : progress->highest;

        if (shift == AS_VARINTS)
            bits += 8 * put_distance(bytes + bits / 8, next - at);
        else
            put_coded(bytes, &bits, shift, next - at);
        at = next;
    }
    while (bits % 8)
        put_bit(bytes, &bits, 0);
    return bits / 8;
}

/* Of the two versions the one that says more, or else the shorter one. Returns the number of bytes
 * behind the checksum, at most MAX. */
static size_t
put_progress(uint8_t *bytes, size_t max, int64_t committed, const struct progress *progress,
             char *ret_version)
{
    struct progress varints = *progress, coded = *progress;
    int shift = best_shift(progress->count + 1, (uint64_t)(progress->highest - committed) + 1);
    size_t varint_bits = cut(&varints, 8 * max, AS_VARINTS, committed);
    size_t coded_len = cut(&coded, 8 * (max - 1), shift, committed);

    *ret_version = '1';
    if (!coded_len || coded.highest < varints.highest ||
        (coded.highest == varints.highest && 8 + coded_len >= varint_bits))
        return varint_bits ? put_offsets(bytes, AS_VARINTS, committed, &varints) : 0;
    *ret_version = '2';
    bytes[0] = (uint8_t)shift;
    return 1 + put_offsets(bytes + 1, shift, committed, &coded);
}

void
progress_write(struct buf *text, size_t max, uint64_t binding, int64_t committed,
               const struct progress *progress)
{
    uint8_t bytes[PROGRESS_BYTES_MAX], *behind = bytes + PROGRESS_CHECKSUM_SIZE;
    size_t room = max > PROGRESS_TEXT_MAX ? PROGRESS_TEXT_MAX : max;
    size_t len;
    char version;

    buf_reset(text);
    room = room ? (room - 1) * 6 / 8 : 0;
    if (room <= PROGRESS_CHECKSUM_SIZE || progress->highest < committed)
        return;
    len = put_progress(behind, room - PROGRESS_CHECKSUM_SIZE, committed, progress, &version);
    if (!len)
        return;
    put_number(bytes, checksum_of(version, behind, len, binding, committed));
    buf_add_char(text, version);
    encode(text, bytes, PROGRESS_CHECKSUM_SIZE + len);
    assert(!buf_toobig(text) && text->len <= max);
}

/* ---- reading ---- */

static bool
take_varints(const uint8_t *bytes, size_t len, int64_t committed, struct progress *progress)
{
    int64_t at = committed - 1;

    progress->unfinished = xcalloc(len, sizeof(progress->unfinished[0]));
    while (len) {
        size_t used = add_distance(bytes, len, &at);

        if (!used)
            return false;
        bytes += used;
        len -= used;
        if (len)
            progress->unfinished[progress->count++] = at;
    }
    progress->highest = at;
    return true;
}

static bool
take_all_coded(const uint8_t *bytes, size_t len, int64_t committed, struct progress *progress)
{
    int shift = bytes[0];
    size_t at = 8, end = 8 * len, last;

    if (shift > SHIFT_MAX)
        return false;
    progress->unfinished = xcalloc(end / ((size_t)shift + 1), sizeof(progress->unfinished[0]));
    progress->highest = committed - 1;
    do {
        last = at;
        if (progress->highest >= committed)
            progress->unfinished[progress->count++] = progress->highest;
    } while (take_coded(bytes, end, &at, shift, &progress->highest));
    /* The last that was found is the highest; behind it the byte is filled with zeros. */
    if (!progress->count || end - last >= 8)
        return false;
    progress->highest = progress->unfinished[--progress->count];
    for (; last < end; last++) {
        if (bit_at(bytes, last))
            return false;
    }
    return true;
}

bool
progress_read(const char *text, size_t len, uint64_t binding, int64_t committed,
              struct progress *ret)
{
    uint8_t bytes[PROGRESS_BYTES_MAX], checksum[PROGRESS_CHECKSUM_SIZE];
    const uint8_t *behind = bytes + PROGRESS_CHECKSUM_SIZE;
    struct progress progress = {0};
    size_t count;

    if (len < 1 + encoded_size(PROGRESS_CHECKSUM_SIZE + 1) || len > PROGRESS_TEXT_MAX ||
        (text[0] != '1' && text[0] != '2') || committed < 0)
        return false;
    count = decode(text + 1, len - 1, bytes);
    if (count <= PROGRESS_CHECKSUM_SIZE)
        return false;
    count -= PROGRESS_CHECKSUM_SIZE;
    put_number(checksum, checksum_of(text[0], behind, count, binding, committed));
    if (memcmp(checksum, bytes, PROGRESS_CHECKSUM_SIZE) != 0)
        return false;
    if (text[0] == '1' ? !take_varints(behind, count, committed, &progress)
                       : !take_all_coded(behind, count, committed, &progress)) {
        xfree(progress.unfinished);
        return false;
    }
    *ret = progress;
    return true;
}
