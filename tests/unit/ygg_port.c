#include "ygg_port.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cjson/cJSON.h>

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
	p->files[i].uid = geteuid();
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

static int fake_read(void *self, const char *jail, const char *path, size_t max, struct arena *a,
	const char **text, size_t *len, struct err *e)
{
	struct ygg_port *p = self;
	size_t i = find(p, path);

	(void)jail;
	if (i == p->n_files)
		return 1;
	*len = strlen(p->files[i].text);
	if (*len > max)
		return err_set(e, ERR_SYSTEM, NOWHERE, "%s is too large", path);
	*text = arena_dup(a, p->files[i].text);
	return 0;
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

static int fake_create(void *self, const char *jail, const char *path, const void *bytes,
	size_t len, mode_t mode, struct err *e)
{
	(void)jail;
	if (ygg_port_text(self, path) != NULL)
		return 1;
	return put(self, "create", path, bytes, len, mode, e);
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

static int fake_stat(
	void *self, const char *jail, const char *path, mode_t *mode, uid_t *uid, struct err *e)
{
	struct ygg_port *p = self;
	size_t i = find(p, path);

	(void)jail;
	(void)e;
	if (i == p->n_files)
		return 1;
	*mode = S_IFREG | p->files[i].mode;
	*uid = p->files[i].uid;
	return 0;
}

static int fake_ask(void *self, const char *jail, const char *socket, const char *request,
	struct arena *a, const char **reply, struct err *e)
{
	struct ygg_port *p = self;
	cJSON *json = cJSON_Parse(request);
	const char *verb = cJSON_GetStringValue(cJSON_GetObjectItem(json, "request"));
	const char *uri = cJSON_GetStringValue(
		cJSON_GetObjectItem(cJSON_GetObjectItem(json, "arguments"), "uri"));
	int rc = 1;

	(void)e;
	(void)socket;
	if (uri != NULL) {
		text_addf(&p->log, "%s %s %s\n", verb, jail == NULL ? "host" : jail, uri);
		*reply = "{\"status\":\"success\",\"response\":{}}";
		rc = 0;
	}
	for (size_t i = 0; i < p->n_answers; i++) {
		if (strcmp(p->answers[i].node, jail == NULL ? HOST_NODE : jail) != 0 ||
			strcmp(p->answers[i].request, verb) != 0)
			continue;
		*reply = arena_dup(a, p->answers[i].reply);
		rc = *reply == NULL ? 1 : 0;
	}
	cJSON_Delete(json);
	return rc;
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

static int fake_state(
	void *self, const char *node, struct arena *a, struct node_state *out, struct err *e)
{
	struct ygg_port *p = self;

	(void)a;
	(void)e;
	*out = (struct node_state){ .running = strs_has(&p->running, node) };
	if (out->running)
		out->listening = p->listening;
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
		.run = fake_run,
		.read = fake_read,
		.replace = fake_replace,
		.create = fake_create,
		.remove = fake_remove,
		.mkdirs = fake_mkdirs,
		.stat = fake_stat,
		.ask = fake_ask,
		.node_paths = fake_paths,
		.node_state = fake_state,
		.node_start = fake_start,
		.node_stop = fake_stop,
	};
	struct ygg_port *p = arena_alloc(a, 1, sizeof(*p));

	p->a = a;
	p->log = text_new(a);
	p->version = "Build name: yggdrasil\nBuild version: 0.5.12\n";
	p->port = (struct port){ .ops = &ops, .self = p };
	return p;
}
