/* The overlay driver: a node's configuration, its daemon, and the daemon's peerings. */
#include "reconciler/drivers/yggdrasil_node.h"

#include <string.h>

#include <sodium.h>

/* The settings that are ours; the rest of the file belongs to whoever wrote it. */
static const char *const own_settings[] = {
	"AdminListen",
	"IfName",
	"Listen",
	"MulticastInterfaces",
	"Peers",
	"PrivateKeyPath",
};

enum { OWN_SETTINGS = sizeof(own_settings) / sizeof(own_settings[0]) };

#define CONF "conf "
#define PEER "peer "
#define CONF_PEERS CONF "Peers"

static bool starts_with(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

/* What is read of one node, kept apart until all of it is good. */
struct reading {
	const struct yggdrasil *y;
	const char *node;
	const struct node_key *key;
	struct arena *a;
	struct items items;
	struct strs listen, peers, interface_peers; /* URIs in the file */
};

static void found(struct reading *r, const char *key, const char *value)
{
	items_add(&r->items, KIND_OVERLAY, r->node, key, value, NULL, 0);
}

static int setting(struct reading *r, const struct node_conf *conf, const char *name, struct err *e)
{
	const struct hjson_member *m = hjson_find(&conf->h, name);
	const char *json;

	if (m == NULL)
		return 0;
	if (hjson_value(&conf->h, m, r->a, &json, e) < 0)
		return err_wrap(e, "%s", conf->path);
	found(r, arena_printf(r->a, CONF "%s", name), json);
	if (strcmp(name, "Listen") == 0)
		r->listen = yggdrasil_uris(json, r->a);
	if (strcmp(name, "Peers") == 0)
		r->peers = yggdrasil_uris(json, r->a);
	return 0;
}

/* Peerings of InterfacePeers, {"eth0": [URI]}, are not ours, though getpeers lists them alike. */
static int foreign_peers(struct reading *r, const struct node_conf *conf, struct err *e)
{
	const struct hjson_member *m = hjson_find(&conf->h, "InterfacePeers");
	const char *json;
	struct hjson h;

	if (m == NULL || conf->text[m->value] != '{')
		return 0;
	if (hjson_value(&conf->h, m, r->a, &json, e) < 0 ||
		hjson_parse(json, strlen(json), r->a, &h, e) < 0)
		return err_wrap(e, "%s", conf->path);
	for (size_t i = 0; i < h.n; i++) {
		struct strs uris = yggdrasil_uris(
			arena_dupn(r->a, json + h.v[i].value, h.v[i].end - h.v[i].value), r->a);

		for (size_t j = 0; j < uris.n; j++)
			strs_push(r->a, &r->interface_peers, yggdrasil_peer_key(uris.v[j], r->a));
	}
	return 0;
}

static int read_saved(struct reading *r, struct err *e)
{
	struct node_conf conf;
	uint8_t seed[SEED_LEN];
	int rc;

	if (node_conf_read(r->y, r->node, r->a, &conf, e) < 0)
		return -1;
	rc = node_conf_seed(&conf, seed, e);
	sodium_memzero(seed, sizeof(seed));
	if (rc == 0)
		found(r, CONF "PrivateKey", "set");
	for (size_t i = 0; i < OWN_SETTINGS && rc >= 0; i++)
		rc = setting(r, &conf, own_settings[i], e);
	if (rc >= 0)
		rc = foreign_peers(r, &conf, e);
	node_conf_wipe(&conf);
	return rc < 0 ? -1 : 0;
}

static void read_listeners(struct reading *r, const struct strs *listening)
{
	struct strs saved = { 0 }, seen = { 0 };
	bool unnamed = false;

	for (size_t i = 0; i < r->listen.n; i++) {
		const char *key = yggdrasil_listen_key(r->listen.v[i], r->a);

		if (key != NULL)
			strs_push(r->a, &saved, key);
		else
			unnamed = true;
	}
	for (size_t i = 0; i < listening->n; i++) {
		const char *key = yggdrasil_socket_key(listening->v[i], r->a);

		/* A listener of the file that has no address by name explains any socket. */
		if (key == NULL || strs_has(&seen, key) || (unnamed && !strs_has(&saved, key)))
			continue;
		strs_push(r->a, &seen, key);
		found(r, arena_printf(r->a, "live listen %s", key), "listening");
	}
}

static void read_peerings(struct reading *r, const struct yggdrasil_peering *v, size_t n)
{
	struct strs ours = { 0 }, seen = { 0 };

	for (size_t i = 0; i < r->peers.n; i++)
		strs_push(r->a, &ours, yggdrasil_peer_key(r->peers.v[i], r->a));
	for (size_t i = 0; i < n; i++) {
		const char *uri = v[i].uri;

		if (v[i].inbound || strs_has(&seen, uri) ||
			(strs_has(&r->interface_peers, uri) && !strs_has(&ours, uri)))
			continue;
		strs_push(r->a, &seen, uri);
		found(r, arena_printf(r->a, PEER "%s", uri), "configured");
	}
}

/* A question that must be answered: the node did answer getself a moment ago. */
static int ask(struct reading *r, const char *request, const char **reply, struct err *e)
{
	int rc = node_ask(r->y, r->node, request, NULL, r->a, reply, e);

	if (rc == 1)
		return err_set(e, ERR_SYSTEM, NOWHERE,
			"the node stopped while it was asked; run jmesh again");
	return rc;
}

static int read_answers(struct reading *r, const struct strs *listening, struct err *e)
{
	struct yggdrasil_peering *peerings;
	const char *reply, *tun, *multicast;
	size_t n;

	if (ask(r, "gettun", &reply, e) < 0 || yggdrasil_tun_parse(reply, r->a, &tun, e) < 0 ||
		ask(r, "getmulticastinterfaces", &reply, e) < 0 ||
		yggdrasil_multicast_parse(reply, r->a, &multicast, e) < 0 ||
		ask(r, "getpeers", &reply, e) < 0 ||
		yggdrasil_peers_parse(reply, r->a, &peerings, &n, e) < 0)
		return -1;
	found(r, "node", "running");
	found(r, "live interface", tun);
	found(r, "live multicast", multicast);
	read_listeners(r, listening);
	read_peerings(r, peerings, n);
	return 0;
}

/* Where only a new start helps, the node's value says why, and nothing else of it is looked at. */
static int read_live(struct reading *r, struct err *e)
{
	const struct port *port = r->y->port;
	struct node_state state = { 0 };
	struct yggdrasil_self self;
	const char *reply;
	int rc;

	if (port->ops->node_state(port->self, r->node, r->a, &state, e) < 0)
		return -1;
	if (state.astray)
		found(r, "node", "running in a former jail of that name");
	if (!state.running)
		return 0;
	rc = node_ask(r->y, r->node, "getself", NULL, r->a, &reply, e);
	if (rc == 1)
		rc = node_ask(r->y, r->node, "getself", NULL, r->a, &reply, e);
	if (rc != 0) {
		found(r, "node", "running, but its admin socket does not answer");
		return 0;
	}
	if (yggdrasil_self_parse(reply, r->a, &self, e) < 0 ||
		yggdrasil_version_check(self.version, e) < 0)
		return -1;
	if (!r->key->known || memcmp(r->key->key.b, self.key.b, KEY_LEN) != 0) {
		found(r, "node", "running with a key that is not in its key file");
		return 0;
	}
	return read_answers(r, &state.listening, e);
}

static void overlay_read(void *self, const struct strs *scopes, struct arena *a, struct items *out,
	struct failures *failed)
{
	const struct node_key *keys = node_keys_read(self, scopes, a);

	for (size_t i = 0; i < scopes->n; i++) {
		struct reading r = {
			.y = self,
			.node = scopes->v[i],
			.key = &keys[i],
			.a = a,
			.items.arena = a,
		};
		struct err e = ERR_INIT;
		int rc;

		if (keys[i].failed)
			rc = err_set(&e, ERR_CONFIG, NOWHERE,
				"left alone until the node's identity is right");
		else
			rc = read_saved(&r, &e) < 0 || read_live(&r, &e) < 0 ? -1 : 0;
		if (rc < 0) {
			failures_add(failed, KIND_OVERLAY, scopes->v[i], NULL, 0, &e);
			continue;
		}
		for (size_t j = 0; j < r.items.n; j++)
			items_add(out, KIND_OVERLAY, r.node, r.items.v[j].key, r.items.v[j].value,
				NULL, 0);
	}
}

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
		if (starts_with(w->changes[i]->key, prefix))
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

/* All settings in one go, so that no half-changed file is ever seen. */
static int change_conf(struct work *w, struct err *e)
{
	static const char nothing[] = "{\n}\n";
	struct hjson_edit *edits = arena_alloc(w->a, w->n + 1, sizeof(*edits));
	struct node_conf conf;
	size_t n = 0;
	char *text;
	int rc;

	if (node_conf_read(w->y, w->node, w->a, &conf, e) < 0)
		return -1;
	if (conf.text == NULL && hjson_parse(nothing, strlen(nothing), w->a, &conf.h, e) < 0)
		return -1;
	for (size_t i = 0; i < w->n; i++) {
		const struct change *c = w->changes[i];

		if (starts_with(c->key, CONF))
			edits[n++] = (struct hjson_edit){ c->key + strlen(CONF), c->after };
	}
	/* check_identity saw that the key file holds the same key. */
	edits[n++] = (struct hjson_edit){ "PrivateKey", NULL };
	text = hjson_edit(&conf.h, edits, n, w->a);
	rc = write_conf(w, text, conf.path, e);
	node_conf_wipe(&conf);
	return rc;
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
	node_conf_wipe(&conf);
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

			if (!starts_with(c->key, PEER) || (c->action != ACTION_REMOVE) != adding)
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
	struct node_state state = { 0 };
	struct err e;

	return w->y->port->ops->node_state(w->y->port->self, w->node, w->a, &state, &e) == 0 &&
		state.running;
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
	.read = overlay_read,
	.apply = overlay_apply,
	.withdraw = overlay_withdraw,
};
