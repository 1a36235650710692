#include "platform/netns.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/key.h"
#include "os/file.h"
#include "os/proc.h"
#include "os/sock.h"
#include "platform/netns_key.h"
#include "platform/netns_node.h"
#include "platform/netns_space.h"

enum { ASK_MS = 5000, ASK_BYTES = 16 << 20 };

struct netns {
	const char *state_dir;
};

/* The folders of STATE_DIR/nodes. */
static int known_nodes(const struct netns *n, struct arena *a, struct strs *out, struct err *e)
{
	const char *path = arena_printf(a, "%s/nodes", n->state_dir);
	DIR *dir = opendir(path);
	struct dirent *entry;

	*out = (struct strs){ 0 };
	if (dir == NULL)
		return errno == ENOENT ? 0 : err_sys(e, "open %s", path);
	errno = 0;
	while ((entry = readdir(dir)) != NULL) {
		if (name_is_label(entry->d_name) && strcmp(entry->d_name, HOST_NODE) != 0)
			strs_push(a, out, arena_dup(a, entry->d_name));
		errno = 0;
	}
	if (errno != 0) {
		err_sys(e, "read %s", path);
		closedir(dir);
		return -1;
	}
	closedir(dir);
	strs_sort(out);
	return 0;
}

static int netns_jails(
	void *self, struct arena *a, struct strs *running, struct strs *known, struct err *e)
{
	if (netns_list(a, running, e) < 0)
		return -1;
	return known_nodes(self, a, known, e);
}

/*
 * In the child. A program ends with jmesh: one that outlived it could open the firewall to somebody whom
 * the next jmesh has just found absent.
 */
static int enter(void *ctx, const char *jail, struct err *e)
{
	pid_t parent = *(pid_t *)ctx;
	int fd, rc;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return err_sys(e, "prctl");
	if (getppid() != parent)
		_exit(127); /* it ended before the line above */
	if (jail == NULL)
		return 0;
	fd = netns_space(jail, e);
	if (fd < 0)
		return -1;
	rc = netns_enter(fd, jail, e);
	close(fd);
	return rc;
}

static void run_all(const struct command *cmds, size_t n, struct arena *a, struct output *outs)
{
	struct proc_conf conf = PROC_CONF;
	pid_t us = getpid();

	conf.enter = enter;
	conf.ctx = &us;
	proc_run(cmds, n, &conf, a, outs);
}

static int netns_run(void *self, const struct command *cmds, size_t n, struct arena *a,
	struct output *outs, struct err *e)
{
	(void)self;
	(void)e;
	run_all(cmds, n, a, outs);
	return 0;
}

/* The files of a jail are the host's. */
static int look_file(struct look *v, struct arena *a)
{
	int rc = file_read(v->path, v->max, a, &v->text, &v->len, &v->err);

	/* Where it lies: there is no other copy. */
	if (rc == 0)
		key_mask((char *)v->text, v->len);
	return rc;
}

/* A Unix socket is a file: it is reached from any network namespace. */
static int look_ask(struct look *v, const struct look *last, struct arena *a)
{
	/* A daemon that let one question time out is not waited for again. */
	if (last != NULL && last->kind == LOOK_ASK && last->rc < 0 &&
		strcmp(last->path, v->path) == 0) {
		v->err = last->err;
		return -1;
	}
	return sock_ask(v->path, v->request, ASK_MS, ASK_BYTES, a, &v->text, &v->err);
}

static int look_one(const struct netns *n, struct look *v, const struct look *last, struct arena *a)
{
	int rc;

	switch (v->kind) {
	case LOOK_FILE:
		return look_file(v, a);
	case LOOK_KEY:
		return netns_key_look(n->state_dir, v->place, a, &v->key, &v->err);
	case LOOK_NODE:
		rc = netns_node_state(n->state_dir, v->place, a, &v->state, &v->err);
		v->state.at_boot = true;
		return rc;
	case LOOK_SIGN:
		rc = netns_key_sign(n->state_dir, v->place, v->request, a, &v->text, &v->err);
		v->len = rc == 0 ? strlen(v->text) : 0;
		return rc;
	case LOOK_ASK:
		rc = look_ask(v, last, a);
		v->len = rc == 0 ? strlen(v->text) : 0;
		return rc;
	case LOOK_RUN:
		break;
	}
	return 0;
}

