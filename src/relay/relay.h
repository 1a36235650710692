/* The relay: the three pairing endpoints (DESIGN section 7), in memory. */
#ifndef JMESH_RELAY_RELAY_H
#define JMESH_RELAY_RELAY_H

#include "base/err.h"

struct relay_conf {
	const char *listen; /* ADDR:PORT, [ADDR]:PORT; port 0 picks one */
	const char *node;   /* URI that a Yggdrasil node of the relay's own listens on, or NULL */
	int ttl;            /* seconds that a pairing lives, 1 to 86400 */
	unsigned max_pairings, max_connections;
};

/* Serves until SIGTERM or SIGINT, then returns 0. Logs a line a request to standard error. */
int relay_serve(const struct relay_conf *c, struct err *e);

#endif
