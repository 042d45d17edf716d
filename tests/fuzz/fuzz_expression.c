/*
 * A line with an expression; behind it the payload of an event. What loads says the same as its own
 * text, has the same value twice and in brackets, of a kind that lint foresees, within the limits;
 * what does not load is told with its place.
 */
#include "lab.h"

static void
check_value(struct lab *lab, const struct expr *expr, struct fuzz_text text)
{
    struct expr_env env = lab_env(lab);
    const struct expr *bracketed;
    struct buf first, second, copy;

    lab_write_expr(lab, expr, &first);
    lab_write_expr(lab, expr, &second);
    FUZZ_CHECK(!strcmp(buf_text(&first), buf_text(&second)), "%s\n%s", buf_text(&first),
               buf_text(&second));
    buf_fini(&second);
    buf_init(&copy, EXPR_BYTES_MAX);
    buf_printf(&copy, "(%.*s)", (int)text.len, text.text);
    bracketed = buf_toobig(&copy) ? NULL : expr_parse(copy.data, copy.len, 1, &env);
    if (bracketed) {
        lab_write_expr(lab, bracketed, &second);
        FUZZ_CHECK(!strcmp(buf_text(&first), buf_text(&second)), "%s\n%s", buf_text(&first),
                   buf_text(&second));
        buf_fini(&second);
    }
    buf_fini(&copy);
    buf_fini(&first);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_text rest = {(const char *)data, size};
    struct fuzz_text text = fuzz_take(&rest, '\n');
    const struct expr *expr;
    struct expr_env env;
    struct lab lab;

    /* The configuration has looked at the bytes before. */
    if (!utf8_is_valid(text.text, text.len) || memchr(text.text, '\0', text.len))
        return 0;
    lab_open(&lab, rest);
    env = lab_env(&lab);
    expr = expr_parse(text.text, text.len, 1, &env);
    FUZZ_CHECK(!expr == (lab.diag.errors > 0));
    fuzz_check_findings(&lab.diag, "f.conf:12: error: when");
    if (expr) {
        lab_check_text(&lab, expr);
        check_value(&lab, expr, text);
    }
    lab_close(&lab);
    return 0;
}
