#include "relay/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/child.h"

int spawn_pipe(int ends[2], struct err *e)
{
	if (pipe(ends) < 0)
		return err_sys(e, "cannot make a pipe");
	fcntl(ends[0], F_SETFD, FD_CLOEXEC);
	fcntl(ends[1], F_SETFD, FD_CLOEXEC);
	return 0;
}

/* In the child: only async-signal-safe calls. Never returns. */
static void run(const char *const *argv, int in_fd, int out_fd, int failed_fd, pid_t parent)
{
	sigset_t none;
	ssize_t written;
	int error;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	if (child_end_with(parent) == 0 && dup2(in_fd, STDIN_FILENO) >= 0 &&
		dup2(out_fd, STDOUT_FILENO) >= 0 && dup2(out_fd, STDERR_FILENO) >= 0)
		execvp(argv[0], (char *const *)(uintptr_t)argv);
	error = errno;
	written = write(failed_fd, &error, sizeof(error));
	(void)written;
	_exit(127);
}

/* Waits until the program is executed: the pipe closes with it, or says why not. */
static int executed(const char *program, int failed_fd, struct err *e)
{
	int error = 0;
	ssize_t n;

	do
		n = read(failed_fd, &error, sizeof(error));
	while (n < 0 && errno == EINTR);
	if (n == 0)
		return 0;
	if (n == (ssize_t)sizeof(error) && error == ENOENT)
		return err_set(
			e, ERR_SYSTEM, NOWHERE, "%s is not installed (not found in PATH)", program);
	errno = n == (ssize_t)sizeof(error) ? error : EIO;
	return err_sys(e, "cannot run %s", program);
}

int spawn(const char *const *argv, int in_fd, pid_t *pid, int *out_fd, struct err *e)
{
	int out[2] = { -1, -1 }, failed[2] = { -1, -1 };
	pid_t parent = getpid();
	int rc = -1;

	*pid = -1;
	*out_fd = -1;
	if (spawn_pipe(out, e) < 0 || spawn_pipe(failed, e) < 0)
		goto out;
	*pid = fork();
	if (*pid < 0) {
		err_sys(e, "cannot run %s", argv[0]);
		goto out;
	}
	if (*pid == 0)
		run(argv, in_fd, out[1], failed[1], parent);
	close(failed[1]);
	failed[1] = -1;
	rc = executed(argv[0], failed[0], e);
	if (rc < 0) {
		waitpid(*pid, NULL, 0);
		*pid = -1;
		goto out;
	}
	*out_fd = out[0];
	out[0] = -1;
out:
	for (int i = 0; i < 2; i++) {
		if (out[i] >= 0)
			close(out[i]);
		if (failed[i] >= 0)
			close(failed[i]);
	}
	close(in_fd);
	return rc;
}
