#include "config/option.h"

#include <string.h>

#define IN(type, member) .offset = offsetof(type, member), .size = sizeof(((type *)0)->member)
#define IN_CONFIG(member) IN(struct config, member)
#define IN_ACCOUNT(member) IN(struct account, member)
#define RANGE(from, to) .least = (from), .most = (to)

static const struct section sections[] = {
    {"kafka", false, "Where events come from."},
    {"accounts", true, "The SendX teams that calls go to, a group each, one or more."},
    {"delivery", false, "How calls are sent, and how much may wait."},
    {"dead_letter", false, "Where events go that cannot be delivered, and how many may."},
    {"admin", false, "A small HTTP server for metrics and probes."},
    {"log", false, "The log on standard error."},
};

static const struct option options[] = {
    {"kafka", "bootstrap_servers", OPTION_TEXT, OPTION_FILLED | OPTION_RESTART, "localhost:9092",
     IN_CONFIG(kafka.bootstrap_servers),
     .doc = "The brokers to ask first: `host:port`, separated by commas."},
    {"kafka", "group_id", OPTION_TEXT, OPTION_FILLED | OPTION_RESTART, "sendx-worker",
     IN_CONFIG(kafka.group_id),
     .doc =
         "The consumer group. Processes of one group share the partitions; a group with a new name "
         "begins at `start`."},
    {"kafka", "start", OPTION_START, OPTION_RESTART, "earliest", .choices = "earliest|latest",
     IN_CONFIG(kafka),
     .doc =
         "Where a group without committed offsets begins: at the oldest event there is, behind the "
         "newest, or at the first one not older than a time such as `2026-01-31` or "
         "`2026-01-31T09:30:00+01:00` (UTC where no offset is written)."},
    {"kafka", "skip", OPTION_OFFSETS, 0, "[ ]", IN_CONFIG(kafka.skip),
     .doc = "Events that are never tried, as `\"topic:partition:offset\"`, at most 1,000: the way "
            "past "
            "one that ends every worker that reads it. They count as `skipped`, with a line in the "
            "log. What a worker has taken in already goes on."},

    {"accounts", "name", OPTION_TEXT, OPTION_REQUIRED | OPTION_FILLED, NULL, IN_ACCOUNT(name),
     .doc = "What rules, logs and metrics call the account. Unique, and no e-mail address."},
    {"accounts", "api", OPTION_CHOICE, 0, "v1", .choices = "v1|rest", IN_ACCOUNT(api),
     .doc =
         "The flavour of the API: `v1` takes the key in the header `api_key` and needs `team_id`, "
         "`rest` takes it in `X-Team-ApiKey`."},
    {"accounts", "base_url", OPTION_TEXT, OPTION_FILLED, NULL, IN_ACCOUNT(base_url),
     .doc =
         "What URLs of the API begin with. The default goes with `api`: "
         "`https://app.sendx.io/api/v1` for `v1`, `https://api.sendx.io/api/v1/rest` for `rest`. "
         "Plain `http://` is refused for anything but this machine itself (127.0.0.0/8, ::1, "
         "localhost), unless `allow_plaintext` is set."},
    {"accounts", "api_key", OPTION_TEXT,
     OPTION_REQUIRED | OPTION_FILLED | OPTION_VISIBLE | OPTION_SECRET, NULL, IN_ACCOUNT(api_key),
     .doc = "The key of the team. Better named than written: `${env:SENDX_API_KEY}` or "
            "`${file:/run/secrets/sendx_api_key}`."},
    {"accounts", "team_id", OPTION_TEXT, OPTION_FILLED | OPTION_VISIBLE, NULL, IN_ACCOUNT(team_id),
     .doc =
         "The team. Required for `api = \"v1\"`; refused for `rest`, whose key belongs to a team."},
    {"accounts", "max_in_flight", OPTION_INTEGER, 0, "64", RANGE("1", "10000"),
     IN_ACCOUNT(max_in_flight),
     .doc = "Calls that may wait for their replies at once. It is an upper bound: below it the "
            "worker finds out how many the API takes."},
    {"accounts", "rate_limit", OPTION_NUMBER, 0, "0.0", RANGE("0", "1000000"),
     IN_ACCOUNT(rate_limit),
     .doc = "Calls a second of the whole consumer group: each process takes its share by the "
            "partitions it has, and the share of idle partitions is left unused. 0: no limit; "
            "else not below 0.001."},
    {"accounts", "timeout", OPTION_DURATION, 0, "30s", RANGE("10ms", "10m"), IN_ACCOUNT(timeout_ms),
     .doc =
         "How long one call may take. A call that timed out is repeated, and only such a call can "
         "arrive after a later one: keep it generous."},
    {"accounts", "connect_timeout", OPTION_DURATION, 0, "3s", RANGE("10ms", "10m"),
     IN_ACCOUNT(connect_timeout_ms),
     .doc = "How long a new connection may take, name look-up and TLS included."},
    {"accounts", "ca_file", OPTION_TEXT, 0, "", IN_ACCOUNT(ca_file),
     .doc = "PEM file with the certificates to trust instead of the system's; a relative name "
            "begins in "
            "the folder of the configuration file. Empty: the system's."},
    {"accounts", "allow_plaintext", OPTION_BOOLEAN, 0, "false", IN_ACCOUNT(allow_plaintext),
     .doc = "Allow `http://` to another machine: the key and all contacts can then be read on the "
            "way."},
    {"accounts", "hold", OPTION_BOOLEAN, 0, "false", IN_ACCOUNT(hold),
     .doc = "Start no call of this account. Nothing is lost: its events wait, in the worker and in "
            "Kafka."},
    {"accounts", "on_unknown_contact", OPTION_CHOICE, 0, "create",
     .choices = "create|dead_letter|skip", IN_ACCOUNT(on_unknown_contact),
     .doc = "What to do when SendX does not have the contact of a `track`: `create` it by an "
            "`identify` with nothing but the e-mail and send the `track` again, make the event a "
            "dead letter, or leave the call out."},

    {"delivery", "retry_min", OPTION_DURATION, 0, "250ms", RANGE("1ms", "1h"),
     IN_CONFIG(delivery.retry_min_ms),
     .doc = "The longest wait before the first repeat of a call that failed for the time being; it "
            "doubles with each repeat. The wait itself is drawn at random below it. Not above "
            "`retry_max`."},
    {"delivery", "retry_max", OPTION_DURATION, 0, "60s", RANGE("1ms", "24h"),
     IN_CONFIG(delivery.retry_max_ms), .doc = "Where the doubling ends. Not above `retry_for`."},
    {"delivery", "retry_for", OPTION_DURATION, 0, "1h", RANGE("1ms", "720h"),
     IN_CONFIG(delivery.retry_for_ms),
     .doc = "How long a call that fails while others succeed is repeated before its event becomes "
            "a dead letter. Time in which the whole account is on hold, an outage for example, is "
            "not counted."},
    {"delivery", "retry_after_max", OPTION_DURATION, 0, "1h", RANGE("1s", "24h"),
     IN_CONFIG(delivery.retry_after_max_ms),
     .doc = "The longest `Retry-After` that is obeyed; a longer one counts as this."},
    {"delivery", "max_pending_events", OPTION_INTEGER, 0, "10000", RANGE("1", "10000000"),
     IN_CONFIG(delivery.max_pending_events),
     .doc = "Events that may be unfinished at once; above it nothing is taken in."},
    {"delivery", "max_pending_bytes", OPTION_SIZE, 0, "64MiB", RANGE("64KiB", "65536MiB"),
     IN_CONFIG(delivery.max_pending_bytes),
     .doc = "Bytes that unfinished events and their calls may hold; above it nothing is taken in."},
    {"delivery", "prefetch_bytes", OPTION_SIZE, OPTION_RESTART, "32MiB", RANGE("1MiB", "65536MiB"),
     IN_CONFIG(delivery.prefetch_bytes),
     .doc = "Bytes of records fetched ahead, for all partitions together; each partition gets at "
            "least "
            "128KiB and at most 2MiB of it."},
    {"delivery", "commit_interval", OPTION_DURATION, 0, "1s", RANGE("10ms", "5m"),
     IN_CONFIG(delivery.commit_interval_ms),
     .doc =
         "How often offsets are committed. After a crash, what was finished since is sent again."},
    {"delivery", "drain_timeout", OPTION_DURATION, 0, "10s", RANGE("10ms", "10m"),
     IN_CONFIG(delivery.drain_timeout_ms),
     .doc = "How long a stop or a rebalance waits for calls in flight."},
    {"delivery", "fold", OPTION_CHOICE, 0, "safe", .choices = "off|safe|final",
     IN_CONFIG(delivery.fold),
     .doc = "How calls of one contact that wait behind one another become fewer. `safe`: "
            "`identify`s in which no field has two values and no tag stands twice become one, and "
            "so do `track`s that only add or only remove: every tag change is still made. `final`: "
            "all of them become at most one `identify` and one `track`: the contact ends the same, "
            "but changes that are taken back on the way are not made. Calls that rename or count "
            "are never folded, and nothing waits in order to be."},
    {"delivery", "stall_after", OPTION_DURATION, 0, "5m", RANGE("1s", "24h"),
     IN_CONFIG(delivery.stall_after_ms),
     .doc =
         "When events are there, nothing is finished and no call answered for so long, and nothing "
         "gives a reason (a hold, a repetition to come, the rate limit, a rebalance), `/livez` "
         "fails "
         "and the log says what each partition waits for. Keep it above `timeout` of the "
         "accounts."},

    {"dead_letter", "topic", OPTION_TEXT, OPTION_RESTART, "sendx-worker.dead-letter",
     IN_CONFIG(dead_letter.topic),
     .doc = "The topic that dead letters are written to; no rule may read it. Empty: there are "
            "none, and what fails for good holds its contact, what cannot be read its partition, "
            "until somebody looks."},
    {"dead_letter", "redrive_topic", OPTION_TEXT, OPTION_RESTART, "sendx-worker.redrive",
     IN_CONFIG(dead_letter.redrive_topic),
     .doc = "The topic through which dead letters come back to the workers; no rule may read it. "
            "Empty: none is read."},
    {"dead_letter", "budget", OPTION_NUMBER, 0, "0.05", RANGE("0", "1"),
     IN_CONFIG(dead_letter.budget),
     .doc = "The share of the events finished in the last 10 minutes that may become dead letters, "
            "with 20 always allowed. Above it the worker holds, since so many failures are a "
            "mistake in the rules or the account and not in the events."},

    {"admin", "listen", OPTION_TEXT, OPTION_RESTART, "127.0.0.1:9464", IN_CONFIG(admin.listen),
     .doc = "`HOST:PORT`, HOST being an address (an IPv6 one in brackets) or `localhost`; "
            "`0.0.0.0` is every IPv4 address of the machine, port 0 any that is free. What other "
            "machines can reach needs `token` or `allow_public`. Empty: no server."},
    {"admin", "token", OPTION_TEXT, OPTION_VISIBLE | OPTION_SECRET | OPTION_RESTART, "",
     IN_CONFIG(admin.token),
     .doc = "What a request has to show, as `Authorization: Bearer TOKEN`. Empty: nothing."},
    {"admin", "allow_public", OPTION_BOOLEAN, OPTION_RESTART, "false",
     IN_CONFIG(admin.allow_public), .doc = "Answer other machines without a token."},

    {"log", "level", OPTION_CHOICE, 0, "info", .choices = "debug|info|warning|error",
     IN_CONFIG(log.level), .doc = "The least important lines that are written."},
    {"log", "format", OPTION_CHOICE, 0, "logfmt", .choices = "logfmt|json", IN_CONFIG(log.format),
     .doc = "One event a line, as `key=value` or as a JSON object."},
};

size_t
option_count(void)
{
    return ARRAY_LEN(options);
}

const struct option *
option_at(size_t i)
{
    return &options[i];
}

size_t
section_count(void)
{
    return ARRAY_LEN(sections);
}

const struct section *
section_at(size_t i)
{
    return &sections[i];
}

const char *
option_type_name(enum option_type type)
{
#define X(id, name, expected) name,
    static const char *const names[] = {OPTION_TYPE_TABLE(X)};
#undef X

    return names[type];
}

const struct option *
option_find(const char *section, const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(options); i++) {
        if (strcmp(options[i].section, section) == 0 && strcmp(options[i].name, name) == 0)
            return &options[i];
    }
    return NULL;
}
