#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/file.h"
#include "platform/netns_process.h"

enum { TABLE_BYTES = 64 << 20, LISTEN = 0x0A };

struct inodes {
	unsigned long *v;
	size_t n, cap;
};

/* The sockets that the process holds. */
static int sockets(pid_t pid, struct arena *a, struct inodes *out, struct err *e)
{
	const struct dirent *entry;
	char path[64], link[64];
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%ld/fd", (long)pid);
	dir = opendir(path);
	if (dir == NULL)
		return errno == ENOENT ? 0 : err_sys(e, "read %s", path);
	while ((entry = readdir(dir)) != NULL) {
		ssize_t len = readlinkat(dirfd(dir), entry->d_name, link, sizeof(link) - 1);
		unsigned long inode;
		void *v = out->v;

		link[len < 0 ? 0 : len] = '\0';
		if (sscanf(link, "socket:[%lu]", &inode) != 1)
			continue;
		*(unsigned long *)arena_push(a, &v, out->n, &out->cap, sizeof(inode)) = inode;
		out->v = v;
		out->n++;
	}
	closedir(dir);
	return 0;
}

static bool has(const struct inodes *list, unsigned long inode)
{
	for (size_t i = 0; i < list->n; i++)
		if (list->v[i] == inode)
			return true;
	return false;
}

/*
 * One line of /proc/PID/net/tcp or tcp6: "0: 0100007F:4A39 00000000:0000 0A …", the address as words
 * in the machine's byte order, the port in plain hexadecimal, the state third, the inode tenth.
 */
static const char *listener(const char *line, const struct inodes *ours, struct arena *a)
{
	char local[33], text[INET6_ADDRSTRLEN];
	unsigned port, state;
	unsigned long inode;
	uint32_t words[4] = { 0 };
	size_t n;

	if (sscanf(line, " %*d: %32[0-9A-F]:%4X %*s %2X %*s %*s %*s %*s %*s %lu", local, &port,
		    &state, &inode) != 4)
		return NULL;
	if (state != LISTEN || !has(ours, inode))
		return NULL;
	n = strlen(local) / 8;
	for (size_t i = 0; i < n; i++) {
		char word[9] = { 0 };

		memcpy(word, local + 8 * i, 8);
		words[i] = (uint32_t)strtoul(word, NULL, 16);
	}
	if (inet_ntop(n == 1 ? AF_INET : AF_INET6, words, text, sizeof(text)) == NULL)
		return NULL;
	return arena_printf(a, n == 1 ? "%s:%u" : "[%s]:%u", text, port);
}

static int table(pid_t pid, const char *name, const struct inodes *ours, struct arena *a,
	struct strs *out, struct err *e)
{
	const char *text, *found;
	char path[64];
	size_t len;
	int rc;

	snprintf(path, sizeof(path), "/proc/%ld/net/%s", (long)pid, name);
	rc = file_read(path, TABLE_BYTES, a, &text, &len, e);
	if (rc != 0)
		return rc < 0 ? -1 : 0; /* without IPv6 there is no tcp6 */
	for (const char *line = text; *line != '\0'; line += strcspn(line, "\n") + 1) {
		found = listener(line, ours, a);
		if (found != NULL && !strs_has(out, found))
			strs_push(a, out, found);
		if (line[strcspn(line, "\n")] == '\0')
			break;
	}
	return 0;
}

int process_listening(pid_t pid, struct arena *a, struct strs *out, struct err *e)
{
	struct inodes ours = { 0 };

	*out = (struct strs){ 0 };
	if (sockets(pid, a, &ours, e) < 0 || table(pid, "tcp", &ours, a, out, e) < 0 ||
		table(pid, "tcp6", &ours, a, out, e) < 0)
		return -1;
	strs_sort(out);
	return 0;
}
