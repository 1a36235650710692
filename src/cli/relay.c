#include "relay/relay.h"
#include "cli/cli.h"

int cmd_relay(const struct options *o, struct arena *a)
{
	const struct relay_conf conf = {
		.listen = o->listen != NULL ? o->listen : RELAY_LISTEN,
		.admin = o->admin,
		.node = o->node,
		.tls_cert = o->tls_cert,
		.tls_key = o->tls_key,
		.trusted = o->trusted_proxy.v,
		.n_trusted = o->trusted_proxy.n,
		.ttl = o->ttl,
		.max_pairings = o->max_pairings,
		.max_connections = o->max_connections,
		.workers = o->workers,
	};
	struct err e = ERR_INIT;

	(void)a;
	return relay_serve(&conf, &e) < 0 ? complain(o, &e) : EXIT_OK;
}
