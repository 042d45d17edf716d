#include "sendx/account.h"

#include <string.h>

#include "base/xalloc.h"

static char *
copy_text(const char *text)
{
    return text ? xstrdup(text) : NULL;
}

void
account_copy(struct account *to, const struct account *from)
{
    *to = *from;
    to->name = copy_text(from->name);
    to->base_url = copy_text(from->base_url);
    to->api_key = copy_text(from->api_key);
    to->team_id = copy_text(from->team_id);
    to->ca_file = copy_text(from->ca_file);
}

void
account_fini(struct account *account)
{
    xfree(account->name);
    xfree(account->base_url);
    xfree(account->api_key);
    xfree(account->team_id);
    xfree(account->ca_file);
    *account = (struct account){0};
}

static bool
is_same(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

bool
account_is_same_on_wire(const struct account *a, const struct account *b)
{
    return a->api == b->api && is_same(a->base_url, b->base_url) &&
           is_same(a->api_key, b->api_key) && is_same(a->team_id, b->team_id) &&
           is_same(a->ca_file, b->ca_file) && a->timeout_ms == b->timeout_ms &&
           a->connect_timeout_ms == b->connect_timeout_ms && a->max_in_flight == b->max_in_flight;
}
