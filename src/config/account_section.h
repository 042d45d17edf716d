/*
 * What is special about the list of accounts: what one setting demands of another, and names that
 * are unique.
 */
#ifndef CONFIG_ACCOUNT_SECTION_H
#define CONFIG_ACCOUNT_SECTION_H

#include "config/option.h"

/* Fills the accounts of CONFIG from NODE, the file's "accounts", or NULL when there is none; ROOT
 * is the file. */
void account_section_read(const struct source_node *node, const struct source_node *root,
                          struct config *config, const struct loader *loader);

/* The base URL of a flavour where none is written. */
const char *account_default_url(enum api_flavour api);

#endif
