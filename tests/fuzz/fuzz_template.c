/*
 * A line with a template; behind it the payload of an event. What loads can be written again from
 * its parts and is the same then; it has the same value twice, and begins as template_begins says.
 */
#include "lab.h"

enum { TEMPLATE_MAX = 64 * 1024 };

/* TEMPLATE as somebody would write it who has only its parts. */
static void
write_again(const struct template *template, struct buf *out)
{
    for (size_t i = 0; i < template->count; i++) {
        const struct template_part *part = &template->parts[i];

        if (part->expr) {
            buf_printf(out, "${%.*s}", (int)part->len, part->text);
            continue;
        }
        buf_add(out, part->text, part->len);
        /* "$${" ends a part behind its first "$" and begins another at the "{". */
        if (i + 1 < template->count && !part[1].expr)
            buf_add_char(out, '$');
    }
}

static void
check_same(const struct template *a, const struct template *b, const char *text)
{
    FUZZ_CHECK(a->count == b->count, "%s", text);
    for (size_t i = 0; i < a->count; i++) {
        const struct template_part *x = &a->parts[i], *y = &b->parts[i];

        FUZZ_CHECK(!x->expr == !y->expr, "%s", text);
        FUZZ_CHECK(x->len == y->len && !memcmp(x->text, y->text, x->len), "%s", text);
        FUZZ_CHECK(!x->expr || lab_same(x->expr, y->expr), "%s", text);
    }
}

static void
check_template(struct lab *lab, const struct template *template)
{
    static const char *const prefixes[] = {"++", "--", "a"};
    struct expr_env env = lab_env(lab);
    struct template again = {0};
    struct buf text, first, second;

    buf_init(&text, 2 * TEMPLATE_MAX);
    write_again(template, &text);
    FUZZ_CHECK(!template_parse(&again, buf_text(&text), &env), "%s", buf_text(&text));
    check_same(template, &again, buf_text(&text));
    lab_write_template(lab, template, &first);
    lab_write_template(lab, &again, &second);
    FUZZ_CHECK(!strcmp(buf_text(&first), buf_text(&second)), "%s\n%s", buf_text(&first),
               buf_text(&second));
    for (size_t i = 0; i < ARRAY_LEN(prefixes); i++) {
        const char *value = buf_text(&first);

        if (template_begins(template, prefixes[i]) && value[0] == '"')
            FUZZ_CHECK(!strncmp(value + 1, prefixes[i], strlen(prefixes[i])), "%s", value);
    }
    buf_fini(&first);
    buf_fini(&second);
    buf_fini(&text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_text rest = {(const char *)data, size};
    struct fuzz_text line = fuzz_take(&rest, '\n');
    struct template template = {0};
    struct expr_env env;
    struct buf text;
    struct lab lab;

    if (line.len > TEMPLATE_MAX || memchr(line.text, '\0', line.len))
        return 0;
    buf_init(&text, TEMPLATE_MAX);
    buf_add(&text, line.text, line.len);
    lab_open(&lab, rest);
    env = lab_env(&lab);
    if (!template_parse(&template, buf_text(&text), &env)) {
        FUZZ_CHECK(!lab.diag.errors);
        check_template(&lab, &template);
    } else {
        FUZZ_CHECK(lab.diag.errors > 0);
    }
    fuzz_check_findings(&lab.diag, "f.conf:12: error: when");
    lab_close(&lab);
    buf_fini(&text);
    return 0;
}
