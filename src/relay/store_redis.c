#include "relay/store_redis.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/roster.h"
#include "base/text.h"
#include "os/dice.h"
#include "relay/lease.h"
#include "relay/redis_pool.h"

enum {
	DRAWS = 16, /* codes drawn before one is free; the first one is but for one in a million times */
	/* Bytes that a pairing takes in Redis 7 besides its rosters, measured with 10,000. */
	PAIRING_BYTES = 900,
};

struct redis {
	struct store store; /* what others see of it */
	struct store_conf conf;
	struct redis_pool *pool;
	struct clients *clients;
	struct leases *leases;
	pthread_mutex_t *clients_lock; /* of these two */
	pthread_mutex_t lock;          /* of stats */
	struct store_stats stats;      /* its totals */
};

static struct redis *redis_of(struct store *store)
{
	return (struct redis *)store;
}

/* What the statuses of the script mean, and what text they have with them. */
struct meaning {
	const char *word;
	enum store_status status;
	bool text;
};

static const struct meaning meanings[] = {
	{ "ok", STORE_OK, true },
	{ "made", STORE_OK, true },
	{ "joined", STORE_OK, true },
	{ "used", STORE_OK, true },
	{ "waiting", STORE_WAITING, false },
	{ "gone", STORE_GONE, false },
	{ "full", STORE_FULL, false },
	{ "memory", STORE_NO_MEMORY, false },
	{ "many", STORE_TOO_MANY, false },
	{ "taken", STORE_TAKEN, false },
	{ "drawn", STORE_TAKEN, false },
	{ "sealed", STORE_SEALED, false },
	{ "plain", STORE_PLAIN, false },
};

/* NULL: none that is known. */
static const struct meaning *meaning_of(const struct redis_outcome *out)
{
	for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++)
		if (redis_outcome_is(out, meanings[i].word))
			return &meanings[i];
	return NULL;
}

/* Whether the status is known, and the text there or not as it must be. */
static bool fits(const struct redis_outcome *out, bool is_text)
{
	const struct meaning *m = meaning_of(out);

	return m != NULL && (m->text ? is_text : *out->text == '\0');
}

static bool fits_roster(const struct redis_outcome *out)
{
	size_t len = strlen(out->text);

	return fits(out,
		text_begins(out->text, "{\"jails\":[") && out->text[len - 1] == '}' &&
			len <= ROSTER_BYTES_MAX);
}

static bool fits_token(const struct redis_outcome *out)
{
	return fits(out,
		strlen(out->text) == TOKEN_TEXT - 1 &&
			strspn(out->text, "0123456789abcdef") == TOKEN_TEXT - 1);
}

static bool fits_nothing(const struct redis_outcome *out)
{
	return fits(out, *out->text == '\0');
}

/* "OPEN AGAIN BYTES" */
static bool fits_counts(const struct redis_outcome *out)
{
	size_t digits = strspn(out->text, "0123456789 ");

	return fits(out, digits > 0 && digits < 64 && out->text[digits] == '\0');
}

static void count(struct redis *s, const struct redis_outcome *out)
{
	pthread_mutex_lock(&s->lock);
	s->stats.errors += out == NULL;
	if (out != NULL) {
		s->stats.created += redis_outcome_is(out, "made");
		s->stats.joined += redis_outcome_is(out, "joined");
		s->stats.collected += redis_outcome_is(out, "used");
		s->stats.expired += out->expired;
	}
	pthread_mutex_unlock(&s->lock);
}

static enum store_status take(struct redis *s, const struct redis_step *step,
	bool (*may_be)(const struct redis_outcome *), struct redis_outcome *out)
{
	if (!redis_pool_take(s->pool, step, may_be, out)) {
		count(s, NULL);
		return STORE_DOWN;
	}
	count(s, out);
	return meaning_of(out)->status;
}

static const char *hex(struct arena *a, const uint8_t *bytes, size_t n)
{
	char *text = arena_alloc(a, 2 * n + 1, 1);

	return sodium_bin2hex(text, 2 * n + 1, bytes, n);
}

