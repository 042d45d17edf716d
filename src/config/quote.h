/*
 * Text as the configuration file writes it. Owns nothing.
 */
#ifndef CONFIG_QUOTE_H
#define CONFIG_QUOTE_H

#include "base/buf.h"

enum quote_form {
    QUOTE_SECTIONS, /* "${" of the text is written "$${", so that it is read back as itself */
    QUOTE_RULES     /* as it is: a template */
};

void quote_add(struct buf *out, const char *text, enum quote_form form);

#endif
