#include "cmd/redrive_index.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/map.h"
#include "base/mask.h"
#include "base/xalloc.h"

enum { TOPICS_MAX = 100 * 1000, FOREIGN_MAX = 320 };

struct topic {
    struct map_node node;
    uint32_t id;
};

/* Which event, and how often it had come back. The time tells an event from another one that stood
 * in the same place before the topic was made anew. */
struct identity {
    uint32_t topic;
    int32_t partition;
    int64_t offset;
    int64_t event_ms; /* its Kafka timestamp, or EVENT_NO_TIME */
    uint32_t redrives;
};

/* How often events have come back: once it is sorted, the most of each. */
struct comebacks {
    struct identity *items;
    size_t count, cap;
};

struct item {
    struct identity of;
    int32_t partition; /* of the letter */
    uint32_t group;
    int64_t offset;
    int64_t time_ms;
};

struct redrive_index {
    const struct redrive_filter *filter;
    char *redrive_topic;
    size_t cap;
    struct arena names;
    struct map topics;
    struct comebacks noted; /* by the redrive topic */
    bool is_sorted;         /* what was noted */
    struct comebacks told;  /* by letters alone: what the redrive topic does not tell any more */
    struct item *items;     /* as they were added */
    size_t item_count, item_cap;
    uint32_t *order; /* those that go; places in items */
    size_t order_count;
    size_t fates[REDRIVE_FATE_COUNT];
    char foreign[FOREIGN_MAX];
    struct redrive_group *groups;
    size_t group_count, group_cap;
};

struct redrive_index *
redrive_index_new(const struct redrive_filter *filter, const char *redrive_topic, size_t cap)
{
    struct redrive_index *index = xcalloc(1, sizeof(*index));

    index->filter = filter;
    index->redrive_topic = xstrdup(redrive_topic);
    index->cap = cap;
    arena_init(&index->names, 4096);
    map_init(&index->topics, (uint64_t)(uintptr_t)index);
    return index;
}

void
redrive_index_free(struct redrive_index *index)
{
    if (!index)
        return;
    map_fini(&index->topics);
    arena_fini(&index->names);
    xfree(index->redrive_topic);
    xfree(index->noted.items);
    xfree(index->told.items);
    xfree(index->items);
    xfree(index->order);
    xfree(index->groups);
    xfree(index);
}

/* ---- identities ---- */

static int
topic_id(struct redrive_index *index, const char *name, uint32_t *ret, struct err *err)
{
    size_t len = strlen(name);
    struct map_node *node = map_find(&index->topics, name, len);
    struct topic *topic;

    if (node) {
        *ret = CONTAINER_OF(node, struct topic, node)->id;
        return 0;
    }
    if (index->topics.count == TOPICS_MAX)
        return err_set(err, "the letters come from more than %d topics", TOPICS_MAX);
    topic = arena_alloc(&index->names, sizeof(*topic));
    topic->id = *ret = (uint32_t)index->topics.count;
    map_add(&index->topics, &topic->node, arena_text(&index->names, name, len), len);
    return 0;
}

static int
identify(struct redrive_index *index, const struct letter *letter, struct identity *ret,
         struct err *err)
{
    *ret = (struct identity){.partition = letter->partition,
                             .offset = letter->offset,
                             .event_ms = letter->timestamp_ms,
                             .redrives = letter->redrives};
    return topic_id(index, letter->topic, &ret->topic, err);
}

