#include "sandbox/sample.h"

#include <stdio.h>
#include <string.h>

#include "base/rng.h"
#include "base/xalloc.h"

enum {
    PERSON_EMAIL_MAX = 80,
    PERSON_ID_MAX = 16,
    DAY_MAX = 16,
    MAX_INTERESTS = 2,
    EVENT_MAX = 4096 /* bytes of a payload */
};

/* Every tag there can be; a set of them is a number. */
#define TAG_TABLE(X)                \
    X(BETA, "beta")                 \
    X(COFFEE, "likes coffee")       \
    X(CYCLING, "likes cycling")     \
    X(GARDENING, "likes gardening") \
    X(MUSIC, "likes music")         \
    X(SAILING, "likes sailing")     \
    X(NEWSLETTER, "newsletter")     \
    X(PAID, "paid user")            \
    X(REGISTERED, "registered")     \
    X(ADS, "source: ads")           \
    X(PARTNER, "source: partner")   \
    X(REFERRAL, "source: referral") \
    X(WEB, "source: web")           \
    X(TRIAL, "trial user")

#define X(id, name) TAG_##id,
enum tag { TAG_TABLE(X) TAG_COUNT };
#undef X

static const char *const tag_names[TAG_COUNT] = {
#define X(id, name) name,
    TAG_TABLE(X)
#undef X
};

struct word {
    const char *text;
    enum tag tag;
};

static const struct word sources[] = {
    {"web", TAG_WEB}, {"ads", TAG_ADS}, {"partner", TAG_PARTNER}, {"referral", TAG_REFERRAL}};
static const struct word interests[] = {{"coffee", TAG_COFFEE},
                                        {"cycling", TAG_CYCLING},
                                        {"gardening", TAG_GARDENING},
                                        {"music", TAG_MUSIC},
                                        {"sailing", TAG_SAILING}};

enum plan { PLAN_FREE, PLAN_TRIAL, PLAN_PRO, PLAN_ENTERPRISE, PLAN_COUNT };
static const char *const plans[PLAN_COUNT] = {"free", "trial", "pro", "enterprise"};

struct name {
    const char *text, *ascii;
};

static const struct name first_names[] = {
    {"Ana", "ana"},         {"Bruno", "bruno"},   {"Chloé", "chloe"},   {"Dmitri", "dmitri"},
    {"Eszter", "eszter"},   {"Farah", "farah"},   {"Giulia", "giulia"}, {"Hana", "hana"},
    {"Ivan", "ivan"},       {"Jürgen", "jurgen"}, {"Kemal", "kemal"},   {"Lucía", "lucia"},
    {"Mateo", "mateo"},     {"Nadia", "nadia"},   {"Olu", "olu"},       {"Priya", "priya"},
    {"Quentin", "quentin"}, {"Rosa", "rosa"},     {"Søren", "soren"},   {"Tomás", "tomas"},
    {"Uma", "uma"},         {"Vera", "vera"},     {"Wen", "wen"},       {"Ximena", "ximena"},
    {"Yusuf", "yusuf"},     {"Zoë", "zoe"}};
static const struct name last_names[] = {
    {"Adeyemi", "adeyemi"}, {"Berg", "berg"},         {"Costa", "costa"},   {"Dubois", "dubois"},
    {"Eriksen", "eriksen"}, {"Fontaine", "fontaine"}, {"García", "garcia"}, {"Horváth", "horvath"},
    {"Ito", "ito"},         {"Jansen", "jansen"},     {"Kaya", "kaya"},     {"Larsson", "larsson"},
    {"Moreau", "moreau"},   {"Novák", "novak"},       {"O'Neil", "oneil"},  {"Patel", "patel"},
    {"Quispe", "quispe"},   {"Rossi", "rossi"},       {"Silva", "silva"},   {"Tan", "tan"},
    {"Ueda", "ueda"},       {"Vargas", "vargas"},     {"Weiss", "weiss"},   {"Yilmaz", "yilmaz"}};
static const char *const domains[] = {"example.com", "example.org", "example.net"};
static const char *const companies[] = {"Hexagon Labs",     "Blue Harbor", "Nordlicht GmbH",
                                        "Café Aurora",      "Tinker & Co", "Quarry Systems",
                                        "Lumen \"L\" Works"};

