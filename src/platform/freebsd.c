#include "platform/freebsd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "os/spawn.h"
#include "platform/freebsd_self.h"

bool freebsd_runs(const struct freebsd *f, const char *jail)
{
	for (size_t i = 0; i < f->n_running; i++)
		if (strcmp(f->running[i].name, jail) == 0)
			return true;
	return !f->listed;
}

/* How the host knows the jail; NULL: not at all. */
static const char *system_name(const struct freebsd *f, const char *jail)
{
	for (size_t i = 0; i < f->n_running; i++)
		if (strcmp(f->running[i].name, jail) == 0)
			return f->running[i].system;
	if (f->conf->names == NULL)
		return name_is_label(jail) ? jail : NULL;
	for (size_t i = 0; i < f->conf->n; i++)
		if (strcmp(f->conf->names[i], jail) == 0)
			return f->conf->system_names[i];
	return NULL;
}

static const char *const *jexec(const struct command *c, const char *system, struct arena *a)
{
	const char **argv;
	size_t n = 0;

	while (c->argv[n] != NULL)
		n++;
	argv = arena_alloc(a, n + 3, sizeof(*argv));
	argv[0] = "jexec";
	argv[1] = system;
	memcpy(argv + 2, c->argv, n * sizeof(*argv));
	return argv;
}

static void refuse(struct output *out, const char *why)
{
	*out = (struct output){ .status = -1, .out = "", .err = why };
}

/*
 * jexec(8) ends with 1 like any program, but a command that never ran is another thing than one that
 * failed. Its words are those of errx(3) in usr.sbin/jexec/jexec.c.
 */
static void explain(
	const struct command *c, const char *system, struct output *out, struct arena *a)
{
	const char *const not_run[] = {
		arena_printf(a, "jexec: execvp: %s: ", c->argv[0]),
		arena_printf(a, "jexec: execvp(): %s: ", c->argv[0]),
	};

	if (out->status == -1 && strcmp(out->err, SPAWN_NO_PROGRAM) == 0)
		refuse(out, "jexec: " SPAWN_NO_PROGRAM);
	if (out->status != 1 || strncmp(out->err, "jexec: ", 7) != 0)
		return;
	if (strcmp(out->err, arena_printf(a, "jexec: jail \"%s\" not found", system)) == 0) {
		refuse(out, arena_printf(a, "jail %s does not run", c->jail));
		return;
	}
	for (size_t i = 0; i < 2; i++) {
		if (strncmp(out->err, not_run[i], strlen(not_run[i])) == 0) {
			refuse(out, out->err + strlen(not_run[i]));
			return;
		}
	}
}

/* What to do goes behind what is wrong. */
static int unreachable(const struct freebsd *f, struct err *e)
{
	struct err why = *e;

	if (f->conf->unreachable != NULL)
		err_set(e, why.code, why.at, "%s; %s", why.text, f->conf->unreachable);
	return -1;
}

/* Why nothing is asked there; NULL: it is. */
static const char *kept_out(const struct freebsd *f, const char *jail, struct arena *a)
{
	if (system_name(f, jail) == NULL)
		return arena_printf(a, "jail %s does not run", jail);
	if (strs_has(&f->late, jail))
		return arena_printf(a, "jail %s did not answer in time before", jail);
	return NULL;
}

/* A jail whose programs hang is not waited for again and again, while others have somebody to get rid of. */
int freebsd_batch(struct freebsd *f, const struct command *cmds, size_t n, struct arena *a,
	struct output *outs, struct err *e)
{
	struct command *there = arena_alloc(a, n, sizeof(*there));
	struct output *answers = arena_alloc(a, n, sizeof(*answers));
	const char **why_not = arena_alloc(a, n, sizeof(*why_not));
	size_t sent = 0;

