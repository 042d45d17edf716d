#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/page.h"
#include "base/xalloc.h"
#include "cmd/cmd.h"
#include "cmd/redrive.h"
#include "config/unit.h"
#include "edge/kafka_read.h"
#include "edge/kafka_transaction.h"
#include "edge/signals.h"

enum {
    TURN_MS = 200,        /* how soon a signal is noticed */
    BATCH = 5000,         /* letters of a transaction */
    BATCH_MS = 1000,      /* and how long it is open: workers see nothing of it before */
    LEAVE_MS = 15 * 1000, /* for the last transaction when interrupted, and for breaking one off */
    SHOW_MS = 100,
    LINE_MS = 1000, /* where there is no terminal */
    TIME_TEXT_MAX = 32,
    INTERRUPTED = 128 /* and the signal: the exit status of a shell */
};

struct redrive {
    const struct config *config;
    const struct redrive_options *options;
    struct kafka_read *read;
    struct kafka_transaction *transaction; /* NULL: a dry run */
    struct redrive_index *index;
    int signals;
    int signal; /* that came; 0: none */
    int32_t letter_partitions, redrive_partitions;

    struct event_header *headers; /* of the record on its way */
    size_t header_cap;
    bool is_open;       /* a transaction is */
    size_t sent;        /* in the open transaction */
    size_t gone;        /* letters that were not there any more when they were to be sent */
    size_t went;        /* committed */
    int64_t opened_ms;  /* the transaction */
    int64_t started_ms; /* sending */

    bool is_terminal, bar_is_open;
    int64_t show_ms; /* not before */
};

/* ---- signals ---- */

/* Waits for a signal until UNTIL_MS is over, or looks only. */
static bool
is_interrupted(struct redrive *redrive, int64_t until_ms)
{
    struct pollfd fd = {.fd = redrive->signals, .events = POLLIN};
    int64_t left_ms = until_ms - clock_now_ms();
    int signo;

    (void)poll(&fd, 1, left_ms > 0 ? (int)left_ms : 0);
    while ((signo = signals_next(redrive->signals))) {
        if (signo == SIGINT || signo == SIGTERM)
            redrive->signal = signo;
    }
    return redrive->signal != 0;
}

/* ---- showing how far it is ---- */

static void
end_bar(struct redrive *redrive)
{
    if (redrive->bar_is_open)
        page_bar_end();
    redrive->bar_is_open = false;
}

static void
show(struct redrive *redrive, size_t done, size_t total, const char *text)
{
    redrive->show_ms = clock_now_ms() + (redrive->is_terminal ? SHOW_MS : LINE_MS);
    if (redrive->is_terminal) {
        page_bar((int64_t)done, (int64_t)total, text);
        redrive->bar_is_open = true;
        return;
    }
    printf("%s\n", text);
    fflush(stdout);
}

static void
show_reading(struct redrive *redrive, const char *what, int32_t partition, int32_t partitions,
             int64_t done, int64_t total)
{
    char text[320];

    if (clock_now_ms() < redrive->show_ms)
        return;
    snprintf(text, sizeof(text), "reading %.200s: partition %d of %d, %d %%", what,
             (int)partition + 1, (int)partitions, (int)(done * 100 / total));
    show(redrive, (size_t)done, (size_t)total, text);
}

static void
show_sending(struct redrive *redrive)
{
    size_t total = redrive_index_count(redrive->index);
    size_t done = redrive->went + redrive->sent + redrive->gone;
    int64_t elapsed_ms = clock_now_ms() - redrive->started_ms + 1;
    double rate = (double)done * 1000 / (double)elapsed_ms;
    char number[2][PAGE_NUMBER_MAX], text[128];

    if (clock_now_ms() < redrive->show_ms)
        return;
    snprintf(text, sizeof(text), "%s of %s letters, %.0f/s, %.0f s left",
             page_number(number[0], (int64_t)done), page_number(number[1], (int64_t)total), rate,
             rate > 0 ? (double)(total - done) / rate : 0);
    show(redrive, done, total, text);
}

static void
time_text(int64_t time_ms, char text[TIME_TEXT_MAX])
{
    struct buf buf;

    buf_init(&buf, TIME_TEXT_MAX);
    if (time_ms != EVENT_NO_TIME)
        time_print(&buf, time_ms / 1000 * 1000);
    snprintf(text, TIME_TEXT_MAX, "%s", time_ms == EVENT_NO_TIME ? "-" : buf_text(&buf));
    buf_fini(&buf);
}

