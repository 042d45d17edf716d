#include "sendx/traceparent.h"

#include <string.h>

/* Where the parts stand: 00-<32 digits>-<16 digits>-01 */
enum { ID_AT = 3, PARENT_AT = 36, PARENT_LEN = 16, FLAGS_AT = 53 };

static bool
is_hex(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (!(text[i] >= '0' && text[i] <= '9') && !(text[i] >= 'a' && text[i] <= 'f'))
            return false;
    }
    return true;
}

static bool
is_zero(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (text[i] != '0')
            return false;
    }
    return true;
}

bool
traceparent_read(struct traceparent *ret, const void *bytes, size_t len)
{
    const char *text = bytes;

    ret->text[0] = ret->id[0] = '\0';
    if (!bytes || len != TRACEPARENT_LEN)
        return false;
    if (text[ID_AT - 1] != '-' || text[PARENT_AT - 1] != '-' || text[FLAGS_AT - 1] != '-')
        return false;
    if (!is_hex(text, 2) || !memcmp(text, "ff", 2) || !is_hex(text + FLAGS_AT, 2))
        return false;
    if (!is_hex(text + ID_AT, TRACEPARENT_ID_LEN) || is_zero(text + ID_AT, TRACEPARENT_ID_LEN) ||
        !is_hex(text + PARENT_AT, PARENT_LEN) || is_zero(text + PARENT_AT, PARENT_LEN))
        return false;
    memcpy(ret->text, text, TRACEPARENT_LEN);
    ret->text[TRACEPARENT_LEN] = '\0';
    memcpy(ret->id, text + ID_AT, TRACEPARENT_ID_LEN);
    ret->id[TRACEPARENT_ID_LEN] = '\0';
    return true;
}
