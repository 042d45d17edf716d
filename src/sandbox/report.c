#include "sandbox/report.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include "base/page.h"
#include "base/xalloc.h"

enum {
    TOP_TAGS = 3,
    TAGS_MAX = 64,
    TEXT_MAX = 8192,
    SHOWN_DIFFERENCES = 5,
    TAIL_BYTES = 8192,
    TAIL_LINES = 12,
    CONTACT_COLUMN = 26,
    NARROW = 60, /* below it a table does not fit */
    STATUS_UNAVAILABLE = 503
};

/* --- the check --- */

static void
print_difference(const char *email, const struct portrait *wanted, const struct portrait *found)
{
    struct buf text;

    buf_init(&text, TEXT_MAX);
    printf("  %s\n", email);
    portrait_write(wanted, &text);
    page_paragraph("    the events say: ", buf_text(&text));
    buf_reset(&text);
    portrait_write(found, &text);
    page_paragraph("    the API has:    ", buf_text(&text));
    buf_fini(&text);
}

static size_t
compare(const struct report *report, size_t shown)
{
    const struct store *store = service_store(report->service);
    size_t wanted = 0, different = 0;

    for (size_t i = 0; i < sample_people(report->sample); i++) {
        struct sample_person person = sample_person(report->sample, i);
        struct portrait found = portrait_of(store_find(store, person.email));

        wanted += person.after.exists;
        if (portrait_is_same(&person.after, &found))
            continue;
        if (different++ < shown)
            print_difference(person.email, &person.after, &found);
    }
    /* With every person in place, more contacts than people are contacts of nobody. */
    if (different == 0 && store_count(store) != wanted) {
        if (shown)
            printf("  the API has %zu contacts, the events name %zu\n", store_count(store), wanted);
        different = 1;
    }
    return different;
}

size_t
report_check(const struct report *report)
{
    return compare(report, 0);
}

void
report_differences(const struct report *report)
{
    size_t different;

    printf("\nContacts that are not what the events say\n");
    different = compare(report, SHOWN_DIFFERENCES);
    if (different > SHOWN_DIFFERENCES)
        printf("  and %zu more\n", different - SHOWN_DIFFERENCES);
}

/* --- what happened --- */

struct tag_count {
    const char *tag;
    uint64_t count;
};

struct tag_counts {
    struct tag_count tags[TAGS_MAX];
    size_t tag_count;
    uint64_t total;
};

static void
count_tag(struct tag_counts *counts, const char *tag)
{
    size_t i = 0;

    counts->total++;
    while (i < counts->tag_count && strcmp(counts->tags[i].tag, tag) != 0)
        i++;
    if (i == TAGS_MAX)
        return;
    if (i == counts->tag_count)
        counts->tags[counts->tag_count++] = (struct tag_count){.tag = tag};
    counts->tags[i].count++;
}

static int
by_count(const void *a, const void *b)
{
    const struct tag_count *left = a, *right = b;

    if (left->count != right->count)
        return left->count < right->count ? 1 : -1;
    return strcmp(left->tag, right->tag);
}

static void
print_tags(const char *label, struct tag_counts *counts)
{
    char number[PAGE_NUMBER_MAX];
    struct buf text;

    buf_init(&text, TEXT_MAX);
    qsort(counts->tags, counts->tag_count, sizeof(counts->tags[0]), by_count);
    buf_add_text(&text, page_number(number, (int64_t)counts->total));
    for (size_t i = 0; i < counts->tag_count && i < TOP_TAGS; i++)
        buf_printf(&text, "%s %s %s", i ? "," : ", most of them:", counts->tags[i].tag,
                   page_number(number, (int64_t)counts->tags[i].count));
    page_paragraph(label, buf_text(&text));
    buf_fini(&text);
}

static void
report_tags(const struct report *report)
{
    const struct journal *journal = service_journal(report->service);
    struct journal_totals totals = journal_totals(journal);
    struct tag_counts added = {0}, removed = {0};
    struct journal_trigger trigger;

    for (uint64_t seq = 1; seq <= totals.tags_added + totals.tags_removed; seq++)
        if (journal_trigger(journal, seq, &trigger))
            count_tag(trigger.added ? &added : &removed, trigger.tag);
    print_tags("  tags added    ", &added);
    print_tags("  tags removed  ", &removed);
}

static void
report_calls(const struct report *report)
{
    struct journal_totals totals = journal_totals(service_journal(report->service));
    uint64_t refused = service_replies(report->service, STATUS_UNAVAILABLE);
    char identify[PAGE_NUMBER_MAX], track[PAGE_NUMBER_MAX], failed[PAGE_NUMBER_MAX];
    char *text = xasprintf("%s identify, %s track; %s of them answered 503 and repeated",
                           page_number(identify, (int64_t)totals.requests[REQUEST_IDENTIFY]),
                           page_number(track, (int64_t)totals.requests[REQUEST_TRACK]),
                           page_number(failed, (int64_t)refused));

    page_paragraph("  calls         ", text);
    xfree(text);
}

