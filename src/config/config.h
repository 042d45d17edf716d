/*
 * The configuration as structs, filled from one libconfig file by way of the option table. Owns all
 * its texts and the compiled rules. Nothing outside config/ knows the file format.
 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/diag.h"
#include "base/log.h"
#include "rules/ruleset.h"
#include "sendx/account.h"
#include "sendx/fold.h"

#define CONFIG_SECRET_IN_FILE "secret-in-file" /* the name of a lint */

enum kafka_start { KAFKA_START_EARLIEST, KAFKA_START_LATEST, KAFKA_START_TIME };

/* A librdkafka property, its name with dots. */
struct kafka_property {
    char *name, *value;
    struct place at;
};

/* Events by where they stand. */
struct topic_offset {
    char *topic;
    int32_t partition;
    int64_t offset;
};

struct offset_list {
    struct topic_offset *items;
    size_t count;
};

bool offset_list_has(const struct offset_list *list, const char *topic, int32_t partition,
                     int64_t offset);

struct kafka_config {
    char *bootstrap_servers, *group_id;
    enum kafka_start start;
    int64_t start_ms;                  /* for KAFKA_START_TIME: since 1970-01-01 UTC */
    struct offset_list skip;           /* never to be tried */
    struct kafka_property *properties; /* all others that were written */
    size_t property_count;
};

struct delivery_config {
    int64_t retry_min_ms, retry_max_ms, retry_for_ms, retry_after_max_ms;
    int64_t max_pending_events, max_pending_bytes, prefetch_bytes;
    int64_t commit_interval_ms, drain_timeout_ms, stall_after_ms;
    enum fold_mode fold;
};

struct dead_letter_config {
    char *topic;         /* "": a permanent failure holds its contact instead */
    char *redrive_topic; /* "": none is consumed */
    double budget;       /* share of the events finished in the last 10 minutes, 0 to 1 */
};

struct admin_config {
    char *listen; /* HOST:PORT; "": no endpoint */
    char *token;  /* "" : none is asked for */
    bool allow_public;
};

struct log_config {
    enum log_level level;
    enum log_format format;
};

struct config {
    struct kafka_config kafka;
    struct account *accounts;
    size_t account_count;
    struct delivery_config delivery;
    struct dead_letter_config dead_letter;
    struct admin_config admin;
    struct log_config log;
    struct ruleset *rules;
    void *source;                    /* what the texts' places borrow from; config/ only */
    const struct spec_ruleset *spec; /* the rules as they are written; lives in the source */
};

enum config_secrets {
    CONFIG_SECRETS_REQUIRED, /* a missing ${env:…} or ${file:…} is an error */
    CONFIG_SECRETS_OPTIONAL  /* a warning, and the text is "" */
};

/* The opinion of who will use the kafka section (edge/kafka_conf): adds its errors, -1 if any. */
typedef int config_kafka_check(const struct kafka_config *kafka, struct diag *diag);

/* Reads and checks FILE with everything it includes. Every finding goes to DIAG, those of
 * KAFKA_CHECK (NULL: nobody is asked) among them; NULL when there was an error. */
struct config *config_load(const char *file, enum config_secrets secrets,
                           config_kafka_check *kafka_check, struct diag *diag) MUSTCHECK;

/* The same for a worker that goes on from RUNNING. Accounts keep their index there, new ones come
 * behind them, and one that is no longer written is kept, marked as removed, for the calls that
 * were made for it. Settings that need a restart keep RUNNING's value; the names of those that were
 * written differently are added to KEPT ("kafka.group_id delivery.prefetch_bytes"). */
struct config *config_load_beside(const char *file, const struct config *running,
                                  config_kafka_check *kafka_check, struct buf *kept,
                                  struct diag *diag) MUSTCHECK;

void config_free(struct config *config); /* NULL is accepted */

/* Adds the lints to DIAG, each a warning with a name, and takes out of it what the file allows in a
 * comment, "lint: allow NAME". CONFIG has loaded with DIAG. */
void config_lint(const struct config *config, struct diag *diag);
/* Whether a file that the key or the team of an account names (${file:…}) has other contents by
 * now. Reads these files. */
bool config_secret_changed(const struct config *config, size_t account);

/* What is in force, as a configuration file; secrets masked, defaults marked. */
void config_print(const struct config *config, FILE *out);

/* The reference of all options as Markdown: docs/configuration.md. */
void config_print_reference(FILE *out);

/* The tables of filters and of lints as Markdown, each between the marks that it has in
 * docs/rules.md. */
void config_print_rules_reference(FILE *out);

#endif
