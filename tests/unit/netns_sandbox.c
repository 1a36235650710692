#include "tests/unit/netns_sandbox.h"

#include <criterion/criterion.h>

#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/file.h"
#include "platform/netns.h"

struct arena *arena;
struct err e;
struct port port;

void sandbox_check(bool holds, const char *file, int line, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "%s:%d: does not hold: %s (error: %s)\n", file, line, what, e.text);
	_exit(1);
}

void sandbox_check_text(const char *has, const char *wanted, const char *file, int line)
{
	sandbox_check(strcmp(has, wanted) == 0, file, line,
		arena_printf(arena, "'%s' is '%s'", has, wanted));
}

int sandbox_sh(const char *fmt, ...)
{
	char command[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(command, sizeof(command), fmt, ap);
	va_end(ap);
	return system(command);
}

static void inside(void (*body)(void))
{
	CHECK(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
	CHECK(mount("proc", "/proc", "proc", 0, NULL) == 0);
	CHECK(mount("none", "/run", "tmpfs", 0, NULL) == 0);
	CHECK(sandbox_sh("mkdir /run/netns && ip link set lo up && ip netns add web && ip netns "
			 "add db") == 0);
	CHECK(netns_open(&port, &(struct platform_conf){ .state_dir = STATE }, arena, &e) == 0);
	body();
	_exit(0);
}

void sandbox_write(const char *path, const char *text)
{
	CHECK(file_replace(path, text, strlen(text), 0600, &e) == 0);
}

static void tell(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	CHECK(fd >= 0 && file_write_all(fd, text, strlen(text)) == 0);
	close(fd);
}

/* A new first process of new namespaces. */
static void become_root_of_all(void (*body)(void))
{
	uid_t uid = getuid();
	gid_t gid = getgid();
	int status;
	pid_t pid;

	arena = arena_new();
	e = ERR_INIT;
	if (geteuid() != 0) {
		CHECK(unshare(CLONE_NEWUSER) == 0);
		tell("/proc/self/setgroups", "deny");
		tell("/proc/self/uid_map", arena_printf(arena, "0 %ld 1", (long)uid));
		tell("/proc/self/gid_map", arena_printf(arena, "0 %ld 1", (long)gid));
	}
	CHECK(unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWPID) == 0);
	pid = fork();
	if (pid == 0)
		inside(body);
	waitpid(pid, &status, 0);
	_exit(status == 0 ? 0 : 1);
}

void sandbox(void (*body)(void))
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		become_root_of_all(body);
	waitpid(pid, &status, 0);
	cr_assert_eq(status, 0);
}

struct node_paths sandbox_configure(const char *node, const char *more)
{
	struct node_paths p;

	port.ops->node_paths(port.self, node, arena, &p);
	CHECK(file_mkdirs(p.dir, 0700, &e) == 0);
	sandbox_write(p.conf,
		arena_printf(arena,
			"{\"AdminListen\":\"unix://%s\","
			"\"MulticastInterfaces\":[]%s}\n",
			p.socket, more));
	return p;
}

bool sandbox_can_tun(void)
{
	return access("/dev/net/tun", R_OK | W_OK) == 0;
}

struct node_state sandbox_state(const char *node)
{
	struct node_state s;

	CHECK(port_node_state(&port, node, arena, &s, &e) == 0);
	CHECK(s.at_boot); /* there is no such thing here: nothing is amiss */
	return s;
}

void sandbox_start(const char *node)
{
	CHECK(port.ops->node_start(port.self, node, &e) == 0);
}

void sandbox_stop(const char *node)
{
	CHECK(port.ops->node_stop(port.self, node, &e) == 0);
}
