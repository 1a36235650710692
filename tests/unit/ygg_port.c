#include "ygg_port.h"

#include <stdio.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "base/key.h"
#include "fake_port.h"

static size_t find(const struct ygg_port *p, const char *path)
{
	size_t i = 0;

	while (i < p->n_files && strcmp(p->files[i].path, path) != 0)
		i++;
	return i;
}

void ygg_port_file(struct ygg_port *p, const char *path, mode_t mode, const char *text)
{
	size_t i = find(p, path);

	p->files[i].path = arena_dup(p->a, path);
	p->files[i].text = arena_dup(p->a, text);
	p->files[i].mode = mode;
	p->n_files += i == p->n_files;
}

const char *ygg_port_text(const struct ygg_port *p, const char *path)
{
	size_t i = find(p, path);

	return i == p->n_files ? NULL : p->files[i].text;
}

mode_t ygg_port_mode(const struct ygg_port *p, const char *path)
{
	return p->files[find(p, path)].mode;
}

void ygg_port_answer(struct ygg_port *p, const char *node, const char *request, const char *reply)
{
	size_t i = 0;

	while (i < p->n_answers &&
		(strcmp(p->answers[i].node, node) != 0 ||
			strcmp(p->answers[i].request, request) != 0))
		i++;
	p->answers[i].node = node;
	p->answers[i].request = request;
	p->answers[i].reply = reply;
	p->n_answers += i == p->n_answers;
}

void ygg_port_runs(struct ygg_port *p, const char *node, const char *pubkey, const char *address,
	const char *version, const char *peers)
{
	strs_push(p->a, &p->running, node);
	ygg_port_answer(p, node, "getself",
		arena_printf(p->a,
			"{\"status\":\"success\",\"response\":{\"build_name\":\"yggdrasil\","
			"\"build_version\":\"%s\",\"key\":\"%s\",\"address\":\"%s\"}}",
			version, pubkey, address));
	ygg_port_answer(p, node, "gettun",
		"{\"status\":\"success\",\"response\":{\"enabled\":true,\"name\":\"ygg0\","
		"\"mtu\":65535}}");
	ygg_port_answer(p, node, "getmulticastinterfaces",
		"{\"status\":\"success\",\"response\":{\"multicast_interfaces\":[]}}");
	ygg_port_answer(p, node, "getpeers",
		arena_printf(p->a, "{\"status\":\"success\",\"response\":{\"peers\":%s}}", peers));
}

static int fake_run(void *self, const struct command *cmds, size_t n, struct arena *a,
	struct output *outs, struct err *e)
{
	struct ygg_port *p = self;

	(void)a;
	(void)e;
	for (size_t i = 0; i < n; i++) {
		bool known = strcmp(cmds[i].argv[0], "yggdrasil") == 0 &&
			strcmp(cmds[i].argv[1], "-version") == 0 && p->version != NULL;

		outs[i] = (struct output){ .status = known ? 0 : -1,
			.out = known ? p->version : "",
			.err = known ? "" : "there is no such program" };
	}
	return 0;
}

static int look_file(struct ygg_port *p, struct look *v, struct arena *a)
{
	size_t i = find(p, v->path);
	char *text;

	if (i == p->n_files)
		return 1;
	v->len = strlen(p->files[i].text);
	if (v->len > v->max)
		return err_set(&v->err, ERR_SYSTEM, NOWHERE, "%s is too large", v->path);
	text = arena_dup(a, p->files[i].text);
	key_mask(text, v->len);
	v->text = text;
	return 0;
}

/* The seed of a node, in its key file or its configuration. 1: it has none. */
static int seed_of(const struct ygg_port *p, const char *node, uint8_t seed[SEED_LEN],
	bool *in_file, struct err *e)
{
	const char *pem = ygg_port_text(p, arena_printf(p->a, "/%s/yggdrasil.key", node));
	const char *conf = ygg_port_text(p, arena_printf(p->a, "/%s/yggdrasil.conf", node));
	size_t at, run = 0;

	*in_file = pem != NULL;
	if (pem != NULL)
		return key_pem_parse(pem, strlen(pem), seed, e);
	if (conf == NULL)
		return 1;
	at = key_find(conf, strlen(conf), &run);
	return run == 0 ? 1 : key_inline_parse(conf + at, run, seed, e);
}

static int look_key(const struct ygg_port *p, struct look *v)
{
	uint8_t seed[SEED_LEN];
	int rc = seed_of(p, v->place, seed, &v->key.in_file, &v->err);

	if (p->bad_key != NULL && strcmp(p->bad_key, v->place) == 0)
		return err_set(&v->err, ERR_CONFIG, NOWHERE, "the key of %s is bad", v->place);
	if (rc == 0)
		v->key.key = key_public(seed);
	return rc;
}

static int look_sign(const struct ygg_port *p, struct look *v, struct arena *a)
{
	uint8_t seed[SEED_LEN];
	bool in_file;
	int rc = seed_of(p, v->place, seed, &in_file, &v->err);

	if (rc == 0) {
		v->text = fake_signature(seed, v->request, a);
		v->len = strlen(v->text);
	}
	return rc;
}

static int put(struct ygg_port *p, const char *verb, const char *path, const void *bytes,
	size_t len, mode_t mode, struct err *e)
{
	if (p->refused != NULL && strcmp(p->refused, path) == 0)
		return err_set(e, ERR_SYSTEM, NOWHERE, "%s: no space left on device", path);
	text_addf(&p->log, "%s %s %04o\n", verb, path, (unsigned)mode);
	ygg_port_file(p, path, mode, arena_dupn(p->a, bytes, len));
	return 0;
}

