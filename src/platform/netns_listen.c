#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "platform/netns_process.h"

/* "ADDR:PORT" of a TCP socket that listens; NULL: it is another. */
static const char *listener(int fd, struct arena *a)
{
	union {
		struct sockaddr any;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
		struct sockaddr_storage room;
	} at;
	socklen_t len = sizeof(at), size = sizeof(int);
	char text[INET6_ADDRSTRLEN];
	int listens = 0;

	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) < 0 || !listens ||
		getsockname(fd, &at.any, &len) < 0)
		return NULL;
	if (at.any.sa_family == AF_INET &&
		inet_ntop(AF_INET, &at.in.sin_addr, text, sizeof(text)) != NULL)
		return arena_printf(a, "%s:%u", text, ntohs(at.in.sin_port));
	if (at.any.sa_family == AF_INET6 &&
		inet_ntop(AF_INET6, &at.in6.sin6_addr, text, sizeof(text)) != NULL)
		return arena_printf(a, "[%s]:%u", text, ntohs(at.in6.sin6_port));
	return NULL;
}

/*
 * Each socket of the process is asked itself, by a copy of its descriptor (pidfd_getfd(2)). The tables
 * in /proc/PID/net would tell too, but reading them walks every bucket of the kernel's hash: a
 * millisecond a node.
 */
static int ask_each(DIR *dir, int process, struct arena *a, struct strs *out, struct err *e)
{
	const struct dirent *entry;

	while ((entry = readdir(dir)) != NULL) {
		const char *found;
		char link[64];
		ssize_t len = readlinkat(dirfd(dir), entry->d_name, link, sizeof(link) - 1);
		int fd;

		link[len < 0 ? 0 : len] = '\0';
		if (strncmp(link, "socket:", 7) != 0)
			continue;
		fd = pidfd_getfd(process, (int)strtol(entry->d_name, NULL, 10), 0);
		if (fd < 0) {
			if (errno == EBADF || errno == ESRCH)
				continue; /* closed meanwhile */
			return err_sys(e, "look at the sockets of yggdrasil");
		}
		found = listener(fd, a);
		close(fd);
		if (found != NULL && !strs_has(out, found))
			strs_push(a, out, found);
	}
	strs_sort(out);
	return 0;
}

int process_listening(pid_t pid, struct arena *a, struct strs *out, struct err *e)
{
	char path[64];
	int process, rc;
	DIR *dir;

	*out = (struct strs){ 0 };
	process = pidfd_open(pid, 0);
	if (process < 0)
		return errno == ESRCH ? 0 : err_sys(e, "look at process %ld", (long)pid);
	snprintf(path, sizeof(path), "/proc/%ld/fd", (long)pid);
	dir = opendir(path);
	if (dir == NULL) {
		rc = errno == ENOENT ? 0 : err_sys(e, "read %s", path);
		close(process);
		return rc;
	}
	rc = ask_each(dir, process, a, out, e);
	closedir(dir);
	close(process);
	return rc;
}
