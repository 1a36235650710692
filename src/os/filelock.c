#include "os/filelock.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <sys/file.h>
#include <sys/select.h>
#include <unistd.h>

#include "os/clock.h"

enum { LOOK_NS = 50000000 };

int filelock_take(const char *path, int wait_s, const char *who, struct err *e)
{
	const struct timespec nap = { .tv_nsec = LOOK_NS };
	int64_t until = clock_ms() + (int64_t)wait_s * 1000;
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600), rc = 0;
	sigset_t all, mask;

	if (fd < 0)
		return err_sys(e, "open %s", path);
	/* Signals come while we nap, and only then: none is lost between two naps. */
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &mask);
	while (rc == 0 && flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			rc = err_sys(e, "lock %s", path);
		else if (clock_ms() >= until)
			rc = err_set(e, ERR_BUSY, NOWHERE,
				"%s is at work and holds %s; run jmesh again when it is done", who,
				path);
		else if (pselect(0, NULL, NULL, NULL, &nap, &mask) < 0)
			rc = err_set(e, ERR_INTERRUPTED, NOWHERE,
				"interrupted while waiting for %s, which holds %s", who, path);
	}
	pthread_sigmask(SIG_SETMASK, &mask, NULL);
	if (rc == 0)
		return fd;
	close(fd);
	return -1;
}

void filelock_drop(int fd)
{
	if (fd >= 0)
		close(fd);
}
