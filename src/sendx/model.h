/*
 * The five models of the SendX contact API as plain data: ContactRequest, ContactResponse, Contact,
 * TrackRequest, TrackResponse. Texts are UTF-8 without NUL and live in whatever arena the struct
 * was filled from; NULL means absent. The models own nothing.
 */
#ifndef SENDX_MODEL_H
#define SENDX_MODEL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/macros.h"

struct text_list {
    const char **items;
    size_t count;
};

struct field {
    const char *name, *value;
};

struct field_list {
    struct field *items;
    size_t count;
};

struct contact_request {
    const char *email; /* the contact's key, required */
    const char *new_email;
    const char *first_name, *last_name, *company;
    const char *birthday; /* YYYY-MM-DD */
    struct field_list custom_fields;
    struct text_list tags;
};

struct track_request {
    const char *email; /* v1: in the query; rest: in the body */
    struct text_list add_tags, remove_tags;
};

struct contact {
    const char *encrypted_team_id, *encrypted_id;
    const char *first_name, *last_name, *email, *company, *birthday;
    struct text_list tags;
    struct field_list custom_fields;
};

struct contact_response {
    const char *status; /* as text, also when the reply has a number */
    const char *message;
    bool has_data;
    struct contact data;
};

struct track_response {
    const char *status, *message, *data;
};

/* The JSON body; absent members are omitted. WITH_EMAIL: the rest flavour's track names it here. */
void contact_request_write(const struct contact_request *request, struct buf *body);
void track_request_write(const struct track_request *request, bool with_email, struct buf *body);

/* Read a reply's body. Unknown members are ignored; members of a wrong type count as absent. An
 * error is a body that is not a JSON object. */
int contact_response_read(struct contact_response *response, struct arena *arena, const char *body,
                          size_t body_len, struct err *err) MUSTCHECK;
int track_response_read(struct track_response *response, struct arena *arena, const char *body,
                        size_t body_len, struct err *err) MUSTCHECK;

#endif
