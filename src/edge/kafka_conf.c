#include "edge/kafka_conf.h"

#include <librdkafka/rdkafka.h>
#include <stdio.h>

enum { ERRSTR_MAX = 512, NAME_MAX_LEN = 128 };

/* As it is written in the file: underscores where the library has dots. */
static const char *
written_name(const char *name, char *text, size_t size)
{
    snprintf(text, size, "%s", name);
    for (char *c = text; *c; c++)
        if (*c == '.')
            *c = '_';
    return text;
}

int
kafka_check(const struct kafka_config *kafka, struct diag *diag)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    int result = 0;

    for (size_t i = 0; i < kafka->property_count; i++) {
        const struct kafka_property *property = &kafka->properties[i];
        char name[NAME_MAX_LEN], errstr[ERRSTR_MAX];

        if (rd_kafka_conf_set(conf, property->name, property->value, errstr, sizeof(errstr)) ==
            RD_KAFKA_CONF_OK)
            continue;
        written_name(property->name, name, sizeof(name));
        result = diag_error(diag, property->at, "kafka.%s: %s", name, errstr);
    }
    rd_kafka_conf_destroy(conf);
    return result;
}