/* What a contact holds. Borrows constants and texts of its person. */
struct facts {
    bool exists;
    const char *first_name, *last_name, *company, *birthday;
    const char *designation, *source, *plan;
    uint32_t tags;
};

struct person {
    const struct name *first, *last;
    char email[PERSON_EMAIL_MAX], id[PERSON_ID_MAX], birthday[DAY_MAX];
    bool internal;
    enum plan plan;
    unsigned registrations;
    struct facts before, after;
};

struct sample {
    struct rng rng;
    struct person **people;
    size_t person_count, person_cap;
    unsigned namesakes[ARRAY_LEN(first_names)][ARRAY_LEN(last_names)];
    struct sample_totals totals;
};

struct sample *
sample_new(uint64_t seed)
{
    struct sample *sample = xcalloc(1, sizeof(*sample));

    sample->rng.state = seed;
    return sample;
}

void
sample_free(struct sample *sample)
{
    if (!sample)
        return;
    for (size_t i = 0; i < sample->person_count; i++)
        xfree(sample->people[i]);
    xfree(sample->people);
    xfree(sample);
}

void
sample_event_init(struct sample_event *event)
{
    *event = (struct sample_event){0};
    buf_init(&event->payload, EVENT_MAX);
    buf_init(&event->known, EVENT_MAX);
}

void
sample_event_fini(struct sample_event *event)
{
    buf_fini(&event->payload);
    buf_fini(&event->known);
}

static size_t
pick(struct sample *sample, size_t count)
{
    return (size_t)rng_below(&sample->rng, count);
}

static bool
chance(struct sample *sample, unsigned percent)
{
    return pick(sample, 100) < percent;
}

static const char *
pick_company(struct sample *sample)
{
    return companies[pick(sample, ARRAY_LEN(companies))];
}

/* --- writing JSON --- */

static void
add_text(struct buf *buf, const char *text)
{
    buf_add_json(buf, text, strlen(text));
}

/* Adds a member and what separates it from the one before. */
static void
add_name(struct buf *buf, const char *name)
{
    char last = buf_text(buf)[buf->len - 1];

    if (last != '{')
        buf_add_char(buf, ',');
    add_text(buf, name);
    buf_add_char(buf, ':');
}

static void
add_member(struct buf *buf, const char *name, const char *text)
{
    add_name(buf, name);
    add_text(buf, text);
}

/* --- people --- */

/* What SendX knows of a person before the first event, from elsewhere. */
static void
make_known(struct sample *sample, struct person *person, struct buf *known)
{
    struct facts *facts = &person->before;

    facts->exists = true;
    facts->first_name = person->first->text;
    facts->designation = chance(sample, 50) ? "Developer" : "Founder";
    facts->tags = 1u << TAG_NEWSLETTER;
    if (chance(sample, 40))
        facts->company = pick_company(sample);
    if (person->plan == PLAN_TRIAL)
        facts->tags |= 1u << TAG_TRIAL;
    buf_add_char(known, '{');
    add_member(known, "email", person->email);
    add_member(known, "firstName", facts->first_name);
    if (facts->company)
        add_member(known, "company", facts->company);
    buf_add_text(known, ",\"customFields\":{");
    add_member(known, "Designation", facts->designation);
    buf_add_text(known, "},\"tags\":[\"newsletter\"");
    if (person->plan == PLAN_TRIAL)
        buf_add_text(known, ",\"trial user\"");
    buf_add_text(known, "]}");
}

