/*
 * The state behind edge/http, shared by its files only: http.c (set-up, the loop's side),
 * http_account.c (what an account's requests share), http_request.c (the life of a request),
 * http_socket.c (what epoll watches). All of it belongs to the loop's thread.
 */
#ifndef EDGE_HTTP_STATE_H
#define EDGE_HTTP_STATE_H

#include <curl/curl.h>

#include "base/list.h"
#include "edge/http.h"
#include "edge/http_log.h"

struct http_account {
    struct http *http;
    CURL *model;  /* never used itself: handles are copies of it */
    char *origin; /* the base URL without its path */
    size_t origin_len;
    CURLU *url;   /* it again, taken apart; NULL when proxied */
    bool proxied; /* the environment names a proxy, which may be meant for it */
    struct curl_slist *headers;
    struct list idle;
    long max_in_flight;
    size_t in_flight;
    char *name, *secret; /* for the log */
    struct log_kinds said;
    bool freed; /* by its owner: goes with the last request */
};

/* What epoll watches of a descriptor, indexed by it. */
struct http_watch {
    uint32_t events;
    bool wanted; /* by curl, just now */
    bool kept;   /* a connection: its end is heard of */
};

struct http {
    struct http_ops ops;
    void *arg;
    CURLM *multi;
    int epoll_fd;
    struct http_watch *watches;
    size_t watch_count;
    struct list active;
    struct list ended; /* by us: to be reported in the next step */
    size_t in_flight;
    long max_connections; /* the sum over the accounts */
    size_t accounts;
    int64_t due_ms;
    int64_t now_ms; /* of the last step */
};

/* http_account.c. A request of ACCOUNT begins, and is over: the last one takes an account along
 * that its owner has freed. */
void http_account_hold(struct http_account *account);
void http_account_drop(struct http_account *account);

/* http_request.c. What EASY does for each request. */
CURLcode http_requests_set(CURL *easy);

/* Reports those that are over. */
void http_requests_step(struct http *http);

/* Frees the idle ones of an account; ends those of http without a word. */
void http_requests_free(struct list *idle);
void http_requests_end(struct list *requests);

/* http_socket.c. To be told of the sockets that the multi handle wants to hear of. -1: errno says
 * why not. */
int http_sockets_init(struct http *http) MUSTCHECK;
void http_sockets_fini(struct http *http); /* once curl has let go of them */

/* Connections of EASY are kept under watch. */
CURLcode http_sockets_watch(struct http *http, CURL *easy);

/* Tells curl of the sockets that are ready. True when there may be more of them. */
bool http_sockets_step(struct http *http);

#endif
