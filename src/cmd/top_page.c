#include "cmd/top_page.h"

#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "base/utf8.h"

enum { CELLS_MAX = 8, ROWS_MAX = 20, CELL_MAX = 160, GAP = 2 };

/* ---- what is in the JSON ---- */

static const char *
text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text ? text : "";
}

static double
number_of(const json_t *object, const char *name)
{
    return json_number_value(json_object_get(object, name));
}

static bool
is_known(const json_t *object, const char *name)
{
    return json_is_number(json_object_get(object, name));
}

/* ---- numbers as words ---- */

static void
add_span(struct buf *text, double seconds)
{
    if (seconds < 1)
        buf_add_text(text, "< 1 s");
    else if (seconds < 120)
        buf_printf(text, "%.0f s", seconds);
    else if (seconds < 7200)
        buf_printf(text, "%.0f min", seconds / 60);
    else if (seconds < 172800)
        buf_printf(text, "%.1f h", seconds / 3600);
    else
        buf_printf(text, "%.0f days", seconds / 86400);
}

static void
add_rate(struct buf *text, double rate)
{
    buf_printf(text, rate < 10 ? "%.1f" : "%.0f", rate);
}

static bool
is_control(char c)
{
    return (unsigned char)c < ' ' || c == 0x7f;
}

/* Text of anybody's, for a terminal. */
static void
add_plain(struct buf *text, const char *from)
{
    for (; *from; from++)
        buf_add_char(text, is_control(*from) ? '?' : *from);
}

/* ---- tables ---- */

/* A column that begins with ">" stands to the right. */
struct table {
    const char *heads[CELLS_MAX];
    size_t columns, rows;
    char cells[ROWS_MAX + 1][CELLS_MAX][CELL_MAX];
};

static size_t
characters(const char *text)
{
    size_t count = 0;

    for (; *text; text++)
        count += ((unsigned char)*text & 0xc0) != 0x80;
    return count;
}

static void
table_init(struct table *table, const char *const *heads, size_t columns)
{
    *table = (struct table){.columns = columns};
    for (size_t i = 0; i < columns; i++)
        table->heads[i] = heads[i];
}

/* Cut where it is too long, between characters. */
static void
put(struct table *table, size_t column, const char *text)
{
    char *cell = table->cells[table->rows][column];
    size_t len = utf8_cut(text, strlen(text), CELL_MAX - 1);

    for (size_t i = 0; i < len; i++)
        cell[i] = is_control(text[i]) ? '?' : text[i];
    cell[len] = '\0';
}

static void
put_number(struct table *table, size_t column, const json_t *object, const char *name)
{
    char text[32] = "-";

    if (is_known(object, name))
        snprintf(text, sizeof(text), "%.0f", number_of(object, name));
    put(table, column, text);
}

static void
put_span(struct table *table, size_t column, const json_t *object, const char *name,
         const char *unknown)
{
    struct buf span;

    buf_init(&span, 32);
    if (is_known(object, name))
        add_span(&span, number_of(object, name));
    put(table, column, is_known(object, name) ? buf_text(&span) : unknown);
    buf_fini(&span);
}

static void
add_padded(struct buf *text, const char *cell, size_t width, bool right, bool is_last)
{
    size_t pad = width - characters(cell);

    for (size_t i = 0; right && i < pad; i++)
        buf_add_char(text, ' ');
    buf_add_text(text, cell);
    for (size_t i = 0; !is_last && i < GAP + (right ? 0 : pad); i++)
        buf_add_char(text, ' ');
}

static void
table_add(const struct table *table, struct buf *text)
{
    size_t widths[CELLS_MAX];

    for (size_t c = 0; c < table->columns; c++) {
        widths[c] = characters(table->heads[c] + (*table->heads[c] == '>'));
        for (size_t r = 0; r < table->rows; r++) {
            size_t width = characters(table->cells[r][c]);

            widths[c] = width > widths[c] ? width : widths[c];
        }
    }
    for (size_t r = 0; r <= table->rows; r++) {
        for (size_t c = 0; c < table->columns; c++) {
            bool right = *table->heads[c] == '>';
            const char *cell = r ? table->cells[r - 1][c] : table->heads[c] + right;

            add_padded(text, cell, widths[c], right, c + 1 == table->columns);
        }
        buf_add_char(text, '\n');
    }
    buf_add_char(text, '\n');
}

/* ---- the parts ---- */

