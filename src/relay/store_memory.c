#include "relay/store.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "os/dice.h"
#include "relay/pack.h"

enum { TOKEN_WORDS = (TOKEN_TEXT - 1) / 8 };

/* In each queue every pairing stays for the same time, so its head is the next to go. */
enum queue {
	QUEUE_OPEN,  /* waits for its time to live */
	QUEUE_LATE,  /* joined so late that it stays STORE_AGAIN from then on */
	QUEUE_AGAIN, /* read: only a token or a key finds it */
	QUEUES,
};

/* What each read looks at comes first. */
struct pairing {
	struct pairing *chain; /* of its bucket */
	char code[CODE_TEXT];
	int64_t expires; /* plain requests find it before */
	struct client *creator;
	struct packed *ours, *theirs; /* rosters of the creator and, once joined, of the joiner */
	char token[TOKEN_TEXT];
	bool sealed;
	struct mark created, joined; /* the keys of the two */
	enum queue queue;
	int64_t until;               /* it is deleted then */
	struct pairing *prev, *next; /* of its queue */
};

struct pairings {
	struct store store; /* what others see of it */
	struct store_conf conf;
	struct clients *clients;
	/* Keyed, so that nobody can choose codes to look up that meet in one bucket. */
	uint8_t key[crypto_shorthash_KEYBYTES];
	struct pairing **buckets;
	size_t mask;
	struct {
		struct pairing *head, *tail;
	} queues[QUEUES];
	struct store_stats stats; /* its totals */
	unsigned open, again;     /* pairings that are not read yet, and those that are */
	size_t bytes;
};

static struct pairings *pairings_of(struct store *store)
{
	return (struct pairings *)store;
}

static struct pairing **bucket_of(struct pairings *s, const char code[CODE_TEXT])
{
	uint8_t hash[crypto_shorthash_BYTES];
	uint64_t at;

	crypto_shorthash(hash, (const unsigned char *)code, strlen(code), s->key);
	memcpy(&at, hash, sizeof(at));
	return &s->buckets[at & s->mask];
}

/* These bytes are about to be used: asks the processor for them without waiting. p may be NULL. */
static void near(const void *p, size_t n)
{
	enum { LINE = 64 };
	const char *bytes = p;

	if (p == NULL)
		return;
	for (size_t i = 0; i < n; i += LINE)
		__builtin_prefetch(bytes + i);
	__builtin_prefetch(bytes + n - 1);
}

/* The next one to go was used long ago, and so was what is dropped with it. */
static void expect_drop(struct pairings *s, const struct pairing *next)
{
	if (next == NULL)
		return;
	near(bucket_of(s, next->code), 1);
	near(next->ours, 1);
	near(next->theirs, 1);
	near(next->next, sizeof(*next));
}

static void unqueue(struct pairings *s, struct pairing *p)
{
	*(p->prev != NULL ? &p->prev->next : &s->queues[p->queue].head) = p->next;
	*(p->next != NULL ? &p->next->prev : &s->queues[p->queue].tail) = p->prev;
	p->prev = p->next = NULL;
}

static void enqueue(struct pairings *s, struct pairing *p, enum queue queue, int64_t until)
{
	p->queue = queue;
	p->until = until;
	p->prev = s->queues[queue].tail;
	*(p->prev != NULL ? &p->prev->next : &s->queues[queue].head) = p;
	s->queues[queue].tail = p;
}

/* No more of the creator's open pairings. */
static void settle(struct pairings *s, struct pairing *p)
{
	client_close(s->clients, p->creator);
	p->creator = NULL;
	s->open--;
}

/* A pairing may be all that keeps its creator in the table of clients. */
static size_t cost_of(const struct packed *roster)
{
	return memory_block(sizeof(struct pairing)) + client_memory() +
		memory_block(packed_size(roster));
}

static void give(struct pairings *s, size_t n)
{
	s->bytes -= n;
	memory_give(s->conf.memory, n);
}

static void drop(struct pairings *s, struct pairing *p)
{
	struct pairing **at = bucket_of(s, p->code);

	while (*at != p)
		at = &(*at)->chain;
	*at = p->chain;
	unqueue(s, p);
	expect_drop(s, s->queues[p->queue].head);
	if (p->queue == QUEUE_AGAIN)
		s->again--;
	else
		settle(s, p);
	give(s, cost_of(p->ours));
	if (p->theirs != NULL)
		give(s, memory_block(packed_size(p->theirs)));
	free(p->ours);
	free(p->theirs);
	sodium_memzero(p, sizeof(*p));
	free(p);
}

static void memory_free(struct store *store)
{
	struct pairings *s = pairings_of(store);

	for (int i = 0; i < QUEUES; i++)
		while (s->queues[i].head != NULL)
			drop(s, s->queues[i].head);
	free(s->buckets);
	free(s);
}

static void expire(struct pairings *s, int64_t now)
{
	for (int i = 0; i < QUEUES; i++)
		while (s->queues[i].head != NULL && s->queues[i].head->until <= now) {
			s->stats.expired += i != QUEUE_AGAIN;
			drop(s, s->queues[i].head);
		}
}

