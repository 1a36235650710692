#include "platform/netns_node.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/clock.h"
#include "os/file.h"
#include "os/sock.h"
#include "os/spawn.h"
#include "platform/netns_process.h"
#include "platform/netns_space.h"

enum {
	START_MS = 10000,
	STOP_MS = 5000,
	LOOK_US = 10000,
	LOG_MAX = 1 << 20, /* a larger log makes room for a new one when the node starts */
	TAIL = 16384,      /* bytes of a log's end in which its last line is sought */
	REPLY_MAX = 1 << 20,
};

struct files {
	struct node_paths paths;
	const char *pid, *log, *old_log;
};

void netns_node_paths(
	const char *state_dir, const char *node, struct arena *a, struct node_paths *out)
{
	out->dir = arena_printf(a, "%s/nodes/%s", state_dir, node);
	out->key = arena_printf(a, "%s/key.pem", out->dir);
	out->conf = arena_printf(a, "%s/yggdrasil.conf", out->dir);
	out->socket = arena_printf(a, "%s/yggdrasil.sock", out->dir);
}

static int files_of(
	const char *state_dir, const char *node, struct arena *a, struct files *f, struct err *e)
{
	if (!name_is_label(node))
		return err_set(e, ERR_SYSTEM, NOWHERE, "'%s' cannot be the name of a node", node);
	netns_node_paths(state_dir, node, a, &f->paths);
	f->pid = arena_printf(a, "%s/yggdrasil.pid", f->paths.dir);
	f->log = arena_printf(a, "%s/yggdrasil.log", f->paths.dir);
	f->old_log = arena_printf(a, "%s.1", f->log);
	/* What cannot be seen must not pass for a node that does not run. */
	if (faccessat(AT_FDCWD, f->paths.dir, X_OK, AT_EACCESS) < 0 && errno == EACCES)
		return err_sys(e, "look into %s", f->paths.dir);
	return 0;
}

int netns_node_state(const char *state_dir, const char *node, struct arena *a,
	struct node_state *out, struct err *e)
{
	struct err gone = ERR_INIT;
	struct files f;
	int space, rc = 0;
	pid_t pid;

	*out = (struct node_state){ 0 };
	if (files_of(state_dir, node, a, &f, e) < 0)
		return -1;
	space = netns_space(port_place(node), &gone);
	pid = process_find(f.pid, f.paths.conf, space, a);
	if (pid != 0 && space >= 0 && !process_is_in(pid, space)) {
		out->astray = process_start(pid) != 0;
	} else if (pid != 0) {
		out->running = true;
		out->pid = pid;
		rc = process_listening(pid, a, &out->listening, e);
		/* It may have ended while we looked. */
		if (process_start(pid) == 0) {
			*out = (struct node_state){ 0 };
			rc = 0;
		}
	}
	if (space >= 0)
		close(space);
	return rc;
}

/* The last line that the log got since it had `from` bytes, or what a Go program says when it breaks. */
static const char *last_words(const char *log, off_t from, struct arena *a)
{
	char *text = arena_alloc(a, TAIL + 1, 1);
	const char *last = "its log is empty";
	int fd = open(log, O_RDONLY | O_CLOEXEC);
	struct stat st;
	ssize_t n = 0;

	if (fd >= 0 && fstat(fd, &st) == 0 && st.st_size > from) {
		off_t at = st.st_size - from > TAIL ? st.st_size - TAIL : from;

		n = pread(fd, text, TAIL, at);
	}
	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = '\0';
	for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
		if (line[strspn(line, " \t\r")] == '\0')
			continue;
		last = line;
		if (strncmp(line, "panic: ", 7) == 0)
			break; /* what follows is a trace */
	}
	return last;
}

/* Everything that the new process needs, opened while failing is still easy. */
struct launch {
	const struct files *f;
	const char *node;
	int space, log, null, note;
};

/*
 * Becomes the node. Until exec it holds all that jmesh had open, the state lock too: the next jmesh,
 * after ours was killed this very moment, waits until the node can be found. So the pid file is written
 * here, before exec, and only exec closes the descriptors.
 */