static void
report_counts(const struct report *report)
{
    struct sample_totals totals = sample_totals(report->sample);
    char number[4][PAGE_NUMBER_MAX];
    char *text;

    text = xasprintf("%s user.registered, %s plan.changed",
                     page_number(number[0], (int64_t)totals.events[SAMPLE_REGISTERED]),
                     page_number(number[1], (int64_t)totals.events[SAMPLE_PLAN_CHANGED]));
    page_paragraph("  events        ", text);
    xfree(text);
    text = xasprintf("%s of internal users, %s that change no plan or end one",
                     page_number(number[0], (int64_t)totals.internal),
                     page_number(number[1], (int64_t)totals.no_plan));
    page_paragraph("  left out      ", text);
    xfree(text);
    report_calls(report);
    report_tags(report);
    text = xasprintf("%s, each exactly what the events say",
                     page_number(number[0], (int64_t)store_count(service_store(report->service))));
    page_paragraph("  contacts      ", text);
    xfree(text);
}

static void
report_offsets(const struct report *report)
{
    printf("\nCommitted offsets of the group %s\n", report->group);
    for (size_t t = 0; t < broker_topic_count(report->broker); t++) {
        char *label = xasprintf("  %-16s", broker_topic_name(report->broker, t));
        char number[2][PAGE_NUMBER_MAX];
        int64_t committed = 0, end = 0;
        struct buf text;

        buf_init(&text, TEXT_MAX);
        for (size_t p = 0; p < broker_partition_count(report->broker, t); p++) {
            buf_printf(&text, "%s%zu: %" PRId64, p ? ", " : "", p,
                       broker_committed(report->broker, t, p));
            committed += broker_committed(report->broker, t, p);
            end += broker_end(report->broker, t, p);
        }
        buf_printf(&text, " (%s of %s)", page_number(number[0], committed),
                   page_number(number[1], end));
        page_paragraph(label, buf_text(&text));
        buf_fini(&text);
        xfree(label);
    }
}

void
report_events(const struct report *report)
{
    char text[160];

    printf("\nWhat happened\n");
    report_counts(report);
    snprintf(text, sizeof(text), "%.1f s until the worker had its partitions, then %.1f s",
             (double)report->waited_ms / 1000, (double)report->delivered_ms / 1000);
    page_paragraph("  time          ", text);
    report_offsets(report);
}

/* --- five contacts --- */

static bool
has_tag(const struct portrait *portrait, const char *tag)
{
    for (size_t i = 0; i < portrait->tag_count; i++)
        if (strcmp(portrait->tags[i], tag) == 0)
            return true;
    return false;
}

typedef bool story(const struct sample_person *person);

static bool
is_new_and_paid(const struct sample_person *person)
{
    return !person->before.exists && has_tag(&person->after, "paid user");
}

static bool
is_known_and_paid(const struct sample_person *person)
{
    return has_tag(&person->before, "trial user") && has_tag(&person->after, "paid user") &&
           !has_tag(&person->after, "trial user");
}

static bool
is_registered_twice(const struct sample_person *person)
{
    return !person->internal && !person->before.exists && person->registrations > 1;
}

static bool
is_new(const struct sample_person *person)
{
    return !person->internal && !person->before.exists && person->registrations == 1;
}

static bool
is_left_alone(const struct sample_person *person)
{
    return person->internal && person->before.exists;
}

static const struct {
    story *fits;
    const char *title;
} stories[] = {
    {is_new, "registered"},
    {is_new_and_paid, "registered, then paid"},
    {is_known_and_paid, "known before, on trial, then paid"},
    {is_registered_twice, "registered twice"},
    {is_left_alone, "internal: the rules leave it out"},
};

static void
column_widths(size_t widths[PAGE_COLUMNS])
{
    size_t rest = page_width() - CONTACT_COLUMN - 2 * 2;

    widths[0] = CONTACT_COLUMN;
    widths[1] = rest * 2 / 5;
    widths[2] = rest - widths[1];
}

static void
print_person(const struct report *report, const struct sample_person *person, const char *title)
{
    struct portrait found = portrait_of(store_find(service_store(report->service), person->email));
    char *who = xasprintf("%s (%s)", person->email, title);
    size_t widths[PAGE_COLUMNS];
    struct buf before, after;

    buf_init(&before, TEXT_MAX);
    buf_init(&after, TEXT_MAX);
    portrait_write(&person->before, &before);
    portrait_write(&found, &after);
    if (page_width() < NARROW) {
        page_paragraph("", who);
        page_paragraph("  before: ", buf_text(&before));
        page_paragraph("  after:  ", buf_text(&after));
    } else {
        column_widths(widths);
        page_row(widths, (const char *[]){who, buf_text(&before), buf_text(&after)});
    }
    putchar('\n');
    buf_fini(&before);
    buf_fini(&after);
    xfree(who);
}