/* In constant time. */
static bool same_code(const char a[CODE_TEXT], const char b[CODE_TEXT])
{
	static_assert(CODE_TEXT == crypto_verify_32_BYTES, "libsodium compares codes whole");

	return crypto_verify_32((const unsigned char *)a, (const unsigned char *)b) == 0;
}

static struct pairing *find(struct pairings *s, const char code[CODE_TEXT], int64_t now)
{
	struct pairing *p;

	expire(s, now);
	p = *bucket_of(s, code);
	while (p != NULL && !same_code(p->code, code))
		p = p->chain;
	return p;
}

/* What is kept only for a repetition goes first, the oldest before others. */
static bool take(struct pairings *s, size_t n, enum memory_use use)
{
	while (!memory_take(s->conf.memory, n, use)) {
		if (s->queues[QUEUE_AGAIN].head == NULL)
			return false;
		drop(s, s->queues[QUEUE_AGAIN].head);
	}
	s->bytes += n;
	return true;
}

static bool same_key(const struct mark *mark, const char *key)
{
	const struct mark other = mark_of(key);

	return key != NULL && sodium_memcmp(mark->b, other.b, sizeof(mark->b)) == 0;
}

static bool same_roster(const struct packed *kept, const struct parcel *roster)
{
	struct packed *p = pack(roster);
	bool same = p != NULL && packed_same(kept, p);

	free(p);
	return same;
}

static struct ticket ticket_of(const struct pairing *p)
{
	struct ticket t;

	memcpy(t.code, p->code, sizeof(t.code));
	memcpy(t.token, p->token, sizeof(t.token));
	return t;
}

/* The pairing that the code of a proposal finds. */
static enum store_status create_again(const struct pairing *p, const struct parcel *ours,
	const struct proposal *proposal, struct ticket *out)
{
	if (!same_key(&p->created, proposal->key) || !same_roster(p->ours, ours))
		return STORE_TAKEN;
	*out = ticket_of(p);
	return STORE_OK;
}

static void name_it(
	struct pairings *s, struct pairing *p, const struct proposal *proposal, int64_t now)
{
	uint32_t token[TOKEN_WORDS];

	if (proposal != NULL) {
		memcpy(p->code, proposal->code, sizeof(p->code));
		p->created = mark_of(proposal->key);
	} else {
		do
			dice_code(p->code);
		while (find(s, p->code, now) != NULL);
	}
	/* Of words the generator that relay_serve chooses has some in advance, of bytes none. */
	for (int i = 0; i < TOKEN_WORDS; i++)
		token[i] = randombytes_random();
	sodium_bin2hex(p->token, sizeof(p->token), (const unsigned char *)token, sizeof(token));
}

static void insert(struct pairings *s, struct pairing *p)
{
	struct pairing **bucket = bucket_of(s, p->code);

	p->chain = *bucket;
	*bucket = p;
	enqueue(s, p, QUEUE_OPEN, p->expires);
	s->open++;
	s->stats.created++;
}

/* What it takes is taken before it is allocated; until then the roster is part of what the request takes. */
static enum store_status pairing_new(
	struct pairings *s, struct client *creator, const struct parcel *ours, struct pairing **out)
{
	struct packed *roster = pack(ours);
	enum store_status status = STORE_NO_MEMORY;

	if (roster == NULL || !take(s, cost_of(roster), MEMORY_CREATE)) {
		free(roster);
		return STORE_NO_MEMORY;
	}
	if (!client_open(s->clients, creator)) {
		status = STORE_TOO_MANY;
	} else if ((*out = calloc(1, sizeof(**out))) == NULL) {
		client_close(s->clients, creator);
	} else {
		(*out)->ours = roster;
		(*out)->sealed = ours->sealed != NULL;
		(*out)->creator = creator;
		return STORE_OK;
	}
	give(s, cost_of(roster));
	free(roster);
	return status;
}

static enum store_status memory_create(struct store *store, const struct network *creator,
	const struct parcel *ours, const struct proposal *proposal, int64_t now, struct ticket *out)
{
	struct pairings *s = pairings_of(store);
	struct client *client = clients_at(s->clients, creator, now);
	struct pairing *p = proposal != NULL ? find(s, proposal->code, now) : NULL;
	enum store_status status;

	if (p != NULL)
		return create_again(p, ours, proposal, out);
	expire(s, now);
	if (s->open >= s->conf.open_max)
		return STORE_FULL;
	status = pairing_new(s, client, ours, &p);
	if (status != STORE_OK)
		return status;
	name_it(s, p, proposal, now);
	p->expires = now + s->conf.ttl;
	insert(s, p);
	*out = ticket_of(p);
	return STORE_OK;
}

static bool same_token(const struct pairing *p, const char *token)
{
	static_assert(TOKEN_TEXT - 1 == crypto_verify_32_BYTES, "libsodium compares tokens whole");

	return strlen(token) == TOKEN_TEXT - 1 &&
		crypto_verify_32((const unsigned char *)token, (const unsigned char *)p->token) ==
		0;
}

