/*
 * The metadata of a committed offset, from whoever wrote it: it is none, or it is a progress that
 * is in order and says the same when it is written again. And the bytes as offsets: what is
 * written, is read as far as it fitted, and never says of an unfinished offset that it is finished.
 */
#include "base/xalloc.h"
#include "delivery/progress.h"
#include "fuzz.h"

enum { BINDING = 7, COMMITTED = 1000 };

static void
check_order(const struct progress *progress, int64_t committed)
{
    int64_t before = committed - 1;

    FUZZ_CHECK(progress->count <= PROGRESS_OFFSETS_MAX);
    for (size_t i = 0; i < progress->count; i++) {
        FUZZ_CHECK(progress->unfinished[i] > before);
        before = progress->unfinished[i];
    }
    FUZZ_CHECK(progress->highest > before);
}

static void
check_read(const uint8_t *data, size_t size)
{
    struct progress progress, again;
    struct buf text;

    if (!progress_read((const char *)data, size, BINDING, COMMITTED, &progress))
        return;
    check_order(&progress, COMMITTED);
    buf_init(&text, PROGRESS_TEXT_MAX);
    progress_write(&text, PROGRESS_TEXT_MAX, BINDING, COMMITTED, &progress);
    FUZZ_CHECK(progress_read(buf_text(&text), text.len, BINDING, COMMITTED, &again));
    FUZZ_CHECK(again.highest == progress.highest && again.count == progress.count);
    FUZZ_CHECK(!progress_read(buf_text(&text), text.len, BINDING, COMMITTED + 1, &progress));
    xfree(progress.unfinished);
    xfree(again.unfinished);
    buf_fini(&text);
}

/* Each byte leads to the next unfinished offset, a large one far away; the last, to the highest. */
static void
check_write(const uint8_t *data, size_t size, size_t max)
{
    struct progress progress = {.highest = COMMITTED}, read;
    struct buf text;

    progress.unfinished = xcalloc(size + 1, sizeof(progress.unfinished[0]));
    for (size_t i = 0; i < size; i++) {
        int64_t distance = data[i] < 200 ? data[i] + 1 : INT64_C(1) << (data[i] - 200);

        progress.unfinished[i] = progress.highest;
        progress.count++;
        if (progress.highest > INT64_MAX / 2 - distance)
            break;
        progress.highest += distance;
    }
    buf_init(&text, PROGRESS_TEXT_MAX);
    if (!progress.count || progress.highest == progress.unfinished[progress.count - 1])
        progress.count = 0;
    progress_write(&text, max, BINDING, COMMITTED, &progress);
    FUZZ_CHECK(text.len <= max);
    if (text.len) {
        FUZZ_CHECK(progress_read(buf_text(&text), text.len, BINDING, COMMITTED, &read));
        check_order(&read, COMMITTED);
        FUZZ_CHECK(read.highest <= progress.highest && read.count <= progress.count);
        FUZZ_CHECK(!read.count || !memcmp(read.unfinished, progress.unfinished,
                                          read.count * sizeof(read.unfinished[0])));
        FUZZ_CHECK(read.count == progress.count || read.highest <= progress.unfinished[read.count]);
        xfree(read.unfinished);
    }
    buf_fini(&text);
    xfree(progress.unfinished);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_read(data, size);
    check_write(data, size, PROGRESS_TEXT_MAX);
    check_write(data, size, size < PROGRESS_TEXT_MAX ? size : PROGRESS_TEXT_MAX);
    return 0;
}
