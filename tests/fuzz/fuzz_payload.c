/*
 * A payload: it is JSON, or it is not and there is a reason that quotes nothing of it; jansson on
 * its own, which refuses integers past 64 bits unless all are read as doubles, says the same, and
 * reads the same tree, keys in the same order.
 */
#include "fuzz.h"
#include "rules/decode.h"
#include "rules/value.h"

enum { TEXT_MAX = 64 << 20 };

static void
check_same(json_t *ours, json_t *theirs)
{
    struct value a = value_of_json(ours), b = value_of_json(theirs);
    struct buf x, y;

    buf_init(&x, TEXT_MAX);
    buf_init(&y, TEXT_MAX);
    value_add_json(&a, &x);
    value_add_json(&b, &y);
    FUZZ_CHECK(x.len == y.len && !memcmp(buf_text(&x), buf_text(&y), x.len), "%s\n%s", buf_text(&x),
               buf_text(&y));
    buf_fini(&x);
    buf_fini(&y);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char reason[128] = "";
    json_t *ours = decode_json((const char *)data, size, reason, sizeof(reason));
    json_t *exact = json_loadb((const char *)data, size, JSON_DECODE_ANY, NULL);
    json_t *rounded =
        json_loadb((const char *)data, size, JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL, NULL);

    FUZZ_CHECK(!ours == !rounded, "%s", reason);
    FUZZ_CHECK(!ours == (strlen(reason) > 8), "%s", reason);
    for (const char *c = reason; *c; c++)
        FUZZ_CHECK(*c >= ' ' && *c < 0x7f);
    if (exact)
        check_same(ours, exact);
    json_decref(ours);
    json_decref(exact);
    json_decref(rounded);
    return 0;
}