static struct person *
person_new(struct sample *sample, struct buf *known)
{
    struct person *person = xcalloc(1, sizeof(*person));
    size_t first = pick(sample, ARRAY_LEN(first_names));
    size_t last = pick(sample, ARRAY_LEN(last_names));
    unsigned namesake = sample->namesakes[first][last]++;
    char number[16] = "";

    sample->people =
        xgrow(sample->people, sample->person_count, &sample->person_cap, sizeof(struct person *));
    sample->people[sample->person_count++] = person;
    person->first = &first_names[first];
    person->last = &last_names[last];
    if (namesake)
        snprintf(number, sizeof(number), "%u", namesake + 1);
    snprintf(person->email, sizeof(person->email), "%s.%s%s@%s", person->first->ascii,
             person->last->ascii, number, domains[pick(sample, ARRAY_LEN(domains))]);
    snprintf(person->id, sizeof(person->id), "u-%zu", 1000 + sample->person_count);
    snprintf(person->birthday, sizeof(person->birthday), "%zu-%02zu-%02zu", 1955 + pick(sample, 50),
             1 + pick(sample, 12), 1 + pick(sample, 28));
    person->internal = chance(sample, 4);
    person->plan = chance(sample, 40) ? PLAN_TRIAL : PLAN_FREE;
    if (chance(sample, 30))
        make_known(sample, person, known);
    person->after = person->before;
    return person;
}

/* The address as people type it: capitals and blanks around it. */
static void
add_email(struct sample *sample, const struct person *person, struct buf *payload)
{
    char typed[PERSON_EMAIL_MAX + 2];
    bool blank = chance(sample, 5);

    snprintf(typed, sizeof(typed), "%s%s", blank ? " " : "", person->email);
    if (chance(sample, 15))
        typed[blank] = (char)(typed[blank] - 'a' + 'A');
    add_member(payload, "email", typed);
}

static void
add_user_head(struct sample *sample, const struct person *person, struct buf *payload)
{
    add_name(payload, "user");
    buf_add_char(payload, '{');
    add_member(payload, "id", person->id);
    add_email(sample, person, payload);
    if (person->internal || chance(sample, 20)) {
        add_name(payload, "internal");
        buf_add_text(payload, person->internal ? "true" : "false");
    }
}

/* --- user.registered --- */

/* FACTS is what the event says; a part that is missing in the event stays as it was. */
static void
add_birthday(struct sample *sample, struct person *person, struct buf *payload, struct facts *facts)
{
    char written[DAY_MAX + 16];

    if (!chance(sample, 60))
        return;
    snprintf(written, sizeof(written), "%s%s", person->birthday,
             chance(sample, 25) ? "T00:00:00Z" : "");
    add_member(payload, "birthday", written);
    facts->birthday = person->birthday;
}

static void
add_company(struct sample *sample, struct buf *payload, struct facts *facts)
{
    const char *company = pick_company(sample);

    if (!chance(sample, 70))
        return;
    facts->company = company;
    if (chance(sample, 50)) {
        add_member(payload, "company", company);
        return;
    }
    add_name(payload, "company");
    buf_add_char(payload, '{');
    add_member(payload, "name", company);
    buf_add_char(payload, '}');
}

static void
add_source(struct sample *sample, struct buf *payload, struct facts *facts)
{
    const struct word *source = &sources[pick(sample, ARRAY_LEN(sources))];

    facts->source = "direct";
    if (chance(sample, 10))
        return;
    add_name(payload, "signup");
    buf_add_char(payload, '{');
    if (chance(sample, 85)) {
        add_member(payload, "source", source->text);
        facts->source = source->text;
        facts->tags |= 1u << source->tag;
    }
    buf_add_char(payload, '}');
}

static void
add_interests(struct sample *sample, struct buf *payload, struct facts *facts)
{
    size_t count = pick(sample, MAX_INTERESTS + 1);

    if (chance(sample, 30))
        return;
    add_name(payload, "interests");
    buf_add_char(payload, '[');
    for (size_t i = 0; i < count; i++) {
        const struct word *interest = &interests[pick(sample, ARRAY_LEN(interests))];

        if (i)
            buf_add_char(payload, ',');
        add_text(payload, interest->text);
        facts->tags |= 1u << interest->tag;
    }
    buf_add_char(payload, ']');
}

static void
add_beta(struct sample *sample, struct buf *payload, struct facts *facts)
{
    bool beta = chance(sample, 20);

    if (chance(sample, 50))
        return;
    add_name(payload, "beta");
    buf_add_text(payload, beta ? "true" : "false");
    if (beta)
        facts->tags |= 1u << TAG_BETA;
}