static void
print_table(const struct redrive *redrive)
{
    size_t count;
    const struct redrive_group *groups = redrive_index_groups(redrive->index, &count);
    int rule = 4, class = 5;

    for (size_t i = 0; i < count; i++) {
        rule = (int)strlen(groups[i].rule) > rule ? (int)strlen(groups[i].rule) : rule;
        class = (int)strlen(groups[i].class) > class ? (int)strlen(groups[i].class) : class;
    }
    if (count)
        printf("%-*s  %-*s  status  letters  %-20s  last\n", rule, "rule", class, "class", "first");
    for (size_t i = 0; i < count; i++) {
        char first[TIME_TEXT_MAX], last[TIME_TEXT_MAX];

        time_text(groups[i].first_ms, first);
        time_text(groups[i].last_ms, last);
        printf("%-*s  %-*s  %6s  %7zu  %-20s  %s\n", rule, groups[i].rule, class, groups[i].class,
               groups[i].status, groups[i].count, first, last);
    }
    if (count)
        putchar('\n');
}

/* The first ones are always said, the rarer ones when there are any. */
static void
print_totals(const struct redrive *redrive)
{
    for (int i = 0; i < REDRIVE_FATE_COUNT; i++) {
        size_t count = redrive_index_fate(redrive->index, (enum redrive_fate)i);

        if (count || i <= REDRIVE_OTHER)
            printf("%9zu  %s\n", count, redrive_fate_text((enum redrive_fate)i));
    }
    if (redrive_index_fate(redrive->index, REDRIVE_FOREIGN))
        printf("The first foreign one: %s.\n", redrive_index_foreign(redrive->index));
    fflush(stdout);
}

/* ---- reading ---- */

typedef int take_record(struct redrive_index *index, const struct event *record, struct err *err);

/* -1 also when interrupted: ERR says nothing then. */
static int
read_partition(struct redrive *redrive, const char *topic, int32_t partition, int32_t partitions,
               take_record *take, struct err *err)
{
    enum kafka_read_state state = KAFKA_READ_WAITING;
    struct event record;
    int64_t begin, end;

    if (kafka_read_bounds(redrive->read, topic, partition, &begin, &end, err) < 0 ||
        kafka_read_range(redrive->read, topic, partition, begin, end, err) < 0)
        return -1;
    for (int64_t n = 0;; n++) {
        if (kafka_read_next(redrive->read, TURN_MS, &state, &record, err) < 0)
            return -1;
        if (state == KAFKA_READ_END)
            return 0;
        if (state == KAFKA_READ_RECORD && take(redrive->index, &record, err) < 0)
            return -1;
        if ((state == KAFKA_READ_WAITING || n % 1024 == 0) && is_interrupted(redrive, 0))
            return -1;
        if (state == KAFKA_READ_RECORD && n % 1024 == 0)
            show_reading(redrive, topic, partition, partitions, record.offset - begin, end - begin);
    }
}

static int
read_topic(struct redrive *redrive, const char *topic, int32_t partitions, take_record *take,
           struct err *err)
{
    for (int32_t partition = 0; partition < partitions; partition++) {
        if (is_interrupted(redrive, 0) ||
            read_partition(redrive, topic, partition, partitions, take, err) < 0)
            return -1;
    }
    return 0;
}

/* The redrive topic first: what is not in it by now is nobody's but ours to send. */
static int
read_all(struct redrive *redrive, struct err *err)
{
    const struct dead_letter_config *topics = &redrive->config->dead_letter;

    redrive->show_ms = clock_now_ms() + LINE_MS;
    if (read_topic(redrive, topics->redrive_topic, redrive->redrive_partitions, redrive_index_note,
                   err) < 0 ||
        read_topic(redrive, topics->topic, redrive->letter_partitions, redrive_index_add, err) < 0)
        return -1;
    redrive_index_arrange(redrive->index);
    return 0;
}

/* ---- sending ---- */

static int
commit(struct redrive *redrive, struct err *err)
{
    int64_t leave_ms = CLOCK_NEVER;
    bool done = false;

    if (!redrive->is_open)
        return 0;
    while (!done) {
        if (kafka_transaction_commit(redrive->transaction, TURN_MS, &done, err) < 0)
            return -1;
        show_sending(redrive);
        if (!done && leave_ms == CLOCK_NEVER && is_interrupted(redrive, 0))
            leave_ms = clock_now_ms() + LEAVE_MS;
        if (!done && clock_now_ms() > leave_ms)
            return err_set(err, "kafka does not answer whether the last %zu letters have gone",
                           redrive->sent);
    }
    redrive->is_open = false;
    redrive->went += redrive->sent;
    redrive->sent = 0;
    return 0;
}

static int
commit_if_due(struct redrive *redrive, struct err *err)
{
    if (redrive->sent < BATCH && clock_now_ms() < redrive->opened_ms + BATCH_MS)
        return 0;
    return commit(redrive, err);
}

