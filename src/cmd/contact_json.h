/*
 * Requests as a person writes them, on the command line and in rule tests: JSON with the API's own
 * names.
 * Strict, so that a slip of the keyboard is told and not sent.
 */
#ifndef CMD_CONTACT_JSON_H
#define CMD_CONTACT_JSON_H

#include <jansson.h>

#include "base/arena.h"
#include "base/err.h"
#include "sendx/model.h"

/* Reads JSON into REQUEST, its texts into ARENA. */
int contact_json_read(struct contact_request *request, struct arena *arena, const char *json,
                      struct err *err) MUSTCHECK;

/* The same for what is parsed already, and for a TrackRequest with its contact. */
int contact_json_read_tree(struct contact_request *request, struct arena *arena, json_t *root,
                           struct err *err) MUSTCHECK;
int contact_json_read_track(struct track_request *request, struct arena *arena, json_t *root,
                            struct err *err) MUSTCHECK;

/* Is it one @ with something on both sides, and no white space? */
bool contact_json_is_email(const char *text);

#endif
