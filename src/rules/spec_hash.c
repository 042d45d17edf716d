#include "rules/spec_hash.h"

#include <string.h>

#include "base/map.h"

static uint64_t
add_number(uint64_t hash, int64_t number)
{
    unsigned char bytes[8];

    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (unsigned char)((uint64_t)number >> 8 * i);
    return map_hash(bytes, sizeof(bytes), hash);
}

/* What is not written is something else than what is written and empty. */
static uint64_t
add_text(uint64_t hash, const struct spec_text *text)
{
    hash = add_number(hash, text->text != NULL);
    return text->text ? map_hash(text->text, strlen(text->text), hash) : hash;
}

static uint64_t
add_list(uint64_t hash, const struct spec_list *list)
{
    hash = add_number(hash, (int64_t)list->count);
    for (size_t i = 0; i < list->count; i++)
        hash = add_text(hash, &list->items[i]);
    return hash;
}

static uint64_t
add_pairs(uint64_t hash, const struct spec_pairs *pairs)
{
    hash = add_number(hash, (int64_t)pairs->count);
    for (size_t i = 0; i < pairs->count; i++) {
        hash = add_text(hash, &pairs->items[i].name);
        hash = add_text(hash, &pairs->items[i].value);
    }
    return hash;
}

static uint64_t
add_identify(uint64_t hash, const struct spec_identify *identify)
{
    hash = add_number(hash, identify->present);
    hash = add_text(hash, &identify->email);
    hash = add_text(hash, &identify->new_email);
    hash = add_text(hash, &identify->first_name);
    hash = add_text(hash, &identify->last_name);
    hash = add_text(hash, &identify->company);
    hash = add_text(hash, &identify->birthday);
    hash = add_pairs(hash, &identify->custom_fields);
    return add_list(hash, &identify->tags);
}

static uint64_t
add_track(uint64_t hash, const struct spec_track *track)
{
    hash = add_number(hash, track->present);
    hash = add_text(hash, &track->email);
    hash = add_list(hash, &track->add_tags);
    return add_list(hash, &track->remove_tags);
}

static uint64_t
add_rule(uint64_t hash, const struct spec_rule *rule)
{
    hash = add_text(hash, &rule->name);
    hash = add_list(hash, &rule->topics);
    hash = add_text(hash, &rule->when);
    hash = add_text(hash, &rule->root);
    hash = add_text(hash, &rule->for_each);
    hash = add_text(hash, &rule->account);
    hash = add_text(hash, &rule->email);
    hash = add_number(hash, rule->without_email);
    hash = add_number(hash, rule->max_age_ms);
    hash = add_number(hash, rule->allow_increment | rule->stop << 1 | rule->disabled << 2);
    hash = add_identify(hash, &rule->identify);
    return add_track(hash, &rule->track);
}

uint64_t
spec_hash(const struct spec_ruleset *spec)
{
    uint64_t hash = add_text(0, &spec->email);

    /* Of the file, what is not written and what is the default say the same. */
    hash = add_number(hash, spec->without_email == WITHOUT_EMAIL_SKIP ? WITHOUT_EMAIL_SKIP
                                                                      : WITHOUT_EMAIL_INHERIT);
    hash = add_number(hash, (int64_t)spec->table_count);
    for (size_t i = 0; i < spec->table_count; i++) {
        hash = add_text(hash, &spec->tables[i].name);
        hash = add_pairs(hash, &spec->tables[i].entries);
    }
    hash = add_number(hash, (int64_t)spec->rule_count);
    for (size_t i = 0; i < spec->rule_count; i++)
        hash = add_rule(hash, &spec->rules[i]);
    return hash;
}
