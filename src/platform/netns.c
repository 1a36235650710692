#include "platform/netns.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "os/file.h"
#include "os/proc.h"
#include "os/sock.h"
#include "platform/netns_node.h"
#include "platform/netns_space.h"

enum { ASK_MS = 5000, ASK_BYTES = 16 << 20 };

struct netns {
	const char *state_dir;
};

static int netns_jails(void *self, struct arena *a, struct strs *out, struct err *e)
{
	(void)self;
	return netns_list(a, out, e);
}

/* The folders of STATE_DIR/nodes. */
static int netns_nodes(void *self, struct arena *a, struct strs *out, struct err *e)
{
	const struct netns *n = self;
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

static int netns_run(void *self, const struct command *cmds, size_t n, struct arena *a,
	struct output *outs, struct err *e)
{
	struct proc_conf conf = PROC_CONF;
	pid_t us = getpid();

	(void)self;
	(void)e;
	conf.enter = enter;
	conf.ctx = &us;
	proc_run(cmds, n, &conf, a, outs);
	return 0;
}

static int netns_read(void *self, const char *jail, const char *path, size_t max, struct arena *a,
	const char **text, size_t *len, struct err *e)
{
	(void)self;
	(void)jail;
	return file_read(path, max, a, text, len, e);
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

static int netns_stat(
	void *self, const char *jail, const char *path, mode_t *mode, uid_t *uid, struct err *e)
{
	(void)self;
	(void)jail;
	return file_stat(path, mode, uid, e);
}

/* A Unix socket is a file: it is reached from any network namespace. */
static int netns_ask(void *self, const char *jail, const char *socket, const char *request,
	struct arena *a, const char **reply, struct err *e)
{
	(void)self;
	(void)jail;
	return sock_ask(socket, request, ASK_MS, ASK_BYTES, a, reply, e);
}

static void netns_paths(void *self, const char *node, struct arena *a, struct node_paths *out)
{
	const struct netns *n = self;

	netns_node_paths(n->state_dir, node, a, out);
}

static int netns_state(
	void *self, const char *node, struct arena *a, struct node_state *out, struct err *e)
{
	const struct netns *n = self;

	return netns_node_state(n->state_dir, node, a, out, e);
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
	.jails = netns_jails,
	.nodes = netns_nodes,
	.run = netns_run,
	.read = netns_read,
	.replace = netns_replace,
	.create = netns_create,
	.remove = netns_remove,
	.mkdirs = netns_mkdirs,
	.stat = netns_stat,
	.ask = netns_ask,
	.node_paths = netns_paths,
	.node_state = netns_state,
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
