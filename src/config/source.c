#include "config/source.h"

#include <errno.h>
#include <libconfig.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/utf8.h"
#include "base/xalloc.h"
#include "config/scan.h"
#include "config/syntax.h"

enum { PATH_MAX_LEN = 1024, MESSAGE_MAX = 4096, WHY_MAX = 1024 };

/* Since 1.7 libconfig reports an included file as it was opened: DIR/NAME; before, as NAME. */
static const bool has_folder = LIBCONFIG_VER_MAJOR > 1 || LIBCONFIG_VER_MINOR >= 7;

static const char *
without_here(const char *name)
{
    return strncmp(name, "./", 2) == 0 ? name + 2 : name;
}

/* The name under which people find the file that libconfig calls NAME: that of an included file
 * with the folder of FILE, unless that is the one they are in. */
static const char *
file_name(struct source *source, const char *file, const char *name)
{
    bool here = strcmp(source->dir, ".") == 0;
    char *joined;
    const char *found;

    if (!name || strcmp(name, file) == 0)
        return file;
    if (here && strcmp(without_here(name), without_here(file)) == 0)
        return file;
    if (has_folder && here)
        name = without_here(name);
    if (has_folder || here)
        return arena_text(&source->arena, name, strlen(name));
    joined = xasprintf("%s/%s", source->dir, name);
    found = arena_text(&source->arena, joined, strlen(joined));
    xfree(joined);
    return found;
}

struct conversion {
    struct source *source;
    const char *file;                  /* as it was given */
    const char *last_name, *last_file; /* the pair that file_name made last: neighbours share it */
    const struct scan_integer *refused;
    struct diag *diag;
};

static struct place
place_of(struct conversion *conversion, const config_setting_t *setting)
{
    const char *name = config_setting_source_file(setting);

    if (!name)
        name = conversion->file;
    if (!conversion->last_name || strcmp(name, conversion->last_name) != 0) {
        conversion->last_file = file_name(conversion->source, conversion->file, name);
        conversion->last_name = name;
    }
    return (struct place){conversion->last_file, config_setting_source_line(setting)};
}

static bool
is_refused(const struct conversion *conversion, const struct source_node *node)
{
    for (const struct scan_integer *i = conversion->refused; i; i = i->next) {
        if (i->at.line == node->at.line && strcmp(i->at.file, node->at.file) == 0 &&
            scan_integer_is(i, node->integer))
            return true;
    }
    return false;
}

static const char *
convert_text(struct conversion *conversion, const struct source_node *node, const char *text)
{
    size_t len = strlen(text);

    if (utf8_is_valid(text, len))
        return arena_text(&conversion->source->arena, text, len);
    source_error(conversion->diag, node, "the text is not valid UTF-8");
    return "?";
}

static void convert_items(struct conversion *conversion, struct source_node *node,
                          config_setting_t *setting);

static void
convert(struct conversion *conversion, struct source_node *node, config_setting_t *setting)
{
    const char *name = config_setting_name(setting);

    node->at = place_of(conversion, setting);
    if (name)
        node->name = arena_text(&conversion->source->arena, name, strlen(name));
    switch (config_setting_type(setting)) {
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_INT64:
        node->type = SOURCE_INTEGER;
        node->integer = config_setting_type(setting) == CONFIG_TYPE_INT
                            ? config_setting_get_int(setting)
                            : config_setting_get_int64(setting);
        node->number = (double)node->integer;
        node->misread = is_refused(conversion, node);
        break;
    case CONFIG_TYPE_FLOAT:
        node->type = SOURCE_NUMBER;
        node->number = config_setting_get_float(setting);
        break;
    case CONFIG_TYPE_BOOL:
        node->type = SOURCE_BOOLEAN;
        node->boolean = config_setting_get_bool(setting);
        break;
    case CONFIG_TYPE_STRING:
        node->type = SOURCE_TEXT;
        node->text = convert_text(conversion, node, config_setting_get_string(setting));
        break;
    case CONFIG_TYPE_ARRAY:
        node->type = SOURCE_ARRAY;
        convert_items(conversion, node, setting);
        break;
    case CONFIG_TYPE_LIST:
        node->type = SOURCE_LIST;
        convert_items(conversion, node, setting);
        break;
    default:
        node->type = SOURCE_GROUP;
        convert_items(conversion, node, setting);
    }
}

