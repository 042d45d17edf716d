#include "sandbox/journal.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "base/map.h"
#include "base/xalloc.h"
#include "sandbox/text.h"

enum {
    JOURNAL_MAX_BYTES = 512 * 1024 * 1024, /* of bodies and addresses in the ring of requests */
    TRIGGERS_PER_REQUEST = 4,
    WRITE_RESERVE = 128, /* what follows the last entry of a listing */
    JOURNAL_SEED = 11
};

struct open_contact {
    struct map_node node;
    char *key;
    size_t requests;
};

struct entry {
    char *email, *body; /* one allocation, owned by email; body is not NUL-terminated */
    size_t body_len, size;
    int64_t started_ms, finished_ms; /* -1: open */
    unsigned fault;
    short status;
    bool has_email, is_json, applied, overlap;
    unsigned char flavour, kind;
};

struct trigger {
    uint64_t request;
    char *email, *tag; /* one allocation, owned by email */
    bool added;
};

/* Entry SEQ, while it is kept, stands at SEQ % cap. */
struct ring {
    size_t cap;
    uint64_t last;  /* newest, 0 for none */
    uint64_t first; /* oldest kept; last + 1 when empty */
};

struct journal {
    struct entry *entries;
    struct trigger *triggers;
    struct ring entry_ring, trigger_ring;
    size_t bytes;
    uint64_t epoch;
    struct map open_contacts;
    struct journal_totals totals;
};

struct journal *
journal_new(size_t max_requests)
{
    struct journal *journal = xcalloc(1, sizeof(*journal));

    assert(max_requests > 0);
    /* Zeroed memory of this size costs nothing until it is used. */
    journal->entry_ring = (struct ring){.cap = max_requests, .first = 1};
    journal->trigger_ring = (struct ring){.cap = max_requests * TRIGGERS_PER_REQUEST, .first = 1};
    journal->entries = xcalloc(journal->entry_ring.cap, sizeof(*journal->entries));
    journal->triggers = xcalloc(journal->trigger_ring.cap, sizeof(*journal->triggers));
    map_init(&journal->open_contacts, JOURNAL_SEED);
    return journal;
}

static struct entry *
entry_at(const struct journal *journal, uint64_t seq)
{
    return &journal->entries[seq % journal->entry_ring.cap];
}

static struct trigger *
trigger_at(const struct journal *journal, uint64_t seq)
{
    return &journal->triggers[seq % journal->trigger_ring.cap];
}

static size_t
ring_count(const struct ring *ring)
{
    return (size_t)(ring->last + 1 - ring->first);
}

static void
drop_oldest_entry(struct journal *journal)
{
    struct entry *entry = entry_at(journal, journal->entry_ring.first++);

    journal->bytes -= entry->size;
    xfree(entry->email);
    entry->email = NULL;
}

static void
drop_oldest_trigger(struct journal *journal)
{
    struct trigger *trigger = trigger_at(journal, journal->trigger_ring.first++);

    xfree(trigger->email);
    trigger->email = NULL;
}

void
journal_reset(struct journal *journal)
{
    assert(journal->totals.open == 0);
    while (ring_count(&journal->entry_ring))
        drop_oldest_entry(journal);
    while (ring_count(&journal->trigger_ring))
        drop_oldest_trigger(journal);
    journal->entry_ring.first = journal->trigger_ring.first = 1;
    journal->entry_ring.last = journal->trigger_ring.last = 0;
    journal->epoch++;
    journal->totals = (struct journal_totals){0};
}

void
journal_free(struct journal *journal)
{
    if (!journal)
        return;
    journal_reset(journal);
    assert(journal->open_contacts.count == 0);
    map_fini(&journal->open_contacts);
    xfree(journal->entries);
    xfree(journal->triggers);
    xfree(journal);
}

/* --- which contacts have a request open --- */

static struct open_contact *
open_contact_hold(struct journal *journal, const char *email)
{
    char *key = text_contact_key(email);
    size_t len = strlen(key);
    struct map_node *node = map_find(&journal->open_contacts, key, len);
    struct open_contact *contact;

    if (node) {
        xfree(key);
        contact = CONTAINER_OF(node, struct open_contact, node);
    } else {
        contact = xcalloc(1, sizeof(*contact));
        contact->key = key;
        map_add(&journal->open_contacts, &contact->node, contact->key, len);
    }
    contact->requests++;
    return contact;
}

