/*
 * A configuration file; behind a NUL, one that it may include as "i.conf". Whatever its bytes, it
 * loads or there are findings, each with a file; what loads is linted, is taken over by a running
 * worker without a change, and printed, loads again as the same.
 */
#include <unistd.h>

#include "config/config.h"
#include "fuzz.h"

enum { PATH_LEN_MAX = 128 };

/* libconfig keeps a few bytes of some files that it refuses. */
const char *__lsan_default_suppressions(void);

const char *
__lsan_default_suppressions(void)
{
    return "leak:libconfig";
}

static char folder[PATH_LEN_MAX];

static const char *
path_of(const char *name)
{
    static char path[PATH_LEN_MAX + 16];

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    return path;
}

static void
remove_folder(void)
{
    unlink(path_of("f.conf"));
    unlink(path_of("i.conf"));
    unlink(path_of("p.conf"));
    rmdir(folder);
}

/* In memory where there is such a place. */
static void
make_folder(void)
{
    static const char *const variables[] = {"KEY", "SENDX_API_KEY", "SENDX_TEAM_ID"};
    bool shm = access("/dev/shm", W_OK) == 0;

    snprintf(folder, sizeof(folder), "%s/sendx-fuzz-XXXXXX", shm ? "/dev/shm" : "/tmp");
    FUZZ_CHECK(mkdtemp(folder));
    atexit(remove_folder);
    for (size_t i = 0; i < ARRAY_LEN(variables); i++)
        setenv(variables[i], "k", 1);
}

static void
write_file(const char *name, struct fuzz_text text)
{
    FILE *out = fopen(path_of(name), "w");

    FUZZ_CHECK(out);
    fwrite(text.text, 1, text.len, out);
    FUZZ_CHECK(!fclose(out));
}

static struct config *
load(const char *name, enum config_secrets secrets, struct diag *diag)
{
    struct config *config;

    diag_init(diag);
    config = config_load(path_of(name), secrets, NULL, diag);
    FUZZ_CHECK(!config == (diag->errors > 0));
    for (size_t i = 0; i < diag->count; i++) {
        const char *text = diag->items[i].text;

        FUZZ_CHECK(!strncmp(text, folder, strlen(folder)), "%s", text);
        FUZZ_CHECK(utf8_is_valid(text, strlen(text)), "%s", text);
        FUZZ_CHECK(!utf8_has_control(text), "%s", text);
    }
    return config;
}

static struct fuzz_text
print(const struct config *config, char **text)
{
    size_t len = 0;
    FILE *out = open_memstream(text, &len);

    FUZZ_CHECK(out);
    config_print(config, out);
    FUZZ_CHECK(!fclose(out));
    return (struct fuzz_text){*text, len};
}

/* What is in force, read again, is the same and prints the same. */
static void
check_print(const struct config *config)
{
    char *first = NULL, *second = NULL, *third = NULL;
    struct config *again, *last;
    struct diag diag;

    write_file("p.conf", print(config, &first));
    again = load("p.conf", CONFIG_SECRETS_OPTIONAL, &diag);
    FUZZ_CHECK(again, "%s\n%s", first, diag.count ? diag.items[0].text : "");
    FUZZ_CHECK(ruleset_hash(config->rules) == ruleset_hash(again->rules), "%s", first);
    diag_fini(&diag);
    write_file("p.conf", print(again, &second));
    last = load("p.conf", CONFIG_SECRETS_OPTIONAL, &diag);
    FUZZ_CHECK(last, "%s", second);
    print(last, &third);
    FUZZ_CHECK(!strcmp(second, third), "%s\n%s", second, third);
    diag_fini(&diag);
    config_free(last);
    config_free(again);
    (free)(first);
    (free)(second);
    (free)(third);
}

static void
check_beside(const struct config *config)
{
    struct config *next;
    struct buf kept;
    struct diag diag;

    buf_init(&kept, 1 << 20);
    diag_init(&diag);
    next = config_load_beside(path_of("f.conf"), config, NULL, &kept, &diag);
    FUZZ_CHECK(next && !diag.errors);
    FUZZ_CHECK(!kept.len, "%s", buf_text(&kept));
    FUZZ_CHECK(next->account_count == config->account_count);
    FUZZ_CHECK(ruleset_hash(next->rules) == ruleset_hash(config->rules));
    config_free(next);
    diag_fini(&diag);
    buf_fini(&kept);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_text rest = {(const char *)data, size};
    struct config *config;
    struct diag diag;

    if (!folder[0])
        make_folder();
    write_file("f.conf", fuzz_take(&rest, '\0'));
    write_file("i.conf", rest);
    config = load("f.conf", CONFIG_SECRETS_REQUIRED, &diag);
    if (config) {
        config_lint(config, &diag);
        FUZZ_CHECK(!diag.errors);
        check_print(config);
        check_beside(config);
    }
    config_free(config);
    diag_fini(&diag);
    config = load("f.conf", CONFIG_SECRETS_OPTIONAL, &diag);
    config_free(config);
    diag_fini(&diag);
    return 0;
}
