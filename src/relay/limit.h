/*
 * What one client address may do: how many requests a second, how many pairings and connections open at
 * once. An IPv6 client is its /64, which is what a provider hands to one customer.
 */
#ifndef JMESH_RELAY_LIMIT_H
#define JMESH_RELAY_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

/* 16 bytes of the client's network: an IPv4 address mapped to IPv6, or the first half of an IPv6 one. */
struct network {
	uint8_t b[16];
};

struct limits {
	unsigned per_second; /* requests, in the long run */
	unsigned burst;      /* requests at once */
	unsigned open;       /* pairings */
	unsigned idle_max;   /* clients without a pairing or a connection that are remembered */
	unsigned connected;  /* connections */
};

struct clients;
struct client;

struct clients *clients_new(const struct limits *limits);
void clients_free(struct clients *cs); /* NULL is fine */

/*
 * The client of that network; now is in milliseconds of a clock that never goes back. It may be
 * forgotten at the next call unless it has a pairing or a connection open.
 */
struct client *clients_at(struct clients *cs, const struct network *net, int64_t now);

/* Counts one request; false when it is one too many. */
bool client_request(struct clients *cs, struct client *c, int64_t now);

/* Counts pairings that c has open; client_open is false, and counts nothing, when it has enough. */
bool client_open(struct clients *cs, struct client *c);
void client_close(struct clients *cs, struct client *c);

/* Whether c may have one more connection; the other two count them. */
bool client_may_connect(const struct clients *cs, const struct client *c);
void client_connect(struct clients *cs, struct client *c);
void client_disconnect(struct clients *cs, struct client *c);

#endif