static void
convert_items(struct conversion *conversion, struct source_node *node, config_setting_t *setting)
{
    int count = config_setting_length(setting);
    struct source_node *items;

    if (count <= 0)
        return;
    items = arena_alloc(&conversion->source->arena, (size_t)count * sizeof(*items));
    memset(items, 0, (size_t)count * sizeof(*items));
    node->items = items;
    node->count = (size_t)count;
    for (int i = 0; i < count; i++) {
        items[i].parent = node;
        items[i].index = (size_t)i;
        convert(conversion, &items[i], config_setting_get_elem(setting, (unsigned)i));
    }
}

static int
refuse_include(const struct source *source, struct place at, struct diag *diag)
{
    struct buf name;

    buf_init(&name, PATH_MAX_LEN);
    scan_included_name(at.file, at.line, &name);
    diag_error(diag, at,
               "\"%s\" cannot be included: there is no such file to read in the folder %s",
               buf_text(&name), source->dir);
    buf_fini(&name);
    return -1;
}

/* libconfig since 1.7 stops at some of the integers that are read, and refused, before. */
static bool
refuse_integers(struct source *source, const char *file, struct place at, struct diag *diag)
{
    const struct scan_integer *integer;
    struct diag found;

    diag_init(&found);
    integer = scan_text(file, source->dir, &source->arena, &found);
    diag_fini(&found);
    while (integer && (integer->at.line != at.line || strcmp(integer->at.file, at.file) != 0))
        integer = integer->next;
    if (integer)
        scan_text(file, source->dir, &source->arena, diag);
    return integer != NULL;
}

/* What libconfig says, and what it leaves out. */
static int
refuse_syntax(const char *text, struct place at, struct diag *diag)
{
    struct buf why;
    int result;

    if (strcmp(text, "mismatched element type in array") == 0)
        text = "the values of an array [ ] must be of one type; is a text without its quotes?";
    buf_init(&why, WHY_MAX);
    if (strcmp(text, "syntax error") == 0)
        syntax_explain(at.file, at.line, &why);
    result = diag_error(diag, at, "%s%s%s", text, why.len ? ": " : "", buf_text(&why));
    buf_fini(&why);
    return result;
}

static int
refuse_parse(struct source *source, const config_t *parsed, const char *file, struct diag *diag)
{
    struct place at = {file, 0};
    const char *text = config_error_text(parsed);

    if (config_error_type(parsed) == CONFIG_ERR_FILE_IO)
        return diag_error(diag, at, "cannot be read: %s", strerror(errno ? errno : EIO));
    at.file = file_name(source, file, config_error_file(parsed));
    at.line = (unsigned)config_error_line(parsed);
    if (strcmp(text, "cannot open include file") == 0)
        return refuse_include(source, at, diag);
    if (refuse_integers(source, file, at, diag))
        return -1;
    return refuse_syntax(text, at, diag);
}

/* libconfig's scanner ends the process when it is given a folder to read. */
static int
refuse_folders(struct source *source, const char *file, struct diag *diag)
{
    struct stat st;

    if (stat(file, &st) == 0 && S_ISDIR(st.st_mode))
        return diag_error(diag, (struct place){file, 0}, "is a folder");
    return scan_includes(file, source->dir, diag);
}

static const char *
folder_of(struct source *source, const char *file)
{
    const char *slash = strrchr(file, '/');

    if (!slash)
        return ".";
    if (slash == file)
        return "/";
    return arena_text(&source->arena, file, (size_t)(slash - file));
}