static int
compare(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

/* By the event, whatever it had come back. */
static int
compare_events(const struct identity *a, const struct identity *b)
{
    int result = compare(a->topic, b->topic);

    if (result == 0)
        result = compare(a->partition, b->partition);
    if (result == 0)
        result = compare(a->offset, b->offset);
    return result == 0 ? compare(a->event_ms, b->event_ms) : result;
}

/* ---- what was redriven ---- */

static void
add_comeback(struct comebacks *comebacks, const struct identity *identity)
{
    comebacks->items =
        xgrow(comebacks->items, comebacks->count, &comebacks->cap, sizeof(comebacks->items[0]));
    comebacks->items[comebacks->count++] = *identity;
}

static int
compare_most(const void *a, const void *b)
{
    const struct identity *left = a, *right = b;
    int result = compare_events(left, right);

    return result == 0 ? compare(right->redrives, left->redrives) : result;
}

static int
compare_identities(const void *a, const void *b)
{
    return compare_events(a, b);
}

/* Of each event only the highest count is of interest: what came back that often had come back
 * before. */
static void
sort_comebacks(struct comebacks *comebacks)
{
    struct identity *items = comebacks->items;
    size_t kept = 0;

    if (comebacks->count)
        qsort(items, comebacks->count, sizeof(items[0]), compare_most);
    for (size_t i = 0; i < comebacks->count; i++) {
        if (kept == 0 || compare_events(&items[kept - 1], &items[i]) != 0)
            items[kept++] = items[i];
    }
    comebacks->count = kept;
}

/* How often the event has come back, as far as these tell. They are sorted. */
static uint32_t
times_back(const struct comebacks *comebacks, const struct identity *identity)
{
    const struct identity *found = comebacks->count
                                       ? bsearch(identity, comebacks->items, comebacks->count,
                                                 sizeof(comebacks->items[0]), compare_identities)
                                       : NULL;

    return found ? found->redrives : 0;
}

int
redrive_index_note(struct redrive_index *index, const struct event *record, struct err *err)
{
    struct err unreadable = {0};
    struct letter letter;
    struct identity identity;

    assert(!index->is_sorted);
    if (letter_read(record, &letter, &unreadable) < 0 || letter.redrives == 0)
        return 0;
    if (index->noted.count == index->cap)
        return err_set(err,
                       "there are more than %zu records in the redrive topic, which is as many as "
                       "fit: shorten its retention, and that of the dead-letter topic with it",
                       index->cap);
    if (identify(index, &letter, &identity, err) < 0)
        return -1;
    add_comeback(&index->noted, &identity);
    return 0;
}

/* A letter of an event that had come back tells that its earlier ones have gone, whether it goes
 * itself or not. */
static int
note_letter(struct redrive_index *index, const struct identity *identity, struct err *err)
{
    if (identity->redrives <= times_back(&index->noted, identity))
        return 0;
    if (index->told.count == index->cap)
        return err_set(err,
                       "there are more than %zu letters that came back and are not in the redrive "
                       "topic any more, which is as many as fit: give that topic the retention of "
                       "the dead-letter topic",
                       index->cap);
    add_comeback(&index->told, identity);
    return 0;
}

/* ---- which letters are meant ---- */

static bool
is_text(const struct letter_text *header, const char *text)
{
    return header->text && header->len == strlen(text) &&
           memcmp(header->text, text, header->len) == 0;
}

static bool
has_rule(const struct letter *letter, const char *rule)
{
    struct err ignored = {0};
    struct letter_calls calls;
    bool found;

    if (is_text(&letter->rule, rule))
        return true;
    if (!letter->calls.text ||
        letter_calls_read(letter->calls.text, letter->calls.len, &calls, &ignored) < 0)
        return false;
    found = letter_calls_name(&calls, rule, strlen(rule));
    letter_calls_fini(&calls);
    return found;
}

static bool
has_reason(const struct letter *letter, const char *reason)
{
    const struct letter_text *text = &letter->reason;

    return is_text(&letter->class, reason) ||
           (text->text && memmem(text->text, text->len, reason, strlen(reason)));
}

static bool
is_meant(const struct redrive_filter *filter, const struct letter *letter, int64_t time_ms)
{
    if (filter->since_ms != EVENT_NO_TIME && time_ms < filter->since_ms)
        return false;
    if (filter->until_ms != EVENT_NO_TIME &&
        (time_ms == EVENT_NO_TIME || time_ms >= filter->until_ms))
        return false;
    if (filter->reason && !has_reason(letter, filter->reason))
        return false;
    return !filter->rule || has_rule(letter, filter->rule);
}

/* ---- groups ---- */

/* A name for people: masked, one line, and not longer than the table is wide. */
static void
show_name(char name[REDRIVE_NAME_MAX], const struct letter_text *header)
{
    struct buf text;
    size_t len;

    buf_init(&text, 4 * REDRIVE_NAME_MAX);
    if (header->text)
        mask_add_text(&text, header->text,
                      header->len < 2 * REDRIVE_NAME_MAX ? header->len : 2 * REDRIVE_NAME_MAX);
    len = text.len < REDRIVE_NAME_MAX ? text.len : REDRIVE_NAME_MAX - 1;
    while (len < text.len && len > 0 && ((unsigned char)buf_text(&text)[len] & 0xc0) == 0x80)
        len--;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)buf_text(&text)[i];

        name[i] = c < ' ' || c == 0x7f ? '?' : (char)c;
    }
    name[len] = '\0';
    if (len == 0)
        snprintf(name, REDRIVE_NAME_MAX, "-");
    buf_fini(&text);
}

static int
compare_groups(const struct redrive_group *a, const struct redrive_group *b)
{
    int result = strcmp(a->rule, b->rule);

    if (result == 0)
        result = strcmp(a->class, b->class);
    return result == 0 ? strcmp(a->status, b->status) : result;
}

