/*
 * The stand-in for the SendX API as an HTTP server: both flavours and the control paths, on one
 * socket. Runs in its caller's loop and starts no thread; a request that is delayed or hangs stands
 * aside. Owns the socket, the connections and the service behind them. The only user of
 * libmicrohttpd here.
 */
#ifndef SANDBOX_API_H
#define SANDBOX_API_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/macros.h"
#include "sandbox/service.h"

struct api_options {
    const char
        *listen; /* HOST:PORT, HOST a numeric address ([…] around IPv6); port 0: a free one */
    struct service_options service;
};

struct api;

struct api *api_new(const struct api_options *options, struct err *err) MUSTCHECK;
void api_free(struct api *api); /* NULL is accepted; open connections are closed */

const char *api_address(const struct api *api); /* HOST:PORT with the real port */

int api_fd(const struct api *api);           /* readable: there is work */
int64_t api_deadline(const struct api *api); /* when there is work, in any case (clock_now_ms) */
void api_step(struct api *api, int64_t now_ms);

struct service *api_service(const struct api *api); /* the API's own */

#endif
