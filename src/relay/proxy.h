/*
 * Reverse proxies that are believed when they say for whom they ask, in X-Forwarded-For: a list of
 * addresses to whose end each proxy adds the one that it was asked from. Pure.
 */
#ifndef JMESH_RELAY_PROXY_H
#define JMESH_RELAY_PROXY_H

#include "base/err.h"
#include "relay/peer.h"

enum { PROXIES_MAX = 64 };

struct proxies {
	struct {
		struct peer net;
		unsigned bits; /* of 128 */
	} v[PROXIES_MAX];
	size_t n;
};

/* Adds ADDR or ADDR/BITS, where no bit behind the prefix may be set. ERR_USAGE. */
int proxies_add(struct proxies *list, const char *text, struct err *e);

bool proxies_have(const struct proxies *list, const struct peer *p);

/*
 * Walks the list from the left: client is the right-most address that is no trusted proxy's. What stands
 * left of it is the client's own word and is not believed, and neither is anything left of what is no
 * address.
 */
struct forwarded {
	bool found;
	struct peer client;
};

/* The value of one header field, in the order in which they came. */
void forwarded_read(struct forwarded *f, const struct proxies *trusted, const char *value);

#endif