/* -1 also when interrupted. */
static int
send_record(struct redrive *redrive, const struct event *record, size_t i, struct err *err)
{
    char number[LETTER_NUMBER_MAX];
    struct letter letter;
    bool done = false;
    size_t count;

    if (letter_read(record, &letter, err) < 0)
        return err_prefix(err, "partition %d, offset %" PRId64 " has changed",
                          (int)record->partition, record->offset);
    while (redrive->header_cap < record->header_count + 1)
        redrive->headers = xgrow(redrive->headers, redrive->header_cap, &redrive->header_cap,
                                 sizeof(redrive->headers[0]));
    count = letter_raise(record, &letter, redrive->headers, number);
    if (!redrive->is_open) {
        if (kafka_transaction_begin(redrive->transaction, err) < 0)
            return -1;
        redrive->is_open = true;
        redrive->opened_ms = clock_now_ms();
    }
    while (!done) {
        if (kafka_transaction_send(redrive->transaction,
                                   record->partition % redrive->redrive_partitions, record,
                                   redrive->headers, count, i, TURN_MS, &done, err) < 0)
            return -1;
        if (!done && is_interrupted(redrive, 0))
            return -1;
    }
    redrive->sent++;
    return 0;
}

/* -1 also when interrupted. */
static int
send_letter(struct redrive *redrive, size_t i, struct err *err)
{
    enum kafka_read_state state = KAFKA_READ_WAITING;
    struct event record;
    int32_t partition;
    int64_t offset;

    redrive_index_get(redrive->index, i, &partition, &offset);
    while (state == KAFKA_READ_WAITING) {
        if (kafka_read_at(redrive->read, redrive->config->dead_letter.topic, partition, offset,
                          TURN_MS, &state, &record, err) < 0)
            return -1;
        if (state == KAFKA_READ_WAITING && is_interrupted(redrive, 0))
            return -1;
    }
    if (state == KAFKA_READ_END) { /* retention was faster */
        redrive->gone++;
        return 0;
    }
    return send_record(redrive, &record, i, err);
}

/* Waits for the turn of the I-th letter. What has been sent goes meanwhile. */
static int
pace(struct redrive *redrive, size_t i, struct err *err)
{
    int64_t rate = redrive->options->rate;
    int64_t due_ms = redrive->started_ms + (rate ? (int64_t)i * 1000 / rate : 0);

    for (;;) {
        int64_t now_ms = clock_now_ms();
        int64_t wait_ms = now_ms < due_ms ? clock_earlier(due_ms, now_ms + TURN_MS) : now_ms;

        if ((wait_ms > now_ms || i % 64 == 0) && is_interrupted(redrive, wait_ms))
            return -1;
        if (commit_if_due(redrive, err) < 0)
            return -1;
        show_sending(redrive);
        if (now_ms >= due_ms)
            return 0;
    }
}

/* The record of the redrive topic that was refused says nothing to those who look for the letter.
 */
static void
name_refused(const struct redrive *redrive, struct err *err)
{
    int32_t partition;
    int64_t offset;
    size_t i;

    if (!kafka_transaction_too_large(redrive->transaction, &i))
        return;
    redrive_index_get(redrive->index, i, &partition, &offset);
    (void)err_prefix(err, "the letter at partition %d, offset %" PRId64 " of \"%s\"",
                     (int)partition, offset, redrive->config->dead_letter.topic);
}

static int
send_all(struct redrive *redrive, struct err *err)
{
    size_t count = redrive_index_count(redrive->index);
    int result = 0;

    redrive->started_ms = clock_now_ms();
    redrive->opened_ms = redrive->started_ms;
    redrive->show_ms = redrive->is_terminal ? 0 : redrive->started_ms + LINE_MS;
    for (size_t i = 0; result == 0 && i < count; i++) {
        result = pace(redrive, i, err);
        if (result == 0)
            result = send_letter(redrive, i, err);
    }
    /* Interrupted: what was sent goes, and nothing more. */
    if (!err_is_set(err) && commit(redrive, err) < 0)
        result = -1;
    if (err_is_set(err))
        name_refused(redrive, err);
    if (err_is_set(err) && redrive->is_open)
        kafka_transaction_abort(redrive->transaction, LEAVE_MS);
    return result;
}

