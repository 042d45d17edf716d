#include "rules/regex.h"

#include <assert.h>
#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/xalloc.h"

enum {
    BACKSTOP_STEPS = 1000 * 1000, /* PCRE2's own count, which begins anew at each position */
    HEAP_MAX_KIB = 16 * 1024,
    OPTIONS = PCRE2_UTF | PCRE2_NEVER_UCP | PCRE2_NEVER_BACKSLASH_C
};

struct regex {
    pcre2_code *code;
    pcre2_match_data *data;
    pcre2_match_context *context;
    unsigned groups;
    bool own;
    enum regex_group first_group;
};

static int
count_step(pcre2_callout_block *block, void *data)
{
    size_t *left = data;

    (void)block;
    if (!*left)
        return PCRE2_ERROR_MATCHLIMIT;
    --*left;
    return 0;
}

static int
set_compile_error(struct err *err, int code, size_t at)
{
    PCRE2_UCHAR message[256];

    pcre2_get_error_message(code, message, sizeof(message));
    return err_set(err, "%s, at its character %zu", (char *)message, at + 1);
}

static struct regex *
compile(const char *pattern, size_t len, uint32_t options, struct err *err)
{
    struct regex *regex;
    PCRE2_SIZE at;
    int error;
    uint32_t groups = 0;
    pcre2_code *code = pcre2_compile((PCRE2_SPTR)pattern, len, options, &error, &at, NULL);

    if (!code) {
        set_compile_error(err, error, at);
        return NULL;
    }
    pcre2_pattern_info(code, PCRE2_INFO_CAPTURECOUNT, &groups);
    if (groups > REGEX_GROUPS_MAX) {
        err_set(err, "it has %u groups, more than %d", groups, REGEX_GROUPS_MAX);
        pcre2_code_free(code);
        return NULL;
    }
    regex = xcalloc(1, sizeof(*regex));
    regex->code = code;
    regex->groups = groups;
    regex->data = pcre2_match_data_create_from_pattern(code, NULL);
    regex->context = pcre2_match_context_create(NULL);
    assert(regex->data && regex->context);
    pcre2_set_match_limit(regex->context, BACKSTOP_STEPS);
    pcre2_set_heap_limit(regex->context, HEAP_MAX_KIB);
    return regex;
}

/* Where the character at AT of a pattern ends, with its backslash, or where its class does; 0 when
 * it is nothing that this can read. */
static size_t
skip(const char *pattern, size_t len, size_t at)
{
    bool in_class = pattern[at] == '[';

    if (pattern[at] == '\\')
        return at + 1 < len && pattern[at + 1] != 'Q' ? at + 2 : 0;
    if (!in_class)
        return at + 1;
    at += at + 1 < len && pattern[at + 1] == '^' ? 2 : 1;
    at += at < len && pattern[at] == ']';
    while (at < len && pattern[at] != ']') {
        if (pattern[at] == '[') /* perhaps a class of POSIX within it */
            return 0;
        at = pattern[at] == '\\' ? skip(pattern, len, at) : at + 1;
        if (!at)
            return 0;
    }
    return at < len ? at + 1 : 0;
}

/* Finds the pattern within the first capturing group: from *START to *END. False when there are
 * things in PATTERN that would mean something else on their own, such as options and look-arounds.
 */
static bool
find_first_group(const char *pattern, size_t len, size_t *start, size_t *end)
{
    size_t at = 0, depth = 0, found_depth = 0;

    *start = *end = 0;
    while (at < len) {
        size_t next = skip(pattern, len, at);
        bool special = pattern[at] == '(' && next < len && strchr("?*", pattern[next]);

        if (!next || (special && (next + 1 >= len || memcmp(pattern + next, "?:", 2) != 0)))
            return false;
        if (pattern[at] == '(') {
            depth++;
            if (!special && !*start) {
                *start = next;
                found_depth = depth;
            }
        } else if (pattern[at] == ')') {
            if (*start && !*end && depth == found_depth)
                *end = at;
            depth--;
        }
        at = next;
    }
    return *end > 0;
}

