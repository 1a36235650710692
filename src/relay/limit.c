#include "relay/limit.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "relay/memory.h"

enum { BUCKETS = 16384, TOKEN = 1000 };

/* What each request looks at comes first. */
struct client {
	struct client *chain; /* of its bucket */
	struct network net;
	unsigned open, connected;
	int64_t seen;
	int64_t paused;          /* no code is tried before */
	int64_t tokens[BUDGETS]; /* thousandths of a request that are left */
	unsigned misses;
	int64_t missed;               /* when they were counted last */
	struct client *older, *newer; /* of those that are idle, by when they were last seen */
};

struct clients {
	struct limits limits;
	/* Keyed, so that nobody can choose addresses that meet in one bucket. */
	uint8_t key[crypto_shorthash_KEYBYTES];
	struct client *buckets[BUCKETS];
	struct client *oldest, *newest;
	unsigned idle;
};

size_t client_memory(void)
{
	return memory_block(sizeof(struct client));
}

size_t clients_memory(const struct limits *limits)
{
	return memory_block(sizeof(struct clients)) + limits->idle_max * client_memory();
}

struct clients *clients_new(const struct limits *limits)
{
	struct clients *cs = calloc(1, sizeof(*cs));

	if (cs == NULL)
		abort();
	cs->limits = *limits;
	crypto_shorthash_keygen(cs->key);
	return cs;
}

void clients_free(struct clients *cs)
{
	if (cs == NULL)
		return;
	for (size_t i = 0; i < BUCKETS; i++) {
		for (struct client *c = cs->buckets[i]; c != NULL;) {
			struct client *next = c->chain;

			free(c);
			c = next;
		}
	}
	free(cs);
}

static struct client **bucket_of(struct clients *cs, const struct network *net)
{
	uint8_t hash[crypto_shorthash_BYTES];
	uint32_t at;

	crypto_shorthash(hash, net->b, sizeof(net->b), cs->key);
	memcpy(&at, hash, sizeof(at));
	return &cs->buckets[at % BUCKETS];
}

static bool is_idle(const struct client *c)
{
	return c->open == 0 && c->connected == 0;
}

static void idle_remove(struct clients *cs, struct client *c)
{
	*(c->older != NULL ? &c->older->newer : &cs->oldest) = c->newer;
	*(c->newer != NULL ? &c->newer->older : &cs->newest) = c->older;
	c->older = c->newer = NULL;
	cs->idle--;
}

static void idle_append(struct clients *cs, struct client *c)
{
	c->older = cs->newest;
	c->newer = NULL;
	*(cs->newest != NULL ? &cs->newest->newer : &cs->oldest) = c;
	cs->newest = c;
	cs->idle++;
}

static void forget(struct clients *cs, struct client *c)
{
	struct client **at = bucket_of(cs, &c->net);

	while (*at != c)
		at = &(*at)->chain;
	*at = c->chain;
	idle_remove(cs, c);
	free(c);
}

struct client *clients_at(struct clients *cs, const struct network *net, int64_t now)
{
	struct client **bucket = bucket_of(cs, net), *c = *bucket;

	while (c != NULL && memcmp(&c->net, net, sizeof(*net)) != 0)
		c = c->chain;
	if (c != NULL) {
		if (is_idle(c)) {
			idle_remove(cs, c);
			idle_append(cs, c);
		}
		return c;
	}
	if (cs->idle >= cs->limits.idle_max && cs->oldest != NULL)
		forget(cs, cs->oldest);
	c = calloc(1, sizeof(*c));
	if (c == NULL)
		abort();
	c->net = *net;
	for (int i = 0; i < BUDGETS; i++)
		c->tokens[i] = (int64_t)cs->limits.rates[i].burst * TOKEN;
	c->seen = now;
	c->chain = *bucket;
	*bucket = c;
	idle_append(cs, c);
	return c;
}

/* passed is in milliseconds. */
static void refill(int64_t *tokens, const struct rate *rate, int64_t passed)
{
	int64_t full = (int64_t)rate->burst * TOKEN;

	/* A second of milliseconds brings per_second times TOKEN. The first test is for the overflow. */
	if (passed > full || *tokens + passed * rate->per_second > full)
		*tokens = full;
	else
		*tokens += passed * rate->per_second;
}

bool client_request(struct clients *cs, struct client *c, enum budget budget, int64_t now)
{
	int64_t passed = now > c->seen ? now - c->seen : 0;

	for (int i = 0; i < BUDGETS; i++)
		refill(&c->tokens[i], &cs->limits.rates[i], passed);
	/* Who waited for a lock may come with an older time. */
	c->seen += passed;
	if (c->tokens[budget] < TOKEN)
		return false;
	c->tokens[budget] -= TOKEN;
	return true;
}

void client_miss(struct client *c, int64_t now)
{
	int64_t forgotten = (now - c->missed) / MISS_FORGOTTEN;

	if (forgotten > 0 || c->misses == 0) {
		c->misses = forgotten < c->misses ? c->misses - (unsigned)forgotten : 0;
		c->missed = now;
	}
	/* No more are remembered than count, so that an end of it is in sight. */
	if (c->misses <= MISSES_FREE + MISS_DOUBLINGS)
		c->misses++;
	if (c->misses > MISSES_FREE)
		c->paused = now + ((int64_t)MISS_PAUSE << (c->misses - MISSES_FREE - 1));
}

int64_t client_pause(const struct client *c, int64_t now)
{
	return c->paused > now ? c->paused - now : 0;
}

bool client_open(struct clients *cs, struct client *c)
{
	if (c->open >= cs->limits.open)
		return false;
	if (is_idle(c))
		idle_remove(cs, c);
	c->open++;
	return true;
}

void client_close(struct clients *cs, struct client *c)
{
	c->open--;
	if (is_idle(c))
		idle_append(cs, c);
}

bool client_may_connect(const struct clients *cs, const struct client *c)
{
	return c->connected < cs->limits.connected;
}

void client_connect(struct clients *cs, struct client *c)
{
	if (is_idle(c))
		idle_remove(cs, c);
	c->connected++;
}

void client_disconnect(struct clients *cs, struct client *c)
{
	c->connected--;
	if (is_idle(c))
		idle_append(cs, c);
}