static void
print_sent(struct redrive *redrive, const struct err *err)
{
    char number[2][PAGE_NUMBER_MAX];
    size_t left = redrive_index_count(redrive->index) - redrive->went - redrive->gone;

    end_bar(redrive);
    printf("%s of %s letters went to \"%s\" in %.1f s.\n",
           page_number(number[0], (int64_t)redrive->went),
           page_number(number[1], (int64_t)redrive_index_count(redrive->index)),
           redrive->config->dead_letter.redrive_topic,
           (double)(clock_now_ms() - redrive->started_ms) / 1000);
    if (redrive->gone)
        printf("%s were not there any more: the retention of the dead-letter topic took them.\n",
               page_number(number[0], (int64_t)redrive->gone));
    if (left || err_is_set(err))
        printf("%s are left; the same command goes on where this one stopped.\n",
               page_number(number[0], (int64_t)left));
    fflush(stdout);
}

/* ---- from the beginning to the end ---- */

static int
open_reader(struct redrive *redrive, struct err *err)
{
    const struct dead_letter_config *topics = &redrive->config->dead_letter;
    const struct kafka_config *kafka = &redrive->config->kafka;

    redrive->read = kafka_read_open(kafka, err);
    if (!redrive->read ||
        kafka_read_partitions(redrive->read, topics->topic, &redrive->letter_partitions, err) < 0 ||
        kafka_read_partitions(redrive->read, topics->redrive_topic, &redrive->redrive_partitions,
                              err) < 0)
        return -1;
    if (!redrive->letter_partitions)
        return err_set(err,
                       "topic \"%s\" (dead_letter.topic) does not exist, so there are no dead "
                       "letters",
                       topics->topic);
    return 0;
}

/* A dry run can do without. */
static int
check_redrive_topic(struct redrive *redrive, struct err *err)
{
    const struct dead_letter_config *topics = &redrive->config->dead_letter;
    struct err missing = {0};

    if (redrive->redrive_partitions)
        return 0;
    (void)err_set(&missing,
                  "topic \"%s\" (dead_letter.redrive_topic) does not exist: create it with as many "
                  "partitions as \"%s\" has and at least its retention, such as\n  kafka-topics.sh "
                  "--bootstrap-server %s --create --topic %s --partitions %d",
                  topics->redrive_topic, topics->topic, redrive->config->kafka.bootstrap_servers,
                  topics->redrive_topic, (int)redrive->letter_partitions);
    if (!redrive->options->dry_run)
        return err_set(err, "%s", missing.msg);
    fprintf(stderr, "sendx-worker redrive: %s\n", missing.msg);
    return 0;
}

/* From here on no other redrive of the group can write. -1 also when interrupted. */
static int
open_transaction(struct redrive *redrive, struct err *err)
{
    const struct kafka_config *kafka = &redrive->config->kafka;
    char *id = xasprintf("%s.redrive", kafka->group_id);
    bool done = false;

    redrive->transaction =
        kafka_transaction_open(kafka, id, redrive->config->dead_letter.redrive_topic, err);
    xfree(id);
    if (!redrive->transaction)
        return -1;
    while (!done) {
        if (kafka_transaction_init(redrive->transaction, TURN_MS, &done, err) < 0 ||
            (!done && is_interrupted(redrive, 0)))
            return -1;
    }
    return 0;
}

static int
work(struct redrive *redrive, struct err *err)
{
    bool sends = !redrive->options->dry_run;
    int result;

    if (open_reader(redrive, err) < 0 || check_redrive_topic(redrive, err) < 0 ||
        (sends && open_transaction(redrive, err) < 0))
        return -1;
    result = read_all(redrive, err);
    end_bar(redrive);
    if (result < 0)
        return -1;
    if (!sends)
        print_table(redrive);
    print_totals(redrive);
    if (sends && redrive_index_count(redrive->index)) {
        result = send_all(redrive, err);
        print_sent(redrive, err);
    }
    return result;
}

int
redrive_run(const struct config *config, const struct redrive_options *options)
{
    struct redrive redrive = {
        .config = config, .options = options, .is_terminal = page_is_terminal()};
    struct err err = {0};
    int status = CMD_OK;

    redrive.signals = signals_open(&err);
    redrive.index =
        redrive_index_new(&options->filter, config->dead_letter.redrive_topic, REDRIVE_LETTERS_MAX);
    if (redrive.signals < 0 || work(&redrive, &err) < 0)
        status = redrive.signal ? INTERRUPTED + redrive.signal : CMD_FAILED;
    if (err_is_set(&err))
        fprintf(stderr, "sendx-worker redrive: %s\n", err.msg);
    else if (status != CMD_OK)
        fprintf(stderr, "sendx-worker redrive: interrupted\n");
    kafka_transaction_close(redrive.transaction);
    kafka_read_close(redrive.read);
    redrive_index_free(redrive.index);
    xfree(redrive.headers);
    if (redrive.signals >= 0)
        signals_close(redrive.signals);
    return status;
}