static void
open_contact_drop(struct journal *journal, struct open_contact *contact)
{
    if (--contact->requests > 0)
        return;
    map_remove(&journal->open_contacts, &contact->node);
    xfree(contact->key);
    xfree(contact);
}

/* True: one of the contacts had an open request before. */
static bool
open_contacts(struct journal *journal, const struct request_start *start, struct open_request *open)
{
    const char *emails[REQUEST_CONTACTS] = {start->email, start->new_email};
    bool overlap = false;

    for (size_t i = 0; i < REQUEST_CONTACTS; i++) {
        if (!emails[i])
            continue;
        open->contacts[i] = open_contact_hold(journal, emails[i]);
        /* A rename to the same address holds one contact twice, which is no overlap. */
        if (open->contacts[i]->requests > (i && open->contacts[0] == open->contacts[i] ? 2u : 1u))
            overlap = true;
    }
    return overlap;
}

void
journal_open(struct journal *journal, const struct request_start *start, int64_t now_ms,
             struct open_request *ret_open)
{
    const char *email = start->email ? start->email : "";
    size_t email_size = strlen(email) + 1;
    struct entry entry = {.body_len = start->body_len,
                          .size = email_size + start->body_len,
                          .started_ms = now_ms,
                          .finished_ms = -1,
                          .has_email = start->email != NULL,
                          .is_json = start->body_is_json,
                          .flavour = (unsigned char)start->flavour,
                          .kind = (unsigned char)start->kind};

    *ret_open = (struct open_request){.is_open = true, .epoch = journal->epoch};
    entry.overlap = open_contacts(journal, start, ret_open);
    entry.email = xmalloc(entry.size);
    entry.body = entry.email + email_size;
    memcpy(entry.email, email, email_size);
    if (start->body_len)
        memcpy(entry.body, start->body, start->body_len);
    while (ring_count(&journal->entry_ring) &&
           (ring_count(&journal->entry_ring) == journal->entry_ring.cap ||
            journal->bytes + entry.size > JOURNAL_MAX_BYTES))
        drop_oldest_entry(journal);
    ret_open->seq = ++journal->entry_ring.last;
    *entry_at(journal, ret_open->seq) = entry;
    journal->bytes += entry.size;
    journal->totals.requests[start->kind]++;
    if (++journal->totals.open > journal->totals.max_open)
        journal->totals.max_open = journal->totals.open;
}

void
journal_close(struct journal *journal, struct open_request *open, const struct request_end *end,
              int64_t now_ms)
{
    assert(open->is_open && open->epoch == journal->epoch);
    open->is_open = false;
    journal->totals.open--;
    for (size_t i = 0; i < REQUEST_CONTACTS; i++)
        if (open->contacts[i])
            open_contact_drop(journal, open->contacts[i]);
    if (open->seq >= journal->entry_ring.first) {
        struct entry *entry = entry_at(journal, open->seq);

        entry->status = (short)end->status;
        entry->applied = end->applied;
        entry->fault = end->fault;
        entry->finished_ms = now_ms;
    }
}

void
journal_add_trigger(struct journal *journal, uint64_t request, const char *email, bool added,
                    const char *tag)
{
    size_t email_size = strlen(email) + 1, tag_size = strlen(tag) + 1;
    struct trigger trigger = {.request = request, .added = added};

    trigger.email = xmalloc(email_size + tag_size);
    trigger.tag = trigger.email + email_size;
    memcpy(trigger.email, email, email_size);
    memcpy(trigger.tag, tag, tag_size);
    if (ring_count(&journal->trigger_ring) == journal->trigger_ring.cap)
        drop_oldest_trigger(journal);
    *trigger_at(journal, ++journal->trigger_ring.last) = trigger;
    if (added)
        journal->totals.tags_added++;
    else
        journal->totals.tags_removed++;
}

/* --- listings --- */