/* Empty where there is no key. */
static void arg_key(struct redis_step *step, const char *key)
{
	const struct mark mark = mark_of(key);

	redis_arg(step, key != NULL ? hex(step->a, mark.b, sizeof(mark.b)) : "");
}

/* The client of a pairing as Redis has it: no address, and another one for every pairing. */
static void arg_from(
	struct redis_step *step, const struct network *from, const char code[CODE_TEXT])
{
	uint8_t hash[16];

	crypto_generichash(hash, sizeof(hash), from->b, sizeof(from->b),
		(const unsigned char *)code, CODE_TEXT);
	redis_arg(step, hex(step->a, hash, sizeof(hash)));
}

/* Whether there is one, and which: an empty one is another than none. */
static void arg_token(struct redis_step *step, const char *token)
{
	redis_arg(step, token != NULL ? "1" : "0");
	redis_arg(step, token != NULL ? token : "");
}

/* NULL: this client has enough pairings open. */
static struct client *reserve(struct redis *s, const struct network *creator, int64_t now)
{
	struct client *client;

	pthread_mutex_lock(s->clients_lock);
	leases_expire(s->leases, now);
	client = clients_at(s->clients, creator, now);
	if (!client_open(s->clients, client))
		client = NULL;
	pthread_mutex_unlock(s->clients_lock);
	return client;
}

/* made: the pairing of that code is there and counts; else nothing was reserved. */
static void settle(
	struct redis *s, struct client *client, const char code[CODE_TEXT], bool made, int64_t now)
{
	if (client == NULL)
		return;
	pthread_mutex_lock(s->clients_lock);
	if (made)
		lease_add(s->leases, code, client, now + s->conf.ttl);
	else
		client_close(s->clients, client);
	pthread_mutex_unlock(s->clients_lock);
}

static struct redis_step create_step(const struct redis *s, struct arena *a,
	const struct network *creator, const struct parcel *ours, const struct proposal *proposal,
	const char code[CODE_TEXT], bool may)
{
	struct redis_step step = redis_step(a, "create", code);
	uint8_t token[(TOKEN_TEXT - 1) / 2];

	randombytes_buf(token, sizeof(token));
	redis_arg(&step, parcel_format(ours, a));
	redis_arg(&step, ours->sealed != NULL ? "1" : "0");
	redis_arg(&step, proposal != NULL ? "1" : "0");
	redis_arg(&step, hex(a, token, sizeof(token)));
	arg_key(&step, proposal != NULL ? proposal->key : NULL);
	arg_from(&step, creator, code);
	redis_arg_number(&step, (uint64_t)s->conf.ttl);
	redis_arg_number(&step, s->conf.open_max);
	redis_arg_number(&step, s->conf.memory->max);
	redis_arg(&step, may ? "1" : "0");
	return step;
}

static enum store_status redis_create(struct store *store, const struct network *creator,
	const struct parcel *ours, const struct proposal *proposal, int64_t now, struct ticket *out)
{
	struct redis *s = redis_of(store);
	struct client *client = reserve(s, creator, now);
	struct arena *a = arena_new();
	enum store_status status = STORE_TAKEN;
	struct redis_outcome got = { 0 };

	for (int i = 0; i < DRAWS && status == STORE_TAKEN; i++) {
		struct redis_step step;

		if (proposal != NULL)
			memcpy(out->code, proposal->code, sizeof(out->code));
		else
			dice_code(out->code);
		step = create_step(s, a, creator, ours, proposal, out->code, client != NULL);
		status = take(s, &step, fits_token, &got);
		if (proposal != NULL)
			break;
	}
	if (status == STORE_OK)
		memcpy(out->token, got.text, sizeof(out->token));
	else if (status == STORE_TAKEN && proposal == NULL)
		status = STORE_FULL;
	settle(s, client, out->code, status == STORE_OK && redis_outcome_is(&got, "made"), now);
	arena_free(a);
	return status;
}

