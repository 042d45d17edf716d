#include "config/address.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>
#include <strings.h>

/* HOST without the brackets of an IPv6 address. */
static bool
is_loopback(const char *host, size_t len)
{
    char name[INET6_ADDRSTRLEN];
    struct in_addr v4;
    struct in6_addr v6;

    if (len >= sizeof(name))
        return false;
    memcpy(name, host, len);
    name[len] = '\0';
    if (strcasecmp(name, "localhost") == 0)
        return true;
    if (inet_pton(AF_INET, name, &v4) == 1)
        return ntohl(v4.s_addr) >> 24 == 127;
    return inet_pton(AF_INET6, name, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

/* The port behind the host, if there is one: ":1" to ":65535". */
static bool
is_port(const char *text, size_t len)
{
    int port = 0;

    if (len == 0)
        return true;
    if (text[0] != ':' || len < 2 || len > 6)
        return false;
    for (size_t i = 1; i < len; i++) {
        if (!isdigit((unsigned char)text[i]))
            return false;
        port = port * 10 + (text[i] - '0');
    }
    return port >= 1 && port <= 65535;
}

/* The length of the host at the beginning of AUTHORITY; 0 when there is none. */
static size_t
host_len(const char *authority, size_t len)
{
    const char *close;

    if (len == 0 || authority[0] != '[')
        return (const char *)memchr(authority, ':', len)
                   ? (size_t)((const char *)memchr(authority, ':', len) - authority)
                   : len;
    close = memchr(authority, ']', len);
    return close ? (size_t)(close - authority) + 1 : 0;
}

int
address_check(const char *address, bool *ret_plaintext, struct err *err)
{
    bool tls = strncasecmp(address, "https://", 8) == 0;
    const char *authority;
    size_t len, host;

    for (const char *c = address; *c; c++) {
        unsigned char byte = (unsigned char)*c;

        if (byte <= ' ' || byte >= 0x7f)
            return err_set(err, "holds a character that must be percent-encoded in a URL");
    }
    if (!tls && strncasecmp(address, "http://", 7) != 0)
        return err_set(err, "is no URL: it begins with https:// (or http://)");
    authority = address + (tls ? 8 : 7);
    len = strcspn(authority, "/?#");
    if (strpbrk(authority, "?#"))
        return err_set(err, "must not hold a query or a fragment (? or #)");
    if (memchr(authority, '@', len))
        return err_set(err, "must not hold a user or a password");
    host = host_len(authority, len);
    if (host == 0 || (authority[0] == '[' && host < 4))
        return err_set(err, "names no host");
    if (!is_port(authority + host, len - host))
        return err_set(err, "has a port that is no number from 1 to 65535");
    if (authority[0] == '[')
        *ret_plaintext = !tls && !is_loopback(authority + 1, host - 2);
    else
        *ret_plaintext = !tls && !is_loopback(authority, host);
    return 0;
}
