#include "sendx/account.h"

#include "base/xalloc.h"

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
