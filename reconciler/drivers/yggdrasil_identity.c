/* The identity driver: a node's key, made once and for ever. */
#include "reconciler/drivers/yggdrasil_node.h"

static void identity_read(void *self, const struct strs *scopes, struct arena *a, struct items *out,
	struct failures *failed)
{
	struct yggdrasil *y = self;
	struct node_key *keys;

	y->seen = (struct strs){ 0 };
	y->seen_keys = node_keys_read(y, scopes, y->a);
	for (size_t i = 0; i < scopes->n; i++)
		strs_push(y->a, &y->seen, arena_dup(y->a, scopes->v[i]));
	keys = arena_alloc(a, scopes->n, sizeof(*keys));
	for (size_t i = 0; i < scopes->n; i++)
		keys[i] = y->seen_keys[i];
	node_keys_compare(scopes, keys);
	for (size_t i = 0; i < scopes->n; i++) {
		if (keys[i].failed)
			failures_add(failed, KIND_IDENTITY, scopes->v[i], NULL, 0, &keys[i].err);
		else if (keys[i].in_file)
			items_add(out, KIND_IDENTITY, scopes->v[i], "key", "present", NULL, 0);
	}
}

static int key_make(struct yggdrasil *y, const char *node, struct err *e)
{
	y->seen.n = 0;
	return y->port->ops->key_make(y->port->self, node, e);
}

static void identity_apply(void *self, enum phase phase, const char *scope,
	const struct change *const *changes, size_t n, struct arena *a, struct failures *failed)
{
	struct err e;

	(void)a;
	if (phase != PHASE_IDENTITY)
		return;
	for (size_t i = 0; i < n; i++) {
		int rc;

		e = ERR_INIT;
		if (changes[i]->action == ACTION_ADD)
			rc = key_make(self, scope, &e);
		else
			rc = err_set(&e, ERR_SYSTEM, NOWHERE,
				"a key is never replaced or removed by apply");
		if (rc < 0)
			failures_add(failed, KIND_IDENTITY, scope, changes[i]->key,
				changes[i]->line, &e);
	}
}

/* For ever ends here: whoever calls this was told to forget. */
static int identity_withdraw(void *self, const char *scope, struct arena *a, struct err *e)
{
	struct yggdrasil *y = self;
	const struct port *port = y->port;
	struct node_paths paths;

	y->seen.n = 0;
	port->ops->node_paths(port->self, scope, a, &paths);
	if (port->ops->remove(port->self, port_place(scope), paths.key, e) < 0 ||
		port->ops->remove(port->self, port_place(scope), paths.conf, e) < 0)
		return -1;
	return 0;
}

const struct driver_ops yggdrasil_identity_ops = {
	.name = "yggdrasil",
	.kind = KIND_IDENTITY,
	.read = identity_read,
	.apply = identity_apply,
	.withdraw = identity_withdraw,
};
