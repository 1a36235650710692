#include "schema/seen.h"

#include <string.h>

struct seen seen_new(struct arena *a, size_t expected)
{
	struct seen s = { .arena = a, .size = 64 };

	while (s.size * 3 <= expected * 4)
		s.size *= 2;
	s.slots = arena_alloc(a, s.size, sizeof(*s.slots));
	return s;
}

/* FNV-1a (draft-eastlake-fnv), with the scope hashed in front. */
static uint64_t hash(uint32_t scope, const unsigned char *key, size_t len)
{
	uint64_t h = (0xcbf29ce484222325U ^ scope) * 0x100000001b3U;

	for (size_t i = 0; i < len; i++)
		h = (h ^ key[i]) * 0x100000001b3U;
	return h ^ h >> 32;
}

static struct seen_slot *find(struct seen *s, uint32_t scope, const void *key, size_t len)
{
	size_t i = hash(scope, key, len) & (s->size - 1);

	for (;; i = (i + 1) & (s->size - 1)) {
		struct seen_slot *slot = &s->slots[i];

		if (slot->key == NULL ||
			(slot->scope == scope && slot->len == len &&
				memcmp(slot->key, key, len) == 0))
			return slot;
	}
}

static void grow(struct seen *s)
{
	struct seen bigger = seen_new(s->arena, s->size * 3 / 2);

	for (size_t i = 0; i < s->size; i++) {
		const struct seen_slot *old = &s->slots[i];

		if (old->key != NULL)
			*find(&bigger, old->scope, old->key, old->len) = *old;
	}
	bigger.n = s->n;
	*s = bigger;
}

uint32_t *seen_at(struct seen *s, uint32_t scope, const void *key, size_t len)
{
	struct seen_slot *slot;

	if (s->n * 4 >= s->size * 3)
		grow(s);
	slot = find(s, scope, key, len);
	if (slot->key == NULL) {
		*slot = (struct seen_slot){ key, (uint32_t)len, SEEN_FIRST, scope };
		s->n++;
	}
	return &slot->value;
}
