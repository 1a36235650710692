/* The HTTP server of the service, which it answers in threads of its own. */
#ifndef JMESH_RELAY_SERVER_H
#define JMESH_RELAY_SERVER_H

#include "base/err.h"
#include "relay/proxy.h"
#include "relay/service.h"

struct server;

/* Bytes of memory that so many connections may take, bodies and answers aside. */
size_t server_memory(unsigned connections, bool tls);

struct server_conf {
	unsigned max_connections; /* of all workers together */
	unsigned workers;         /* threads; no more are started than there may be connections */
	/* Seconds that a connection has for the next part of a request: its first line, its headers, some of its body. */
	unsigned idle_s;
	unsigned request_s; /* and from the first line until the answer is sent */
	bool tls;           /* with the certificate of tls.h */
	struct proxies trusted;
};

/* Takes over listen_fd, also when it fails. What service points to must outlive it. */
int server_start(struct server **out, int listen_fd, const struct service *service,
	const struct server_conf *c, struct err *e);

/* Closes what connects, lets the requests under way finish for a second, and ends. NULL is fine. */
void server_stop(struct server *s);

#endif
