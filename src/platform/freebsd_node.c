/* Nodes of a FreeBSD host: their keys, and their daemons as services. */
#include "platform/freebsd_self.h"

#include <stdio.h>
#include <string.h>

#include "os/clock.h"

#define LOG "/var/log/yggdrasil.log"

enum {
	START_MS = 10000,
	GONE_MS = 3000, /* rc.d/yggdrasil goes on before its process is there */
	NAP_US = 100000,
};

static int wrap(const char *what, const char *node, struct err *e)
{
	return err_wrap(e, "%s of %s", what, port_place(node) == NULL ? "the host" : node);
}

/* Runs one script in the node's place and takes an answer of one of the two words. */
static int order(struct freebsd *f, const char *place, const char *script, const char *const *args,
	struct arena *a, struct err *e)
{
	struct output out;

	if (freebsd_script(f, place, script, args, a, &out, e) < 0)
		return -1;
	if (strcmp(out.out, "done\n") != 0 && strcmp(out.out, "exists\n") != 0)
		return freebsd_garbled(place, e);
	return 0;
}

/* That there is a node of ours is written down before there is one. */
int freebsd_key_make(void *self, const char *node, struct err *e)
{
	static const char *const args[] = { FREEBSD_KEY, FREEBSD_CONF, NULL };
	struct freebsd *f = self;
	struct arena *a = arena_new();
	const char *const folder[] = { arena_printf(a, "%s/%s", FREEBSD_NODES, node), "077", NULL };
	int rc;

	if (!name_is_label(node))
		rc = err_set(e, ERR_SYSTEM, NOWHERE, "'%s' cannot be the name of a node", node);
	else if (order(f, NULL, freebsd_script_mkdirs, folder, a, e) < 0)
		rc = err_wrap(e, "%s on the host", folder[0]);
	else
		rc = order(f, port_place(node), freebsd_script_key_make, args, a, e);
	if (rc < 0)
		wrap("make the key", node, e);
	arena_free(a);
	return rc;
}

int freebsd_node_boot(void *self, const char *node, struct err *e)
{
	static const char *const none[] = { NULL };
	struct arena *a = arena_new();
	int rc = order(self, port_place(node), freebsd_script_boot, none, a, e);

	if (rc < 0)
		wrap("have the node started at boot", node, e);
	arena_free(a);
	return rc;
}

/* What the log ends in since it had so many bytes; what service(8) says of a start is no more than that. */
static const char *last_words(
	struct freebsd *f, const char *place, const char *from, struct arena *a)
{
	const char *const args[] = { LOG, from, NULL };
	struct output out;
	struct err ignored;

	if (freebsd_script(f, place, freebsd_script_last, args, a, &out, &ignored) < 0 ||
		out.out_len == 0 || out.out[0] == '\n')
		return "its log " LOG " says nothing";
	return arena_dupn(a, out.out, strcspn(out.out, "\n"));
}

/*
 * Whether the node is whole. Its admin socket answers before its interface is there, and it ends when
 * that fails; `gettun` is known only afterwards (yggdrasil-go 0.5, cmd/yggdrasil/main.go).
 * 0: it is. 1: not yet. 2: its process is gone.
 */
static int look_ready(struct freebsd *f, const char *node, struct err *e)
{
	struct arena *a = arena_new();
	struct look v[] = {
		{ .kind = LOOK_ASK,
			.place = port_place(node),
			.path = FREEBSD_SOCKET,
			.request = "{\"request\":\"gettun\"}" },
		{ .kind = LOOK_NODE, .place = node },
	};
	int rc = freebsd_look(f, v, 2, a, e);

	if (rc == 0 && v[1].rc < 0) {
		*e = v[1].err;
		rc = -1;
	} else if (rc == 0) {
		rc = !v[1].state.running                                           ? 2
			: v[0].rc == 0 && strstr(v[0].text, "\"success\"") != NULL ? 0
										   : 1;
	}
	arena_free(a);
	return rc;
}

static int stop(struct freebsd *f, const char *place, struct arena *a, struct err *e)
{
	static const char *const args[] = { FREEBSD_SOCKET, NULL };

	return order(f, place, freebsd_script_stop, args, a, e);
}

static int wait_ready(
	struct freebsd *f, const char *node, const char *from, struct arena *a, struct err *e)
{
	int64_t began = clock_ms();
	const char *place = port_place(node), *said;
	struct err ignored;
	bool gone = false;

	while (!gone && clock_ms() - began < START_MS) {
		int rc = look_ready(f, node, e);

		if (rc <= 0)
			return rc;
		gone = rc == 2 && clock_ms() - began > GONE_MS;
		if (!gone && clock_nap_us(NAP_US) < 0)
			return err_set(e, ERR_INTERRUPTED, NOWHERE, "interrupted");
	}
	said = last_words(f, place, from, a);
	/* A node that is half there is worse than none: it would pass for one that runs. */
	stop(f, place, a, &ignored);
	if (gone)
		return err_set(e, ERR_SYSTEM, NOWHERE, "yggdrasil ended: %s", said);
	return err_set(e, ERR_SYSTEM, NOWHERE, "yggdrasil did not answer within %d s: %s",
		START_MS / 1000, said);
}

/* "log BYTES", then "done"; *from is in the arena. */
static int parse_started(const struct output *out, const char *place, struct arena *a,
	const char **from, struct err *e)
{
	size_t digits;

	if (strncmp(out->out, "log ", 4) != 0)
		return freebsd_garbled(place, e);
	digits = strspn(out->out + 4, "0123456789");
	*from = arena_dupn(a, out->out + 4, digits);
	if (digits == 0 || digits > 15 || strcmp(out->out + 4 + digits, "\ndone\n") != 0)
		return freebsd_garbled(place, e);
	return 0;
}

int freebsd_node_start(void *self, const char *node, struct err *e)
{
	static const char *const args[] = { LOG, NULL };
	struct freebsd *f = self;
	struct arena *a = arena_new();
	const char *place = port_place(node), *from = "0";
	struct output out;
	int rc = freebsd_script(f, place, freebsd_script_start, args, a, &out, e);

	if (rc == 0)
		rc = parse_started(&out, place, a, &from, e);
	/* One that runs already may have ended a moment ago, and be started anew by daemon(8). */
	if (rc == 0)
		rc = wait_ready(f, node, from, a, e);
	if (rc < 0)
		wrap("start the node", node, e);
	arena_free(a);
	return rc;
}

/* With its jail a node ended. */
int freebsd_node_stop(void *self, const char *node, struct err *e)
{
	struct freebsd *f = self;
	const char *place = port_place(node);
	struct arena *a;
	int rc;

	if (place != NULL && !freebsd_runs(f, place))
		return 0;
	a = arena_new();
	rc = stop(f, place, a, e);
	if (rc < 0)
		wrap("stop the node", node, e);
	arena_free(a);
	return rc;
}
