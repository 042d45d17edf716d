/*
 * One SendX team as the configuration names it. Owns its texts; api_key is a secret and goes
 * nowhere but into its header.
 */
#ifndef SENDX_ACCOUNT_H
#define SENDX_ACCOUNT_H

#include <stdbool.h>
#include <stdint.h>

enum api_flavour { API_V1, API_REST };

/* What becomes of a track whose contact SendX does not have. */
enum unknown_contact { UNKNOWN_CREATE, UNKNOWN_DEAD_LETTER, UNKNOWN_SKIP };

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
    double rate_limit; /* calls a second of the whole consumer group, 0: unlimited */
    bool hold;         /* an operator's stop */
    enum unknown_contact on_unknown_contact;
    bool removed; /* no longer in the file: only calls that were made before still use it */
};

/* Gives TO, which owns nothing yet, texts of its own. */
void account_copy(struct account *to, const struct account *from);
void account_fini(struct account *account);

/* Whether requests of A and B look the same (address, key, team, trust and times), and as many
 * connections are kept for them. */
bool account_is_same_on_wire(const struct account *a, const struct account *b);

#endif
