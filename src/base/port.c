#include "base/port.h"

#include <string.h>

#include <sodium.h>

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

bool signature_read(const char *hex, uint8_t out[SIGNATURE_LEN])
{
	size_t got = 0;

	return sodium_hex2bin(out, SIGNATURE_LEN, hex, strlen(hex), NULL, &got, NULL) == 0 &&
		got == SIGNATURE_LEN;
}

static bool can_be_signed(const char *line)
{
	size_t len = 0;

	while (line[len] >= ' ' && line[len] <= '~' && len <= SIGN_MAX)
		len++;
	return line[len] == '\0' && len != 0 && len <= SIGN_MAX;
}

static int sign_failed(const char *node, struct err *e)
{
	if (port_place(node) == NULL)
		return err_wrap(e, "the host");
	return err_wrap(e, "jail '%s'", node);
}

static int read_signature(const struct look *v, uint8_t out[SIGNATURE_LEN], struct err *e)
{
	if (v->rc < 0)
		*e = v->err;
	else if (v->rc > 0)
		err_set(e, ERR_SYSTEM, NOWHERE, "it has no key yet");
	else if (!signature_read(v->text, out))
		err_set(e, ERR_SYSTEM, NOWHERE, "its signature is not %d bytes in hexadecimal",
			(int)SIGNATURE_LEN);
	else
		return 0;
	return sign_failed(v->place, e);
}

int port_sign(const struct port *p, const char *const *nodes, size_t n, const char *line,
	struct arena *a, uint8_t (*signatures)[SIGNATURE_LEN], struct err *e)
{
	struct look *v = arena_alloc(a, n, sizeof(*v));

	if (!can_be_signed(line))
		return err_set(e, ERR_SYSTEM, NOWHERE,
			"only a line of 1 to %d characters of ASCII can be signed", SIGN_MAX);
	for (size_t i = 0; i < n; i++)
		v[i] = (struct look){ .kind = LOOK_SIGN, .place = nodes[i], .request = line };
	if (n != 0 && p->ops->look(p->self, v, n, a, e) < 0)
		return -1;
	for (size_t i = 0; i < n; i++)
		if (read_signature(&v[i], signatures[i], e) < 0)
			return -1;
	return 0;
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
