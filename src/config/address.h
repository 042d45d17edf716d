/*
 * Addresses as they may be written: an account's base URL, and where to listen. Pure; owns nothing.
 */
#ifndef CONFIG_ADDRESS_H
#define CONFIG_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/macros.h"

/* Whether ADDRESS may be the beginning of an account's URLs: http or https, a host, perhaps a port
 * and a path, nothing else. *RET_PLAINTEXT: it is http to something that is not this machine
 * itself. */
int address_check(const char *address, bool *ret_plaintext, struct err *err) MUSTCHECK;

enum { LISTEN_HOST_MAX = 46 }; /* bytes of an address, with its NUL */

struct listen_address {
    char host[LISTEN_HOST_MAX]; /* an IPv4 or IPv6 address, without brackets, never a name */
    bool ipv6;
    bool loopback; /* nothing but this machine reaches it */
    uint16_t port; /* 0: any that is free */
};

/* Reads HOST:PORT, HOST being an IPv4 address, an IPv6 address in brackets, or localhost, which is
 * 127.0.0.1. Names are not looked up. */
int address_listen(const char *text, struct listen_address *ret, struct err *err) MUSTCHECK;

#endif
