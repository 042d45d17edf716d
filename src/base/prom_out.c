#include "base/prom_out.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define PREFIX "sendx_worker_"

enum { DIGITS_MAX = 24 };

void
prom_out_family(struct prom_out *out, const char *name, const char *type, const char *help)
{
    out->name = name;
    buf_printf(out->buf, "# HELP " PREFIX "%s %s\n# TYPE " PREFIX "%s %s\n", name, help, name,
               type);
}

/* The three that the format escapes; everything else stands as it is. */
static void
add_label_text(struct buf *buf, const char *text)
{
    while (*text) {
        size_t len = strcspn(text, "\\\"\n");

        buf_add(buf, text, len);
        text += len;
        if (!*text)
            return;
        buf_add_char(buf, '\\');
        buf_add_char(buf, *text == '\n' ? 'n' : *text);
        text++;
    }
}

static void
add_name(struct prom_out *out, const char *suffix, va_list labels)
{
    const char *label;
    char before = '{';

    buf_add(out->buf, PREFIX, sizeof(PREFIX) - 1);
    buf_add_text(out->buf, out->name);
    buf_add_text(out->buf, suffix);
    while ((label = va_arg(labels, const char *))) {
        buf_add_char(out->buf, before);
        buf_add_text(out->buf, label);
        buf_add(out->buf, "=\"", 2);
        add_label_text(out->buf, va_arg(labels, const char *));
        buf_add_char(out->buf, '"');
        before = ',';
    }
    if (before == ',')
        buf_add_char(out->buf, '}');
    buf_add_char(out->buf, ' ');
}

/* By hand: thousands of samples in a scrape, of which nearly all are integers. */
static void
add_int(struct buf *buf, int64_t value)
{
    char digits[DIGITS_MAX];
    size_t at = sizeof(digits);
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;

    do {
        digits[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest);
    if (value < 0)
        digits[--at] = '-';
    buf_add(buf, digits + at, sizeof(digits) - at);
}

void
prom_out_int(struct prom_out *out, int64_t value, ...)
{
    va_list labels;

    va_start(labels, value);
    add_name(out, "", labels);
    va_end(labels);
    add_int(out->buf, value);
    buf_add_char(out->buf, '\n');
}

void
prom_out_real(struct prom_out *out, double value, ...)
{
    va_list labels;

    va_start(labels, value);
    add_name(out, "", labels);
    va_end(labels);
    buf_printf(out->buf, "%.10g\n", value);
}

void
prom_out_histogram(struct prom_out *out, const char *name, const char *help,
                   const struct histogram *histogram)
{
    uint64_t count = 0;

    prom_out_family(out, name, "histogram", help);
    for (size_t i = 0; i < histogram->bound_count; i++) {
        count += histogram->counts[i];
        buf_printf(out->buf, PREFIX "%s_bucket{le=\"%.10g\"} %llu\n", name, histogram->bounds[i],
                   (unsigned long long)count);
    }
    count += histogram->counts[histogram->bound_count];
    buf_printf(out->buf, PREFIX "%s_bucket{le=\"+Inf\"} %llu\n", name, (unsigned long long)count);
    buf_printf(out->buf, PREFIX "%s_sum %.10g\n", name, histogram->sum);
    buf_printf(out->buf, PREFIX "%s_count %llu\n", name, (unsigned long long)count);
}