static enum store_status memory_owns(struct store *store, const char code[CODE_TEXT],
	const char *token, const struct network *reader, int64_t now)
{
	struct pairings *s = pairings_of(store);
	const struct pairing *p = find(s, code, now);
	bool own = false;

	if (p != NULL)
		own = token != NULL ? same_token(p, token)
				    : p->creator == clients_at(s->clients, reader, now);
	return own ? STORE_OK : STORE_GONE;
}

static enum store_status memory_joinable(
	struct store *store, const char code[CODE_TEXT], const char *key, int64_t now)
{
	const struct pairing *p = find(pairings_of(store), code, now);

	return p != NULL && (p->theirs == NULL || same_key(&p->joined, key)) ? STORE_OK
									     : STORE_GONE;
}

static enum store_status memory_join(struct store *store, const char code[CODE_TEXT],
	const struct parcel *theirs, const char *key, int64_t now, struct arena *a,
	const char **creator)
{
	struct pairings *s = pairings_of(store);
	struct pairing *p = find(s, code, now);
	struct packed *roster;

	if (p == NULL)
		return STORE_GONE;
	if (p->theirs != NULL) {
		if (!same_key(&p->joined, key) || !same_roster(p->theirs, theirs))
			return STORE_GONE;
		*creator = unpack(p->ours, a);
		return STORE_OK;
	}
	if (p->sealed != (theirs->sealed != NULL))
		return p->sealed ? STORE_SEALED : STORE_PLAIN;
	roster = pack(theirs);
	if (roster == NULL || !take(s, memory_block(packed_size(roster)), MEMORY_JOIN)) {
		free(roster);
		return STORE_NO_MEMORY;
	}
	p->theirs = roster;
	s->stats.joined++;
	p->joined = mark_of(key);
	if (p->until < now + STORE_AGAIN) {
		unqueue(s, p);
		enqueue(s, p, QUEUE_LATE, now + STORE_AGAIN);
	}
	*creator = unpack(p->ours, a);
	return STORE_OK;
}

/* The first read of a joined pairing: from now on it is there for repetitions alone. */
static void use_up(struct pairings *s, struct pairing *p, int64_t now)
{
	/* As many are kept as may be open, so that reading fast does not grow the memory. */
	if (s->again >= s->conf.open_max)
		drop(s, s->queues[QUEUE_AGAIN].head);
	settle(s, p);
	s->stats.collected++;
	unqueue(s, p);
	enqueue(s, p, QUEUE_AGAIN, now + STORE_AGAIN);
	s->again++;
}

/* What a read of p says, which may be NULL. */
static enum store_status status_of(const struct pairing *p, const char *token, int64_t now)
{
	if (p == NULL)
		return STORE_GONE;
	if (token == NULL) {
		if (p->queue == QUEUE_AGAIN || p->expires <= now)
			return STORE_GONE;
	} else if (!same_token(p, token)) {
		return STORE_GONE;
	}
	return p->theirs != NULL ? STORE_OK : STORE_WAITING;
}

static enum store_status memory_look(
	struct store *store, const char code[CODE_TEXT], const char *token, int64_t now)
{
	return status_of(find(pairings_of(store), code, now), token, now);
}

static enum store_status memory_read(struct store *store, const char code[CODE_TEXT],
	const char *token, int64_t now, struct arena *a, const char **joiner)
{
	struct pairings *s = pairings_of(store);
	struct pairing *p = find(s, code, now);
	const enum store_status status = status_of(p, token, now);

	if (status != STORE_OK)
		return status;
	if (p->queue != QUEUE_AGAIN)
		use_up(s, p, now);
	*joiner = unpack(p->theirs, a);
	return STORE_OK;
}

static struct store_stats memory_stats(struct store *store, int64_t now)
{
	struct pairings *s = pairings_of(store);
	struct store_stats stats;

	expire(s, now);
	stats = s->stats;
	stats.up = true;
	stats.open = s->open;
	stats.bytes = s->bytes;
	return stats;
}

static bool memory_is_up(struct store *store)
{
	(void)store;
	return true;
}

static const struct store_ops ops = {
	.create = memory_create,
	.owns = memory_owns,
	.joinable = memory_joinable,
	.join = memory_join,
	.look = memory_look,
	.read = memory_read,
	.stats = memory_stats,
	.is_up = memory_is_up,
	.free = memory_free,
};

static size_t buckets_for(unsigned open_max)
{
	size_t n = 64;

	while (n < open_max)
		n *= 2;
	return n;
}

size_t store_memory_least(unsigned open_max)
{
	return buckets_for(open_max) * sizeof(struct pairing *);
}

struct store *store_memory_new(const struct store_conf *conf, struct clients *clients)
{
	struct pairings *s = calloc(1, sizeof(*s));
	size_t n = buckets_for(conf->open_max);

	if (s == NULL || (s->buckets = calloc(n, sizeof(struct pairing *))) == NULL)
		abort();
	s->store.ops = &ops;
	s->conf = *conf;
	s->clients = clients;
	s->mask = n - 1;
	crypto_shorthash_keygen(s->key);
	return &s->store;
}
