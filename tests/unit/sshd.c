#include "tests/unit/sshd.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/clock.h"
#include "os/file.h"

static int free_port(void)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(in);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	cr_assert_geq(fd, 0);
	cr_assert_eq(bind(fd, (struct sockaddr *)&in, len), 0);
	cr_assert_eq(getsockname(fd, (struct sockaddr *)&in, &len), 0);
	close(fd);
	return ntohs(in.sin_port);
}

static bool listens(int port)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons((uint16_t)port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool yes = connect(fd, (struct sockaddr *)&in, sizeof(in)) == 0;

	close(fd);
	return yes;
}

static const char *text_of(const char *path, struct arena *a)
{
	struct err e = ERR_INIT;
	const char *text;
	size_t len;

	cr_assert_eq(file_read(path, 1 << 20, a, &text, &len, &e), 0, "%s: %s", path, e.text);
	return text;
}

static void put(const char *path, const char *text)
{
	struct err e = ERR_INIT;

	cr_assert_eq(file_replace(path, text, strlen(text), 0600, &e), 0, "%s", e.text);
}

static void make_keys(struct sshd *d, struct arena *a)
{
	const char *host = arena_printf(a, "%s/host_key", d->dir);

	d->key = arena_printf(a, "%s/user_key", d->dir);
	cr_assert_eq(system(arena_printf(a,
			     "ssh-keygen -q -t ed25519 -N '' -C '' -f %s && "
			     "ssh-keygen -q -t ed25519 -N '' -C '' -f %s",
			     host, d->key)),
		0);
	put(arena_printf(a, "%s/authorized_keys", d->dir),
		text_of(arena_printf(a, "%s.pub", d->key), a));
	d->host_key = text_of(arena_printf(a, "%s.pub", host), a);
}

void sshd_start(struct sshd *d, const char *dir, const char *lines, struct arena *a)
{
	const char *conf = arena_printf(a, "%s/sshd_config", dir);
	const char *log = arena_printf(a, "%s/sshd.log", dir);

	if (access("/usr/sbin/sshd", X_OK) != 0 || getuid() != 0)
		cr_skip_test("needs root and /usr/sbin/sshd");
	/* Compiled into it as the empty folder of its unprivileged half. */
	if (mkdir("/run/sshd", 0755) != 0 && access("/run/sshd", F_OK) != 0)
		cr_skip_test("needs a /run of its own: run it by make unit");
	*d = (struct sshd){ .dir = dir, .port = free_port() };
	make_keys(d, a);
	put(conf,
		arena_printf(a,
			"ListenAddress 127.0.0.1\nPort %d\nHostKey %s/host_key\nPidFile none\n"
			"AuthorizedKeysFile %s/authorized_keys\nStrictModes no\nUsePAM no\n"
			"PasswordAuthentication no\nKbdInteractiveAuthentication no\n"
			"PermitRootLogin prohibit-password\nLogLevel VERBOSE\n%s",
			d->port, dir, dir, lines));
	d->pid = fork();
	cr_assert_geq(d->pid, 0);
	if (d->pid == 0) {
		int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);

		setpgid(0, 0);
		dup2(fd, 2);
		execl("/usr/sbin/sshd", "/usr/sbin/sshd", "-D", "-e", "-f", conf, (char *)NULL);
		_exit(127);
	}
	for (int64_t until = clock_ms() + 20000; !listens(d->port); clock_nap_us(10000))
		cr_assert_lt(clock_ms(), until, "sshd does not listen: %s", text_of(log, a));
}

void sshd_stop(struct sshd *d)
{
	if (d->pid <= 0)
		return;
	kill(-d->pid, SIGKILL);
	waitpid(d->pid, NULL, 0);
	d->pid = 0;
}

struct link_ssh sshd_ssh(const struct sshd *d)
{
	return (struct link_ssh){
		.target = "root@127.0.0.1", .port = d->port, .key = d->key, .ephemeral = true
	};
}
