#include "platform/netns_space.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/port.h"

#define OURSELVES "/proc/self/ns/net"

/* iproute2 says /var/run/netns, which is the same folder nearly everywhere. */
static const char *folder(void)
{
	struct stat st;

	return stat("/run/netns", &st) < 0 && stat("/var/run/netns", &st) == 0 ? "/var/run/netns"
									       : "/run/netns";
}

static bool usable(const char *name)
{
	return name_is_label(name) && strcmp(name, HOST_NODE) != 0;
}

/* A name whose namespace is gone is a plain file. */
static bool is_other_space(int dir, const char *name, const struct stat *self)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct statfs fs;
	struct stat st;
	bool is = fd >= 0 && fstatfs(fd, &fs) == 0 && fs.f_type == NSFS_MAGIC &&
		fstat(fd, &st) == 0 && (st.st_dev != self->st_dev || st.st_ino != self->st_ino);

	if (fd >= 0)
		close(fd);
	return is;
}

int netns_list(struct arena *a, struct strs *out, struct err *e)
{
	DIR *dir = opendir(folder());
	const struct dirent *entry;
	struct stat self;
	int rc = 0;

	*out = (struct strs){ 0 };
	if (dir == NULL && errno == ENOENT)
		return 0;
	if (dir == NULL || stat(OURSELVES, &self) < 0) {
		rc = err_sys(e, "list the network namespaces in %s", folder());
		goto out;
	}
	for (errno = 0; (entry = readdir(dir)) != NULL; errno = 0) {
		const char *name;

		if (!usable(entry->d_name) || !is_other_space(dirfd(dir), entry->d_name, &self))
			continue;
		name = name_fold(a, entry->d_name);
		if (!strs_has(out, name))
			strs_push(a, out, name);
	}
	if (errno != 0)
		rc = err_sys(e, "list the network namespaces in %s", folder());
	strs_sort(out);
out:
	if (dir != NULL)
		closedir(dir);
	return rc;
}

/* Names of jails are in lower case; ip-netns(8) leaves a namespace's name as it was given. */
static int open_folded(const char *jail)
{
	DIR *dir = opendir(folder());
	const struct dirent *entry;
	int fd = -1;

	if (dir == NULL)
		return -1;
	while (fd < 0 && (entry = readdir(dir)) != NULL)
		if (strcasecmp(entry->d_name, jail) == 0)
			fd = openat(dirfd(dir), entry->d_name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	closedir(dir);
	if (fd < 0)
		errno = ENOENT;
	return fd;
}

int netns_space(const char *jail, struct err *e)
{
	char path[128];
	int fd;

	if (jail == NULL) {
		fd = open(OURSELVES, O_RDONLY | O_CLOEXEC);
		return fd < 0 ? err_sys(e, "open %s", OURSELVES) : fd;
	}
	if (!usable(jail))
		return err_set(e, ERR_SYSTEM, NOWHERE, "'%s' cannot be the name of a jail", jail);
	snprintf(path, sizeof(path), "%s/%s", folder(), jail); /* a label: at most 63 bytes */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 && errno == ENOENT)
		fd = open_folded(jail);
	if (fd < 0 && errno == ENOENT)
		return err_set(e, ERR_SYSTEM, NOWHERE, "no network namespace '%s' (in %s)", jail,
			folder());
	return fd < 0 ? err_sys(e, "open %s", path) : fd;
}

int netns_enter(int fd, const char *jail, struct err *e)
{
	if (setns(fd, CLONE_NEWNET) == 0)
		return 0;
	if (errno == EPERM)
		return err_set(e, ERR_SYSTEM, NOWHERE,
			"entering the network namespace '%s' needs root: run jmesh as root", jail);
	if (errno == EINVAL)
		return err_set(e, ERR_SYSTEM, NOWHERE,
			"'%s' in %s is no network namespace (any more)", jail, folder());
	return err_sys(e, "enter the network namespace '%s'", jail);
}
