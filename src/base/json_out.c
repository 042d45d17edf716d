#include "base/json_out.h"

#include <string.h>

#include "base/mask.h"

enum { CONTACT_MAX = 512 };

static void
begin(struct json_out *out, const char *key)
{
    if (out->comma)
        buf_add_char(out->buf, ',');
    out->comma = true;
    if (!key)
        return;
    buf_add_json(out->buf, key, strlen(key));
    buf_add_char(out->buf, ':');
}

static void
open_with(struct json_out *out, const char *key, char bracket)
{
    begin(out, key);
    buf_add_char(out->buf, bracket);
    out->comma = false;
}

static void
close_with(struct json_out *out, char bracket)
{
    buf_add_char(out->buf, bracket);
    out->comma = true;
}

void
json_out_object(struct json_out *out, const char *key)
{
    open_with(out, key, '{');
}

void
json_out_object_end(struct json_out *out)
{
    close_with(out, '}');
}

void
json_out_array(struct json_out *out, const char *key)
{
    open_with(out, key, '[');
}

void
json_out_array_end(struct json_out *out)
{
    close_with(out, ']');
}

void
json_out_text(struct json_out *out, const char *key, const char *text)
{
    begin(out, key);
    if (text)
        buf_add_json(out->buf, text, strlen(text));
    else
        buf_add_text(out->buf, "null");
}

void
json_out_int(struct json_out *out, const char *key, int64_t number)
{
    begin(out, key);
    buf_printf(out->buf, "%lld", (long long)number);
}

void
json_out_real(struct json_out *out, const char *key, double number)
{
    begin(out, key);
    buf_printf(out->buf, "%.3f", number);
}

void
json_out_bool(struct json_out *out, const char *key, bool boolean)
{
    begin(out, key);
    buf_add_text(out->buf, boolean ? "true" : "false");
}

void
json_out_null(struct json_out *out, const char *key)
{
    begin(out, key);
    buf_add_text(out->buf, "null");
}

void
json_out_contact(struct json_out *out, const char *key, const char *email)
{
    struct buf masked;

    buf_init(&masked, CONTACT_MAX);
    mask_add_email(&masked, email);
    json_out_text(out, key, buf_toobig(&masked) ? "***" : buf_text(&masked));
    buf_fini(&masked);
}
