/*
 * What could be an e-mail address in a text, as it stands or as URLs have it (ada%40corp.example).
 * Broad, since an address that is not seen is told to others. Texts are UTF-8. Owns nothing.
 */
#ifndef CMD_EMAIL_H
#define CMD_EMAIL_H

#include <stddef.h>

/* In bytes: the part before the sign, the sign, the domain, and what else belongs to the token. */
struct email_token {
    size_t len; /* of all; 0: nothing that may stand in an address */
    size_t local_len;
    size_t sign_len; /* 0: the token holds no address */
    size_t domain_len;
};

/* Bytes of the sign at TEXT, which must be below END; 0: there is none. */
size_t email_sign_len(const char *text, const char *end);

/* The longest token at TEXT. The last sign in it is the one that counts. */
struct email_token email_read(const char *text, const char *end);

#endif