static int netns_look(void *self, struct look *v, size_t n, struct arena *a, struct err *e)
{
	struct command *cmds = arena_alloc(a, n, sizeof(*cmds));
	struct output *outs = arena_alloc(a, n, sizeof(*outs));
	size_t n_cmds = 0;

	(void)e;
	for (size_t i = 0; i < n; i++) {
		v[i].rc = look_one(self, &v[i], i == 0 ? NULL : &v[i - 1], a);
		if (v[i].kind == LOOK_RUN)
			cmds[n_cmds++] = v[i].cmd;
	}
	run_all(cmds, n_cmds, a, outs);
	for (size_t i = n; i-- > 0;)
		if (v[i].kind == LOOK_RUN)
			v[i].output = outs[--n_cmds];
	return 0;
}

static int netns_key(void *self, const char *node, struct err *e)
{
	const struct netns *n = self;

	return netns_key_make(n->state_dir, node, e);
}

static int netns_replace(void *self, const char *jail, const char *path, const void *bytes,
	size_t len, mode_t mode, struct err *e)
{
	(void)self;
	(void)jail;
	return file_replace(path, bytes, len, mode, e);
}

static int netns_create(void *self, const char *jail, const char *path, const void *bytes,
	size_t len, mode_t mode, struct err *e)
{
	(void)self;
	(void)jail;
	return file_create(path, bytes, len, mode, e);
}

static int netns_remove(void *self, const char *jail, const char *path, struct err *e)
{
	(void)self;
	(void)jail;
	return file_remove(path, e);
}

static int netns_mkdirs(void *self, const char *jail, const char *path, mode_t mode, struct err *e)
{
	(void)self;
	(void)jail;
	return file_mkdirs(path, mode, e);
}

static void netns_paths(void *self, const char *node, struct arena *a, struct node_paths *out)
{
	const struct netns *n = self;

	netns_node_paths(n->state_dir, node, a, out);
}

static int netns_start(void *self, const char *node, struct err *e)
{
	const struct netns *n = self;

	return netns_node_start(n->state_dir, node, e);
}

static int netns_stop(void *self, const char *node, struct err *e)
{
	const struct netns *n = self;

	return netns_node_stop(n->state_dir, node, e);
}

static void netns_close(void *self)
{
	(void)self; /* it lives in an arena and holds nothing open */
}

static const struct port_ops netns_ops = {
	.name = "netns",
	.look = netns_look,
	.key_make = netns_key,
	.jails = netns_jails,
	.run = netns_run,
	.replace = netns_replace,
	.create = netns_create,
	.remove = netns_remove,
	.mkdirs = netns_mkdirs,
	.node_paths = netns_paths,
	.node_start = netns_start,
	.node_stop = netns_stop,
	.close = netns_close,
};

int netns_open(struct port *out, const struct platform_conf *conf, struct arena *a, struct err *e)
{
	const char *state_dir = conf->state_dir;
	struct netns *n;

	if (state_dir == NULL || state_dir[0] != '/')
		return err_set(e, ERR_CONFIG, NOWHERE, "the state folder '%s' is no absolute path",
			state_dir == NULL ? "" : state_dir);
	/* Said once, and not by everything that would fail for it. */
	if (geteuid() != 0)
		return err_set(e, ERR_SYSTEM, NOWHERE,
			"jails are network namespaces here, and to look into them takes root; run "
			"jmesh as root");
	n = arena_alloc(a, 1, sizeof(*n));
	n->state_dir = state_dir;
	*out = (struct port){ &netns_ops, n };
	return 0;
}
