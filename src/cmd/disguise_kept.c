#include "cmd/disguise_kept.h"

#include <string.h>

#include "cmd/word.h"

enum { WORD_MIN = 2 };

struct disguise_kept_text {
    struct map_node node;
    struct disguise_kept_text *next;
};

void
disguise_kept_init(struct disguise_kept *kept, uint64_t seed)
{
    map_init(&kept->texts, seed);
    map_init(&kept->words, seed);
    kept->first = NULL;
    arena_init(&kept->arena, 4096);
}

void
disguise_kept_fini(struct disguise_kept *kept)
{
    map_fini(&kept->texts);
    map_fini(&kept->words);
    arena_fini(&kept->arena);
}

static void
add_text(struct disguise_kept *kept, const char *text, size_t len)
{
    struct disguise_kept_text *item = arena_alloc(&kept->arena, sizeof(*item));

    map_add(&kept->texts, &item->node, arena_text(&kept->arena, text, len), len);
    item->next = kept->first;
    kept->first = item;
}

static void
add_word(struct disguise_kept *kept, const char *word, size_t len)
{
    struct map_node *node = arena_alloc(&kept->arena, sizeof(*node));

    map_add(&kept->words, node, arena_text(&kept->arena, word, len), len);
}

void
disguise_kept_add(struct disguise_kept *kept, const char *text, size_t len)
{
    const char *end = text + len;

    if (!len || disguise_kept_has(kept, text, len))
        return;
    add_text(kept, text, len);
    while (text < end) {
        bool is_word;
        size_t n = word_piece(text, end, &is_word);

        if (is_word && n >= WORD_MIN && !disguise_kept_has_word(kept, text, n))
            add_word(kept, text, n);
        text += n;
    }
}

bool
disguise_kept_has(const struct disguise_kept *kept, const char *text, size_t len)
{
    return map_find(&kept->texts, text, len) != NULL;
}

bool
disguise_kept_has_word(const struct disguise_kept *kept, const char *word, size_t len)
{
    return map_find(&kept->words, word, len) != NULL;
}

/* Whether what stands at AT could go on with a domain or the name before its sign. */
static bool
goes_on(char c)
{
    return c == '.' || word_is_ascii((unsigned char)c);
}

/* Whether TEXT holds PART with nothing that goes on at either end of it. */
static bool
holds_part(const char *text, size_t len, const char *part, size_t part_len)
{
    const char *at = text, *end = text + len;

    while ((at = memmem(at, (size_t)(end - at), part, part_len))) {
        const char *behind = at + part_len;

        if ((at == text || !goes_on(at[-1])) && (behind == end || !goes_on(*behind)))
            return true;
        at++;
    }
    return false;
}

/* Whether TEXT ends with the domain TAIL, as a whole or behind a dot. */
static bool
ends_with(const char *text, size_t len, const char *tail, size_t tail_len)
{
    return len >= tail_len && !memcmp(text + len - tail_len, tail, tail_len) &&
           (len == tail_len || text[len - tail_len - 1] == '.' || *tail == '.');
}

/* Whether what stands behind the last sign of TEXT, or all of it, is a domain, and DOMAIN is that
 * or belongs to it. */
static bool
ends_with_domain_of(const char *text, size_t len, const char *domain, size_t domain_len)
{
    const char *sign = memrchr(text, '@', len), *tail = sign ? sign + 1 : text;
    size_t tail_len = (size_t)(text + len - tail);

    return tail_len > 1 && memchr(tail + 1, '.', tail_len - 1) &&
           ends_with(domain, domain_len, tail, tail_len);
}

bool
disguise_kept_has_domain(const struct disguise_kept *kept, const char *domain, size_t len)
{
    if (!memchr(domain, '.', len))
        return false;
    for (const struct disguise_kept_text *item = kept->first; item; item = item->next) {
        const char *text = item->node.key;

        if (holds_part(text, item->node.key_len, domain, len) ||
            ends_with_domain_of(text, item->node.key_len, domain, len))
            return true;
    }
    return false;
}

bool
disguise_kept_has_address(const struct disguise_kept *kept, const char *address, size_t len)
{
    for (const struct disguise_kept_text *item = kept->first; item; item = item->next) {
        if (holds_part(item->node.key, item->node.key_len, address, len))
            return true;
    }
    return false;
}