static void
make_registered(struct sample *sample, struct person *person, struct buf *payload)
{
    struct facts facts = person->after;

    facts.exists = true;
    facts.first_name = person->first->text;
    facts.tags |= 1u << TAG_REGISTERED;
    add_user_head(sample, person, payload);
    add_member(payload, "first_name", facts.first_name);
    if (chance(sample, 90)) {
        add_member(payload, "last_name", person->last->text);
        facts.last_name = person->last->text;
    }
    add_birthday(sample, person, payload, &facts);
    add_company(sample, payload, &facts);
    add_source(sample, payload, &facts);
    add_interests(sample, payload, &facts);
    add_beta(sample, payload, &facts);
    buf_add_char(payload, '}');
    person->registrations++;
    if (person->internal)
        sample->totals.internal++;
    else
        person->after = facts;
}

/* --- plan.changed --- */

static uint32_t
plan_tag(enum plan plan)
{
    switch (plan) {
    case PLAN_TRIAL:
        return 1u << TAG_TRIAL;
    case PLAN_PRO:
    case PLAN_ENTERPRISE:
        return 1u << TAG_PAID;
    default:
        return 0;
    }
}

static void
make_plan_changed(struct sample *sample, struct person *person, struct buf *payload)
{
    enum plan from = person->plan;
    enum plan to = (enum plan)pick(sample, PLAN_COUNT);

    add_user_head(sample, person, payload);
    buf_add_char(payload, '}');
    add_member(payload, "from", plans[from]);
    add_member(payload, "to", plans[to]);
    person->plan = to;
    if (person->internal) {
        sample->totals.internal++;
    } else if (from == to || to == PLAN_FREE) {
        sample->totals.no_plan++;
    } else {
        person->after.exists = true;
        person->after.plan = plans[to];
        person->after.tags = (person->after.tags & ~plan_tag(from)) | plan_tag(to);
    }
}

void
sample_next(struct sample *sample, struct sample_event *event)
{
    bool is_registration = sample->person_count == 0 || chance(sample, 45);
    struct person *person;

    buf_reset(&event->known);
    if (sample->person_count == 0 || (is_registration && chance(sample, 80)))
        person = person_new(sample, &event->known);
    else
        person = sample->people[pick(sample, sample->person_count)];
    event->topic = is_registration ? SAMPLE_REGISTERED : SAMPLE_PLAN_CHANGED;
    event->key = person->id;
    buf_reset(&event->payload);
    buf_add_char(&event->payload, '{');
    if (is_registration)
        make_registered(sample, person, &event->payload);
    else
        make_plan_changed(sample, person, &event->payload);
    buf_add_char(&event->payload, '}');
    sample->totals.events[event->topic]++;
}

/* --- questions --- */

struct sample_totals
sample_totals(const struct sample *sample)
{
    return sample->totals;
}

size_t
sample_people(const struct sample *sample)
{
    return sample->person_count;
}

static struct portrait
facts_portrait(const struct facts *facts)
{
    struct portrait portrait = {.exists = facts->exists};

    portrait.properties[CONTACT_FIRST_NAME] = facts->first_name;
    portrait.properties[CONTACT_LAST_NAME] = facts->last_name;
    portrait.properties[CONTACT_COMPANY] = facts->company;
    portrait.properties[CONTACT_BIRTHDAY] = facts->birthday;
    if (facts->designation)
        portrait_add_field(&portrait, "Designation", facts->designation);
    if (facts->source)
        portrait_add_field(&portrait, "Signup source", facts->source);
    if (facts->plan)
        portrait_add_field(&portrait, "Plan", facts->plan);
    for (unsigned i = 0; i < TAG_COUNT; i++)
        if (facts->tags & 1u << i)
            portrait_add_tag(&portrait, tag_names[i]);
    return portrait;
}

struct sample_person
sample_person(const struct sample *sample, size_t i)
{
    const struct person *person = sample->people[i];

    return (struct sample_person){
        .email = person->email,
        .before = facts_portrait(&person->before),
        .after = facts_portrait(&person->after),
        .internal = person->internal,
        .registrations = person->registrations,
    };
}
