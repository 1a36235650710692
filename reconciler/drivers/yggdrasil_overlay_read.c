/* The overlay driver's read: everything of all nodes in one look. */
#include "reconciler/drivers/yggdrasil_node.h"

#include <string.h>

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

/* What is looked at of a node. */
enum { SEE_CONF, SEE_KEY, SEE_STATE, SEE_SELF, SEE_TUN, SEE_MULTICAST, SEE_PEERS, SEE };

/* What is read of one node, kept apart until all of it is good. */
struct reading {
	const struct yggdrasil *y;
	const char *node;
	const struct look *seen;
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
	found(r, arena_printf(r->a, "conf %s", name), json);
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
	int rc;

	if (node_conf_seen(&r->seen[SEE_CONF], r->a, &conf, e) < 0)
		return -1;
	rc = node_conf_has_key(&conf, e);
	if (rc == 1)
		found(r, "conf PrivateKey", "set");
	for (size_t i = 0; i < OWN_SETTINGS && rc >= 0; i++)
		rc = setting(r, &conf, own_settings[i], e);
	return rc < 0 ? -1 : foreign_peers(r, &conf, e);
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
		found(r, arena_printf(r->a, "peer %s", uri), "configured");
	}
}

/* An answer that must be there: the node did answer getself. */
static const char *answer(const struct reading *r, size_t at, struct err *e)
{
	const struct look *v = &r->seen[at];

	if (v->rc == 0)
		return v->text;
	if (v->rc < 0)
		*e = v->err;
	else
		err_set(e, ERR_SYSTEM, NOWHERE,
			"the node stopped while it was asked; run jmesh again");
	return NULL;
}

static int read_answers(struct reading *r, struct err *e)
{
	const char *of_tun, *of_multicast, *of_peers, *tun, *multicast;
	struct yggdrasil_peering *peerings;
	size_t n;

	of_tun = answer(r, SEE_TUN, e);
	of_multicast = of_tun == NULL ? NULL : answer(r, SEE_MULTICAST, e);
	of_peers = of_multicast == NULL ? NULL : answer(r, SEE_PEERS, e);
	if (of_peers == NULL || yggdrasil_tun_parse(of_tun, r->a, &tun, e) < 0 ||
		yggdrasil_multicast_parse(of_multicast, r->a, &multicast, e) < 0 ||
		yggdrasil_peers_parse(of_peers, r->a, &peerings, &n, e) < 0)
		return -1;
	found(r, "node", "running");
	found(r, "live interface", tun);
	found(r, "live multicast", multicast);
	read_listeners(r, &r->seen[SEE_STATE].state.listening);
	read_peerings(r, peerings, n);
	return 0;
}

/* Where only a new start helps, the node's value says why, and nothing else of it is looked at. */
static int read_live(struct reading *r, struct err *e)
{
	const struct look *state = &r->seen[SEE_STATE], *myself = &r->seen[SEE_SELF];
	struct yggdrasil_self self;

	if (state->rc < 0) {
		*e = state->err;
		return -1;
	}
	if (r->y->port->ops->traits.boots_nodes && state->state.at_boot)
		found(r, "boot", "enabled");
	if (state->state.astray)
		found(r, "node", "running in a former jail of that name");
	if (!state->state.running)
		return 0;
	if (myself->rc != 0) {
		found(r, "node", "running, but its admin socket does not answer");
		return 0;
	}
	if (yggdrasil_self_parse(myself->text, r->a, &self, e) < 0 ||
		yggdrasil_version_check(self.version, e) < 0)
		return -1;
	if (!r->key->known || memcmp(r->key->key.b, self.key.b, KEY_LEN) != 0) {
		found(r, "node", "running with a key that is not in its key file");
		return 0;
	}
	return read_answers(r, e);
}

static void put_together(
	const struct yggdrasil *y, const char *node, struct arena *a, struct look v[SEE])
{
	v[SEE_CONF] = node_look_conf(y, node, a);
	v[SEE_KEY] = node_look_key(node);
	v[SEE_STATE] = node_look_state(node);
	v[SEE_SELF] = node_look_ask(y, node, "getself", a);
	v[SEE_TUN] = node_look_ask(y, node, "gettun", a);
	v[SEE_MULTICAST] = node_look_ask(y, node, "getmulticastinterfaces", a);
	v[SEE_PEERS] = node_look_ask(y, node, "getpeers", a);
}

/* Nobody listens at the socket of a node that runs: it came or went just then. */
static bool in_between(const struct look v[SEE])
{
	return v[SEE_STATE].rc == 0 && v[SEE_STATE].state.running &&
		(v[SEE_SELF].rc == 1 || v[SEE_TUN].rc == 1 || v[SEE_MULTICAST].rc == 1 ||
			v[SEE_PEERS].rc == 1);
}

static struct look *look_at_all(
	const struct yggdrasil *y, const struct strs *nodes, struct arena *a)
{
	struct look *v = arena_alloc(a, nodes->n * SEE, sizeof(*v));
	struct look *again = arena_alloc(a, nodes->n * SEE, sizeof(*again));
	size_t n = 0;

	for (size_t i = 0; i < nodes->n; i++)
		put_together(y, nodes->v[i], a, &v[i * SEE]);
	node_look(y, v, nodes->n * SEE, a);
	for (size_t i = 0; i < nodes->n; i++)
		if (in_between(&v[i * SEE]))
			put_together(y, nodes->v[i], a, &again[n++ * SEE]);
	node_look(y, again, n * SEE, a);
	for (size_t i = nodes->n; i-- > 0 && n > 0;)
		if (in_between(&v[i * SEE]))
			memcpy(&v[i * SEE], &again[--n * SEE], SEE * sizeof(*v));
	return v;
}

void node_overlay_read(void *self, const struct strs *scopes, struct arena *a, struct items *out,
	struct failures *failed)
{
	const struct look *v = look_at_all(self, scopes, a);
	struct node_key *keys = arena_alloc(a, scopes->n, sizeof(*keys));

	for (size_t i = 0; i < scopes->n; i++)
		node_key_seen(self, &v[i * SEE + SEE_KEY], a, &keys[i]);
	node_keys_compare(scopes, keys);
	for (size_t i = 0; i < scopes->n; i++) {
		struct reading r = {
			.y = self,
			.node = scopes->v[i],
			.seen = &v[i * SEE],
			.key = &keys[i],
			.a = a,
			.items.arena = a,
		};
		struct err e = ERR_INIT;
		int rc;

		if (r.seen[SEE_KEY].rc < 0 && !node_key_complained(self, r.node)) {
			e = keys[i].err;
			rc = -1;
		} else if (keys[i].failed) {
			rc = err_set(&e, ERR_CONFIG, NOWHERE,
				"left alone until the node's identity is right");
		} else {
			rc = read_saved(&r, &e) < 0 || read_live(&r, &e) < 0 ? -1 : 0;
		}
		if (rc < 0) {
			failures_add(failed, KIND_OVERLAY, scopes->v[i], NULL, 0, &e);
			continue;
		}
		for (size_t j = 0; j < r.items.n; j++)
			items_add(out, KIND_OVERLAY, r.node, r.items.v[j].key, r.items.v[j].value,
				NULL, 0);
	}
}