static double
left_of(const json_t *status, bool *ret_known)
{
    const json_t *part;
    double left = 0;
    size_t i;

    *ret_known = false;
    json_array_foreach(json_object_get(status, "partitions"), i, part) {
        if (!is_known(part, "unread"))
            continue;
        *ret_known = true;
        left += number_of(part, "unread") + number_of(part, "pending");
    }
    return left;
}

static void
add_head(struct buf *text, const json_t *status)
{
    const json_t *worker = json_object_get(status, "worker");
    const json_t *rates = json_object_get(status, "rates");
    bool known;
    double left = left_of(status, &known);

    buf_add_text(text, "sendx-worker ");
    add_plain(text, text_of(worker, "version"));
    buf_add_text(text, "  group ");
    add_plain(text, text_of(worker, "group"));
    buf_printf(text, "  %s, up ", text_of(worker, "phase"));
    add_span(text, number_of(worker, "uptime_seconds"));
    buf_add_text(text, "\nevents/s ");
    add_rate(text, number_of(rates, "events_finished"));
    buf_add_text(text, "  calls/s ");
    add_rate(text, number_of(rates, "calls_delivered"));
    buf_add_text(text, "  failed/s ");
    add_rate(text, number_of(rates, "calls_failed"));
    buf_add_text(text, "  behind ");
    if (known)
        buf_printf(text, "%.0f", left);
    else
        buf_add_text(text, "not known yet");
    if (json_is_false(json_object_get(json_object_get(status, "reloads"), "last_ok")))
        buf_add_text(text, "\nThe last reload was refused; the log says why.");
    buf_add_text(text, "\n\n");
}

static void
add_holds(struct buf *text, const json_t *status)
{
    const json_t *hold;
    size_t i;

    json_array_foreach(json_object_get(status, "holds"), i, hold) {
        buf_printf(text, "HELD  %s ", text_of(hold, "scope"));
        add_plain(text, text_of(hold, "name"));
        buf_printf(text, ": %s, %s", text_of(hold, "reason"), text_of(hold, "why"));
        if (is_known(hold, "countdown_seconds")) {
            buf_add_text(text, "; next try in ");
            add_span(text, number_of(hold, "countdown_seconds"));
        }
        buf_add_char(text, '\n');
    }
    if (json_array_size(json_object_get(status, "holds")))
        buf_add_char(text, '\n');
}

static void
add_events(struct buf *text, const json_t *status)
{
    static const char *const names[] = {"consumed", "pending",       "delivered", "no_match",
                                        "skipped",  "dead_lettered", "given_back"};
    const json_t *events = json_object_get(status, "events");

    buf_add_text(text, "EVENTS ");
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        buf_printf(text, " %s %.0f ", names[i], number_of(events, names[i]));
    buf_truncate(text, text->len - 1);
    buf_add_text(text, "\n\n");
}

static double
failed_of(const json_t *calls)
{
    const char *name;
    json_t *count;
    double failed = 0;

    json_object_foreach((json_t *)calls, name, count) {
        if (strcmp(name, "done") != 0)
            failed += json_number_value(count);
    }
    return failed;
}

static void
put_count(struct table *table, size_t column, double count)
{
    char text[32];

    snprintf(text, sizeof(text), "%.0f", count);
    put(table, column, text);
}

static void
add_accounts(struct buf *text, const json_t *status)
{
    static const char *const heads[] = {"ACCOUNT", "GATE",       ">IN FLIGHT",
                                        ">LIMIT",  ">DELIVERED", ">FAILED"};
    struct table table;
    const json_t *account;
    size_t i;

    table_init(&table, heads, ARRAY_LEN(heads));
    json_array_foreach(json_object_get(status, "accounts"), i, account) {
        if (table.rows == ROWS_MAX)
            break;
        put(&table, 0, text_of(account, "name"));
        put(&table, 1, text_of(account, "gate"));
        put_number(&table, 2, account, "in_flight");
        put_number(&table, 3, account, "limit");
        put_number(&table, 4, json_object_get(account, "calls"), "done");
        put_count(&table, 5, failed_of(json_object_get(account, "calls")));
        table.rows++;
    }
    table_add(&table, text);
}

