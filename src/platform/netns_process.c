#include "platform/netns_process.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/clock.h"
#include "os/file.h"

enum { PROC_BYTES = 16 << 20 };

/* A file of /proc/PID; NULL when it cannot be read. The arena is the caller's scratch. */
static const char *proc_file(pid_t pid, const char *name, struct arena *a, size_t *len)
{
	const char *text;
	char path[64];
	struct err e;

	snprintf(path, sizeof(path), "/proc/%ld/%s", (long)pid, name);
	return file_read(path, PROC_BYTES, a, &text, len, &e) == 0 ? text : NULL;
}

/* Field n of /proc/PID/stat from 3, the state, on; NULL: the process is gone. */
static const char *stat_field(pid_t pid, int n, struct arena *a)
{
	size_t len;
	const char *text = proc_file(pid, "stat", a, &len);
	/* The name of the program may hold anything, also parentheses and spaces. */
	const char *at = text == NULL ? NULL : strrchr(text, ')');

	for (int field = 2; field < n && at != NULL; field++) {
		at = strchr(at, ' ');
		at = at == NULL ? NULL : at + 1;
	}
	return at;
}

static bool is_dead(pid_t pid, struct arena *a)
{
	const char *state = stat_field(pid, 3, a);

	return state == NULL || *state == 'Z' || *state == 'X';
}

static unsigned long long start_of(pid_t pid, struct arena *a)
{
	const char *text;

	/* Killed, the first thread is dead before the others, which hold its sockets a moment longer. */
	for (int naps = 0; naps < 1000 && is_dead(pid, a); naps++) {
		text = stat_field(pid, 20, a);
		if (text == NULL || strtoul(text, NULL, 10) < 2)
			return 0;
		clock_nap_us(1000);
	}
	text = is_dead(pid, a) ? NULL : stat_field(pid, 22, a);
	return text == NULL ? 0 : strtoull(text, NULL, 10);
}

unsigned long long process_start(pid_t pid)
{
	struct arena *a = arena_new();
	unsigned long long start = start_of(pid, a);

	arena_free(a);
	return start;
}

int process_record(const char *pid_file, struct err *e)
{
	char text[64];
	int n = snprintf(text, sizeof(text), "%ld %llu\n", (long)getpid(), process_start(getpid()));

	return file_replace(pid_file, text, (size_t)n, 0600, e);
}

/* 1: it is `PROGRAM -useconffile CONF`. 0: it is not. -1: it has no command line. */
static int runs(pid_t pid, const char *conf, struct arena *a)
{
	size_t len, at;
	const char *text = proc_file(pid, "cmdline", a, &len);

	if (text == NULL)
		return 0;
	if (len == 0)
		return -1;
	at = strlen(text) + 1;
	if (at >= len || strcmp(text + at, "-useconffile") != 0)
		return 0;
	at += strlen(text + at) + 1;
	return at < len && strcmp(text + at, conf) == 0;
}

/* "PID START\n" and nothing else; 0: the file tells of no process. */
static pid_t recorded(const char *pid_file, struct arena *a, unsigned long long *start)
{
	const char *text;
	struct err e;
	size_t len;
	char *end;
	long pid;

	if (file_read(pid_file, 64, a, &text, &len, &e) != 0 || !isdigit((unsigned char)text[0]))
		return 0;
	pid = strtol(text, &end, 10);
	if (pid < 1 || (pid_t)pid != pid || *end != ' ' || !isdigit((unsigned char)end[1]))
		return 0;
	*start = strtoull(end + 1, &end, 10);
	return strcmp(end, "\n") == 0 && *start != 0 ? (pid_t)pid : 0;
}

/* Every process there is, for one of ours whose pid file was lost. */
static pid_t search(const char *conf, int space, struct arena *a)
{
	DIR *dir = opendir("/proc");
	const struct dirent *entry;
	pid_t found = 0;

	if (dir == NULL)
		return 0;
	while (found == 0 && (entry = readdir(dir)) != NULL) {
		pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);

		if (pid > 0 && runs(pid, conf, a) == 1 && process_is_in(pid, space) &&
			start_of(pid, a) != 0)
			found = pid;
	}
	closedir(dir);
	return found;
}

pid_t process_find(const char *pid_file, const char *conf, int space, struct arena *a)
{
	unsigned long long start;
	pid_t pid = recorded(pid_file, a, &start);
	int is = 0;

	if (pid != 0 && start_of(pid, a) == start) {
		/* In the middle of exec a process has no command line for a moment. */
		for (int i = 0; (is = runs(pid, conf, a)) < 0 && i < 20; i++)
			clock_nap_us(5000);
		if (is == 1)
			return pid;
	}
	return space < 0 ? 0 : search(conf, space, a);
}

bool process_is_in(pid_t pid, int space)
{
	struct stat a, b;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%ld/ns/net", (long)pid);
	return fstat(space, &a) == 0 && stat(path, &b) == 0 && a.st_dev == b.st_dev &&
		a.st_ino == b.st_ino;
}

/* Waits for the end of a process; whether it came. */
static bool ended(pid_t pid, int pidfd, unsigned long long start, int limit_ms)
{
	int64_t until = clock_ms() + limit_ms;
	struct pollfd p = { .fd = pidfd, .events = POLLIN };
	int64_t left;

	while (process_start(pid) == start) {
		left = until - clock_ms();
		if (left <= 0)
			return false;
		if (pidfd >= 0)
			poll(&p, 1, (int)left);
		else
			clock_nap_us(10000);
	}
	return true;
}

static int send_signal(pid_t pid, int pidfd, int sig)
{
	return pidfd >= 0 ? pidfd_send_signal(pidfd, sig, NULL, 0) : kill(pid, sig);
}

int process_stop(pid_t pid, const char *conf, int grace_ms, struct err *e)
{
	struct arena *a = arena_new();
	int pidfd = pidfd_open(pid, 0), rc = 0; /* -1 on a kernel that has none */
	/* Looked at once the descriptor is held: from here on it cannot become another process. */
	unsigned long long start = start_of(pid, a);

	if (start == 0 || runs(pid, conf, a) != 1)
		goto out;
	if (send_signal(pid, pidfd, SIGTERM) < 0 && errno != ESRCH) {
		rc = err_sys(e, "stop process %ld", (long)pid);
		goto out;
	}
	if (ended(pid, pidfd, start, grace_ms))
		goto out;
	send_signal(pid, pidfd, SIGKILL);
	if (!ended(pid, pidfd, start, 5000))
		rc = err_set(e, ERR_SYSTEM, NOWHERE, "process %ld does not end", (long)pid);
out:
	if (pidfd >= 0)
		close(pidfd);
	arena_free(a);
	return rc;
}
