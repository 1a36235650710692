#include <criterion/criterion.h>
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/processors.h"
#include "relay_lab.h"

TestSuite(relay_workers, .timeout = 60);

/* Open files of that process whose name begins so, as eventpolls and sockets are called. */
static unsigned files_of(pid_t pid, const char *name)
{
	char dir[64], link[512], target[128];
	const struct dirent *entry;
	unsigned found = 0;
	DIR *d;

	snprintf(dir, sizeof(dir), "/proc/%d/fd", (int)pid);
	d = opendir(dir);
	cr_assert_not_null(d);
	while ((entry = readdir(d)) != NULL) {
		ssize_t n;

		snprintf(link, sizeof(link), "%s/%s", dir, entry->d_name);
		n = readlink(link, target, sizeof(target) - 1);
		if (n <= 0)
			continue;
		target[n] = '\0';
		found += strncmp(target, name, strlen(name)) == 0;
	}
	closedir(d);
	return found;
}

/* The relay's own: it is a fork of this process and has what was open here. */
static unsigned files(const struct relay *r, const char *name)
{
	return files_of(r->pid, name) - files_of(getpid(), name);
}

Test(relay_workers, each_waits_with_an_epoll_of_its_own)
{
	static const struct {
		unsigned workers, connections, waiting;
	} cases[] = { { 1, 64, 1 }, { 3, 64, 3 }, { 16, 64, 16 }, { 16, 5, 5 } };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct relay r = relay_up((struct relay_conf){
			.workers = cases[i].workers, .max_connections = cases[i].connections });

		cr_assert_eq(files(&r, "anon_inode:[eventpoll]"), cases[i].waiting, "%u",
			cases[i].workers);
		relay_down(&r);
	}
}

Test(relay_workers, are_as_many_as_processors_where_nobody_says)
{
	struct relay r = relay_up((struct relay_conf){ .max_connections = 1024 });
	unsigned n = processors_online();

	cr_assert_eq(files(&r, "anon_inode:[eventpoll]"), n < 256 ? n : 256);
	relay_down(&r);
}

static bool is_served(int fd)
{
	static const char get[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
	char c;

	raw_send(fd, get, sizeof(get) - 1);
	return recv(fd, &c, 1, 0) == 1 && c == 'H';
}

/* The limit does not divide evenly, and whichever worker is full leaves the next connection to others. */
Test(relay_workers, all_connections_are_served_whoever_takes_them)
{
	enum { CONNECTIONS = 50 };
	struct relay r =
		relay_up((struct relay_conf){ .workers = 7, .max_connections = CONNECTIONS });
	int fds[CONNECTIONS];

	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < CONNECTIONS; i++) {
			char from[32];

			snprintf(from, sizeof(from), "127.0.0.%zu", i % 7 + 1);
			r.from = from;
			fds[i] = raw_open(&r);
			cr_assert(is_served(fds[i]), "connection %zu", i);
		}
		for (size_t i = 0; i < CONNECTIONS; i++)
			close(fds[i]);
		for (int i = 0; i < 200 && files(&r, "socket:") > 1; i++)
			usleep(10000);
		cr_assert_eq(files(&r, "socket:"), 1, "all but the listener are closed");
	}
	relay_down(&r);
}

/* Sends a small request on each connection. */
static void ask_all(const int *fds, size_t n)
{
	static const char get[] = "GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n";

	for (size_t i = 0; i < n; i++)
		raw_send(fds[i], get, sizeof(get) - 1);
}

static void expect_answers(const int *fds, size_t n)
{
	const struct timeval patience = { .tv_sec = 5 };

	for (size_t i = 0; i < n; i++) {
		char answer[1024];

		setsockopt(fds[i], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
		cr_assert_gt(recv(fds[i], answer, sizeof(answer), 0), 0, "connection %zu", i);
	}
}

/* As many requests at the same moment as libmicrohttpd 0.9 takes at once, and nothing that comes after them. */
Test(relay_workers, serve_just_as_many_as_they_take_at_once)
{
	enum { EVENTS = 128 };
	struct relay r =
		relay_up((struct relay_conf){ .workers = 1, .max_connections = 4 * EVENTS });
	int fds[EVENTS], status;

	for (size_t i = 0; i < EVENTS; i++)
		fds[i] = raw_open(&r);
	ask_all(fds, EVENTS);
	expect_answers(fds, EVENTS);
	cr_assert_eq(kill(r.pid, SIGSTOP), 0);
	cr_assert_eq(waitpid(r.pid, &status, WUNTRACED), r.pid);
	cr_assert(WIFSTOPPED(status));
	ask_all(fds, EVENTS);
	cr_assert_eq(kill(r.pid, SIGCONT), 0);
	expect_answers(fds, EVENTS);
	for (size_t i = 0; i < EVENTS; i++)
		close(fds[i]);
	relay_down(&r);
}

/* A signal that comes while workers are full and connections come and go. */
Test(relay_workers, stop_in_the_middle_of_it)
{
	for (int round = 0; round < 50; round++) {
		struct relay r =
			relay_up((struct relay_conf){ .workers = 4, .max_connections = 8 });
		int fds[12];

		for (size_t i = 0; i < 12; i++) {
			fds[i] = raw_open(&r);
			raw_send(fds[i], "GE", 2);
		}
		for (size_t i = 0; i < 6; i++)
			close(fds[i]);
		relay_down(&r);
		for (size_t i = 6; i < 12; i++)
			close(fds[i]);
	}
}
