/*
 * The page's content as lines for a terminal, made from a worker's /status.json. Pure.
 */
#ifndef CMD_TOP_PAGE_H
#define CMD_TOP_PAGE_H

#include <jansson.h>

#include "base/buf.h"

/* Adds the lines; members that are missing show as nothing. Control characters, which a tag or a
 * reply could hold, are replaced. */
void top_page_add(struct buf *text, const json_t *status);

#endif
