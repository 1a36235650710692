#include "reconciler/drivers/yggdrasil.h"

#include <string.h>

#include "reconciler/drivers/yggdrasil_node.h"

enum { CONF_BYTES_MAX = 1024 * 1024 };

struct yggdrasil *yggdrasil_new(const struct port *port, struct arena *a)
{
	struct yggdrasil *y = arena_alloc(a, 1, sizeof(*y));

	y->port = port;
	y->a = a;
	return y;
}

void yggdrasil_identity_driver(struct yggdrasil *y, struct driver *out)
{
	*out = (struct driver){ .ops = &yggdrasil_identity_ops, .self = y };
}

void yggdrasil_overlay_driver(struct yggdrasil *y, struct driver *out)
{
	*out = (struct driver){ .ops = &yggdrasil_overlay_ops, .self = y };
}

static struct node_paths paths_of(const struct yggdrasil *y, const char *node, struct arena *a)
{
	struct node_paths paths;

	y->port->ops->node_paths(y->port->self, node, a, &paths);
	return paths;
}

struct look node_look_conf(const struct yggdrasil *y, const char *node, struct arena *a)
{
	return (struct look){
		.kind = LOOK_FILE,
		.place = port_place(node),
		.path = paths_of(y, node, a).conf,
		.max = CONF_BYTES_MAX,
	};
}

struct look node_look_key(const char *node)
{
	return (struct look){ .kind = LOOK_KEY, .place = node };
}

struct look node_look_state(const char *node)
{
	return (struct look){ .kind = LOOK_NODE, .place = node };
}

struct look node_look_ask(
	const struct yggdrasil *y, const char *node, const char *request, struct arena *a)
{
	return (struct look){
		.kind = LOOK_ASK,
		.place = port_place(node),
		.path = paths_of(y, node, a).socket,
		.request = yggdrasil_request(request, NULL, a),
	};
}

void node_look(const struct yggdrasil *y, struct look *v, size_t n, struct arena *a)
{
	struct err e;

	if (n == 0 || y->port->ops->look(y->port->self, v, n, a, &e) == 0)
		return;
	for (size_t i = 0; i < n; i++) {
		v[i].rc = -1;
		v[i].err = e;
	}
}

int node_conf_seen(const struct look *v, struct arena *a, struct node_conf *out, struct err *e)
{
	*out = (struct node_conf){ .path = v->path };
	if (v->rc < 0) {
		*e = v->err;
		return -1;
	}
	if (v->rc == 1)
		return 0;
	out->text = v->text;
	if (hjson_parse(v->text, v->len, a, &out->h, e) < 0)
		return err_wrap(e, "%s cannot be read as a configuration (mend it or move it away)",
			out->path);
	return 0;
}

int node_conf_read(const struct yggdrasil *y, const char *node, struct arena *a,
	struct node_conf *out, struct err *e)
{
	struct look v = node_look_conf(y, node, a);

	node_look(y, &v, 1, a);
	return node_conf_seen(&v, a, out, e);
}

int node_conf_has_key(const struct node_conf *conf, struct err *e)
{
	const struct hjson_member *m = hjson_find(&conf->h, "PrivateKey");
	const char *s;
	size_t len, masked = 0;

	if (m == NULL)
		return 0;
	s = hjson_plain(&conf->h, m, &len);
	while (masked < len && s[masked] == KEY_MASKED)
		masked++;
	if (len != 0 && (masked != len || len != KEY_HEX_PRIVATE))
		return err_set(e, ERR_CONFIG, NOWHERE,
			"%s: PrivateKey is not 128 hexadecimal digits", conf->path);
	return len != 0;
}

void node_key_seen(
	const struct yggdrasil *y, const struct look *v, struct arena *a, struct node_key *out)
{
	*out = (struct node_key){
		.path = paths_of(y, v->place, a).key,
		.known = v->rc == 0,
		.in_file = v->rc == 0 && v->key.in_file,
		.failed = v->rc < 0,
	};
	if (out->known)
		out->key = v->key.key;
	if (out->failed)
		out->err = v->err;
}

int node_key_read(
	const struct yggdrasil *y, const char *node, struct arena *a, struct node_key *out)
{
	struct look v = node_look_key(node);

	node_look(y, &v, 1, a);
	node_key_seen(y, &v, a, out);
	return out->failed ? -1 : 0;
}

struct node_key *node_keys_read(
	const struct yggdrasil *y, const struct strs *nodes, struct arena *a)
{
	struct node_key *keys = arena_alloc(a, nodes->n, sizeof(*keys));
	struct look *v = arena_alloc(a, nodes->n, sizeof(*v));

	for (size_t i = 0; i < nodes->n; i++)
		v[i] = node_look_key(nodes->v[i]);
	node_look(y, v, nodes->n, a);
	for (size_t i = 0; i < nodes->n; i++)
		node_key_seen(y, &v[i], a, &keys[i]);
	return keys;
}

