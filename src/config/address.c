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

/* The number behind the colon in ":0" to ":65535", or -1. */
static int
read_port(const char *text, size_t len)
{
    int port = 0;

    if (len < 2 || len > 6 || text[0] != ':')
        return -1;
    for (size_t i = 1; i < len; i++) {
        if (!isdigit((unsigned char)text[i]))
            return -1;
        port = port * 10 + (text[i] - '0');
    }
    return port <= 65535 ? port : -1;
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
    if (len > host && read_port(authority + host, len - host) < 1)
        return err_set(err, "has a port that is no number from 1 to 65535");
    if (authority[0] == '[')
        *ret_plaintext = !tls && !is_loopback(authority + 1, host - 2);
    else
        *ret_plaintext = !tls && !is_loopback(authority, host);
    return 0;
}

int
address_listen(const char *text, struct listen_address *ret, struct err *err)
{
    static const char *const how = "write HOST:PORT, where HOST is an address (an IPv6 one in "
                                   "brackets) or localhost, and PORT a number up to 65535";
    struct listen_address address = {0};
    size_t len = strlen(text), host = host_len(text, len);
    size_t brackets = text[0] == '[';
    unsigned char bytes[sizeof(struct in6_addr)];
    int port = read_port(text + host, len - host);

    if (host <= 2 * brackets || host - 2 * brackets >= sizeof(address.host) || port < 0)
        return err_set(err, "is no address to listen on: %s", how);
    memcpy(address.host, text + brackets, host - 2 * brackets);
    if (!brackets && strcasecmp(address.host, "localhost") == 0)
        memcpy(address.host, "127.0.0.1", sizeof("127.0.0.1"));
    address.ipv6 = brackets;
    address.port = (uint16_t)port;
    address.loopback = is_loopback(address.host, strlen(address.host));
    if (inet_pton(address.ipv6 ? AF_INET6 : AF_INET, address.host, bytes) != 1)
        return err_set(err, "is no address to listen on: %s", how);
    *ret = address;
    return 0;
}
