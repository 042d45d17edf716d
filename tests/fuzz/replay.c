/*
 * An entry without libFuzzer: runs it over every file of the folders that are named, and over
 * MUTATIONS changed ones of each, the same each time. What libFuzzer found is replayed by naming
 * the file.
 *
 *   build/fuzz/fuzz_expression [MUTATIONS] FOLDER|FILE…
 */
#include <dirent.h>
#include <sys/stat.h>

#include "base/rng.h"
#include "base/xalloc.h"
#include "fuzz.h"

enum { INPUT_MAX = 1 << 20, CHANGES_MAX = 4 };

static size_t files, runs;

static void
run(const uint8_t *data, size_t len)
{
    /* Of its exact size, so that a sanitizer sees a step beyond it. */
    uint8_t *copy = xmemdup(data, len);

    LLVMFuzzerTestOneInput(copy, len);
    xfree(copy);
    runs++;
}

/* Changes a byte, doubles a piece of the text, or takes one out. */
static void
change(struct rng *rng, struct buf *text)
{
    static const char bytes[] = "'\"()[]{}|?:.,;=$@ \n0aA-+*/%\xc3\xff";
    size_t at = rng_below(rng, text->len), len = 1 + rng_below(rng, 12);
    struct buf next;

    if (len > text->len - at)
        len = text->len - at;
    buf_init(&next, INPUT_MAX);
    buf_add(&next, text->data, at);
    switch (rng_below(rng, 3)) {
    case 0:
        buf_add_char(&next, bytes[rng_below(rng, sizeof(bytes))]);
        buf_add(&next, text->data + at + 1, text->len - at - 1);
        break;
    case 1:
        buf_add(&next, text->data + rng_below(rng, text->len - len + 1), len);
        buf_add(&next, text->data + at, text->len - at);
        break;
    default:
        buf_add(&next, text->data + at + len, text->len - at - len);
    }
    buf_fini(text);
    *text = next;
}

static void
run_file(const char *path, size_t mutations)
{
    struct rng rng = {.state = 1};
    struct buf text, changed;
    char piece[4096];
    FILE *in = fopen(path, "r");
    size_t len;

    FUZZ_CHECK(in, "%s cannot be read", path);
    buf_init(&text, INPUT_MAX);
    while ((len = fread(piece, 1, sizeof(piece), in)))
        buf_add(&text, piece, len);
    fclose(in);
    files++;
    run((const uint8_t *)buf_text(&text), text.len);
    for (size_t i = 0; i < mutations; i++) {
        buf_init(&changed, INPUT_MAX);
        buf_add(&changed, text.data, text.len);
        for (uint64_t count = 1 + rng_below(&rng, CHANGES_MAX); count && changed.len; count--)
            change(&rng, &changed);
        run((const uint8_t *)buf_text(&changed), changed.len);
        buf_fini(&changed);
    }
    buf_fini(&text);
}

static void
run_folder(const char *path, size_t mutations)
{
    struct dirent **items = NULL;
    int count = scandir(path, &items, NULL, alphasort);

    FUZZ_CHECK(count >= 0, "%s cannot be read", path);
    for (int i = 0; i < count; i++) {
        char name[4096];

        snprintf(name, sizeof(name), "%s/%s", path, items[i]->d_name);
        if (items[i]->d_name[0] != '.')
            run_file(name, mutations);
        (free)(items[i]);
    }
    (free)(items);
}

int
main(int argc, char **argv)
{
    size_t mutations = 0;

    for (int i = 1; i < argc; i++) {
        struct stat status;

        if (i == 1 && strspn(argv[i], "0123456789") == strlen(argv[i]))
            mutations = strtoul(argv[i], NULL, 10);
        else if (!stat(argv[i], &status) && S_ISDIR(status.st_mode))
            run_folder(argv[i], mutations);
        else
            run_file(argv[i], mutations);
    }
    printf("%zu inputs from %zu files\n", runs, files);
    return 0;
}
