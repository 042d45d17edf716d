/*
 * For LD_PRELOAD: the look-up of the name $SLOW_NAME waits while the file $SLOW_NAME_FILE is there,
 * and is then that of the address $SLOW_NAME_ADDRESS. All other look-ups are the C library's.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LOOK_AGAIN_US = 20000 };

typedef int (*lookup_fn)(const char *, const char *, const struct addrinfo *, struct addrinfo **);

int
getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
            struct addrinfo **ret_found)
{
    lookup_fn lookup = (lookup_fn)dlsym(RTLD_NEXT, "getaddrinfo");
    const char *slow = getenv("SLOW_NAME");

    if (!node || !slow || strcmp(node, slow) != 0)
        return lookup(node, service, hints, ret_found);
    while (access(getenv("SLOW_NAME_FILE"), F_OK) == 0)
        usleep(LOOK_AGAIN_US);
    return lookup(getenv("SLOW_NAME_ADDRESS"), service, hints, ret_found);
}
