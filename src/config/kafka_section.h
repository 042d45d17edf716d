/*
 * What is special about the kafka section: settings that are properties of librdkafka. librdkafka
 * itself is not asked here (edge/kafka_conf does); this knows which properties the worker must set
 * alone.
 */
#ifndef CONFIG_KAFKA_SECTION_H
#define CONFIG_KAFKA_SECTION_H

#include <stdbool.h>

#include "config/option.h"

/* Reads the properties of GROUP, which may be NULL. */
void kafka_section_read(const struct source_node *group, struct kafka_config *kafka,
                        const struct loader *loader);
void kafka_section_fini(struct kafka_config *kafka);
void kafka_section_drop_properties(struct kafka_config *kafka);

/* Whether a property's value is nobody's business. NAME has dots. */
bool kafka_property_is_secret(const char *name);

/* The properties that are refused: 0 … count-1. */
struct kafka_refusal {
    const char *name;    /* with dots */
    const char *allowed; /* "a|b": values that are not refused; NULL: none */
    const char *reason;  /* and what to do instead */
    int64_t least;       /* numbers from here on are not refused; 0: none */
};
size_t kafka_refusal_count(void);
const struct kafka_refusal *kafka_refusal_at(size_t i);

#endif