/* There are a few of them, as a rule, and neighbours are alike. */
static uint32_t
group_of(struct redrive_index *index, const struct letter *letter)
{
    struct redrive_group group = {.first_ms = EVENT_NO_TIME, .last_ms = EVENT_NO_TIME};

    show_name(group.rule, &letter->rule);
    show_name(group.class, &letter->class);
    show_name(group.status, &letter->status);
    for (size_t i = index->group_count; i > 0; i--) {
        if (compare_groups(&index->groups[i - 1], &group) == 0)
            return (uint32_t)(i - 1);
    }
    if (index->group_count == REDRIVE_GROUPS_MAX) { /* the last one is for all others */
        struct redrive_group *others = &index->groups[REDRIVE_GROUPS_MAX - 1];

        snprintf(others->rule, sizeof(others->rule), "(others)");
        snprintf(others->class, sizeof(others->class), "-");
        snprintf(others->status, sizeof(others->status), "-");
        return REDRIVE_GROUPS_MAX - 1;
    }
    index->groups =
        xgrow(index->groups, index->group_count, &index->group_cap, sizeof(index->groups[0]));
    index->groups[index->group_count] = group;
    return (uint32_t)index->group_count++;
}

static void
count_in_group(struct redrive_index *index, const struct item *item)
{
    struct redrive_group *group = &index->groups[item->group];

    group->count++;
    if (item->time_ms == EVENT_NO_TIME)
        return;
    if (group->first_ms == EVENT_NO_TIME || item->time_ms < group->first_ms)
        group->first_ms = item->time_ms;
    if (item->time_ms > group->last_ms)
        group->last_ms = item->time_ms;
}

/* ---- letters ---- */

static int
note_foreign(struct redrive_index *index, const struct event *record, const char *why)
{
    if (index->fates[REDRIVE_FOREIGN]++ == 0)
        snprintf(index->foreign, sizeof(index->foreign), "partition %d, offset %lld: %.200s",
                 (int)record->partition, (long long)record->offset, why);
    return 0;
}

static int
keep(struct redrive_index *index, const struct event *record, const struct letter *letter,
     const struct identity *identity, struct err *err)
{
    if (index->item_count == index->cap)
        return err_set(err,
                       "there are more than %zu letters to be sent, which is as many as fit: take "
                       "some at a time by --rule, --reason, --since or --until",
                       index->cap);
    index->items = xgrow(index->items, index->item_count, &index->item_cap, sizeof(struct item));
    index->items[index->item_count++] = (struct item){.of = *identity,
                                                      .partition = record->partition,
                                                      .offset = record->offset,
                                                      .time_ms = record->timestamp_ms,
                                                      .group = group_of(index, letter)};
    return 0;
}

int
redrive_index_add(struct redrive_index *index, const struct event *record, struct err *err)
{
    struct err why = {0};
    struct letter letter;
    struct identity identity;

    if (!index->is_sorted)
        sort_comebacks(&index->noted);
    index->is_sorted = true;
    if (letter_read(record, &letter, &why) < 0)
        return note_foreign(index, record, why.msg);
    if (strcmp(letter.topic, index->redrive_topic) == 0)
        return note_foreign(index, record, "a record of the redrive topic that was no letter");
    if (identify(index, &letter, &identity, err) < 0 || note_letter(index, &identity, err) < 0)
        return -1;
    if (!is_meant(index->filter, &letter, record->timestamp_ms))
        index->fates[REDRIVE_OTHER]++;
    else if (times_back(&index->noted, &identity) > identity.redrives)
        index->fates[REDRIVE_REDRIVEN]++;
    else if (letter.redrives >= LETTER_REDRIVES_MAX)
        index->fates[REDRIVE_EXHAUSTED]++;
    else
        return keep(index, record, &letter, &identity, err);
    return 0;
}

/* ---- the order ---- */

/* Letters of one event side by side, the newest first. */
static int
compare_newest(const void *a, const void *b, void *arg)
{
    const struct item *items = arg;
    const struct item *left = &items[*(const uint32_t *)a], *right = &items[*(const uint32_t *)b];
    int result = compare_events(&left->of, &right->of);

    if (result == 0)
        result = compare(right->of.redrives, left->of.redrives);
    if (result == 0)
        result = compare(right->time_ms, left->time_ms);
    return result == 0 ? compare(*(const uint32_t *)b, *(const uint32_t *)a) : result;
}

static int
compare_partitions(const struct item *a, const struct item *b)
{
    int result = compare(a->partition, b->partition);

    if (result == 0)
        result = compare(a->of.topic, b->of.topic);
    return result == 0 ? compare(a->of.partition, b->of.partition) : result;
}

/* The places that letters of one original partition take in a letter partition. */
static int
compare_stored(const void *a, const void *b, void *arg)
{
    const struct item *items = arg;
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
    int result = compare_partitions(&items[left], &items[right]);

    return result == 0 ? compare(left, right) : result;
}