static void
add_rules(struct buf *text, const json_t *status)
{
    static const char *const heads[] = {"RULE",       ">MATCHED", ">OTHERS",
                                        ">DELIVERED", ">FAILED",  "NOTE"};
    struct table table;
    const json_t *rule;
    size_t i;

    table_init(&table, heads, ARRAY_LEN(heads));
    json_array_foreach(json_object_get(status, "rules"), i, rule) {
        const json_t *calls = json_object_get(rule, "calls");
        const json_t *identify = json_object_get(calls, "identify");
        const json_t *track = json_object_get(calls, "track");

        if (table.rows == ROWS_MAX)
            break;
        put(&table, 0, text_of(rule, "name"));
        put_number(&table, 1, rule, "matched");
        put_number(&table, 2, rule, "not_matched");
        put_count(&table, 3,
                  number_of(identify, "done") + number_of(track, "done") +
                      number_of(rule, "folded"));
        put_count(&table, 4, failed_of(identify) + failed_of(track) + number_of(rule, "failed"));
        put(&table, 5,
            !json_is_true(json_object_get(rule, "enabled")) ? "off"
            : number_of(rule, "matched") == 0               ? "never matched"
                                                            : "");
        table.rows++;
    }
    table_add(&table, text);
}

static void
add_partitions(struct buf *text, const json_t *status)
{
    static const char *const heads[] = {"PARTITION", "STATE",   ">LAG", ">UNREAD",
                                        ">PENDING",  ">OLDEST", ">AGE", ">NEXT"};
    struct table table;
    const json_t *part;
    size_t i;

    table_init(&table, heads, ARRAY_LEN(heads));
    json_array_foreach(json_object_get(status, "partitions"), i, part) {
        char name[CELL_MAX];

        if (table.rows == ROWS_MAX)
            break;
        snprintf(name, sizeof(name), "%.140s/%.0f", text_of(part, "topic"),
                 number_of(part, "partition"));
        put(&table, 0, name);
        put(&table, 1, text_of(part, "state"));
        put_number(&table, 2, part, "lag");
        put_number(&table, 3, part, "unread");
        put_number(&table, 4, part, "pending");
        put_number(&table, 5, part, "oldest_offset");
        put_span(&table, 6, part, "oldest_age_seconds", "-");
        put_number(&table, 7, part, "next");
        table.rows++;
    }
    table_add(&table, text);
    if (number_of(status, "partitions_owned") > (double)table.rows)
        buf_printf(text, "… of %.0f partitions\n\n", number_of(status, "partitions_owned"));
}

static void
add_retrying(struct buf *text, const json_t *status)
{
    static const char *const heads[] = {"WAITING", "RULE",  ">TRIES",
                                        ">SINCE",  ">NEXT", "LAST REPLY"};
    struct table table;
    const json_t *wait;
    size_t i;

    table_init(&table, heads, ARRAY_LEN(heads));
    json_array_foreach(json_object_get(status, "retrying"), i, wait) {
        if (table.rows == ROWS_MAX / 2)
            break;
        put(&table, 0, text_of(wait, "contact"));
        put(&table, 1, text_of(wait, "rule"));
        put_number(&table, 2, wait, "tries");
        put_span(&table, 3, wait, "since_seconds", "-");
        put_span(&table, 4, wait, "due_seconds", "held");
        put(&table, 5, text_of(wait, "reason"));
        table.rows++;
    }
    if (table.rows)
        table_add(&table, text);
}

static void
add_failures(struct buf *text, const json_t *status)
{
    static const char *const heads[] = {"FAILURE", ">TIMES", "RULE", "CONTACT", "REASON"};
    struct table table;
    const json_t *failure;
    size_t i;

    table_init(&table, heads, ARRAY_LEN(heads));
    json_array_foreach(json_object_get(status, "failures"), i, failure) {
        if (table.rows == ROWS_MAX / 2)
            break;
        put(&table, 0, text_of(failure, "what"));
        put_number(&table, 1, failure, "count");
        put(&table, 2, text_of(failure, "rule"));
        put(&table, 3, text_of(failure, "contact"));
        put(&table, 4, text_of(failure, "reason"));
        table.rows++;
    }
    if (table.rows)
        table_add(&table, text);
}

void
top_page_add(struct buf *text, const json_t *status)
{
    add_head(text, status);
    add_holds(text, status);
    add_events(text, status);
    add_accounts(text, status);
    add_rules(text, status);
    add_partitions(text, status);
    add_retrying(text, status);
    add_failures(text, status);
    if (text->len > 1 && !buf_toobig(text))
        buf_truncate(text, text->len - 1); /* the empty line at the end */
}
