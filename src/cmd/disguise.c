#include "cmd/disguise.h"

#include "base/xalloc.h"
#include "cmd/disguise_state.h"

struct disguise *
disguise_new(const void *key, size_t len)
{
    struct disguise *disguise = xcalloc(1, sizeof(*disguise));

    disguise->key[0] = map_hash(key, len, 0);
    disguise->key[1] = map_hash(key, len, 1);
    disguise_kept_init(&disguise->kept, disguise->key[0]);
    disguise_fields_init(&disguise->fields, disguise->key[0]);
    buf_init(&disguise->folded, DISGUISE_TEXT_MAX);
    buf_init(&disguise->word, DISGUISE_TEXT_MAX);
    buf_init(&disguise->tried, DISGUISE_TEXT_MAX);
    return disguise;
}

void
disguise_free(struct disguise *disguise)
{
    if (!disguise)
        return;
    disguise_kept_fini(&disguise->kept);
    disguise_fields_fini(&disguise->fields);
    buf_fini(&disguise->folded);
    buf_fini(&disguise->word);
    buf_fini(&disguise->tried);
    xfree(disguise);
}

void
disguise_keep(struct disguise *disguise, const char *text, size_t len)
{
    const struct buf *folded = disguise_fold(disguise, text, len);

    disguise_kept_add(&disguise->kept, buf_text(folded), folded->len);
}

void
disguise_replace_field(struct disguise *disguise, const char *name)
{
    disguise_fields_set(&disguise->fields, name, true);
}

void
disguise_leave_field(struct disguise *disguise, const char *name)
{
    disguise_fields_set(&disguise->fields, name, false);
}

struct disguise_counts
disguise_counts(const struct disguise *disguise)
{
    return disguise->counts;
}

void
disguise_add_fields(const struct disguise *disguise, struct buf *out)
{
    disguise_fields_add_met(&disguise->fields, out);
}
