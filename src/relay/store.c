#include "relay/store.h"

#include <sodium.h>
#include <string.h>

enum store_status store_create(struct store *s, const struct network *creator,
	const struct parcel *ours, const struct proposal *proposal, int64_t now, struct ticket *out)
{
	return s->ops->create(s, creator, ours, proposal, now, out);
}

enum store_status store_owns(struct store *s, const char code[CODE_TEXT], const char *token,
	const struct network *reader, int64_t now)
{
	return s->ops->owns(s, code, token, reader, now);
}

enum store_status store_joinable(
	struct store *s, const char code[CODE_TEXT], const char *key, int64_t now)
{
	return s->ops->joinable(s, code, key, now);
}

enum store_status store_join(struct store *s, const char code[CODE_TEXT],
	const struct parcel *theirs, const char *key, int64_t now, struct arena *a,
	const char **creator)
{
	return s->ops->join(s, code, theirs, key, now, a, creator);
}

enum store_status store_look(
	struct store *s, const char code[CODE_TEXT], const char *token, int64_t now)
{
	return s->ops->look != NULL ? s->ops->look(s, code, token, now) : STORE_OK;
}

enum store_status store_read(struct store *s, const char code[CODE_TEXT], const char *token,
	int64_t now, struct arena *a, const char **joiner)
{
	return s->ops->read(s, code, token, now, a, joiner);
}

struct store_stats store_stats(struct store *s, int64_t now)
{
	return s->ops->stats(s, now);
}

bool store_is_up(struct store *s)
{
	return s->ops->is_up(s);
}

bool store_is_remote(const struct store *s)
{
	return s->ops->remote;
}

void store_free(struct store *s)
{
	if (s != NULL)
		s->ops->free(s);
}

struct mark mark_of(const char *key)
{
	struct mark mark = { { 0 } };

	if (key != NULL)
		crypto_generichash(
			mark.b, sizeof(mark.b), (const unsigned char *)key, strlen(key), NULL, 0);
	return mark;
}
