#include "os/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "os/child.h"
#include "os/file.h"

int spawn_high_fd(int fd)
{
	int high, saved;

	if (fd < 0)
		return -1;
	high = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	saved = errno;
	close(fd);
	errno = saved;
	return high;
}

int spawn_pipe(int ends[2])
{
	int saved;

	if (pipe(ends) < 0)
		return -1;
	ends[0] = spawn_high_fd(ends[0]);
	ends[1] = spawn_high_fd(ends[1]);
	if (ends[0] >= 0 && ends[1] >= 0)
		return 0;
	saved = errno;
	for (int i = 0; i < 2; i++)
		if (ends[i] >= 0)
			close(ends[i]);
	ends[0] = ends[1] = -1;
	errno = saved;
	return -1;
}

void spawn_reset_signals(void)
{
	struct sigaction dfl = { .sa_handler = SIG_DFL };
	sigset_t none;

	sigemptyset(&dfl.sa_mask);
	for (int sig = 1; sig <= SIGRTMAX; sig++)
		sigaction(sig, &dfl, NULL); /* fails for SIGKILL and SIGSTOP, rightly */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

int spawn_exec(const char *const *argv, struct err *e)
{
	static const char *const sbin[] = { "/usr/local/sbin", "/usr/sbin", "/sbin" };
	char *const *words = (char *const *)argv;
	char path[256];

	execvp(words[0], words);
	for (size_t i = 0; i < sizeof(sbin) / sizeof(sbin[0]); i++) {
		/* EACCES: a folder of PATH that this user may not look into. */
		if ((errno != ENOENT && errno != EACCES) || strchr(words[0], '/') != NULL)
			break;
		if (snprintf(path, sizeof(path), "%s/%s", sbin[i], words[0]) < (int)sizeof(path))
			execv(path, words);
	}
	if (errno == ENOENT)
		return err_set(e, ERR_SYSTEM, NOWHERE, SPAWN_NO_PROGRAM);
	return err_sys(e, "cannot be run");
}

static int unnamed_file(void)
{
#ifdef __linux__
	return linux_memfd();
#else
	char name[] = "/tmp/jmesh.XXXXXX";
	int fd = mkstemp(name);

	if (fd >= 0)
		unlink(name);
	return fd;
#endif
}

static int open_input(const struct command *c, struct err *e)
{
	int fd;

	if (c->input == NULL || c->input_len == 0) {
		fd = spawn_high_fd(open("/dev/null", O_RDONLY | O_CLOEXEC));
		return fd < 0 ? err_sys(e, "open /dev/null") : fd;
	}
	fd = spawn_high_fd(unnamed_file());
	if (fd < 0)
		return err_sys(e, "a file for standard input");
	if (file_write_all(fd, c->input, c->input_len) < 0 || lseek(fd, 0, SEEK_SET) < 0) {
		err_sys(e, "a file for standard input");
		close(fd);
		return -1;
	}
	return fd;
}

enum { IN, IN_W, OUT, OUT_W, ERR, ERR_W, NOTE, NOTE_W, FDS };

/* What there is to do between fork and exec. */
struct plan {
	const struct command *cmd;
	spawn_enter *enter;
	void *ctx;
	bool session;
};

static int settle(const struct plan *p, const int *fd, pid_t parent, struct err *e)
{
	if (dup2(fd[IN], 0) < 0 || dup2(fd[OUT_W], 1) < 0 || dup2(fd[ERR_W], 2) < 0)
		return err_sys(e, "dup2");
	if (setenv("LC_ALL", "C", 1) < 0)
		return err_sys(e, "setenv");
	if (p->session && child_end_with(parent) < 0)
		return err_set(e, ERR_SYSTEM, NOWHERE, "jmesh ended");
	return p->enter == NULL ? 0 : p->enter(p->ctx, p->cmd->jail, e);
}

static _Noreturn void child(const struct plan *p, const int *fd, pid_t parent)
{
	struct err e = ERR_INIT;

	if (p->session)
		setsid();
	else
		setpgid(0, 0);
	spawn_reset_signals();
	if (settle(p, fd, parent, &e) == 0)
		spawn_exec(p->cmd->argv, &e);
	/* Shorter than PIPE_BUF, so it is there whole or not at all. */
	file_write_all(fd[NOTE_W], e.text, strlen(e.text));
	_exit(127);
}

static void close_all(const int *fds, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

static int pipes(int *fd, struct err *e)
{
	if (spawn_pipe(&fd[OUT]) < 0 || spawn_pipe(&fd[ERR]) < 0 || spawn_pipe(&fd[NOTE]) < 0 ||
		fcntl(fd[OUT], F_SETFL, O_NONBLOCK) < 0 ||
		fcntl(fd[ERR], F_SETFL, O_NONBLOCK) < 0 || fcntl(fd[NOTE], F_SETFL, O_NONBLOCK) < 0)
		return err_sys(e, "pipe");
	return 0;
}

/* fd[IN] and fd[IN_W] are there already; all are taken over. */
static int start(const struct plan *p, int fd[FDS], struct spawned *s, struct err *e)
{
	pid_t parent = getpid(), pid;

	if (pipes(fd, e) < 0)
		goto fail;
	pid = fork();
	if (pid < 0) {
		err_sys(e, "fork");
		goto fail;
	}
	if (pid == 0)
		child(p, fd, parent);
	/*
	 * On both sides, so that the group is there before either relies on it. But who leads a group can
	 * begin no session.
	 */
	if (!p->session)
		setpgid(pid, pid);
	close(fd[IN]);
	close(fd[OUT_W]);
	close(fd[ERR_W]);
	close(fd[NOTE_W]);
	*s = (struct spawned){ pid, fd[OUT], fd[ERR], fd[NOTE] };
	return 0;
fail:
	close_all(fd, FDS);
	return -1;
}

int spawn(const struct command *c, spawn_enter *enter, void *ctx, struct spawned *s, struct err *e)
{
	const struct plan p = { .cmd = c, .enter = enter, .ctx = ctx };
	int fd[FDS] = { -1, -1, -1, -1, -1, -1, -1, -1 };

	fd[IN] = open_input(c, e);
	if (fd[IN] < 0)
		return -1;
	return start(&p, fd, s, e);
}

int spawn_session(const char *const *argv, struct spawned *s, int *in, struct err *e)
{
	const struct command c = { .argv = argv };
	const struct plan p = { .cmd = &c, .session = true };
	int fd[FDS] = { -1, -1, -1, -1, -1, -1, -1, -1 };

	if (spawn_pipe(&fd[IN]) < 0)
		return err_sys(e, "pipe");
	*in = fd[IN_W];
	if (fcntl(*in, F_SETFL, O_NONBLOCK) < 0) {
		err_sys(e, "pipe");
		close_all(fd, FDS);
		return -1;
	}
	return start(&p, fd, s, e);
}
