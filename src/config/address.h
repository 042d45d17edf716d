/*
 * What an account's base URL may look like. Pure; owns nothing.
 */
#ifndef CONFIG_ADDRESS_H
#define CONFIG_ADDRESS_H

#include <stdbool.h>

#include "base/err.h"
#include "base/macros.h"

/* Whether ADDRESS may be the beginning of an account's URLs: http or https, a host, perhaps a port
 * and a path, nothing else. *RET_PLAINTEXT: it is http to something that is not this machine
 * itself. */
int address_check(const char *address, bool *ret_plaintext, struct err *err) MUSTCHECK;

#endif
