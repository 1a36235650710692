#include "os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#include "os/clock.h"

enum { TURN_MS = 10000 }; /* how long another writer of the same file may take */

int file_write_all(int fd, const void *bytes, size_t len)
{
	const char *at = bytes;

	while (len > 0) {
		ssize_t put = write(fd, at, len);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return -1;
		at += put;
		len -= (size_t)put;
	}
	return 0;
}

/* Reads to the end; the file may grow or have no size (as in /proc) meanwhile. */
static int read_whole(int fd, const char *path, size_t guess, size_t max, struct arena *a,
	const char **text, size_t *len, struct err *e)
{
	size_t cap = (guess < max ? guess : max) + 2, n = 0;
	char *buf = arena_alloc(a, cap, 1);

	for (;;) {
		ssize_t got = read(fd, buf + n, cap - 1 - n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_sys(e, "read %s", path);
		if (got == 0)
			break;
		n += (size_t)got;
		if (n > max)
			return err_set(
				e, ERR_SYSTEM, NOWHERE, "%s is larger than %zu bytes", path, max);
		if (n == cap - 1) {
			char *more = arena_alloc(a, cap += cap < 4096 ? 4096 : cap, 1);

			memcpy(more, buf, n);
			sodium_memzero(buf, n); /* it may be a key: only one copy is the caller's */
			buf = more;
		}
	}
	buf[n] = '\0';
	*text = buf;
	*len = n;
	return 0;
}

int file_read(const char *path, size_t max, struct arena *a, const char **text, size_t *len,
	struct err *e)
{
	struct stat st;
	int rc = -1, fd;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 && errno == ENOENT)
		return 1;
	if (fd < 0)
		return err_sys(e, "read %s", path);
	if (fstat(fd, &st) < 0)
		err_sys(e, "read %s", path);
	else if (S_ISDIR(st.st_mode))
		err_set(e, ERR_SYSTEM, NOWHERE, "%s is a folder, not a file", path);
	else if (!S_ISREG(st.st_mode))
		err_set(e, ERR_SYSTEM, NOWHERE, "%s is not a regular file", path);
	else if (st.st_size > 0 && (uintmax_t)st.st_size > max)
		err_set(e, ERR_SYSTEM, NOWHERE, "%s is larger than %zu bytes", path, max);
	else
		rc = read_whole(fd, path, (size_t)st.st_size, max, a, text, len, e);
	close(fd);
	return rc;
}

/* The folder of path, and path's new file beside it. */
static int split(const char *path, char dir[PATH_MAX], char tmp[PATH_MAX], struct err *e)
{
	const char *slash = strrchr(path, '/');
	const char *base = slash == NULL ? path : slash + 1;
	int up = slash == NULL ? 0 : (int)(slash - path) + 1;
	int n = snprintf(tmp, PATH_MAX, "%.*s.%s.tmp", up, path, base);

	if (*base == '\0' || n < 0 || n >= PATH_MAX)
		return err_set(e, ERR_SYSTEM, NOWHERE, "%s: no usable file name", path);
	snprintf(dir, PATH_MAX, "%.*s", up == 0 ? 1 : up, up == 0 ? "." : path);
	return 0;
}

static int sync_dir(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc, saved;

	if (fd < 0)
		return -1;
	rc = fsync(fd);
	if (rc < 0 && errno == EINVAL)
		rc = 0; /* a file system that has no such thing */
	saved = errno;
	close(fd);
	errno = saved;
	return rc;
}

static bool is_at(int fd, const char *path)
{
	struct stat a, b;

	return fstat(fd, &a) == 0 && lstat(path, &b) == 0 && a.st_dev == b.st_dev &&
		a.st_ino == b.st_ino;
}

/*
 * Takes away a new file that nobody writes any more. Its content is left alone: file_create may have
 * been killed when the file had both its names. 0: gone. 1: somebody writes it. -1: errno.
 */
static int sweep(const char *tmp)
{
	int fd = open(tmp, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC), rc = 0, saved;

	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0)
		return errno == ELOOP || errno == EMLINK ? unlink(tmp) : -1;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		rc = errno == EWOULDBLOCK ? 1 : -1;
	else if (is_at(fd, tmp))
		rc = unlink(tmp);
	saved = errno;
	close(fd);
	errno = saved;
	return rc;
}

/*
 * A new file that is ours alone: locked, and (looked at after locking) still at its name, because
 * another writer may have swept it between its creation and its lock.
 */
