/*
 * One SendX team as the configuration names it. Owns its texts; api_key is a secret and goes
 * nowhere but into its header.
 */
#ifndef SENDX_ACCOUNT_H
#define SENDX_ACCOUNT_H

#include <stdbool.h>
#include <stdint.h>

enum api_flavour { API_V1, API_REST };

struct account {
    char *name;
    enum api_flavour api;
    char *base_url; /* without a trailing slash */
    char *api_key;
    char *team_id; /* v1 only, else NULL */
    int max_in_flight;
    int64_t timeout_ms, connect_timeout_ms;
    char *ca_file; /* PEM; NULL: the system's */
    bool allow_plaintext;
};

void account_fini(struct account *account);

#endif
