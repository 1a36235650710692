#include "relay/program.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/child.h"
#include "os/spawn.h"

/* In the child. Never returns. */
static void run(const char *const *argv, int in_fd, int out_fd, int failed_fd, pid_t parent)
{
	struct err e = ERR_INIT;
	ssize_t written;

	spawn_reset_signals();
	if (child_end_with(parent) < 0 || dup2(in_fd, STDIN_FILENO) < 0 ||
		dup2(out_fd, STDOUT_FILENO) < 0 || dup2(out_fd, STDERR_FILENO) < 0)
		err_sys(&e, "cannot be run");
	else
		spawn_exec(argv, &e);
	written = write(failed_fd, e.text, strlen(e.text));
	(void)written;
	_exit(127);
}

/* Waits until the program is executed: the pipe closes with it, or says why not. */
static int executed(const char *name, int failed_fd, struct err *e)
{
	char why[512];
	ssize_t n;

	do
		n = read(failed_fd, why, sizeof(why) - 1);
	while (n < 0 && errno == EINTR);
	if (n == 0)
		return 0;
	if (n < 0)
		return err_sys(e, "%s: cannot be run", name);
	why[n] = '\0';
	return err_set(e, ERR_SYSTEM, NOWHERE, "%s: %s", name, why);
}

int program_start(const char *const *argv, int in_fd, pid_t *pid, int *out_fd, struct err *e)
{
	int out[2] = { -1, -1 }, failed[2] = { -1, -1 };
	pid_t parent = getpid();
	int rc = -1;

	*pid = -1;
	*out_fd = -1;
	if (spawn_pipe(out) < 0 || spawn_pipe(failed) < 0 || (*pid = fork()) < 0) {
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