static bool
may_match_empty(const pcre2_code *code)
{
    uint32_t empty = 1;

    pcre2_pattern_info(code, PCRE2_INFO_MATCHEMPTY, &empty);
    return empty != 0;
}

static enum regex_group
look_at_first_group(const char *pattern, size_t len)
{
    enum regex_group result = REGEX_GROUP_UNKNOWN;
    size_t start, end;
    PCRE2_SIZE at;
    pcre2_code *code;
    int error;

    if (!find_first_group(pattern, len, &start, &end))
        return REGEX_GROUP_UNKNOWN;
    code = pcre2_compile((PCRE2_SPTR)pattern + start, end - start, OPTIONS, &error, &at, NULL);
    if (code)
        result = may_match_empty(code) ? REGEX_GROUP_MAY_BE_EMPTY : REGEX_GROUP_FILLED;
    pcre2_code_free(code);
    return result;
}

bool
regex_may_match_empty(const struct regex *regex)
{
    return may_match_empty(regex->code);
}

enum regex_group
regex_first_group(const struct regex *regex)
{
    return regex->first_group;
}

struct regex *
regex_new(const char *pattern, size_t len, struct err *err)
{
    /* The automatic callouts count the steps over all positions; PCRE2's own limit does not. */
    struct regex *regex = compile(pattern, len, OPTIONS | PCRE2_AUTO_CALLOUT, err);

    if (regex)
        regex->first_group =
            regex->groups ? look_at_first_group(pattern, len) : REGEX_GROUP_UNKNOWN;
    return regex;
}

struct regex *
regex_new_own(const char *pattern)
{
    struct err err = {0};
    struct regex *regex = compile(pattern, strlen(pattern), OPTIONS, &err);

    assert(regex);
    regex->own = true;
    return regex;
}

void
regex_free(struct regex *regex)
{
    if (!regex)
        return;
    pcre2_match_context_free(regex->context);
    pcre2_match_data_free(regex->data);
    pcre2_code_free(regex->code);
    xfree(regex);
}

unsigned
regex_group_count(const struct regex *regex)
{
    return regex->groups;
}

static void
read_offsets(const struct regex *regex, int pairs, struct regex_found *found)
{
    const PCRE2_SIZE *offsets = pcre2_get_ovector_pointer(regex->data);

    *found = (struct regex_found){.start = offsets[0], .end = offsets[1]};
    /* \K in a lookahead can leave the start behind the end. */
    if (found->start > found->end)
        found->start = found->end;
    if (pairs < 2 || offsets[2] == PCRE2_UNSET || offsets[2] > offsets[3])
        return;
    found->has_group = true;
    found->group_start = offsets[2];
    found->group_end = offsets[3];
}

enum regex_result
regex_search(struct regex *regex, const char *text, size_t len, size_t start, size_t *steps_left,
             struct regex_found *found)
{
    size_t steps = *steps_left < REGEX_STEPS_MAX ? *steps_left : REGEX_STEPS_MAX;
    size_t left = steps;
    int pairs;

    if (len > REGEX_SUBJECT_MAX && !regex->own)
        return REGEX_LIMITED;
    pcre2_set_callout(regex->context, count_step, &left);
    pairs = pcre2_match(regex->code, (PCRE2_SPTR)text, len, start, PCRE2_NO_UTF_CHECK, regex->data,
                        regex->context);
    *steps_left -= steps - left;
    if (pairs == PCRE2_ERROR_NOMATCH)
        return REGEX_NO_MATCH;
    if (pairs < 0)
        return REGEX_LIMITED;
    read_offsets(regex, pairs, found);
    return REGEX_MATCH;
}

const char *
regex_library_version(char text[64])
{
    text[0] = '\0';
    pcre2_config(PCRE2_CONFIG_VERSION, text); /* asks for 24 bytes at most */
    return text;
}
