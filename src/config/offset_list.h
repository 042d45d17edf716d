/*
 * Events that are never to be tried, as the configuration names them: [ "topic:partition:offset" ].
 */
#ifndef CONFIG_OFFSET_LIST_H
#define CONFIG_OFFSET_LIST_H

#include "config/config.h"
#include "config/option.h"

enum { OFFSET_LIST_MAX = 1000 /* elements */ };

/* Puts what NODE says in place of LIST; -1 when it cannot be, which is reported. */
int offset_list_read(const struct source_node *node, struct offset_list *list,
                     const struct loader *loader) MUSTCHECK;

/* Adds the list as the file would say it. */
void offset_list_print(const struct offset_list *list, struct buf *out);
void offset_list_fini(struct offset_list *list);

#endif
