#include "redis_lab.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <fcntl.h>
#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "os/child.h"

/* What is preloaded is built beside this program. */
static void show_own_clock(const struct redis_server *r)
{
	char path[4096] = { 0 }, library[4200], clock[64];

	if (readlink("/proc/self/exe", path, sizeof(path) - 1) < 0)
		_exit(126);
	snprintf(library, sizeof(library), "%s/clock.so", dirname(path));
	snprintf(clock, sizeof(clock), "%s/clock", r->dir);
	if (access(library, R_OK) != 0)
		_exit(126);
	setenv("LD_PRELOAD", library, 1);
	setenv("JMESH_TEST_CLOCK", clock, 1);
}

static int open_socket(const struct redis_server *r)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/s", r->dir);
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0)
		return fd;
	close(fd);
	return -1;
}

void redis_start(struct redis_server *r)
{
	const struct timespec tick = { .tv_nsec = 10 * 1000 * 1000 };
	char socket_path[64], log[64];
	pid_t parent = getpid();
	int fd = -1;

	snprintf(socket_path, sizeof(socket_path), "%s/s", r->dir);
	snprintf(log, sizeof(log), "%s/log", r->dir);
	r->pid = fork();
	if (r->pid == 0) {
		if (child_end_with(parent) < 0)
			_exit(126);
		if (r->clock != NULL)
			show_own_clock(r);
		execlp("redis-server", "redis-server", "--port", "0", "--unixsocket", socket_path,
			"--save", "", "--appendonly", "no", "--dir", r->dir, "--logfile", log,
			"--requirepass", r->password != NULL ? r->password : "", (char *)NULL);
		_exit(127);
	}
	for (int i = 0; i < 1000 && (fd = open_socket(r)) < 0; i++) {
		int status;

		cr_assert_eq(waitpid(r->pid, &status, WNOHANG), 0,
			"redis-server ended (%d): is it installed?", status);
		nanosleep(&tick, NULL);
	}
	cr_assert_geq(fd, 0, "redis-server does not listen");
	close(fd);
}

struct redis_server redis_up(bool own_clock, const char *password)
{
	struct redis_server r = { .dir = "/tmp/jmesh-unit.XXXXXX", .password = password };
	char path[64];
	int fd;

	cr_assert_not_null(mkdtemp(r.dir));
	snprintf(r.url, sizeof(r.url), "unix://%s/s", r.dir);
	if (own_clock) {
		snprintf(path, sizeof(path), "%s/clock", r.dir);
		fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		cr_assert_eq(ftruncate(fd, sizeof(*r.clock)), 0);
		r.clock = mmap(NULL, sizeof(*r.clock), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		cr_assert_neq((void *)r.clock, MAP_FAILED);
		close(fd);
		r.zero = (int64_t)time(NULL) * 1000;
		redis_at(&r, 0);
	}
	redis_start(&r);
	return r;
}

void redis_stop(struct redis_server *r)
{
	kill(r->pid, SIGKILL);
	cr_assert_eq(waitpid(r->pid, NULL, 0), r->pid);
}

void redis_down(struct redis_server *r)
{
	char command[64];

	redis_stop(r);
	snprintf(command, sizeof(command), "rm -rf %s", r->dir);
	cr_assert_eq(system(command), 0);
}

void redis_at(const struct redis_server *r, int64_t now)
{
	atomic_store(r->clock, r->zero + now);
}

char *redis_ask(const struct redis_server *r, const char *line)
{
	size_t size = 65536;
	char *text = malloc(size);
	int fd = open_socket(r);
	ssize_t n;

	cr_assert_geq(fd, 0);
	cr_assert_eq(dprintf(fd, "%s\r\n", line), (int)strlen(line) + 2);
	n = recv(fd, text, size - 1, 0);
	cr_assert_gt(n, 0);
	text[n] = '\0';
	close(fd);
	return text;
}

static void *lie(void *arg)
{
	struct liar *liar = arg;
	const struct timespec pause = { liar->drip_ms / 1000,
		(long)(liar->drip_ms % 1000) * 1000000 };
	char heard[4096];
	int fd;

	while ((fd = accept(liar->fd, NULL, NULL)) >= 0) {
		if (recv(fd, heard, sizeof(heard), 0) > 0) {
			size_t step = liar->drip_ms != 0 ? 1 : liar->len;

			for (size_t i = 0; i < liar->len; i += step) {
				if (send(fd, liar->says + i, step, MSG_NOSIGNAL) < 0)
					break;
				nanosleep(&pause, NULL);
			}
			/* Until the other side is tired of it. */
			while (recv(fd, heard, sizeof(heard), 0) > 0)
				;
		}
		close(fd);
	}
	return NULL;
}

const char *liar_listen(struct liar *liar)
{
	struct sockaddr_in sa = { .sin_family = AF_INET };
	socklen_t len = sizeof(sa);

	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	liar->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(bind(liar->fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	cr_assert_eq(listen(liar->fd, 8), 0);
	cr_assert_eq(getsockname(liar->fd, (struct sockaddr *)&sa, &len), 0);
	snprintf(liar->url, sizeof(liar->url), "redis://127.0.0.1:%d", ntohs(sa.sin_port));
	return liar->url;
}

void liar_answer(struct liar *liar)
{
	cr_assert_eq(pthread_create(&liar->thread, NULL, lie, liar), 0);
}

const char *liar_up(struct liar *liar)
{
	liar_listen(liar);
	liar_answer(liar);
	return liar->url;
}

void liar_down(struct liar *liar)
{
	shutdown(liar->fd, SHUT_RDWR);
	pthread_join(liar->thread, NULL);
	close(liar->fd);
}
