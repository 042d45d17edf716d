/*
 * Calls as people and programs read them: the form of rule tests, and the command line of curl that
 * would send the same request. No secret is in either. Owns nothing.
 */
#ifndef CMD_CALL_TEXT_H
#define CMD_CALL_TEXT_H

#include "base/buf.h"
#include "config/config.h"
#include "sendx/wire.h"

enum { CALL_TEXT_MAX = 256 * 1024 * 1024 /* a call as text; its body alone may have 64 MiB */ };

/* Adds the request's body with the e-mail in it, as rule tests have it. */
void call_text_add_body(struct buf *buf, const struct call *call);

/* Adds the call as a rule test expects it, in a line. WITH_ACCOUNT: says to which account. */
void call_text_add_json(struct buf *buf, const struct config *config, const struct call *call,
                        bool with_account);

/* Fills REQUEST as the worker would. What the account lacks, because its secrets are not there, is
 * BASE_URL and TEAM_ID. */
void call_text_request(struct wire_request *request, const struct account *account,
                       const struct call *call);

/* Adds a command for the shell; the key is $SENDX_API_KEY. */
void call_text_add_curl(struct buf *buf, const struct account *account, const struct call *call);

#endif
