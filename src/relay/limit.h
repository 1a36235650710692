/*
 * What one client address may do: how many requests of each kind a second, how many pairings and connections
 * open at once, and how fast it may try codes that turn out to be wrong. An IPv6 client is its /64, which is
 * what a provider hands to one customer.
 *
 * The table is bounded: by the clients that have a pairing or a connection open, of which there are no more
 * than of those, and by idle_max for all others. Who can push another out of it needs that many addresses,
 * and has a budget for each of them anyway.
 */
#ifndef JMESH_RELAY_LIMIT_H
#define JMESH_RELAY_LIMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* 16 bytes of the client's network: an IPv4 address mapped to IPv6, or the first half of an IPv6 one. */
struct network {
	uint8_t b[16];
};

/* What is counted apart, so that a flood of one kind leaves the others to those behind the same address. */
enum budget { BUDGET_CREATE, BUDGET_JOIN, BUDGET_POLL, BUDGET_OTHER, BUDGETS };

struct rate {
	unsigned
		per_second; /* requests, in the long run; at least 1, so that waiting a second helps */
	unsigned burst;     /* requests at once; at least 1 */
};

struct limits {
	struct rate rates[BUDGETS];
	unsigned open;      /* pairings */
	unsigned idle_max;  /* clients without a pairing or a connection that are remembered */
	unsigned connected; /* connections */
};

enum {
	MISSES_FREE = 10,   /* wrong codes that cost nothing: people mistype */
	MISS_PAUSE = 1000,  /* milliseconds after the next one; each further one doubles it */
	MISS_DOUBLINGS = 6, /* at most, which is 64 seconds */
	MISS_FORGOTTEN = 120 * 1000, /* milliseconds after which one wrong code counts no more */
};

struct clients;
struct client;

/* Bytes of memory: of one client, and of the table with idle_max of them. */
size_t client_memory(void);
size_t clients_memory(const struct limits *limits);

struct clients *clients_new(const struct limits *limits);
void clients_free(struct clients *cs); /* NULL is fine */

/*
 * The client of that network; now is in milliseconds of a clock that never goes back. It may be
 * forgotten at the next call unless it has a pairing or a connection open.
 */
struct client *clients_at(struct clients *cs, const struct network *net, int64_t now);

/* Counts one request; false when it is one too many. */
bool client_request(struct clients *cs, struct client *c, enum budget budget, int64_t now);

/* Counts a wrong code. */
void client_miss(struct client *c, int64_t now);

/* Milliseconds until c may try a code again; 0: it may now. */
int64_t client_pause(const struct client *c, int64_t now);

/* Counts pairings that c has open; client_open is false, and counts nothing, when it has enough. */
bool client_open(struct clients *cs, struct client *c);
void client_close(struct clients *cs, struct client *c);

/* Whether c may have one more connection; the other two count them. */
bool client_may_connect(const struct clients *cs, const struct client *c);
void client_connect(struct clients *cs, struct client *c);
void client_disconnect(struct clients *cs, struct client *c);

#endif
