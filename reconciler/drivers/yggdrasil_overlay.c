/* The overlay driver: a node's configuration, its daemon, and the daemon's peerings. */
#include "base/key.h"
#include "base/text.h"
#include "reconciler/drivers/yggdrasil_node.h"

#include <string.h>

#define CONF "conf "
#define PEER "peer "
#define CONF_PEERS CONF "Peers"

/* The changes of one node. */
struct work {
	const struct yggdrasil *y;
	const char *node;
	const struct change *const *changes;
	size_t n;
	struct arena *a;
	struct failures *failed;
	struct strs peers; /* URIs of the file as it will be, with their pins */
};

static void failed_at(struct work *w, const struct change *c, const struct err *e)
{
	failures_add(w->failed, KIND_OVERLAY, w->node, c->key, c->line, e);
}

static const struct change *change_of(const struct work *w, const char *prefix)
{
	for (size_t i = 0; i < w->n; i++)
		if (text_begins(w->changes[i]->key, prefix))
			return w->changes[i];
	return NULL;
}

static const struct change *change_named(const struct work *w, const char *key)
{
	for (size_t i = 0; i < w->n; i++)
		if (strcmp(w->changes[i]->key, key) == 0)
			return w->changes[i];
	return NULL;
}

/* Nothing is written or started for a node whose identity is not safe in its key file. */
static int check_identity(struct work *w, struct err *e)
{
	struct node_key key;

	if (node_key_read(w->y, w->node, w->a, &key) < 0) {
		*e = key.err;
		return -1;
	}
	if (!key.in_file)
		return err_set(e, ERR_SYSTEM, NOWHERE, "the node has no key file %s yet", key.path);
	return 0;
}

static int write_conf(struct work *w, const char *text, const char *path, struct err *e)
{
	const struct port *port = w->y->port;
	struct node_paths paths;

	port->ops->node_paths(port->self, w->node, w->a, &paths);
	if (port->ops->mkdirs(port->self, port_place(w->node), paths.dir, 0700, e) < 0)
		return -1;
	return port->ops->replace(
		port->self, port_place(w->node), path, text, strlen(text), 0600, e);
}

/* The digits of a private key never came here: written back, their mask would take their place. */
static int check_unmasked(const char *text, const char *path, struct err *e)
{
	if (key_is_masked(text, strlen(text)))
		return err_set(e, ERR_CONFIG, NOWHERE,
			"%s stays as it is, because it has %d hexadecimal digits in a row, "
			"a private key, elsewhere than in its setting PrivateKey: take them out",
			path, KEY_HEX_PRIVATE);
	return 0;
}

/* All settings in one go, so that no half-changed file is ever seen. */
static int change_conf(struct work *w, struct err *e)
{
	static const char nothing[] = "{\n}\n";
	struct hjson_edit *edits = arena_alloc(w->a, w->n + 1, sizeof(*edits));
	struct node_conf conf;
	size_t n = 0;
	char *text;

	if (node_conf_read(w->y, w->node, w->a, &conf, e) < 0)
		return -1;
	if (conf.text == NULL && hjson_parse(nothing, strlen(nothing), w->a, &conf.h, e) < 0)
		return -1;
	for (size_t i = 0; i < w->n; i++) {
		const struct change *c = w->changes[i];

		if (text_begins(c->key, CONF))
			edits[n++] = (struct hjson_edit){ c->key + strlen(CONF), c->after };
	}
	/* check_identity saw that the key file holds the same key. */
	edits[n++] = (struct hjson_edit){ "PrivateKey", NULL };
	text = hjson_edit(&conf.h, edits, n, w->a);
	return check_unmasked(text, conf.path, e) < 0 ? -1 : write_conf(w, text, conf.path, e);
}

static int peers_of_file(struct work *w, struct err *e)
{
	const struct change *c = change_named(w, CONF_PEERS);
	const struct hjson_member *m;
	struct node_conf conf;
	const char *json = NULL;
	int rc = 0;

	if (c != NULL) {
		w->peers = yggdrasil_uris(c->after, w->a);
		return 0;
	}
	if (node_conf_read(w->y, w->node, w->a, &conf, e) < 0)
		return -1;
	m = hjson_find(&conf.h, "Peers");
	if (m != NULL)
		rc = hjson_value(&conf.h, m, w->a, &json, e);
	w->peers = yggdrasil_uris(json, w->a);
	return rc;
}

static int peering(struct work *w, const char *request, const char *uri, struct err *e)
{
	const char *reply;
	int rc = node_ask(w->y, w->node, request, uri, w->a, &reply, e);

	if (rc == 1)
		return err_set(e, ERR_SYSTEM, NOWHERE, "%s %s: the node's admin socket is gone",
			request, uri);
	if (rc < 0 || yggdrasil_done_parse(reply, e) < 0)
		return err_wrap(e, "%s %s", request, uri);
	return 0;
}

/* A peering's key has no pin in it; its URI in the file has. */
static const char *whole_uri(const struct work *w, const char *key)
{
	for (size_t i = 0; i < w->peers.n; i++)
		if (strcmp(yggdrasil_peer_key(w->peers.v[i], w->a), key) == 0)
			return w->peers.v[i];
	return key;
}

