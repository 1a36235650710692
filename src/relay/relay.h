/* The relay: the three pairing endpoints (DESIGN section 7). */
#ifndef JMESH_RELAY_RELAY_H
#define JMESH_RELAY_RELAY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/* What the command line takes where it says nothing. */
#define RELAY_LISTEN "127.0.0.1:8080"
#define RELAY_MEMORY ((size_t)512 * 1024 * 1024)
enum {
	RELAY_TTL = 3600,
	RELAY_PAIRINGS = 10000,
	RELAY_CONNECTIONS = 1024,
	RELAY_WORKERS_MAX = 256
};

struct relay_conf {
	const char *listen; /* ADDR:PORT, [ADDR]:PORT; port 0 picks one */
	const char
		*admin; /* ADDR:PORT, or PORT on 127.0.0.1, for /healthz and /metrics; NULL: off */
	const char *node; /* URI that a Yggdrasil node of the relay's own listens on, or NULL */
	const char
		*store; /* URL of the Redis where pairings are (redis_where.h); NULL: in memory */
	bool store_seen; /* others can read that URL in the list of processes: no password is taken from it */
	const char *tls_cert, *tls_key; /* PEM files; NULL, both: plain HTTP */
	int ttl;                        /* seconds that a pairing lives, 1 to 86400 */
	const char *const *trusted;     /* addresses and networks of proxies; n_trusted of them */
	size_t n_trusted;
	unsigned max_pairings, max_connections; /* 1 to 1,000,000; 1 to 65,536 */
	/* Seconds, as in server_conf; 0: the defaults. */
	unsigned idle_s, request_s;
	size_t max_memory; /* bytes; 0: RELAY_MEMORY */
	/* Threads that serve, 1 to RELAY_WORKERS_MAX; 0: one for each processor. */
	unsigned workers;
};

/*
 * Serves until SIGTERM or SIGINT, then returns 0. Logs a line a request to standard error. -1 when it
 * cannot start, or when its node ended. Takes over both signals and SIGPIPE, and with TLS, or where standard
 * input is no terminal, SIGHUP: then it reads the certificate and its key again.
 */
int relay_serve(const struct relay_conf *c, struct err *e);

#endif
