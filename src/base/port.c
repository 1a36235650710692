#include "base/port.h"

#include <string.h>

const char *port_place(const char *scope)
{
	return strcmp(scope, HOST_NODE) == 0 ? NULL : scope;
}

static int look_one(const struct port *p, struct look *v, struct arena *a, struct err *e)
{
	if (p->ops->look(p->self, v, 1, a, e) < 0)
		return -1;
	if (v->rc < 0)
		*e = v->err;
	return v->rc;
}

int port_read(const struct port *p, const char *place, const char *path, size_t max,
	struct arena *a, const char **text, size_t *len, struct err *e)
{
	struct look v = { .kind = LOOK_FILE, .place = place, .path = path, .max = max };
	int rc = look_one(p, &v, a, e);

	if (rc == 0) {
		*text = v.text;
		*len = v.len;
	}
	return rc;
}

int port_node_state(const struct port *p, const char *node, struct arena *a, struct node_state *out,
	struct err *e)
{
	struct look v = { .kind = LOOK_NODE, .place = node };
	int rc = look_one(p, &v, a, e);

	*out = v.state;
	return rc;
}

int port_ask(const struct port *p, const char *place, const char *socket, const char *request,
	struct arena *a, const char **reply, struct err *e)
{
	struct look v = { .kind = LOOK_ASK, .place = place, .path = socket, .request = request };
	int rc = look_one(p, &v, a, e);

	*reply = v.text;
	return rc;
}

int port_failed(const char *program, const struct output *out, struct err *e)
{
	size_t line = out->err == NULL ? 0 : strcspn(out->err, "\n");

	if (line != 0)
		return err_set(e, ERR_SYSTEM, NOWHERE, "%s: %.*s", program, (int)line, out->err);
	return err_set(e, ERR_SYSTEM, NOWHERE, "%s exited with %d", program, out->status);
}

int port_run(const struct port *p, const char *jail, const char *const *argv, const char *input,
	struct arena *a, struct output *out, struct err *e)
{
	struct command c = {
		.jail = jail,
		.argv = argv,
		.input = input,
		.input_len = input == NULL ? 0 : strlen(input),
	};

	if (p->ops->run(p->self, &c, 1, a, out, e) < 0)
		return -1;
	if (out->status != 0)
		return port_failed(argv[0], out, e);
	return 0;
}