struct source *
source_read(const char *file, struct diag *diag)
{
    struct source *source = xcalloc(1, sizeof(*source));
    struct conversion conversion = {.source = source, .diag = diag};
    config_t parsed;

    arena_init(&source->arena, 16 * 1024);
    file = arena_text(&source->arena, file, strlen(file));
    conversion.file = file;
    source->dir = folder_of(source, file);
    config_init(&parsed);
    config_set_include_dir(&parsed, source->dir);
    errno = 0;
    if (refuse_folders(source, file, diag) != 0 ||
        (!config_read_file(&parsed, file) && refuse_parse(source, &parsed, file, diag) != 0)) {
        config_destroy(&parsed);
        source_free(source);
        return NULL;
    }
    conversion.refused = scan_text(file, source->dir, &source->arena, diag);
    source->root = arena_alloc(&source->arena, sizeof(*source->root));
    *source->root = (struct source_node){0};
    convert(&conversion, source->root, config_root_setting(&parsed));
    source->root->at = (struct place){file, 0};
    config_destroy(&parsed);
    return source;
}

void
source_free(struct source *source)
{
    if (!source)
        return;
    arena_fini(&source->arena);
    xfree(source);
}

const struct source_node *
source_find(const struct source_node *group, const char *name)
{
    for (size_t i = 0; group && i < group->count; i++) {
        if (group->items[i].name && strcmp(group->items[i].name, name) == 0)
            return &group->items[i];
    }
    return NULL;
}

const char *
source_type_name(enum source_type type)
{
    switch (type) {
    case SOURCE_GROUP:
        return "a group { }";
    case SOURCE_LIST:
        return "a list ( )";
    case SOURCE_ARRAY:
        return "an array [ ]";
    case SOURCE_TEXT:
        return "text";
    case SOURCE_INTEGER:
        return "an integer";
    case SOURCE_NUMBER:
        return "a number";
    case SOURCE_BOOLEAN:
        return "a boolean";
    }
    return "?";
}

bool
source_is(const struct source_node *node, enum source_type type, const char *what,
          struct diag *diag)
{
    if (node->type == type)
        return true;
    source_error(diag, node, "expected %s, found %s", what, source_type_name(node->type));
    return false;
}

static void
add_path(struct buf *path, const struct source_node *node)
{
    if (!node->parent)
        return;
    add_path(path, node->parent);
    if (!node->name)
        buf_printf(path, "[%zu]", node->index);
    else
        buf_printf(path, "%s%s", path->len ? "." : "", node->name);
}

/* Adds "PATH: MESSAGE" about NODE, or about its member NAME when that is not NULL. */
static void
add_finding(struct diag *diag, enum diag_severity severity, const struct source_node *node,
            const char *name, const char *fmt, va_list ap)
{
    char message[MESSAGE_MAX];
    struct buf path;

    vsnprintf(message, sizeof(message), fmt, ap);
    buf_init(&path, PATH_MAX_LEN);
    add_path(&path, node);
    if (name)
        buf_printf(&path, "%s%s", path.len ? "." : "", name);
    if (severity == DIAG_ERROR)
        diag_error(diag, node->at, "%s: %s", buf_text(&path), message);
    else
        diag_notice(diag, node->at, "%s: %s", buf_text(&path), message);
    buf_fini(&path);
}

int
source_error(struct diag *diag, const struct source_node *node, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    add_finding(diag, DIAG_ERROR, node, NULL, fmt, ap);
    va_end(ap);
    return -1;
}

int
source_error_member(struct diag *diag, const struct source_node *group, const char *name,
                    const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    add_finding(diag, DIAG_ERROR, group, name, fmt, ap);
    va_end(ap);
    return -1;
}

void
source_notice(struct diag *diag, const struct source_node *node, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    add_finding(diag, DIAG_NOTICE, node, NULL, fmt, ap);
    va_end(ap);
}

const char *
source_library_version(void)
{
#define TEXT_OF(number) #number
#define VERSION_TEXT(major, minor, revision) TEXT_OF(major) "." TEXT_OF(minor) "." TEXT_OF(revision)
    return VERSION_TEXT(LIBCONFIG_VER_MAJOR, LIBCONFIG_VER_MINOR, LIBCONFIG_VER_REVISION);
#undef VERSION_TEXT
#undef TEXT_OF
}