void node_keys_compare(const struct strs *nodes, struct node_key *keys)
{
	for (size_t i = 0; i < nodes->n; i++) {
		for (size_t j = 0; j < nodes->n; j++) {
			if (i == j || !keys[i].known || !keys[j].known ||
				memcmp(keys[i].key.b, keys[j].key.b, KEY_LEN) != 0)
				continue;
			keys[i].failed = true;
			err_set(&keys[i].err, ERR_CONFIG, NOWHERE,
				"nodes '%s' and '%s' have one key (%s and %s): move the copy away, "
				"and apply gives that node a key of its own",
				nodes->v[i < j ? i : j], nodes->v[i < j ? j : i],
				keys[i < j ? i : j].path, keys[i < j ? j : i].path);
			break;
		}
	}
}

/* What the identity driver saw of the node; NULL: nothing that still holds. */
static const struct node_key *seen_key(const struct yggdrasil *y, const char *node)
{
	for (size_t i = 0; i < y->seen.n; i++)
		if (strcmp(y->seen.v[i], node) == 0)
			return &y->seen_keys[i];
	return NULL;
}

bool node_key_complained(const struct yggdrasil *y, const char *node)
{
	const struct node_key *key = seen_key(y, node);

	return key != NULL && key->failed;
}

static struct identified identified(const char *node, const struct node_key *key)
{
	if (key->failed)
		return (struct identified){ .rc = -1, .err = key->err };
	if (!key->known)
		return (struct identified){ .rc = 1 };
	return (struct identified){ .id = { node, key->key, addr_of_key(&key->key) } };
}

struct identified *yggdrasil_identities(
	struct yggdrasil *y, const struct strs *nodes, struct arena *a)
{
	struct identified *out = arena_alloc(a, nodes->n, sizeof(*out));
	const struct node_key *keys = NULL;

	for (size_t i = 0; i < nodes->n && keys == NULL; i++)
		if (seen_key(y, nodes->v[i]) == NULL)
			keys = node_keys_read(y, nodes, a);
	for (size_t i = 0; i < nodes->n; i++)
		out[i] =
			identified(nodes->v[i], keys == NULL ? seen_key(y, nodes->v[i]) : &keys[i]);
	return out;
}

int node_ask(const struct yggdrasil *y, const char *node, const char *request, const char *uri,
	struct arena *a, const char **reply, struct err *e)
{
	return port_ask(y->port, port_place(node), paths_of(y, node, a).socket,
		yggdrasil_request(request, uri, a), a, reply, e);
}

int node_check_program(const struct yggdrasil *y, const char *node, struct arena *a, struct err *e)
{
	static const char *const argv[] = { "yggdrasil", "-version", NULL };
	struct output out;
	const char *version;

	if (port_run(y->port, port_place(node), argv, NULL, a, &out, e) < 0)
		return err_wrap(e, "Yggdrasil " YGGDRASIL_OLDEST " or newer is needed");
	version = yggdrasil_version_find(out.out, a);
	return yggdrasil_version_check(version == NULL ? "" : version, e);
}

enum { STATUS_STATE, STATUS_SELF, STATUS_PEERS, STATUS_LOOKS };

static int status_seen(
	const struct look *v, struct arena *a, struct yggdrasil_status *out, struct err *e)
{
	const struct look *self = &v[STATUS_SELF], *peers = &v[STATUS_PEERS];
	const struct look *failed = NULL;
	struct yggdrasil_self seen;

	if (v[STATUS_STATE].rc == 0 && !v[STATUS_STATE].state.running)
		return 1;
	if (v[STATUS_STATE].rc < 0)
		failed = &v[STATUS_STATE];
	else if (self->rc == 1)
		return err_set(e, ERR_SYSTEM, NOWHERE,
			"it runs, but nobody answers at its admin socket %s: apply restarts it",
			self->path);
	else if (self->rc < 0 || peers->rc < 0)
		failed = self->rc < 0 ? self : peers;
	if (failed != NULL) {
		*e = failed->err;
		return -1;
	}
	if (peers->rc == 1)
		return 1; /* it stopped between the two questions */
	if (yggdrasil_self_parse(self->text, a, &seen, e) < 0 ||
		yggdrasil_peers_parse(peers->text, a, &out->peerings, &out->n, e) < 0)
		return -1;
	out->version = seen.version;
	out->addr = seen.addr;
	return 0;
}

struct yggdrasil_status *yggdrasil_statuses(
	struct yggdrasil *y, const struct strs *nodes, struct arena *a)
{
	struct yggdrasil_status *out = arena_alloc(a, nodes->n, sizeof(*out));
	struct look *v = arena_alloc(a, nodes->n * STATUS_LOOKS, sizeof(*v));

	for (size_t i = 0; i < nodes->n; i++) {
		struct look *of = &v[i * STATUS_LOOKS];

		of[STATUS_STATE] = node_look_state(nodes->v[i]);
		of[STATUS_SELF] = node_look_ask(y, nodes->v[i], "getself", a);
		of[STATUS_PEERS] = node_look_ask(y, nodes->v[i], "getpeers", a);
	}
	node_look(y, v, nodes->n * STATUS_LOOKS, a);
	for (size_t i = 0; i < nodes->n; i++)
		out[i].rc = status_seen(&v[i * STATUS_LOOKS], a, &out[i], &out[i].err);
	return out;
}