	for (size_t i = 0; i < n; i++) {
		struct command *c = &there[sent];

		*c = cmds[i];
		c->jail = NULL;
		if (cmds[i].jail != NULL) {
			why_not[i] = kept_out(f, cmds[i].jail, a);
			if (why_not[i] != NULL)
				continue;
			c->argv = jexec(&cmds[i], system_name(f, cmds[i].jail), a);
		}
		sent++;
	}
	if (sent != 0 && link_run(f->link, there, sent, a, answers, e) < 0)
		return unreachable(f, e);
	sent = 0;
	for (size_t i = 0; i < n; i++) {
		if (why_not[i] != NULL) {
			refuse(&outs[i], why_not[i]);
			continue;
		}
		outs[i] = answers[sent++];
		if (cmds[i].jail == NULL)
			continue;
		explain(&cmds[i], system_name(f, cmds[i].jail), &outs[i], a);
		if (outs[i].late && !strs_has(&f->late, cmds[i].jail)) {
			strs_push(f->a, &f->late, arena_dup(f->a, cmds[i].jail));
			strs_sort(&f->late);
		}
	}
	return 0;
}

struct command freebsd_command(
	const char *place, const char *script, const char *const *args, struct arena *a)
{
	const char **argv;
	size_t n = 0;

	while (args[n] != NULL)
		n++;
	argv = arena_alloc(a, n + 5, sizeof(*argv));
	argv[0] = "sh";
	argv[1] = "-c";
	argv[2] = script;
	argv[3] = "sh";
	memcpy(argv + 4, args, n * sizeof(*argv));
	return (struct command){ .jail = place, .argv = argv };
}

int freebsd_said(const struct output *out, struct err *e)
{
	size_t line = out->err == NULL ? 0 : strcspn(out->err, "\n");

	if (line != 0)
		return err_set(e, ERR_SYSTEM, NOWHERE, "%.*s", (int)line, out->err);
	return err_set(e, ERR_SYSTEM, NOWHERE, "sh exited with %d", out->status);
}

int freebsd_garbled(const char *place, struct err *e)
{
	return err_set(e, ERR_SYSTEM, NOWHERE,
		"%s%s answers what cannot be understood; are its sh and its programs whole?",
		place == NULL ? "the host" : "jail ", place == NULL ? "" : place);
}

int freebsd_script(struct freebsd *f, const char *place, const char *script,
	const char *const *args, struct arena *a, struct output *out, struct err *e)
{
	struct command c = freebsd_command(place, script, args, a);

	if (freebsd_batch(f, &c, 1, a, out, e) < 0)
		return -1;
	return out->status != 0 ? freebsd_said(out, e) : 0;
}

/* Jails with a name that we could not have, and jails within jails ("web.inner"), are not ours. */
static void note_running(
	struct freebsd *f, const struct strs *systems, struct arena *a, struct strs *out)
{
	f->n_running = 0;
	f->listed = true;
	for (size_t i = 0; i < systems->n; i++) {
		const char *system = systems->v[i], *name = NULL;
		struct freebsd_jail *jail;

		for (size_t j = 0; f->conf->names != NULL && j < f->conf->n; j++)
			if (strcmp(f->conf->system_names[j], system) == 0)
				name = f->conf->names[j];
		if (f->conf->names == NULL && name_is_label(system))
			name = name_fold(a, system);
		if (name == NULL || strcmp(name, HOST_NODE) == 0)
			continue;
		jail = arena_push(
			f->a, (void **)&f->running, f->n_running, &f->cap_running, sizeof(*jail));
		jail->name = arena_dup(f->a, name);
		jail->system = arena_dup(f->a, system);
		f->n_running++;
		strs_push(a, out, name);
	}
	strs_sort(out);
}

/* Two jails that differ in case alone would be one to us, and it is not ours to say which. */
static int check_twins(const struct strs *names, struct err *e)
{
	for (size_t i = 1; i < names->n; i++)
		if (strcmp(names->v[i - 1], names->v[i]) == 0)
			return err_set(e, ERR_SYSTEM, NOWHERE,
				"two jails have the name '%s' but for its case; rename one",
				names->v[i]);
	return 0;
}