static _Noreturn void become_node(const struct launch *l)
{
	const char *const argv[] = { "yggdrasil", "-useconffile", l->f->paths.conf, NULL };
	const char *path = getenv("PATH");
	struct err e = ERR_INIT;

	spawn_reset_signals();
	umask(077);
	/* Our environment may hold a pairing code. */
	path = path == NULL ? "/usr/sbin:/usr/bin:/sbin:/bin" : strdup(path);
	/* Ours close on exec anyway; this is for those that jmesh itself inherited. */
	close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
	if (chdir("/") < 0 || dup2(l->null, 0) < 0 || dup2(l->log, 1) < 0 || dup2(l->log, 2) < 0 ||
		path == NULL || clearenv() != 0 || setenv("PATH", path, 1) < 0)
		err_sys(&e, "prepare the process");
	else if (netns_enter(l->space, l->node, &e) == 0 && process_record(l->f->pid, &e) == 0) {
		spawn_exec(argv, &e);
		err_wrap(&e, "yggdrasil");
		unlink(l->f->pid);
	}
	file_write_all(l->note, e.text, strlen(e.text));
	_exit(127);
}

/* Why the process did not come to be; 0 when it did. Its end of the pipe closes with exec. */
static int heard(int note, struct err *e)
{
	char text[sizeof(e->text)];
	struct pollfd p = { .fd = note, .events = POLLIN };
	int64_t until = clock_ms() + START_MS, left;
	ssize_t n;

	do
		left = until - clock_ms();
	while (poll(&p, 1, left > 0 ? (int)left : 0) < 0 && errno == EINTR && left > 0);
	if (p.revents == 0)
		return err_set(e, ERR_SYSTEM, NOWHERE, "its process did not come to be in time");
	n = read(note, text, sizeof(text) - 1);
	if (n <= 0)
		return 0;
	text[n] = '\0';
	return err_set(e, ERR_SYSTEM, NOWHERE, "%s", text);
}