static void
entry_write(const struct entry *entry, uint64_t seq, struct buf *buf)
{
    static const char *const flavours[] = {"v1", "rest"};
    static const char *const kinds[REQUEST_KINDS] = {"identify", "track"};

    buf_printf(buf, "{\"seq\":%" PRIu64 ",\"flavour\":\"%s\",\"kind\":\"%s\",\"email\":", seq,
               flavours[entry->flavour], kinds[entry->kind]);
    if (entry->has_email)
        text_add_json(buf, entry->email, strlen(entry->email));
    else
        buf_add_text(buf, "null");
    buf_add_text(buf, ",\"body\":");
    if (entry->is_json)
        buf_add(buf, entry->body, entry->body_len);
    else
        text_add_json(buf, entry->body, entry->body_len);
    buf_printf(buf,
               ",\"status\":%d,\"applied\":%s,\"started_ms\":%" PRId64 ",\"finished_ms\":%" PRId64
               ",\"overlap\":%s,\"fault\":%u}",
               entry->status, entry->applied ? "true" : "false", entry->started_ms,
               entry->finished_ms, entry->overlap ? "true" : "false", entry->fault);
}

static void
trigger_write(const struct trigger *trigger, uint64_t seq, struct buf *buf)
{
    buf_printf(buf, "{\"seq\":%" PRIu64 ",\"request\":%" PRIu64 ",\"email\":", seq,
               trigger->request);
    text_add_json(buf, trigger->email, strlen(trigger->email));
    buf_printf(buf, ",\"change\":\"%s\",\"tag\":", trigger->added ? "add" : "remove");
    text_add_json(buf, trigger->tag, strlen(trigger->tag));
    buf_add_char(buf, '}');
}

typedef void seq_writer(const struct journal *journal, uint64_t seq, struct buf *buf);

static void
write_request(const struct journal *journal, uint64_t seq, struct buf *buf)
{
    entry_write(entry_at(journal, seq), seq, buf);
}

static void
write_trigger(const struct journal *journal, uint64_t seq, struct buf *buf)
{
    trigger_write(trigger_at(journal, seq), seq, buf);
}

/* Writes whole entries only: one that does not fit is taken back and ends the list. */
static void
write_list(const struct journal *journal, const struct ring *ring, const char *name,
           seq_writer *write_one, uint64_t after, uint64_t limit, struct buf *buf)
{
    uint64_t seq = after + 1 < ring->first ? ring->first : after + 1;
    uint64_t written = 0;
    size_t cap = buf->cap;

    buf->cap -= WRITE_RESERVE;
    buf_printf(buf, "{\"%s\":[", name);
    for (; seq <= ring->last && limit > 0; seq++, limit--) {
        size_t len = buf->len;

        if (written)
            buf_add_text(buf, ",\n");
        write_one(journal, seq, buf);
        if (buf_toobig(buf)) {
            buf->toobig = false;
            buf_truncate(buf, len);
            break;
        }
        written = seq;
    }
    buf->cap = cap;
    buf_printf(buf, "],\"last\":%" PRIu64 ",\"dropped\":%" PRIu64 "}",
               written ? written : ring->last, ring->first - 1);
}

void
journal_write_requests(const struct journal *journal, uint64_t after, uint64_t limit,
                       struct buf *buf)
{
    write_list(journal, &journal->entry_ring, "requests", write_request, after, limit, buf);
}

void
journal_write_triggers(const struct journal *journal, uint64_t after, uint64_t limit,
                       struct buf *buf)
{
    write_list(journal, &journal->trigger_ring, "triggers", write_trigger, after, limit, buf);
}

bool
journal_trigger(const struct journal *journal, uint64_t seq, struct journal_trigger *ret_trigger)
{
    const struct trigger *trigger = trigger_at(journal, seq);

    if (seq < journal->trigger_ring.first || seq > journal->trigger_ring.last)
        return false;
    *ret_trigger = (struct journal_trigger){
        .request = trigger->request,
        .email = trigger->email,
        .tag = trigger->tag,
        .added = trigger->added,
    };
    return true;
}

struct journal_totals
journal_totals(const struct journal *journal)
{
    return journal->totals;
}
