#include "cmd/capture_pick.h"

#include <assert.h>
#include <string.h>

#include "base/xalloc.h"

void
picks_init(struct picks *picks, size_t groups, size_t most)
{
    *picks = (struct picks){.group_count = groups, .most = most};
    picks->groups = xcalloc(groups, sizeof(picks->groups[0]));
    for (size_t i = 0; i < groups; i++)
        picks->groups[i].items = xcalloc(most, sizeof(picks->groups[i].items[0]));
}

static void
free_pick(struct pick *pick)
{
    xfree(pick->text);
    xfree(pick->kinds);
}

void
picks_fini(struct picks *picks)
{
    for (size_t i = 0; i < picks->group_count; i++) {
        for (size_t k = 0; k < picks->groups[i].count; k++)
            free_pick(&picks->groups[i].items[k]);
        xfree(picks->groups[i].items);
    }
    xfree(picks->groups);
}

static bool
has_shape(const struct pick_group *group, size_t below, uint64_t shape)
{
    for (size_t i = 0; i < below; i++) {
        if (group->items[i].shape == shape)
            return true;
    }
    return false;
}

/* The last one that is like one before it, or the count. */
static size_t
find_like(const struct pick_group *group)
{
    for (size_t i = group->count; i-- > 0;) {
        if (has_shape(group, i, group->items[i].shape))
            return i;
    }
    return group->count;
}

bool
picks_wants(const struct picks *picks, size_t group, uint64_t shape)
{
    const struct pick_group *of = &picks->groups[group];

    if (picks->bytes > PICKS_BYTES_MAX)
        return false;
    if (of->count < picks->most)
        return true;
    return !has_shape(of, of->count, shape) && find_like(of) < of->count;
}

void
picks_add(struct picks *picks, size_t group, const bool *kinds, uint64_t shape, char *text)
{
    struct pick_group *to = &picks->groups[group];
    size_t at = to->count < picks->most ? to->count : find_like(to);

    assert(at < picks->most);
    if (at == to->count) {
        to->count++;
    } else {
        picks->bytes -= strlen(to->items[at].text);
        free_pick(&to->items[at]);
    }
    picks->bytes += strlen(text);
    to->items[at] = (struct pick){.text = text,
                                  .kinds = xmemdup(kinds, picks->group_count * sizeof(kinds[0])),
                                  .shape = shape};
}

size_t
picks_count(const struct picks *picks)
{
    size_t count = 0;

    for (size_t i = 0; i < picks->group_count; i++)
        count += picks->groups[i].count;
    return count;
}

size_t
picks_fitting(const struct picks *picks, size_t group)
{
    size_t count = 0;

    for (size_t i = 0; i < picks->group_count; i++) {
        for (size_t k = 0; k < picks->groups[i].count; k++)
            count += picks->groups[i].items[k].kinds[group];
    }
    return count;
}