static int fake_replace(void *self, const char *jail, const char *path, const void *bytes,
	size_t len, mode_t mode, struct err *e)
{
	(void)jail;
	return put(self, "write", path, bytes, len, mode, e);
}

static int fake_remove(void *self, const char *jail, const char *path, struct err *e)
{
	struct ygg_port *p = self;
	size_t i = find(p, path);

	(void)jail;
	(void)e;
	text_addf(&p->log, "remove %s\n", path);
	if (i < p->n_files)
		p->files[i] = p->files[--p->n_files];
	return 0;
}

static int fake_mkdirs(void *self, const char *jail, const char *path, mode_t mode, struct err *e)
{
	(void)self;
	(void)jail;
	if (mode != 0700)
		return err_set(e, ERR_SYSTEM, NOWHERE, "%s with mode %o", path, (unsigned)mode);
	return 0;
}

static void fake_paths(void *self, const char *node, struct arena *a, struct node_paths *out)
{
	(void)self;
	*out = (struct node_paths){
		.dir = arena_printf(a, "/%s", node),
		.key = arena_printf(a, "/%s/yggdrasil.key", node),
		.conf = arena_printf(a, "/%s/yggdrasil.conf", node),
		.socket = arena_printf(a, "/%s/yggdrasil.sock", node),
	};
}

static int look_ask(struct ygg_port *p, struct look *v, struct arena *a)
{
	const char *node = v->place == NULL ? HOST_NODE : v->place;
	cJSON *json = cJSON_Parse(v->request);
	const char *verb = cJSON_GetStringValue(cJSON_GetObjectItem(json, "request"));
	const char *uri = cJSON_GetStringValue(
		cJSON_GetObjectItem(cJSON_GetObjectItem(json, "arguments"), "uri"));
	int rc = 1;

	if (uri != NULL) {
		text_addf(&p->log, "%s %s %s\n", verb, v->place == NULL ? "host" : v->place, uri);
		v->text = "{\"status\":\"success\",\"response\":{}}";
		rc = 0;
	}
	for (size_t i = 0; i < p->n_answers; i++) {
		if (strcmp(p->answers[i].node, node) != 0 ||
			strcmp(p->answers[i].request, verb) != 0)
			continue;
		v->text = arena_dup(a, p->answers[i].reply);
		rc = v->text == NULL ? 1 : 0;
	}
	cJSON_Delete(json);
	return rc;
}

static int look_node(const struct ygg_port *p, struct look *v)
{
	v->state = (struct node_state){
		.running = strs_has(&p->running, v->place),
		.at_boot = p->at_boot,
	};
	if (v->state.running)
		v->state.listening = p->listening;
	return 0;
}

static int fake_look(void *self, struct look *v, size_t n, struct arena *a, struct err *e)
{
	struct ygg_port *p = self;

	p->n_looks++;
	if (p->blind)
		return err_set(e, ERR_SYSTEM, NOWHERE, "the host is gone");
	for (size_t i = 0; i < n; i++) {
		switch (v[i].kind) {
		case LOOK_RUN:
			v[i].rc = fake_run(self, &v[i].cmd, 1, a, &v[i].output, e);
			break;
		case LOOK_FILE:
			v[i].rc = look_file(p, &v[i], a);
			break;
		case LOOK_KEY:
			v[i].rc = look_key(p, &v[i]);
			break;
		case LOOK_NODE:
			v[i].rc = look_node(p, &v[i]);
			break;
		case LOOK_ASK:
			v[i].rc = look_ask(p, &v[i], a);
			break;
		case LOOK_SIGN:
			v[i].rc = look_sign(p, &v[i], a);
			break;
		}
	}
	return 0;
}

static int fake_key_make(void *self, const char *node, struct err *e)
{
	struct ygg_port *p = self;
	const char *path = arena_printf(p->a, "/%s/yggdrasil.key", node);
	uint8_t seed[SEED_LEN] = { 0 };
	char pem[KEY_PEM];
	bool in_file;
	int rc = seed_of(p, node, seed, &in_file, e);

	if (in_file)
		return 0;
	if (rc < 0)
		return -1;
	if (rc == 1)
		memcpy(seed, node, strlen(node));
	key_pem_format(seed, pem);
	return put(p, "create", path, pem, strlen(pem), 0600, e);
}

static int fake_boot(void *self, const char *node, struct err *e)
{
	struct ygg_port *p = self;

	if (p->refused != NULL && strcmp(p->refused, "boot") == 0)
		return err_set(e, ERR_SYSTEM, NOWHERE, "sysrc says no");
	text_addf(&p->log, "boot %s\n", node);
	return 0;
}

static int fake_start(void *self, const char *node, struct err *e)
{
	struct ygg_port *p = self;

	(void)e;
	text_addf(&p->log, "start %s\n", node);
	return 0;
}

static int fake_stop(void *self, const char *node, struct err *e)
{
	struct ygg_port *p = self;

	(void)e;
	text_addf(&p->log, "stop %s\n", node);
	return 0;
}

struct ygg_port *ygg_port_new(struct arena *a)
{
	static const struct port_ops ops = {
		.name = "fake",
		.look = fake_look,
		.key_make = fake_key_make,
		.node_boot = fake_boot,
		.run = fake_run,
		.replace = fake_replace,
		.remove = fake_remove,
		.mkdirs = fake_mkdirs,
		.node_paths = fake_paths,
		.node_start = fake_start,
		.node_stop = fake_stop,
	};
	struct ygg_port *p = arena_alloc(a, 1, sizeof(*p));

	p->a = a;
	p->log = text_new(a);
	p->version = "Build name: yggdrasil\nBuild version: 0.5.12\n";
	p->ops = ops;
	p->port = (struct port){ .ops = &p->ops, .self = p };
	return p;
}
