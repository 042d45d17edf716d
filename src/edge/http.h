/*
 * HTTP requests by libcurl's multi interface, all sockets behind one epoll descriptor. Owns the
 * connections, which are kept and used again, and a copy of whatever a request needs until it is
 * done. It knows nothing of contacts and rules, decides nothing about a reply, tries nothing again
 * but as said below, and never blocks, sleeps or reads a clock. Only its own files and
 * http_get.c know of curl.
 *
 * Several requests of an account go out at once; how many, and when, is the caller's business (the
 * gate's). HTTP/2 where the server offers it by ALPN, else HTTP/1.1. Redirects are never followed.
 * Proxies are taken from the environment as curl does (https_proxy, no_proxy …), as it is when the
 * account is made. At log level debug requests that start then have curl say what it does
 * (http_log.h); else that costs a comparison.
 *
 * Repeats happen here, at once, when a kept connection turns out to be closed or going away:
 *
 * - curl does it itself, up to five times, and takes any end of a kept connection without a byte of
 *   an answer for that, so a server that has read the request and closes gets it once more. Nothing
 *   turns that off; but the owner is asked each time (may_send), and told how often the request
 *   went out (reply.sends).
 * - After an HTTP/2 GOAWAY it answers CURLE_SEND_ERROR, and the request, which was not sent, is
 *   started once more.
 *
 * The process ignores SIGPIPE.
 */
#ifndef EDGE_HTTP_H
#define EDGE_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/macros.h"
#include "sendx/account.h"
#include "sendx/reply.h"
#include "sendx/wire.h"

struct http;
struct http_account;

/* How it talks up. */
struct http_ops {
    /* The request TOKEN is over. REPLY is borrowed until this returns. Called from http_step only;
     * may call http_start, http_abort and http_account_*, but not http_step or http_close. */
    void (*done)(void *arg, void *token, const struct reply *reply);

    /* Asked right before the first byte of TOKEN's request is sent, which can be long after
     * http_start: a connection had to be made, or the process stood still. AGAIN: it went out
     * before, and its connection ended without a byte of an answer. False: it is not sent, and
     * reported as REPLY_ABORTED; AGAIN as REPLY_RESET, since it may have been carried out. Must not
     * call anything of this header. NULL: everything may be sent. */
    bool (*may_send)(void *arg, void *token, bool again);
};

struct http *http_open(const struct http_ops *ops, void *arg, struct err *err) MUSTCHECK;

/* Ends what is still going on without a word to ops. Accounts must have been freed before. */
void http_close(struct http *http); /* NULL is accepted */

/* Prepares the headers, time limits and trust of ACCOUNT, which is not kept. An error is a
 * value that curl refuses. */
struct http_account *http_account_new(struct http *http, const struct account *account,
                                      struct err *err) MUSTCHECK;

/* Its requests still in flight go on and are reported. NULL is accepted. */
void http_account_free(struct http_account *account);

/* Sends REQUEST, which is copied and whose URL begins with the account's base URL, in the next
 * step. Whatever goes wrong is reported by ops->done. */
void http_start(struct http_account *account, const struct wire_request *request, void *token);

/* Breaks off the request of TOKEN, if it is in flight; the next step reports it as REPLY_ABORTED.
 */
void http_abort(struct http *http, const void *token);

/* Requests started and not yet reported. */
size_t http_in_flight(const struct http *http);

/* The loop's three questions: what to wait for (readable), until when (absolute, CLOCK_NEVER when
 * there is nothing), and do what is due. True when there is work left for the next turn at once. */
int http_fd(const struct http *http);
int64_t http_deadline(const struct http *http);
bool http_step(struct http *http, int64_t now);

const char *http_library_version(void); /* libcurl and what it is built on */

#endif
