#include "os/statelock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/clock.h"
#include "os/file.h"

#ifdef __APPLE__
#define st_mtim st_mtimespec /* stat(2) calls it so there */
#endif

enum { LOOK_NS = 20000000 };

/* "apply" of `jmesh apply …`; "" where the system does not tell. Nothing behind it: a code may be there. */
static void own_command(char *word, size_t size)
{
	char args[512];
	ssize_t n = -1;
	size_t first;
	int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);

	word[0] = '\0';
	if (fd < 0)
		return;
	n = read(fd, args, sizeof(args) - 1);
	close(fd);
	if (n <= 0)
		return;
	args[n] = '\0';
	first = strlen(args) + 1;
	if (first < (size_t)n && args[first] >= 'a' && args[first] <= 'z')
		snprintf(word, size, " %.*s",
			(int)strspn(args + first, "abcdefghijklmnopqrstuvwxyz"), args + first);
}

/*
 * Replaces what the lock file says. Its time stays: the lock is also taken where nothing changes, and
 * then nothing shall look changed.
 */
static void say(int fd, const char *text)
{
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT } };
	struct stat st;
	bool known = fstat(fd, &st) == 0;

	if (ftruncate(fd, 0) < 0 || pwrite(fd, text, strlen(text), 0) < 0)
		return; /* it is for those who wait; the lock holds without */
	if (known) {
		times[1] = st.st_mtim;
		futimens(fd, times);
	}
}

/* Nanoseconds since 1970, of the file's last mark. */
static int64_t time_of(int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return 0;
	return (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
}

static long holder(int fd)
{
	char text[32];
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

	if (n <= 0)
		return 0;
	text[n] = '\0';
	return strtol(text, NULL, 10);
}

static int busy(const char *dir, long pid, struct err *e)
{
	if (pid > 0)
		return err_set(
			e, ERR_BUSY, NOWHERE, "another jmesh (pid %ld) is at work on %s", pid, dir);
	return err_set(e, ERR_BUSY, NOWHERE, "another jmesh is at work on %s", dir);
}

/* Whether fd is what path names now: the folder may have been removed while we waited. */
static bool still_there(int fd, const char *path)
{
	struct stat a, b;

	return fstat(fd, &a) == 0 && lstat(path, &b) == 0 && a.st_dev == b.st_dev &&
		a.st_ino == b.st_ino;
}

/* 0: fd holds the lock. 1: somebody else does, *pid. -1: error. */
static int try_once(const char *dir, int *fd, long *pid, struct err *e)
{
	char path[PATH_MAX];
	int n = snprintf(path, sizeof(path), "%s/lock", dir);

	if (n < 0 || n >= (int)sizeof(path))
		return err_set(e, ERR_SYSTEM, NOWHERE, "'%s' is no usable path", dir);
	if (*fd < 0) {
		if (file_mkdirs(dir, 0700, e) < 0)
			return -1;
		*fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (*fd < 0)
			return err_sys(e, "open %s", path);
	}
	if (flock(*fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return err_sys(e, "lock %s", path);
		*pid = holder(*fd);
		return 1;
	}
	if (still_there(*fd, path))
		return 0;
	close(*fd);
	*fd = -1;
	return 1;
}

/* Waits a little; -1 when a signal handler ran, with a mask that lets it. */
static int nap(const sigset_t *mask)
{
	struct timespec ts = { .tv_nsec = LOOK_NS };

	return pselect(0, NULL, NULL, NULL, &ts, mask);
}

int statelock_take(struct statelock *l, const char *state_dir, int wait_s,
	void (*told)(void *ctx, long pid), void *ctx, struct err *e)
{
	int64_t until = clock_ms() + (int64_t)wait_s * 1000;
	bool waiting = false;
	sigset_t all, mask;
	char text[64], word[24];
	int fd = -1, rc;
	long pid = 0;

	/* Signals come while we nap, and only then: none is lost between two naps. */
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &mask);
	while ((rc = try_once(state_dir, &fd, &pid, e)) == 1) {
		if (fd < 0)
			continue;
		if (clock_ms() >= until) {
			rc = busy(state_dir, pid, e);
			break;
		}
		if (!waiting && told != NULL)
			told(ctx, pid);
		waiting = true;
		if (nap(&mask) < 0) {
			rc = err_set(e, ERR_INTERRUPTED, NOWHERE,
				"interrupted while waiting for another jmesh on %s", state_dir);
			break;
		}
	}
	pthread_sigmask(SIG_SETMASK, &mask, NULL);
	if (rc < 0) {
		if (fd >= 0)
			close(fd);
		return -1;
	}
	own_command(word, sizeof(word));
	snprintf(text, sizeof(text), "%ld jmesh%s\n", (long)getpid(), word);
	l->marked = time_of(fd);
	say(fd, text);
	l->fd = fd;
	return 0;
}

int statelock_mark(struct statelock *l, struct err *e)
{
	return futimens(l->fd, NULL) < 0 ? err_sys(e, "mark the state lock") : 0;
}

void statelock_drop(struct statelock *l)
{
	if (l->fd < 0)
		return;
	say(l->fd, "");
	close(l->fd);
	l->fd = -1;
}
