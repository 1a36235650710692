#include "relay/lease.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

struct lease {
	struct lease *chain;         /* of its bucket */
	struct lease *older, *newer; /* all of one time to live, so in the order of their ends */
	struct client *client;
	int64_t until;
	char code[CODE_TEXT];
};

struct leases {
	struct clients *clients;
	/* Keyed, so that nobody can propose codes that meet in one bucket. */
	uint8_t key[crypto_shorthash_KEYBYTES];
	struct lease **buckets;
	size_t mask;
	struct lease *oldest, *newest;
	unsigned n, max;
};

struct leases *leases_new(struct clients *clients, unsigned max)
{
	struct leases *ls = calloc(1, sizeof(*ls));
	size_t n = 64;

	while (n < max)
		n *= 2;
	if (ls == NULL || (ls->buckets = calloc(n, sizeof(struct lease *))) == NULL)
		abort();
	ls->clients = clients;
	ls->max = max;
	ls->mask = n - 1;
	crypto_shorthash_keygen(ls->key);
	return ls;
}

/* Where the lease of that code hangs, or would. */
static struct lease **place_of(struct leases *ls, const char code[CODE_TEXT])
{
	uint8_t hash[crypto_shorthash_BYTES];
	struct lease **at;
	uint64_t n;

	crypto_shorthash(hash, (const unsigned char *)code, CODE_TEXT, ls->key);
	memcpy(&n, hash, sizeof(n));
	at = &ls->buckets[n & ls->mask];
	while (*at != NULL && memcmp((*at)->code, code, CODE_TEXT) != 0)
		at = &(*at)->chain;
	return at;
}

void lease_end(struct leases *ls, const char code[CODE_TEXT])
{
	struct lease **at = place_of(ls, code), *l = *at;

	if (l == NULL)
		return;
	*at = l->chain;
	*(l->older != NULL ? &l->older->newer : &ls->oldest) = l->newer;
	*(l->newer != NULL ? &l->newer->older : &ls->newest) = l->older;
	client_close(ls->clients, l->client);
	free(l);
	ls->n--;
}

void lease_add(struct leases *ls, const char code[CODE_TEXT], struct client *c, int64_t until)
{
	struct lease *l = calloc(1, sizeof(*l)), **at;

	if (l == NULL)
		abort();
	lease_end(ls, code);
	if (ls->n >= ls->max)
		lease_end(ls, ls->oldest->code);
	memcpy(l->code, code, CODE_TEXT);
	l->client = c;
	l->until = until;
	at = place_of(ls, code);
	*at = l;
	l->older = ls->newest;
	*(ls->newest != NULL ? &ls->newest->newer : &ls->oldest) = l;
	ls->newest = l;
	ls->n++;
}

void leases_expire(struct leases *ls, int64_t now)
{
	while (ls->oldest != NULL && ls->oldest->until <= now)
		lease_end(ls, ls->oldest->code);
}

void leases_free(struct leases *ls)
{
	if (ls == NULL)
		return;
	while (ls->oldest != NULL)
		lease_end(ls, ls->oldest->code);
	free(ls->buckets);
	free(ls);
}