static int parse_known(const struct output *out, struct arena *a, struct strs *known, struct err *e)
{
	size_t len = out->out_len;
	char *text, *line;

	if (len < 4 || memcmp(out->out + len - 4, "end\n", 4) != 0 ||
		(len > 4 && out->out[len - 5] != '\n') || strlen(out->out) != len)
		return freebsd_garbled(NULL, e);
	text = arena_dupn(a, out->out, len - 4);
	for (line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n"))
		if (name_is_label(line) && strcmp(line, HOST_NODE) != 0)
			strs_push(a, known, line);
	strs_sort(known);
	return 0;
}

static int freebsd_jails(
	void *self, struct arena *a, struct strs *running, struct strs *known, struct err *e)
{
	static const char *const jls[] = { "jls", "--libxo", "json", "name", NULL };
	static const char *const folder[] = { FREEBSD_NODES, NULL };
	struct freebsd *f = self;
	struct strs systems = { 0 };
	struct output outs[2];
	const struct command cmds[] = {
		freebsd_command(NULL, freebsd_script_list, folder, a),
		{ .argv = jls },
	};

	*running = *known = (struct strs){ 0 };
	if (freebsd_batch(f, cmds, 2, a, outs, e) < 0)
		return -1;
	if (outs[0].status != 0)
		return freebsd_said(&outs[0], e);
	if (outs[1].status != 0)
		return port_failed("jls", &outs[1], e);
	if (freebsd_parse_jls(outs[1].out, outs[1].out_len, a, &systems, e) < 0 ||
		parse_known(&outs[0], a, known, e) < 0)
		return -1;
	note_running(f, &systems, a, running);
	/* Who sets up nodes for all of its jails has let peers into those, too, that the file leaves out. */
	if (f->conf->traits.foreign_nodes)
		*known = *running;
	return check_twins(running, e);
}

static int freebsd_run(void *self, const struct command *cmds, size_t n, struct arena *a,
	struct output *outs, struct err *e)
{
	return freebsd_batch(self, cmds, n, a, outs, e);
}

/* 0: the script said "done". 1: "exists". */
static int answered(const struct output *out, const char *jail, const char *path, struct err *e)
{
	if (out->status != 0) {
		freebsd_said(out, e);
	} else if (out->out_len == 5 && memcmp(out->out, "done\n", 5) == 0) {
		return 0;
	} else if (out->out_len == 7 && memcmp(out->out, "exists\n", 7) == 0) {
		return 1;
	} else {
		freebsd_garbled(jail, e);
	}
	return err_wrap(e, "%s", path);
}

/* One script that has its path for the first of at most four arguments. */
static int on_path(struct freebsd *f, const char *script, const char *jail, const char *const *args,
	const char *input, size_t len, struct err *e)
{
	struct arena *a = arena_new();
	struct command c = freebsd_command(jail, script, args, a);
	struct output out;
	int rc;

	c.input = input;
	c.input_len = len;
	rc = freebsd_batch(f, &c, 1, a, &out, e);
	if (rc == 0)
		rc = answered(&out, jail, args[0], e);
	arena_free(a);
	return rc;
}

static int put(struct freebsd *f, const char *jail, const char *path, const void *bytes, size_t len,
	mode_t mode, const char *how, struct err *e)
{
	char octal[16], length[32];
	const char *const args[] = { path, octal, length, how, NULL };

	snprintf(octal, sizeof(octal), "%04o", (unsigned)(mode & 07777));
	snprintf(length, sizeof(length), "%zu", len);
	return on_path(f, freebsd_script_write, jail, args, bytes, len, e);
}

static int freebsd_replace(void *self, const char *jail, const char *path, const void *bytes,
	size_t len, mode_t mode, struct err *e)
{
	return put(self, jail, path, bytes, len, mode, "replace", e) < 0 ? -1 : 0;
}

static int freebsd_create(void *self, const char *jail, const char *path, const void *bytes,
	size_t len, mode_t mode, struct err *e)
{
	return put(self, jail, path, bytes, len, mode, "create", e);
}

static int freebsd_remove(void *self, const char *jail, const char *path, struct err *e)
{
	const char *const args[] = { path, NULL };

	return on_path(self, freebsd_script_remove, jail, args, NULL, 0, e) < 0 ? -1 : 0;
}

static int freebsd_mkdirs(
	void *self, const char *jail, const char *path, mode_t mode, struct err *e)
{
	char octal[16];
	const char *const args[] = { path, octal, NULL };

	snprintf(octal, sizeof(octal), "%04o", (unsigned)(~mode & 0777));
	return on_path(self, freebsd_script_mkdirs, jail, args, NULL, 0, e) < 0 ? -1 : 0;
}

static void freebsd_node_paths(
	void *self, const char *node, struct arena *a, struct node_paths *out)
{
	(void)self;
	(void)node;
	(void)a;
	*out = (struct node_paths){
		.dir = "/usr/local/etc",
		.key = FREEBSD_KEY,
		.conf = FREEBSD_CONF,
		.socket = FREEBSD_SOCKET,
	};
}

static void freebsd_close(void *self)
{
	link_close(((struct freebsd *)self)->link);
}

static int freebsd_reached(void *self, struct err *e)
{
	return link_reached(((struct freebsd *)self)->link, e);
}

static size_t freebsd_trips(void *self)
{
	return link_trips(((struct freebsd *)self)->link);
}

static const struct port_ops freebsd_ops = {
	.look = freebsd_look,
	.key_make = freebsd_key_make,
	.node_boot = freebsd_node_boot,
	.jails = freebsd_jails,
	.run = freebsd_run,
	.replace = freebsd_replace,
	.create = freebsd_create,
	.remove = freebsd_remove,
	.mkdirs = freebsd_mkdirs,
	.node_paths = freebsd_node_paths,
	.node_start = freebsd_node_start,
	.node_stop = freebsd_node_stop,
	.reached = freebsd_reached,
	.trips = freebsd_trips,
	.close = freebsd_close,
};

/*
 * jexec(8) hands our PATH to what it runs, and that of cron(8) and of rc(8) lacks the folders of packages.
 * Through ssh the link sees to that.
 */
static int widen_path(struct arena *a, struct err *e)
{
	static const char folders[] =
		"/sbin:/bin:/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin";
	const char *path = getenv("PATH");

	if (path != NULL && strstr(path, folders) != NULL)
		return 0;
	if (path != NULL && *path != '\0')
		path = arena_printf(a, "%s:%s", path, folders);
	else
		path = folders;
	return setenv("PATH", path, 1) < 0 ? err_sys(e, "setenv") : 0;
}

int freebsd_open_as(
	struct port *out, const struct freebsd_conf *conf, struct arena *a, struct err *e)
{
	struct freebsd *f;
	struct port_ops *ops;

	/* Said once, and not by everything that would fail for it. */
	if (conf->ssh == NULL && geteuid() != 0)
		return err_set(e, ERR_SYSTEM, NOWHERE,
			"to look into jails takes root; run jmesh as root, or let it reach the "
			"host by ssh");
	if (conf->ssh == NULL && widen_path(a, e) < 0)
		return -1;
	f = arena_alloc(a, 1, sizeof(*f));
	f->conf = conf;
	f->a = a;
	f->link = link_open(conf->ssh, a);
	ops = arena_alloc(a, 1, sizeof(*ops));
	*ops = freebsd_ops;
	ops->name = conf->name;
	ops->traits = conf->traits;
	*out = (struct port){ ops, f };
	return 0;
}

int freebsd_open(struct port *out, const struct platform_conf *conf, struct arena *a, struct err *e)
{
	struct freebsd_conf *own = arena_alloc(a, 1, sizeof(*own));

	*own = (struct freebsd_conf){
		.ssh = conf->ssh,
		.traits = { .saves_firewall = true, .boots_nodes = true },
		.name = "freebsd",
	};
	return freebsd_open_as(out, own, a, e);
}
