/*
 * A configuration read beside the one that a worker runs with, to take its place: what must stay as
 * it is, and where accounts stand. Owns nothing.
 */
#ifndef CONFIG_BESIDE_H
#define CONFIG_BESIDE_H

#include "base/buf.h"
#include "config/config.h"

/* Puts the accounts of CONFIG where RUNNING has them, new ones behind, and a copy, `removed`, where
 * RUNNING has one that CONFIG has not. */
void beside_place_accounts(struct config *config, const struct config *running);

/* Puts the values of RUNNING into CONFIG where a setting needs a restart. Adds the name of each
 * that was written differently to KEPT, such as "kafka.group_id", with a blank between them. */
void beside_keep(struct config *config, const struct config *running, struct buf *kept);

#endif
