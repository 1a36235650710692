/* The identity driver: a node's key file, made once and for ever. */
#include "reconciler/drivers/yggdrasil_node.h"

#include <sodium.h>

static void identity_read(void *self, const struct strs *scopes, struct arena *a, struct items *out,
	struct failures *failed)
{
	const struct node_key *keys = node_keys_read(self, scopes, a);

	for (size_t i = 0; i < scopes->n; i++) {
		if (keys[i].failed)
			failures_add(failed, KIND_IDENTITY, scopes->v[i], NULL, 0, &keys[i].err);
		else if (keys[i].in_file)
			items_add(out, KIND_IDENTITY, scopes->v[i], "key", "present", NULL, 0);
	}
}

/* The key that the configuration holds is the node's identity; without one it gets a new one. */
static int seed_for(const struct yggdrasil *y, const char *node, struct arena *a,
	uint8_t seed[SEED_LEN], struct err *e)
{
	uint8_t secret[crypto_sign_SECRETKEYBYTES];
	struct node_conf conf;
	struct pubkey key;
	int rc;

	if (node_conf_read(y, node, a, &conf, e) < 0)
		return -1;
	rc = node_conf_seed(&conf, seed, e);
	node_conf_wipe(&conf);
	if (rc != 1)
		return rc;
	if (sodium_init() < 0)
		return err_set(e, ERR_SYSTEM, NOWHERE, "libsodium does not start");
	crypto_sign_keypair(key.b, secret);
	crypto_sign_ed25519_sk_to_seed(seed, secret);
	sodium_memzero(secret, sizeof(secret));
	return 0;
}

static int key_create(const struct yggdrasil *y, const char *node, struct arena *a, struct err *e)
{
	const struct port *port = y->port;
	struct node_paths paths;
	uint8_t seed[SEED_LEN];
	char pem[KEY_PEM];
	int rc = -1;

	port->ops->node_paths(port->self, node, a, &paths);
	if (port->ops->mkdirs(port->self, port_place(node), paths.dir, 0700, e) < 0)
		return -1;
	if (seed_for(y, node, a, seed, e) < 0)
		goto out;
	key_pem_format(seed, pem);
	/* That it was there already is fine: another apply was quicker, and its key stays. */
	if (port->ops->create(port->self, port_place(node), paths.key, pem, KEY_PEM - 1, 0600, e) <
		0)
		goto out;
	rc = 0;
out:
	sodium_memzero(seed, sizeof(seed));
	sodium_memzero(pem, sizeof(pem));
	return rc;
}

static void identity_apply(void *self, enum phase phase, const char *scope,
	const struct change *const *changes, size_t n, struct arena *a, struct failures *failed)
{
	struct err e;

	if (phase != PHASE_IDENTITY)
		return;
	for (size_t i = 0; i < n; i++) {
		int rc;

		e = ERR_INIT;
		if (changes[i]->action == ACTION_ADD)
			rc = key_create(self, scope, a, &e);
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
	const struct port *port = ((const struct yggdrasil *)self)->port;
	struct node_paths paths;

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