/*
 * Peerings whose query alone changes (another pin, another password) are made anew, for the daemon
 * takes no second one to the same place. Before the file is written: interrupted, it is seen again.
 */
static int renew_peerings(struct work *w, struct err *e)
{
	const struct change *c = change_named(w, CONF_PEERS);
	struct strs was;

	if (c == NULL || c->before == NULL || c->after == NULL)
		return 0;
	was = yggdrasil_uris(c->before, w->a);
	for (size_t i = 0; i < was.n; i++) {
		const char *key = yggdrasil_peer_key(was.v[i], w->a);
		const char *uri = whole_uri(w, key);

		if (strs_has(&w->peers, was.v[i]) || uri == key)
			continue;
		if (peering(w, "removepeer", key, e) < 0 || peering(w, "addpeer", uri, e) < 0)
			return -1;
	}
	return 0;
}

/* Additions first, so that a node never lacks its way into the mesh. */
static void change_peerings(struct work *w)
{
	for (int adding = 1; adding >= 0; adding--) {
		for (size_t i = 0; i < w->n; i++) {
			const struct change *c = w->changes[i];
			const char *key = c->key + strlen(PEER);
			struct err e = ERR_INIT;

			if (!text_begins(c->key, PEER) || (c->action != ACTION_REMOVE) != adding)
				continue;
			if (adding ? peering(w, "addpeer", whole_uri(w, key), &e) < 0
				   : peering(w, "removepeer", key, &e) < 0)
				failed_at(w, c, &e);
		}
	}
}

static int stop(struct work *w, struct err *e)
{
	return w->y->port->ops->node_stop(w->y->port->self, w->node, e);
}

static int start(struct work *w, bool again, struct err *e)
{
	if (node_check_program(w->y, w->node, w->a, e) < 0)
		return -1;
	if (again && stop(w, e) < 0)
		return -1;
	return w->y->port->ops->node_start(w->y->port->self, w->node, e);
}

/* Before a start: a service may be started only where it is enabled. */
static void boot(struct work *w)
{
	const struct change *c = change_named(w, "boot");
	struct err e = ERR_INIT;

	if (c == NULL)
		return;
	if (c->action == ACTION_REMOVE)
		err_set(&e, ERR_SYSTEM, NOWHERE, "that a node starts at boot is never taken back");
	else if (w->y->port->ops->node_boot(w->y->port->self, w->node, &e) == 0)
		return;
	failed_at(w, c, &e);
}

/* The change that restarts the node, or NULL. */
static const struct change *restart_of(const struct work *w)
{
	for (size_t i = 0; i < w->n; i++) {
		const struct change *c = w->changes[i];

		if (yggdrasil_change_restarts(c->key, c->before, c->after))
			return c;
	}
	return NULL;
}

static bool runs(struct work *w)
{
	struct node_state state;
	struct err e;

	return port_node_state(w->y->port, w->node, w->a, &state, &e) == 0 && state.running;
}

/*
 * The file first, then the daemon: a node that starts reads the file, and where that could not be
 * written it is better not started.
 */
static void overlay_apply(void *self, enum phase phase, const char *scope,
	const struct change *const *changes, size_t n, struct arena *a, struct failures *failed)
{
	struct work w = { self, scope, changes, n, a, failed, { 0 } };
	const struct change *node, *conf, *restart;
	struct err e = ERR_INIT;

	if (phase != PHASE_OVERLAY || n == 0)
		return;
	node = change_named(&w, "node");
	conf = change_of(&w, CONF);
	restart = restart_of(&w);
	if (node != NULL && node->action == ACTION_REMOVE) {
		if (stop(&w, &e) < 0)
			failed_at(&w, node, &e);
		return;
	}
	if (check_identity(&w, &e) < 0 || peers_of_file(&w, &e) < 0) {
		failed_at(&w, changes[0], &e);
		return;
	}
	if (node == NULL && restart == NULL && conf != NULL && runs(&w) &&
		renew_peerings(&w, &e) < 0) {
		failed_at(&w, conf, &e);
		return;
	}
	if (conf != NULL && change_conf(&w, &e) < 0) {
		failed_at(&w, conf, &e);
		return;
	}
	boot(&w);
	if (node != NULL) {
		if (start(&w, node->action == ACTION_CHANGE, &e) < 0)
			failed_at(&w, node, &e);
	} else if (restart != NULL) {
		if (start(&w, true, &e) < 0)
			failed_at(&w, restart, &e);
	} else {
		change_peerings(&w);
	}
}

static int overlay_withdraw(void *self, const char *scope, struct arena *a, struct err *e)
{
	const struct port *port = ((const struct yggdrasil *)self)->port;

	(void)a;
	return port->ops->node_stop(port->self, scope, e);
}

const struct driver_ops yggdrasil_overlay_ops = {
	.name = "yggdrasil",
	.kind = KIND_OVERLAY,
	.read = node_overlay_read,
	.apply = overlay_apply,
	.withdraw = overlay_withdraw,
};