static enum store_status redis_owns(struct store *store, const char code[CODE_TEXT],
	const char *token, const struct network *reader, int64_t now)
{
	struct arena *a = arena_new();
	struct redis_step step = redis_step(a, "owns", code);
	struct redis_outcome got;
	enum store_status status;

	(void)now;
	arg_token(&step, token);
	arg_from(&step, reader, code);
	status = take(redis_of(store), &step, fits_nothing, &got);
	arena_free(a);
	return status;
}

static enum store_status redis_joinable(
	struct store *store, const char code[CODE_TEXT], const char *key, int64_t now)
{
	struct arena *a = arena_new();
	struct redis_step step = redis_step(a, "joinable", code);
	struct redis_outcome got;
	enum store_status status;

	(void)now;
	arg_key(&step, key);
	status = take(redis_of(store), &step, fits_nothing, &got);
	arena_free(a);
	return status;
}

static enum store_status redis_join(struct store *store, const char code[CODE_TEXT],
	const struct parcel *theirs, const char *key, int64_t now, struct arena *a,
	const char **creator)
{
	struct redis *s = redis_of(store);
	struct redis_step step = redis_step(a, "join", code);
	struct redis_outcome got;
	enum store_status status;

	(void)now;
	redis_arg(&step, parcel_format(theirs, a));
	redis_arg(&step, theirs->sealed != NULL ? "1" : "0");
	arg_key(&step, key);
	redis_arg_number(&step, s->conf.memory->max);
	status = take(s, &step, fits_roster, &got);
	if (status == STORE_OK)
		*creator = got.text;
	return status;
}

static enum store_status redis_read(struct store *store, const char code[CODE_TEXT],
	const char *token, int64_t now, struct arena *a, const char **joiner)
{
	struct redis *s = redis_of(store);
	struct redis_step step = redis_step(a, "read", code);
	struct redis_outcome got;
	enum store_status status;

	(void)now;
	arg_token(&step, token);
	redis_arg_number(&step, s->conf.open_max);
	status = take(s, &step, fits_roster, &got);
	if (status != STORE_OK)
		return status;
	*joiner = got.text;
	if (redis_outcome_is(&got, "used")) {
		pthread_mutex_lock(s->clients_lock);
		lease_end(s->leases, code);
		pthread_mutex_unlock(s->clients_lock);
	}
	return STORE_OK;
}

static struct store_stats redis_stats(struct store *store, int64_t now)
{
	struct redis *s = redis_of(store);
	struct arena *a = arena_new();
	struct redis_step step = redis_step(a, "stats", NULL);
	struct redis_outcome got;
	struct store_stats stats;
	unsigned open = 0, again = 0;
	size_t bytes = 0;
	bool known;

	(void)now;
	known = take(s, &step, fits_counts, &got) == STORE_OK &&
		sscanf(got.text, "%u %u %zu", &open, &again, &bytes) == 3;
	pthread_mutex_lock(&s->lock);
	stats = s->stats;
	pthread_mutex_unlock(&s->lock);
	stats.up = known;
	stats.open = open;
	stats.bytes = bytes + ((size_t)open + again) * PAIRING_BYTES;
	arena_free(a);
	return stats;
}

static bool redis_is_up(struct store *store)
{
	return redis_pool_is_up(redis_of(store)->pool);
}

static void redis_free(struct store *store)
{
	struct redis *s = redis_of(store);

	redis_pool_free(s->pool);
	leases_free(s->leases);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

static const struct store_ops ops = {
	.create = redis_create,
	.owns = redis_owns,
	.joinable = redis_joinable,
	.join = redis_join,
	.read = redis_read,
	.stats = redis_stats,
	.is_up = redis_is_up,
	.free = redis_free,
	.remote = true,
};

struct store *store_redis_new(const struct store_conf *conf, const struct redis_where *where,
	struct clients *clients, pthread_mutex_t *lock)
{
	struct redis *s = calloc(1, sizeof(*s));

	if (s == NULL)
		abort();
	s->store.ops = &ops;
	s->conf = *conf;
	s->clients = clients;
	s->clients_lock = lock;
	s->leases = leases_new(clients, conf->open_max);
	pthread_mutex_init(&s->lock, NULL);
	s->pool = redis_pool_new(where);
	return &s->store;
}
