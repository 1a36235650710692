/* Looking: each look is one command, all of them go in one batch. */
#include "platform/freebsd_self.h"

#include <string.h>

static const char *place_of(const struct look *v)
{
	switch (v->kind) {
	case LOOK_RUN:
		return v->cmd.jail;
	case LOOK_KEY:
	case LOOK_NODE:
	case LOOK_SIGN:
		return port_place(v->place);
	case LOOK_FILE:
	case LOOK_ASK:
		break;
	}
	return v->place == NULL ? NULL : port_place(v->place);
}

static const char *number(struct arena *a, size_t n)
{
	return arena_printf(a, "%zu", n);
}

/* A file is asked for with one byte more than it may have, so that a larger one shows. */
static struct command command_of(const struct look *v, const char *place, struct arena *a)
{
	struct command c = v->cmd;

	switch (v->kind) {
	case LOOK_RUN:
		break;
	case LOOK_FILE: {
		const char *const args[] = { v->path, number(a, v->max + 1), NULL };

		return freebsd_command(place, freebsd_script_read, args, a);
	}
	case LOOK_KEY: {
		const char *const args[] = { FREEBSD_KEY, FREEBSD_CONF,
			number(a, FREEBSD_CONF_MAX + 1), NULL };

		return freebsd_command(place, freebsd_script_key, args, a);
	}
	case LOOK_NODE: {
		const char *const args[] = { NULL };

		return freebsd_command(place, freebsd_script_node, args, a);
	}
	case LOOK_ASK: {
		const char *const args[] = { v->path, NULL };

		c = freebsd_command(place, freebsd_script_ask, args, a);
		c.input = v->request;
		c.input_len = strlen(v->request);
		break;
	}
	case LOOK_SIGN: {
		const char *const args[] = { FREEBSD_KEY, FREEBSD_CONF,
			number(a, FREEBSD_CONF_MAX + 1), v->request, NULL };

		return freebsd_command(place, freebsd_script_sign, args, a);
	}
	}
	return c;
}

static int parse(struct look *v, const struct output *out, const char *place, struct arena *a)
{
	int rc = 0;

	switch (v->kind) {
	case LOOK_RUN:
		v->output = *out;
		break;
	case LOOK_FILE:
		rc = freebsd_parse_file(out, v->max, place, a, &v->text, &v->len, &v->err);
		if (rc < 0)
			err_wrap(&v->err, "read %s", v->path);
		break;
	case LOOK_KEY:
		rc = freebsd_parse_key(out, place, a, &v->key, &v->err);
		break;
	case LOOK_NODE:
		rc = freebsd_parse_node(out, place, a, &v->state, &v->err);
		break;
	case LOOK_ASK:
		rc = freebsd_parse_ask(out, place, a, &v->text, &v->len, &v->err);
		if (rc < 0)
			err_wrap(&v->err, "ask %s", v->path);
		break;
	case LOOK_SIGN:
		rc = freebsd_parse_sign(out, place, a, &v->text, &v->err);
		v->len = rc == 0 ? strlen(v->text) : 0;
		break;
	}
	return rc;
}

/*
 * In a jail that does not run there is nothing and nobody; only where the jails said a moment ago that it
 * runs, that is an error.
 */
static void nothing(struct look *v)
{
	v->rc = v->kind == LOOK_NODE ? 0 : 1;
}

int freebsd_look(void *self, struct look *v, size_t n, struct arena *a, struct err *e)
{
	struct freebsd *f = self;
	struct command *cmds = arena_alloc(a, n, sizeof(*cmds));
	struct output *outs = arena_alloc(a, n, sizeof(*outs));
	size_t sent = 0;

	for (size_t i = 0; i < n; i++) {
		const char *place = place_of(&v[i]);

		v[i].rc = 0;
		v[i].err = ERR_INIT;
		v[i].output = (struct output){ 0 };
		v[i].text = NULL;
		v[i].len = 0;
		v[i].key = (struct key_seen){ 0 };
		v[i].state = (struct node_state){ 0 };
		if (v[i].kind != LOOK_RUN && place != NULL && !freebsd_runs(f, place))
			nothing(&v[i]);
		else
			cmds[sent++] = command_of(&v[i], place, a);
	}
	if (sent != 0 && freebsd_batch(f, cmds, sent, a, outs, e) < 0)
		return -1;
	sent = 0;
	for (size_t i = 0; i < n; i++) {
		const char *place = place_of(&v[i]);

		if (v[i].kind == LOOK_RUN || place == NULL || freebsd_runs(f, place))
			v[i].rc = parse(&v[i], &outs[sent++], place, a);
	}
	return 0;
}
