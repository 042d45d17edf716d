/* What was logged, for tests of lines: standard error goes into memory from catch_log to
 * caught_log. */
#ifndef TESTS_LOG_UNIT_H
#define TESTS_LOG_UNIT_H

#include <sys/mman.h>
#include <unistd.h>

#include "unit.h"

struct log_catch {
    int memory, kept;
};

static inline void
catch_log(struct log_catch *catch)
{
    catch->memory = memfd_create("log", MFD_CLOEXEC);
    catch->kept = dup(STDERR_FILENO);
    assert_true(catch->memory >= 0 && catch->kept >= 0);
    dup2(catch->memory, STDERR_FILENO);
}

/* Copies into TEXT what fits of it. */
static inline void
caught_log(struct log_catch *catch, char *text, size_t size)
{
    ssize_t len;

    dup2(catch->kept, STDERR_FILENO);
    len = pread(catch->memory, text, size - 1, 0);
    text[len > 0 ? len : 0] = '\0';
    close(catch->memory);
    close(catch->kept);
}

#endif
