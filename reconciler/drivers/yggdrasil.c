#include "reconciler/drivers/yggdrasil.h"

#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <sodium.h>

#include "reconciler/drivers/yggdrasil_node.h"

enum { KEY_BYTES_MAX = 4096, CONF_BYTES_MAX = 1024 * 1024 };

struct yggdrasil *yggdrasil_new(const struct port *port, struct arena *a)
{
	struct yggdrasil *y = arena_alloc(a, 1, sizeof(*y));

	y->port = port;
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

int node_conf_read(const struct yggdrasil *y, const char *node, struct arena *a,
	struct node_conf *out, struct err *e)
{
	const char *text;
	int rc;

	*out = (struct node_conf){ .path = paths_of(y, node, a).conf };
	rc = y->port->ops->read(
		y->port->self, port_place(node), out->path, CONF_BYTES_MAX, a, &text, &out->len, e);
	if (rc < 0)
		return -1;
	if (rc == 1)
		return 0;
	/* The port's bytes are the arena's, which is ours; they are wiped where they lie. */
	out->text = (char *)text;
	if (hjson_parse(text, out->len, a, &out->h, e) < 0) {
		node_conf_wipe(out);
		return err_wrap(e, "%s cannot be read as a configuration (mend it or move it away)",
			out->path);
	}
	return 0;
}

void node_conf_wipe(struct node_conf *conf)
{
	if (conf->text != NULL)
		sodium_memzero(conf->text, conf->len);
}

int node_conf_seed(const struct node_conf *conf, uint8_t seed[SEED_LEN], struct err *e)
{
	const struct hjson_member *m = hjson_find(&conf->h, "PrivateKey");
	const char *s;
	size_t len;

	if (m == NULL)
		return 1;
	s = conf->text + m->value;
	len = m->end - m->value;
	if (len >= 2 && (*s == '"' || *s == '\'')) {
		s++;
		len -= 2;
	} else if (len == 4 && memcmp(s, "null", 4) == 0) {
		len = 0;
	}
	if (len == 0)
		return 1;
	if (key_inline_parse(s, len, seed, e) < 0)
		return err_wrap(e, "%s", conf->path);
	return 0;
}

static int key_file_check(const char *path, mode_t mode, uid_t uid, struct err *e)
{
	if (uid != 0 && uid != geteuid())
		return err_set(e, ERR_CONFIG, NOWHERE,
			"the key file %s belongs to user %lu: chown root %s if it is to be trusted",
			path, (unsigned long)uid, path);
	if ((mode & 077) != 0)
		return err_set(e, ERR_CONFIG, NOWHERE,
			"the key file %s is open to others (mode %04o): chmod 600 %s", path,
			(unsigned)(mode & 07777), path);
	return 0;
}

/* 0: read. 1: there is no key file. */
static int key_file_read(const struct yggdrasil *y, const char *node, const char *path,
	struct arena *a, struct pubkey *key, struct err *e)
{
	const struct port *port = y->port;
	uint8_t seed[SEED_LEN];
	const char *text;
	size_t len;
	mode_t mode = 0;
	uid_t uid = 0;
	int rc;

	rc = port->ops->stat(port->self, port_place(node), path, &mode, &uid, e);
	if (rc != 0)
		return rc;
	if (key_file_check(path, mode, uid, e) < 0)
		return -1;
	rc = port->ops->read(port->self, port_place(node), path, KEY_BYTES_MAX, a, &text, &len, e);
	if (rc != 0)
		return rc;
	rc = key_pem_parse(text, len, seed, e);
	if (rc == 0)
		*key = key_public(seed);
	else
		err_wrap(e,
			"the key file %s is wrong (restore it from a backup, or move it away to "
			"give the node a new identity)",
			path);
	sodium_memzero(seed, sizeof(seed));
	sodium_memzero((char *)text, len);
	return rc;
}

/* The key in the configuration counts where there is no key file, and must not contradict one. */
static int key_in_conf(
	const struct yggdrasil *y, const char *node, struct arena *a, struct node_key *out)
{
	uint8_t seed[SEED_LEN];
	struct node_conf conf;
	struct pubkey key;
	struct err e;
	int rc = node_conf_read(y, node, a, &conf, &e);

	if (rc == 0) {
		rc = node_conf_seed(&conf, seed, &e);
		if (rc == 0)
			key = key_public(seed);
		sodium_memzero(seed, sizeof(seed));
		node_conf_wipe(&conf);
	} else if (out->in_file) {
		/* The overlay says what is wrong with the configuration; the identity is known. */
		return 0;
	}
	if (rc < 0) {
		out->err = e;
		return -1;
	}
	if (rc == 1)
		return 0;
	if (out->in_file && memcmp(key.b, out->key.b, sizeof(key.b)) != 0)
		return err_set(&out->err, ERR_CONFIG, NOWHERE,
			"the node has two identities: %s and the PrivateKey in %s are different "
			"keys; remove the one that is not to be",
			out->path, conf.path);
	out->key = key;
	out->known = true;
	return 0;
}

int node_key_read(
	const struct yggdrasil *y, const char *node, struct arena *a, struct node_key *out)
{
	int rc;

	*out = (struct node_key){ .path = paths_of(y, node, a).key };
	rc = key_file_read(y, node, out->path, a, &out->key, &out->err);
	out->known = out->in_file = rc == 0;
	if (rc >= 0)
		rc = key_in_conf(y, node, a, out);
	out->failed = rc < 0;
	return rc < 0 ? -1 : 0;
}

struct node_key *node_keys_read(
	const struct yggdrasil *y, const struct strs *nodes, struct arena *a)
{
	struct node_key *keys = arena_alloc(a, nodes->n, sizeof(*keys));

	for (size_t i = 0; i < nodes->n; i++)
		node_key_read(y, nodes->v[i], a, &keys[i]);
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
	return keys;
}

int yggdrasil_identity(
	struct yggdrasil *y, const char *node, struct arena *a, struct identity *out, struct err *e)
{
	struct node_key key;

	if (node_key_read(y, node, a, &key) < 0) {
		*e = key.err;
		return -1;
	}
	if (!key.known)
		return 1;
	*out = (struct identity){ .node = node, .key = key.key, .addr = addr_of_key(&key.key) };
	return 0;
}

int node_ask(const struct yggdrasil *y, const char *node, const char *request, const char *uri,
	struct arena *a, const char **reply, struct err *e)
{
	const char *socket = paths_of(y, node, a).socket;

	return y->port->ops->ask(y->port->self, port_place(node), socket,
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

int yggdrasil_status(struct yggdrasil *y, const char *node, struct arena *a,
	struct yggdrasil_status *out, struct err *e)
{
	struct yggdrasil_self self;
	struct node_state state;
	const char *reply;
	int rc;

	if (y->port->ops->node_state(y->port->self, node, a, &state, e) < 0)
		return -1;
	if (!state.running)
		return 1;
	rc = node_ask(y, node, "getself", NULL, a, &reply, e);
	if (rc == 1)
		return err_set(e, ERR_SYSTEM, NOWHERE,
			"it runs, but nobody answers at its admin socket %s: apply restarts it",
			paths_of(y, node, a).socket);
	if (rc < 0 || yggdrasil_self_parse(reply, a, &self, e) < 0)
		return -1;
	rc = node_ask(y, node, "getpeers", NULL, a, &reply, e);
	if (rc == 1)
		return 1; /* it stopped between the two questions */
	if (rc < 0 || yggdrasil_peers_parse(reply, a, &out->peerings, &out->n, e) < 0)
		return -1;
	out->version = self.version;
	out->addr = self.addr;
	return 0;
}