/* The first person whose story it is and whom no earlier story took; their number, or -1. */
static ssize_t
find_story(const struct report *report, story *fits, const ssize_t *taken, size_t taken_count)
{
    for (size_t i = 0; i < sample_people(report->sample); i++) {
        struct sample_person person = sample_person(report->sample, i);
        bool is_free = true;

        for (size_t t = 0; t < taken_count; t++)
            is_free = is_free && taken[t] != (ssize_t)i;
        if (is_free && fits(&person))
            return (ssize_t)i;
    }
    return -1;
}

void
report_people(const struct report *report)
{
    ssize_t taken[ARRAY_LEN(stories)];
    size_t widths[PAGE_COLUMNS];

    printf("\nFive contacts\n\n");
    if (page_width() >= NARROW) {
        column_widths(widths);
        page_row(widths, (const char *[]){"CONTACT", "BEFORE", "AFTER"});
    }
    for (size_t s = 0; s < ARRAY_LEN(stories); s++) {
        struct sample_person person;

        taken[s] = find_story(report, stories[s].fits, taken, s);
        if (taken[s] < 0)
            continue;
        person = sample_person(report->sample, (size_t)taken[s]);
        print_person(report, &person, stories[s].title);
    }
}

/* --- where to go from here --- */

void
report_next(const struct report *report)
{
    char *rules = xasprintf("Change a rule in %s and run it again: the demo then says how the"
                            " contacts differ from what its events call for.",
                            report->conf);
    char *log = xasprintf("Read what the worker said: %s", report->log);

    printf("What to try next\n");
    page_paragraph("  - ", "make demo-live goes on with a few events a second, with addresses to"
                           " look at.");
    page_paragraph("  - ", rules);
    page_paragraph("  - ", log);
    page_paragraph("  - ", "README.md: a first rule of your own, and your own Kafka.");
    xfree(rules);
    xfree(log);
}

/* Where the worker's page is, as its log says. Fills ADDRESS; false when it has none. */
static bool
find_page(const char *log, char *address, size_t size)
{
    static const char mark[] = " event=admin.listening address=";
    FILE *in = fopen(log, "re");
    char line[TAIL_BYTES];
    bool found = false;

    while (in && !found && fgets(line, sizeof(line), in)) {
        const char *at = strstr(line, mark);

        if (!at)
            continue;
        at += strlen(mark);
        snprintf(address, size, "%.*s", (int)strcspn(at, " \n"), at);
        found = true;
    }
    if (in)
        fclose(in);
    return found;
}

void
report_addresses(const struct report *report)
{
    const struct journal_totals totals = journal_totals(service_journal(report->service));
    uint64_t calls = totals.requests[REQUEST_IDENTIFY] + totals.requests[REQUEST_TRACK];
    uint64_t changes = totals.tags_added + totals.tags_removed;
    const char *api = report->api_address;
    char page[128];

    printf("It goes on with a few events a second until you interrupt it (Ctrl-C). Look at it:\n");
    if (find_page(report->log, page, sizeof(page)))
        printf("  http://%s/ in a browser\n"
               "  %s top --url http://%s\n",
               page, report->worker, page);
    printf("  curl 'http://%s/_sandbox/stats'\n"
           "  curl 'http://%s/_sandbox/contacts?email=%s'\n"
           "  curl 'http://%s/_sandbox/requests?after=%" PRIu64 "'\n"
           "  curl 'http://%s/_sandbox/triggers?after=%" PRIu64 "'\n"
           "  tail -f %s\n"
           "Make the API fail for a while; the worker waits and loses nothing:\n"
           "  curl 'http://%s/_sandbox/faults' -d '{\"status\":503,\"count\":50}'\n"
           "The broker is at %s.\n\n",
           api, api, sample_person(report->sample, 0).email, api, calls, api, changes, report->log,
           api, broker_address(report->broker));
    fflush(stdout);
}

void
report_log_tail(const char *file)
{
    char text[TAIL_BYTES + 1];
    FILE *in = fopen(file, "re");
    size_t len, lines = 0, start;

    if (!in)
        return;
    if (fseek(in, -TAIL_BYTES, SEEK_END))
        rewind(in);
    len = fread(text, 1, TAIL_BYTES, in);
    fclose(in);
    if (len && text[len - 1] == '\n')
        len--;
    for (start = len; start > 0; start--)
        if (text[start - 1] == '\n' && ++lines == TAIL_LINES)
            break;
    text[len] = '\0';
    if (len == 0)
        printf("\nThe worker's log, %s, is empty.\n", file);
    else
        printf("\nThe end of the worker's log, %s:\n%s\n", file, text + start);
}
