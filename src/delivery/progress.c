#include "delivery/progress.h"

#include <assert.h>
#include <string.h>

#include "base/map.h"
#include "base/xalloc.h"

enum { VARINT_MAX = 9 /* bytes, of 63 bits */ };

static const char version = '1';
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
    uint64_t hash = map_hash(group, strlen(group), (uint64_t)version);

    hash = map_hash(topic, strlen(topic), hash);
    return hash_number((uint64_t)partition, hash);
}

static uint64_t
checksum_of(const uint8_t *bytes, size_t len, uint64_t binding, int64_t committed)
{
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

/* The numbers of the first COUNT unfinished offsets and of HIGHEST, from COMMITTED on. Returns how
 * many bytes they took, or 0 when they would pass MAX. */
static size_t
put_offsets(uint8_t *bytes, size_t max, int64_t committed, const struct progress *progress)
{
    int64_t at = committed - 1, highest = progress->highest;
    size_t len = 0, count = 0;

    while (count < progress->count && progress->unfinished[count] < highest) {
        int64_t distance = progress->unfinished[count] - at;

        if (len + progress_distance_size(distance) > max) {
            highest = progress->unfinished[count] - 1; /* all below is said already */
            break;
        }
        len += put_distance(bytes + len, distance);
        at = progress->unfinished[count++];
    }
    while (highest >= committed &&
           (highest == at || len + progress_distance_size(highest - at) > max)) {
        if (!count)
            return 0;
        /* The last one is not said either: HIGHEST ends before it. */
        highest = at - 1;
        at = --count ? progress->unfinished[count - 1] : committed - 1;
        len -= progress_distance_size(highest + 1 - at);
    }
    return highest >= committed ? len + put_distance(bytes + len, highest - at) : 0;
}

void
progress_write(struct buf *text, size_t max, uint64_t binding, int64_t committed,
               const struct progress *progress)
{
    uint8_t bytes[PROGRESS_BYTES_MAX];
    size_t room = max > PROGRESS_TEXT_MAX ? PROGRESS_TEXT_MAX : max;
    size_t len;

    buf_reset(text);
    room = room ? (room - 1) * 6 / 8 : 0;
    if (room <= PROGRESS_CHECKSUM_SIZE || progress->highest < committed)
        return;
    len = put_offsets(bytes + PROGRESS_CHECKSUM_SIZE, room - PROGRESS_CHECKSUM_SIZE, committed,
                      progress);
    if (!len)
        return;
    put_number(bytes, checksum_of(bytes + PROGRESS_CHECKSUM_SIZE, len, binding, committed));
    buf_add_char(text, version);
    encode(text, bytes, PROGRESS_CHECKSUM_SIZE + len);
    assert(!buf_toobig(text) && text->len <= max);
}

/* ---- reading ---- */

static bool
take_offsets(const uint8_t *bytes, size_t len, int64_t committed, struct progress *progress)
{
    int64_t at = committed - 1;

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

bool
progress_read(const char *text, size_t len, uint64_t binding, int64_t committed,
              struct progress *ret)
{
    uint8_t bytes[PROGRESS_BYTES_MAX], checksum[PROGRESS_CHECKSUM_SIZE];
    struct progress progress = {0};
    size_t count;

    if (len < 1 + encoded_size(PROGRESS_CHECKSUM_SIZE + 1) || len > PROGRESS_TEXT_MAX ||
        text[0] != version || committed < 0)
        return false;
    count = decode(text + 1, len - 1, bytes);
    if (count <= PROGRESS_CHECKSUM_SIZE)
        return false;
    count -= PROGRESS_CHECKSUM_SIZE;
    put_number(checksum, checksum_of(bytes + PROGRESS_CHECKSUM_SIZE, count, binding, committed));
    if (memcmp(checksum, bytes, PROGRESS_CHECKSUM_SIZE) != 0)
        return false;
    progress.unfinished = xcalloc(count, sizeof(progress.unfinished[0]));
    if (!take_offsets(bytes + PROGRESS_CHECKSUM_SIZE, count, committed, &progress)) {
        xfree(progress.unfinished);
        return false;
    }
    *ret = progress;
    return true;
}