static int open_new(const char *tmp)
{
	int64_t until = clock_ms() + TURN_MS;
	int fd, rc;

	for (;;) {
		fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (fd >= 0) {
			if (flock(fd, LOCK_EX | LOCK_NB) == 0 && is_at(fd, tmp))
				return fd;
			close(fd);
			rc = 1;
		} else if (errno == EEXIST) {
			rc = sweep(tmp);
		} else {
			return -1;
		}
		if (rc < 0)
			return -1;
		if (clock_ms() > until) {
			errno = EBUSY;
			return -1;
		}
		if (rc == 1)
			clock_nap_us(2000);
	}
}

/* Writes the new file; its descriptor holds its lock. */
static int write_new(const char *tmp, const char *path, const void *bytes, size_t len, mode_t mode,
	struct err *e)
{
	int fd = open_new(tmp);

	if (fd < 0 && errno == ENOENT)
		return err_set(e, ERR_SYSTEM, NOWHERE, "write %s: its folder does not exist", path);
	if (fd < 0)
		return err_sys(e, "write %s", path);
	if (file_write_all(fd, bytes, len) == 0 && fchmod(fd, mode) == 0 && fsync(fd) == 0)
		return fd;
	err_sys(e, "write %s", path);
	unlink(tmp);
	close(fd);
	return -1;
}

int file_replace(const char *path, const void *bytes, size_t len, mode_t mode, struct err *e)
{
	char dir[PATH_MAX], tmp[PATH_MAX];
	int fd, rc = 0;

	if (split(path, dir, tmp, e) < 0)
		return -1;
	fd = write_new(tmp, path, bytes, len, mode, e);
	if (fd < 0)
		return -1;
	if (rename(tmp, path) < 0) {
		rc = err_sys(e, "replace %s", path);
		unlink(tmp);
	} else if (sync_dir(dir) < 0) {
		rc = err_sys(e, "fsync %s", dir);
	}
	close(fd);
	return rc;
}

int file_create(const char *path, const void *bytes, size_t len, mode_t mode, struct err *e)
{
	char dir[PATH_MAX], tmp[PATH_MAX];
	struct stat st;
	int fd, rc = 0;

	if (split(path, dir, tmp, e) < 0)
		return -1;
	if (lstat(path, &st) == 0)
		return 1;
	fd = write_new(tmp, path, bytes, len, mode, e);
	if (fd < 0)
		return -1;
	if (link(tmp, path) < 0)
		rc = errno == EEXIST ? 1 : err_sys(e, "create %s", path);
	unlink(tmp);
	if (rc == 0 && sync_dir(dir) < 0)
		rc = err_sys(e, "fsync %s", dir);
	close(fd);
	return rc;
}

int file_remove(const char *path, struct err *e)
{
	char dir[PATH_MAX], tmp[PATH_MAX];

	if (unlink(path) < 0 && errno != ENOENT)
		return err_sys(e, "remove %s", path);
	if (split(path, dir, tmp, e) < 0)
		return -1;
	return sweep(tmp) < 0 ? err_sys(e, "remove %s", tmp) : 0;
}

/* One folder of the way; 0 when it is there now. */
static int make_dir(const char *path, mode_t mode, struct err *e)
{
	char dir[PATH_MAX], unused[PATH_MAX];
	struct stat st;

	if (stat(path, &st) == 0) {
		if (S_ISDIR(st.st_mode))
			return 0;
		return err_set(e, ERR_SYSTEM, NOWHERE, "%s is there and is not a folder", path);
	}
	if (mkdir(path, mode) < 0)
		return errno == EEXIST ? 0 : err_sys(e, "create the folder %s", path);
	/* The mode that was asked for, whatever the umask says. */
	if (chmod(path, mode) < 0)
		return err_sys(e, "chmod %s", path);
	if (split(path, dir, unused, e) < 0)
		return -1;
	return sync_dir(dir) < 0 ? err_sys(e, "fsync %s", dir) : 0;
}

int file_mkdirs(const char *path, mode_t mode, struct err *e)
{
	char part[PATH_MAX];
	size_t len = strlen(path);

	if (len == 0 || len >= sizeof(part))
		return err_set(e, ERR_SYSTEM, NOWHERE, "'%s' is no usable path", path);
	for (size_t i = 1; i <= len; i++) {
		if ((path[i] != '/' && path[i] != '\0') || path[i - 1] == '/')
			continue;
		memcpy(part, path, i);
		part[i] = '\0';
		if (make_dir(part, mode, e) < 0)
			return -1;
	}
	return 0;
}

int file_stat(const char *path, mode_t *mode, uid_t *uid, struct err *e)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return errno == ENOENT ? 1 : err_sys(e, "look at %s", path);
	*mode = st.st_mode;
	*uid = st.st_uid;
	return 0;
}