/* The same letters as they happened. */
static int
compare_happened(const void *a, const void *b, void *arg)
{
    const struct item *items = arg;
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
    int result = compare_partitions(&items[left], &items[right]);

    if (result == 0)
        result = compare_events(&items[left].of, &items[right].of);
    return result == 0 ? compare(left, right) : result;
}

static int
compare_places(const void *a, const void *b)
{
    return compare(*(const uint32_t *)a, *(const uint32_t *)b);
}

/* Of each event the newest letter; as they were added. A letter of which a later one exists has
 * been redriven, also where the redrive topic does not tell any more. */
static void
choose_newest(struct redrive_index *index)
{
    uint32_t *places = index->order;
    size_t kept = 0;

    if (index->item_count == 0)
        return;
    qsort_r(places, index->item_count, sizeof(places[0]), compare_newest, index->items);
    for (size_t i = 0; i < index->item_count; i++) {
        const struct item *item = &index->items[places[i]];
        const struct item *last = kept ? &index->items[places[kept - 1]] : NULL;

        if (times_back(&index->told, &item->of) > item->of.redrives)
            index->fates[REDRIVE_REDRIVEN]++;
        else if (last && compare_events(&last->of, &item->of) == 0)
            index->fates[REDRIVE_REPEATED]++; /* it had come back as often */
        else
            places[kept++] = places[i];
    }
    index->order_count = kept;
    qsort(places, kept, sizeof(places[0]), compare_places);
}

/* The places of letters stay those of their original partition, so that reading goes forward; which
 * of its letters takes which place goes by the offset. */
static void
put_in_order(struct redrive_index *index)
{
    size_t count = index->order_count, size = count * sizeof(index->order[0]);
    uint32_t *stored, *happened, *taken;

    if (count == 0)
        return;
    stored = xmemdup(index->order, size);
    happened = xmemdup(index->order, size);
    taken = xcalloc(index->item_count, sizeof(taken[0]));
    qsort_r(stored, count, sizeof(stored[0]), compare_stored, index->items);
    qsort_r(happened, count, sizeof(happened[0]), compare_happened, index->items);
    for (size_t i = 0; i < count; i++)
        taken[stored[i]] = happened[i];
    for (size_t i = 0; i < count; i++)
        index->order[i] = taken[index->order[i]];
    xfree(stored);
    xfree(happened);
    xfree(taken);
}

static int
compare_group_lines(const void *a, const void *b)
{
    return compare_groups(a, b);
}

/* Groups without a letter that goes are not shown. From here on items do not know theirs. */
static void
count_groups(struct redrive_index *index)
{
    size_t kept = 0;

    for (size_t i = 0; i < index->order_count; i++)
        count_in_group(index, &index->items[index->order[i]]);
    for (size_t i = 0; i < index->group_count; i++) {
        if (index->groups[i].count)
            index->groups[kept++] = index->groups[i];
    }
    index->group_count = kept;
    if (kept)
        qsort(index->groups, kept, sizeof(index->groups[0]), compare_group_lines);
}

void
redrive_index_arrange(struct redrive_index *index)
{
    assert(!index->order);
    index->order = xcalloc(index->item_count + 1, sizeof(index->order[0]));
    for (size_t i = 0; i < index->item_count; i++)
        index->order[i] = (uint32_t)i;
    sort_comebacks(&index->told);
    choose_newest(index);
    put_in_order(index);
    if ((int64_t)index->order_count > index->filter->limit) {
        index->fates[REDRIVE_BEYOND] = index->order_count - (size_t)index->filter->limit;
        index->order_count = (size_t)index->filter->limit;
    }
    index->fates[REDRIVE_SELECTED] = index->order_count;
    count_groups(index);
}

/* ---- what there is ---- */

size_t
redrive_index_count(const struct redrive_index *index)
{
    return index->order_count;
}

void
redrive_index_get(const struct redrive_index *index, size_t i, int32_t *ret_partition,
                  int64_t *ret_offset)
{
    const struct item *item = &index->items[index->order[i]];

    *ret_partition = item->partition;
    *ret_offset = item->offset;
}

size_t
redrive_index_fate(const struct redrive_index *index, enum redrive_fate fate)
{
    return index->fates[fate];
}

const char *
redrive_fate_text(enum redrive_fate fate)
{
#define X(id, text) text,
    static const char *const texts[] = {REDRIVE_FATE_TABLE(X)};
#undef X

    return texts[fate];
}

const char *
redrive_index_foreign(const struct redrive_index *index)
{
    return index->foreign;
}

const struct redrive_group *
redrive_index_groups(const struct redrive_index *index, size_t *ret_count)
{
    *ret_count = index->group_count;
    return index->groups;
}
