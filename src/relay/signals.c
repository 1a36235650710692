#include "relay/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "os/spawn.h"

/* The pipe only wakes; what came is in the flags, so that a full pipe loses nothing. */
static int wake[2] = { -1, -1 };
static bool hangup_taken;
static volatile sig_atomic_t wake_fd = -1, stop_wanted, reload_wanted;

static void on_signal(int sig)
{
	int saved = errno;
	ssize_t written;

	if (sig == SIGHUP)
		reload_wanted = 1;
	else
		stop_wanted = 1;
	written = write((int)wake_fd, "", 1);
	(void)written;
	errno = saved;
}

int signals_catch(bool reload, int *fd, struct err *e)
{
	struct sigaction act = { .sa_handler = on_signal };

	if (spawn_pipe(wake) < 0)
		return err_sys(e, "cannot make a pipe");
	/* The handler must not block. */
	fcntl(wake[1], F_SETFL, O_NONBLOCK);
	stop_wanted = reload_wanted = 0;
	wake_fd = wake[1];
	sigemptyset(&act.sa_mask);
	sigaction(SIGTERM, &act, NULL);
	sigaction(SIGINT, &act, NULL);
	hangup_taken = reload;
	if (reload)
		sigaction(SIGHUP, &act, NULL);
	act.sa_handler = SIG_IGN;
	sigaction(SIGPIPE, &act, NULL);
	*fd = wake[0];
	return 0;
}

struct signals signals_taken(void)
{
	struct signals taken = { 0 };
	ssize_t n;
	char c[64];

	/* Emptied first: a signal that comes after this wakes again. */
	n = read(wake[0], c, sizeof(c));
	(void)n;
	taken.stop = stop_wanted != 0;
	taken.reload = reload_wanted != 0;
	reload_wanted = 0;
	return taken;
}

void signals_release(void)
{
	if (wake[0] < 0)
		return;
	signal(SIGTERM, SIG_DFL);
	signal(SIGINT, SIG_DFL);
	if (hangup_taken)
		signal(SIGHUP, SIG_DFL);
	wake_fd = -1;
	close(wake[0]);
	close(wake[1]);
	wake[0] = wake[1] = -1;
}
