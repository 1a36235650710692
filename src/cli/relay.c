#include "relay/relay.h"

#include <stdlib.h>

#include "cli/cli.h"

/* From the environment, which programs that the relay runs need not have. NULL: none. */
static const char *store_of_environment(struct arena *a)
{
	const char *url = getenv("JMESH_STORE");

	url = url != NULL && *url != '\0' ? arena_dup(a, url) : NULL;
	unsetenv("JMESH_STORE");
	return url;
}

int cmd_relay(const struct options *o, struct arena *a)
{
	const char *store = store_of_environment(a);
	const struct relay_conf conf = {
		.listen = o->listen != NULL ? o->listen : RELAY_LISTEN,
		.admin = o->admin,
		.node = o->node,
		.store = o->store != NULL ? o->store : store,
		.store_seen = o->store != NULL,
		.tls_cert = o->tls_cert,
		.tls_key = o->tls_key,
		.trusted = o->trusted_proxy.v,
		.n_trusted = o->trusted_proxy.n,
		.ttl = o->ttl,
		.max_pairings = o->max_pairings,
		.max_connections = o->max_connections,
		.max_memory = o->max_memory,
		.workers = o->workers,
	};
	struct err e = ERR_INIT;

	return relay_serve(&conf, &e) < 0 ? complain(o, &e) : EXIT_OK;
}
