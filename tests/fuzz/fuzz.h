/*
 * What the fuzz entries share. An entry takes any bytes and asserts what must hold of them; it is
 * built with libFuzzer (make fuzz-quick) or with replay.c, which needs no more than a compiler.
 */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/diag.h"
#include "base/macros.h"
#include "base/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Says what does not hold, and ends the process as a sanitizer would. */
static inline void PRINTF_LIKE(2, 3) fuzz_fail(const char *condition, const char *fmt, ...)
{
    va_list ap;

    fprintf(stderr, "does not hold: %s\n", condition);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
    abort();
}

#define FUZZ_CHECK(condition, ...)                  \
    do {                                            \
        if (!(condition))                           \
            fuzz_fail(#condition, " " __VA_ARGS__); \
    } while (0)

/* Pieces of an input: what stands up to SIGN, and on with the rest; all of it where there is none.
 */
struct fuzz_text {
    const char *text;
    size_t len;
};

static inline struct fuzz_text
fuzz_take(struct fuzz_text *rest, char sign)
{
    const char *end = rest->len ? memchr(rest->text, sign, rest->len) : NULL;
    struct fuzz_text piece = {rest->text, end ? (size_t)(end - rest->text) : rest->len};

    rest->text += piece.len + (end != NULL);
    rest->len -= piece.len + (end != NULL);
    return piece;
}

/* What people are told: one line, UTF-8, with the file and the line it is about. */
static inline void
fuzz_check_findings(const struct diag *diag, const char *file)
{
    size_t errors = 0;

    for (size_t i = 0; i < diag->count; i++) {
        const struct diag_item *item = &diag->items[i];

        errors += item->severity == DIAG_ERROR;
        FUZZ_CHECK(!strncmp(item->text, file, strlen(file)), "%s", item->text);
        FUZZ_CHECK(item->text[strlen(file)] == ':', "%s", item->text);
        FUZZ_CHECK(item->message_len > 8, "%s", item->text);
        FUZZ_CHECK(utf8_is_valid(item->text, strlen(item->text)), "%s", item->text);
        FUZZ_CHECK(!utf8_has_control(item->text), "%s", item->text);
    }
    FUZZ_CHECK(errors == diag->errors, "%zu counted, %zu there", diag->errors, errors);
}

#endif