static int launch(struct launch *l, struct err *e)
{
	int note[2], status = 0, rc;
	pid_t pid;

	if (spawn_pipe(note) < 0)
		return err_sys(e, "pipe");
	l->note = note[1];
	pid = fork();
	if (pid == 0) {
		/* Forked twice: the node is nobody's child and can never get a terminal. */
		setsid();
		pid = fork();
		if (pid == 0)
			become_node(l);
		_exit(pid < 0);
	}
	close(note[1]);
	if (pid < 0) {
		err_sys(e, "fork");
		close(note[0]);
		return -1;
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (status != 0)
		rc = err_set(e, ERR_SYSTEM, NOWHERE, "its process could not be forked");
	else
		rc = heard(note[0], e);
	close(note[0]);
	return rc;
}

/*
 * Whether the node is whole. Its admin socket answers before its interface is there, and it ends when
 * that fails; `gettun` is known only afterwards (yggdrasil-go 0.5, cmd/yggdrasil/main.go).
 */
static bool answers(const char *socket, struct arena *a)
{
	const char *reply;
	struct err e;

	return sock_ask(socket, "{\"request\":\"gettun\"}", 1000, REPLY_MAX, a, &reply, &e) == 0 &&
		strstr(reply, "\"success\"") != NULL;
}

static int wait_ready(const struct launch *l, off_t from, struct arena *a, struct err *e)
{
	int64_t until = clock_ms() + START_MS;
	pid_t pid = 0;

	while (clock_ms() < until) {
		struct arena *scratch = arena_new();
		bool ready = answers(l->f->paths.socket, scratch);

		pid = process_find(l->f->pid, l->f->paths.conf, -1, scratch);
		arena_free(scratch);
		if (pid == 0) {
			file_remove(l->f->pid, e);
			file_remove(l->f->paths.socket, e);
			return err_set(e, ERR_SYSTEM, NOWHERE, "yggdrasil ended: %s",
				last_words(l->f->log, from, a));
		}
		if (ready)
			return 0;
		clock_nap_us(LOOK_US);
	}
	/* A node that is half there is worse than none: it would pass for one that runs. */
	if (process_stop(pid, l->f->paths.conf, STOP_MS, e) == 0)
		err_set(e, ERR_SYSTEM, NOWHERE, "yggdrasil did not answer within %d s: %s",
			START_MS / 1000, last_words(l->f->log, from, a));
	return -1;
}

/* The log, appended to; *from is its size now. */
static int open_log(const struct files *f, off_t *from, struct err *e)
{
	struct stat st;
	int fd;

	if (lstat(f->log, &st) == 0 && st.st_size > LOG_MAX && rename(f->log, f->old_log) < 0)
		return err_sys(e, "rename %s", f->log);
	fd = open(f->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	fd = spawn_high_fd(fd);
	if (fd < 0 || fstat(fd, &st) < 0) {
		err_sys(e, "open %s", f->log);
		if (fd >= 0)
			close(fd);
		return -1;
	}
	*from = st.st_size;
	return fd;
}

/* What must be so before a process is made. 1: it runs already. */
static int prepare(const struct files *f, int space, struct arena *a, struct err *e)
{
	struct stat st;
	pid_t pid;

	if (sock_path_fits(f->paths.socket, e) < 0)
		return -1;
	if (stat(f->paths.conf, &st) < 0)
		return err_sys(e, "its configuration %s", f->paths.conf);
	pid = process_find(f->pid, f->paths.conf, space, a);
	if (pid != 0 && process_is_in(pid, space))
		return 1;
	/* Its jail was made anew, and it stayed behind in the old namespace. */
	if (pid != 0 && process_stop(pid, f->paths.conf, STOP_MS, e) < 0)
		return -1;
	return file_remove(f->pid, e) < 0 || file_remove(f->paths.socket, e) < 0 ? -1 : 0;
}

int netns_node_start(const char *state_dir, const char *node, struct err *e)
{
	struct arena *a = arena_new();
	struct launch l = { .node = node, .space = -1, .log = -1, .null = -1 };
	struct files f;
	off_t from = 0;
	int rc = files_of(state_dir, node, a, &f, e);

	if (rc < 0)
		goto out;
	l.f = &f;
	rc = l.space = netns_space(port_place(node), e);
	if (rc >= 0)
		rc = prepare(&f, l.space, a, e);
	if (rc != 0) {
		rc = rc > 0 ? 0 : -1;
		goto out;
	}
	l.null = spawn_high_fd(open("/dev/null", O_RDONLY | O_CLOEXEC));
	l.log = open_log(&f, &from, e);
	if (l.log < 0 || l.null < 0) {
		rc = l.log < 0 ? -1 : err_sys(e, "open /dev/null");
		goto out;
	}
	/* Asked while it still registers what it answers, the daemon may crash; then once more. */
	for (int tries = 0; tries < 2; tries++) {
		rc = launch(&l, e);
		if (rc == 0)
			rc = wait_ready(&l, from, a, e);
		if (rc == 0 || process_find(f.pid, f.paths.conf, l.space, a) != 0)
			break;
	}
out:
	if (rc < 0)
		err_wrap(e, "start the node of %s", port_place(node) == NULL ? "the host" : node);
	for (int i = 0, fds[] = { l.space, l.log, l.null }; i < 3; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	arena_free(a);
	return rc;
}

int netns_node_stop(const char *state_dir, const char *node, struct err *e)
{
	struct arena *a = arena_new();
	struct err gone = ERR_INIT;
	struct files f;
	int space = -1, rc = files_of(state_dir, node, a, &f, e);
	pid_t pid;

	if (rc < 0)
		goto out;
	/* Its jail may be gone: then only the pid file can tell of it. */
	space = netns_space(port_place(node), &gone);
	pid = process_find(f.pid, f.paths.conf, space, a);
	if (pid != 0 && process_stop(pid, f.paths.conf, STOP_MS, e) < 0)
		rc = -1;
	else if (file_remove(f.pid, e) < 0 || file_remove(f.paths.socket, e) < 0)
		rc = -1;
	if (rc < 0)
		err_wrap(e, "stop the node of %s", port_place(node) == NULL ? "the host" : node);
out:
	if (space >= 0)
		close(space);
	arena_free(a);
	return rc;
}
