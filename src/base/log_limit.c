#include "base/log_limit.h"

struct log_limit *
log_kinds_limit(struct log_kinds *kinds, uint64_t hash)
{
    struct log_kind *oldest = kinds->kinds;

    for (size_t i = 0; i < kinds->count; i++) {
        if (kinds->kinds[i].hash == hash)
            return &kinds->kinds[i].limit;
        if (kinds->kinds[i].limit.open_ms < oldest->limit.open_ms)
            oldest = &kinds->kinds[i];
    }
    if (kinds->count < LOG_KINDS)
        oldest = &kinds->kinds[kinds->count++];
    *oldest = (struct log_kind){.hash = hash};
    return &oldest->limit;
}
